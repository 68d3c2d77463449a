import ctypes
from types import SimpleNamespace

from edge_runtime.allocator import share_one_heap


def test_asks_glibc_for_one_arena() -> None:
    asked = []

    def mallopt(parameter: int, value: int) -> int:
        asked.append((parameter, value))
        return 1

    assert share_one_heap(lambda _: SimpleNamespace(mallopt=mallopt))
    assert asked == [(-8, 1)]


def test_another_c_library_is_left_alone() -> None:
    assert not share_one_heap(lambda _: SimpleNamespace())


def test_here() -> None:
    assert share_one_heap() == hasattr(ctypes.CDLL(None), "gnu_get_libc_version")
