"""A light and a button on a small board's pins, for a device without a screen."""
