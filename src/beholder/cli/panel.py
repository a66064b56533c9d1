"""``beholder panel``: many models x folders x replicates, one HDF5 file a folder."""

from __future__ import annotations

import sys
from typing import Annotated, Literal

from cyclopts import Parameter

from beholder.cli._options import Axes, BatchSize, Device, Json, Seed, Words, make_app, print_json

app = make_app("panel")


@app.default
def panel(
    *,
    stimuli_root: str | None = None,
    folders: Words = None,
    output_dir: str | None = None,
    output_prefix: str = "model_activations",
    models: Words = None,
    panel_file: str | None = None,
    replicates: int = 4,
    auto_confirm: Annotated[bool, Parameter(name=["--auto-confirm", "-y"])] = False,
    layers: Words = None,
    pool: Literal["none", "mean", "max", "cls", "center"] = "none",
    average_replicates: bool = False,
    pretrained: bool = False,
    model_path: str | None = None,
    border: float = 0.1,
    alpha_mask: Annotated[bool, Parameter(negative="--no-alpha-mask")] = True,
    saturation: float = 0.05,
    hue: float = 0.05,
    device: Device = "auto",
    batch_size: BatchSize = None,
    precision: Literal["fp32", "bf16", "fp16"] = "fp32",
    workers: int = 1,
    threads: int | None = None,
    axes: Axes = None,
    skip_bad: bool = False,
    run_code: bool = False,
    rnd_seed: Seed = 42,
    append: bool = False,
    overwrite: bool = False,
    check: str | None = None,
    json: Json = False,
) -> None:
    """Extract a panel of models over folders of pictures: /model/stimulus/layer in one HDF5 file a folder.

    Example: beholder panel --stimuli_root images --folders faces --output_dir out --models VGG19 --auto_confirm

    Parameters
    ----------
    stimuli_root
        Base folder of the picture folders.
    folders
        Sub-folders, relative or absolute. [default: .]
    output_dir
        Where the HDF5 files go.
    output_prefix
        Files are called PREFIX_FOLDER.h5.
    models
        Panel names or any model; default the whole panel.
    panel_file
        A TOML file of models instead of the built-in panel.
    replicates
        Exposures a picture: the first clean, the others with jittered colour.
    auto_confirm
        Do not ask before starting.
    layers
        Instead of the recorded layers.
    pool
        One value a channel; none writes flattened maps and averaged tokens.
    average_replicates
        Write the mean over replicates.
    pretrained
        Download published weights if they are not here.
    model_path
        Read weights from this file or folder (one model only).
    border
        Black border on each side, as a share of width and height.
    alpha_mask
        Black where a picture is fully transparent.
    saturation
        Largest jitter of the saturation, replicates after the first.
    hue
        Largest jitter of the hue.
    device
        auto, cpu, cuda, cuda:N or mps.
    batch_size
        Stimuli in one forward pass; default chosen from the work's size.
    precision
        Computed numbers.
    workers
        Processes; does not change a byte.
    threads
        Cores to use; default all.
    axes
        LAYER=channel,height,width for layers whose channel axis the network does not tell, in the order of their axes.
    skip_bad
        Leave out files that cannot be read.
    run_code
        Run the Python files (file:PATH) that --panel_file names.
    rnd_seed
        Seed of the jitter, and of the weights of models that end in @random.
    append
        Add stimuli that the stores do not hold yet.
    overwrite
        Replace existing results.
    check
        Validate this panel file instead of extracting.
    json
        Print one JSON document to stdout.
    """
    from beholder.cli import _panel_run

    if check is not None:
        return _panel_run.check_file(check, as_json=json)
    given = {name: value for name, value in locals().items() if name in _panel_run.PanelRequest.__dataclass_fields__}
    files = _panel_run.run(_panel_run.PanelRequest(**given))
    if json:
        return print_json({"files": [{"file": str(path)} for path in files]})
    return print("\n".join(str(path) for path in files), file=sys.stdout)
