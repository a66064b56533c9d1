"""Any PyTorch module as a model."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.files import to_path_name
from beholder._core.progress import tell_once
from beholder._core.seeds import DEFAULT_SEED
from beholder.models.definitions._base import Weights, call_module
from beholder.models.network._model import Model, make_plain_model
from beholder.models.preprocessing._chain import as_chain
from beholder.models.preprocessing._extended import ExtendedPreprocessing, add_channel

if TYPE_CHECKING:
    from torch import Tensor, nn

    from beholder.models.preprocessing._read import Preprocessing

logger = logging.getLogger("beholder")

_SAMPLES = ("waveform", "standardized")


@suggest_keywords
def wrap(
    module: nn.Module,
    preprocess: Callable[[Any], Any]
    | Sequence[Callable[[Any], Any]]
    | Preprocessing
    | str
    | Mapping[str, Any]
    | None = None,
    normalize: Callable[[Tensor], Tensor] | Sequence[Callable[[Tensor], Tensor]] | None = None,
    input_range: tuple[float, float] | None = None,
    sample_rate: int | None = None,
    input_shape: tuple[int, ...] | None = None,
    layers: tuple[str, ...] | list[str] = (),
    name: str | None = None,
    classes: tuple[str, ...] | None = None,
    version: str | None = None,
    axes: Mapping[str, Sequence[str]] | None = None,
    call: Callable[[nn.Module, Tensor], Any] | None = None,
) -> Model:
    """Make a model of a module of your own. None stands for the identity, unbounded.

    The module stays as it is: whatever is done with the model is done with copies in eval mode that share its
    parameters. What ``torch.compile`` or ``DataParallel`` put around it is taken off, since hooks do not reach the
    layers through them. A module that takes ``with_latent`` is driven through it: the keys of its ``all_outputs`` are
    names of layers; it gets a child ``all_outputs`` without parameters.

    Parameters
    ----------
    module : nn.Module
        Takes a batch (n_stimuli, *input_shape).
    preprocess : callable, list of callables, Preprocessing or str, optional
        ``preprocess(picture or array) -> float32 array`` of one stimulus; or a ready preprocessing, by its name
        (``"imagenet"``), as a table, or as an object (:class:`ImagePreprocessing`, :class:`GreyPreprocessing`,
        :class:`SoundPreprocessing`). A callable is handed pictures as PIL pictures (with ``sample_rate``: float32
        samples). Without one, pictures keep their size and are scaled from black to white to ``input_range``.
    normalize : callable or list of callables, optional
        ``normalize(batch) -> batch``, differentiable, what the module's own input needs; after a ready preprocessing's
        own.
    input_range : (low, high), optional
        Range of what ``preprocess`` gives; synthesis and attacks stay in it.
    sample_rate : int, optional
        Samples per second; makes the stimuli sounds. A network that takes (n, 1, n_samples), as 1-D convolutions do,
        is found by trying, and given that.
    input_shape : tuple of int, optional
        Shape of one prepared stimulus; with one channel, pictures are made grey. Files of another size are refused:
        an :class:`ImagePreprocessing` resizes pictures, a :class:`SoundPreprocessing` cuts and pads sounds.
    layers : sequence of str
        Recorded layers.
    name : str, optional
        Default: the class's name.
    classes : tuple of str, optional
        Names of the outputs.
    version : str, optional
        Stored results belong to the network's weights, code and attributes as they are when it is called, and to the
        code of ``preprocess`` and ``normalize``; code that reads an open file or the like has to be given a version
        instead, another one whenever it changes. Weights are still looked at.
    axes : mapping of str to sequence of str, optional
        Names of layers' axes, without that of the stimuli, where the network does not tell which one counts channels:
        ``{"mixer": ("token", "channel")}``.
    call : callable, optional
        ``call(module, batch)``: the forward pass of a module that takes a mapping or more than the batch, such as
        ``lambda module, x: module(pixel_values=x, output_hidden_states=True)``.

    Returns
    -------
    Model

    Raises
    ------
    InputError
        Not a module; a scripted module; ``preprocess`` that is ready together with what it would override
        (``input_range``, ``sample_rate``, ``input_shape``).

    Examples
    --------
    >>> import torch
    >>> wrap(torch.nn.Conv2d(3, 8, 3), name="edges").name
    'edges'

    A network of sounds: a 1-D convolution takes (n, 1, n_samples), a recurrent network here (n, n_samples, 1), a
    spectrogram is made inside the graph.

    >>> from beholder.models import SoundPreprocessing
    >>> second = SoundPreprocessing(rate=8000, duration=1.0)
    >>> convolution = torch.nn.Sequential(torch.nn.Conv1d(1, 4, 80, 16), torch.nn.Flatten(), torch.nn.LazyLinear(2))
    >>> _ = convolution(torch.zeros(1, 1, 8000))
    >>> wrap(convolution, second)(torch.zeros(3, 8000)).shape
    torch.Size([3, 2])
    >>> recurrent = torch.nn.RNN(1, 5, batch_first=True)
    >>> wrap(recurrent, second, normalize=lambda x: x[:, :, None])(torch.zeros(3, 8000))[0].shape
    torch.Size([3, 8000, 5])
    >>> to_power = lambda x: torch.stft(x, 256, 128, window=torch.hann_window(256), return_complex=True).abs() ** 2
    >>> spectral = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(129 * 63, 2))
    >>> wrap(spectral, second, normalize=to_power)(torch.zeros(3, 8000)).shape
    torch.Size([3, 2])
    """
    import torch

    from beholder.models.network._hook_ids import reserve_hook_ids
    from beholder.models.preprocessing._read import ArrayPreprocessing, Preprocessing, read_preprocessing

    if not isinstance(module, torch.nn.Module):
        raise InputError("a torch.nn.Module", got=type(module).__name__)
    module = unwrap_module(module)
    reserve_hook_ids(module)
    ready: Any = as_chain(preprocess)
    after: Any = as_chain(normalize)
    if isinstance(ready, (str, Mapping)):
        ready = read_preprocessing(ready)
    if isinstance(ready, Preprocessing):
        if any(value is not None for value in (input_range, sample_rate, input_shape)):
            raise InputError("a ready preprocessing alone", got="input_range, sample_rate or input_shape beside it")
        preprocessing: Preprocessing = ready
        if after is not None:
            preprocessing = ExtendedPreprocessing(ready, after)
    else:
        preprocessing = ArrayPreprocessing(
            shape=None if input_shape is None else tuple(input_shape),
            value_range=None if input_range is None else (float(input_range[0]), float(input_range[1])),
            rate=sample_rate,
            prepare_with=ready,
            normalize_with=after,
        )
    preprocessing = _add_channel(module, preprocessing, after)
    label = name or type(module).__name__
    taps = _find_taps(module, preprocessing) if call is None else None
    model = Model(
        name=label,
        path_name=to_path_name(label),
        module=module,
        preprocessing=preprocessing,
        weights=Weights(tag="wrapped"),
        layers=tuple(layers),
        taps=taps or {},
        classes=classes,
        forward=call or (call_module if taps is None else _drive),
        multi_layer_output=taps is not None,
        version=None if version is None else str(version),
    )
    return model.with_axes(axes) if axes else model


@suggest_keywords
def as_model(model: Model | nn.Module) -> Model:
    """The model, or a module of the user's as one that takes stimuli as they are; the module is left as it is."""
    import torch

    from beholder.models.network._latent import is_driven, takes_latent
    from beholder.models.network._state import copy_model
    from beholder.models.preprocessing._read import ArrayPreprocessing

    if isinstance(model, Model):
        return model
    inner = unwrap_module(model) if isinstance(model, torch.nn.Module) else None
    if inner is not None and takes_latent(inner) and not is_driven(inner):  # wrap would give it a child
        plain = Model("", "", inner, ArrayPreprocessing(), Weights(tag="wrapped"))
        return wrap(copy_model(plain).module)
    return wrap(model)


