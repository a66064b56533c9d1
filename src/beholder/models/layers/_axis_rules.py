"""What each of PyTorch's operations does to the axes of the tensors that it takes.

A rule is given a :class:`Call` and returns the axes of what came out, or None where it cannot tell.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from beholder.models.layers._axis_atoms import (
    CHANNEL,
    FRAME,
    FREQUENCY,
    HEIGHT,
    LAYER,
    PLACES,
    TIME,
    TOKEN,
    WIDTH,
    Atom,
    Axes,
    Axis,
    find_kind,
    measure,
    resize,
)
from beholder.models.layers._axis_moves import (
    Call,
    Found,
    Rule,
    follow_cat,
    follow_drop,
    follow_elementwise,
    follow_expand,
    follow_permute,
    follow_reduce,
    follow_repeat,
    follow_repeat_interleave,
    follow_same,
    follow_squeeze,
    follow_stack,
    follow_transpose,
    follow_unsqueeze,
    follow_view,
    merge,
    resize_all,
)


def _mix(axes: Axes, place: int, size: int) -> Axis:
    """The axis that a matrix of weights makes of one: channels, or a mixture of places beside other channels."""
    others = [axis for i, axis in enumerate(axes) if i != place % len(axes)]
    kind = find_kind(axes[place])
    if kind in PLACES and any(find_kind(axis) == CHANNEL and measure(axis) > 1 for axis in others):
        return (Atom(size, TOKEN),)
    _tell(axes[place], CHANNEL)
    return _make_channels(axes[place], size)


def _make_channels(of: Axis, size: int) -> Axis:
    """New channels, made of others; of one head they stand beside the heads as before."""
    return (Atom(size, CHANNEL, piece_of=of[-1].find_whole() if find_kind(of) == CHANNEL else None),)


def _follow_linear(call: Call) -> Found:
    axes = call.find(call.first)
    return None if axes is None else (*axes[:-1], _mix(axes, -1, call.shapes_made[0][-1]))


def follow_product(call: Call) -> Found:
    """Products of matrices: with weights new channels; of two tensors that are followed the outer axis of each."""
    operands = [value for value in call.named.values() if isinstance(value, Tensor)]
    left, right = operands[-2:]
    shape: list[int] = list(call.shapes_made[0])
    a, b = call.find(left), call.find(right)
    if (a is None and b is None) or len(call.shape(left)) < 2 or len(call.shape(right)) < 2:
        if a is not None and len(call.shape(right)) == 1:
            return a[:-1]
        return None
    if a is not None and b is not None:
        outer = merge([a[:-2], b[:-2]], shape[:-2]) if len(shape) > 2 else ()
        return None if outer is None else (*outer, a[-2], b[-1])
    if a is not None:
        outer = merge([a[:-2]], shape[:-2]) if len(shape) > 2 else ()
        return None if outer is None else (*outer, a[-2], _mix(a, -1, shape[-1]))
    assert b is not None
    outer = merge([b[:-2]], shape[:-2]) if len(shape) > 2 else ()
    return None if outer is None else (*outer, _mix(b, -2, shape[-2]), b[-1])


_PLACES_OF_KERNEL = {1: (TIME,), 2: (HEIGHT, WIDTH), 3: (FRAME, HEIGHT, WIDTH)}


def _follow_convolution(call: Call) -> Found:
    value, weight = call.first, call.get("weight")
    axes = call.find(value)
    shape = call.shapes_made[0]
    if axes is None or len(axes) != len(shape):
        return None
    n = len(call.shape(weight)) - 2
    front = len(axes) - n - 1
    channels, places = axes[front], axes[front + 1 :]
    _tell(channels, CHANNEL)
    kinds = [find_kind(axis) for axis in places]
    names = list(_PLACES_OF_KERNEL[n])
    if n == 2 and TIME in kinds:
        names = [FREQUENCY, FREQUENCY]
    if n == 2 and front:
        for atom in axes[0]:
            atom.tell(FRAME)
    made: list[Axis] = []
    for axis, size, name in zip(places, shape[front + 1 :], names, strict=True):
        if find_kind(axis) != CHANNEL:
            _tell(axis, name)
            made.append(resize(axis, size))
        elif shape[front] == 1:  # weighs neighbouring channels, as efficient channel attention does
            made.append(resize(axis, size))
        else:
            made.append((Atom(size, name),))
    is_single = any(find_kind(axis) == CHANNEL for axis in made)
    fresh = (Atom(1),) if is_single else _make_channels(channels, shape[front])
    return (*axes[:front], fresh, *made)


def _tell(axis: Axis, kind: str) -> None:
    if len(axis) == 1:
        axis[0].tell(kind)


def _follow_channels_second(call: Call) -> Found:
    """Norms over batches, groups and stimuli: they say where channels are, and change none."""
    axes = call.find(call.first)
    if axes is not None and len(axes) > 1:
        _tell(axes[1], CHANNEL)
    return follow_same(call)


def _make_pooling(n: int) -> Rule:
    """The rule of pooling over the last ``n`` axes."""

    def follow(call: Call) -> Found:
        axes = call.find(call.first)
        if axes is not None and len(axes) > n:
            _tell(axes[-n - 1], CHANNEL)
            for axis, name in zip(axes[-n:], _PLACES_OF_KERNEL[n], strict=True):
                _tell(axis, name)
        return follow_same(call)

    return follow


_POOLINGS = (
    "avg_pool{}d max_pool{}d max_pool{}d_with_indices adaptive_avg_pool{}d _adaptive_avg_pool{}d adaptive_max_pool{}d "
    "fractional_max_pool{}d max_unpool{}d"
)


def _follow_channels_last(call: Call) -> Found:
    """Norms over the last axis."""
    axes, over = call.find(call.first), call.get("normalized_shape")
    if axes is not None and len(axes) > 1 and over is not None and len(over) == 1:
        _tell(axes[-1], CHANNEL)
    return follow_same(call)


def _follow_recurrent(call: Call) -> Found:
    """Recurrent layers: (time, n, channel) or (n, time, channel); states (layer, n, channel)."""
    axes = call.find(call.first)
    if axes is None or len(axes) != 3:
        return None
    batch_first = bool(call.get("batch_first"))
    time, batch = (axes[1], axes[0]) if batch_first else (axes[0], axes[1])
    _tell(time, TIME)
    _tell(axes[2], CHANNEL)
    shapes = call.shapes_made
    outer = (batch, time) if batch_first else (time, batch)
    states: list[Axes | None] = [((Atom(shape[0], LAYER),), batch, (Atom(shape[-1], CHANNEL),)) for shape in shapes[1:]]
    return [(*outer, (Atom(shapes[0][-1], CHANNEL),)), *states]


def _follow_attention(call: Call) -> Found:
    query, value = call.find(call.get("query")), call.find(call.get("value"))
    if query is None:
        return None
    last = value[-1] if value is not None else query[-1]
    return [(*query[:-1], last), *([None] * (len(call.made) - 1))]


def _follow_embedding(call: Call) -> Found:
    axes = call.find(call.get("indices"))
    if axes is None:
        return None
    for axis in axes:
        _tell(axis, TOKEN)
    return (*axes, (Atom(call.shapes_made[0][-1], CHANNEL),))


def _follow_index(call: Call) -> Found:
    axes, indices = call.find(call.first), call.get("indices")
    places = [i for i, index in enumerate(indices) if index is not None]
    if axes is None or len(places) != 1 or len(axes) != len(call.shapes_made[0]):
        return None
    return resize_all(axes, call.shapes_made[0])


def _follow_unfold(call: Call) -> Found:
    """``Tensor.unfold``: windows along one axis, and a last axis of the places within a window."""
    axes = call.find(call.first)
    if axes is None:
        return None
    shape = call.shapes_made[0]
    dim = call.named["dimension"] % len(axes)
    inner = Atom(shape[-1], same=axes[dim][0]) if len(axes[dim]) == 1 else Atom(shape[-1], find_kind(axes[dim]))
    return (*(resize(axis, size) for axis, size in zip(axes, shape, strict=False)), (inner,))


def _follow_im2col(call: Call) -> Found:
    """``nn.Unfold``: (n, channel · kernel, token)."""
    axes = call.find(call.first)
    if axes is None or len(axes) != 4:
        return None
    _tell(axes[1], CHANNEL)
    kernel = [Atom(k, kind) for k, kind in zip(call.named["kernel_size"], (HEIGHT, WIDTH), strict=True)]
    return (axes[0], (*axes[1], *kernel), (Atom(call.shapes_made[0][-1], TOKEN),))


def _follow_col2im(call: Call) -> Found:
    """``nn.Fold``: (n, channel · kernel, token) to a map."""
    axes = call.find(call.first)
    if axes is None or len(axes) != 3:
        return None
    kinds = (CHANNEL, HEIGHT, WIDTH)
    return (axes[0], *((Atom(size, kind),) for size, kind in zip(call.shapes_made[0][1:], kinds, strict=True)))


def _follow_stft(call: Call) -> Found:
    axes, shape = call.find(call.first), call.shapes_made[0]
    if axes is None:
        return None
    _tell(axes[-1], TIME)
    made = (*axes[:-1], (Atom(shape[len(axes) - 1], FREQUENCY),), resize(axes[-1], shape[len(axes)]))
    return made if len(made) == len(shape) else (*made, (Atom(shape[-1]),))


def _follow_real(call: Call) -> Found:
    """Complex numbers as pairs."""
    axes = call.find(call.first)
    return None if axes is None else (*axes, (Atom(2),))


def _follow_complex(call: Call) -> Found:
    """Pairs as complex numbers."""
    axes = call.find(call.first)
    return None if axes is None else axes[:-1]


def _names(text: str) -> list[str]:
    return text.split()


RULES: dict[str, Rule] = {
    **dict.fromkeys(
        _names(
            "clone contiguous detach alias lift_fresh to _to_copy cumsum cumprod flip roll sort masked_fill "
            "softmax _softmax log_softmax _log_softmax _safe_softmax glu dropout native_dropout feature_dropout "
            "constant_pad_nd reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d replication_pad2d "
            "replication_pad3d _fft_r2c _fft_c2c _fft_c2r pixel_shuffle pixel_unshuffle channel_shuffle slice narrow "
            "index_select topk gather scatter scatter_add index_add index_copy index_fill index_put split chunk "
            "split_with_sizes grid_sampler_2d grid_sampler_3d upsample_nearest1d upsample_nearest2d upsample_nearest3d "
            "_upsample_nearest_exact2d upsample_bilinear2d upsample_bicubic2d upsample_linear1d upsample_trilinear3d "
            "_upsample_bilinear2d_aa _upsample_bicubic2d_aa prelu _prelu_kernel rrelu_with_noise bernoulli "
            "_native_multi_head_attention _transformer_encoder_layer_fwd tril triu conj _conj resolve_conj "
            "slice_scatter select_scatter diff renorm zeros_like ones_like "
            "empty_like full_like rand_like randn_like log_sigmoid_forward masked_scatter cummax cummin unsafe_split "
            "unsafe_split_with_sizes logcumsumexp kthvalue"
        ),
        follow_same,
    ),
    **dict.fromkeys(
        _names(
            "native_batch_norm _native_batch_norm_legit _native_batch_norm_legit_no_training batch_norm "
            "native_group_norm group_norm instance_norm cudnn_batch_norm"
        ),
        _follow_channels_second,
    ),
    **{name: _make_pooling(n) for n in (1, 2, 3) for name in _names(_POOLINGS.format(*[n] * 8))},
    **dict.fromkeys(_names("native_layer_norm layer_norm rms_norm _fused_rms_norm"), _follow_channels_last),
    **dict.fromkeys(
        _names("view reshape _unsafe_view _reshape_alias flatten unflatten view_as reshape_as"), follow_view
    ),
    **dict.fromkeys(_names("transpose t"), follow_transpose),
    **dict.fromkeys(_names("expand expand_as broadcast_to"), follow_expand),
    **dict.fromkeys(_names("select unbind"), follow_drop),
    **dict.fromkeys(
        _names(
            "mean sum amax amin max min var std norm linalg_vector_norm logsumexp argmax argmin prod median any all "
            "var_mean std_mean aminmax nansum nanmean"
        ),
        follow_reduce,
    ),
    **dict.fromkeys(_names("cat concat concatenate"), follow_cat),
    **dict.fromkeys(_names("matmul mm bmm addmm baddbmm addbmm"), follow_product),
    **dict.fromkeys(
        _names(
            "conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d convolution _convolution "
            "convolution_overrideable mkldnn_convolution deform_conv2d"
        ),
        _follow_convolution,
    ),
    **dict.fromkeys(_names("lstm gru rnn_tanh rnn_relu"), _follow_recurrent),
    **dict.fromkeys(
        _names(
            "scaled_dot_product_attention _scaled_dot_product_flash_attention_for_cpu "
            "_scaled_dot_product_flash_attention _scaled_dot_product_efficient_attention "
            "_scaled_dot_product_cudnn_attention _scaled_dot_product_attention_math"
        ),
        _follow_attention,
    ),
    "squeeze": follow_squeeze,
    "unsqueeze": follow_unsqueeze,
    "permute": follow_permute,
    "repeat": follow_repeat,
    "repeat_interleave": follow_repeat_interleave,
    "stack": follow_stack,
    "linear": _follow_linear,
    "embedding": _follow_embedding,
    "index": _follow_index,
    "_unsafe_index": _follow_index,
    "unfold": _follow_unfold,
    "im2col": _follow_im2col,
    "col2im": _follow_col2im,
    "stft": _follow_stft,
    "view_as_real": _follow_real,
    "view_as_complex": _follow_complex,
}
"""By the operation's name without overload, and without the ``_`` of one that works in place."""


ELEMENTWISE = frozenset(
    _names(
        "hardswish hardsigmoid hardtanh mish silu gelu elu celu selu leaky_relu clamp where lerp rsub copy "
        "complex polar floor_divide"
    )
)
"""Operations on each value that PyTorch may not mark as such."""


def find_rule(op: Any) -> Rule | None:
    """The rule of an operation; None where there is none."""
    name = op._schema.name.rpartition("::")[2]
    if name.rstrip("_") in ELEMENTWISE:
        return follow_elementwise
    rule = RULES.get(name) or (RULES.get(name[:-1]) if name.endswith("_") else None)
    if rule is None and torch.Tag.pointwise in op.tags:
        return follow_elementwise
    return rule
