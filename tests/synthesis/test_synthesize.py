"""The loop: independence, resuming, stopping, early exit, and leaving the model as it was."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

import beholder as bh
from beholder import InputError
from beholder.stimuli import load_sound
from beholder.synthesis import (
    LBFGS,
    Adam,
    Affine,
    Channel,
    Diversity,
    Fourier,
    FromFunction,
    GradientPlateau,
    Halving,
    L2Ball,
    LinfBall,
    Logit,
    MatchTarget,
    Neuron,
    NormalizedSteps,
    Parameterization,
    PhaseOnly,
    Pixels,
    Plateau,
    Problem,
    RandomCrop,
    Raw,
    Synthesis,
    TargetReached,
    View,
    load_synthesis,
    plan_batches,
    score_images,
    synthesize,
    validate_model,
)
from beholder.synthesis.engine._checkpoint import Checkpoint
from beholder.synthesis.engine._loop import BatchRun

from .nets import SmallNet, SoundNet, count_hooks, make_model

MODEL = make_model()
PICTURE = np.random.default_rng(3).random((3, 16, 16)).astype(np.float32)
TEN = [
    *(Problem(Channel("conv1", i), seed=i) for i in range(4)),
    Problem(Neuron("conv2", 1), seed=1),
    Problem(Logit(2), seed=9),
    Problem(Channel("late", 3) - 0.5 * Channel("conv1", 0), seed=4),
    Problem(Channel("conv2", 4) - 2 * Diversity("conv2"), seed=5, n_images=2),
    Problem(Channel("late", 1), seed=6, start=PICTURE),
    Problem(-Channel("conv2", 0), seed=7),
]


MAKERS = pytest.mark.parametrize(
    "maker", [Fourier(), Pixels(), PhaseOnly(), Raw()], ids=lambda maker: type(maker).__name__
)


class ItemConv(nn.Conv2d):
    """A convolution that treats each item of a batch by itself, so that the others change no bit of it."""

    def forward(self, input: Tensor) -> Tensor:
        return torch.cat([super(ItemConv, self).forward(item) for item in input.split(1)])


def make_item_model() -> bh.Model:
    network = SmallNet()
    for name in ("conv1", "conv2", "late"):
        getattr(network, name).__class__ = ItemConv
    network.head.forward = lambda x: torch.cat(  # pyright: ignore[reportAttributeAccessIssue]
        [F.linear(item, network.head.weight, network.head.bias) for item in x.split(1)]
    )
    return make_model(network=network)


@MAKERS
def test_ten_together_are_ten_one_by_one(maker: Parameterization) -> None:
    model = make_item_model()
    settings: dict[str, Any] = {"parameterization": maker, "steps": 12, "threads": 1}
    together = synthesize(model, TEN, batch_size=16, **settings)
    assert max(len(batch) for batch in together.batches) > 3
    for i, problem in enumerate(TEN):
        alone = synthesize(model, problem, **settings)
        assert together.find_images(i).tobytes() == alone.images.tobytes()
        assert together.losses[together.problems == i].tobytes() == alone.losses.tobytes()


@MAKERS
def test_company_changes_what_the_network_rounds_at_most(maker: Parameterization) -> None:
    """A convolution rounds differently for another size of batch, and Adam's first step is as long for a gradient of
    1e-8, all rounding, as for any other: hence tolerances on the scale of the pictures and of a problem's losses."""
    settings: dict[str, Any] = {"parameterization": maker, "steps": 12, "threads": 1}
    together = synthesize(MODEL, TEN, batch_size=16, **settings)
    for i, problem in enumerate(TEN):
        alone = synthesize(MODEL, problem, **settings)
        np.testing.assert_allclose(together.find_images(i), alone.images, atol=1e-3)
        atol = 1e-3 * float(np.abs(alone.losses).max())
        np.testing.assert_allclose(together.losses[together.problems == i], alone.losses, rtol=0, atol=atol)


def test_lanes_and_order_change_nothing() -> None:
    one = synthesize(MODEL, TEN, steps=8, threads=1, batch_size=4)
    two = synthesize(MODEL, TEN, steps=8, threads=2, batch_size=4)
    assert one.images.tobytes() == two.images.tobytes()


