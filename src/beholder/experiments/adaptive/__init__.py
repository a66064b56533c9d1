"""Procedures that choose the next level from the answers."""

from beholder.experiments.adaptive import _quest_plus, _staircase

__all__ = ["_quest_plus", "_staircase"]
