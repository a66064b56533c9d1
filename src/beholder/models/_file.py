"""Networks in a user's own Python file."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import importlib.util
import inspect
import logging
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from beholder._core.errors import InputError
from beholder._core.seeds import DEFAULT_SEED
from beholder.models._preprocessing import ArrayPreprocessing, Preprocessing
from beholder.models._source import Blueprint, Source, Weights, call_module
from beholder.models._wrap import unwrap_module

if TYPE_CHECKING:
    from types import ModuleType

    from torch import nn

logger = logging.getLogger("beholder")

OWN_WEIGHTS = "own"
FILE_NAME = "build_network.py"

_MAIN_OPTIONS = {"return_metamer_layers": True, "include_identity_sequential": False, "strict": True}


@final
class FileSource(Source):
    """``file:path/build_network.py``: the file is run as Python, so name only files that you trust.

    It must define one of

    ``build()``
        returns the network, or ``(network, layers)``;
    ``main(return_metamer_layers=True)``
        returns ``(network, dataset, layers)``, as metamer model directories do; a ``main`` that takes
        ``include_identity_sequential`` and ``strict`` gets False and True;
    ``model``
        the network itself.

    and may define ``preprocessing`` (a :class:`Preprocessing`, or a table or name for
    :func:`read_preprocessing`), ``input_shape``, ``input_range``, ``sample_rate``, ``layers`` (a list), ``classes``
    and ``version`` (a string that stands for code which cannot be identified). Where it does not, the dataset's
    ``min_value``, ``max_value``, ``transform_test``, ``SR`` and ``label_mapping`` say so; without either, stimuli pass
    through as they are. A network that takes ``with_latent`` is driven through it: the keys of its ``all_outputs`` are
    names of layers. The weights that the file itself loads are its default ones, under the tag ``own``;
    ``--model_path`` puts others into the network.
    """

    runs_code = True

    def list_names(self) -> list[str]:
        """None: files cannot be listed."""
        return []

    def find(self, name: str, tag: str | None) -> Blueprint:
        """Blueprint of the network in the file ``name``."""
        path = find_network_file(name)
        loaded = _open_file(path)
        return Blueprint(
            source="file",
            name=str(path),
            build=loaded.build,
            preprocessing=loaded.preprocessing,
            default_tag=OWN_WEIGHTS,
            tags=(OWN_WEIGHTS,),
            load_tag=lambda module, tag: Weights(tag=tag, file=str(path), sha256=_hash_file(path)),
            layers=loaded.layers,
            metamer_layers=loaded.layers,
            taps=loaded.taps,
            classes=loaded.classes,
            version=loaded.version,
            forward=loaded.forward,
            multi_layer_output=bool(loaded.latent),
        )


@dataclass
class _LoadedFile:
    """What running a file gave; ``spare`` is a network that nobody has taken yet."""

    path: Path
    module: ModuleType
    layers: tuple[str, ...] = ()
    dataset: Any = None
    preprocessing: Preprocessing = field(default_factory=ArrayPreprocessing)
    latent: dict[str, bool] = field(default_factory=dict)
    spare: nn.Module | None = None

    def build(self) -> nn.Module:
        """A network of its own, with the file's own weights."""
        network, self.spare = self.spare, None
        if network is None:
            network = _make_network(self.module, self.path).network
        if self.latent:
            from beholder.models._latent import attach_outputs

            attach_outputs(network, self.latent)
        return network

    @property
    def forward(self) -> Any:
        if not self.latent:
            return call_module
        from beholder.models._latent import drive

        return drive

    @property
    def taps(self) -> dict[str, str]:
        if not self.latent:
            return {}
        from beholder.models._latent import make_taps

        return make_taps(self.latent)

    @property
    def version(self) -> str | None:
        found = vars(self.module).get("version")
        return found if isinstance(found, str) else None

    @property
    def classes(self) -> tuple[str, ...] | None:
        from beholder.models._dataset import read_classes

        own = vars(self.module).get("classes")
        return tuple(own) if own is not None else None if self.dataset is None else read_classes(self.dataset)


_OPENED: dict[tuple[str, str], _LoadedFile] = {}
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
    return _open_file(find_network_file(name)).dataset


def find_input_shape(name: Path | str) -> tuple[int, ...] | None:
    """Shape of one prepared stimulus of the network in a file."""
    return _open_file(find_network_file(name)).preprocessing.input_shape


def _open_file(path: Path) -> _LoadedFile:
    """Run a file, once a process and content."""
    key = (str(path.resolve()), _hash_file(path))
    if key not in _OPENED:
        _OPENED[key] = _load_file(path)
    return _OPENED[key]


def _load_file(path: Path) -> _LoadedFile:
    from beholder.models._dataset import read_dataset

    module = _run_file(path.resolve())
    made = _make_network(module, path)
    names = vars(module)
    loaded = _LoadedFile(path, module, tuple(names.get("layers", ())) or made.layers, made.dataset, spare=made.network)
    shape = names.get("input_shape")
    with _explain(path):
        described = None
        if made.dataset is not None and names.get("preprocessing") is None:
            described = read_dataset(made.dataset, str(path.resolve()), None if shape is None else tuple(shape))
        loaded.preprocessing = described or _find_preprocessing(module)
    loaded.latent = _find_latent(made.network, loaded.preprocessing, path)
    return loaded


def _find_latent(network: nn.Module, preprocessing: Preprocessing, path: Path) -> dict[str, bool]:
    from beholder.models._latent import find_latent_names, takes_latent

    if not takes_latent(network):
        return {}
    import torch

    from beholder.models._input_shape import choose_shape

    low, high = preprocessing.input_range or (0.0, 1.0)
    shape = choose_shape(preprocessing)
    noise = torch.rand((1, *shape), generator=torch.Generator().manual_seed(0)) * (high - low) + low
    device = next((t.device for t in [*network.parameters(), *network.buffers()]), torch.device("cpu"))
    try:
        return find_latent_names(network, preprocessing.normalize(noise.to(device)))
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"a network in {path} that runs on a stimulus of shape {shape}",
            got=_first_line(error),
            hint="input_shape = (...) in the file",
        ) from error


def _run_file(path: Path) -> ModuleType:
    name = f"_beholder_file_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError("a Python file (.py)", got=str(path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        with _explain(path), _at_home(path), _seeded():
            spec.loader.exec_module(module)
    except InputError:
        sys.modules.pop(name, None)
        raise
    return module


@contextlib.contextmanager
def _explain(path: Path) -> Iterator[None]:
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
        got = f"{type(error).__name__}: {_first_line(error)}"
        raise InputError(f"a Python file that runs: {path}", got=got) from error


def _first_line(error: BaseException) -> str:
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


@dataclass(frozen=True)
class _Made:
    network: nn.Module
    dataset: Any
    layers: tuple[str, ...]


def _make_network(module: ModuleType, path: Path) -> _Made:
    import torch

    names = vars(module)
    # such files load weights as they build, which the meta device cannot
    with _explain(path), _at_home(path), _seeded(), torch.device("cpu"):
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
    return _Made(unwrap_module(parts[0]), dataset, tuple(str(layer) for layer in layers))


def _find_preprocessing(module: ModuleType) -> Preprocessing:
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


def _hash_file(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
