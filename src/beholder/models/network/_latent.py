"""Networks that hand over their stages themselves: ``model(x, with_latent=True)`` gives a dictionary of them.

Such a network takes ``with_latent``, and mostly ``fake_relu`` and ``no_relu``, and gives ``(logits, penultimate,
all_outputs)``, or that and the picture. Here it is driven through these arguments: each entry of ``all_outputs`` goes
through a module of its own, to which hooks can be put, so that its key is the name of a layer like any other.
"""

from __future__ import annotations

import contextlib
import inspect
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, final

import torch
from torch import Tensor, nn

from beholder._core.errors import InputError

if TYPE_CHECKING:
    from beholder.models.network._model import Model

CHILD = "all_outputs"

_UNSAFE = re.compile(r"[.@:\[\]]")
_WORD_HEAD = "signal/word_int"


def is_watched(module: nn.Module) -> bool:
    """Whether hooks wait at a module: nothing needs to be made for it otherwise."""
    return bool(module._forward_hooks or module._forward_pre_hooks)


def takes_latent(module: nn.Module) -> bool:
    """Whether a network's ``forward`` has an argument ``with_latent``."""
    return "with_latent" in inspect.signature(module.forward).parameters


@final
class LatentOutputs(nn.Module):
    """The child ``all_outputs`` of a driven network: one identity a key.

    Parameters
    ----------
    names : mapping of str to bool
        Key to whether it is there only with ``fake_relu``.
    """

    def __init__(self, names: Mapping[str, bool]) -> None:
        super().__init__()
        self.fake_relu = False
        self.children_of: dict[str, str] = {}
        self.needs_fake = dict(names)
        for name in names:
            child = _UNSAFE.sub("_", name)
            while not child or child in dir(self):
                child += "_"
            self.children_of[name] = child
            self.add_module(child, nn.Identity())

    @property
    def wants_fake(self) -> bool:
        """Whether the next pass is run with ``fake_relu``: asked for, or a layer that needs it is watched."""
        return self.fake_relu or any(
            needed and is_watched(self.get_submodule(self.children_of[name]))
            for name, needed in self.needs_fake.items()
        )

    def forward(self, outputs: Mapping[str, Tensor]) -> None:
        """Send every output through its module, in the network's order."""
        for name, value in outputs.items():
            if name in self.children_of:
                self.get_submodule(self.children_of[name])(value)


@final
@dataclass(frozen=True)
class Latent:
    """How a model is driven through ``with_latent``; ``model.latent``.

    Parameters
    ----------
    model : Model

    Examples
    --------
    >>> logits, outputs = model.latent.run(x, fake_relu=True)   # doctest: +SKIP
    >>> with model.latent.use_fake_relu():                      # doctest: +SKIP
    ...     logits, layers = capture(model, x, ["layer1_fake_relu"], grad=True)
    """

    model: Model

    @property
    def names(self) -> tuple[str, ...]:
        """Keys of ``all_outputs``, in the network's order; those that need ``fake_relu`` too."""
        return tuple(find_outputs(self.model.module).children_of)

    def run(self, x: Tensor, *, fake_relu: bool = False, no_relu: bool = False) -> tuple[Tensor, dict[str, Tensor]]:
        """One pass.

        Parameters
        ----------
        x : (n_stimuli, *input_shape), float32 in ``input_range``
            As ``prepare`` gives it.
        fake_relu, no_relu : bool
            Handed on to the network.

        Returns
        -------
        logits : Tensor
        outputs : dict of str to Tensor
            ``all_outputs``.
        """
        return _run_copy(self.model, x, fake_relu=fake_relu, no_relu=no_relu)

    @contextlib.contextmanager
    def use_fake_relu(self) -> Iterator[None]:
        """Within the block, every pass through the model is run with ``fake_relu=True``."""
        outputs = find_outputs(self.model.module)
        before, outputs.fake_relu = outputs.fake_relu, True
        try:
            yield
        finally:
            outputs.fake_relu = before


def _run_copy(model: Model, x: Tensor, **flags: bool) -> tuple[Tensor, dict[str, Tensor]]:
    from beholder.models.network._state import copy_model

    copied = copy_model(model)
    return run_latent(copied.module, copied.normalize(x.clone()), **flags)


