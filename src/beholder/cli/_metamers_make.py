"""``beholder metamers make`` and ``template``: metamers, and a directory to make them in."""

from __future__ import annotations

import logging
import math
import shlex
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from beholder._core.errors import InputError
from beholder._core.wording import format_count
from beholder.cli._flags import (
    BatchSize,
    Hidden,
    Layers,
    LongFlags,
    OptionalOut,
    OutputFlags,
    Words,
    WorkFlags,
    flags,
    list_files,
    refuse_missing,
)
from beholder.cli._metamers_flags import SEED_NAMES, FirstWordFlags, align_records, to_plain, to_records
from beholder.cli._numbers import refuse_infinite

if TYPE_CHECKING:
    import pandas as pd

    from beholder.models import Model
    from beholder.stimuli import StimulusSet
    from beholder.synthesis import Metamers

logger = logging.getLogger("beholder")

PUBLISHED_SETS = {
    "400_16_class_imagenet_val": "metamers-400-pictures",
    "psychophysics_wsj400_jsintest": "metamers-400-sentences",
}
"""What the scripts of Model Metamers call the stimulus sets, and what Beholder calls them."""

_OWN_FILES = ("load_specified_image_path", "load_specified_audio_path")
_COLUMNS = (
    "layer",
    "decision",
    "rule",
    "n",
    "db_snr",
    "db_snr_saved",
    "spearman_saved",
    "pearson_saved",
    "same_prediction",
    "passed",
)


@flags
class _MatchFlags(WorkFlags):
    layers: Layers = None
    """Layers to be matched, each by metamers of its own; default those recorded for the network."""
    seeds: Annotated[list[int] | None, Parameter(name=SEED_NAMES, consume_multiple=True, validator=refuse_infinite)] = (
        None
    )
    """One metamer a seed, from other noise; default 0."""
    loss: Annotated[str, Parameter(name=["-L", "--LOSSFUNCTION", "--loss"])] = "inversion_loss_layer"
    """Loss of --recipe published: inversion_loss_layer, coarse_define_spectemp_inversion_loss_layer or
    random_single_unit_optimization_inversion_loss_layer."""
    measured: Words = None
    """Layers at which the match is measured; default the recorded ones, else children down to two levels."""
    rule: Literal["first", "mean", "max", "sum"] = "first"
    """How a network of ImageNet's classes says which of 16 categories: by the first class in one, from the most likely
    down, or by the mean, largest or sum of the probabilities of a category's classes."""
    batch_size: BatchSize = None
    """Metamers in one batch; default 1 on the CPU, 32 elsewhere."""
    overwrite: Annotated[bool, Parameter(name=["-O", "--OVERWRITE-PICKLE", "--overwrite"])] = False
    """Make these anew; all that is there, if it was made with other settings."""


@flags
class _NumberFlags:
    iterations: Annotated[int | None, Parameter(name=["-I", "--ITERATIONS", "--iterations"])] = None
    """At most iterations x repeats steps from one start; default 1000 x 1, with --recipe published 3000 x 8. With -D,
    other numbers have a folder of their own. (-I of metamers null is another set of pairs.)"""
    repeats: Annotated[int | None, Parameter(name=["-N", "--NUMREPITER", "--repeats"])] = None
    """How often the steps are repeated, each time with half the step size. (-N of metamers null counts pairs.)"""
    noise_scale: Annotated[str | None, Parameter(name=["-E", "--NOISE-SCALE"])] = None
    """Standard deviation of the noise to begin with; default 1/20 for pictures, 0.02 for sounds (1e-7 with --recipe
    published)."""
    step_size: Annotated[str | None, Parameter(name=["-Z", "--STEP-SIZE"])] = None
    """Size of the first step of --recipe published; default 1."""
    target_db: Annotated[float | None, Parameter(validator=refuse_infinite)] = None
    """Stop at this signal-to-noise ratio, in dB; default 45, with --recipe published never."""

    def read(self) -> dict[str, Any]:
        """The numbers, some of which may be written as fractions."""
        return {name: read_number(value, name) for name, value in vars(self).items()}


@flags
class _ScriptFlags:
    """Of the two scripts of Model Metamers; what they ask for is always done."""

    s: Annotated[bool, Parameter(name="-S"), Hidden] = False
    """Pictures: as --OVERRIDE_SAVE; sounds: as --STRICT."""
    override_save: Annotated[bool, Parameter(name=["-V", "--OVERRIDE-SAVE"]), Hidden] = False
    """Accepted: metamers that fail are always kept, and marked."""
    strict: Annotated[bool, Parameter(name="--STRICT"), Hidden] = False
    """Accepted: checkpoints are always read strictly."""
    resume: Annotated[bool, Hidden] = False
    """Accepted: what is finished is always kept."""

    def log(self, model: Model) -> None:
        """Say what they come to; ``-S`` means one thing for pictures, another for sounds."""
        is_sound = model.modality == "sound"
        if self.override_save or (self.s and not is_sound):
            logger.info("metamers that fail are always kept; the column `passed` marks them")
        if self.strict or (self.s and is_sound):
            logger.info("checkpoints are always read strictly")


