"""One small pass before the work: which layers run, how often, what shape they have, and what their axes count."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.progress import logger
from beholder.activations.forward._fold import find_rows
from beholder.activations.forward._hooks import Tap, find_module, is_whole
from beholder.models import (
    UNTOLD_AXIS,
    LayerRef,
    StimulusAxis,
    check_axes,
    explain_untold,
    find_stimulus_axis,
    follow_axes,
    name_axes,
)

if TYPE_CHECKING:
    from beholder.models import Axes, AxisNames

Forward = Callable[[Tensor], Any]
SIDE_AXES = {"weights": ("head", "query", "key"), "heads": ("head", "token", "channel")}


@dataclass(frozen=True)
class ProbedLayer:
    """A layer as one pass found it.

    Attributes
    ----------
    name : str
        The layer's name.
    ref : LayerRef
        What it points to.
    shape : tuple of int
        Feature axes of one stimulus, without the batch axis.
    axes : tuple of str
        Their names; ``channel`` is among them where it can be told.
    place : StimulusAxis
        Which rows of the layer's tensor belong to which stimulus.
    """

    name: str
    ref: LayerRef
    shape: tuple[int, ...]
    axes: tuple[str, ...]
    place: StimulusAxis

    def put_batch_first(self, tensor: Tensor, n_stimuli: int | None = None) -> Tensor:
        """The layer's tensor with the stimuli in front: (n_stimuli, *shape)."""
        return self.place.to_front(tensor, n_stimuli)

    def check_told(self) -> None:
        """Ask where it could not be told which axis counts the channels."""
        if "channel" not in self.axes and any(axis.startswith(UNTOLD_AXIS) for axis in self.axes):
            raise explain_untold(self.name, self.axes, self.shape)

    @property
    def channel_axis(self) -> int:
        """Which feature axis counts the channels; where it cannot be told, an error asks."""
        if "channel" in self.axes:
            return self.axes.index("channel")
        self.check_told()
        raise InputError("a layer with channels", got=f"{self.name!r}, whose axes are {', '.join(self.axes) or 'none'}")


@suggest_keywords
def count_calls(model: nn.Module, refs: Mapping[str, LayerRef], run: Callable[[], Any]) -> dict[str, int]:
    """How often each layer's module is called in one pass."""
    counts: dict[int, int] = {}
    modules = {name: find_module(model, ref) for name, ref in refs.items() if not is_whole(model, ref)}

    def count(module: nn.Module, _args: Any) -> None:
        counts[id(module)] = counts.get(id(module), 0) + 1

    handles = [module.register_forward_pre_hook(count) for module in {id(m): m for m in modules.values()}.values()]
    try:
        run()
    finally:
        for handle in handles:
            handle.remove()
    return {name: counts.get(id(modules[name]), 0) if name in modules else 1 for name in refs}


def check_calls(refs: Mapping[str, LayerRef], counts: Mapping[str, int]) -> None:
    """Refuse layers that do not run, and repeated ones that do not say which call they mean."""
    for name, ref in refs.items():
        n_calls = counts[name]
        if n_calls == 0:
            raise InputError(
                "a layer that runs in the model's forward pass", got=f"{name!r}, which does not run",
                hint="beholder layers MODEL to see which layers run",
            )  # fmt: skip
        if ref.call is None and n_calls > 1:
            suffix = name[len(ref.path) :]
            choices = ", ".join(f"{ref.path}@{k}{suffix}" for k in range(1, n_calls + 1))
            raise InputError(
                f"which of the {n_calls} calls of {ref.path!r} to take, counted from 1", got=repr(name), hint=choices
            )
        if ref.call is not None and ref.call > n_calls:
            raise InputError(f"a call of {ref.path!r} from 1 to {n_calls}", got=repr(name))


@suggest_keywords
def probe_layers(
    model: nn.Module,
    refs: Mapping[str, LayerRef],
    forward: Forward,
    example: Tensor,
    *,
    axes: AxisNames | None = None,
    modality: str = "array",
) -> dict[str, ProbedLayer]:
    """Run a model on two copies of an example and read off calls, shapes, axes and where the stimuli are.

    Axes are followed through the operations of the pass. Where a layer's first
    axis counts more than the stimuli, each of three stimuli is exchanged in turn, which shows its rows.

    Parameters
    ----------
    model : nn.Module
        The network, in eval mode.
    refs : mapping of str to LayerRef
        The layers asked for.
    forward : callable
        ``forward(batch)`` runs the network.
    example : Tensor, (1, ...)
        One input, on the network's device.
    axes : mapping of str to sequence of str, optional
        Names of layers' axes that the user gives; they count before what the pass tells.
    modality : {"image", "sound", "array"}
        What the input's axes are.

    Raises
    ------
    InputError
        For a layer that does not run, or runs more than once without saying which call is meant; one of complex
        numbers, or whose rows cannot be told apart by stimulus.
    """
    for ref in refs.values():
        find_module(model, ref)
    run = _Runs(model, refs, forward, modality)
    with torch.inference_mode():
        pair = example.expand(2, *example.shape[1:]).contiguous()
        check_calls(refs, count_calls(model, refs, lambda: forward(pair)))
        of_two = run.follow(pair)
        places = _find_places(run, of_two, example)
    layers = {}
    for name, ref in refs.items():
        seen, place = of_two[name], places[name]
        features = place.strip(seen.shape)
        if axes and name in axes:
            names = check_axes(name, axes[name], features)
        elif ref.side in SIDE_AXES and len(features) == 3:
            names = SIDE_AXES[ref.side]
        else:
            names = name_axes(seen.axes, place, seen.shape)
        layers[name] = ProbedLayer(name, ref, features, names, place)
    return layers


