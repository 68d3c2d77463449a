"""What the status light shows.

| light | state |
|---|---|
| off | the watcher does not run, or ends |
| a short flash every second | it starts: the golden vectors are being replayed |
| on | it waits for radiographs |
| slow blink, once a second | it works |
| fast blink, five times a second | something needs a person: ``edge-pneumo status`` says what |

A person is needed where findings cannot be written (paused), where no progress is made, where the camera, the engine or
the board is not as it should be, and where inferences have become slow. A folder that is polled because its file system
tells of nothing is as good as any, so that what is said of the folder alone is not shown.
"""

from typing import Final, NamedTuple

from edge_runtime.health.health import State


class Pattern(NamedTuple):
    """How the light goes on and off again and again.

    Attributes:
        on: Seconds; 0 for always off.
        off: Seconds; 0 for always on.
    """

    on: float
    off: float


OFF: Final = Pattern(0.0, 1.0)
STARTING: Final = Pattern(0.1, 0.9)
IDLE: Final = Pattern(1.0, 0.0)
WORKING: Final = Pattern(0.5, 0.5)
TROUBLE: Final = Pattern(0.1, 0.1)


def pattern(state: State) -> Pattern:
    """What shows this state."""
    if state.state == "stopping":
        return OFF
    if state.state == "starting":
        return STARTING
    parts = {trouble.part for trouble in state.degraded} - {"folder"}
    if state.paused is not None or state.silent_since is not None or parts:
        return TROUBLE
    # Behind a folder's trouble the state does not tell whether there is work.
    is_working = state.state == "working" or state.backlog.files > 0 or state.backlog.more
    return WORKING if is_working else IDLE
