"""The recorded draws of the families of vectors; those of numbers are recorded by their contract."""

import json

import numpy as np
import pytest

from mcvi.distributions import Dirichlet, Independent, Laplace, MultivariateNormalDiag, MultivariateNormalTriL
from tests.distributions.contract import GOLDEN

VECTORS = [
    MultivariateNormalDiag(np.array([0.5, -1.0, 2.0]), np.array([1.0, 0.5, 3.0])),
    MultivariateNormalTriL(np.array([1.0, -1.0]), np.array([[2.0, 0.0], [0.5, 1.0]])),
    Dirichlet(np.array([0.5, 2.0, 30.0])),
    Independent(Laplace(np.array([0.0, 1.0, 2.0]), 0.7), 1),
]


def path(q):
    return GOLDEN / f"{type(q).__name__}.json"


def record():
    """Write the files: only after a change of the stream that was meant, together with a new `STREAM_VERSION`."""
    for q in VECTORS:
        draws = [[float(x).hex() for x in draw] for draw in q.sample(64, rng=2024)]
        path(q).write_text("[\n" + ",\n".join(f" {json.dumps(draw)}" for draw in draws) + "\n]\n")


@pytest.mark.parametrize("q", VECTORS, ids=lambda q: type(q).__name__)
def test_draws_of_vectors_are_those_of_the_golden_file(q):
    golden = [[float.fromhex(x) for x in draw] for draw in json.loads(path(q).read_text())]
    # Fused multiply-adds differ from one CPU type to another: equal to rounding, bits on one type.
    np.testing.assert_allclose(q.sample(64, rng=2024), golden, rtol=1e-12, atol=1e-15)
