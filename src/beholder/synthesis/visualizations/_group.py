"""The visualisations of a group of units: made without diversity, then with as much of it as they bear."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch

from beholder.models import Unit
from beholder.synthesis.engine._loop import Advance, Recipe
from beholder.synthesis.engine._plan import plan_batches
from beholder.synthesis.engine._session import ProblemResult, SynthesisSession
from beholder.synthesis.engine._stimulus_format import StimulusFormat
from beholder.synthesis.visualizations._plan import VisualizationOptions
from beholder.synthesis.visualizations._search import POWERS
from beholder.synthesis.visualizations._side import UnitSide, UnitVisualization
from beholder.synthesis.visualizations._standing import SIGNS, NaturalDistribution
from beholder.synthesis.visualizations._steer import hasten


def visualize_units(
    session: SynthesisSession,
    units: Sequence[Unit],
    naturals: Mapping[Unit, NaturalDistribution | None],
    recipe: Recipe,
    options: VisualizationOptions,
    batch_size: int | None,
    advance: Advance = lambda _n: None,
) -> list[UnitVisualization]:
    """Make the images of a group of units; all of them share batches.

    First come all images without the diversity term. Where the weakest of them beats the most extreme natural
    stimulus, images are made with it: ``steered``, once, with a factor that follows the images' activations;
    ``searched``, with one factor after the other as long as the weakest still does. Without natural stimuli the
    yardstick is half-way from a blank stimulus to the strongest image.

    Parameters
    ----------
    session : SynthesisSession
        With the units' layers.
    units : sequence of Unit
    naturals : mapping of Unit to NaturalDistribution or None
    recipe : Recipe
    options : VisualizationOptions
    batch_size : int or None
        Images in one batch; fewer are filled up, a larger problem is a batch of its own. None: so is every problem.
    advance : callable
        Is told how many steps of images are done, of :func:`count_most_steps` at most.

    Returns
    -------
    list of UnitVisualization
        Min and max of each unit, in their order.
    """
    layers = tuple(dict.fromkeys(unit.layer for unit in units))
    form = StimulusFormat.of_model(session.model, session.shape)
    states = [UnitSide(unit, sign, naturals[unit], options) for unit in units for sign in SIGNS]

    def make(asked: Sequence[tuple[UnitSide, float]]) -> list[ProblemResult]:
        """What comes out of one problem depends on the others in the last bits at most."""
        problems = [state.pose(strength) for state, strength in asked]
        sizes = [problem.n_images for problem in problems]
        plan = plan_batches(sizes, [layers] * len(sizes), cores=1, on_cpu=False, batch_size=batch_size or 1)
        chosen = hasten(recipe) if any(math.isnan(strength) for _, strength in asked) else recipe

        def run(batch: Sequence[int]) -> list[ProblemResult]:
            return session.run(
                [problems[i] for i in batch], chosen, layers=layers, yardsticks=[asked[i][0].channel for i in batch],
                form=form, fill_to=batch_size or 0, ways="fewer --n_images or --device cpu", advance=advance,
                wanted=[f"{sizes[i]} images of {asked[i][0].unit}" for i in batch],
            )  # fmt: skip

        return plan.sort(session.share(run, plan.batches))

    for state, made in zip(states, make([(state, 0.0) for state in states]), strict=True):
        state.plain = made
    adrift = [state for state in states if not state.has_natural and state.wants_yardstick]
    if adrift:
        _score_blank(session, adrift, recipe, layers)
    while active := [(state, strength) for state in states if (strength := state.propose()) is not None]:
        for (state, strength), made in zip(active, make(active), strict=True):
            state.take(strength, made)
    return [state.finish() for state in states]


def count_most_steps(n_units: int, options: VisualizationOptions) -> int:
    """Steps of images at most: plainly, and with the term once or with every strength that the search may try.

    >>> count_most_steps(1, VisualizationOptions(n_images=10, steps=64, diversity=0.0))
    1280
    >>> count_most_steps(1, VisualizationOptions(n_images=10, steps=64, recipe="steered"))
    2432
    """
    if options.n_images == 1 or options.diversity == 0:
        n_rounds = 0
    elif options.diversity is not None or options.recipe == "steered":
        n_rounds = 1
    else:
        assert options.max_loops is not None
        n_rounds = len(POWERS) + options.max_loops
    n_images = options.n_images + n_rounds * max(2, options.n_images - 1)
    return n_units * len(SIGNS) * n_images * options.steps


def _score_blank(session: SynthesisSession, states: Sequence[UnitSide], recipe: Recipe, layers: Sequence[str]) -> None:
    """Activations by a stimulus without content."""
    blank = torch.full(recipe.input_shape, sum(recipe.value_range or (0.0, 0.0)) / 2)
    with torch.no_grad():
        (view,) = session.network.run(blank[None].to(session.network.device), [1], layers, {}).views()
        for state in states:
            state.blank = float(state.channel.score(view)[0])
