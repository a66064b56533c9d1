"""Stimuli of published experiments, which a file on the publisher's server lists."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import quote

from beholder._core.downloads import DownloadFailed, download_file
from beholder._core.errors import InputError
from beholder._core.files import read_json
from beholder._core.progress import show_progress
from beholder.stimuli.assets._files import RECEIPT
from beholder.stimuli.assets._manifest import FromListing

LISTING_FILE = "experiment.json"
_AT_ONCE = 4


def fetch_listed(name: str, way: FromListing, folder: Path, stimuli: Sequence[int] | None) -> bool:
    """Fetch the chosen stimuli of an experiment that are not here; whether there were any.

    Parameters
    ----------
    name : str
        Of the asset.
    way : FromListing
    folder : path
        Gets the listing and the stimuli, under the paths that the publisher uses.
    stimuli : sequence of int or None
        Numbers of natural stimuli; None for those of the manifest, once.
    """
    receipt = folder / RECEIPT
    if stimuli is None and receipt.exists():
        return False
    try:
        listing = download_file(way.listing, folder / LISTING_FILE, show=False)
    except DownloadFailed as error:
        raise DownloadFailed(f"{name} from {way.listing}", got=error.got, hint="again with a network") from error
    try:
        files = list_example_files(read_json(listing), way.suffix, way.chosen if stimuli is None else stimuli)
    except InputError:
        listing.unlink()
        raise
    wanted = [file for file in files if not (folder / file).exists()]

    def fetch(file: str) -> None:
        download_file(way.base + quote(file), folder / file, show=False)

    with show_progress(name, len(files), "files", len(files) - len(wanted)) as advance:
        pool = ThreadPoolExecutor(_AT_ONCE)
        try:
            for _ in pool.map(fetch, wanted):
                advance(1)
        finally:
            pool.shutdown(cancel_futures=True)
    return bool(wanted) or not receipt.exists()


def list_example_files(document: Any, suffix: str, stimuli: Iterable[int]) -> list[str]:
    """Paths of an experiment's stimuli, from the file that its page loads.

    Parameters
    ----------
    document : dict
        ``experiment_conditions``, a list of ``{i}_{network}/{j}_{stage}``, and ``examples_per_model_and_layer``,
        the numbers (as texts) of the natural stimuli that each condition has.
    suffix : str
        Of the files.
    stimuli : iterable of int
        Which natural stimuli.

    Returns
    -------
    list of str
        ``{condition}/{number}_{network}_{stage}{suffix}``.

    Raises
    ------
    InputError
        The document is of another form, or none of the stimuli is in it.

    Source: the page of Feather et al. (2023), example_vision_turk_javascript.html, ``getMainExperimentImageList``.
    """
    try:
        conditions = [str(condition) for condition in document["experiment_conditions"]]
        examples = {key: {int(n) for n in numbers} for key, numbers in document["examples_per_model_and_layer"].items()}
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise InputError("the description of an experiment", got=f"a file of another form ({error})") from error
    stimuli = list(stimuli)
    files = []
    for condition in conditions:
        parts = condition.split("/")
        if len(parts) != 2 or any(part in ("", ".", "..") or "\\" in part or "_" not in part for part in parts):
            raise InputError("conditions of the form 1_network/2_stage", got=json.dumps(condition))
        network, stage = (part.partition("_")[2] for part in parts)
        present = examples.get(condition, set())
        files += [f"{condition}/{n}_{network}_{stage}{suffix}" for n in stimuli if n in present]
    if not files:
        raise InputError("numbers of stimuli that the experiment has", got=", ".join(map(str, stimuli)) or "none")
    return files
