"""Flags that several commands share, each declared once under the names that users know.

A group is a class whose fields are flags, with what ``--help`` says below each; a command takes a group as a
keyword: ``def extract(*, stimuli: StimulusFlags = StimulusFlags())``. Where a command says more about a flag than
its group does, its docstring has an entry ``stimuli.in_path``.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Literal,
    TypeVar,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
)

from cyclopts import App, Parameter

from beholder._core.errors import InputError
from beholder.cli._help import HelpLook
from beholder.cli._numbers import refuse_below_zero, refuse_infinite

if TYPE_CHECKING:
    from beholder.stimuli import StimulusSet

T = TypeVar("T")

ModelName = Annotated[str | None, Parameter(name=["--model-name", "-m"])]
ModelWord = Annotated[
    str | None,
    Parameter(
        name="MODEL",
        help="The network: an alias (alexnet, RN50) or source:name[@weights] (timm:convnext_tiny), as beholder models "
        "lists them; -m names it too.",
    ),
]
"""The first word of a command that is about one network; ``-m`` names it too."""
Paths = Annotated[list[Path], Parameter(consume_multiple=True)]
Words = Annotated[list[str] | None, Parameter(consume_multiple=True)]
Layers = Annotated[list[str] | None, Parameter(name=["--layers", "--module-name", "-mn"], consume_multiple=True)]
Seed = Annotated[int, Parameter(name=["--rnd-seed", "--seed", "-rs"], validator=refuse_infinite)]
WeightsSeed = Annotated[int, Parameter(name="--weights-seed", validator=refuse_infinite)]
"""Of a model that ends in ``@random``, where ``--seed`` draws something that is repeated with one network."""
Device = Annotated[str, Parameter(name=["--device", "-dv"])]
BatchSize = Annotated[int | None, Parameter(name=["--batch-size", "-bs"])]
InPaths = Annotated[tuple[str, ...], Parameter(name=["--in-path", "-ip"], consume_multiple=True, show_default=" ".join)]
OptionalInPaths = Annotated[tuple[str, ...] | None, Parameter(name=["--in-path", "-ip"], consume_multiple=True)]
OutPath = Annotated[str, Parameter(name=["--out-path", "-op"])]
OptionalOut = Annotated[str | None, Parameter(name=["--out-path", "-op"])]
UnitsFile = Annotated[str, Parameter(name="--units-file")]
OptionalUnits = Annotated[str | None, Parameter(name="--units-file")]
Hidden = Parameter(show=False)
"""Of flags that the documents' scripts have and that change nothing here: accepted, not in ``--help``."""

_CHECKED = Parameter(validator=refuse_below_zero)

DEFAULT_IN_PATH = "./images/"


@dataclass_transform(kw_only_default=True, frozen_default=True)
def flags(group: type[T]) -> type[T]:
    """Make a class a group of flags, whose numbers are checked as those of all flags are."""
    hints = get_type_hints(group, include_extras=True)
    for name in group.__annotations__:
        plain, *own = get_args(hints[name]) if get_origin(hints[name]) is Annotated else (hints[name],)
        group.__annotations__[name] = Annotated[plain, _CHECKED, *own]
    return Parameter(name="*")(dataclass(frozen=True, kw_only=True)(group))


@flags
class OutputFlags:
    """What is printed."""

    json: bool = False
    """Print one JSON document to stdout."""

    def print(self, lines: Iterable[str], tables: Mapping[str, Iterable[Mapping[str, Any]]]) -> None:
        """Print lines for people, or one JSON document: named tables, each a list of records."""
        if not self.json:
            print("\n".join(lines), flush=True)
            return
        document = {name: list(rows) for name, rows in tables.items()}
        json.dump(document, sys.stdout, indent=2, allow_nan=False, default=str)
        sys.stdout.write("\n")


@flags
class LookFlags:
    """What may fill an output, and whether it is only looked at."""

    mixed: bool = False
    """Let machines of several kinds, whose values differ in their last digits, fill one output."""
    dry_run: bool = False
    """Only say what would be done, written and used."""