def test_scores_rise_and_images_stay_in_range() -> None:
    made = synthesize(MODEL, [Channel("late", i) for i in range(8)], steps=40)
    natural = score_images(MODEL, [Channel("late", i) for i in range(8)], np.repeat(PICTURE[None], 8, 0))
    assert (made.scores > natural).mean() > 0.8
    assert made.images.dtype == np.float32
    assert made.images.min() >= 0
    assert made.images.max() <= 1
    np.testing.assert_allclose(
        made.scores, score_images(MODEL, [Channel("late", i) for i in range(8)], made.images), rtol=1e-5
    )


OPTIMIZERS: dict[str, dict[str, Any]] = {
    "adam": {"stop": (Plateau(0.02, 4),)},
    "steps": {"parameterization": Raw(), "optimizer": NormalizedSteps(0.5, schedule=Halving(5)), "keep": "best"},
    "lbfgs": {"parameterization": Pixels(), "optimizer": LBFGS(history=3), "transforms": ()},
    "maco": {"parameterization": PhaseOnly(), "transforms": (RandomCrop(0.5),), "samples": 2, "transparency": True},
    "imi": {"stop": (GradientPlateau(half_window=3, after=7, ratio=1.5),)},
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_resumes_to_the_same_bytes(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {"steps": 17, "checkpoint_every": 3, "batch_size": 3, "threads": 1, **OPTIMIZERS[name]}
    problems = [p for p in TEN if p.n_images == 1][:5]
    whole = synthesize(MODEL, problems, checkpoint=tmp_path / "whole", **settings)
    plain = synthesize(MODEL, problems, **{k: v for k, v in settings.items() if k != "checkpoint_every"})
    take_step = BatchRun._take_step

    for die_at in (1, 7, 16):

        def dying(run: BatchRun, at: int = die_at) -> None:
            if run.step == at and run.layers == ("conv1",):
                raise KeyboardInterrupt
            take_step(run)

        monkeypatch.setattr(BatchRun, "_take_step", dying)
        folder = tmp_path / f"cut{die_at}"
        with contextlib.suppress(KeyboardInterrupt):  # a rule may have ended the batch before
            synthesize(MODEL, problems, checkpoint=folder, **settings)
        monkeypatch.setattr(BatchRun, "_take_step", take_step)
        resumed = synthesize(MODEL, problems, checkpoint=folder, **settings)
        for field in ("images", "scores", "losses", "steps"):
            assert getattr(resumed, field).tobytes() == getattr(whole, field).tobytes()
            assert getattr(plain, field).tobytes() == getattr(whole, field).tobytes()
        assert {f.name: f.read_bytes() for f in folder.iterdir()} == {
            f.name: f.read_bytes() for f in (tmp_path / "whole").iterdir()
        }
    assert count_hooks(MODEL.module) == 0


def test_resumes_after_a_problem_has_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    problems = [Problem(Channel("conv1", i), seed=i) for i in range(4)]
    probe = synthesize(MODEL, problems, steps=20, threads=1)
    rule = TargetReached(float(np.median(probe.losses[:, 12])))
    settings: dict[str, Any] = {"steps": 20, "threads": 1, "checkpoint_every": 1, "stop": (rule,)}
    whole = synthesize(MODEL, problems, checkpoint=tmp_path / "whole", **settings)
    assert {"target", "steps"} == set(whole.stopped_by)
    save, count = Checkpoint.save, 0

    def dying(self: Checkpoint, name: str, state: dict[str, Any]) -> None:
        nonlocal count
        save(self, name, state)
        count += 1
        if count == 15:
            raise KeyboardInterrupt

    monkeypatch.setattr(Checkpoint, "save", dying)
    with pytest.raises(KeyboardInterrupt):
        synthesize(MODEL, problems, checkpoint=tmp_path / "cut", **settings)
    monkeypatch.setattr(Checkpoint, "save", save)
    resumed = synthesize(MODEL, problems, checkpoint=tmp_path / "cut", **settings)
    assert resumed.images.tobytes() == whole.images.tobytes()
    assert resumed.stopped_by == whole.stopped_by


def test_other_settings_into_a_checkpoint_are_refused(tmp_path: Path) -> None:
    synthesize(MODEL, Channel("conv1", 0), steps=2, checkpoint=tmp_path)
    with pytest.raises(InputError, match=r"recipe\.steps: 3 instead of 2"):
        synthesize(MODEL, Channel("conv1", 0), steps=3, checkpoint=tmp_path)
    with pytest.raises(InputError, match="problems"):
        synthesize(MODEL, Channel("conv1", 1), steps=2, checkpoint=tmp_path)
    (tmp_path / "batch_0.pt").write_bytes(b"not a checkpoint")
    with pytest.raises(InputError, match="plain tensors"):
        synthesize(MODEL, Channel("conv1", 0), steps=2, checkpoint=tmp_path)


def test_a_finished_problem_is_frozen() -> None:
    problems = [Problem(Channel("conv1", i), seed=i) for i in range(4)]
    probe = synthesize(MODEL, problems, steps=30, threads=1)
    target = float(np.median(probe.losses[:, 15]))
    made = synthesize(MODEL, problems, steps=30, threads=1, stop=(TargetReached(target),))
    assert set(made.stopped_by) == {"target", "steps"}
    for i, reason in enumerate(made.stopped_by):
        if reason == "target":
            n = int(made.steps[i])
            assert made.losses[i, n - 1] <= target
            assert (made.losses[i, : n - 1] > target).all()
            assert np.isnan(made.losses[i, n:]).all()
            alone = synthesize(MODEL, problems[i], steps=n, threads=1, stop=(TargetReached(target),))
            np.testing.assert_allclose(made.images[i], alone.images[0], atol=1e-3)


def test_a_trial_that_is_not_finite_does_not_end_the_problem(caplog: pytest.LogCaptureFixture) -> None:
    """L-BFGS steps back from NaN and infinity and goes on, to the minimum; others keep the last good state."""
    import logging

    logging.getLogger("beholder").propagate = True

    def score(view: View) -> torch.Tensor:
        length = view.images.flatten(1).norm(dim=1)
        return -((length - 2.0) ** 2 - 1e-3 * torch.log(3.0 - length))

    free = bh.wrap(SmallNet().eval(), input_shape=(3, 16, 16))
    problem = Problem(FromFunction(score), start=np.full((3, 16, 16), 1e-3, np.float32))
    common = {"parameterization": Raw(), "transforms": (), "threads": 1}
    made = synthesize(free, problem, steps=60, optimizer=LBFGS(first_step=1e4), stop=(Plateau(1e-9, 20),), **common)
    assert not np.isfinite(made.losses[0][: int(made.steps[0])]).all()
    assert made.stopped_by[0] != "not finite"
    assert np.linalg.norm(made.images[0]) == pytest.approx(2.0, abs=0.01)
    caplog.clear()
    ended = synthesize(free, problem, steps=60, optimizer=NormalizedSteps(1e4), **common)
    assert ended.stopped_by[0] == "not finite"
    assert "1 problems stop at step 1: their loss is not finite" in caplog.text


def test_default_jitter_is_in_proportion_to_the_picture() -> None:
    from beholder.synthesis.engine._recipe import make_default_transforms, make_recipe

    for side, jitter in ((224, 8.0), (28, 1.0), (448, 16.0)):
        affine: Any
        (affine,) = make_default_transforms((3, side, side + 10))
        assert affine.jitter == pytest.approx(jitter)
    rest = {"steps": 3, "stop": (), "redirect_steps": 0, "samples": 1, "keep": "last", "transparency": False}
    recipe: Any = make_recipe(MODEL, (3, 16, 16), None, None, (), None, **rest)
    assert [each.jitter for each in recipe.transforms] == [pytest.approx(8 * 16 / 224)]


def test_plateau_rules_against_their_definitions() -> None:
    losses = np.concatenate([np.linspace(5, 1, 20), np.full(10, 1.0)])[None]
    done = [Plateau(0.01, 8).is_done(losses[:, :n], losses[:, :n]) for n in range(1, 31)]
    assert done.index(True) == 27
    norms = np.exp(-np.arange(60) / 20)[None].repeat(2, 0)
    norms[:, 40:] = norms[0, 40]
    rule = GradientPlateau(decay=0.5, half_window=5, ratio=1.1, after=12)

    def expected(n: int) -> bool:
        average, all_of_them = norms[0, 0], []
        for value in norms.max(0)[:n]:
            average = 0.5 * average + 0.5 * value
            all_of_them.append(average)
        return n > 12 and bool(np.mean(all_of_them[-10:-5]) <= 1.1 * np.mean(all_of_them[-5:]))

    verdicts = [rule.is_done(norms[:, :n], norms[:, :n]) for n in range(1, 61)]
    assert verdicts == [expected(n) for n in range(1, 61)]
    assert True in verdicts


def test_the_network_runs_no_deeper_than_needed() -> None:
    counts = []
    for steps in (5, 25):
        module, runs = SmallNet(), []
        module.late.register_forward_hook(lambda *_, runs=runs: runs.append(1))
        model = bh.wrap(module.eval(), input_shape=(3, 16, 16), input_range=(0, 1))
        synthesize(model, Channel("conv1", 1), steps=steps)
        counts.append(len(runs))
    assert counts[0] == counts[1]  # only the first looks run the whole network, never a step
    assert counts[0] > 0  # the hook counts


@pytest.mark.parametrize("fails", [False, True])
def test_the_model_is_left_as_it_was(fails: bool) -> None:
    model = make_model()
    weights = {name: value.clone() for name, value in model.module.state_dict().items()}
    model.module.conv1.weight.requires_grad_(True)  # type: ignore[union-attr]
    threads = torch.get_num_threads()

    def score(view: View) -> torch.Tensor:
        if fails:
            raise RuntimeError("boom")
        return view.layer("conv2").mean((1, 2, 3))

    from beholder.synthesis import FromFunction

    if fails:
        with pytest.raises(RuntimeError, match="boom"):
            synthesize(model, [FromFunction(score, ("conv2",))] * 3, steps=3)
    else:
        synthesize(model, [FromFunction(score, ("conv2",))] * 3, steps=3)
    assert count_hooks(model.module) == 0
    assert torch.get_num_threads() == threads
    assert model.module.conv1.weight.requires_grad  # type: ignore[union-attr]
    for name, value in model.module.state_dict().items():
        assert torch.equal(value, weights[name])
        assert value.is_contiguous()
    assert all(parameter.grad is None for parameter in model.module.parameters())


def test_dead_units_wake_only_with_redirection() -> None:
    module: Any = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(inplace=True), nn.Conv2d(4, 2, 3), nn.ReLU()).eval()
    with torch.no_grad():
        module[0].bias.fill_(-0.3)
    module[0].requires_grad_(False)
    model = bh.wrap(module, input_shape=(3, 12, 12))
    asleep = synthesize(model, Channel("1", 1), steps=60, redirect_steps=0, transforms=())
    awake = synthesize(model, Channel("1", 1), steps=60, transforms=())
    assert float(asleep.scores[0]) == 0.0
    assert float(awake.scores[0]) > 0.0


def test_attack_stays_in_the_ball() -> None:
    for ball, measure, norm in ((L2Ball(0.5), 2, "l2"), (LinfBall(0.02), np.inf, "linf")):
        attack = synthesize(
            MODEL, Problem(-Logit(1), start=PICTURE), parameterization=Raw(), constraints=(ball,), steps=10,
            optimizer=NormalizedSteps(0.1 if norm == "l2" else 0.01, norm=norm), keep="best", redirect_steps=0,
        )  # fmt: skip
        assert np.linalg.norm((attack.images[0] - PICTURE).ravel(), measure) <= ball.radius * 1.0001
        assert attack.images.min() >= 0
        assert attack.scores[0] > score_images(MODEL, -Logit(1), PICTURE[None])[0]


def test_metamer_of_a_picture() -> None:
    _, layers = bh.capture(MODEL, PICTURE[None], ["conv2"])
    target = layers["conv2"][0]
    settings: dict[str, Any] = {"parameterization": Pixels(), "optimizer": LBFGS(), "transforms": ()}
    made = synthesize(MODEL, MatchTarget("conv2", target, squared=True), steps=150, **settings)
    assert -10 * np.log10(-made.scores[0]) > 20
    stopped = synthesize(
        MODEL, MatchTarget("conv2", target, squared=True), steps=150, stop=(TargetReached(0.05),), **settings
    )
    assert stopped.stopped_by == ("target",)
    assert -stopped.scores[0] <= 0.0501


def test_gradient_through_the_rectifier_is_for_one_problem_only() -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).eval()
    model = bh.wrap(module, input_shape=(3, 8, 8))
    target = torch.rand(4, 6, 6, generator=torch.Generator().manual_seed(0))
    problems = [MatchTarget("1", target, through_rectifier=True), MatchTarget("1", target)]
    settings: dict[str, Any] = {
        "parameterization": Raw(),
        "optimizer": NormalizedSteps(0.1),
        "steps": 3,
        "redirect_steps": 0,
        "threads": 1,
    }
    both = synthesize(model, problems, **settings)
    assert len(both.batches) == 1
    assert not np.allclose(both.images[0], both.images[1])
    for i, problem in enumerate(problems):
        np.testing.assert_allclose(synthesize(model, problem, **settings).images[0], both.images[i], atol=1e-5)


