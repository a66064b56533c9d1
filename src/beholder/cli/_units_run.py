"""What the commands of ``beholder units`` do with their flags."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beholder._core.errors import ConfigurationChanged, InputError
from beholder._core.files import read_json, to_path_name
from beholder._core.provenance import record_provenance
from beholder._core.seeds import DEFAULT_SEED
from beholder.cli._options import pick_set_folder

if TYPE_CHECKING:
    from beholder.models import Model, UnitList
    from beholder.stimuli import StimulusSet

Tables = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Summary:
    """What came of a command, for people and for ``--json``."""

    lines: list[str]
    tables: Tables


@dataclass(frozen=True)
class Place:
    """Which model, and the directory that everything goes under."""

    directory: str | None
    model_name: str | None
    pretrained: bool
    model_path: str | None
    device: str
    axes: list[str] | None = None
    seed: int = DEFAULT_SEED

    def join(self, path: str) -> Path:
        """A path under the directory."""
        return Path(self.directory) / path if self.directory else Path(path)

    def find(self, path: str) -> Path:
        """A file to read: under the directory, else where the path itself leads."""
        inside = self.join(path)
        return inside if inside.exists() or not Path(path).exists() else Path(path)

    def name_model(self, units_file: Path | None = None) -> str:
        """The model asked for, the one that a units file names, or the directory's own."""
        if self.model_name:
            return self.model_name
        if units_file is not None:
            document = read_json(units_file)
            if isinstance(document, dict) and isinstance(document.get("model"), str):
                return self._check_name(document["model"], units_file)
        if self._network is not None:
            return f"file:{self._network}"
        if self.directory and units_file is None:
            from beholder.models import find_alias

            folder = Path(self.directory)
            got = f"none in {folder}" if folder.is_dir() else f"no directory {folder}"
            known = find_alias(folder.name)
            hint = f"-m {folder.name}, which is the network {known.source}:{known.model}" if known else None
            raise InputError("a directory with a build_network.py after -D", got=got, hint=hint)
        raise InputError("--model_name NAME", got="none, and no file that names a model")

    @property
    def _network(self) -> Path | None:
        """The directory's own network, which -D names."""
        network = self.join("build_network.py")
        return network if self.directory and network.exists() else None

    def _check_name(self, name: str, units_file: Path) -> str:
        """The model that a file of units names, unless that would run code which the command line does not name."""
        from beholder.models import refuse_code

        base, _, tag = name.rpartition("@")
        file = Path((base or name).removeprefix("file:"))
        if name.startswith("file:") and self._network is not None and file.resolve() == self._network.resolve():
            name = f"file:{self._network}" + (f"@{tag}" if base else "")
        else:
            refuse_code(name, units_file, f"--model_name {shlex.quote(name)}")
        return name.rpartition("@")[0] if "@" in name and (self.model_path or self.pretrained) else name

    def look(self, units_file: Path | None = None) -> Model:
        """The model without its weights."""
        from beholder.models import load_skeleton, parse_axes

        name = self.name_model(units_file)
        model = load_skeleton(name, pretrained=self.pretrained, model_path=self.model_path)
        return model.with_axes(parse_axes(self.axes or ()))

    def load(self, units_file: Path | None = None) -> Model:
        """The model, ready to run."""
        from beholder.models import load_model, parse_axes

        name = self.name_model(units_file)
        where = {"model_path": self.model_path, "device": self.device}
        model = load_model(name, pretrained=self.pretrained, seed=self.seed, **where)
        return model.with_axes(parse_axes(self.axes or ()))

    def find_path_name(self, units_file: Path | None = None) -> str:
        """What the model is called in paths; nothing is built."""
        from beholder.models import resolve_model

        name = self.name_model(units_file)
        resolved = resolve_model(name, pretrained=self.pretrained, model_path=self.model_path, check_file=False)
        return resolved.path_name

    def find_stimuli(self, units_file: Path | None, out_path: str | None, extra_name: str, hint: str) -> Path:
        """The folder of the model's stimuli, which is there."""
        name = to_path_name(self.find_path_name(units_file))
        folder = self.join(out_path or "stimuli") / (f"{name}_{to_path_name(extra_name)}" if extra_name else name)
        if not folder.is_dir():
            raise InputError("stimuli of units", got=f"no folder {folder}", hint=hint)
        return folder


