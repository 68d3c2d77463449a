"""``edge-pneumo watch``."""
