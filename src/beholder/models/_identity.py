"""What a model is, by content: the one identity of a network that stored results are held to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beholder._core.callables import identify_value

if TYPE_CHECKING:
    from beholder.models._model import Model


def identify_model(model: Model) -> str:
    """The identity of a network, read from what it holds now.

    It covers parameters and buffers (those that are not saved too), the tree of modules with their other attributes,
    the code of their forward passes, hooks that were registered, and the model's own ``forward`` and preprocessing.
    Layers and classes of torch, timm and other packages go by name and version, those of the user by their code. It
    does not depend on the device, on how tensors lie in memory, on ``requires_grad``, nor on train or eval mode; what
    a forward pass leaves on ``self`` is left out, and so are weight files and names.

    Parameters
    ----------
    model : Model
        With a ``version``, that stands for code and attributes; parameters and buffers are still looked at.

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
    if model.version is not None:
        tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
        tree = {name: type(part).__qualname__ for name, part in module.named_modules(remove_duplicate=False)}
        return identify_value(["version", model.version, tensors, tree], what=model.name)
    return identify_value(["model", module, model.forward, model.preprocessing], what=model.name)
