"""Open the configured model and prove its engine, in a process of its own: one that crashes takes only that with it.

Its argument is a ``model.Wanted`` as JSON, and it prints a ``model.Tried`` as JSON.
"""

import os
import sys
from pathlib import Path

import msgspec

from edge_runtime import options
from edge_runtime.config.config import Configuration
from edge_runtime.config.settings import Settings
from edge_runtime.doctor.model import Tried, Wanted
from edge_runtime.errors import BundleError, EdgePneumoError
from edge_runtime.model import pace
from edge_runtime.model.classifier import Classifier


def main() -> None:
    """Do it."""
    wanted = msgspec.json.decode(sys.argv[1], type=Wanted)
    try:
        tried = _try(wanted)
    except BundleError as error:
        tried = Tried(error=str(error), is_model=True)
    except EdgePneumoError as error:
        tried = Tried(error=str(error))
    sys.stdout.buffer.write(msgspec.json.encode(tried))


def _try(wanted: Wanted) -> Tried:
    settings = Settings(
        bundle=None if wanted.bundle is None else Path(wanted.bundle),
        operating_point=wanted.operating_point,
        engine=wanted.engine,
        threads=wanted.threads,
    )
    chosen = Configuration(settings, {})
    opened = options.bundle_of(chosen, os.environ)
    classifier: Classifier = options.classifier_with(
        chosen, opened, options.engine_of(chosen, opened, proven=False, bare=True)
    )
    found = pace.prove(classifier)
    return Tried(
        name=opened.info.name,
        sha256=opened.sha256,
        engine=classifier.engine.name,
        vectors=len(opened.golden.pixels),
        milliseconds=found.milliseconds,
        is_slow=found.is_slow,
    )
