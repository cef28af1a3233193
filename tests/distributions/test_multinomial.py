"""Multinomial: the contract, from either parameter and up to ten thousand million trials."""

import mpmath

from mcvi.distributions import Multinomial
from tests.distributions.vector_contract import HARD_ODDS, VectorContract, all_counts, log_odds, some_counts, times


class TestMultinomial(VectorContract):
    family, tolerance, values = Multinomial, 4e-15, staticmethod(lambda q: all_counts(q.total_count, q.event_shape[0]))
    instances = [Multinomial(5, probs=p) for p in ([0.2, 0.3, 0.5], [0.1, 0.6, 0.3])]
    instances += [Multinomial(8, probs=[0.05, 0.25, 0.7]), Multinomial(4, logits=[0.3, -1.0, 2.0])]
    outside = [[2, 2, 2], [1.5, 1.5, 2], [-1, 3, 3], [float("inf"), 0, 0]]
    bad = [({"total_count": 2.5, "probs": [1.0]}, "Multinomial: total_count must be a whole number >= 0; got 2.5.")]
    grid = [(q, some_counts(q)) for n in (0, 1, 7, 1e6, 1e10) for q in (Multinomial(n, **odds) for odds in HARD_ODDS)]

    def reference(self, x, total_count, **odds):
        ways = mpmath.loggamma(total_count + 1) - sum(mpmath.loggamma(k + 1) for k in x)
        return ways + sum(map(times, x, log_odds(**odds))) if sum(x) == total_count else -mpmath.inf
