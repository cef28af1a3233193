"""check_distribution: passes what is right, and finds what is wrong."""

import math

import numpy as np
import pytest
from scipy import special, stats

from mcvi import distributions as d
from mcvi.testing import check_distribution

TRIL = np.array([[1.0, 0.0], [0.9, 0.5]])
RIGHT = [
    d.Normal([0.0, 1.0], 2.0),
    d.Laplace(0.0, 1e-3),
    d.Logistic(100.0, 3.0),
    d.StudentT(1.0, 0.0, 1.0),
    d.Uniform(-1.0, 2.0),
    d.Exponential([[0.5], [2.0]]),
    d.Gamma([0.5, 1.0, 30.0], 2.0),
    d.Beta(0.5, [0.5, 2.0]),
    d.Bernoulli(probs=[0.0, 0.3, 1.0]),
    d.Binomial(10, probs=0.3),
    d.Categorical(probs=[[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]]),
    d.OneHotCategorical(logits=[0.0, 1.0, -1.0]),
    d.Geometric(probs=0.01),
    d.NegativeBinomial(2.5, probs=0.5),
    d.Multinomial(6, probs=[0.2, 0.3, 0.5]),
    d.Poisson([0.0, 3.0, 1e6]),
    d.Gumbel([0.0, 5.0], 2.0),
    d.LogNormal([0.0, -3.0], [0.5, 1.0]),
    d.Multinomial([5, 1], probs=[0.2, 0.3, 0.5]),
    d.Dirichlet([0.5, 1.0, 2.0]),
    d.MultivariateNormalDiag(np.zeros(3), [1.0, 2.0, 3.0]),
    d.MultivariateNormalTriL(np.zeros((2, 2)), TRIL),
    d.Independent(d.Gamma([2.0, 3.0], 1.0), 1),
    d.Independent(d.Poisson([2.0, 3.0]), 1),
]


@pytest.mark.parametrize("dist", RIGHT, ids=lambda dist: type(dist).__name__)
def test_families_of_the_library_pass(dist):
    assert check_distribution(dist) is None


class Half:
    """The half-normal distribution: right in every respect."""

    batch_shape = ()
    event_shape = ()
    scale = 1.5

    def sample(self, n, *, rng):
        return self.scale * abs(rng.standard_normal(n))

    def log_prob(self, z):
        inside = 0.5 * math.log(2 / math.pi) - math.log(self.scale) - 0.5 * (z / self.scale) ** 2
        return np.where(z < 0, -np.inf, inside)


class Pair:
    """Two correlated normals: right in every respect."""

    batch_shape = ()
    event_shape = (2,)
    law = stats.multivariate_normal([1.0, -1.0], TRIL @ TRIL.T)

    def sample(self, n, *, rng):
        return np.array([1.0, -1.0]) + rng.standard_normal((n, 2)) @ TRIL.T

    def log_prob(self, z):
        y = np.linalg.solve(TRIL, (z - np.array([1.0, -1.0]))[..., None])[..., 0]
        result = -0.5 * np.where(np.isinf(z).any(-1), np.inf, (y**2).sum(-1)) - math.log(2 * math.pi * 0.5)
        return np.where(np.isnan(z).any(-1), np.nan, result)


class Die:
    """A die: right in every respect."""

    batch_shape = ()
    event_shape = ()

    def sample(self, n, *, rng):
        return rng.integers(1, 7, n)

    def log_prob(self, z):
        known = np.where((z >= 1) & (z <= 6) & (z == np.floor(z)), -math.log(6.0), -np.inf)
        return np.where(np.isnan(z), np.nan, known)


@pytest.mark.parametrize("dist", [Half(), Pair(), Die()], ids=lambda dist: type(dist).__name__)
def test_right_classes_of_a_user_pass(dist):
    with np.errstate(invalid="ignore"):
        assert check_distribution(dist) is None
        assert check_distribution(dist, rng=7) is None


def half_cdf(z):
    return np.where(np.isnan(z), z, special.erf(np.maximum(z, 0.0) / Half.scale / math.sqrt(2)))


def half_quantile(p):
    return Half.scale * math.sqrt(2) * special.erfinv(np.where((p >= 0) & (p <= 1), p, np.nan))


