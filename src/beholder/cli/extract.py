"""``beholder extract``: activations of one model at given layers over a folder."""

from __future__ import annotations

import contextlib
import logging
import shlex
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from beholder._core.addresses import is_address, show_place
from beholder._core.errors import InputError
from beholder._core.sizes import format_bytes
from beholder._core.wording import format_count
from beholder.cli._flags import (
    AxesFlags,
    LongFlags,
    ModelName,
    ModelWord,
    OutPath,
    OutputFlags,
    Seed,
    StimulusFlags,
    StoreFlags,
    WeightFlags,
    flags,
    list_files,
    make_app,
    name_network,
)

if TYPE_CHECKING:
    from beholder.activations import Activations, Step
    from beholder.models import Model
    from beholder.stimuli import StimulusSet

logger = logging.getLogger("beholder")
app = make_app("extract")

_SHOWN = 20


@flags
class _ExtractFlags:
    model_name: ModelName = None
    """The network, in place of the first word."""
    module_name: Annotated[
        list[str] | None, Parameter(name=["--module-name", "--layers", "-mn"], consume_multiple=True)
    ] = None
    """Layers: names (features.11, layer1.0.relu@3:in), patterns (layer3.*.conv?), presets (blocks, stages,
    penultimate), ensembles (conv_ensemble, maxpool_ensemble, convpen_ensemble, maxpoolpen_ensemble)."""
    interactive: Annotated[bool, Parameter(name=["--interactive", "-it"])] = False
    """Print the network, then ask for the layer."""
    out_path: OutPath = "./activations/"
    """Folder for the activations."""
    pool: Literal["none", "mean", "max", "cls", "center"] = "none"
    """One value a channel: over space, time or tokens."""
    flatten_acts: Annotated[bool, Parameter(name=["--flatten-acts", "-fl"])] = False
    """With --file_format npy, txt, …: write layers as (stimuli, features), row-major; a store keeps every layer's own
    axes."""
    center_acts: bool = False
    """Subtract each column's mean."""
    normalize_reps: bool = False
    """Divide each row by its L2 norm."""
    compress_acts: bool = False
    """Keep principal components: for ensembles 90 % of the variance, for other layers --n_components."""
    n_components: int | None = None
    """Number of principal components for --compress_acts."""
    reduce: str | None = None
    """srp:K (sparse random projection) or pca:K to a fixed width."""
    file_format: Annotated[str, Parameter(name=["--file-format", "-ff"])] = "zarr"
    """zarr, npy, txt, mat, pt, csv, parquet or hdf5, with or without a dot."""
    n_splits: int | None = None
    """Split txt or npy files into this many parts."""
    labels: str | None = None
    """File of class names (a line each): adds zero-shot logits of a CLIP model as the layer zero_shot."""
    texts: str | None = None
    """File of texts (a line each): embeds them with a CLIP model instead of pictures."""
    draft: bool = False
    """Decode JPEGs at reduced size: faster, but changes pixels."""


