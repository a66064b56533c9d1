"""``beholder assets``: published stimuli, checkpoints and data by name."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from beholder._core.errors import BeholderError, InputError, UnknownNameError
from beholder.cli._failures import suggest_command
from beholder.cli._flags import OutputFlags, Words, align, make_app

if TYPE_CHECKING:
    from beholder.stimuli import Asset, FileCheck, MetamerExperiment

logger = logging.getLogger("beholder")
app = make_app("assets")

Groups = Annotated[list[str] | None, Parameter(name=["--group", "-g"], consume_multiple=True)]

_N_STIMULI = 400


@app.default
def assets(pattern: str | None = None, /, *, group: Groups = None, output: OutputFlags = OutputFlags()) -> None:
    """List published files: name, group, size, and whether they are here.

    Example: beholder assets 'checkpoint-*'

    Parameters
    ----------
    pattern
        Part of a name or group, or a pattern for names with * and ?.
    group
        Only these groups; a pattern such as metamers-checkpoints* stands for several.
    output.json
        Print one JSON document to stdout: descriptions, licences and addresses too.
    """
    from beholder.stimuli import get_assets_folder, list_assets, load_assets

    found = list_assets(pattern, groups=group or ())
    if not found:
        near = suggest_command(pattern or "", app, app)
        hint = "beholder assets " + near if near else "beholder assets, for all"
        raise UnknownNameError("published asset", pattern or "", load_assets(), hint=hint)
    records = [_describe(asset) for asset in found]
    n_here = sum(record["state"] == "here" for record in records)
    logger.info("%d of %d here, in %s", n_here, len(records), get_assets_folder())
    rows = [(r["name"], r["group"], _format_size(r), _format_state(r)) for r in records]
    output.print(_align([("name", "group", "size", "state"), *rows]), {"assets": records})


def _align(rows: Sequence[Sequence[str]]) -> list[str]:
    return align(rows, n_left=len(rows[0]))


def _describe(asset: Asset) -> dict[str, Any]:
    from beholder.stimuli import find_asset_state

    return {
        "name": asset.name,
        "group": asset.group,
        "size": asset.size,
        "archive_size": asset.archive_size,
        "state": find_asset_state(asset),
        "what": asset.what,
        "licence": asset.licence or None,
        "how": asset.how,
        "addresses": list(asset.addresses),
        "stated_in": asset.stated_in,
    }


def _format_size(record: dict[str, Any]) -> str:
    from beholder._core.sizes import format_bytes

    if record["size"] is not None:
        return format_bytes(record["size"])
    return f"in {format_bytes(record['archive_size'])}" if record["archive_size"] else "?"


def _format_state(record: dict[str, Any]) -> str:
    if record["state"] == "with its model":
        return record["how"]
    return record["state"] if record["state"] == "here" or record["addresses"] else f"absent; {record['how']}"


@app.command
def fetch(
    *names: str,
    group: Groups = None,
    stimuli: Words = None,
    dry_run: bool = False,
    output: OutputFlags = OutputFlags(),
) -> None:
    """Fetch published files; what is here is kept, what broke off is taken up again.

    Example: beholder assets fetch metamers-400-pictures human-vision-1

    Parameters
    ----------
    names
        Names, as beholder assets lists them.
    group
        All of these groups.
    stimuli
        For the sets examples-…: numbers of the natural stimuli whose metamers are wanted, or all. Default: 16 of the
        400.
    dry_run
        Say what would be fetched, from where.
    """
    from beholder.models import fetch_published

    wanted = _pick_names(names, group or ())
    if dry_run:
        plan = [_plan(name) for name in wanted]
        output.print(_align([_format_plan(record) for record in plan]), {"plan": plan})
        return
    fetched = fetch_published(wanted, stimuli=None if stimuli is None else read_numbers(stimuli))
    records = [{**vars(each), "path": str(each.path)} for each in fetched]
    output.print((f"{r['name']}: {r['path']} ({r['outcome']})" for r in records), {"assets": records})


def _pick_names(names: Sequence[str], groups: Sequence[str]) -> list[str]:
    """Names, and those of groups, in order, each once."""
    from beholder.stimuli import get_asset, list_assets

    for name in names:
        get_asset(name)
    grouped = [asset.name for asset in list_assets(groups=groups)] if groups else []
    if not names and not grouped:
        raise InputError("names of assets, or --group GROUP", got="none", hint="beholder assets, for a list")
    return list(dict.fromkeys([*names, *grouped]))


def _plan(name: str) -> dict[str, Any]:
    """What would be fetched, and from where."""
    from beholder.stimuli import get_asset

    record = _describe(get_asset(name))
    size = record["archive_size"] if record["size"] is None else record["size"]
    return {**{key: record[key] for key in ("name", "state", "how")}, "size": size, "addresses": record["addresses"]}


def _format_plan(record: dict[str, Any]) -> Sequence[str]:
    from beholder._core.sizes import format_bytes

    way = "kept" if record["state"] == "here" else record["how"]
    first, more = next(iter(record["addresses"]), ""), len(record["addresses"]) - 1
    size = format_bytes(record["size"]) if record["size"] else "?"
    return record["name"], way, size, f"{first} and {more} more" if more > 0 else first


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


@app.command
def verify(*names: str, group: Groups = None, output: OutputFlags = OutputFlags()) -> None:
    """Hash published files that are here and hold them against their published hashes, else those of their arrival.

    Example: beholder assets verify human-vision-1

    Parameters
    ----------
    names
        Names; default all that are here.
    group
        All of these groups that are here.
    """
    from beholder.stimuli import find_asset_state, get_asset, list_assets, verify_asset

    chosen = [asset.name for asset in list_assets(groups=group or ()) if find_asset_state(asset) == "here"]
    if names:
        chosen = [*names, *(name for name in chosen if group and name not in names)]
    checks = {name: verify_asset(get_asset(name).name) for name in chosen}
    files = [check for own in checks.values() for check in own]
    lines = [f"{name}: {_format_checks(own)}" for name, own in checks.items()] or ["nothing here to verify"]
    output.print(lines, {"files": map(vars, files)})
    _refuse_damage(files)


def _format_checks(checks: Sequence[FileCheck]) -> str:
    found = {state: [c for c in checks if c.state == state] for state in ("ok", "changed", "missing", "not known")}
    published = sum(check.against == "published" for check in found["ok"])
    parts = [f"{len(found['ok'])} ok ({published} against published hashes)"] if found["ok"] else []
    parts += [f"{len(own)} {state}: {_name_some(own)}" for state, own in found.items() if state != "ok" and own]
    return "; ".join(parts)


def _name_some(checks: Sequence[FileCheck], n: int = 3) -> str:
    return ", ".join(check.file for check in checks[:n]) + (", ..." if len(checks) > n else "")


def _refuse_damage(checks: Sequence[FileCheck]) -> None:
    """Fail where a file is missing or changed."""
    from beholder.stimuli import get_asset_folder

    bad = [check for check in checks if check.state in ("changed", "missing")]
    if bad:
        places = ", ".join(str(get_asset_folder(name)) for name in dict.fromkeys(check.asset for check in bad))
        raise BeholderError(
            f"expected files as they came; got {len(bad)} of {len(checks)} changed or missing ({_name_some(bad)}); "
            f"try removing {places} and fetching again"
        )


@app.command
def path(name: str, /) -> None:
    """Say where a published file or folder lies; one that is not here is an error.

    Example: beholder assets path checkpoint-kell2018

    Parameters
    ----------
    name
        A name, as beholder assets lists them.
    """
    from beholder.stimuli import require_asset

    print(require_asset(name))


@app.command
def experiments(number: int | None = None, /, *, output: OutputFlags = OutputFlags()) -> None:
    """The published metamer experiments: number, networks, stages.

    Example: beholder assets experiments 9

    Parameters
    ----------
    number
        Only the experiment of this number in the published files; its stages are shown too.
    """
    from beholder.stimuli import load_metamer_experiments

    known = load_metamer_experiments()
    found = [each for each in known if number is None or each.number == number]
    if not found:
        numbers = sorted({each.number for each in known})
        raise InputError("the number of a published experiment", got=str(number), hint=f"one of {numbers}")
    records = [record for each in found for record in _list_networks(each)]
    rows = [("experiment", "network", "stages")]
    rows += [(f"{r['modality']} {r['experiment']}", r["network"], " ".join(r["stages"])) for r in records]
    if number is None:
        rows = [("experiment", "in the paper", "title", "networks")]
        rows += [(f"{e.modality} {e.number}", str(e.paper_number), e.title, ", ".join(e.networks)) for e in found]
    output.print(_align(rows), {"experiments": records})


def _list_networks(experiment: MetamerExperiment) -> Iterator[dict[str, Any]]:
    for network, stages in experiment.stages.items():
        yield {
            "modality": experiment.modality,
            "experiment": experiment.number,
            "paper_experiment": experiment.paper_number,
            "title": experiment.title,
            "network": network,
            "stages": list(stages),
        }
