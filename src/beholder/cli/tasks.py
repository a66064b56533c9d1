"""``beholder tasks``: experiments with people, from the plan to the data."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from beholder.cli._options import Json, Seed, make_app, print_json
from beholder.cli._tasks_serve import backup, export, forget, import_, serve, status, upgrade
from beholder.cli._tasks_simulate import simulate

app = make_app("tasks", "Experiments: plan and build tasks, run them in a browser, simulate participants, get data.")
for _command in (serve, simulate, export, status, backup, upgrade, forget):
    app.command(_command)
app.command(import_, name="import")

Kinds = Literal["2afc", "counterfactual", "recognition", "words", "same_different", "odd_one_out", "similarity"]
Count = int | None


@app.command
def plan(
    *,
    source: Annotated[list[str] | None, Parameter(name=["-s", "--source"], consume_multiple=True)] = None,
    out: Annotated[str, Parameter(name=["-o", "--out"])] = "plan.json",
    kind: Kinds | None = None,
    preset: str | None = None,
    n_trials: Annotated[Count, Parameter(name=["-nt", "--n-trials"])] = None,
    n_tasks: Annotated[Count, Parameter(name=["-nh", "--n-tasks"])] = None,
    n_catch: Annotated[Count, Parameter(name=["-nc", "--n-catch"])] = None,
    n_batches: Annotated[Count, Parameter(name=["-nb", "--n-batches"])] = None,
    mode: Annotated[str | None, Parameter(name=["-m", "--mode", "--model-name"])] = None,
    images: Annotated[Literal["natural", "optimized"] | None, Parameter(name=["-c", "--images"])] = None,
    scheme: Literal["document", "released"] | None = None,
    n_units: Annotated[Count, Parameter(name=["-upm", "--n-units"])] = None,
    min_batch: Annotated[Count, Parameter(name=["-minb", "--min-batch"])] = None,
    max_batch: Annotated[Count, Parameter(name=["-maxb", "--max-batch"])] = None,
    catch_source: Annotated[str | None, Parameter(name=["-sc", "--catch-source"])] = None,
    extra_name: str = "",
    practice: str | None = None,
    layers: Annotated[list[str] | None, Parameter(name=["--layers", "-mn"], consume_multiple=True)] = None,
    levels: Annotated[Literal["constant", "adaptive"], Parameter(name="--levels")] = "constant",
    keep_failed: bool = False,
    set_: Annotated[list[str] | None, Parameter(name="--set", consume_multiple=True)] = None,
    texts: str | None = None,
    seed: Seed = 42,
    overwrite: bool = False,
    json: Json = False,
) -> None:
    """Plan an experiment: which participant is shown what, in which order.

    Example: beholder tasks plan -nt 20 -nb 10 -nc 3 -nh 50 -s stimuli/resnet50-l2 -o l2_robust.json -m natural

    Example: beholder tasks plan --kind recognition -s metamers/squeezenet1_1 -nh 20 -o metamers.json

    Parameters
    ----------
    source
        Folder of stimuli: stimuli/{model}; metamers/{model}, one or more; a folder or table of labelled stimuli.
    out
        The plan to write; its paths lead from there.
    kind
        Kind of task; default that of --preset, or 2afc.
    preset
        Timings, counts and rules; default the one of the kind.
    n_trials
        Main trials a task; default 40 or all units, of other kinds all.
    n_tasks
        Tasks, one a participant; default 63 or the nearest that fits, of other kinds as many as balance the design.
    n_catch
        Catch trials a task.
    n_batches
        Batches of exemplars used, 1 to this; they were made with --num_batches one higher.
    mode
        natural or optimized references; or, beside -c, the name of the model whose folder lies in -s.
    images
        natural or optimized references.
    scheme
        document: a batch a task, catch trials of batch 0; released: batches by showing, catch trials of -sc.
    n_units
        Units to use, drawn from those in the folder; default all.
    min_batch, max_batch
        First and last batch in use.
    catch_source
        Stimuli for catch trials: easy units, icons, clear words.
    extra_name
        Exemplars lie in {model}_{extra_name}, visualisations in {model}.
    practice
        Stimuli for practice.
    layers
        Of metamers: only those of these layers.
    levels
        Of graded stimuli: each level a condition, or chosen from the answers.
    keep_failed
        Show metamers that did not pass too; default their originals in their place.
    set_
        name=value: other values for settings of the preset.
    texts
        File with texts of the pages in another language or other words.
    seed
        Decides everything random.
    overwrite
        Replace another plan.
    json
        Print one JSON document: tables tasks, files.
    """
    from beholder.cli._tasks_plan import PlanFlags, run_plan

    flags = PlanFlags(
        sources=tuple(source or ()), out=out, kind=kind, preset=preset, n_trials=n_trials, n_tasks=n_tasks,
        n_catch=n_catch, n_batches=n_batches, mode=mode, images=images, scheme=scheme, n_units=n_units,
        min_batch=min_batch, max_batch=max_batch, catch_source=catch_source, extra_name=extra_name, practice=practice,
        layers=tuple(layers) if layers else None, adaptive=levels == "adaptive", keep_failed=keep_failed,
        changes=tuple(set_ or ()), texts=texts, seed=seed,
        overwrite=overwrite,
    )  # fmt: skip
    summary = run_plan(flags)
    print_json(summary.tables) if json else print("\n".join(summary.lines))


@app.command
def build(
    *,
    target: Annotated[str, Parameter(name=["-t", "--target"])] = "exp_data",
    plan_file: Annotated[str, Parameter(name=["-i", "--plan"])] = "plan.json",
    n_references: Annotated[Count, Parameter(name=["-nr", "--n-references"])] = None,
    static: bool = False,
    overwrite: bool = False,
    json: Json = False,
) -> None:
    """Write the folders of a plan's tasks, with all that is shown. Interrupted, it goes on.

    Example: beholder tasks build -t exp_data -i l2_robust.json -nr 9

    Parameters
    ----------
    target
        Folder of the experiment.
    plan_file
        The plan.
    n_references
        References on each side, the strongest ones; default as the plan says.
    static
        Also write each task as one page without a server, for MTurk or JATOS. The weaker form: answers reach the
        browser.
    overwrite
        Replace tasks of another plan.
    json
        Print one JSON document: table experiment; with --static table pages.
    """
    from beholder.cli._tasks_plan import run_build

    summary = run_build(target, plan_file, n_references, overwrite, static=static)
    print_json(summary.tables) if json else print("\n".join(summary.lines))
