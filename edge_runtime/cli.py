"""The command ``edge-pneumo``: one subcommand a module, loaded when it is called."""

import argparse
import errno
import gc
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Protocol, cast

from edge_runtime.errors import EdgePneumoError

# Each is a module of edge_runtime, or ``command`` in the folder of that name, with ``add_arguments(parser)`` and
# ``run(arguments) -> exit status``.
_COMMANDS = {
    "classify": "answer for files and folders, now",
    "watch": "answer for what is in a folder and for what arrives there",
    "status": "say what a watcher has answered, and whether the radiographs still look like those it knows",
    "results": "show what a watcher has answered, while it works",
    "backup": "copy the journal and the findings, while a watcher works",
    "camera": "say which cameras are there and what one sees, to set it up before a light box",
    "verify": "check that this machine computes what the model's converter computed",
    "doctor": "look at this machine, and say what is out of order and what to do about it",
    "bench": "measure which engine and how many threads are the fastest here",
    "config": "say which settings are in force and where from, and check a settings file",
    "model": "install a model, go back to the one before, list and remove them",
    "service": "install the watcher as a service of this machine, say how it stands, remove it",
}
_ALONE = ("classify", "verify")
_WRONG_USAGE, _INTERRUPTED, _PIPE_CLOSED = 2, 130, 141
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def program() -> int:
    """``main`` as a process of its own, without looking for garbage where there is none.

    Loading modules makes none, and at the end the system takes all there is. With one radiograph to answer for it saves
    a tenth of the time. What leaves nothing to be done at the end does not take the interpreter apart either.
    """
    gc.disable()
    try:
        status = main()
    finally:
        gc.freeze()
    if sys.argv[1:2] and sys.argv[1] in _ALONE:
        sys.stderr.flush()  # the output has been
        os._exit(status)
    return status


def main(args: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        args: Without the program's name; ``None`` for those of this process.

    Returns:
        The exit status: what the subcommand says, 2 for wrong usage.
    """
    # Before numpy is loaded: its few small products need no threads of their own, which take start-up time and memory.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    words = list(sys.argv[1:] if args is None else args)
    arguments = _parser(words).parse_args(words)
    gc.enable()
    try:
        status: int = _module(arguments.command).run(arguments)
        sys.stdout.flush()
    except EdgePneumoError as error:
        print(f"error: {error}", file=sys.stderr)
        return _WRONG_USAGE
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:  # whoever read the output has left, such as head(1)
        _give_output_up()
        return _PIPE_CLOSED
    except OSError as error:
        if error.errno not in _NO_ROOM or error.filename is not None:
            raise
        _give_output_up()
        print(f"error: the output cannot be written ({error.strerror}); make room there", file=sys.stderr)
        return _WRONG_USAGE
    return status


def _give_output_up() -> None:
    """Have Python's own flush at exit not complain of what cannot be written."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    from edge_runtime.finding import NOTICE

    parser = argparse.ArgumentParser(
        prog="edge-pneumo",
        description="Classifies chest radiographs of children as normal or pneumonia.",
        epilog=NOTICE,
    )
    parser.add_argument("--version", action=_Version, help="print the version and end")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    # Where one is named the others are not made, nor loaded: starting fast matters more on a small board than anything.
    named = words[0] if words and words[0] in _COMMANDS else None
    for name, purpose in _COMMANDS.items():
        if named in (None, name):
            command = commands.add_parser(name, help=purpose, description=f"{purpose.capitalize()}.", epilog=NOTICE)
            if name in words:
                _module(name).add_arguments(command)
    return parser


class _Command(Protocol):
    """A subcommand's module."""

    def add_arguments(self, parser: argparse.ArgumentParser) -> None: ...

    def run(self, arguments: argparse.Namespace) -> int: ...


def _module(command: str) -> _Command:
    name = command if command in _ALONE else f"{command}.command"
    return cast(_Command, importlib.import_module(f"edge_runtime.{name}"))


class _Version(argparse.Action):
    def __init__(self, option_strings: Sequence[str], dest: str, help: str | None = None) -> None:
        super().__init__(option_strings, dest, nargs=0, help=help)

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        from importlib.metadata import PackageNotFoundError, version

        try:
            number = version("edge-pneumo")
        except PackageNotFoundError:
            number = "(not installed: run from a checkout)"
        print(f"{parser.prog} {number}")
        parser.exit()
