"""``beholder tasks simulate``: observers take part; and how many participants an effect needs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from beholder._core.errors import InputError
from beholder._core.wording import tell_count
from beholder.cli._options import (
    Device,
    Json,
    ModelPath,
    OptionalModel,
    Pretrained,
    Seed,
    WeightsSeed,
    print_json,
    refuse_infinite,
)
from beholder.cli._units_run import Summary

if TYPE_CHECKING:
    from beholder.experiments import Experiment, Observer, PowerAnalysis

DEFAULT_TRIALS = (10, 20, 40)


def simulate(
    folder: str | None = None,
    /,
    *,
    db: str | None = None,
    participants: Annotated[list[int] | None, Parameter(consume_multiple=True)] = None,
    observer: str = "ideal",
    model_name: OptionalModel = None,
    layer: str | None = None,
    pretrained: Pretrained = False,
    model_path: ModelPath = None,
    weights_seed: WeightsSeed = 42,
    device: Device = "auto",
    browser: bool = False,
    power: bool = False,
    baseline: float = 0.75,
    difference: Annotated[float, Parameter(validator=refuse_infinite)] = 0.1,
    participant_sd: float = 0.07,
    effect_sd: float = 0.05,
    item_sd: float = 0.12,
    design: Literal["within", "between"] = "within",
    items: Literal["shared", "separate"] = "shared",
    n_items: int | None = None,
    trials: Annotated[list[int] | None, Parameter(consume_multiple=True)] = None,
    alpha: float = 0.05,
    target_power: float = 0.8,
    seed: Seed = 42,
    json: Json = False,
) -> None:
    """Have observers take a built experiment over HTTP, as people do; or, with --power, count who is needed.

    Example: beholder tasks simulate exp_data --db answers.sqlite --participants 50 --observer lapse:0.1

    Example: beholder tasks simulate --power --baseline 0.75 --difference 0.08 --trials 20 40

    Parameters
    ----------
    folder
        The folder that tasks build wrote.
    db
        The SQLite file of answers; one of people's is refused.
    participants
        How many there shall be in the file. With --power: numbers for the table.
    observer
        guess, ideal, model, lapse (guesses in a tenth of the trials, is ideal in the others), lapse:RATE or
        lapse:RATE:OBSERVER.
    model_name
        Of the observer model: source:name[@weights] or an alias.
    layer
        Its layer; default the trial's unit (2afc, counterfactual), else its output.
    pretrained
        Download published weights if they are not here.
    model_path
        Read weights from this file or folder instead.
    weights_seed
        Of the weights of a model that ends in @random.
    device
        auto, cpu, cuda, cuda:N or mps.
    browser
        Drive the real pages in Chromium, by Playwright.
    power
        Nothing is simulated in a file; tells how many participants and trials show a difference.
    baseline
        Share of right answers in the first condition.
    difference
        How much higher it is in the second.
    participant_sd
        Standard deviation between participants, in shares of right answers.
    effect_sd
        Standard deviation between participants of their own difference.
    item_sd
        Standard deviation between stimuli.
    design
        Whether each participant takes both conditions.
    items
        Whether both conditions show the same stimuli.
    n_items
        Stimuli in each condition; default as few as the trials need.
    trials
        Trials of a participant in each condition; default 10, 20 and 40, or those of the folder.
    alpha
        Of the two-sided test.
    target_power
        Power wanted.
    seed
        The same seed gives the same answers.
    json
        Print one JSON document: tables participants, simulation; with --power tables power, recommended.
    """
    if power:
        effect = {
            "share_1": baseline, "share_2": baseline + difference, "participant_sd": participant_sd,
            "effect_sd": effect_sd, "item_sd": item_sd, "design": design, "items": items,
        }  # fmt: skip
        options = {"n_items": n_items, "alpha": alpha, "target": target_power, "seed": seed}
        summary = run_power(folder, effect, participants or (), trials, options)
    else:
        model = ModelFlags(model_name, layer, pretrained, model_path, weights_seed, device)
        summary = run_simulate(folder, db, participants, observer, model, browser, seed)
    print_json(summary.tables) if json else print("\n".join(summary.lines))


@dataclass(frozen=True)
class ModelFlags:
    """Which network the observer ``model`` follows."""

    name: str | None
    layer: str | None
    pretrained: bool
    model_path: str | None
    weights_seed: int
    device: str

    def make(self, experiment: Experiment) -> Observer:
        """The observer."""
        from beholder.evaluation import NetworkObserver
        from beholder.models import load_model

        if self.name is None:
            raise InputError("--model_name NAME with --observer model", got="none")
        weights = {"pretrained": self.pretrained, "model_path": self.model_path, "seed": self.weights_seed}
        model = load_model(self.name, device=self.device, **weights)
        return NetworkObserver(model, experiment, self.layer)


def run_simulate(
    folder: str | None,
    db: str | None,
    participants: Sequence[int] | None,
    observer: str,
    model: ModelFlags,
    browser: bool,
    seed: int,
) -> Summary:
    """Simulate participants into a file of answers."""
    from dataclasses import asdict

    from beholder.experiments import parse_observer, read_experiment, simulate_participants

    if folder is None or db is None or participants is None or len(participants) != 1:
        missing = "DIR" if folder is None else "--db FILE" if db is None else "--participants N"
        raise InputError("DIR --db FILE --participants N", got=f"no single {missing}")
    take_part = None
    if browser:
        from beholder.experiments import take_part_in_browser

        take_part = take_part_in_browser
    experiment = read_experiment(folder)
    watcher = parse_observer(observer, experiment, lambda: model.make(experiment))
    made = simulate_participants(experiment, db, participants[0], watcher, seed=seed, take_part=take_part)
    ends = sorted({outcome.end for outcome in made.outcomes}, key=lambda end: (end != "done", end))
    told = ", ".join(f"{made.count(end)} {end.replace('_', ' ')}" for end in ends) or "none was missing"
    n = len(made.outcomes)
    lines = [f"{tell_count(n, 'participant')} ({observer}): {told}"]
    if made.n_before:
        lines[0] += f"; {made.n_before} were there"
    if made.n_answers:
        lines.append(f"{100 * made.n_correct / made.n_answers:.1f} % of {made.n_answers:,} answers right")
    facts = {
        "db": str(made.db), "observer": observer, "n_before": made.n_before, "n_answers": made.n_answers,
        "n_correct": made.n_correct,
    }  # fmt: skip
    return Summary(
        [*lines, str(made.db)],
        {"simulation": [facts], "participants": [asdict(outcome) for outcome in made.outcomes]},
    )


def run_power(
    folder: str | None,
    effect: dict[str, Any],
    participants: Sequence[int],
    trials: Sequence[int] | None,
    options: dict[str, Any],
) -> Summary:
    """Compute power and recommend numbers."""
    from beholder.experiments import Effect, plan_power

    if trials is None:
        trials = DEFAULT_TRIALS if folder is None else _count_trials(folder, effect["design"])
    made = plan_power(Effect(**effect), trials, participants, **options)
    return Summary(
        _describe_power(made), {"power": list(made.table), "recommended": [dict(row) for row in made.recommended]}
    )


def _count_trials(folder: str, design: str) -> tuple[int, ...]:
    """A participant's main trials in each condition, where there are two; a trial that sessions repeat counts once."""
    from beholder.experiments import read_experiment

    experiment = read_experiment(folder)
    sessions, n = experiment.settings.sessions, len(experiment.tasks)
    own = [sum(not trial.is_catch for trial in task.trials) for task in experiment.tasks]
    counts = [sum(own[first : first + sessions.n_parts]) for first in range(0, n, sessions.n)]
    return (max(1, min(counts) // (2 if design == "within" else 1)),)


def _describe_power(made: PowerAnalysis) -> list[str]:
    effect = made.effect
    counts = list(dict.fromkeys(row["n_participants"] for row in made.table))
    trials = list(dict.fromkeys(row["n_trials"] for row in made.table))
    powers = {(row["n_participants"], row["n_trials"]): row["power"] for row in made.table}
    each = "" if effect.design == "within" else " in each group"
    lines = [
        f"{effect.share_1:g} and {effect.share_2:g} right, {effect.design} participants, {effect.items} stimuli; "
        f"SD {effect.participant_sd:g} between participants, {effect.effect_sd:g} of their difference, "
        f"{effect.item_sd:g} between stimuli; alpha {made.alpha:g}",
        "",
        f"{'participants' + each:>24}  " + "".join(f"{f'{k} trials':>12}" for k in trials),
        *(f"{n:>24}  " + "".join(f"{powers[n, k]:>12.2f}" for k in trials) for n in counts),
        "",
    ]
    for row in made.recommended:
        head = f"{tell_count(row['n_trials'], 'trial')} in each condition: "
        if not row["n_participants"]:
            lines.append(f"{head}no number of participants reaches {made.target:g}; more stimuli are needed")
            continue
        drawn = f", {row['power_simulated']:.2f} in {made.n_simulations:,} drawn experiments"
        checked = drawn if row["power_simulated"] is not None else ""
        lines.append(
            f"{head}{tell_count(row['n_participants'], 'participant')}{each} (power {row['power']:.2f}{checked})"
        )
    return lines
