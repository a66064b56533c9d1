"""Runs that add to one output at the same time, as job arrays do: the bytes of five in turn, whatever is killed."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
from pathlib import Path

import pytest
from tests.exemplar_folders import write_units
from tests.metamer_folders import write_metamers

from .test_killed import NETWORK, finish, place, start

__all__ = ["place"]

ALWAYS = ("extract", "metamers", "optimize", "maps", "grade", "build")
KINDS = (*ALWAYS, "seeds", "record", "exemplars", "null", "panel", "judge", "occlude")
GIVEN = {"maps": "exemplars", "occlude": "exemplars", "judge": "metamers"}
"""What is in the output of some before they begin."""


@pytest.fixture(scope="module")
def lab(place: Path) -> Path:
    """``place`` with a recording of its pictures and five lists of one unit."""
    net = f"file:{place / 'net.py'}"
    where = ["--in_path", str(place / "images"), "--out_path", str(place / "recorded"), "--threads", "1"]
    finish(["units", "record", "--model_name", net, "--layers", "0", "2", *where])
    for i in range(5):
        unit = {"layer": ("0", "2")[i % 2], "channel": i}
        (place / f"unit_{i}.json").write_text(json.dumps({"model": net, "units": [unit]}), encoding="utf-8")
        (place / f"net_{i}.py").write_text(NETWORK, encoding="utf-8")
        judge = NETWORK.replace("Linear(8, 4)", "Linear(8, 1000)").replace("seed(0)", f"seed({i})")
        (place / f"judge_{i}.py").write_text(judge, encoding="utf-8")
    (place / "given").mkdir()
    for tokens in list_commands("exemplars", place, place / "given" / "exemplars"):
        finish(tokens)
    write_metamers(place / "given" / "metamers" / "shapes", layers=("0", "2"), model="net")
    write_units(place / "net", 6, 3)
    plan = ["-s", str(place / "net"), "-nt", "2", "-nh", "9", "-nb", "2", "-nc", "0"]
    finish(["tasks", "plan", *plan, "-o", str(place / "plan.json")])
    return place


def list_commands(kind: str, lab: Path, out: Path) -> list[list[str]]:
    """Five runs that add to one output."""
    if kind in GIVEN and not out.exists():
        shutil.copytree(lab / "given" / GIVEN[kind], out)
    net, images, threads = f"file:{lab / 'net.py'}", str(lab / "images"), ["--threads", "1"]
    to = ["--out_path", str(out), *threads]
    model = ["--model_name", net]
    if kind == "extract":
        extract = ["extract", *model, "--in_path", images, *to, "--batch_size", "2"]
        return [[*extract, "--module_name", layer] for layer in "54320"]
    if kind == "record":
        record = ["units", "record", *model, "--in_path", images, *to, "--batch_size", "2"]
        return [[*record, "--layers", *layers.split()] for layers in ("5", "2", "0", "2 0", "1")]
    pictures = [str(lab / "images" / f"picture_{i:02d}.png") for i in range(5)]
    if kind == "metamers":
        more = [*to, "-I", "6", "--layers", "0", "2", "--measured", "0", "2"]
        return [["metamers", "make", net, picture, *more] for picture in reversed(pictures)]
    if kind == "seeds":
        make = ["metamers", "make", net, *pictures[:2], *to, "-I", "6", "--measured", "0", "2", "--batch_size", "2"]
        return [
            [*make, "--layers", layer, "--seed", *seeds.split()]
            for layer, seeds in (("2", "3"), ("0", "1"), ("2", "0 1"), ("0", "0"), ("2", "1 3"))
        ]
    if kind == "null":
        null = ["metamers", "null", net, images, *to, "-N", "40"]
        return [[*null, "-R", str(i), "--layers", *("20", "02")[i % 2]] for i in (4, 3, 2, 1, 0)]
    if kind == "judge":
        judge = ["metamers", "judge", str(out), "--device", "cpu", "--batch_size", "2"]
        return [[*judge, "--models", f"file:{lab / f'judge_{i}.py'}"] for i in (4, 3, 0, 2, 1)]
    if kind == "grade":
        grade = ["stimuli", "grade", "--grade", "pink_noise", "-ip", images, "-op", str(out)]
        return [[*grade, "--levels", *levels.split()] for levels in ("0.3", "0.2 0.1", "0.4", "0.2", "0.05 0.3")]
    if kind == "build":
        return [["tasks", "build", "-i", str(lab / "plan.json"), "-t", str(out), "--static"]] * 5
    lists = [["--units_file", str(lab / f"unit_{i}.json")] for i in (3, 0, 4, 1, 2)]
    store = str(next((lab / "recorded").glob("*.zarr")))
    if kind == "optimize":
        optimize = ["units", "optimize", *model, "--activations", store, "--n_images", "2", "--steps", "3", *to]
        return [[*optimize, *units] for units in lists]
    if kind in ("maps", "occlude"):
        more = ["--steps", "3"] if kind == "occlude" else []
        return [["units", kind, *model, *to, *more, *units] for units in lists]
    if kind == "exemplars":
        windows = ["--num_batches", "1"]
        return [["units", "exemplars", *model, "--activations", store, *windows, *to, *units] for units in lists]
    panel = ["panel", "--stimuli_root", str(lab), "--folders", "images", "--output_dir", str(out), *threads]
    panel += ["--layers", "2", "0", "--replicates", "1", "--batch_size", "2", "--auto_confirm"]
    return [[*panel, "--models", f"file:{lab / f'net_{i}.py'}"] for i in (4, 3, 2, 1, 0)]


def read_outputs(folder: Path) -> dict[str, bytes]:
    """What users see of a folder."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        is_hidden = any(part.startswith(".") for part in Path(name).parts)
        if path.is_file() and not is_hidden and path.name != "provenance.json":
            found[name] = path.read_bytes()
    return found