def test_sounds() -> None:
    model = bh.wrap(SoundNet().eval(), input_range=(-1, 1), sample_rate=8000, input_shape=(400,))
    made = synthesize(model, [Channel("conv2", 3), Logit(1)], steps=20)
    assert made.images.shape == (2, 400)
    assert (made.losses[:, 0] > -made.scores).all()
    assert np.abs(made.images).max() <= 1


def test_a_loss_that_is_not_finite_keeps_the_last_good_image(caplog: pytest.LogCaptureFixture) -> None:
    from beholder.synthesis import FromFunction

    def score(view: View) -> torch.Tensor:
        values = view.layer("conv1").mean((1, 2, 3))
        return torch.where(values > 0.25, values / 0.0 * 0.0, values)

    made = synthesize(MODEL, [FromFunction(score, ("conv1",)), Channel("conv1", 0)], steps=60, optimizer=Adam(0.5))
    assert made.stopped_by[0] == "not finite"
    assert made.stopped_by[1] == "steps"
    assert np.isfinite(made.images).all()
    assert np.isfinite(made.losses[0, : int(made.steps[0]) - 1]).all()
    assert "not finite" in caplog.text


def test_out_of_memory_is_redone_in_halves(monkeypatch: pytest.MonkeyPatch) -> None:
    evaluate = BatchRun._evaluate

    def small(run: BatchRun, params: torch.Tensor) -> Any:
        if len(params) > 2:
            raise torch.OutOfMemoryError
        return evaluate(run, params)

    monkeypatch.setattr(BatchRun, "_evaluate", small)
    made = synthesize(MODEL, [Problem(Channel("conv1", i)) for i in range(4)], steps=2, threads=1)
    assert made.batches == ((0, 1), (2, 3))


