"""The result of a bias study."""

import json
from dataclasses import dataclass, field
from functools import cached_property
from math import isinf, isnan
from typing import Any

import numpy as np

from mcvi._typing import Array, FloatArray
from mcvi.bias._power_law import PowerLaw, fit_power_law
from mcvi.bias._report import csv_of, estimator_name, table_of

__all__ = ["BiasCurve"]

#: Above this k-hat the weights have no variance: no first-order bias, no control variate.
FINITE_VARIANCE = 0.5
#: The largest second term of the expansion, relative to the first, with which the first is shown as a prediction.
_SMALL_CORRECTION = 0.25


@dataclass(frozen=True, eq=False, repr=False)
class BiasCurve:
    """The bias of Renyi estimates against the number of draws; made by `bias_curve`.

    Arrays over sizes and orders are ``(len(sizes), len(alphas))``; arrays over orders ``(len(alphas),)``.
    Values are in nats.

    Parameters
    ----------
    name : str
        The name of the study.
    sizes : array of int
        Numbers of draws, increasing. Different sizes use different draws: their points are independent.
    alphas : array
        Orders: 1 is the ELBO, 0 the importance-weighted evidence.
    replications : array of int
        The number of runs of each size.
    truth : array
        The limit of each estimate as n grows, from which the bias is measured.
    truth_standard_error : array
        0 where the limit was given, otherwise the standard error of the large run that estimated it.
    mean, low, median, high : array
        Mean and quantiles over the runs; two runs in three lie between `low` and `high`. Where weights have no
        variance, a few runs with enormous weights determine the mean, and the median is the typical result.
    bias, bias_standard_error : array
        The mean minus the limit. The error includes that of the limit.
    variance, rmse, rmse_standard_error : array
        The variance of a single run, and the root of its mean squared distance from the truth.
    controlled : array of bool
        True where the bias was estimated with the control variate.
    khat : array
        The median k-hat of a few runs of n draws; inf where n is too small to estimate it, nan for the ELBO, which
        has no weights.
    reference : int
        The number of draws of the large run.
    reference_khat : array
        The k-hat of the large run.
    relative_variance : array
        The variance of the weights to the power ``1 - alpha`` over their squared mean.
    second_order : array
        The coefficient of 1/n**2 in the bias.
    recovered, recovered_standard_error : array
        The mean weight over all draws divided by its exact value. A ratio below 1 means that the proposal did not reach
        part of the target.
    key : Key
        The key of the draws; ``rng=key`` repeats the study.
    complete : bool
        False if the study was interrupted.
    """

    name: str
    sizes: Array
    alphas: FloatArray
    replications: Array
    truth: FloatArray
    truth_standard_error: FloatArray
    mean: FloatArray
    low: FloatArray
    median: FloatArray
    high: FloatArray
    bias: FloatArray
    bias_standard_error: FloatArray
    variance: FloatArray
    rmse: FloatArray
    rmse_standard_error: FloatArray
    controlled: Array
    khat: FloatArray
    reference: int
    reference_khat: FloatArray
    relative_variance: FloatArray
    second_order: FloatArray
    recovered: FloatArray
    recovered_standard_error: FloatArray
    key: Any = None
    complete: bool = field(default=True)

    def __repr__(self) -> str:
        state = "" if self.complete else ", interrupted"
        return (
            f"BiasCurve({self.name!r}, sizes {', '.join(map(str, self.sizes))}; "
            f"alphas {', '.join(f'{a:g}' for a in self.alphas)}{state})"
        )

    @cached_property
    def asymptotic_bias(self) -> FloatArray:
        """The first-order prediction ``-relative_variance / (2 n (1 - alpha))``; 0 for the ELBO."""
        power = 1.0 - self.alphas
        with np.errstate(divide="ignore", invalid="ignore"):
            slope = np.where(power == 0.0, 0.0, -0.5 * self.relative_variance / power)
        return slope / self.sizes[:, None]  # type: ignore[no-any-return]

    @cached_property
    def asymptotic_trusted(self) -> Array:
        """True where the first-order prediction is reliable.

        The weights must have a variance (k-hat of the large run below 0.5), the draws must have found the whole target
        (`missing` is False), and the second term of the expansion must be below a quarter of the first.
        """
        second = np.abs(self.second_order) / self.sizes[:, None].astype(np.float64) ** 2
        with np.errstate(invalid="ignore"):
            small = second <= _SMALL_CORRECTION * np.abs(self.asymptotic_bias)
        exact = np.abs(1.0 - self.alphas) == 0.0
        return exact | (small & self.well_behaved)

    @cached_property
    def missing(self) -> Array:
        """True for each order whose draws missed part of the target: `recovered` is five standard errors from 1."""
        with np.errstate(invalid="ignore"):
            return np.abs(self.recovered - 1.0) > 5.0 * self.recovered_standard_error  # type: ignore[no-any-return]

    @cached_property
    def well_behaved(self) -> Array:
        """True for each order whose weights have a variance and whose draws reached the whole target."""
        with np.errstate(invalid="ignore"):
            return (self.reference_khat < FINITE_VARIANCE) & ~self.missing  # type: ignore[no-any-return]

    def power_law(self, alpha: float, *, smallest: int = 1) -> PowerLaw:
        """Return the fitted exponent of ``|bias|`` against n.

        Parameters
        ----------
        alpha : float
            One of `alphas`.
        smallest : int
            Leave out smaller samples: the power of 1/n is that of large ones.

        Raises
        ------
        ValueError
            `alpha` was not studied.
        """
        column, rows = self.column(alpha), self.sizes >= smallest
        return fit_power_law(self.sizes[rows], self.bias[rows, column], self.bias_standard_error[rows, column])

    def column(self, alpha: float) -> int:
        """Return the column of an order in the arrays."""
        found = np.flatnonzero(self.alphas == alpha)
        if not found.size:
            raise ValueError(f"alpha must be one of {', '.join(f'{a:g}' for a in self.alphas)}; got {alpha}.")
        return int(found[0])

    def rows(self) -> list[dict[str, Any]]:
        """Return one dictionary for each order and size, as they stand in the CSV."""
        found = []
        for j, alpha in enumerate(self.alphas):
            for i, n in enumerate(self.sizes):
                found.append(
                    {
                        "name": self.name,
                        "alpha": float(alpha),
                        "n": int(n),
                        "replications": int(self.replications[i]),
                        "truth": float(self.truth[j]),
                        "truth_standard_error": float(self.truth_standard_error[j]),
                        "mean": float(self.mean[i, j]),
                        "low": float(self.low[i, j]),
                        "median": float(self.median[i, j]),
                        "high": float(self.high[i, j]),
                        "bias": float(self.bias[i, j]),
                        "bias_standard_error": float(self.bias_standard_error[i, j]),
                        "control_variate": bool(self.controlled[i, j]),
                        "variance": float(self.variance[i, j]),
                        "rmse": float(self.rmse[i, j]),
                        "rmse_standard_error": float(self.rmse_standard_error[i, j]),
                        "asymptotic_bias": float(self.asymptotic_bias[i, j]),
                        "asymptotic_trusted": bool(self.asymptotic_trusted[i, j]),
                        "khat": float(self.khat[i, j]),
                    }
                )
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return the study as lists, numbers and strings; nan becomes None, and inf ``"inf"``."""
        orders = []
        for j, alpha in enumerate(self.alphas):
            law = self.power_law(float(alpha))
            orders.append(
                {
                    "alpha": float(alpha),
                    "estimator": estimator_name(float(alpha)),
                    "truth": float(self.truth[j]),
                    "truth_standard_error": float(self.truth_standard_error[j]),
                    "reference_khat": float(self.reference_khat[j]),
                    "relative_variance": float(self.relative_variance[j]),
                    "second_order": float(self.second_order[j]),
                    "recovered": float(self.recovered[j]),
                    "recovered_standard_error": float(self.recovered_standard_error[j]),
                    "missing": bool(self.missing[j]),
                    "exponent": law.exponent,
                    "exponent_standard_error": law.standard_error,
                    "exponent_interval": list(law.interval()),
                    "exponent_points": law.points,
                    "exponent_misfit": law.misfit,
                }
            )
        found = {
            "name": self.name,
            "complete": self.complete,
            "key": None if self.key is None else f"0x{self.key.value:032x}",
            "reference": self.reference,
            "orders": orders,
            "points": self.rows(),
        }
        return _plain(found)  # type: ignore[no-any-return]

    def to_json(self) -> str:
        """Return `to_dict` as JSON."""
        return json.dumps(self.to_dict(), indent=1, allow_nan=False)

    def to_csv(self) -> str:
        """Return the points as CSV, one line for each order and size."""
        return csv_of(self.rows())

    def table(self) -> str:
        """Return the study as plain text."""
        return table_of(self)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list):
        return [_plain(part) for part in value]
    if isinstance(value, float) and isnan(value):
        return None
    if isinstance(value, float) and isinf(value):
        return "inf" if value > 0 else "-inf"
    return value
