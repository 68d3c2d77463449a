"""``edge-pneumo backup``."""
