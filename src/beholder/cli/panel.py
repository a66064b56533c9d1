"""``beholder panel``: many models x folders x replicates, one HDF5 file a folder."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from beholder._core.errors import InputError
from beholder.cli._flags import (
    AxesFlags,
    Device,
    LongFlags,
    OutputFlags,
    PassFlags,
    Seed,
    Words,
    flags,
    list_files,
    look_up,
    make_app,
    refuse_missing,
)

app = make_app("panel")


@flags
class _PlanFlags:
    folders: Words = None
    """Sub-folders, relative or absolute. [default: .]"""
    output_prefix: str = "model_activations"
    """Files are called PREFIX_FOLDER.h5."""
    models: Words = None
    """The networks: names of the panel, aliases or source:name[@weights]; default the whole panel."""
    panel_file: str | None = None
    """A TOML file of networks, in place of the built-in panel."""
    layers: Words = None
    """Layers, in place of those that the panel names for each network."""
    average_replicates: bool = False
    """Write the mean over replicates."""
    skip_bad: bool = False
    """Leave out files that cannot be read."""
    run_code: bool = False
    """Run the Python files (file:PATH) that --panel_file names."""

    def list_given(self) -> dict[str, Any]:
        """The flags that were given, or have a default of their own."""
        return {name: value for name, value in vars(self).items() if value is not None}

    def refuse_missing(self, root: str) -> None:
        """Raise where a folder is not there, or nothing answers to a model, before anything that takes seconds."""
        refuse_missing([Path(root, folder) for folder in self.folders or [""]])
        if self.panel_file is not None:
            refuse_missing([self.panel_file], "a TOML file of models")
        for name in () if self.panel_file else self.models or ():
            look_up(name)


@flags
class _ExposureFlags:
    border: float = 0.1
    """Black border on each side, as a proportion of width and height."""
    alpha_mask: Annotated[bool, Parameter(negative="--no-alpha-mask")] = True
    """Black where a picture is fully transparent."""
    saturation: float = 0.05
    """Largest jitter of the saturation, replicates after the first."""
    hue: float = 0.05
    """Largest jitter of the hue."""


@app.default
def panel(
    *,
    stimuli_root: str | None = None,
    output_dir: str | None = None,
    asked: _PlanFlags = _PlanFlags(),
    replicates: int = 4,
    pool: Literal["none", "mean", "max", "cls", "center"] = "none",
    exposure: _ExposureFlags = _ExposureFlags(),
    pretrained: bool = False,
    model_path: str | None = None,
    device: Device = "auto",
    axes: AxesFlags = AxesFlags(),
    passes: PassFlags = PassFlags(),
    long: LongFlags = LongFlags(),
    rnd_seed: Seed = 42,
    auto_confirm: Annotated[bool, Parameter(name=["--auto-confirm", "-y"])] = False,
    check: str | None = None,
    output: OutputFlags = OutputFlags(),
) -> None:
    """Extract a panel of models over folders of pictures: /model/stimulus/layer in one HDF5 file a folder.

    Example: beholder stimuli draw shapes
    Example: beholder panel --stimuli_root images --folders star --output_dir out --models beholder:shapes -y

    Parameters
    ----------
    stimuli_root
        Base folder of the picture folders.
    output_dir
        Where the HDF5 files go.
    replicates
        Exposures a picture: the first clean, the others with jittered colour.
    pool
        One value a channel; none writes flattened maps and averaged tokens.
    pretrained
        Download published weights if they are not here.
    model_path
        Read weights from this file or folder instead; for one network only.
    device
        auto, cpu, cuda, cuda:N, mps, xpu or any other that torch knows here.
    passes.append
        Add stimuli that the stores do not hold yet.
    passes.overwrite
        Replace existing results.
    rnd_seed
        Seed of the jitter, and of the weights of networks whose names end in @random.
    auto_confirm
        Do not ask before starting.
    check
        Check this panel file; extract nothing.
    """
    if check is not None:
        return _check_file(check, output)
    _check_flags(stimuli_root, output_dir, model_path, asked.models)
    asked.refuse_missing(stimuli_root or "")
    from beholder.activations import default_options, plan_panel, run_panel
    from beholder.models import pick_device
    from beholder.stimuli import Exposure

    options = default_options(
        replicates=replicates, pool=pool, exposure=Exposure(**vars(exposure)), axes=axes.read(), seed=rnd_seed,
        **vars(passes),
    )  # fmt: skip
    device = pick_device(device) if device != "auto" else "auto"
    plan = plan_panel(stimuli_root or "", output_dir or "", options=options, **asked.list_given())
    if not auto_confirm and sys.stdin.isatty():
        _confirm(plan.describe())
    files = run_panel(plan, device=device, pretrained=pretrained, model_path=model_path, **vars(long))
    return output.print(map(str, files), {"files": list_files(files)})


def _check_flags(
    stimuli_root: str | None, output_dir: str | None, model_path: str | None, models: Sequence[str] | None
) -> None:
    if stimuli_root is None or output_dir is None:
        missing = "--stimuli_root DIR" if stimuli_root is None else "--output_dir DIR"
        raise InputError(missing, got="none", hint="beholder panel --help")
    if model_path and len(models or ()) != 1:
        raise InputError("one model with --model_path", got=f"{len(models or ())} in --models")


def _confirm(lines: Sequence[str]) -> None:
    """Show what is going to be done and ask; end unless the answer is yes."""
    print("\n".join(lines), file=sys.stderr)
    print("Proceed with activation extraction? (y/n): ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip() not in ("y", "Y"):
        raise SystemExit(0)


def _check_file(path: str, output: OutputFlags) -> None:
    """Validate a panel file; problems end with exit code 1."""
    from beholder.activations import check_panel_file

    found = check_panel_file(path)
    output.print(found.to_lines(), found.to_dict())
    if found.problems:
        raise SystemExit(1)
