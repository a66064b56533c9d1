"""Random numbers of torch's own functions from one generator, in one thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, final

import torch
from torch.overrides import TorchFunctionMode

from beholder._core.seeds import derive_seed

_TAKE_GENERATOR = frozenset(
    {
        "rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial", "_sample_dirichlet", "poisson",
        "uniform_", "normal_", "bernoulli_", "random_", "exponential_", "geometric_", "log_normal_", "cauchy_",
    }
)  # fmt: skip
_LIKE: dict[str, Callable[..., torch.Tensor]] = {"rand_like": torch.rand, "randn_like": torch.randn}


@final
class DrawFrom(TorchFunctionMode):
    """Inside the block torch's functions draw from a generator of their own, and leave the common one alone.

    Augmentations of torchvision draw from the generator that all threads share; here each stimulus has its own.

    Parameters
    ----------
    seed, *path
        As for :func:`beholder._core.seeds.derive_seed`.

    Examples
    --------
    >>> with DrawFrom(1, "dog"):
    ...     a = torch.rand(2)
    >>> with DrawFrom(1, "dog"):
    ...     b = torch.rand(2)
    >>> bool((a == b).all())
    True
    """

    def __init__(self, seed: int, *path: str | int) -> None:
        super().__init__()
        self._generator = torch.Generator().manual_seed(derive_seed(seed, *path))

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Hand the generator to functions that draw."""
        name = getattr(func, "__name__", "")
        given = dict(kwargs or {})
        if name in _TAKE_GENERATOR:
            given.setdefault("generator", self._generator)
        elif name in _LIKE:
            like: torch.Tensor = args[0]
            given = {"dtype": like.dtype, **given, "generator": self._generator}
            return _LIKE[name](tuple(like.shape), **given)
        return func(*args, **given)
