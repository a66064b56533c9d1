"""``beholder stimuli``: stimuli made from stimuli."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from beholder.cli._options import InPath, Json, OutPath, Seed, make_app, print_json, refuse_nan

app = make_app("stimuli", "Stimuli made from stimuli: the same ones at graded levels.")

Grade = Literal["contrast", "uniform_noise", "pink_noise", "blur", "phase", "snr"]


@app.command
def grade(
    *,
    grade: Grade,
    levels: Annotated[list[float], Parameter(consume_multiple=True, validator=refuse_nan)],
    in_path: InPath = "./images/",
    out_path: OutPath = "./stimuli/graded",
    size: int | None = None,
    grey: bool = False,
    base_contrast: float = 1.0,
    pixels_per_degree: float | None = None,
    spectrum: Literal["white", "pink", "matched"] = "white",
    rnd_seed: Seed = 42,
    workers: int = 1,
    overwrite: bool = False,
    json: Json = False,
) -> None:
    """Write pictures or sounds at graded levels, with a table that extract and tasks plan read alike.

    Example: beholder stimuli grade --grade contrast --levels 0.05 0.1 0.3 1 --in_path images/

    Parameters
    ----------
    grade
        contrast, uniform_noise, pink_noise, blur, phase of pictures; snr of sounds.
    levels
        Contrast in [0, 1]; half the range, or the RMS, of noise; sigma of blur in pixels, or in degrees with
        --pixels_per_degree; width of the phase noise in degrees; signal-to-noise ratio in dB.
    in_path
        Folder, table or HDF5 file.
    out_path
        Folder for the files and stimuli.csv.
    size
        Cut pictures to a centred square and resize them to so many pixels first.
    grey
        Make pictures grey first.
    base_contrast
        Lower pictures to this contrast first, so that noise clips less.
    pixels_per_degree
        Levels of blur are in degrees of visual angle.
    spectrum
        Of noise under sounds: white, pink, or matched to the sound's own.
    rnd_seed
        Decides noise and phases.
    workers
        Processes; does not change a byte.
    overwrite
        Replace what was made with other settings.
    json
        Print one JSON document to stdout.
    """
    from beholder.stimuli import GradeOptions, grade_stimuli

    options = GradeOptions(size, grey, base_contrast, pixels_per_degree, spectrum)
    made = grade_stimuli(
        in_path, grade, levels, out_path, options=options, seed=rnd_seed, workers=workers, overwrite=overwrite
    )
    table = f"{out_path.rstrip('/')}/stimuli.csv"
    if json:
        print_json({"graded": [{"table": table, "grade": grade, "levels": levels, "n_stimuli": len(made)}]})
    else:
        print(f"{len(made)} {made.kind}s, {len(levels)} levels of {grade}\n{table}")
