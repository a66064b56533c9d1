"""Linear probes of layers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.files import to_path_name
from beholder._core.provenance import read_versions
from beholder._core.seeds import DEFAULT_SEED
from beholder._core.wording import format_count, format_share
from beholder.activations import Activations
from beholder.analysis._inputs import identify_inputs
from beholder.analysis._join import Layers, name_class, open_layers, read_condition
from beholder.analysis._result import Result, make_result
from beholder.analysis.probes._probe import PENALTIES, RECIPES, ProbeSettings, Recipe
from beholder.analysis.probes._split import LEFT_OUT, PARTS, check_parts, read_parts, split_by_hash
from beholder.analysis.probes._table import make_rows
from beholder.analysis.probes._worker import ProbeWorker
from beholder.jobs import JobFolder, Plan, Shard, long_work, open_output, place_output, show_work

FORMAT = "beholder-probes-1"
FOLDER = "probes"


@suggest_keywords
@long_work
def analyze_probe(
    activations: Any,
    labels: str | Sequence[Any] | np.ndarray = "label",
    *,
    layers: Sequence[str] | None = None,
    recipe: Recipe = "logistic",
    penalties: Sequence[float] | None = None,
    split: str | Sequence[Any] | np.ndarray = "stratified",
    groups: str | Sequence[Any] | np.ndarray | None = None,
    scale: bool | None = None,
    stimulus_ids: Sequence[str] | None = None,
    out_path: Path | str | None = None,
    overwrite: bool = False,
    seed: int = DEFAULT_SEED,
    cluster: str | None = None,
    mixed: bool = False,
    dry_run: bool = False,
) -> Result:
    """Read classes out of each layer by a linear probe: one part of the stimuli fits, one chooses, one tests.

    Each layer is read where it lies and need not fit into memory. Multinomial logistic regression is fitted to the
    train part with every penalty, from the strongest on; the one that is most often right on the validation part is
    kept, of equal ones the strongest, and tested on the test part.

    Parameters
    ----------
    activations : Activations, path, or mapping of str to array, (n_stimuli, *features)
        Replicates are averaged.
    labels : str or (n_stimuli,)
        A column of the stimuli's table, or a class for each stimulus. Stimuli with an empty one are left out.
    layers : sequence of str, optional
        Default all.
    recipe : {"logistic", "simclr", "moco", "hmax"}
        Logistic regression with a penalty; or stochastic gradient descent as published for read-outs: 100 epochs at
        rate 30, divided by 10 every 30 (``simclr``, ``moco``), 30 epochs at rate .1, divided by 10 every 10, the
        gradient's norm at most 1 (``hmax``); 256 stimuli a step.
    penalties : sequence of float, optional
        Values of C, the inverse of the penalty's strength; default 1e-4 to 1e4.
    split : {"stratified", "hash"}, str or (n_stimuli,)
        Parts of .6, .2 and .2 by the hash of ids, in each class or over all; or a column (or values) of ``train``,
        ``validation`` and ``test``.
    groups : str or (n_stimuli,), optional
        Stimuli of one group share a part, by the hash of its name.
    scale : bool, optional
        Subtract each feature's mean and divide by its standard deviation over the train part. Default for logistic
        regression only.
    stimulus_ids : sequence of str, optional
        Ids of activations that are arrays.
    out_path : path, optional
        Each layer's read-out is kept here, in ``probes/``, and interrupted work is continued.
    overwrite : bool
        Replace read-outs that were fitted otherwise.
    seed : int
        Of the split, and of a recipe's first weights and order.
    cluster, mixed, dry_run
        As for :func:`beholder.extract`.

    Returns
    -------
    Result
        ``kind`` is ``probe``; statistics ``top1``, ``top5`` (of more than five classes) and ``balanced-accuracy`` of
        the test part, with ``chance``, ``penalty``, ``validation`` (accuracy), ``n_train``, ``n_validation``,
        ``n_features``, ``depth``. ``arrays["confusions"]`` are (n_layers, n_classes, n_classes),
        ``arrays["validation_path"]`` (n_layers, n_penalties).

    Raises
    ------
    InputError
        Fewer than two classes, a part without stimuli, a class that the train part lacks.

    Source: Alain & Bengio (2017), arXiv 1610.01644; Chen, Kornblith, Norouzi & Hinton (2020), arXiv 2002.05709,
    appendix B.8.

    Examples
    --------
    >>> import numpy as np
    >>> kinds = np.repeat(["cat", "dog"], 20)
    >>> x = np.random.default_rng(1).normal(size=(40, 3)) + (kinds == "cat")[:, None] * 9
    >>> result = analyze_probe({"conv": x}, kinds, stimulus_ids=[f"s{i}" for i in range(40)])
    >>> result.table[["statistic", "estimate", "n"]].values.tolist()
    [['top1', 1.0, 8], ['balanced-accuracy', 1.0, 8]]
    """
    how = _check_settings(recipe, penalties, scale, seed)
    store = open_layers(activations, stimulus_ids)
    asked = _choose_layers(store, layers)
    words = np.array([name_class(value) for value in read_condition(store, labels, "labels")])
    known = words != ""
    names, numbers = np.unique(words[known], return_inverse=True)
    if len(names) < 2:
        raise InputError("labels of two classes or more", got=f"{len(names)}")
    classes = tuple(str(each) for each in names)
    number_of = np.full(len(words), LEFT_OUT)
    number_of[known] = numbers
    parts = _find_parts(store, split, groups, number_of, seed)
    parts[~known] = LEFT_OUT
    check_parts(parts, number_of, classes, chooses=recipe == "logistic")
    rows = [np.flatnonzero(parts == part) for part in range(len(PARTS))]
    notes: list[str] = []
    n_left = int((parts == LEFT_OUT).sum())
    if n_left:
        notes.append(f"{n_left} of {format_count(len(words), 'stimulus')} have no label or part and were left out.")
    settings: dict[str, Any] = {
        "model": str(store.model), "layers": asked, "labels": _tell(labels, "labels"), "classes": list(classes),
        "recipe": recipe, "penalties": list(how.penalties) if recipe == "logistic" else None, "scale": how.scale,
        "split": _tell(split, "given"), "groups": None if groups is None else _tell(groups, "given"),
        "n_train": len(rows[0]), "n_validation": len(rows[1]), "n_test": len(rows[2]), "seed": seed,
    }  # fmt: skip
    settings["inputs"] = identify_inputs(activations=store, labels=number_of, parts=parts)
    about = _describe_store(store, settings)
    shards = _list_shards(asked)
    folder = None if out_path is None else _place(Path(out_path) / FOLDER)
    worker = ProbeWorker(store, rows, number_of, classes, how, about, folder)
    facts = _probe_in_memory(worker, shards) if folder is None else _run(folder, worker, settings, shards, overwrite)
    return _make_result(settings, facts, how, notes)


def _place(probes: Path) -> Path:
    """The folder that read-outs lie in."""
    return place_output(probes, probes)


def _probe_in_memory(worker: ProbeWorker, shards: list[Shard]) -> list[dict[str, Any]]:
    facts: list[dict[str, Any]] = []
    with show_work("probe", len(shards), "layers", n_bytes=0) as advance:
        for shard in shards:
            facts.append(worker.probe(shard.payload["layer"], shard.payload["file"])[1])
            advance(1)
    return facts


def _check_settings(
    recipe: Recipe, penalties: Sequence[float] | None, scale: bool | None, seed: int
) -> ProbeSettings:  # fmt: skip
    if recipe != "logistic" and recipe not in RECIPES:
        raise UnknownNameError("recipe", recipe, ["logistic", *RECIPES])
    if penalties is not None and recipe != "logistic":
        raise InputError("penalties with logistic regression", got=f"penalties with the recipe {recipe}")
    values = tuple(float(each) for each in penalties) if penalties is not None else PENALTIES
    if not values or not all(0 < each < float("inf") for each in values):
        raise InputError("--penalties above 0", got=", ".join(map(str, values)) or "none")
    return ProbeSettings(recipe, values, (recipe == "logistic") if scale is None else scale, seed)


def _choose_layers(store: Layers, layers: Sequence[str] | None) -> list[str]:
    asked = list(dict.fromkeys(store.layers if layers is None else layers))
    for layer in asked:
        if layer not in store.layers:
            raise UnknownNameError("layer of the activations", layer, store.layers)
    return asked


def _find_parts(store: Layers, split: Any, groups: Any, numbers: np.ndarray, seed: int) -> np.ndarray:
    by_hash = isinstance(split, str) and split in ("stratified", "hash")
    if not by_hash:
        if groups is not None:
            raise InputError("groups with a split by hash", got="groups beside parts that are given")
        return read_parts(read_condition(store, split, "split").tolist())
    if groups is not None:
        keys = [str(each) for each in read_condition(store, groups, "groups").tolist()]
        return split_by_hash(keys, None, seed)
    keys = [str(each) for each in store.stimulus_ids]
    if split == "hash":
        return split_by_hash(keys, None, seed)
    known = numbers != LEFT_OUT
    parts = np.full(len(keys), LEFT_OUT)
    parts[known] = split_by_hash([key for key, own in zip(keys, known, strict=True) if own], numbers[known], seed)
    return parts


def _tell(value: Any, otherwise: str) -> str:
    return value if isinstance(value, str) else otherwise


def _describe_store(store: Layers, settings: dict[str, Any]) -> dict[str, Any]:
    """What the cards of read-outs say of the network and the stimuli."""
    made: dict[str, Any] = {}
    if isinstance(store, Activations):
        made = store.attributes.get("settings") or {}
    data = {
        "name": "stored activations", "fingerprint": settings["inputs"]["activations"], "labels": settings["labels"],
        "n_stimuli": settings["n_train"], "n_validation": settings["n_validation"], "n_test": settings["n_test"],
    }  # fmt: skip
    return {
        "model": str(store.model).partition("@")[0] or None, "network": made.get("network"),
        "pool": made.get("pool", "none"), "pool_tokens": bool(made.get("pool_tokens")),
        "reduce": bool(made.get("reduce") or made.get("exposure")), "data": data, "versions": read_versions(),
    }  # fmt: skip


def _list_shards(layers: list[str]) -> list[Shard]:
    files = [f"{to_path_name(layer)}.safetensors" for layer in layers]
    twice = next((file for file in files if files.count(file) > 1), None)
    if twice:
        raise InputError("layers whose files have names of their own", got=f"two that are {twice}", hint="--layers")
    return [
        Shard(to_path_name(layer), 1, {"layer": layer, "file": file}) for layer, file in zip(layers, files, strict=True)
    ]


def _run(
    probes: Path, worker: ProbeWorker, settings: dict[str, Any], shards: list[Shard], overwrite: bool
) -> list[dict[str, Any]]:
    """Facts of each layer; what was done before an interruption is taken over, and layers may be added."""
    folder = JobFolder(probes.parent / f".{probes.name}.jobs", probes)
    kept = {"format": FORMAT, **{name: value for name, value in settings.items() if name != "layers"}}
    clear = partial(folder.clear, [probes])
    with open_output(folder, replace=clear if overwrite else None) as output:
        output.settle(kept, vacant=[probes])
        plan = Plan(f"probes of {settings['model'] or 'a network'}", kept, tuple(shards), unit="layers")
        receipts = output.run(plan, worker)
        with folder.seal(*(str(shard.payload["file"]) for shard in shards)):
            pass
        output.record(probes.parent, probes.name, {"layers": settings["layers"]})
    return [receipt["facts"] for receipt in receipts]


def _is_at_end(path: list[float]) -> bool:
    """Whether an end of the path is better than what is next to it, and the best of all."""
    ends = ((path[0], path[1]), (path[-1], path[-2])) if len(path) > 1 else ()
    return any(end == max(path) and end > other for end, other in ends)


def _make_result(
    settings: dict[str, Any], facts: list[dict[str, Any]], how: ProbeSettings, notes: list[str]
) -> Result:  # fmt: skip
    table: list[dict[str, Any]] = []
    for place, (layer, own) in enumerate(zip(settings["layers"], facts, strict=True)):
        start = {
            "model": settings["model"], "layer": layer, "target": settings["labels"], "method": how.recipe,
            "seed": how.seed, "penalty": own["penalty"], "validation": own["validation"],
            "n_train": settings["n_train"], "n_validation": settings["n_validation"],
            "n_features": own["n_features"], "depth": place / max(1, len(facts) - 1),
        }  # fmt: skip
        table += make_rows(start, np.array(own["confusions"]), own["n_top5"])
    slow = [layer for layer, own in zip(settings["layers"], facts, strict=True) if not own["converged"]]
    if slow:
        notes.append(f"The fit did not settle at {', '.join(slow)}.")
    if how.recipe == "logistic":
        edge = [layer for layer, own in zip(settings["layers"], facts, strict=True) if _is_at_end(own["path"])]
        if edge:
            notes.append(
                f"The best penalty is the last one of the path at {', '.join(edge)}; a longer one may do better."
            )
    else:
        notes.append("The recipe was published for pictures that are augmented anew each epoch; stored ones are not.")
    arrays = {"confusions": np.array([own["confusions"] for own in facts])}
    shares = arrays["confusions"][0].sum(axis=1) / settings["n_test"]
    if shares.max() > 1.5 / len(shares):
        most = settings["classes"][int(shares.argmax())]
        notes.append(
            f"{most!r} is {format_share(shares.max())} of the stimuli tested, which always answering it gets right; "
            "balanced accuracy counts each class the same."
        )
    if how.recipe == "logistic":
        arrays["validation_path"] = np.array([own["path"] for own in facts], dtype=np.float64)
    return make_result("probe", table, settings, warnings=notes, arrays=arrays)
