"""Parts of one output come from one kind of machine, or it is listed which came from which."""

from __future__ import annotations

import dataclasses
import json
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from beholder._core.errors import OtherMachine
from beholder._core.machine import describe_kind
from beholder.jobs import JobFolder, Plan, open_output, run_plan, verify_outputs

sys.path.insert(0, str(Path(__file__).parent))

from sample_work import SquareWorker, plan_squares

PLAN = plan_squares(16, 4)
HALF = dataclasses.replace(PLAN, shards=PLAN.shards[:2])


class TorchSquares(SquareWorker):
    """Squares whose numbers are said to come from torch."""

    uses_torch = True


@pytest.fixture
def folder(tmp_path: Path) -> JobFolder:
    """An output, half of which is there."""
    folder = make_folder(tmp_path / "out")
    run_plan(HALF, SquareWorker(folder.output), folder)
    return folder


def make_folder(out: Path) -> JobFolder:
    out.mkdir()
    return JobFolder(out.parent / f".{out.name}.squares.jobs", out)


@pytest.fixture
def elsewhere(folder: JobFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine whose linear algebra takes other instructions."""
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")


def read_machine(folder: JobFolder) -> dict:
    return json.loads((folder.path / "machine.json").read_text(encoding="utf-8"))


def test_the_worker_that_begins_says_what_kind_it_is(folder: JobFolder) -> None:
    assert read_machine(folder) == describe_kind()
    assert all("machine" not in receipt for receipt in folder.iter_receipts())
    assert folder.list_machines() == ()


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize(("executor", "n_workers"), [("inline", 1), ("processes", 2)])
def test_a_worker_of_another_kind_refuses_new_shards_and_says_both(
    folder: JobFolder, executor: str, n_workers: int
) -> None:
    line = (
        r"expected a machine of the kind that .*out is made on \(no switches\); "
        r"got one of another kind \(switches OPENBLAS_CORETYPE=Haswell\); try .*mixed"
    )
    with pytest.raises(OtherMachine, match=line):
        run_plan(PLAN, SquareWorker(folder.output), folder, executor=executor, n_workers=n_workers)
    assert len(list(folder.iter_receipts())) == 2, "finished parts stay, and none is added"
    assert len(run_plan(HALF, SquareWorker(folder.output), folder)) == 2, "what computes nothing is not refused"
    for shard in PLAN.shards:
        with folder.claim(shard) as ours:
            assert ours, "a shard that was refused is free for others"


@pytest.mark.usefixtures("elsewhere")
@pytest.mark.parametrize(("executor", "n_workers"), [("inline", 1), ("processes", 2)])
def test_mixed_parts_are_listed(
    folder: JobFolder, executor: str, n_workers: int, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.mixed = True
    run_plan(PLAN, SquareWorker(folder.output), folder, executor=executor, n_workers=n_workers)
    own, other = folder.list_machines()
    assert (own.n_shards, own.shards) == (2, ())
    assert (other.n_shards, other.shards) == (2, ("s0008", "s0012"))
    assert "OPENBLAS_CORETYPE=Haswell" in other.kind and "OPENBLAS_CORETYPE" not in own.kind
    assert len([r for r in caplog.records if "are added on switches OPENBLAS_CORETYPE=Haswell" in r.getMessage()]) == 1
    (check,) = verify_outputs(folder.output)
    assert check.is_whole and check.machines == (own, other)
    monkeypatch.delenv("OPENBLAS_CORETYPE")
    folder.mixed = False
    longer = plan_squares(20, 4)
    run_plan(longer, SquareWorker(folder.output), folder)
    assert [share.n_shards for share in folder.list_machines()] == [3, 2], "the first kind is still at home"


@pytest.mark.usefixtures("elsewhere")
def test_a_shard_that_goes_on_from_what_another_kind_began_is_listed(
    folder: JobFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.mixed = True
    with pytest.raises(ValueError, match="squared"):
        run_plan(PLAN, SquareWorker(folder.output, refuse_at=12), folder)
    monkeypatch.delenv("OPENBLAS_CORETYPE")
    run_plan(PLAN, SquareWorker(folder.output), folder)
    assert folder.list_machines()[1].shards == ("s0008", "s0012")
    longer = dataclasses.replace(PLAN, shards=(*PLAN.shards[:3], dataclasses.replace(PLAN.shards[3], size=5)))
    folder.write_receipt(longer, longer.shards[3], {}, {})
    assert folder.list_machines()[1].shards == ("s0008", "s0012"), "rows that are kept came from there"


def test_the_first_worker_counts_whoever_planned_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_folder(tmp_path / "out")
    with open_output(folder) as output:
        output.settle({"power": 2})
        monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
        output.run(HALF, SquareWorker(folder.output))
    assert "Haswell" in read_machine(folder)["instructions"]["switches"]


def test_replacing_an_output_forgets_its_kind(folder: JobFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    with open_output(folder, replace=folder.clear) as output:
        output.settle({"power": 2})
        output.run(PLAN, SquareWorker(folder.output))
    assert folder.list_machines() == () and "Haswell" in read_machine(folder)["instructions"]["switches"]


def test_an_output_that_does_not_say_its_kind_goes_on(folder: JobFolder, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("machine.json", "machine.json.copy"):
        (folder.path / name).unlink()
    caplog.set_level("INFO", logger="beholder")
    run_plan(PLAN, SquareWorker(folder.output), folder)
    assert read_machine(folder) == describe_kind()
    assert any("it goes on with this one" in record.getMessage() for record in caplog.records)


def test_one_of_an_earlier_version_is_held_to_what_it_says(folder: JobFolder) -> None:
    import torch

    (folder.path / "machine.json.copy").unlink()
    versions = {"torch": version("torch"), "numpy": describe_kind()["versions"]["numpy"] + ".9", "python": "3.1"}
    old = {**describe_kind(), "instructions": torch.backends.cpu.get_cpu_capability(), "gpu": None}
    write = (folder.path / "machine.json").write_text
    write(json.dumps({**old, "versions": {**versions, "torch": "2.0.0"}}), encoding="utf-8")
    with pytest.raises(OtherMachine, match=r"made on \(torch 2\.0\.0\)"):
        run_plan(PLAN, TorchSquares(folder.output), folder)
    run_plan(dataclasses.replace(PLAN, shards=PLAN.shards[:3]), SquareWorker(folder.output), folder)
    write(json.dumps({**old, "versions": versions}), encoding="utf-8")
    run_plan(PLAN, TorchSquares(folder.output), folder)


def test_the_instructions_of_onednn_count_where_torch_computes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch  # noqa: F401

    folder = make_folder(tmp_path / "out")
    run_plan(HALF, TorchSquares(folder.output), folder)
    if read_machine(folder)["instructions"]["oneDNN"] in ("SSE41", "none"):
        pytest.skip("this processor has no more than SSE 4.1")
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "SSE41")
    run_plan(dataclasses.replace(PLAN, shards=PLAN.shards[:3]), SquareWorker(folder.output), folder)
    with pytest.raises(OtherMachine, match=r"\(oneDNN SSE41\)"):
        run_plan(PLAN, TorchSquares(folder.output), folder)


def test_what_is_not_cut_into_shards_says_its_machine_too(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "out")
    with open_output(folder) as output:
        output.settle({})
    assert read_machine(folder) == describe_kind()


def test_an_empty_plan_leaves_no_kind(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "out")
    assert run_plan(Plan("nothing", {}, ()), SquareWorker(folder.output), folder) == []
    assert not (folder.path / "machine.json").exists()