def variant(base, **changes):
    return type("Variant", (base,), changes)()


# Randomness that does not come from `rng`.
ELSEWHERE = np.random.default_rng(0)

WRONG = [
    (variant(Half, batch_shape=1), "batch_shape must be a tuple of ints; got 1."),
    (variant(Half, sample=None), "sample is missing: it must be a method."),
    (variant(Half, sample=lambda self, n: None), "sample(1, rng=a Generator) raised TypeError"),
    (
        variant(Half, sample=lambda self, n, *, rng: rng.normal(size=(n, 1))),
        "sample(1) must have shape (1,), draws first; got (1, 1).",
    ),
    (
        variant(Half, sample=lambda self, n, *, rng: rng.normal(size=n) + 1j),
        "sample(1) must be real numbers; got dtype complex128.",
    ),
    (
        variant(Half, sample=lambda self, n, *, rng: ELSEWHERE.random(n)),
        "all randomness must come from rng",
    ),
    (
        variant(Half, sample=lambda self, n, *, rng: np.random.default_rng(1).random(n)),
        "same draws for another Generator",
    ),
    (
        variant(Half, sample=lambda self, n, *, rng: rng.standard_normal(n)),
        "the support of log_prob must hold every draw",
    ),
    (
        variant(Half, sample=lambda self, n, *, rng: 1.6 * abs(rng.standard_normal(n))),
        "the draws do not follow log_prob: the two cdfs differ by",
    ),
    (
        variant(Half, log_prob=lambda self, z: Half.log_prob(self, z)[:, None]),
        "log_prob of the draws must have shape (50000,); got (50000, 1).",
    ),
    (variant(Half, log_prob=lambda self, z: Half.log_prob(self, z).sum()), "must have shape (50000,); got ()."),
    (
        variant(Half, log_prob=lambda self, z: Half.log_prob(self, z) + math.log(1.01)),
        "exp(log_prob) integrates to 1.01, not to 1",
    ),
    (
        variant(Half, log_prob=lambda self, z: Half.log_prob(self, z - 0 * z.mean() + z.mean())),
        "depends on the draws beside it",
    ),
    (
        variant(Half, log_prob=lambda self, z: Half.log_prob(self, np.nan_to_num(z, posinf=np.inf))),
        "with nan in it must be nan",
    ),
    (
        variant(Half, log_prob=lambda self, z: Half.log_prob(self, z) + np.where(z == np.inf, np.nan, 0)),
        "with inf in it must be -inf; got nan.",
    ),
    (variant(Half, entropy=lambda self: 0.5), "entropy() is 0.5, but the draws say 1.13"),
    (variant(Half, entropy=lambda self: [0.5]), "entropy() must have shape (); got (1,)."),
    (variant(Half, mean=lambda self: 1.25), "mean() is 1.25, but the draws say 1.20"),
    (
        variant(Half, noise=lambda self, n, *, rng: rng.random(n), transport=lambda self, e: 2 * e),
        "transport(noise) are not draws of sample",
    ),
    (
        variant(
            Half,
            noise=lambda self, n, *, rng: rng.standard_normal(n),
            transport=lambda self, e: 1.01 * self.scale * abs(e),
        ),
        "transport(noise(n, rng=r)) is not sample(n, rng=r)",
    ),
    (variant(Half, mode=lambda self: 0.01), "log_prob at the mode is"),
    (variant(Half, mode=lambda self: [0.0]), "mode() must have shape (); got (1,)."),
    (variant(Half, cdf=lambda self, z: math.sqrt(2) * half_cdf(z)), "cdf(z) must be between 0 and 1."),
    (variant(Half, cdf=lambda self, z: half_cdf(1.1 * z)), "cdf is not that of the draws: they differ by"),
    (variant(Half, cdf=lambda self, z: half_cdf(z)[..., None]), "cdf(z) must have shape (50000,); got (50000, 1)."),
    (
        variant(Half, cdf=lambda self, z: half_cdf(z), log_cdf=lambda self, z: np.log(half_cdf(z)) + 0.05),
        "exp(log_cdf(z)) is",
    ),
    (
        variant(Half, cdf=lambda self, z: half_cdf(z), survival_function=lambda self, z: half_cdf(z)),
        "survival_function(z) is",
    ),
    (
        variant(Half, cdf=lambda self, z: half_cdf(z), quantile=lambda self, p: half_quantile(np.clip(p, 0.0, 1.0))),
        "quantile(p) must be nan where p is not between 0 and 1.",
    ),
    (
        variant(Half, cdf=lambda self, z: half_cdf(z), quantile=lambda self, p: 1.001 * half_quantile(p)),
        "quantile(0.01) is",
    ),
    (
        variant(Half, cdf=lambda self, z: half_cdf(z), quantile=lambda self, p: half_quantile(p)[..., None]),
        "quantile(p) must have shape (50,) for p of that shape; got (50, 1).",
    ),
    (
        variant(Half, score=lambda self, z: {"value": -2.0 * z / self.scale**2}),
        "score(z)['value'] at draw (0,) is",
    ),
    (
        variant(Half, noise=lambda self, n, *, rng: rng.random(n), transport=lambda self, e: e[0]),
        "must have shape (50000,); got ().",
    ),
    (variant(Half, log_prob=lambda self, z: np.log(np.exp(Half.log_prob(self, z)))), "warned: divide by zero"),
    (
        variant(Pair, sample=lambda self, n, *, rng: 1.1 * Pair.sample(self, n, rng=rng)),
        "the draws do not follow log_prob: exp(log_prob(z + d)",
    ),
    (variant(Pair, log_prob=lambda self, z: Pair.log_prob(self, z) + 0.1), "exp(log_prob) integrates to 1.10"),
    (
        variant(Die, log_prob=lambda self, z: Die.log_prob(self, z) - 0.1),
        "the probabilities of all that was drawn sum to 0.9048, not to 1",
    ),
    (
        variant(Die, sample=lambda self, n, *, rng: np.minimum(rng.integers(1, 8, n), 6)),
        "the draws do not follow log_prob: 6",
    ),
    (
        variant(Die, log_prob=lambda self, z: Die.log_prob(self, np.where(np.isfinite(z), np.floor(z), z))),
        "log_prob of 1.5 must be -inf",
    ),
]