@suggest_keywords
def open_model(model: Model | nn.Module | str, device: str | None, seed: int = DEFAULT_SEED) -> Model:
    """A model from a name, a module or a model, on the device asked for; what was given stays where it is.

    Parameters
    ----------
    model : Model, nn.Module or str
    device : str or None
        None: where it is; a name is loaded on ``auto``.
    seed : int
        Of a name's random weights.
    """
    import torch

    from beholder.models.definitions._devices import pick_device
    from beholder.models.network._load import load_model
    from beholder.models.network._state import copy_model

    if isinstance(model, str):
        return load_model(model, device=device or "auto", seed=seed)
    found = as_model(model)
    if device is None or torch.device(pick_device(device)) == found.device:
        return found
    return replace(copy_model(found, pick_device(device)), state=None)


def _add_channel(module: nn.Module, preprocessing: Preprocessing, normalize: Any) -> Preprocessing:
    """Give samples the channel axis that 1-D convolutions take, where a network runs with it alone."""
    from beholder.models.network._input_shape import choose_shape, needs_channel
    from beholder.models.preprocessing._read import SoundPreprocessing

    takes_samples = not isinstance(preprocessing, SoundPreprocessing) or preprocessing.front_end in _SAMPLES
    shape = choose_shape(preprocessing)
    if normalize is not None or preprocessing.modality != "sound" or not takes_samples or len(shape) != 1:
        return preprocessing
    if not needs_channel(make_plain_model(module), shape[0]):
        return preprocessing
    tell_once("%s takes sounds as (n, 1, n_samples): they are given so", type(module).__name__)
    return ExtendedPreprocessing(preprocessing, add_channel)


