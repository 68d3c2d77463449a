"""``edge-pneumo watch``: its options, and what a watcher is made of."""

import argparse
import os
from functools import partial
from pathlib import Path

from edge_runtime.allocator import share_one_heap
from edge_runtime.board.notice import BoardNotice
from edge_runtime.camera.choice import parse
from edge_runtime.config.config import Configuration
from edge_runtime.config.settings import WatchSettings
from edge_runtime.gpio.panel import Panel
from edge_runtime.health.health import Health
from edge_runtime.health.notify import Notifier, Speaker
from edge_runtime.health.state_file import runtime_directory
from edge_runtime.model import store
from edge_runtime.model.accelerated import Tell
from edge_runtime.model.accelerator import TellHealth, hand_over
from edge_runtime.model.pace import Pace, PaceWatch, prove
from edge_runtime.options import (
    add_model_arguments,
    add_operating_point_argument,
    add_watch_arguments,
    classifier_of,
    configuration,
)
from edge_runtime.radiograph.forked import Forked, forked_worker
from edge_runtime.radiograph.isolated import isolated
from edge_runtime.sinks import Sink
from edge_runtime.sinks.told import Told
from edge_runtime.watch.answering import watch
from edge_runtime.watch.folders import check_folders, watched_folders
from edge_runtime.watch.reload import InForce, Reloader
from edge_runtime.watch.signals import reread_signal, stop_signals

# Of which several may be tried, and one that hangs takes the longest: see ``engines.edgetpu``.
_ACCELERATOR_SECONDS = 180.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``watch``."""
    add_watch_arguments(parser)
    parser.add_argument("--once", action="store_true", help="end when everything in the folder has been answered")
    add_model_arguments(parser)
    add_operating_point_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Watch until SIGTERM or SIGINT, or with ``--once`` until the folder is drained; 0 at either end.

    Raises:
        EdgePneumoError: A folder, an option, the bundle or the engine cannot be used.
    """
    share_one_heap()
    with forked_worker() as worker:
        return _run(arguments, worker)


def _run(arguments: argparse.Namespace, worker: Forked | None) -> int:
    chosen = _checked(arguments)
    folder, results = watched_folders(chosen)
    notifier, health = Notifier.from_environment(), Health()
    with (
        stop_signals() as stop,
        reread_signal(stop) as on_reread,
        Told(names=chosen.settings.log.names) as told,
        isolated(
            chosen.settings.limits,
            stop=stop,
            alive=partial(health.moved, "read-ahead"),
            note=told.note,
            first=worker,
        ) as decoder,
        Panel(chosen.settings.gpio, health, note=told.note, runtime=runtime_directory()) as panel,
    ):
        check_folders(folder, results)
        decoder.start()  # one that is no copy of this process loads what it needs meanwhile
        seen = store.stamp(store.folder(os.environ))
        # Nothing else here keeps the classifier: one that is exchanged gives its memory back.
        tell = TellHealth(health, told.note)
        first, pace = _proven(chosen, notifier, tell)
        pace_watch = PaceWatch(health, pace)
        reloader = Reloader(
            first,
            lambda: _checked(arguments),
            seen=seen,
            tell=tell,
            # While others are answered: how long it takes then says little, and keeps no model from its place.
            prove=lambda classifier: pace_watch.renew(prove(classifier, allow_slow=True)),
            note=told.note,
            failed=health.fail,
            reloading=notifier.reloading,
            ready=notifier.ready,
        )
        del first
        on_reread(reloader.request)
        reloader.on_change(lambda settings: decoder.limit(settings.limits))
        # A new sink's line stands here.
        sinks: list[Sink] = [*told.sinks, pace_watch]

        def begin() -> None:
            told.begin(str(folder), str(results), reloader.classifier())
            notifier.ready("ready")

        with Speaker(notifier, health, stop):
            watch(
                folder,
                results,
                reloader,
                once=arguments.once,
                heatmaps=chosen.settings.watch.heatmaps,
                settle=chosen.settings.watch.settle,
                rescan=chosen.settings.watch.rescan,
                poll=chosen.settings.watch.poll,
                order=chosen.settings.watch.order,
                max_bytes=chosen.settings.limits.megabytes * 10**6,
                decoder=decoder.decode,
                screen=decoder.screen,
                moved_to=_moved_to(chosen.settings.watch),
                retention=chosen.settings.retention,
                camera=chosen.settings.camera,
                stop=stop,
                sinks=sinks,
                on_start=begin,
                note=told.note,
                health=health,
                steps=[BoardNotice(health, note=told.note).step, panel.step],
                on_camera=panel.on_press,
            )
        told.end()
    return 0


def _checked(arguments: argparse.Namespace) -> Configuration:
    """The configuration, of which a camera's word is more than text."""
    chosen = configuration(arguments)
    if chosen.settings.camera.device:
        parse(chosen.settings.camera.device)
    return chosen


def _moved_to(settings: WatchSettings) -> tuple[Path, Path] | None:
    return (settings.done, settings.refused) if settings.input == "move" else None


def _proven(chosen: Configuration, notifier: Notifier, tell: Tell) -> tuple[InForce, Pace]:
    """Nobody looks over a daemon's shoulder, so that an engine that computes something else is not used at all.

    The CPU is proven first, even where an accelerator is to answer: it is what is left when that is lost.
    """
    notifier.status("starting: replaying the golden vectors")
    classifier = classifier_of(chosen, tell=tell)
    allow_slow = chosen.settings.watch.slow_engine == "allow"
    pace = prove(classifier, allow_slow=allow_slow, extend=notifier.extend)
    notifier.extend(_ACCELERATOR_SECONDS)
    hand_over(None, classifier.engine)
    return InForce(chosen, classifier), pace
