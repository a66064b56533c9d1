"""What a reader of brain data has to do."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder.recordings import READERS, RecordedRDMs, Recordings, open_recordings
from beholder.testing._expect import expect, explain, fail


@suggest_keywords
def check_recordings_reader(
    path: Path | str, *, stimuli: Any = None, units: Any = None, variable: str | None = None, axes: str | None = None
) -> None:
    """Check a reader of recordings, or of RDMs as data, as :func:`beholder.open_recordings` and every command use it.

    Parameters
    ----------
    path : path
        A small file whose suffix is a name of :data:`beholder.recordings.READERS`: that of the entry point, or as it
        was added there.
    stimuli, units, variable, axes
        As for :func:`beholder.open_recordings`.

    Raises
    ------
    AssertionError
        It gives something else than recordings or RDMs, or other ones the second time; it changes the file; a file that
        is cut or empty is read, or refused in a traceback.

    Examples
    --------
    >>> np.savez("small.npz", values=np.ones((3, 2)), stimulus_ids=["a", "b", "c"])
    >>> check_recordings_reader("small.npz")
    """
    path = Path(path)
    options: dict[str, Any] = {"stimuli": stimuli, "units": units, "variable": variable, "axes": axes}
    expect(
        path.suffix.lower() in READERS, f"a reader of {path.suffix} in beholder.recordings.READERS", got="none",
        hint="an entry point beholder.recordings",
    )  # fmt: skip
    content = path.read_bytes()
    found, again = _read(path, options), _read(path, options)
    expect(path.read_bytes() == content, f"the reader of {path.suffix} to leave the file as it is", got="another one")
    same = found.stimulus_ids == again.stimulus_ids and np.array_equal(found.values, again.values, equal_nan=True)
    expect(same, f"the reader of {path.suffix} to give the same each time", got="others")
    with tempfile.TemporaryDirectory() as top:
        for damage, damaged in (("cut in half", content[: len(content) // 2]), ("empty", b"")):
            hurt = Path(top) / f"{damage.split()[0]}{path.suffix}"
            hurt.write_bytes(damaged)
            _check_refusal(hurt, damage, options)


def _read(path: Path, options: dict[str, Any]) -> Recordings | RecordedRDMs:
    with explain(f"{path.name} to be read"):
        found: object = open_recordings(path, **options)
    expect(
        isinstance(found, Recordings | RecordedRDMs), f"Recordings or RecordedRDMs from {path.name}",
        got=type(found).__name__,
    )  # fmt: skip
    assert isinstance(found, Recordings | RecordedRDMs)
    return found


def _check_refusal(path: Path, damage: str, options: dict[str, Any]) -> None:
    expected = f"a file of {path.suffix} that is {damage} to be refused by an InputError"
    try:
        open_recordings(path, **options)
    except InputError as error:
        expect("\n" not in str(error), f"{expected} of one line", got=str(error))
        return
    except Exception as error:
        raise fail(expected, got=type(error).__name__) from error
    raise fail(expected, got="recordings")
