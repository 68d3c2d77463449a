"""Watching: a source yields work, the classifier answers, the journal remembers, the sinks tell.

Three stages at work at the same time, each in its own thread, with little between them: ``ahead`` finds, reads and
decodes; the thread that calls ``watch`` owns the interpreter; ``behind`` writes. A file that still settles goes through
the first two, so that its answer is there when it is complete (``foresight``).
"""

import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from edge_runtime.answer import Screen
from edge_runtime.camera.filming import Filming
from edge_runtime.clock import SYSTEM_CLOCK, Clock
from edge_runtime.config.settings import CameraSettings, Retention, Settings
from edge_runtime.errors import EdgePneumoError
from edge_runtime.file_state import FileState
from edge_runtime.health.health import Health
from edge_runtime.health.state_file import StateFile, runtime_directory
from edge_runtime.journal.journal import Journal, damage, is_passing
from edge_runtime.model.classifier import Classifier
from edge_runtime.radiograph.decode import Decode
from edge_runtime.retention.keeper import RetentionKeeper
from edge_runtime.sinks import Sink
from edge_runtime.sinks.files import JOURNAL, ResultsFolder
from edge_runtime.sources.folder import MAX_BYTES, POLL_SECONDS, RESCAN_SECONDS, FolderSource
from edge_runtime.sources.settle import DEFAULT_DELAY, Order, Settling
from edge_runtime.watch.behind import GROUP
from edge_runtime.watch.disposal import Disposal
from edge_runtime.watch.folders import check_folders
from edge_runtime.watch.insist import Backoff, Insistence
from edge_runtime.watch.pipeline import answer_all
from edge_runtime.watch.reload import Reloader, exchanging


def watch(
    folder: Path,
    results: Path,
    classifier: Classifier | Reloader,
    *,
    once: bool = False,
    heatmaps: bool = True,
    settle: float = DEFAULT_DELAY,
    rescan: float = RESCAN_SECONDS,
    poll: float = POLL_SECONDS,
    order: Order = "oldest",
    max_bytes: int = MAX_BYTES,
    decoder: Decode | None = None,
    screen: Screen | None = None,
    moved_to: tuple[Path, Path] | None = None,
    retention: Retention = Retention(),  # noqa: B008  frozen
    camera: CameraSettings = CameraSettings(),  # noqa: B008  frozen
    stop: threading.Event | None = None,
    sinks: Sequence[Sink] = (),
    clock: Clock = SYSTEM_CLOCK,
    on_start: Callable[[], None] = lambda: None,
    note: Callable[[str], None] = lambda _: None,
    health: Health | None = None,
    backoff: Backoff = Backoff(),  # noqa: B008  frozen
    group: int = GROUP,
    steps: Sequence[Callable[[], None]] = (),
    on_camera: Callable[[Callable[[], None]], None] = lambda _: None,
) -> None:
    """Answer for what is in a folder and for what arrives there, each content of each file once.

    Args:
        folder: What to watch, with all below it; nothing in it is changed, unless files are moved.
        results: Where findings and the journal go; made if it is missing.
        classifier: What answers, or what exchanges it, which is started and ended here. The engine is used in the
            calling thread alone.
        once: Return when the folder is drained.
        heatmaps: Whether to write them.
        settle: Seconds for which a file must lie unchanged.
        rescan: Seconds between two looks for what the events missed.
        poll: The same where the file system tells of nothing.
        order: Which of the files found together comes first.
        max_bytes: A larger file is refused unread.
        decoder: What decodes; ``None`` for what decodes in this process.
        screen: What looks through the gate; likewise.
        moved_to: The folders that classified and rejected files are moved to, relative to the watched one; ``None``
            where they stay where they are.
        retention: How long findings and heat maps are kept.
        camera: What photographs films into the folder, if anything does.
        stop: Set from anywhere to return once the answer that is being written has been; it is set when this returns.
        sinks: Told each new answer, in the thread that writes.
        clock: What time it is.
        on_start: Called when both folders have been found usable.
        note: Takes one sentence for the person who runs this.
        health: Told how it stands; what it says lies in the results for ``edge-pneumo status``.
        backoff: How long to wait before what the disk refused is tried again.
        group: How many answers are written together, at most.
        steps: Called once a second, in the thread that keeps the state file; they neither wait nor raise.
        on_camera: Given what has the film before the camera count as a new one, as when a button is pressed.

    Raises:
        UsageError: A folder cannot be used, or another process watches with these results.
        EdgePneumoError: The journal is damaged, or findings could not be written for too long; nothing that was
            answered is lost.
    """
    stop = stop or threading.Event()
    health = Health(clock=clock) if health is None else health
    check_folders(folder, results)
    with (
        ResultsFolder(results, heatmaps=heatmaps) as record,
        closing(Journal(results / JOURNAL)) as journal,
        StateFile(results, folder, health, runtime=runtime_directory(), clock=clock, steps=steps),
    ):
        insistence = Insistence(
            results, stop, health=health, note=note, seconds=backoff.once if once else None, backoff=backoff
        )
        disposal = None if moved_to is None else Disposal(folder, *moved_to, journal, note=note)
        filming = Filming(
            folder,
            results,
            camera,
            stop=stop,
            health=health,
            note=note,
            runtime=runtime_directory(),
            once=once,
            backoff=backoff,
        )
        on_camera(filming.renew)
        on_start()
        source = FolderSource(
            folder,
            partial(_knows, journal),
            exclude=(results, *(disposal.folders if disposal else ())),
            once=lambda: once and filming.is_over,
            foretell=True,
            settling=Settling(settle, order=order),
            rescan=rescan,
            poll=poll,
            max_bytes=max_bytes,
            disposal=disposal,
            monotonic=clock.seconds,
            now=clock.now,
            note=note,
            health=health,
        )
        keeper = RetentionKeeper(results, folder, retention, now=clock.now, note=note)
        health.ready()

        def change(settings: Settings) -> None:
            record.heatmaps = settings.watch.heatmaps
            source.change(settings.watch, settings.limits.megabytes * 10**6)
            keeper.policy = settings.retention
            filming.change(settings.camera)

        try:
            with (
                filming.going_on(source.complete, journal.has_answered),
                exchanging(classifier, change) as current,
            ):
                answer_all(
                    source,
                    current,
                    record,
                    journal,
                    sinks=(health, *sinks),
                    stop=stop,
                    clock=clock,
                    health=health,
                    insistence=insistence,
                    group=group,
                    decoder=decoder,
                    screen=screen,
                    chores=keeper,
                )
            health.stopping()
        except sqlite3.DatabaseError as error:
            raise EdgePneumoError(damage(journal.path, error)) from error
        finally:
            stop.set()


def _knows(journal: Journal, name: bytes, state: FileState) -> bool:
    """Whether a file was answered as it lies there; one of which that cannot be said just now counts as news."""
    try:
        return journal.knows(name, state)
    except sqlite3.Error as error:
        if is_passing(error):
            return False  # who reads it asks again, and insists
        raise
