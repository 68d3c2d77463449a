"""Labelled radiographs in, a trained VGG-16 and its report out."""