@app.default
def extract(
    word: ModelWord = None,
    /,
    *,
    asked: _ExtractFlags = _ExtractFlags(),
    stimuli: StimulusFlags = StimulusFlags(),
    weights: WeightFlags = WeightFlags(),
    axes: AxesFlags = AxesFlags(),
    store: StoreFlags = StoreFlags(),
    long: LongFlags = LongFlags(),
    rnd_seed: Seed = 42,
    output: OutputFlags = OutputFlags(),
) -> None:
    """Extract activations of a network's layers over a folder of pictures or sounds.

    Example: beholder stimuli draw shapes
    Example: beholder extract beholder:shapes --layers block3 block5

    Parameters
    ----------
    stimuli.in_path
        Folder of pictures (flat or class folders), files, a .csv table, or an HDF5 file of pictures.
    store.batch_size
        Stimuli in one forward pass; default chosen from the work's size; a store that is there keeps its own.
    rnd_seed
        Seed of everything random, also of the weights of a network whose name ends in @random.
    """
    name = name_network(word, asked.model_name)
    stimuli.refuse_missing()
    from beholder.activations import extract, list_asked_layers
    from beholder.models import load_model

    _check_flags(asked, name)
    steps, width = _plan_steps(asked)
    _check_address(asked, steps)
    found = None if asked.texts else stimuli.choose(stimuli.read(), rnd_seed)
    model, found = _adapt(load_model(name, seed=rnd_seed, **vars(weights)), found, asked)
    layers = _name_layers(model, asked, sys.stderr if output.json else sys.stdout)
    acts = extract(
        model, found, layers, out_path=asked.out_path, pool=asked.pool, axes=axes.read(), reduce_to=width,
        seed=rnd_seed, **vars(store), **vars(long),
    )  # fmt: skip
    names = [name for name in list_asked_layers(model, layers) if name in acts]
    acts, files = _finish(acts, names, steps, asked, rnd_seed, overwrite=store.overwrite or store.append)
    output.print(_describe(acts, names, files), _tabulate(acts, names, files))


def _check_address(asked: _ExtractFlags, steps: Sequence[Step]) -> None:
    """Refuse what is written beside a store where that is at an address."""
    if is_address(asked.out_path) and (steps or _read_format(asked) != "zarr"):
        given = "--center_acts, --normalize_reps, --compress_acts or --reduce pca" if steps else "--file_format"
        raise InputError(f"a store alone at {show_place(asked.out_path)}", got=given, hint="a folder of this machine")


def _read_format(asked: _ExtractFlags) -> str:
    from beholder.activations import resolve_export_format

    return "zarr" if asked.file_format.lower().lstrip(".") == "zarr" else resolve_export_format(asked.file_format)


def _check_flags(asked: _ExtractFlags, model: str) -> None:
    file_format = _read_format(asked)
    if not (asked.module_name or asked.interactive or asked.labels or asked.texts):
        hint = f"beholder layers {shlex.quote(model)}"
        raise InputError("--module_name LAYER, or --interactive", got="neither", hint=hint)
    if asked.n_splits is not None and file_format not in ("txt", "npy"):
        raise InputError("--n_splits with --file_format txt or npy", got=file_format)
    if asked.n_splits is not None and asked.n_splits < 1:
        raise InputError("--n_splits of at least 1", got=str(asked.n_splits))
    _check_compression(asked, asked.module_name or [])
    if asked.labels and asked.texts:
        raise InputError("one of --labels and --texts", got="both")


def _check_compression(asked: _ExtractFlags, layers: Sequence[str]) -> None:
    ensembles = [name for name in layers if name.endswith("_ensemble")]
    if asked.compress_acts and asked.n_components is None and len(ensembles) < len(layers):
        raise InputError(
            "--n_components K with --compress_acts for layers that are no ensembles", got="--compress_acts alone",
            hint="--compress_acts --n_components 100",
        )  # fmt: skip


def _plan_steps(asked: _ExtractFlags) -> tuple[Sequence[Step], int | None]:
    """What is done with activations, and the width that random projection gives them on the way."""
    from beholder.activations import parse_reduce, plan_steps

    reduce = parse_reduce(asked.reduce) if asked.reduce else None
    steps = plan_steps(
        center_acts=asked.center_acts,
        normalize_reps=asked.normalize_reps,
        compress_acts=asked.compress_acts,
        n_components=asked.n_components,
        reduce=reduce,
    )
    return steps, reduce.width if reduce and reduce.method == "srp" else None


def _adapt(model: Model, stimuli: StimulusSet | None, asked: _ExtractFlags) -> tuple[Model, StimulusSet]:
    """Apply ``--draft``, ``--labels`` and ``--texts``."""
    from beholder.models import make_text_observer, read_texts, use_draft, use_labels
    from beholder.stimuli import StimulusSet

    model = use_draft(model) if asked.draft else model
    if asked.texts:
        texts = read_texts(asked.texts)
        model, tokens = make_text_observer(model, texts)
        ids = [f"text_{i:06d}" for i in range(len(texts))]
        return model, StimulusSet.from_arrays(tokens, ids, labels=texts, kind="array")
    assert stimuli is not None
    return use_labels(model, asked.labels) if asked.labels else model, stimuli


