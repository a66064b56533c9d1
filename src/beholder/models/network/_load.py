"""From a name to a model: weights, device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from beholder._core.errors import suggest_keywords
from beholder._core.progress import tell_once, tell_slow
from beholder._core.seeds import DEFAULT_SEED
from beholder.models.catalog._resolve import ResolvedModel, resolve_model
from beholder.models.definitions._base import RANDOM, Alias
from beholder.models.network._model import Model, ModelSpec, make_model
from beholder.models.weights._key_rules import read_key_rules

if TYPE_CHECKING:
    pass


__all__ = ["load_model", "resolve_model"]


@suggest_keywords
def load_model(
    name: str | Alias | Model,
    *,
    pretrained: bool = False,
    weights: str | None = None,
    model_path: str | Path | None = None,
    device: str = "auto",
    meta: bool = False,
    seed: int = DEFAULT_SEED,
    keys: Mapping[str, str] | str | Path | None = None,
) -> Model:
    """Load a network by name.

    Parameters
    ----------
    name : str
        ``source:name[@weights]``, or a bare name: looked up in the catalog, then in torchvision, timm and open_clip.
        ``weights`` is a tag of the source, a file, or ``random``. A catalog entry, or a model (returned as it is,
        on ``device``) will do too.
    pretrained : bool
        Ask for the published weights; what happens anyway when no other weights are named.
    weights : str, optional
        The same as ``@weights``.
    model_path : path, optional
        File with weights, or a folder that holds them under their published name.
    device : str
        As for :func:`~beholder.models.pick_device`: ``auto`` picks MPS, then CUDA, then XPU, then the CPU.
    meta : bool
        Build without weights and memory, on torch's ``meta`` device: enough to look at the layers.
    seed : int
        Of random weights.
    keys : mapping or path, optional
        How names in a file of weights become the network's: rules, or a JSON or TOML file of them; see
        :func:`~beholder.models.rename_keys`.

    Returns
    -------
    Model
        In eval mode, float32, parameters without gradients.

    Raises
    ------
    UnknownNameError
        Nothing answers to the name; suggests near ones.
    WeightsUnavailable
        The weights are not on this machine and cannot be fetched; lists the ways.
    InputError
        A device that is absent, a file that is no file of weights, flags that contradict one another.

    Examples
    --------
    >>> load_model("torchvision:squeezenet1_1@random", device="cpu").path_name
    'squeezenet1_1--random'
    """
    from beholder.models.definitions._devices import pick_device

    if isinstance(name, Model):
        return name if device == "auto" else name.to(pick_device(device))
    with tell_slow(f"loading {name if isinstance(name, str) else name.path_name}"):
        return _load(name, pretrained, weights, model_path, device, meta=meta, seed=seed, keys=keys)


def _load(
    name: str | Alias,
    pretrained: bool,
    weights: str | None,
    model_path: str | Path | None,
    device: str,
    *,
    meta: bool,
    seed: int,
    keys: Mapping[str, str] | str | Path | None,
) -> Model:
    from beholder.models.definitions._devices import pick_device

    place = "meta" if meta else pick_device(device)
    resolved = resolve_model(name, pretrained=pretrained, weights=weights, model_path=model_path, check_file=not meta)
    if resolved.is_default and not meta:
        tell_once("%s: no weights were named, so the default ones are used: %s", resolved.path_name, resolved.name)
    return make_model(_make_spec(resolved, seed, read_key_rules(keys)), resolved.definition, place)


def load_unweighted(name: str | Alias, *, pretrained: bool = False, model_path: str | Path | None = None) -> Model:
    """The network of a name on the CPU, built for real, without reading weights: to look at where ``meta`` fails."""
    resolved = resolve_model(name, pretrained=pretrained, model_path=model_path, check_file=False)
    spec = replace(_make_spec(resolved, DEFAULT_SEED), tag=RANDOM, file=None)
    return make_model(spec, resolved.definition, "cpu")


def _make_spec(resolved: ResolvedModel, seed: int, keys: tuple[tuple[str, str], ...] = ()) -> ModelSpec:
    definition, alias = resolved.definition, resolved.alias
    return ModelSpec(
        source=definition.source,
        model=definition.name,
        tag=resolved.tag,
        file=None if resolved.file is None else str(resolved.file),
        sha256=None,
        path_name=resolved.path_name,
        preprocessing=(alias.preprocessing if alias else None) or definition.preprocessing,
        layers=(alias.layers if alias else ()) or definition.layers,
        taps=tuple({**definition.taps, **(alias.taps if alias else {})}.items()),
        pool=alias.pool if alias else None,
        seed=seed,
        variant=resolved.variant,
        metamer_layers=(alias.metamer_layers if alias else ()) or definition.metamer_layers,
        keys=keys or (alias.keys if alias else ()),
    )
