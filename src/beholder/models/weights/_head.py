"""Another last layer in a network: as many classes as a training's own, in the place of the architecture's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from beholder._core.errors import InputError, suggest_keywords

if TYPE_CHECKING:
    from torch import nn

COUNTER = "num_batches_tracked"
"""How names of tensors end that files may lack: batches counted by BatchNorm."""

Shapes = Mapping[str, tuple[int, ...]]


def read_shapes(module: nn.Module) -> dict[str, tuple[int, ...]]:
    """Shapes of what ``module.state_dict()`` holds."""
    return {name: tuple(value.shape) for name, value in module.state_dict().items()}


def find_other_head(module: nn.Module, shapes: Shapes) -> dict[str, Any] | None:
    """Where tensors are another head's: ``{"module": path, "n_classes": int}``; None where they fit as they are.

    Parameters
    ----------
    module : nn.Module
        The architecture with its own head.
    shapes : mapping of str to shape
        Of the tensors.

    Raises
    ------
    InputError
        They differ in more than the number of outputs of one linear layer or convolution.
    """
    own = read_shapes(module)
    differ = [name for name in own if name in shapes and own[name] != tuple(shapes[name])]
    missing = [name for name in own if name not in shapes and not name.endswith(COUNTER)]
    extra = [name for name in shapes if name not in own]
    if not (differ or missing or extra):
        return None
    places = {name.rpartition(".")[0] for name in differ}
    fits = all(own[name][1:] == tuple(shapes[name])[1:] for name in differ)
    if missing or extra or len(places) != 1 or not fits or not _is_linear(module.get_submodule(min(places))):
        told = [*(f"{n} {tuple(shapes[n])} for {own[n]}" for n in differ), *missing, *extra]
        raise InputError(
            f"a {type(module).__name__} that differs at most in the number of its classes",
            got=f"one that differs in {', '.join(told[:3])}{', ...' if len(told) > 3 else ''}",
            hint="a file: source, whose Python file builds the network",
        )
    return {"module": min(places), "n_classes": int(shapes[differ[0]][0])}


def has_head(module: nn.Module, path: str) -> bool:
    """Whether there is a layer at a path that :func:`set_head` replaces."""
    found = dict(module.named_modules()).get(path)
    return found is not None and _is_linear(found)


def _is_linear(part: nn.Module) -> bool:
    from torch import nn

    return isinstance(part, nn.Linear) or (isinstance(part, nn.Conv1d | nn.Conv2d) and part.groups == 1)


@suggest_keywords
def set_head(module: nn.Module, path: str, n_classes: int) -> None:
    """Put a freshly initialised layer with ``n_classes`` outputs in the place of a linear layer or convolution.

    Parameters
    ----------
    module : nn.Module
        Changed in place.
    path : str
        Of the layer, as in ``named_modules``.
    n_classes : int

    Raises
    ------
    InputError
        No such layer there.

    Examples
    --------
    >>> import torch
    >>> net = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 1000))
    >>> set_head(net, "1", 16)
    >>> net[1]
    Linear(in_features=4, out_features=16, bias=True)
    """
    from torch import nn

    place, _, name = path.rpartition(".")
    try:
        parent, old = module.get_submodule(place), module.get_submodule(path)
    except AttributeError as error:
        raise InputError(f"a network with the layer {path}", got=type(module).__name__) from error
    like: dict[str, Any] = {"bias": getattr(old, "bias", None) is not None}
    like |= {"device": old.weight.device, "dtype": old.weight.dtype} if _is_linear(old) else {}
    if isinstance(old, nn.Linear):
        made: nn.Module = nn.Linear(old.in_features, n_classes, **like)
    elif isinstance(old, nn.Conv1d | nn.Conv2d) and _is_linear(old):
        shape: Any = {name: getattr(old, name) for name in ("stride", "padding", "dilation", "padding_mode")}
        kernel: Any = old.kernel_size
        made = type(old)(old.in_channels, n_classes, kernel, **shape, **like)
    else:
        got = f"{path}, a {type(old).__name__}"
        raise InputError("a linear layer or a convolution to replace", got=got, hint="a file: source")
    made.train(old.training)
    setattr(parent, name, made)
