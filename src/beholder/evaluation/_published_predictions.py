"""What the networks of the metamer study said of each other's metamers, as published, beside what they say here."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.plain_pickle import read_plain_pickle
from beholder._core.wording import format_count

if TYPE_CHECKING:
    import pandas as pd

_MADE_BY = "metamers_from_"
_KINDS = {
    "word": ("labels_all_layers", "predictions__all_layers", "correct_incorrect"),
    "class": ("labels_1000_way_all_layers", "predictions_1000_way_all_layers", "correct_incorrect_1000"),
    "category": ("labels_16_way_all_layers", "predictions_16_way_all_layers", "correct_incorrect_16"),
}
_COLUMNS = ("model", "judge", "decision", "layer", "position", "reference", "verdict", "correct")


@suggest_keywords
def read_published_predictions(path: Path | str) -> pd.DataFrame:
    """A published file of one network's judgements of another's metamers; nothing in it is run.

    Parameters
    ----------
    path : path
        ``accuracy_on_metamers_from_{maker}.pckl``, of the asset ``network-predictions``.

    Returns
    -------
    DataFrame
        ``model`` (the maker), ``judge``, ``decision`` (``word``, ``class``, ``category``), ``layer``, ``position``,
        ``reference``, ``verdict``, ``correct``. Positions are no stimulus ids: some lists are shorter than the 400
        stimuli and do not say which are left out.

    Raises
    ------
    InputError
        A file of another form, or lists that do not fit together.
    """
    import pandas as pd

    path = Path(path)
    content: Any = read_plain_pickle(path)
    if not isinstance(content, dict) or not any(names[2] in content for names in _KINDS.values()):
        raise InputError("published judgements of metamers, with correct_incorrect", got=str(path))
    maker, judge = _name_maker(path), str(content.get("model_evaluation_directory", ""))
    rows: list[tuple[Any, ...]] = []
    for decision, (labels, verdicts, correct) in _KINDS.items():
        for layer, right in content.get(correct, {}).items():
            said = [content.get(name, {}).get(layer) for name in (labels, verdicts)]
            if any(each is not None and len(each) != len(right) for each in said):
                raise InputError("as many labels, predictions and verdicts", got=f"others at {layer} in {path}")
            references, answers = ([""] * len(right) if each is None else each for each in said)
            for place, is_right in enumerate(right):
                words = (str(references[place]), str(answers[place]))
                rows.append((maker, judge, decision, str(layer), place, *words, bool(is_right)))
    return pd.DataFrame(rows, columns=list(_COLUMNS))


@suggest_keywords
def find_published_predictions(paths: Sequence[Path | str], makers: Iterable[str] | None = None) -> list[Path]:
    """Published files of judgements, of some makers alone.

    Parameters
    ----------
    paths : sequence of path
        Files, or folders with them, such as that of the asset ``network-predictions``.
    makers : iterable of str, optional
        Networks whose metamers were judged; by their bare names, as in :func:`compare_with_published`.

    Raises
    ------
    InputError
        There are none, or none of these makers.
    """
    wanted = None if makers is None else {_squeeze(name) for name in makers}
    found: list[Path] = []
    for path in map(Path, paths):
        if not path.exists():
            raise InputError("published judgements of metamers", got=f"nothing at {path}")
        found += sorted(path.rglob(f"*{_MADE_BY}*.pckl")) if path.is_dir() else [path]
    kept = [path for path in found if wanted is None or _squeeze(_name_maker(path)) in wanted]
    if not kept:
        makers = ", ".join(sorted({_name_maker(path) for path in found})[:5])
        raise InputError(
            "published judgements of metamers of these networks",
            got=f"{format_count(len(found), 'file')}, of {makers}" if found else "no accuracy_on_metamers_from_….pckl",
            hint=None if found else "`beholder assets fetch network-predictions`",
        )  # fmt: skip
    return kept


@suggest_keywords
def compare_with_published(
    judgements: pd.DataFrame, published: pd.DataFrame, *, layers: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Proportions that networks recognise here beside the published ones, for each maker, judge, decision and layer.

    The published lists name no stimuli, so proportions are compared, never single answers. Networks are the same that
    have one bare name: ``torchvision:vgg19@IMAGENET1K_V1`` is the published ``vgg_19``.

    Parameters
    ----------
    judgements : DataFrame
        A table of judgements, as ``Judgement.select_metamers()`` and ``read_judgements`` give them: ``model, judge,
        decision, layer, correct``.
    published : DataFrame
        Of :func:`read_published_predictions`, of one or several files.
    layers : mapping of str to str, optional
        Layer here to the published stage, where the names differ by more than the ending ``_fake_relu`` or
        ``_fakerelu``.

    Returns
    -------
    DataFrame
        ``model, judge, decision, layer, proportion, n, published, n_published, difference``; NaN where one side is
        missing. Networks are called as here.

    Raises
    ------
    InputError
        No maker, judge, decision and layer is on both sides.
    """
    keys = ["model", "judge", "decision", "layer"]
    own = judgements[[*keys, "correct"]].copy()
    renamed = dict(layers or {})
    own["layer"] = [_shorten(renamed.get(str(layer), str(layer))) for layer in own["layer"]]
    theirs = published[[*keys, "correct"]].copy()
    theirs["layer"] = [_shorten(str(layer)) for layer in theirs["layer"]]
    left = own.groupby(keys)["correct"].agg(proportion="mean", n="count").reset_index()
    right = theirs.groupby(keys)["correct"].agg(published="mean", n_published="count").reset_index()
    for table in (left, right):
        for key in ("model", "judge"):
            table[f"bare_{key}"] = [_squeeze(str(name)) for name in table[key]]
    on = ["bare_model", "bare_judge", "decision", "layer"]
    both = left.merge(right, on=on, how="outer", suffixes=("", "_published"))
    for key in ("model", "judge"):
        both[key] = both[key].where(both[key].notna(), both[f"{key}_published"])
    both = both[[*keys, "proportion", "n", "published", "n_published"]].sort_values(keys, ignore_index=True)
    if not len(both.dropna(subset=["proportion", "published"])):
        here, there = (sorted(set(zip(*(table[key] for key in keys), strict=True)))[:2] for table in (own, theirs))
        raise InputError("a network, judge and layer on both sides", got=f"{here} here and {there} published")
    both["difference"] = both["proportion"] - both["published"]
    return both


def _name_maker(path: Path) -> str:
    return path.stem.partition(_MADE_BY)[2] or path.stem


def _squeeze(name: str) -> str:
    """A network's bare name: without source and weights, letters and digits alone.

    >>> _squeeze("torchvision:vgg19@IMAGENET1K_V1"), _squeeze("vgg_19")
    ('vgg19', 'vgg19')
    """
    return re.sub(r"[^a-z0-9]", "", name.rpartition(":")[2].partition("@")[0].lower())


def _shorten(layer: str) -> str:
    return layer.removesuffix("_fake_relu").removesuffix("_fakerelu")
