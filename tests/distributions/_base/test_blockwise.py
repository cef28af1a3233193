"""The interface of a family to the engine, and how a subclass revokes it."""

import numpy as np
import pytest

from mcvi.distributions import (
    Beta,
    Categorical,
    Dirichlet,
    Independent,
    MultivariateNormalDiag,
    MultivariateNormalTriL,
    Normal,
    OneHotCategorical,
    StudentT,
)
from mcvi.random import Key

KEY = Key(3)
FAMILIES = {
    "numbers": Normal([0.0, 1.0], 2.0),
    "several noises": StudentT(5.0, 0.0, [1.0, 2.0]),
    "counts": Categorical(probs=[0.2, 0.8]),
    "one hot": OneHotCategorical(probs=[[0.2, 0.8], [0.5, 0.5]]),
    "simplex": Dirichlet([1.0, 2.0, 3.0]),
    "diagonal": MultivariateNormalDiag([0.0, 1.0], [1.0, 2.0]),
    "full": MultivariateNormalTriL([0.0, 1.0], [[1.0, 0.0], [0.5, 2.0]]),
    "product": Independent(Beta([1.0, 2.0], 3.0), 1),
}


@pytest.mark.parametrize("q", FAMILIES.values(), ids=FAMILIES)
def test_blocks_are_the_rows_of_the_public_methods(q):
    stated = q.blockwise
    z = np.asarray(q.sample(10, rng=KEY), np.float64)
    np.testing.assert_array_equal(stated.draw(KEY, 0, 10), z)
    np.testing.assert_allclose(stated.log_density(z), q.log_prob(z).reshape(10, -1), rtol=4e-15)
    assert stated.compiled


@pytest.mark.parametrize("name", ["numbers", "several noises", "diagonal", "product"])
def test_numbers_are_the_density_and_the_shape_of_a_draw(name):
    q = FAMILIES[name]
    stated = q.blockwise.numbers
    z = np.asarray(q.sample(1, rng=KEY))[0]
    assert stated.shape == z.shape
    density, constants = stated.density
    table = stated.table(stated.shape)
    assert len(table) == constants
    terms = [density(x, tuple(table[:, i])) for i, x in enumerate(z.ravel())]
    assert sum(terms) == pytest.approx(np.sum(q.log_prob(z)), rel=1e-14)
    assert (stated.sampler is None) == (name in {"several noises", "product"})  # StudentT, Beta: several noises


OVERRIDES = {
    "sample": {"draw", "noise", "numbers", "compiled"},
    "log_prob": {"log_density", "numbers", "compiled"},
    "_draw": {"numbers", "compiled"},
    "_noise": {"numbers", "compiled"},
    "_log_prob": {"numbers", "compiled"},
    "_log_prob_block": {"numbers", "compiled"},
    "mean": set(),
}


@pytest.mark.parametrize("inside", [False, True], ids=["itself", "by a mixin"])
@pytest.mark.parametrize("method", OVERRIDES)
def test_a_subclass_that_overrides_a_method_revokes_what_stood_for_it(method, inside):
    def override(self, *arguments, **keywords):
        return getattr(Normal, method)(self, *arguments, **keywords)

    if inside:
        own = type("Own", (type("Mixin", (), {method: override}), Normal), {})
    else:
        own = type("Own", (Normal,), {method: override})
    for cls in (own, type("Below", (own,), {})):  # and so it stays, further down
        stated, before = cls(0.0, 1.0).blockwise, Normal(0.0, 1.0).blockwise
        assert {name for name in stated._fields if bool(getattr(stated, name)) != bool(getattr(before, name))} == (
            OVERRIDES[method]
        )
    assert Independent(own(0.0, 1.0), 0).blockwise.compiled == ("compiled" not in OVERRIDES[method])


def test_a_subclass_that_answers_for_its_methods_is_compiled_again():
    class Own(Normal):
        def log_prob(self, value):
            return super().log_prob(value)

    class Vouched(Own, compiled=True):
        pass

    assert not Own(0.0, 1.0).blockwise.compiled
    assert Vouched(0.0, 1.0).blockwise.compiled
    assert Vouched(0.0, 1.0).blockwise.numbers is not None


def test_a_family_with_a_traced_parameter_has_no_numbers():
    from autograd import grad

    def value(loc):
        q = Normal(loc, 1.0)
        assert q.blockwise.numbers is None
        assert Independent(q, 0).blockwise.numbers is None
        return loc

    grad(value)(0.5)
