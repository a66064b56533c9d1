"""A model card as a page to read, in the form that model hubs show."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from beholder._core.errors import suggest_keywords
from beholder._core.narrowing import is_mapping
from beholder.models.weights._card import ModelCard

_MANY = 40


@suggest_keywords
def describe_card(card: ModelCard, file_name: str) -> str:
    """Markdown of a card.

    Parameters
    ----------
    card : ModelCard
    file_name : str
        Of the checkpoint beside it.

    Examples
    --------
    >>> print(describe_card(ModelCard("beholder:shapes", licence="MIT"), "best.safetensors").splitlines()[1])
    license: MIT
    """
    title = f"{card.model or 'A module of its own'}, {card.preset or 'trained'}"
    parts = [
        "---",
        f"license: {card.licence or 'unknown'}",
        "library_name: beholder",
        "---",
        "",
        f"# {title}",
        "",
        *_list_use(card, file_name),
        *_list_facts(card),
        *_tell_accuracies(card.accuracies),
        *_list_section("Data", card.data),
        *_list_section("Settings", _flatten(card.settings)),
        *_list_section("Preprocessing", card.preprocessing or {}),
        *_list_classes(card.classes),
        *_list_section("Versions", card.versions),
    ]
    return "\n".join([*parts, ""])


def _list_use(card: ModelCard, file_name: str) -> list[str]:
    if card.model is None:
        return [
            f"Weights of a module of the user's own: `beholder.models.load_checkpoint(module, \"{file_name}\")`.", "",
        ]  # fmt: skip
    return [f"Load it, in any command and in Python, as `{card.model}@{file_name}`.", ""]


def _list_facts(card: ModelCard) -> list[str]:
    facts = {
        "Licence": card.licence,
        "Started from": card.started_from,
        "Architecture of the weights": card.variant,
        "Epochs": card.epoch,
        "Steps": card.step,
        "Weights": card.averaging,
        "Head": None if card.head is None else f"`{card.head['module']}`, {card.head['n_classes']} classes",
        "Read-out": None if card.readout is None else _tell_readout(card.readout),
        "Recorded layers": ", ".join(f"`{layer}`" for layer in card.layers) or None,
    }
    lines = [f"- {name}: {value}" for name, value in facts.items() if value is not None]
    return [*lines, *(f"- {note}" for note in card.notes), ""]


def _tell_readout(readout: Mapping[str, Any]) -> str:
    return f"linear, of layer `{readout['layer']}` ({readout['n_features']} values), {readout['n_classes']} classes"


def _tell_accuracies(records: Iterable[Mapping[str, Any]]) -> list[str]:
    rows = list(records)
    if not rows:
        return []
    columns = list(dict.fromkeys(name for row in rows for name in row))
    lines = [" | ".join(_show(row.get(name)) for name in columns) for row in rows]
    table = [" | ".join(columns), " | ".join("---" for _ in columns), *lines]
    return ["## Accuracy", "", *(f"| {line} |" for line in table), ""]


def _list_section(name: str, values: Mapping[str, Any]) -> list[str]:
    lines = [f"- `{key}`: {_show(value)}" for key, value in values.items() if value is not None]
    return [f"## {name}", "", *lines, ""] if lines else []


def _list_classes(classes: tuple[str, ...] | None) -> list[str]:
    if not classes:
        return []
    more = f", … ({len(classes)} in all)" if len(classes) > _MANY else ""
    return ["## Classes", "", ", ".join(classes[:_MANY]) + more, ""]


def _flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        if is_mapping(value):
            found.update(_flatten(value, f"{prefix}{key}."))
        else:
            found[f"{prefix}{key}"] = value
    return found


def _show(value: Any) -> str:
    text = "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.replace("|", "\\|").replace("\n", " ")
