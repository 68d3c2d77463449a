"""``edge-pneumo backup``: a copy of the journal and the findings, while a watcher works."""

import argparse
from pathlib import Path

from edge_runtime.backup.copy import back_up
from edge_runtime.finding import NOTICE, printable
from edge_runtime.locate import add_folder_argument, find_results
from edge_runtime.table import print_line


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of ``backup``."""
    parser.add_argument(
        "target",
        type=Path,
        metavar="TARGET",
        help="what to make: a folder, or a file whose name ends in .tar, .tar.gz or .tgz; it must not exist yet",
    )
    add_folder_argument(parser)


def run(arguments: argparse.Namespace) -> int:
    """Back up, and say what was copied; 0.

    Raises:
        EdgePneumoError: There is nothing to copy, or it cannot be read or written; nothing is left of the copy then.
    """
    results = find_results(arguments.folder)
    done = back_up(results, arguments.target)
    for line in (
        f"{printable(results)} has been copied to {printable(arguments.target)}",
        f"  journal    {done.answers:,} answers, checked",
        f"  findings   {done.findings:,}",
        f"  heat maps  {done.heatmaps:,}",
        *([f"  photographs  {done.photographs:,}"] if done.photographs else []),
        f"  together   {done.size / 1e6:,.1f} MB, read again and compared",
        NOTICE,
    ):
        print_line(line)
    return 0
