"""What an analysis was made of, by content; a result of other inputs is not replaced, which is told beforehand."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.files import check_output_folder
from beholder._core.settings import refuse_changes
from beholder.analysis._join import identify_input
from beholder.analysis._result import RESULT_SUFFIX, read_result_settings, refuse_other_inputs

_kept: ContextVar[tuple[dict[str, Any], str] | None] = ContextVar("inputs of a result", default=None)


@suggest_keywords
@contextlib.contextmanager
def guard_result(
    options: Mapping[str, Any], folder: Path | str, name: str, *, overwrite: bool = False
) -> Generator[None]:
    """Refuse, before the hours of work, what a result that is there would not be replaced by.

    Options are compared at once: numbers, words and truths that the settings hold under the same name; None stands for
    a default. Inputs are compared by the analysis inside, once they are open (:func:`identify_inputs`).

    Parameters
    ----------
    options : mapping
        Keywords of the analysis.
    folder, name, overwrite
        As for :func:`write_result`.

    Raises
    ------
    ConfigurationChanged
        With the first differences.
    InputError
        A file where the folder should be, or a folder that cannot be made or written.
    """
    if Path(folder).exists() and not Path(folder).is_dir():
        raise InputError("a folder, or nothing there, as --out", got=f"a file at {folder}")
    if not options.get("dry_run"):
        check_output_folder(folder)
    path = Path(folder) / f"{name}{RESULT_SUFFIX}"
    if not path.is_file() or overwrite:
        yield
        return
    old, output = read_result_settings(path), str(path.with_name(f"{name}.parquet"))
    plain = str | int | float
    asked = {
        key: value for key, value in options.items() if isinstance(value, plain) and isinstance(old.get(key), plain)
    }
    refuse_changes({key: old[key] for key in asked}, asked, output)
    token = _kept.set((old, output))
    try:
        yield
    finally:
        _kept.reset(token)


def identify_inputs(**inputs: Any) -> dict[str, str]:
    """Name to content of what is analysed, for the settings' ``inputs``; None is left out.

    Raises
    ------
    ConfigurationChanged
        Inside :func:`guard_result`: the result that is there was made of others.
    """
    found = {name: identify_input(value) for name, value in inputs.items() if value is not None}
    kept = _kept.get()
    if kept is not None:
        refuse_other_inputs(kept[0].get("inputs"), found, kept[1])
        _kept.set(None)  # analyses that are parts of this one have inputs of their own
    return found


def number_inputs(name: str, values: Sequence[Any]) -> dict[str, Any]:
    """Several inputs of one kind by name, numbered where there are several."""
    if len(values) == 1:
        return {name: values[0]}
    return {f"{name} {place + 1}": value for place, value in enumerate(values)}
