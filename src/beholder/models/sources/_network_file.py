"""Running a Python file that defines a network."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import importlib.util
import inspect
import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beholder._core.errors import InputError
from beholder._core.hashing import hash_file
from beholder._core.seeds import DEFAULT_SEED
from beholder.models.network._wrap import unwrap_module

if TYPE_CHECKING:
    from types import ModuleType

    from torch import nn

logger = logging.getLogger("beholder")

FILE_NAME = "build_network.py"

_MAIN_OPTIONS = {"return_metamer_layers": True, "include_identity_sequential": False, "strict": True}


@dataclass(eq=False)
class NetworkFile:
    """A file that was run; ``spare`` is a network that nobody has taken yet."""

    path: Path
    module: ModuleType
    layers: tuple[str, ...]
    dataset: Any
    spare: nn.Module | None

    def take_network(self) -> nn.Module:
        """A network of one's own, with the file's own weights."""
        network, self.spare = self.spare, None
        return _make_network(self.module, self.path)[0] if network is None else network


_RUN: dict[tuple[str, str], NetworkFile] = {}
_TOLD: set[Path] = set()


def find_network_file(name: Path | str) -> Path:
    """The Python file that a path, or a directory with a ``build_network.py``, means."""
    path = Path(name).expanduser()
    path = path / FILE_NAME if path.is_dir() else path
    if not path.is_file():
        raise InputError("a Python file with a network, as file:path/build_network.py", got=f"no file at {path}")
    return path


def open_dataset(name: Path | str) -> Any:
    """The dataset that ``main()`` of a file returns beside the network; None when there is none."""
    return run_network_file(find_network_file(name)).dataset


def run_network_file(path: Path) -> NetworkFile:
    """Run a file, once a process and content."""
    key = (str(path.resolve()), hash_file(path))
    if key not in _RUN:
        module = _run_file(path.resolve())
        network, dataset, layers = _make_network(module, path)
        _RUN[key] = NetworkFile(path, module, layers, dataset, network)
    return _RUN[key]


def _run_file(path: Path) -> ModuleType:
    name = f"_beholder_file_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError("a Python file (.py)", got=str(path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with explain_file_errors(path), _at_home(path), _seeded():
            spec.loader.exec_module(module)
    except InputError:
        sys.modules.pop(name, None)
        raise
    return module


@contextlib.contextmanager
def explain_file_errors(path: Path) -> Iterator[None]:
    """Turn whatever a user's file raises into one line."""
    try:
        yield
    except InputError:
        raise
    except ImportError as error:
        logger.debug("%s", path, exc_info=True)
        what = f"no module {error.name!r}" if error.name and isinstance(error, ModuleNotFoundError) else str(error)
        raise InputError(
            f"the modules that {path} imports", got=what, hint="installing it, or PYTHONPATH=FOLDER"
        ) from error
    except (Exception, SystemExit) as error:
        logger.debug("%s", path, exc_info=True)
        got = f"{type(error).__name__}: {format_first_line(error)}"
        raise InputError(f"a Python file that runs: {path}", got=got) from error


def format_first_line(error: BaseException) -> str:
    """First line of an error's text, or its class."""
    text = str(error).strip()
    return text.splitlines()[0][:200] if text else type(error).__name__


@contextlib.contextmanager
def _at_home(path: Path) -> Iterator[None]:
    """Let a file import its neighbours and what lies in the working directory, and load on a machine without CUDA."""
    added = [str(path.resolve().parent), str(Path.cwd())]
    sys.path[:0] = added
    try:
        with _without_cuda(path):
            yield
    finally:
        for folder in added:
            with contextlib.suppress(ValueError):
                sys.path.remove(folder)


@contextlib.contextmanager
def _without_cuda(path: Path) -> Iterator[None]:
    """Where there is no CUDA device, ``.cuda()`` leaves things on the CPU and ``torch.load`` puts them there."""
    import torch

    if torch.cuda.is_available():
        yield
        return

    def stay(self: Any, *_args: Any, **_options: Any) -> Any:
        if path.resolve() not in _TOLD:
            _TOLD.add(path.resolve())
            logger.info("%s: no CUDA device here, so its .cuda() is left out", path)
        return self

    load = torch.load

    def load_here(*args: Any, **options: Any) -> Any:
        if len(args) < 2 and options.get("map_location") is None:
            options["map_location"] = "cpu"
        return load(*args, **options)

    kept = torch.nn.Module.cuda, torch.Tensor.cuda
    torch.nn.Module.cuda, torch.Tensor.cuda, torch.load = stay, stay, load_here
    try:
        yield
    finally:
        torch.nn.Module.cuda, torch.Tensor.cuda = kept
        torch.load = load


@contextlib.contextmanager
def _seeded() -> Iterator[None]:
    """Fixed seed, so that a network without weights of its own is the same in every process."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(DEFAULT_SEED)
        yield


def _make_network(module: ModuleType, path: Path) -> tuple[nn.Module, Any, tuple[str, ...]]:
    """The network of a file that was run, its dataset and its layers; the seed is the same in every process."""
    import torch

    names = vars(module)
    # such files load weights as they build, which the meta device cannot
    with explain_file_errors(path), _at_home(path), _seeded(), torch.device("cpu"):
        if callable(names.get("build")):
            result = names["build"]()
        elif callable(names.get("main")):
            takes = inspect.signature(names["main"]).parameters
            result = names["main"](**{name: value for name, value in _MAIN_OPTIONS.items() if name in takes})
        else:
            result = copy.deepcopy(names.get("model"))
    if result is None:
        raise InputError(f"build(), main() or model in {path}", got="none of them")
    parts = result if isinstance(result, tuple) else (result,)
    if not parts or not isinstance(parts[0], torch.nn.Module):
        raise InputError(f"a torch.nn.Module from {path}", got=type(parts[0] if parts else result).__name__)
    layers = next((part for part in reversed(parts[1:]) if isinstance(part, (list, tuple))), ())
    dataset = next((part for part in parts[1:] if not isinstance(part, (list, tuple))), None)
    return unwrap_module(parts[0]), dataset, tuple(str(layer) for layer in layers)
