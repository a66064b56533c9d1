"""Panels: many models x folders x replicates, one HDF5 file a folder.

Each model's activations go into a store of their own first (``{file}.stores/{model}.zarr``), where work
is resumed, grown and never repeated; the HDF5 file is written from the stores to a temporary name.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from beholder._core.addresses import is_address
from beholder._core.errors import ConfigurationChanged, InputError, UnknownNameError, suggest_keywords
from beholder._core.files import to_path_name
from beholder._core.progress import tell
from beholder._core.provenance import record_provenance
from beholder._core.seeds import DEFAULT_SEED
from beholder._core.settings import refuse_changes
from beholder._core.wording import format_count
from beholder.activations.extraction._extract import extract_to_store
from beholder.activations.extraction._plan import ExtractOptions
from beholder.activations.formats._hdf5 import open_hdf5
from beholder.activations.formats._panel import write_panel_file
from beholder.activations.forward._targets import list_asked_layers
from beholder.activations.panel._measure import measure_file
from beholder.activations.show._describe import describe_file
from beholder.activations.store._arrays import is_complete
from beholder.activations.store._lazy import Activations
from beholder.jobs import JobFolder, get_probe, long_work, open_output, open_phases, order_phases, place_output
from beholder.models import Alias, Model, describe_layers, identify_model, load_model, load_panel, resolve_model
from beholder.stimuli import Exposure, StimulusSet, is_packed, read_stimuli

DEFAULT_PREFIX = "model_activations"
EXPOSURE = Exposure()
"""That of the documents."""


@dataclass(frozen=True)
class PanelPlan:
    """What a panel run is going to do.

    Attributes
    ----------
    models : tuple of Alias or str
        In order.
    names : tuple of str
        What each is called in the file.
    tags : tuple of str or None
        Weights asked for as ``NAME@weights``, of each model of the panel; None for its own.
    folders : dict of str to StimulusSet
        File stem to stimuli.
    output_dir : path
    options : ExtractOptions
    layers : tuple of str
        Overrides the recorded layers when not empty.
    average_replicates : bool
    """

    models: tuple[Alias | str, ...]
    names: tuple[str, ...]
    tags: tuple[str | None, ...]
    folders: dict[str, StimulusSet]
    output_dir: Path
    options: ExtractOptions
    layers: tuple[str, ...] = ()
    average_replicates: bool = False

    @property
    def n_passes(self) -> int:
        """Stimuli times replicates times models."""
        return sum(len(stimuli) for stimuli in self.folders.values()) * self.options.replicates * len(self.models)

    def describe(self) -> list[str]:
        """A few lines for the question whether to go ahead."""
        lines = [f"models      {', '.join(self.names)}"]
        for stem, stimuli in self.folders.items():
            lines.append(f"{stem}.h5  {format_count(len(stimuli), 'stimulus')} x {self.options.replicates} replicates")
        lines.append(f"forward passes of single stimuli: {self.n_passes:,}")
        return lines


@suggest_keywords
def plan_panel(
    stimuli_root: Path | str,
    output_dir: Path | str,
    *,
    folders: Sequence[str] = (".",),
    models: Sequence[str] | None = None,
    panel_file: Path | str | None = None,
    output_prefix: str = DEFAULT_PREFIX,
    layers: Sequence[str] = (),
    average_replicates: bool = False,
    skip_bad: bool = False,
    run_code: bool = False,
    options: ExtractOptions | None = None,
) -> PanelPlan:
    """Check names, folders and stimuli before any work. Arguments as for :func:`extract_panel`."""
    options = options or default_options()
    options.check()
    known = {alias.path_name: alias for alias in load_panel(panel_file, run_code=run_code)}
    asked = [_find_entry(name, known) for name in models] if models else [(alias, None) for alias in known.values()]
    names = [_name_model(model, tag, known) for model, tag in asked]
    for name in names:
        if names.count(name) > 1:
            raise InputError("each model once", got=f"{name!r} twice")
    return PanelPlan(
        models=tuple(model for model, _ in asked),
        names=tuple(names),
        tags=tuple(tag for _, tag in asked),
        folders=_find_folders(Path(stimuli_root), folders, output_prefix, skip_bad),
        output_dir=Path(output_dir),
        options=options,
        layers=tuple(layers),
        average_replicates=average_replicates,
    )


@suggest_keywords
def default_options(
    *,
    replicates: int = 4,
    pool: str = "none",
    seed: int = DEFAULT_SEED,
    batch_size: int | None = None,
    dtype: str = "float32",
    precision: str = "fp32",
    workers: int = 1,
    threads: int | None = None,
    exposure: Exposure | None = EXPOSURE,
    flatten: bool = True,
    reduce_to: int | None = None,
    append: bool = False,
    overwrite: bool = False,
    pool_tokens: bool = True,
    axes: Mapping[str, Sequence[str]] | None = None,
    compile: bool = False,
) -> ExtractOptions:
    """The panel's own: four replicates under the documents' exposure, flat rows, averaged tokens."""
    return ExtractOptions(
        pool=pool, batch_size=batch_size, dtype=dtype, precision=precision, workers=workers, threads=threads,
        replicates=replicates, exposure=exposure, flatten=flatten, reduce_to=reduce_to, seed=seed, append=append,
        overwrite=overwrite, pool_tokens=pool_tokens, axes=axes, compile=compile,
    )  # fmt: skip


def _find_entry(name: str, known: Mapping[str, Alias]) -> tuple[Alias | str, str | None]:
    """The panel's entry of a name and the weights asked for behind it; the name itself where the panel has none."""
    if name in known:
        return known[name], None
    prefix, at, tag = name.rpartition("@")
    return (known[prefix], tag) if at and prefix in known and tag else (name, None)


