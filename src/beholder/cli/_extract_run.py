"""What ``beholder extract`` does with its flags."""

from __future__ import annotations

import contextlib
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from beholder._core.errors import InputError
from beholder._core.files import to_path_name
from beholder._core.hashing import hash_settings
from beholder._core.progress import logger
from beholder._core.provenance import check_provenance, record_provenance
from beholder.cli._options import pick_set_folder

if TYPE_CHECKING:
    from beholder.activations import Activations
    from beholder.models import Model
    from beholder.stimuli import StimulusSet

ZERO_SHOT = "zero_shot"
_SHOWN = 20


@dataclass(frozen=True)
class ExtractRequest:
    """The flags of ``beholder extract``; documented there."""

    model_name: str
    module_name: list[str] | None
    interactive: bool
    in_path: str
    out_path: str
    pretrained: bool
    model_path: str | None
    device: str
    batch_size: int | None
    pool: str
    flatten_acts: bool
    center_acts: bool
    normalize_reps: bool
    compress_acts: bool
    n_components: int | None
    reduce: str | None
    file_format: str
    n_splits: int | None
    things: bool
    things_behavior: bool
    layout: str | None
    image_set: str | None
    fraction: float | None
    balanced: bool
    skip_bad: bool
    labels: str | None
    texts: str | None
    dtype: str
    precision: str
    draft: bool
    workers: int
    threads: int | None
    axes: list[str] | None
    rnd_seed: int
    append: bool
    overwrite: bool
    json: bool


@dataclass(frozen=True)
class ExtractSummary:
    """What came of it."""

    acts: Activations
    layers: Sequence[str]
    files: Sequence[Path]

    def to_tables(self) -> dict[str, list[dict[str, Any]]]:
        """Tables for ``--json``."""
        rows = []
        for name in self.layers:
            layer = self.acts[name]
            rows.append(
                {"layer": name, "shape": list(layer.shape), "dims": list(layer.dims), "dtype": str(layer.dtype)}
            )
        store = {"model": self.acts.model, "path": str(self.acts.path), "n_stimuli": len(self.acts.stimulus_ids)}
        return {"store": [store], "layers": rows, "files": [{"file": str(path)} for path in self.files]}

    def to_lines(self) -> list[str]:
        """Lines for people."""
        width = max(len(name) for name in self.layers)
        lines = []
        for name in self.layers:
            layer = self.acts[name]
            axes = " x ".join(str(size) for size in layer.shape[2:])
            lines.append(f"{name:<{width}}  {layer.shape[0]} stimuli  {axes}  {layer.nbytes / 1e6:,.1f} MB")
        more = [f"... and {len(self.files) - _SHOWN} more files"] if len(self.files) > _SHOWN else []
        return [*lines, *(str(path) for path in self.files[:_SHOWN]), *more, str(self.acts.path)]


def run_extract(request: ExtractRequest) -> ExtractSummary:
    """Load, extract, process, export."""
    from beholder.activations import extract, parse_reduce, plan_steps, process_activations, resolve_export_format
    from beholder.models import load_model, parse_axes

    file_format = (
        "zarr" if request.file_format.lower().lstrip(".") == "zarr" else resolve_export_format(request.file_format)
    )
    reduce = parse_reduce(request.reduce) if request.reduce else None
    _check_flags(request, file_format)
    stimuli = None if request.texts else make_stimuli(request)
    model = load_model(
        request.model_name, pretrained=request.pretrained, model_path=request.model_path, device=request.device,
        seed=request.rnd_seed,
    )  # fmt: skip
    model, stimuli = adapt_model(model, stimuli, request)
    layers = list(request.module_name or [])
    if request.interactive:
        layers = ask_for_layer(model, sys.stderr if request.json else sys.stdout)
        _check_compression(request, layers)
    if request.labels:
        layers = [*layers, ZERO_SHOT]
    if request.texts and not layers:
        layers = ["output"]
    steps = plan_steps(
        center_acts=request.center_acts,
        normalize_reps=request.normalize_reps,
        compress_acts=request.compress_acts,
        n_components=request.n_components,
        reduce=reduce,
    )
    acts = extract(
        model,
        stimuli,
        layers,
        out_path=request.out_path,
        pool=request.pool,
        batch_size=request.batch_size,
        dtype=request.dtype,
        precision=request.precision,
        workers=request.workers,
        threads=request.threads,
        axes=parse_axes(request.axes or ()),
        reduce_to=reduce.width if reduce and reduce.method == "srp" else None,
        seed=request.rnd_seed,
        append=request.append,
        overwrite=request.overwrite,
    )
    names = asked_layers(acts, model, layers)
    folder = Path(request.out_path) / acts.path.stem
    if steps:
        redo = request.overwrite or request.append
        acts = process_activations(acts, steps, layers=names, seed=request.rnd_seed, overwrite=redo)
    if request.flatten_acts and file_format == "zarr":
        logger.info("--flatten_acts is of exports (--file_format npy, txt, ...); a store keeps every layer's own axes")
    files = [] if file_format == "zarr" else export(acts, names, folder, file_format, request)
    return ExtractSummary(acts, names, files)


