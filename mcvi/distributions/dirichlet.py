"""The Dirichlet distribution."""

from dataclasses import dataclass
from functools import cached_property
from math import log, pi
from typing import Any, ClassVar

import numpy as np
from autograd import numpy as anp

from mcvi import math
from mcvi._autograd import value_of, where
from mcvi._kernels.compiler import maps
from mcvi._kernels.compiler.elementwise import elementwise, table
from mcvi._kernels.compiler.jit import scalar
from mcvi._kernels.draws.gammas import fill_gammas
from mcvi._kernels.functions import elementary, special
from mcvi._kernels.sums.simplex import simplex_sums, softmax
from mcvi._typing import Array, FloatArray, Parameter
from mcvi.distributions._base.constraints import positive, simplex, vectors_of
from mcvi.distributions._base.kl import register_kl
from mcvi.distributions._base.page import widen
from mcvi.distributions._base.vector_family import VectorFamily
from mcvi.distributions._base.vectors import matrix_of
from mcvi.distributions._functions.gamma_terms import gamma_entropy
from mcvi.distributions._functions.kl_terms import concentrations_kl, digamma_less_log, trigamma_difference
from mcvi.random import Key, tile_rows

__all__ = ["Dirichlet"]

_HALF_LOG_2PI = 0.5 * log(2 * pi)
# How far the components may sum from one: what a vector of float32 numbers needs.
_TOLERANCE = 1e-6


@scalar
def _prepare(parameters: Any) -> Any:
    a, total = parameters
    mean, mean_lacks = special.quotient(a, total)
    at_zero = -np.inf if a > 1.0 else np.inf
    at_zero = elementary.log(total) + 1.0 if a == 1.0 else at_zero  # log(x) cancels
    return a, total, mean, mean_lacks, total / a, elementary.log(total) - elementary.log(a), at_zero


@scalar
def _ratio_to_mean(x: float, constants: Any) -> Any:
    """Return ``r - 1``, log r and log x of the ratio r of a component to its mean."""
    _, _, mean, mean_lacks, precision, log_precision, _ = constants
    # The log of the ratio, which `a` multiplies, unless it is no normal number.
    ratio = x * precision
    normal = ratio > 1e-307 and ratio < np.inf
    logarithm = elementary.log(ratio if normal else x)
    log_ratio = logarithm if normal else logarithm + log_precision
    # Near the mean the difference is exact, also where `a` is so large that total * x - a would not be.
    return ((x - mean) - mean_lacks) * precision, log_ratio, logarithm - log_precision if normal else logarithm


@scalar
def _term(x: float, constants: Any) -> Any:
    """Return one component's part of the log density: minus the deviance of x from its mean, times a, minus log(x)."""
    a, total, _, _, _, _, at_zero = constants
    d, log_ratio, log_x = _ratio_to_mean(x, constants)
    deviance = a * special.relative_deviance(d, log_ratio) if abs(d) < 0.29 else (total * x - a) - a * log_ratio
    return at_zero if x == 0.0 else -deviance - log_x


@scalar
def _log_ratio(x: float, constants: Any) -> Any:
    d, log_ratio, _ = _ratio_to_mean(x, constants)
    return elementary.log1p(d) if abs(d) < 0.29 else log_ratio


_prepared = table(_prepare, 2)
_terms = elementwise(_term, 7)
_log_ratios = elementwise(_log_ratio, 7)
_stirling_errors = maps.unary(special.stirling_error)


