"""The contract of vectors can tell: families that are wrong in one place fail the test that is there for it."""

import numpy as np
import pytest

from mcvi.distributions import Dirichlet, Multinomial
from mcvi.random import Key
from tests.distributions import test_dirichlet, test_multinomial

CONTRACTS = {Multinomial: test_multinomial.TestMultinomial, Dirichlet: test_dirichlet.TestDirichlet}


class SoundCounts(Multinomial):
    kl_class = Multinomial


class SoundShares(Dirichlet):
    kl_class = Dirichlet


class WithoutFactorials(Multinomial):
    def _density(self, value):
        return np.sum(value * self._log_probabilities, axis=-1)


class OffTheSimplex(Dirichlet):
    def _density(self, value):
        return super()._density(value / value.sum(axis=-1, keepdims=True))


class NanOutside(Dirichlet):
    def _density(self, value):
        return np.nan_to_num(super()._density(value), nan=-np.inf)


class ScoreOff(Dirichlet):
    def _scores(self, value):
        scores = super()._scores(value)
        return scores | {"concentration": scores["concentration"] + 1e-9}


class ScoreDoubled(Multinomial):
    def _scores(self, value):
        return {name: 2.0 * score for name, score in super()._scores(value).items()}


class FisherDoubled(Multinomial):
    def _fisher(self):
        return 2.0 * super()._fisher()


class UncorrelatedCounts(Multinomial):
    def _covariance(self):
        return super()._covariance() * np.eye(self._size)


class EntropyOff(Multinomial):
    def _entropy(self):
        return super()._entropy() + 1e-9


class EntropyOfShares(Dirichlet):
    def _entropy(self):
        return super()._entropy() + 0.05


class WrongMode(Multinomial):
    def _mode(self):
        return np.roll(super()._mode(), 1, axis=-1)


class LoadedDice(Multinomial):
    def _fill(self, key, first, out):
        super()._fill(key, first, out)
        out[:, :2] += np.where((out[:, 1] > 0) & (np.arange(len(out)) % 20 == 0), 1.0, 0.0)[:, None] * [1.0, -1.0]


class RepeatedBlocks(Multinomial):
    def _fill(self, key, first, out):
        super()._fill(key, 0, out)


class DeafToItsKey(Dirichlet):
    def _fill(self, key, first, out):
        super()._fill(Key(7), first, out)


class MembersMixed(Dirichlet):
    kl_class = Dirichlet  # keeps the closed forms

    def _density(self, value):
        return np.flip(super()._density(value), axis=-1) if self.batch_shape else super()._density(value)


class ForgetsItsBatch(Multinomial):
    def _variance(self):
        return np.ravel(super()._variance())[: self._size]


FAULTS = [
    (WithoutFactorials, "test_log_density_is_right_on_the_hard_grid"),
    (WithoutFactorials, "test_closed_forms_are_the_expectations"),
    (OffTheSimplex, "test_outside_the_support_it_is_minus_infinity_and_nan_stays_nan"),
    (NanOutside, "test_outside_the_support_it_is_minus_infinity_and_nan_stays_nan"),
    (ScoreOff, "test_score_is_the_derivative_of_the_reference"),
    (ScoreDoubled, "test_score_is_the_derivative_of_the_reference"),
    (ScoreDoubled, "test_fisher_is_the_second_moment_of_the_score"),
    (FisherDoubled, "test_fisher_is_the_second_moment_of_the_score"),
    (UncorrelatedCounts, "test_closed_forms_are_the_expectations"),
    (EntropyOff, "test_closed_forms_are_the_expectations"),
    (EntropyOfShares, "test_closed_forms_are_the_expectations"),
    (WrongMode, "test_nothing_is_more_probable_than_the_mode"),
    (LoadedDice, "test_draws_follow_the_probabilities"),
    (RepeatedBlocks, "test_draws_are_the_same_however_they_are_cut"),
    (DeafToItsKey, "test_streams_of_different_keys_differ"),
    (MembersMixed, "test_a_batch_is_its_members_one_by_one"),
    (ForgetsItsBatch, "test_a_batch_is_its_members_one_by_one"),
]


def run(family, name):
    contract = CONTRACTS[next(base for base in CONTRACTS if issubclass(family, base))]()
    contract.family = family
    contract.instances = [family(**q.parameters) for q in type(contract).instances]
    contract.grid = [(family(**q.parameters), values) for q, values in type(contract).grid[:4]]
    test = getattr(contract, name)
    if "q" in test.__code__.co_varnames[: test.__code__.co_argcount]:
        test(contract.instances[0])
    else:
        test()


@pytest.mark.parametrize(("family", "name"), FAULTS, ids=lambda case: getattr(case, "__name__", case))
def test_a_fault_is_seen_by_the_test_that_looks_for_it(family, name):
    run(SoundCounts if issubclass(family, Multinomial) else SoundShares, name)
    with pytest.raises((AssertionError, ValueError)):
        run(family, name)