@dataclass(frozen=True)
class _Seen:
    """What one pass showed of a layer."""

    shape: tuple[int, ...]
    axes: Axes | None


@dataclass(frozen=True)
class _Runs:
    """Passes of a model whose layers are looked at."""

    model: nn.Module
    refs: Mapping[str, LayerRef]
    forward: Forward
    modality: str

    def collect(self, batch: Tensor, keep: Callable[[str, Tensor], None], names: Iterable[str], *, stop: bool) -> None:
        wanted = {name: self.refs[name] for name in names}
        with Tap(self.model, wanted, gives_output=True) as tap, tap.collect(keep, stop=stop):
            tap.hand_over(self.forward(batch))

    def follow(self, batch: Tensor) -> dict[str, _Seen]:
        """Shapes and axes."""
        seen: dict[str, _Seen] = {}
        try:
            with follow_axes(self.model, batch, self.modality) as mode:

                def note(name: str, tensor: Tensor) -> None:
                    check_real(name, tensor)
                    seen[name] = _Seen(tuple(tensor.shape), mode.find(tensor))

                self.collect(batch, note, self.refs, stop=False)
        except (RuntimeError, NotImplementedError, TypeError) as error:
            logger.debug("the axes are not followed: %s", error)
            shapes = self.read_shapes(batch)
            seen = {name: _Seen(shape, None) for name, shape in shapes.items()}
        return seen

    def read_shapes(self, batch: Tensor) -> dict[str, tuple[int, ...]]:
        """Shapes alone."""
        shapes: dict[str, tuple[int, ...]] = {}
        self.collect(batch, lambda name, t: shapes.__setitem__(name, tuple(t.shape)), self.refs, stop=True)
        return shapes

    def read(self, batch: Tensor, names: Iterable[str]) -> dict[str, Tensor]:
        """Values of some layers."""
        values: dict[str, Tensor] = {}
        self.collect(batch, lambda name, t: values.__setitem__(name, t.clone()), names, stop=True)
        return values


def check_real(name: str, tensor: Tensor) -> None:
    """Refuse complex numbers, whose imaginary part would be lost."""
    if tensor.is_complex():
        raise InputError(
            "a layer of real numbers", got=f"{name!r}, whose numbers are complex",
            hint=f"{name}[real], {name}[imag] or {name}[abs]",
        )  # fmt: skip


def _find_places(run: _Runs, of_two: Mapping[str, _Seen], example: Tensor) -> dict[str, StimulusAxis]:
    """Where the stimuli are in each layer: as followed, and by the shapes for two and three of them."""
    followed = {name: None if seen.axes is None else find_stimulus_axis(seen.axes, 2) for name, seen in of_two.items()}
    places: dict[str, StimulusAxis] = {}
    for name, seen in of_two.items():
        place = followed[name] or StimulusAxis()
        if place.is_plain and seen.shape[place.axis : place.axis + 1] == (2,):
            sure = followed[name] is not None or seen.shape.count(2) == 1
            places |= {name: place} if sure else {}
    unsure = [name for name in of_two if name not in places]
    if not unsure:
        return places
    of_three = run.read_shapes(example.expand(3, *example.shape[1:]).contiguous())
    folded: dict[str, int] = {}
    for name in unsure:
        axis, is_alone = _compare_shapes(name, of_two[name].shape, of_three[name])
        if is_alone:
            places[name] = StimulusAxis(axis)
        elif example.device.type == "meta" and (place := followed[name]) is not None:
            places[name] = place
        else:
            folded[name] = axis
    if folded:
        found = {} if example.device.type == "meta" else find_rows(
            lambda batch: run.read(batch, folded), example, folded
        )  # fmt: skip
        for name in folded:
            if (place := found.get(name)) is None:
                raise _refuse(name, of_two[name].shape, of_three[name])
            places[name] = place
    return places


def _compare_shapes(name: str, of_two: tuple[int, ...], of_three: tuple[int, ...]) -> tuple[int, bool]:
    """The axis that grows with the stimuli, and whether it counts them alone."""
    if len(of_two) == len(of_three):
        alone = [i for i, sizes in enumerate(zip(of_two, of_three, strict=True)) if sizes == (2, 3)]
        if alone:
            return alone[0], True
        grown = [i for i, (two, three) in enumerate(zip(of_two, of_three, strict=True)) if two != three]
        if len(grown) == 1 and 3 * of_two[grown[0]] == 2 * of_three[grown[0]]:
            return grown[0], False
    raise _refuse(name, of_two, of_three)


def _refuse(name: str, of_two: tuple[int, ...], of_three: tuple[int, ...]) -> InputError:
    return InputError(
        "a layer with one value set a stimulus",
        got=f"{name!r}, whose shape {of_two} for two stimuli and {of_three} for three shows no rows of each stimulus",
    )
