"""A pass that ``torch.compile`` has made one graph of, from the input to the deepest layer asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, final

import torch
from torch import Tensor

from beholder._core.errors import InputError, is_out_of_memory, suggest_keywords
from beholder.activations.forward._hooks import Consumer, Tap
from beholder.models import LayerRef, Model

BACKEND = "inductor"


@final
class CompiledPass:
    """A model's pass as one compiled function that returns the layers.

    The hooks are traced with the network, each giving a copy of its layer. What lies behind the deepest layer
    contributes to nothing that the function returns, so that the compiler leaves it out.

    Parameters
    ----------
    model : Model
        A copy that can be run (:func:`beholder.models.copy_model`), for this pass alone.
    refs : mapping of str to LayerRef
        Name under which to hand over, and what.
    """

    def __init__(self, model: Model, refs: Mapping[str, LayerRef]) -> None:
        self._model, self._names = model, tuple(refs)
        tap = Tap(model.module, refs, gives_output=True, per_thread=False)

        def compute(x: Tensor) -> tuple[Tensor, ...]:
            found: dict[str, Tensor] = {}
            tap.begin(lambda name, tensor: found.__setitem__(name, tensor.clone()), stop=False)
            tap.hand_over(model.forward(model.module, x))
            tap.end()
            return tuple(found[name] for name in refs)

        compiled: Any = torch.compile(compute, backend=BACKEND, fullgraph=True, dynamic=False)
        self._compute: Callable[[Tensor], tuple[Tensor, ...]] = compiled

    def run(self, x: Tensor, consume: Consumer) -> None:
        """Hand over what the network computes of a normalised batch; the first batch of a shape compiles.

        Raises
        ------
        InputError
            A network whose pass is no one graph, or a machine without what the compiler needs.
        """
        from torch._dynamo.exc import TorchDynamoException

        try:
            made = self._model.run_with(self._compute, x)
        except (TorchDynamoException, ImportError) as error:
            if is_out_of_memory(error):
                raise
            raise InputError(
                f"a network that torch.compile makes one graph of, and a compiler, for --compile of {self._model.name}",
                got=_name_cause(error), hint="the same without --compile",
            ) from error  # fmt: skip
        for name, tensor in zip(self._names, made, strict=True):
            consume(name, tensor)


@suggest_keywords
def compile_whole(model: Model) -> Callable[[Tensor], Tensor]:
    """A network as one compiled function: a prepared batch, (n, *input_shape), to what it returns, its first tensor.

    Parameters
    ----------
    model : Model
        A copy that can be run, for this alone.

    Raises
    ------
    InputError
        When first called, as :meth:`CompiledPass.run`.
    """
    compiled = CompiledPass(model, {"": LayerRef("", "")})

    def run(batch: Tensor) -> Tensor:
        found: list[Tensor] = []
        compiled.run(model.normalize(batch.clone()), lambda _, tensor: found.append(tensor))
        return found[0]

    return run


def _name_cause(error: BaseException) -> str:
    inner = getattr(error, "inner_exception", None) or error
    lines = [line.strip() for line in str(inner).splitlines() if line.strip()] or [""]
    return f"{type(inner).__name__}: {lines[0]}"[:160]
