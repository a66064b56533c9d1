"""Settings of an encoding analysis: checked, and what follows from them for a participant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, final

import numpy as np

from beholder._core.errors import InputError, UnknownNameError
from beholder.analysis.encoding._participants import Participant
from beholder.analysis.encoding._predict import Predicted, Procedure
from beholder.analysis.encoding._refit import Refits
from beholder.analysis.encoding._scores import PUBLISHED_CONSTANT
from beholder.analysis.encoding._splits import Split, plan_folds, plan_published_splits
from beholder.analysis.encoding._summary import Resampling, Tested, summarize_units
from beholder.analysis.encoding._uncertainty import draw_orders, draw_parts, restrict_orders

METHODS = ("ridge", "pls", "banded")
PUBLISHED_ALPHAS = tuple(float(10.0**power) for power in range(39, -41, -1))


@final
@dataclass(frozen=True)
class EncodeSettings:
    """Keywords of :func:`beholder.analyze_encode` that decide numbers."""

    method: str
    recipe: str | None
    n_folds: int
    inner_folds: int | None
    alphas: tuple[float, ...] | None
    n_components: int
    n_splits: int
    zero_center: bool
    n_permutations: int
    seed: int

    def check(self) -> None:
        """Refuse what does not go together."""
        if self.method not in METHODS:
            raise UnknownNameError("method of encoding", self.method, METHODS)
        if self.recipe not in (None, "published"):
            raise UnknownNameError("recipe", str(self.recipe), ("published",))
        if self.recipe and (self.method != "ridge" or self.alphas is not None or self.inner_folds is not None):
            raise InputError("the published recipe as it is", got="a method, penalties or inner folds beside it")
        if self.zero_center and not self.recipe:
            raise InputError("zero_center with recipe='published'", got="zero_center alone")
        if self.n_permutations < 0:
            raise InputError("0 permutations or more", got=f"{self.n_permutations}")

    @property
    def is_published(self) -> bool:
        """Whether the metamer study's procedure was asked for."""
        return self.recipe == "published"

    @property
    def procedure(self) -> Procedure:
        """How responses are predicted."""
        if self.is_published:
            return Procedure(
                alphas=PUBLISHED_ALPHAS, reliability="median-sb3", constant=PUBLISHED_CONSTANT,
                zero_center=self.zero_center,
            )  # fmt: skip
        method: Any = self.method
        return Procedure(
            method=method, alphas=self.alphas, inner_folds=self.inner_folds, n_components=self.n_components
        )  # fmt: skip

    def plan(self, person: Participant, groups: np.ndarray | None) -> list[Split]:
        """Splits of a participant's stimuli."""
        n = len(person.rows)
        if not self.is_published:
            return plan_folds(n, self.n_folds, self.seed, None if groups is None else groups[person.rows])
        if groups is not None:
            raise InputError("the published recipe as it is", got="groups beside it")
        n_runs = 1 if person.runs is None else person.runs.shape[2]
        if n_runs != 3:
            raise InputError(
                "three runs for the published recipe's correction", got=f"{n_runs}", hint="--n_folds in its place"
            )
        return plan_published_splits(n, self.n_splits, self.seed)

    def draw(self, person: Participant, groups: np.ndarray | None, n_joined: int) -> Resampling:
        """How intervals and tests draw a participant's stimuli: those of all participants agree."""
        parts = draw_parts(n_joined, self.seed, groups)[person.rows]
        orders = draw_orders(n_joined, self.n_permutations, self.seed, groups)
        if groups is None:
            fewest = draw_orders(len(person.rows), self.n_permutations, self.seed)
            orders = restrict_orders(orders, person.rows) if len(fewest) else fewest
        elif len(person.rows) < n_joined:  # groups of which some stimuli are missing have other sizes
            orders = draw_orders(len(person.rows), self.n_permutations, self.seed, groups[person.rows])
        return Resampling(orders, parts, person.rows, groups, n_joined)

    def score(
        self, found: Predicted, person: Participant, splits: Sequence[Split],
        plan: Callable[[Sequence[Split]], Refits], drawn: Resampling,
    ) -> Tested:  # fmt: skip
        """Scores of a layer's predictions of a participant; ``plan`` makes regressions that are fitted again."""
        return summarize_units(
            found, person, splits, self.procedure, plan, drawn, each_split=self.is_published,
            has_test=self.method != "banded",
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON."""
        how = {
            "method": self.method, "recipe": self.recipe, "seed": self.seed, "n_permutations": self.n_permutations,
            "alphas": None if self.alphas is None else list(self.alphas), "inner_folds": self.inner_folds,
        }  # fmt: skip
        if self.is_published:
            return how | {"n_splits": self.n_splits, "zero_center": self.zero_center}
        return how | {"n_folds": self.n_folds, "n_components": self.n_components if self.method == "pls" else None}
