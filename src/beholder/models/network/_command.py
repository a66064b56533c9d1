"""What to type for a model, for commands that messages print."""

from __future__ import annotations

from typing import TYPE_CHECKING

from beholder._core.errors import BeholderError, suggest_keywords
from beholder._core.seeds import DEFAULT_SEED
from beholder.models.catalog._resolve import resolve_model
from beholder.models.definitions._base import RANDOM

if TYPE_CHECKING:
    from beholder.models.network._model import Model


@suggest_keywords
def find_model_words(model: Model) -> list[str] | None:
    """The name, and the flags of weights, that give this model and its path name at the command line, not quoted.

    Parameters
    ----------
    model : Model

    Returns
    -------
    list of str or None
        None for a model that no name gives, such as a wrapped one.

    Examples
    --------
    >>> from beholder.models import load_model
    >>> find_model_words(load_model("torchvision:squeezenet1_1@random", seed=7))
    ['torchvision:squeezenet1_1@random', '--weights_seed', '7']
    >>> find_model_words(load_model("beholder:shapes"))
    ['beholder:shapes']
    """
    spec = model.spec
    if spec is None:
        return None
    flags = ["--model_path", spec.file] if spec.file else []
    if spec.tag == RANDOM and spec.seed != DEFAULT_SEED:
        flags += ["--weights_seed", str(spec.seed)]
    plain = f"{spec.source}:{spec.model}"
    for name in (plain, spec.path_name, f"{plain}@{spec.tag}"):
        try:
            found = resolve_model(name, model_path=spec.file, check_file=False)
        except BeholderError:
            continue
        same = (found.definition.source, found.definition.name) == (spec.source, spec.model)
        if same and (found.tag, found.path_name) == (spec.tag, spec.path_name):
            return [name, *flags]
    return None
