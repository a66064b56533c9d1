"""Attacked stimuli: what counts as right at which radius, what is kept, continued, saved and refused."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import beholder as bh
from beholder import evaluation
from beholder._core.errors import BeholderError, ConfigurationChanged, InputError, UnknownNameError
from beholder.evaluation import _attack_passes, read_attacked, read_protocol, read_radii
from beholder.evaluation._attack_passes import rank_labels
from beholder.evaluation._attack_plan import Chain, ChainState, merge_chains
from beholder.experiments.design._stimulus_table import read_stimulus_table
from beholder.models import ImagePreprocessing
from beholder.stimuli import StimulusSet
from beholder.synthesis import open_attack_space, run_pgd

N, N_CLASSES, SHAPE = 12, 7, (3, 4, 4)
QUICK: dict[str, Any] = {"steps": 3, "apgd_steps": 4, "n_checked": 0, "batch_size": 4}


def attack_stimuli(model: Any, stimuli: Any, **options: Any) -> Any:
    """As the command asks."""
    of_protocol = {
        name: options.pop(name)
        for name in ("steps", "step_size", "divide", "apgd_steps", "keep", "random_start", "restarts", "eot", "targets",
                     "space")
        if name in options
    }  # fmt: skip
    radii = read_radii(options.pop("norm", None), options.pop("eps", None), "image")
    protocol = read_protocol(options.pop("preset", None), **of_protocol)
    return evaluation.attack_stimuli(model, stimuli, radii, options.pop("attacks", "pgd"), protocol, **options)


class Mixed(nn.Module):
    """Outputs that mix squashed values of a picture."""

    def __init__(self, seed: int = 0, noise: float = 0.0) -> None:
        super().__init__()
        weights = torch.randn((48, N_CLASSES), generator=torch.Generator().manual_seed(seed))
        self.weights, self.noise = nn.Parameter(weights), noise

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.noise * torch.randn_like(x) if self.noise else x
        return torch.tanh(x.flatten(1) - 0.5) @ self.weights


def make_network(seed: int = 0, noise: float = 0.0, name: str = "mixed") -> Any:
    return bh.wrap(Mixed(seed, noise), input_range=(0, 1), name=name)


def make_stimuli(n: int = N, seed: int = 0) -> StimulusSet:
    """Arrays whose labels are the first network's answers, but for the first two."""
    x = np.random.default_rng(seed).uniform(0.2, 0.8, (n, *SHAPE)).astype(np.float32)
    with torch.inference_mode():
        labels = Mixed()(torch.from_numpy(x)).argmax(1).numpy()
    labels[:2] = (labels[:2] + 1) % N_CLASSES
    return StimulusSet.from_arrays(x, labels=[str(label) for label in labels], kind="array")


def select(found: Any, attack: str, eps: float) -> Any:
    table = found.to_pandas()
    return table[(table["attack"] == attack) & np.isclose(table["eps"], eps)].reset_index(drop=True)


def read_files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "provenance.json" and "claims" not in path.parts and path.suffix != ".lock"
    }  # fmt: skip


def test_one_radius_is_what_the_attack_finds(tmp_path: Path) -> None:
    """The same numbers as from the function on the whole set at once: also those that were wrong to begin with."""
    stimuli, net = make_stimuli(), make_network()
    found = attack_stimuli(net, stimuli, norm="l2", eps=0.3, out_path=tmp_path / "attacked", **QUICK)
    space = open_attack_space(net)
    x = torch.from_numpy(np.stack([stimuli.source(i) for i in range(N)]))
    labels = torch.tensor([int(label) for label in stimuli.labels])
    expected = run_pgd(space.predict, x, labels, norm="l2", radius=0.3, n_steps=3, step_size=0.3 / 5, low=0.0, high=1.0)
    own = select(found, "pgd", 0.3)
    assert own["top1"].tolist() == (~expected.is_wrong).tolist()
    assert len(own) == N and own["radii"].unique().tolist() == ["0.3"]
    clean = select(found, "none", 0)
    assert clean["top1"].tolist() == [False, False, *[True] * (N - 2)]
    attacked = own["size"] > 0
    assert own["top5"][attacked].tolist() == (
        rank_labels(expected.logits.numpy(), labels.numpy()) < 5
    )[attacked.to_numpy()].tolist()  # fmt: skip
    assert (own["size"] <= 0.3 * (1 + 1e-5)).all()


