"""What a user types and reads, as lines of text: commands and flags, names, refusals; and names in identities."""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from tests.golden import inputs
from tests.golden.runs import call, working_in

FOLDER = Path(__file__).parent / "texts"

ROOMS = (
    "", "activations", "demo", "evaluation", "experiments", "figures", "jobs", "models", "models.clip", "report",
    "responses", "statistics", "stimuli", "synthesis", "testing", "units",
)  # fmt: skip


def list_names(place: Path) -> Iterator[str]:
    """Public names, a line each."""
    for room in ROOMS:
        module = f"beholder.{room}".rstrip(".")
        names = getattr(importlib.import_module(module), "__all__", None)
        if names is None:
            names = [name for name in dir(importlib.import_module(module)) if not name.startswith("_")]
        yield from (f"{module}.{name}" for name in sorted(names))


def list_flags(place: Path) -> Iterator[str]:
    """Every command with its help; every flag with its names, type, default and help."""
    from beholder.cli._main import app

    def walk(words: list[str], parent: Any) -> Iterator[str]:
        for name in parent:
            if name.startswith("-"):
                continue
            child, chain = parent[name], [*words, name]
            yield f"beholder {' '.join(chain)}"
            yield from (f"    {line}".rstrip() for line in _read_help(child).splitlines())
            if child.default_command is not None:
                with app.app_stack(chain):
                    for argument in child.assemble_argument_collection(parse_docstring=True):
                        if argument.children:  # a group of flags, which follow
                            continue
                        yield f"  {_describe(argument)}"
                        yield f"        {' '.join((argument.parameter.help or '').split())}".rstrip()
            yield from walk(chain, child)

    yield from walk([], app)


def _read_help(app: Any) -> str:
    text = (app.default_command.__doc__ if app.default_command else None) or app.help or ""
    return text.partition("\n    Parameters\n")[0].strip()


def _describe(argument: Any) -> str:
    default = argument.field_info.default
    told = (
        "required"
        if argument.required
        else "any number"
        if default is argument.field_info.empty
        else f"default {default}"
    )
    hint = re.sub(r"typing\.|pathlib\.(_local\.)?|<class '|'>", "", str(argument.hint))
    hidden = "" if argument.show else ", hidden"
    return f"{' '.join(argument.names)}: {hint}, {told}{hidden}"


REFUSED = (
    "extract -m toy -mn conv -ip nowhere",
    "extract -m toy -mn cnv -ip images",
    "extract -m toi -mn conv -ip images",
    "extract -m toy -ip images",
    "extract -m toy -mn conv -ip images -ff xlsx",
    "extract -m toy -mn conv -ip images --reduce pca:x",
    "extract -m toy -mn conv -ip images --fraction 2",
    "extract -m toy -mn conv -ip images --dtpe float32",
    "extract -m toy -mn conv -ip images --batch_size 0",
    "panel",
    "panel --stimuli_root images --folders none --output_dir out --models toy --layers head -y",
    "panel --stimuli_root images --folders circle --output_dir out --models wide --layers nothing -y",
    "layers toi",
    "models fetch",
    "units sample --n_units 3",
    "units sample --model_name toy --n_units 0",
    "units record --in_path natural",
    "units exemplars --units_file nothing.json",
    "units exemplars --units_file units.json --model_name toy --activations nowhere.zarr",
    "units occlude --model_name toy",
    "metamers make",
    "metamers make toy nowhere --layers conv",
    "metamers make toy shown --layers cnv",
    "metamers null toy nowhere --layers conv -N 3",
    "metamers judge nowhere --models toy",
    "tasks plan -s nowhere",
    "tasks build -i nothing.json",
    "tasks serve nowhere --db a.sqlite",
    "tasks simulate nowhere --db a.sqlite --participants 2",
    "tasks export --db nothing.sqlite",
    "tasks status --db nothing.sqlite",
    "tasks backup out.sqlite --db nothing.sqlite",
    "tasks upgrade out.sqlite --db nothing.sqlite",
    "tasks forget --db nothing.sqlite",
    "tasks import nowhere answers.json --db a.sqlite",
    "stimuli grade --grade contrast --levels 7 -ip images",
    "show nowhere",
    "verify nowhere",
    "report nowhere",
    "assets fetch",
    "assets path nothing",
    "shwo",
)


def list_refusals(place: Path) -> Iterator[str]:
    """Wrong command lines, with exit code and message."""
    inputs.write_inputs(place)
    with working_in(place):
        inputs.register_networks()
        for line in REFUSED:
            said = call(line)
            yield f"$ beholder {line}"
            yield f"{said['code']} {' '.join(str(said['err']).split())}".replace(str(place), "HERE")


NETWORKS = (
    "beholder:shapes", "beholder:syllables", "cornet:z", "cornet:s", "cornet:r", "cornet:rt", "hmax_standard",
    "vonealexnet_gaussian_noise_std4_fixed", "audio:spectemp", "audio:cochcnn9", "audio:cochresnet50",
    "alexnet_reduced_aliasing_early_checkpoint", "konkle_alexnetgn_ipcl_ref12_supervised_ipcl_aug", "slip:vit_small",
)  # fmt: skip


def list_identities(place: Path) -> Iterator[str]:
    """By which names Beholder's own code stands in identities, and identities of what holds nothing of torch's."""
    from beholder._core import callables
    from beholder._core.callables import identify_value
    from beholder.models import (
        ArrayPreprocessing,
        ImagePreprocessing,
        SoundPreprocessing,
        describe_preprocessing,
        identify_model,
        load_model,
    )
    from beholder.synthesis import LBFGS, Adam, Fourier, MatchTarget, Noise, Pad, PhaseOnly, Range
    from beholder.synthesis.engine._checkpoint import describe_part

    found: set[str] = set()
    original = callables.name_origin

    def note(value: Any, module: str, name: str) -> str:
        told = original(value, module, name)
        if told.startswith("beholder"):
            found.add(told)
        return told

    with mock.patch.object(callables, "name_origin", note):
        for name in NETWORKS:
            found.clear()
            model = load_model(name, meta=True)
            identify_model(model)
            yield f"{name} ({model.name}): {', '.join(sorted(found))}"
            yield f"    {json.dumps(describe_preprocessing(model))}"
        for each in (
            ArrayPreprocessing(shape=(3, 8, 8), value_range=(0, 1)),
            ImagePreprocessing(resize=9, crop=(8, 8), mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25)),
            SoundPreprocessing(rate=8000, duration=0.5, rms=0.1),
        ):
            found.clear()
            yield f"{each.describe()}: {identify_value(each)}, {', '.join(sorted(found))}"
    for part in (Fourier(), PhaseOnly(), Adam(0.1), LBFGS(), MatchTarget, Pad(2), Noise(0.1), Range(0, 1)):
        yield json.dumps(describe_part(part))


TEXTS: dict[str, Callable[[Path], Iterator[str]]] = {
    "names": list_names,
    "flags": list_flags,
    "refusals": list_refusals,
    "identities": list_identities,
}


def write_text(name: str, place: Path) -> Path:
    """Write one of the texts anew."""
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"{name}.txt"
    path.write_text("\n".join(TEXTS[name](place)) + "\n", encoding="utf-8")
    return path
