"""What ``beholder panel`` does with its flags."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from beholder._core.errors import InputError
from beholder.cli._options import print_json


@dataclass(frozen=True)
class PanelRequest:
    """The flags of ``beholder panel``; documented there."""

    stimuli_root: str | None
    folders: list[str] | None
    output_dir: str | None
    output_prefix: str
    models: list[str] | None
    panel_file: str | None
    replicates: int
    auto_confirm: bool
    layers: list[str] | None
    pool: str
    average_replicates: bool
    pretrained: bool
    model_path: str | None
    border: float
    alpha_mask: bool
    saturation: float
    hue: float
    device: str
    batch_size: int | None
    precision: str
    workers: int
    threads: int | None
    axes: list[str] | None
    skip_bad: bool
    run_code: bool
    rnd_seed: int
    append: bool
    overwrite: bool


def run(request: PanelRequest) -> list[Path]:
    """Plan, ask, extract, write."""
    from beholder.activations import default_options, plan_panel, run_panel
    from beholder.models import parse_axes, pick_device
    from beholder.stimuli import Exposure

    if request.stimuli_root is None or request.output_dir is None:
        missing = "--stimuli_root DIR" if request.stimuli_root is None else "--output_dir DIR"
        raise InputError(missing, got="none", hint="beholder panel --help")
    if request.model_path and len(request.models or []) != 1:
        raise InputError("one model with --model_path", got=f"{len(request.models or [])} in --models")
    options = default_options(
        pool=request.pool,
        batch_size=request.batch_size,
        precision=request.precision,
        workers=request.workers,
        threads=request.threads,
        axes=parse_axes(request.axes or ()),
        replicates=request.replicates,
        exposure=Exposure(request.alpha_mask, request.border, request.saturation, request.hue),
        seed=request.rnd_seed,
        append=request.append,
        overwrite=request.overwrite,
    )
    options.check()
    device = pick_device(request.device) if request.device != "auto" else "auto"
    plan = plan_panel(
        request.stimuli_root,
        request.output_dir,
        folders=request.folders or ["."],
        models=request.models,
        panel_file=request.panel_file,
        output_prefix=request.output_prefix,
        layers=request.layers or (),
        average_replicates=request.average_replicates,
        skip_bad=request.skip_bad,
        run_code=request.run_code,
        options=options,
    )
    if not request.auto_confirm and sys.stdin.isatty() and not confirm(plan.describe()):
        raise SystemExit(0)
    return run_panel(plan, device=device, pretrained=request.pretrained, model_path=request.model_path)


def confirm(lines: list[str]) -> bool:
    """Show what is going to be done and ask."""
    print("\n".join(lines), file=sys.stderr)
    print("Proceed with activation extraction? (y/n): ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip() in ("y", "Y")


def check_file(path: str, *, as_json: bool) -> None:
    """Validate a panel file; problems end with exit code 1."""
    from beholder.activations import check_panel_file

    found = check_panel_file(path)
    if as_json:
        print_json(found.to_dict())
    else:
        print("\n".join(found.to_lines()))
    if found.problems:
        raise SystemExit(1)
