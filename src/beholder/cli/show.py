"""``beholder show``: what a file or folder of results holds."""

from __future__ import annotations

from beholder.cli._options import Json, make_app, print_json

app = make_app("show")


@app.default
def show(file: str, /, *, model: str | None = None, show_layers: bool = False, json: Json = False) -> None:
    """Say what a store, HDF5 or results file holds, without reading its data.

    Example: beholder show out/model_activations_root.h5 --model ResNet50 --show_layers

    Parameters
    ----------
    file
        A .zarr store, a panel .h5 file, an export folder, a .csv or .parquet table, a .json file of units, or
        stimuli/{model}.
    model
        Only this model of a panel file.
    show_layers
        List the layers with their shapes.
    json
        Print one JSON document to stdout.
    """
    from beholder.activations import describe_file

    found = describe_file(file, model=model, show_layers=show_layers)
    if json:
        print_json(found.to_dict())
    else:
        print("\n".join(found.to_lines()))
