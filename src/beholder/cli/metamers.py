"""``beholder metamers``: stimuli that a network cannot tell apart, and what other networks make of them."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from beholder.cli._judge_run import judge
from beholder.cli._options import (
    BatchSize,
    Device,
    Json,
    ModelPath,
    OptionalModel,
    OptionalOut,
    Pretrained,
    WeightsSeed,
    Words,
    make_app,
    print_json,
    refuse_infinite,
)

app = make_app("metamers", "Metamers: stimuli that a network cannot tell apart, and what other networks make of them.")
app.command(judge)

Directory = Annotated[str | None, Parameter(name=["-D", "--directory", "--DIRECTORY"])]
Layers = Annotated[list[str] | None, Parameter(name=["--layers", "--module-name", "-mn"], consume_multiple=True)]
StimulusSource = Annotated[
    str | None, Parameter(name=["-F", "--INPUTIMAGEFUNC", "--INPUTAUDIOFUNC", "--in-path", "-ip"])
]
Seeds = Annotated[
    list[int] | None,
    Parameter(
        name=["-R", "--RANDOMSEED", "--rnd-seed", "--seed", "-rs"], consume_multiple=True, validator=refuse_infinite
    ),
]
OneSeed = Annotated[
    int, Parameter(name=["-R", "--RANDOMSEED", "--rnd-seed", "--seed", "-rs"], validator=refuse_infinite)
]


@app.command
def make(
    *words: str,
    layers: Layers = None,
    recipe: Literal["default", "published"] | None = None,
    directory: Directory = None,
    model_name: OptionalModel = None,
    source: StimulusSource = None,
    seeds: Seeds = None,
    iterations: Annotated[int | None, Parameter(name=["-I", "--ITERATIONS", "--iterations"])] = None,
    repeats: Annotated[int | None, Parameter(name=["-N", "--NUMREPITER", "--repeats"])] = None,
    loss: Annotated[str, Parameter(name=["-L", "--LOSSFUNCTION", "--loss"])] = "inversion_loss_layer",
    noise_scale: Annotated[str | None, Parameter(name=["-E", "--NOISE-SCALE"])] = None,
    step_size: Annotated[str | None, Parameter(name=["-Z", "--STEP-SIZE"])] = None,
    target_db: Annotated[float | None, Parameter(validator=refuse_infinite)] = None,
    measured: Words = None,
    rule: Literal["first", "mean", "max", "sum"] = "first",
    dataset_preproc: Annotated[bool, Parameter(name=["-DP", "--DATASET-PREPROC"])] = False,
    s: Annotated[bool, Parameter(name="-S")] = False,
    override_save: Annotated[bool, Parameter(name=["-V", "--OVERRIDE-SAVE"])] = False,
    strict: Annotated[bool, Parameter(name="--STRICT")] = False,
    out_path: OptionalOut = None,
    pretrained: Pretrained = False,
    model_path: ModelPath = None,
    weights_seed: WeightsSeed = 42,
    device: Device = "auto",
    batch_size: BatchSize = None,
    workers: int = 1,
    threads: int | None = None,
    overwrite: Annotated[bool, Parameter(name=["-O", "--OVERWRITE-PICKLE", "--overwrite"])] = False,
    resume: bool = False,
    json: Json = False,
) -> None:
    """Make metamers: from noise, stimuli that match natural ones at one layer. Interrupted, it goes on.

    Example: beholder metamers make squeezenet1_1 images/ --layers features.3 features.12

    Example: beholder metamers make 0 -D model_analysis_folders/visual_networks/alexnet -I 3000 -N 8 --recipe published

    Parameters
    ----------
    words
        MODEL and its stimuli: pictures, sounds, or one folder or table. With -D: stimuli, or their numbers in -F.
    layers
        To be matched, each by metamers of its own; default the network's recorded layers.
    recipe
        published: the document's loss, steps, schedule and noise; default: the same match in far fewer steps. Where
        it is left out, -Z and losses of published stand for published.
    directory
        A model directory with a build_network.py: the network is taken from it, everything goes under it.
    model_name
        The network, in place of the first word.
    source
        Where numbers count: a published set, a folder or a table. Default the document's, by the network's domain.
    seeds
        One metamer a seed, from other noise; default 0.
    iterations, repeats
        At most iterations x repeats steps from one start; default 1000 x 1, published 3000 x 8, halved after each
        repeat. With -D, other numbers have a folder of their own.
    loss
        Of published: inversion_loss_layer, coarse_define_spectemp_inversion_loss_layer or
        random_single_unit_optimization_inversion_loss_layer.
    noise_scale
        Standard deviation of the first noise; default 1/20, for sounds 0.02, published 1e-7.
    step_size
        Of published: the first step; default 1.
    target_db
        Stop at this signal-to-noise ratio; default 45, published never.
    measured
        Layers at which the match is measured; default the recorded ones, else children down to two levels.
    rule
        How a network of ImageNet's classes says which of 16 categories: by the first class in one, from the most likely
        down, or by the mean, largest or sum of the probabilities of a category's classes.
    dataset_preproc
        Prepare pictures by the network's own preprocessing, and start from its mean, in published too.
    s
        Pictures: as --OVERRIDE_SAVE; sounds: as --STRICT.
    override_save
        Accepted: metamers that fail are always kept, and marked.
    strict
        Accepted: checkpoints are always read strictly.
    out_path
        Folder for all models' metamers; default ./metamers/.
    pretrained
        Download published weights if they are not here.
    model_path
        Read weights from this file or folder instead.
    weights_seed
        Of the weights of a model that ends in @random.
    device
        auto, cpu, cuda, cuda:N or mps.
    batch_size
        Metamers in one batch; default 1 on the CPU, 32 elsewhere.
    workers
        Processes; does not change a byte.
    threads
        Cores to use; default all.
    overwrite
        Make these anew; all that is there, if it was made with other settings.
    resume
        Accepted: what is finished is always kept.
    json
        Print one JSON document to stdout.
    """
    from beholder.cli._metamers_run import MakeFlags, run_make
    from beholder.cli._units_run import Place

    place = Place(directory, model_name, pretrained, model_path, device, seed=weights_seed)
    flags = MakeFlags(words, source, recipe, dataset_preproc, s, override_save, strict, out_path)
    numbers = {"iterations": iterations, "repeats": repeats, "noise_scale": noise_scale, "step_size": step_size,
               "target_db": target_db}  # fmt: skip
    options = {"layers": layers, "seeds": seeds or [0], "loss": loss, "measured": measured, "rule": rule,
               "batch_size": batch_size, "workers": workers, "threads": threads, "overwrite": overwrite}  # fmt: skip
    summary = run_make(place, flags, numbers, options)
    print_json(summary.tables) if json else print("\n".join(summary.lines))


@app.command
def null(
    *words: str,
    layers: Layers = None,
    n_pairs: Annotated[int | None, Parameter(name=["-N", "--n-pairs"])] = None,
    out_path: Annotated[str, Parameter(name=["-P", "--out-path", "-op"])] = "null_dist",
    split: Annotated[int, Parameter(name=["-I", "--split"])] = 0,
    seed: OneSeed = 0,
    shuffle: Annotated[bool, Parameter(name="--shuffle", negative="--no-shuffle")] = True,
    overwrite: Annotated[bool, Parameter(name=["-O", "--overwrite"])] = False,
    directory: Directory = None,
    model_name: OptionalModel = None,
    in_path: Annotated[str | None, Parameter(name=["--in-path", "-ip"])] = None,
    pretrained: Pretrained = False,
    model_path: ModelPath = None,
    weights_seed: WeightsSeed = 42,
    metamers_path: str | None = None,
    device: Device = "auto",
    workers: int = 1,
    threads: int | None = None,
    json: Json = False,
) -> None:
    """Measure how well random pairs of natural stimuli match at each layer; fill in the verdicts of metamers.

    Example: beholder metamers null squeezenet1_1 images/ -N 10000

    Example: beholder metamers null -D model_analysis_folders/visual_networks/alexnet -N 100 -I 0 -R 0 --shuffle

    Parameters
    ----------
    words
        MODEL and a folder of stimuli; with -D none: its training set.
    layers
        Default those at which the model's metamers were measured, else its recorded ones.
    n_pairs
        Pairs of this seed and split, no more than there are; default 10,000, fewer where layers are large; published:
        1,000,000.
    out_path
        Folder for all models' null distributions.
    split
        Another set of pairs; without --shuffle those from stimulus 2 x N x split on.
    seed
        Draws the pairs.
    shuffle
        Pairs of random stimuli; --no-shuffle: neighbours in order.
    overwrite
        Measure this seed and split anew; all that is there, if it was measured with other settings.
    directory
        A model directory: the network and its training set are taken from it, everything goes under it.
    model_name
        The network, in place of the first word.
    in_path
        The folder, in place of the second word.
    pretrained
        Download published weights if they are not here.
    model_path
        Read weights from this file or folder instead.
    weights_seed
        Of the weights of a model that ends in @random.
    metamers_path
        Folder of all models' metamers whose verdicts are filled in; default ./metamers/.
    device
        auto, cpu, cuda, cuda:N or mps.
    workers
        Processes; does not change a byte.
    threads
        Cores to use; default all.
    json
        Print one JSON document to stdout.
    """
    from beholder.cli._metamers_run import run_null
    from beholder.cli._units_run import Place

    place = Place(directory, model_name, pretrained, model_path, device, seed=weights_seed)
    options = {"layers": layers, "n_pairs": n_pairs, "seed": seed, "split": split, "shuffle": shuffle,
               "workers": workers, "threads": threads, "overwrite": overwrite}  # fmt: skip
    summary = run_null(place, words, in_path, out_path, metamers_path or "metamers", options)
    print_json(summary.tables) if json else print("\n".join(summary.lines))


@app.command
def template(
    path: str,
    /,
    *,
    picture: Annotated[bool, Parameter(name="--picture")] = False,
    sound: Annotated[bool, Parameter(name="--sound")] = False,
    json: Json = False,
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
    json
        Print one JSON document to stdout.
    """
    from beholder.cli._metamers_run import run_template

    summary = run_template(path, picture, sound)
    print_json(summary.tables) if json else print("\n".join(summary.lines))