@flags
class LongFlags(LookFlags):
    """Where long work is done."""

    cluster: str | None = None
    """Where the work is done: local:N (N processes), dask:ADDRESS, slurm, pbs, lsf, or script, which writes a job array
    to submit. The last four take options: slurm:partition=gpu,time=04:00:00, or slurm:FILE.toml. Default: this process.
    """


@flags
class WorkFlags:
    """How work is spread over one machine."""

    workers: int = 1
    """Processes; any number gives the same results."""
    threads: int | None = None
    """Threads to use; default one for each core."""


@flags
class PassFlags(WorkFlags):
    """How stimuli go through a network."""

    batch_size: BatchSize = None
    """Stimuli in one forward pass; default chosen from the work's size."""
    precision: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Format of the numbers that are computed."""
    compile: bool = False
    """Let torch.compile make one graph of the network up to the deepest layer: faster after a minute; values differ in
    their last digits."""
    append: bool = False
    """Add stimuli that the store does not hold yet."""
    overwrite: bool = False
    """Replace an existing store."""


@flags
class StoreFlags(PassFlags):
    """How activations are computed and kept."""

    dtype: Literal["float32", "float16"] = "float32"
    """Format of the numbers that are stored."""


@flags
class AnswerFlags:
    """How networks answer as people do."""

    rule: Literal["first", "mean", "max", "sum"] = "first"
    """How a network of ImageNet's classes names a category: by the first class in one, from the most likely down, or by
    the mean, largest or sum of the probabilities of a category's classes."""
    weights_seed: WeightsSeed = 42
    """Seed of the weights of networks whose names end in @random."""
    batch_size: BatchSize = None
    """Stimuli in one forward pass."""
    workers: int = 1
    """Processes; any number gives the same results."""


@flags
class AxesFlags:
    """What layers' axes count, where the network does not tell."""

    axes: Words = None
    """LAYER=channel,height,width for layers whose channel axis the network does not tell, in the order of their axes.
    """

    def read(self) -> dict[str, tuple[str, ...]]:
        """Names of axes by layer."""
        from beholder.models import parse_axes

        return parse_axes(self.axes or ())


@flags
class StimulusFlags:
    """Which stimuli."""

    in_path: InPaths = (DEFAULT_IN_PATH,)
    """Folder of pictures or sounds, files, a .csv table, or an HDF5 file of pictures."""
    image_set: str | None = None
    """A named set: imagenet-val, whose folder is what --in_path says, or a set that beholder assets lists."""
    layout: Literal["flat", "classes"] | None = None
    """How to read a folder with pictures both beside and inside its sub-folders."""
    fraction: Annotated[float | None, Parameter(name=["--fraction", "-f"])] = None
    """Keep int(N x fraction) stimuli, drawn by the seed."""
    balanced: bool = False
    """Draw the same proportion of every class."""
    skip_bad: bool = False
    """Leave out files that cannot be read."""
    things: Annotated[bool, Parameter(name=["--things", "-t"])] = False
    """Pictures are from THINGS: check them against things_concepts.tsv."""
    things_behavior: bool = False
    """A flat folder of THINGS pictures in the order of item_names.tsv."""

    def check(self) -> None:
        """Raise where flags need one another."""
        if self.balanced and self.fraction is None:
            raise InputError("--fraction with --balanced", got="--balanced alone")

    def refuse_missing(self) -> None:
        """As :meth:`check`; and raise where nothing is there, before anything that takes seconds."""
        self.check()
        if self.image_set is None and len(self.in_path) == 1:  # among several may be the network, which is told later
            refuse_missing(self.in_path)

    def read(self, ground_truth: str | None = None) -> StimulusSet:
        """The stimulus set, of which a fraction is not chosen yet."""
        from beholder.stimuli import list_assets, read_stimuli

        self.check()
        own_place = self.in_path == (DEFAULT_IN_PATH,) and any(set_.name == self.image_set for set_ in list_assets())
        return read_stimuli(
            None if own_place else self.in_path,
            image_set=self.image_set,
            layout=self.layout,
            things=self.things,
            things_behavior=self.things_behavior,
            skip_bad=self.skip_bad,
            ground_truth=ground_truth,
        )

    def choose(self, stimuli: StimulusSet, seed: int) -> StimulusSet:
        """Those of a fraction."""
        return (
            stimuli if self.fraction is None else stimuli.select_fraction(self.fraction, seed, balanced=self.balanced)
        )


