"""Writing checkpoints: safetensors with a model card inside, and the card as a page beside."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.files import explain_write_errors, write_bytes, write_text
from beholder._core.provenance import read_versions
from beholder.models.definitions._base import ModelDefinition
from beholder.models.definitions._layer_readout import add_readout, read_layer_readout
from beholder.models.weights._card import KEY, ModelCard, find_card
from beholder.models.weights._card_text import describe_card
from beholder.models.weights._head import has_head, set_head

if TYPE_CHECKING:
    from torch import Tensor, nn


@suggest_keywords
def write_checkpoint(path: Path | str, state: nn.Module | Mapping[str, Tensor], card: ModelCard) -> Path:
    """Write weights with their card; the same weights and card give the same bytes.

    The file appears whole under its name, once the disk holds it; a page of the card lies beside it, ``NAME.md``.

    Parameters
    ----------
    path : path
        Ends in ``.safetensors``.
    state : nn.Module or mapping of str to tensor
        A module, or what its ``state_dict()`` gives (an average of weights, say).
    card : ModelCard
        Versions are added where it has none.

    Raises
    ------
    InputError
        Another ending; a state that holds more than tensors.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise InputError("a checkpoint that ends in .safetensors", got=str(path))
    card = card if card.versions else replace(card, versions=read_versions())
    data = encode_checkpoint(state, card)
    page = path.with_suffix(".md")
    with explain_write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):  # no page may tell of weights that are gone
            page.unlink()
    write_bytes(path, data, durable=True)
    write_text(page, describe_card(card, path.name))
    return path


@suggest_keywords
def encode_checkpoint(state: nn.Module | Mapping[str, Tensor], card: ModelCard) -> bytes:
    """The bytes of a checkpoint; arguments as for :func:`write_checkpoint`."""
    import torch
    from safetensors.torch import save

    tensors: dict[str, Any] = dict(state.state_dict() if isinstance(state, torch.nn.Module) else state)
    wrong = [name for name, value in tensors.items() if not isinstance(value, torch.Tensor)]
    if wrong:
        raise InputError(
            "a network whose state is nothing but tensors", got=f"{wrong[0]!r}, {type(tensors[wrong[0]]).__name__}"
        )
    # one copy a name: safetensors refuses names that share memory
    copies = {name: value.detach().to("cpu", copy=True).contiguous() for name, value in tensors.items()}
    return save(copies, metadata={KEY: card.to_json()})


def adapt_definition(definition: ModelDefinition, card: ModelCard | None) -> ModelDefinition:
    """A definition as the card of a checkpoint says: classes, preprocessing, head; without a card as it is."""
    if card is None:
        return definition
    head, readout = card.head, card.readout
    if readout is not None and "path" not in readout:
        name = f"{definition.source}:{definition.name}"
        raise InputError(
            "a checkpoint of a whole network", got=f"the read-out of {readout.get('layer')} alone",
            hint=f"`beholder models join {shlex.quote(name)} READOUT.safetensors OUT.safetensors`",
        )  # fmt: skip

    def build() -> nn.Module:
        module = definition.build()
        if readout is not None:
            add_readout(module, int(readout["n_features"]), int(readout["n_classes"]))
        if head is not None and has_head(module, str(head["module"])):  # else another architecture's weights
            set_head(module, str(head["module"]), int(head["n_classes"]))
        return module

    return replace(
        definition,
        build=build,
        forward=definition.forward if readout is None else read_layer_readout(readout, definition.forward),
        preprocessing=card.read_preprocessing() or definition.preprocessing,
        classes=card.classes if card.classes or head or readout else definition.classes,
        layers=definition.layers or card.layers,
    )


def adapt_to_file(definition: ModelDefinition, file: Path | str | None) -> ModelDefinition:
    """A definition as the card in a file of weights says; as it is where there is none."""
    return adapt_definition(definition, find_card(file))
