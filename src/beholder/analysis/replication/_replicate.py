"""The metamer study's whole set of one network, here or as job scripts."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, final

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.files import to_path_name
from beholder._core.progress import tell
from beholder._core.wording import format_count
from beholder.analysis.replication._plan import (
    N_DRAWS,
    N_PAIRS,
    SOUNDS,
    ReplicationPlaces,
    ReplicationSettings,
    plan_replication,
)
from beholder.jobs import JobScripts, ScriptOptions, Step, parse_cluster, run_steps, write_steps
from beholder.models import load_skeleton, runs_code
from beholder.stimuli import find_asset


@final
@dataclass(frozen=True)
class Replication:
    """What the study comes to for one network.

    Attributes
    ----------
    steps : tuple of Step
        Commands, each after those that it needs.
    folder : Path
        Of everything that is made.
    left_out : tuple of str
        Parts of the study that are not among them, and why.
    scripts : JobScripts, optional
        Job scripts that were written.
    is_done : bool
        The steps were run.
    """

    steps: tuple[Step, ...]
    folder: Path
    left_out: tuple[str, ...] = ()
    scripts: JobScripts | None = None
    is_done: bool = False

    def describe(self) -> list[str]:
        """Lines for people."""
        if self.scripts is not None:
            return [*self.scripts.describe(), *self.left_out]
        if self.is_done:
            report = shlex.join(["beholder", "report", str(self.folder)])
            return [f"{format_count(len(self.steps), 'step')} are done", *self.left_out, f"a page of it: {report}"]
        steps = [f"  {step.name}: {step}" for step in self.steps]
        return [f"{format_count(len(self.steps), 'step')}, one after the other:", *steps, *self.left_out]

    def __str__(self) -> str:
        return "\n".join(self.describe())

    def to_dict(self) -> dict[str, list[dict[str, Any]]]:
        """Named tables for ``--json``."""
        rows = [{"step": each.name, "command": str(each), "after": list(each.after)} for each in self.steps]
        scripts = [] if self.scripts is None else [self.scripts.to_dict()]
        return {"steps": rows, "scripts": scripts, "left_out": [{"reason": each} for each in self.left_out]}


@suggest_keywords
def replicate(
    observer: str,
    stimuli: Path | str | None = None,
    natural: Path | str | None = None,
    *,
    labelled: Path | str | None = None,
    recordings: Path | str | None = None,
    judges: Sequence[str] | None = None,
    out_path: Path | str = "replication",
    recipe: str = "published",
    layers: Sequence[str] | None = None,
    iterations: int | None = None,
    repeats: int | None = None,
    n_pairs: int = N_PAIRS,
    n_draws: int = N_DRAWS,
    norm: str | None = None,
    eps: Sequence[str] | None = None,
    attack_steps: int | None = None,
    n_attacked: int | None = None,
    device: str = "auto",
    pretrained: bool = False,
    model_path: Path | str | None = None,
    cluster: str | None = None,
    mixed: bool = False,
    dry_run: bool = False,
) -> Replication:
    """Measure what the metamer study measured, of one network: one command after the other, or job scripts of all.

    Metamers of 400 stimuli, five times 200,000 random pairs of natural ones, judges, for networks of sounds how well
    they predict auditory cortex, accuracy under attack. Interrupted at any moment, the same call goes on.

    Parameters
    ----------
    observer : str
        ``source:name[@weights]``, an alias, or ``file:NET.py``.
    stimuli : path, optional
        Originals of the metamers; default the study's 400 pictures or sentences.
    natural : path, optional
        Natural stimuli of which random pairs are drawn, the network's training set, say.
    labelled : path, optional
        Stimuli with classes, for the attacks; default ImageNet's validation set as ``imagenet-val``, or the held-out
        set of a bundled network.
    recordings : path, optional
        Folder of the voxels' responses; default the asset ``fmri-natural-sounds``, where it is here.
    judges : sequence of str, optional
        Networks that are asked what the metamers are; default the observer.
    out_path : path
        Folder of everything; the observer's name is added.
    recipe, layers, iterations, repeats
        Of the metamers, as for :func:`beholder.make_metamers`; the study's recipe is ``published``.
    n_pairs, n_draws : int
        Random pairs of one draw, and how many draws: of pictures by seeds 0, 1, …, of sounds by splits, in order.
    norm, eps, attack_steps, n_attacked
        Of the attacks, as for :func:`beholder.evaluate_adversarial`; default the published ones.
    device, pretrained, model_path
        Of the observer.
    cluster : str, optional
        ``script``, with options as ``script:partition=gpu,gpus=1``: write job scripts of all, each begun when those
        that it needs have succeeded. Other words are handed to every command.
    mixed : bool
        Let machines of several kinds, whose values differ in their last digits, fill one output.
    dry_run : bool
        Only say which commands it comes to.

    Returns
    -------
    Replication

    Raises
    ------
    InputError
        No natural stimuli.
    BeholderError
        A command failed.

    Notes
    -----
    Source: Feather, Leclerc, Mądry & McDermott (2023), Model metamers reveal divergent invariances between biological
    and artificial neural networks, Nature Neuroscience 26; the released analysis scripts.

    Examples
    --------
    >>> import beholder as bh
    >>> planned = bh.replicate("beholder:shapes", "images", "images", dry_run=True)
    >>> print(planned.describe()[0])
    8 steps, one after the other:
    """
    if natural is None:
        raise InputError("natural stimuli of which random pairs are drawn", got="none", hint="--natural FOLDER")
    model = load_skeleton(observer, pretrained=pretrained, model_path=model_path)
    is_sound = model.modality == "sound"
    weights = ["--pretrained"] * pretrained + (["--model_path", str(model_path)] if model_path else [])
    network = ["--model_name", observer, *weights, *(["--device", device] if device != "auto" else [])]
    found, left_out = _find_recordings(recordings, is_sound)
    settings = ReplicationSettings(
        recipe, tuple(layers or ()), iterations, repeats, n_pairs, n_draws, attack_steps, n_attacked, norm,
        tuple(eps or ()),
    )  # fmt: skip
    folder = Path(out_path) / to_path_name(model.path_name)
    originals, pairs, classes = (None if each is None else Path(each) for each in (stimuli, natural, labelled))
    places = ReplicationPlaces(folder, originals, pairs, classes, found)
    own = [model.name] if runs_code(observer) else []  # metamers name it, but no file of data may run code
    steps = plan_replication(network, is_sound, places, settings, judges or own)
    return _do(steps, folder, left_out, cluster, mixed=mixed, dry_run=dry_run)


def _find_recordings(given: Path | str | None, is_sound: bool) -> tuple[Path | None, tuple[str, ...]]:
    """The folder of voxels and sounds; why the regressions are left out."""
    if not is_sound:
        return None, ("regressions are left out: the study's are of networks of sounds",)
    found = Path(given) if given is not None else find_asset("fmri-natural-sounds")
    if given is not None and not (Path(given) / SOUNDS).is_dir():
        raise InputError(f"a folder with {SOUNDS}/ and the voxels' responses", got=str(given))
    if found is None:
        return None, ("regressions are left out: `beholder assets fetch fmri-natural-sounds` first, or --recordings",)
    return found, ()


def _do(
    steps: list[Step], folder: Path, left_out: tuple[str, ...], cluster: str | None, *, mixed: bool, dry_run: bool
) -> Replication:
    word = None if cluster is None else parse_cluster(cluster)
    is_script = word is not None and word.kind == "script"
    also = ["--mixed"] * mixed + ([] if cluster is None or is_script else ["--cluster", cluster])
    steps = [replace(each, command=(*each.command, *also)) if each.is_array else each for each in steps]
    plain = Replication(tuple(steps), folder, left_out)
    if dry_run:
        return plain
    for reason in left_out:
        tell("%s", reason)
    if word is not None and is_script:
        options = ScriptOptions.read(word.options)
        again = "beholder replicate with --cluster script"
        if len(sys.argv) > 1 and sys.argv[1] == "replicate":
            again = shlex.join(["beholder", *sys.argv[1:]])
        scripts = write_steps(steps, Path(f"replicate-{folder.name}"), options, again=again)
        return replace(plain, scripts=scripts)
    run_steps(steps)
    return replace(plain, is_done=True)