def _name_model(model: Alias | str, tag: str | None, known: Mapping[str, Alias]) -> str:
    if not isinstance(model, str):
        return to_path_name(model.path_name) if tag is None else resolve_model(model, weights=tag).path_name
    try:
        return to_path_name(resolve_model(model).path_name)
    except UnknownNameError as error:
        raise UnknownNameError("model", model, [*known, *error.suggestions]) from error


def _find_folders(root: Path, folders: Sequence[str], prefix: str, skip_bad: bool) -> dict[str, StimulusSet]:
    if not (root.is_dir() or is_address(root)):
        raise InputError("a folder of stimuli", got=f"no folder at {root}", hint="--stimuli_root DIR")
    if not prefix or any(sign in prefix for sign in "/\\\0"):
        raise InputError(
            "--output_prefix PREFIX, the beginning of file names in --output_dir", got=repr(prefix),
            hint="--output_dir for another folder",
        )  # fmt: skip
    found: dict[str, StimulusSet] = {}
    sources: dict[str, str] = {}
    for folder in folders:
        name = Path(folder).name.strip("./") or "root"
        stem = f"{prefix}_{to_path_name(name)}"
        if stem in found:
            raise InputError(
                "folders with different last names", got=f"{sources[stem]!r} and {folder!r}, both {name!r}",
                hint="two runs with different --output_prefix",
            )  # fmt: skip
        sources[stem] = folder
        place = root / folder
        if is_address(place) or is_packed(place):
            found[stem] = read_stimuli(place, skip_bad=skip_bad)
            continue
        layout = "flat" if _is_flat(place) else None
        found[stem] = StimulusSet.from_folder(place, layout=layout, skip_bad=skip_bad)
    return found


def _is_flat(folder: Path) -> bool:
    from beholder.stimuli import list_image_extensions

    known = set(list_image_extensions())
    return folder.is_dir() and any(entry.is_file() and entry.suffix.lower() in known for entry in folder.iterdir())


