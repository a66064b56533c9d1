"""What a model is, by content: the one identity of a network that stored results are held to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from beholder._core.callables import identify_callable, identify_value
from beholder._core.errors import InputError, suggest_keywords
from beholder.models.network._readout import ZeroShotForward

if TYPE_CHECKING:
    from beholder.models.network._model import Model


@suggest_keywords
def identify_model(model: Model, *, readout: bool = True) -> str:
    """The identity of a network, read from what it holds now.

    It covers parameters and buffers (those that are not saved too), the tree of modules with their other attributes,
    the code of their forward passes, hooks that were registered, the model's own ``forward``, and what normalises its
    input. How files become arrays before that is not part of it; see :func:`describe_preprocessing`.
    Layers and classes of torch, timm and other packages go by name and version, those of the user by their code. It
    does not depend on the device, on how tensors lie in memory, on ``requires_grad``, nor on train or eval mode; what
    a forward pass leaves on ``self`` is left out, and so are weight files and names.

    Parameters
    ----------
    model : Model
        With a ``version``, that stands for code and attributes; parameters and buffers are still looked at.
    readout : bool
        Count the class names of :func:`~beholder.models.make_zero_shot`, which change the network's answers but not
        its layers.

    Returns
    -------
    str
        ``"xxh128:"`` and 32 hexadecimal digits.

    Raises
    ------
    InputError
        Code or an attribute has no content to go by, and the model has no version.

    Examples
    --------
    >>> import torch
    >>> from beholder.models import wrap
    >>> net = torch.nn.Linear(3, 2)
    >>> before = identify_model(wrap(net))
    >>> net.weight.data.zero_()  # doctest: +ELLIPSIS
    tensor(...)
    >>> identify_model(wrap(net)) == before
    False
    """
    module = model.module if model.state is None else model.state.start
    forward = model.forward
    if not readout and isinstance(forward, ZeroShotForward):
        forward = forward.embed
    if model.version is not None:
        tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
        tree = {name: type(part).__qualname__ for name, part in module.named_modules(remove_duplicate=False)}
        kept = forward if isinstance(forward, ZeroShotForward) else None
        return identify_value(["version", model.version, tensors, tree, kept], what=model.name)
    return identify_value(["model", module, forward, model.preprocessing.list_normalizing()], what=model.name)


@suggest_keywords
def describe_preprocessing(model: Model) -> dict[str, Any]:
    """The model's preprocessing for the settings of an output: its table, the user's functions by identity."""
    table = model.preprocessing.to_dict()
    for name, function in model.preprocessing.list_functions().items():
        what = f"{name} of {model.name}"
        identity = identify_callable(function, what=what, version=model.version)
        table[name] = {"name": table.get(name), "identity": identity}
    return table


@suggest_keywords
def list_identities(model: Model) -> tuple[str, ...]:
    """The identity with and without the readout of class names: what a recording or what is made of it may carry."""
    return tuple(dict.fromkeys([identify_model(model), identify_model(model, readout=False)]))


@suggest_keywords
def try_to_identify(model: Model) -> str | None:
    """As :func:`identify_model`; None where that is refused, for what is not stored."""
    try:
        return identify_model(model)
    except InputError:
        return None
