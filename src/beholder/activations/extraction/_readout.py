"""A stored read-out of a layer, put on the network whose layer it reads."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.progress import logger
from beholder.activations.forward._probe import ProbedLayer, probe_layers
from beholder.activations.forward._targets import pooled_shape, resolve_layers
from beholder.models import (
    Model,
    ModelCard,
    copy_model,
    explain_shape_errors,
    list_identities,
    load_model,
    make_blank_input,
    make_card,
    read_card,
    read_weights,
    run_eagerly,
    write_checkpoint,
)

READOUT = "readout"


@suggest_keywords
def join_readout(model: Model | str, readout: Path | str, path: Path | str) -> Path:
    """Put a layer's read-out on its network and write both as one checkpoint.

    ``NAME@path`` is then the frozen network whose answers are those of the read-out; its layers have the names that
    they had, and the read-out itself is the layer ``readout``.

    Parameters
    ----------
    model : Model or str
        The network whose layer was read.
    readout : path
        As :func:`beholder.analyze_probe` keeps it in ``probes/``.
    path : path
        The checkpoint to write, ``.safetensors``.

    Raises
    ------
    InputError
        No read-out; another network than the one whose activations were read; a layer that gives other features.

    Examples
    --------
    >>> join_readout("resnet50", "analysis/probes/layer4.safetensors", "probe.safetensors")     # doctest: +SKIP
    PosixPath('probe.safetensors')
    """
    card = read_card(readout)
    if card.readout is None:
        raise InputError(
            "the read-out of a layer", got=f"{readout}, whose card names none", hint="beholder analyze probe"
        )
    found = load_model(model, device="cpu") if isinstance(model, str) else model
    network = card.readout.get("network")
    if network is None:
        logger.warning("%s does not say of which network it is: %s is taken to be it", readout, found.name)
    elif network not in list_identities(found):
        raise InputError(
            f"the network whose {card.readout['layer']} was read", got=f"{found.name}, with other weights or code",
            hint="the network as it was extracted",
        )  # fmt: skip
    described = _place(found, card)
    state = {**found.module.state_dict(), **read_weights(Path(readout))}
    own = make_card(found)
    made = replace(
        card, model=own.model, preprocessing=own.preprocessing, layers=own.layers, variant=own.variant, head=own.head,
        readout=described, started_from=own.started_from, versions=own.versions,
    )  # fmt: skip
    return write_checkpoint(path, state, made)


def _place(model: Model, card: ModelCard) -> dict[str, Any]:
    """The read-out of the card, with where in the network its features are."""
    told: dict[str, Any] = dict(card.readout or {})
    layer = str(told["layer"])
    if told.get("reduce"):
        raise InputError("a read-out of a layer's own features", got=f"one of {layer} projected onto fewer")
    if hasattr(model.module, READOUT):
        raise InputError(f"a network without a part called {READOUT!r}", got=model.name)
    copied = copy_model(model)
    refs = resolve_layers(copied.module, [layer], model.taps)
    example = make_blank_input(copied)
    with run_eagerly(), explain_shape_errors(copied, tuple(example.shape[1:])):
        probed: ProbedLayer = probe_layers(
            copied.module, refs, copied.run, example, axes=model.axes, modality=model.modality
        )[layer]
    ref = probed.ref
    if ref.side not in ("in", "out") or ref.parts or not probed.place.is_plain:
        raise InputError(
            "a layer that one module gives or takes whole, to read it out in the network", got=repr(layer),
            hint="the layer without [...] and :heads",
        )  # fmt: skip
    pool = "mean" if told.get("pool_tokens") and told["pool"] == "none" and "token" in probed.axes else told["pool"]
    shape, _ = pooled_shape(probed.shape, probed.axes, pool)
    n_features = math.prod(shape)
    if n_features != told["n_features"] and model.input_shape is not None:  # else of stimuli of another size
        raise InputError(f"{told['n_features']} features at {layer}", got=f"{n_features} in {model.name}")
    return {
        "layer": layer, "path": "" if ref.path == "output" else ref.path, "call": ref.call, "side": ref.side,
        "stimulus_axis": probed.place.axis, "pool": pool, "axes": list(probed.axes),
        "n_features": told["n_features"], "n_classes": told["n_classes"],
    }  # fmt: skip
