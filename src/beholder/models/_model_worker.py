"""Workers that compute with a model, and how it gets to other processes."""

from __future__ import annotations

import pickle
from typing import Any

from beholder._core.errors import InputError
from beholder.jobs import Worker
from beholder.models._model import Model, ModelSpec


class ModelWorker(Worker):
    """A worker that computes with a model, which crosses to worker processes as its recipe when it has one.

    Attributes
    ----------
    model : Model or ModelSpec
        The recipe in other processes than the one that made the worker.
    device : str
    """

    model: Model | ModelSpec
    device: str

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        if isinstance(self.model, Model) and self.model.spec is not None:
            state["model"] = self.model.spec
        return state

    def load_model(self) -> Model:
        """The model itself, built from its recipe in another process."""
        return self.model.load(self.device) if isinstance(self.model, ModelSpec) else self.model

    def check_sendable(self) -> None:
        """Refuse a model that can reach worker processes neither as its recipe nor as it is.

        Raises
        ------
        InputError
            It has no recipe and does not pickle.
        """
        model = self.model
        if isinstance(model, ModelSpec) or model.spec is not None:
            return
        try:
            pickle.dumps(model)
        except (pickle.PicklingError, AttributeError, TypeError) as error:
            raise InputError(
                "a model that can be sent to worker processes", got=f"{model.name}, which does not pickle ({error})",
                hint="workers=1, or a model file with file:PATH",
            ) from error  # fmt: skip
