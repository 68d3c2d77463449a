"""From the bytes of a file to the pixels the model sees: one pipeline for training, conversion and the device."""
