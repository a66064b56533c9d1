"""Which network a command is about, and the directory that everything goes under."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Self

from cyclopts import Parameter

from beholder._core.errors import InputError
from beholder._core.files import read_units_file, to_path_name
from beholder._core.seeds import DEFAULT_SEED
from beholder.cli._flags import AxesFlags, Device, Hidden, ModelName, WeightFlags, flags, look_up, name_network

if TYPE_CHECKING:
    from beholder.models import Model


@flags
class _NameFlags:
    model_name: ModelName = None
    """The network, in place of the first word; default the one that the units file names."""
    directory: Annotated[str | None, Parameter(name=["-D", "--directory"])] = None
    """A model directory: everything is found in it and goes under it."""


@flags
class ModelFlags(WeightFlags, _NameFlags):
    """Which network, and the directory that everything goes under."""

    def take_word(self, word: str | None) -> Self:
        """The same, with the network that the first word names, which is there unless a flag names it."""
        if word is None:
            return self
        return dataclasses.replace(self, model_name=name_network(word, self.model_name))

    def join(self, path: str) -> Path:
        """A path under the directory."""
        return Path(self.directory) / path if self.directory else Path(path)

    def find(self, path: str) -> Path:
        """A file to read: under the directory, else where the path itself leads."""
        inside = self.join(path)
        return inside if inside.exists() or not Path(path).exists() else Path(path)

    def name_model(self, units_file: Path | None = None) -> str:
        """The model asked for, the one that a units file names, or the directory's own.

        A name that nothing answers to is refused, before anything that takes seconds.
        """
        if self.model_name:
            return look_up(self.model_name)
        if units_file is not None:
            document = read_units_file(units_file)
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

    def look(self, units_file: Path | None = None, axes: AxesFlags = AxesFlags()) -> Model:
        """The model without its weights."""
        from beholder.models import load_skeleton

        name = self.name_model(units_file)
        return load_skeleton(name, pretrained=self.pretrained, model_path=self.model_path).with_axes(axes.read())

    def load(self, units_file: Path | None = None, axes: AxesFlags = AxesFlags(), seed: int = DEFAULT_SEED) -> Model:
        """The model, ready to run; the seed is of ``@random`` weights."""
        from beholder.models import load_model

        name, where = self.name_model(units_file), {"model_path": self.model_path, "device": self.device}
        return load_model(name, pretrained=self.pretrained, seed=seed, **where).with_axes(axes.read())

    def find_path_name(self, units_file: Path | None = None) -> str:
        """What the model is called in paths; nothing is built."""
        from beholder.models import resolve_model

        name = self.name_model(units_file)
        resolved = resolve_model(name, pretrained=self.pretrained, model_path=self.model_path, check_file=False)
        return resolved.path_name

    def find_recording(self, activations: str | None, path_name: Callable[[], str]) -> Path:
        """The recording that a flag names; else the model's own, which may not be there."""
        return self.find(activations) if activations else self.join(f"activations/{path_name()}.mean.zarr")

    def find_stimuli(self, units_file: Path | None, out_path: str | None, extra_name: str, hint: str) -> Path:
        """The folder of the model's stimuli, which is there."""
        name = to_path_name(self.find_path_name(units_file))
        folder = self.join(out_path or "stimuli") / (f"{name}_{to_path_name(extra_name)}" if extra_name else name)
        if not folder.is_dir():
            raise InputError("stimuli of units", got=f"no folder {folder}", hint=hint)
        return folder


@flags
class SkeletonFlags(ModelFlags):
    """Which network, where only its layers and its name count."""

    pretrained: bool = False
    """Decides what the network is called in files; no weights are read."""
    model_path: Annotated[str | None, Parameter(name=["--model-path", "-mp"])] = None
    """Decides what the network is called in files; no weights are read."""
    device: Annotated[Device, Hidden] = "auto"
    """Accepted, without effect."""
