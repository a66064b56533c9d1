"""What accuracy under attack is said to be, and how a paper says it was measured."""

from __future__ import annotations

from typing import Any

from beholder._core.wording import flow_text, format_count, format_share
from beholder.analysis._result import Result
from beholder.analysis.kinds._recognition_words import format_percent
from beholder.analysis.kinds._telling import shorten_model

_MOST_TOLD = 12
_NORMS = {"l2": "L2", "linf": "Linf", "l1": "L1"}
_ATTACKS = {
    "pgd": "PGD", "apgd-ce": "APGD-CE", "apgd-t": "APGD-T", "random": "random noise", "transfer": "transferred attacks",
    "worst": "the worst of all attacks",
}  # fmt: skip


def name_networks(result: Result) -> dict[str, str]:
    """Names of the networks in pictures and sentences: short ones where they differ."""
    names = list(dict.fromkeys(str(name) for name in result.to_pandas()["model"]))
    short = [shorten_model(name) for name in names]
    return {name: own if short.count(own) == 1 else name for name, own in zip(names, short, strict=True)}


def name_eps(norm: str, eps: float) -> str:
    """A norm's name and a radius.

    >>> name_eps("linf", 4 / 255), name_eps("l2", 3.0)
    ('Linf 4/255', 'L2 3')
    """
    steps = 255 * eps
    is_fraction = norm == "linf" and steps >= 0.5 and abs(2 * steps - round(2 * steps)) < 1e-6
    return f"{_NORMS.get(norm, norm)} {f'{steps:g}/255' if is_fraction else f'{eps:.4g}'}"


def ask_adversarial(result: Result) -> str:
    """The section's question."""
    names = list(name_networks(result).values())
    if len(names) == 1:
        return f"How often is {names[0]} right under attack?"
    return f"How often are {format_count(len(names), 'network')} right under attack?"


def tell_adversarial(result: Result) -> list[str]:
    """Clean accuracy and that under attack of every network; then noise, saved stimuli, and how the attacks did."""
    names = name_networks(result)
    table: Any = result.table
    told: list[str] = []
    further: list[str] = []
    for model, name in names.items():
        own = table[table["model"] == model].to_dict("records")
        clean = own[0]
        five = f"; the label is among its first five answers for {format_share(clean['accuracy_top5'])}"
        five = "" if clean["accuracy_top5"] != clean["accuracy_top5"] else five
        told.append(f"{name} is right about {format_percent(clean)} of {format_count(clean['n'], 'stimulus')}{five}.")
        rows = [row for row in own if row["eps"] > 0]
        main = [row for row in rows if row["attack"] == _pick_main(rows, row["norm"])]
        parts = [f"{name_eps(row['norm'], row['eps'])}: {format_percent(row)}" for row in main[:_MOST_TOLD]]
        by = " and ".join(dict.fromkeys(_ATTACKS[str(row["attack"])] for row in main))
        more = f" and {len(main) - _MOST_TOLD} further radii" if len(main) > _MOST_TOLD else ""
        told.append(f"Under {by} {name} is right at {', '.join(parts)}{more}.")
        further += _tell_noise(rows, name) + _tell_saved(main, name) + _tell_checks(own, name)
    return told + further


def _pick_main(rows: list[dict[str, Any]], norm: str) -> str:
    attacks = [row["attack"] for row in rows if row["norm"] == norm]
    return "worst" if "worst" in attacks else attacks[0]


def _tell_noise(rows: list[dict[str, Any]], name: str) -> list[str]:
    noise = [row for row in rows if row["attack"] == "random"]
    if not noise:
        return []
    parts = [f"{name_eps(row['norm'], row['eps'])}: {format_percent(row)}" for row in noise[:_MOST_TOLD]]
    return [f"Random noise of the same length leaves {name} right at {', '.join(parts)}."]


def _tell_saved(rows: list[dict[str, Any]], name: str) -> list[str]:
    saved = [
        row for row in rows if isinstance(row.get("accuracy_top1_saved"), float) and row["accuracy_top1_saved"] >= 0
    ]
    if not saved:
        return []
    parts = [
        f"{name_eps(row['norm'], row['eps'])}: {format_share(row['accuracy_top1_saved'])}" for row in saved[:_MOST_TOLD]
    ]
    return [f"Of the stimuli as they were saved (pictures in 8 bits) {name} is right about {', '.join(parts)}."]


