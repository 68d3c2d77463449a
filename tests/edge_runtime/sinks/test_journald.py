import io
import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import msgspec
import pytest

from edge_runtime.naming import Naming
from edge_runtime.sinks.journald import Journald, encode, is_log
from edge_runtime.sinks.told import Told
from tests.edge_runtime.findings import classified, rejected

NAME = "MUSTERMANN_MAX_1961.png"


class Daemon:
    """journald's end of the socket."""

    def __init__(self, folder: Path) -> None:
        self.address = folder / "socket"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.address))
        self.socket.setblocking(False)

    def entries(self) -> list[dict[str, str]]:
        found = []
        while True:
            try:
                found.append(parse(self.socket.recv(1 << 20)))
            except BlockingIOError:
                return found


def parse(data: bytes) -> dict[str, str]:
    """The native protocol, read as journald reads it."""
    fields = {}
    while data:
        line, data = data.split(b"\n", 1)
        if b"=" in line:
            name, value = line.split(b"=", 1)
        else:
            name, (size,) = line, struct.unpack("<Q", data[:8])
            value, end, data = data[8 : 8 + size], data[8 + size : 9 + size], data[9 + size :]
            assert end == b"\n"
        fields[name.decode()] = value.decode()
    return fields


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    daemon = Daemon(tmp_path)
    yield daemon
    daemon.socket.close()


def test_a_finding_is_one_entry_with_fields(daemon: Daemon) -> None:
    with Journald(daemon.address) as log:
        log.accept(classified(NAME, "3f2a9c81d0e4" + "0" * 52, probability=0.973, confidence="uncertain"))

    (entry,) = daemon.entries()
    assert entry == {
        "SYSLOG_IDENTIFIER": "edge-pneumo",
        "MESSAGE": "PNEUMONIA  97.3 %  uncertain  12 ms  3f2a9c81d0e4",
        "PRIORITY": "6",
        "EDGE_PNEUMO_STATUS": "classified",
        "EDGE_PNEUMO_LABEL": "PNEUMONIA",
        "EDGE_PNEUMO_PROBABILITY": "0.973",
        "EDGE_PNEUMO_CONFIDENCE": "uncertain",
        "EDGE_PNEUMO_OPERATING_POINT": "balanced",
        "EDGE_PNEUMO_SHA256": "3f2a9c81d0e4" + "0" * 52,
        "EDGE_PNEUMO_MODEL": "tiny",
        "EDGE_PNEUMO_MODEL_SHA256": "0" * 64,
        "EDGE_PNEUMO_ENGINE": "none",
        "EDGE_PNEUMO_MILLISECONDS": "12.3",
    }


def test_a_refused_file_stands_out_with_its_reason(daemon: Daemon) -> None:
    with Journald(daemon.address) as log:
        log.accept(rejected(NAME, None, "cannot be read: permission denied"))

    (entry,) = daemon.entries()
    assert entry["MESSAGE"] == "rejected  0 ms  a file without content: cannot be read: permission denied"
    assert (entry["PRIORITY"], entry["EDGE_PNEUMO_REASON"]) == ("5", "cannot be read: permission denied")
    assert not {"EDGE_PNEUMO_SHA256", "EDGE_PNEUMO_LABEL", "EDGE_PNEUMO_PROBABILITY"} & entry.keys()


def test_no_name_is_in_any_field_unless_it_is_wanted(daemon: Daemon) -> None:
    with Journald(daemon.address) as log, Journald(daemon.address, names=True) as naming:
        for sink in (log, naming):
            sink.accept(classified(NAME))
            sink.accept(rejected(NAME))

    entries = daemon.entries()
    assert [NAME in "".join(entry.values()) for entry in entries] == [False, False, True, True]
    assert entries[2]["EDGE_PNEUMO_SOURCE"] == NAME


def test_what_has_line_ends_stays_in_its_field(daemon: Daemon) -> None:
    with Journald(daemon.address, names=True) as log:
        log.accept(classified("a\nPRIORITY=0\nb.png"))

    (entry,) = daemon.entries()
    assert (entry["PRIORITY"], entry["EDGE_PNEUMO_SOURCE"]) == ("6", "a\nPRIORITY=0\nb.png")


