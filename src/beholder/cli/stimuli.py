"""``beholder stimuli``: stimuli drawn by code, and stimuli made from stimuli."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from beholder._core.wording import format_count
from beholder.cli._flags import (
    DEFAULT_IN_PATH,
    InPaths,
    LongFlags,
    OptionalOut,
    OutPath,
    OutputFlags,
    Seed,
    flags,
    make_app,
)
from beholder.cli._numbers import refuse_nan

app = make_app("stimuli")

Grade = Literal[
    "contrast", "uniform_noise", "pink_noise", "blur", "phase", "snr",
    "common_gaussian_noise", "common_shot_noise", "common_impulse_noise",
    "common_defocus_blur", "common_glass_blur", "common_motion_blur",
    "common_zoom_blur", "common_snow", "common_frost",
    "common_fog", "common_brightness", "common_contrast",
    "common_elastic_transform", "common_pixelate", "common_jpeg_compression",
]  # fmt: skip


@app.command
def draw(
    name: Literal["shapes", "syllables"], /, *, out_path: OptionalOut = None, n_per_category: int = 10,
    rnd_seed: Seed = 42, output: OutputFlags = OutputFlags(),
) -> None:  # fmt: skip
    """Draw pictures, or speak syllables, of sixteen categories: stimuli to begin with, which the bundled networks know.

    Example: beholder stimuli draw shapes --n_per_category 4

    Parameters
    ----------
    name
        shapes: pictures; syllables: sounds.
    out_path
        Folder for them, a folder a category; default ./images/ or ./sounds/.
    n_per_category
        How many of each category.
    rnd_seed
        Another seed gives other stimuli.
    """
    from beholder.stimuli import draw_set

    folder = out_path or {"shapes": "./images/", "syllables": "./sounds/"}[name]
    made = draw_set(name, folder, n_per_category, rnd_seed)
    rows = [{"folder": folder, "set": name, "n_stimuli": len(made)}]
    output.print([f"{format_count(len(made), made.kind)} in {folder}"], {"drawn": rows})


@flags
class _GradeFlags:
    size: int | None = None
    """Cut pictures to a centred square and resize them to so many pixels first."""
    grey: bool = False
    """Make pictures grey first."""
    base_contrast: float = 1.0
    """Lower pictures to this contrast first, so that noise clips less."""
    pixels_per_degree: float | None = None
    """Levels of blur are in degrees of visual angle."""
    spectrum: Literal["white", "pink", "matched"] = "white"
    """Spectrum of noise under sounds: white, pink, or matched to each sound."""


@app.command
def grade(
    *,
    grade: Grade,
    levels: Annotated[list[float], Parameter(consume_multiple=True, validator=refuse_nan)],
    in_path: InPaths = (DEFAULT_IN_PATH,),
    out_path: OutPath = "./stimuli/graded",
    options: _GradeFlags = _GradeFlags(),
    rnd_seed: Seed = 42,
    workers: int = 1,
    overwrite: bool = False,
    long: LongFlags = LongFlags(),
    output: OutputFlags = OutputFlags(),
) -> None:
    """Write pictures or sounds at graded levels, with a table that extract and tasks plan read alike.

    Example: beholder stimuli draw shapes
    Example: beholder stimuli grade --grade contrast --levels 0.05 0.1 0.3 1

    Parameters
    ----------
    grade
        contrast, uniform_noise, pink_noise, blur, phase of pictures; a common corruption; snr of sounds.
    levels
        Contrast in [0, 1]; half the range, or the RMS, of noise; sigma of blur in pixels, or in degrees with
        --pixels_per_degree; width of the phase noise in degrees; signal-to-noise ratio in dB; severity, 1 to 5, of
        common corruptions.
    in_path
        Folder of pictures or sounds, files, a .csv table, or an HDF5 file of pictures.
    out_path
        Folder for the files and stimuli.csv.
    rnd_seed
        Seed of noise and phases.
    workers
        Processes; any number gives the same results.
    overwrite
        Replace what was made with other settings.
    """
    from beholder.stimuli import GradeOptions, grade_stimuli, read_stimuli

    made = grade_stimuli(
        read_stimuli(in_path), grade, levels, out_path, options=GradeOptions(**vars(options)), seed=rnd_seed,
        workers=workers, overwrite=overwrite, **vars(long),
    )  # fmt: skip
    table = f"{out_path.rstrip('/')}/stimuli.csv"
    rows = [{"table": table, "grade": grade, "levels": levels, "n_stimuli": len(made)}]
    output.print(
        [f"{format_count(len(made), made.kind)}, {format_count(len(levels), 'level')} of {grade}", table],
        {"graded": rows},
    )
