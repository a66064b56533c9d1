"""What ``beholder metamers make``, ``null`` and ``template`` do with their flags."""

from __future__ import annotations

import dataclasses
import logging
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beholder._core.errors import InputError
from beholder.cli._units_run import Place, Summary

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
"""What the document's scripts call the stimulus sets, and what Beholder calls them."""

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


@dataclass(frozen=True)
class MakeFlags:
    """Flags of ``make`` that are not handed on."""

    words: tuple[str, ...]
    source: str | None
    recipe: str | None
    dataset_preproc: bool
    s: bool
    override_save: bool
    strict: bool
    out_path: str | None


def run_make(place: Place, flags: MakeFlags, numbers: Mapping[str, Any], options: Mapping[str, Any]) -> Summary:
    """Make metamers and say how well they match."""
    from beholder.synthesis import make_metamers

    place, words = take_model(place, flags.words, "MODEL STIMULI…, or IDX -D DIR")
    if not words:
        raise InputError("stimuli: files, a folder, or their numbers in -F", got="none")
    model = place.load()
    tell_accepted(flags, model)
    stimuli = find_stimuli(words, flags.source, model)
    values = {name: read_number(value, name) for name, value in numbers.items()}
    recipe = flags.recipe or pick_recipe(values["step_size"], options["loss"])
    if recipe == "published" and not flags.dataset_preproc:
        model = use_published_preparation(model)
    if flags.dataset_preproc:
        values["noise_mean"] = find_noise_mean(place)
    made = make_metamers(
        model, stimuli, recipe=recipe, out_path=place.join(flags.out_path or "metamers"),
        keep_apart=place.directory is not None, **values, **options
    )  # fmt: skip
    return summarize_metamers(made)


def pick_recipe(step_size: float | None, loss: str) -> str:
    """The recipe where none is named: published, if a flag makes sense in it only."""
    flag = "-Z" if step_size is not None else "-L" if loss != "inversion_loss_layer" else None
    if flag is None:
        return "default"
    logger.info("%s is of the published recipe, which is used", flag)
    return "published"


def take_model(place: Place, words: Sequence[str], usage: str) -> tuple[Place, list[str]]:
    """The first word is the network, where none is named otherwise."""
    rest = list(words)
    if not place.model_name and (
        not place.directory or (rest and not rest[0].isdigit() and not Path(rest[0]).exists())
    ):
        if not rest:
            raise InputError(usage, got="neither a network nor -D")
        place = dataclasses.replace(place, model_name=rest.pop(0))
    return place, rest


def tell_accepted(flags: MakeFlags, model: Model) -> None:
    """Say what flags of the two scripts come to; ``-S`` means one thing for pictures, another for sounds."""
    is_sound = model.modality == "sound"
    if flags.override_save or (flags.s and not is_sound):
        logger.info("metamers that fail are always kept; the column `passed` marks them")
    if flags.strict or (flags.s and is_sound):
        logger.info("checkpoints are always read strictly")


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


def find_stimuli(words: Sequence[str], source: str | None, model: Model) -> StimulusSet:
    """The stimuli that words name: numbers of a set, files, or one folder or table."""
    from beholder.stimuli import as_stimulus_set, collect_files

    if all(word.isdigit() for word in words) and not any(Path(word).exists() for word in words):
        known = open_source(source, model)
        numbers = [int(word) for word in words]
        if max(numbers) >= len(known):
            raise InputError(f"numbers of stimuli from 0 to {len(known) - 1}", got=str(max(numbers)))
        return known[numbers]
    if source is not None and source not in _OWN_FILES:
        raise InputError("-F with numbers of stimuli", got=f"-F {source} with {words[0]}", hint="leaving -F out")
    paths = [Path(word) for word in words]
    missing = [path for path in paths if not path.exists()]
    if missing:
        raise InputError("files or a folder of stimuli", got=f"nothing at {missing[0]}")
    if len(paths) == 1 and (paths[0].is_dir() or paths[0].suffix in (".csv", ".tsv", ".parquet", ".h5", ".hdf5")):
        return as_stimulus_set(paths[0])
    folders = [path for path in paths if path.is_dir()]
    if folders:
        raise InputError("one folder, or files", got=f"the folder {folders[0]} among {len(paths)}")
    return collect_files(paths)


def open_source(source: str | None, model: Model) -> StimulusSet:
    """The set in which stimuli are numbered; default the document's."""
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


def use_published_preparation(model: Model) -> Model:
    """Pictures as the document's script prepares them: the centre square of the full short side, resized."""
    from beholder.models import ImagePreprocessing

    own, shape = model.preprocessing, model.input_shape
    if model.modality != "image" or shape is None or len(shape) != 3 or shape[0] != 3 or shape[1] != shape[2]:
        return model
    if isinstance(own, ImagePreprocessing):
        square = dataclasses.replace(
            own, resize=shape[1], crop=(shape[1], shape[2]), crop_mode="square", interpolation="bicubic"
        )
    elif own.to_dict().get("kind") == "dataset" and model.input_range == (0.0, 1.0):
        square = ImagePreprocessing(
            resize=shape[1],
            crop=(shape[1], shape[2]),
            crop_mode="square",
            interpolation="bicubic",
            mean=(0.0, 0.0, 0.0),
            std=(1.0, 1.0, 1.0),
        )
    else:
        return model
    logger.info(
        "pictures are prepared as in the document's script: the centre square, resized; -DP for the network's own"
    )
    spec = None if model.spec is None else dataclasses.replace(model.spec, preprocessing=square)
    return dataclasses.replace(model, preprocessing=square, spec=spec)


