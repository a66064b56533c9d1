"""``beholder show``: what a file or folder of results holds."""

from __future__ import annotations

from beholder.cli._flags import OutputFlags, make_app

app = make_app("show")


@app.default
def show(
    file: str, /, *, model: str | None = None, show_layers: bool = False, output: OutputFlags = OutputFlags()
) -> None:
    """Say what a store, HDF5 or results file holds, without reading its data.

    Example: beholder stimuli draw shapes
    Example: beholder extract beholder:shapes --layers block3 block5
    Example: beholder show activations/shapes.zarr --show_layers

    Parameters
    ----------
    file
        A .zarr store, a panel .h5 file, an export folder, a .csv or .parquet table, a .json file of units,
        .recordings.npz, a .safetensors checkpoint, the folder of a training run, or stimuli/{model}.
    model
        Only this network of a panel file.
    show_layers
        List the layers with their shapes; of a checkpoint its tensors.
    """
    from beholder.activations import describe_file

    found = describe_file(file, model=model, show_layers=show_layers)
    output.print(found.to_lines(), found.to_dict())
