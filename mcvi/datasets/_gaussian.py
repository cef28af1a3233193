"""A conjugate normal model."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from autograd import numpy as anp

from mcvi import _checks
from mcvi.datasets._problem import Problem
from mcvi.distributions import MultivariateNormalDiag

__all__ = ["gaussian"]


def gaussian(dim: int = 2) -> Problem:
    r"""Return a conjugate normal model, for which everything is known in closed form.

    .. math:: z \sim N(0, I_d), \quad x \mid z \sim N(z, I_d), \quad x = (1, \dots, 1)

    The posterior is :math:`N(x/2, I_d/2)` and the evidence :math:`N(x; 0, 2 I_d)`.

    Proposals: ``"wide"`` :math:`N(x/2 + 0.2, 0.8 I_d)`, whose variance 0.8 covers the 0.5 of the posterior, and
    ``"narrow"`` :math:`N(x/2, 0.2 I_d)`, under which the weights have no variance.

    Parameters
    ----------
    dim : int
        The dimension d.

    Returns
    -------
    Problem

    Raises
    ------
    TypeError, ValueError
        `dim` is no positive integer.

    Examples
    --------
    >>> import mcvi
    >>> from mcvi.datasets import gaussian
    >>> model = gaussian(2)
    >>> print(round(model.log_evidence, 6))
    -3.031024
    >>> elbo = mcvi.elbo_ratio(model.log_joint, model.proposals["wide"], n=10_000, rng=0)
    >>> bool(abs(elbo.value - model.limits["wide"](1.0)) < 4 * elbo.standard_error)
    True
    """
    d = _checks.draw_count(dim, "dim")
    log_evidence = d * (-0.5 * math.log(2.0 * math.pi * 2.0) - 0.25)
    proposals = {"wide": (0.7, 0.8), "narrow": (0.5, 0.2)}
    powers = {name: _GaussianPowers(d, log_evidence, *found) for name, found in proposals.items()}
    return Problem(
        name=f"Gaussian, d = {d}",
        log_joint=_Gaussian(d),
        dim=d,
        log_evidence=log_evidence,
        proposals={
            name: MultivariateNormalDiag(np.full(d, loc), np.full(d, math.sqrt(variance)))
            for name, (loc, variance) in proposals.items()
        },
        data={"x": np.ones(d)},
        coordinates=tuple(f"z{i + 1}" for i in range(d)),
        posterior_mean=np.full(d, 0.5),
        posterior_stddev=np.full(d, math.sqrt(0.5)),
        source="made for this purpose",
        licence="BSD-3-Clause",
        limits={name: found.limit for name, found in powers.items()},
        relative_variances={name: found.relative_variance for name, found in powers.items()},
    )


@dataclass(frozen=True)
class _Gaussian:
    """The log joint density of the conjugate model."""

    dim: int

    def __call__(self, z: Any) -> Any:
        return -self.dim * math.log(2.0 * math.pi) - 0.5 * anp.sum(z**2 + (z - 1.0) ** 2, axis=-1)


@dataclass(frozen=True)
class _GaussianPowers:
    """Moments of the weights ``Z N(z; 1/2, 1/2) / N(z; loc, variance)`` in each of `dim` dimensions."""

    dim: int
    log_evidence: float
    loc: float
    variance: float

    def log_moment(self, power: float) -> float:
        """Return ``log E[w**power]``; inf where there is none."""
        posterior = 0.5
        precision = power / posterior + (1.0 - power) / self.variance
        if precision <= 0.0:
            return math.inf
        # the integral of N(z; 1/2, s)^p N(z; loc, v)^(1-p): complete the square
        width = -0.5 * (power * math.log(posterior) + (1.0 - power) * math.log(self.variance) + math.log(precision))
        gap = -0.5 * power * (1.0 - power) * (self.loc - 0.5) ** 2 / (posterior * self.variance * precision)
        return power * self.log_evidence + self.dim * (width + gap)

    def limit(self, alpha: float) -> float:
        """Return the Renyi bound of order `alpha`."""
        if alpha == 1.0:
            ratio = 0.5 / self.variance
            square = (self.loc - 0.5) ** 2 / 0.5
            return self.log_evidence - 0.5 * self.dim * (1.0 / ratio - 1.0 + math.log(ratio) + square)
        return self.log_moment(1.0 - alpha) / (1.0 - alpha)

    def relative_variance(self, alpha: float) -> float:
        """Return the variance of ``w**(1 - alpha)`` divided by its squared mean."""
        power = 1.0 - alpha
        return math.expm1(self.log_moment(2.0 * power) - 2.0 * self.log_moment(power))
