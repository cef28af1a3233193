"""The eight schools."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np
from autograd import numpy as anp

from mcvi._typing import FloatArray
from mcvi.datasets._problem import Problem
from mcvi.distributions import Independent, MultivariateNormalDiag, StudentT

__all__ = ["eight_schools"]


def eight_schools() -> Problem:
    r"""Return the eight schools of Rubin (1981): the effect of coaching on test scores, pooled over schools.

    .. math:: y_i \sim N(\mu + \tau\eta_i, \sigma_i), \quad \eta_i \sim N(0, 1), \quad \mu \sim N(0, 5),
              \quad \tau \sim \text{half-Cauchy}(0, 5)

    The latents are :math:`\eta_1, \dots, \eta_8, \mu, \log\tau` (not centred, and with the Jacobian of the logarithm).
    The priors are normalised: that of :math:`\tau` includes the factor 2 that Stan drops.

    Proposals: ``"mean-field"`` is the exact optimum of the evidence lower bound among the normal distributions with a
    diagonal covariance; ``"wide"`` has the Student-t tails (5 degrees of freedom) that it lacks.

    Returns
    -------
    Problem

    Notes
    -----
    1.2 % of the posterior has :math:`\log\tau` more than five standard deviations below the mean of the mean-field
    optimum: at small :math:`\tau` the posterior falls only as :math:`e^{\log\tau}`, a normal distribution much faster.
    Importance sampling from it looks well-behaved, and converges to an evidence that lacks this part.

    References
    ----------
    Rubin (1981), doi:10.3102/10769986006004377; Gelman et al. (2013), Bayesian Data Analysis, section 5.5. The data and
    the priors are those of posteriordb (BSD-3-Clause).

    Examples
    --------
    >>> import mcvi
    >>> from mcvi.datasets import eight_schools
    >>> schools = eight_schools()
    >>> schools.data["y"]
    array([28.,  8., -3.,  7., -1.,  1., 18., 12.])
    >>> wide = mcvi.renyi_ratio(schools.log_joint, schools.proposals["wide"], 0.0, n=100_000, rng=0)
    >>> bool(abs(wide.value - schools.log_evidence) < 4 * wide.standard_error)
    True
    """
    page = json.loads(files("mcvi.datasets").joinpath("eight_schools.json").read_text(encoding="utf-8"))
    exact, optimum = page["exact"], page["mean_field_optimum"]
    loc, scale = np.array(optimum["loc"]), np.array(optimum["scale_diag"])
    known = {0.0: exact["log_evidence"]}
    # -inf: under Student-t tails of log tau, tau**2 and with it -log p has no mean
    of_wide = {**known, 1.0: -math.inf}
    return Problem(
        name="eight schools",
        log_joint=_EightSchools(np.array(page["y"]), np.array(page["sigma"])),
        dim=10,
        log_evidence=exact["log_evidence"],
        proposals={
            "mean-field": MultivariateNormalDiag(loc, scale),
            "wide": Independent(StudentT(5.0, loc, _WIDER * scale), 1),
        },
        data={"y": page["y"], "sigma": page["sigma"]},
        coordinates=tuple(exact["coordinates"]),
        posterior_mean=exact["posterior_mean"],
        posterior_stddev=exact["posterior_stddev"],
        source=page["source"],
        licence=page["licence"],
        limits={"mean-field": _Table({**known, 1.0: optimum["elbo"]}), "wide": _Table(of_wide)},
        relative_variances={"mean-field": _unknown, "wide": _unknown},
    )


# Of the scales of the mean-field optimum: log tau and mu need it.
_WIDER = np.array([1.0] * 8 + [1.1, 1.6])


@dataclass(frozen=True, eq=False)
class _EightSchools:
    """The log joint density; a class, so that it pickles and can be sent to another process."""

    y: FloatArray
    sigma: FloatArray

    def __call__(self, z: Any) -> Any:
        eta, mu, log_tau = z[..., :8], z[..., 8], z[..., 9]
        with np.errstate(over="ignore"):  # tau beyond every number is a density of zero, quietly
            tau = anp.exp(log_tau)
            residual = (self.y - mu[..., None] - tau[..., None] * eta) / self.sigma
            square = anp.sum(eta**2, axis=-1) + anp.sum(residual**2, axis=-1) + (mu / 5.0) ** 2
        # log of 2 / (pi 5 (1 + (tau/5)^2)) and of d tau / d log tau = tau
        log_prior_tau = math.log(2.0 / (5.0 * math.pi)) - anp.logaddexp(0.0, 2.0 * (log_tau - math.log(5.0))) + log_tau
        constant = -8.5 * math.log(2.0 * math.pi) - math.log(5.0) - float(np.sum(np.log(self.sigma)))
        return constant - 0.5 * square + log_prior_tau


@dataclass(frozen=True)
class _Table:
    """A function with known values at a few orders, and nan elsewhere."""

    known: Mapping[float, float]

    def __call__(self, alpha: float) -> float:
        return self.known.get(float(alpha), math.nan)


def _unknown(alpha: float) -> float:
    """Return nan: no closed form is known."""
    return math.nan