class ScoreDoubled(d.Laplace):
    def score(self, value):
        return {name: 2.0 * score for name, score in super().score(value).items()}


class ScoreOfOneParameter(d.Gamma):
    def score(self, value):
        scores = super().score(value)
        return scores | {"rate": 1.05 * scores["rate"]}


class ScoreOfAVector(d.MultivariateNormalTriL):
    def score(self, value):
        scores = super().score(value)
        return scores | {"scale_tril": 1.05 * scores["scale_tril"]}


class FisherDoubled(d.Gamma):
    def _fisher(self):
        return 2.0 * super()._fisher()


class FisherOfAVectorDoubled(d.Dirichlet):
    def _fisher(self):
        return 2.0 * super()._fisher()


class FisherOfAMatrixDoubled(d.MultivariateNormalTriL):
    def fisher(self):
        return 2.0 * super().fisher()


class FisherOfBlocksDoubled(d.Independent):
    def fisher(self):
        return 2.0 * super().fisher()


class FisherOfAnotherShape(d.Normal):
    def fisher(self):
        return np.ones((5, 5))


class WeightedScoreDoubled(d.Normal):
    def weighted_score(self, value, weights):
        return {name: 2.0 * total for name, total in super().weighted_score(value, weights).items()}


class ProbDoubled(d.Gamma):
    def prob(self, value):
        return 2.0 * super().prob(value)


class Covariance(d.MultivariateNormalTriL):
    def _covariance(self):
        return 1.05 * super()._covariance()


class QuantileOutside(d.Gamma):
    def _quantile(self, probability):
        return super()._quantile(np.clip(probability, 0.0, 1.0))


class QuantileOfCounts(d.Poisson):
    def _quantile(self, probability):
        return super()._quantile(probability) + 1.0


class LogCdf(d.Gamma):
    def _log_cdf(self, value):
        return super()._log_cdf(value) + 0.05


