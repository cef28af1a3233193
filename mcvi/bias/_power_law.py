"""The exponent of a bias that falls as a power of the number of draws."""

from dataclasses import dataclass
from math import inf, nan

import numpy as np

from mcvi._typing import ArrayLike

__all__ = ["PowerLaw", "fit_power_law"]

#: A bias of this many standard errors counts as resolved: smaller ones would be taken for larger than they are.
RESOLVED = 4.0
_FEWEST_POINTS = 3


@dataclass(frozen=True)
class PowerLaw:
    """``|bias| = exp(intercept) * n**exponent``, fitted by weighted least squares to the logarithms."""

    exponent: float
    standard_error: float
    intercept: float
    #: The number of resolved points, which were fitted.
    points: int
    #: chi-squared of the fit for each degree of freedom: far above 1, the bias follows no single power.
    misfit: float

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return the interval that holds the exponent with probability `level`."""
        from scipy.special import ndtri

        if not 0.0 < level < 1.0:
            raise ValueError(f"level must be between 0 and 1; got {level}.")
        reach = float(ndtri(0.5 + 0.5 * level)) * self.standard_error
        return self.exponent - reach, self.exponent + reach

    def __str__(self) -> str:
        if np.isnan(self.exponent):
            return f"not fitted ({self.points} of the needed {_FEWEST_POINTS} points are resolved)"
        low, high = self.interval()
        digits = 2 if self.standard_error >= 0.005 else 3
        return f"{self.exponent:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}] from {self.points} points"


def fit_power_law(sizes: ArrayLike, bias: ArrayLike, standard_error: ArrayLike) -> PowerLaw:
    r"""Fit :math:`\log|b_n| = c + e \log n` to the biases of one sign that are four standard errors from zero.

    Parameters
    ----------
    sizes, bias, standard_error : array_like ``(points,)``
        The biases must be independent of each other.

    Returns
    -------
    PowerLaw
        nan where fewer than three points are resolved. Where the points scatter about the line by more than
        their errors, the error of the exponent is widened by the square root of the misfit.

    Examples
    --------
    >>> sizes = [4, 16, 64, 256]
    >>> print(fit_power_law(sizes, [-0.25, -0.0625, -0.015625, -0.00390625], [1e-3, 1e-3, 1e-4, 1e-4]))
    -1.000 [-1.005, -0.995] from 4 points
    """
    n, b, error = (np.asarray(x, np.float64) for x in (sizes, bias, standard_error))
    with np.errstate(invalid="ignore"):
        resolved = np.isfinite(b) & np.isfinite(error) & (error > 0) & (np.abs(b) >= RESOLVED * error)
    # a change of sign is no power law: the sign of the smallest sample rules
    if resolved.any():
        resolved &= np.sign(b) == np.sign(b[resolved][0])
    points = int(resolved.sum())
    if points < _FEWEST_POINTS:
        return PowerLaw(nan, inf, nan, points, nan)
    x, y = np.log(n[resolved]), np.log(np.abs(b[resolved]))
    weight = (b[resolved] / error[resolved]) ** 2
    centre = np.average(x, weights=weight)
    spread = float(np.sum(weight * (x - centre) ** 2))
    exponent = float(np.sum(weight * (x - centre) * y)) / spread
    intercept = float(np.average(y, weights=weight)) - exponent * float(centre)
    misfit = float(np.sum(weight * (y - intercept - exponent * x) ** 2)) / (points - 2)
    return PowerLaw(exponent, (max(1.0, misfit) / spread) ** 0.5, intercept, points, misfit)