@suggest_keywords
@long_work
def extract_panel(
    stimuli_root: Path | str,
    output_dir: Path | str,
    *,
    folders: Sequence[str] = (".",),
    models: Sequence[str] | None = None,
    panel_file: Path | str | None = None,
    output_prefix: str = DEFAULT_PREFIX,
    layers: Sequence[str] = (),
    replicates: int = 4,
    average_replicates: bool = False,
    pool: str = "none",
    device: str = "auto",
    seed: int = DEFAULT_SEED,
    skip_bad: bool = False,
    run_code: bool = False,
    batch_size: int | None = None,
    dtype: str = "float32",
    precision: str = "fp32",
    workers: int = 1,
    threads: int | None = None,
    exposure: Exposure | None = EXPOSURE,
    flatten: bool = True,
    reduce_to: int | None = None,
    append: bool = False,
    overwrite: bool = False,
    pool_tokens: bool = True,
    axes: Mapping[str, Sequence[str]] | None = None,
    compile: bool = False,
    cluster: str | None = None,
    mixed: bool = False,
    dry_run: bool = False,
) -> list[Path]:
    """Extract a panel of models over folders of pictures, one HDF5 file a folder.

    Parameters
    ----------
    stimuli_root : path
        Base folder.
    output_dir : path
        Where ``{output_prefix}_{folder}.h5`` goes.
    folders : sequence of str
        Sub-folders, relative or absolute; ``.`` is the root itself (file name ``root``).
    models : sequence of str, optional
        Panel names, aliases or ``source:name``; default the whole panel.
    panel_file : path, optional
        A TOML panel instead of the built-in one.
    layers : sequence of str
        Instead of the recorded layers (else the named children).
    replicates : int
        Exposures of each picture: the first clean, the others with jittered colour.
    average_replicates : bool
        Write the mean over replicates.
    pool : {"none", "mean", "max", "cls", "center"}
        ``none`` writes flattened maps and averaged tokens.
    device, seed
        As for :func:`beholder.extract`.
    skip_bad : bool
        Leave out files that cannot be read.
    run_code : bool
        Let ``panel_file`` name Python files (``file:``), which are run.
    batch_size, dtype, precision, workers, threads, exposure, flatten, reduce_to, append, overwrite, pool_tokens, axes
        As for :func:`beholder.extract`.
    compile : bool
        As for :func:`beholder.extract`.
    cluster, mixed, dry_run
        As for :func:`beholder.extract`.

    Returns
    -------
    list of Path
        The HDF5 files; ``/{model}/{stimulus}/{layer}``, float32 (n_replicates, n_features).

    Examples
    --------
    >>> import beholder as bh
    >>> what = {"folders": ["star"], "models": ["beholder:shapes"], "layers": ["classifier"]}
    >>> (file,) = bh.extract_panel("images", "panel", **what)
    >>> file.name
    'model_activations_star.h5'
    """
    plan = plan_panel(
        stimuli_root,
        output_dir,
        folders=folders,
        models=models,
        panel_file=panel_file,
        output_prefix=output_prefix,
        layers=layers,
        average_replicates=average_replicates,
        skip_bad=skip_bad,
        run_code=run_code,
        options=default_options(
            pool=pool,
            batch_size=batch_size,
            dtype=dtype,
            precision=precision,
            workers=workers,
            threads=threads,
            replicates=replicates,
            exposure=exposure,
            flatten=flatten,
            reduce_to=reduce_to,
            seed=seed,
            append=append,
            overwrite=overwrite,
            pool_tokens=pool_tokens,
            axes=axes,
            compile=compile,
        ),
    )
    return run_panel(plan, device=device)


