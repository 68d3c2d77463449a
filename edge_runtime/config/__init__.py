"""Settings, and ``edge-pneumo config``."""