@pytest.mark.parametrize("norm", ["l2", "linf", "l1"])
def test_accuracy_never_rises_with_the_radius(tmp_path: Path, norm: str) -> None:
    radii = {"l2": [0.05, 0.2, 1], "linf": [0.01, 0.05, 0.2], "l1": [0.1, 0.5, 3]}[norm]
    found = attack_stimuli(
        make_network(),
        make_stimuli(),
        norm=norm,
        eps=radii,
        attacks=["pgd", "random"],
        out_path=tmp_path / "a",
        **QUICK,
    )
    for attack in ("pgd", "random"):
        right = [select(found, "none", 0), *(select(found, attack, eps) for eps in radii)]
        for smaller, larger in itertools.pairwise(right):
            for column in ("top1", "top5"):
                assert not (larger[column] & ~smaller[column]).any()
        for eps, own in zip(radii, right[1:], strict=True):
            assert len(own) == N
            assert (own["size"] <= eps * (1 + 1e-5)).all()
            assert (own["found_at"] <= eps).all()
    assert select(found, "pgd", radii[-1])["top1"].sum() < select(found, "random", radii[-1])["top1"].sum()


def test_stimuli_that_fell_are_not_attacked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither costs passes nor becomes right again; a label among the first five is attacked on, for top-5."""
    shown: list[int] = []
    plain = _attack_passes.run_attack

    def count(settings: Any, predict: Any, x: Any, labels: Any, **options: Any) -> Any:
        shown.append(len(x))
        return plain(settings, predict, x, labels, **options)

    monkeypatch.setattr(_attack_passes, "run_attack", count)
    options: dict[str, Any] = {**QUICK, "batch_size": 1, "threads": 1}
    found = attack_stimuli(make_network(), make_stimuli(), norm="l2", eps=[0.5, 2], out_path=tmp_path / "a", **options)
    first = select(found, "pgd", 0.5)
    left = int((first["top1"] | first["top5"]).sum())
    assert 0 < left < N
    clean = select(found, "none", 0)
    assert sum(shown) == int((clean["top1"] | clean["top5"]).sum()) + left


def test_radii_and_attacks_are_added(tmp_path: Path) -> None:
    """What is there stays as it is; the result is that of one run over all of them."""
    net, stimuli = make_network(), make_stimuli()
    out = tmp_path / "one" / "a"
    attack_stimuli(net, stimuli, norm="l2", eps=[0.1, 0.3], out_path=out, **QUICK)
    jobs = out.parent / ".a.attacked.jobs"
    before = {path: path.stat().st_mtime_ns for path in jobs.rglob("receipts/*.json")}
    assert before
    attack_stimuli(net, stimuli, norm="l2", eps=[0.1, 0.3, 1], out_path=out, **QUICK)
    found = attack_stimuli(net, stimuli, eps="linf:0.05", attacks="random", out_path=out, **QUICK)
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in before.items())
    assert set(zip(found.table["norm"], found.table["attack"], strict=True)) == {
        ("", "none"), ("l2", "pgd"), ("linf", "random"),
    }  # fmt: skip
    other = tmp_path / "two" / "a"
    attack_stimuli(net, stimuli, eps="linf:0.05", attacks="random", out_path=other, **QUICK)
    attack_stimuli(net, stimuli, norm="l2", eps=[0.1, 0.3, 1], out_path=other, **QUICK)
    assert read_files(out) == read_files(other)
    (again,) = read_attacked(out)
    assert again.table.equals(found.table)


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_interrupted_work_is_completed_to_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, noise: float
) -> None:
    """Also of networks that draw noise, whose numbers come from the seed and not from what was done before."""
    options: dict[str, Any] = {
        "norm": "l2", "eps": [0.1, 0.4], "attacks": ["pgd", "random"], "random_start": True, **QUICK, "batch_size": 2,
        "n_checked": 3,
    }  # fmt: skip
    net, stimuli = make_network(noise=noise), make_stimuli()
    attack_stimuli(net, stimuli, out_path=tmp_path / "whole" / "a", **options)
    for fails_at in (1, 5, 9):
        out = tmp_path / str(fails_at) / "a"
        left, plain = [fails_at], _attack_passes.run_attack

        def fail(*given: Any, left: list[int] = left, plain: Any = plain, **more: Any) -> Any:
            left[0] -= 1
            if left[0] <= 0:
                raise KeyboardInterrupt
            return plain(*given, **more)

        with monkeypatch.context() as patch:
            patch.setattr(_attack_passes, "run_attack", fail)
            with pytest.raises(KeyboardInterrupt):
                attack_stimuli(net, stimuli, out_path=out, **options)
        torch.randn(3)  # what else the program draws
        attack_stimuli(net, stimuli, out_path=out, **options)
        assert read_files(out) == read_files(tmp_path / "whole" / "a")


def test_other_protocols_and_networks_are_refused(tmp_path: Path) -> None:
    out = tmp_path / "a"
    attack_stimuli(make_network(), make_stimuli(), norm="l2", eps=0.1, out_path=out, **QUICK)
    with pytest.raises(ConfigurationChanged, match=r"protocol\.steps was 3, now 4"):
        attack_stimuli(make_network(), make_stimuli(), norm="l2", eps=0.1, out_path=out, **{**QUICK, "steps": 4})
    with pytest.raises(ConfigurationChanged, match="other weights"):
        attack_stimuli(make_network(1), make_stimuli(), norm="l2", eps=0.1, out_path=out, **QUICK)
    with pytest.raises(ConfigurationChanged, match="stimuli was"):
        attack_stimuli(make_network(), make_stimuli(seed=1), norm="l2", eps=0.1, out_path=out, **QUICK)
    found = attack_stimuli(make_network(1), make_stimuli(), norm="l2", eps=0.1, out_path=out, overwrite=True, **QUICK)
    assert found.facts["settings"]["protocol"]["steps"] == 3


def test_attacks_of_another_network_are_shown(tmp_path: Path) -> None:
    net, other, stimuli = make_network(), make_network(5, name="other"), make_stimuli()
    found = attack_stimuli(
        net, stimuli, norm="l2", eps=[0.3], transfer=other, out_path=tmp_path / "a", **{**QUICK, "batch_size": N}
    )
    own = select(found, "transfer", 0.3)
    assert own["source"].unique().tolist() == ["other"] and own["base"].unique().tolist() == ["pgd"]
    x = torch.from_numpy(np.stack([stimuli.source(i) for i in range(N)]))
    labels = torch.tensor([int(label) for label in stimuli.labels])
    made = run_pgd(
        open_attack_space(other).predict, x, labels, norm="l2", radius=0.3, n_steps=3, step_size=0.06, low=0, high=1
    )
    right = net.module(made.x).argmax(1) == labels
    attacked = (own["size"] > 0).to_numpy()
    assert own["top1"][attacked].tolist() == right.numpy()[attacked].tolist()
    assert own["top1"].sum() >= select(found, "pgd", 0.3)["top1"].sum()
    with pytest.raises(InputError, match="another network for"):
        attack_stimuli(net, stimuli, norm="l2", eps=0.3, transfer=net, out_path=tmp_path / "b", **QUICK)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Ten pictures of 4 px in folders that are called by the network's answers to them."""
    rng = np.random.default_rng(1)
    for k in range(10):
        pixels = rng.integers(40, 216, (4, 4, 3), dtype=np.uint8)
        with torch.inference_mode():
            x = torch.from_numpy(pixels.transpose(2, 0, 1)[None].astype(np.float32) / 255)
            label = int(Mixed()(x).argmax())
        (tmp_path / "shown" / str(label)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "shown" / str(label) / f"picture{k}.png")
    return tmp_path / "shown"


