"""``edge-pneumo status``."""
