"""Weight files: finding, fetching, reading without running code, and putting into a module."""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import shlex
import socket
import urllib.request
import warnings
import zipfile
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from beholder._core.downloads import DownloadFailed, download_file, is_offline
from beholder._core.errors import InputError, WeightsUnavailable, suggest_keywords
from beholder._core.hashing import hash_file
from beholder.models.definitions._base import Weights
from beholder.models.weights._card import find_card
from beholder.models.weights._head import COUNTER
from beholder.models.weights._look import check_weights_file, describe_damage

if TYPE_CHECKING:
    from torch import nn

logger = logging.getLogger("beholder")

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin", ".ckpt", ".tar")
_WRAPPERS = ("state_dict", "model_state_dict", "model", "net", "module")
_PREFIXES = ("module.", "_orig_mod.", "model.")
_SHOWN = 4


def get_checkpoint_folder() -> Path:
    """``TORCH_HOME/hub/checkpoints``, where torch keeps downloads."""
    default = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "torch"
    return Path(os.environ.get("TORCH_HOME", default)).expanduser() / "hub" / "checkpoints"


def fetch_checkpoint(
    url: str, *, model: str, tag: str, sha256: str | None = None, file_name: str | None = None
) -> Path:
    """The file that ``url`` publishes, from the cache as it is, else downloaded and checked.

    Raises
    ------
    WeightsUnavailable
        One line naming the ways to get the weights.
    """
    target = get_checkpoint_folder() / (file_name or url.rsplit("/", 1)[-1])
    was_here = target.exists()
    try:
        found = download_file(url, target, sha256=sha256, label=target.name)
    except DownloadFailed as error:
        raise explain_missing(model, tag, got=error.got or "", place=str(target), url=url) from error
    damage = None if was_here else describe_damage(found)
    if damage:
        found.unlink()
        raise explain_missing(model, tag, got=f"{damage} (removed)", place=str(target), url=url)
    return found


def explain_missing(model: str, tag: str, *, got: str, place: str = "", url: str = "") -> WeightsUnavailable:
    """The one line about weights that cannot be had.

    Parameters
    ----------
    model : str
        ``source:name``.
    tag : str
        The weights asked for.
    got : str
        What went wrong.
    place : str
        Where a file fetched by hand goes, with its name.
    url : str
        Where the file is published.
    """
    ways = [f"putting the file{f' from {url}' if url else ''} at {place}"] if place else []
    if tag:
        ways.append(f"`beholder models fetch {shlex.quote(f'{model}@{tag}')}` where there is a network")
    ways += ["--model_path FILE", f"{model}@random"]
    return WeightsUnavailable(
        f"the weights {tag} of {model}" if tag else f"weights of {model}",
        got=" ".join(got.split()),
        hint=", or ".join(ways),
    )


@contextlib.contextmanager
def explain_hub_errors(model: str, tag: str, repository: str, file_name: str = "model.safetensors") -> Iterator[None]:
    """Turn what huggingface_hub raises when a file cannot be had into the one line.

    Where the hub's name does not resolve, only the cache is asked, without the hub's own retries and their messages.
    """
    try:
        with _stay_in_cache_without_network():
            yield
    except Exception as error:  # what comes depends on the hub's version and on its HTTP library
        if not _is_fetch_error(error):
            raise
        folder = get_hub_folder() / f"models--{repository.replace('/', '--')}"
        place = f"a place to name with --model_path, or a copy of the repository's hub cache at {folder}"
        url = f"https://huggingface.co/{repository} ({file_name})"
        raise explain_missing(model, tag, got=_shorten_hub_error(error), place=place, url=url) from error


@contextlib.contextmanager
def _stay_in_cache_without_network() -> Iterator[None]:
    from huggingface_hub import constants

    host = constants.ENDPOINT.partition("//")[2].partition("/")[0].partition(":")[0]
    before = constants.HF_HUB_OFFLINE
    if not before and not urllib.request.getproxies() and not _resolves(host):
        constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before


def _resolves(host: str) -> bool:
    try:
        return bool(socket.getaddrinfo(host, None))
    except OSError:
        return False


def _is_fetch_error(error: Exception) -> bool:
    origin = type(error).__module__.partition(".")[0]
    return isinstance(error, OSError) or origin in {"huggingface_hub", "httpx", "httpx2", "requests"}


def _shorten_hub_error(error: BaseException) -> str:
    text = " ".join(str(error).split())
    if is_offline():
        return "an offline environment, and a cache without them"
    lost = ("cannot find the requested files in the local cache", "onnection", "offline mode", "outgoing traffic")
    if any(phrase in text for phrase in lost):
        return "no connection to the hub, and a cache without them"
    return text[:160] or type(error).__name__


def get_hub_folder() -> Path:
    """The cache that huggingface_hub uses."""
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def find_weights_file(path: Path | str, published: str | None, *, model: str) -> Path:
    """The weights file meant by ``--model_path``.

    Parameters
    ----------
    path : path
        A file; or a folder that holds the file under its published name, or exactly one weights file.
    published : str or None
        Name of the published file of the weights asked for.
    model : str
        For messages.
    """
    path = Path(path).expanduser()
    if path.is_dir():
        if published and (path / published).is_file():
            return path / published
        found = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES and file.is_file())
        if len(found) == 1:
            return found[0]
        wanted = f"{published} or one weights file ({', '.join(SUFFIXES)})" if published else "one weights file"
        got = "none" if not found else ", ".join(file.name for file in found[:_SHOWN])
        raise InputError(f"{wanted} of {model} in {path}", got=got, hint="--model_path FILE")
    if not path.is_file():
        raise InputError(f"a file or folder with weights of {model}", got=f"nothing at {path}")
    return path


