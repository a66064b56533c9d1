"""A network's answers to attacked stimuli: what is asked, worked through radius by radius, put into one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from beholder._core.cores import count_cores
from beholder._core.errors import InputError, UnknownNameError, suggest_keywords
from beholder._core.files import check_output_folder, to_path_name
from beholder._core.hashing import hash_settings
from beholder._core.seeds import DEFAULT_SEED, make_generator
from beholder._core.settings import keep_batch_size
from beholder._core.wording import format_count
from beholder.evaluation._attack_measure import measure_attacks
from beholder.evaluation._attack_passes import look_at_network
from beholder.evaluation._attack_plan import (
    Chain,
    ChainState,
    merge_chains,
    plan_shards,
    read_chains,
    write_chains,
)
from beholder.evaluation._attack_protocol import (
    GRADIENT_ATTACKS,
    TARGET_RULES,
    AttackProtocol,
    check_attacks,
)
from beholder.evaluation._attack_worker import BATCHES_IN_SHARD, HALVED, AttackWorker
from beholder.evaluation._attacked_answers import AttackedAnswers, make_attacked_table, write_attacked
from beholder.evaluation._attacked_set import describe_sets, write_sets
from beholder.evaluation._labels import Labels, find_labels
from beholder.evaluation._outputs import CPU_BATCH, DEVICE_BATCH
from beholder.evaluation._radii import read_radii
from beholder.evaluation._transfer import TransferSource, open_transfer
from beholder.jobs import (
    JobFolder,
    Output,
    Plan,
    Shard,
    cut_range,
    get_probe,
    long_work,
    open_output,
    place_output,
)
from beholder.models import (
    Model,
    check_modality,
    collect_stimuli,
    describe_preprocessing,
    identify_model,
    open_model,
)
from beholder.stimuli import StimulusSet

if TYPE_CHECKING:
    from torch import nn

FORMAT = "beholder-attacked-1"
_PLAIN = AttackProtocol()


@suggest_keywords
@long_work
def attack_stimuli(
    model: Model | nn.Module | str,
    stimuli: StimulusSet | Path | str | Any,
    radii: Mapping[str, Sequence[float]],
    attacks: str | Sequence[str] = "pgd",
    protocol: AttackProtocol = _PLAIN,
    *,
    transfer: Model | nn.Module | Path | str | None = None,
    n_stimuli: int | None = None,
    n_checked: int = 16,
    column: str | None = None,
    pattern: str | None = None,
    seed: int = DEFAULT_SEED,
    out_path: Path | str = "attacked",
    save: bool = False,
    device: str = "auto",
    batch_size: int | None = None,
    workers: int = 1,
    threads: int | None = None,
    overwrite: bool = False,
    weights_seed: int = DEFAULT_SEED,
    cluster: str | None = None,
    mixed: bool = False,
    dry_run: bool = False,
) -> AttackedAnswers:
    """Attack a network's stimuli at rising radii, and note what it answers to each.

    At a radius the stimuli are attacked whose label is still the network's answer, or among its first five, after the
    smaller radii of the run; what a smaller radius has made wrong is wrong at the larger one, whose ball holds it. The
    table is ``{out_path}/{model}.parquet``; interrupted at any moment, the same call completes it to the same bytes;
    radii, norms and attacks may be added by later calls.

    Parameters
    ----------
    model : Model, nn.Module or str
    stimuli : StimulusSet, or whatever holds stimuli
        Whose labels are classes of the network, see :func:`beholder.evaluation.find_labels`.
    radii : mapping of {"l2", "linf", "l1"} to sequence of float
        Above 0, in the units of prepared stimuli (pictures in [0, 1]); see :func:`beholder.evaluation.read_radii`.
    attacks : sequence of {"pgd", "apgd-ce", "apgd-t", "random"}
        ``random``: noise of the same norm, without gradients.
    protocol : AttackProtocol
    transfer : Model, nn.Module, str or path, optional
        A network whose attacks on the same stimuli are shown too, or attacked stimuli that ``save`` wrote (their
        ``.csv``): the attack ``transfer``.
    n_stimuli : int, optional
        So many, drawn by ``seed``; default all. Where there are fewer, all, with a note.
    n_checked : int
        Stimuli on which it is looked at whether gradients are masked; 0 for none.
    column, pattern : str, optional
        Where labels stand, as for :func:`beholder.evaluation.find_labels`.
    seed : int
        Of stimuli, starts, noise, targets.
    out_path : path
    save : bool
        Write the attacked stimuli, as people can be shown them, and a table of each norm and attack that
        ``beholder tasks plan`` takes: ``{out_path}/{model}/{norm}_{attack}.csv``; accuracy of these files is noted too.
    device, workers, threads, overwrite
        As for :func:`beholder.extract`.
    batch_size : int, optional
        Stimuli in one pass; default 8 on the CPU, 64 elsewhere. Kept by what was begun.
    weights_seed : int
        Of names that end in ``@random``.
    cluster, mixed, dry_run
        As for :func:`beholder.extract`.

    Returns
    -------
    AttackedAnswers

    Raises
    ------
    InputError
        No labels, or none of the network's; no radius above 0; a space that the network has not.
    ConfigurationChanged
        Answers are there to other stimuli, by another protocol, or of another network of this name.

    Examples
    --------
    >>> found = attack_stimuli("squeezenet1_1", "images/", {"l2": [0.5, 3]})  # doctest: +SKIP
    """
    check_output_folder(out_path)
    asked = open_model(model, device if isinstance(model, str) else None, weights_seed)
    names, sorted_radii = check_attacks(attacks, protocol.targets), read_radii(None, radii, asked.modality)
    found, drawn = _choose(collect_stimuli(asked, stimuli), n_stimuli, seed)
    check_modality(asked, found)
    n_classes, draws_noise = look_at_network(asked, found, protocol.space)
    labels = _label(asked, found, n_classes, column, pattern)
    protocol = _settle_targets(protocol, labels, asked, n_classes)
    shown = found.pin()
    source = None
    if transfer is not None:
        source = open_transfer(transfer, asked, shown, partial(_label, column=column, pattern=pattern), device, names)
    chains = _list_chains(names, sorted_radii, source)
    if save and protocol.space not in ("prepared", "waveform"):
        raise InputError("space prepared for stimuli that are saved", got=f"space {protocol.space}")
    if save:
        _check_names(shown)
    out, name = place_output(Path(out_path)), to_path_name(asked.path_name)
    folder = JobFolder(out.parent / f".{out.name}.attacked.jobs" / name, out)
    own = [out / f"{name}.parquet", out / f"{name}.json", out / name]
    with open_output(folder, leftovers=own, replace=partial(folder.clear, own) if overwrite else None) as output:
        settings = _resolve_settings(asked, shown, labels, protocol, seed, batch_size, threads, folder.read_settings())
        output.settle(settings, vacant=own[:2])
        worker = AttackWorker(
            shown, labels.indices, asked, str(asked.device), protocol, settings["batch_size"],
            settings["intra_threads"], threads or count_cores(), draws_noise, seed,
            out / name if save else None,
            **({} if source is None else source.hand_over()),
        )  # fmt: skip
        every = merge_chains(read_chains(folder), chains)
        made = _work(output, worker, every, settings, name, n_classes, workers, n_checked)
        output.end_task()
        table = make_attacked_table(shown, labels, every, made)
        facts = {
            "format": FORMAT, "model": asked.name, "path_name": asked.path_name, "weights": asked.weights.sha256,
            "n_classes": n_classes, "settings": settings, "notes": [*labels.notes, *drawn, *made["notes"]],
            "levels": made["levels"], "checks": made["checks"], "is_noisy": worker.is_noisy,
            "protocol": protocol.to_dict(), "sets": describe_sets(every) if save else {},
        }  # fmt: skip
        files = [f"{name}.parquet", f"{name}.json", *(f"{name}/{each}.csv" for each in facts["sets"])]
        with folder.seal(*files):
            write_attacked(out / f"{name}.parquet", table, facts)
            if save:
                write_sets(out / name, shown, labels, every, table, asked)
        write_chains(folder, every)
        output.record(out, f"{name}.parquet", {"model": asked.name, "weights": asked.weights.sha256,
                                               "stimuli": shown.describe()})  # fmt: skip
    return AttackedAnswers(table, facts)


def _choose(stimuli: StimulusSet, n_stimuli: int | None, seed: int) -> tuple[StimulusSet, list[str]]:
    """So many stimuli, drawn by the seed, in their order; what a reader should know of it."""
    n = len(stimuli) if n_stimuli is None else n_stimuli
    if not len(stimuli) or n < 1:
        raise InputError("at least one stimulus", got=f"{n_stimuli}" if len(stimuli) else "an empty stimulus set")
    if n >= len(stimuli):
        return stimuli, [f"{format_count(len(stimuli), 'stimulus')}, all there are, in place of {n:,}."] if n > len(
            stimuli
        ) else []
    drawn = make_generator(seed, "evaluated").choice(len(stimuli), n, replace=False)
    return stimuli[np.sort(drawn)], []


def _label(
    model: Model, stimuli: StimulusSet, n_classes: int, column: str | None = None, pattern: str | None = None
) -> Labels:
    """Right answers as outputs of a network."""
    classes = model.classes if model.classes and len(model.classes) == n_classes else n_classes
    return find_labels(stimuli, classes, column, pattern=pattern, who=model.name)


def _settle_targets(protocol: AttackProtocol, labels: Labels, model: Model, n_classes: int) -> AttackProtocol:
    """The protocol with a target's number; refuses one that stimuli are of."""
    asked = protocol.targets
    if asked is None or asked in TARGET_RULES:
        return protocol
    known = [*TARGET_RULES, *(model.classes or ())]
    if asked.isdecimal() and int(asked) < n_classes:
        number = int(asked)
    elif asked in (model.classes or ()):
        number = list(model.classes or ()).index(asked)
    else:
        raise UnknownNameError("target, a class", asked, known)
    n_own = int((labels.indices == number).sum())
    if n_own:
        raise InputError(
            f"a target that no stimulus is of, not {asked}", got=f"{format_count(n_own, 'stimulus')} of it",
            hint="--targets random, or stimuli of other classes",
        )  # fmt: skip
    return replace(protocol, targets=str(number))


