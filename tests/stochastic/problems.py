"""Expected losses whose gradients are known, with every outcome of their nodes and its probability.

A problem draws its nodes through `draw(name, distribution)`. An `Outcomes` gives each node every outcome at once, one
column an outcome, so that a weighted sum over columns is an exact expectation: by enumeration for whole numbers, by
Gauss quadrature for normals. With several draws a column is a tuple of outcomes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from math import erf, pi, sqrt
from typing import Any

import autograd.numpy as anp
import numpy as np
from autograd.extend import defvjp, primitive

from mcvi.distributions import Bernoulli, Categorical, Normal, Poisson
from mcvi.stochastic import StochasticTensor, take


def hermite(order: int = 48) -> tuple[np.ndarray, np.ndarray]:
    nodes, weights = np.polynomial.hermite_e.hermegauss(order)
    return nodes, weights / np.sqrt(2 * pi)


def split_at(threshold: float, order: int = 48) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes and weights for a standard normal that never straddle `threshold`."""
    x, w = np.polynomial.legendre.leggauss(order)
    pieces = [(-10.0, threshold - 4), (threshold - 4, threshold), (threshold, threshold + 4), (threshold + 4, 10.0)]
    nodes = np.concatenate([(b - a) / 2 * x + (a + b) / 2 for a, b in pieces])
    weights = np.concatenate([(b - a) / 2 * w for a, b in pieces])
    return nodes, weights * np.exp(-(nodes**2) / 2) / np.sqrt(2 * pi)


@dataclass(frozen=True)
class Problem:
    params: dict[str, Any]
    #: For each node its outcomes: whole numbers, or the (nodes, weights) of a standardised normal.
    supports: dict[str, Any]
    build: Callable[..., Any]
    expected: Callable[[Any], Any]

    def outcomes(self, draws: int = 1) -> "Outcomes":
        return Outcomes(self, draws)


class Outcomes:
    """All joint outcomes of some draws: values ``(draws, columns)``, and their weights once the nodes are made."""

    def __init__(self, problem: Problem, draws: int) -> None:
        self.problem, self.draws = problem, draws
        choices = [range(len(s[0]) if isinstance(s, tuple) else len(s)) for s in problem.supports.values()]
        one = np.array(list(product(*choices))).T  # (nodes, outcomes)
        columns = np.array(list(product(range(one.shape[1]), repeat=draws))).T  # (draws, columns)
        self.places = {name: one[i][columns] for i, name in enumerate(problem.supports)}
        self.log_weight = np.zeros(columns.shape)

    def draw(self, estimator: Any, pathwise: bool) -> Callable[..., StochasticTensor]:
        self.log_weight = np.zeros_like(self.log_weight)

        def draw(name: str, distribution: Any) -> StochasticTensor:
            support, place = self.problem.supports[name], self.places[name]
            if isinstance(support, tuple):
                noise = support[0][place]
                self.log_weight += np.log(support[1][place])
                plain = distribution.untraced
                value = distribution.transport(noise) if pathwise else plain.loc + plain.scale * noise
                return StochasticTensor(distribution, loss_fn=estimator, value=value, pathwise=pathwise, name=name)
            value = np.asarray(support, float)[place]
            self.log_weight += distribution.untraced.log_prob(value)
            return StochasticTensor(distribution, loss_fn=estimator, value=value, name=name)

        return draw

    @property
    def weights(self) -> np.ndarray:
        """The probability of each column."""
        return np.exp(self.log_weight.sum(axis=0))


@primitive
def normal_cdf(x):
    return 0.5 * (1 + erf(x / sqrt(2)))


defvjp(normal_cdf, lambda ans, x: lambda g: g * np.exp(-(x**2) / 2) / np.sqrt(2 * pi))


def sigmoid(x):
    return 1 / (1 + anp.exp(-x))


BITS = np.array([0.0, 1.0])


def one_bernoulli():
    return Problem(
        {"l": 0.4},
        {"b": BITS},
        lambda p, draw: (draw("b", Bernoulli(logits=p["l"])) - 0.45) ** 2,
        lambda p: sigmoid(p["l"]) * 0.55**2 + (1 - sigmoid(p["l"])) * 0.45**2,
    )


def chain_of_two():
    def build(p, draw):
        a = draw("a", Bernoulli(logits=p["l"]))
        b = draw("b", Bernoulli(logits=p["w"] * a - 0.3))
        return (2 * a - b - 0.2) ** 2

    def expected(p):
        pa = sigmoid(p["l"])
        total = 0.0
        for a, b in product((0, 1), (0, 1)):
            pb = sigmoid(p["w"] * a - 0.3)
            total = total + (pa if a else 1 - pa) * (pb if b else 1 - pb) * (2 * a - b - 0.2) ** 2
        return total

    return Problem({"l": 0.3, "w": 1.2}, {"a": BITS, "b": BITS}, build, expected)


