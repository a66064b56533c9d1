"""A call of Python as a job array: the function and what it was given lie in a file, and each job makes that call."""

# cloudpickle has no types
# pyright: reportUnknownMemberType=false

from __future__ import annotations

import importlib
import io
import logging
import pickle
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from beholder._core.errors import BeholderError, InputError
from beholder._core.files import write_bytes
from beholder._core.hashing import hash_bytes, hash_settings
from beholder._core.progress import logger
from beholder.jobs._array import TaskEnded, listen_to_queue, refuse_overwrite
from beholder.jobs._parcel import ValuePickler
from beholder.jobs._script_options import ScriptOptions
from beholder.jobs._scripts import HOME, JobScripts, write_scripts

CALL = "call.pickle"


def write_call(
    function: Callable[..., object], args: tuple[Any, ...], kwargs: Mapping[str, Any], options: ScriptOptions
) -> JobScripts:
    """Write the scripts of a call, and the call itself by value, beside them.

    Raises
    ------
    InputError
        Something that the call is given cannot be written; ``overwrite``, by which each job replaces what others make.
    """
    if kwargs.get("overwrite"):
        raise refuse_overwrite()
    name, called = function.__name__, (function.__module__, function.__name__)
    packed = io.BytesIO()
    try:
        ValuePickler(packed).dump((args, dict(kwargs)))
    except Exception as error:
        raise InputError(
            "a call that can be sent to other machines", got=" ".join(str(error).split())[:200],
            hint="files and names of networks in place of objects",
        ) from error  # fmt: skip
    folder = Path.cwd() / HOME / f"{name.replace('_', '-')}-{hash_settings(hash_bytes(packed.getvalue()))[:8]}"
    write_bytes(folder / CALL, pickle.dumps((sys.path, *called, packed.getvalue())))
    command = [sys.executable, "-m", __name__, str(folder / CALL)]
    return write_scripts(command, name, options, again=f"{name}(…, cluster='script')", place=folder)


def main() -> None:
    """Make the call that a script names; exit codes are those of the command line."""
    handler = logging.StreamHandler(sys.stderr)
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
    listen_to_queue()
    sys.path[:], module, name, packed = pickle.loads(Path(sys.argv[1]).read_bytes())
    args, kwargs = pickle.loads(packed)
    try:
        getattr(importlib.import_module(module), name)(*args, **kwargs)
    except TaskEnded as end:
        logger.info("%s", end)
        sys.exit(end.exit_code)
    except BeholderError as error:
        logger.error("error: %s", error)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