def _drive(module: nn.Module, x: Tensor) -> Any:
    from beholder.models.network._latent import drive

    return drive(module, x)


def _find_taps(module: nn.Module, preprocessing: Preprocessing) -> dict[str, str] | None:
    """Stages of a network that takes ``with_latent``, which is given the means to be driven; None for any other."""
    import torch

    from beholder.models.network._input_shape import choose_shape
    from beholder.models.network._latent import attach_outputs, find_latent_names, find_outputs, is_driven, takes_latent

    if not takes_latent(module):
        return None
    if is_driven(module):
        return attach_outputs(module, find_outputs(module).needs_fake)
    shape = choose_shape(preprocessing)
    device = next((t.device for t in [*module.parameters(), *module.buffers()]), torch.device("cpu"))
    try:
        names = find_latent_names(
            make_plain_model(module), preprocessing.normalize(torch.full((1, *shape), 0.5, device=device))
        )
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        logger.warning(
            "%s takes with_latent, but does not run on a stimulus of shape %s, so that its all_outputs are no layers "
            "(%s); input_shape= says what it takes", type(module).__name__, shape, str(error).strip().split("\n")[0],
        )  # fmt: skip
        return None
    return attach_outputs(module, names)


@suggest_keywords
def unwrap_module(module: nn.Module) -> nn.Module:
    """Take off what ``torch.compile``, ``DataParallel`` and ``DistributedDataParallel`` put around a module.

    Raises
    ------
    InputError
        A scripted or traced module: the layers inside cannot be captured.
    """
    import torch

    while True:
        if isinstance(module, torch.jit.ScriptModule):
            raise InputError(
                "a module with Python layers",
                got="a scripted or traced one, whose layers cannot be captured",
                hint="the module that it was made from",
            )
        inner = getattr(module, "_orig_mod", None)
        if isinstance(module, (torch.nn.DataParallel, torch.nn.parallel.DistributedDataParallel)):
            inner = module.module
        if not isinstance(inner, torch.nn.Module):
            return module
        module = inner
