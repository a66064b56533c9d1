"""Section kind: activation stores (``{model}.zarr``)."""

from __future__ import annotations

from pathlib import Path
from typing import final

from beholder._core.sizes import format_bytes
from beholder._core.wording import format_count
from beholder.report._section import SECTIONS, Page, Section, SectionKind, Table, find_files


@SECTIONS.register("stores")
@final
class StoreKind(SectionKind):
    """What was recorded of a model."""

    turn = 60

    def find(self, folder: Path) -> list[Path]:
        """Activation stores."""
        return [path for path in find_files(folder, "*.zarr") if path.is_dir()]

    def render(self, item: Path, page: Page) -> Section:
        """Layers, shapes, stimuli, provenance; no values are read."""
        from beholder.activations import Activations

        acts = Activations(item, partial=True)
        layers = [acts[name] for name in acts.layers]
        n, n_bytes = len(acts.stimulus_ids), sum(layer.nbytes for layer in layers)
        rows = tuple(
            (
                layer.layer,
                " × ".join(f"{size} {dim}" for dim, size in zip(layer.feature_dims, layer.feature_shape, strict=True)),
                len(layer),
                layer.n_replicates,
                str(layer.dtype),
                format_bytes(layer.nbytes),
            )
            for layer in layers
        )
        replicates = sorted({layer.n_replicates for layer in layers})
        repeated = f", {replicates[-1]} exposures each" if replicates and replicates[-1] > 1 else ""
        unfinished = "The extraction has not ended: the same command again completes it."
        return Section(
            title=f"What was recorded of {acts.model}{_name_pool(acts.attributes)}?",
            answer=f"{format_count(len(layers), 'layer')} for {format_count(n, 'stimulus')}{repeated}: "
            f"{format_bytes(n_bytes)} in {item.name}.",
            table=Table(("layer", "one stimulus", "stimuli", "exposures", "type", "size"), rows, page.link(item)),
            method=_describe_method(acts.attributes),
            warnings=() if acts.attributes.get("complete", False) else (unfinished,),
            order=600,
            facts={"model": acts.model, "stimuli": format_count(n, "stimulus")},
        )


def _name_pool(attributes: dict) -> str:
    pool = (attributes.get("settings") or {}).get("pool", "none")
    return "" if pool == "none" else f", {pool} values"


def _describe_method(attributes: dict) -> str:
    parts = []
    weights = attributes.get("weights")
    if isinstance(weights, dict) and weights.get("tag"):
        sha256 = weights.get("sha256")
        parts.append(f"Weights {weights['tag']}{f' (sha256 {sha256[:12]}…)' if sha256 else ''}.")
    settings = attributes.get("settings")
    settings = settings if isinstance(settings, dict) else {}
    if settings.get("pool"):
        pool = settings["pool"]
        parts.append("Nothing pooled." if pool == "none" else f"Pooled over space, time or tokens: {pool}.")
    if settings.get("seed") is not None:
        parts.append(f"Seed {settings['seed']}.")
    parts.append('It opens in any Zarr reader: one group a layer, its array "values".')
    return " ".join(parts)
