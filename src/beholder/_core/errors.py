"""Errors that say what was expected, what came and what to try.

The tree, with the exit code that the command line gives each branch::

    BeholderError                     1  the work failed
    ├── InputError (ValueError)       2  what the user gave cannot be used
    │   ├── UnknownNameError          2  no such model, layer, unit, stimulus, ...
    │   │   └── UnknownKeyword (TypeError)  2  a function has no such keyword
    │   ├── ConfigurationChanged      2  an output exists that was made with other settings
    │   │   └── OtherMachine          2  it is made on another kind of machine
    │   ├── DamagedOutput             2  a file of an output does not hold what was written to it
    │   ├── StimulusError             2  a stimulus file cannot be read
    │   ├── WeightsUnavailable        2  the weights are neither here nor to be had
    │   └── MissingExtra              2  an optional dependency is not installed
    ├── OutputBusy                    1  another run holds this output
    ├── StorageUnreachable            1  a server that holds data does not answer
    └── OutputError                   1  a disk is full, a folder cannot be written
"""

from __future__ import annotations

import difflib
import functools
import inspect
import itertools
import math
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from beholder._core.wording import word

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
_PACKAGE = Path(__file__).parents[1]


class BeholderError(Exception):
    """Base of every error that Beholder raises on purpose.

    Raised itself where the work failed though nothing that was given is wrong: a disk that does not answer, a network
    whose training diverged, a machine that died. ``except beholder.BeholderError`` catches all of them.

    What to do: what the line ends with; most often the same call again, which goes on from what is finished.

    It says, for example::

        expected to read star.png; got input/output error
    """

    exit_code = 1

    def __str__(self) -> str:
        return word(super().__str__())

    def __reduce__(self) -> tuple[Any, ...]:
        return rebuild_error, (type(self), self.args, self.__dict__)


def rebuild_error(kind: type[BaseException], args: tuple[Any, ...], state: dict[str, Any]) -> BaseException:
    """An error from another process, whatever its constructor takes."""
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class InputError(BeholderError, ValueError):
    """The user's input cannot be used: one line with expected, got, try.

    Nothing was begun, or nothing was lost. Also a :class:`ValueError`. Its parts are attributes: ``expected``, ``got``,
    ``hint``.

    What to do: what stands after "try", or else give what stands after "expected".

    It says, for example::

        expected a folder of stimuli; got nothing at nowhere

    Parameters
    ----------
    expected : str
        What would have been right, completing "expected ...".
    got : str, optional
        What came instead.
    hint : str, optional
        What to try, completing "try ...".
    """

    exit_code = 2

    def __init__(self, expected: str, *, got: str | None = None, hint: str | None = None) -> None:
        self.expected = expected
        self.got = got
        self.hint = hint
        parts = [f"expected {expected}"]
        if got is not None:
            parts.append(f"got {got}")
        if hint:
            parts.append(f"try {hint}")
        super().__init__("; ".join(" ".join(part.split()) for part in parts))

    def _render_traceback_(self) -> list[str]:
        """What IPython and Jupyter show: the reader's own lines that led here, and the message.

        The way through this package stays at hand: ``traceback.print_last()``, ``%debug``.
        """
        frames = itertools.takewhile(
            lambda frame: not Path(frame.filename).is_relative_to(_PACKAGE), traceback.extract_tb(self.__traceback__)
        )
        own = [frame for frame in frames if "IPython" not in Path(frame.filename).parts]
        lines = [
            f"{f'{frame.filename}, line' if Path(frame.filename).is_file() else 'line'} {frame.lineno}: {frame.line}"
            for frame in own
        ]
        return [*lines, f"\x1b[31m{type(self).__name__}\x1b[0m: {self}"]


class UnknownNameError(InputError, LookupError):
    """A name that nothing answers to; suggests the nearest ones.

    Of a model, layer, unit, stimulus, column, method, … Also a :class:`LookupError`; ``suggestions`` holds the near
    names. (Readers of panel files raise one that is a :class:`KeyError`, too.)

    What to do: take one of the names that it lists; ``beholder models WORD`` and ``beholder layers MODEL`` list more.

    It says, for example::

        expected the name of a layer of this model; got 'clasifier'; try
        'classifier'

    Parameters
    ----------
    kind : str
        What the name should have named, such as ``"layer of resnet50"``.
    name : str
        The name that came.
    known : iterable of str
        The names that would have done.
    hint : str, optional
        Replaces the suggestion when nothing is near.
    """

    def __init__(self, kind: str, name: str, known: Iterable[str], *, hint: str | None = None) -> None:
        self.kind = kind
        self.name = name
        known = list(known)
        self.suggestions = find_near_names(name, known)
        if self.suggestions:
            hint = " or ".join(repr(s) for s in self.suggestions)
        elif hint is None and known:
            shown = ", ".join(known[:8]) + (", ..." if len(known) > 8 else "")
            hint = f"one of {shown}"
        super().__init__(f"the name of {'an' if kind[:1] in 'aeio' else 'a'} {kind}", got=repr(name), hint=hint)


