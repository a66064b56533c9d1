"""Attention weights and heads, for the attention modules that can give them.

``nn.MultiheadAttention`` is asked for its weights (its other outputs stay the same up to rounding), and its heads
are the averages of the values under them;
attention blocks of timm (``fused_attn``, ``attn_drop``, ``proj``) are run unfused while observed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from beholder._core.errors import InputError
from beholder.models import LayerRef

Give = Callable[[Tensor], None]

_MULTIHEAD_ARGUMENTS = (
    "query",
    "key",
    "value",
    "key_padding_mask",
    "need_weights",
    "attn_mask",
    "average_attn_weights",
    "is_causal",
)


@contextlib.contextmanager
def attach(module: nn.Module, ref: LayerRef, give: Give) -> Iterator[None]:
    """Hand over a module's attention weights or heads on each call until the block ends.

    ``weights``: (batch, head, query, key), rows summing to 1. ``heads``: (batch, head, token, channel).

    Raises
    ------
    InputError
        When the module gives neither.
    """
    if isinstance(module, nn.MultiheadAttention):
        yield from _observe_multihead(module, ref, give)
        return
    children = dict(module.named_children())
    dropout, projection = children.get("attn_drop"), children.get("proj")
    if ref.side == "weights" and isinstance(dropout, nn.Module) and "fused_attn" in module.__dict__:
        yield from _observe_unfused(module, dropout, give)
    elif ref.side == "heads" and isinstance(projection, nn.Module) and "num_heads" in module.__dict__:
        yield from _observe_heads(module, projection, give)
    else:
        raise InputError(
            f"an attention layer that gives its {ref.side}",
            got=f"{ref.path} ({type(module).__name__})",
            hint="an attention layer of torchvision, open_clip or timm",
        )


def _observe_multihead(module: nn.MultiheadAttention, ref: LayerRef, give: Give) -> Iterator[None]:
    if ref.side == "heads" and (module.bias_k is not None or module.add_zero_attn):
        raise InputError("attention over the tokens alone, for heads", got=f"{ref.path}, which adds keys of its own")

    def ask(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        named = dict(zip(_MULTIHEAD_ARGUMENTS, args, strict=False))
        return (), {**named, **kwargs, "need_weights": True, "average_attn_weights": False}

    def hand_over(_module: nn.Module, _args: Any, kwargs: dict[str, Any], output: tuple[Tensor, Tensor]) -> None:
        weights = output[1]
        give(weights if ref.side == "weights" else weights @ _project_values(module, kwargs["value"]))

    handles = [
        module.register_forward_pre_hook(ask, with_kwargs=True),
        module.register_forward_hook(hand_over, with_kwargs=True),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _project_values(module: nn.MultiheadAttention, value: Tensor) -> Tensor:
    """What the heads average: (batch, head, token, channel)."""
    n = module.embed_dim
    weight = module.v_proj_weight if module.in_proj_weight is None else module.in_proj_weight[2 * n :]
    bias = None if module.in_proj_bias is None else module.in_proj_bias[2 * n :]
    value = value if module.batch_first else value.transpose(0, 1)
    return functional.linear(value, weight, bias).unflatten(-1, (module.num_heads, -1)).transpose(1, 2)


def _observe_unfused(module: nn.Module, dropout: nn.Module, give: Give) -> Iterator[None]:
    fused = module.__dict__["fused_attn"]
    handles = [
        module.register_forward_pre_hook(lambda part, _args: part.__dict__.update(fused_attn=False)),
        dropout.register_forward_pre_hook(lambda _module, args: give(args[0])),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
        module.__dict__["fused_attn"] = fused


def _observe_heads(module: nn.Module, projection: nn.Module, give: Give) -> Iterator[None]:
    n_heads = int(module.__dict__["num_heads"])

    def hand_over(_module: nn.Module, args: tuple[Tensor, ...]) -> None:
        tokens = args[0]
        give(tokens.unflatten(-1, (n_heads, -1)).transpose(1, 2))

    handle = projection.register_forward_pre_hook(hand_over)
    try:
        yield
    finally:
        handle.remove()
