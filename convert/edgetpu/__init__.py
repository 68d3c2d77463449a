"""A Coral Edge TPU: what of a bundle its compiler maps, and the compiler itself."""
