"""How metamers are made: the published procedure, and ours."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, final

import numpy as np

from beholder._core.errors import InputError, UnknownNameError
from beholder._core.seeds import make_generator
from beholder.models import Model
from beholder.synthesis.engine._lbfgs import LBFGS
from beholder.synthesis.engine._loop import Recipe
from beholder.synthesis.engine._optimizers import Halving, NormalizedSteps
from beholder.synthesis.engine._stopping import Plateau, TargetReached
from beholder.synthesis.engine._validate import check_count
from beholder.synthesis.images._constraints import Range
from beholder.synthesis.images._parameterization import Raw
from beholder.synthesis.images._whitened import Whitened
from beholder.synthesis.objectives._match import CoarseToFine, SingleUnitFirst

RECIPES = ("default", "published")
LOSSES = {
    "inversion_loss_layer": None,
    "coarse_define_spectemp_inversion_loss_layer": CoarseToFine,
    "random_single_unit_optimization_inversion_loss_layer": SingleUnitFirst,
}
"""Names of the losses, as the released code has them."""

_STEPS = 1000
_TARGET_DB = 45.0
_HISTORY = 10
_PLATEAU = Plateau(tolerance=0.02, window=80)
_STARTS, _ENOUGH_DB = 3, 30.0
_SMALLEST_NOISE_SHARE = 0.01


@final
@dataclass(frozen=True)
class MetamerRecipe:
    """How every metamer of an output is made; JSON-able by :meth:`to_dict`.

    Attributes
    ----------
    name : {"default", "published"}
    iterations, repeats : int
        At most ``iterations · repeats`` evaluations from one start. ``published``: the step is halved after each
        repeat.
    step_size : float or None
        First step of ``published``.
    noise_scale, noise_mean : float
        The start is ``noise_mean + noise_scale · noise``, clamped into range.
    loss : str
        One of :data:`LOSSES`; others than the first with ``published`` only.
    target_db : float or None
        Signal-to-noise ratio at which the work ends.
    """

    name: str
    iterations: int
    repeats: int
    step_size: float | None
    noise_scale: float
    noise_mean: float
    loss: str = "inversion_loss_layer"
    target_db: float | None = None

    @property
    def steps(self) -> int:
        """Evaluations at most, from one start."""
        return self.iterations * self.repeats

    @property
    def is_published(self) -> bool:
        """Whether it is the document's."""
        return self.name == "published"

    def to_dict(self) -> dict[str, Any]:
        """Everything that decides what is made."""
        made = asdict(self)
        if not self.is_published:
            made |= {"optimizer": "lbfgs", "history": _HISTORY, "plateau": asdict(_PLATEAU)}
            made |= {"starts": _STARTS, "enough_db": _ENOUGH_DB}
        return made

    @property
    def starts(self) -> int:
        """From how many starts it is tried, where one ends in a poor match."""
        return 1 if self.is_published else _STARTS

    def is_stuck(self, loss: float, stopped_by: str) -> bool:
        """Whether the work went no further (``plateau``) though the match is poor, so that another start may help."""
        return stopped_by == "plateau" and not loss <= 10 ** (-_ENOUGH_DB / 20)

    def draw_start(
        self,
        shape: tuple[int, ...],
        value_range: tuple[float, float] | None,
        seed: int,
        stimulus_id: str,
        attempt: int = 0,
    ) -> np.ndarray:
        """The noise to start from, (*shape), float32: the same for every layer.

        ``published``: also the same for every stimulus, as in the released code.
        """
        path: tuple[Any, ...] = ("metamer start",) if self.is_published else ("metamer start", stimulus_id)
        path += (attempt,) if attempt else ()
        noise = make_generator(seed, *path).standard_normal(shape, dtype=np.float32)
        image = np.float32(self.noise_mean) + np.float32(self.noise_scale) * noise
        return image if value_range is None else image.clip(*value_range)

    def make_engine_recipe(
        self, shape: tuple[int, ...], value_range: tuple[float, float] | None, whitened: Whitened | None
    ) -> Recipe:
        """The engine's recipe for one layer.

        Parameters
        ----------
        shape, value_range
            Of one stimulus.
        whitened : Whitened, optional
            The parameterisation that suits the layer; unused by ``published``.
        """
        stop: list[Any] = []
        common = {
            "transforms": (), "steps": self.steps, "redirect_steps": 0, "samples": 1, "keep": "last",
            "transparency": False, "input_shape": shape, "value_range": value_range,
        }  # fmt: skip
        if self.is_published:
            assert self.step_size is not None
            if self.target_db is not None:
                stop.append(TargetReached(10 ** (-self.target_db / 20)))
            optimizer = NormalizedSteps(self.step_size, "l2", Halving(self.iterations))
            limits = () if value_range is None else (Range(*value_range),)
            return Recipe(parameterization=Raw(), constraints=limits, optimizer=optimizer, stop=tuple(stop), **common)
        if self.target_db is not None:
            stop.append(TargetReached(10 ** (-self.target_db / 10)))
        maker = whitened or Whitened()
        return Recipe(
            parameterization=maker, constraints=(), optimizer=LBFGS(history=_HISTORY), stop=(*stop, _PLATEAU), **common
        )


def make_metamer_recipe(
    model: Model,
    name: str = "default",
    *,
    iterations: int | None = None,
    repeats: int | None = None,
    step_size: float | None = None,
    noise_scale: float | None = None,
    noise_mean: float | None = None,
    loss: str = "inversion_loss_layer",
    target_db: float | None = None,
) -> MetamerRecipe:
    """Fill in what a user leaves out, by the recipe and the kind of stimuli.

    Raises
    ------
    UnknownNameError
        Another recipe or loss.
    InputError
        Numbers out of range; what only the published recipe knows, with the other one.
    """
    if name not in RECIPES:
        raise UnknownNameError("recipe", name, RECIPES)
    if loss not in LOSSES:
        raise UnknownNameError("loss", loss, LOSSES)
    for value, what in ((iterations, "iteration"), (repeats, "repeat")):
        if value is not None:
            check_count(value, what)
    for value, what in ((step_size, "a step size"), (noise_scale, "a noise scale")):
        if value is not None and not 0 < value < math.inf:
            raise InputError(f"{what} above 0", got=str(value))
    low, high = model.input_range or (-1.0, 1.0)
    is_sound = model.modality == "sound"
    mean = (0.0 if is_sound else (low + high) / 2) if noise_mean is None else noise_mean
    if name == "published":
        return MetamerRecipe(
            name, iterations or 3000, repeats or 8, step_size or 1.0,
            noise_scale or (1e-7 if is_sound else 1 / 20), mean, loss, target_db,
        )  # fmt: skip
    if step_size is not None or LOSSES[loss] is not None:
        what = "-Z" if step_size is not None else f"-L {loss}"
        raise InputError(f"--recipe published with {what}", got="the default recipe", hint="--recipe published")
    scale = noise_scale or (_SMALLEST_NOISE_SHARE * (high - low) if is_sound else (high - low) / 20)
    return MetamerRecipe(
        name,
        iterations or _STEPS,
        repeats or 1,
        None,
        scale,
        mean,
        loss,
        _TARGET_DB if target_db is None else target_db,
    )