def _check_names(stimuli: StimulusSet) -> None:
    """Refuse ids that cannot be names of files, each its own."""
    unsafe = [each for each in stimuli.ids if to_path_name(each).lower() != each.lower()]
    if unsafe or len({each.lower() for each in stimuli.ids}) < len(stimuli):
        got = repr(unsafe[0]) if unsafe else "ids that differ in case only"
        raise InputError("stimulus ids of letters, digits, '.', '_' and '-' that can be file names", got=got)


def _list_chains(
    attacks: Sequence[str], radii: Mapping[str, tuple[float, ...]], source: TransferSource | None
) -> list[Chain]:
    chains = [Chain(norm, attack, own) for norm, own in radii.items() for attack in attacks]
    return chains if source is None else [*chains, *source.list_chains(radii)]


def _resolve_settings(
    model: Model,
    stimuli: StimulusSet,
    labels: Labels,
    protocol: AttackProtocol,
    seed: int,
    batch_size: int | None,
    threads: int | None,
    old: dict[str, Any] | None,
) -> dict[str, Any]:
    """Everything that can change a byte but for radii and attacks. Batch size and threads stay as they were begun."""
    for name, value in (("batch_size", batch_size), ("threads", threads)):
        if value is not None and value < 1:
            raise InputError(f"--{name} of 1 or more", got=str(value))
    kept = old is not None and old.get("device") == model.device.type
    if kept and old is not None:
        batch_size = keep_batch_size(batch_size, old, "attacked stimuli")
    batch = batch_size or (CPU_BATCH if model.device.type == "cpu" else DEVICE_BATCH)
    n_batches = -(-len(stimuli) // batch)
    cores = (threads or count_cores()) if model.device.type == "cpu" else 1
    return {
        "format": FORMAT,
        "model": model.name,
        "network": identify_model(model),
        "preprocessing": describe_preprocessing(model),
        "device": model.device.type,
        "batch_size": batch,
        "intra_threads": old["intra_threads"] if kept and old is not None else max(1, cores // n_batches),
        "protocol": protocol.to_dict(),
        "seed": seed,
        "n_stimuli": len(stimuli),
        "stimuli": hash_settings([stimuli.ids, stimuli.hashes, labels.indices.tolist()]),
    }


def _work(
    output: Output,
    worker: AttackWorker,
    chains: Sequence[Chain],
    settings: dict[str, Any],
    name: str,
    n_classes: int,
    n_workers: int,
    n_checked: int,
) -> dict[str, Any]:
    """Clean answers, then one radius after the other of all chains, then what is looked at on some stimuli."""
    saved = {"saved": True} if worker.output is not None else {}
    n, batch = len(worker.stimuli), worker.batch_size
    halved: list[bool] = []

    def run(told: str, shards: Sequence[Shard]) -> dict[str, Mapping[str, np.ndarray]]:
        plan = Plan(f"{told} {name}", settings, tuple({shard.key: shard for shard in shards}.values()))
        receipts = output.run(plan, worker, n_workers=n_workers, is_last=False)
        halved.extend(HALVED in receipt["facts"] for receipt in receipts)
        return {
            shard.key: {name: np.array(values) for name, values in receipt["facts"].items() if name != HALVED}
            for shard, receipt in zip(plan.shards, receipts, strict=True)
        }

    cut = [
        Shard(f"clean-{start:06d}", stop - start, {"part": "clean", "positions": list(range(start, stop)), **saved})
        for start, stop in cut_range(0, n, BATCHES_IN_SHARD * batch)
    ]
    make_state = partial(_start_chain, n_classes=n_classes, has_targets=worker.protocol.targets is not None)
    if get_probe() is not None:
        look = partial(_look, output.folder, hash_settings(settings))
        measure_attacks(chains, cut, run, look, make_state, partial(plan_shards, batch_size=batch, **saved))
    clean = _join(cut, run("ask", cut))
    states = {chain: make_state(chain, clean) for chain in chains}
    columns: list[tuple[Chain, float, dict[str, np.ndarray]]] = []
    levels: list[dict[str, Any]] = []
    n_levels = max(len(chain.radii) for chain in chains)
    for level in range(n_levels):
        planned: dict[Chain, tuple[np.ndarray, list[Shard]]] = {}
        for chain in chains:
            if level < len(chain.radii):
                left = states[chain].list_left()
                planned[chain] = left, plan_shards(chain, level, left, batch, **saved)
        every = [shard for _, shards in planned.values() for shard in shards]
        found = run(f"attack (radius {level + 1} of {n_levels})", every) if every else {}
        for chain, (left, shards) in planned.items():
            state = states[chain]
            state.add(chain.radii[level], left, _join(shards, found))
            columns.append((chain, chain.radii[level], {key: values.copy() for key, values in state.columns.items()}))
            levels.append({**chain.to_dict(), "eps": chain.radii[level], **state.count()})
    checks = _check(run, chains, clean, n_checked, columns)
    notes = [f"Memory did not suffice for {batch} in a pass, which were halved."] if any(halved) else []
    return {"clean": clean, "columns": columns, "levels": levels, "checks": checks, "notes": notes}


def _start_chain(chain: Chain, clean: Mapping[str, np.ndarray], *, n_classes: int, has_targets: bool) -> ChainState:
    """Where the attacks of a chain begin: at the answers to the stimuli as they are."""
    return ChainState(clean, n_classes, has_targets=has_targets and chain.attack == "pgd")


def _look(folder: JobFolder, plan_hash: str, shards: Sequence[Shard]) -> dict[str, np.ndarray] | None:
    """What shards have found already; None where one is unfinished."""
    found: dict[str, Mapping[str, np.ndarray]] = {}
    for shard in shards:
        receipt = folder.read_receipt(plan_hash, shard)
        if receipt is None:
            return None
        found[shard.key] = {name: np.array(values) for name, values in receipt["facts"].items() if name != HALVED}
    return _join(shards, found)


def _join(shards: Sequence[Shard], found: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Columns of several shards, one below the other."""
    parts = [found[shard.key] for shard in shards]
    return {name: np.concatenate([part[name] for part in parts]) for name in (parts[0] if parts else ())}


def _check(
    run: Callable[[str, Sequence[Shard]], dict[str, Mapping[str, np.ndarray]]],
    chains: Sequence[Chain],
    clean: Mapping[str, np.ndarray],
    n_checked: int,
    columns: Sequence[tuple[Chain, float, Mapping[str, np.ndarray]]],
) -> list[dict[str, Any]]:
    """On some stimuli that are answered rightly: one step, more steps, an unbounded radius, gradients that are 0."""
    if n_checked < 0:
        raise InputError("--n_checked of 0 or more", got=str(n_checked))
    right = np.nonzero(clean["top1"])[0]
    if not n_checked or not len(right):
        return []
    some = right[np.unique(np.linspace(0, len(right) - 1, min(n_checked, len(right))).astype(int))]
    shards: list[tuple[Chain, Shard]] = []
    for norm in dict.fromkeys(chain.norm for chain in chains):
        own = [chain for chain in chains if chain.norm == norm and chain.attack in GRADIENT_ATTACKS]
        if own:
            first = min(own, key=lambda chain: (GRADIENT_ATTACKS.index(chain.attack), -chain.radii[-1], chain.radii))
            payload = {
                "part": "checks", "norm": norm, "attack": first.attack, "eps": first.radii[-1],
                "positions": some.tolist(),
            }  # fmt: skip
            shards.append((first, Shard(f"checks-{norm}-{hash_settings(payload)[:12]}", len(some), payload)))
    found = run("check", [shard for _, shard in shards])
    told: list[dict[str, Any]] = []
    for chain, shard in shards:
        here = next(held for own, eps, held in columns if own == chain and eps == chain.radii[-1])
        told.append({
            "norm": chain.norm, "attack": chain.attack, "eps": chain.radii[-1], "radii": list(chain.radii),
            "n": len(some), "attacked": int(here["top1"][some].sum()),
            **{name: int(values.sum()) for name, values in found[shard.key].items()},
        })  # fmt: skip
    return told
