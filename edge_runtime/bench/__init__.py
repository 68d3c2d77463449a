"""How fast this machine answers: by engine and threads, and stage by stage for the table of devices."""
