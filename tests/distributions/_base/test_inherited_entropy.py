"""Closed-form entropies of subclasses: inherited with the density, not without it."""

from dataclasses import dataclass

import numpy as np
import pytest

import mcvi
from mcvi.distributions import Dirichlet, Independent, MultivariateNormalTriL, Normal
from mcvi.distributions._base.distribution import Distribution
from mcvi.distributions._base.vector_family import VectorFamily

ENTROPY = Normal(0.0, 1.0).entropy()


class Shifted(Normal):
    def log_prob(self, value):
        return super().log_prob(value) + 1.0


class Below(Shifted):
    pass


class Mixin:
    def log_prob(self, value):
        return super().log_prob(value) + 1.0


class Mixed(Mixin, Normal):
    pass


class ShiftedShares(Dirichlet):
    def _density(self, value):
        return super()._density(value) + 1.0


class ShiftedVector(MultivariateNormalTriL):
    def _log_prob(self, value):
        return super()._log_prob(value) + 1.0


class ShiftedProduct(Independent):
    def log_prob(self, value):
        return super().log_prob(value) + 1.0


class Same(Normal):
    kl_class = Normal

    def log_prob(self, value):
        return super().log_prob(value)


class OtherDraws(Normal):
    def sample(self, n=None, *, rng=None):
        return super().sample(n, rng=rng)


class WithItsEntropy(Shifted):
    def _entropy(self):
        return super()._entropy() - 1.0


WITHOUT = [
    (Shifted(0.0, 1.0), "Normal"),
    (Below(0.0, 1.0), "Normal"),
    (Mixed(0.0, 1.0), "Normal"),
    (ShiftedShares([1.0, 2.0]), "Dirichlet"),
    (ShiftedVector(np.zeros(2), np.eye(2)), "MultivariateNormalTriL"),
    (ShiftedProduct(Normal([0.0, 1.0], 1.0), 1), "Independent"),
]


@pytest.mark.parametrize(("q", "family"), WITHOUT, ids=lambda case: type(case).__name__)
def test_a_subclass_with_a_density_of_its_own_has_its_entropy_from_draws(q, family):
    own = type(q).__name__
    with pytest.raises(NotImplementedError) as caught:
        q.entropy()
    assert str(caught.value) == (
        f"{own} has no closed-form entropy: that of {family} is not inherited, because the density of {own} may be "
        f"another; if it is not, write `kl_class = {family}` in {own}. Estimate it from draws instead."
    )
    draws = {"n": 500, "rng": 0}
    z = q.sample(500, rng=0)
    estimate = mcvi.entropy_shannon(q, **draws)
    assert estimate.value == pytest.approx(-np.mean(q.log_prob(z)), rel=1e-12)
    assert estimate.method.startswith("mean of -log p over draws")
    bound = mcvi.elbo_ratio(lambda z: q.log_prob(z) + 0.25, q, **draws)
    assert bound.value == pytest.approx(0.25, rel=1e-12)
    assert "closed-form" not in bound.method
    with pytest.raises(NotImplementedError, match="is not inherited"):
        mcvi.entropy_shannon(q, form="analytic_entropy")


def test_a_product_of_such_members_has_none_either():
    q = Independent(Shifted([0.0, 1.0], 1.0), 1)
    with pytest.raises(NotImplementedError, match="Shifted has no closed-form entropy"):
        q.entropy()
    assert mcvi.entropy_shannon(q, n=500, rng=0).standard_error > 0.0


@pytest.mark.parametrize(
    ("q", "entropy"),
    [
        (Same(0.0, 1.0), ENTROPY),
        (Independent(Same([0.0, 1.0], 1.0), 1), 2.0 * ENTROPY),
        (OtherDraws(0.0, 1.0), ENTROPY),
        (WithItsEntropy(0.0, 1.0), ENTROPY - 1.0),
    ],
    ids=["says that the density is the same", "a product of these", "other draws alone", "its own closed form"],
)
def test_a_closed_form_holds_where_the_density_is_that_of_the_form(q, entropy):
    assert mcvi.entropy_shannon(q).value == pytest.approx(entropy, rel=1e-15)


@pytest.mark.parametrize(("base", "density"), [(Distribution, "_log_prob"), (VectorFamily, "_density")])
def test_a_base_without_a_density_gives_its_entropy_to_those_that_follow(base, density):
    class Base(base):
        batch_shape, event_shape = (), (2,)

        def _entropy(self):
            return 1.5

    family = dataclass(frozen=True, eq=False)(type("Family", (Base,), {density: lambda self, value: -1.5}))
    assert family().entropy() == 1.5
    own = type("Own", (family,), {"log_prob": lambda self, value: -2.0})
    assert own().entropy() == 1.5  # the form is the base's, which has no density that could have been replaced
