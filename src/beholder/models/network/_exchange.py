"""Checkpoints for and from others: the robustness library's format, and any file of weights as one with a card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.files import open_atomic
from beholder._core.hashing import hash_file
from beholder.models.definitions._base import call_module, get_source
from beholder.models.network._card import make_card
from beholder.models.network._load import load_unweighted
from beholder.models.network._model import Model
from beholder.models.network._wrap import open_model
from beholder.models.preprocessing._read import ImagePreprocessing, Preprocessing
from beholder.models.weights._card import find_card
from beholder.models.weights._checkpoint import write_checkpoint
from beholder.models.weights._head import COUNTER, find_other_head, set_head
from beholder.models.weights._read import load_state, read_weights, strip_prefixes
from beholder.models.weights._robustness import ARCHITECTURES, join_robustness, split_robustness


@suggest_keywords
def export_robustness(model: Model | str, path: Path | str) -> Path:
    """Write a network as a checkpoint of the robustness library, which ``weights_only=True`` reads too.

    The file holds ``model``, the state dict of the library's ``AttackerModel`` (the network, its normaliser, and both
    once more in the attacker), and ``epoch``. It has no optimiser: it is evaluated and attacked, not resumed.

    Parameters
    ----------
    model : Model or str
        Of pictures in [0, 1] that a mean and a deviation normalise.
    path : path
        Ends in ``.pt``.

    Raises
    ------
    InputError
        A network of sounds or with another normalisation; another ending.

    Source: MadryLab's robustness, ``make_and_restore_model``: an architecture of the library's by its name, another as
    a module with ``add_custom_forward=True``.

    Examples
    --------
    >>> export_robustness("torchvision:resnet18@best.safetensors", "resnet18.pt")    # doctest: +SKIP
    PosixPath('resnet18.pt')
    """
    import torch

    path = Path(path)
    if path.suffix != ".pt":
        raise InputError("a checkpoint that ends in .pt", got=str(path))
    found = open_model(model, "cpu") if isinstance(model, str) else model
    pictures = _check_pictures(found)
    spec = found.spec
    architecture = spec.model if spec is not None and spec.source in ("torchvision", "robust") else None
    card = None if spec is None else find_card(spec.file)
    state = {name: value.detach().cpu() for name, value in found.module.state_dict().items()}
    content = {
        "model": join_robustness(
            state, pictures.mean, pictures.std, architecture=architecture if architecture in ARCHITECTURES else None
        ),
        "epoch": 0 if card is None or card.epoch is None else card.epoch,
    }
    with open_atomic(path, durable=True) as file:
        torch.save(content, file)
    return path


def _check_pictures(model: Model) -> ImagePreprocessing:
    pictures = model.preprocessing
    if not isinstance(pictures, ImagePreprocessing):
        raise InputError(
            "a network of pictures in [0, 1] that a mean and a deviation normalise",
            got=f"{model.name}, prepared by {type(pictures).__name__}",
        )
    if model.forward is not call_module and not model.multi_layer_output:
        raise InputError(
            "a network whose own forward pass gives its answers",
            got=f"{model.name}, which is read out by something put on top",
        )
    return pictures


@suggest_keywords
def import_checkpoint(
    weights: Path | str,
    model: str,
    path: Path | str,
    *,
    classes: Sequence[str] | None = None,
    licence: str | None = None,
) -> Path:
    """Write a file of weights, the robustness library's or any other, as a checkpoint with a card.

    Parameters
    ----------
    weights : path
        Read without running code in it. A normaliser's mean and deviation become the card's preprocessing; another
        number of classes becomes the last layer's.
    model : str
        The architecture, ``source:name``.
    path : path
        Ends in ``.safetensors``.
    classes : sequence of str, optional
        Names of the outputs; default the architecture's, where it has as many.
    licence : str, optional
        Of the weights.

    Raises
    ------
    InputError
        Names or shapes that do not match; other than as many names as outputs; a normaliser for a network that has
        none.

    Examples
    --------
    >>> import_checkpoint("cifar_l2_0_5.pt", "torchvision:resnet50", "mine.safetensors")    # doctest: +SKIP
    PosixPath('mine.safetensors')
    """
    weights = Path(weights)
    if not weights.is_file():
        raise InputError("a file of weights", got=f"no file at {weights}")
    found = load_unweighted(model)
    own = found.module.state_dict()
    parts = split_robustness(read_weights(weights), own)
    tensors = _adapt(found, strip_prefixes(parts.tensors, own))
    head = _set_other_head(found, tensors)
    load_state(found.module, tensors, origin=str(weights))
    names = tuple(classes) if classes is not None else None if head else found.classes
    notes: list[str] = []
    if parts.mean is not None:
        notes.append("Imported from a checkpoint of the robustness library; its normaliser is the preprocessing's.")
    found = replace(found, classes=names, preprocessing=_set_constants(found.preprocessing, parts.mean, parts.std))
    start = f"{weights.name}, sha256 {hash_file(weights)}"
    card = replace(make_card(found), started_from=start, licence=licence, notes=tuple(notes))
    return write_checkpoint(path, found.module, card)


def _adapt(model: Model, tensors: dict[str, Any]) -> dict[str, Any]:
    assert model.spec is not None
    adapt = get_source(model.spec.source).find(model.spec.model, model.spec.variant).adapt_state_dict
    return tensors if adapt is None else adapt(tensors, model.module)


def _set_other_head(model: Model, tensors: dict[str, Any]) -> bool:
    """Put another last layer into a network where the tensors have one and are else its own."""
    shapes = {name: tuple(value.shape) for name, value in tensors.items()}
    own = {name for name in model.module.state_dict() if not name.endswith(COUNTER)}
    if own != {name for name in shapes if not name.endswith(COUNTER)}:
        return False
    head = find_other_head(model.module, shapes)
    if head is not None:
        set_head(model.module, head["module"], head["n_classes"])
    return head is not None


def _set_constants(
    preprocessing: Preprocessing, mean: tuple[float, ...] | None, std: tuple[float, ...] | None
) -> Preprocessing:
    if mean is None or std is None:
        return preprocessing
    if not isinstance(preprocessing, ImagePreprocessing) or len(mean) != len(preprocessing.mean):
        raise InputError(
            "a network of pictures of three channels for a checkpoint with a normaliser",
            got=f"one prepared by {type(preprocessing).__name__}, and {len(mean)} constants",
        )
    return replace(preprocessing, mean=mean, std=std)
