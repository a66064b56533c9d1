"""The tables of docs/observers.md are what the code says; ``python -m tests.docs.test_observers_page`` prints them."""

from __future__ import annotations

from beholder.models import find_alias, list_metamer_observers, resolve_model
from beholder.models.catalog._metamer_observers import FAKE

from .conftest import ROOT


def render_stages() -> str:
    """Stages and input, a row for each architecture."""
    observers: dict[tuple[str, str], list[str]] = {}
    for name in list_metamer_observers():
        alias, preprocessing = find_alias(name), resolve_model(name).definition.preprocessing
        assert alias is not None and preprocessing.input_range is not None
        inner = alias.metamer_layers[1:-1]
        stages = " ".join(f"{stage}\\*" if f"{stage}{FAKE}" in alias.taps else stage for stage in inner)
        low, high = preprocessing.input_range
        observers.setdefault((stages, f"{preprocessing.describe()} in [{low:g}, {high:g}]"), []).append(name)
    rows = [f"| {', '.join(f'`{n}`' for n in names)} | {key[0]} | {key[1]} |" for key, names in observers.items()]
    return "\n".join(["| observers | stages between input and output | input |", "|---|---|---|", *rows])


def render_weights() -> str:
    """What each observer loads, and where that comes from."""
    rows = []
    for name in list_metamer_observers():
        alias = find_alias(name)
        assert alias is not None
        loads = f"{alias.source}:{alias.model}@{alias.tag}"
        rows.append(f"| `{name}` | `{loads}` | {describe_weights(alias.source, alias.model, alias.tag)} |")
    return "\n".join(["| observer | loads | published by |", "|---|---|---|", *rows])


def describe_weights(source: str, model: str, tag: str | None) -> str:
    """Where weights come from, in a few words."""
    from beholder.models.sources._metamers import _NETWORKS, SEEDED

    if source != "metamers":
        return {"robust": "the robustness library", "cornet": "CORnet"}.get(source, source)
    if model not in _NETWORKS:
        return "OpenAI, by way of open_clip"
    if tag == SEEDED:
        return "none needed; with a readout: `hmax_linear_classification.pt` of the study's archive"
    file = dict(_NETWORKS[model].files).get(tag or "")
    if file is None:
        return f"`{tag}.pt` of the study's archive"
    host = file.url.split("/")[2]
    return f"{host}" + (", and a readout of the study's archive" if model == "alexnet_gn_ipcl" else "")


def test_tables_are_what_the_code_says() -> None:
    page = (ROOT / "docs" / "observers.md").read_text(encoding="utf-8")
    assert render_stages() in page
    assert render_weights() in page


if __name__ == "__main__":
    print(render_stages(), render_weights(), sep="\n\n")