FORM = ImagePreprocessing(resize=4, crop=(4, 4), mean=(0,) * 3, std=(1,) * 3)  # pyright: ignore[reportArgumentType]


def test_saved_stimuli_are_a_set_for_experiments(pictures: Path, tmp_path: Path) -> None:
    """Eight bits, accuracy of which is noted apart; each radius is a condition, the first of no change at all."""
    net = bh.wrap(Mixed(), preprocess=FORM, name="mixed")
    found = attack_stimuli(
        net, pictures, norm="l2", eps=[0.05, 0.3], attacks=["pgd", "random"], out_path=tmp_path / "saved", save=True,
        **QUICK,
    )  # fmt: skip
    table = read_stimulus_table(tmp_path / "saved" / "mixed" / "l2_pgd.csv")
    assert [each.name for each in table.conditions] == ["level=0.0", "level=0.05", "level=0.3"] or [
        each.name for each in table.conditions
    ] == ["level=0", "level=0.05", "level=0.3"]
    assert len(table) == 10
    for c, eps in enumerate((0.0, 0.05, 0.3)):
        own = select(found, "pgd" if eps else "none", eps).set_index("stimulus")
        for i, stimulus_id in enumerate(table.ids):
            pixels = np.asarray(Image.open(table.versions[i, c].path))
            assert pixels.dtype == np.uint8
            x = torch.from_numpy(pixels.transpose(2, 0, 1)[None].astype(np.float32) / 255)
            is_right = int(net.module(x).argmax()) == int(table.labels[i])
            assert bool(own.loc[stimulus_id, "top1_saved"]) == is_right
    own = select(found, "pgd", 0.3)
    assert (own["size"] <= 0.3 * (1 + 1e-5)).all()
    assert (own["size_saved"] <= 0.3 + 0.5 / 255 * 48**0.5).all()
    assert (own["size_saved"] != own["size"]).any()

    other = bh.wrap(Mixed(3), preprocess=FORM, name="other")
    shown = attack_stimuli(
        other, pictures, norm="l2", eps=0.3, transfer=tmp_path / "saved" / "mixed" / "l2_pgd.csv",
        out_path=tmp_path / "b", **QUICK,
    )  # fmt: skip
    moved = shown.table[shown.table["attack"] == "transfer"]
    assert moved["source"].unique().tolist() == ["mixed/l2_pgd"]
    assert sorted(moved["eps"].unique()) == [0.05, 0.3]
    later = attack_stimuli(other, pictures, norm="l2", eps=0.5, out_path=tmp_path / "b", **QUICK).to_pandas()
    kept = later[later["attack"] == "transfer"].reset_index(drop=True)
    assert kept.equals(moved.reset_index(drop=True)) and (later["eps"] == 0.5).any()
    some = StimulusSet.from_folder(pictures)
    some = StimulusSet.from_arrays(
        np.zeros((1, *SHAPE), np.float32), ["elsewhere"], labels=[some.labels[0]], kind="array"
    )
    with pytest.raises(InputError, match=r"none for 1 of them at l2:0\.05, such as 'elsewhere'"):
        attack_stimuli(
            make_network(), some, norm="l2", eps=0.3, transfer=tmp_path / "saved" / "mixed" / "l2_pgd.csv",
            out_path=tmp_path / "c", **QUICK,
        )  # fmt: skip


