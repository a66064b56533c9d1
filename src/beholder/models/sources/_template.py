"""An example directory for a network of one's own."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Literal

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.files import write_text

KINDS = ("picture", "sound")
FILE_NAME = "build_network.py"

_RATE, _SECONDS = 20_000, 2.0


@suggest_keywords
def write_template(path: Path | str, kind: Literal["picture", "sound"] = "picture") -> Path:
    """Write an example directory: a ``build_network.py`` whose TODOs are marked, and two stimuli.

    It runs as it is (``beholder metamers make DIR/example/star.png -D DIR``), with a small network of random weights.

    Parameters
    ----------
    path : path
        The directory, made if absent.
    kind : {"picture", "sound"}

    Returns
    -------
    Path
        The directory.

    Raises
    ------
    InputError
        Another kind; the directory holds a ``build_network.py`` already, which is never replaced.

    Examples
    --------
    >>> write_template("my_network", "picture")  # doctest: +SKIP
    """
    if kind not in KINDS:
        raise InputError(f"a kind of template: {' or '.join(KINDS)}", got=repr(kind))
    folder = Path(path)
    if folder.exists() and not folder.is_dir():
        raise InputError("a directory for the template", got=f"a file at {folder}", hint="another name")
    file = folder / FILE_NAME
    text = (files("beholder.models") / "_data" / "templates" / f"{kind}.py.txt").read_text(encoding="utf-8")
    text = text.replace("DIR", folder.name or "DIR")
    if file.exists():
        if file.read_text(encoding="utf-8") == text:
            return folder
        raise InputError(f"a directory without a {FILE_NAME}", got=f"{folder}, which has one", hint="another name")
    _write_example(folder / "example", kind)
    write_text(file, text)
    return folder


def _write_example(folder: Path, kind: str) -> None:
    from beholder.stimuli import make_shape_picture, save_picture, save_sound

    if kind == "picture":
        for category in ("star", "spiral"):
            save_picture(folder / f"{category}.png", make_shape_picture(category, 0))
        return
    seconds = np.arange(round(_RATE * _SECONDS)) / _RATE
    for name, pitch in (("low", 120.0), ("high", 320.0)):
        phase = 2 * np.pi * np.cumsum(pitch * 2 ** (0.5 * np.sin(np.pi * seconds))) / _RATE
        tone = np.sum([np.sin(k * phase) / k for k in range(1, 11)], axis=0)
        sound = tone * (1 + np.sin(2 * np.pi * 4 * seconds))
        save_sound(folder / f"{name}.wav", (0.1 * sound / np.sqrt(np.mean(sound**2))).astype(np.float32), _RATE)
