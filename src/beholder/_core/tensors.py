"""Digests of tensors and networks by content. Torch is never imported here: what is a tensor has imported it."""

from __future__ import annotations

import sys
import types
from typing import Any

import xxhash

from beholder._core.content import Content, join, read_state
from beholder._core.errors import InputError
from beholder._core.narrowing import class_of
from beholder._core.origins import find_owner
from beholder._core.reach import Reach, find_own_writes, find_reach

_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_OPTIONS = ("_forward_hooks_with_kwargs", "_forward_hooks_always_called", "_forward_pre_hooks_with_kwargs")
_INTERNAL = frozenset({
    "training", "_parameters", "_buffers", "_modules", "_non_persistent_buffers_set", "_is_full_backward_hook",
    "_state_dict_hooks", "_state_dict_pre_hooks", "_load_state_dict_pre_hooks", "_load_state_dict_post_hooks",
    "_compiled_call_impl", "_graph",
    *_HOOKS, *_OPTIONS,
})  # fmt: skip


def is_tensor(value: Any) -> bool:
    """Whether a value is a torch tensor."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def is_module(value: Any) -> bool:
    """Whether a value is a ``torch.nn.Module``."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.nn.Module)


def is_module_class(kind: type) -> bool:
    """Whether a class is a subclass of ``torch.nn.Module``."""
    torch = sys.modules.get("torch")
    return torch is not None and issubclass(kind, torch.nn.Module)


def digest_of_torch(content: Content, value: Any) -> bytes | None:
    """The digest of a tensor, a module or something else of torch's own; None for any other value."""
    torch: Any = sys.modules.get("torch")
    if torch is None:
        return None
    if isinstance(value, torch.Tensor):
        return digest_tensor(content, value)
    if isinstance(value, torch.nn.Module):
        return digest_network(content, value)
    if isinstance(value, torch.device):
        return join(b"device")  # where it runs is no part of what it is
    if isinstance(value, torch.dtype | torch.layout | torch.memory_format | torch.Size):
        return join(b"torch", str(value).encode())
    if isinstance(value, torch.Generator):
        return join(b"generator", digest_tensor(content, value.get_state()))
    if isinstance(value, torch.utils.hooks.RemovableHandle):
        return join(b"handle")
    if isinstance(value, torch.jit.ScriptFunction):
        return join(b"script", str(value.code).encode())
    if type(value).__module__ in ("torch._ops", "torch._classes"):
        return join(b"operator", str(value).encode())
    original = getattr(value, "_torchdynamo_orig_callable", None)
    return content.digest(original) if isinstance(value, types.FunctionType) and original is not None else None


def digest_tensor(content: Content, tensor: Any) -> bytes:
    """Dtype, shape and values, on any device and however they lie in memory."""
    torch: Any = sys.modules["torch"]
    if isinstance(tensor, torch.nn.parameter.UninitializedTensorMixin):
        return join(b"uninitialized")
    head = f"{tensor.dtype}{tuple(tensor.shape)}".encode()
    if tensor.device.type == "meta":
        return join(b"meta", head)
    with torch.no_grad():
        plain = tensor.detach()
        if plain.is_quantized:
            scales = plain.q_per_channel_scales() if "channel" in str(plain.qscheme()) else plain.q_scale()
            return join(b"quantized", head, content.digest(plain.int_repr()), content.digest(scales))
        if plain.layout != torch.strided:
            plain = plain.coalesce() if plain.layout == torch.sparse_coo else plain.to_sparse()
            return join(b"sparse", head, content.digest(plain.indices()), content.digest(plain.values()))
        plain = plain.cpu().resolve_conj().resolve_neg().contiguous().reshape(-1)
        return join(b"tensor", head, xxhash.xxh3_128_digest(plain.view(torch.uint8).numpy()))


def digest_network(content: Content, module: Any) -> bytes:
    """A network: parameters, buffers, the tree of modules, their attributes, code and hooks."""
    if content.reach is not None and id(module) in content.members:
        return digest_module(content, module)
    reach = reach_of(module)
    if content.reach is not None:  # kept in a list or a function, where its parent does not register it
        reach = reach.join(content.reach)
    with content.inside(reach, {id(part) for part in module.modules()}):
        return join(b"network", digest_module(content, module), _digest_global_hooks(content))


