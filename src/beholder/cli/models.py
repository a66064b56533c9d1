"""``beholder models``: what can be loaded, and fetching weights ahead of time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from beholder._core.errors import InputError
from beholder.cli._failures import suggest_command
from beholder.cli._flags import ModelName, ModelWord, OutputFlags, list_files, make_app, take_network

app = make_app("models")


@app.default
def models(pattern: str | None = None, /, *, output: OutputFlags = OutputFlags()) -> None:
    """List the networks that can be loaded.

    Example: beholder models 'timm:resnet50*'

    Parameters
    ----------
    pattern
        Part of a name, or a pattern with * and ?; timm: lists one source.
    """
    from beholder.models import list_models

    found = list_models(pattern)
    if not found:
        near = suggest_command(pattern or "", app, app)
        hint = "beholder models " + near if near else "beholder models, or a shorter part of the name"
        raise InputError("a name that some network has", got=repr(pattern), hint=hint)
    width = min(max(len(model.name) for model in found), 60)
    rows = [{"name": model.name, "source": model.source, "loads": model.loads} for model in found]
    output.print((f"{model.name:<{width}}  {model.loads}" for model in found), {"models": rows})


@app.command
def fetch(
    *names: str,
    panel: Annotated[list[Path] | None, Parameter(name="--panel", consume_multiple=True)] = None,
    output: OutputFlags = OutputFlags(),
) -> None:
    """Get weights ahead of an offline run; finished files are kept, broken ones resumed.

    Example: beholder models fetch RN50 timm:convnext_tiny

    Parameters
    ----------
    names
        The networks: aliases or source:name[@weights], as beholder models lists them.
    panel
        All networks of TOML panel files; without a file after it, of the built-in panel.
    """
    from beholder.models import fetch_weights, load_panel

    files = [] if panel is None else (panel or [None])
    wanted = [*names, *(alias for file in files for alias in load_panel(file))]
    if not wanted:
        raise InputError("names of networks, or --panel [FILE]", got="none", hint="beholder models")
    fetched = fetch_weights(wanted)
    rows = [{"model": name, "file": weights.file, "sha256": weights.sha256} for name, weights in fetched]
    nowhere = "no file, the weights are drawn by the seed"
    output.print((f"{row['model']}: {row['file'] or nowhere}" for row in rows), {"weights": rows})


@app.command
def export(
    word: ModelWord = None, path: str | None = None, /, *, model_name: ModelName = None, model_path: str | None = None,
    output: OutputFlags = OutputFlags(),
) -> None:  # fmt: skip
    """Write a network as a checkpoint of the robustness library, to evaluate and attack it there.

    Example: beholder models export beholder:shapes shapes.pt

    Parameters
    ----------
    model_name
        The network, in place of the first word.
    path
        The checkpoint to write, .pt.
    model_path
        Read weights from this file or folder instead.
    """
    from beholder.models import export_robustness, load_model

    name, (file,) = take_network([word, path], model_name, "MODEL FILE")
    made = export_robustness(load_model(name, model_path=model_path, device="cpu"), Path(file or ""))
    output.print([str(made)], {"files": list_files([made])})


@app.command(name="import")
def import_(
    weights: Path, model: str, path: Path, /, *, classes: Path | None = None, licence: str | None = None,
    output: OutputFlags = OutputFlags(),
) -> None:  # fmt: skip
    """Write a file of weights, the robustness library's or any other, as a checkpoint with a model card.

    Example: beholder models export beholder:shapes shapes.pt
    Example: beholder models import shapes.pt beholder:shapes shapes.safetensors

    Parameters
    ----------
    weights
        The file of weights; nothing in it is run.
    model
        The network's architecture: an alias or source:name.
    path
        The checkpoint to write, .safetensors.
    classes
        A file with the name of a class a line, in the order of the outputs.
    licence
        The licence of the weights.
    """
    from beholder.models import import_checkpoint, read_labels

    names = None if classes is None else read_labels(classes)
    made = import_checkpoint(weights, model, path, classes=names, licence=licence)
    output.print([str(made)], {"files": list_files([made])})


@app.command
def join(
    word: ModelWord = None, readout: str | None = None, path: str | None = None, /, *, model_name: ModelName = None,
    output: OutputFlags = OutputFlags(),
) -> None:  # fmt: skip
    """Put a layer's read-out on its network: a checkpoint that answers with the read-out's classes.

    Example: beholder stimuli draw shapes
    Example: beholder units record beholder:shapes --layers block3 block5
    Example: beholder analyze probe activations/shapes.mean.zarr
    Example: beholder models join beholder:shapes analysis/probes/block5.safetensors joined.safetensors

    Parameters
    ----------
    model_name
        The network whose layer was read, in place of the first word.
    readout
        The read-out: a file of the folder probes/ that beholder analyze probe writes.
    path
        The checkpoint to write, .safetensors.
    """
    from beholder.activations import join_readout

    name, (weights, file) = take_network([word, readout, path], model_name, "MODEL READOUT FILE")
    made = join_readout(name, Path(weights or ""), Path(file or ""))
    output.print([str(made)], {"files": list_files([made])})


@app.command
def card(file: Path, /, *, output: OutputFlags = OutputFlags()) -> None:
    """Show the model card in a checkpoint.

    Example: beholder models export beholder:shapes shapes.pt
    Example: beholder models import shapes.pt beholder:shapes shapes.safetensors
    Example: beholder models card shapes.safetensors

    Parameters
    ----------
    file
        The checkpoint, a .safetensors file.
    """
    from beholder.models import describe_card, read_card

    found = read_card(file)
    output.print(describe_card(found, file.name).splitlines(), {"card": [found.to_dict()]})