def diamond():
    def build(p, draw):
        a = draw("a", Bernoulli(logits=p["l"]))
        b = draw("b", Bernoulli(logits=p["w"][0] * a + 0.1))
        c = draw("c", Bernoulli(logits=p["w"][1] * a - 0.4))
        return (a + 2 * b - 1.5 * c) ** 2

    def expected(p):
        total = 0.0
        for a, b, c in product((0, 1), repeat=3):
            odds = [(p["l"], a), (p["w"][0] * a + 0.1, b), (p["w"][1] * a - 0.4, c)]
            probability = 1.0
            for logit, bit in odds:
                probability = probability * (sigmoid(logit) if bit else 1 - sigmoid(logit))
            total = total + probability * (a + 2 * b - 1.5 * c) ** 2
        return total

    return Problem({"l": -0.2, "w": np.array([0.8, -1.1])}, {"a": BITS, "b": BITS, "c": BITS}, build, expected)


def bernoulli_then_normal():
    def build(p, draw):
        b = draw("b", Bernoulli(logits=p["l"]))
        z = draw("z", Normal(p["m"] * b + 0.3, p["s"]))
        return z**2 - 0.5 * b * z

    def expected(p):
        on = sigmoid(p["l"])
        up = p["m"] + 0.3
        return on * (up**2 - 0.5 * up) + (1 - on) * 0.3**2 + p["s"] ** 2

    return Problem({"l": 0.5, "m": 1.4, "s": 0.7}, {"b": BITS, "z": hermite()}, build, expected)


def categorical_choosing_a_normal():
    def build(p, draw):
        k = draw("k", Categorical(logits=p["l"]))
        z = draw("z", Normal(take(p["m"], k), take(p["s"], k)))
        return (z - 0.3) ** 2

    def expected(p):
        weights = anp.exp(p["l"]) / anp.sum(anp.exp(p["l"]))
        return anp.sum(weights * ((p["m"] - 0.3) ** 2 + p["s"] ** 2))

    params = {"l": np.array([0.2, -0.5, 0.4]), "m": np.array([-1.0, 0.5, 1.5]), "s": np.array([0.5, 1.0, 0.8])}
    return Problem(params, {"k": np.arange(3.0), "z": hermite()}, build, expected)


def threshold():
    loc, scale = 0.4, 0.8
    return Problem(
        {"m": loc, "s": scale},
        {"z": split_at((1.0 - loc) / scale)},
        lambda p, draw: anp.where(draw("z", Normal(p["m"], p["s"])) > 1.0, 2.0, 0.5),
        lambda p: 0.5 + 1.5 * normal_cdf((p["m"] - 1.0) / p["s"]),
    )


def sigmoid_belief_network():
    """Three layers of 1, 2 and 1 bits."""

    def build(p, draw):
        top = draw("top", Bernoulli(logits=p["l"]))
        left = draw("left", Bernoulli(logits=p["w"][0] * top - 0.2))
        right = draw("right", Bernoulli(logits=p["w"][1] * top + 0.3))
        bottom = draw("bottom", Bernoulli(logits=p["w"][2] * left + p["w"][3] * right - 0.5))
        return (bottom - 0.3) ** 2 + 0.5 * left * right + 0.2 * top

    def expected(p):
        total = 0.0
        for top, left, right, bottom in product((0, 1), repeat=4):
            odds = [
                (p["l"], top),
                (p["w"][0] * top - 0.2, left),
                (p["w"][1] * top + 0.3, right),
                (p["w"][2] * left + p["w"][3] * right - 0.5, bottom),
            ]
            probability = 1.0
            for logit, bit in odds:
                probability = probability * (sigmoid(logit) if bit else 1 - sigmoid(logit))
            total = total + probability * ((bottom - 0.3) ** 2 + 0.5 * left * right + 0.2 * top)
        return total

    return Problem(
        {"l": 0.6, "w": np.array([1.1, -0.7, 0.9, -1.3])},
        dict.fromkeys(("top", "left", "right", "bottom"), BITS),
        build,
        expected,
    )


def poisson_plate():
    """Eight rates; each outcome is had by all eight nodes at once, which are independent plates."""

    def build(p, draw):
        k = draw("k", Poisson(p["rate"]))
        return (k - 1.0) ** 2

    return Problem(
        {"rate": np.array([0.2, 0.5, 0.8, 1.0, 1.3, 1.6, 1.9, 2.2])},
        {"k": np.arange(30.0)},
        build,
        lambda p: anp.sum(p["rate"] + (p["rate"] - 1.0) ** 2),
    )


PROBLEMS = [
    one_bernoulli,
    chain_of_two,
    diamond,
    bernoulli_then_normal,
    categorical_choosing_a_normal,
    threshold,
    sigmoid_belief_network,
]
