"""A result as an output folder: table, pictures, provenance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from beholder._core.errors import suggest_keywords
from beholder._core.files import TEMPORARY_PREFIX, explain_write_errors, remove_temporaries
from beholder._core.locks import take_lock
from beholder._core.provenance import record_provenance
from beholder._core.settings import refuse_changes
from beholder.analysis._result import RESULT_KINDS, RESULT_SUFFIX, Result, read_result_settings, refuse_other_inputs
from beholder.figures import draw_for_files, save_figure


@suggest_keywords
def write_result(
    result: Result, folder: Path | str, name: str | None = None, *, overwrite: bool = False, figures: bool = True
) -> list[Path]:
    """Write ``{name}.parquet`` with its settings, its pictures (``figures/``) and ``provenance.json``.

    Of several processes one writes at a time, and the next finds what the first has written.

    Parameters
    ----------
    result : Result
    folder : path
        Made where it is not there.
    name : str, optional
        Default the result's kind.
    overwrite : bool
        Replace a result that was made with other settings.
    figures : bool
        Draw the pictures (SVG, PDF, PNG).

    Raises
    ------
    ConfigurationChanged
        A result of this name is there that was made with other settings; the line names the first of them.
    """
    folder, name = Path(folder), name or result.kind
    with explain_write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with take_lock(folder / f".{name}.lock", wait=True):
        _remove_leftovers(folder, name)
        check_result_settings(result.settings, folder, name, overwrite=overwrite)
        files = [result.save(folder / f"{name}.parquet")]
        attach = RESULT_KINDS[result.kind].attach
        files += attach(result, folder, name) if attach is not None else []
        with draw_for_files():
            for drawing in RESULT_KINDS[result.kind].draw(result) if figures else ():
                files += save_figure(drawing.figure, folder / "figures" / f"{name}_{drawing.name}").values()
        record_provenance(folder, f"{name}.parquet", result.settings, warnings=list(result.warnings))
    return files


def _remove_leftovers(folder: Path, name: str) -> None:
    """Delete what killed writers of this result left half-written."""
    for suffix in (".parquet", ".npz", RESULT_SUFFIX):
        remove_temporaries(folder / f"{name}{suffix}")
    for left in (folder / "figures").glob(f"{TEMPORARY_PREFIX}{name}_*"):
        left.unlink(missing_ok=True)


def check_result_settings(settings: dict[str, Any], folder: Path | str, name: str, *, overwrite: bool = False) -> None:
    """Refuse other settings for a result that is there; before the hours of work, where a command can."""
    path = Path(folder) / f"{name}{RESULT_SUFFIX}"
    if path.is_file() and not overwrite:
        old, output = read_result_settings(path), str(path.with_name(f"{name}.parquet"))
        refuse_changes(old | {"inputs": None}, settings | {"inputs": None}, output)
        refuse_other_inputs(old.get("inputs"), settings.get("inputs"), output)