@suggest_keywords
@long_work
def run_panel(
    plan: PanelPlan,
    *,
    device: str = "auto",
    pretrained: bool = False,
    model_path: str | Path | None = None,
    cluster: str | None = None,
    mixed: bool = False,
    dry_run: bool = False,
) -> list[Path]:
    """Do what a plan says: model after model, each loaded once for all folders.

    ``pretrained`` and ``model_path`` as for :func:`beholder.load_model`, of every model; ``cluster``, ``mixed`` and
    ``dry_run`` as for :func:`beholder.extract`.
    """
    weights = {"pretrained": pretrained, "model_path": model_path}
    check_axes(plan)
    with contextlib.ExitStack() as held:
        outputs = {}
        for stem in sorted(plan.folders):
            path = place_output(plan.output_dir / f"{stem}.h5", plan.output_dir / f"{stem}.h5")
            opened = open_output(panel_folder(path), leftovers=[path], shared=not plan.options.overwrite)
            outputs[stem] = output = held.enter_context(opened)
            output.folder.drop_damaged()
            if not plan.options.overwrite:
                check_averaging(path, plan)
            held.enter_context(output.pause())
        fetch_all(plan, weights)
        asked: dict[str, list[str]] = {}
        networks = list(zip(plan.names, plan.models, plan.tags, strict=True))
        with open_phases(len(networks) * len(plan.folders)) as phase:
            for name, model, tag in order_phases(networks):
                observer = _load(model, device, {**weights, "weights": tag, "seed": plan.options.seed})
                layers = choose_layers(plan, observer)
                asked[name] = list_asked_layers(observer, layers)
                axes = {layer: names for layer, names in (plan.options.axes or {}).items() if layer in asked[name]}
                options = replace(plan.options, pool=_choose_pool(plan, observer), axes=axes)
                if not options.overwrite:
                    for stem in plan.folders:
                        check_network(plan.output_dir / f"{stem}.h5", name, observer)
                for stem, stimuli in plan.folders.items():
                    with phase():
                        extract_to_store(observer, stimuli, layers, store_path(plan.output_dir, stem, name), options)
                del observer
            if (probe := get_probe()) is not None:
                for stem, stimuli in plan.folders.items():
                    stores = {name: store_path(plan.output_dir, stem, name) for name in plan.names}
                    measure_file(
                        probe, plan.output_dir / f"{stem}.h5", stores, stimuli.ids, plan.options.replicates,
                        average_replicates=plan.average_replicates,
                    )  # fmt: skip
        written = []
        for stem in plan.folders:
            with outputs[stem].resume():
                written.append(write_folder(plan, stem, asked))
        return written


def check_axes(plan: PanelPlan) -> None:
    """Refuse axes of a layer that is asked of no model of the panel."""
    if not plan.options.axes:
        return
    asked: dict[str, None] = {}
    for model, tag in zip(plan.models, plan.tags, strict=True):
        observer = load_model(model, weights=tag, meta=True)
        asked |= dict.fromkeys(list_asked_layers(observer, choose_layers(plan, observer)))
    for name in plan.options.axes:
        if name not in asked:
            raise UnknownNameError("layer asked of some model, to name the axes of", name, asked)


def check_averaging(path: Path, plan: PanelPlan) -> None:
    """Refuse to put means where a file holds single replicates, and the reverse."""
    if not path.exists():
        return
    for record in describe_file(path).to_dict().get("models", []):
        name, averaged = record["model"], bool(record.get("averaged", False))
        if name in plan.names and averaged != plan.average_replicates:
            refuse_changes(
                {"average_replicates": averaged}, {"average_replicates": plan.average_replicates}, f"{name} in {path}"
            )


def check_network(path: Path, name: str, model: Model) -> None:
    """Refuse to add to what a panel file holds of another network under the same name."""
    if not path.exists():
        return
    with open_hdf5(path) as file:
        group: Any = file.get(name)
        if group is None:
            return
        known = group.attrs.get("network")
    if known != identify_model(model, readout=False):
        got = f"{model.name} as it is now, with other weights, code or hooks"
        if known is None:
            got = "a file of an earlier version or another program, which does not say by content what made it"
        raise ConfigurationChanged(
            f"the network that made {name} in {path}", got=got, hint="another --output_prefix, or --overwrite"
        )


