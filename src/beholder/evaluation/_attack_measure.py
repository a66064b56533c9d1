"""A dry run of attacks: every radius is measured, as if each stimulus whose fate is not known were to be attacked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from beholder.evaluation._attack_plan import Chain, ChainState
from beholder.jobs import Shard, end_dry_run, phase

Columns = Mapping[str, np.ndarray]


def measure_attacks(
    chains: Sequence[Chain],
    clean: Sequence[Shard],
    run: Callable[[str, Sequence[Shard]], object],
    look: Callable[[Sequence[Shard]], Columns | None],
    start: Callable[[Chain, Columns], ChainState],
    plan: Callable[[Chain, int, np.ndarray], list[Shard]],
) -> None:
    """Measure the clean answers and each radius, and end the dry run.

    Parameters
    ----------
    chains : sequence of Chain
    clean : sequence of Shard
        That ask the network for its answers to the stimuli as they are.
    run : callable
        Runs shards.
    look : callable
        What shards have found in an earlier run; None where one is unfinished.
    start : callable
        The state of a chain, from the clean answers.
    plan : callable
        Shards of a chain at a level, for the stimuli at some positions.
    """
    n_levels = max(len(chain.radii) for chain in chains)
    with phase(1 + n_levels):
        run("ask", clean)
    n, answers = sum(shard.size for shard in clean), look(clean)
    states = {} if answers is None else {chain: start(chain, answers) for chain in chains}
    for level in range(n_levels):
        every: list[Shard] = []
        for chain in chains:
            if level < len(chain.radii):
                state = states.get(chain)
                left = np.arange(n) if state is None else state.list_left()
                shards = plan(chain, level, left)
                every += shards
                found = look(shards)
                if state is not None and found is not None:
                    state.add(chain.radii[level], left, found)
        with phase(1 + n_levels, is_at_most=True):
            run(f"attack (radius {level + 1} of {n_levels})", every)
    end_dry_run()
