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

    Example: beholder stimuli draw shapes --n_per_category 2
    Example: beholder stimuli grade --grade contrast --levels 0.1 1
    Example: beholder tasks plan --kind recognition -s stimuli/graded/stimuli.csv -nh 4 --set 'choices=[]'
    Example: beholder tasks build
    Example: beholder tasks simulate exp_data --db simulated.db --participants 4 --observer lapse:0.2
    Example: beholder tasks export --db simulated.db
    Example: beholder evaluate battery beholder:shapes --stimuli stimuli/graded/stimuli.csv --trials responses

    Parameters
    ----------
    models
        The networks: aliases or source:name[@weights], as beholder models lists them.
    stimuli
        Folder or table of pictures, or files, under their own names or as the trials name them.
    trials
        Single answers of people: a folder of tables, tables, or an export.
    """
    names = [look_up(name) for name in models]
    refuse_missing(stimuli, "a folder or table of pictures")
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