class LogSurvival(d.Poisson):
    def _log_survival_function(self, value):
        return super()._log_survival_function(value - 1.0)


class Mode(d.Gamma):
    def _mode(self):
        return 1.01 * super()._mode()


class ModeOfAVector(d.Dirichlet):
    def _mode(self):
        return self._mean()


class Transport(d.Laplace):
    def sample(self, n=None, *, rng=None):
        return d.Laplace(self.loc, self.scale).sample(n, rng=rng)

    def transport(self, noise):
        return self.loc + 1.01 * (super().transport(noise) - self.loc)


class TransportOfAVector(d.MultivariateNormalDiag):
    def sample(self, n=None, *, rng=None):
        return d.MultivariateNormalDiag(self.loc, self.scale_diag).sample(n, rng=rng)

    def transport(self, noise):
        return self.loc + 1.01 * (super().transport(noise) - self.loc)


PLANTED = [
    (ScoreDoubled([0.0, 1e6], 2.0), "score(z)['value'] at draw"),
    (ScoreDoubled(0.0, 1e-9), "score(z)['loc'] at draw"),
    (ScoreOfOneParameter([1e-3, 2.0], 2.0), "score(z)['rate'] at draw"),
    (ScoreOfAVector(np.zeros((2, 2)), TRIL), "score(z)['scale_tril'] at draw"),
    (FisherDoubled([0.5, 3.0], 2.0), "fisher() is "),
    (FisherOfAVectorDoubled([0.5, 2.0]), "fisher() is "),
    (FisherDoubled(1.0, [2.0, 3.0]), "fisher() is "),
    (FisherOfAMatrixDoubled(np.zeros((2, 2)), TRIL), "fisher() is "),
    (FisherOfBlocksDoubled(d.Gamma([2.0, 3.0], 1.0), 1), "fisher() is "),
    (FisherOfAnotherShape(0.0, 1.0), "fisher() must have shape (2, 2), as the scores do; got (5, 5)."),
    (WeightedScoreDoubled([0.0, 1.0], 2.0), "weighted_score(z, 1)['loc'] is "),
    (ProbDoubled(2.0, [1.0, 3.0]), "prob(z) is "),
    (Covariance(np.zeros(2), TRIL), "covariance() is "),
    (QuantileOutside([3.0, 4.0], 2.0), "quantile(p) must be nan where p is not between 0 and 1."),
    (QuantileOfCounts([3.0, 100.0]), "quantile(0.01) is "),
    (LogCdf(3.0, [2.0, 1.0]), "exp(log_cdf(z)) is "),
    (LogSurvival(3.0), "exp(log_survival_function(z)) is "),
    (Mode([3.0, 5.0], 2.0), "log_prob at the mode is "),
    (ModeOfAVector([3.0, 5.0]), "log_prob at the mode is "),
    (Transport(1.0, [2.0, 1.0]), "transport(noise(n, rng=r)) is not sample(n, rng=r): "),
    (TransportOfAVector([1.0, 2.0], [3.0, 1.0]), "transport(noise(n, rng=r)) is not sample(n, rng=r): "),
]


@pytest.mark.parametrize(("dist", "text"), PLANTED, ids=lambda case: type(case).__name__)
def test_a_method_at_odds_with_the_others_is_found(dist, text):
    with pytest.raises(ValueError) as raised:
        check_distribution(dist)
    assert text in str(raised.value)


@pytest.mark.parametrize(("dist", "text"), WRONG, ids=range(len(WRONG)))
def test_a_fault_is_found_and_named(dist, text):
    with (
        np.errstate(invalid="ignore"),
        pytest.raises(ValueError, match=r"^Variant is not yet a distribution:\n- ") as raised,
    ):
        check_distribution(dist)
    assert text in str(raised.value)


def test_all_faults_are_listed():
    dist = variant(Half, entropy=lambda self: 0.5, mean=lambda self: 1.25)
    with pytest.raises(ValueError) as raised:
        check_distribution(dist)
    assert str(raised.value).count("\n- ") == 2


def test_an_ability_that_is_not_implemented_is_no_fault():
    def missing(self):
        raise NotImplementedError("none")

    assert check_distribution(variant(Half, entropy=missing, mean=missing)) is None
