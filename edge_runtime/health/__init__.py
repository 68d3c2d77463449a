"""How the watcher does, and who is told."""