@suggest_keywords
def read_weights(path: Path | str) -> dict[str, Any]:
    """Read a file of weights without running any code in it.

    Safetensors, or a torch file of plain tensors; a checkpoint of the MadryLab format goes through the allow-listed
    stub reader. Anything else, a pickle of other objects above all, is refused.

    Parameters
    ----------
    path : path

    Returns
    -------
    dict
        Parameter name to tensor, wrappers (``state_dict``, ``model``) taken off.
    """
    path = Path(path)
    check_weights_file(path)
    if path.suffix == ".safetensors":
        return unwrap_state_dict(_read_safetensors(path), path)
    import torch

    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Detected pickle protocol")
            warnings.filterwarnings("ignore", message="'torch.load' received a zip file")
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        content = _read_foreign(path, error)
    except (RuntimeError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        if "TorchScript" in str(error):
            return unwrap_state_dict(_read_foreign(path, error), path)
        got = f"{path}, which torch cannot read ({_first_line(error)})"
        raise InputError("a file of weights", got=got, hint="removing it, and fetching it again") from error
    return unwrap_state_dict(content, path)


def _read_safetensors(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise InputError("a safetensors file", got=f"{path}, which does not read ({_first_line(error)})") from error


def _read_foreign(path: Path, error: Exception) -> Any:
    refusal = InputError(
        "a file that holds nothing but tensors",
        got=f"{path}, a pickle of other objects, which could run code when read",
        hint="saving model.state_dict() as .safetensors or by torch.save",
    )
    from beholder.models.weights._robust_reader import read_checkpoint

    try:
        return read_checkpoint(path)
    except InputError as foreign:
        logger.debug("%s", foreign)
        raise refusal from error


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0][:160] if text else type(error).__name__


def unwrap_state_dict(content: Any, path: Path | str = "") -> dict[str, Any]:
    """Take off the wrappers that training scripts put around a state dict.

    Raises
    ------
    InputError
        When no mapping from names to tensors is inside.
    """
    import torch

    while isinstance(content, Mapping):
        if content and all(isinstance(value, torch.Tensor) for value in content.values()):
            return dict(content)
        inner = next((content[key] for key in _WRAPPERS if isinstance(content.get(key), Mapping)), None)
        if inner is None:
            tensors = {key: value for key, value in content.items() if isinstance(value, torch.Tensor)}
            if tensors and len(tensors) >= len(content) / 2:
                return tensors
            break
        content = inner
    raise InputError("a state dict (names to tensors)", got=f"{path or 'an object'} holding {type(content).__name__}")


def strip_prefixes(state: Mapping[str, Any], own: Container[str] = ()) -> dict[str, Any]:
    """Take prefixes such as ``module.`` off all names, unless the module itself (``own``) has names that start so.

    >>> strip_prefixes({"module.model.fc.weight": 1})
    {'fc.weight': 1}
    """
    state = dict(state)
    while state and not any(name in own for name in state):
        prefix = next((p for p in _PREFIXES if all(str(name).startswith(p) for name in state)), None)
        if prefix is None:
            break
        state = {name[len(prefix) :]: value for name, value in state.items()}
    return state


def load_state(
    module: nn.Module, state: Mapping[str, Any], *, origin: str, hint: str = "the weights of this architecture"
) -> None:
    """Copy ``state`` into ``module``; every name and shape must match.

    Parameters
    ----------
    module : nn.Module
    state : mapping of str to tensor
    origin : str
        Where the state came from, for messages.
    hint : str
        What to try where it does not fit.
    """
    own = module.state_dict()
    state = strip_prefixes(state, own)
    missing = [name for name in own if name not in state and not name.endswith(COUNTER)]
    extra = [name for name in state if name not in own]
    shapes = [
        f"{name} {tuple(state[name].shape)} for {tuple(own[name].shape)}"
        for name in own
        if name in state and state[name].shape != own[name].shape
    ]
    problems = [
        f"{len(names)} {kind} ({', '.join(names[:_SHOWN])}{', ...' if len(names) > _SHOWN else ''})"
        for kind, names in (("missing", missing), ("unexpected", extra), ("of another shape", shapes))
        if names
    ]
    if problems:
        raise InputError(
            f"weights with the {len(own)} names of {type(module).__name__}",
            got=f"{origin} with {', '.join(problems)}",
            hint=hint,
        )
    module.load_state_dict({name: value for name, value in state.items() if name in own}, strict=False)


def load_file_weights(
    module: nn.Module,
    path: Path,
    *,
    tag: str,
    adapt: Callable[[dict[str, Any], nn.Module], dict[str, Any]] | None = None,
    keys: Sequence[tuple[str, str]] = (),
) -> Weights:
    """Read ``path`` and put it into ``module``; the hash of a file whose names are changed covers the rules too."""
    from beholder.models.weights._key_rules import hash_with_rules, rename_keys

    state = rename_keys(read_weights(path), keys) if keys else read_weights(path)
    state = strip_prefixes(state, module.state_dict())
    if adapt is not None:
        state = adapt(state, module)
    card = find_card(path)
    told = {} if card is None or card.model is None else {"hint": f"{card.model}@{path}, which its card names"}
    load_state(module, state, origin=str(path), **told)
    return Weights(tag=tag, file=str(path), sha256=hash_with_rules(hash_file(path), keys))
