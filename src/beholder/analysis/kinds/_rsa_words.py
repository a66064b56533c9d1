"""What an RSA found, in words: sentences for people, and the paragraph for a paper."""

from __future__ import annotations

import math
from typing import Any

from beholder._core.wording import format_count
from beholder.analysis._behavior import POOLED
from beholder.analysis._result import Result, format_estimate, format_p
from beholder.analysis.distances._registry import DISTANCES
from beholder.analysis.kinds._rsa_differences import (
    has_times,
    tell_clusters,
    tell_differences,
    tell_recordings,
)
from beholder.analysis.kinds._telling import format_value, shorten_model
from beholder.statistics import JACKKNIFED

_MOST_TOLD = 6

SYMBOLS = {
    "spearman": "r", "pearson": "r", "rho-a": "rho-a", "tau-a": "tau-a", "tau-b": "tau-b", "cosine": "cosine",
    "whitened-cosine": "whitened cosine", "whitened-correlation": "whitened r",
}  # fmt: skip
NAMES = {
    "spearman": "Spearman's rank correlation",
    "pearson": "Pearson's correlation",
    "rho-a": "Spearman's correlation as expected when ties are broken at random (rho-a)",
    "tau-a": "Kendall's tau-a",
    "tau-b": "Kendall's tau-b",
    "cosine": "the cosine",
    "whitened-cosine": "the whitened cosine",
    "whitened-correlation": "the whitened correlation",
}
_CITED = {
    "spearman": "Kriegeskorte et al., 2008", "tau-a": "Nili et al., 2014", "rho-a": "Schütt et al., 2023",
    "whitened-cosine": "Diedrichsen et al., 2021", "whitened-correlation": "Diedrichsen et al., 2021",
}  # fmt: skip


def ask_rsa(result: Result) -> str:
    """The question: which layer represents stimuli as what was recorded does."""
    table: Any = result.table
    models = list(dict.fromkeys(name for name in table["model"] if name))
    who = shorten_model(models[0]) if len(models) == 1 else "networks"
    what = "the other network does" if is_network(result) else "brains and people do"
    return f"At which layer does {who} represent stimuli as {what}?"


def is_network(result: Result) -> bool:
    """Whether layers were compared with another network's."""
    return all(each["kind"] == "network" for each in result.settings.get("recordings", [])) and bool(
        result.settings.get("recordings")
    )


def tell_rsa(result: Result) -> list[str]:
    """A sentence for each target and network, the nearest first; then differences of networks or conditions."""
    table: Any = result.table
    nearest = table[table["statistic"] == "nearest layer"].sort_values("estimate", ascending=False, kind="stable")
    over_time = has_times(result)
    most = 1 if over_time else _MOST_TOLD
    told = [_tell_nearest(result, row) for row in nearest.head(most).to_dict("records")]
    if over_time and told:
        told[0] += " This moment was chosen for being the highest."
    if len(nearest) > most:
        told.append(f"{len(nearest) - most} further {'moments' if over_time else 'targets'} are in the table.")
    if not told:
        n = int(result.settings["n_stimuli"])
        told = [
            f"No nearest layer: with {format_count(n, 'stimulus')} it cannot "
            "be chosen on others than those that give its value."
        ]
    return tell_clusters(result) + told + tell_differences(result) + tell_recordings(result)


def _tell_nearest(result: Result, row: dict[str, Any]) -> str:
    symbol = SYMBOLS[row["method"]]
    value = format_value(row, symbol)
    model = f"{row['layer']} of {shorten_model(row['model'])}"
    model += f" ({shorten_model(row['source'])})" if row["source"] not in ("", row["model"]) else ""
    n_layers = _count_layers(result, row)
    tested = not math.isnan(row["p_corrected"])
    p = format_p(row["p_corrected"]) + (
        f" corrected for {format_count(n_layers, 'layer')}" if tested and n_layers > 1 else ""
    )
    people = "" if is_network(result) else f", n = {row['n']} {'person' if row['n'] == 1 else 'people'}"
    people = ", one RDM of all their answers" if row["target"].endswith(POOLED) else people
    ending = f"{value}, {p}{people}{_tell_ceiling(result, row)}. {_tell_choice(row, n_layers)}"
    if not tested or (row["p_corrected"] < 0.05 and row["estimate"] > 0):
        return f"{model} is nearest to {row['target']}: {ending}"
    nothing = f"No layer of {shorten_model(row['model'])} differs significantly from chance for {row['target']}"
    return f"{nothing}; the nearest is {row['layer']}: {ending}"


def _count_layers(result: Result, row: dict[str, Any]) -> int:
    table: Any = result.table
    own = table[(table["statistic"] == "mean over subjects") & (table["target"] == row["target"])]
    return int(((own["model"] == row["model"]) & (own["source"] == row["source"])).sum())


def find_ceiling(result: Result, target: str) -> dict[str, float]:
    """Lower and upper noise ceiling of a target and the chance level of the lower one; empty where there is none."""
    table: Any = result.table
    own = table[(table["target"] == target) & table["statistic"].str.startswith("ceiling ")]
    return {str(name)[8:]: float(value) for name, value in zip(own["statistic"], own["estimate"], strict=True)}


def _tell_ceiling(result: Result, row: dict[str, Any]) -> str:
    found = find_ceiling(result, row["target"])
    if not found:
        one = "RDM" if row["target"].endswith(POOLED) else "person"
        return "" if is_network(result) else f", no noise ceiling with one {one}"
    told = f", ceiling {format_estimate(found['lower'])}–{format_estimate(found['upper'])}"
    return told if found["lower"] > found["chance"] else f"{told} (not above chance)"


