"""A loaded model: a module, its two parts of preprocessing, and where it came from."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, final

from beholder._core.errors import UnknownNameError, suggest_method_keywords
from beholder._core.wording import format_count
from beholder.models.definitions._base import ModelDefinition, Weights, call_module, get_source
from beholder.models.definitions._devices import pick_device
from beholder.models.network._build import build_module
from beholder.models.weights._checkpoint import adapt_to_file

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import Tensor, nn

    from beholder.models.network._latent import Latent
    from beholder.models.network._state import PassState
    from beholder.models.preprocessing._read import Preprocessing


@final
@dataclass(frozen=True)
class ModelSpec:
    """A picklable recipe from which another process builds the same model.

    Parameters
    ----------
    source, model : str
        ``{source}:{model}``.
    tag : str
        Published weights, ``"random"``, or the stem of ``file``.
    file : str or None
        Weights file that the user named; None for published or random weights.
    sha256 : str or None
        Hash of the file that was read, so that it is hashed once.
    path_name : str
        What the model is called in paths.
    preprocessing : Preprocessing
        The one that the model uses.
    layers, taps, pool
        As recorded in the catalog or a panel.
    seed : int
        Seed of random weights.
    variant : str or None
        Published weights whose architecture is built.
    metamer_layers : tuple of str
        As recorded in the catalog or a panel.
    keys : tuple of (str, str)
        Rules for the names in ``file``.
    axes : tuple of (str, tuple of str)
        Names of layers' axes, as in :class:`Model`.
    """

    source: str
    model: str
    tag: str
    file: str | None
    sha256: str | None
    path_name: str
    preprocessing: Preprocessing
    layers: tuple[str, ...] = ()
    taps: tuple[tuple[str, str], ...] = ()
    pool: str | None = None
    seed: int = 42
    variant: str | None = None
    metamer_layers: tuple[str, ...] = ()
    keys: tuple[tuple[str, str], ...] = ()
    axes: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def name(self) -> str:
        """``source:model@tag``."""
        return f"{self.source}:{self.model}@{self.tag}"

    def load(self, device: str = "cpu") -> Model:
        """Build the model, with its weights, on ``device``."""
        definition = get_source(self.source).find(self.model, self.variant)
        return make_model(self, adapt_to_file(definition, self.file), pick_device(device))


@suggest_method_keywords
@final
@dataclass(frozen=True, repr=False)
class Model:
    """A network as an observer: what it is shown goes through ``prepare``, then ``normalize``, then ``module``.

    Parameters
    ----------
    name : str
        ``source:name@weights``, such as ``"torchvision:squeezenet1_1@IMAGENET1K_V1"``.
    path_name : str
        The same model in paths and groups.
    module : nn.Module
        As it was handed over. Commands and calls run copies of it, in eval mode; it is never changed.
    preprocessing : Preprocessing
        File to array (``prepare``), array to network input (``normalize``).
    weights : Weights
        Tag, file and hash.
    layers : tuple of str
        Recorded layers.
    taps : mapping of str to str
        Named layer expressions.
    classes : tuple of str, optional
        Names of the outputs.
    forward : callable
        ``forward(module, x)`` on normalised input.
    spec : ModelSpec or None
        Recipe for other processes; None for a wrapped module.
    pool : str or None
        Pooling that the catalog or a panel records.
    multi_layer_output : bool
        The module takes ``with_latent=True`` and is driven through it; see :attr:`latent`.
    metamer_layers : tuple of str
        Stages that metamers are made at, where they are not ``layers``; see :attr:`stages`.
    version : str or None
        Stands for the user's code and attributes where they cannot be identified; see
        :func:`~beholder.models.identify_model`.
    state : PassState or None
        Of a copy that can be run; see :func:`beholder.models.copy_model`.
    axes : mapping of str to tuple of str
        Names of layers' axes, without that of the stimuli, where the network does not tell them.

    Examples
    --------
    >>> import beholder as bh
    >>> net = bh.load_model("beholder:shapes", device="cpu")
    >>> net.prepare("images/star/star_0000.png").shape
    (3, 224, 224)
    >>> net.classes[:3]
    ('bricks', 'checkerboard', 'circle')
    """

    name: str
    path_name: str
    module: nn.Module
    preprocessing: Preprocessing
    weights: Weights
    layers: tuple[str, ...] = ()
    taps: Mapping[str, str] = field(default_factory=dict)
    classes: tuple[str, ...] | None = None
    forward: Callable[[nn.Module, Tensor], Any] = call_module
    spec: ModelSpec | None = None
    pool: str | None = None
    multi_layer_output: bool = False
    metamer_layers: tuple[str, ...] = ()
    version: str | None = None
    state: PassState | None = field(default=None, compare=False)
    axes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "state": None}

    def __repr__(self) -> str:
        parts = [
            format_count(self.n_parameters, "parameter"),
            f"input {self.preprocessing.describe()}",
            f"on {self.device}",
        ]
        if self.layers:
            parts.append(f"{len(self.layers)} recorded layers")
        return f"Model({self.name}: {', '.join(parts)})"

    def _repr_html_(self) -> str:
        import html

        from beholder.stimuli import format_rows

        facts = {
            "parameters": f"{self.n_parameters:,}",
            "input": self.preprocessing.describe(),
            "device": str(self.device),
            "classes": f"{len(self.classes):,}: {', '.join(self.classes[:4])}, …" if self.classes else "",
            "recorded layers": ", ".join(self.layers),
        }
        rows = [(name, html.escape(told)) for name, told in facts.items() if told]
        return format_rows(self.name or type(self.module).__name__, (), rows)

    @property
    def n_parameters(self) -> int:
        """Number of parameters."""
        return sum(parameter.numel() for parameter in self.module.parameters())

    @property
    def modality(self) -> str:
        """``"image"``, ``"sound"`` or ``"array"``."""
        return self.preprocessing.modality

    @property
    def input_shape(self) -> tuple[int, ...] | None:
        """Shape of one prepared stimulus, without the batch axis; None when the network takes any."""
        return self.preprocessing.input_shape

    @property
    def input_range(self) -> tuple[float, float] | None:
        """Range of a prepared stimulus; None when it is unbounded."""
        return self.preprocessing.input_range

    @property
    def sample_rate(self) -> int | None:
        """Samples per second of a prepared sound."""
        return self.preprocessing.sample_rate

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        import itertools

        import torch

        for tensor in itertools.chain(self.module.parameters(), self.module.buffers()):
            return tensor.device
        return torch.device("cpu")

    @property
    def stages(self) -> tuple[str, ...]:
        """Layers that metamers are made at, from the input to the output: the recorded ones, or others of their own."""
        return self.metamer_layers or self.layers

    @property
    def latent(self) -> Latent | None:
        """How to drive a network that takes ``with_latent``; None for any other."""
        from beholder.models.network._latent import Latent, is_driven

        return Latent(self) if is_driven(self.module) else None

    def prepare(self, source: Any) -> np.ndarray:
        """File, bytes, picture or array to a float32 array in ``input_range``."""
        return self.preprocessing.prepare(source)

    def normalize(self, x: Tensor) -> Tensor:
        """Prepared batch to network input, differentiably."""
        return self.preprocessing.normalize(x)

    def __call__(self, x: Any) -> Tensor:
        """Logits (or the embedding) of a batch, in eval mode; the module is afterwards as it was.

        Parameters
        ----------
        x : Tensor (n_stimuli, *input_shape), or stimuli
            A prepared batch in ``input_range``, which is never written to and to which gradients flow back (not to the
            parameters); or whatever :func:`beholder.extract` takes (files, pictures, ...), prepared and stacked.

        Raises
        ------
        InputError
            Values outside ``input_range``.
        """
        from beholder.models.network._input_shape import explain_shape_errors
        from beholder.models.network._state import copy_model
        from beholder.models.network._stimuli import make_batch

        batch = make_batch(self, x)
        with explain_shape_errors(self, tuple(batch.shape[1:])):
            return copy_model(self).run(batch)

    def run(self, x: Tensor) -> Any:
        """One pass of a prepared batch through the module in the state that it is in.

        Parameters
        ----------
        x : (n_stimuli, *input_shape)
            Left as it is, whatever the network does to its input.

        Returns
        -------
        Any
            What the network returns.
        """
        return self.run_input(self.normalize(x.clone()))

    def run_input(self, x: Tensor) -> Any:
        """:meth:`run` of a batch that is normalised already, and that the network may write to."""
        return self.run_with(lambda batch: self.forward(self.module, batch), x)

    def run_with(self, compute: Callable[[Tensor], Any], x: Tensor) -> Any:
        """:meth:`run_input` by a function of the batch that stands for the forward pass."""
        with contextlib.nullcontext() if self.state is None else self.state.begin_pass():
            return compute(self._cast(x))

    def _cast(self, x: Tensor) -> Tensor:
        """The network's input in its own numbers: half, bfloat16 or double, where it is made of them."""
        if not x.is_floating_point():
            return x
        dtypes = (t.dtype for t in self.module.parameters() if t.is_floating_point())
        return x.to(next(dtypes, x.dtype))

    def to(self, device: str | torch.device) -> Model:
        """Move the module; the model itself is returned."""
        self.module.to(device)
        return self

    def with_axes(self, axes: Mapping[str, Sequence[str]]) -> Model:
        """The same model with names of layers' axes: ``{"blocks.0": ("height", "width", "channel")}``."""
        modules = [name for name, _ in self.module.named_modules(remove_duplicate=False) if name]
        for layer in axes:
            path = re.split(r"[@:\[]", layer, maxsplit=1)[0]
            if path not in (*modules, *self.taps, "output"):
                raise UnknownNameError("layer", layer, [*modules, *self.taps])
        named = {**self.axes, **{layer: tuple(names) for layer, names in axes.items()}}
        spec = replace(self.spec, axes=tuple(sorted(named.items()))) if self.spec else None
        return replace(self, axes=named, spec=spec)

    def describe_axes(self) -> dict[str, Any]:
        """The names of axes that were given, for settings; nothing where none were."""
        return {"axes": {layer: list(names) for layer, names in sorted(self.axes.items())}} if self.axes else {}

    def with_layers(self, layers: tuple[str, ...]) -> Model:
        """The same model with other recorded layers."""
        return replace(self, layers=tuple(layers), spec=replace(self.spec, layers=tuple(layers)) if self.spec else None)


def make_model(spec: ModelSpec, definition: ModelDefinition, device: str) -> Model:
    """The model of a recipe, with its weights, on a device; on ``meta`` without."""
    module, weights = build_module(spec, definition, device)
    return Model(
        name=f"{spec.source}:{spec.model}@{spec.tag}",
        path_name=spec.path_name,
        module=module,
        preprocessing=spec.preprocessing,
        weights=weights,
        layers=spec.layers,
        taps=dict(spec.taps),
        classes=definition.classes,
        forward=definition.forward,
        spec=replace(spec, sha256=weights.sha256),
        pool=spec.pool,
        multi_layer_output=definition.multi_layer_output,
        metamer_layers=spec.metamer_layers,
        axes=dict(spec.axes),
        version=definition.version,
    )


def make_plain_model(module: nn.Module) -> Model:
    """A module as a model that takes whatever the module takes, for a look at what it does."""
    from beholder.models.preprocessing._read import ArrayPreprocessing

    return Model("", "", module, ArrayPreprocessing(), Weights(tag=""))
