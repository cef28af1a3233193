"""The geometric distribution."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from autograd import numpy as anp

from mcvi import math
from mcvi._autograd import value_of
from mcvi._kernels.functions import elementary
from mcvi._typing import Parameter
from mcvi.distributions._base.alternatives import either
from mcvi.distributions._base.constraints import Constraint, real, unit_interval, whole
from mcvi.distributions._base.kl import register_kl
from mcvi.distributions._base.page import Page, page
from mcvi.distributions._base.samplers import from_uniform
from mcvi.distributions._base.success_probability import (
    Odds,
    Trial,
    logits_otherwise,
    of_logits,
    of_probs,
    probs_otherwise,
    trials_kl,
)

__all__ = ["Geometric"]


def _log_density(x: float, c: Trial) -> float:
    return c.log_success + (x * c.log_failure if x > 0.0 else 0.0)  # 0 log 0 = 0


def _score(x: float, c: Trial) -> Any:
    return (c.in_success + (x * c.in_failure if x > 0.0 else 0.0),)


def _draw_logits(u: float, logits: float) -> Any:
    # Each failure multiplies the survival function by 1 - p.
    return np.floor(elementary.log_positive(u) / -elementary.softplus(logits))


def _draw_probs(u: float, probs: float) -> Any:
    return np.floor(elementary.log_positive(u) / elementary.log1p(-probs))


def _page(parameter: str, constraint: Constraint, prepare: Any, draw: Any) -> Page:
    return page(
        parameters={parameter: constraint},
        support=whole,
        prepare=prepare,
        log_density=_log_density,
        score=_score,
        draw=from_uniform(draw),
    )


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Geometric(Odds):
    r"""The number of failures before the first success, :math:`P(k) = p (1 - p)^k`, :math:`p = 1 / (1 + e^{-\ell})`.

    Score: :math:`1 - p - k p` in `logits`, :math:`1/p - k/(1-p)` in `probs`. Fisher information: :math:`1 - p` in
    `logits`, :math:`1/(p^2 (1-p))` in `probs`.

    Parameters
    ----------
    logits : array_like, keyword-only
        The log odds :math:`\ell` of a success; finite.
    probs : array_like, keyword-only
        The probability :math:`p` of a success; in [0, 1]. At 0 no count has a positive probability, and none can be
        drawn. Exactly one of the two is given; the other is computed when read.

    Examples
    --------
    >>> from mcvi.distributions import Geometric
    >>> q = Geometric(probs=[0.5, 1.0])
    >>> q.log_prob(1)
    array([-1.38629436,        -inf])
    >>> q.mean()
    array([1., 0.])
    """

    logits: Parameter = logits_otherwise
    probs: Parameter = probs_otherwise

    discrete = True
    _page = either(
        logits=_page("logits", real, of_logits, _draw_logits),
        probs=_page("probs", unit_interval, of_probs, _draw_probs),
    )

    def _mean(self) -> Any:
        return self._failure_odds

    def _mode(self) -> Any:
        return 0.0 * self._failure

    def _variance(self) -> Any:
        return self._failure_odds / self.probs

    def _entropy(self) -> Any:
        # As the mean number of trials times the entropy of each.
        entropy = self._binary_entropy() / self.probs
        return anp.where(value_of(self.probs) == 0, np.inf, entropy)

    def _fisher(self) -> Any:
        held = self.untraced
        information = held._failure if held._by_logits else 1.0 / (held.probs**2 * held._failure)
        return np.asarray(information)[..., None, None]

    def _log_beyond(self, value: Any) -> Any:
        """Return the log survival function."""
        trials = anp.floor(value) + 1.0
        inside = (trials > 0) & (trials < np.inf)
        above = anp.where(inside, trials, 1.0) * self._log_failure
        ends = anp.where(trials > 0, -np.inf, anp.where(anp.isnan(trials), np.nan, 0.0))
        return anp.where(inside, above, ends)

    def _cdf(self, value: Any) -> Any:
        return -math.expm1(self._log_beyond(value))

    def _log_cdf(self, value: Any) -> Any:
        above = self._log_beyond(value)
        return anp.where(value_of(above) > -0.5, math.log(-math.expm1(above)), math.log1p(-math.exp(above)))

    def _survival_function(self, value: Any) -> Any:
        return math.exp(self._log_beyond(value))

    def _log_survival_function(self, value: Any) -> Any:
        return self._log_beyond(value)

    def _quantile(self, probability: Any) -> Any:
        held, wanted = self.untraced, np.asarray(value_of(probability), np.float64)
        near = np.ceil(np.log1p(-wanted) / held._log_failure) - 1.0
        near = np.where(near > 0, near, 0.0)
        near = np.where((near > 0) & (held._cdf(near - 1.0) >= wanted), near - 1.0, near)
        near = np.where(held._cdf(near) < wanted, near + 1.0, near)
        return np.where((wanted >= 0) & (wanted <= 1), near, np.nan)


@register_kl(Geometric, Geometric)
def kl_geometric_geometric(p: Geometric, q: Geometric) -> Any:
    return trials_kl(p._log_success, q._log_success, p._log_failure, q._log_failure)
