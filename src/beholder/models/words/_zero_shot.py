"""Zero-shot classification: class names and prompts to a linear readout of a CLIP network's embedding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.hashing import hash_array, hash_settings
from beholder._core.progress import show_progress
from beholder._core.tables import read_rows
from beholder._core.wording import format_count
from beholder.models.network._identity import identify_model
from beholder.models.network._readout import ZeroShotForward
from beholder.models.words._prompts import IMAGENET_TEMPLATES

if TYPE_CHECKING:
    from torch import Tensor

    from beholder.models.network._model import Model

ZERO_SHOT = "zero_shot"
"""The layer of zero-shot logits."""
LABEL_COLUMNS = ("label", "labels", "class", "class_name", "name", "text")

_BATCH = 256


def get_text_tower(clip: Any) -> tuple[Any, int, Callable[[Sequence[str]], Tensor]]:
    """The module with ``encode_text``, its context length, and its tokenizer."""
    import open_clip
    from open_clip.tokenizer import SimpleTokenizer

    from beholder.models.nets._clip import ClipModel
    from beholder.models.network._model import Model
    from beholder.models.words._tokens import tokenize

    network = clip.module if isinstance(clip, Model) else clip
    if not isinstance(network, ClipModel | open_clip.CLIP | open_clip.CustomTextCLIP | open_clip.CoCa):
        got = clip.name if isinstance(clip, Model) else type(clip).__name__
        raise InputError("a network with a text tower, such as RN50 or open_clip:ViT-B-16", got=str(got))
    length = int(network.context_length)
    if isinstance(clip, Model) and clip.spec is not None and clip.spec.source == "open_clip":
        tokenizer = open_clip.get_tokenizer(clip.spec.model)
        if not isinstance(tokenizer, SimpleTokenizer):
            return network, length, lambda texts: tokenizer(list(texts))
    return network, length, lambda texts: tokenize(list(texts), length)


@suggest_keywords
def embed_texts(clip: Any, texts: Sequence[str], *, normalize: bool = False, batch_size: int = _BATCH) -> np.ndarray:
    """Embeddings of texts by a CLIP network.

    CLIP's own tokenizer refuses a text that is too long; the tokenizers of other text towers cut it.

    Parameters
    ----------
    clip : Model, ClipModel or open_clip network
        Not a scripted one.
    texts : sequence of str
        One text a row.
    normalize : bool
        Scale each embedding to unit length.
    batch_size : int
        Texts per forward pass.

    Returns
    -------
    ndarray
        (n_texts, n_dimensions), float32.

    Raises
    ------
    InputError
        The network has no text tower; a text is too long for it; there are no texts.
    """
    import torch

    texts = list(texts)
    if not texts:
        raise InputError("at least one text", got="none")
    network, _, tokenize = get_text_tower(clip)
    device = next(network.parameters()).device
    rows: list[np.ndarray] = []
    with torch.inference_mode(), show_progress("embed texts", len(texts), "texts") as advance:
        for start in range(0, len(texts), batch_size):
            tokens = tokenize(texts[start : start + batch_size]).to(device)
            rows.append(network.encode_text(tokens).float().cpu().numpy())
            advance(len(tokens))
    embeddings = np.concatenate(rows)
    return embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True) if normalize else embeddings


@suggest_keywords
def build_zero_shot_head(
    clip: Any, class_names: Sequence[str], templates: Sequence[str] = IMAGENET_TEMPLATES, *, batch_size: int = _BATCH
) -> np.ndarray:
    r"""Readout weights of a zero-shot classifier.

    .. math:: w_c = \frac{m_c}{\lVert m_c \rVert},\qquad m_c = \frac{1}{T}\sum_t \frac{e(t, c)}{\lVert e(t, c) \rVert}

    where :math:`e(t, c)` is the embedding of template :math:`t` filled with class name :math:`c`.

    Parameters
    ----------
    clip : Model, ClipModel or open_clip network
        A network with a text tower.
    class_names : sequence of str
        One name a class.
    templates : sequence of str
        Prompts with ``{}`` where the name goes; default the 80 of ImageNet.
    batch_size : int
        Texts per forward pass.

    Returns
    -------
    ndarray
        (n_classes, n_dimensions), float32, rows of unit length.

    Source
    ------
    Radford et al. (2021), section 3.1.4.
    """
    names, templates = list(class_names), list(templates)
    if not names or not templates:
        raise InputError(
            "at least one class name and one template",
            got=f"{format_count(len(names), 'name')}, {len(templates)} templates",
        )
    for template in templates:
        if template.count("{}") != 1:
            raise InputError("templates with one {} each", got=repr(template))
    prompts = [template.replace("{}", name) for name in names for template in templates]
    embeddings = embed_texts(clip, prompts, normalize=True, batch_size=batch_size)
    means = embeddings.reshape(len(names), len(templates), -1).mean(axis=1)
    return (means / np.linalg.norm(means, axis=1, keepdims=True)).astype(np.float32)


@suggest_keywords
def make_zero_shot(
    model: Model,
    class_names: Sequence[str],
    templates: Sequence[str] = IMAGENET_TEMPLATES,
    *,
    head: np.ndarray | None = None,
) -> Model:
    """The same network as a classifier of the named classes; its layers keep their names.

    Parameters
    ----------
    model : Model
        A CLIP network of open_clip.
    class_names : sequence of str
        Names of the outputs, in order.
    templates : sequence of str
        Prompts; default the 80 of ImageNet.
    head : (n_classes, n_dimensions) array, optional
        A finished head, from :func:`build_zero_shot_head`.

    Returns
    -------
    Model
        ``model(x)`` gives logits (n_stimuli, n_classes). Its ``spec`` is None: other processes cannot rebuild it.
    """
    import torch

    made_from = "" if head is not None else _describe_making(model, class_names, templates)
    values = np.array(build_zero_shot_head(model, class_names, templates) if head is None else head, dtype=np.float32)
    if values.ndim != 2 or len(values) != len(class_names):
        raise InputError(f"a head of {format_count(len(class_names), 'row')}", got=f"an array of shape {values.shape}")
    forward = ZeroShotForward(model.forward, torch.from_numpy(values), made_from, hash_array(values))
    return replace(model, forward=forward, classes=tuple(class_names), spec=None)


@suggest_keywords
def use_labels(model: Model, file: Path | str) -> Model:
    """A CLIP model with the layer ``zero_shot``: logits of the classes that a file names, a line each."""
    model = make_zero_shot(model, read_labels(file))
    return replace(model, taps={**model.taps, ZERO_SHOT: "output"})


def _describe_making(model: Model, class_names: Sequence[str], templates: Sequence[str]) -> str:
    """What a head is computed from; empty for a network that cannot be identified, whose head counts by its values."""
    try:
        return hash_settings([identify_model(model), list(class_names), list(templates)])
    except InputError:
        return ""


@suggest_keywords
def read_texts(file: Path | str) -> list[str]:
    """Texts of a file, one a line; empty lines at the end do not count.

    Raises
    ------
    InputError
        The file is absent, empty, not UTF-8, or has an empty line between texts.
    """
    lines = [line.strip() for line in _read(file).splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        raise InputError("a file with one text a line", got=f"{file}, which is empty")
    if "" in lines:
        raise InputError("a file with one text a line", got=f"{file}, whose line {lines.index('') + 1} is empty")
    return lines


@suggest_keywords
def read_labels(file: Path | str) -> list[str]:
    """Class names of a file, in the order of the outputs.

    Parameters
    ----------
    file : path
        Text with one name a line; or ``.csv`` / ``.tsv`` with one column, or with a header and one of the columns
        ``label, labels, class, class_name, name, text``.

    Returns
    -------
    list of str
        Names may repeat.
    """
    delimiter = {".csv": ",", ".tsv": "\t"}.get(Path(file).suffix.lower())
    if delimiter is None:
        return read_texts(file)
    if not Path(file).is_file():
        raise InputError("a file of names", got=f"no file at {file}")
    rows = [row for row in read_rows(file, delimiter) if any(cell.strip() for cell in row)]
    if not rows:
        raise InputError("a table of class names", got=f"{file}, which is empty")
    header = [cell.strip().lower() for cell in rows[0]]
    column = next((header.index(name) for name in LABEL_COLUMNS if name in header), None)
    if column is None and len(header) > 1:
        raise InputError(f"a column {', '.join(LABEL_COLUMNS)} in {file}", got=f"the columns {', '.join(header)}")
    body = rows if column is None else rows[1:]
    short = next((number for number, row in enumerate(body) if len(row) <= (column or 0)), None)
    if short is not None or not body:
        raise InputError(
            "a class name in every row",
            got=f"{file} without one" + (f" in row {short + 1}" if short is not None else ""),
        )
    return [row[column or 0].strip() for row in body]


def _read(file: Path | str) -> str:
    path = Path(file)
    if not path.is_file():
        raise InputError("a file of names", got=f"no file at {path}")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError("a file in UTF-8", got=f"{path} ({error.reason} at byte {error.start})") from error
