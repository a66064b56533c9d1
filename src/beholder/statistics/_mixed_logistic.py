"""A logistic mixed model: right or wrong answers of people to stimuli, where both differ among themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, final

import numpy as np

from beholder._core.errors import InputError, suggest_keywords
from beholder._core.notebooks import render_table
from beholder._core.wording import format_count
from beholder.statistics._laplace import LARGE, LaplaceProblem, RandomTerm

if TYPE_CHECKING:
    import pandas as pd


@final
@dataclass(frozen=True, eq=False)
class LogisticMixedFit:
    """A fitted logistic mixed model.

    Attributes
    ----------
    names : tuple of str
        Of the fixed coefficients.
    estimate, se, z, p : (n_coefficients,), float
        In logits; Wald's z and two-sided p.
    covariance : (n_coefficients, n_coefficients), float
    sds : dict of str to float
        Standard deviation between levels, in logits, of ``{factor}`` and ``{factor}: {slope}``.
    correlations : dict of str to float
        Of intercept and slope, by factor.
    log_likelihood : float
        By the Laplace approximation.
    n_parameters, n_trials : int
    n_levels : dict of str to int
    warnings : tuple of str
        Separation, a standard deviation of 0, a fit that did not settle.
    """

    names: tuple[str, ...]
    estimate: np.ndarray
    se: np.ndarray
    z: np.ndarray
    p: np.ndarray
    covariance: np.ndarray
    sds: dict[str, float]
    correlations: dict[str, float]
    log_likelihood: float
    n_parameters: int
    n_trials: int
    n_levels: dict[str, int]
    warnings: tuple[str, ...] = field(default=())

    def _repr_html_(self) -> str:
        """Its first rows, for notebooks."""
        return render_table(
            f"{format_count(self.n_trials, 'trial')}, log-likelihood {self.log_likelihood:.4g}",
            self.to_pandas().reset_index(names="coefficient"),
        )

    def to_pandas(self) -> pd.DataFrame:
        """The fixed coefficients, indexed by name: ``estimate, se, z, p, low, high`` (Wald's 95 % interval)."""
        import pandas as pd

        ends = np.array([self.interval(name) for name in self.names])
        columns = {
            "estimate": self.estimate,
            "se": self.se,
            "z": self.z,
            "p": self.p,
            "low": ends[:, 0],
            "high": ends[:, 1],
        }
        return pd.DataFrame(columns, index=pd.Index(self.names, name="coefficient"))

    def interval(self, name: str, z: float = 1.959963984540054) -> tuple[float, float]:
        """Wald's 95 % interval of a coefficient."""
        place = self.names.index(name)
        return float(self.estimate[place] - z * self.se[place]), float(self.estimate[place] + z * self.se[place])


@suggest_keywords
def fit_logistic_mixed(
    correct: Any, design: Any, names: Sequence[str], terms: Sequence[RandomTerm]
) -> LogisticMixedFit:
    r"""Fit a logistic mixed model with crossed random terms by maximum likelihood.

    :math:`P(y_i = 1) = \sigma(x_i \beta + \sum_t z_{ti} b_{t g_t(i)})`, b normal. The integral over all b is replaced
    by Laplace's approximation at its mode, which is found by penalised Newton steps; :math:`\beta` and the standard
    deviations then maximise it together.

    Parameters
    ----------
    correct : (n_trials,), bool
    design : (n_trials, n_coefficients), float
        Fixed effects, the intercept among them.
    names : sequence of str, (n_coefficients,)
    terms : sequence of RandomTerm
        At least one.

    Returns
    -------
    LogisticMixedFit

    Raises
    ------
    InputError
        Shapes that do not fit, a design whose columns depend on each other, a factor of one level, answers all alike.

    Notes
    -----
    Source: Bates, Mächler, Bolker & Walker 2015, Journal of Statistical Software 67(1); Laplace: Breslow & Clayton
    1993, Journal of the American Statistical Association 88. The intervals use the curvature in all parameters
    together, as lme4 does.
    """
    y, x = _check(correct, design, names, terms)
    problem = LaplaceProblem(y, x, terms)
    theta, beta = problem.start()
    theta, beta, settled = problem.optimize(theta, beta)
    deviance = problem.deviance(theta, beta)
    covariance = problem.find_covariance(theta, beta)
    se = np.sqrt(np.maximum(np.diag(covariance), 0))
    from scipy.special import ndtr

    with np.errstate(divide="ignore", invalid="ignore"):
        z = beta / se
    sds, correlations = problem.describe(theta)
    warnings: list[str] = []
    large = [name for name, value, wide in zip(names, beta, se, strict=True) if abs(value) > LARGE or wide > LARGE]
    if large:
        warnings.append(
            f"{', '.join(large)} grows without end: some condition has only right or only wrong answers (separation)"
        )
    warnings += [
        f"{name} does not differ beyond chance: its standard deviation is 0" for name, sd in sds.items() if sd < 1e-4
    ]
    if not settled:
        warnings.append("the fit did not settle; its numbers are not to be used")
    return LogisticMixedFit(
        tuple(names), beta, se, z, 2 * ndtr(-np.abs(z)), covariance, sds, correlations, -deviance / 2,
        len(beta) + len(theta), len(y), {term.name: int(term.codes.max()) + 1 for term in terms}, tuple(warnings),
    )  # fmt: skip


@suggest_keywords
def compare_fits(larger: LogisticMixedFit, smaller: LogisticMixedFit) -> tuple[float, int, float]:
    """Likelihood-ratio test of two nested models of the same trials: chi-square, degrees of freedom, p.

    Raises
    ------
    InputError
        Models of different numbers of trials, or the first one not the larger.
    """
    from scipy.stats import chi2

    df = larger.n_parameters - smaller.n_parameters
    if larger.n_trials != smaller.n_trials or df < 1:
        raise InputError(
            "a larger and a smaller model of the same trials",
            got=f"{larger.n_parameters} and {format_count(smaller.n_parameters, 'parameter')}, "
            f"{larger.n_trials} and {format_count(smaller.n_trials, 'trial')}",
        )
    value = max(0.0, 2 * (larger.log_likelihood - smaller.log_likelihood))
    return value, df, float(chi2.sf(value, df))


def _check(
    correct: Any, design: Any, names: Sequence[str], terms: Sequence[RandomTerm]
) -> tuple[np.ndarray, np.ndarray]:
    y, x = np.asarray(correct, dtype=np.float64), np.asarray(design, dtype=np.float64)
    if y.ndim != 1 or x.shape != (len(y), len(names)) or not names:
        raise InputError("answers (n_trials,) and a design (n_trials, n_coefficients)", got=f"{y.shape} and {x.shape}")
    if not np.isin(y, (0, 1)).all() or not np.isfinite(x).all():
        raise InputError("answers of 0 and 1 and finite predictors", got="others", hint="leave trials without out")
    if len(np.unique(y)) < 2:
        raise InputError("right and wrong answers", got=f"only {'right' if y[0] else 'wrong'} ones")
    if np.linalg.matrix_rank(x) < x.shape[1]:
        raise InputError("predictors that do not follow from each other", got=", ".join(names))
    if not terms:
        raise InputError("at least one grouping factor", got="none", hint="participant, stimulus")
    for term in terms:
        if len(term.codes) != len(y) or int(term.codes.max(initial=-1)) < 1:
            raise InputError(f"at least two levels of {term.name}, one a trial", got=f"{len(set(term.codes.tolist()))}")
    return y, x