def _tell_choice(row: dict[str, Any], n_layers: int) -> str:
    if n_layers < 2:
        return "It is the only layer."
    agree = f"{int(row['n_agree'])} of {int(row['n_choices'])} times this one"
    if row["chosen_on"] == "subjects":
        return f"The layer was chosen for each person on the other people ({agree})."
    return f"The layer was chosen on half of the stimuli and its value taken from the other half ({agree})."


def describe_rsa(result: Result) -> str:
    """The Methods paragraph."""
    settings = result.settings
    method, distance = settings["method"], settings["distance"]
    recorded = settings["recorded_distance"]
    n = f"{settings['n_stimuli']:,}"
    models = " and ".join(dict.fromkeys(each["model"] for each in settings["activations"]))
    what = "conditions" if settings["conditions"] else "stimuli"
    parts = [
        f"Representational similarity analysis (Kriegeskorte et al., 2008) of {models}: for each layer, the "
        f"dissimilarity of every two of {n} {what} was {DISTANCES[distance].words}"
        + (", between unlike exposures" if settings["replicates"] == "cross" else "")
        + (". " if recorded == distance else f", that of recorded responses {DISTANCES[recorded].words}. ")
        + f"RDMs were compared by {NAMES[method]}" + (f" ({_CITED[method]})" if method in _CITED else "") + ".",
        _describe_intervals(result),
        f"p values are one-sided, from {settings['n_permutations']:,} shuffles of the stimuli, corrected for the "
        "layers of a network by the largest value in each shuffle (Nichols & Holmes, 2002); differences were tested by "
        "their bootstrapped standard error, two-sided, and corrected by Holm's method.",
    ]  # fmt: skip
    table: Any = result.table
    if table["statistic"].str.startswith("ceiling ").any():
        parts.append(
            "The noise ceiling is the mean comparison of each person's RDM with the pooled RDM of the others (lower) "
            "and of all people (upper; Nili et al., 2014); its chance level is the 95th percentile of the lower "
            "ceiling when each person's stimuli are shuffled."
        )
    chosen = set(table["chosen_on"]) - {""} if "chosen_on" in table.columns else set[str]()
    if "subjects" in chosen:
        parts.append("The nearest layer was chosen, for each person, by the mean over all other people.")
    if "stimuli" in chosen:
        parts.append(
            "The nearest layer was chosen on random halves of the stimuli; its value is that in the other halves."
        )
    statistics = set(table["statistic"])
    if "difference of recordings" in statistics:
        parts.append(
            "Recordings were compared at each layer by the difference of the same people's comparisons, with its "
            "bootstrapped standard error, corrected for layers by Holm's method."
        )
    if "cluster over time" in statistics:
        parts.append(
            "Stretches of time are clusters of people's comparisons beyond p = .05, two-sided, whose mass was tested "
            "by flipping the signs of people (Maris, E. & Oostenveld, R., 2007, J. Neurosci. Methods 164, "
            "177-190), for each layer by itself."
        )
    if recorded != distance or DISTANCES[distance].can_be_negative:
        parts.append("Negative dissimilarities were kept.")
    parts.append(f"Seed {settings['seed']}. {_cite(method, distance, recorded)}")
    return " ".join(part for part in parts if part)


def _describe_intervals(result: Result) -> str:
    settings = result.settings
    table: Any = result.table
    used = {name for name in table.get("interval", []) if name} - {""}
    jackknifed = settings["method"] in JACKKNIFED
    draws = f"{settings['n_draws']:,}"
    told = list[str]()
    if "both" in used:
        told.append(
            f"Intervals (95 %) are from {draws} bootstrap draws of stimuli and people, their variance corrected for "
            "the noise that drawing both counts twice (Schütt et al., 2023)"
        )
    elif "subjects" in used:
        told.append(f"Intervals (95 %) are from {draws} bootstrap draws of people")
    if "stimuli" in used:
        start = (
            "those of averaged RDMs and of single people"
            if told
            else f"Intervals (95 %) are from {draws} bootstrap draws"
        )
        told.append(f"{start}{'' if not told else ' from draws'} of stimuli alone")
    if jackknifed and told:
        return (
            f"{'; '.join(told)}. Draws of stimuli were of their pseudo-values, less what the jackknife counts twice "
            "(Efron & Stein, 1981, Annals of Statistics 9, 586-596)."
        )
    return f"{'; '.join(told)}. Pairs of a stimulus with itself were left out." if told else ""


def _cite(method: str, distance: str, recorded: str) -> str:
    cited = [
        "Kriegeskorte, N., Mur, M. & Bandettini, P. (2008). Representational similarity analysis. Front. Syst. "
        "Neurosci. 2:4.",
        "Nichols, T. E. & Holmes, A. P. (2002). Nonparametric permutation tests for functional neuroimaging. Hum. "
        "Brain Mapp. 15, 1–25.",
        "Nili, H. et al. (2014). A toolbox for representational similarity analysis. PLoS Comput. Biol. 10:e1003553.",
        "Schütt, H. H. et al. (2023). Statistical inference on representational geometries. eLife 12:e82566.",
    ]
    if method.startswith("whitened"):
        cited.append(
            "Diedrichsen, J. et al. (2021). Comparing representational geometries using whitened "
            "unbiased-distance-matrix similarity. Neurons Behav. Data Anal. Theory 5(3)."
        )
    own = {DISTANCES[name].citation for name in (distance, recorded)} - {""}
    cited += sorted(each for each in own if "Bandettini" not in each)
    return "References: " + " ".join(cited)
