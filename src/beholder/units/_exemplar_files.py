"""Writing exemplars: planning, checking what is there, one shard of work a unit."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

from beholder._core.cores import count_cores
from beholder._core.errors import InputError, suggest_keywords
from beholder._core.files import check_output_folder, explain_write_errors, to_path_name
from beholder._core.provenance import FILE_NAME, find_network, refuse_other_network
from beholder._core.wording import format_count
from beholder.activations import Activations
from beholder.jobs import JobFolder, Plan, long_work, open_output, place_output
from beholder.models import Model, check_folder_names, collect_stimuli
from beholder.stimuli import StimulusSet
from beholder.units._exemplar_worker import (
    FOLDER,
    ExemplarWorker,
    check_unchanged,
    make_distributions,
    make_tables,
    plan_exemplar_shards,
)
from beholder.units._exemplars import Exemplars
from beholder.units._recorded import find_stimuli, hash_source, read_recorded_preprocessing

FORMAT = "beholder-exemplars-3"


@suggest_keywords
@long_work
def write_exemplars(
    exemplars: Exemplars,
    out_path: Path | str = "stimuli",
    *,
    stimuli: StimulusSet | Path | str | Any = None,
    model: Model | None = None,
    extra_name: str = "",
    workers: int = 1,
    threads: int | None = None,
    overwrite: bool = False,
    cluster: str | None = None,
    mixed: bool = False,
    dry_run: bool = False,
) -> Path:
    """Write exemplars as ``{model}/{layer}/channel_{c}/natural_images/batch_{b}/{min,max}_{0..9}.png``.

    Pictures are as the model sees them before normalisation; sounds are written as ``.wav``. Each
    ``natural_images`` has a ``manifest.csv``, and a ``distribution.json`` with the unit's exact name and the histogram
    of its activations. Interrupted at any moment, the same call completes the folder to the
    same bytes; more units may be added later.

    Parameters
    ----------
    exemplars : Exemplars
        From :func:`beholder.find_exemplars`.
    out_path : path
        Folder for all models' stimuli.
    stimuli : StimulusSet, or whatever holds stimuli, optional
        The stimuli that were recorded, or the folder where they lie now; default: where the recording found them.
    model : Model, optional
        Whose preparation is used; default: as the recording describes it.
    extra_name : str
        The model's folder is ``{model}_{extra_name}``: for exemplars of several difficulties.
    workers : int
        Processes; does not change a byte.
    threads : int, optional
        Cores to use; default all.
    overwrite : bool
        Replace exemplars that were made otherwise.
    cluster, mixed, dry_run
        As for :func:`beholder.extract`.

    Returns
    -------
    Path
        The model's folder.

    Raises
    ------
    InputError
        The stimuli cannot be found.
    StimulusError
        A stimulus cannot be read, or has changed since it was recorded.
    ConfigurationChanged
        The folder holds exemplars that were made with other settings.

    Examples
    --------
    >>> import beholder as bh
    >>> acts = bh.record_units("beholder:shapes", "images", ["block3:5", "block3:7"], device="cpu")
    >>> best = bh.find_exemplars(acts, ["block3:5"], num_batches=1)
    >>> bh.write_exemplars(best, "exemplars").as_posix()
    'exemplars/shapes'
    """
    check_output_folder(out_path)
    acts = exemplars.acts
    preprocessing = model.preprocessing if model is not None else read_recorded_preprocessing(acts)
    if stimuli is None or (isinstance(stimuli, str | Path) and Path(stimuli).is_dir()):
        found = find_stimuli(acts, preprocessing, None if stimuli is None else Path(stimuli))
    else:
        found = collect_stimuli(preprocessing, stimuli)
    _check_ids(acts, found)
    check_folder_names(exemplars.units)
    name = to_path_name(str(acts.attributes.get("path_name") or acts.path.name.partition(".")[0]))
    output = Path(out_path) / (f"{name}_{to_path_name(extra_name)}" if extra_name else name)
    output = place_output(output, output / FILE_NAME)
    folder = JobFolder(output.parent / f".{output.name}.exemplars.jobs", output)
    settings = {
        "format": FORMAT,
        "source": hash_source(acts),
        "preprocessing": preprocessing.to_dict(),
        "scheme": exemplars.scheme,
        "windows": exemplars.windows.to_dict(),
        "seed": exemplars.seed,
    }
    with explain_write_errors(output):
        output.mkdir(parents=True, exist_ok=True)
    network = find_network(settings)
    refuse_other_network(
        output, ["optimized_images"], [] if network is None else [network], acts.model, overwrite=overwrite
    )
    remove = partial(folder.clear, output.glob(f"*/channel_*/{FOLDER}")) if overwrite else None
    leftovers = output.glob(f"*/channel_*/{FOLDER}")
    with open_output(folder, leftovers=leftovers, replace=remove, shared=True) as work:
        work.settle(settings, vacant=[output / unit.path_name / FOLDER for unit in exemplars.units])
        shards = plan_exemplar_shards(exemplars)
        for shard in shards:
            check_unchanged(shard, folder)
        plan = Plan(f"exemplars {output.name}", settings, shards, unit="files")
        cores = threads or count_cores()
        worker = ExemplarWorker(
            acts.path, folder, found, preprocessing, make_tables(exemplars), make_distributions(exemplars), cores
        )
        work.run(plan, worker, n_workers=workers)
        facts = {
            "model": acts.model,
            "activations": acts.path.as_posix(),
            "layers": acts.layers,
            "stimuli": found.describe(),
            "units": [str(unit) for unit in exemplars.units],
            "skipped": [{"unit": str(unit), "reason": reason} for unit, reason in exemplars.skipped],
        }
        work.record(output, FOLDER, facts)
    return output


def _check_ids(acts: Activations, stimuli: StimulusSet) -> None:
    missing = set(acts.stimulus_ids) - set(stimuli.ids)
    if missing:
        raise InputError(
            f"the {format_count(len(acts.stimulus_ids), 'stimulus')} that were recorded",
            got=f"{len(stimuli)} without {len(missing)} of them, such as {min(missing)!r}",
        )