def find_outputs(module: nn.Module) -> LatentOutputs:
    """The child that :func:`attach_outputs` made."""
    child = dict(module.named_children()).get(CHILD)
    if not isinstance(child, LatentOutputs):
        raise InputError("a network that is driven through with_latent", got=type(module).__name__)
    return child


def is_driven(module: nn.Module) -> bool:
    """Whether :func:`attach_outputs` was called on a network."""
    return isinstance(dict(module.named_children()).get(CHILD), LatentOutputs)


def run_latent(
    module: nn.Module, x: Tensor, *, fake_relu: bool = False, no_relu: bool = False
) -> tuple[Tensor, dict[str, Tensor]]:
    """Logits, and ``all_outputs`` as tensors with the batch first.

    A list of tensors is joined, flat; a dictionary ``a`` of tensors ``b`` becomes ``a/b``; what is no tensor is left
    out. Of several heads, that for words counts, else the first.
    """
    known = inspect.signature(module.forward).parameters
    given = {"with_latent": True, "fake_relu": fake_relu, "no_relu": no_relu}
    result = module(x, **{name: value for name, value in given.items() if name in known})
    while isinstance(result, (tuple, list)) and result and isinstance(result[0], (tuple, list)):
        result = result[0]
    if not isinstance(result, (tuple, list)) or not isinstance(result[-1], Mapping):
        raise InputError(
            "(logits, penultimate, all_outputs) from a network called with with_latent=True",
            got=type(result).__name__,
            hint="a dictionary of the stages as the last part",
        )
    return _pick_logits(result[0]), dict(_iter_outputs(result[-1], len(x)))


def _pick_logits(value: Any) -> Tensor:
    if isinstance(value, Mapping):
        value = value[_WORD_HEAD] if _WORD_HEAD in value else next(iter(value.values()), None)
    if not isinstance(value, Tensor):
        raise InputError("logits, a tensor, before all_outputs", got=type(value).__name__)
    return value


def _iter_outputs(outputs: Mapping[Any, Any], n_stimuli: int, prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    for key, value in outputs.items():
        name = f"{prefix}{key}"
        if isinstance(value, Tensor):
            yield name, value
        elif isinstance(value, Mapping):
            yield from _iter_outputs(value, n_stimuli, f"{name}/")
        elif isinstance(value, (list, tuple)):
            parts = list(_iter_tensors(value))
            if parts and all(part.ndim and len(part) == n_stimuli for part in parts):
                yield name, torch.cat([part.flatten(1) for part in parts], 1)


def _iter_tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for part in value:
            yield from _iter_tensors(part)


def find_latent_names(plain: Model, example: Tensor) -> dict[str, bool]:
    """Keys of ``all_outputs`` in the network's order, and whether each is there only with ``fake_relu``.

    Parameters
    ----------
    plain : Model
        Without preprocessing; copies of it are run.
    example : (n, *input_shape)
        Any input.
    """
    with torch.no_grad():
        without = _run_copy(plain, example)[1]
        takes_fake = "fake_relu" in inspect.signature(plain.module.forward).parameters
        both = _run_copy(plain, example, fake_relu=True)[1] if takes_fake else without
    names = {name: name not in without for name in both}
    return names | dict.fromkeys(without, False)


def attach_outputs(module: nn.Module, names: Mapping[str, bool]) -> dict[str, str]:
    """Give a network the child ``all_outputs``; returns its taps, key to layer.

    Raises
    ------
    InputError
        The network has something of its own under this name.
    """
    if not is_driven(module):
        if CHILD in dict(module.named_children()) or CHILD in vars(module):
            raise InputError(f"a network without a part named {CHILD!r}", got=type(module).__name__)
        module.add_module(CHILD, LatentOutputs(names))
    return make_taps(names)


def make_taps(names: Mapping[str, bool]) -> dict[str, str]:
    """Key to layer expression, for a network with these keys."""
    return {name: f"{CHILD}.{child}" for name, child in LatentOutputs(names).children_of.items()}


def drive(module: nn.Module, x: Tensor) -> Tensor:
    """``forward`` of a driven network: logits, and every stage through its module."""
    outputs = find_outputs(module)
    logits, values = run_latent(module, x, fake_relu=outputs.wants_fake)
    outputs(values)
    return logits