@dataclass(frozen=True, eq=False, repr=False)
class Dirichlet(VectorFamily, compiled=True):
    r"""The Dirichlet distribution of vectors of k positive numbers that sum to one.

    .. math:: \log p(x) = \sum_i (a_i - 1) \log x_i + \log\Gamma(A) - \sum_i \log\Gamma(a_i), \quad A = \sum_i a_i

    A value whose components sum to one within 1e-6 is taken as it is; any other, and one with a negative component, is
    outside the support. Where components are zero the density is 0 or infinite as its limit is; nan where there is
    none, because one of them has :math:`a_i < 1` and another :math:`a_j > 1`.

    Score: :math:`\log x_i + \psi(A) - \psi(a_i)` in `concentration`; in the value :math:`(a_i - 1)/x_i`, each component
    on its own. Fisher information: :math:`\operatorname{diag}(\psi'(a_i)) - \psi'(A)`.

    The log density is computed in saddle-point form, and keeps its digits at concentrations like 1e10. A draw is a
    vector of gamma draws, divided by its sum in logs: no component is ever 0.

    Parameters
    ----------
    concentration : array_like ``(..., k)``
        The :math:`a_i`; positive and finite.

    Examples
    --------
    >>> from mcvi.distributions import Dirichlet
    >>> q = Dirichlet(concentration=[1.0, 2.0, 3.0])
    >>> q.mean()
    array([0.16666667, 0.33333333, 0.5       ])
    >>> q.log_prob([[0.2, 0.3, 0.5], [0.2, 0.3, 0.6]])
    array([1.5040774,      -inf])
    """

    concentration: Parameter

    constraints: ClassVar = {"concentration": vectors_of(positive)}
    support: ClassVar = simplex

    @cached_property
    def _total(self) -> Any:
        return anp.sum(self.concentration, axis=-1)

    @cached_property
    def _others(self) -> Any:
        """The sum of the other concentrations, for each: not a difference that has lost its digits."""
        a, total = self.concentration, self._total[..., None]
        large = value_of(a) > 0.5 * value_of(total)
        return where(large, anp.sum(anp.where(large, 0.0, a), axis=-1, keepdims=True), total - a)

    def _fill(self, key: Key, first: int, out: FloatArray) -> None:
        shape = widen(self._held("concentration").reshape(1, -1))[0]
        rows = tile_rows(self.elements)
        fill_gammas(
            key.words, 0, first // rows, rows * self.elements, shape, np.ones_like(shape), out.reshape(-1), logs=True
        )
        softmax(out)

    @cached_property
    def _constants(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """The constants of the terms of the log density, and of its members the total and the constant term."""
        a = self._held("concentration").reshape(-1, self._size)
        total = a.sum(axis=-1)
        pairs = np.stack([a, np.broadcast_to(total[:, None], a.shape)]).reshape(2, -1)
        constants = np.empty((7, a.size))
        _prepared(pairs, constants)
        halves = 0.5 * (np.log(a).sum(axis=-1) - np.log(total)) - (self._size - 1) * _HALF_LOG_2PI
        return widen(constants), total, halves + _stirling_error(total) - _stirling_error(a).sum(axis=-1)

    def _density(self, value: FloatArray) -> FloatArray:
        constants, total, peak = self._constants
        terms, out = np.empty(value.shape), np.empty(value.shape[:-1])
        _terms(value.reshape(-1), constants, terms.reshape(-1))
        rows = (-1, self._size)
        simplex_sums(value.reshape(rows), terms.reshape(rows), total, peak, _TOLERANCE, out.reshape(-1))
        return out

    def _scores(self, value: FloatArray) -> dict[str, Any]:
        a, total = self._held("concentration"), np.asarray(self._total)[..., None]
        inside = (simplex.contains(value) | np.isnan(value).any(axis=-1))[..., None]
        log_ratios = np.empty(value.shape)
        _log_ratios(value.reshape(-1), self._constants[0], log_ratios.reshape(-1))
        # The rounding of the total is of the size of a score at concentrations like 1e10.
        rounding = (np.sum(a, axis=-1, dtype=np.longdouble, keepdims=True) - total).astype(np.float64) / total
        in_concentration = log_ratios + (rounding + digamma_less_log(total) - digamma_less_log(a))
        in_value = np.where(a == 1.0, 0.0 * value, (a - 1.0) / value)
        return {"value": np.where(inside, in_value, 0.0), "concentration": np.where(inside, in_concentration, 0.0)}

    def _fisher(self) -> Any:
        held = self.untraced
        diagonal = trigamma_difference(held.concentration, held._others)
        return matrix_of(diagonal, -math.trigamma(held._total)[..., None, None])

    def _mean(self) -> Any:
        return self.concentration / self._total[..., None]

    def _mode(self) -> Any:
        inside = np.all(np.asarray(value_of(self.concentration)) > 1.0, axis=-1, keepdims=True)
        less = anp.where(inside, self.concentration - 1.0, np.nan)
        return less / anp.sum(less, axis=-1, keepdims=True)

    def _variance(self) -> Any:
        total = self._total[..., None]
        return self._mean() * (self._others / total) / (total + 1.0)

    def _covariance(self) -> Any:
        mean = self._mean()
        return matrix_of(
            self._variance(), -mean[..., :, None] * mean[..., None, :] / (self._total[..., None, None] + 1.0)
        )

    def _entropy(self) -> Any:
        total, size = self._total, self.event_shape[0]
        parts = anp.sum(gamma_entropy(self.concentration), axis=-1)
        return parts - gamma_entropy(total) - (size - 1.0) * math.digamma(total)


def _stirling_error(x: Array) -> FloatArray:
    out = np.empty(x.shape)
    _stirling_errors(np.ascontiguousarray(x).reshape(-1), out.reshape(-1))
    return out


@register_kl(Dirichlet, Dirichlet)
def kl_dirichlet_dirichlet(p: Dirichlet, q: Dirichlet) -> Any:
    return concentrations_kl(p.concentration, q.concentration)