def test_targets_are_brought_about(tmp_path: Path) -> None:
    stimuli = make_stimuli()
    labels = {int(label) for label in stimuli.labels}
    target = next(each for each in range(N_CLASSES) if each not in labels) if len(labels) < N_CLASSES else None
    options: dict[str, Any] = {"norm": "l2", "eps": [0.1, 3], **QUICK, "steps": 10}
    for asked in ("random", "least-likely", *([str(target)] if target is not None else [])):
        found = attack_stimuli(make_network(), stimuli, targets=asked, out_path=tmp_path / asked, **options)
        assert select(found, "pgd", 3)["reached"].mean() > 0.8 > select(found, "pgd", 0.1)["reached"].mean()
    with pytest.raises(InputError, match="a target that no stimulus is of"):
        attack_stimuli(make_network(), stimuli, targets=stimuli.labels[0], out_path=tmp_path / "x", **options)
    with pytest.raises(UnknownNameError, match="target"):
        attack_stimuli(make_network(), stimuli, targets="zebra", out_path=tmp_path / "x", **options)
    with pytest.raises(InputError, match="targets with pgd"):
        attack_stimuli(make_network(), stimuli, targets="random", attacks="apgd-ce", out_path=tmp_path / "x", **options)


def test_more_restarts_never_help_the_network(tmp_path: Path) -> None:
    right: list[Any] = []
    for restarts in (1, 4):
        found = attack_stimuli(
            make_network(), make_stimuli(), norm="linf", eps=0.2, attacks=["random"], restarts=restarts,
            out_path=tmp_path / str(restarts), **QUICK,
        )  # fmt: skip
        right.append(select(found, "random", 0.2)["top1"])
    assert not (right[1] & ~right[0]).any() and right[1].sum() < right[0].sum()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"eps": 0}, "at least one radius above 0"),
        ({"eps": -1}, r"radii above 0, such as 3 or 4/255; got -1"),
        ({"eps": "nan"}, "radii above 0"),
        ({"eps": "3/0"}, "radii above 0"),
        ({"norm": None, "eps": [0.5]}, "the norm of every radius"),
        ({"norm": "l3"}, "norm"),
        ({"attacks": []}, "at least one attack"),
        ({"attacks": ["pdg"]}, "'pgd'"),
        ({"attacks": ["pgd"], "preset": "publised"}, "'published'"),
        ({"steps": 0}, "steps of 1 or more"),
        ({"keep": "worst"}, "iterate to keep"),
        ({"step_size": 0.1, "divide": 2}, "step_size or"),
        ({"divide": 0}, "divide above 0"),
        ({"restarts": 0}, "restarts of 1 or more"),
        ({"n_stimuli": 0}, "at least one stimulus"),
        ({"n_checked": -1}, "n_checked of 0 or more"),
        ({"space": "cochleagram"}, "a space for attacks"),
    ],
)
def test_what_cannot_be_done_is_refused(tmp_path: Path, given: dict[str, Any], words: str) -> None:
    asked: dict[str, Any] = {"norm": "l2", "eps": 0.1, **QUICK, **given}
    with pytest.raises(BeholderError, match=words):
        attack_stimuli(make_network(), make_stimuli(), out_path=tmp_path / "a", **asked)
    assert not list(tmp_path.rglob("*.parquet"))


