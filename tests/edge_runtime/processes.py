"""Processes that tests start."""

import signal


def usual_signals() -> None:
    """As ``preexec_fn``: what runs in the background or under nohup ignores some signals, and so do its children."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
