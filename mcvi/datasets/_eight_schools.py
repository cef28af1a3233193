"""Problems with a known answer: a log joint density, proposals for it, and the exact log evidence."""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from types import MappingProxyType
from typing import Any

import numpy as np
from autograd import numpy as anp

from mcvi import _checks
from mcvi._typing import FloatArray, LogDensity
from mcvi.distributions import Independent, MultivariateNormalDiag, StudentT

__all__ = ["Problem", "eight_schools", "gaussian"]


@dataclass(frozen=True, eq=False)
class Problem:
    """A posterior distribution whose normaliser is known, and proposals to reach it with.

    Parameters
    ----------
    name : str
        What it is.
    log_joint : callable
        The log joint density of latents and data: draws ``(n, dim)`` in, ``(n,)`` out; nats, normalised.
    dim : int
        How many latents.
    log_evidence : float
        The log of its integral, exact.
    proposals : mapping
        Distributions with ``event_shape == (dim,)``, by name.
    data : mapping
        What was observed, as read-only arrays by name.
    coordinates : tuple of str
        The names of the latents, in order.
    posterior_mean, posterior_stddev : array ``(dim,)``
        Of the latents, exact.
    source, licence : str
        Where the data come from, and under which licence.
    limits : mapping
        For each proposal a function of alpha: the exact value of the Renyi bound, which its estimate reaches as the
        number of draws grows; nan where none is known.
    relative_variances : mapping
        For each proposal a function of alpha: the exact variance of the weights to the power ``1 - alpha``, divided by
        the square of their mean; nan where none is known.
    """

    name: str
    log_joint: LogDensity
    dim: int
    log_evidence: float
    proposals: Mapping[str, Any]
    data: Mapping[str, FloatArray]
    coordinates: tuple[str, ...]
    posterior_mean: FloatArray
    posterior_stddev: FloatArray
    source: str
    licence: str
    limits: Mapping[str, Callable[[float], float]] = field(repr=False)
    relative_variances: Mapping[str, Callable[[float], float]] = field(repr=False)


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
    page = json.loads(files("mcvi").joinpath("data/eight_schools.json").read_text(encoding="utf-8"))
    exact, optimum = page["exact"], page["mean_field_optimum"]
    loc, scale = np.array(optimum["loc"]), np.array(optimum["scale_diag"])
    nothing = MappingProxyType({"mean-field": _unknown, "wide": _unknown})
    known = {0.0: exact["log_evidence"]}
    # -inf: under Student-t tails of log tau, tau**2 and with it -log p has no mean
    of_wide = {**known, 1.0: -math.inf}
    return Problem(
        name="eight schools",
        log_joint=_EightSchools(_fixed(page["y"]), _fixed(page["sigma"])),
        dim=10,
        log_evidence=exact["log_evidence"],
        proposals=MappingProxyType(
            {
                "mean-field": MultivariateNormalDiag(loc, scale),
                "wide": Independent(StudentT(5.0, loc, _WIDER * scale), 1),
            }
        ),
        data=MappingProxyType({"y": _fixed(page["y"]), "sigma": _fixed(page["sigma"])}),
        coordinates=tuple(exact["coordinates"]),
        posterior_mean=_fixed(exact["posterior_mean"]),
        posterior_stddev=_fixed(exact["posterior_stddev"]),
        source=page["source"],
        licence=page["licence"],
        limits=MappingProxyType({"mean-field": _Table({**known, 1.0: optimum["elbo"]}), "wide": _Table(of_wide)}),
        relative_variances=nothing,
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
        proposals=MappingProxyType(
            {
                name: MultivariateNormalDiag(np.full(d, loc), np.full(d, math.sqrt(variance)))
                for name, (loc, variance) in proposals.items()
            }
        ),
        data=MappingProxyType({"x": _fixed([1.0] * d)}),
        coordinates=tuple(f"z{i + 1}" for i in range(d)),
        posterior_mean=_fixed([0.5] * d),
        posterior_stddev=_fixed([math.sqrt(0.5)] * d),
        source="made for this purpose",
        licence="BSD-3-Clause",
        limits=MappingProxyType({name: found.limit for name, found in powers.items()}),
        relative_variances=MappingProxyType({name: found.relative_variance for name, found in powers.items()}),
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


@dataclass(frozen=True)
class _Table:
    """A function that is known at a few orders, and nan elsewhere."""

    known: Mapping[float, float]

    def __call__(self, alpha: float) -> float:
        return self.known.get(float(alpha), math.nan)


def _unknown(alpha: float) -> float:
    """Return nan: this is not known in closed form."""
    return math.nan


def _fixed(values: Any) -> FloatArray:
    array = np.array(values, np.float64)
    array.flags.writeable = False
    return array
