"""The part of edge-pneumo that a device installs: radiographs and a bundle in, findings out."""
