"""What an RSA found of networks, conditions, recordings and moments told apart, in words."""

from __future__ import annotations

from typing import Any

from beholder._core.wording import format_count
from beholder.analysis._result import Result, format_p
from beholder.analysis.kinds._telling import format_value, shorten_model


def has_times(result: Result) -> bool:
    """Whether targets are moments, two or more."""
    table: Any = result.table
    return "time" in table.columns and table["time"].dropna().nunique() > 1


def tell_differences(result: Result) -> list[str]:
    """Of each target and two networks or conditions: their nearest layers, and at how many layers they differ."""
    table: Any = result.table
    if "other_source" not in table.columns:
        return []
    between = table[(table["statistic"] == "difference") & (table["other_source"] != "")]
    bins = set(table.loc[table["statistic"] == "mean of depth bin", "layer"])
    told: list[str] = []
    for (target, one, two), group in between.groupby(["target", "source", "other_source"], sort=False):
        chosen = group[group["chosen_on"].isin(["subjects", "stimuli"])] if "chosen_on" in group else group.head(0)
        same = group[group["layer"] == group["other_layer"]]
        for row in chosen.head(1).to_dict("records"):
            told.append(
                f"{target}: {shorten_model(one)} ({row['layer']}) less {shorten_model(two)} ({row['other_layer']}) is "
                f"{format_value(row)}, {format_p(row['p_corrected'])} corrected."
            )
        is_bin = same["layer"].isin(bins)
        counts = [
            f"{int((own['p_corrected'] < 0.05).sum())} of {format_count(len(own), word)}"
            for word, own in (("layer", same[~is_bin]), ("depth bin", same[is_bin])) if len(own)
        ]  # fmt: skip
        if counts:
            both = f"{shorten_model(one)} and {shorten_model(two)}"
            told.append(f"{target}: {both} differ at {' and '.join(counts)} (corrected).")
    return told


def tell_recordings(result: Result) -> list[str]:
    """Of each target in two recordings: how many layers differ, and the one that does most."""
    table: Any = result.table
    between = table[table["statistic"] == "difference of recordings"]
    told: list[str] = []
    if not len(between):
        return told
    if has_times(result):
        n = int((between["p_corrected"] < 0.05).sum())
        return [
            f"{n} of {len(between):,} differences between recordings, a layer and moment each, have p < .05 corrected."
        ]
    for (source, one, two), group in between.groupby(["source", "target", "other_target"], sort=False):
        known = group[group["estimate"].notna()]
        if not len(known):
            continue
        row: Any = known.loc[known["estimate"].abs().idxmax()]
        n = int((known["p_corrected"] < 0.05).sum())
        who = f" of {shorten_model(str(source))}" if source else ""
        told.append(
            f"{one} and {two} differ at {n} of {format_count(len(known), 'layer')}{who} (corrected); most at "
            f"{row['layer']}: {one} less {two} is {format_value(row)}, "
            f"{format_p(row['p_corrected'])} corrected."
        )
    return told


def tell_clusters(result: Result) -> list[str]:
    """Of each target over time: the clusters of the layer with the most significant one."""
    table: Any = result.table
    clusters = table[(table["statistic"] == "cluster over time")]
    told: list[str] = []
    for target, group in clusters.groupby("target", sort=False):
        found = group[group["p"] < 0.05]
        if not len(found):
            told.append(f"{target}: no layer differs from chance over time (corrected for all moments).")
            continue
        best: Any = found.loc[found["p"].idxmin()]
        own = found[(found["layer"] == best["layer"]) & (found["source"] == best["source"])]
        when = ", ".join(map(_tell_stretch, own.to_dict("records")))
        n = found[["source", "layer"]].drop_duplicates().shape[0]
        told.append(
            f"{target}: {format_count(n, 'layer')} {'differs' if n == 1 else 'differ'} from chance over time, "
            f"{best['layer']} at {when}, corrected for all moments; n = "
            f"{format_count(int(best['n']), 'person')}, these stimuli."
        )
    return told


def _tell_stretch(row: dict[str, Any]) -> str:
    side = "" if row["estimate"] > 0 else "below chance, "
    return f"{1000 * row['time']:g} to {1000 * row['stop']:g} ms ({side}{format_p(row['p'])})"