@dataclass(frozen=True)
class StimulusFlags:
    """Flags that say which stimuli."""

    in_path: str
    image_set: str | None
    layout: str | None
    fraction: float | None
    balanced: bool
    skip_bad: bool
    seed: int
    things: bool = False
    things_behavior: bool = False
    targets: str | None = None

    def make(self) -> StimulusSet:
        """The stimulus set."""
        return self.make_with_targets()[0]

    def make_with_targets(self) -> tuple[StimulusSet, dict[str, int] | None]:
        """The stimulus set, and by id the classes that ``--targets`` tells; a named set reads that file itself."""
        from beholder.stimuli import StimulusSet, as_stimulus_set

        path = Path(self.in_path)
        if self.balanced and self.fraction is None:
            raise InputError("--fraction with --balanced", got="--balanced alone")
        if self.image_set:
            place = pick_set_folder(self.image_set, self.in_path)
            stimuli = StimulusSet.from_named(self.image_set, place, ground_truth=self.targets, skip_bad=self.skip_bad)
        elif self.things or self.things_behavior or path.is_dir() or not path.exists():
            stimuli = StimulusSet.from_folder(
                path,
                layout=self.layout,  # type: ignore[arg-type]
                things=self.things,
                things_behavior=self.things_behavior,
                skip_bad=self.skip_bad,
            )
        else:
            stimuli = as_stimulus_set(path)
            stimuli = stimuli.drop_bad_files() if self.skip_bad and stimuli.arrays is None else stimuli
        told = None
        if self.targets and not self.image_set:
            told = dict(zip(stimuli.ids, read_targets(self.targets, len(stimuli)), strict=True))
        if self.fraction is not None:
            stimuli = stimuli.select_fraction(self.fraction, self.seed, balanced=self.balanced)
        return stimuli, told


def read_targets(file: str, n_stimuli: int) -> list[int]:
    """Class indices, one a stimulus in order: a line each, or a ``.npy`` array, as ``extract`` writes them."""
    import numpy as np

    expected = f"{n_stimuli} class indices, one a stimulus"
    try:
        read = np.load(file, allow_pickle=False) if file.endswith(".npy") else np.loadtxt(file, dtype=np.int64, ndmin=1)
    except (OSError, ValueError, EOFError) as error:
        raise InputError(expected, got=f"{file} ({error})") from error
    if read.ndim != 1 or read.dtype.kind not in "iu" or len(read) != n_stimuli:
        raise InputError(expected, got=f"{file}, which holds {read.dtype} of shape {read.shape}")
    return [int(target) for target in read]


def run_sample(
    place: Place,
    n_units: int,
    filename: str,
    seed: int,
    blacklist: Sequence[str],
    scheme: str,
    layers: Sequence[str] | None,
    overwrite: bool,
) -> Summary:
    """Draw units and write the file."""
    from beholder.units import sample_units

    files = [place.find(name) for name in blacklist]
    units = sample_units(place.look(), n_units, seed=seed, scheme=scheme, layers=layers, blacklist=files)
    path = place.join(filename)
    write_units(units, path, overwrite)
    settings = {"model": units.model, "n_units": n_units, "seed": seed, "scheme": scheme, "layers": layers}
    record_provenance(path.parent, path.name, {**settings, "blacklist": [str(file) for file in files]})
    lines = [f"{len(units)} units of {units.model}, {len(units.layers)} layers", str(path)]
    return Summary(lines, {"units": list_units(units), "files": [{"file": str(path)}]})


def write_units(units: UnitList, path: Path, overwrite: bool) -> None:
    """Write a file of units; one that holds others is only replaced when asked."""
    if path.exists() and not overwrite and read_json(path) != units.to_dict():
        raise ConfigurationChanged(
            "a new file, or one with these units", got=f"{path}, which holds others",
            hint="another --filename, or --overwrite to replace it",
        )  # fmt: skip
    units.save(path)


def list_units(units: UnitList) -> list[dict[str, Any]]:
    """Units as records."""
    return [{"layer": unit.layer, "channel": unit.channel} for unit in units]


