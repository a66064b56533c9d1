"""``beholder layers``: a network's layers, their output shapes and parameters."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from cyclopts import Parameter

from beholder.cli._options import Device, Json, ModelPath, Pretrained, make_app, print_json

app = make_app("layers", "A network's layers.")


@app.default
def layers(
    model: str,
    /,
    *,
    preset: Annotated[list[str] | None, Parameter(name="--preset", consume_multiple=True)] = None,
    pattern: Annotated[list[str] | None, Parameter(name="--pattern", consume_multiple=True)] = None,
    depth: int | None = None,
    pretrained: Pretrained = False,
    model_path: ModelPath = None,
    device: Device = "auto",
    json: Json = False,
) -> None:
    """Print a network's layers, with output shapes and parameter counts; no weights are loaded.

    Example: beholder layers resnet50 --preset stages

    Parameters
    ----------
    model
        source:name[@weights] or a bare name.
    preset
        blocks, stages or penultimate.
    pattern
        Layers such as 'layer3.*.conv?'.
    depth
        Only layers with fewer dots in their path than this.
    pretrained, model_path, device
        Accepted, without effect: the layers are the same.
    json
        Print one JSON document to stdout.
    """
    from beholder.models import list_layers, render_layer_tree

    name, infos = list_layers(model, [*(f"preset:{name}" for name in preset or []), *(pattern or [])], depth)
    if json:
        print_json({"layers": [asdict(layer) for layer in infos]})
    else:
        print(render_layer_tree(infos, title=f"{name}, {len(infos)} layers"))
