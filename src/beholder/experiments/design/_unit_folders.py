"""Folders of units' stimuli, as a plan needs them: which there are, which batches, which files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import final

from beholder._core.errors import InputError
from beholder._core.files import read_json, to_path_name
from beholder._core.provenance import read_network
from beholder.stimuli import list_image_extensions, list_sound_extensions

NATURAL = "natural_images"
OPTIMIZED = "optimized_images"
COUNTERFACTUAL = "counterfactual_images"
QUERY = 9
"""Number of the query among a batch's pictures."""

_CHANNEL = re.compile(r"channel_(\d+)")
_BATCH = re.compile(r"batch_(\d+)")
_FILE = re.compile(r"(min|max)_(\d+)")


@final
@dataclass(frozen=True)
class UnitFolder:
    """``{model}/{layer}/channel_{c}``.

    Attributes
    ----------
    path : Path
        With the natural exemplars.
    optimized : Path
        ``optimized_images`` of the unit; may lie in another model folder, and need not exist.
    """

    path: Path
    optimized: Path

    @property
    def name(self) -> str:
        """``layer/channel_c``, as the folders spell it."""
        return f"{self.path.parent.name}/{self.path.name}"

    @cached_property
    def batches(self) -> frozenset[int]:
        """Batches of natural exemplars."""
        natural = self.path / NATURAL
        inside = natural.iterdir() if natural.is_dir() else []
        return frozenset(int(match[1]) for path in inside if (match := _BATCH.fullmatch(path.name)))

    def get_batch(self, batch: int) -> Path:
        """The folder of one batch."""
        return self.path / NATURAL / f"batch_{batch}"

    def has(self, images: str) -> bool:
        """Whether it has exemplars, and for ``optimized`` visualisations as well."""
        return (self.path / NATURAL).is_dir() and (images == "natural" or self.optimized.is_dir())

    def holds(self, folders: tuple[str, ...]) -> bool:
        """Whether it has all of these folders."""
        return all((self.path / name).is_dir() for name in folders)


def find_model_folder(source: Path | str, model: str | None = None, extra_name: str = "") -> tuple[Path, Path]:
    """The folder ``{model}_{extra_name}`` with exemplars, and ``{model}``, where visualisations lie.

    Parameters
    ----------
    source : path
        The model's folder, or with ``model`` the folder of all models.
    model : str, optional
    extra_name : str

    Raises
    ------
    InputError
        There is no such folder.
    """
    source = Path(source)
    ending = f"_{extra_name}" if extra_name else ""
    if model is None:
        folder = source
        base = source.name.removesuffix(ending)
        if ending and not source.name.endswith(ending):
            folder = source.with_name(source.name + ending)
    else:
        base = next((name for name in (model, to_path_name(model)) if (source / (name + ending)).is_dir()), model)
        folder = source / (base + ending)
    if not folder.is_dir():
        near = sorted(child.name for child in source.iterdir() if child.is_dir()) if source.is_dir() else []
        raise InputError(
            "a folder stimuli/{model}", got=f"no folder at {folder}",
            hint=f"one of {', '.join(near[:5])}" if near and model else "`beholder units exemplars` first",
        )  # fmt: skip
    beside = folder.parent / base if base else folder
    return folder, beside if beside.is_dir() else folder


def find_units(folder: Path, optimized: Path | None = None) -> list[UnitFolder]:
    """Every ``{layer}/channel_{c}`` with natural exemplars, sorted by name.

    Parameters
    ----------
    folder : path
        ``stimuli/{model}``.
    optimized : path, optional
        The model's folder with visualisations, where that is another one.
    """
    _check_networks(folder, optimized or folder)
    found = []
    for layer in sorted(child.name for child in folder.iterdir() if child.is_dir()):
        for name in sorted((child.name for child in (folder / layer).iterdir()), key=_sort_channels):
            unit = folder / layer / name
            if _CHANNEL.fullmatch(name) and (unit / NATURAL).is_dir():
                own = unit / OPTIMIZED
                other = (optimized or folder) / layer / name / OPTIMIZED
                found.append(UnitFolder(unit, own if own.is_dir() else other))
    return found


def _check_networks(folder: Path, optimized: Path) -> None:
    """Refuse exemplars and visualisations of two networks: a trial shows both as one unit's."""
    networks = read_network(folder, NATURAL), read_network(optimized, OPTIMIZED)
    if all(networks) and networks[0] != networks[1]:
        raise InputError(
            "exemplars and visualisations of one network", got=f"two networks in {folder / NATURAL} and "
            f"{optimized / OPTIMIZED}: their weights, code or hooks differ",
            hint="`beholder units exemplars` or `optimize` again, with --overwrite",
        )  # fmt: skip


def _sort_channels(name: str) -> tuple[int, str]:
    match = _CHANNEL.fullmatch(name)
    return (int(match[1]) if match else -1, name)


def find_easy_units(folder: Path | str) -> list[UnitFolder]:
    """Units of a folder of catch trials, at any depth: whatever has ``natural_images``, sorted."""
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError("a folder of units for catch trials", got=f"no folder at {folder}")
    found = sorted(path.parent for path in folder.rglob(NATURAL) if path.is_dir())
    if not found:
        raise InputError("units with natural_images in the folder for catch trials", got=f"none in {folder}")
    return [UnitFolder(path, path / OPTIMIZED) for path in found]


def describe_unit(queries: Path) -> tuple[str, str, int, int | None] | None:
    """Model, exact layer, channel and batch that a folder of queries belongs to; None where it is in no unit's."""
    batch = _BATCH.fullmatch(queries.name)
    images = queries.parent if batch else queries
    channel = _CHANNEL.fullmatch(images.parent.name)
    if channel is None:
        return None
    layer = images.parents[1].name
    about = images.parent / NATURAL / "distribution.json"
    if about.is_file():
        content = read_json(about)
        layer = str(content.get("layer", layer)) if isinstance(content, dict) else layer
    return images.parents[2].name, layer, int(channel[1]), int(batch[1]) if batch else None


def find_stimulus(folder: Path, name: str) -> Path:
    """The picture or sound of a folder with this stem."""
    for suffix in sorted({*list_image_extensions(), *list_sound_extensions()}, key=lambda s: (s != ".png", s)):
        if (folder / (name + suffix)).is_file():
            return folder / (name + suffix)
    raise InputError(f"{name}.png", got=f"none in {folder}")


def list_unit_files(folder: Path) -> dict[str, dict[int, Path]]:
    """Pictures or sounds ``min_{k}`` and ``max_{k}`` of a folder, by sign and number.

    Raises
    ------
    InputError
        There is no such folder, it holds none, or one of them twice.
    """
    if not folder.is_dir():
        raise InputError("the stimuli that the plan names", got=f"no folder at {folder}")
    allowed = {*list_image_extensions(), *list_sound_extensions()}
    found: dict[str, dict[int, Path]] = {"min": {}, "max": {}}
    for path in sorted(folder.iterdir()):
        match = _FILE.fullmatch(path.stem)
        if match is None or path.suffix.lower() not in allowed:
            continue
        if int(match[2]) in found[match[1]]:
            raise InputError(f"one {path.stem}", got=f"two in {folder}")
        found[match[1]][int(match[2])] = path
    if not found["min"] or not found["max"]:
        raise InputError("min_{k} and max_{k}", got=f"none in {folder}")
    return found
