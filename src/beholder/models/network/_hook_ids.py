"""Numbers of hooks, which PyTorch counts anew in every process."""

from __future__ import annotations

from torch import nn
from torch.utils.hooks import RemovableHandle


def reserve_hook_ids(module: nn.Module) -> None:
    """Keep new hooks from taking the place of a module's own.

    PyTorch numbers hooks from 0 in each process, and pickles their numbers: on a module that came from another process
    a new hook can get the number of an old one, which is then gone without a word.

    Examples
    --------
    >>> layer = nn.Identity()
    >>> handle = layer.register_forward_hook(lambda module, args, output: output + 1)
    >>> layer._forward_hooks[RemovableHandle.next_id] = layer._forward_hooks.pop(handle.id)
    >>> reserve_hook_ids(layer)
    >>> handle = layer.register_forward_hook(lambda module, args, output: output)
    >>> layer(1)
    2
    """
    taken = [
        number
        for part in module.modules()
        for name, hooks in vars(part).items()
        if name.endswith("_hooks") and isinstance(hooks, dict)
        for number in hooks
        if isinstance(number, int)
    ]
    RemovableHandle.next_id = max([RemovableHandle.next_id, *(number + 1 for number in taken)])
