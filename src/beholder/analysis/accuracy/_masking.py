"""Signs that an attack was too weak, so that a network seems to withstand more than it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, final

from beholder._core.wording import format_count

GRADIENT_ATTACKS = ("pgd", "apgd-ce", "apgd-t")
FEWEST = 2
"""Stimuli: fewer differ by chance."""
_SHARE, _FLAT = 0.01, 0.1
_MOST_LEFT = 10


@final
@dataclass(frozen=True)
class Sign:
    """One sign.

    Attributes
    ----------
    flag : str
        Its short name, in the column ``flags``.
    norm, attack : str
        Whose accuracy it is about.
    eps : float
    text : str
        A sentence.
    """

    flag: str
    norm: str
    attack: str
    eps: float
    text: str


def count_stimuli(n: int) -> str:
    """So many stimuli.

    >>> count_stimuli(1), count_stimuli(1200)
    ('1 stimulus', '1,200 stimuli')
    """
    return "1 stimulus" if n == 1 else f"{format_count(n, 'stimulus')}"


def find_signs(name: str, facts: Mapping[str, Any], right: Mapping[tuple[str, str, float], Any]) -> list[Sign]:
    """What speaks against a network's accuracy under attack, as far as the run can tell.

    Parameters
    ----------
    name : str
        Of the network.
    facts : mapping
        As :class:`beholder.evaluation.AttackedAnswers` has them.
    right : mapping of (norm, attack, eps) to (n_stimuli,), bool
        Which stimuli withstand each attack.

    Notes
    -----
    Sources: Athalye, Carlini & Wagner (2018), Obfuscated gradients give a false sense of security, ICML, section 3.1;
    Carlini et al. (2019), On evaluating adversarial robustness, arXiv:1902.06705, section 5.
    """
    found = [sign for check in facts["checks"] for sign in _read_check(name, check)]
    found += _find_noise(name, facts, right)
    found += _find_flat(name, facts["levels"])
    found += _find_harmless_radii(name, facts["levels"])
    return [*found, *_compare(name, right)]


def _read_check(name: str, check: Mapping[str, Any]) -> list[Sign]:
    norm, attack, eps, n, attacked = (check[key] for key in ("norm", "attack", "eps", "n", "attacked"))
    where = f"{name}, {attack} in {norm} at {eps:g}"
    enough = max(FEWEST, round(0.05 * n))

    def sign(flag: str, text: str) -> Sign:
        return Sign(flag, norm, attack, eps, f"{where}: {text}")

    found: list[Sign] = []
    if check["zero_gradient"]:
        found.append(sign(
            "zero gradients",
            f"the gradient is 0 for {check['zero_gradient']} of {format_count(n, 'stimulus')} "
            "that were looked at, so that the attack "
            "has nothing to follow: gradients are masked, and the accuracy says little.",
        ))  # fmt: skip
    if attacked - check["one_step"] >= enough:
        found.append(sign(
            "one step",
            f"a single step fools more than the whole attack ({check['one_step']} of {n} left right, against "
            f"{attacked}): a sign of masked gradients.",
        ))  # fmt: skip
    if attacked - check["more_steps"] >= enough:
        found.append(sign(
            "not converged",
            f"twice the steps leave {check['more_steps']} of {n} right, against {attacked}: with more steps the "
            "accuracy would be lower.",
        ))  # fmt: skip
    if check["unbounded"]:
        found.append(sign(
            "unbounded",
            f"the attack leaves {check['unbounded']} of {n} right although nothing bounds it, where it should leave "
            "none: a sign of masked gradients.",
        ))  # fmt: skip
    return found


def _find_noise(name: str, facts: Mapping[str, Any], right: Mapping[tuple[str, str, float], Any]) -> list[Sign]:
    if not facts["is_noisy"] or facts["protocol"]["eot"] > 1:
        return []
    text = (
        f"{name} answers differently to the same stimuli in two passes: its noise hides gradients, and the accuracy "
        "under attack is too high; --eot 20 averages each step over as many passes."
    )
    return [Sign("noise", *key, text) for key in right if key[1] in GRADIENT_ATTACKS]


def _find_flat(name: str, levels: Sequence[Mapping[str, Any]]) -> list[Sign]:
    found: list[Sign] = []
    for level in levels:
        n_flat, n = level["n_flat"], level["n_attacked"]
        if n_flat >= max(FEWEST, _FLAT * n):
            text = (
                f"{name}, {level['attack']} in {level['norm']} at {level['eps']:g}: at some step the gradient was 0 "
                f"for {n_flat} of the stimuli that were attacked: the loss is flat there."
            )
            found.append(Sign("flat loss", level["norm"], level["attack"], level["eps"], text))
    return found


def _find_harmless_radii(name: str, levels: Sequence[Mapping[str, Any]]) -> list[Sign]:
    """Radii twice as large and more that fool none of many stimuli, where a smaller one fooled some."""
    found: list[Sign] = []
    for level in levels:
        chain = [
            other for other in levels
            if all(other[key] == level[key] for key in ("norm", "attack", "radii", "source", "base", "identity"))
        ]  # fmt: skip
        smaller = [other for other in chain if 2 * other["eps"] <= level["eps"] * (1 + 1e-9) and other["n_fooled"]]
        is_gradient = level["attack"] in GRADIENT_ATTACKS
        if is_gradient and smaller and level["n_attacked"] >= _MOST_LEFT and not level["n_fooled"]:
            text = (
                f"{name}, {level['attack']} in {level['norm']}: at {level['eps']:g} none of "
                f"{count_stimuli(level['n_attacked'])} is fooled that withstood "
                f"{max(other['eps'] for other in smaller):g} and less: a larger radius that does not hurt is a sign of "
                "masked gradients."
            )
            found.append(Sign("larger radius", level["norm"], level["attack"], level["eps"], text))
    return found


def _compare(name: str, right: Mapping[tuple[str, str, float], Any]) -> list[Sign]:
    """Stimuli that noise, or another network's attacks, fool and the network's own gradients do not."""
    found: list[Sign] = []
    for (norm, attack, eps), others in right.items():
        own = [held for key, held in right.items() if key[0] == norm and key[2] == eps and key[1] in GRADIENT_ATTACKS]
        if attack in (*GRADIENT_ATTACKS, "none") or not own:
            continue
        together = own[0].copy()
        for held in own[1:]:
            together &= held
        n = int((together & ~others).sum())
        if n >= max(1, _SHARE * len(together)):
            who = "random noise" if attack == "random" else "another network's attack"
            text = (
                f"{name} in {norm} at {eps:g}: {who} fools {count_stimuli(n)} that its own "
                "gradients do not: a sign of masked gradients, or of too few steps."
            )
            first = next(key[1] for key in right if key[0] == norm and key[2] == eps and key[1] in GRADIENT_ATTACKS)
            found.append(Sign(attack, norm, first, eps, text))
    return found
