"""Are these settings ones that there are, with values that they may have? What is wrong is named in words."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

import msgspec

from edge_runtime.config.settings import Settings

_ALIKE: Final = 0.6  # difflib's own default


_FIELDS: Final = {field.name: field.type for field in msgspec.structs.fields(Settings)}
SECTIONS: Final[Mapping[str, type[msgspec.Struct]]] = {
    name: found for name, found in _FIELDS.items() if isinstance(found, type) and issubclass(found, msgspec.Struct)
}
"""The struct of every section by its name."""
TYPES: Final[Mapping[str, Any]] = {name: found for name, found in _FIELDS.items() if name not in SECTIONS} | {
    f"{section}.{field.name}": field.type
    for section, struct in SECTIONS.items()
    for field in msgspec.structs.fields(struct)
}
"""The type of every setting by its key, such as ``threads`` and ``watch.order``."""


class WrongError(Exception):
    """A setting that there is not or a value that it cannot have: a sentence's beginning, without where it stands."""


def flatten(record: Mapping[str, Any]) -> Iterator[tuple[str, Any, WrongError | None]]:
    """The settings of a file's record, as key, value and what is wrong with the key.

    Args:
        record: TOML as the standard library reads it.
    """
    for name, value in record.items():
        if name in SECTIONS and isinstance(value, dict):
            for inner, found in value.items():
                key = f"{name}.{inner}"
                yield key, found, None if key in TYPES else WrongError(_no_setting(inner, name))
        elif name in SECTIONS:
            yield name, value, WrongError(f"{name} is a section and no setting; write [{name}], and its settings below")
        elif isinstance(value, (dict, list)) and name not in TYPES:
            yield name, value, WrongError(_no_section(name))
        else:
            yield name, value, None if name in TYPES else WrongError(_no_setting(name, ""))


def convert(key: str, value: object, *, strict: bool = True) -> Any:
    """A setting's value in its type.

    Args:
        key: One of ``TYPES``.
        value: From a file or a variable.
        strict: ``False`` where numbers and truth come as text.

    Raises:
        WrongError: It cannot have that value.
    """
    try:
        return msgspec.convert(value, TYPES[key], strict=strict, dec_hook=_path)
    except msgspec.ValidationError as error:
        choices = _choices(TYPES[key])
        if choices:  # msgspec does not say which there are
            expected = f"expected one of {', '.join(choices)}{_meant(value, choices)}"
        else:
            expected = str(error).lower().replace(" | null", "").replace("`", "")
        raise WrongError(f"a wrong value for {key} ({expected}); correct it") from error


def nearest(word: str, among: Iterable[str], alike: float = _ALIKE) -> str | None:
    """The one that is most like a word, or ``None`` where none is."""
    import difflib  # for what is wrong alone

    return next(iter(difflib.get_close_matches(word, list(among), 1, alike)), None)


def _no_setting(name: str, section: str) -> str:
    """For a name that is no setting where it stands."""
    place = f" in [{section}]" if section else ""
    here = {key.rpartition(".")[2]: key for key in TYPES if key.rpartition(".")[0] == section}
    elsewhere = {key.rpartition(".")[2]: key for key in TYPES if key.rpartition(".")[0] != section}
    sentence = f"there is no setting {name!r}{place}"
    exact = elsewhere.get(name)
    if exact is not None:
        home = exact.rpartition(".")[0]
        return f"{sentence}; it belongs {f'in the section [{home}]' if home else 'above all sections'}"
    word = name.replace("-", "_").lower()
    if close := nearest(word, here):
        return f"{sentence}; did you mean {close!r}?"
    if close := nearest(word, elsewhere):
        home = elsewhere[close].rpartition(".")[0]
        return f"{sentence}; did you mean {close!r} {f'in the section [{home}]' if home else 'above all sections'}?"
    return f"{sentence}; there are {', '.join(sorted(here))}"


def _no_section(name: str) -> str:
    close = nearest(name.lower(), SECTIONS)
    there = f"did you mean [{close}]?" if close else f"there are {', '.join(f'[{section}]' for section in SECTIONS)}"
    return f"there is no section [{name}]; {there}"


def _choices(wanted: Any) -> tuple[str, ...]:
    if get_origin(wanted) is Literal:
        return get_args(wanted)
    return next((found for inner in get_args(wanted) if (found := _choices(inner))), ())


def _meant(value: object, choices: tuple[str, ...]) -> str:
    close = nearest(value.lower(), choices) if isinstance(value, str) else None
    return f"; did you mean {close!r}?" if close else ""


def _path(wanted: type, value: object) -> Path:
    if wanted is not Path or not isinstance(value, str) or not value or "\0" in value:
        raise ValueError("expected a path")
    return Path(value)
