"""The deviance of a logistic mixed model by Laplace's approximation, and where it is smallest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast, final

import numpy as np

_INNER = 100
LARGE = 12.0
"""Coefficients beyond this, in logits, grow without end."""


@final
@dataclass(frozen=True, eq=False)
class RandomTerm:
    """What differs between the levels of one grouping factor: an intercept, and perhaps one slope.

    Parameters
    ----------
    name : str
    codes : (n_trials,), int
        Level of each trial, counted from 0.
    slope : (n_trials,), float, optional
        What the slope is over; intercept and slope may be correlated.
    slope_name : str
    """

    name: str
    codes: np.ndarray
    slope: np.ndarray | None = None
    slope_name: str = ""


@final
class LaplaceProblem:
    """Laplace's deviance of one data set; the mode of the random terms is kept from one look to the next."""

    def __init__(self, y: np.ndarray, x: np.ndarray, terms: Sequence[RandomTerm]) -> None:
        self.y, self.x = y, x
        # the factor of most levels is eliminated block by block, the others stay together
        self.order = sorted(range(len(terms)), key=lambda place: -int(terms[place].codes.max()))
        self.terms = [terms[place] for place in self.order]
        self.sizes = [1 if term.slope is None else 2 for term in self.terms]
        self.counts = [int(term.codes.max()) + 1 for term in self.terms]
        self.u = np.zeros(sum(size * count for size, count in zip(self.sizes, self.counts, strict=True)))
        self.n_theta = sum(1 if size == 1 else 3 for size in self.sizes)

    def start(self) -> tuple[np.ndarray, np.ndarray]:
        theta = np.concatenate([[1.0] if size == 1 else [1.0, 0.0, 0.5] for size in self.sizes])
        beta = np.zeros(self.x.shape[1])
        for _ in range(_INNER):
            mean = _expit(self.x @ beta)
            weight = mean * (1 - mean)
            information = self.x.T @ (weight[:, None] * self.x) + 1e-8 * np.eye(len(beta))
            step = np.linalg.solve(information, self.x.T @ (self.y - mean))
            step *= min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-300))
            beta = beta + step
            if np.abs(step).max() < 1e-6 or np.abs(beta).max() > LARGE:
                break
        return theta, beta

    def optimize(self, theta: np.ndarray, beta: np.ndarray) -> tuple[np.ndarray, np.ndarray, bool]:
        from scipy.optimize import minimize

        bounds = [
            bound
            for size in self.sizes
            for bound in ([(0, None)] if size == 1 else [(0, None), (None, None), (0, None)])
        ]
        bounds += [(-30.0, 30.0)] * len(beta)

        def lose(values: np.ndarray) -> float:
            return self.deviance(values[: self.n_theta], values[self.n_theta :])

        found: Any = minimize(
            lose, np.concatenate([theta, beta]), jac=self.differentiate, bounds=bounds, method="L-BFGS-B",
            options={"maxiter": 500, "ftol": 1e-13, "gtol": 1e-6},
        )  # fmt: skip
        best = np.asarray(found.x)
        gradient = self.differentiate(best)
        at_zero = np.array([bound[0] == 0 for bound in bounds]) & (best <= 0)
        free = gradient[~(at_zero & (gradient > 0))]
        settled = bool(found.success) or float(np.abs(free).max(initial=0)) < 1e-2
        return best[: self.n_theta], best[self.n_theta :], settled

    def differentiate(self, values: np.ndarray) -> np.ndarray:
        """The deviance's slopes by central differences."""
        slopes = np.zeros(len(values))
        for place in range(len(values)):
            step = 1e-5 * max(1.0, abs(values[place]))
            up, down = values.copy(), values.copy()
            up[place] += step
            down[place] -= step
            slopes[place] = (self._look(up) - self._look(down)) / (2 * step)
        return slopes

    def _look(self, values: np.ndarray) -> float:
        return self.deviance(values[: self.n_theta], values[self.n_theta :])

    def find_covariance(self, theta: np.ndarray, beta: np.ndarray) -> np.ndarray:
        """Of the fixed coefficients: twice the inverse curvature of the deviance in all parameters off their bounds."""
        at = np.concatenate([theta, beta])
        inside = np.flatnonzero(np.concatenate([np.abs(theta) > 1e-4, np.ones(len(beta), dtype=bool)]))
        curvature = np.zeros((len(inside), len(inside)))
        steps = 5e-3 * np.maximum(1.0, np.abs(at))
        middle = self._look(at)
        for i, a in enumerate(inside):
            for j in range(i + 1):
                b = inside[j]
                total = 0.0
                if i == j:
                    for sign in (1, -1):
                        moved = at.copy()
                        moved[a] += sign * steps[a]
                        total += self._look(moved)
                    curvature[i, i] = (total - 2 * middle) / steps[a] ** 2
                    continue
                for sign_a in (1, -1):
                    for sign_b in (1, -1):
                        moved = at.copy()
                        moved[a] += sign_a * steps[a]
                        moved[b] += sign_b * steps[b]
                        total += sign_a * sign_b * self._look(moved)
                curvature[i, j] = curvature[j, i] = total / (4 * steps[a] * steps[b])
        return (2 * np.linalg.pinv(curvature))[-len(beta) :, -len(beta) :]

    def deviance(self, theta: np.ndarray, beta: np.ndarray) -> float:
        """-2 log likelihood by Laplace's approximation."""
        loads = [self._load(term, part) for term, part in zip(self.terms, self._split(theta), strict=True)]
        fixed = self.x @ beta
        u = self.u
        eta = fixed + self._apply(loads, u)
        value = self._penalized(eta, u)
        log_det = 0.0
        for _ in range(_INNER):
            mean = _expit(eta)
            gradient = self._collect(loads, self.y - mean) - u
            step, log_det = self._solve(loads, mean * (1 - mean), gradient)
            if float(gradient @ step) < 1e-13 * (1 + abs(value)):
                # one more step, whose error is the square of the last: the determinant follows u in first order
                u = u + step
                eta = fixed + self._apply(loads, u)
                value = self._penalized(eta, u)
                mean = _expit(eta)
                log_det = self._solve(loads, mean * (1 - mean), gradient)[1]
                break
            scale = 1.0
            while scale > 1e-6:
                tried = u + scale * step
                eta_tried = fixed + self._apply(loads, tried)
                found = self._penalized(eta_tried, tried)
                if found <= value + 1e-12 * (1 + abs(value)):
                    u, eta, value = tried, eta_tried, found
                    break
                scale /= 2
            else:
                break
        self.u = u
        return value + log_det

    def _penalized(self, eta: np.ndarray, u: np.ndarray) -> float:
        return 2 * float((np.logaddexp(0, eta) - self.y * eta).sum()) + float(u @ u)

    def _split(self, theta: np.ndarray) -> list[np.ndarray]:
        parts: list[np.ndarray] = []
        start = 0
        for size in self.sizes:
            n = 1 if size == 1 else 3
            parts.append(theta[start : start + n])
            start += n
        return parts

    def _load(self, term: RandomTerm, part: np.ndarray) -> np.ndarray:
        """What a trial's u are multiplied by, (n_trials, size)."""
        if term.slope is None:
            return np.full((len(self.y), 1), part[0])
        return np.stack([part[0] + part[1] * term.slope, part[2] * term.slope], axis=1)

    def _blocks(self) -> list[slice]:
        blocks: list[slice] = []
        start = 0
        for size, count in zip(self.sizes, self.counts, strict=True):
            blocks.append(slice(start, start + size * count))
            start += size * count
        return blocks

    def _apply(self, loads: list[np.ndarray], u: np.ndarray) -> np.ndarray:
        total = np.zeros(len(self.y))
        for term, load, size, block in zip(self.terms, loads, self.sizes, self._blocks(), strict=True):
            total += (load * u[block].reshape(-1, size)[term.codes]).sum(axis=1)
        return total

    def _collect(self, loads: list[np.ndarray], values: np.ndarray) -> np.ndarray:
        parts: list[np.ndarray] = []
        for term, load, size, count in zip(self.terms, loads, self.sizes, self.counts, strict=True):
            columns = [np.bincount(term.codes, load[:, j] * values, minlength=count) for j in range(size)]
            parts.append(np.stack(columns, axis=1).ravel())
        return np.concatenate(parts)

    def _solve(self, loads: list[np.ndarray], weight: np.ndarray, gradient: np.ndarray) -> tuple[np.ndarray, float]:
        """Newton's step of u and the log determinant of the curvature, the largest factor eliminated first."""
        size, count, codes, load = self.sizes[0], self.counts[0], self.terms[0].codes, loads[0]
        own = np.zeros((count, size, size))
        for i in range(size):
            for j in range(size):
                own[:, i, j] = np.bincount(codes, weight * load[:, i] * load[:, j], minlength=count)
        own += np.eye(size)
        inverse = np.linalg.inv(own)
        log_det = float(np.linalg.slogdet(own)[1].sum())
        split = size * count
        first = gradient[:split].reshape(count, size)
        if len(self.terms) == 1:
            return np.einsum("gij,gj->gi", inverse, first).ravel(), log_det
        cross, rest = self._couple(loads, weight)
        solved = np.einsum("gij,gjr->gir", inverse, cross.reshape(count, size, -1)).reshape(split, -1)
        complement = rest - cross.T @ solved
        from scipy.linalg import cho_factor, cho_solve

        factor = cast(Any, cho_factor(complement))
        log_det += 2 * float(np.log(np.diag(factor[0])).sum())
        others = cast(np.ndarray, cho_solve(factor, gradient[split:] - solved.T @ gradient[:split]))
        mine = np.einsum("gij,gj->gi", inverse, first).ravel() - solved @ others
        return np.concatenate([mine, others]), log_det

    def _couple(self, loads: list[np.ndarray], weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Curvature between the first factor and the others, and among the others (the prior included)."""
        blocks = self._blocks()
        split, total = blocks[0].stop, blocks[-1].stop
        cross, rest = np.zeros((split, total - split)), np.eye(total - split)
        for b in range(1, len(self.terms)):
            for a in range(b + 1):
                found = self._cross_product(loads, weight, a, b)
                columns = slice(blocks[b].start - split, blocks[b].stop - split)
                if a == 0:
                    cross[:, columns] = found
                    continue
                rows = slice(blocks[a].start - split, blocks[a].stop - split)
                rest[rows, columns] += found
                if a != b:
                    rest[columns, rows] += found.T
        return cross, rest

    def _cross_product(self, loads: list[np.ndarray], weight: np.ndarray, a: int, b: int) -> np.ndarray:
        n_a, n_b, size_a, size_b = self.counts[a], self.counts[b], self.sizes[a], self.sizes[b]
        place = self.terms[a].codes * n_b + self.terms[b].codes
        found = np.empty((n_a, size_a, n_b, size_b))
        for i in range(size_a):
            for j in range(size_b):
                values = weight * loads[a][:, i] * loads[b][:, j]
                found[:, i, :, j] = np.bincount(place, values, minlength=n_a * n_b).reshape(n_a, n_b)
        return found.reshape(n_a * size_a, n_b * size_b)

    def describe(self, theta: np.ndarray) -> tuple[dict[str, float], dict[str, float]]:
        found: dict[int, tuple[dict[str, float], dict[str, float]]] = {}
        for place, term, part in zip(self.order, self.terms, self._split(theta), strict=True):
            if term.slope is None:
                found[place] = {term.name: float(part[0])}, {}
                continue
            wide = math.hypot(float(part[1]), float(part[2]))
            sds = {term.name: float(part[0]), f"{term.name}: {term.slope_name}": wide}
            found[place] = sds, {term.name: float(part[1]) / wide if wide else math.nan}
        sds = {name: sd for place in sorted(found) for name, sd in found[place][0].items()}
        return sds, {name: r for place in sorted(found) for name, r in found[place][1].items()}


def _expit(eta: np.ndarray) -> np.ndarray:
    from scipy.special import expit

    return np.asarray(expit(eta))
