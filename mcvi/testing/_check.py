"""Checks of what a distribution promises, for the author of a class of their own."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np

from mcvi._typing import Array, FloatArray
from mcvi.distributions._base.distribution import Distribution
from mcvi.testing._laws import Z, law_of_arrays, law_of_counts, law_of_numbers
from mcvi.testing._methods import (
    cdf_and_quantile,
    fisher_of_scores,
    mode_of_draws,
    score_of_log_prob,
    sums_of_scores,
    transport_of_noise,
)

__all__ = ["check_distribution"]

_DRAWS = 50_000
_NUMBERS = 2_000_000
_MEMBERS = 3
#: A covariance of more components is not compared: there are as many products of draws as squares of components.
_FEW_COMPONENTS = 8


def check_distribution(dist: Any, *, rng: int = 0) -> None:
    r"""Check that an object is a distribution that the estimators can work with.

    It is drawn from and evaluated some 50,000 times. Checked are: the two shapes; the shape and dtype of what `sample`
    and `log_prob` return; that draws repeat with the state of the Generator; that each row of draws is evaluated on its
    own; nan and infinite values; and that the draws follow the density. Of a number: Kolmogorov's test against the
    integral of ``exp(log_prob)``, which must be one, or frequencies against probabilities. Of an array: the integral by
    importance sampling, and the mean of :math:`p(z+\delta)/p(z)`, which must be one. Where they exist, `entropy`,
    `mean`, `variance`, `covariance`, `cdf` and `mode` are compared with the draws; `log_cdf`, `survival_function`,
    `log_survival_function` and `quantile` with the cdf; `score` with differences of `log_prob`, in a parameter if it is
    in `parameters` and ``type(dist)(**parameters)`` makes such an object; `weighted_score` with their sum and `fisher`
    with products of them; `prob` with `log_prob`; and `transport` of `noise` with `sample`, number for number if they
    are meant to agree.

    Parameters
    ----------
    dist : object
        An instance of your class, or of a family.
    rng : int
        Seed of the draws. A correct class fails for one seed in about 10^7.

    Raises
    ------
    ValueError
        Something is wrong: the text lists all that was found, a sentence each.

    Notes
    -----
    It cannot see a fault that changes a probability by less than about 0.015, a score that is off by less than one per
    cent, a variance or covariance that is off by less than some four per cent, or a wrong normalisation on a surface
    such as the simplex or in more than eight dimensions. Choose parameters for which the draws are told apart by
    doubles: those of ``Normal(1e8, 1e-8)`` or ``Gamma(1e-3, 1.0)`` do not follow their density as they should, because
    there is no double in most places where it says they are.

    Examples
    --------
    >>> import numpy as np
    >>> from mcvi.testing import check_distribution
    >>> class Shifted:
    ...     batch_shape = event_shape = ()
    ...     def sample(self, n, *, rng):
    ...         return 1.0 + rng.standard_normal(n)
    ...     def log_prob(self, z):
    ...         return -0.5 * (z - 1.0) ** 2
    >>> check_distribution(Shifted())
    Traceback (most recent call last):
    ValueError: Shifted is not yet a distribution:
    - exp(log_prob) integrates to 2.507, not to 1: is a constant missing?
    """
    check = _Check(dist, rng)
    check.run()
    if check.problems:
        listing = "\n".join(f"- {problem}" for problem in check.problems)
        raise ValueError(f"{type(dist).__name__} is not yet a distribution:\n{listing}")


class _Stop(Exception):
    """Raised where the checks that follow cannot be made."""


@dataclass
class _Check:
    dist: Any
    seed: int
    problems: list[str] = field(default_factory=list)

    def say(self, problem: str, *, stop: bool = False) -> None:
        self.problems.append(problem)
        if stop:
            raise _Stop

    def run(self) -> None:
        try:
            self.shapes()
            self.draws()
            self.densities()
        except _Stop:
            return
        for check in self.checks():
            try:
                check()
            except _Stop:
                continue

    def checks(self) -> tuple[Callable[[], None], ...]:
        return (
            self.rows,
            self.odd_values,
            self.law,
            self.closed_forms,
            self.probability,
            self.mode,
            self.distribution_function,
            self.derivatives,
            self.transported,
        )

    def call(self, what: str, function: Callable[[], Any], *, stop: bool = True) -> Any:
        """Call the user's method; an exception or a warning is a problem, and not ours."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                result = function()
            except NotImplementedError:
                raise
            except Exception as error:
                self.say(f"{what} raised {type(error).__name__}: {error}")
                raise _Stop from None
        for warning in {str(warning.message): warning for warning in caught}.values():
            self.say(f"{what} warned: {warning.message}.")
        return result

    def generator(self, stream: int = 0) -> np.random.Generator:
        return np.random.default_rng([self.seed, stream])

    # What there is

    def shapes(self) -> None:
        for name in ("batch_shape", "event_shape"):
            shape = getattr(self.dist, name, None)
            if not isinstance(shape, tuple) or not all(isinstance(size, (int, np.integer)) for size in shape):
                got = "nothing" if shape is None else repr(shape)
                self.say(f"{name} must be a tuple of ints; got {got}.")
        for name in ("sample", "log_prob"):
            if not callable(getattr(self.dist, name, None)):
                self.say(f"{name} is missing: it must be a method.")
        if self.problems:
            raise _Stop
        self.batch, self.event = tuple(self.dist.batch_shape), tuple(self.dist.event_shape)

    def sample(self, n: int, stream: int = 0) -> Array:
        z = self.call(f"sample({n}, rng=a Generator)", lambda: self.dist.sample(n, rng=self.generator(stream)))
        expected = (n, *self.batch, *self.event)
        if np.shape(z) != expected:
            self.say(f"sample({n}) must have shape {expected}, draws first; got {np.shape(z)}.", stop=True)
        z = np.asarray(z)
        if z.dtype.kind not in "fiub":
            self.say(f"sample({n}) must be real numbers; got dtype {z.dtype}.", stop=True)
        return z

    def draws(self) -> None:
        elements = max(prod(self.batch) * prod(self.event), 1)
        self.n = max(1000, min(_DRAWS, _NUMBERS // elements))
        self.sample(1)
        self.z = self.sample(self.n)
        if np.isnan(self.z).any():
            self.say("sample returned nan.", stop=True)
        if not np.array_equal(self.z, self.sample(self.n)):
            self.say(
                "sample gives other draws for a Generator of the same state: all randomness must come from rng.",
                stop=True,
            )
        if np.ptp(self.z, axis=0).any() and np.array_equal(self.z, self.sample(self.n, stream=1)):
            self.say("sample gives the same draws for another Generator: the draws must come from rng.", stop=True)
        # Large numbers are whole because doubles are.
        whole = np.all(self.z == np.round(self.z)) and np.abs(self.z).max(initial=0.0) < 2.0**52
        self.discrete = bool(self.z.dtype.kind in "iub" or whole)

    def log_prob(self, z: Array, what: str = "log_prob of the draws") -> FloatArray:
        result = self.call(what, lambda: self.dist.log_prob(z))
        expected = (len(z), *self.batch)
        if np.shape(result) != expected:
            self.say(f"{what} must have shape {expected}; got {np.shape(result)}.", stop=True)
        result = np.asarray(result)
        if result.dtype.kind != "f":
            self.say(f"{what} must be floats; got dtype {result.dtype}.", stop=True)
        return result.astype(np.float64)

    def densities(self) -> None:
        given = self.z.copy()
        self.log_p = self.log_prob(self.z)
        if not np.array_equal(given, self.z):
            self.say("log_prob changes the array that it is given.", stop=True)
        for bad, text in (
            (np.isnan(self.log_p), "nan"),
            (self.log_p == -np.inf, "-inf: the support of log_prob must hold every draw"),
        ):
            if bad.any():
                index = tuple(int(i) for i in np.argwhere(bad)[0])
                value = np.array2string(self.z[index], threshold=6)
                self.say(f"log_prob of {bad.sum()} of the draws is {text}; first at draw {index}, {value}.", stop=True)

    # How values are treated

    def rows(self) -> None:
        few = self.z[:5]
        alone = np.concatenate([self.log_prob(few[i : i + 1], "log_prob of one draw") for i in range(len(few))])
        if not np.allclose(alone, self.log_p[:5], rtol=1e-6, atol=1e-6):
            self.say("log_prob of a draw depends on the draws beside it: it must not reduce over the first axis.")

    def odd_values(self) -> None:
        z = self.z[:3].astype(np.float64)
        for value, wanted in ((np.nan, "nan"), (np.inf, "-inf"), (-np.inf, "-inf")):
            odd = z.copy()
            odd.reshape(3, -1)[1, :: max(prod(self.event), 1)] = value
            what = f"log_prob of a draw with {value} in it"
            result = self.log_prob(odd, what)
            right = np.isnan(result[1]) if wanted == "nan" else result[1] == -np.inf
            if not np.all(right):
                self.say(f"{what} must be {wanted}; got {np.ravel(result[1])[0]}.")
            if not np.allclose(result[[0, 2]], self.log_p[[0, 2]], rtol=1e-6, atol=1e-6):
                self.say(f"{what} changes the results of the draws beside it.")

    # Whether the draws follow the density

    def law(self) -> None:
        members = prod(self.batch)
        for member in np.unique(np.linspace(0, members - 1, min(members, _MEMBERS)).astype(int)):
            where = f" (batch member {np.unravel_index(member, self.batch)})" if self.batch else ""
            z = self.z.reshape(self.n, members, *self.event)[:, member]
            log_p = self.log_p.reshape(self.n, members)[:, member]

            def density(x: Array, member: int = int(member)) -> FloatArray:
                wide = np.empty((len(x), members, *self.event), np.float64)
                wide[...] = x[:, None]
                shaped = wide.reshape(len(x), *self.batch, *self.event)
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    return np.asarray(self.dist.log_prob(shaped), np.float64).reshape(len(x), members)[:, member]

            if self.event:
                law_of_arrays(
                    z.reshape(self.n, *self.event), log_p, density, self.generator(2), self.discrete, where, self.say
                )
            elif self.discrete:
                law_of_counts(z, log_p, density, where, self.say)
            else:
                law_of_numbers(z, density, where, self.say)

    def closed_forms(self) -> None:
        with np.errstate(invalid="ignore", over="ignore"):
            deviations = (self.z - self.z.mean(axis=0)) ** 2
            for name, values, shape in (
                ("entropy", -self.log_p, self.batch),
                ("mean", self.z.astype(np.float64), self.batch + self.event),
                ("variance", deviations, self.batch + self.event),
            ):
                if callable(getattr(self.dist, name, None)):
                    self.compare(name, values, shape)

        if len(self.event) == 1 and prod(self.event) <= _FEW_COMPONENTS:
            centred = self.z - self.z.mean(axis=0)
            products = centred[..., :, None] * centred[..., None, :]
            if self.able("covariance") is not None:
                self.compare("covariance", products, self.batch + 2 * self.event)

    def probability(self) -> None:
        prob = self.able("prob", self.z[:100])
        if prob is None:
            return
        with np.errstate(over="ignore"):
            off = ~np.isclose(prob, np.exp(self.log_p[:100]), rtol=1e-6, atol=0.0)
        if off.any():
            index = tuple(int(i) for i in np.argwhere(off)[0])
            self.say(f"prob(z) is {prob[index]:.6g} at draw {index}, where log_prob(z) is {self.log_p[index]:.6g}.")

    def compare(self, name: str, values: Array, shape: tuple[int, ...]) -> None:
        try:
            result = self.call(f"{name}()", getattr(self.dist, name))
        except NotImplementedError:
            return
        if np.shape(result) != shape:
            self.say(f"{name}() must have shape {shape}; got {np.shape(result)}.", stop=True)
        mean, error = values.mean(axis=0), values.std(axis=0) / np.sqrt(self.n)
        # A variance that a few draws dominate says nothing.
        trusted = np.isfinite(result) & np.isfinite(error) & (abs(values - mean).max(axis=0) < 0.1 * self.n * error)
        constant = (
            np.ptp(values, axis=0) == 0 if name == "covariance" else np.ptp(self.z, axis=0) == 0
        )  # what is rare was not drawn
        if np.ndim(constant) > len(shape):
            constant = constant.all(axis=tuple(range(len(shape), np.ndim(constant))))
        trusted &= ~constant
        off = trusted & (np.abs(result - mean) > Z * error + 1e-6 * np.abs(mean) + 1e-12)
        if np.any(off):
            index = tuple(int(i) for i in np.argwhere(off)[0]) if shape else ()
            found, wrong = np.asarray(mean)[index], np.asarray(result)[index]
            at = f" at {index}" if index else ""
            self.say(f"{name}() is {wrong:.6g}{at}, but the draws say {found:.6g} ± {np.asarray(error)[index]:.2g}.")

    def able(self, name: str, *arguments: Any) -> Any:
        """Return what a method gives; None if there is no such method."""
        method = getattr(self.dist, name, None)
        if not callable(method):
            return None
        try:
            return self.call(f"{name}({'z' if arguments else ''})", lambda: method(*arguments))
        except NotImplementedError:
            return None

    def mode(self) -> None:
        mode, shape = self.able("mode"), self.batch + self.event
        if mode is None:
            return
        if np.shape(mode) != shape:
            self.say(f"mode() must have shape {shape}; got {np.shape(mode)}.", stop=True)
        mode_of_draws(mode, lambda x: self.log_prob(x, "log_prob of the mode"), self.z, self.log_p, self.say)

    def distribution_function(self) -> None:
        names = ("cdf", "log_cdf", "survival_function", "log_survival_function", "quantile")
        abilities = {name: getattr(self.dist, name) for name in names if self.able(name, self.z[:2]) is not None}
        if not self.event and "cdf" in abilities:
            with np.errstate(all="ignore"):
                cdf_and_quantile(abilities, self.z, self.batch, self.discrete, self.say)

    def derivatives(self) -> None:
        if self.able("score", self.z[:2]) is None:
            return
        score_of_log_prob(self.dist, self.z[:: self.n // 40], self.event, self.say)
        few = self.z[:100]
        sums = self.able("weighted_score", few, np.ones((len(few), *self.batch)))
        if sums is not None:
            sums_of_scores(self.dist, sums, few, self.say)
        fisher = self.able("fisher")
        if fisher is not None:
            fisher_of_scores(self.dist, fisher, self.z, self.batch, self.say)

    def transported(self) -> None:
        if not (hasattr(self.dist, "transport") and hasattr(self.dist, "noise")):
            return
        try:
            noise = self.call("noise(n, rng=a Generator)", lambda: self.dist.noise(self.n, rng=self.generator()))
            moved = self.call("transport(noise)", lambda: self.dist.transport(noise))
        except NotImplementedError:
            return
        if np.shape(moved) != self.z.shape:
            self.say(f"transport(noise({self.n})) must have shape {self.z.shape}; got {np.shape(moved)}.", stop=True)
        transport_of_noise(moved, self.z, isinstance(self.dist, Distribution), self.say)
