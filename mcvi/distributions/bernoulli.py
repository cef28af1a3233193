"""The Bernoulli distribution."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from autograd import numpy as anp

from mcvi._autograd import unbroadcast, where
from mcvi._kernels.functions import elementary
from mcvi._typing import Parameter
from mcvi.distributions._base.alternatives import either
from mcvi.distributions._base.constraints import Constraint, binary, real, unit_interval
from mcvi.distributions._base.kl import register_kl
from mcvi.distributions._base.page import Page, page
from mcvi.distributions._base.samplers import from_uniform
from mcvi.distributions._base.success_probability import (
    Odds,
    Trial,
    binary_kl,
    logits_otherwise,
    of_logits,
    of_probs,
    probs_otherwise,
)

__all__ = ["Bernoulli"]


def _log_density(x: float, c: Trial) -> float:
    return c.log_success if x == 1.0 else c.log_failure


def _score(x: float, c: Trial) -> Any:
    return (c.in_success if x == 1.0 else c.in_failure,)


def _draw_logits(u: float, logits: float) -> float:
    return 1.0 if u < elementary.sigmoid(logits) else 0.0


def _draw_probs(u: float, probs: float) -> float:
    return 1.0 if u < probs else 0.0


def _page(parameter: str, constraint: Constraint, prepare: Any, draw: Any) -> Page:
    return page(
        parameters={parameter: constraint},
        support=binary,
        prepare=prepare,
        log_density=_log_density,
        score=_score,
        draw=from_uniform(draw),
    )


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Bernoulli(Odds):
    r"""The Bernoulli distribution, :math:`P(1) = p, P(0) = 1 - p` with :math:`p = 1 / (1 + e^{-\ell})`.

    Score: :math:`x - p` in `logits`, :math:`x/p - (1-x)/(1-p)` in `probs`. Fisher information: :math:`p(1-p)` in
    `logits`, :math:`1/(p(1-p))` in `probs`.

    Parameters
    ----------
    logits : array_like, keyword-only
        The log odds :math:`\ell` of 1; finite.
    probs : array_like, keyword-only
        The probability :math:`p` of 1; in [0, 1]. Exactly one of the two is given; the other is computed when read.

    Examples
    --------
    >>> from mcvi.distributions import Bernoulli
    >>> q = Bernoulli(probs=[0.25, 1.0])
    >>> q.log_prob(1)
    array([-1.38629436,  0.        ])
    >>> Bernoulli(logits=40.0).log_prob(0)
    np.float64(-40.0)
    """

    logits: Parameter = logits_otherwise
    probs: Parameter = probs_otherwise

    discrete = True
    _page = either(
        logits=_page("logits", real, of_logits, _draw_logits),
        probs=_page("probs", unit_interval, of_probs, _draw_probs),
    )

    def _weighted_score(self, value: Any, weights: Any) -> dict[str, Any]:
        ahead = np.ndim(value) - len(self.batch_shape)
        if not self._by_logits or any(size != 1 for size in np.shape(weights)[ahead:]):
            return super()._weighted_score(value, weights)
        # The score x - p is linear in x: one product, and the scores are never formed.
        by_draw = np.broadcast_to(weights, (*np.shape(value)[:ahead], *(1,) * len(self.batch_shape))).reshape(-1)
        ones = (by_draw @ np.reshape(value, (by_draw.size, -1))).reshape(self.batch_shape)
        total = ones - self.probs * by_draw.sum()
        return {"logits": unbroadcast(total, np.shape(self.logits))}

    def _mean(self) -> Any:
        return self.probs

    def _mode(self) -> Any:
        return anp.where(self.logits > 0 if self._by_logits else self.probs > 0.5, 1.0, 0.0)

    def _variance(self) -> Any:
        return self.probs * self._failure

    def _entropy(self) -> Any:
        return self._binary_entropy()

    def _fisher(self) -> Any:
        odds = self.untraced
        information = odds._variance()
        return np.asarray(information if odds._by_logits else 1.0 / information)[..., None, None]

    def _cdf(self, value: Any) -> Any:
        return _steps(value, 0.0, self._failure, 1.0)

    def _log_cdf(self, value: Any) -> Any:
        return _steps(value, -np.inf, self._log_failure, 0.0)

    def _survival_function(self, value: Any) -> Any:
        return _steps(value, 1.0, self.probs, 0.0)

    def _log_survival_function(self, value: Any) -> Any:
        return _steps(value, 0.0, self._log_success, -np.inf)

    def _quantile(self, probability: Any) -> Any:
        possible = (probability >= 0) & (probability <= 1)
        return anp.where(possible, anp.where(probability > self._failure, 1.0, 0.0), np.nan)


def _steps(value: Any, below: float, at_zero: Any, from_one: float) -> Any:
    """Return a step function of `value`: nan at nan."""
    known = where(value < 0, below, where(value < 1, at_zero, from_one))
    return where(anp.isnan(value), np.nan, known)


@register_kl(Bernoulli, Bernoulli)
def kl_bernoulli_bernoulli(p: Bernoulli, q: Bernoulli) -> Any:
    return binary_kl(p, q)
