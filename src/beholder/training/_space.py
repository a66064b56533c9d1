"""What a network is trained on: what ``prepare`` gives, or the output of its front end; and attacks on it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import cast, final

import torch
from torch import Tensor, nn

from beholder._core.errors import InputError
from beholder.models import Cochleagram, Model, SoundPreprocessing
from beholder.synthesis import draw_noise, hold_still, list_attack_spaces, run_pgd
from beholder.training._network import read_logits
from beholder.training._settings import TrainingSettings

Perturb = Callable[[Tensor, Tensor, int], Tensor]
"""``perturb(batch, labels, seed)``: what the network learns from in place of a batch in the space."""


@final
@dataclass(frozen=True)
class LearningSpace:
    """Where a network that learns is perturbed: the network itself, not a copy, in the mode that it is in.

    Parameters
    ----------
    model : Model
    front_end : str or None
        The module whose output is perturbed; ``""`` for a front end that is part of ``normalize``; None: what
        ``prepare`` gives is.
    """

    model: Model
    front_end: str | None = None

    @property
    def range(self) -> tuple[float | None, float | None]:
        """The valid values."""
        return (None, None) if self.front_end is not None else (self.model.input_range or (None, None))

    def enter(self, x: Tensor) -> Tensor:
        """A prepared batch in the space, without gradients."""
        if self.front_end is None:
            return x
        with torch.no_grad():
            normal = self.model.normalize(x.clone())
            return normal if self.front_end == "" else self.model.module.get_submodule(self.front_end)(normal)

    def compute_logits(self, y: Tensor) -> Tensor:
        """Logits (n, n_classes), float32, of a batch in the space."""
        if self.front_end is None:
            return read_logits(self.model.run(y)).float()
        with _without(self.model.module, self.front_end):
            return read_logits(self.model.run_input(y.clone())).float()


def open_learning_space(model: Model, space: str) -> LearningSpace:
    """The space of a network that learns.

    Raises
    ------
    InputError
        A network without this front end.
    """
    if space == "prepared" or (space == "waveform" and model.modality == "sound"):
        return LearningSpace(model)
    known = list_attack_spaces(model)
    if space not in known:
        raise InputError(f"a space of {model.name}: {', '.join(known)}", got=space)
    own = model.preprocessing
    if isinstance(own, SoundPreprocessing) and own.front_end == space:
        return LearningSpace(model, "")
    return LearningSpace(model, _find_cochleagram(model.module))


def _find_cochleagram(module: nn.Module) -> str:
    parts = cast("Iterator[tuple[str, nn.Module]]", module.named_modules())
    return next(name for name, part in parts if isinstance(part, Cochleagram))


@contextlib.contextmanager
def _without(module: nn.Module, path: str) -> Generator[None]:
    """The identity in the place of a module, for a block."""
    if not path:
        yield
        return
    parent_path, _, name = path.rpartition(".")
    parent = module.get_submodule(parent_path)
    kept = parent.get_submodule(name)
    setattr(parent, name, nn.Identity())
    try:
        yield
    finally:
        setattr(parent, name, kept)


def make_perturb(space: LearningSpace, settings: TrainingSettings, n_steps: int) -> Perturb | None:
    """What stimuli go through before they are learnt from or held to: an attack, noise, or nothing.

    The attack sees the network in eval mode: batch norm with its running statistics, without dropout.

    Parameters
    ----------
    space : LearningSpace
    settings : TrainingSettings
    n_steps : int
        Of the attack.
    """
    if settings.attack == "none":
        return None
    low, high = space.range

    def perturb(y: Tensor, labels: Tensor, seed: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        if settings.attack == "noise":
            return draw_noise(y, norm=settings.norm, radius=settings.eps, low=low, high=high, generator=generator)
        assert settings.attack_step_size is not None
        with hold_still(space.model.module):
            return run_pgd(
                space.compute_logits, y, labels if labels.ndim == 1 else labels.argmax(1), norm=settings.norm,
                radius=settings.eps, n_steps=n_steps, step_size=settings.attack_step_size, keep=settings.attack_keep,
                random_start=settings.random_start, low=low, high=high, generator=generator,
                judge_last=settings.attack_keep != "last",
            ).x  # fmt: skip

    return perturb
