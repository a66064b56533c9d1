"""Where attacks work: on what ``prepare`` gives, or on the output of a network's front end."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, replace
from typing import cast, final

import torch
from torch import Tensor, nn

from beholder._core.errors import InputError, suggest_keywords
from beholder.activations import OUTPUT, LayerRef, pick_tensor
from beholder.models import Cochleagram, Model, SoundPreprocessing, ThreadModels, copy_model

_WHOLE = LayerRef(OUTPUT, "")
_SPECTRA = ("cochleagram", "log_mel", "whisper", "ast")


@final
@dataclass(frozen=True)
class AttackSpace:
    """What an attack perturbs, and the network from there on.

    Parameters
    ----------
    name : str
        ``"prepared"``, or of a front end: ``"cochleagram"``, ``"log_mel"``, ``"whisper"``, ``"ast"``.
    low, high : float or None
        The valid range of its values; None where there is none.
    enter : callable
        Prepared stimuli, (n, *input_shape), to the space, without gradients.
    predict : callable
        A batch in the space to logits, (n, n_classes), differentiably. In eval mode, with parameters that need no
        gradients; every thread runs a copy of its own. The model is as it was before.
    """

    name: str
    low: float | None
    high: float | None
    enter: Callable[[Tensor], Tensor]
    predict: Callable[[Tensor], Tensor]


@suggest_keywords
def list_attack_spaces(model: Model) -> list[str]:
    """Names that :func:`open_attack_space` takes for a model."""
    if model.modality != "sound":
        return ["prepared"]
    front_end = _find_front_end(model)
    return ["prepared", "waveform", *([] if front_end is None else [front_end])]


@suggest_keywords
def open_attack_space(model: Model, space: str = "prepared") -> AttackSpace:
    """Where attacks on a model work, and the model from there on.

    Parameters
    ----------
    model : Model
    space : str
        ``"prepared"``: what ``prepare`` gives (pictures, waveforms), valid in ``input_range``; ``"waveform"``: the
        same, of a network of sounds; ``"cochleagram"`` (or ``"log_mel"``, ``"whisper"``, ``"ast"``): the output of
        the network's front end, of any values; the network goes on from there.

    Raises
    ------
    InputError
        A network without this front end, or that does something to sounds before it.

    Examples
    --------
    >>> import beholder as bh
    >>> space = open_attack_space(bh.load_model("beholder:shapes"))
    >>> space.low, space.high, space.predict(torch.zeros(1, 3, 64, 64)).shape
    (0.0, 1.0, torch.Size([1, 16]))
    """
    known = list_attack_spaces(model)
    if space not in known:
        raise InputError(f"a space for attacks on {model.name}: {', '.join(known)}", got=repr(space))
    if space in ("prepared", "waveform"):
        low, high = model.input_range or (None, None)
        models = ThreadModels(model)
        return AttackSpace("prepared", low, high, _stay, lambda x: pick_logits(models.get().run(x)))
    name = _find_module(model)
    if name is None:
        models = ThreadModels(model)
        return AttackSpace(space, None, None, _run_without_gradients(model.normalize), lambda x: _go_on(models, x))
    return _open_behind(model, space, name)


def pick_logits(output: object) -> Tensor:
    """The first tensor of what a network returned."""
    return pick_tensor(output, _WHOLE)


@suggest_keywords
@contextlib.contextmanager
def hold_still(module: nn.Module) -> Generator[None]:
    """Within the block a module of one's own is in eval mode, and its parameters need no gradients.

    For attacks on a network in the middle of its training: batch normalisation goes by its running means and keeps
    them, dropout is off. Afterwards every part is in the mode that it was in, and every parameter as it was, also
    after an error. Not for modules that other threads use.

    Examples
    --------
    >>> network = nn.Sequential(nn.Dropout(), nn.Linear(2, 2)).train()
    >>> with hold_still(network):
    ...     network.training, network[1].weight.requires_grad
    (False, False)
    >>> network.training, network[1].weight.requires_grad
    (True, True)
    """
    modes = [(part, part.training) for part in module.modules()]
    learning = [parameter for parameter in module.parameters() if parameter.requires_grad]
    try:
        for part, _ in modes:
            part.training = False
        for parameter in learning:
            parameter.requires_grad_(False)
        yield
    finally:
        for part, mode in modes:
            part.training = mode
        for parameter in learning:
            parameter.requires_grad_(True)


def _stay(x: Tensor) -> Tensor:
    return x.detach()


def _run_without_gradients(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    def run(x: Tensor) -> Tensor:
        with torch.no_grad():
            return function(x.clone())

    return run


def _go_on(models: ThreadModels, x: Tensor) -> Tensor:
    return pick_logits(models.get().run_input(x.clone()))


def _find_front_end(model: Model) -> str | None:
    own = model.preprocessing
    if isinstance(own, SoundPreprocessing) and own.front_end in _SPECTRA:
        return own.front_end
    return None if _find_module(model) is None else "cochleagram"


def _find_module(model: Model) -> str | None:
    """The name of the module that makes cochleagrams, where there is one."""
    parts = cast("Iterable[tuple[str, nn.Module]]", model.module.named_modules())
    found = [name for name, part in parts if isinstance(part, Cochleagram)]
    return found[0] if len(found) == 1 and found[0] else None


def _open_behind(model: Model, space: str, name: str) -> AttackSpace:
    """Behind a module that is the first to see sounds: the network with the identity in its place."""
    copied = copy_model(model)
    front_end = copied.module.get_submodule(name)
    bare = copy_model(model).module
    parent, _, child = name.rpartition(".")
    setattr(bare.get_submodule(parent), child, nn.Identity())
    models = ThreadModels(replace(model, module=bare, state=None))
    enter = _run_without_gradients(lambda x: front_end(model.normalize(x)))
    _check_behind(copied, front_end, models, enter, name)
    return AttackSpace(space, None, None, enter, lambda x: _go_on(models, x))


def _check_behind(
    model: Model, front_end: nn.Module, models: ThreadModels, enter: Callable[[Tensor], Tensor], name: str
) -> None:
    assert isinstance(front_end, Cochleagram)
    example = 0.1 * torch.randn(1, front_end.n_samples, generator=torch.Generator().manual_seed(0)).to(model.device)
    with torch.no_grad():
        expected = pick_logits(model.run(example))
        try:
            found = _go_on(models, enter(example))
        except (RuntimeError, ValueError, IndexError) as error:
            raise _explain(name) from error
    if found.shape != expected.shape or not torch.allclose(found, expected, rtol=1e-4, atol=1e-5):
        raise _explain(name)


def _explain(name: str) -> InputError:
    return InputError(
        f"a network whose module {name} is the first to see its sounds",
        got="one that does something to them before, or to its input as well",
        hint="the space prepared",
    )
