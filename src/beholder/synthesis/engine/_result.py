"""What came out: images, scores, and how the losses fell."""

from __future__ import annotations

import html
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

import numpy as np

from beholder._core.errors import suggest_keywords
from beholder._core.files import explain_read_errors, open_atomic
from beholder._core.wording import format_count, format_number
from beholder.stimuli import embed_player, embed_thumbnail
from beholder.synthesis.engine._save_stimuli import save_stimuli, to_picture

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

_SHOWN, _SIDE = 16, 160
_ARRAYS = ("images", "problems", "scores", "losses", "steps")


@final
@dataclass(frozen=True, repr=False, eq=False)
class Synthesis:
    """Stimuli made to order.

    Attributes
    ----------
    images : ndarray, (n_images, *input_shape), float32
        As ``model.prepare`` gives stimuli, in ``model.input_range``.
    problems : ndarray, (n_images,), int
        Which problem each image belongs to.
    scores : ndarray, (n_images,), float32
        The objective on the finished image, without augmentation.
    losses : ndarray, (n_images, n_steps), float32
        Minus the objective at each step, as the augmented image had it; NaN after a problem's end.
    steps : ndarray, (n_problems,), int
        Steps that each problem took.
    stopped_by : tuple of str
        Why each problem ended: ``"steps"``, the name of a stopping rule, or ``"not finite"``.
    batches : tuple of tuple of int
        Problems that shared a batch.
    settings : dict
        Everything that decided the result, JSON-able.
    transparency : ndarray or None, (n_images, *input_shape), float32
        Sum over the steps of the gradient's size at each value, if asked for.
    """

    images: np.ndarray
    problems: np.ndarray
    scores: np.ndarray
    losses: np.ndarray
    steps: np.ndarray
    stopped_by: tuple[str, ...]
    batches: tuple[tuple[int, ...], ...]
    settings: dict[str, Any]
    transparency: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        shape = "×".join(str(size) for size in self.images.shape[1:])
        best = float(np.nanmax(self.scores)) if len(self) and not np.isnan(self.scores).all() else float("nan")
        n_images, n_problems = format_count(len(self), "image"), format_count(len(self.steps), "problem")
        return f"Synthesis({n_images} {shape}, {n_problems}, best score {format_number(best)})"

    def _repr_html_(self) -> str:
        """The first images, with their scores."""
        if (rate := _find_rate(self.settings)) is not None:
            told = zip(self.images[:_SHOWN], self.scores, strict=False)
            players = "".join(embed_player(sound, f"{score:.4g}", sample_rate=rate) for sound, score in told)
            return f"<p>{html.escape(repr(self))}</p>{players}"
        pictures = [to_picture(image) for image in self.images[:_SHOWN]]
        cells = "".join(
            "<figure style='margin:0 8px 8px 0;display:inline-block;font-size:11px'>"
            f"{embed_thumbnail(picture, side=_SIDE)}<figcaption>{format_number(score)}</figcaption></figure>"
            for picture, score in zip(pictures, self.scores, strict=False)
            if picture is not None
        )
        return f"<p>{html.escape(repr(self))}</p>{cells}"

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the images, a row a problem, with their scores.

        Parameters
        ----------
        ax : matplotlib Axes, optional
        """
        from beholder.figures import plot_stimulus_rows

        problems = [int(i) for i in np.unique(self.problems)]
        rows = {str(i): list(self.find_images(i)) for i in problems}
        captions = {str(i): [format_number(score) for score in self.scores[self.problems == i]] for i in problems}
        return plot_stimulus_rows(rows, ax, captions=captions)

    def show(self) -> None:
        """Show what :meth:`plot` draws: below the cell of a notebook, in a window from a script."""
        from beholder.figures import show_figure

        show_figure(self.plot)

    def find_images(self, problem: int) -> np.ndarray:
        """Images of one problem, (n_images, *input_shape)."""
        return self.images[self.problems == problem]

    def to_pandas(self) -> pd.DataFrame:
        """A row an image: ``problem, score, loss, steps, stopped_by``; ``loss`` is the last one recorded."""
        import pandas as pd

        last = [row[~np.isnan(row)][-1] if not np.isnan(row).all() else np.nan for row in self.losses]
        return pd.DataFrame(
            {
                "problem": self.problems,
                "score": self.scores,
                "loss": np.asarray(last, dtype=np.float32),
                "steps": self.steps[self.problems],
                "stopped_by": [self.stopped_by[i] for i in self.problems],
            }
        )

    def save(self, path: Path | str) -> list[Path]:
        """Write the images as pictures, the sounds as sounds, or everything to one ``.npz``, by the ending.

        Parameters
        ----------
        path : path
            ``.png .jpg .jpeg .webp`` for pictures, ``.wav .flac`` for sounds; several are numbered, ``vis_0.png``,
            ``vis_1.png``, … in the order of :attr:`images`. ``.npz`` for :func:`load_synthesis`, with scores, losses
            and settings.

        Returns
        -------
        list of Path
            The files.

        Raises
        ------
        InputError
            Another ending, or one that does not go with what was made.
        """
        path = Path(path)
        if path.suffix.lower() != ".npz":
            return save_stimuli(path, self.images, _find_rate(self.settings))
        arrays: dict[str, np.ndarray] = {name: getattr(self, name) for name in _ARRAYS}
        if self.transparency is not None:
            arrays["transparency"] = self.transparency
        rest = {"stopped_by": self.stopped_by, "batches": self.batches, "settings": self.settings}
        arrays["description"] = np.array(json.dumps(rest, sort_keys=True))
        with open_atomic(path, "wb") as file:
            np.savez(file, **arrays)  # pyright: ignore[reportArgumentType]
        return [path]


def _find_rate(settings: dict[str, Any]) -> int | None:
    """Samples per second of sounds, as the settings tell of the network's preprocessing; None for pictures."""
    preprocessing = settings.get("model", {}).get("preprocessing", {})
    rate = preprocessing.get("rate", preprocessing.get("base", {}).get("rate"))
    return None if rate is None else int(rate)


@suggest_keywords
def load_synthesis(path: Path | str) -> Synthesis:
    """Read what :meth:`Synthesis.save` wrote."""
    with explain_read_errors(path, "a file that Synthesis.save wrote"):
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        rest = json.loads(str(arrays.pop("description")))
        return Synthesis(
            **arrays,
            stopped_by=tuple(rest["stopped_by"]),
            batches=tuple(tuple(batch) for batch in rest["batches"]),
            settings=rest["settings"],
        )
