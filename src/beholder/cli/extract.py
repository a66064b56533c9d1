"""``beholder extract``: activations of one model at given layers over a folder."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from beholder.cli._options import (
    Axes,
    BatchSize,
    Device,
    InPath,
    Json,
    Layers,
    ModelName,
    ModelPath,
    OutPath,
    Pretrained,
    Seed,
    make_app,
    print_json,
)

app = make_app("extract")


@app.default
def extract(
    *,
    model_name: ModelName,
    module_name: Layers = None,
    interactive: Annotated[bool, Parameter(name=["--interactive", "-it"])] = False,
    in_path: InPath = "./images/",
    out_path: OutPath = "./activations/",
    pretrained: Pretrained = False,
    model_path: ModelPath = None,
    device: Device = "auto",
    batch_size: BatchSize = None,
    pool: Literal["none", "mean", "max", "cls", "center"] = "none",
    flatten_acts: Annotated[bool, Parameter(name=["--flatten-acts", "-fl"])] = False,
    center_acts: bool = False,
    normalize_reps: bool = False,
    compress_acts: bool = False,
    n_components: int | None = None,
    reduce: str | None = None,
    file_format: Annotated[str, Parameter(name=["--file-format", "-ff"])] = "zarr",
    n_splits: int | None = None,
    things: Annotated[bool, Parameter(name=["--things", "-t"])] = False,
    things_behavior: bool = False,
    layout: Literal["flat", "classes"] | None = None,
    image_set: str | None = None,
    fraction: Annotated[float | None, Parameter(name=["--fraction", "-f"])] = None,
    balanced: bool = False,
    skip_bad: bool = False,
    labels: str | None = None,
    texts: str | None = None,
    dtype: Literal["float32", "float16"] = "float32",
    precision: Literal["fp32", "bf16", "fp16"] = "fp32",
    draft: bool = False,
    workers: int = 1,
    threads: int | None = None,
    axes: Axes = None,
    rnd_seed: Seed = 42,
    append: bool = False,
    overwrite: bool = False,
    json: Json = False,
) -> None:
    """Extract activations of a network's layers over a folder of pictures or sounds.

    Example: beholder extract --model_name alexnet --module_name features.11 --pretrained --in_path images/

    Parameters
    ----------
    model_name
        source:name[@weights] or an alias, such as alexnet, timm:vit_base_patch32_224, RN50.
    module_name
        Layers: names (features.11, layer1.0.relu@3:in), patterns (layer3.*.conv?), presets (blocks, stages,
        penultimate), ensembles (conv_ensemble, maxpool_ensemble, convpen_ensemble, maxpoolpen_ensemble).
    interactive
        Print the model, then ask for the layer.
    in_path
        Folder of pictures (flat or class folders), a .csv table, or an HDF5 file of pictures.
    out_path
        Folder for the activations.
    pretrained
        Download published weights if they are not here.
    model_path
        Read weights from this file or folder instead.
    device
        auto, cpu, cuda, cuda:N or mps.
    batch_size
        Stimuli in one forward pass; default chosen from the work's size; a store that is there keeps its own.
    pool
        One value a channel: over space, time or tokens.
    flatten_acts
        Export (n, features), row-major, with --file_format npy, txt, ...; a store keeps every layer's own axes.
    center_acts
        Subtract each column's mean.
    normalize_reps
        Divide each row by its l2 norm.
    compress_acts
        PCA: 90 % of the variance for ensembles, --n_components for other layers.
    n_components
        Number of principal components for --compress_acts.
    reduce
        srp:K (sparse random projection) or pca:K to a fixed width.
    file_format
        zarr, npy, txt, mat, pt, csv or hdf5, with or without a dot.
    n_splits
        Split txt or npy files into this many parts.
    things
        Pictures are from THINGS: check them against things_concepts.tsv.
    things_behavior
        A flat folder of THINGS pictures in the order of item_names.tsv.
    layout
        How to read a folder with pictures both beside and inside its sub-folders.
    image_set
        A named set: imagenet-val, whose folder --in_path is, or one that beholder assets fetches.
    fraction
        Keep int(N x fraction) stimuli, drawn by the seed.
    balanced
        Draw the same share of every class.
    skip_bad
        Leave out files that cannot be read.
    labels
        File of class names (a line each): adds zero-shot logits of a CLIP model as the layer zero_shot.
    texts
        File of texts (a line each): embeds them with a CLIP model instead of pictures.
    dtype
        Stored numbers.
    precision
        Computed numbers.
    draft
        Decode JPEGs at reduced size: faster, but changes pixels.
    workers
        Processes; does not change a byte.
    threads
        Cores to use; default all.
    axes
        LAYER=channel,height,width for layers whose channel axis the network does not tell, in the order of their axes.
    rnd_seed
        Seed of everything random, the weights of a model that ends in @random too.
    append
        Add stimuli that the store does not hold yet.
    overwrite
        Replace an existing store.
    json
        Print one JSON document to stdout.
    """
    from beholder.cli._extract_run import ExtractRequest, run_extract

    given = {name: value for name, value in locals().items() if name in ExtractRequest.__dataclass_fields__}
    summary = run_extract(ExtractRequest(**given))
    if json:
        print_json(summary.to_tables())
    else:
        for line in summary.to_lines():
            print(line)
