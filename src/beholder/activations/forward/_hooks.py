"""Hooks that hand over what modules compute, and stop the pass after the deepest one asked for.

One set of hooks serves any number of threads: what is being collected lives in thread-local state,
so several batches can go through one model at once; where each thread has a copy of the model, it has hooks of its own.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, final

from torch import Tensor, nn

from beholder._core.errors import BeholderError, InputError, UnknownNameError, suggest_keywords
from beholder.activations.forward import _attention
from beholder.models import OUTPUT, LayerRef, Model, ThreadModels

Consumer = Callable[[str, Tensor], None]
"""Called as ``consume(layer, tensor)`` inside the hook: it must copy or reduce the tensor at once,
because a later in-place operation of the network may overwrite it."""


class _StopPass(BaseException):
    """Ends a forward pass once everything asked for has been seen."""


class _State:
    consume: Consumer | None = None
    counts: dict[int, int]
    missing: set[str]
    stop: bool


class _ThreadState(threading.local, _State):
    """One for each thread."""


def find_module(model: nn.Module, ref: LayerRef) -> nn.Module:
    """The module a layer name points to, or an error that suggests the nearest names."""
    modules = dict(model.named_modules(remove_duplicate=False))
    if ref.path in ("", OUTPUT) and OUTPUT not in modules:
        return model
    if ref.path not in modules:
        raise UnknownNameError("layer of this model", ref.name, [name for name in modules if name])
    return modules[ref.path]


def is_whole(model: nn.Module, ref: LayerRef) -> bool:
    """Whether a layer name means what the whole model returns."""
    return ref.side == "out" and ref.path in ("", OUTPUT) and find_module(model, ref) is model


class Tap:
    """Hooks for a set of layers of one model.

    Parameters
    ----------
    model : nn.Module
        The network, unwrapped.
    layers : mapping of str to LayerRef
        Name under which to hand over, and what.
    gives_output : bool
        The caller hands over what the model returns (:meth:`hand_over`): needed where its forward pass is not a plain
        call of the module, as in CLIP networks.
    per_thread : bool
        Keep apart what several threads collect; a compiler cannot look into that.
    """

    def __init__(
        self, model: nn.Module, layers: Mapping[str, LayerRef], *, gives_output: bool = False, per_thread: bool = True
    ) -> None:
        self._state = _ThreadState() if per_thread else _State()
        self._layers = dict(layers)
        self._whole = {name: ref for name, ref in layers.items() if gives_output and is_whole(model, ref)}
        self._handles: list[Any] = []
        self._undo = contextlib.ExitStack()
        by_module: dict[int, tuple[nn.Module, list[tuple[str, LayerRef]]]] = {}
        for name, ref in layers.items():
            if name in self._whole:
                continue
            module = find_module(model, ref)
            by_module.setdefault(id(module), (module, []))[1].append((name, ref))
        try:
            for module, wanted in by_module.values():
                self._attach(module, wanted)
        except BaseException:
            self.close()
            raise

    def _attach(self, module: nn.Module, wanted: Sequence[tuple[str, LayerRef]]) -> None:
        before = [(name, ref) for name, ref in wanted if ref.side == "in"]
        after = [(name, ref) for name, ref in wanted if ref.side == "out"]
        key = id(module)
        for name, ref in wanted:
            if ref.side in ("weights", "heads"):
                self._undo.enter_context(_attention.attach(module, ref, self._give(name, ref)))

        def count_call(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            state = self._state
            if state.consume is None:
                return
            state.counts[key] = call = state.counts.get(key, 0) + 1
            for name, ref in before:
                self._take(name, ref, call, args if args else kwargs)

        def see_output(_module: nn.Module, _args: tuple[Any, ...], output: Any) -> None:
            state = self._state
            if state.consume is None:
                return
            for name, ref in after:
                self._take(name, ref, state.counts[key], output)

        self._handles.append(module.register_forward_pre_hook(count_call, with_kwargs=True, prepend=True))
        if after:
            self._handles.append(module.register_forward_hook(see_output))

    def _give(self, name: str, ref: LayerRef) -> Callable[[Tensor], None]:
        return lambda tensor: self._take(name, ref, ref.call or 1, tensor)

    def _take(self, name: str, ref: LayerRef, call: int, value: Any) -> None:
        state = self._state
        if state.consume is None or (ref.call is not None and ref.call != call):
            return
        if ref.call is None and call > 1:
            raise BeholderError(f"{name} was called more than once")
        state.consume(name, pick_tensor(value, ref))
        state.missing.discard(name)
        if state.stop and not state.missing:
            raise _StopPass

    def hand_over(self, output: Any) -> None:
        """Give what the model returned, inside :meth:`collect`."""
        for name, ref in self._whole.items():
            self._take(name, ref, 1, output)

    def begin(self, consume: Consumer, *, stop: bool) -> None:
        """Collect from here on; see :meth:`collect`."""
        state = self._state
        state.consume, state.counts, state.missing, state.stop = consume, {}, set(self._layers), stop

    def end(self) -> None:
        """Collect no longer."""
        self._state.consume = None

    @contextlib.contextmanager
    def collect(self, consume: Consumer, *, stop: bool) -> Iterator[None]:
        """Collect what this thread's next forward pass computes.

        Parameters
        ----------
        consume : callable
            Called with each layer's name and tensor, inside the pass.
        stop : bool
            End the pass when every layer has been seen; code after the pass in the block is skipped.
        """
        self.begin(consume, stop=stop)
        try:
            with contextlib.suppress(_StopPass):
                yield
        finally:
            self.end()
        if self._state.missing:
            names = sorted(self._state.missing)
            raise InputError(
                "layers that run in the model's forward pass",
                got=", ".join(repr(name) for name in names[:4]) + ", which did not run",
                hint="beholder layers MODEL to see which layers run, and how often",
            )

    def close(self) -> None:
        """Take the hooks off; the model is as before."""
        for handle in self._handles:
            handle.remove()
        self._handles.clear()
        self._undo.close()

    def __enter__(self) -> Tap:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()


@suggest_keywords
def pick_tensor(value: Any, ref: LayerRef) -> Tensor:
    """The tensor that a layer name means in what a module took or returned.

    Without ``[part]`` the first tensor of a tuple, list, mapping or dataclass is meant, however deep.
    """
    for part in ref.parts:
        inner = _take_part(value, part)
        if inner is None:
            raise InputError(
                f"a part of what {ref.path or OUTPUT} gives ({describe_parts(value)})", got=repr(ref.name),
                hint="`beholder layers MODEL`: a [...] behind a layer's own name is a part, not a choice of characters",
            )  # fmt: skip
        value = inner
    found = next(_iter_tensors(value), None)
    if found is None:
        raise InputError(
            f"a tensor at {ref.name}", got=describe_parts(value), hint="another layer, or one of its parts"
        )
    return found


def _take_part(value: Any, part: int | str) -> Any:
    """A position, key or field; None where there is none."""
    if isinstance(value, Tensor):
        return _COMPLEX[part](value) if part in _COMPLEX and value.is_complex() else None
    if isinstance(value, Mapping) and part in value:
        return value[part]
    parts = _list_parts(value)
    if isinstance(part, int):
        return parts[part][1] if -len(parts) <= part < len(parts) else None
    return dict(parts).get(part)


_COMPLEX: dict[int | str, Callable[[Tensor], Tensor]] = {
    "real": lambda value: value.real,
    "imag": lambda value: value.imag,
    "abs": lambda value: value.abs(),
}


def _list_parts(value: Any) -> list[tuple[str, Any]]:
    """Names and values of what a container holds; nothing for any other value."""
    if isinstance(value, Mapping):
        return [(str(key), part) for key, part in value.items()]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [(field.name, getattr(value, field.name)) for field in dataclasses.fields(value)]
    if isinstance(value, tuple | list):
        names = getattr(value, "_fields", None) or range(len(value))
        return [(str(name), part) for name, part in zip(names, value, strict=True)]
    return []


def _iter_tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    for _, part in _list_parts(value):
        yield from _iter_tensors(part)


def describe_parts(value: Any) -> str:
    """What a module's output consists of, in a few words."""
    if isinstance(value, Tensor):
        return f"one {'complex ' if value.is_complex() else ''}tensor {tuple(value.shape)}"
    parts = _list_parts(value)
    if isinstance(value, tuple | list) and not hasattr(value, "_fields"):
        return f"{len(value)} parts"
    return "parts " + ", ".join(name for name, _ in parts) if parts else type(value).__name__


@final
class ThreadTaps:
    """Copies of a model for passes side by side, with hooks on sets of layers.

    The hooks are on the copies and go with them; nothing need be closed.

    Parameters
    ----------
    model : Model
    channels_last : bool
        As for :func:`beholder.models.copy_model`.
    gives_output : bool
        As for :class:`~beholder.activations.forward._hooks.Tap`.
    """

    def __init__(self, model: Model, *, channels_last: bool = False, gives_output: bool = False) -> None:
        self.models = ThreadModels(model, channels_last=channels_last)
        self._gives_output = gives_output
        self._here = threading.local()

    def get(self, key: Hashable, refs: Mapping[str, LayerRef]) -> tuple[Model, Tap]:
        """The copy of the thread that asks, and hooks on it for the layers that go by ``key``."""
        model = self.models.get()
        taps: dict[Hashable, Tap] = self._here.__dict__.setdefault("taps", {})
        if key not in taps:
            taps[key] = Tap(model.module, refs, gives_output=self._gives_output)
        return model, taps[key]
