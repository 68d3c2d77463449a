"""What puts a fault into a board; a generator takes it away again."""


class CannotPlantError(Exception):
    """Why a fault cannot be had here; the message is a sentence."""
