"""``python -m benchmarks.frontier``: accuracy against speed and size, from ``frontier.json``, as a picture.

The file holds what was measured: each network's answers on validation and test, its size, and how many times faster
than the full model an inference is in LiteRT, on one thread of a PC and of an emulated Cortex-A72. The peers are other
engines that run the full model; they answer as it does, so they differ from it in speed alone.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import msgspec
from matplotlib.axes import Axes

FIGURES = Path(__file__).with_suffix(".json")
PICTURE = Path(__file__).parents[1] / "docs" / "images" / "frontier.png"


class Network(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One network that was tried.

    Attributes:
        name: ``full`` and ``compact`` are shipped.
        megabytes: Of the int8 model.
        faster_pc: Than the full model, one thread, LiteRT on x86.
        faster_arm: The same on an emulated Cortex-A72.
        validation_auc: Float.
        test_auc: Float, where it was looked at.
        test_right: Of 624.
    """

    name: str
    megabytes: float
    faster_pc: float
    faster_arm: float
    validation_auc: float
    test_auc: float | None = None
    test_right: int | None = None


class Peer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Another engine on the full model, one thread of a PC; how many times faster than LiteRT int8 it is."""

    name: str
    faster_pc: float


class Frontier(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All that is drawn."""

    networks: tuple[Network, ...]
    peers: tuple[Peer, ...]


def read(path: Path = FIGURES) -> Frontier:
    """Read the figures."""
    return msgspec.json.decode(path.read_bytes(), type=Frontier)


def draw(frontier: Frontier, picture: Path) -> None:
    """Write the picture."""
    figure, axes = plt.subplots(1, 3, figsize=(13, 4.4), sharey=True, layout="constrained")
    for axis, (words, field) in zip(
        axes,
        (
            ("times faster than full, x86, one thread", "faster_pc"),
            ("times faster than full, emulated Cortex-A72", "faster_arm"),
            ("int8 model, MB", "megabytes"),
        ),
        strict=True,
    ):
        for network in frontier.networks:
            _mark(axis, network, getattr(network, field))
        axis.set_xscale("log")
        axis.margins(x=0.25, y=0.08)  # for the names beside the points
        axis.set_xlabel(words)
        axis.grid(alpha=0.3)
    for peers in _close(frontier.peers):
        axes[0].axvline(peers[0].faster_pc, color="0.8", linestyle=":", linewidth=1)
        axes[0].text(
            peers[0].faster_pc, 0.5, "\n".join(peer.name for peer in peers), transform=axes[0].get_xaxis_transform(),
            rotation=90, fontsize=7, color="0.4", ha="left", va="center",
        )  # fmt: skip
    axes[0].set_ylabel("AUC: filled on test, hollow on validation")
    figure.savefig(picture, dpi=110)
    plt.close(figure)


def _close(peers: tuple[Peer, ...]) -> list[list[Peer]]:
    """Peers whose names would lie upon each other, together."""
    groups: list[list[Peer]] = []
    for peer in sorted(peers, key=lambda peer: peer.faster_pc):
        if groups and peer.faster_pc / groups[-1][0].faster_pc < 1.3:
            groups[-1].append(peer)
        else:
            groups.append([peer])
    return groups


def _mark(axis: Axes, network: Network, x: float) -> None:
    shipped = network.name in ("full", "compact")
    colour, size = ("C1" if shipped else "C0"), (70 if shipped else 35)
    axis.scatter([x], [network.validation_auc], s=size, facecolors="none", edgecolors=colour)
    _name(axis, network.name, x, network.validation_auc, above=shipped)
    if network.test_auc is not None:
        axis.scatter([x], [network.test_auc], s=size, color=colour)
        right = "" if network.test_right is None else f" {network.test_right}/624"
        _name(axis, f"{network.name}{right}", x, network.test_auc, above=True)


def _name(axis: Axes, words: str, x: float, y: float, *, above: bool) -> None:
    axis.annotate(words, (x, y), xytext=(0, 6 if above else -13), textcoords="offset points", fontsize=8, ha="center")


def main() -> int:
    """Run the command; returns its exit status."""
    draw(read(), PICTURE)
    print(f"{PICTURE} drawn from {FIGURES}.")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