def test_the_canvas_holds_the_margin() -> None:
    made = synthesize(MODEL, Channel("conv1", 0), steps=3, transforms=(Affine(crop=4),), transparency=True)
    assert made.images.shape == (1, 3, 16, 16)
    assert made.transparency is not None
    assert made.transparency.shape == (1, 3, 16, 16)
    assert made.transparency.max() > 0


def test_validation() -> None:
    validate_model(MODEL, ["conv1", "output"])
    with pytest.raises(InputError, match="float32"):
        validate_model(bh.wrap(SmallNet().eval().double(), input_shape=(3, 16, 16)))
    with pytest.raises(InputError, match="gradient"):
        validate_model(bh.wrap(SmallNet().eval(), normalize=lambda x: x.detach(), input_shape=(3, 16, 16)))
    with pytest.raises(InputError, match="NaN"):
        validate_model(bh.wrap(SmallNet().eval(), normalize=lambda x: x / 0, input_shape=(3, 16, 16)))
    with pytest.raises(InputError, match="shape"):
        validate_model(bh.wrap(SmallNet().eval()))
    with pytest.raises(InputError, match="cuda"):
        validate_model(MODEL, device="cuda")
    with pytest.raises(InputError, match="conv1"):
        validate_model(MODEL, ["convv1"])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"constraints": (L2Ball(1.0),)}, "direct"),
        ({"constraints": (L2Ball(1.0),), "parameterization": Raw()}, "origin"),
        ({"optimizer": LBFGS(), "parameterization": Raw()}, "Pixels"),
        ({"keep": "first"}, "last or best"),
        ({"steps": 0}, "at least one step"),
        ({"batch_size": 0}, "at least one image"),
    ],
)
def test_settings_that_do_not_go_together(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        synthesize(MODEL, Channel("conv1", 0), **settings)


def test_plan_cuts_by_layer_and_core() -> None:
    plan = plan_batches([1] * 10, [("a",)] * 10, cores=2, on_cpu=True)
    assert plan.batches == (tuple(range(5)), tuple(range(5, 10)))
    assert (plan.threads, plan.n_concurrent_batches) == (1, 2)
    assert plan_batches([1], [("a",)], cores=2, on_cpu=True).threads == 2
    mixed = plan_batches([3, 9, 1], [("a",), ("b",), ("a",)], cores=1, on_cpu=True, batch_size=4)
    assert mixed.batches == ((0, 2), (1,))
    assert plan_batches([1] * 3, [("a",), ("b",), ("a",)], cores=8, on_cpu=False).batches == ((0, 1, 2),)


def test_pictures_and_sounds_are_saved_as_such(tmp_path: Path) -> None:
    """By the ending; several are numbered; what a name promises is what is written, or it is refused."""
    images = np.random.default_rng(0).random((2, 3, 4, 5), np.float32)
    rest = np.zeros(2), np.zeros((2, 1)), np.ones(2, int), ("steps",) * 2, ((0, 1),)
    made = Synthesis(images, np.arange(2), *rest, settings={})
    files = made.save(tmp_path / "vis.png")
    assert (
        [file.name for file in files] == ["vis_0.png", "vis_1.png"] == sorted(each.name for each in tmp_path.iterdir())
    )
    with Image.open(files[1]) as picture:
        assert np.array_equal(np.asarray(picture), np.rint(images[1] * 255).astype(np.uint8).transpose(1, 2, 0))
    one = replace(made, images=images[:1])
    assert one.save(tmp_path / "one.JPG") == [tmp_path / "one.JPG"]
    with Image.open(tmp_path / "one.JPG") as picture:
        assert (picture.format, picture.size) == ("JPEG", (5, 4))
    assert one.save(tmp_path / "one.npz") == [tmp_path / "one.npz"]
    for name in ("vis.wav", "vis", "vis.csv"):
        with pytest.raises(InputError, match=r"\.png, .* for pictures, or \.npz for everything; got .*vis\.png"):
            made.save(tmp_path / name)
    settings = {"model": {"preprocessing": {"rate": 8000}}}
    heard = replace(made, images=images[:1, 0].reshape(1, 20) - 0.5, settings=settings)
    for name in ("a.wav", "a.flac"):
        heard.save(tmp_path / name)
        sound, rate = load_sound(tmp_path / name)
        assert rate == 8000 and np.allclose(sound, heard.images[0], atol=1e-6)
    with pytest.raises(InputError, match=r"\.wav, \.flac for sounds"):
        heard.save(tmp_path / "a.png")
    with pytest.raises(InputError, match=r"a name ending in \.npz for stimuli of shape"):
        replace(made, images=np.zeros((1, 7, 4, 5), np.float32)).save(tmp_path / "a.png")


def test_result_round_trip(tmp_path: Path) -> None:
    made = synthesize(MODEL, [Problem(Channel("conv1", 0), n_images=2), Logit(1)], steps=4, transparency=True)
    made.save(tmp_path / "made.npz")
    again = load_synthesis(tmp_path / "made.npz")
    assert again.images.tobytes() == made.images.tobytes()
    assert again.settings == json.loads(json.dumps(made.settings))
    assert list(made.to_pandas()["problem"]) == [0, 0, 1]
    assert "3 images" in repr(made)
    (tmp_path / "other.npz").write_bytes(b"")
    with pytest.raises(InputError, match=r"Synthesis\.save"):
        load_synthesis(tmp_path / "other.npz")
