"""Section kind: HDF5 files, panels above all (``/{model}/{stimulus}/{layer}``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, final

from beholder.report._section import Page, Section, SectionKind, Table, find_files

_MOST_ROWS = 200


@final
class Hdf5Kind(SectionKind):
    """What an HDF5 file holds, without reading the data."""

    def find(self, folder: Path) -> list[Path]:
        """HDF5 files."""
        return find_files(folder, "*.h5", "*.hdf5")

    def render(self, item: Path, page: Page) -> Section:
        """Models, stimuli and layers of a panel; the datasets of any other file."""
        import h5py

        with h5py.File(item, "r", locking=False) as file:
            models = {name: group for name, group in file.items() if isinstance(group, h5py.Group)}
            if models and len(models) == len(file) and all(_is_model(group) for group in models.values()):
                return self._render_panel(item, page, models)
            rows: list[tuple[Any, ...]] = []

            def note(name: str, entry: Any) -> None:
                if isinstance(entry, h5py.Dataset):
                    rows.append((name, _shape(entry), str(entry.dtype)))

            file.visititems(note)
        table = Table(("dataset", "shape", "type"), tuple(rows[:_MOST_ROWS]), page.link(item), len(rows))
        return Section(
            title=f"What is in {item.name}?",
            answer=f"{len(rows):,} dataset{'' if len(rows) == 1 else 's'}.",
            table=table,
            order=610,
        )

    def _render_panel(self, item: Path, page: Page, models: dict[str, Any]) -> Section:
        rows = []
        counts = set()
        for model, group in models.items():
            counts.add(len(group))
            first = next(iter(group.values()))
            rows += [(model, layer, len(group), _shape(values), str(values.dtype)) for layer, values in first.items()]
        n = " to ".join(f"{count:,}" for count in sorted({min(counts), max(counts)}))
        uneven = "The models do not all hold the same number of stimuli."
        return Section(
            title=f"What is in the panel {item.name}?",
            answer=f"{len(models)} model{'' if len(models) == 1 else 's'}, "
            f"{len(rows)} layer{'' if len(rows) == 1 else 's'} in all, {n} stimuli each.",
            table=Table(
                ("model", "layer", "stimuli", "replicates × features", "type"),
                tuple(rows[:_MOST_ROWS]),
                page.link(item),
                len(rows),
            ),
            method="Shapes are those of each model's first stimulus. /{model}/{stimulus}/{layer} holds one stimulus.",
            warnings=(uneven,) if len(counts) > 1 else (),
            order=610,
            facts={"model": ", ".join(models), "stimuli": f"{n} stimuli"},
        )


def _is_model(group: Any) -> bool:
    import h5py

    first = next(iter(group.values()), None)
    layer = next(iter(first.values()), None) if isinstance(first, h5py.Group) else None
    return isinstance(layer, h5py.Dataset) and layer.ndim == 2


def _shape(dataset: Any) -> str:
    return " × ".join(str(size) for size in dataset.shape) or "one value"