def find_noise_mean(place: Place) -> float | None:
    """``init_noise_mean`` of the dataset of a model directory, where it has one."""
    from beholder.models import read_noise_mean

    return read_noise_mean(place.directory) if place.directory else None


def summarize_metamers(made: Metamers) -> Summary:
    """How well metamers match at their own layers."""
    table: Any = made.to_pandas()
    own = table[table["layer"] == table["measured_layer"]]
    rows = [
        _summarize_layer(layer, part)
        for layer in dict.fromkeys(own["layer"])
        for _, part in own[own["layer"] == layer].groupby(["decision", "rule"], sort=True, dropna=False)
    ]
    lines = [f"{len(made)} metamers of {made.model}", *align_rows(_COLUMNS, rows)]
    lines += [f"skipped {name} at {layer}: {reason}" for name, layer, _, reason in made.skipped]
    files: list[dict[str, Any]] = []
    if made.path is not None:
        lines += tell_levels(made)
        lines.append(str(made.path / "results.parquet"))
        files = [{"file": str(made.path / "results.parquet")}]
    names = ("stimulus_id", "layer", "seed", "reason")
    skipped: list[dict[str, Any]] = [dict(zip(names, each, strict=True)) for each in made.skipped]
    return Summary(lines, {"metamers": to_records(own), "layers": rows, "skipped": skipped, "files": files})


def _summarize_layer(layer: str, own: pd.DataFrame) -> dict[str, Any]:
    import numpy as np

    known = [bool(value) for value in own["passed"].dropna().tolist()]
    same = int(np.sum((own["prediction_original"] == own["prediction_metamer"]).to_numpy()))
    decision, rule = (_to_plain(own[name].iloc[0]) for name in ("decision", "rule"))
    names = ("db_snr", "db_snr_saved", "spearman_saved", "pearson_saved")
    medians = {name: _to_plain(float(np.median(own[name].to_numpy(dtype=float)))) for name in names}
    verdict = sum(known) if known else None
    return {
        "layer": layer, "decision": decision, "rule": rule, "n": len(own), **medians, "same_prediction": same,
        "passed": verdict,
    }  # fmt: skip


def tell_levels(made: Metamers) -> list[str]:
    """One line on the loudness of sounds."""
    if made.form.suffix != ".wav":
        return []
    described = [one.describe() for one in made.files.values()]
    levels, originals = ([each[name] for each in described] for name in ("rms", "rms_original"))
    return [
        f"RMS {min(levels):.4g} to {max(levels):.4g} (originals {min(originals):.4g} to {max(originals):.4g}), "
        f"{made.form.sample_rate} Hz"
    ]


def to_records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """A table as records for JSON: empty cells, infinities and NaN as null."""
    return [{str(key): _to_plain(value) for key, value in row.items()} for row in table.to_dict("records")]


def _to_plain(value: Any) -> Any:
    import numpy as np
    import pandas as pd

    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return None
    if pd.isna(value):
        return None
    return value.item() if isinstance(value, np.generic) else value


def align_rows(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A table in plain text; the first column on the left, numbers on the right."""
    cells = [list(columns), *([_format(row[name]) for name in columns] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(columns))]
    return [
        "  ".join(
            cell.ljust(w) if i == 0 else cell.rjust(w) for i, (cell, w) in enumerate(zip(line, widths, strict=True))
        )
        for line in cells
    ]


def _format(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def run_null(
    place: Place,
    words: Sequence[str],
    in_path: str | None,
    out_path: str,
    metamers_path: str,
    options: Mapping[str, Any],
) -> Summary:
    """Measure random pairs, fill in verdicts."""
    from beholder.stimuli import as_stimulus_set
    from beholder.synthesis import null_distribution

    place, rest = take_model(place, words, "MODEL FOLDER, or -D DIR")
    if len(rest) + (in_path is not None) > 1:
        raise InputError("one folder of stimuli", got=", ".join([*rest, in_path or ""]).rstrip(", "))
    folder = in_path or (rest[0] if rest else None)
    if folder is None and not place.directory:
        raise InputError("a folder of natural stimuli, or -D DIR with a training set", got="neither")
    if folder is not None and not Path(folder).exists():
        raise InputError("a folder of stimuli", got=f"nothing at {folder}")
    stimuli = None if folder is None else as_stimulus_set(Path(folder))
    found = null_distribution(
        place.load(), stimuli, out_path=place.join(out_path), metamers_path=place.join(metamers_path), **options
    )
    maxima = found.find_maxima().to_dict("records")
    columns = ("layer", "spearman", "pearson", "db_snr")
    assert found.path is not None
    lines = [f"{len(found):,} pairs; what a metamer has to exceed:", *align_rows(columns, maxima), str(found.path)]
    files = [{"file": str(path)} for path in sorted(found.path.glob("*.parquet"))]
    return Summary(lines, {"maxima": [{k: _to_plain(v) for k, v in row.items()} for row in maxima], "files": files})


def run_template(path: str, picture: bool, sound: bool) -> Summary:
    """Write an example directory."""
    from beholder.models import write_template

    if picture and sound:
        raise InputError("--picture or --sound", got="both")
    folder = write_template(path, "sound" if sound else "picture")
    files = sorted(file for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts)
    lines = [
        *(str(file) for file in files),
        shlex.join(["beholder", "metamers", "make", str(files[-1]), "-D", str(folder)]),
    ]
    return Summary(lines, {"files": [{"file": str(file)} for file in files]})
