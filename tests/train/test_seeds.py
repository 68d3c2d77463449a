from pathlib import Path

import msgspec
import pytest

from convert.card.card import read_seeds
from edge_runtime.errors import UsageError
from train import seeds


def _run(folder: Path, seed: int, test: dict[str, object] | None) -> Path:
    folder.mkdir()
    (folder / "run.json").write_bytes(msgspec.json.encode({"seed": seed}))
    (folder / "metrics.json").write_bytes(msgspec.json.encode({} if test is None else {"test": test}))
    return folder


def _test(right: int) -> dict[str, object]:
    return {
        "right": right,
        "images": 624,
        "auc": 0.991234,
        "sensitivity": {"value": 0.98},
        "specificity": {"value": 0.94},
    }


def test_the_rows_of_a_recipe_are_replaced_and_the_card_reads_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "seeds.json"
    seeds.put([seeds.Row("full", 0, 597, 624, 0.9884, 0.982, 0.919), seeds.Row("compact", 9, 1, 2, 0, 0, 0)], table)
    runs = [str(_run(tmp_path / str(seed), seed, _test(600 + seed))) for seed in (0, 1)]

    status = seeds.main(["--recipe", "compact", "--table", str(table), *runs])

    rows = read_seeds(table)
    assert status == 0
    assert [(row.recipe, row.right) for row in rows] == [("full", 597), ("compact", 600), ("compact", 601)]
    assert rows[1].auc == 0.9912
    assert "compact, seed 1: 601 of 624" in capsys.readouterr().out


def test_a_run_that_was_not_judged_on_test_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table = tmp_path / "seeds.json"

    status = seeds.main(["--recipe", "compact", "--table", str(table), str(_run(tmp_path / "run", 0, None))])

    assert status == 2
    assert "--resume --test" in capsys.readouterr().err
    assert not table.exists()


def test_a_folder_that_holds_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no finished run"):
        seeds.row("compact", tmp_path)


def test_a_damaged_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "seeds.json").write_text("[{")

    with pytest.raises(UsageError, match="restore it"):
        seeds.put([], tmp_path / "seeds.json")
