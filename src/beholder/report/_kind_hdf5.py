"""Section kind: HDF5 files, panels above all (``/{model}/{stimulus}/{layer}``)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, final

from beholder._core.wording import format_count
from beholder.report._section import SECTIONS, Page, Section, SectionKind, Table, find_files

_MOST_ROWS = 200


@SECTIONS.register("hdf5")
@final
class Hdf5Kind(SectionKind):
    """What an HDF5 file holds, without reading the data."""

    turn = 70

    def find(self, folder: Path) -> list[Path]:
        """HDF5 files."""
        return find_files(folder, "*.h5", "*.hdf5")

    def render(self, item: Path, page: Page) -> Section:
        """Models, stimuli and layers of a panel; the datasets of any other file."""
        import h5py

        with h5py.File(item, "r") as file:
            groups = [group for group in file.values() if isinstance(group, h5py.Group)]
            is_panel = bool(groups) and len(groups) == len(file) and all(_is_model(group) for group in groups)
            rows: list[tuple[Any, ...]] = []

            def note(name: str, entry: Any) -> None:
                if isinstance(entry, h5py.Dataset):
                    rows.append((name, _join(entry.shape), str(entry.dtype)))

            if not is_panel:
                file.visititems(note)
        if is_panel:
            return _render_panel(item, page)
        table = Table(("dataset", "shape", "type"), tuple(rows[:_MOST_ROWS]), page.link(item), len(rows))
        return Section(
            title=f"What is in {item.name}?",
            answer=f"{format_count(len(rows), 'dataset')}.",
            table=table,
            order=610,
        )


def _render_panel(item: Path, page: Page) -> Section:
    from beholder.activations import describe_file

    found = describe_file(item, show_layers=True).tables
    models, layers = found["models"], found["layers"]
    counts = {model["model"]: model["stimuli"] for model in models}
    rows = tuple(
        (layer["model"], layer["layer"], counts[layer["model"]], _join(layer["shape"]), layer["dtype"])
        for layer in layers[:_MOST_ROWS]
    )
    columns = ("model", "layer", "stimuli", "replicates × features", "type")
    sizes = sorted({min(counts.values()), max(counts.values())})
    n = " to ".join([*(f"{count:,}" for count in sizes[:-1]), format_count(sizes[-1], "stimulus")])
    uneven = "The models do not all hold the same number of stimuli."
    return Section(
        title=f"What is in the panel {item.name}?",
        answer=f"{format_count(len(models), 'model')}, {format_count(len(layers), 'layer')} in all, {n} each.",
        table=Table(columns, rows, page.link(item), len(layers)),
        method="Shapes are those of each model's first stimulus. /{model}/{stimulus}/{layer} holds one stimulus.",
        warnings=(uneven,) if len(set(counts.values())) > 1 else (),
        order=610,
        facts={"model": ", ".join(counts), "stimuli": n},
    )


def _is_model(group: Any) -> bool:
    import h5py

    first = next(iter(group.values()), None)
    layer = next(iter(first.values()), None) if isinstance(first, h5py.Group) else None
    return isinstance(layer, h5py.Dataset) and layer.ndim == 2


def _join(shape: Iterable[int]) -> str:
    return " × ".join(str(size) for size in shape) or "one value"