def test_stimuli_without_labels_are_refused_and_one_class_is_told(tmp_path: Path) -> None:
    x = np.random.default_rng(0).uniform(0.2, 0.8, (4, *SHAPE)).astype(np.float32)
    with pytest.raises(InputError, match="labels"):
        attack_stimuli(
            make_network(), StimulusSet.from_arrays(x, kind="array"), norm="l2", eps=0.1, out_path=tmp_path, **QUICK
        )
    with pytest.raises(InputError, match=r"from 0 to 6"):
        attack_stimuli(
            make_network(), StimulusSet.from_arrays(x, labels=["9"] * 4, kind="array"), norm="l2", eps=0.1,
            out_path=tmp_path, **QUICK,
        )  # fmt: skip
    one = StimulusSet.from_arrays(x, labels=["3"] * 4, kind="array")
    found = attack_stimuli(make_network(), one, norm="l2", eps=0.1, out_path=tmp_path / "a", **QUICK)
    assert any("one class" in note for note in found.facts["notes"])


def test_stimuli_are_drawn_by_the_seed(tmp_path: Path) -> None:
    def ask(name: str, seed: int) -> list[str]:
        found = attack_stimuli(
            make_network(),
            make_stimuli(),
            norm="l2",
            eps=0.1,
            n_stimuli=5,
            seed=seed,
            out_path=tmp_path / name,
            **QUICK,
        )
        return select(found, "none", 0)["stimulus"].tolist()

    assert ask("a", 0) == ask("b", 0) == sorted(ask("a", 0)) != ask("c", 1)
    found = attack_stimuli(
        make_network(), make_stimuli(), norm="linf", eps=0.01, n_stimuli=13, out_path=tmp_path / "d", **QUICK
    )
    assert found.facts["notes"] == ["12 stimuli, all there are, in place of 13."]