class UnknownKeyword(UnknownNameError, TypeError):
    """A function has no such keyword; also a :class:`TypeError`, as Python's own.

    Raised before anything runs.

    What to do: spell the keyword as it says; ``help(function)`` lists them all.

    It says, for example::

        expected the name of a keyword of extract(); got 'batchsize'; try
        'batch_size'
    """


def suggest_keywords(function: Callable[P, R]) -> Callable[P, R]:
    """Decorate a function: for a keyword that it does not take, :class:`UnknownKeyword` names the nearest that it does.

    >>> @suggest_keywords
    ... def extract(model, *, batch_size=1, workers=1): ...
    >>> extract("beholder:shapes", batchsize=2)
    Traceback (most recent call last):
    beholder._core.errors.UnknownKeyword: expected the name of a keyword of extract(); got 'batchsize'; try 'batch_size'
    """
    known: dict[str, None] = {}

    @functools.wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> R:
        if kwargs and not known.keys() >= kwargs.keys():
            parameters = inspect.signature(function).parameters
            known.update(dict.fromkeys(parameters))
            takes_any = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
            for name in kwargs:
                if name not in known and not takes_any:
                    called = function.__qualname__.removesuffix(".__init__").rpartition("<locals>.")[2]
                    names = [each for each in known if each not in ("self", "cls")]
                    raise UnknownKeyword(f"keyword of {called}()", name, names)
        return function(*args, **kwargs)

    return checked


def suggest_method_keywords(kind: type[T]) -> type[T]:
    """Decorate a class: what makes it and its public methods answer as :func:`suggest_keywords` says.

    >>> @suggest_method_keywords
    ... class Pictures:
    ...     def draw(self, *, seed=0): ...
    >>> Pictures().draw(sed=1)
    Traceback (most recent call last):
    beholder._core.errors.UnknownKeyword: expected the name of a keyword of Pictures.draw(); got 'sed'; try 'seed'
    """
    own: list[tuple[str, Any]] = list(vars(kind).items())
    for name, value in own:
        if name == "__init__" or not name.startswith("_"):
            if type(value) in (classmethod, staticmethod):
                setattr(kind, name, type(value)(suggest_keywords(value.__func__)))
            elif inspect.isfunction(value):
                setattr(kind, name, suggest_keywords(value))
    return kind


def format_values(low: float, high: float) -> str:
    """What came in place of values in a range, by the smallest and the largest, which are NaN where any value is.

    >>> format_values(0, 255), format_values(float("nan"), float("nan"))
    ('values from 0 to 255', 'NaN among the values')
    """
    return "NaN among the values" if math.isnan(low) or math.isnan(high) else f"values from {low:.4g} to {high:.4g}"


SKIP_HINT = "moving it away, or --skip_bad of commands and functions that have it"
"""Of files that cannot be read: most places that read them leave nothing out."""


class ConfigurationChanged(InputError):
    """An output exists that was made with other settings.

    An output holds what one choice of settings gives, so that its numbers can be compared. The line names what differs;
    the output is as it was.

    What to do: give the settings it was made with, or another ``out_path``; or ``overwrite=True`` to replace it.

    It says, for example::

        expected the settings that activations/shapes.zarr was made with; got dtype
        was 'float32', now 'float16'; try another output folder or overwrite=True to
        replace it
    """


class OtherMachine(ConfigurationChanged):
    """An output is made on another kind of machine: new parts would differ in the last bits.

    Processors with other instructions, other GPUs and other versions of the libraries that compute give other last
    digits. What is finished stays.

    What to do: go on with a machine of the kind that it names, or give ``mixed=True``, which lists what came from
    which.

    It says, for example::

        expected a machine of the kind that activations/shapes.zarr is made on (…);
        got one of another kind (…); try one of that kind, or mixed=True, which lists
        what came from which; finished parts are kept
    """


