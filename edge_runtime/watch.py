"""``edge-pneumo watch``: a source yields work, the classifier answers, the journal remembers, the sinks tell.

Three stages at work at the same time, each in its own thread, with little between them: ``ahead`` finds, reads and
decodes; the thread that calls ``watch`` owns the interpreter; ``behind`` writes.
"""

import argparse
import os
import signal
import sqlite3
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from edge_runtime.ahead import read_ahead
from edge_runtime.allocator import share_one_heap
from edge_runtime.answer import Opened, conclude
from edge_runtime.behind import Outcome, WriteBehind
from edge_runtime.clock import SYSTEM_CLOCK, Clock
from edge_runtime.errors import EdgePneumoError, EngineError, UsageError
from edge_runtime.journal import Journal
from edge_runtime.model.classifier import Classifier, is_reproduced, verify_golden
from edge_runtime.options import add_model_arguments, add_operating_point_argument, open_classifier
from edge_runtime.sinks import Sink
from edge_runtime.sinks.files import JOURNAL, ResultsFolder
from edge_runtime.sinks.terminal import Terminal
from edge_runtime.sources import Work
from edge_runtime.sources.folder import RESCAN_SECONDS, FolderSource
from edge_runtime.sources.settle import DEFAULT_DELAY, Settling


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``watch``."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="folder to watch, with all below it")
    parser.add_argument(
        "--results", type=Path, metavar="DIR", help="where findings go (default: beside DIR, its name with -results)"
    )
    parser.add_argument("--once", action="store_true", help="end when everything in the folder has been answered")
    parser.add_argument("--no-heatmap", action="store_true", help="write no heat maps")
    parser.add_argument(
        "--settle",
        type=_seconds,
        default=DEFAULT_DELAY,
        metavar="SECONDS",
        help="a file must lie unchanged for so long (default: %(default)s)",
    )
    add_model_arguments(parser)
    add_operating_point_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Watch until SIGTERM or SIGINT, or with ``--once`` until the folder is drained; 0 at either end.

    Raises:
        EdgePneumoError: A folder, an option, the bundle or the engine cannot be used.
    """
    folder: Path = arguments.folder
    results: Path = arguments.results or default_results(folder)
    share_one_heap()
    with _stop_signals() as stop:
        check_folders(folder, results)
        classifier = open_classifier(arguments)
        _refuse_unproven(classifier)
        terminal = Terminal()
        # A new sink's line stands here.
        sinks: list[Sink] = [terminal]
        watch(
            folder,
            results,
            classifier,
            once=arguments.once,
            heatmaps=not arguments.no_heatmap,
            settle=arguments.settle,
            stop=stop,
            sinks=sinks,
            on_start=lambda: terminal.begin(str(folder), str(results), classifier),
            note=terminal.note,
        )
        terminal.end()
    return 0


def watch(
    folder: Path,
    results: Path,
    classifier: Classifier,
    *,
    once: bool = False,
    heatmaps: bool = True,
    settle: float = DEFAULT_DELAY,
    rescan: float = RESCAN_SECONDS,
    stop: threading.Event | None = None,
    sinks: Sequence[Sink] = (),
    clock: Clock = SYSTEM_CLOCK,
    on_start: Callable[[], None] = lambda: None,
    note: Callable[[str], None] = lambda _: None,
) -> None:
    """Answer for what is in a folder and for what arrives there, each content of each file once.

    Args:
        folder: What to watch, with all below it; nothing in it is changed.
        results: Where findings and the journal go; made if it is missing.
        classifier: Its engine is used in the calling thread alone.
        once: Return when the folder is drained.
        heatmaps: Whether to write them.
        settle: Seconds for which a file must lie unchanged.
        rescan: Seconds between two looks for what the events missed.
        stop: Set from anywhere to return once the answer that is being written has been; it is set when this returns.
        sinks: Told each new answer, in the thread that writes.
        clock: What time it is.
        on_start: Called when both folders have been found usable.
        note: Takes one sentence for the person who runs this.

    Raises:
        UsageError: A folder cannot be used, or another process watches with these results.
        EdgePneumoError: Findings cannot be written any more; nothing that was answered is lost.
    """
    stop = stop or threading.Event()
    check_folders(folder, results)
    with ResultsFolder(results, heatmaps=heatmaps) as record, closing(Journal(results / JOURNAL)) as journal:
        on_start()
        source = FolderSource(
            folder,
            journal.knows,
            exclude=results,
            once=once,
            settling=Settling(settle),
            rescan=rescan,
            monotonic=clock.seconds,
            now=clock.now,
            note=note,
        )
        try:
            with (
                closing(read_ahead(source, classifier.bundle, clock, stop)) as ahead,
                WriteBehind(source, record, journal, sinks, stop) as behind,
            ):
                for work, opened in ahead:
                    # What is being written of this name must be known before one can ask for it.
                    behind.wait_for(work.key)
                    behind.put(_answer(work, opened, classifier, record, journal, clock))
                    del opened  # else the picture stays in memory until the next one has come
                    if stop.is_set():
                        break
        except (OSError, sqlite3.Error) as error:
            raise EdgePneumoError(
                f"findings and journal cannot be kept in {results} ({_cause(error)}); mend that and start again: "
                "what has been answered is safe, the rest follows"
            ) from error
        finally:
            stop.set()


def check_folders(folder: Path, results: Path) -> None:
    """Refuse a folder that cannot be watched, or that would be watched with its own results in it.

    Raises:
        UsageError: The sentence says which and why.
    """
    try:
        with os.scandir(folder):
            pass
    except FileNotFoundError:
        raise UsageError(f"there is no folder {folder}; make it, or check its spelling") from None
    except NotADirectoryError:
        raise UsageError(f"{folder} is a file; name the folder that radiographs arrive in") from None
    except OSError as error:
        raise UsageError(f"{folder} cannot be looked through ({error.strerror}); check its permissions") from error
    if folder.resolve().is_relative_to(results.resolve()):
        raise UsageError(f"findings in {results} would be taken for radiographs; name another folder with --results")


def default_results(folder: Path) -> Path:
    """The service's state folder under systemd, else a folder beside the watched one."""
    state = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    if state:
        return Path(state) / "results"
    folder = folder.resolve()
    return folder.with_name(f"{folder.name}-results") if folder.name else Path("/edge-pneumo-results")


