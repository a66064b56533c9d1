"""The training loop: it learns, goes on where it was, and says what is wrong."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn

import beholder as bh
from beholder._core.errors import BeholderError, ConfigurationChanged, InputError, StimulusError
from beholder.activations import describe_file
from beholder.models import Model
from beholder.training import ArrayData, TrainingResult, train
from beholder.training._train import _list_augmentations

X = torch.rand(96, 3, 8, 8, generator=torch.Generator().manual_seed(1))
Y = torch.arange(96) % 2
X[Y == 1, 0] *= 0.5
SETTINGS: dict[str, Any] = {"epochs": 3, "batch_size": 16, "learning_rate": 0.05, "save_seconds": 1e9}


def make_net(n_classes: int = 2) -> nn.Sequential:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 6, 3, 2), nn.BatchNorm2d(6), nn.ReLU(), nn.Dropout(0.2), nn.AdaptiveAvgPool2d(1),
            nn.Flatten(), nn.Linear(6, n_classes),
        )  # fmt: skip


def make_model(n_classes: int = 2) -> Model:
    return bh.wrap(make_net(n_classes), input_shape=(3, 8, 8), input_range=(0.0, 1.0))


def read(result: TrainingResult | Path, name: str = "last") -> dict[str, Tensor]:
    path = result if isinstance(result, Path) else result.path
    return load_file(path / "checkpoints" / f"{name}.safetensors")


def assert_same_bytes(a: Path, b: Path) -> None:
    for name in ("checkpoints/best.safetensors", "checkpoints/last.safetensors", "settings.json"):
        assert (a / name).read_bytes() == (b / name).read_bytes(), name


@dataclass
class StopAt:
    """Arrays whose reading ends a run at one of its batches, once."""

    data: ArrayData
    at: int
    error: BaseException = field(default_factory=KeyboardInterrupt)
    n_read: int = 0

    @property
    def classes(self) -> tuple[str, ...]:
        return self.data.classes

    @property
    def n_stimuli(self) -> int:
        return self.data.n_stimuli

    @property
    def fingerprint(self) -> str:
        return self.data.fingerprint

    def name_stimulus(self, index: int) -> str:
        return f"stimulus {index}"

    def read_batch(self, indices: np.ndarray, epoch: int, seed: int) -> tuple[Tensor, Tensor]:
        self.n_read += 1
        if self.n_read == self.at:
            raise self.error
        return self.data.read_batch(indices, epoch, seed)


PARTS = ArrayData(X, Y, ("a", "b")).split(0.2, seed=1)


def test_learns_and_gives_a_model(tmp_path: Path) -> None:
    model = make_model()
    before = {name: value.clone() for name, value in model.module.state_dict().items()}
    result = train(model, (X, Y), out_path=tmp_path / "run", **{**SETTINGS, "epochs": 8})
    assert result.history[-1]["train_accuracy"] > 0.9 > 0.6 > abs(result.history[0]["train_loss"] - 1)
    assert result.best["accuracy"] == max(row["accuracy"] for row in result.history)
    logits = result.model(X[:8])
    assert logits.shape == (8, 2)
    saved = make_net()
    saved.load_state_dict(read(result, "best"))
    torch.testing.assert_close(logits, saved.eval()(X[:8]))
    after = model.module.state_dict()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    log = (tmp_path / "run/log.csv").read_text().splitlines()
    assert len(log) == 9
    assert log[0].startswith("epoch,step,learning_rate,train_loss")
    shown = describe_file(tmp_path / "run")
    assert shown.kind == "training"
    assert (shown.facts["epochs"], shown.facts["classes"]) == ("8 of 8", "2: 0, 1")
    assert shown.facts["best_epoch"] == result.best["epoch"] + 1
    assert [row["accuracy"] for row in shown.tables["epochs"]] == [row["accuracy"] for row in result.history]
    assert describe_file(tmp_path / "run/settings.json") == shown
    shown = describe_file(result.checkpoint)
    assert shown.tables["accuracies"][0]["accuracy_top1"] == result.best["accuracy"]
    assert "tensors" not in shown.tables
    (head,) = [each for each in describe_file(result.checkpoint, show_layers=True).tables["tensors"]
               if each["tensor"] == "6.weight"]  # fmt: skip
    assert (head["shape"], head["dtype"]) == ([2, 6], "F32")
    result.checkpoint.write_bytes(result.checkpoint.read_bytes()[:300])
    with pytest.raises(InputError, match=r"a \.safetensors file; got .*best\.safetensors, which is none or cut off"):
        describe_file(result.checkpoint)


def test_wrapped_module_keeps_mode_and_gradients(tmp_path: Path) -> None:
    net = make_net()
    net[1].eval()
    net[0].requires_grad_(False)
    flags = [part.training for part in net.modules()], [p.requires_grad for p in net.parameters()]
    assert flags[1] == [False, False, True, True, True, True]
    model = bh.wrap(net, input_shape=(3, 8, 8), input_range=(0.0, 1.0))
    model(X[:2])
    bh.capture(model, X[:2], ["0"])
    result = train(model, (X, Y), out_path=tmp_path / "run", **{**SETTINGS, "epochs": 1})
    assert ([part.training for part in net.modules()], [p.requires_grad for p in net.parameters()]) == flags
    assert torch.equal(read(result)["0.weight"], next(net.parameters())), "frozen parameters stay as they are"
    assert not torch.equal(read(result)["6.weight"], [*net.parameters()][-2])


def test_refuses_a_network_that_is_all_frozen(tmp_path: Path) -> None:
    net = make_net().requires_grad_(False)
    with pytest.raises(InputError, match=r"all of whose 6 are frozen; try module.requires_grad_\(True\)"):
        train(bh.wrap(net, input_shape=(3, 8, 8)), (X, Y), out_path=tmp_path / "run", **SETTINGS)


def test_one_seed_gives_the_same_weights_and_another_others(tmp_path: Path) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train(make_model(), PARTS, out_path=tmp_path / name, **{**SETTINGS, "seed": seed})
        torch.rand(3)
    assert_same_bytes(tmp_path / "a", tmp_path / "b")
    assert not torch.equal(read(tmp_path / "a")["6.weight"], read(tmp_path / "c")["6.weight"])
    torch.set_rng_state(before)


WAYS: dict[str, dict[str, Any]] = {
    "sgd": {},
    "ema": {"ema": 0.9, "clip_norm": 0.5, "warmup_epochs": 1.0, "schedule": "cosine"},
    "adamw": {"optimizer": "adamw", "accumulation": 2, "label_smoothing": 0.1, "precision": "bf16"},
}


@pytest.mark.parametrize(("way", "at"), [("sgd", 2), ("ema", 7), ("adamw", 11)])
def test_goes_on_to_the_same_bytes(tmp_path: Path, way: str, at: int) -> None:
    settings = {**SETTINGS, **WAYS[way], "save_steps": 3}
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    train(make_model(), PARTS, out_path=whole, **settings)
    with pytest.raises(KeyboardInterrupt):
        train(make_model(), (StopAt(PARTS[0], at), PARTS[1]), out_path=stopped, **settings)
    counted = StopAt(PARTS[0], -1)
    train(make_model(), (counted, PARTS[1]), out_path=stopped, **settings)
    assert_same_bytes(whole, stopped)
    assert counted.n_read < 15, "it goes on, instead of beginning anew"
    rows = [line.rpartition(",")[0] for line in (whole / "log.csv").read_text().splitlines()]
    assert rows == [line.rpartition(",")[0] for line in (stopped / "log.csv").read_text().splitlines()]


def test_a_finished_run_is_given_back(tmp_path: Path) -> None:
    train(make_model(), PARTS, out_path=tmp_path / "run", **SETTINGS)
    counted = StopAt(PARTS[0], -1)
    again = train(make_model(), (counted, PARTS[1]), out_path=tmp_path / "run", **SETTINGS)
    assert counted.n_read == 0
    assert len(again.history) == 3


def test_a_damaged_state_gives_way_to_the_one_before(tmp_path: Path) -> None:
    settings = {**SETTINGS, "save_steps": 2}
    train(make_model(), PARTS, out_path=tmp_path / "whole", **settings)
    with pytest.raises(KeyboardInterrupt):
        train(make_model(), (StopAt(PARTS[0], 11), PARTS[1]), out_path=tmp_path / "run", **settings)
    newest = max((tmp_path / "run/state").glob("*.safetensors"))
    newest.write_bytes(newest.read_bytes()[:1000])
    train(make_model(), PARTS, out_path=tmp_path / "run", **settings)
    assert_same_bytes(tmp_path / "whole", tmp_path / "run")


def test_other_settings_are_refused_by_name(tmp_path: Path) -> None:
    train(make_model(), PARTS, out_path=tmp_path / "run", **SETTINGS)
    with pytest.raises(ConfigurationChanged, match=r"settings.learning_rate was 0.05, now 0.1.*overwrite=True"):
        train(make_model(), PARTS, out_path=tmp_path / "run", **{**SETTINGS, "learning_rate": 0.1})
    changed = train(
        make_model(), PARTS, out_path=tmp_path / "run", overwrite=True, **{**SETTINGS, "learning_rate": 0.1}
    )
    assert changed.settings.learning_rate == 0.1
    assert not (tmp_path / "run/state/000000004.safetensors").exists()


def test_diverging_loss_stops_and_keeps_the_last_good_network(tmp_path: Path) -> None:
    bad = replace(PARTS[0], stimuli=PARTS[0].stimuli.clone())

    class Spoilt(StopAt):
        def read_batch(self, indices: np.ndarray, epoch: int, seed: int) -> tuple[Tensor, Tensor]:
            x, labels = super().read_batch(indices, epoch, seed)
            return (x * np.inf if epoch == 1 else x), labels

    with pytest.raises(BeholderError) as caught:
        train(make_model(), (Spoilt(bad, -1), PARTS[1]), out_path=tmp_path / "run", **{**SETTINGS, "save_steps": 1})
    told = str(caught.value)
    assert "no number at update 5 (epoch 2)" in told
    assert "keeps the network of epoch 1" in told
    assert "learning_rate=0.005 or warmup_epochs=5 or clip_norm=1" in told
    for path in [*(tmp_path / "run/state").glob("*"), *(tmp_path / "run/checkpoints").glob("*.safetensors")]:
        tensors = load_file(path)
        assert all(torch.isfinite(tensor).all() for tensor in tensors.values() if tensor.is_floating_point()), path


def test_a_stimulus_that_cannot_be_read_stops_with_everything_kept(tmp_path: Path) -> None:
    broken = StimulusError("a picture", got="cat_3.png, which is damaged")
    with pytest.raises(StimulusError, match=r"cat_3.png, which is damaged; try skip_bad=True, which leaves"):
        train(make_model(), (StopAt(PARTS[0], 9, broken), PARTS[1]), out_path=tmp_path / "run", **SETTINGS)
    assert (tmp_path / "run/checkpoints/best.safetensors").exists()
    assert (tmp_path / "run/state/000000008.safetensors").exists()


@dataclass
class Damaged(StopAt):
    """Arrays of which some cannot be read."""

    damaged: frozenset[int] = frozenset()

    def read_batch(self, indices: np.ndarray, epoch: int, seed: int) -> tuple[Tensor, Tensor]:
        bad = sorted({*map(int, indices)} & self.damaged)
        if bad:
            raise StimulusError("a picture", got=f"{self.name_stimulus(bad[0])}, which is damaged")
        return self.data.read_batch(indices, epoch, seed)


def test_batches_of_damaged_stimuli_alone_are_left_out(tmp_path: Path) -> None:
    """In batches of one, a damaged stimulus is a whole batch, as in a last one that is not full."""
    training, held = Damaged(PARTS[0], -1, damaged=frozenset({3, 7})), Damaged(PARTS[1], -1, damaged=frozenset({18}))
    few = {**SETTINGS, "epochs": 1, "batch_size": 1, "skip_bad": True}
    result = train(make_model(), (training, held), out_path=tmp_path / "run", **few)
    (row,) = result.history
    assert (row["n_skipped"], row["n"]) == (3, 19)
    assert [line.partition(" could")[0] for line in result.warnings] == ["stimulus 18", "stimulus 3", "stimulus 7"]
    nothing = Damaged(PARTS[0], -1, damaged=frozenset(range(PARTS[0].n_stimuli)))
    with pytest.raises(StimulusError, match="stimuli that can be read; got none of 76 to train on"):
        train(make_model(), (nothing, held), out_path=tmp_path / "none", **few)
    nothing = Damaged(PARTS[1], -1, damaged=frozenset(range(20)))
    with pytest.raises(StimulusError, match="got none of 20 that validate"):
        train(make_model(), (training, nothing), out_path=tmp_path / "none", overwrite=True, **few)


def test_out_of_memory_makes_micro_batches_smaller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    passed: list[int] = []

    class Hungry(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Sequential(nn.Flatten(), nn.Linear(192, 2))

        def forward(self, x: Tensor) -> Tensor:
            if self.training and len(x) > 6:
                raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 1 bytes")
            passed.append(len(x))
            return self.net(x)

    torch.manual_seed(0)
    net = Hungry()
    whole = nn.Sequential(*net.net)
    result = train(bh.wrap(net, input_shape=(3, 8, 8), version="1"), PARTS, out_path=tmp_path / "run", **SETTINGS)
    assert any("micro-batches of 4" in line for line in result.warnings)
    other = train(bh.wrap(whole, input_shape=(3, 8, 8)), PARTS, out_path=tmp_path / "whole", **SETTINGS)
    torch.testing.assert_close(read(result)["net.1.weight"], read(other)["1.weight"])


def test_accumulation_changes_no_gradient(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(192, 2))
    found = [
        read(train(bh.wrap(net, input_shape=(3, 8, 8)), PARTS, out_path=tmp_path / str(n), accumulation=n, **SETTINGS))
        for n in (1, 4)
    ]
    torch.testing.assert_close(found[0]["1.weight"], found[1]["1.weight"])


def test_equals_a_plain_loop_of_torch(tmp_path: Path) -> None:
    """SGD with momentum and decay, the order of :func:`list_batches`, no augmentation: the same weights."""
    from beholder.training._order import list_batches

    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(192, 8), nn.ReLU(), nn.Linear(8, 2))
    result = train(bh.wrap(net, input_shape=(3, 8, 8)), PARTS, out_path=tmp_path / "run", **SETTINGS, step_epochs=2.0)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
    for epoch in range(3):
        optimizer.param_groups[0]["lr"] = 0.05 if epoch < 2 else 0.005
        for indices in list_batches(PARTS[0].n_stimuli, 16, epoch=epoch, seed=42):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(PARTS[0].stimuli[indices]), PARTS[0].labels[indices]).backward()
            optimizer.step()
    for name, value in net.state_dict().items():
        torch.testing.assert_close(read(result)[name], value)


def test_average_of_weights_is_what_is_kept(tmp_path: Path) -> None:
    plain = train(make_model(), PARTS, out_path=tmp_path / "plain", **SETTINGS)
    mean = train(make_model(), PARTS, out_path=tmp_path / "mean", ema=0.999, **SETTINGS)
    start = make_net().state_dict()["6.weight"]
    moved = [float((read(each)["6.weight"] - start).norm()) for each in (plain, mean)]
    assert moved[1] < 0.1 * moved[0]


@pytest.mark.parametrize(
    "given", [{"augment": ("flip",)}, {"validation": "others"}, {"label_column": "kind"}, {"n_drawn": 5}]
)
@pytest.mark.parametrize("data", [(X, Y), PARTS, PARTS[0]])
def test_settings_of_files_are_refused_beside_arrays(tmp_path: Path, data: Any, given: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=f"{next(iter(given))} with data of files, or a drawn set; got arrays or data"):
        train(make_model(), data, out_path=tmp_path / "run", **SETTINGS, **given)


def write_pictures(folder: Path, n: int = 8) -> Path:
    """Two classes, told by their redness."""
    for i in range(n):
        place = folder / "ab"[i % 2]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.full((8, 8, 3), 60 + 120 * (i % 2), np.uint8)).save(place / f"{i}.png")
    return folder


def test_the_augmentations_of_a_run_stand_in_its_settings(tmp_path: Path) -> None:
    """A default is written down, so that a run is known when defaults change; runs from before go on."""
    folder, quick = write_pictures(tmp_path / "pictures"), {**SETTINGS, "epochs": 1, "batch_size": 4}
    train(make_model(), folder, out_path=tmp_path / "run", **quick)
    settings = tmp_path / "run/settings.json"
    assert json.loads(settings.read_text())["data"]["augment"] == ["crop=0.08", "flip=0.5"]
    train(make_model(), folder, out_path=tmp_path / "run", augment=("crop", "flip"), **quick)
    with pytest.raises(ConfigurationChanged, match=r"data\.augment was "):
        train(make_model(), folder, out_path=tmp_path / "run", augment=(), **quick)
    with pytest.raises(InputError, match="n_drawn with a drawn set, shapes or syllables; got"):
        train(make_model(), folder, out_path=tmp_path / "other", n_drawn=7, **quick)
    with pytest.raises(InputError, match="background with snr; got snr alone"):
        train(make_model(), folder, out_path=tmp_path / "other", snr=(0.0, 5.0), **quick)


def test_one_class_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="two classes or more; got one, 'a'"):
        train(make_model(1), ArrayData(X, Y * 0, ("a",)), out_path=tmp_path / "run", **SETTINGS)


def test_other_classes_need_a_new_head(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = ArrayData(X, Y, ("a", "b")).split(0.2, seed=1)
    with pytest.raises(InputError, match=r"classes are the 2 of the data.*with 5 outputs; try new_head"):
        train(make_model(5), data, out_path=tmp_path / "run", **SETTINGS)
    result = train(make_model(5), data, out_path=tmp_path / "run", new_head=True, **SETTINGS)
    assert read(result)["6.weight"].shape == (2, 6)
    assert result.model.classes == ("a", "b")
    assert result.model(X[:3]).shape == (3, 2)


def test_some_of_a_networks_own_classes_keep_their_outputs(tmp_path: Path) -> None:
    model = replace(make_model(4), classes=("d", "b", "c", "a"))
    result = train(model, PARTS, out_path=tmp_path / "run", **{**SETTINGS, "epochs": 8})
    assert result.model.classes == ("d", "b", "c", "a")
    answers = result.model(X).argmax(1)
    assert float((answers == torch.tensor([3, 1])[Y]).float().mean()) > 0.9


def test_shape_bias_of_each_epoch(tmp_path: Path) -> None:
    """A network that sees nothing but red: of pictures whose shapes are the red ones it names the shape."""
    folder = tmp_path / "conflict"
    folder.mkdir()
    for name, red in [("bird1-cat2", 250), ("cat1-bird2", 250), ("bird2-bird3", 0), ("cat3-bird1", 5)]:
        pixels = np.full((8, 8, 3), 128, np.uint8)
        pixels[..., 0] = red
        Image.fromarray(pixels).save(folder / f"{name}.png")
    readout = nn.Linear(3, 2, bias=False)
    readout.weight.data = torch.tensor([[1.0, -0.5, 0.0], [-1.0, 0.5, 0.0]])
    net = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), readout)
    model = bh.wrap(net, input_shape=(3, 8, 8), input_range=(0.0, 1.0), classes=("bird", "cat"))
    data = ArrayData(X, Y, ("bird", "cat")).split(0.2, seed=1)
    settings = {**SETTINGS, "epochs": 1, "learning_rate": 0.0}
    result = train(model, data, out_path=tmp_path / "run", battery=folder, **settings)
    # bird1-cat2: bird, the shape; cat1-bird2: bird, the texture; cat3-bird1: cat, the shape; bird2-bird3 is no conflict
    assert result.history[0]["shape_bias"] == pytest.approx(2 / 3)
    assert ",0.666" in (tmp_path / "run/log.csv").read_text()


def test_augmentations_are_names() -> None:
    with pytest.raises(InputError, match=r"expected augmentations by their names.*got an object \(<function"):
        train(make_model(), (X, Y), augment=["flip", lambda picture: picture])  # pyright: ignore[reportArgumentType]
    assert _list_augmentations("flip") == ("flip",) and _list_augmentations(["none"]) == ()
