"""What the commands of ``beholder assets`` do with their flags."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from beholder._core.errors import BeholderError, InputError, UnknownNameError

if TYPE_CHECKING:
    from beholder.stimuli import Asset, FileCheck

logger = logging.getLogger("beholder")

_N_STIMULI = 400


@dataclass(frozen=True)
class Summary:
    """What came of a command, for people and for ``--json``."""

    lines: list[str]
    tables: dict[str, list[dict[str, Any]]]


def describe_assets(pattern: str | None, groups: Sequence[str]) -> list[dict[str, Any]]:
    """A record an asset."""
    from beholder.stimuli import get_assets_folder, list_assets, load_assets

    found = list_assets(pattern, groups=groups)
    if not found:
        raise UnknownNameError("published asset", pattern or "", load_assets(), hint="beholder assets, for all")
    records = [_describe(asset) for asset in found]
    n_here = sum(record["state"] == "here" for record in records)
    logger.info("%d of %d here, in %s", n_here, len(records), get_assets_folder())
    return records


def _describe(asset: Asset) -> dict[str, Any]:
    from beholder.stimuli import tell_state

    return {
        "name": asset.name,
        "group": asset.group,
        "size": asset.size,
        "archive_size": asset.archive_size,
        "state": tell_state(asset),
        "what": asset.what,
        "licence": asset.licence or None,
        "how": asset.how,
        "addresses": list(asset.addresses),
        "stated_in": asset.stated_in,
    }


def format_list(records: Sequence[dict[str, Any]]) -> list[str]:
    """The table for people."""
    from beholder.stimuli import format_size

    def tell_size(record: dict[str, Any]) -> str:
        if record["size"] is not None:
            return format_size(record["size"])
        return f"in {format_size(record['archive_size'])}" if record["archive_size"] else "?"

    def tell(record: dict[str, Any]) -> str:
        if record["state"] == "with its model":
            return record["how"]
        return record["state"] if record["state"] == "here" or record["addresses"] else f"absent; {record['how']}"

    rows = [(r["name"], r["group"], tell_size(r), tell(r)) for r in records]
    return _align([("name", "group", "size", "state"), *rows])


def _align(rows: Sequence[tuple[str, ...]]) -> list[str]:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def pick_names(names: Sequence[str], groups: Sequence[str]) -> list[str]:
    """Names, and those of groups, in order, each once."""
    from beholder.stimuli import get_asset, list_assets

    for name in names:
        get_asset(name)
    grouped = [asset.name for asset in list_assets(groups=groups)] if groups else []
    if not names and not grouped:
        raise InputError("names of assets, or --group GROUP", got="none", hint="beholder assets, for a list")
    return list(dict.fromkeys([*names, *grouped]))


def plan_fetch(names: Sequence[str]) -> Summary:
    """What would be fetched, and from where."""
    from beholder.stimuli import format_size, get_asset, tell_state

    records = []
    for name in names:
        asset = get_asset(name)
        size = asset.size if asset.size is not None else asset.archive_size
        records.append(
            {
                "name": name,
                "state": tell_state(asset),
                "how": asset.how,
                "size": size,
                "addresses": list(asset.addresses),
            }
        )
    rows = [
        (r["name"], "kept" if r["state"] == "here" else r["how"], format_size(r["size"]) if r["size"] else "?",
         next(iter(r["addresses"]), "") + (f" and {len(r['addresses']) - 1} more" if len(r["addresses"]) > 1 else ""))
        for r in records
    ]  # fmt: skip
    return Summary(_align(rows), {"plan": records})


def run_fetch(names: Sequence[str], stimuli: Sequence[str] | None) -> Summary:
    """Fetch; weights that a model source keeps are fetched by it."""
    from beholder.stimuli import fetch_assets, get_asset

    numbers = None if stimuli is None else read_numbers(stimuli)
    by_model = {name: model for name in names if (model := get_asset(name).model) is not None}
    others = [name for name in names if name not in by_model]
    failed: list[BeholderError] = []
    records: list[dict[str, Any]] = []
    try:
        for fetched in fetch_assets(others, stimuli=numbers):
            records.append({"name": fetched.name, "path": str(fetched.path), "outcome": fetched.outcome})
    except BeholderError as error:
        failed.append(error)
    if by_model:
        from beholder.models import fetch_weights

        try:
            for name, (_, weights) in zip(by_model, fetch_weights(by_model.values()), strict=True):
                records.append({"name": name, "path": weights.file, "outcome": "with its model"})
        except BeholderError as error:
            failed.append(error)
    if failed:
        for error in failed[1:]:
            logger.warning("%s", error)
        raise failed[0]
    return Summary([f"{r['name']}: {r['path']} ({r['outcome']})" for r in records], {"assets": records})


def read_numbers(words: Sequence[str]) -> list[int]:
    """Numbers of natural stimuli; ``all`` for all.

    >>> read_numbers(["0", "25"])
    [0, 25]
    """
    if list(words) == ["all"]:
        return list(range(_N_STIMULI))
    if not words or not all(word.isdigit() and int(word) < _N_STIMULI for word in words):
        raise InputError(f"--stimuli with numbers from 0 to {_N_STIMULI - 1}, or all", got=" ".join(words) or "none")
    return [int(word) for word in words]


def run_verify(names: Sequence[str], groups: Sequence[str]) -> tuple[list[FileCheck], list[str]]:
    """Every file's state, and the lines for people."""
    from beholder.stimuli import get_asset, list_assets, tell_state, verify_asset

    chosen = [asset.name for asset in list_assets(groups=groups) if tell_state(asset) == "here"]
    if names:
        chosen = [*names, *(name for name in chosen if groups and name not in names)]
    checks: list[FileCheck] = []
    lines: list[str] = []
    for name in chosen:
        own = verify_asset(get_asset(name).name)
        checks += own
        counts = {state: [c for c in own if c.state == state] for state in ("ok", "changed", "missing", "not known")}
        published = sum(check.against == "published" for check in counts["ok"])
        parts = [
            f"{len(counts['ok'])} ok ({published} against published hashes)" if counts["ok"] else "",
            *(
                f"{len(found)} {state}: {_name_some(found)}"
                for state, found in counts.items()
                if state != "ok" and found
            ),
        ]
        lines.append(f"{name}: {'; '.join(part for part in parts if part)}")
    return checks, lines or ["nothing here to verify"]


