"""``beholder assets``: published stimuli, checkpoints and data by name."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from beholder.cli._options import Json, Words, make_app, print_json

app = make_app("assets", "Published stimuli, checkpoints and data.")

Groups = Annotated[list[str] | None, Parameter(name=["--group", "-g"], consume_multiple=True)]


@app.default
def assets(pattern: str | None = None, /, *, group: Groups = None, json: Json = False) -> None:
    """List published files: name, group, size, and whether they are here.

    Example: beholder assets 'checkpoint-*'

    Parameters
    ----------
    pattern
        Part of a name or group, or a pattern for names with * and ?.
    group
        Only these groups; metamers-checkpoints* stands for two.
    json
        Print one JSON document to stdout: descriptions, licences and addresses too.
    """
    from beholder.cli._assets_run import describe_assets, format_list

    records = describe_assets(pattern, group or ())
    if json:
        print_json({"assets": records})
        return
    print("\n".join(format_list(records)))


@app.command
def fetch(
    *names: str,
    group: Groups = None,
    stimuli: Words = None,
    dry_run: bool = False,
    json: Json = False,
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
        For examples-...: numbers of the natural stimuli whose metamers are wanted, or all. Default: 16 of the 400.
    dry_run
        Say what would be fetched, from where.
    json
        Print one JSON document to stdout.
    """
    from beholder.cli._assets_run import pick_names, plan_fetch, run_fetch

    wanted = pick_names(names, group or ())
    summary = plan_fetch(wanted) if dry_run else run_fetch(wanted, stimuli)
    if json:
        print_json(summary.tables)
        return
    print("\n".join(summary.lines))


@app.command
def verify(*names: str, group: Groups = None, json: Json = False) -> None:
    """Hash published files that are here and hold them against their published hashes, else those of their arrival.

    Example: beholder assets verify human-vision-1

    Parameters
    ----------
    names
        Names; default all that are here.
    group
        All of these groups that are here.
    json
        Print one JSON document to stdout.
    """
    from beholder.cli._assets_run import refuse_damage, run_verify

    checks, lines = run_verify(names, group or ())
    if json:
        print_json({"files": [vars(check) for check in checks]})
    else:
        print("\n".join(lines))
    refuse_damage(checks)


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
def experiments(number: int | None = None, /, *, json: Json = False) -> None:
    """The published metamer experiments: number, networks, stages.

    Example: beholder assets experiments 9

    Parameters
    ----------
    number
        Only those of this number in the published files; their stages are shown too.
    json
        Print one JSON document to stdout.
    """
    from beholder.cli._assets_run import describe_experiments

    summary = describe_experiments(number)
    if json:
        print_json(summary.tables)
        return
    print("\n".join(summary.lines))
