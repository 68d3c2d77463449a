"""``edge-pneumo results``."""
