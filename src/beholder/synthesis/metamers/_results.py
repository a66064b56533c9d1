"""The table of results: rows of metamers, put together from receipts, with verdicts by a null distribution."""

from __future__ import annotations

import logging
import math
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from beholder._core.errors import OutputBusy
from beholder._core.files import to_path_name
from beholder._core.progress import logger
from beholder._core.provenance import find_network
from beholder.activations import Match
from beholder.jobs import JobFolder, Plan, open_output
from beholder.models import Model, find_model_words
from beholder.stimuli import (
    METAMER_COLUMNS,
    NullSet,
    fill_verdicts,
    format_passed,
    is_metamer_set,
    is_null_set,
    make_metamer_table,
    write_metamer_table,
)
from beholder.synthesis.metamers._maker import FinishedMetamer
from beholder.synthesis.metamers._measure import Measured
from beholder.synthesis.metamers._plan import FORMAT, Layout, find_null_jobs, get_job_folder

RESULTS = "results.parquet"
NULL_FOLDER, METAMERS_FOLDER = "null_dist", "metamers"


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


def assemble_results(output: Path, folder: JobFolder, null: Path) -> Any:
    """Write ``results.parquet`` from the receipts, with verdicts where there is a null; returns the table."""
    settings = folder.read_settings()
    layout = Layout.read(folder)
    rows: list[dict[str, Any]] = []
    if settings is not None:
        plan_hash = Plan("", settings, ()).hash
        for receipt in folder.iter_receipts():
            if receipt["settings"] == plan_hash:
                rows += [unpack_numbers(row) for each in receipt["facts"]["metamers"] for row in each["rows"]]
    orders = [
        {name: i for i, name in enumerate(each)}
        for each in (layout.layers, layout.stimuli, layout.seeds, layout.measured)
    ]
    names = ("layer", "stimulus_id", "seed", "measured_layer")
    rows = [row for row in rows if all(row[name] in order for name, order in zip(names, orders, strict=True))]
    rows.sort(key=lambda row: tuple(order[row[name]] for name, order in zip(names, orders, strict=True)))
    table = make_metamer_table({name: [row.get(name) for row in rows] for name in METAMER_COLUMNS})
    with find_null_jobs(null).take_turn():
        found = open_null(null, find_network(settings))
        if found is not None:
            wanted = [layer for layer in dict.fromkeys(table["measured_layer"]) if layer in found]
            table = fill_verdicts(table, {layer: found[layer] for layer in wanted})
    with folder.seal(RESULTS):
        write_metamer_table(output / RESULTS, table)
    return table


def open_null(null: Path, network: str | None) -> NullSet | None:
    """The null distribution in a folder, if there is one and the metamers' own network gave it; else a word why not."""
    if not is_null_set(null):
        return None
    found = NullSet(null)
    if found.network is not None and found.network == network:
        return found
    if found.network is None or network is None:
        why = "does not say by content which network it was measured with, as this version does"
    else:
        why = "is of a network with other weights, code or hooks than the one that made the metamers"
    logger.warning(
        "no verdicts: the null distribution %s %s; `beholder metamers null --overwrite` measures it anew", null, why
    )
    return None


def log_verdicts(table: Any, null: Path, model: Model, output: Path) -> None:
    """Say how many pass, or which command fills it in."""
    own = table[table["layer"] == table["measured_layer"]]
    missing = list(dict.fromkeys(own[own["passed"].isna()]["layer"]))
    known = own[own["passed"].notna()]
    if len(known):
        logger.info("%s metamers pass (null: %s)", format_passed(known), null)
    if missing and logger.isEnabledFor(logging.INFO):  # the command is looked for in the catalog
        logger.info(
            "no null distribution yet for %s, so `percentile` and `passed` are empty; `%s` fills them in",
            ", ".join(missing[:4]), name_null_command(model, missing[:4], null.parent, output.parent),
        )  # fmt: skip


def name_null_command(model: Model, layers: Sequence[str], null: Path, metamers: Path) -> str:
    """What to type for a null distribution, at the command line or, for a model that no name gives, in Python.

    Parameters
    ----------
    model : Model
    layers : sequence of str
    null, metamers : path
        Folders of all models' null distributions and metamers.
    """
    words = find_model_words(model)
    if words is None:
        places = f"out_path={str(null)!r}, metamers_path={str(metamers)!r}"
        return f"null_distribution(model, stimuli, {list(layers)}, {places})"
    command, folder = ["beholder", "metamers", "null"], Path()
    if model.spec is not None and model.spec.source == "file" and Path(model.spec.model).name == "build_network.py":
        folder = Path(model.spec.model).parent
        command += ["-D", str(folder), *words[1:]]
    else:
        command += [words[0], "FOLDER", *words[1:], "--layers", *layers]
    for flag, place, usual in (("--out_path", null, NULL_FOLDER), ("--metamers_path", metamers, METAMERS_FOLDER)):
        if place.resolve() != (folder / usual).resolve():
            command += [flag, str(place.resolve() if folder != Path() else place)]
    return shlex.join(command)


def are_of(metamers: Path, model: Model, network: str | None) -> bool:
    """Whether a folder holds metamers of a network, and not of one that is called ``{model}_I100_N4`` itself."""
    if not is_metamer_set(metamers):
        return False
    settings = get_job_folder(metamers).read_settings()
    if settings is None:
        return metamers.name == to_path_name(model.path_name)
    return settings["model"]["name"] == model.name or find_network(settings) == network


def _log_none(metamers: Path, model: Model) -> None:
    """Say where no metamers were found, in Python as at the command line: they may lie elsewhere."""
    logger.warning(
        "no metamers of %s at %s yet: they are judged as they are made; `metamers_path` names another folder of all "
        "models' metamers", model.name, metamers,
    )  # fmt: skip


def renew_verdicts(metamers: Path, null: Path, model: Model) -> None:
    """Fill percentiles and verdicts of a model's metamers in place, and say so."""
    if not is_metamer_set(metamers):
        _log_none(metamers, model)
        return
    folder = get_job_folder(metamers)
    settings = folder.read_settings()
    if settings is None:
        logger.warning("%s has no job folder beside it, so its verdicts are left as they are", metamers)
        return
    if settings["format"] != FORMAT:
        logger.warning(
            "%s was made by another version, so its verdicts are left as they are; `beholder metamers make` with "
            "--overwrite makes it anew", metamers,
        )  # fmt: skip
        return
    try:
        with open_output(folder, shared=True):
            table = assemble_results(metamers, folder, null)
    except OutputBusy:
        logger.info("%s is being written to; that run fills in its verdicts", metamers)
        return
    if table["passed"].notna().any():
        logger.info("percentiles and verdicts filled in: %s", metamers / RESULTS)
    elif not len(table):
        _log_none(metamers, model)
    assert list(table.columns) == list(METAMER_COLUMNS)
    log_verdicts(table, null, model, metamers)
