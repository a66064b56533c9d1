"""A network that is open for making and measuring metamers."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, final

from beholder.activations import Match, use_exact_math
from beholder.models import Model, run_eagerly
from beholder.synthesis.engine._checkpoint import Checkpoint
from beholder.synthesis.engine._stimulus_format import StimulusFormat
from beholder.synthesis.engine._validate import make_example
from beholder.synthesis.gradients._network import Network, use_threads
from beholder.synthesis.metamers._bench import MetamerResult, MetamerRunner, MetamerTask, list_target_layers
from beholder.synthesis.metamers._measure import OUTPUT, Measured, Measurer, Prediction, gives_answers
from beholder.synthesis.metamers._recipe import MetamerRecipe


@final
@dataclass(frozen=True)
class MetamerWork:
    """What is done to each stimulus; the same in every process.

    Attributes
    ----------
    layers : tuple of str
        Matched layers.
    measured : tuple of str
        Measured layers.
    recipe : MetamerRecipe
    shape : tuple of int
        Of one stimulus.
    intra_threads, n_concurrent_batches : int
        Threads in an operation on the CPU, batches side by side.
    channels_last : bool
        Lay convolution weights out channels-last.
    rule : {"first", "mean", "max", "sum"}
        How a category follows from classes.
    """

    layers: tuple[str, ...]
    measured: tuple[str, ...]
    recipe: MetamerRecipe
    shape: tuple[int, ...]
    intra_threads: int
    n_concurrent_batches: int
    channels_last: bool
    rule: str = "first"


@final
@dataclass(frozen=True, eq=False)
class FinishedMetamer:
    """A metamer with what is known of it.

    Attributes
    ----------
    task : MetamerTask
    made : MetamerResult
    unrounded : Measured
        The metamer as it was made.
    original : Prediction
    decision, rule : str or None
        By which original and metamer are held to be the same; None for networks that give no answers.
    """

    task: MetamerTask
    made: MetamerResult
    unrounded: Measured
    original: Prediction
    decision: str | None
    rule: str | None

    @property
    def loss(self) -> float:
        """‖rep − target‖ / ‖target‖ at the matched layer."""
        match = self.unrounded.matches[self.task.layer]
        return match.norm_noise / match.norm_signal


@final
@dataclass(frozen=True, eq=False)
class MetamerSession:
    """A ready network; see :func:`open_session`."""

    runner: MetamerRunner
    measurer: Measurer
    form: StimulusFormat

    def find_empty(self, tasks: Sequence[MetamerTask]) -> list[bool]:
        """Whether a task's target is zero everywhere, so that there is nothing to match."""
        found = []
        for task in tasks:
            values, _ = self.measurer.look_at_original(task.stimulus_id, task.original)
            found.append(values[task.layer].is_zero)
        return found

    def make(self, tasks: Sequence[MetamerTask], checkpoint: Checkpoint | None = None) -> list[FinishedMetamer]:
        """Make and measure metamers of one layer, in one batch."""
        finished = []
        for task, made in zip(tasks, self.runner.make(tasks, checkpoint), strict=True):
            measured = self.measurer.compare(task.stimulus_id, task.original, made.image)
            _, original = self.measurer.look_at_original(task.stimulus_id, task.original)
            decision, rule = self.measurer.reader.pick(original, task.label, task.says)
            finished.append(FinishedMetamer(task, made, measured, original, decision, rule))
        return finished


@contextlib.contextmanager
def open_session(model: Model, work: MetamerWork) -> Iterator[MetamerSession]:
    """Copy a network a thread, put hooks on the copies, set the threads."""
    target_layer = list_target_layers(model, work.layers)
    example = make_example(model, work.shape)
    answers = gives_answers(model, example)
    names: list[str] = [*work.measured, *([OUTPUT] if answers else [])]
    measured = list(dict.fromkeys(names))
    with (
        run_eagerly(),
        use_exact_math("fp32"),
        use_threads(work.intra_threads) if model.device.type == "cpu" else contextlib.nullcontext(),
        Network(model, target_layer, example, channels_last=work.channels_last) as network,
        Network(model, measured, example, channels_last=work.channels_last) as observed,
    ):
        runner = MetamerRunner(model, network, work.layers, work.recipe, work.shape)
        measurer = Measurer(
            model, observed, work.measured, max(2, work.n_concurrent_batches), answers=answers, rule=work.rule
        )
        try:
            yield MetamerSession(runner, measurer, StimulusFormat.of_model(model, work.shape))
        finally:
            runner.cancel()


def make_rows(finished: FinishedMetamer, saved: Measured | None, model: str, recipe: str) -> list[dict[str, Any]]:
    """Rows of the table of results, one a measured layer.

    Parameters
    ----------
    finished : FinishedMetamer
    saved : Measured or None
        The metamer as read back from its file.
    model, recipe : str
        Names.
    """
    task, made = finished.task, finished.made
    prediction = (finished.unrounded if saved is None else saved).prediction
    said = [each.answers.get(finished.decision or "") for each in (finished.original, prediction)]
    rows = []
    for layer, match in finished.unrounded.matches.items():
        again: Match | None = None if saved is None else saved.matches[layer]
        rows.append(
            {
                "model": model, "stimulus_id": task.stimulus_id, "layer": task.layer, "measured_layer": layer,
                "seed": task.seed, "db_snr": match.db_snr, "db_snr_published": match.db_snr_published,
                "db_snr_saved": None if again is None else again.db_snr,
                "spearman": match.spearman, "pearson": match.pearson,
                "spearman_saved": None if again is None else again.spearman,
                "pearson_saved": None if again is None else again.pearson,
                "percentile": None, "loss": finished.loss, "prediction_original": said[0],
                "prediction_metamer": said[1], "passed": None, "steps": made.steps, "recipe": recipe,
                "decision": finished.decision, "rule": finished.rule,
            }
        )  # fmt: skip
    return rows


def pack_numbers(row: dict[str, Any]) -> dict[str, Any]:
    """A row whose infinities and NaN are words, for JSON."""
    return {key: str(v) if isinstance(v, float) and not math.isfinite(v) else v for key, v in row.items()}


def unpack_numbers(row: dict[str, Any]) -> dict[str, Any]:
    """The inverse of :func:`pack_numbers`."""
    words = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}
    numeric = ("db_snr", "spearman", "pearson", "loss", "norm")
    return {
        key: words[v] if isinstance(v, str) and v in words and key.startswith(numeric) else v for key, v in row.items()
    }
