"""``beholder tasks simulate``: observers take part; and how many participants an effect needs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from beholder._core.errors import InputError
from beholder._core.wording import format_count, format_share
from beholder.cli._flags import ModelName, OutputFlags, Seed, WeightFlags, WeightsSeed, flags, look_up
from beholder.cli._numbers import refuse_infinite

if TYPE_CHECKING:
    from beholder.experiments import Experiment, Observer, Simulation

DEFAULT_TRIALS = (10, 20, 40)


@flags
class ObserverFlags(WeightFlags):
    """Who takes part."""

    observer: str = "ideal"
    """guess, ideal, model, lapse (guesses in a tenth of the trials, is ideal in the others), lapse:RATE or
    lapse:RATE:OBSERVER."""
    model_name: ModelName = None
    """The network of --observer model: an alias or source:name[@weights], as beholder models lists them."""
    layer: str | None = None
    """The layer by which the observer model answers; default that of the trial's unit (2afc, counterfactual), else its
    output."""
    temperature: float | None = None
    """How the observer model chooses between two alternatives: drawn by the softmax of the evidence for each, over
    this; default the one with more."""
    weights_seed: WeightsSeed = 42
    """Seed of the weights of a network whose name ends in @random."""

    def describe(self) -> str:
        """The observer in words."""
        more = [self.model_name, self.layer, None if self.temperature is None else f"temperature {self.temperature:g}"]
        return " ".join([self.observer, *(each for each in more if each)])

    def make(self, experiment: Experiment) -> Observer:
        """The observer."""
        from beholder.experiments import parse_observer

        return parse_observer(self.observer, experiment, lambda: self.make_model(experiment))

    def make_model(self, experiment: Experiment) -> Observer:
        """The network as an observer."""
        if self.model_name is None:
            raise InputError("--model_name NAME with --observer model", got="none")
        look_up(self.model_name)
        from beholder.evaluation import NetworkObserver
        from beholder.models import load_model

        weights = {"pretrained": self.pretrained, "model_path": self.model_path, "seed": self.weights_seed}
        model = load_model(self.model_name, device=self.device, **weights)
        return NetworkObserver(model, experiment, self.layer, self.temperature)


@flags
class _EffectFlags:
    baseline: float = 0.75
    """Proportion of right answers in the first condition."""
    difference: Annotated[float, Parameter(validator=refuse_infinite)] = 0.1
    """How much higher it is in the second."""
    participant_sd: float = 0.07
    """Standard deviation between participants, as a proportion of right answers."""
    effect_sd: float = 0.05
    """Standard deviation between participants of their own difference."""
    item_sd: float = 0.12
    """Standard deviation between stimuli."""
    design: Literal["within", "between"] = "within"
    """Whether each participant takes both conditions."""
    items: Literal["shared", "separate"] = "shared"
    """Whether both conditions show the same stimuli."""


@flags
class _PowerFlags:
    n_items: int | None = None
    """Stimuli in each condition; default as few as the trials need."""
    trials: Annotated[list[int] | None, Parameter(consume_multiple=True)] = None
    """Trials of a participant in each condition; default 10, 20 and 40, or those of the folder."""
    alpha: float = 0.05
    """Significance level of the two-sided test."""
    target_power: float = 0.8
    """The power that is wanted."""


def simulate(
    folder: str | None = None,
    /,
    *,
    db: str | None = None,
    participants: Annotated[list[int] | None, Parameter(consume_multiple=True)] = None,
    observer: ObserverFlags = ObserverFlags(),
    browser: bool = False,
    power: bool = False,
    effect: _EffectFlags = _EffectFlags(),
    asked: _PowerFlags = _PowerFlags(),
    seed: Seed = 42,
    output: OutputFlags = OutputFlags(),
) -> None:
    """Have observers take a built experiment over HTTP, as people do; or, with --power, tell how many are needed.

    Example: beholder stimuli draw shapes --n_per_category 2
    Example: beholder tasks plan --kind recognition -s images/ -nh 4 --set 'choices=[]'
    Example: beholder tasks build
    Example: beholder tasks simulate exp_data --db simulated.db --participants 4 --observer lapse:0.1
    Example: beholder tasks simulate --power --baseline 0.75 --difference 0.08 --trials 20 40

    Parameters
    ----------
    folder
        The folder that tasks build wrote.
    db
        The file of answers (SQLite), made if it is not there; one with answers of people is refused.
    participants
        How many participants there shall be in the file. With --power: numbers for the table.
    browser
        Drive the real pages in Chromium, by Playwright.
    power
        Only tell how many participants and trials show a difference; no experiment is taken.
    seed
        Seed of the answers: the same seed gives the same ones.
    output.json
        Print one JSON document: tables participants, simulation; with --power tables power, recommended.
    """
    from beholder.experiments import read_experiment, simulate_participants, take_part_in_browser

    if power:
        return _print_power(folder, effect, participants, asked, seed, output)
    if folder is None or db is None or participants is None or len(participants) != 1:
        missing = "DIR" if folder is None else "--db FILE" if db is None else "--participants N"
        raise InputError("DIR --db FILE --participants N", got=f"no single {missing}")
    take_part = take_part_in_browser if browser else None
    experiment = read_experiment(folder)
    watcher = observer.make(experiment)
    if observer.temperature is not None and not observer.observer.endswith("model"):
        raise InputError("--observer model with --temperature", got=f"--observer {observer.observer}")
    made = simulate_participants(experiment, db, participants[0], watcher, seed=seed, take_part=take_part)
    facts = {
        "db": str(made.db), "observer": observer.observer, "model": observer.model_name, "layer": observer.layer,
        "temperature": observer.temperature, "n_before": made.n_before, "n_answers": made.n_answers,
        "n_correct": made.n_correct,
    }  # fmt: skip
    tables = {"simulation": [facts], "participants": [asdict(outcome) for outcome in made.outcomes]}
    return output.print(_describe(made, observer.describe()), tables)


def _describe(made: Simulation, observer: str) -> Iterator[str]:
    ends = sorted({outcome.end for outcome in made.outcomes}, key=lambda end: (end != "done", end))
    told = ", ".join(f"{made.count(end)} {end.replace('_', ' ')}" for end in ends) or "none was missing"
    before = f"; {made.n_before} were there" if made.n_before else ""
    yield f"{format_count(len(made.outcomes), 'participant')} ({observer}): {told}{before}"
    if made.n_answers:
        yield f"{format_share(made.n_correct / made.n_answers)} of {format_count(made.n_answers, 'answer')} right"
    yield str(made.db)


def _print_power(
    folder: str | None,
    asked: _EffectFlags,
    participants: Sequence[int] | None,
    flags: _PowerFlags,
    seed: int,
    output: OutputFlags,
) -> None:
    """Compute power and recommend numbers."""
    from beholder.experiments import Effect, plan_power

    given = {name: value for name, value in vars(asked).items() if name not in ("baseline", "difference")}
    effect = Effect(proportion_1=asked.baseline, proportion_2=asked.baseline + asked.difference, **given)
    trials = flags.trials
    if trials is None:
        trials = DEFAULT_TRIALS if folder is None else _count_trials(folder, asked.design)
    made = plan_power(
        effect, trials, participants or (), n_items=flags.n_items, alpha=flags.alpha, target=flags.target_power,
        seed=seed,
    )  # fmt: skip
    tables = {"power": made.table, "recommended": map(dict, made.recommended)}
    output.print(made.to_lines(), tables)


def _count_trials(folder: str, design: str) -> tuple[int, ...]:
    """A participant's main trials in each condition, where there are two; a trial that sessions repeat counts once."""
    from beholder.experiments import read_experiment

    experiment = read_experiment(folder)
    sessions, n = experiment.settings.sessions, len(experiment.tasks)
    own = [sum(not trial.is_catch for trial in task.trials) for task in experiment.tasks]
    counts = [sum(own[first : first + sessions.n_parts]) for first in range(0, n, sessions.n)]
    return (max(1, min(counts) // (2 if design == "within" else 1)),)