def export(
    acts: Activations, names: Sequence[str], folder: Path, file_format: str, request: ExtractRequest
) -> list[Path]:
    """Write ``{model}/{layer}/activations.*``; an export made from other values is only replaced when asked."""
    from beholder.activations import export_layer

    table = acts.stimuli
    file_names = [file or i for file, i in zip(table["file"], table["id"], strict=True)]
    written: list[Path] = []
    for name in names:
        made_by = hash_settings(acts.attributes["settings"])
        settings = {"made_from": acts.path.name, "settings_hash": made_by, "n_splits": request.n_splits}
        if request.flatten_acts:
            settings["flatten"] = True
        output = f"{folder.name}/{to_path_name(name)}/activations.{file_format}"
        check_provenance(folder.parent, output, settings, replace=request.overwrite or request.append)
        written += export_layer(
            acts[name],
            folder / to_path_name(name),
            file_format,
            targets=table["target"].to_numpy(),
            file_names=file_names,
            stimulus_ids=acts.stimulus_ids,
            flatten=request.flatten_acts,
            n_splits=request.n_splits,
        )
        record_provenance(folder.parent, output, settings)
    return written


def _check_flags(request: ExtractRequest, file_format: str) -> None:
    if not (request.module_name or request.interactive or request.labels or request.texts):
        raise InputError(
            "--module_name LAYER, or --interactive",
            got="neither",
            hint=f"beholder layers {shlex.quote(request.model_name)}",
        )
    if request.n_splits is not None and file_format not in ("txt", "npy"):
        raise InputError("--n_splits with --file_format txt or npy", got=file_format)
    if request.n_splits is not None and request.n_splits < 1:
        raise InputError("--n_splits of at least 1", got=str(request.n_splits))
    _check_compression(request, request.module_name or [])
    if request.labels and request.texts:
        raise InputError("one of --labels and --texts", got="both")
    if request.balanced and request.fraction is None:
        raise InputError("--fraction with --balanced", got="--balanced alone")


def _check_compression(request: ExtractRequest, layers: Sequence[str]) -> None:
    ensembles = [name for name in layers if name.endswith("_ensemble")]
    if request.compress_acts and request.n_components is None and len(ensembles) < len(layers):
        raise InputError(
            "--n_components K with --compress_acts for layers that are no ensembles", got="--compress_acts alone",
            hint="--compress_acts --n_components 100",
        )  # fmt: skip


def make_stimuli(request: ExtractRequest) -> StimulusSet:
    """The stimulus set that the flags describe."""
    from beholder.stimuli import StimulusSet, as_stimulus_set

    path = Path(request.in_path)
    if request.image_set:
        place = pick_set_folder(request.image_set, request.in_path)
        stimuli = StimulusSet.from_named(request.image_set, place, skip_bad=request.skip_bad)
    elif request.things or request.things_behavior or path.is_dir():
        stimuli = StimulusSet.from_folder(
            path,
            layout=request.layout,  # type: ignore[arg-type]
            things=request.things,
            things_behavior=request.things_behavior,
            skip_bad=request.skip_bad,
        )
    else:
        stimuli = as_stimulus_set(path, skip_bad=request.skip_bad)
    if request.fraction is not None:
        stimuli = stimuli.select_fraction(request.fraction, request.rnd_seed, balanced=request.balanced)
    return stimuli


def adapt_model(model: Model, stimuli: StimulusSet | None, request: ExtractRequest) -> tuple[Model, StimulusSet]:
    """Apply ``--draft``, ``--labels`` and ``--texts``."""
    if request.draft:
        model = use_draft(model)
    if request.texts:
        from beholder.models import make_text_observer, read_texts
        from beholder.stimuli import StimulusSet

        texts = read_texts(request.texts)
        model, tokens = make_text_observer(model, texts)
        ids = [f"text_{i:06d}" for i in range(len(texts))]
        return model, StimulusSet.from_arrays(tokens, ids, labels=texts, kind="array")
    if request.labels:
        model = use_labels(model, request.labels)
    assert stimuli is not None
    return model, stimuli


def use_draft(model: Model) -> Model:
    """The model, whose pictures are decoded at reduced size."""
    from beholder.models import ImagePreprocessing

    preprocessing = model.preprocessing
    if not isinstance(preprocessing, ImagePreprocessing):
        raise InputError("a model of pictures with --draft", got=model.name)
    preprocessing = replace(preprocessing, draft=True)
    spec = replace(model.spec, preprocessing=preprocessing) if model.spec else None
    return replace(model, preprocessing=preprocessing, spec=spec)


def use_labels(model: Model, file: str) -> Model:
    """A CLIP model with the layer ``zero_shot``, logits of the classes that a file names."""
    from beholder.models import make_zero_shot, read_labels

    model = make_zero_shot(model, read_labels(file))
    return replace(model, taps={**model.taps, ZERO_SHOT: "output"})


def ask_for_layer(model: Model, screen: IO[str]) -> list[str]:
    """Print the model and ask for a layer until one comes that can be captured."""
    visual = [name for name, _ in model.module.named_modules() if name.startswith("visual.")]
    print("\n".join([*visual, "visual"]) if visual else model.module, file=screen)
    while True:
        print("Enter the part of the model whose activations to extract: ", end="", file=screen, flush=True)
        line = sys.stdin.readline()
        if not line:
            raise InputError("the name of a layer on standard input", got="its end", hint="--module_name LAYER")
        try:
            try_layer(model, line.strip())
            return [line.strip()]
        except InputError as error:
            print(error, file=screen)


def try_layer(model: Model, name: str) -> None:
    """Raise the error that a wrong layer name would give, by showing the model one blank stimulus."""
    from beholder.activations import capture, list_asked_layers
    from beholder.models import make_blank_input

    if name in list_asked_layers(model, [name]) and name.endswith("_ensemble"):
        return
    with contextlib.suppress(RuntimeError):  # a model that does not say what it takes
        capture(model, make_blank_input(model), [name])


def asked_layers(acts: Activations, model: Model, layers: Sequence[str]) -> list[str]:
    """The stored layers that the names, patterns and presets of this call stand for."""
    from beholder.activations import list_asked_layers

    return [name for name in list_asked_layers(model, layers) if name in acts]
