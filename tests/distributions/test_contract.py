"""The contract of a family can tell: families that are wrong in one place fail the test that is there for it."""

import numpy as np
import pytest

from mcvi.distributions import Laplace, StudentT
from mcvi.random import Key
from tests.distributions.test_laplace import TestLaplace
from tests.distributions.test_student_t import TestStudentT

CONTRACT, STUDENT = TestLaplace, TestStudentT
del TestLaplace, TestStudentT  # or they would be collected here as well
LOC, SCALE = 1.0, 2.0


class Sound(Laplace):
    pass


class TooWide(Laplace):
    def _draw(self, key, first, count):
        return self.loc + 1.02 * (super()._draw(key, first, count) - self.loc)


class Shifted(Laplace):
    def _draw(self, key, first, count):
        return super()._draw(key, first, count) + 0.02 * self.scale


class WithoutJacobian(Laplace):
    def _log_prob(self, value):
        return super()._log_prob(value) + np.log(self.scale)


class InaccurateInTheTail(Laplace):
    def _log_prob(self, value):
        return np.log(np.exp(super()._log_prob(value)))


class RepeatedBlocks(Laplace):
    def _draw(self, key, first, count):
        return super()._draw(key, 0, count)


class DeafToItsKey(Laplace):
    def _draw(self, key, first, count):
        return super()._draw(Key(7), first, count)


class WrongScore(Laplace):
    def score(self, value):
        scores = super().score(value)
        return scores | {"scale": scores["scale"] + 1e-8}


class ScoreOfManyDegrees(StudentT):
    """The difference of digamma functions as it stands: right to 1e-16, which is the size of the score at df = 1e8."""

    def score(self, value):
        scores = super().score(value)
        return scores | {"df": scores["df"] + 1e-17}


class WrongEntropy(Laplace):
    def _entropy(self):
        return super()._entropy() + 1e-7


class WrongVariance(Laplace):
    def _variance(self):
        return self.scale**2


class WrongFisher(Laplace):
    def _fisher(self):
        return 1.001 * super()._fisher()


class WrongCdf(Laplace):
    def _cdf(self, value):
        return super()._cdf(self.loc + 1.03 * (value - self.loc))


class NoiseApart(Laplace):
    def _noise(self, key, first, count):
        return super()._noise(key, first, count) * 1.0001


FAULTS = [
    (TooWide, "test_draws_have_the_stated_mean_and_variance"),
    (Shifted, "test_draws_follow_the_cdf"),
    (Shifted, "test_draws_have_the_stated_mean_and_variance"),
    (WithoutJacobian, "test_density_integrates_to_one"),
    (WithoutJacobian, "test_log_density_is_right_on_the_hard_grid"),
    (InaccurateInTheTail, "test_log_density_is_right_on_the_hard_grid"),
    (RepeatedBlocks, "test_draws_are_the_same_however_they_are_cut"),
    (DeafToItsKey, "test_streams_of_different_keys_differ"),
    (WrongScore, "test_score_is_the_derivative_of_the_log_density"),
    (WrongScore, "test_score_is_right_on_the_hard_grid"),
    (WrongScore, "test_autograd_takes_the_score"),
    (WrongEntropy, "test_closed_forms_are_the_integrals"),
    (WrongVariance, "test_closed_forms_are_the_integrals"),
    (WrongFisher, "test_fisher_is_the_second_moment_of_the_score"),
    (WrongCdf, "test_draws_follow_the_cdf"),
    (NoiseApart, "test_transported_noise_is_the_draws"),
]


def run(family, name):
    contract = CONTRACT()
    contract.family, contract.hard = family, {"loc": [LOC], "scale": [SCALE]}
    test = getattr(contract, name)
    with np.errstate(all="ignore"):
        test(family(LOC, SCALE)) if "grid" not in name else test()


def test_a_score_without_digits_is_seen_where_the_score_is_small():
    contract = STUDENT()
    for family, seen in ((StudentT, False), (ScoreOfManyDegrees, True)):
        contract.family, contract.grid = family, [(family(1e8, 0.0, 1.0), [3.0])]
        if seen:
            with pytest.raises(AssertionError, match=r"score in df at 3\.0 is"):
                contract.test_score_is_right_on_the_hard_grid()
        else:
            contract.test_score_is_right_on_the_hard_grid()


@pytest.mark.parametrize(("family", "name"), FAULTS, ids=lambda case: getattr(case, "__name__", case))
def test_a_fault_is_seen_by_the_test_that_looks_for_it(family, name):
    run(Sound, name)
    with pytest.raises(AssertionError):
        run(family, name)
