"""The demo: draw pictures, record a network, compare its layers, write the page."""

from __future__ import annotations

import logging
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from beholder._core.errors import ConfigurationChanged, InputError, suggest_keywords
from beholder._core.files import write_json
from beholder._core.provenance import record_provenance
from beholder._core.seeds import DEFAULT_SEED
from beholder._core.wording import format_count
from beholder.demo._words import describe_stimuli
from beholder.figures import draw_for_files

if TYPE_CHECKING:
    from beholder.activations import Activations
    from beholder.models import Model
    from beholder.stimuli import StimulusSet

logger = logging.getLogger("beholder")

MODEL = "beholder:shapes@v2"
N_PER_CATEGORY = 6
N_UNITS = 6
N_METAMERS = 2
N_TWIN_METAMERS = 16


@suggest_keywords
@draw_for_files()
def run_demo(
    out: Path | str = "demo",
    *,
    n_per_category: int = N_PER_CATEGORY,
    n_units: int = N_UNITS,
    n_metamers: int = N_METAMERS,
    n_twin_metamers: int = N_TWIN_METAMERS,
    seed: int = DEFAULT_SEED,
) -> Path:
    """Run the whole chain on what comes with the package: no network, no files of yours, two to three minutes.

    Pictures are drawn, shown to the bundled network ``beholder:shapes``, its layers recorded, compared and
    pictured; for a few of its units, the pictures that drive them are found, and others made; of a few pictures, and of
    syllables that ``beholder:syllables`` hears, metamers are made. People can be asked about the units: an experiment
    is built, and a handful of simulated participants take it; others name pictures in noise, as the network does. Run
    again, it keeps what is done and draws the figures
    and the page anew.

    Parameters
    ----------
    out : path
        Folder for everything.
    n_per_category : int
        Pictures of each of the sixteen categories, at least 2.
    n_units : int
        Units that are looked at.
    n_metamers : int
        Pictures, and sounds, that metamers are made of, at three layers each; at least 1.
    n_twin_metamers : int
        Pictures that the standard network and its twin make late metamers of, at least 2.
    seed : int
        Of the pictures; the network was trained on others.

    Returns
    -------
    Path
        The page to open.

    Examples
    --------
    >>> run_demo("demo")                                          # doctest: +SKIP
    PosixPath('demo/report.html')
    """
    from beholder.demo._experiment import make_demo_experiment
    from beholder.demo._figures import draw_figures
    from beholder.demo._metamers import make_demo_metamers
    from beholder.demo._recognition import compare_layers, compare_recognition
    from beholder.demo._twins import compare_twins
    from beholder.demo._units import show_units
    from beholder.models import load_model
    from beholder.report import write_report

    if n_per_category < 2:
        raise InputError("at least 2 pictures a category", got=str(n_per_category))
    if n_metamers < 1:
        raise InputError("metamers of at least 1 picture and sound", got=str(n_metamers))
    if n_twin_metamers < 2:
        raise InputError("metamers of at least 2 pictures by both twins", got=str(n_twin_metamers))
    out = Path(out)
    logger.info("demo: drawing pictures")
    stimuli = draw_stimuli(out / "stimuli", n_per_category, seed)
    net = load_model(MODEL)
    logger.info("demo: recording %s layers of %s", len(net.layers), net.name)
    acts = record_layers(net, stimuli, out / "activations")
    logger.info("demo: comparing layers")
    draw_figures(acts, stimuli, out / "figures")
    compare_layers(acts, stimuli, out / "layers")
    logger.info("demo: looking at single units")
    units = show_units(net, stimuli, out / "units", n_units, seed)
    logger.info("demo: making an experiment")
    made_of = out / "units" / "stimuli" / net.path_name
    n_trials = make_demo_experiment(net, made_of, out / "experiment", out / "figures", seed)
    logger.info("demo: asking who recognises pictures in noise")
    compare_recognition(net, stimuli, out / "recognition", seed)
    seen, heard = make_demo_metamers(net, stimuli, out, n_metamers, seed)
    compare_twins(stimuli, out / "twins", out / "figures", n_twin_metamers, seed)
    write_json(out / "stimuli.figure.json", asdict(describe_stimuli(len(stimuli), seed)))
    write_json(
        out / "report.json",
        {
            "title": "Beholder demo",
            "sentence": f"{len(stimuli)} drawn pictures of 16 categories were shown to a small network that comes with "
            f"Beholder; {len(acts.layers)} of its layers were recorded and compared, "
            f"and {format_count(len(units), 'unit')} looked at. "
            f"{format_count(len(seen), 'metamer')} of pictures and {len(heard)} of spoken syllables were made."
            + (
                f" An experiment of {format_count(n_trials, 'trial')} a person is ready to be opened."
                if n_trials
                else ""
            ),
            "stimuli": f"{len(stimuli)} drawn pictures, 16 categories",
        },
    )
    settings = {
        "model": net.name, "layers": list(net.layers), "n_per_category": n_per_category, "n_units": n_units,
        "n_metamers": n_metamers, "n_twin_metamers": n_twin_metamers, "seed": seed,
    }  # fmt: skip
    record_provenance(out, ".", settings, weights=net.weights.sha256)
    return write_report(out)


def draw_stimuli(folder: Path, n_per_category: int, seed: int) -> StimulusSet:
    """Draw the pictures; a folder that also holds others is refused, since they would be shown too."""
    from beholder.stimuli import SHAPE_CATEGORIES, draw_shapes_set

    stimuli = draw_shapes_set(folder, n_per_category, seed)
    expected = n_per_category * len(SHAPE_CATEGORIES)
    if len(stimuli) != expected:
        raise InputError(
            f"the demo's own {expected} pictures in {folder}", got=f"{len(stimuli)}", hint="another --out folder"
        )
    return stimuli


def record_layers(net: Model, stimuli: StimulusSet, folder: Path) -> Activations:
    """Extract the recorded layers; a store that an older demo made in another way is made anew."""
    from beholder.activations import extract

    try:
        return extract(net, stimuli, layers=list(net.layers), out_path=folder, dtype="float16")
    except ConfigurationChanged as change:
        logger.info("demo: recording anew: %s", change)
        return extract(net, stimuli, layers=list(net.layers), out_path=folder, dtype="float16", overwrite=True)