def fetch_all(plan: PanelPlan, weights: Mapping[str, Any]) -> None:
    """Get the weights of every model, so that one that cannot be had is noticed before hours of work."""
    for model, tag in zip(plan.models, plan.tags, strict=True):
        resolved = resolve_model(model, **{**weights, "weights": tag})
        if resolved.file is None and resolved.definition.fetch_tag is not None and resolved.tag != "random":
            resolved.definition.fetch_tag(resolved.tag)


def _load(model: Alias | str, device: str, weights: dict[str, Any]) -> Model:
    own = model.device if not isinstance(model, str) and model.device and device == "auto" else device
    return load_model(model, device=own, **weights)


def _choose_pool(plan: PanelPlan, model: Model) -> str:
    recorded = model.pool or "none"
    return recorded if plan.options.pool == "none" else plan.options.pool


def choose_layers(plan: PanelPlan, model: Model) -> list[str]:
    """Layers asked for, else the recorded ones, else the named children."""
    if plan.layers:
        return list(plan.layers)
    if model.layers:
        return list(model.layers)
    tell("%s has no recorded layers; taking its named children", model.name)
    return [layer.path for layer in describe_layers(model) if layer.depth == 1 and layer.n_calls == 1]


def panel_folder(path: Path) -> JobFolder:
    """Lock and hash of a panel file."""
    return JobFolder(path.parent / f".{path.name}.jobs", path)


def stores_path(output_dir: Path, stem: str) -> Path:
    """Where the stores of one folder are kept."""
    return output_dir / f"{stem}.stores"


def store_path(output_dir: Path, stem: str, name: str) -> Path:
    """Where one model's activations over one folder are kept."""
    return stores_path(output_dir, stem) / f"{name}.zarr"


def _check_same_stimuli(path: Path, stores: Mapping[str, Activations]) -> None:
    """Refuse to put models into a file beside others that were shown other content under the same ids."""
    if not path.exists():
        return
    known: dict[str, tuple[str, str]] = {}
    beside = {store.stem: store for store in sorted(stores_path(path.parent, path.stem).glob("*.zarr"))}
    old = {name: Activations(store) for name, store in beside.items() if name not in stores and is_complete(store)}
    for name, acts in {**old, **stores}.items():
        for stimulus_id, digest in zip(acts.stimulus_ids, acts.stimulus_hashes, strict=False):
            before, other = known.setdefault(stimulus_id, (digest, name))
            if before[:7] == digest[:7] and before != digest:
                raise ConfigurationChanged(
                    f"the stimuli that {other} of {path} was shown", got=f"{stimulus_id}, whose content differs now",
                    hint=f"another --output_dir, or {other} among the models with --overwrite",
                )  # fmt: skip


def write_folder(plan: PanelPlan, stem: str, asked: Mapping[str, Sequence[str]]) -> Path:
    """Write one folder's HDF5 file from its stores; what the file holds already is kept.

    Of a store in which another run is at work, the layers that were asked for are taken.
    """
    path = plan.output_dir / f"{stem}.h5"
    stores = {name: Activations(store_path(plan.output_dir, stem, name), partial=True) for name in plan.names}
    layers = {
        name: acts.layers if acts.attributes.get("complete") else [each for each in acts.layers if each in asked[name]]
        for name, acts in stores.items()
    }
    _check_same_stimuli(path, stores)
    if not plan.options.overwrite:
        check_averaging(path, plan)
    with panel_folder(path).seal("."):
        write_panel_file(
            path,
            {name: {layer: acts[layer] for layer in layers[name]} for name, acts in stores.items()},
            average_replicates=plan.average_replicates,
            attributes={
                name: {"model": acts.model, "network": acts.attributes.get("network")} for name, acts in stores.items()
            },
            replace=plan.options.overwrite,
        )
    settings = {name: acts.attributes["settings"] for name, acts in stores.items()}
    record_provenance(plan.output_dir, path.name, settings, stimuli=plan.folders[stem].describe())
    return path
