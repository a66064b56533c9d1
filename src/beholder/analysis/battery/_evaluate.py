"""``evaluate battery``: networks on the stimuli of a published experiment, beside the people who took it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.hashing import hash_settings
from beholder._core.progress import tell
from beholder._core.seeds import DEFAULT_SEED
from beholder.analysis._inputs import identify_inputs
from beholder.analysis._result import Result
from beholder.analysis.agreement._analyze import analyze_agreement
from beholder.analysis.battery._parts import combine_results
from beholder.analysis.battery._pictures import join_pictures
from beholder.analysis.battery._published import read_people
from beholder.analysis.recognition._analyze import analyze_recognition
from beholder.evaluation import answer_stimuli
from beholder.jobs import long_work, open_phases, order_phases
from beholder.models import Model, identify_model, open_model
from beholder.responses import Trials, read_trials
from beholder.stimuli import CATEGORY_RULES, StimulusSet, as_stimulus_set

if TYPE_CHECKING:
    from torch import nn


@suggest_keywords
@long_work
def evaluate_battery(
    models: Model | nn.Module | str | Sequence[Model | nn.Module | str],
    stimuli: StimulusSet | Path | str | Any,
    trials: Trials | Path | str | Sequence[Path | str],
    *,
    columns: Mapping[str, str] | Sequence[str] | None = None,
    id_pattern: str | None = None,
    texture_pattern: str | None = None,
    include_excluded: bool = False,
    categories: Mapping[str, Sequence[int | str]] | None = None,
    rule: str = "first",
    out_path: Path | str = "answers",
    n_draws: int = 1000,
    n_permutations: int = 1000,
    seed: int = DEFAULT_SEED,
    device: str = "auto",
    batch_size: int | None = None,
    workers: int = 1,
    overwrite: bool = False,
    weights_seed: int = DEFAULT_SEED,
    cluster: str | None = None,
    mixed: bool = False,
    dry_run: bool = False,
) -> Result:
    """Ask networks what people were asked in a published experiment, and compare them with these people.

    The pictures that are there are joined with the trials by name; what people were shown and is not there is left out
    on both sides, with a sentence. Networks are shown them as they are, and answer by a named rule.

    Parameters
    ----------
    models : Model, nn.Module, str, or sequence of them
    stimuli : StimulusSet, or whatever holds stimuli
        Pictures under their own names, or as the trials name them; or versions of stimuli (a column ``original`` or
        ``source``), which answers of an experiment on them join by stimulus, condition and level.
    trials : Trials, path or sequence of path
        Single answers of people, as :func:`beholder.responses.read_trials` reads them. Without ``columns``, those of
        bethgelab/model-vs-human are found by themselves.
    columns, include_excluded
        As for :func:`beholder.responses.read_trials`.
    id_pattern : str, optional
        A regular expression whose group is a picture's own name, in trials and of files; default that of published
        names.
    texture_pattern : str, optional
        A regular expression whose group in a picture's id is the label of its texture, where that is another cue than
        its shape; default told from ids such as ``bird3-knife2``.
    categories : mapping of str to sequence of int or str, optional
        As for :func:`beholder.evaluation.answer_stimuli`.
    rule : {"first", "mean", "max", "sum"}
        How a category follows from classes: :func:`beholder.evaluation.decide`.
    out_path : path
        Folder of the networks' answers, which are kept and continued.
    n_draws, n_permutations, seed : int
        Of intervals and tests of agreement.
    device, batch_size, workers, overwrite, weights_seed
        As for :func:`beholder.evaluation.answer_stimuli`.
    cluster, mixed, dry_run
        As for :func:`beholder.extract`.

    Returns
    -------
    Result
        ``kind`` is ``battery``: rows of :func:`analyze_recognition` and :func:`analyze_agreement`, told apart by the
        column ``part``.

    Raises
    ------
    InputError
        Pictures and trials that do not belong together; a network that cannot answer with the trials' categories.

    Notes
    -----
    Source: Geirhos et al. 2021, Partial success in closing the gap between human and machine vision, NeurIPS 34.

    Examples
    --------
    >>> import pandas as pd
    >>> import beholder as bh
    >>> pictures = bh.StimulusSet.from_folder("images")
    >>> shown = {"stimulus": pictures.ids, "truth": pictures.labels, "response": pictures.labels, "condition": "all"}
    >>> people = [pd.DataFrame({"participant": who, **shown}) for who in ("p1", "p2")]
    >>> pd.concat(people).to_csv("people.csv", index=False)
    >>> found = bh.evaluate_battery("beholder:shapes", "images", "people.csv", n_draws=20, n_permutations=19)
    >>> sorted(set(found.table["part"]))
    ['agreement', 'recognition']
    """
    if rule not in CATEGORY_RULES:
        raise UnknownNameError("rule", rule, CATEGORY_RULES)
    paths = _list_paths(trials)
    people = trials if isinstance(trials, Trials) else read_people(
        lambda names: read_trials(*paths, columns=names, id_pattern=id_pattern, include_excluded=include_excluded),
        columns,
    )  # fmt: skip
    found = stimuli if isinstance(stimuli, StimulusSet) else as_stimulus_set(stimuli)
    joined = join_pictures(found, people, id_pattern, texture_pattern)
    for sentence in (*people.sentences, *joined.sentences):
        tell("%s", sentence)
    networks = _load(models, device, weights_seed)
    identities = {net.path_name: hash_settings(identify_model(net)) for net in networks}
    inputs = identify_inputs(
        trials=joined.people.table.astype(str).to_numpy(dtype=np.str_),
        networks=np.array([word for each in sorted(identities.items()) for word in each]),
    )
    given: list[Trials] = []
    with open_phases(len(networks)) as phase:
        for net in order_phases(networks):
            with phase():
                given.append(answer_stimuli(
                    net, joined.stimuli, categories, rule=rule, out_path=out_path, batch_size=batch_size,
                    workers=workers, overwrite=overwrite,
                ))  # fmt: skip
    of_networks = _join_tables(given)
    of_people = Trials(joined.people.table, (), joined.people.n_choices)
    parts = {
        "recognition": analyze_recognition(of_people, of_networks, seed=seed),
        "agreement": analyze_agreement(
            of_people, of_networks, n_draws=n_draws, n_permutations=n_permutations, seed=seed
        ),
    }
    settings: dict[str, Any] = {
        "models": [net.path_name for net in networks], "rule": rule, "set": paths[0].resolve().stem if paths else "",
        "n_people": int(joined.people.table["participant"].nunique()), "n_stimuli": len(joined.stimuli),
        "id_pattern": id_pattern, "texture_pattern": texture_pattern, "include_excluded": include_excluded,
        "n_draws": n_draws, "n_permutations": n_permutations, "seed": seed,
        "sentences": [*joined.sentences, *_tell_left_out(given)], "people": list(people.sentences),
        "networks": identities, "inputs": inputs,
    }  # fmt: skip
    return combine_results("battery", parts, settings, joined.notes)


def _load(models: Any, device: str, weights_seed: int) -> list[Model]:
    listed: list[Any] = list(cast("list[Any]", models)) if isinstance(models, list | tuple) else [models]
    found = [open_model(each, device if isinstance(each, str) else None, weights_seed) for each in listed]
    names = [net.path_name for net in found]
    if not names:
        raise InputError("at least one network", got="none")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError("networks of different names", got=f"{twice!r} twice")
    return found


def _join_tables(given: Sequence[Trials]) -> Trials:
    """Answers of all networks, in the columns that people's have."""
    import pandas as pd  # pyright: ignore[reportMissingTypeStubs]

    library: Any = pd
    return Trials(library.concat([each.table for each in given], ignore_index=True), ())


def _tell_left_out(given: Sequence[Trials]) -> list[str]:
    return list(dict.fromkeys(sentence for each in given for sentence in each.sentences[1:]))


def _list_paths(trials: Any) -> list[Path]:
    """Where trials lie; nowhere, where they are in memory."""
    if isinstance(trials, Trials):
        return []
    return [Path(each) for each in ([trials] if isinstance(trials, str | Path) else trials)]
