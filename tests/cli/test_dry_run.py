"""``--dry_run`` of the long commands: what it says before, that it leaves nothing, and what is left after the run."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.golden import inputs
from tests.golden.runs import UNITS, WINDOWS, call, extract, working_in

from beholder._core.errors import OutputError
from beholder._core.hashing import hash_file_fast
from beholder.jobs import DryRun
from beholder.jobs import _dry_run as dry
from beholder.jobs import _measure as measuring

ALL = "--device cpu --threads 1"
NAMED = "stimuli/toy"

Chain = tuple[tuple[str, bool], ...]
"""Command lines, and whether a second run finds anything left to do."""

QUICK: Chain = (
    (extract("", "plain"), False),
    (extract("--pool max", "plain", "toy -mn head conv"), False),
    (f"metamers make toy shown --layers conv --measured conv head -I 4 {ALL}", False),
    ("metamers judge metamers/toy --models toy other --device cpu", False),
)
OTHERS: Chain = (
    ("panel --stimuli_root images --folders circle square --output_dir panel --models toy other --layers head "
     f"--replicates 2 --border 0 --saturation 0 --hue 0 --no-alpha_mask -y {ALL}", True),
    ("stimuli grade --grade contrast --levels 0.25 1 -ip images/circle -op contrast", False),
    (f"units record {UNITS} --in_path natural {ALL}", False),
    (f"units exemplars {UNITS} {WINDOWS}", False),
    (f"units maps {UNITS} {ALL}", False),
    (f"units occlude {UNITS} {ALL} --steps 2", False),
    ("units optimize --model_name toy --units_file one.json --n_images 2 --steps 2 --max_loops 1 --out_path made "
     f"{ALL}", False),
    (f"metamers null toy natural --layers conv head -N 12 {ALL}", False),
    ("evaluate natural toy images --device cpu", False),
    (f"evaluate adversarial toy images --norm l2 --eps 0.5 1 --attacks pgd random --steps 2 {ALL}", False),
    (f"{extract('', 'probed', images='natural')}", False),
    ("analyze probe probed/toy.zarr --layers head --penalties .1 1 -o probed", False),
    ("train toy natural --epochs 1 --batch_size 8 --device cpu --threads 1 --out_path trained", False),
)  # fmt: skip


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with inputs, in which the commands are called; probes are as short as can be."""
    monkeypatch.setattr(dry, "SOFT_SECONDS", 0.01)
    monkeypatch.setattr(dry, "_LEAST_SECONDS", 0.01)
    inputs.write_inputs(tmp_path)
    with working_in(tmp_path):
        inputs.register_networks()
        yield tmp_path


def list_files(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): "" if path.is_dir() else hash_file_fast(path)
        for path in sorted(folder.rglob("*"))
        if path.suffix not in (".lock", ".pyc") and path.name != "__pycache__"
    }


def do(line: str) -> str:
    said = call(line)
    assert said["code"] == 0, f"{line}\n{said['err']}"
    return str(said["out"])


def look(place: Path, line: str) -> dict[str, Any]:
    """What a dry run says, which changes nothing."""
    before = list_files(place)
    told = json.loads(do(f"{line} --dry_run --json"))
    assert list_files(place) == before, line
    return told


def follow(place: Path, chain: Chain) -> None:
    for line, is_left in chain:
        told = look(place, line)
        assert told["work"][0]["n_shards"] > 0 and told["work"][0]["seconds"] > 0, line
        assert all(phase["n_left"] == phase["n_items"] > 0 for phase in told["phases"]), line
        do(line)
        after = look(place, line)
        if not is_left:
            assert [phase["n_left"] for phase in after["phases"]] == [0] * len(after["phases"]), line


def test_a_dry_run_says_what_is_left_and_leaves_nothing(place: Path) -> None:
    follow(place, QUICK)


@pytest.mark.slow
def test_so_do_those_of_all_other_long_commands(place: Path) -> None:
    follow(place, OTHERS)


@pytest.mark.slow
def test_tasks_are_built_in_parts_too(place: Path) -> None:
    do("tasks plan --kind similarity -s images -nh 2 -nc 0 -o similarity.json --seed 3")
    told = look(place, "tasks build -i similarity.json -t tasks")
    assert told["phases"][0]["n_bytes"] > 0 and not (place / "tasks").exists()


def test_every_phase_is_named(place: Path) -> None:
    line = f"metamers make toy shown --layers conv --measured conv head -I 4 {ALL}"
    do(line)
    names = [phase["name"] for phase in look(place, "metamers judge metamers/toy --models toy other")["phases"]]
    assert names == ["judge toy by toy", "judge toy by other"]


def test_only_new_layers_are_counted_where_layers_are_added(place: Path) -> None:
    do(extract("", "plain", "toy -mn conv"))
    (phase,) = look(place, extract("", "plain", "toy -mn head"))["phases"]
    assert (phase["n_items"], phase["n_left"]) == (8, 8)


def test_people_read_a_table(place: Path) -> None:
    told = do(f"{extract('', 'plain')} --dry_run")
    for words in (
        "left",
        "shards",
        "to write",
        "memory",
        "time",
        "8 stimuli",
        "this machine",
        "was kept",
    ):
        assert words in told
    assert f"into {Path('plain') / 'toy.zarr'}, which has" in told


def test_python_gets_a_value(place: Path) -> None:
    import beholder as bh

    found: Any = bh.extract("toy", "images", ["conv"], device="cpu", threads=1, dry_run=True)
    assert isinstance(found, DryRun) and repr(found).startswith("DryRun(1 shard, ")
    assert found.seconds > 0 and found.memory and not (place / "activations").exists()


def test_a_disk_without_room_is_refused_with_both_numbers(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import beholder as bh

    monkeypatch.setattr(dry, "find_free", lambda _path: 100)
    said = call(f"{extract('', 'plain')} --dry_run")
    assert said["code"] == 1 and "to write" in str(said["out"])
    assert "expected room for" in str(said["err"]) and "got 100 bytes free" in str(said["err"])
    with pytest.raises(OutputError, match="expected room for"):
        bh.extract("toy", "images", ["conv"], device="cpu", dry_run=True)
    said = call(extract("", "plain"))
    assert said["code"] == 1 and "expected room for" in str(said["err"])
    assert not list(place.glob("plain/toy.zarr/**/c.*"))


def test_slow_items_count_in_steps(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring, "HARD_SECONDS", 0.0)
    monkeypatch.setattr(dry, "HARD_SECONDS", 0.0)
    (phase,) = look(place, f"metamers make toy shown --layers conv --measured conv -I 500 {ALL}")["phases"]
    assert 0 < phase["n_measured"] < 1 and phase["is_at_most"]


def test_words_that_are_wrong_are_refused_as_ever(place: Path) -> None:
    said = call(f"{extract('', 'plain', 'toy -mn conw')} --dry_run")
    assert said["code"] == 2 and "conv" in str(said["err"])
    assert shlex.split(extract("", "plain"))[0] == "extract"