def make(
    *words: str,
    match: _MatchFlags = _MatchFlags(),
    recipe: Literal["default", "published"] | None = None,
    model: FirstWordFlags = FirstWordFlags(),
    source: Annotated[
        str | None, Parameter(name=["-F", "--INPUTIMAGEFUNC", "--INPUTAUDIOFUNC", "--in-path", "-ip"])
    ] = None,
    numbers: _NumberFlags = _NumberFlags(),
    dataset_preproc: Annotated[bool, Parameter(name=["-DP", "--DATASET-PREPROC"])] = False,
    scripts: _ScriptFlags = _ScriptFlags(),
    long: LongFlags = LongFlags(),
    out_path: OptionalOut = None,
    output: OutputFlags = OutputFlags(),
) -> None:
    """Make metamers: from noise, stimuli that match natural ones at one layer. Interrupted, it goes on.

    Example: beholder stimuli draw shapes
    Example: beholder metamers make beholder:shapes images/star/star_0000.png --layers block2 block5 -I 100
    Example: beholder metamers template --picture my_network
    Example: beholder metamers make my_network/example/star.png -D my_network -I 20

    Parameters
    ----------
    words
        MODEL and its stimuli: pictures, sounds, or one folder or table. With -D: stimuli, or their numbers in -F.
    recipe
        published: loss, steps, schedule and noise of the metamer study (Feather et al. 2023); default: the same match
        in far fewer steps. Where it is left out, -Z and losses of published stand for published.
    source
        The set in which stimuli are numbered: a published set, a folder or a table. Default that of the metamer study,
        of pictures or sounds as the network takes.
    dataset_preproc
        Prepare pictures by the network's own preprocessing, and start from its mean, also with --recipe published.
    out_path
        Folder for all networks' metamers; default ./metamers/.
    """
    named, rest = model.take(words, "MODEL STIMULI…, or IDX -D DIR")
    if not rest:
        raise InputError("stimuli: files, a folder, or their numbers in -F", got="none")
    _look_for(rest)
    from beholder.models import read_noise_mean
    from beholder.synthesis import make_metamers

    network = named.open()
    scripts.log(network)
    stimuli, values = find_stimuli(rest, source, network), numbers.read()
    chosen = recipe or _pick_recipe(values["step_size"], match.loss)
    if chosen == "published" and not dataset_preproc:
        network = _prepare_as_published(network)
    mean = read_noise_mean(named.directory) if dataset_preproc and named.directory else None
    made = make_metamers(
        network, stimuli, recipe=chosen, out_path=named.join(out_path or "metamers"), noise_mean=mean,
        keep_apart=named.directory is not None, **{**vars(match), **values, "seeds": match.seeds or [0]},
        **vars(long),
    )  # fmt: skip
    _print(made, output)


def _pick_recipe(step_size: float | None, loss: str) -> str:
    """The recipe where none is named: published, if a flag makes sense in it only."""
    flag = "-Z" if step_size is not None else "-L" if loss != "inversion_loss_layer" else None
    if flag is None:
        return "default"
    logger.info("%s is of the published recipe, which is used", flag)
    return "published"


def _prepare_as_published(model: Model) -> Model:
    from beholder.models import use_published_preparation

    prepared = use_published_preparation(model)
    if prepared is not model:
        told = "pictures are prepared as in Model Metamers: the centre square, resized; -DP for the network's own"
        logger.info(told)
    return prepared


def read_number(value: Any, name: str) -> Any:
    """A number above 0, which may be written as a fraction: ``1/20``."""
    if not isinstance(value, str):
        return value
    try:
        number = float(Fraction(value))
    except (ValueError, ZeroDivisionError, OverflowError):
        number = math.nan
    if not 0 < number < math.inf:
        raise InputError(f"a number above 0 for --{name}, such as 0.05 or 1/20", got=value)
    return number


def _look_for(words: Sequence[str]) -> None:
    """Raise where files or folders are missing, which may be numbers of stimuli; before the network is loaded."""
    if not _are_numbers(words):
        refuse_missing(words, "files or a folder of stimuli")


def _are_numbers(words: Sequence[str]) -> bool:
    """Whether words are numbers of stimuli, and none is the name of a file or folder."""
    return all(word.isdigit() for word in words) and not any(Path(word).exists() for word in words)


