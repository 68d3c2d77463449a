"""A film on a light box or a picture on a monitor, seen by a camera: found, straightened, and taken once."""
