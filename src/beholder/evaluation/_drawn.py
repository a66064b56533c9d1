"""Figures of all verdicts on metamers that lie in a folder, beside what files say of the networks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from beholder._core.errors import suggest_keywords
from beholder._core.files import explain_write_errors
from beholder._core.locks import take_lock
from beholder._core.seeds import DEFAULT_SEED
from beholder.evaluation._compared_files import compare_with_files
from beholder.evaluation._judgement import Judgement, read_judgements
from beholder.evaluation._judgement_figures import save_judgement_figures
from beholder.evaluation._scatter import NetworkScatter

FOLDER = "figures"


@suggest_keywords
def draw_judgements(
    results_dir: Path | str,
    sets: Sequence[str] | None = None,
    *,
    human: Sequence[str] | None = None,
    attacked: str | None = None,
    attack: str | None = None,
    brain: str | None = None,
    decision: str | None = None,
    interval: str = "wilson",
    failed: bool = False,
    seed: int = DEFAULT_SEED,
) -> tuple[Judgement, dict[str, NetworkScatter], Path]:
    """Read what judges said of the metamers of a folder, and save its figures in ``figures``.

    The last of several runs draws what all of them have found.

    Parameters
    ----------
    results_dir, sets
        As for :func:`read_judgements`.
    human, attacked, attack, brain
        As for :func:`compare_with_files`.
    decision, interval, failed, seed
        As for :func:`save_judgement_figures`.

    Returns
    -------
    judgement : Judgement
    scatters : dict of str to NetworkScatter
    folder : Path
        Of the figures.
    """
    folder = Path(results_dir) / FOLDER
    with explain_write_errors(folder):
        folder.mkdir(exist_ok=True)
    with take_lock(folder / ".judge.lock", wait=True):
        found = read_judgements(results_dir, sets)
        scatters = compare_with_files(
            found, human=human, attacked=attacked, attack=attack, brain=brain, decision=decision, failed=failed
        )
        save_judgement_figures(found, folder, scatters, decision=decision, interval=interval, failed=failed, seed=seed)
    return found, scatters, folder