def find_stimuli(words: Sequence[str], source: str | None, model: Model) -> StimulusSet:
    """The stimuli that words name: numbers of a set, files, or one folder or table."""
    from beholder.stimuli import as_stimulus_set, collect_files

    if _are_numbers(words):
        known = open_source(source, model)
        numbers = [int(word) for word in words]
        if max(numbers) >= len(known):
            raise InputError(f"numbers of stimuli from 0 to {len(known) - 1}", got=str(max(numbers)))
        return known[numbers]
    if source is not None and source not in _OWN_FILES:
        raise InputError("-F with numbers of stimuli", got=f"-F {source} with {words[0]}", hint="leaving -F out")
    paths = [Path(word) for word in words]
    _look_for(words)
    tables = (".csv", ".tsv", ".parquet", ".h5", ".hdf5", ".tar")
    if len(paths) == 1 and (not paths[0].is_file() or paths[0].suffix in tables):
        return as_stimulus_set(paths[0])
    folders = [path for path in paths if path.is_dir()]
    if folders:
        raise InputError("one folder, or files", got=f"the folder {folders[0]} among {len(paths)}")
    return collect_files(paths)


def open_source(source: str | None, model: Model) -> StimulusSet:
    """The set in which stimuli are numbered; default that of Model Metamers."""
    from beholder.stimuli import StimulusSet, as_stimulus_set, list_named_sets

    if source is None:
        source = "psychophysics_wsj400_jsintest" if model.modality == "sound" else "400_16_class_imagenet_val"
    name = PUBLISHED_SETS.get(source, source)
    if name in list_named_sets():
        return StimulusSet.from_named(name)
    if not Path(source).exists():
        raise InputError(
            f"a folder, or one of {', '.join([*PUBLISHED_SETS, *list_named_sets()])}", got=f"-F {source}"
        )  # fmt: skip
    return as_stimulus_set(Path(source))


def _print(made: Metamers, output: OutputFlags) -> None:
    """How well metamers match at their own layers."""
    table: Any = made.to_pandas()
    own = table[table["layer"] == table["measured_layer"]]
    rows = [
        _summarize_layer(layer, part)
        for layer in dict.fromkeys(own["layer"])
        for _, part in own[own["layer"] == layer].groupby(["decision", "rule"], sort=True, dropna=False)
    ]
    lines = [f"{format_count(len(made), 'metamer')} of {made.model}", *align_records(_COLUMNS, rows)]
    lines += [f"skipped {name} at {layer}: {reason}" for name, layer, _, reason in made.skipped]
    files: list[dict[str, Any]] = []
    if made.path is not None:
        lines += _describe_levels(made)
        lines.append(str(made.path / "results.parquet"))
        files = list_files([made.path / "results.parquet"])
    names = ("stimulus_id", "layer", "seed", "reason")
    skipped: list[dict[str, Any]] = [dict(zip(names, each, strict=True)) for each in made.skipped]
    output.print(lines, {"metamers": to_records(own), "layers": rows, "skipped": skipped, "files": files})


def _summarize_layer(layer: str, own: pd.DataFrame) -> dict[str, Any]:
    import numpy as np

    known = [bool(value) for value in own["passed"].dropna().tolist()]
    same = int(np.sum((own["prediction_original"] == own["prediction_metamer"]).to_numpy()))
    decision, rule = (to_plain(own[name].iloc[0]) for name in ("decision", "rule"))
    names = ("db_snr", "db_snr_saved", "spearman_saved", "pearson_saved")
    medians = {name: to_plain(float(np.median(own[name].to_numpy(dtype=float)))) for name in names}
    verdict = sum(known) if known else None
    return {
        "layer": layer, "decision": decision, "rule": rule, "n": len(own), **medians, "same_prediction": same,
        "passed": verdict,
    }  # fmt: skip


def _describe_levels(made: Metamers) -> list[str]:
    """One line on the loudness of sounds."""
    if made.form.suffix != ".wav":
        return []
    described = [one.describe() for one in made.files.values()]
    levels, originals = ([each[name] for each in described] for name in ("rms", "rms_original"))
    return [
        f"RMS {min(levels):.4g} to {max(levels):.4g} (originals {min(originals):.4g} to {max(originals):.4g}), "
        f"{made.form.sample_rate} Hz"
    ]


def template(
    path: str,
    /,
    *,
    picture: bool = False,
    sound: bool = False,
    output: OutputFlags = OutputFlags(),
) -> None:
    """Write an example model directory: a build_network.py with its TODOs marked, and two stimuli.

    Example: beholder metamers template --picture my_network

    Parameters
    ----------
    path
        The directory.
    picture
        For a network of pictures; what happens without either.
    sound
        For a network of sounds.
    """
    from beholder.models import write_template

    if picture and sound:
        raise InputError("--picture or --sound", got="both")
    folder = write_template(path, "sound" if sound else "picture")
    files = sorted(file for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    lines = [
        *(str(file) for file in files),
        shlex.join(["beholder", "metamers", "make", str(files[-1]), "-D", str(folder)]),
    ]
    output.print(lines, {"files": list_files(files)})
