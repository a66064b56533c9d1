"""L-BFGS with a strong Wolfe line search, one for each image, driven one evaluation at a time.

The search of each image is a small state machine whose whole state is a row of numbers and a few vectors, so that
images in different phases share one pass through the network, and an interrupted search goes on where it was.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar, final

import numpy as np
import torch
from torch import Tensor

from beholder.synthesis.engine._optimizers import Optimizer, State

_SLOTS = (
    "phase", "n_pairs", "newest", "n_tries", "loss", "slope", "t",
    "low_t", "low_loss", "low_slope", "high_t", "high_loss", "high_slope",
)  # fmt: skip
_AT = {name: i for i, name in enumerate(_SLOTS)}
_START, _BRACKET, _ZOOM, _STUCK = 0.0, 1.0, 2.0, 3.0


@final
@dataclass(frozen=True)
class LBFGS(Optimizer):
    """Limited-memory BFGS (Nocedal and Wright 2006, algorithms 3.5, 3.6 and 7.4). One step is one evaluation.

    The two-loop recursion runs on inner products of the kept vectors, which are read twice an iteration (Chen, Wang and
    Zhou 2014, "Large-scale L-BFGS using MapReduce").

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
        Length of the first trial step as a proportion of ``min(1, 1 / ‖g‖₁)``.
    """

    history: int = 10
    decrease: float = 1e-4
    curvature: float = 0.9
    max_tries: int = 25
    first_step: float = 1.0

    allows_constraints: ClassVar[bool] = False

    def start(self, params: Tensor) -> State:
        """An empty memory."""
        flat = params.flatten(1)
        n_kept = 2 * self.history + 1
        return {
            "numbers": torch.zeros(len(flat), len(_SLOTS), dtype=torch.float64),
            "products": torch.zeros(len(flat), n_kept, n_kept, dtype=torch.float64),
            "point": flat.clone(),
            "low_gradient": torch.zeros_like(flat),
            "direction": torch.zeros_like(flat),
            "kept": flat.new_zeros(len(flat), n_kept, flat.shape[1]),
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

    def can_back_off(self, losses: Tensor, state: State) -> Tensor:
        """Those in a line search, which takes a loss that is not finite as a step too far."""
        phase = state["numbers"][:, _AT["phase"]]
        return ((phase != _START) & (phase != _STUCK)).to(losses.device)

    def final_params(self, params: Tensor, losses: Tensor | None, state: State) -> Tensor:
        """The accepted point, unless the last trial is better."""
        numbers = state["numbers"]
        better = numbers[:, _AT["phase"]] == _START
        if losses is not None:
            better = better | (losses.double().to(numbers.device) < numbers[:, _AT["loss"]])
        rows = better.to(params.device).view(-1, *(1,) * (params.ndim - 1))
        return torch.where(rows, params, state["point"].view_as(params))


@final
class _Search:
    """The state machine of one image.

    ``kept`` holds the moves, then the changes of the gradient, each a ring of ``history`` rows, then the gradient;
    ``products`` their inner products.
    """

    def __init__(self, rule: LBFGS, row: State) -> None:
        self.rule, self.row = rule, row
        self.n: dict[str, float] = dict(zip(_SLOTS, row["numbers"].tolist(), strict=True))

    @property
    def gradient(self) -> Tensor:
        """At the accepted point."""
        return self.row["kept"][-1]

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
        self.gradient.copy_(gradient)
        self._set_direction()

    def _is_low_enough(self, t: float, loss: float) -> bool:
        return loss <= self.n["loss"] + self.rule.decrease * t * self.n["slope"]

    def _is_flat_enough(self, slope: float) -> bool:
        return abs(slope) <= -self.rule.curvature * self.n["slope"]

    def _bracket(self, loss: float, slope: float, gradient: Tensor) -> None:
        n, t = self.n, self.n["t"]
        first = n["n_tries"] == 1
        finite = math.isfinite(loss) and math.isfinite(slope)
        if not finite or not self._is_low_enough(t, loss) or (not first and loss >= n["low_loss"]):
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
        finite = math.isfinite(loss) and math.isfinite(slope)
        if not finite or not self._is_low_enough(t, loss) or loss >= n["low_loss"]:
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
        n, kept, size = self.n, self.row["kept"], self.rule.history
        move = t * self.row["direction"]
        change = gradient - self.gradient
        new = []
        if _dot(move, change) > 1e-10 * _dot(change, change):
            place = int(n["newest"] + 1) % size if n["n_pairs"] else 0
            kept[place], kept[size + place] = move, change
            n["newest"], n["n_pairs"] = float(place), min(n["n_pairs"] + 1, float(size))
            new = [place, size + place]
        self.row["point"].add_(move)
        self.gradient.copy_(gradient)
        n["loss"] = loss
        if n["n_pairs"]:
            self._multiply([*new, 2 * size])
        self._set_direction()

    def _multiply(self, rows: list[int]) -> None:
        """Renew the inner products of some rows with all."""
        kept, products = self.row["kept"], self.row["products"]
        found = torch.mm(kept[rows], kept.T).to(products.device, torch.float64)
        for row, values in zip(rows, found, strict=True):
            products[:, row], products[row] = values, values

    def _set_direction(self) -> None:
        n, gradient = self.n, self.gradient
        direction = self._compute_direction() if n["n_pairs"] else -gradient
        slope = _dot(gradient, direction)
        if not slope < 0 and n["n_pairs"]:
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

    def _compute_direction(self) -> Tensor:
        """The two loops on the coefficients of the kept vectors, then one sum of them."""
        size, newest = self.rule.history, int(self.n["newest"])
        products = self.row["products"].cpu().numpy()
        newest_first = [(newest - k) % size for k in range(int(self.n["n_pairs"]))]
        weights, shares = np.zeros(2 * size + 1), {}
        weights[-1] = -1.0
        for i in newest_first:
            shares[i] = weights @ products[i] / products[i, size + i]
            weights[size + i] -= shares[i]
        weights *= products[newest, size + newest] / products[size + newest, size + newest]
        for i in reversed(newest_first):
            weights[i] += shares[i] - weights @ products[size + i] / products[i, size + i]
        kept = self.row["kept"]
        return torch.from_numpy(weights).to(kept.device, kept.dtype) @ kept


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