def refuse_missing(paths: Iterable[str | Path], expected: str = "a folder of stimuli", hint: str | None = None) -> None:
    """Raise where nothing is at one of several places, before anything that takes seconds."""
    missing = next((each for each in paths if not is_somewhere(str(each))), None)
    if missing is not None:
        raise InputError(expected, got=f"nothing at {missing}", hint=hint)


def refuse_missing_sets(places: Iterable[str]) -> None:
    """:func:`refuse_missing`, where published sets go by their names, too: ``NAME``, ``NAME=FOLDER``."""
    from beholder.stimuli import list_named_sets

    for place in places:
        name, _, folder = place.partition("=")
        if is_somewhere(place) or (name in list_named_sets() and (not folder or is_somewhere(folder))):
            continue
        raise InputError("a folder of stimuli, or the name of a published set", got=f"nothing at {place}")


@flags
class WeightFlags:
    """A network's weights, and where it runs."""

    pretrained: bool = False
    """Download published weights if they are not here."""
    model_path: Annotated[str | None, Parameter(name=["--model-path", "-mp"])] = None
    """Read weights from this file or folder instead."""
    device: Device = "auto"
    """auto, cpu, cuda, cuda:N, mps, xpu or any other that torch knows here."""


def make_app(name: str) -> App:
    """An application for one command group, with the settings that all groups share."""
    return App(
        name=name,
        default_parameter=Parameter(negative="", validator=refuse_below_zero),
        exit_on_error=False,
        print_error=False,
        result_action="return_value",
        help_format="plaintext",
        help_formatter=HelpLook(),
    )


def list_files(paths: Iterable[Path]) -> list[dict[str, Any]]:
    """The table ``files`` of ``--json``."""
    return [{"file": str(path)} for path in paths]


def name_network(word: str | None, flag: str | None) -> str:
    """The one network of a command, which its first word names, or ``-m``; one that nothing answers to is refused.

    >>> name_network(None, "alexnet")
    'alexnet'
    """
    if word is not None and flag is not None:
        raise InputError("one network", got=f"{word} and -m {flag}", hint="leaving one of them out")
    if (name := flag if word is None else word) is None:
        raise InputError("MODEL, or -m MODEL", got="neither", hint="beholder models, which lists them")
    return look_up(name)


def is_somewhere(place: str) -> bool:
    """Whether something is at a place, as far as a look tells.

    What an address or a pattern of shards names is left to whoever reads it, and so is what lies within a file, such as
    ``pictures.h5/group``.
    """
    from beholder._core.addresses import is_address
    from beholder._core.braces import has_braces, has_wildcard

    path = Path(place)
    if path.exists() or is_address(place) or has_braces(place) or has_wildcard(place):
        return True
    return any(each.is_file() for each in path.parents)


def look_up(name: str) -> str:
    """The name of a network, unless nothing here can answer to it: told before anything that takes seconds.

    >>> look_up("alexnet")
    'alexnet'
    """
    from beholder.models import refuse_unknown_name

    refuse_unknown_name(name)
    return name


def take_network(words: Sequence[str | None], flag: str | None, usage: str) -> tuple[str, list[str | None]]:
    """The network, which ``-m`` names or else the first of a command's words; and the other words, as usage has them.

    >>> take_network(["images"], "alexnet", "MODEL [FOLDER]")
    ('alexnet', ['images'])
    """
    found, names = [each for each in (flag, *words) if each is not None], usage.split()
    if not len([name for name in names if name[0] != "["]) <= len(found) <= len(names):
        raise InputError(f"{usage}, MODEL as the first word or after -m", got=" ".join(found) or "nothing")
    return look_up(found[0]), [*found[1:], *[None] * (len(names) - len(found))]


def align(rows: Sequence[Sequence[str]], n_left: int = 1) -> list[str]:
    """A table in plain text: the first columns on the left, the others on the right.

    >>> align([("layer", "n"), ("conv1", "10")])
    ['layer   n', 'conv1  10']
    """
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return [
        "  ".join(
            cell.ljust(width) if i < n_left else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
