"""The signatures of Picamera2, read from its source: it cannot be loaded where libcamera is not.

    python -m tests.edge_runtime.camera.devices.signatures picamera2-0.3.38-py3-none-any.whl > picamera2.json

records those that this program uses. Of a wheel, because Raspberry Pi OS has the same files in python3-picamera2.
"""

import argparse
import ast
import inspect
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

RECORDED: Final = Path(__file__).with_name("picamera2.json")
USED: Final[dict[str, dict[str, tuple[str, ...]]]] = {
    "picamera2/picamera2.py": {
        "Picamera2": (
            *("__init__", "global_camera_info", "create_still_configuration", "align_configuration", "configure"),
            *("camera_configuration", "start", "stop", "close", "set_controls", "capture_request", "camera_controls"),
        )
    },
    "picamera2/request.py": {"CompletedRequest": ("make_array", "release")},
}
"""By file and class."""

Signature = dict[str, Any]


def of_source(source: str, name: str, methods: Sequence[str]) -> dict[str, Signature]:
    """The parameters of a class's methods, each as name, kind and whether it has a default; and what decorates them."""
    found: dict[str, Signature] = {}
    body = next(node for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and node.name == name).body
    for node in body:
        if isinstance(node, ast.FunctionDef) and node.name in methods:
            decorators = [ast.unparse(one) for one in node.decorator_list]
            if "overload" not in decorators:
                found[node.name] = {"parameters": _parameters(node.args), "decorators": decorators}
    missing = set(methods) - set(found)
    if missing:
        raise KeyError(f"{name} has no {', '.join(sorted(missing))}")
    return {method: found[method] for method in methods}


def of_class(cls: type, methods: Sequence[str]) -> dict[str, Signature]:
    """The same of a class that is loaded."""
    found: dict[str, Signature] = {}
    for method in methods:
        raw = inspect.getattr_static(cls, method)
        decorators = [made.__name__ for made in (staticmethod, property) if isinstance(raw, made)]
        function: Any = raw.fget if isinstance(raw, property) else getattr(raw, "__func__", raw)
        found[method] = {
            "parameters": [
                [one.name, one.kind.name, one.default is not one.empty]
                for one in inspect.signature(function).parameters.values()
            ],
            "decorators": decorators,
        }
    return found


def _parameters(arguments: ast.arguments) -> list[list[Any]]:
    positional = [*arguments.posonlyargs, *arguments.args]
    required = len(positional) - len(arguments.defaults)
    found: list[list[Any]] = [
        [one.arg, "POSITIONAL_OR_KEYWORD", number >= required] for number, one in enumerate(positional)
    ]
    if arguments.vararg:
        found.append([arguments.vararg.arg, "VAR_POSITIONAL", False])
    found += [
        [one.arg, "KEYWORD_ONLY", default is not None]
        for one, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    ]
    if arguments.kwarg:
        found.append([arguments.kwarg.arg, "VAR_KEYWORD", False])
    return found


def of_wheel(wheel: Path) -> dict[str, Any]:
    """What is recorded of it."""
    classes: dict[str, Any] = {}
    with zipfile.ZipFile(wheel) as archive:
        for file, used in USED.items():
            source = archive.read(file).decode()
            classes |= {name: of_source(source, name, methods) for name, methods in used.items()}
    return {"version": wheel.name.split("-")[1], "classes": classes}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.edge_runtime.camera.devices.signatures")
    parser.add_argument("wheel", type=Path)
    found = of_wheel(parser.parse_args(arguments).wheel)
    print("{", f' "version": {json.dumps(found["version"])},', ' "classes": {', sep="\n")
    # A line a method, so that a later version's differences are to be seen.
    for number, (name, methods) in enumerate(found["classes"].items(), start=1):
        lines = [f"   {json.dumps(method)}: {json.dumps(said)}" for method, said in methods.items()]
        print(f'  "{name}": {{', ",\n".join(lines), "  }" + "," * (number < len(found["classes"])), sep="\n")
    print(" }", "}", sep="\n")


if __name__ == "__main__":
    main()
