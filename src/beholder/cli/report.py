"""``beholder report``: one self-contained page of everything found in a folder."""

from __future__ import annotations

from pathlib import Path

from beholder.cli._options import Json, make_app, print_json

app = make_app("report")


@app.default
def report(folder: Path, /, *, out: Path | None = None, json: Json = False) -> None:
    """Write one self-contained HTML page of everything found in a folder.

    Example: beholder report demo/

    Parameters
    ----------
    folder
        Results of any commands.
    out
        The page; report.html in the folder unless given.
    json
        Print one JSON document to stdout.
    """
    from beholder.report import write_report

    page = write_report(folder, out)
    if json:
        print_json({"report": [{"file": str(page), "bytes": page.stat().st_size}]})
    else:
        print(f"report: {page}")
