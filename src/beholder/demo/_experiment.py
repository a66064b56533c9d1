"""The demo's experiment: planned, built, ready to be opened, and taken by a handful of simulated participants."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beholder._core.errors import ConfigurationChanged
from beholder.demo._words import describe_participants

if TYPE_CHECKING:
    from beholder.experiments import Experiment, ExperimentPlan
    from beholder.models import Model
    from beholder.responses import Responses

logger = logging.getLogger("beholder")

TASKS = "tasks"
N_PARTICIPANTS = 6
LAPSES = 0.1
LAYER = "block5"
SETTINGS = {
    "fullscreen": False, "practice.n_with_feedback": 2, "practice.n_obvious": 2, "practice.n_required": 2,
    "practice.max_blocks": 3, "exclusion.row_choices_min": 1, "exclusion.time_s_min": 30,
}  # fmt: skip
"""What is shorter than in the published experiment, for a task of a few trials."""


def make_demo_experiment(net: Model, stimuli: Path, folder: Path, figures: Path, seed: int) -> int:
    """Ask what drives units as an experiment does: plan, build, simulate, export, draw.

    Parameters
    ----------
    net : Model
        Whose units they are; simulated participants compare pictures at one of its layers.
    stimuli : path
        ``stimuli/{model}`` with exemplars.
    folder : path
        Gets ``plan.json``, the built ``tasks/``, ``simulated.sqlite`` and ``answers/``.
    figures : path
        Gets the picture of what they answered.
    seed : int

    Returns
    -------
    int
        Trials of a task; 0 where there are too few units or pictures for one, and nothing is written.
    """
    from beholder.evaluation import NetworkObserver
    from beholder.experiments import LapseObserver, simulate_participants
    from beholder.responses import export_responses

    plan = _plan(stimuli, folder, seed)
    if plan is None:
        return 0
    db = folder / "simulated.sqlite"
    try:
        experiment = _build(plan, folder, overwrite=False)
        _check(experiment, db)
    except ConfigurationChanged as change:
        logger.info("demo: making anew: %s", change)
        for left in folder.glob("simulated.sqlite*"):
            left.unlink()
        experiment = _build(plan, folder, overwrite=True)
    observer = LapseObserver(LAPSES, NetworkObserver(net, experiment, LAYER))
    simulate_participants(experiment, db, N_PARTICIPANTS, observer, seed=seed)
    made = export_responses(db, folder / "answers")
    _draw(made.responses, net.name, figures)
    return len(plan.tasks[0].trials)


def _plan(stimuli: Path, folder: Path, seed: int) -> ExperimentPlan | None:
    """A task for each of six people in which every unit comes once; None for less than two units or batches."""
    from beholder.experiments import make_settings, plan_choice

    batches = list(stimuli.glob("*/channel_*/natural_images/batch_*"))
    n_units, n_batches = len({path.parent for path in batches}), len({path.name for path in batches}) - 1
    if n_units < 2 or n_batches < 1:
        logger.info("demo: no experiment, for which two units with two batches of exemplars are needed")
        return None
    folder.mkdir(parents=True, exist_ok=True)
    settings = make_settings("zimmermann-2afc", SETTINGS)
    return plan_choice(
        stimuli, folder, n_trials=n_units, n_tasks=N_PARTICIPANTS, n_catch=1, n_batches=n_batches, seed=seed,
        settings=settings,
    )  # fmt: skip


def _build(plan: ExperimentPlan, folder: Path, *, overwrite: bool) -> Experiment:
    from beholder.experiments import build_tasks

    plan.save(folder / "plan.json", overwrite=overwrite)
    return build_tasks(plan, folder / TASKS, overwrite=overwrite)


def _check(experiment: Experiment, db: Path) -> None:
    """Whether earlier simulated answers are to this experiment."""
    from beholder.experiments import open_store

    open_store(experiment, db).close()


def _draw(responses: Responses, model: str, figures: Path) -> None:
    """Right answers unit by unit."""
    from beholder.figures import colors_of_models, plot_accuracy, save_figure

    main: Any = responses.trials[~responses.trials["catch_trial"].astype(bool)]
    counted = main.groupby("unit", sort=True)["correct"].agg(["sum", "size"])
    units = [str(unit).partition("/")[2] for unit in counted.index]
    n_right, n_shown = counted["sum"].astype(int).tolist(), counted["size"].astype(int).tolist()
    ax = plot_accuracy(n_right, n_shown, units, chance=0.5, color=colors_of_models([model])[model])
    ax.set_xlabel(ax.get_xlabel().replace("stimuli each", "participants each"))
    fig = ax.get_figure(root=True)
    assert fig is not None
    record = describe_participants(main["participant"].nunique(), sum(n_right), sum(n_shown), LAYER, LAPSES)
    save_figure(
        fig, figures / "participants", record=record, table={"unit": units, "n_right": n_right, "n_shown": n_shown}
    )
