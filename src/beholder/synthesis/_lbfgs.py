"""L-BFGS with a strong Wolfe line search, one for each image, driven one evaluation at a time.

The search of each image is a small state machine whose whole state is a row of numbers and a few vectors, so that
images in different phases share one pass through the network, and an interrupted search goes on where it was.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from beholder.synthesis._optimizers import Optimizer, State

_SLOTS = (
    "phase", "n_pairs", "n_tries", "loss", "slope", "t",
    "low_t", "low_loss", "low_slope", "high_t", "high_loss", "high_slope",
)  # fmt: skip
_AT = {name: i for i, name in enumerate(_SLOTS)}
_START, _BRACKET, _ZOOM, _STUCK = 0.0, 1.0, 2.0, 3.0


@final
@dataclass(frozen=True)
class LBFGS(Optimizer):
    """Limited-memory BFGS (Nocedal and Wright 2006, algorithms 3.5, 3.6 and 7.5). One step is one evaluation.

    It needs an objective that does not change from step to step: no random transforms, and no constraint but the
    one that a parameterisation such as :class:`Pixels` builds in.

    Parameters
    ----------
    history : int
        Pairs of steps and gradient changes that are kept.
    decrease, curvature : float
        The two constants of the strong Wolfe conditions.
    max_tries : int
        Evaluations in one line search.
    first_step : float
        Length of the first trial step as a share of ``min(1, 1 / ‖g‖₁)``.
    """

    history: int = 10
    decrease: float = 1e-4
    curvature: float = 0.9
    max_tries: int = 25
    first_step: float = 1.0

    @property
    def allows_constraints(self) -> bool:
        """False."""
        return False

    def start(self, params: Tensor) -> State:
        """An empty memory."""
        flat = params.flatten(1)
        pairs = flat.new_zeros(len(flat), self.history, flat.shape[1])
        return {
            "numbers": torch.zeros(len(flat), len(_SLOTS), dtype=torch.float64),
            "point": flat.clone(),
            "gradient": torch.zeros_like(flat),
            "low_gradient": torch.zeros_like(flat),
            "direction": torch.zeros_like(flat),
            "moves": pairs,
            "changes": pairs.clone(),
        }

    def step(self, params: Tensor, grads: Tensor, losses: Tensor, state: State, step: int) -> Tensor:
        """Take in an evaluation at the last trial points and give the next ones."""
        flat, flat_grads = params.flatten(1), grads.flatten(1)
        trial = torch.empty_like(flat)
        values = losses.double().tolist()
        for i in range(len(flat)):
            row = {name: tensor[i] for name, tensor in state.items()}
            trial[i] = _Search(self, row).take(values[i], flat_grads[i])
        return trial.view_as(params)

    def settle(self, params: Tensor, losses: Tensor | None, state: State) -> Tensor:
        """The accepted point, unless the last trial is better."""
        numbers = state["numbers"]
        better = numbers[:, _AT["phase"]] == _START
        if losses is not None:
            better = better | (losses.double().to(numbers.device) < numbers[:, _AT["loss"]])
        rows = better.to(params.device).view(-1, *(1,) * (params.ndim - 1))
        return torch.where(rows, params, state["point"].view_as(params))


@final
class _Search:
    """The state machine of one image."""

    def __init__(self, rule: LBFGS, row: State) -> None:
        self.rule, self.row = rule, row
        self.n: dict[str, float] = dict(zip(_SLOTS, row["numbers"].tolist(), strict=True))

    def take(self, loss: float, gradient: Tensor) -> Tensor:
        phase = self.n["phase"]
        if phase == _START:
            self._accept_start(loss, gradient)
        elif phase != _STUCK:
            slope = _dot(gradient, self.row["direction"])
            self.n["n_tries"] += 1
            (self._bracket if phase == _BRACKET else self._zoom)(loss, slope, gradient)
        self.row["numbers"].copy_(torch.tensor([self.n[name] for name in _SLOTS], dtype=torch.float64))
        if self.n["phase"] == _STUCK:
            return self.row["point"]
        return self.row["point"] + self.n["t"] * self.row["direction"]

    def _accept_start(self, loss: float, gradient: Tensor) -> None:
        self.n["loss"] = loss
        self.row["gradient"].copy_(gradient)
        self._set_direction()

    def _is_low_enough(self, t: float, loss: float) -> bool:
        return loss <= self.n["loss"] + self.rule.decrease * t * self.n["slope"]

    def _is_flat_enough(self, slope: float) -> bool:
        return abs(slope) <= -self.rule.curvature * self.n["slope"]

    def _bracket(self, loss: float, slope: float, gradient: Tensor) -> None:
        n, t = self.n, self.n["t"]
        first = n["n_tries"] == 1
        if not math.isfinite(loss) or not self._is_low_enough(t, loss) or (not first and loss >= n["low_loss"]):
            self._set("high", t, loss, slope)
            self._enter_zoom()
        elif self._is_flat_enough(slope):
            self._accept(t, loss, gradient)
        elif slope >= 0:
            for name in ("t", "loss", "slope"):
                n[f"high_{name}"] = n[f"low_{name}"]
            self._set("low", t, loss, slope, gradient)
            self._enter_zoom()
        elif n["n_tries"] >= self.rule.max_tries:
            self._accept(t, loss, gradient)
        else:
            before = (n["low_t"], n["low_loss"], n["low_slope"])
            self._set("low", t, loss, slope, gradient)
            reach = (t + 0.01 * (t - before[0]), 10 * t)
            n["t"] = _interpolate(*before, t, loss, slope, reach)

    def _zoom(self, loss: float, slope: float, gradient: Tensor) -> None:
        n, t = self.n, self.n["t"]
        if not math.isfinite(loss) or not self._is_low_enough(t, loss) or loss >= n["low_loss"]:
            self._set("high", t, loss, slope)
        elif self._is_flat_enough(slope):
            self._accept(t, loss, gradient)
            return
        else:
            if slope * (n["high_t"] - n["low_t"]) >= 0:
                for name in ("t", "loss", "slope"):
                    n[f"high_{name}"] = n[f"low_{name}"]
            self._set("low", t, loss, slope, gradient)
        self._enter_zoom()

    def _enter_zoom(self) -> None:
        n = self.n
        low, high = sorted((n["low_t"], n["high_t"]))
        width = high - low
        if n["n_tries"] >= self.rule.max_tries or width * float(self.row["direction"].abs().max()) < 1e-9:
            self._give_up()
            return
        n["phase"] = _ZOOM
        if math.isfinite(n["high_loss"]) and math.isfinite(n["high_slope"]):
            t = _interpolate(
                n["low_t"], n["low_loss"], n["low_slope"], n["high_t"], n["high_loss"], n["high_slope"], (low, high)
            )
        else:
            t = (low + high) / 2
        n["t"] = min(max(t, low + 0.1 * width), high - 0.1 * width)

    def _give_up(self) -> None:
        if self.n["low_t"] > 0:
            self._accept(self.n["low_t"], self.n["low_loss"], self.row["low_gradient"].clone())
        elif self.n["n_pairs"] > 0:
            self.n["n_pairs"] = 0.0
            self._set_direction()
        else:
            self.n["phase"] = _STUCK

    def _set(self, side: str, t: float, loss: float, slope: float, gradient: Tensor | None = None) -> None:
        self.n[f"{side}_t"], self.n[f"{side}_loss"], self.n[f"{side}_slope"] = t, loss, slope
        if gradient is not None:
            self.row["low_gradient"].copy_(gradient)

    def _accept(self, t: float, loss: float, gradient: Tensor) -> None:
        move = t * self.row["direction"]
        change = gradient - self.row["gradient"]
        if _dot(move, change) > 1e-10 * _dot(change, change):
            count = int(self.n["n_pairs"])
            if count == self.rule.history:
                for name in ("moves", "changes"):
                    self.row[name][:-1] = self.row[name][1:].clone()
                count -= 1
            self.row["moves"][count], self.row["changes"][count] = move, change
            self.n["n_pairs"] = float(count + 1)
        self.row["point"].add_(move)
        self.row["gradient"].copy_(gradient)
        self.n["loss"] = loss
        self._set_direction()

    def _set_direction(self) -> None:
        n, gradient = self.n, self.row["gradient"]
        direction = self._compute_direction(gradient)
        slope = _dot(gradient, direction)
        if not slope < 0:
            n["n_pairs"] = 0.0
            direction = -gradient
            slope = _dot(gradient, direction)
        self.row["direction"].copy_(direction)
        total = float(gradient.abs().sum())
        if not slope < 0 or not math.isfinite(total):
            n["phase"] = _STUCK
            return
        n["t"] = 1.0 if n["n_pairs"] else self.rule.first_step * min(1.0, 1.0 / total)
        n.update(phase=_BRACKET, n_tries=0.0, slope=slope)
        n.update(low_t=0.0, low_loss=n["loss"], low_slope=slope, high_t=0.0, high_loss=0.0, high_slope=0.0)
        self.row["low_gradient"].copy_(gradient)

    def _compute_direction(self, gradient: Tensor) -> Tensor:
        count = int(self.n["n_pairs"])
        moves, changes = self.row["moves"][:count], self.row["changes"][:count]
        q, shares = -gradient, []
        inner = [_dot(s, y) for s, y in zip(moves, changes, strict=True)]
        for i in reversed(range(count)):
            share = _dot(moves[i], q) / inner[i]
            q = q - share * changes[i]
            shares.append(share)
        if count:
            q = q * (inner[-1] / _dot(changes[-1], changes[-1]))
        for i, share in zip(range(count), reversed(shares), strict=True):
            q = q + (share - _dot(changes[i], q) / inner[i]) * moves[i]
        return q


def _dot(a: Tensor, b: Tensor) -> float:
    return float(torch.dot(a, b))


def _interpolate(
    t1: float, f1: float, g1: float, t2: float, f2: float, g2: float, bounds: tuple[float, float]
) -> float:
    """Minimum of the cubic through two values and slopes (Nocedal and Wright, 3.59), within bounds."""
    if t1 == t2:
        return sum(bounds) / 2
    d1 = g1 + g2 - 3 * (f1 - f2) / (t1 - t2)
    square = d1 * d1 - g1 * g2
    if not square >= 0:
        return sum(bounds) / 2
    d2 = math.copysign(math.sqrt(square), t2 - t1)
    bottom = g2 - g1 + 2 * d2
    if bottom == 0:
        return sum(bounds) / 2
    t = t2 - (t2 - t1) * (g2 + d2 - d1) / bottom
    return min(max(t, bounds[0]), bounds[1]) if math.isfinite(t) else sum(bounds) / 2
