"""A package that adds one thing of each kind, as another laboratory would write it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import numpy as np
import torch
import toy_kind
from matplotlib.axes import Axes
from scipy.spatial.distance import pdist
from torch import Tensor, nn

from beholder import InputError, Recordings, Result
from beholder.analysis import Distance, Drawing, ResultKind
from beholder.experiments import Adaptive, AdaptiveProcedure, Estimate
from beholder.figures import make_figure
from beholder.jobs import JobFolder, Plan, Shard, Worker, work_through
from beholder.models import ImagePreprocessing, ModelDefinition, Preprocessing, Source
from beholder.recordings import ReadOptions
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
    plan: Plan, shards: list[Shard], worker: Worker, folder: JobFolder, n_workers: int, advance: Callable[[float], None]
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


def compute_city_block(values: Any, *, folds: Any = None, precision: Any = None) -> np.ndarray:
    """Of means over the repeats that are there; NaN for a stimulus without any."""
    there = ~np.isnan(values)
    sums, n = np.where(there, values, 0).sum(axis=1), there.sum(axis=1)
    means = np.divide(sums, n, out=np.full(sums.shape, np.nan), where=n > 0)
    return pdist(means.reshape(len(means), -1), "cityblock")


CITY_BLOCK = Distance("city-block distance", compute_city_block)


def plot_means(result: Result, ax: Axes | None) -> Axes:
    ax = make_figure().subplots() if ax is None else ax
    ax.bar(result.table["layer"], result.table["estimate"])
    return ax


def draw_means(result: Result) -> Iterator[Drawing]:
    fig = make_figure()
    plot_means(result, fig.subplots())
    yield Drawing("means", fig, "Bars: a mean for each layer.")


MEANS = ResultKind(
    title=lambda result: "Which layer is most active?",
    sentences=lambda result: [f"{result.table['layer'][result.table['estimate'].argmax()]} is."],
    methods=lambda result: "Activations were averaged.",
    plot=plot_means,
    draw=draw_means,
)


def read_rates(path: Path, given: ReadOptions) -> Recordings:
    """A line a stimulus: its id, then the rates of all units."""
    rows = [line.split() for line in path.read_text(encoding="utf-8").splitlines()]
    if not rows or len({len(row) for row in rows}) != 1:
        raise InputError("lines of an id and rates, as many on each", got=str(path))
    return Recordings([[float(rate) for rate in row[1:]] for row in rows], [row[0] for row in rows], given.units)


@final
class Weighted(AdaptiveProcedure):
    """Kaernbach's weighted staircase: one step harder after a right answer, three easier after a wrong one."""

    @final
    @dataclass(frozen=True)
    class Parameters:
        levels: tuple[float, ...]

    def __init__(self, parameters: Parameters) -> None:
        super().__init__(parameters.levels)
        self.place = len(self.levels) - 1

    @staticmethod
    def plan(adaptive: Adaptive, levels: tuple[float, ...]) -> Mapping[str, Any]:
        return {"method": "weighted", "levels": levels}

    def to_dict(self) -> dict[str, Any]:
        return {"method": "weighted", "levels": list(self.levels)}

    def next_level(self) -> float:
        return self.levels[self.place]

    def _take_in(self, place: int, correct: bool) -> None:
        self.place = min(max(place + (-1 if correct else 3), 0), len(self.levels) - 1)

    def estimate(self) -> Estimate:
        shown = [level for level, _ in self.log]
        return Estimate(float(np.mean(shown)) if shown else float("nan"), float("nan"), float("nan"), 0.75, len(shown))
