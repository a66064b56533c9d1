"""``beholder metamers judge``: verdicts, tables, figures."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.metamer_folders import write_metamers

Call = Callable[..., tuple[int, str, str]]
EVERY_FORMAT = True

JUDGE = """
import torch
from torch import nn


class Brightness(nn.Module):
    def forward(self, x):
        return -((x.mean((1, 2, 3))[:, None] - torch.linspace(-2, 2, 1000)) ** 2)


def build():
    return Brightness()
"""


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(JUDGE, encoding="utf-8")
    for name in ("one", "two"):
        write_metamers(tmp_path / "metamers" / name, model=f"test:{name}@v1")
    return tmp_path


def test_a_folder_of_networks(workplace: Path, beholder: Call) -> None:
    command = ["metamers", "judge", "metamers", "--models", "file:net.py", "--device", "cpu"]
    code, out, err = beholder(*command, "--json")
    assert code == 0, err
    tables = json.loads(out)
    assert set(tables) == {"layers", "matrix", "scatters", "files"}
    assert {row["layer"] for row in tables["layers"]} == {"", "block1", "classifier"}
    assert set(tables["matrix"][0]) >= {"model", "judge", "decision", "n", "n_right", "accuracy", "low", "high"}
    assert [row["file"] for row in tables["files"]] == [
        f"metamers/{name}/judgements.parquet" for name in ("one", "two")
    ]
    for name in ("judged_matrix", "judged_layers"):
        for kind in ("svg", "pdf", "png", "csv", "figure.json"):
            assert (workplace / "metamers" / "figures" / f"{name}.{kind}").stat().st_size
    code, out, err = beholder(*command)
    assert code == 0, err
    assert out.splitlines()[1].split() == ["metamers", "of", "layer", "decision", "net.py"]
    assert "original" in out
    assert out.splitlines()[-1] == "metamers/figures"


def test_scatters_from_files(workplace: Path, beholder: Call) -> None:
    rows = "".join(f"{net},{layer},0.{i}\n" for i, (net, layer) in enumerate([("one", "block1"), ("two", "block1")], 3))
    Path("people.csv").write_text(f"network,layer,accuracy\n{rows}")
    attacked = [{"model": net, "norm": "l2", "eps": 3, "accuracy_top1": 0.1} for net in ("one", "two")]
    Path("attacked.json").write_text(json.dumps({"evaluate": attacked}))
    Path("brain.csv").write_text("network,value\none,0.4\ntwo,0.5\n")
    flags = ["--human", "people.csv", "--attacked", "attacked.json", "--attack", "l2:3", "--brain", "brain.csv"]
    command = ["metamers", "judge", "metamers", "--models", "file:net.py", "--device", "cpu", *flags]
    code, out, err = beholder(*command, "--json")
    assert code == 0, err
    scatters = {row["name"]: row for row in json.loads(out)["scatters"]}
    assert set(scatters) == {"people", "attacked", "brain"}
    assert scatters["people"]["n"] == 2
    assert scatters["attacked"]["r"] is None
    assert (workplace / "metamers" / "figures" / "judged_brain.svg").exists()


def test_published_proportions_stand_beside(workplace: Path, beholder: Call) -> None:
    lists: dict[str, Any] = {
        "model_evaluation_directory": "net.py",
        "correct_incorrect_1000": {"stage_1": [True, False, True, True]},
    }
    Path("published").mkdir()
    for name in ("one", "three"):
        Path(f"published/accuracy_on_metamers_from_{name}.pckl").write_bytes(pickle.dumps(lists))
    flags = ["--published", "published", "--published_layers", "block1=stage_1", "--failed"]
    command = ["metamers", "judge", "metamers", "--models", "file:net.py", "--device", "cpu", *flags]
    code, out, err = beholder(*command, "--json")
    assert code == 0, err
    (row,) = json.loads(out)["published"]
    assert (row["model"], row["layer"], row["decision"]) == ("test:one@v1", "stage_1", "class")
    assert (row["published"], row["n_published"], row["n"]) == (0.75, 4, 3)
    code, out, err = beholder(*command)
    assert code == 0, err
    assert "75.0 %" in out
    code, out, err = beholder(*command[:3], "--published_layers", "a=b")
    assert (code, out) == (2, "") and "--published FILES" in err
    code, out, err = beholder(*command[:3], "--published", "absent")
    assert (code, out) == (2, "") and "nothing at absent" in err


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["nowhere"], "expected a folder of metamers; got no folder at nowhere"),
        (["metamers", "--attack", "l2:3"], "--attacked FILE"),
        (["metamers", "--models", "file:net.py", "--human", "absent.csv"], "absent.csv"),
        (["metamers", "--models", "file:net.py", "--decision", "word"], "a decision that was made: category, class"),
    ],
)
def test_wrong_input_is_one_line(workplace: Path, beholder: Call, flags: list[str], said: str) -> None:
    code, out, err = beholder("metamers", "judge", *flags)
    assert (code, out) == (2, "")
    assert said in err.splitlines()[-1]


@pytest.mark.parametrize("more", [[], ["--json"], ["--brain", "brain.csv"]])
def test_where_no_metamer_passed_it_says_what_to_type(workplace: Path, beholder: Call, more: list[str]) -> None:
    for name in ("one", "two"):
        write_metamers(workplace / "metamers" / name, model=f"test:{name}@v1", passed=(False, False))
    Path("brain.csv").write_text("network,value\none,0.4\ntwo,0.5\n")
    command = ["metamers", "judge", "metamers", "--models", "file:net.py", "--device", "cpu", *more]
    code, out, err = beholder(*command)
    assert (code, out) == (2, "")
    assert err.splitlines()[-1].endswith("try --failed, to count them all the same")
    code, _, err = beholder(*command, "--failed")
    assert code == 0, err