def _name_some(checks: Sequence[FileCheck], n: int = 3) -> str:
    return ", ".join(check.file for check in checks[:n]) + (", ..." if len(checks) > n else "")


def refuse_damage(checks: Sequence[FileCheck]) -> None:
    """Fail where a file is missing or changed."""
    from beholder.stimuli import get_asset_folder

    bad = [check for check in checks if check.state in ("changed", "missing")]
    if bad:
        places = ", ".join(str(get_asset_folder(name)) for name in dict.fromkeys(check.asset for check in bad))
        raise BeholderError(
            f"expected files as they came; got {len(bad)} of {len(checks)} changed or missing ({_name_some(bad)}); "
            f"try removing {places} and fetching again"
        )


def describe_experiments(number: int | None) -> Summary:
    """The table of experiments; with a number, the stages of its networks."""
    from beholder.stimuli import load_metamer_experiments

    known = load_metamer_experiments()
    found = [each for each in known if number is None or each.number == number]
    if not found:
        numbers = sorted({each.number for each in known})
        raise InputError("the number of a published experiment", got=str(number), hint=f"one of {numbers}")
    records = [
        {
            "modality": each.modality,
            "experiment": each.number,
            "paper_experiment": each.paper_number,
            "title": each.title,
            "network": network,
            "stages": list(stages),
        }
        for each in found
        for network, stages in each.stages.items()
    ]
    if number is None:
        head = ("experiment", "in the paper", "title", "networks")
        rows = [(f"{e.modality} {e.number}", str(e.paper_number), e.title, ", ".join(e.networks)) for e in found]
    else:
        head = ("experiment", "network", "stages")
        rows = [(f"{r['modality']} {r['experiment']}", r["network"], " ".join(r["stages"])) for r in records]
    return Summary(_align([head, *rows]), {"experiments": records})
