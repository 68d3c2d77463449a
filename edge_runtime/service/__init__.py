"""``edge-pneumo service``."""