def run_split(place: Place, n: int, units_file: str) -> Summary:
    """Deal a list of units to several files."""
    from beholder.models import UnitList
    from beholder.units import split_units

    path = place.find(units_file)
    model = place.look(path)
    files, rows = [], []
    for i, share in enumerate(split_units(UnitList.read(path, model), n, model)):
        files.append(share.save(path.with_name(f"{path.stem}_{i}.json")))
        rows.append({"file": str(files[-1]), "n_units": len(share)})
    record_provenance(path.parent, path.name.removesuffix(".json") + "_*.json", {"units_file": path.name, "n": n})
    return Summary([f"{row['file']}: {row['n_units']} units" for row in rows], {"files": rows})


def run_record(
    place: Place,
    flags: StimulusFlags,
    units_file: str | None,
    layers: Sequence[str] | None,
    out_path: str | None,
    options: Mapping[str, Any],
    *,
    labels: str | None = None,
    draft: bool = False,
) -> Summary:
    """Record layers of interest; report class accuracy."""
    from beholder.cli._extract_run import ZERO_SHOT, use_draft, use_labels
    from beholder.models import UnitList
    from beholder.units import measure_accuracy, record_units

    path = place.find(units_file) if units_file else None
    if path is not None and layers is not None:
        raise InputError("--units_file or --layers", got="both", hint="--layers alone")
    if path is not None:
        read_json(path)
    stimuli, targets = flags.make_with_targets()
    model = place.load(path)
    model = use_draft(model) if draft else model
    model = use_labels(model, labels) if labels else model
    units = UnitList.read(path, model) if path is not None else None
    answers = ZERO_SHOT if labels else "output"
    place_of_store = place.join(out_path or "activations")
    acts = record_units(model, stimuli, units, layers=layers, output=answers, out_path=place_of_store, **options)
    accuracy = measure_accuracy(acts, answers, targets)
    told = str(accuracy) if accuracy else "not reported, since the stimuli's classes are not the network's outputs"
    n_units = sum(acts[name].shape[-1] for name in acts.layers if name not in ("output", ZERO_SHOT))
    lines = [
        f"{len(acts.stimulus_ids)} stimuli, {len(acts.layers)} layers, {n_units} units",
        f"class accuracy: {told}",
        str(acts.path),
    ]
    store = {"model": acts.model, "path": str(acts.path), "n_stimuli": len(acts.stimulus_ids)}
    rows = [{"layer": name, "n_channels": acts[name].shape[-1]} for name in acts.layers]
    return Summary(lines, {"store": [store], "layers": rows, "accuracy": [asdict(accuracy)] if accuracy else []})


def run_exemplars(
    place: Place,
    units_file: str,
    windows: Mapping[str, Any],
    activations: str | None,
    in_path: str | None,
    out_path: str | None,
    files: Mapping[str, Any],
) -> Summary:
    """Choose exemplars and write them."""
    from beholder.activations import Activations
    from beholder.units import find_exemplars, write_exemplars

    path = place.find(units_file)
    store = (
        place.find(activations) if activations else place.join(f"activations/{place.find_path_name(path)}.mean.zarr")
    )
    if not store.exists():
        raise InputError(
            "a recording", got=f"nothing at {store}", hint="`beholder units record` first, or --activations"
        )
    found = find_exemplars(Activations(store), path, **windows)
    folder = write_exemplars(found, place.join(out_path or "stimuli"), stimuli=in_path, **files)
    w = found.windows
    lines = [
        f"{len(found)} units, {w.num_batches} batches of 2 x 10 stimuli each, of {w.n_stimuli}",
        f"queries from ranks {w.start_min} to {w.stop_min - 1} and {w.start_max} to {w.stop_max - 1}",
        *(f"skipped {unit}: {reason}" for unit, reason in found.skipped),
        str(folder),
    ]
    rows = [{**asdict(unit), "folder": str(folder / unit.path_name / "natural_images")} for unit in found.units]
    skipped = [{**asdict(unit), "reason": reason} for unit, reason in found.skipped]
    return Summary(lines, {"exemplars": rows, "skipped": skipped, "windows": [w.to_dict()]})
