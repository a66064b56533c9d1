"""``beholder layers``: a network's layers, their output shapes and parameters."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from beholder._core.wording import format_count
from beholder.cli._flags import Hidden, ModelName, ModelWord, OutputFlags, WeightFlags, Words, make_app, name_network

app = make_app("layers")


@app.default
def layers(
    word: ModelWord = None,
    /,
    *,
    model_name: ModelName = None,
    preset: Words = None,
    pattern: Words = None,
    depth: int | None = None,
    weights: Annotated[WeightFlags, Hidden] = WeightFlags(),
    output: OutputFlags = OutputFlags(),
) -> None:
    """Print a network's layers, with output shapes and parameter counts; no weights are loaded.

    Example: beholder layers beholder:shapes --preset blocks

    Parameters
    ----------
    model_name
        The network, in place of the first word.
    preset
        blocks, stages or penultimate.
    pattern
        Layers such as 'layer3.*.conv?'.
    depth
        Only layers with fewer dots in their path than this.
    """
    from beholder.models import list_layers, render_layer_tree

    model = name_network(word, model_name)
    name, infos = list_layers(model, [*(f"preset:{name}" for name in preset or []), *(pattern or [])], depth)
    tree = [] if output.json else [render_layer_tree(infos, title=f"{name}, {format_count(len(infos), 'layer')}")]
    output.print(tree, {"layers": map(asdict, infos)})
