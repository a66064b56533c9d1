"""Stimuli that lie packed, at an address or in memory, as files of a folder, where pages and people want such."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.files import to_path_name, write_bytes
from beholder._core.hashing import hash_bytes, hash_settings
from beholder._core.progress import logger, show_progress
from beholder.stimuli.sets._folder import find_kind, split_name
from beholder.stimuli.sets._set import StimulusSet


@suggest_keywords
def unpack_stimuli(stimuli: StimulusSet, folder: Path | str) -> StimulusSet:
    """The same set as files ``{folder}/{place}/{stimulus_id}.png``; other sets are given back as they are.

    Contents are written as they are, not decoded; pictures that are arrays as PNG, sounds with a rate as WAV. Files
    that are there already are held to theirs.

    Parameters
    ----------
    stimuli : StimulusSet
    folder : path
        Sets from other places get sub-folders of their own.
    """
    if stimuli.packed is None:
        return stimuli if stimuli.arrays is None or stimuli.kind == "array" else _write_arrays(stimuli, Path(folder))
    place = str(stimuli.root or "stimuli")
    name = f"{to_path_name(Path(place.rstrip('/')).name)[:40]}-{hash_settings([place, list(stimuli.ids)])[:8]}"
    target = Path(folder) / name
    logger.info("%d %ss are written to %s, as files", len(stimuli), stimuli.kind, target)
    files: list[str] = []
    stems = _name_stems(stimuli.ids)
    with show_progress(f"unpack {stimuli.kind}s", len(stimuli), "files") as advance:
        for i, stem in enumerate(stems):
            content = stimuli.read_bytes(i)
            files.append(stem + _find_suffix(stimuli, i, content))
            path = target / files[-1]
            if not path.is_file() or hash_bytes(path.read_bytes()) != hash_bytes(content):
                write_bytes(path, content)
            advance(1)
    return replace(stimuli, files=tuple(files), root=target, arrays=None)


def _write_arrays(stimuli: StimulusSet, folder: Path) -> StimulusSet:
    """Pictures or sounds of memory as files, in a folder of what they are."""
    hashes = [stimuli.hash_stimulus(i) for i in range(len(stimuli))]
    target = folder / f"arrays-{hash_settings([list(stimuli.ids), hashes])[:8]}"
    logger.info("%d %ss are written to %s, as files", len(stimuli), stimuli.kind, target)
    files: list[str] = []
    for i, stem in enumerate(_name_stems(stimuli.ids)):
        files.append(stem + (".png" if stimuli.kind == "image" else ".wav"))
        if not (target / files[-1]).is_file():
            _write_one(stimuli, i, target / files[-1])
    return replace(stimuli, files=tuple(files), root=target, arrays=None)


def _write_one(stimuli: StimulusSet, i: int, path: Path) -> None:
    from beholder.stimuli.images._image import open_image, save_picture
    from beholder.stimuli.sounds._sound import save_sound

    source = stimuli.source(i)
    if stimuli.kind == "image":
        save_picture(path, open_image(source, keep_alpha=True, name=stimuli.ids[i]))
    elif isinstance(source, tuple):
        save_sound(path, source[0], source[1])
    else:
        raise InputError(
            "sounds with their rate: files, or (samples, sample_rate)", got=f"{stimuli.ids[i]} without one"
        )


def _name_stems(ids: Sequence[str]) -> list[str]:
    stems = [to_path_name(each) for each in ids]
    is_plain = len({stem.lower() for stem in stems}) == len(stems) and not any(stem.startswith(".") for stem in stems)
    return stems if is_plain else [f"{i:06d}_{stem}" for i, stem in enumerate(stems)]


def _find_suffix(stimuli: StimulusSet, i: int, content: bytes) -> str:
    suffix = split_name(stimuli.files[i])[1].lower()
    if suffix and find_kind(f"x{suffix}") == stimuli.kind:
        return suffix
    if stimuli.kind == "sound":
        return ".flac" if content.startswith(b"fLaC") else ".wav"
    from PIL import Image

    from beholder.stimuli.images._image import open_image

    open_image(content, draft=(1, 1), name=stimuli.files[i] or stimuli.ids[i])
    with Image.open(io.BytesIO(content)) as picture:
        found = (picture.format or "png").lower()
    return ".jpg" if found in ("jpeg", "mpo") else f".{found}"
