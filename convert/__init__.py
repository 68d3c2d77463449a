"""A trained Keras model in, one int8 bundle and its parity report out."""
