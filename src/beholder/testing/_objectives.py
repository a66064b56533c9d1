"""What an objective of synthesis has to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from beholder._core.errors import suggest_keywords
from beholder._core.seeds import make_generator
from beholder.testing._expect import expect, explain

if TYPE_CHECKING:
    from torch import nn

    from beholder.models import Model
    from beholder.synthesis import Objective

_MODEL = "beholder:shapes"


@suggest_keywords
def check_objective(
    objective: Objective,
    model: Model | nn.Module | None = None,
    *,
    input_shape: tuple[int, ...] | None = None,
    relates_images: bool = False,
    device: str = "cpu",
) -> None:
    """Check an objective: a finite score an image, of that image alone, whose gradient reaches the image.

    Parameters
    ----------
    objective : Objective
    model : Model or nn.Module, optional
        The observer that its layers are in. Default: ``beholder:shapes``, with the layers ``block1`` to ``block5``,
        ``classifier`` and ``output``.
    input_shape : tuple of int, optional
        Of one stimulus, for a model that takes any.
    relates_images : bool
        Its scores relate the images of one problem to each other, as those of ``Diversity`` do.
    device : str
        Where it is to run: ``"cuda"`` finds tensors that were left on the CPU.

    Raises
    ------
    AssertionError
        Scores are not one finite number an image; an image's score depends on the others of its problem, or on other
        problems; no gradient reaches an image; a step of the optimiser leaves the image as it is.

    Examples
    --------
    >>> from beholder.synthesis import Channel
    >>> check_objective(Channel("block3", 5))
    """
    from beholder.models import as_model, load_model
    from beholder.synthesis import Objective, Problem, Raw, score_images, synthesize

    name = type(objective).__name__
    expect(isinstance(objective, Objective), "a beholder.synthesis.Objective", got=name)
    layers = objective.layers
    expect(
        isinstance(layers, tuple) and all(isinstance(layer, str) for layer in layers),
        f"layers of {name} as a tuple of names", got=repr(layers), hint="('block3',)",
    )  # fmt: skip
    observer = load_model(_MODEL, device="cpu") if model is None else as_model(model)
    observer = observer.to(device)
    images = _draw_images(observer.input_shape or input_shape or (3, 64, 64), observer.input_range)

    def start(chosen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scores of a problem's images before the first step, and the images after two."""
        problem = Problem(objective, n_images=len(chosen), start=chosen)
        made = synthesize(
            observer, problem, parameterization=Raw(), transforms=(), steps=2, redirect_steps=0,
            input_shape=chosen.shape[1:],
        )  # fmt: skip
        return -np.asarray(made.losses, dtype=np.float64).reshape(len(chosen), -1)[:, 0], np.asarray(made.images)

    with explain(f"{name} to score images and to pass its gradient to them", hint="torch functions, no detach or item"):
        scores, moved = start(images)
        alone = np.concatenate([start(image[None])[0] for image in images])
        several = score_images(observer, objective, images)
        single = np.concatenate([score_images(observer, objective, image[None]) for image in images])
    expect(bool(np.isfinite(scores).all()), f"finite scores from {name}", got=_tell(scores))
    still = [i for i in range(len(images)) if np.array_equal(moved[i], images[i])]
    expect(not still, f"the gradient of {name} to reach each image", got=f"none at image {still[:1]}")
    expect(bool(np.isfinite(moved).all()), f"finite gradients from {name}", got="others")
    expect(
        _agree(several, single), f"{name} to score an image alike whatever other problems are in the batch",
        got=f"{_tell(several)} and {_tell(single)} alone", hint="no state on self, no sums over the batch",
    )  # fmt: skip
    if not relates_images:
        expect(
            _agree(scores, alone), f"image i's score of {name} from image i alone",
            got=f"{_tell(scores)} together and {_tell(alone)} alone",
            hint="means over the axes behind the first; relates_images=True where images are meant to be compared",
        )  # fmt: skip


def _draw_images(shape: tuple[int, ...], bounds: tuple[float, float] | None) -> np.ndarray:
    """Two unlike stimuli in the middle of the range."""
    low, high = bounds or (0.0, 1.0)
    middle, width = (low + high) / 2, (high - low) / 2
    draws = make_generator(0, "testing objective").uniform(-0.9, 0.9, (2, *shape))
    draws[1] *= 0.5
    return (middle + width * draws).astype(np.float32)


def _agree(some: np.ndarray, others: np.ndarray) -> bool:
    return bool(np.allclose(some, others, rtol=1e-3, atol=1e-4 * float(np.abs(others).max(initial=1e-6))))


def _tell(scores: np.ndarray) -> str:
    return ", ".join(f"{score:.6g}" for score in scores)