def test_bytes_that_are_no_text_are_written_as_they_are_read() -> None:
    assert parse(encode({"A": "r\udcf6ntgen", "B": None, "C": "", "D": 0})) == {"A": "r\\udcf6ntgen", "D": "0"}


def test_a_field_of_any_length_fits(daemon: Daemon) -> None:
    with Journald(daemon.address) as log:
        log.accept(rejected(reason="x" * 10**7))

    (entry,) = daemon.entries()
    assert entry["EDGE_PNEUMO_REASON"] == "x" * 4096


def test_a_log_that_is_full_or_gone_neither_blocks_nor_raises(daemon: Daemon) -> None:
    with Journald(daemon.address) as log:
        while not log.dropped:  # until the queue is full
            log.accept(classified())
        log.accept(classified())
        dropped = log.dropped
        kept = len(daemon.entries())
        log.note("there is room again")
        (said,) = daemon.entries()
        daemon.socket.close()
        daemon.address.unlink()
        log.accept(classified())

    assert (dropped, said["EDGE_PNEUMO_DROPPED"]) == (2, "2")
    assert kept > 0
    assert log.dropped == 1


def test_a_log_that_comes_back_is_found(tmp_path: Path) -> None:
    with Journald(tmp_path / "socket") as log:
        log.accept(classified())
        daemon = Daemon(tmp_path)
        log.accept(classified())

    assert len(daemon.entries()) == 1
    daemon.socket.close()


@pytest.mark.parametrize("said", ["", "1", "x:y", "1:2:3", "0:0"])
def test_another_stream_is_not_the_log(said: str, tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as file:
        assert not is_log(file.fileno(), {"JOURNAL_STREAM": said})


def test_the_stream_of_the_log_is_known(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as file:
        assert is_log(file.fileno(), stream_of(file))


def stream_of(file: TextIO) -> dict[str, str]:
    found = os.fstat(file.fileno())
    return {"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}


# Who is told what


@pytest.fixture
def stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TextIO]:
    """What systemd would have given as stdout and stderr."""
    with (tmp_path / "stream").open("w+") as file:
        monkeypatch.setenv("JOURNAL_STREAM", stream_of(file)["JOURNAL_STREAM"])
        yield file


def tell(told: Told) -> None:
    with told:
        for sink in told.sinks:
            sink.accept(classified(NAME))
        told.note(Naming.of(NAME, "was gone before it could be read"))
        told.end()


def test_in_a_service_each_finding_is_told_once(daemon: Daemon, stream: TextIO) -> None:
    tell(Told(out=stream, errors=stream, address=daemon.address))

    stream.seek(0)
    assert stream.read() == "1 answered: 1 classified, 0 rejected\n"
    assert [entry["MESSAGE"] for entry in daemon.entries()] == [
        "PNEUMONIA  90.0 %  12 ms  111111111111",
        "a file was gone before it could be read",
    ]


def test_names_are_logged_where_they_are_wanted(daemon: Daemon, stream: TextIO) -> None:
    tell(Told(names=True, out=stream, errors=stream, address=daemon.address))

    assert all(NAME in entry["MESSAGE"] for entry in daemon.entries())


def test_at_a_terminal_nothing_is_logged(daemon: Daemon, tmp_path: Path) -> None:
    out = io.StringIO()
    with (tmp_path / "errors").open("w") as errors:
        tell(Told(out=out, errors=errors, address=daemon.address))

    assert len(out.getvalue().splitlines()) == 3
    assert daemon.entries() == []


def test_a_service_that_prints_to_a_file_does_both(daemon: Daemon, stream: TextIO) -> None:
    out = io.StringIO()

    tell(Told(out=out, errors=stream, address=daemon.address))

    assert out.getvalue().count(NAME) == 2
    assert len(daemon.entries()) == 2


def test_a_pace_is_logged(daemon: Daemon) -> None:
    finding = msgspec.structs.replace(classified(), milliseconds={"infer": 1.5, "total": 9.0}, distance=0.25)
    with Journald(daemon.address) as log:
        log.accept(finding)

    (entry,) = daemon.entries()
    assert (entry["EDGE_PNEUMO_INFER_MILLISECONDS"], entry["EDGE_PNEUMO_DISTANCE"]) == ("1.5", "0.25")
