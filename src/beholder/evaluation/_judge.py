"""Other networks' verdicts on a set of metamers."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.files import to_path_name
from beholder._core.hashing import hash_file
from beholder._core.progress import logger
from beholder._core.seeds import DEFAULT_SEED
from beholder._core.settings import keep_batch_size
from beholder._core.tables import list_rows
from beholder.evaluation._judgement import Judgement, read_judgements
from beholder.evaluation._judgement_table import (
    JUDGEMENTS,
    NATURAL,
    make_judgement_table,
    read_judgement_table,
    write_judgement_table,
)
from beholder.evaluation._metamer_sets import find_metamer_sets, refuse_twins
from beholder.evaluation._outputs import CPU_BATCH, DEVICE_BATCH
from beholder.evaluation._verdicts import (
    DECISIONS,
    Vocabulary,
    find_reference,
    list_vocabularies,
    pick_decision,
)
from beholder.jobs import (
    JobFolder,
    Output,
    Plan,
    Shard,
    check_content,
    long_work,
    open_output,
    open_phases,
    order_phases,
    place_output,
)
from beholder.stimuli import CATEGORY_RULES, MetamerSet, load_wnids, read_stimulus_manifest, tells_decisions

if TYPE_CHECKING:
    from beholder.models import Model

FORMAT = "beholder-judgements-2"
_LAYOUT = "layout.json"
_FILES_IN_SHARD = 64


@final
@dataclass(frozen=True)
class _Item:
    """One picture or sound to be judged; of an original the layer is empty."""

    layer: str
    stimulus_id: str
    seed: int
    label: str
    file: str
    sha256: str


@suggest_keywords
@long_work
def judge_metamers(
    folder: Path | str,
    models: Sequence[Model | str] | Model | str | None = None,
    *,
    sets: Sequence[str] | None = None,
    device: str = "auto",
    batch_size: int | None = None,
    workers: int = 1,
    overwrite: bool = False,
    rule: str = "first",
    weights_seed: int = DEFAULT_SEED,
    cluster: str | None = None,
    mixed: bool = False,
    dry_run: bool = False,
) -> Judgement:
    """Ask other networks what the metamers of one or several networks are.

    Every judge is shown the metamers as they were saved, and the originals. A network of ImageNet's classes, in
    whatever order, says which of the 16 categories (:func:`~beholder.stimuli.decide_category`) and which class; one
    with 794 words says which word; others which of their classes. The column ``main`` says which of a judge's decisions
    counts for a stimulus: the category where its class, or without one what the network that the metamer was made for
    takes it for, lies in one, or where its set says so; else the class. A verdict is right when it is the stimulus's
    true class, where that is among the judge's answers; else when it is what the network that the metamer was made for
    calls the original; else what the judge itself calls it: the column ``against`` says which. Verdicts are added to
    ``judgements.parquet`` in each network's folder; what is there is kept, and interrupted work is continued. Several
    runs may ask judges at the same time.

    Parameters
    ----------
    folder : path
        ``metamers/{model}``, or a folder of several of these.
    models : Model, str, or sequence of them, optional
        The judges; default all networks whose metamers are in ``folder``.
    sets : sequence of str, optional
        Names of the folders in ``folder`` that are judged, one a network; default all.
    device : str
        Of judges given by name.
    batch_size : int, optional
        Stimuli in one pass; default 8 on the CPU, 64 elsewhere.
    workers : int
        Processes.
    overwrite : bool
        Ask these judges anew.
    rule : {"first", "mean", "max", "sum"}
        How a category follows from classes.
    weights_seed : int
        Of judges given by a name that ends in ``@random``.
    cluster, mixed, dry_run
        As for :func:`beholder.extract`.

    Returns
    -------
    Judgement
        Of all judges, earlier ones too.

    Raises
    ------
    InputError
        No metamers in the folder, or two sets of one network, or of an older version, which do not tell by which
        decision they were tested; a judge of another sense, or without names for its outputs.

    Notes
    -----
    Source: Feather, Leclerc, Mądry & McDermott (2023), Model metamers reveal divergent invariances between biological
    and artificial neural networks, Methods, "Model recognition of other models' metamers".

    Examples
    --------
    >>> import beholder as bh
    >>> picture = bh.StimulusSet.from_folder("images")[:1]
    >>> few = {"iterations": 4, "measured": ["block2"]}
    >>> made = bh.make_metamers("beholder:shapes", picture, ["block2"], out_path="metamers", **few)
    >>> verdicts = bh.judge_metamers("metamers", "beholder:shapes")
    >>> verdicts.recognize_layers()[["layer", "n"]].to_numpy().tolist()
    [['', 1], ['block2', 1]]
    """
    if rule not in CATEGORY_RULES:
        raise UnknownNameError("rule", rule, CATEGORY_RULES)
    found = [MetamerSet(path) for path in find_metamer_sets(folder, sets)]
    _check_sets(found, folder)
    asked = [_name_maker(made) for made in found] if models is None else models
    listed = asked if isinstance(asked, Sequence) and not isinstance(asked, str) else [asked]
    judges = _load_judges(listed, device, weights_seed)
    with open_phases(len(found) * len(judges)) as phase:
        for made in found:
            items = list_items(made)
            output = place_output(made.path, made.path)
            outer = JobFolder(output.parent / f".{output.name}.judge.jobs", output)
            for judge in judges:
                _check_maker(made, judge)
            with open_output(outer, shared=True) as verdicts:
                outer.drop_damaged()
                with verdicts.pause():
                    for judge in order_phases(judges):
                        with phase():
                            _judge_one(made, items, judge, verdicts, batch_size, workers, overwrite, rule)
    return read_judgements(folder, sets)


def _name_maker(made: MetamerSet) -> str:
    """The network whose metamers these are; code of one in a Python file is not run because a table names it."""
    from beholder.models import refuse_code

    refuse_code(made.model, made.path, f"naming the judges: --models {shlex.quote(made.model)} ...")
    return made.model


def _check_sets(sets: Sequence[MetamerSet], folder: Path | str) -> None:
    """One set a network, whose table tells by which decision each stimulus counts."""
    refuse_twins(sets, folder)
    for made in sets:
        if not tells_decisions(made.to_pandas()):
            raise InputError(
                "metamers that were tested by a decision that the table tells", got=f"{made.path} of an older version",
                hint="`beholder metamers make` anew with --overwrite",
            )  # fmt: skip


def _load_judges(models: Iterable[Model | str], device: str, seed: int) -> list[Model]:
    from beholder.models import load_model, pick_device

    judges: dict[str, Model] = {}
    for each in models:
        judge = load_model(each, device=pick_device(device), seed=seed) if isinstance(each, str) else each
        other = judges.setdefault(judge.path_name, judge)
        if other.name != judge.name:
            raise InputError("judges with different path names", got=f"{other.name} and {judge.name}")
    if not judges:
        raise InputError("at least one judging network", got="none")
    return list(judges.values())


def _check_maker(made: MetamerSet, judge: Model) -> None:
    """A judge that bears the name of the network that made the metamers must be that network."""
    from beholder.models import list_identities

    if judge.name == made.model and made.network is not None and made.network not in list_identities(judge):
        raise InputError(
            f"the network that made {made.path} as one of its judges", hint="metamers of this one, or another name",
            got=f"{judge.name} as it is now, with other weights, code or hooks",
        )  # fmt: skip


def list_items(made: MetamerSet) -> list[_Item]:
    """What there is to be judged: each original once, then the metamers; missing files are an error."""
    items: dict[tuple[str, str, int], _Item] = {}
    metamers = list(made)
    for one in metamers:
        if (NATURAL, one.stimulus_id, 0) not in items:
            items[NATURAL, one.stimulus_id, 0] = _make_item(made, NATURAL, one.stimulus_id, 0, one.label, one.original)
    for one in metamers:
        key = (one.layer, one.stimulus_id, one.seed)
        items[key] = _make_item(made, *key, one.label, one.path)
    return list(items.values())


def _make_item(made: MetamerSet, layer: str, stimulus_id: str, seed: int, label: str, path: Path) -> _Item:
    check_content(made.path, path)
    try:
        digest = hash_file(path)
    except FileNotFoundError as error:
        raise InputError(
            "all metamers that the table names", got=f"no file at {path}", hint="`beholder metamers make` again"
        ) from error
    return _Item(layer, stimulus_id, seed, label, path.relative_to(made.path).as_posix(), digest)


def _judge_one(
    made: MetamerSet,
    items: list[_Item],
    judge: Model,
    verdicts: Output,
    batch_size: int | None,
    workers: int,
    overwrite: bool,
    rule: str,
) -> None:
    from beholder.evaluation._judge_worker import JudgeWorker

    name = to_path_name(judge.path_name)
    folder = JobFolder(verdicts.folder.path / name, verdicts.folder.output)
    with open_output(folder, replace=folder.clear if overwrite else None, shared=True) as work:
        settings = _resolve_settings(made, judge, batch_size, folder.read_settings(), rule)
        work.settle(settings)
        shards = _plan_shards(folder, items)
        worker = JudgeWorker(made.path, judge, str(judge.device), settings["batch_size"], rule)
        plan = Plan(f"judge {made.path.name} by {name}", settings, shards)
        receipts = work.run(plan, worker, n_workers=workers)
        rows = _make_rows(made, items, judge, receipts, rule)
        with verdicts.resume():
            _merge(verdicts.folder, MetamerSet(made.path), rows, judge.name)
        facts = {"judge": judge.name, "weights": judge.weights.sha256, "n_files": len(items)}
        work.record(made.path, f"{JUDGEMENTS}:{name}", facts)


def _resolve_settings(
    made: MetamerSet, judge: Model, batch_size: int | None, old: dict[str, Any] | None, rule: str
) -> dict[str, Any]:
    """Everything that can change a verdict. The batch size is chosen when a judge is first asked."""
    from beholder.models import describe_preprocessing, identify_model

    if batch_size is not None and batch_size < 1:
        raise InputError("--batch_size of 1 or more", got=str(batch_size))
    default = CPU_BATCH if judge.device.type == "cpu" else DEVICE_BATCH
    if old is not None and old["device"] == judge.device.type:
        batch_size = keep_batch_size(batch_size, old, "verdicts")
    return {
        "format": FORMAT,
        "judge": judge.name,
        "network": identify_model(judge),
        "maker": made.network,
        "preprocessing": describe_preprocessing(judge),
        "device": judge.device.type,
        "batch_size": batch_size or default,
        "rule": rule,
    }


def _plan_shards(folder: JobFolder, items: list[_Item]) -> tuple[Shard, ...]:
    """Shards as they were cut before, and new ones for files that are in none; files that are gone are left out."""
    by_file = {item.file: item for item in items}
    recorded: list[list[str]] = (folder.read_record(_LAYOUT) or {"shards": []})["shards"]
    known = {file for files in recorded for file in files}
    fresh = [file for file in by_file if file not in known]
    cut = [fresh[start : start + _FILES_IN_SHARD] for start in range(0, len(fresh), _FILES_IN_SHARD)]
    if cut:
        recorded = recorded + cut
        folder.write_record(_LAYOUT, {"shards": recorded})
    shards = []
    for index, files in enumerate(recorded):
        present = [[file, by_file[file].sha256] for file in files if file in by_file]
        if present:
            shards.append(Shard(f"files-{index:05d}", len(present), {"files": present}))
    return tuple(shards)


def _make_rows(
    made: MetamerSet, items: list[_Item], judge: Model, receipts: list[dict[str, Any]], rule: str
) -> list[dict[str, Any]]:
    """The judge's rows of the table, a decision after the other, in the items' order."""
    n_outputs = receipts[0]["facts"]["n_outputs"]
    by_maker = _read_maker_verdicts(made)
    rows = []
    for vocabulary in list_vocabularies(n_outputs, judge.classes, judge.modality, rule):
        said: dict[str, str] = {}
        for receipt in receipts:
            verdicts = receipt["facts"]["verdicts"][vocabulary.decision]
            said |= {file: verdict for (file, _), verdict in zip(receipt["payload"]["files"], verdicts, strict=True)}
        natural = {item.stimulus_id: said[item.file] for item in items if item.layer == NATURAL}
        for item in items:
            reference, against = find_reference(
                vocabulary, item.label, by_maker.get(item.stimulus_id, ()), natural[item.stimulus_id]
            )
            rows.append(_make_row(made.model, judge.name, vocabulary, item, said[item.file], reference, against))
    return rows


def _make_row(
    model: str, judge: str, vocabulary: Vocabulary, item: _Item, verdict: str, reference: str, against: str
) -> dict[str, Any]:
    return {
        "model": model, "judge": judge, "decision": vocabulary.decision, "layer": item.layer,
        "stimulus_id": item.stimulus_id, "seed": item.seed, "verdict": verdict, "reference": reference,
        "against": against, "correct": verdict == reference, "sha256": item.sha256, "rule": vocabulary.rule,
    }  # fmt: skip


def _read_maker_verdicts(made: MetamerSet) -> dict[str, tuple[str, ...]]:
    """What the network that the metamers were made for calls each original: its class, then its category."""
    known: Any = made.to_pandas()[["stimulus_id", "prediction_original"]].dropna()
    table = known.drop_duplicates("stimulus_id")
    decided = dict(zip(table["stimulus_id"], table["prediction_original"], strict=True))
    said: dict[str, tuple[str, ...]] = {}
    for one in made:
        if one.stimulus_id not in said:
            told = one.describe().get("predictions", {}).get("original", {})
            names = (told.get("label"), decided.get(one.stimulus_id))
            said[one.stimulus_id] = tuple(str(name) for name in names if name)
    return said


def mark_main(made: MetamerSet, rows: list[dict[str, Any]], items: list[_Item]) -> list[dict[str, Any]]:
    """Say of each verdict whether it is by the decision that counts for its stimulus and judge."""
    from beholder.models import list_imagenet_classes

    known = Vocabulary("category", len(load_wnids()), list_imagenet_classes(), load_wnids())
    by_maker, labels = _read_maker_verdicts(made), {item.stimulus_id: item.label for item in items}
    manifest = read_stimulus_manifest(made.path)
    own: Any = made.to_pandas().drop_duplicates("stimulus_id").set_index("stimulus_id")["decision"]
    decisions: dict[str, set[str]] = {}
    for row in rows:
        decisions.setdefault(row["judge"], set()).add(row["decision"])
    marked = []
    for row in rows:
        stimulus_id, can = row["stimulus_id"], decisions[row["judge"]]
        says = manifest.get(stimulus_id, {}).get("decision") or ("category" if own[stimulus_id] == "category" else "")
        vocabularies = [known if each == "category" else Vocabulary(each, 0) for each in DECISIONS if each in can]
        top = next(iter(by_maker.get(stimulus_id, ())), "")
        picked = pick_decision(vocabularies, labels[stimulus_id], top, says)
        marked.append({**row, "main": picked is not None and picked.decision == row["decision"]})
    return marked


def _merge(outer: JobFolder, made: MetamerSet, rows: list[dict[str, Any]], judge: str) -> None:
    """Put a judge's rows into the table, and drop rows about files that have changed since; ``made`` as it is now."""
    path = outer.output / JUDGEMENTS
    items = list_items(made)
    order = {_find_place(vars(item)): place for place, item in enumerate(items)}
    old = list_rows(read_judgement_table(path)) if path.exists() else []
    kept: list[dict[str, Any]] = []
    for whose, some in (("other judges", [row for row in old if row["judge"] != judge]), (judge, rows)):
        current = [row for row in some if _find_place(row) in order]
        if len(current) < len(some):
            n = len(some) - len(current)
            logger.warning("%d verdicts of %s are dropped: those metamers are made anew or gone", n, whose)
        kept += current
    kept = mark_main(made, kept, items)
    kept.sort(key=lambda row: (row["judge"], row["decision"], order[_find_place(row)]))
    with outer.seal(JUDGEMENTS):
        write_judgement_table(path, make_judgement_table(kept))


def _find_place(row: Mapping[str, Any]) -> tuple[str, str, int, str]:
    """What a verdict is about, and the bytes of it."""
    return row["layer"], row["stimulus_id"], row["seed"], row["sha256"]
