"""``beholder evaluate battery``: networks on a published experiment, beside the people who took it."""

from __future__ import annotations

from beholder._core.errors import InputError
from beholder.cli._analyze_flags import DrawFlags, ResultFlags, TrialFlags
from beholder.cli._flags import (
    AnswerFlags,
    LongFlags,
    Paths,
    WeightFlags,
    flags,
    look_up,
    refuse_missing,
    refuse_missing_stimuli,
)


@flags
class _AskedFlags(AnswerFlags, DrawFlags):
    texture_pattern: str | None = None
    """A regular expression whose group in a picture's id is the label of its texture; bird3-knife2 tells it itself."""


def battery(
    models: list[str],
    /,
    *,
    stimuli: Paths,
    trials: Paths,
    asked: _AskedFlags = _AskedFlags(),
    weights: WeightFlags = WeightFlags(),
    reading: TrialFlags = TrialFlags(),
    long: LongFlags = LongFlags(),
    output: ResultFlags = ResultFlags(),
) -> None:
    """Ask networks what people were asked: accuracy, shape bias, error consistency with every person.

    Example: beholder evaluate battery squeezenet1_1 --stimuli cue_conflict --trials human/cue-conflict

    Parameters
    ----------
    models
        source:name[@weights] or an alias, one or more.
    stimuli
        Folder or table of pictures, or files, under their own names or as the trials name them.
    trials
        Single answers of people: a folder of tables, tables, or an export.
    """
    names = [look_up(name) for name in models]
    refuse_missing_stimuli(stimuli, "a folder or table of pictures")
    refuse_missing(trials, "answers of people")
    from beholder.analysis import evaluate_battery
    from beholder.models import load_model
    from beholder.stimuli import read_stimuli

    if weights.model_path and len(names) > 1:
        raise InputError("one network with --model_path", got=", ".join(names))
    networks = [load_model(name, seed=asked.weights_seed, **vars(weights)) for name in names]
    output.run(
        "battery", evaluate_battery, networks, read_stimuli(stimuli), trials, out_path=output.out / "answers",
        overwrite=output.overwrite, **vars(asked), **vars(reading), **vars(long),
    )  # fmt: skip
