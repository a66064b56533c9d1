"""How a network is run: in eval mode, without gradients for its weights, in a layout, and afterwards as it was.

Every command runs a copy of the network's tree of modules that shares the parameters, one copy a thread. Nothing is
set on the network itself, so that nothing is to be put back: not after an exception, nor after Ctrl-C.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, final

import torch
from torch import Tensor, nn

from beholder._core.errors import InputError, suggest_keywords
from beholder.models.network._copy_module import HOOKS, SMALL, Copier, iter_tensors, list_parts
from beholder.models.network._outside import OutsideState

if TYPE_CHECKING:
    from beholder.models.network._model import Model

_KEPT = {*HOOKS, "_parameters", "_buffers", "_modules", "_non_persistent_buffers_set"}


@suggest_keywords
def copy_model(
    model: Model, device: str | torch.device | None = None, *, channels_last: bool = False, gradients: bool = False
) -> Model:
    """A model that can be run without a trace in the one that it was made from.

    Its network is the tree of modules anew, in eval mode, the parameters and large buffers shared. What refers to
    modules of the tree (methods, closures, hooks) refers to the copy's. Before each :meth:`Model.run` the copy is as
    the network was: what a pass keeps on ``self`` reaches neither the next one nor another copy. A copy of a copy is
    one of the original.

    Parameters
    ----------
    model : Model
    device : str, optional
        Where the copy is; default where the model is.
    channels_last : bool
        Lay the weights of two-dimensional convolutions out channels-last, in memory of their own.
    gradients : bool
        Hold the parameters themselves, so that gradients reach them; else views that ask for none.

    Returns
    -------
    Model
        The same but for its ``module`` and ``state``.

    Raises
    ------
    InputError
        Layers that get their sizes by the first pass only.

    Examples
    --------
    >>> from beholder.models import wrap
    >>> net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Dropout()).train()
    >>> other = copy_model(wrap(net)).module
    >>> other.training, net.training, other[0].weight.data_ptr() == net[0].weight.data_ptr()
    (False, True, True)
    """
    with torch.inference_mode(False), torch.no_grad():
        return _copy_model(model, device, channels_last=channels_last, gradients=gradients)


def _copy_model(model: Model, device: str | torch.device | None, *, channels_last: bool, gradients: bool) -> Model:
    source = model.module if model.state is None else model.state.start
    if not gradients and _switches_itself(source):
        start = _copy_switched(source)
    else:
        start = Copier(share_parameters=gradients).copy_tree(source, training=False)
    if device is not None:
        start = start.to(device)
    if channels_last:
        _lay_out(start)
    outside = OutsideState(source) if model.state is None else model.state.outside
    state = PassState(start, outside, share_parameters=gradients)
    return replace(model, module=state.module, state=state)


def run_eagerly() -> contextlib.AbstractContextManager[Any]:
    """Passes that reach the hooks: in the context nothing that ``torch.compile`` made runs compiled.

    Where nothing has been compiled torch's compiler, a second's import, is not loaded.
    """
    return torch.compiler.set_stance("force_eager") if "torch._dynamo" in sys.modules else contextlib.nullcontext()


@final
class ThreadModels:
    """A model's copies, one for each thread that asks.

    Parameters
    ----------
    model : Model
    channels_last : bool
        As for :func:`copy_model`.
    """

    def __init__(self, model: Model, *, channels_last: bool = False) -> None:
        self._model = copy_model(model, channels_last=channels_last)
        self._here = threading.local()

    def get(self) -> Model:
        """The copy of the thread that asks."""
        found: Model | None = getattr(self._here, "model", None)
        if found is None:
            found = self._here.model = self.copy()
        return found

    def copy(self) -> Model:
        """One more."""
        return copy_model(self._model)


@final
class PassState:
    """A copy that runs (``module``) and what it is before every pass (``start``)."""

    def __init__(self, start: nn.Module, outside: OutsideState, *, share_parameters: bool) -> None:
        self.start, self.outside = start, outside
        copier = Copier(share_parameters=share_parameters, share_large=True)
        self.module = copier.copy_tree(start)
        self._tree = {key: each for key, each in copier.memo.items() if isinstance(each, nn.Module | nn.Parameter)}
        parts = [part for part in list_parts(start).values() if not isinstance(part, torch.jit.ScriptModule)]
        self._parts = [_CopiedPart(each, copier.memo[id(each)], self._tree) for each in parts if not _is_plain(each)]
        self._hooks = [
            (vars(copier.memo[id(part)])[name], key, hook)
            for part in parts for name in HOOKS for key, hook in vars(part).get(name, {}).items() if callable(hook)
        ]  # fmt: skip
        self._buffers = [
            _Buffer(copier.memo[id(part)], name, buffer)
            for part in parts for name, buffer in part._buffers.items() if buffer is not None
        ]  # fmt: skip
        self._large = [
            (name, tensor, tensor._version) for name, tensor in iter_tensors(self.module)
            if tensor.numel() > SMALL and not tensor.is_inference()
        ]  # fmt: skip
        self._is_fresh = True

    @contextlib.contextmanager
    def begin_pass(self) -> Iterator[None]:
        """Around a pass: the copy is put back to its start before, and looked at afterwards.

        Raises
        ------
        InputError
            The pass made layers or weights, which would be others in every copy; or wrote to a large buffer.
        """
        with self.outside.take_turn():
            self.reset()
            try:
                yield
            finally:
                self.check()

    def reset(self) -> None:
        """Everything as it is at the start, but for hooks that were put on the copy since."""
        if self._is_fresh:
            self._is_fresh = False
            return
        with torch.inference_mode(False), torch.no_grad():
            copier = Copier(dict(self._tree), share_large=True)
            for part in self._parts:
                part.reset(copier)
            for own, key, hook in self._hooks:  # those of the network write to what the parts hold now
                if key in own:
                    own[key] = copier.rebind(hook)
            for buffer in self._buffers:
                if buffer.is_changed():
                    buffer.reset(copier)

    def check(self) -> None:
        """Refuse what a pass must not do."""
        for part in self._parts:
            part.check()
        for name, tensor, version in self._large:
            if tensor._version != version:
                raise InputError(
                    "a network whose forward pass leaves its large buffers as they are",
                    got=f"one that writes to {name!r}",
                    hint="self.NAME = NAME + ..., which writes to a new tensor",
                )  # fmt: skip


def _is_plain(part: nn.Module) -> bool:
    """Whether a part is torch's own and holds no others: its passes keep nothing."""
    return not part._modules and type(part).__module__.startswith("torch.nn.modules.")


