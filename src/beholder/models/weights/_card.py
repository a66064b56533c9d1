"""The card of a checkpoint: what its weights are, kept with them as one JSON text in the file's metadata."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.narrowing import is_json_object, is_mapping
from beholder.models.weights._look import check_weights_file

if TYPE_CHECKING:
    from beholder.models.preprocessing._read import Preprocessing

KEY = "card"
FORMAT = "beholder-model-card/1"
_FORMAT_NAME = FORMAT.partition("/")[0]


@final
@dataclass(frozen=True)
class ModelCard:
    """What is known of the weights in a checkpoint. No time, host or path stands in it: same weights, same bytes.

    Parameters
    ----------
    model : str or None
        ``source:name`` of the architecture, without weights; None for a module of the user's own, which a name
        cannot build.
    classes : tuple of str or None
        Names of the outputs, in order.
    preprocessing : mapping or None
        As :meth:`Preprocessing.to_dict` gives it; None where a function of the user's own is part of it.
    layers : tuple of str
        Recorded layers.
    variant : str or None
        Published weights whose architecture was built, where a name has several.
    head : mapping or None
        ``{"module": path, "n_classes": int}`` where the last layer is another one than the architecture's own.
    readout : mapping or None
        ``{"layer", "pool", "n_features", "n_classes", ...}`` where a linear read-out of a layer gives the answers.
    started_from : str or None
        Weights that training began with: a tag, ``random, seed 42``, a file's name and hash.
    preset : str or None
        Such as ``"adversarial"``.
    settings : mapping
        Resolved settings of the training.
    data : mapping
        What it was trained on: ``name``, ``fingerprint``, ``n_stimuli``, ``n_validation``, whatever there is.
    epoch, step : int or None
        Epochs that are done, steps of the optimiser that are done.
    averaging : str or None
        Such as ``"exponential moving average, decay 0.999"`` where the weights are an average over steps.
    accuracies : tuple of mapping
        One a setting: ``part`` (such as ``validation``), ``attack``, ``norm``, ``eps``, ``accuracy_top1``,
        ``accuracy_top5``, ``n``, ``low``, ``high``, whatever there is.
    licence : str or None
        Of the weights.
    notes : tuple of str
        Sentences.
    versions : mapping
        Of Python and packages.
    """

    model: str | None = None
    classes: tuple[str, ...] | None = None
    preprocessing: Mapping[str, Any] | None = None
    layers: tuple[str, ...] = ()
    variant: str | None = None
    head: Mapping[str, Any] | None = None
    readout: Mapping[str, Any] | None = None
    started_from: str | None = None
    preset: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict[str, Any])
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])
    epoch: int | None = None
    step: int | None = None
    averaging: str | None = None
    accuracies: tuple[Mapping[str, Any], ...] = ()
    licence: str | None = None
    notes: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict[str, str])

    def to_dict(self) -> dict[str, Any]:
        """All fields, JSON-able where they are plain."""
        return {"format": FORMAT, **dataclasses.asdict(self)}

    def to_json(self) -> str:
        """One JSON text, its keys in order, which :meth:`from_json` reads back.

        Raises
        ------
        InputError
            Something in it is no plain value, or no finite number.
        """
        try:
            return json.dumps(self.to_dict(), sort_keys=True, ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise InputError("a model card of plain values and finite numbers", got=str(error)) from error

    @classmethod
    def from_json(cls, text: str, where: Path | str = "a checkpoint") -> ModelCard | None:
        """The card in a text; None where the text is another program's.

        Raises
        ------
        InputError
            A card of a later version, or one that lost its form.
        """
        try:
            table = json.loads(text)
        except ValueError:
            return None
        if not is_json_object(table) or not str(table.get("format")).startswith(_FORMAT_NAME):
            return None
        if table.pop("format") != FORMAT:
            raise InputError(f"a {FORMAT}", got=f"{where}, a later version's", hint="a newer Beholder")
        return cls(**_read_fields(table, where))

    def read_preprocessing(self) -> Preprocessing | None:
        """The preprocessing that the card describes."""
        from beholder.models.preprocessing._read import read_preprocessing

        return None if self.preprocessing is None else read_preprocessing(self.preprocessing)


_TUPLES = ("classes", "layers", "accuracies", "notes")
_MAPPINGS = ("preprocessing", "head", "readout", "settings", "data", "versions")


def _read_fields(table: dict[str, Any], where: Path | str) -> dict[str, Any]:
    known = [each.name for each in dataclasses.fields(ModelCard)]
    wrong = [name for name in table if name not in known]
    wrong += [name for name in _TUPLES if not isinstance(table.get(name, []), list | None)]
    wrong += [name for name in _MAPPINGS if table.get(name) is not None and not is_mapping(table[name])]
    if wrong:
        raise InputError("a model card with its own fields", got=f"{wrong[0]!r} in that of {where}")
    return {name: tuple(value) if isinstance(value, list) else value for name, value in table.items()}


def find_card(path: Path | str | None) -> ModelCard | None:
    """The card of a file of weights; None where there is no file, or none in it. Tensors are not read.

    Raises
    ------
    InputError
        A damaged safetensors file; a card of a later version.
    """
    path = None if path is None else Path(path)
    if path is None or path.suffix != ".safetensors" or not path.is_file():
        return None
    check_weights_file(path)
    with open(path, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    metadata = header.get("__metadata__")
    text = metadata.get(KEY) if is_mapping(metadata) else None
    return ModelCard.from_json(text, path) if isinstance(text, str) else None


@suggest_keywords
def read_card(path: Path | str) -> ModelCard:
    """The model card in a checkpoint.

    Parameters
    ----------
    path : path
        A ``.safetensors`` file.

    Raises
    ------
    InputError
        No such file; one without a card.

    Examples
    --------
    >>> read_card("runs/mine/checkpoints/best.safetensors").classes     # doctest: +SKIP
    ('cat', 'dog')
    """
    if not Path(path).is_file():
        raise InputError("a checkpoint with a model card", got=f"no file at {path}")
    card = find_card(path)
    if card is None:
        raise InputError(
            "a checkpoint with a model card", got=f"{path}, which has none",
            hint="a .safetensors file of beholder train, or beholder.models.write_checkpoint",
        )  # fmt: skip
    return card
