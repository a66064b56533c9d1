"""``evaluate adversarial``: accuracy under attack, radius by radius, with what speaks against it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED
from beholder._core.settings import compare_settings
from beholder.analysis._inputs import identify_inputs
from beholder.analysis._result import Result, make_result
from beholder.analysis.accuracy._masking import Sign, find_signs
from beholder.analysis.accuracy._stimuli import open_stimuli
from beholder.evaluation import (
    PUBLISHED_STIMULI,
    AttackedAnswers,
    AttackProtocol,
    attack_stimuli,
    check_attacks,
    draw_held_out,
    read_attacked,
    read_protocol,
    read_radii,
)
from beholder.jobs import long_work, open_phases, order_phases, place_output
from beholder.models import Model, open_model
from beholder.statistics import wilson_interval
from beholder.stimuli import StimulusSet

if TYPE_CHECKING:
    from torch import nn

NORM_NAMES = {"l2": "L2", "linf": "Linf", "l1": "L1"}
_NOTHING: dict[str, Any] = {
    "steps": 0, "step": "", "keep": "", "targets": "", "restarts": 0, "n_attacked": 0, "n_fooled": 0, "n_flat": 0,
}  # fmt: skip
_MOST_ANSWERS = 5
_CHECKED = ("one_step", "more_steps", "unbounded", "zero_gradient")


@suggest_keywords
@long_work
def evaluate_adversarial(
    model: Model | nn.Module | str | Sequence[Model | nn.Module | str],
    stimuli: StimulusSet | Path | str | Any = None,
    *,
    norm: str | None = None,
    eps: float | str | Sequence[float | str] | Mapping[str, float | Sequence[float]] | None = None,
    attacks: str | Sequence[str] | None = None,
    preset: str | None = None,
    steps: int | None = None,
    step_size: float | None = None,
    divide: float | None = None,
    apgd_steps: int | None = None,
    keep: str | None = None,
    random_start: bool = False,
    restarts: int | None = None,
    eot: int = 1,
    targets: str | None = None,
    space: str = "prepared",
    transfer: Model | nn.Module | Path | str | None = None,
    n_stimuli: int | None = None,
    n_checked: int = 16,
    column: str | None = None,
    pattern: str | None = None,
    seed: int = DEFAULT_SEED,
    out_path: Path | str = "attacked",
    save_stimuli: Path | str | None = None,
    device: str = "auto",
    batch_size: int | None = None,
    workers: int = 1,
    threads: int | None = None,
    overwrite: bool = False,
    weights_seed: int = DEFAULT_SEED,
    cluster: str | None = None,
    mixed: bool = False,
    dry_run: bool = False,
) -> Result:
    """Measure how often networks are right about stimuli that were changed to fool them, radius by radius.

    A stimulus counts as right at a radius where neither the attack there nor one at a smaller radius of the run makes
    its label another than the network's answer. Networks, norms, radii and attacks may be added by later calls with the
    same ``out_path``, whose results are those of all of them.

    Parameters
    ----------
    model : Model, nn.Module, str, or sequence of them
    stimuli : StimulusSet, or whatever holds stimuli, optional
        A folder with a folder a class, a table, a named set, or several of these; default the held-out set of a bundled
        network, which is drawn. Its labels are classes of the network, see :func:`beholder.evaluation.find_labels`.
    norm : {"l2", "linf", "l1"}, optional
        Of radii that do not name theirs; without ``eps``, which of the published radii.
    eps : float, str, sequence of these, or mapping of norm to radii, optional
        Radii in the units of prepared stimuli (pictures in [0, 1]): ``3``, ``"4/255"``, ``"l2:3"``. Default the
        published ones of pictures and sounds.
    attacks : sequence of {"pgd", "apgd-ce", "apgd-t", "random"}, optional
        Default ``pgd``. ``random``: noise of the same norm, without gradients.
    preset : {"published"}, optional
        1,024 stimuli, drawn by ``seed``, 64 steps of a quarter of the radius, and the published radii.
    steps : int, optional
        Of PGD; default 32.
    step_size : float, optional
        Of PGD; default the radius over ``divide``.
    divide : float, optional
        Default 5.
    apgd_steps : int, optional
        Of APGD, which finds its step sizes itself; default 100.
    keep : {"best", "last", "success"}, optional
        The iterate of PGD that counts; default the one of the highest loss.
    random_start : bool
        PGD starts at random in the ball; so do restarts.
    restarts : int, optional
        Starts of every attack, and draws of random noise; the worst counts. Default 1, of APGD-CE in L1 the 5 of
        AutoAttack.
    eot : int
        Passes that are averaged in each step and for each answer, for networks that draw noise.
    targets : str, optional
        Of PGD: ``"random"``, ``"least-likely"``, or a class's name or number, which it brings about; default any class
        but the label.
    space : str
        ``"prepared"`` (pictures, ``"waveform"`` of sounds), or the output of the front end: ``"cochleagram"``.
    transfer, n_stimuli, n_checked, column, pattern, seed, device, batch_size, workers, threads, overwrite, weights_seed
        As for :func:`beholder.evaluation.attack_stimuli`.
    out_path : path
        Folder of the answers to every stimulus, which are kept and continued.
    save_stimuli : path, optional
        Folder for the attacked stimuli and, in place of ``out_path``, the answers to them: see ``save`` there.
    cluster, mixed, dry_run
        As for :func:`beholder.extract`.

    Returns
    -------
    Result
        ``kind`` is ``adversarial``: a row for every network, norm, attack and radius, the clean one with eps 0 and the
        attack ``none``; where there are several attacks, ``worst`` counts a stimulus as right that withstands them all.
        ``estimate`` is ``accuracy_top1`` with Wilson's 95 % interval over stimuli.

    Raises
    ------
    InputError
        As for :func:`beholder.evaluation.attack_stimuli`.

    Notes
    -----
    Sources: Madry et al. (2018), Towards deep learning models resistant to adversarial attacks, ICLR; Croce & Hein
    (2020), Reliable evaluation of adversarial robustness, ICML; Feather et al. (2023), Nature Neuroscience 26.

    Examples
    --------
    >>> import beholder as bh
    >>> few = bh.StimulusSet.from_folder("images")[:4]
    >>> found = bh.evaluate_adversarial("beholder:shapes", few, eps=["l2:0.5", "l2:3"], steps=2, n_checked=0)
    >>> found.table["eps"].tolist()
    [0.0, 0.5, 3.0]
    """
    if eps is None and norm is None and preset is None:
        raise InputError("--norm and --eps, or --preset published", got="neither")
    protocol = read_protocol(
        preset, steps=steps, step_size=step_size, divide=divide, apgd_steps=apgd_steps, keep=keep,
        random_start=random_start, restarts=restarts, eot=eot, targets=targets, space=space,
    )  # fmt: skip
    names = check_attacks("pgd" if attacks is None else attacks, targets)
    of_pgd = {
        "steps": steps,
        "step_size": step_size,
        "divide": divide,
        "keep": keep,
        "random_start": random_start or None,
    }
    _refuse_idle(names, {**of_pgd, "apgd_steps": apgd_steps}, is_transferred=transfer is not None)
    n = PUBLISHED_STIMULI if preset and n_stimuli is None else n_stimuli
    place = Path(out_path) if save_stimuli is None else Path(save_stimuli)
    networks = _load(model, device, weights_seed)
    shown: Any = open_stimuli(stimuli)
    if stimuli is None:
        drawn = Path(out_path).parent / "held_out"
        shown = draw_held_out(networks[0], place_output(drawn, drawn), seed=seed)
    asked: list[AttackedAnswers] = []
    with open_phases(len(networks)) as phase:
        for each in order_phases(networks):
            with phase():
                asked.append(attack_stimuli(
                    each, shown, read_radii(norm, eps, each.modality), names, protocol, transfer=transfer, n_stimuli=n,
                    n_checked=n_checked, column=column, pattern=pattern, seed=seed, out_path=place,
                    save=save_stimuli is not None, batch_size=batch_size, workers=workers, threads=threads,
                    overwrite=overwrite,
                ))  # fmt: skip
    return compare_attacked(_gather(asked, [place, Path(out_path)]))


def _refuse_idle(names: Sequence[str], given: Mapping[str, Any], *, is_transferred: bool) -> None:
    """Refuse settings of an attack that is not run: what they were meant for would have others.

    Whoever gives numbers of steps for both knows which is whose.
    """
    ways = set(names) - {"random"} or ({"pgd"} if is_transferred else set[str]())
    asked = {setting for setting, value in given.items() if value is not None}
    asked = asked - {"steps", "apgd_steps"} if asked >= {"steps", "apgd_steps"} else asked
    for setting in (each for each in given if each in asked):
        its, what = ("apgd", "apgd-ce or apgd-t") if setting == "apgd_steps" else ("pgd", "pgd")
        if not any(way.startswith(its) for way in ways):
            hint = "--apgd_steps" if setting == "steps" and ways else "--steps" if setting == "apgd_steps" else None
            raise InputError(f"--{setting} with {what} among --attacks", got=f"--attacks {' '.join(names)}", hint=hint)


def _load(models: Any, device: str, weights_seed: int) -> list[Model]:
    listed: list[Any] = list(cast("list[Any]", models)) if isinstance(models, list | tuple) else [models]
    if not listed:
        raise InputError("at least one network", got="none")
    return [open_model(each, device if isinstance(each, str) else None, weights_seed) for each in listed]


def _gather(asked: Sequence[AttackedAnswers], folders: Sequence[Path]) -> list[AttackedAnswers]:
    """Answers of the networks that were asked, and of those asked before about the same stimuli in the same way."""
    found = {each.facts["path_name"]: each for each in asked}
    first = asked[0].facts["settings"]
    for folder in dict.fromkeys(folders):
        for other in read_attacked(folder) if folder.is_dir() else ():
            if not _differ(first, other.facts["settings"]):
                found.setdefault(other.facts["path_name"], other)
    return [found[name] for name in sorted(found)]


_OF_NETWORKS = frozenset({"model", "network", "preprocessing", "device", "batch_size", "intra_threads"})


def _differ(first: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    mine, its = ({key: value for key, value in each.items() if key not in _OF_NETWORKS} for each in (first, other))
    return compare_settings(mine, its)


@suggest_keywords
def compare_attacked(answers: Sequence[AttackedAnswers]) -> Result:
    """One result of several networks' answers to attacked stimuli.

    Parameters
    ----------
    answers : sequence of AttackedAnswers
        To the same stimuli, by one protocol.

    Raises
    ------
    InputError
        Other stimuli or another protocol; names the first difference.
    """
    first = answers[0].facts["settings"]
    for other in answers[1:]:
        differences = _differ(first, other.facts["settings"])
        if differences:
            raise InputError("networks that were attacked in one way", got=f"{other.facts['model']}: {differences[0]}")
    rows: list[dict[str, Any]] = []
    notes: list[str] = []
    for each in answers:
        own, told = _make_rows(each)
        rows += own
        notes += told
    inputs = identify_inputs(stimuli=np.array([first["stimuli"]], dtype=np.str_))
    settings = {
        **first["protocol"], "seed": first["seed"], "n_stimuli": first["n_stimuli"], "inputs": inputs,
    }  # fmt: skip
    return make_result("adversarial", rows, settings, warnings=notes)


def _make_rows(answers: AttackedAnswers) -> tuple[list[dict[str, Any]], list[str]]:
    facts = answers.facts
    name, protocol = facts["model"], AttackProtocol(**facts["protocol"])
    held = _hold(answers.to_pandas())
    right = {key: own["top1"].to_numpy(dtype=bool) for key, own in held.items()}
    signs = find_signs(name, facts, {key: values for key, values in right.items() if key[1] != "none"})
    rows: list[dict[str, Any]] = []
    for (norm, attack, eps), own in held.items():
        row = _summarize(own, facts["n_classes"]) | {
            "model": name, "method": attack, "seed": facts["settings"]["seed"], "norm": norm, "eps": eps,
            "attack": attack, "radii": [float(each) for each in str(own["radii"].iloc[0]).split()],
            "transfer_from": str(own["source"].iloc[0]),
        }  # fmt: skip
        row |= _NOTHING | {"eot": protocol.eot, "space": protocol.space}
        if attack not in ("none", "worst"):
            row |= protocol.describe(attack, norm) | _count(facts, own, norm, attack, eps)
        row |= _find_checks(facts, norm, attack, eps)
        row["flags"] = "; ".join(dict.fromkeys(
            sign.flag for sign in signs if (sign.norm, sign.attack, sign.eps) == (norm, attack, eps)
        ))  # fmt: skip
        row["n_classes"] = facts["n_classes"]
        rows.append(row)
    return rows, [*(f"{name}: {note}" for note in facts["notes"]), *_tell(signs)]


def _hold(table: Any) -> dict[tuple[str, str, float], Any]:
    """Rows of every norm, attack and radius, the clean ones once a norm; ``worst`` where there are several attacks.

    Of several runs over the same radius the one with the fewest radii before it counts.
    """
    clean = table[table["attack"] == "none"]
    held: dict[tuple[str, str, float], Any] = {}
    for norm in [each for each in NORM_NAMES if (table["norm"] == each).any()]:
        held[norm, "none", 0.0] = clean
        of_norm = table[table["norm"] == norm]
        for eps in sorted(set(of_norm["eps"])):
            here = of_norm[of_norm["eps"] == eps]
            for attack in [each for each in _ATTACKS if (here["attack"] == each).any()]:
                own = here[here["attack"] == attack]
                ways = own.groupby(["source", "base", "radii"], sort=False)
                order = min(ways.groups, key=lambda way: (len(str(way[2]).split()), way))
                held[norm, attack, eps] = ways.get_group(order)
            several = [own for key, own in held.items() if (key[0], key[2]) == (norm, eps)]
            if len(several) > 1:
                held[norm, "worst", eps] = _take_worst(several)
    return held


_ATTACKS = ("pgd", "apgd-ce", "apgd-t", "transfer", "random")


def _take_worst(several: Sequence[Any]) -> Any:
    """Of every stimulus the worst of several attacks."""
    worst = several[0].copy()
    for column in ("top1", "top5", "top1_saved", "top5_saved"):
        if column in worst:
            worst[column] = np.logical_and.reduce([own[column].to_numpy(dtype=bool) for own in several])
    worst["source"] = ""
    for column in ("size", "size_saved"):
        if column in worst:
            worst[column] = np.nan
    return worst


def _summarize(own: Any, n_classes: int) -> dict[str, Any]:
    """Proportions right with their intervals, lengths of perturbations."""
    n = len(own)
    told: dict[str, Any] = {"statistic": "accuracy_top1", "n": n}
    for column, name in (("top1", "accuracy_top1"), ("top5", "accuracy_top5")):
        right = int(own[column].sum())
        low, high = wilson_interval(right, n)
        told |= {name: right / n}
        if column == "top1":
            told |= {"estimate": right / n, "low": float(low), "high": float(high)}
        else:
            told |= {"low_top5": float(low), "high_top5": float(high)}
    if n_classes <= _MOST_ANSWERS:  # whatever is answered, the label is among the first five
        told |= {"accuracy_top5": None, "low_top5": None, "high_top5": None}
    told["largest_size"] = float(own["size"].max())
    if "top1_saved" in own:
        told |= {
            "accuracy_top1_saved": float(own["top1_saved"].mean()),
            "accuracy_top5_saved": float(own["top5_saved"].mean()),
            "largest_size_saved": float(own["size_saved"].max()),
        }  # fmt: skip
    if "reached" in own:
        told["reached"] = float(own["reached"].mean())
    return told


def _count(facts: Mapping[str, Any], own: Any, norm: str, attack: str, eps: float) -> dict[str, Any]:
    radii = str(own["radii"].iloc[0])
    level = next(
        each for each in facts["levels"]
        if (each["norm"], each["attack"], each["eps"]) == (norm, attack, eps)
        and " ".join(f"{r:.9g}" for r in each["radii"]) == radii
    )  # fmt: skip
    return {key: level[key] for key in ("n_attacked", "n_fooled", "n_flat")}


def _find_checks(facts: Mapping[str, Any], norm: str, attack: str, eps: float) -> dict[str, Any]:
    """Of the stimuli that were looked at, the proportions left right by other attacks, in columns of their own."""
    for check in facts["checks"]:
        if (check["norm"], check["attack"], check["eps"]) == (norm, attack, eps):
            n = check["n"]
            return {
                "n_checked": n, "checked_accuracy": check["attacked"] / n,
                **{f"checked_{name}": check[name] / n for name in _CHECKED},
            }  # fmt: skip
    return {}


def _tell(signs: Sequence[Sign]) -> list[str]:
    return list(dict.fromkeys(sign.text for sign in signs))
