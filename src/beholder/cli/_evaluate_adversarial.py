"""``beholder evaluate adversarial``: accuracy under attack, radius by radius."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter

from beholder._core.errors import InputError
from beholder.cli._analyze_flags import ResultFlags
from beholder.cli._flags import (
    LongFlags,
    ModelName,
    ModelWord,
    WeightFlags,
    WeightsSeed,
    Words,
    flags,
    look_up,
    refuse_missing_sets,
    take_network,
)
from beholder.cli._metamers_flags import SEED_NAMES
from beholder.cli._numbers import refuse_infinite

_Decade = Annotated[int | None, Parameter(validator=refuse_infinite)]


@flags
class _RadiusFlags:
    norm: Annotated[str | None, Parameter(name=["--norm", "-T", "--ATTACK-TYPE"])] = None
    """l2, linf or l1 (the script's 2, inf, 1); of radii that do not name theirs."""
    eps: Annotated[list[str] | None, Parameter(name=["--eps", "-E", "--ATTACK-EPS-LIST"], consume_multiple=True)] = None
    """Radii: 3, 4/255, l2:3, several with spaces or commas; default the published ones of the norm."""
    min_exponent: Annotated[_Decade, Parameter(name=["--min-exponent", "-L", "--MIN-EPS"])] = None
    """In place of --eps: the smallest radius is ten to this power, such as -4."""
    max_exponent: Annotated[_Decade, Parameter(name=["--max-exponent", "-M", "--MAX-EPS"])] = None
    """The largest radius is ten to this power."""
    per_decade: Annotated[int, Parameter(name=["--per-decade", "-U", "--NUM-EPS-STEPS-BETWEEN"])] = 2
    """Number of radii for each power of ten."""

    def read(self) -> dict[str, Any]:
        """Norm and radii."""
        from beholder.evaluation import list_radii

        ends = (self.min_exponent, self.max_exponent)
        if ends == (None, None):
            return {"norm": self.norm, "eps": self.eps}
        low, high = ends
        if low is None or high is None or self.eps is not None:
            raise InputError("--min_exponent and --max_exponent, or --eps", got="one of them, or both ways")
        return {"norm": self.norm, "eps": [f"{each:.15g}" for each in list_radii(low, high, self.per_decade)]}


@flags
class _AttackFlags:
    attacks: Words = None
    """pgd, apgd-ce, apgd-t, random: one or more; default pgd."""
    preset: Literal["published"] | None = None
    """published: 1,024 stimuli, 64 steps of a quarter of the radius, the published radii."""
    steps: Annotated[int | None, Parameter(name=["--steps", "-I", "--MAXITER"])] = None
    """Steps of PGD; default 32. (-I of metamers null is another set of pairs.)"""
    step_size: float | None = None
    """Step size of PGD, in the units of the stimuli; default the radius over --divide."""
    divide: Annotated[float | None, Parameter(name=["--divide", "-D", "--EPS-DIVIDE"])] = None
    """The radius over this is a step; default 5. (-D of other commands is a model directory.)"""
    apgd_steps: int | None = None
    """Steps of APGD, which finds its step sizes itself; default 100."""
    keep: Literal["best", "last", "success"] | None = None
    """Which iterate of PGD counts; default best, that of the highest loss."""
    random_start: bool = False
    """Start PGD at random in the ball."""
    restarts: int | None = None
    """Starts of every attack, and draws of random noise; the worst counts; default 1, of APGD-CE in L1 5."""
    eot: int = 1
    """Passes averaged in each step and for each answer, for networks that draw noise."""
    targets: str | None = None
    """The class that PGD is to bring about: random, least-likely, or a class by name or number; default any but the
    label."""
    space: str = "prepared"
    """What is perturbed: prepared (pictures, waveforms), or cochleagram."""
    transfer: str | None = None
    """Show another network's attacks too: its name, or the .csv that --save_stimuli wrote."""


@flags
class _AskedFlags(_AttackFlags):
    n_stimuli: Annotated[int | None, Parameter(name=["--n-stimuli", "-N", "--NUMSAMPLES"])] = None
    """Number of stimuli, drawn by the seed; default all. (-N of evaluate natural counts processes.)"""
    n_checked: int = 16
    """Stimuli on which it is looked at whether gradients are masked; 0 for none."""
    column: str | None = None
    """Column of the stimuli's table that holds their classes."""
    pattern: str | None = None
    """A regular expression whose group in a stimulus's id is its class."""
    seed: Annotated[int, Parameter(name=SEED_NAMES, validator=refuse_infinite)] = 42
    """Seed of the choice of stimuli, of starts, noise and targets."""
    batch_size: Annotated[int | None, Parameter(name=["--batch-size", "-bs", "-B", "--BATCHSIZE"])] = None
    """Stimuli in one forward pass."""
    workers: int = 1
    """Processes; any number gives the same results."""
    threads: int | None = None
    """Threads to use; default one for each core."""
    weights_seed: WeightsSeed = 42
    """Seed of the weights of networks whose names end in @random."""


@flags
class _AttackedFlags(ResultFlags):
    overwrite: Annotated[bool, Parameter(name=["--overwrite", "-O", "--OVERWRITE-PICKLE"])] = False
    """Replace what was made with other settings."""
    save_stimuli: Path | None = None
    """Folder for the attacked stimuli, as people can be shown them, with a table for tasks plan of each attack."""


def adversarial(
    word: ModelWord = None,
    folder: str | None = None,
    /,
    *,
    model_name: ModelName = None,
    models: Words = None,
    radii: _RadiusFlags = _RadiusFlags(),
    asked: _AskedFlags = _AskedFlags(),
    weights: WeightFlags = WeightFlags(),
    long: LongFlags = LongFlags(),
    output: _AttackedFlags = _AttackedFlags(),
) -> None:
    """Accuracy of a network on stimuli that were changed to fool it, radius by radius.

    Example: beholder stimuli draw shapes
    Example: beholder evaluate adversarial beholder:shapes images --norm l2 --eps 1 3 --attacks pgd random --steps 4
    Example: beholder evaluate adversarial resnet50 imagenet/val --preset published -R 0

    Parameters
    ----------
    model_name
        The network, in place of the first word.
    folder
        A folder with a folder a class, a table, or a named set, also as NAME=FOLDER; without one the held-out set of a
        bundled network.
    models
        Further networks, in the same table and picture.
    """
    model, (folder,) = take_network([word, folder], model_name, "MODEL [FOLDER]")
    names = [model, *(look_up(name) for name in models or ())]
    refuse_missing_sets([folder] if folder else [])
    from beholder.analysis import evaluate_adversarial
    from beholder.models import load_model

    networks = [load_model(name, **vars(weights), seed=asked.weights_seed) for name in names]
    output.run(
        "adversarial", evaluate_adversarial, networks, folder, out_path=output.out / "attacked",
        save_stimuli=output.save_stimuli, overwrite=output.overwrite, **radii.read(), **vars(asked),
        **vars(long),
    )  # fmt: skip
