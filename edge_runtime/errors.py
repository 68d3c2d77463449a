"""What can go wrong in a way a person can mend. Each message names the cause and the next step in one sentence."""


class EdgePneumoError(Exception):
    """An error to show as one sentence, without a traceback."""


class BundleError(EdgePneumoError):
    """The model bundle is missing, foreign, damaged or too new."""


class EngineError(EdgePneumoError):
    """No inference engine is installed, or it cannot run the model."""


class UsageError(EdgePneumoError):
    """A path or an option that cannot be used as given."""


class ImageError(EdgePneumoError):
    """The bytes are no image that can be read; the message is a lower-case fragment, fit for a finding's ``reason``."""
