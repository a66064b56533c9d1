"""``beholder evaluate natural``: how often a network is right."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from beholder.cli._analyze_flags import ResultFlags
from beholder.cli._flags import LongFlags, Words, flags, refuse_infinite, refuse_missing_sets
from beholder.cli._metamers_flags import SEED_NAMES, FirstWordFlags


@flags
class _LabelFlags:
    column: str | None = None
    """Column of the set, or field of --pattern, that holds the labels; default the folders, or the column label."""
    pattern: str | None = None
    """What names of files are made by, such as {digit}_{speaker}_{take}.wav, or a regular expression with a group."""
    by: Words = None
    """Columns that tell conditions apart; default condition (or grade, corruption) and level (or severity)."""


@flags
class _ShownFlags:
    rule: Literal["first", "mean", "max", "sum"] = "first"
    """How a network of ImageNet's classes names one of 16 categories: by the first class in one, from the most likely
    down, or by the mean, largest or sum of the probabilities of a category's classes."""
    as_shown: bool = False
    """Neither resize nor crop what has the network's size; default its own preparation of files."""
    over: Literal["stimuli", "classes"] = "stimuli"
    """What intervals generalise to: other stimuli of these classes, or other classes."""
    n_held_out: int = 25
    """Stimuli a class, where none are named and a bundled network's held-out set is drawn."""
    seed: Annotated[int, Parameter(name=SEED_NAMES, validator=refuse_infinite)] = 42
    """Seed of the drawn set and of bootstrap draws."""
    batch_size: Annotated[int | None, Parameter(name=["--batch-size", "-bs", "-B", "--BATCH_SIZE"])] = None
    """Stimuli in one forward pass; default 8 on the CPU, 64 elsewhere."""
    workers: Annotated[int, Parameter(name=["--workers", "-N", "--NUM_WORKERS"])] = 1
    """Processes; any number gives the same results. (-N of evaluate adversarial counts stimuli.)"""
    compile: bool = False
    """Let torch.compile make one graph of the network: faster after a minute; values differ in their last digits."""


def natural(
    *words: str,
    model: FirstWordFlags = FirstWordFlags(),
    labels: _LabelFlags = _LabelFlags(),
    shown: _ShownFlags = _ShownFlags(),
    long: LongFlags = LongFlags(),
    output: ResultFlags = ResultFlags(),
) -> None:
    """Top-1, top-5 and 16-way accuracy of a network: in all, by class, by kind and level of what was done to stimuli.

    Example: beholder evaluate natural beholder:shapes
    Example: beholder evaluate natural squeezenet1_1 imagenet/val --pretrained

    Parameters
    ----------
    words
        MODEL [FOLDER …]: a folder with a folder a class, a table, or a named set, also as NAME=FOLDER, or several of
        these; without one the held-out set of a bundled network.
    model.directory
        A model directory: the network is taken from its build_network.py.
    """
    named, rest = model.take(words, "MODEL [FOLDER]")
    refuse_missing_sets(rest)
    from beholder.analysis import evaluate_natural

    stimuli = rest if len(rest) > 1 else next(iter(rest), None)
    output.run(
        "natural", evaluate_natural, named.open(), stimuli, out_path=output.out / "natural", overwrite=output.overwrite,
        **vars(labels), **vars(shown), **vars(long),
    )  # fmt: skip
