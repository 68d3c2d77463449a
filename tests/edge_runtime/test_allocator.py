import ctypes
import subprocess
import sys
from types import SimpleNamespace

import pytest

from edge_runtime.allocator import keep_for_the_next, share_one_heap

IS_GLIBC = hasattr(ctypes.CDLL(None), "gnu_get_libc_version")


def test_asks_glibc_for_one_arena() -> None:
    asked = []

    def mallopt(parameter: int, value: int) -> int:
        asked.append((parameter, value))
        return 1

    assert share_one_heap(lambda _: SimpleNamespace(mallopt=mallopt))
    assert asked == [(-8, 1)]


def test_one_refusal_is_a_refusal() -> None:
    assert not keep_for_the_next(lambda _: SimpleNamespace(mallopt=lambda parameter, _: parameter == -3))


def test_another_c_library_is_left_alone() -> None:
    assert not share_one_heap(lambda _: SimpleNamespace())
    assert not keep_for_the_next(lambda _: SimpleNamespace())


def test_here() -> None:
    assert share_one_heap() == IS_GLIBC


@pytest.mark.skipif(not IS_GLIBC, reason="not glibc")
@pytest.mark.parametrize("kept", [True, False])
def test_a_freed_picture_is_kept_for_the_next_one(kept: bool) -> None:
    script = f"""
import resource, numpy
from edge_runtime.allocator import keep_for_the_next
if {kept}: keep_for_the_next()
def fill():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    numpy.ones((2000, 2000), numpy.uint8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
fill()
print(fill())
"""
    said = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)

    assert (int(said.stdout) < 100) == kept
