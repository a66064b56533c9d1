"""A result as an output folder: table, pictures, provenance."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from beholder._core.provenance import record_provenance
from beholder._core.settings import refuse_changes
from beholder.analysis._result import RESULT_KINDS, RESULT_SUFFIX, Result, read_result_settings
from beholder.figures import save_figure


def write_result(
    result: Result, folder: Path | str, name: str | None = None, *, overwrite: bool = False, figures: bool = True
) -> list[Path]:
    """Write ``{name}.parquet`` with its settings, its pictures (``figures/``) and ``provenance.json``.

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
    check_result_settings(result.settings, folder, name, overwrite=overwrite)
    folder.mkdir(parents=True, exist_ok=True)
    files = [result.save(folder / f"{name}.parquet")]
    attach = RESULT_KINDS[result.kind].attach
    files += attach(result, folder, name) if attach is not None else []
    for drawing in RESULT_KINDS[result.kind].draw(result) if figures else ():
        files += save_figure(drawing.figure, folder / "figures" / f"{name}_{drawing.name}").values()
    record_provenance(folder, f"{name}.parquet", result.settings, warnings=list(result.warnings))
    return files


def check_result_options(options: Mapping[str, Any], folder: Path | str, name: str, *, overwrite: bool = False) -> None:
    """Refuse options that a result which is there was made without, as far as they can be told before the work.

    Those are numbers, words and truths that the settings hold under the same name; None stands for a default.
    """
    path = Path(folder) / f"{name}{RESULT_SUFFIX}"
    if path.is_file() and not overwrite:
        old = read_result_settings(path)
        plain = str | int | float
        asked = {
            key: value for key, value in options.items() if isinstance(value, plain) and isinstance(old.get(key), plain)
        }
        refuse_changes({key: old[key] for key in asked}, asked, str(path.with_name(f"{name}.parquet")))


def check_result_settings(settings: dict[str, Any], folder: Path | str, name: str, *, overwrite: bool = False) -> None:
    """Refuse other settings for a result that is there; before the hours of work, where a command can."""
    path = Path(folder) / f"{name}{RESULT_SUFFIX}"
    if path.is_file() and not overwrite:
        refuse_changes(read_result_settings(path), settings, str(path.with_name(f"{name}.parquet")))
