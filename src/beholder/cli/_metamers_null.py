"""``beholder metamers null``: how well random pairs of natural stimuli match."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from beholder._core.errors import InputError
from beholder._core.tables import list_rows
from beholder._core.wording import format_count
from beholder.cli._flags import (
    Layers,
    LongFlags,
    OptionalInPaths,
    OutputFlags,
    WorkFlags,
    flags,
    list_files,
    refuse_missing,
)
from beholder.cli._metamers_flags import SEED_NAMES, FirstWordFlags, align_records, to_records
from beholder.cli._numbers import refuse_infinite

if TYPE_CHECKING:
    from beholder.stimuli import StimulusSet


@flags
class _PairFlags(WorkFlags):
    layers: Layers = None
    """Layers; default those at which the network's metamers were measured, else its recorded ones."""
    n_pairs: Annotated[int | None, Parameter(name=["-N", "--n-pairs"])] = None
    """Pairs of this seed and split, no more than there are; default 10,000, fewer where layers are large; the metamer
    study (Feather et al. 2023) took 1,000,000. (-N of metamers make repeats its steps.)"""
    split: Annotated[int, Parameter(name=["-I", "--split"])] = 0
    """Another set of pairs; with --no_shuffle those from stimulus 2 x N x split on. (-I of metamers make bounds its
    steps.)"""
    seed: Annotated[int, Parameter(name=SEED_NAMES, validator=refuse_infinite)] = 0
    """Seed of the draw of pairs."""
    shuffle: Annotated[bool, Parameter(name="--shuffle", negative="--no-shuffle")] = True
    """Pairs of random stimuli; --no_shuffle: neighbours in order."""
    overwrite: Annotated[bool, Parameter(name=["-O", "--overwrite"])] = False
    """Measure this seed and split anew; all that is there, if it was measured with other settings."""


def null(
    *words: str,
    pairs: _PairFlags = _PairFlags(),
    out_path: Annotated[str, Parameter(name=["-P", "--out-path", "-op"])] = "null_dist",
    model: FirstWordFlags = FirstWordFlags(),
    in_path: OptionalInPaths = None,
    metamers_path: str | None = None,
    long: LongFlags = LongFlags(),
    output: OutputFlags = OutputFlags(),
) -> None:
    """Measure how well random pairs of natural stimuli match at each layer; fill in the verdicts of metamers.

    Example: beholder stimuli draw shapes
    Example: beholder metamers make beholder:shapes images/star/star_0000.png --layers block2 block5 -I 100
    Example: beholder metamers null beholder:shapes images/ -N 1000

    Parameters
    ----------
    words
        MODEL and a folder of stimuli, or files; with -D none: its training set.
    out_path
        Folder for all networks' null distributions.
    model.directory
        A model directory: the network and its training set are taken from it, everything goes under it.
    in_path
        The folder, or files, in place of the second word.
    metamers_path
        Folder of all networks' metamers whose verdicts are filled in; default ./metamers/.
    """
    named, rest = model.take(words, "MODEL FOLDER, or -D DIR")
    stimuli = _read(rest, in_path, named.directory)
    from beholder.synthesis import null_distribution

    found = null_distribution(
        named.open(), stimuli, out_path=named.join(out_path), metamers_path=named.join(metamers_path or "metamers"),
        **vars(pairs), **vars(long),
    )  # fmt: skip
    maxima, path = found.find_maxima(), found.path
    assert path is not None
    table = align_records(("layer", "spearman", "pearson", "db_snr"), list_rows(maxima))
    files = list_files(sorted(path.glob("*.parquet")))
    lines = [f"{format_count(len(found), 'pair')}; what a metamer has to exceed:", *table, str(path)]
    output.print(lines, {"maxima": to_records(maxima), "files": files})


def _read(words: list[str], in_path: tuple[str, ...] | None, directory: str | None) -> StimulusSet | None:
    """Natural stimuli; None for those of a model directory."""
    from beholder.stimuli import read_stimuli

    given = [*words, *(in_path or ())]
    folder = next((each for each in given if Path(each).is_dir()), None)
    if len(given) > 1 and (folder is not None or (words and in_path)):
        raise InputError("one folder of stimuli, or files", got=", ".join(given))
    if not given and not directory:
        raise InputError("a folder of natural stimuli, or -D DIR with a training set", got="neither")
    refuse_missing(given)
    return read_stimuli(given) if given else None
