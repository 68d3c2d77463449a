"""Sentences that name a file, and the same without the name: scanners and people name files after patients."""

from typing import Self


class Naming(str):
    """A sentence that begins with a file's name.

    It is an ordinary string for whoever shows it to the person at the machine. What is kept for others, such as the
    system's log, takes ``unnamed``.
    """

    __slots__ = ("unnamed",)
    unnamed: str

    @classmethod
    def of(cls, name: str, rest: str) -> Self:
        """Join them.

        Args:
            name: The file's.
            rest: What follows it, such as ``was gone before it could be read``.
        """
        sentence = cls(f"{name} {rest}")
        sentence.unnamed = f"a file {rest}"
        return sentence


def unnamed(sentence: str) -> str:
    """The sentence without the file's name, if it is one of these."""
    return sentence.unnamed if isinstance(sentence, Naming) else sentence