def reach_of(module: Any) -> Reach:
    """What the forward passes of a module and its children come by."""
    functions: list[Any] = [hook for _, hook in _list_global_hooks()]
    for part in module.modules():
        functions += [value for value in part.__dict__.values() if callable(value)]
        functions += [hook for name in _HOOKS for hook in getattr(part, name).values()]
    return find_reach(dict.fromkeys(class_of(part) for part in module.modules()), functions)


def digest_module(content: Content, module: Any) -> bytes:
    """One module with its children; see :func:`digest_network`."""
    torch: Any = sys.modules["torch"]
    if isinstance(module, torch.jit.ScriptModule):
        return _digest_script(content, module)
    kind = class_of(module)
    parts = [b"module", content.digest(kind)]
    for name in ("_parameters", "_buffers"):
        parts.append(content.digest_named(name, getattr(module, name)))
    parts.append(content.digest_named("attributes", _read_attributes(content, module)))
    parts += [_digest_hooks(content, module, name) for name in _HOOKS]
    for name, child in module._modules.items():  # in the order in which a Sequential calls them
        parts += [name.encode(), content.digest(child, name)]
    return join(*parts)


def _read_attributes(content: Content, module: Any) -> dict[str, Any]:
    """Attributes that are neither tensors nor modules of the network, nor left there by a forward pass."""
    assert content.reach is not None
    kind = class_of(module)
    is_users = find_owner(kind.__module__) == "user"
    skipped = find_own_writes(kind) | content.reach.written | _INTERNAL | _list_derived(module)
    found: dict[str, Any] = {}
    for name, value in read_state(module).items():
        if name in skipped:
            continue
        counts = name in content.reach or name == "forward"
        if counts:
            found[name] = value
        elif not is_users:
            try:
                content.digest(value, name)
            except InputError:  # and nothing in sight reads it
                continue
            found[name] = value
    return found


def _list_derived(module: Any) -> set[str]:
    """Tensors that a hook of torch's computes anew at every pass: of weight norm, spectral norm, pruning."""
    hooks = [hook for hook in module._forward_pre_hooks.values() if type(hook).__module__.startswith("torch.nn.utils")]
    return {
        name for hook in hooks for name in (getattr(hook, "name", None), getattr(hook, "_tensor_name", None)) if name
    }


def _digest_hooks(content: Content, module: Any, name: str) -> bytes:
    hooks: dict[Any, Any] = getattr(module, name)
    options = [getattr(module, option, {}) for option in _OPTIONS if option.startswith(name)]
    parts: list[bytes] = []
    for key, hook in hooks.items():
        if not is_own(hook):
            parts += [bytes(bool(option.get(key)) for option in options), content.digest(hook, name)]
    return join(name.encode(), *parts)


def _list_global_hooks() -> list[tuple[str, Any]]:
    torch: Any = sys.modules["torch"]
    place = torch.nn.modules.module
    found = [(name, hook) for name in _HOOKS for hook in getattr(place, f"_global{name}").values()]
    return [(name, hook) for name, hook in found if not is_own(hook)]


def _digest_global_hooks(content: Content) -> bytes:
    return join(b"global", *(join(name.encode(), content.digest(hook, name)) for name, hook in _list_global_hooks()))


def is_own(hook: Any) -> bool:
    """Whether a hook is Beholder's: there for one call, and no part of the network."""
    hook = getattr(hook, "func", hook)
    hook = getattr(hook, "__func__", hook)
    place = hook.__globals__.get("__name__") if isinstance(hook, types.FunctionType) else type(hook).__module__
    return find_owner(place) == "beholder"


def _digest_script(content: Content, module: Any) -> bytes:
    """A scripted part: its code, as TorchScript prints it, and its tensors."""
    parts = [b"script"]
    for name, part in module.named_modules():
        parts += [name.encode(), str(getattr(part, "code", part.original_name)).encode()]
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        parts += [name.encode(), content.digest(tensor, name)]
    return join(*parts)
