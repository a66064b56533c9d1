"""Presets, own ones by TOML, and the learning rate."""

from __future__ import annotations

import dataclasses
import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from beholder._core.errors import InputError, UnknownNameError
from beholder.training import PRESETS, TrainingSettings, resolve_settings, train
from beholder.training._order import cut_batches, list_batches
from beholder.training._schedule import compute_learning_rate


@pytest.mark.parametrize("modality", ["image", "sound"])
@pytest.mark.parametrize("preset", PRESETS)
def test_presets_are_those_of_the_publication(preset: str, modality: str) -> None:
    found = resolve_settings(preset, modality)
    assert (found.optimizer, found.momentum, found.weight_decay, found.schedule) == ("sgd", 0.9, 1e-4, "step")
    assert (found.step_epochs, found.step_factor) == (50, 0.1)
    expected = (120, 256, 0.1) if modality == "image" else (150, 128, 0.01)
    assert (found.epochs, found.batch_size, found.learning_rate) == expected
    assert found.attack == {"standard": "none", "adversarial": "pgd", "random-noise": "noise"}[preset]


@pytest.mark.parametrize(
    ("modality", "norm", "eps", "step", "n_steps"),
    [("image", "l2", 3.0, 2.0, 3), ("image", "linf", 8 / 255, 16 / 765, 3), ("sound", "l2", 1.0, 0.5, 5),
     ("sound", "linf", 0.002, 0.001, 5)],
)  # fmt: skip
def test_published_balls(modality: str, norm: str, eps: float, step: float, n_steps: int) -> None:
    found = resolve_settings("adversarial", modality, {"norm": norm})
    assert found.eps == pytest.approx(eps)
    assert found.attack_step_size == pytest.approx(step)
    assert (found.attack_steps, found.random_start) == (n_steps, modality == "sound")
    assert resolve_settings("random-noise", modality, {"norm": norm}).eps == pytest.approx(eps)


def test_steps_follow_the_radius_and_falls_the_epochs() -> None:
    found = resolve_settings("adversarial", changes={"eps": 1.5, "epochs": 24})
    assert (found.attack_step_size, found.step_epochs) == (1.0, 10)
    assert resolve_settings(changes={"epochs": 24, "step_epochs": 3.0}).step_epochs == 3


def test_own_presets_in_toml(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('preset = "adversarial"\nepochs = 5\nlearning_rate = 1\nnorm = "linf"\n')
    found = resolve_settings(file, changes={"eps": 0.01})
    assert (found.preset, found.epochs, found.learning_rate, found.norm, found.eps) == ("mine", 5, 1.0, "linf", 0.01)
    assert found.attack_steps == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("learning_rat = 0.1", r"setting in mine.toml; got 'learning_rat'; try 'learning_rate'"),
        ('epochs = "ten"', "a whole number as epochs; got 'ten'"),
        ("epochs = true", "a whole number as epochs; got True"),
        ("epochs = 0", "epochs of 1 or more; got 0"),
        ('optimizer = "sdg"', "got 'sdg'; try 'sgd'"),
        ('preset = "adversarail"', "a preset; got 'adversarail'; try 'adversarial'"),
        ("epochs = ", "a TOML file of training settings"),
        ('attack = "pgd"', "radius eps above 0"),
        ('attack = "noise"\neps = nan', "eps of 0 or more; got nan"),
        ("eps = 3", "eps with an attack; got attack none; try preset adversarial or preset random-noise"),
    ],
)
def test_what_is_wrong_in_toml_is_told(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    with pytest.raises(InputError, match=message):
        resolve_settings(str(file))


@pytest.mark.parametrize(
    ("preset", "changes", "message"),
    [
        ("standard", {"eps": 3.0}, "eps with an attack; got attack none; try preset adversarial or preset"),
        ("standard", {"norm": "linf"}, "norm with an attack"),
        ("standard", {"eval_steps": 50}, "eval_steps with an attack"),
        ("adversarial", {"attack": "none", "attack_steps": 4}, "attack_steps with an attack"),
        ("random-noise", {"attack_steps": 4}, "attack_steps with the attack pgd; got attack noise"),
        ("standard", {"optimizer": "adamw", "momentum": 0.5}, "momentum with the optimizer sgd; got optimizer adamw"),
        ("standard", {"schedule": "cosine", "step_epochs": 3.0}, "step_epochs with the schedule step; got schedule"),
        ("standard", {"schedule": "constant", "step_factor": 0.5}, "step_factor with the schedule step"),
    ],
)
def test_settings_that_would_do_nothing_are_refused(preset: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        resolve_settings(preset, changes=changes)


def test_a_files_attack_may_be_taken_away(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('preset = "adversarial"\neps = 1.0\nattack_steps = 2\n')
    assert resolve_settings(file, changes={"attack": "none"}).attack == "none"
    assert resolve_settings(file, changes={"attack": "noise"}).eps == 1


def test_unknown_preset_is_told() -> None:
    with pytest.raises(UnknownNameError, match=r"one of standard, adversarial, random-noise, or a file NAME\.toml"):
        resolve_settings("quick")


def test_every_setting_is_a_keyword_of_train() -> None:
    keywords = inspect.signature(train).parameters
    for field in dataclasses.fields(TrainingSettings):
        assert field.name in keywords
        if field.name != "preset":
            assert keywords[field.name].default is None


def make_settings(**changes: Any) -> TrainingSettings:
    return TrainingSettings(**{"epochs": 10, "learning_rate": 0.5, "step_epochs": 4.0, **changes})


def test_schedules_against_those_of_torch() -> None:
    n = 3
    ways: list[tuple[TrainingSettings, Any]] = [
        (make_settings(schedule="cosine"), lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 30)),
        (make_settings(), lambda o: torch.optim.lr_scheduler.StepLR(o, 12, gamma=0.1)),
        (make_settings(schedule="constant"), lambda o: torch.optim.lr_scheduler.ConstantLR(o, 1.0)),
        (
            make_settings(schedule="cosine", warmup_epochs=2.0),
            lambda o: torch.optim.lr_scheduler.SequentialLR(
                o,
                [
                    torch.optim.lr_scheduler.LinearLR(o, 1 / 6, 1.0, total_iters=5),
                    torch.optim.lr_scheduler.CosineAnnealingLR(o, 24),
                ],
                [6],
            ),
        ),
    ]
    for settings, make in ways:
        optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.5)
        schedule = make(optimizer)
        for step in range(30):
            assert compute_learning_rate(settings, step, n) == pytest.approx(optimizer.param_groups[0]["lr"]), step
            optimizer.step()
            schedule.step()


def test_order_is_a_function_of_seed_and_epoch() -> None:
    first = list_batches(10, 3, epoch=0, seed=1)
    assert first.shape == (3, 3)
    assert len(np.unique(first)) == 9
    assert np.array_equal(first, list_batches(10, 3, epoch=0, seed=1))
    assert not np.array_equal(first, list_batches(10, 3, epoch=1, seed=1))
    assert not np.array_equal(first, list_batches(10, 3, epoch=0, seed=2))
    assert list_batches(2, 3, epoch=0, seed=1).shape == (1, 2)
    assert [len(each) for each in cut_batches(7, 3)] == [3, 3, 1]