def _refuse_unproven(classifier: Classifier) -> None:
    """Nobody looks over a daemon's shoulder, so that an engine that computes something else is not used at all."""
    if not is_reproduced(verify_golden(classifier.engine, classifier.bundle.golden), classifier.engine):
        raise EngineError(
            f"{classifier.engine.name} does not compute what the model's converter computed; install another version "
            "of it, and see what 'edge-pneumo verify' says"
        )


def _answer(
    work: Work, opened: Opened, classifier: Classifier, record: ResultsFolder, journal: Journal, clock: Clock
) -> Outcome:
    """Answer, unless this content of the file has an answer already."""
    entry = None if opened.sha256 is None else journal.find(work.key, opened.sha256)
    if entry is not None:
        return Outcome(work, entry)
    left_over = record.find(work.key, work.source, opened.sha256, lambda file: journal.holds(work.key, file))
    return Outcome(work, left_over or conclude(opened, classifier, clock=clock))


@contextmanager
def _stop_signals() -> Generator[threading.Event, None, None]:
    """An event that SIGTERM and SIGINT set; a second Ctrl-C ends the program as if this were not here."""
    stop = threading.Event()

    def on_signal(number: int, _frame: object) -> None:
        stop.set()
        signal.signal(number, before[signal.Signals(number)])

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0.0 <= seconds <= 3600.0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 0 to 3600")
    return seconds


def _cause(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