def _tell_checks(rows: list[dict[str, Any]], name: str) -> list[str]:
    """That nothing speaks against the attacks, where they were looked at and nothing does."""
    looked = [row for row in rows if row.get("n_checked", 0) > 0]
    if not looked or any(row["flags"] for row in rows):
        return []
    return [
        f"No sign of masked gradients in {name}: on "
        f"{format_count(round(looked[0]['n_checked']), 'stimulus')} neither a single step nor "
        "twice the steps did better than the attack, and an attack without bounds left none right."
    ]


def describe_adversarial(result: Result) -> str:
    """The paragraph for a paper's Methods."""
    asked = result.settings
    table: Any = result.table
    attacks = [each for each in ("pgd", "apgd-ce", "apgd-t", "random", "transfer") if (table["attack"] == each).any()]
    norms = [each for each in _NORMS if ((table["norm"] == each) & (table["eps"] > 0)).any()]
    radii = "; ".join(
        f"{_NORMS[norm]} {', '.join(_list_radii(table, norm))}" for norm in norms
    )  # fmt: skip
    named = " or ".join(_NORMS[norm] for norm in norms)
    parts = [
        f"""Networks were shown {format_count(asked["n_stimuli"], "stimulus")}, as they are and with
        perturbations whose {named} norm is
        at most a radius ({radii}; in the units of {_tell_space(asked["space"])})."""
    ]
    if "pgd" in attacks:
        parts.append(_describe_pgd(asked))
    if "apgd-ce" in attacks or "apgd-t" in attacks:
        which = " and ".join(each.upper() for each in attacks if each.startswith("apgd"))
        parts.append(
            f"""{which} ran {asked["apgd_steps"]} steps whose sizes it finds itself (Croce, F. & Hein, M.,
            2020, Reliable evaluation of adversarial robustness with an ensemble of diverse parameter-free attacks,
            ICML)."""
        )
    if "random" in attacks:
        draws = asked["restarts"] or 1
        parts.append(
            f"""Random noise of the same norm was the baseline: on the sphere for L2 and L1, every value by plus or
            minus the radius for Linf, {draws} {"draw" if draws == 1 else "draws, the worst of which counts"} a stimulus
            (Feather, J. et al., 2023, Model metamers reveal divergent invariances between biological and artificial
            neural networks, Nature Neuroscience 26, 2017-2034)."""
        )
    if "transfer" in attacks:
        whose = ", ".join(sorted({str(each) for each in table["transfer_from"] if each}))
        parts.append(f"Transferred attacks were made for {whose} and shown to the network.")
    if asked["eot"] > 1:
        parts.append(
            f"""Gradients and answers are means over {asked["eot"]} passes (Athalye, A. et al., 2018, Synthesizing
            robust adversarial examples, ICML)."""
        )
    parts.append(
        """A stimulus counts as right at a radius if neither the attack there nor one at a smaller radius changed the
        answer; intervals are Wilson's over stimuli. Signs of masked gradients were looked for as Athalye, A., Carlini,
        N. & Wagner, D. (2018, Obfuscated gradients give a false sense of security, ICML) and Carlini, N. et al. (2019,
        On evaluating adversarial robustness, arXiv:1902.06705) advise."""
    )
    return " ".join(flow_text(part) for part in parts)


def _describe_pgd(asked: dict[str, Any]) -> str:
    size = f"the radius over {asked['divide']:g}" if asked["step_size"] is None else f"{asked['step_size']:g}"
    start = "a random start" if asked["random_start"] or (asked["restarts"] or 1) > 1 else "a start at the stimulus"
    kept = {"best": "the iterate of the highest loss", "last": "the last iterate", "success": "the first that fools"}
    aim = "away from the label" if asked["targets"] is None else f"towards a target ({asked['targets']})"
    restarts = f", {asked['restarts']} restarts" if (asked["restarts"] or 1) > 1 else ""
    return f"""Projected gradient descent (Madry, A. et al., 2018, Towards deep learning models resistant to adversarial
        attacks, ICLR) took {asked["steps"]} steps of {size} {aim}, from {start}{restarts}, and
        {kept[asked["keep"]]} counted (as in Engstrom, L. et al., 2019, Robustness, a Python library)."""


def _list_radii(table: Any, norm: str) -> list[str]:
    radii = sorted({float(each) for each in table[table["norm"] == norm]["eps"] if each > 0})
    return [name_eps(norm, each).partition(" ")[2] for each in radii]


def _tell_space(space: str) -> str:
    if space in ("prepared", "waveform"):
        return "prepared stimuli: pictures in [0, 1], waveforms"
    return f"the {space} that the network's front end makes"
