"""``beholder report``: one self-contained page of everything found in a folder."""

from __future__ import annotations

from pathlib import Path

from beholder.cli._flags import OutputFlags, make_app

app = make_app("report")


@app.default
def report(folder: Path, /, *, out: Path | None = None, output: OutputFlags = OutputFlags()) -> None:
    """Write one self-contained HTML page of everything found in a folder.

    Example: beholder stimuli draw shapes
    Example: beholder extract beholder:shapes --layers block3 block5
    Example: beholder report activations/

    Parameters
    ----------
    folder
        Results of any commands.
    out
        The page to write; default report.html in the folder.
    """
    from beholder.report import write_report

    page = write_report(folder, out)
    output.print([f"report: {page}"], {"report": [{"file": str(page), "bytes": page.stat().st_size}]})
