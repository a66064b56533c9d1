"""What a stimulus should be called, and who says so."""

from __future__ import annotations

from collections.abc import Sequence

from beholder._core.errors import suggest_keywords
from beholder.models import DECISIONS, Vocabulary, list_vocabularies, pick_decision

__all__ = ["DECISIONS", "Vocabulary", "find_reference", "list_vocabularies", "pick_decision"]


@suggest_keywords
def find_reference(vocabulary: Vocabulary, label: str, maker: Sequence[str], judge: str) -> tuple[str, str]:
    """What a stimulus should be called, and who says so.

    Its true class where that is among the answers; else what the network that the metamer was made for calls the
    original; else what the judge itself calls the original.

    Parameters
    ----------
    vocabulary : Vocabulary
        Of the judge's decision.
    label : str
        The stimulus's class as its set has it; empty when unknown.
    maker : sequence of str
        Verdicts on the original, the finest first: a class, a category.
    judge : str
        Verdict on the original.

    Returns
    -------
    reference : str
    against : {"label", "maker", "judge"}

    >>> find_reference(Vocabulary("class", 2, ("cat", "dog")), "dog", (), "cat")
    ('dog', 'label')
    """
    for name, against in ((label, "label"), *((name, "maker") for name in maker)):
        answer = vocabulary.look_up(name) if name else ""
        if answer:
            return answer, against
    return judge, "judge"