def _name_layers(model: Model, asked: _ExtractFlags, screen: IO[str]) -> list[str]:
    """The layers of the flags, or of the answers on standard input."""
    from beholder.models import ZERO_SHOT

    layers = list(asked.module_name or [])
    if asked.interactive:
        layers = _ask_for_layer(model, screen)
        _check_compression(asked, layers)
    if asked.labels:
        layers.append(ZERO_SHOT)
    return layers or ["output"]


def _ask_for_layer(model: Model, screen: IO[str]) -> list[str]:
    """Print the model and ask for a layer until one comes that can be captured."""
    visual = [name for name, _ in model.module.named_modules() if name.startswith("visual.")]
    print("\n".join([*visual, "visual"]) if visual else model.module, file=screen)
    while True:
        print("Enter the part of the model whose activations to extract: ", end="", file=screen, flush=True)
        line = sys.stdin.readline()
        if not line:
            raise InputError("the name of a layer on standard input", got="its end", hint="--module_name LAYER")
        try:
            _try_layer(model, line.strip())
            return [line.strip()]
        except InputError as error:
            print(error, file=screen)


def _try_layer(model: Model, name: str) -> None:
    """Raise the error that a wrong layer name would give, by showing the model one blank stimulus."""
    from beholder.activations import capture, list_asked_layers
    from beholder.models import make_blank_input

    if name in list_asked_layers(model, [name]) and name.endswith("_ensemble"):
        return
    with contextlib.suppress(RuntimeError):  # a model that does not say what it takes
        capture(model, make_blank_input(model), [name])


def _finish(
    acts: Activations, layers: Sequence[str], steps: Sequence[Step], asked: _ExtractFlags, seed: int, *, overwrite: bool
) -> tuple[Activations, list[Path]]:
    """Process and export what was extracted."""
    from beholder.activations import export_activations, process_activations

    file_format, folder = _read_format(asked), Path(asked.out_path) / acts.path.stem
    if steps:
        acts = process_activations(acts, steps, layers=layers, seed=seed, overwrite=overwrite)
    if file_format != "zarr":
        splits = {"flatten": asked.flatten_acts, "n_splits": asked.n_splits}
        return acts, export_activations(acts, folder, file_format, layers=layers, overwrite=overwrite, **splits)
    if asked.flatten_acts:
        logger.info("--flatten_acts is of exports (--file_format npy, txt, ...); a store keeps every layer's own axes")
    return acts, []


def _tabulate(acts: Activations, layers: Sequence[str], files: Sequence[Path]) -> dict[str, list[dict[str, Any]]]:
    stored = [acts[name].with_replicates for name in layers]
    rows = [
        {"layer": each.layer, "shape": list(each.shape), "dims": list(each.dims), "dtype": str(each.dtype)}
        for each in stored
    ]
    store = {"model": acts.model, "path": show_place(acts.path), "n_stimuli": len(acts.stimulus_ids)}
    return {"store": [store], "layers": rows, "files": list_files(files)}


def _describe(acts: Activations, layers: Sequence[str], files: Sequence[Path]) -> Iterator[str]:
    width = max(len(name) for name in layers)
    for name in layers:
        layer = acts[name]
        axes = " x ".join(str(size) for size in layer.feature_shape)
        yield f"{name:<{width}}  {format_count(len(layer), 'stimulus')}  {axes}  {format_bytes(layer.nbytes)}"
    yield from map(str, files[:_SHOWN])
    if len(files) > _SHOWN:
        yield f"... and {format_count(len(files) - _SHOWN, 'more file')}"
    yield show_place(acts.path)
