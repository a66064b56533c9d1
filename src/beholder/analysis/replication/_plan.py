"""Which commands the metamer study comes to for one network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from beholder.jobs import Step

N_STIMULI, N_PAIRS, N_DRAWS = 400, 200_000, 5
"""Of the study: originals, and jobs of so many random pairs each."""
SOUNDS = "165_natural_sounds"


@final
@dataclass(frozen=True)
class ReplicationSettings:
    """What is measured; the defaults are the study's.

    Attributes
    ----------
    recipe : {"published", "default"}
        Of the metamers.
    layers : tuple of str
        To be matched; default the network's recorded ones.
    iterations, repeats : int, optional
        Of the recipe, at most.
    n_pairs, n_draws : int
        Random pairs of one null job, and how many jobs.
    attack_steps, n_attacked : int, optional
        Of the adversarial evaluation; default 64 and 1,024.
    norm, eps : str and tuple of str
        Of the attacks; default the published ones.
    """

    recipe: str = "published"
    layers: tuple[str, ...] = ()
    iterations: int | None = None
    repeats: int | None = None
    n_pairs: int = N_PAIRS
    n_draws: int = N_DRAWS
    attack_steps: int | None = None
    n_attacked: int | None = None
    norm: str | None = None
    eps: tuple[str, ...] = ()


@final
@dataclass(frozen=True)
class ReplicationPlaces:
    """Where everything lies.

    Attributes
    ----------
    out : path
        Folder of everything that is made.
    stimuli, natural, labelled, recordings : path, optional
        Originals, stimuli of random pairs, stimuli with classes for the attacks, and the study's voxels.
    """

    out: Path
    stimuli: Path | None = None
    natural: Path | None = None
    labelled: Path | None = None
    recordings: Path | None = None


def plan_replication(
    network: Sequence[str],
    is_sound: bool,
    places: ReplicationPlaces,
    settings: ReplicationSettings,
    judges: Sequence[str] = (),
) -> list[Step]:
    """The study's measurements as commands, each after those that it needs.

    Parameters
    ----------
    network : sequence of str
        Words that name it to a command: ``--model_name NAME``, or ``-D DIR``, and those of its weights and device.
    is_sound : bool
        A network of sounds: pairs in order rather than at random, and the regressions.
    places : ReplicationPlaces
    settings : ReplicationSettings
    judges : sequence of str
        Networks that are asked about the metamers; default the network itself.
    """
    out = places.out
    layers = ["--layers", *settings.layers] if settings.layers else []
    originals = [str(places.stimuli)] if places.stimuli else [str(i) for i in range(N_STIMULI)]
    numbers = [*_flag("--iterations", settings.iterations), *_flag("--repeats", settings.repeats)]
    make = [*originals, *network, "--recipe", settings.recipe, *layers, *numbers, "--out_path", str(out / "metamers")]
    steps = [Step("metamers", ("metamers", "make", *make))]
    pairs = [] if places.natural is None else ["--in_path", str(places.natural)]
    for i in range(settings.n_draws):
        draw = ["--no_shuffle", "--split", str(i)] if is_sound else ["--shuffle", "--seed", str(i)]
        where = ["--out_path", str(out / "null_dist"), "--metamers_path", str(out / "metamers")]
        null = [*network, *pairs, "--n_pairs", str(settings.n_pairs), *draw, *where]
        steps.append(Step(f"null-{i}", ("metamers", "null", *null), ("metamers",)))
    asked = ["--models", *judges] if judges else []
    nulls = tuple(step.name for step in steps[1:])
    steps.append(Step("judging", ("metamers", "judge", str(out / "metamers"), *asked), ("metamers", *nulls)))
    if is_sound and places.recordings is not None:
        steps += _plan_regression(network, places.recordings, out, layers)
    return [*steps, _plan_attacks(network, places.labelled, out, settings)]


def _plan_regression(network: Sequence[str], recordings: Path, out: Path, layers: Sequence[str]) -> list[Step]:
    heard, folder = recordings / SOUNDS, out / "regression"
    sounds = ["analyze", "sounds", *network, "--in_path", str(heard), *layers, "--out_path", str(folder)]
    file = folder / "natsound_activations.h5"
    encode = ["analyze", "encode", str(file), "--recordings", str(recordings), "--recipe", "published", "-Z"]
    return [
        Step("sounds", tuple(sounds), is_array=False),
        Step("regression", (*encode, "--out", str(folder)), ("sounds",), is_array=False),
    ]


def _plan_attacks(network: Sequence[str], labelled: Path | None, out: Path, settings: ReplicationSettings) -> Step:
    name, *rest = network[1:] if network[0] == "--model_name" else network
    radii = [*_flag("--norm", settings.norm), *(["--eps", *settings.eps] if settings.eps else [])]
    numbers = [*_flag("--steps", settings.attack_steps), *_flag("--n_stimuli", settings.n_attacked)]
    words = [name, *([str(labelled)] if labelled else []), *rest, "--preset", "published", *radii, *numbers]
    return Step("adversarial", ("evaluate", "adversarial", *words, "--out", str(out / "evaluation")))


def _flag(name: str, value: object) -> list[str]:
    return [] if value is None else [name, str(value)]
