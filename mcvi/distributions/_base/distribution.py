"""The base class of families: shapes, parameters, counter-based draws, and an error for each missing ability."""

from collections.abc import Mapping
from dataclasses import fields
from functools import cached_property
from math import prod
from typing import Any, ClassVar, Self

import numpy as np
from autograd import make_vjp

from mcvi import _checks
from mcvi._autograd import is_traced, value_of
from mcvi._typing import Array, FloatArray, RNGLike
from mcvi.distributions._base.alternatives import Otherwise
from mcvi.distributions._base.blockwise import STOOD_FOR, Blockwise, Numbers
from mcvi.distributions._base.constraints import Constraint
from mcvi.distributions._base.kl import kl_class
from mcvi.random import Key, as_key

__all__ = ["Distribution"]

#: What a second derivative of the log density is answered with.
NO_SECOND_DERIVATIVE = (
    "second derivatives of log_prob are not available; for the Fisher information use score() or fisher()."
)


class Distribution:
    """A family of distributions with its parameters: a frozen dataclass whose fields are the parameters.

    Axes stand in the order draws, batch, event: ``sample(n)`` is ``(n, *batch_shape, *event_shape)`` and `log_prob` of
    it is ``(n, *batch_shape)``. Computations run in float64; results are float32 if every parameter is a float32 array.

    A new family subclasses `Univariate` (a page of scalar functions) or this class, and gives what it can of

    ``_draw(key, first, count)``
        draws `first` to ``first + count`` of the stream `key`, float64, never traced;
    ``_log_prob(value)``
        the log density of a checked float array, traced or not;
    ``_mean, _mode, _variance, _covariance, _entropy, _quantile, _cdf, _log_cdf, _survival_function, ...``
        whichever have a closed form, in terms of the parameters, written with `autograd.numpy` and `mcvi.math`.

    What is not given raises `NotImplementedError` in a sentence. See ``docs/adding_a_family.md``.

    ``class Family(Distribution, compiled=True)`` allows several threads to draw and to compute log densities at once. A
    subclass that overrides one of the methods that do so is not compiled, unless it says so again.

    Overriding is seen when the class is made: a method that is assigned to a class afterwards, or to an instance, may
    be passed over by the estimators.
    """

    #: True if a draw carries, by default, its derivative in the parameters.
    pathwise: ClassVar[bool] = False
    #: True if draws are whole numbers.
    discrete: ClassVar[bool] = False
    #: The constraint of each parameter, by its name.
    constraints: ClassVar[Mapping[str, Constraint]] = {}
    _compiled: ClassVar[bool] = False
    #: The methods that make the log density.
    _densities: ClassVar[tuple[str, ...]] = ("log_prob", "_log_prob")
    #: Those of the methods that `Blockwise` stands for which were overridden since a class last answered for them.
    _overridden: ClassVar[frozenset[str]] = frozenset()

    def __init_subclass__(cls, *, compiled: bool = False, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        if compiled:
            cls._compiled, cls._overridden = True, frozenset()
            return
        base = next(parent for parent in cls.__mro__[1:] if issubclass(parent, Distribution))
        changed = {name for name in STOOD_FOR if getattr(cls, name, None) is not getattr(base, name, None)}
        cls._overridden = base._overridden | changed

    @property
    def batch_shape(self) -> tuple[int, ...]:
        """The shape to which the parameters broadcast, without the axes of an event."""
        raise NotImplementedError

    @property
    def event_shape(self) -> tuple[int, ...]:
        """The shape of one draw of one member of the batch."""
        return ()

    @property
    def support(self) -> Constraint:
        """The set of possible values."""
        raise self._lacks("a declared support", "Give the class a property `support`.")

    @cached_property
    def parameters(self) -> dict[str, Any]:
        """The parameters that were given, by name."""
        held = vars(self)  # not getattr: a parameter that was not given may be computed on first look
        return {field.name: held[field.name] for field in fields(self) if field.name in held}  # type: ignore[arg-type]

    @cached_property
    def dtype(self) -> np.dtype[Any]:
        """float64, or float32 if every parameter is."""
        kinds = {np.asarray(value_of(value)).dtype for value in self.parameters.values()}
        return np.dtype(np.float32) if kinds == {np.dtype(np.float32)} else np.dtype(np.float64)

    @cached_property
    def is_traced(self) -> bool:
        """True if autograd traces a parameter."""
        return is_traced(*self.parameters.values())

    def __repr__(self) -> str:
        given = ", ".join(f"{name}={_short(value)}" for name, value in self.parameters.items())
        return f"{type(self).__name__}({given})"

    def __getstate__(self) -> dict[str, Any]:
        # The parameters, and what a subclass keeps beside them; not what is cached, which is made again when needed.
        return {
            name: value
            for name, value in vars(self).items()
            if name != "_computed" and not isinstance(_class_attribute(self, name), cached_property)
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._set(**{field.name: state[field.name] for field in fields(self) if field.name in state})  # type: ignore[arg-type]

    def replace(self, **changes: Any) -> Self:
        """Return the distribution with some parameters changed; arguments and errors are those of the family.

        Where a family takes one of two parameters for the same thing, a new one takes the place of the other;
        `dataclasses.replace`, which hands over both, is refused there.

        Examples
        --------
        >>> from mcvi.distributions import Bernoulli, Normal
        >>> Normal(0.0, 1.0).replace(scale=2.0)
        Normal(loc=0., scale=2.)
        >>> Bernoulli(probs=0.25).replace(logits=1.0)
        Bernoulli(logits=1.)
        """
        names = [field.name for field in fields(self)]  # type: ignore[arg-type]
        for name in changes:
            if name not in names:
                raise TypeError(f"{type(self).__name__} has no parameter {name}; it has {', '.join(names)}.")
        held = self.__getstate__()
        alternatives = {name for name in names if isinstance(_class_attribute(self, name), Otherwise)}
        dropped = alternatives if alternatives.intersection(changes) else set()
        kept = {name: held[name] for name in names if name in held and name not in dropped}
        changed = type(self)(**(kept | changes))
        for name, value in held.items():
            if name not in names:
                object.__setattr__(changed, name, value)
        return changed

    def _set(self, **parameters: Any) -> None:
        """Store checked parameters in a frozen instance; arrays are copied and made read-only."""
        for name, value in parameters.items():
            if isinstance(value, np.ndarray):
                value = value.copy()[()] if value.ndim == 0 else value.copy()
                if isinstance(value, np.ndarray):
                    value.flags.writeable = False
            object.__setattr__(self, name, value)

    @cached_property
    def untraced(self) -> Self:
        """The same distribution with the values of its traced parameters."""
        if not self.is_traced:
            return self
        plain = object.__new__(type(self))
        plain.__setstate__({name: value_of(value) for name, value in self.__getstate__().items()})
        return plain

    @cached_property
    def in_float64(self) -> Self:
        """The same distribution with parameters of float64, from which closed forms are computed."""
        arrays = all(isinstance(held, (np.ndarray, np.floating)) for held in self.parameters.values())
        if self.dtype == np.float64 or self.is_traced or not arrays:
            return self
        return type(self)(**{name: np.float64(held) for name, held in self.parameters.items()})

    @cached_property
    def elements(self) -> int:
        """The number of elements of one draw, over the batch and the event."""
        return prod(self.batch_shape) * prod(self.event_shape)

    @cached_property
    def blockwise(self) -> Blockwise:
        """The sampler and the log density as the engine of the estimators calls them, block by block."""
        overridden = type(self)._overridden
        sampler = not (overridden.intersection({"sample", "noise"}) or self._transport_replaced())
        density = "log_prob" not in overridden
        compiled = self._compiled and sampler and not overridden
        return Blockwise(
            self._draw if sampler else None,
            self._noise if sampler else None,
            self._log_prob_block if density else None,
            self._numbers if compiled and not self.is_traced else None,
            compiled,
        )

    @property
    def _numbers(self) -> Numbers | None:
        """The density as a product over the numbers of a draw, if it is one; the parameters are not traced."""
        return None

    # Draws

    def sample(self, n: int | None = None, *, rng: RNGLike = None) -> Any:
        """Draw from the distribution.

        Parameters
        ----------
        n : int, optional
            How many draws. Without it one draw is returned, with no axis of draws.
        rng : None, int, sequence of ints, SeedSequence, Generator or Key
            Where the randomness comes from (SPEC 7). The same int gives the same draws.

        Returns
        -------
        array ``(n, *batch_shape, *event_shape)``, or ``(*batch_shape, *event_shape)`` without `n`
            Integers for a discrete family. While autograd traces the parameters: floats, which carry the derivative of
            the draw if the family is `pathwise`, and none if it is not.
        """
        count = 1 if n is None else _checks.draw_count(n)
        draws: Any
        if self.pathwise and ("noise" in self._overridden or self._transport_replaced()):
            draws = self.transport(self.noise(count, rng=rng))
            return draws[0] if n is None else draws
        key = as_key(rng)
        if self.is_traced and self.pathwise:
            draws = self.transport(self._noise(key, 0, count))
        else:
            draws = self._draw(key, 0, count)
            whole = self.discrete and not self.is_traced
            draws = _checks.whole(draws, type(self).__name__) if whole else self._rounded(draws)
        return draws[0] if n is None else draws

    def _rounded(self, draws: Any) -> Any:
        """Round draws to the precision of the parameters, none of them onto an end of the support."""
        rounded = self._cast(draws)
        if self.dtype == np.float64 or not self._declares_support:
            return rounded
        return self.support.held_inside(rounded)

    @property
    def _declares_support(self) -> bool:
        return type(self).support is not Distribution.support

    @property
    def draws_by_transport(self) -> bool:
        """True if a draw, by default, is `transport` of `noise` and carries its derivative in the parameters.

        False where the family is not `pathwise`, or a subclass has replaced `sample` and neither of these two since.
        """
        sampler = self._owner("sample")
        return self.pathwise and any(issubclass(self._owner(name), sampler) for name in ("transport", "noise"))

    @classmethod
    def _transport_replaced(cls) -> bool:
        """Tell whether a subclass has replaced `transport` without the sampler beneath."""
        order = cls.__mro__.index
        below = [order(cls._owner(name)) for name in ("_page", "_draw", "_fill", "_noise")]
        return order(cls._owner("transport")) < min(below)

    def noise(self, n: int, *, rng: RNGLike = None) -> Array:
        """Draw the parameter-free noise that `transport` turns into draws.

        ``transport(noise(n, rng=r))`` is ``sample(n, rng=r)``. A family without noise raises `NotImplementedError`.
        """
        return self._cast(self._noise(as_key(rng), 0, _checks.draw_count(n)))  # type: ignore[no-any-return]

    def transport(self, noise: Any) -> Any:
        """Turn noise into draws, by a differentiable function of the parameters (the pathwise derivative)."""
        raise self._lacks("a pathwise derivative of its draws", "Use the score function instead.")

    def _noise(self, key: Key, first: int, count: int) -> FloatArray:
        raise self._lacks("a pathwise derivative of its draws", "Use the score function instead.")

    def _draw(self, key: Key, first: int, count: int) -> FloatArray:
        raise self._lacks("a sampler")

    # The density

    def log_prob(self, value: Any) -> Any:
        """Return the log density (or log probability) at `value`.

        Parameters
        ----------
        value : array that broadcasts against ``(*batch_shape, *event_shape)``
            Draws stand in front: ``(n, *batch_shape, *event_shape)`` gives ``(n, *batch_shape)``.

        Returns
        -------
        array
            Nats. Outside the support -inf; nan where `value` is nan.
        """
        return self._cast(self._log_prob(_checks.real_array(value, f"{type(self).__name__}: value")))

    def prob(self, value: Any) -> Any:
        """Return the density (or probability) at `value`: ``exp(log_prob(value))``."""
        from autograd import numpy as anp

        return anp.exp(self.log_prob(value))

    def _log_prob(self, value: Any) -> Any:
        raise self._lacks("a log density")

    def _log_prob_block(self, z: FloatArray) -> FloatArray:
        """Return the log density of a block of float64 draws as ``(rows, batch)``, unchecked and untraced."""
        return np.asarray(self._log_prob(z), np.float64).reshape(len(z), -1)

    def score(self, value: Any) -> dict[str, Any]:
        """Return the derivatives of ``log_prob(value)``: one for each parameter by its name, and one for ``"value"``.

        Each has the shape to which `value` and the parameters broadcast.
        """
        raise self._lacks("a closed-form score")

    def weighted_score(self, value: Any, weights: Any) -> dict[str, Any]:
        r"""Return :math:`\sum_i w_i \nabla \log p(z_i)`: a dict of arrays, each shaped like its parameter.

        Parameters
        ----------
        value : array ``(*draws, *batch_shape, *event_shape)``
            Plain numbers.
        weights : array
            One for each log density, or broadcasting to them.

        Notes
        -----
        A family of numbers sums its scores tile by tile, in compiled code. Other families, and subclasses with a log
        density of their own, differentiate `log_prob` by autograd.

        Examples
        --------
        >>> from mcvi.distributions import Normal
        >>> sums = Normal(0.0, 2.0).weighted_score([1.0, 3.0], [1.0, 0.5])
        >>> float(sums["loc"])
        0.625
        """
        family = type(self) if self.differentiates_by("_weighted_score") else Distribution
        return family._weighted_score(self.untraced, np.asarray(value), weights)

    def _weighted_score(self, value: Any, weights: Any) -> dict[str, Any]:
        given = {name: held for name, held in self.parameters.items() if self._has_derivative_in(name)}
        if not given:
            raise self._lacks("a score: none of its parameters is an array of floats", "")

        def log_prob(*held: Any) -> Any:
            return type(self)(**{**self.parameters, **dict(zip(given, held, strict=True))}).log_prob(value)

        pull_back, answer = make_vjp(log_prob, tuple(range(len(given))))(*given.values())
        return dict(zip(given, pull_back(np.broadcast_to(weights, np.shape(answer))), strict=True))

    def _has_derivative_in(self, name: str) -> bool:
        """Tell whether the log density has a derivative in a parameter: not in whole numbers or what is no array."""
        rule = self.constraints.get(name)
        return np.asarray(self.parameters[name]).dtype.kind == "f" and not (rule is not None and rule.discrete)

    @classmethod
    def differentiates_by(cls, method: str) -> bool:
        """Tell whether a method for the derivatives of the log density belongs to the density that the class has.

        False where the family has no such method, or a subclass has replaced the density since.
        """
        own = cls._owner(method)
        return own is not Distribution and all(issubclass(own, cls._owner(name)) for name in cls._densities)

    @classmethod
    def _owner(cls, name: str) -> type:
        """Return the class whose body has a method (or page) that a class inherits."""
        return next((parent for parent in cls.__mro__ if name in vars(parent)), Distribution)

    def fisher(self) -> Any:
        """Return the Fisher information of the parameters, ``(*batch_shape, k, k)``, in the order of `parameters`."""
        function = self._ability("_fisher", "closed-form Fisher information")
        with np.errstate(all="ignore"):
            return self._cast(function())

    # Closed forms

    def mean(self) -> Any:
        """Return the mean of each member of the batch."""
        return self._statistic("_mean", "mean")

    def mode(self) -> Any:
        """Return the most probable value of each member of the batch; nan where no peak lies inside the support."""
        return self._statistic("_mode", "mode")

    def variance(self) -> Any:
        """Return the variance of each number of a draw."""
        return self._statistic("_variance", "variance")

    def stddev(self) -> Any:
        """Return the standard deviation of each number of a draw."""
        from autograd import numpy as anp

        with np.errstate(invalid="ignore"):
            return anp.sqrt(self.variance())

    def covariance(self) -> Any:
        """Return the covariance matrix of an event, ``(*batch_shape, d, d)``; families of vectors only."""
        matrices = self._ability("_covariance", "closed-form covariance")()
        return self._shaped(matrices, (*self.batch_shape, *self.event_shape, *self.event_shape))

    def entropy(self) -> Any:
        """Return the Shannon entropy (discrete) or differential entropy, in nats: ``-E[log_prob(Z)]``.

        A subclass that replaces the density does not inherit the closed form, unless it says that its density is that
        of the family, as for divergences: ``kl_class = Normal``.
        """
        if (family := self._entropy_of_another()) is not None:
            own = type(self).__name__
            raise self._lacks(
                f"a closed-form entropy: that of {family} is not inherited, because the density of {own} may be "
                f"another; if it is not, write `kl_class = {family}` in {own}"
            )
        function = self._ability("_entropy", "closed-form entropy")
        with np.errstate(all="ignore"):
            return self._shaped(function(), self.batch_shape)

    def _entropy_of_another(self) -> str | None:
        """Return the name of the family whose closed form a class inherits without its density; None if of its own."""
        stated = kl_class(self)
        family: Any = stated if stated in type(self).__mro__ else type(self)
        own: Any = family._owner("_entropy")
        # A class that leaves the density to those that follow gives the closed form of theirs.
        abstract = all(own._owner(name) is own._owner("_densities") for name in own._densities[1:])
        if abstract or family.differentiates_by("_entropy"):
            return None
        return next(
            parent.__name__
            for parent in family.__mro__
            if issubclass(parent, own) and parent.differentiates_by("_entropy")
        )

    def cdf(self, value: Any) -> Any:
        """Return ``P(Z <= value)``."""
        return self._at("_cdf", "cdf", value)

    def log_cdf(self, value: Any) -> Any:
        """Return ``log P(Z <= value)``, accurate where the probability underflows if the family knows how."""
        return self._at("_log_cdf", "cdf", value)

    def survival_function(self, value: Any) -> Any:
        """Return ``P(Z > value)``."""
        return self._at("_survival_function", "cdf", value)

    def log_survival_function(self, value: Any) -> Any:
        """Return ``log P(Z > value)``, accurate where the probability underflows if the family knows how."""
        return self._at("_log_survival_function", "cdf", value)

    def quantile(self, probability: Any) -> Any:
        """Return the smallest value whose `cdf` is at least `probability`; nan outside [0, 1]."""
        return self._at("_quantile", "quantile", probability)

    def _at(self, method: str, what: str, value: Any) -> Any:
        function = self._ability(method, what)
        with np.errstate(all="ignore"):  # a value beyond every number's reach is an answer, not an accident
            return self._cast(function(self._checked(value)))

    def _checked(self, value: Any) -> Any:
        return _checks.real_array(value, f"{type(self).__name__}: value")

    def _ability(self, method: str, what: str) -> Any:
        found = getattr(self.in_float64, method, None)
        if found is None:
            raise self._lacks(f"a {what}")
        return found

    def _lacks(self, what: str, remedy: str = "Estimate it from draws instead.") -> NotImplementedError:
        return NotImplementedError(f"{type(self).__name__} has no {what.removeprefix('a ')}. {remedy}")

    def _statistic(self, method: str, what: str) -> Any:
        function = self._ability(method, f"closed-form {what}")
        with np.errstate(all="ignore"):
            return self._shaped(function(), (*self.batch_shape, *self.event_shape))

    def _shaped(self, result: Any, shape: tuple[int, ...]) -> Any:
        """Return a result in its full shape; a caller who writes to it does not write to what the family holds."""
        if np.shape(value_of(result)) != shape:
            result = result + np.zeros(shape)
        elif isinstance(result, np.ndarray):
            result = result.copy()
        return self._cast(result)

    def _cast(self, result: Any) -> Any:
        if is_traced(result):
            return result
        with np.errstate(over="ignore"):  # beyond float32 is inf, quietly
            return np.asarray(result).astype(self.dtype, copy=False)[()]


def _class_attribute(instance: Any, name: str) -> Any:
    return next((vars(base)[name] for base in type(instance).__mro__ if name in vars(base)), None)


def _short(value: Any) -> str:
    held = value_of(value)
    if isinstance(held, Distribution):
        return repr(held)
    text = np.array2string(np.asarray(held), separator=", ", threshold=6, edgeitems=2, precision=6, prefix=" " * 8)
    return text if not is_traced(value) else f"<traced {text}>"