def check_tidy(folder: Path) -> None:
    """No claim, announcement or half-written file is left."""
    left = [p for p in folder.rglob("*") if p.name.startswith(".tmp-") or p.name in ("claims", "announced")]
    assert not left


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=() if kind in ALWAYS else pytest.mark.slow) for kind in KINDS]
)
def test_five_at_once_leave_the_bytes_of_five_in_turn(kind: str, lab: Path, tmp_path: Path) -> None:
    in_turn, at_once = tmp_path / "in_turn", tmp_path / "at_once"
    for tokens in list_commands(kind, lab, in_turn):
        finish(tokens)
    running = [start(tokens) for tokens in reversed(list_commands(kind, lab, at_once))]
    for process in running:
        process.join(240)
    assert [process.exitcode for process in running] == [0] * 5
    expected, found = read_outputs(in_turn), read_outputs(at_once)
    assert list(found) == list(expected) and len(found) > 1
    assert [name for name in expected if found[name] != expected[name]] == []
    check_tidy(at_once)
    finish(["verify", str(at_once)])


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_twenty_kills_among_five_at_once(kind: str, lab: Path, tmp_path: Path) -> None:
    in_turn, at_once = tmp_path / "in_turn", tmp_path / "at_once"
    began = time.monotonic()
    for tokens in list_commands(kind, lab, in_turn):
        finish(tokens)
    seconds = (time.monotonic() - began) / 5
    generator = random.Random(7)
    commands = list_commands(kind, lab, at_once)
    running = {i: start(tokens) for i, tokens in enumerate(commands)}
    n_inside = 0
    for _ in range(20):
        time.sleep(generator.random() * seconds)
        i = generator.randrange(5)
        if running[i].is_alive():
            os.kill(running[i].pid or 0, signal.SIGKILL)
        running[i].join()
        n_inside += running[i].exitcode == -signal.SIGKILL
        running[i] = start(commands[i])
    for process in running.values():
        process.join(240)
    assert [process.exitcode for process in running.values()] == [0] * 5
    for tokens in commands:
        finish(tokens)
    assert n_inside, "no kill fell into the work"
    assert read_outputs(at_once) == read_outputs(in_turn)
    check_tidy(at_once)
    finish(["verify", str(at_once)])


def test_other_settings_are_refused_in_one_line_while_a_run_works(lab: Path, tmp_path: Path) -> None:
    import beholder as bh
    from beholder._core.errors import ConfigurationChanged, OutputBusy
    from beholder.activations.store._arrays import job_folder

    net = bh.load_model(f"file:{lab / 'net.py'}")
    acts = bh.extract(net, lab / "images", ["0"], out_path=tmp_path, threads=1)
    with job_folder(acts.path).hold(shared=True) as hold, hold.pause():
        more = bh.extract(net, lab / "images", ["2"], out_path=tmp_path, threads=1)
        assert more.layers == ["0", "2"]
        with pytest.raises(ConfigurationChanged, match="dtype was 'float32', now 'float16'"):
            bh.extract(net, lab / "images", ["5"], out_path=tmp_path, threads=1, dtype="float16")
        with pytest.raises(OutputBusy, match="another run that is writing to it"):
            bh.extract(net, lab / "images", ["5"], out_path=tmp_path, threads=1, overwrite=True)
        with pytest.raises(OutputBusy, match="to be free for more replicates"):
            bh.extract(net, lab / "images", ["5"], out_path=tmp_path, threads=1, replicates=2)
