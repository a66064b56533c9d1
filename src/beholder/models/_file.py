"""Networks in a user's own Python file."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, final

from beholder._core.errors import InputError
from beholder._core.seeds import DEFAULT_SEED
from beholder.models._preprocessing import ArrayPreprocessing, Preprocessing
from beholder.models._source import Blueprint, Source, Weights
from beholder.models._wrap import unwrap_module

if TYPE_CHECKING:
    from types import ModuleType

    from torch import nn

OWN_WEIGHTS = "own"


@final
class FileSource(Source):
    """``file:path/build_network.py``: the file is run as Python, so name only files that you trust.

    It must define one of

    ``build()``
        returns the network, or ``(network, layers)``;
    ``main(return_metamer_layers=True)``
        returns ``(network, dataset, layers)``, as metamer model directories do; the dataset is unused;
    ``model``
        the network itself.

    and may define ``preprocessing`` (a :class:`Preprocessing`, or a table or name for
    :func:`read_preprocessing`), ``input_shape``, ``input_range``, ``sample_rate``, ``layers`` (a list) and
    ``classes``. Without ``preprocessing``, stimuli pass through as they are. The weights that the file itself
    loads are its default ones, under the tag ``own``; ``--model_path`` puts others into the network.
    """

    def list_names(self) -> list[str]:
        """None: files cannot be listed."""
        return []

    def find(self, name: str, tag: str | None) -> Blueprint:
        """Blueprint of the network in the file ``name``."""
        path = Path(name).expanduser()
        if not path.is_file():
            raise InputError("a Python file with a network, as file:path/build_network.py", got=f"no file at {path}")
        module = _run_file(path.resolve())
        layers = tuple(getattr(module, "layers", ()))
        if not layers:
            with _seeded():
                layers = _make_network(module, path)[1]
        return Blueprint(
            source="file",
            name=str(path),
            build=lambda: _make_network(module, path)[0],
            preprocessing=_find_preprocessing(module, path),
            default_tag=OWN_WEIGHTS,
            tags=(OWN_WEIGHTS,),
            load_tag=lambda module, tag: Weights(tag=tag, file=str(path), sha256=_hash_text(path)),
            layers=layers,
            classes=tuple(module.classes) if "classes" in vars(module) else None,
        )


def _run_file(path: Path) -> ModuleType:
    name = f"_beholder_file_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError("a Python file (.py)", got=str(path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    sys.path.insert(0, str(path.parent))
    try:
        with _seeded():
            spec.loader.exec_module(module)
    except Exception as error:
        sys.modules.pop(name, None)
        raise InputError(f"a Python file that runs: {path}", got=f"{type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(str(path.parent))
    return module


@contextlib.contextmanager
def _seeded() -> Iterator[None]:
    """Fixed seed, so that a network without weights of its own is the same in every process."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(DEFAULT_SEED)
        yield


def _make_network(module: ModuleType, path: Path) -> tuple[nn.Module, tuple[str, ...]]:
    import torch

    names = vars(module)
    with torch.device("cpu"):  # such files load weights as they build, which the meta device cannot
        if callable(names.get("build")):
            result = names["build"]()
        elif callable(names.get("main")):
            takes = inspect.signature(names["main"]).parameters
            result = names["main"](**({"return_metamer_layers": True} if "return_metamer_layers" in takes else {}))
        else:
            result = names.get("model")
    if result is None:
        raise InputError(f"build(), main() or model in {path}", got="none of them")
    parts = result if isinstance(result, tuple) else (result,)
    if not parts or not isinstance(parts[0], torch.nn.Module):
        raise InputError(f"a torch.nn.Module from {path}", got=type(parts[0] if parts else result).__name__)
    layers = next((part for part in reversed(parts[1:]) if isinstance(part, (list, tuple))), ())
    return unwrap_module(parts[0]), tuple(str(layer) for layer in layers)


def _find_preprocessing(module: ModuleType, path: Path) -> Preprocessing:
    from beholder.models._preprocessing import read_preprocessing

    names = vars(module)
    given = names.get("preprocessing")
    if isinstance(given, Preprocessing):
        return given
    if given is not None:
        return read_preprocessing(given)
    shape, limits = names.get("input_shape"), names.get("input_range")
    return ArrayPreprocessing(
        shape=None if shape is None else tuple(shape),
        value_range=None if limits is None else (float(limits[0]), float(limits[1])),
        rate=names.get("sample_rate"),
    )


def _hash_text(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