class DamagedOutput(InputError):
    """A file of an output does not hold what was written to it.

    A disk, a copy or an editor has changed it since; every file is held against the hash that was taken when it was
    written.

    What to do: ``beholder verify`` on the output, which drops what is damaged; then the call that made it computes
    exactly that anew. A file without such a call has to be copied again from where it came.

    It says, for example::

        expected activations/shapes.zarr/zarr.json as it was written; got other
        bytes; try `beholder verify activations/shapes.zarr`, then the command that
        made it, which makes it anew
    """


class StimulusError(InputError):
    """A stimulus file is missing, truncated or not what it claims to be.

    Raised before it is used; none is left out without a word.

    What to do: repair the file or move it away; ``stimuli.find_bad_files()`` lists all that cannot be read. Commands
    and functions that may leave stimuli out have ``--skip_bad`` and ``skip_bad=True``.

    It says, for example::

        expected a stimulus that can be read; got star.png, which is no image; try
        moving it away, or skip_bad=True of commands and functions that have it
    """


class WeightsUnavailable(InputError):
    """Weights are not on this machine and cannot be fetched.

    What to do: where there is a network, give ``pretrained=True`` or call ``beholder models fetch NAME``; else put the
    file where the line says, or give it as ``model_path``. ``NAME@random`` is the network without trained weights.

    It says, for example::

        expected the weights IMAGENET1K_V1 of torchvision:alexnet; got an offline
        environment; try putting the file from
        https://download.pytorch.org/models/alexnet-owt-7be5be79.pth at
        …/hub/checkpoints/alexnet-owt-7be5be79.pth, or `beholder models fetch
        torchvision:alexnet@IMAGENET1K_V1` where there is a network, or
        model_path=FILE, or torchvision:alexnet@random
    """


class MissingExtra(InputError):
    """A feature needs an optional dependency that is not installed.

    What to do: the ``pip install`` that it ends with.

    It says, for example::

        expected the package 'nibabel' for NIfTI files; got an environment without
        it; try pip install 'beholder[brain]'
    """

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"the package {package!r} for {purpose}",
            got="an environment without it",
            hint=f"pip install 'beholder[{extra}]'",
        )


class OutputBusy(BeholderError):
    """Another run is writing to this output.

    Runs that only add to an output work side by side; this error comes where one of two would replace what is there,
    or adds what cannot be added beside others. A run that died holds nothing.

    What to do: wait until the other run has ended, or give another ``out_path``.

    It says, for example::

        expected activations/shapes.zarr to be free; got another run that is writing
        to it; try again when that run has ended, or another output folder
    """


class StorageUnreachable(BeholderError):
    """A server that holds data does not answer, or failed on the way; what was done is kept.

    It was asked twice.

    What to do: the same call again when the server can be reached; finished parts are not computed again.

    It says, for example::

        expected an answer from http://127.0.0.1:9/shapes.zarr; got
        ClientConnectorError: …; try the same command again when it can be reached:
        finished parts are kept

    Parameters
    ----------
    address : str
    reason : str
    """

    def __init__(self, address: str, reason: str) -> None:
        super().__init__(
            f"expected an answer from {address}; got {' '.join(reason.split())}; "
            "try the same command again when it can be reached: finished parts are kept"
        )


class OutputError(BeholderError):
    """The output cannot be written: full disk, read-only folder.

    Finished parts are whole and kept: files are written under another name and renamed.

    What to do: free space, then the same call again, which goes on.

    It says, for example::

        expected room to write units.json; got a full disk; try freeing space, then
        run the same command again: finished parts are kept
    """


def find_near_names(name: str, known: Iterable[str], n: int = 3) -> list[str]:
    """Names in ``known`` that look like ``name``, nearest first, case ignored."""
    by_lower: dict[str, str] = {}
    for candidate in known:
        by_lower.setdefault(candidate.lower(), candidate)
    near = difflib.get_close_matches(name.lower(), list(by_lower), n=n, cutoff=0.6)
    return [by_lower[match] for match in near]


_OUT_OF_MEMORY = ("not enough memory", "out of memory", "can't allocate memory", "cannot allocate memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an accelerator, torch's CPU allocator or Python itself found no room."""
    text = str(error).lower()
    is_one = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return is_one or any(words in text for words in _OUT_OF_MEMORY)