@final
class _Buffer:
    """One small buffer of a copy."""

    def __init__(self, part: nn.Module, name: str, start: Tensor) -> None:
        self._part, self._name, self._start = part, name, start
        self._note()

    def _note(self) -> None:
        self._buffer = self._part._buffers[self._name]
        self._version = None if self._buffer is None or self._buffer.is_inference() else self._buffer._version

    def is_changed(self) -> bool:
        """Whether a pass wrote to it, or put another in its place."""
        buffer = self._part._buffers.get(self._name)
        return buffer is not self._buffer or (self._version is not None and buffer._version != self._version)  # type: ignore[union-attr]

    def reset(self, copier: Copier) -> None:
        """Put it back."""
        self._part._buffers[self._name] = copier.copy(self._start)
        self._note()


@final
class _CopiedPart:
    """One module of a copy: what its attributes, layers and weights are before every pass."""

    def __init__(self, start: nn.Module, made: nn.Module, tree: dict[int, Any]) -> None:
        self._made = made
        self._names = set(vars(made))
        copier = Copier(dict(tree), share_large=True)
        self._atoms: dict[str, Any] = {}
        self._others: dict[str, Any] = {}
        for name, value in vars(start).items():
            if name not in _KEPT:
                is_atom = not isinstance(value, Tensor) and copier.copy(value) is value
                (self._atoms if is_atom else self._others)[name] = value
        self._modules, self._parameters = dict(made._modules), dict(made._parameters)

    def reset(self, copier: Copier) -> None:
        """Put attributes back; those that a pass added are taken off."""
        own = vars(self._made)
        if len(own) != len(self._names) or own.keys() != self._names:
            for name in [name for name in own if name not in self._names]:
                del own[name]
        own.update(self._atoms)
        for name, value in self._others.items():
            own[name] = copier.copy(value)

    def check(self) -> None:
        """Refuse layers and weights that a pass made."""
        for now, before in ((self._made._modules, self._modules), (self._made._parameters, self._parameters)):
            if len(now) == len(before) and all(now.get(name) is each for name, each in before.items()):
                continue
            fresh = [name for name in now if now[name] is not before.get(name)] or list(before)
            raise InputError(
                "a network whose layers and weights are there before its first pass",
                got=f"{type(self._made).__name__}, which makes {fresh[0]!r} in its forward pass",
                hint="run one batch through it before, or make it in __init__",
            )


def _switches_itself(module: nn.Module) -> bool:
    """Whether a part in training mode has its own ``train`` or ``eval``, which may do more than set a flag."""
    parts = [part for part in list_parts(module).values() if not isinstance(part, torch.jit.ScriptModule)]
    return any(part.training for part in parts) and any(
        type(part).train is not nn.Module.train or type(part).eval is not nn.Module.eval for part in parts
    )


def _copy_switched(module: nn.Module) -> nn.Module:
    """A copy put into eval mode by the network's own methods, all tensors its own."""
    made = Copier().copy_tree(module)
    for part in list_parts(made).values():
        if not isinstance(part, torch.jit.ScriptModule):
            for parameter in part._parameters.values():
                if parameter is not None:
                    parameter.data = parameter.data.clone(memory_format=torch.preserve_format)
    made.eval()
    return made


@suggest_keywords
def has_convolutions(module: nn.Module) -> bool:
    """Whether the channels-last layout can matter to a network."""
    return any(isinstance(part, nn.Conv2d) for part in module.modules())


def _lay_out(module: nn.Module) -> None:
    for part in list_parts(module).values():
        if not isinstance(part, torch.jit.ScriptModule):
            for parameter in part._parameters.values():
                if parameter is not None and parameter.ndim == 4:
                    parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
