"""The other end of ``benchmarks.worker``: a peer's process, started, asked and ended."""

import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.peers import PEERS

_ROOT = Path(__file__).parents[1]
_PATIENCE = 10.0  # seconds to end by itself


class PeerError(Exception):
    """The peer cannot be timed here; the message says why, and what to install where that helps."""


class Worker:
    """A peer in a process of its own, ready to be timed.

    Attributes:
        name: The library, its version and the numbers it computes with.
        logits: For the golden inputs, ``n`` times three.
        macs: Multiply-adds of one inference, where they are not those of the bundle's network.
    """

    def __init__(self, peer: str, bundle_file: Path, threads: int, cpus: Sequence[int], python: Path) -> None:
        """Start it.

        Args:
            peer: A key of ``PEERS``.
            bundle_file: The model.
            threads: For one inference.
            cpus: Those that it may use.
            python: The interpreter of its environment.

        Raises:
            PeerError: It is not installed there, or cannot run the model.
        """
        command = [python, "-m", "benchmarks.worker", peer, bundle_file.resolve(), threads, ",".join(map(str, cpus))]
        # OpenMP is in PyTorch and others; what they are told in the program comes too late for some of it.
        environment = os.environ | {"OMP_NUM_THREADS": str(threads), "TF_CPP_MIN_LOG_LEVEL": "3"}
        self._complaints = tempfile.TemporaryFile("w+")  # noqa: SIM115  closed in close()
        self._process = subprocess.Popen(
            list(map(str, command)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            text=True,
            cwd=_ROOT,
            env=environment,
        )
        try:
            ready = self._hear()
            if "missing" in ready:
                raise PeerError(f"not installed: {ready['missing']}; {PEERS[peer].pip}")
            if "failed" in ready:
                raise PeerError(ready["failed"])
        except BaseException:
            self.close()
            raise
        self.name: str = ready["name"]
        self.macs: int | None = ready["macs"]
        self.logits: list[list[float]] = ready["logits"]

    def time(self, inferences: int) -> list[float]:
        """Milliseconds of so many inferences, after warming up.

        Raises:
            PeerError: It has ended.
        """
        assert self._process.stdin is not None
        try:
            print(inferences, file=self._process.stdin, flush=True)
        except BrokenPipeError:
            raise PeerError(self._last_words()) from None
        return [float(one) for one in self._hear()["milliseconds"]]

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._complaints.close()

    def __enter__(self) -> "Worker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise PeerError(self._last_words())
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _last_words(self) -> str:
        status = self._process.wait()
        self._complaints.seek(0)
        lines = self._complaints.read().strip().splitlines()
        return f"its process ended with status {status}: {lines[-1] if lines else 'it said nothing'}"
