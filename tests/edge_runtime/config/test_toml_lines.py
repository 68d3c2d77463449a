import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.config.toml_lines import key_lines

TEXT = '''# a comment
threads = 2

"bundle" = """
[not a table]
order = 1
"""
words = [
  1,  # more = 2
  2,
]
[watch]  # a section
order = "newest"
in.line = { settle = 1, rescan = 2 }

[ "limits" . deep ]
x = 1\r
[[many]]
y = 1
[[many]]
z = 2
'''


def test_every_key_and_header_has_its_line() -> None:
    assert key_lines(TEXT) == {
        ("threads",): 2,
        ("bundle",): 4,
        ("words",): 8,
        ("watch",): 12,
        ("watch", "order"): 13,
        ("watch", "in"): 14,
        ("watch", "in", "line"): 14,
        ("watch", "in", "line", "settle"): 14,
        ("watch", "in", "line", "rescan"): 14,
        ("limits",): 16,
        ("limits", "deep"): 16,
        ("limits", "deep", "x"): 17,
        ("many",): 18,
        ("many", "y"): 19,
        ("many", "z"): 21,
    }


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing", "\r\n# nothing\r\n"])
def test_nothing_has_no_lines(text: str) -> None:
    assert key_lines(text) == {}


_STATEMENTS = st.sampled_from(
    ["", "# k9 = 1", "[t{}]", "k{} = 1", "k{} = '''\nk{} = 2\n'''", "k{} = [\n1,\n]", "a.k{} = 1"]
)


@given(st.lists(_STATEMENTS, max_size=8), st.sampled_from(["\n", "\r\n"]))
def test_each_key_is_in_the_line_that_is_told(statements: list[str], newline: str) -> None:
    parts = [statement.replace("{}", str(number)) for number, statement in enumerate(statements)]
    text = newline.join(parts).replace("\r\n", "\n").replace("\n", newline)
    tomllib.loads(text)

    found = key_lines(text)

    lines = text.split("\n")
    first = {part.split(" ")[0].strip("[]").split(".")[-1] for part in parts if part and not part.startswith("#")}
    assert {path[-1] for path in found} - {"a"} == first
    assert all(path[-1] in lines[line - 1] for path, line in found.items())
