"""Judged networks beside what files say of them: people, attacks, brains."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from beholder._core.errors import suggest_keywords
from beholder.evaluation._judgement import Judgement
from beholder.evaluation._network_files import read_attacked_accuracy, read_brain_prediction, read_human_recognition
from beholder.evaluation._scatter import NetworkScatter, compare_networks


@suggest_keywords
def compare_with_files(
    found: Judgement,
    *,
    human: Sequence[str] | None = None,
    attacked: str | None = None,
    attack: str | None = None,
    brain: str | None = None,
    decision: str | None = None,
    failed: bool = False,
) -> dict[str, NetworkScatter]:
    """Compare how well a network's metamers are recognised with other measures of the network.

    Parameters
    ----------
    found : Judgement
    human : sequence of path or "NETWORK=FILE", optional
        For :func:`read_human_recognition`; taken together.
    attacked, brain : path, optional
        For :func:`read_attacked_accuracy` and :func:`read_brain_prediction`.
    attack : str, optional
        Which attack of ``attacked``, where it holds several.
    decision, failed
        As for :func:`compare_networks`.

    Returns
    -------
    dict of str to NetworkScatter
        ``people``, ``attacked``, ``brain``: those that were asked for.
    """
    scatters = {}
    if human:
        parts = []
        for each in human:
            name, mark, file = each.partition("=")
            parts.append(read_human_recognition(file if mark else name, found.layers, name if mark else ""))
        title, table = "Recognised by people (%)", pd.concat(parts)
        scatters["people"] = compare_networks(found, table, title, decision=decision, failed=failed)
    if attacked:
        proportions = read_attacked_accuracy(attacked, found.layers, attack)
        percent = {name: 100 * proportion for name, proportion in proportions.items()}
        title = f"Accuracy under attack{f' {attack}' if attack else ''} (%)"
        scatters["attacked"] = compare_networks(found, percent, title, decision=decision, failed=failed)
    if brain:
        values = read_brain_prediction(brain, found.layers)
        title = "Prediction of brains, best layer"
        scatters["brain"] = compare_networks(found, values, title, decision=decision, failed=failed)
    return scatters