def test_answers_that_change_by_themselves_are_averaged(tmp_path: Path) -> None:
    noisy = attack_stimuli(
        make_network(noise=0.2), make_stimuli(), norm="l2", eps=0.1, eot=2, out_path=tmp_path / "a", **QUICK
    )
    assert noisy.facts["is_noisy"]
    assert not attack_stimuli(
        make_network(), make_stimuli(), norm="l2", eps=0.1, out_path=tmp_path / "b", **QUICK
    ).facts["is_noisy"]  # fmt: skip


def test_ids_that_cannot_be_names_of_files_are_refused_before_work(tmp_path: Path) -> None:
    for ids in (["a b", "c"], ["a", "A"]):
        shown = StimulusSet.from_arrays(np.full((2, *SHAPE), 0.5, np.float32), ids, labels=["0", "1"], kind="array")
        with pytest.raises(InputError, match="that can be file names"):
            attack_stimuli(make_network(), shown, eps="l2:1", out_path=tmp_path / "a", save=True, **QUICK)
    assert not list(tmp_path.iterdir())


def test_batches_that_do_not_fit_are_halved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = _attack_passes.run_attack

    def fail(settings: Any, predict: Any, x: Any, *given: Any, **more: Any) -> Any:
        if len(x) > 1:
            raise torch.OutOfMemoryError("out of memory")
        return plain(settings, predict, x, *given, **more)

    options: dict[str, Any] = {"eps": "l2:0.3", **QUICK, "random_start": True}
    whole = attack_stimuli(make_network(), make_stimuli(), out_path=tmp_path / "a", **options)
    monkeypatch.setattr(_attack_passes, "run_attack", fail)
    halved = attack_stimuli(make_network(), make_stimuli(), out_path=tmp_path / "b", **options)
    assert whole.table["top1"].tolist() == halved.table["top1"].tolist()
    assert np.allclose(whole.table["size"], halved.table["size"], atol=1e-5)
    assert not whole.facts["notes"] and "were halved" in halved.facts["notes"][0]


def test_chains_hold_the_worst_so_far() -> None:
    clean = {"top1": np.array([True, True, False]), "top5": np.array([True, True, True]), "answer": np.array([1, 2, 3])}
    state = ChainState(clean, 10, has_targets=False)
    assert state.list_left().tolist() == [0, 1, 2]
    found = {
        "top1": np.array([False, True, True]), "top5": np.array([True, True, False]), "answer": np.array([5, 2, 3]),
        "size": np.array([0.5, 0.4, 0.3]),
    }  # fmt: skip
    state.add(0.5, np.array([0, 1, 2]), found)
    assert state.columns["top1"].tolist() == [False, True, False]
    assert state.columns["top5"].tolist() == [True, True, False]
    assert state.columns["answer"].tolist() == [5, 2, 3]
    assert state.columns["found_at"].tolist() == [0.5, 0.5, 0]
    assert state.list_left().tolist() == [0, 1]
    state.add(1.0, np.array([0, 1]), {name: values[:2] for name, values in found.items()} | {"top1": np.ones(2, bool)})
    assert state.columns["top1"].tolist() == [False, True, False]
    assert state.columns["found_at"].tolist() == [0.5, 1.0, 0]
    few = ChainState({**clean, "top5": np.ones(3, bool)}, 4, has_targets=False)
    assert few.list_left().tolist() == [0, 1]


def test_the_beginning_of_a_chain_is_part_of_it() -> None:
    short, long, other = Chain("l2", "pgd", (0.5,)), Chain("l2", "pgd", (0.5, 3.0)), Chain("l2", "pgd", (1.0, 3.0))
    assert merge_chains([short], [long, other]) == [long, other]
    assert merge_chains([long], [short]) == [long]


def test_ranks_count_equal_logits_by_their_place() -> None:
    logits = np.array([[0.1, 0.7, 0.7, 0.2], [3.0, 1.0, 2.0, 0.0]])
    assert rank_labels(logits, np.array([2, 3])).tolist() == [1, 3]
    assert rank_labels(logits, np.array([1, 0])).tolist() == [0, 0]
