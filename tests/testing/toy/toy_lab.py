"""A package that adds one thing of each kind, as another laboratory would write it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
import toy_kind
from torch import Tensor, nn

from beholder import InputError
from beholder.jobs import JobFolder, Plan, Shard, Worker, work_through
from beholder.models import ImagePreprocessing, ModelDefinition, Preprocessing, Source
from beholder.report import Page, Section, SectionKind, SectionView, find_files
from beholder.stimuli import Manifest
from beholder.synthesis import Objective, View

HERE = Path(__file__).parent
BRIGHTER = toy_kind.BRIGHTER


@final
class ToySource(Source):
    """One small network."""

    def list_names(self) -> list[str]:
        return ["line"]

    def find(self, name: str, tag: str | None) -> ModelDefinition:
        if name != "line":
            raise InputError("a network of the toy: line", got=repr(name))
        return ModelDefinition("toy", "line", build, ImagePreprocessing(resize=32, crop=(32, 32)), layers=("0", "2"))


def build() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 30 * 30, 2))


@final
@dataclass(frozen=True)
class FirstNumbers(Preprocessing):
    """The first numbers of an array, doubled on the way into the network."""

    n: int = 6

    @property
    def modality(self) -> str:
        return "array"

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.n,)

    @property
    def input_range(self) -> None:
        return None

    @property
    def sample_rate(self) -> None:
        return None

    @property
    def supports_uint8(self) -> bool:
        return False

    def prepare(self, source: Any) -> np.ndarray:
        return np.asarray(source, dtype=np.float32).ravel()[: self.n].copy()

    def normalize(self, x: Tensor) -> Tensor:
        return 2 * x

    def prepare_uint8(self, source: Any) -> np.ndarray:
        raise InputError("a preprocessing for pictures")

    def normalize_uint8(self, batch: np.ndarray) -> Tensor:
        raise InputError("a preprocessing for pictures")

    def to_dict(self) -> dict[str, Any]:
        return {"kind": "first-numbers", "n": self.n}

    @classmethod
    def from_dict(cls, table: Mapping[str, Any]) -> FirstNumbers:
        return cls(**table)

    def describe(self) -> str:
        return f"{self.n} numbers"


@final
@dataclass(frozen=True)
class Peak(Objective):
    """The largest activation of a layer."""

    layer: str

    @property
    def layers(self) -> tuple[str, ...]:
        return (self.layer,)

    def score(self, view: View) -> Tensor:
        return torch.logsumexp(view.layer(self.layer).flatten(1), 1)


@final
@dataclass(frozen=True)
class NoteView(SectionView):
    """Lines of a note, in a list of their own look."""

    lines: tuple[str, ...]

    @property
    def template(self) -> Path:
        return HERE / "note.html.jinja"

    @property
    def style(self) -> Path:
        return HERE / "note.css"


@final
class NoteKind(SectionKind):
    """Notes, ``*.note``."""

    def find(self, folder: Path) -> list[Path]:
        return find_files(folder, "*.note")

    def render(self, item: Path, page: Page) -> Section:
        title, *lines = item.read_text(encoding="utf-8").splitlines()
        return Section(title=title, view=NoteView(tuple(lines)), order=10)


def run_backwards(
    plan: Plan, shards: list[Shard], worker: Worker, folder: JobFolder, n_workers: int, advance: Callable[[int], None]
) -> None:
    """The last shard first."""
    for shard in reversed(shards):
        work_through(plan, [shard], worker, folder, 1, advance)


def build_dots(folder: Path | str | None, ground_truth: Path | str | None = None) -> Manifest:
    """Pictures of a folder, each its own class."""
    place = Path(folder or HERE)
    files = tuple(sorted(path.name for path in place.glob("*.png")))
    if not files:
        raise InputError("pictures of dots", got=f"none in {place}")
    labels = tuple(Path(file).stem for file in files)
    return Manifest("image", labels, files, place, labels, np.arange(len(files)))
