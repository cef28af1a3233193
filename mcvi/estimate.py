"""The number, its error, and a reason to trust it."""

import math
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import scipy  # which loads scipy.special when it is first used

from mcvi._members import axes_after, axes_left, axes_repeated, listed_axes
from mcvi._typing import Array

__all__ = ["Estimate", "NonFiniteWarning", "UnreliableEstimate", "ZeroWeightWarning"]

_MULTIPLE_LINES = 8


class NonFiniteWarning(RuntimeWarning):
    """Some weights or values were nan or +inf; the estimate is what the mathematics makes of them."""


class ZeroWeightWarning(RuntimeWarning):
    """Every weight was zero: the draws and the target may not share their support."""


class UnreliableEstimate(ArithmeticError):
    """The error bar of an estimate is not to be believed."""


@dataclass(frozen=True, eq=False, repr=False)
class Estimate:
    r"""An estimate of one number, or of an array of them, with its standard error.

    NumPy takes it as an array of its values. Only exact affine arithmetic is defined on it (``-e``, ``e + c``,
    ``c * e``, ``e / c``, ``e[i]``, and ``e.sum()``, ``e.mean()`` over members with draws of their own); everything else
    needs ``e.value``, and loses the error. `mcvi.difference` compares two estimates under common draws.

    Parameters
    ----------
    value : float or array
        The estimate.
    standard_error : float or array
        Of `value`, from the same draws; 0 for an exact answer, nan for a single draw.
    n : int or None
        The number of draws; None for an exact answer.
    bias : float or array, optional
        The estimated first-order bias of `value` at this `n`: ``value - bias`` is the better guess.
    ess : float or array, optional
        The effective sample size :math:`(\sum w)^2/\sum w^2`, of the weights that were averaged.
    khat : float or array, optional
        The shape of the generalised Pareto tail of those weights (Vehtari et al. 2024), fitted when first asked for.
    method : str
        The method of computation; for an exact answer, the closed form. "(fused path)" says that the compiler saw
        everything, draws and densities: the same draws and the same answer, to rounding, in a fraction of the time.
    key : Key, optional
        Pass it as `rng=` to repeat the run.
    independent : tuple of int
        The axes of `value` along which the members have draws of their own, as those of a batch have; over these `sum`
        and `mean` combine the errors.

    Examples
    --------
    >>> e = Estimate(value=-1.51542, standard_error=0.00052, n=100000, ess=97571.0)
    >>> e
    -1.5154 ± 0.0005 (n=100000, ess=97571)
    >>> -e + 1
    2.5154 ± 0.0005 (n=100000, ess=97571)
    >>> bool(e < 0)
    True
    """

    value: Any
    standard_error: Any
    n: int | None
    bias: Any
    ess: Any
    method: str
    key: Any
    # What `khat` is fitted to: an object whose `khat` has one number for each of the flat values.
    tail: Any
    independent: tuple[int, ...]
    # How it follows from its draws, for `mcvi.difference`; None unless that asked for it.
    source: Any

    def __init__(
        self,
        value: Any,
        standard_error: Any = 0.0,
        n: int | None = None,
        bias: Any = None,
        ess: Any = None,
        method: str = "",
        key: Any = None,
        tail: Any = None,
        independent: tuple[int, ...] = (),
        source: Any = None,
    ) -> None:
        # Not what the decorator would write: setting the fields of a frozen object one by one takes a microsecond.
        vars(self).update(
            value=value,
            standard_error=standard_error,
            n=n,
            bias=bias,
            ess=ess,
            method=method,
            key=key,
            tail=tail,
            independent=independent,
            source=source,
        )

    # ufuncs of an array and an Estimate are left to the methods below; any other ufunc raises
    __array_ufunc__ = None

    @property
    def khat(self) -> Any:
        """The shape of the tail of the weights, or None where there are no weights."""
        return None if self.tail is None else np.reshape(self.tail.khat, self.shape)[()]

    # As an array

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of `value`."""
        return np.shape(self.value)

    @property
    def ndim(self) -> int:
        """The number of axes of `value`."""
        return np.ndim(self.value)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of `value`."""
        return np.asarray(self.value).dtype

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("this Estimate is a single number and has no length.")
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Array:
        return np.array(self.value, dtype=dtype, copy=copy)

    def __float__(self) -> float:
        return float(self.value)

    def __bool__(self) -> bool:
        return bool(self.value)

    def __getitem__(self, index: Any) -> Self:
        def at(x: Any) -> Any:
            return None if x is None else np.broadcast_to(x, self.shape)[index]

        return replace(
            self,
            value=at(self.value),
            standard_error=at(self.standard_error),
            bias=at(self.bias),
            ess=at(self.ess),
            tail=None if self.tail is None else _Part(self, index=index),
            independent=axes_after(index, self.ndim, self.independent),
            source=None,
        )

    # Exact affine arithmetic

    def _scaled(self, value: Any, c: Any) -> Self:
        shape = np.shape(value)

        def wide(x: Any) -> Any:
            return None if x is None else np.broadcast_to(x, shape)[()] if np.shape(x) != shape else x

        return replace(
            self,
            value=value,
            standard_error=wide(self.standard_error * abs(c)),
            bias=None if self.bias is None else wide(self.bias * c),
            ess=wide(self.ess),
            tail=self.tail if self.tail is None or shape == self.shape else _Part(self, shape=shape),
            independent=axes_repeated(self.shape, shape, self.independent),
            source=None if self.source is None else self.source.times(c),
        )

    def __neg__(self) -> Self:
        return self._scaled(-self.value, -1.0)

    def __pos__(self) -> Self:
        return self

    def __add__(self, other: Any) -> Self:
        return self._scaled(self.value + _number(other, "+"), 1.0)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Self:
        return self._scaled(self.value - _number(other, "-"), 1.0)

    def __rsub__(self, other: Any) -> Self:
        return self._scaled(_number(other, "-") - self.value, -1.0)

    def __mul__(self, other: Any) -> Self:
        c = _number(other, "*")
        return self._scaled(self.value * c, c)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Self:
        c = _number(other, "/")
        return self._scaled(self.value / c, 1.0 / c)

    # Members with draws of their own

    def sum(self, axis: int | tuple[int, ...] | None = None, **options: Any) -> Self:
        r"""Return the sum over members whose draws are independent; its variance is the sum of theirs.

        .. math:: \operatorname{se}\Big(\sum_i \hat\mu_i\Big) = \Big(\sum_i \operatorname{se}(\hat\mu_i)^2\Big)^{1/2}

        Parameters
        ----------
        axis : int, tuple of int or None
            The axes to sum over; all by default.

        Returns
        -------
        Estimate
            `n` and `key` are those of each member, `khat` is the largest of the members, and there is no `ess`.

        Raises
        ------
        ValueError
            An axis that `value` lacks, or along which the members may share draws: the orders of a `renyi_curve`, axes
            of `f` behind those of the batch, draws that were given as ``z=``, and those of a sampler of your own.
        TypeError
            An axis that is no integer; any other argument, such as those that ``np.sum`` hands over.

        Notes
        -----
        Members of a batch are taken to be independent: `f` and `log_p` must compute the value of a member from the
        draws of that member alone. A function that mixes them makes the error wrong.

        Examples
        --------
        >>> import mcvi
        >>> from mcvi.distributions import Normal
        >>> e = mcvi.expectation(lambda z: z, Normal([1.0, 2.0, 3.0], 1.0), n=100_000, rng=0)
        >>> e.sum()
        5.996 ± 0.005 (n=100000)
        """
        _only_axis(options, "sum")
        axes = listed_axes(axis, self.ndim)
        shared = [a for a in axes if a not in self.independent]
        if shared and self.n is not None:
            raise ValueError(
                f"the members along axis {shared[0]} may share their draws: their errors do not add in quadrature. Use "
                "e.value.sum(), which has no error, or estimate the sum itself."
            )

        def total(x: Any) -> Any:
            return None if x is None else np.sum(np.broadcast_to(x, self.shape), axis=axes)[()]

        return replace(
            self,
            value=total(self.value),
            standard_error=np.sqrt(total(np.square(self.standard_error))),
            bias=total(self.bias),
            ess=None,
            tail=None if self.tail is None else _Worst(self, axes),
            independent=axes_left(axes, self.ndim, self.independent),
            source=None,
        )

    def mean(self, axis: int | tuple[int, ...] | None = None, **options: Any) -> Self:
        """Return the mean over members whose draws are independent: the `sum` over their number.

        As for `sum`, `f` and `log_p` must compute the value of a member from the draws of that member alone.
        """
        _only_axis(options, "mean")
        return self.sum(axis) / math.prod(self.shape[a] for a in listed_axes(axis, self.ndim))

    # Comparison of the value

    def __lt__(self, other: Any) -> Any:
        return self.value < _compared(other)

    def __le__(self, other: Any) -> Any:
        return self.value <= _compared(other)

    def __gt__(self, other: Any) -> Any:
        return self.value > _compared(other)

    def __ge__(self, other: Any) -> Any:
        return self.value >= _compared(other)

    def __eq__(self, other: object) -> Any:
        return self.value == _compared(other)

    def __ne__(self, other: object) -> Any:
        return self.value != _compared(other)

    __hash__ = object.__hash__

    # Reading it

    def interval(self, level: float = 0.95) -> tuple[Any, Any]:
        """Return the ends of a confidence interval.

        It is centred on ``value - bias`` and has the quantile of Student's t with ``min(n, ess) - 1`` degrees of
        freedom (of the normal distribution for an exact answer, whose interval has no width).

        Parameters
        ----------
        level : float
            The probability of covering the truth, between 0 and 1.
        """
        if not 0.0 < level < 1.0:
            raise ValueError(f"level must be between 0 and 1; got {level!r}.")
        tail = 0.5 + 0.5 * level
        z: Any
        if self.n is None:
            z = scipy.special.ndtri(tail)
        else:
            draws = self.n if self.ess is None else np.minimum(self.n, self.ess)
            z = scipy.special.stdtrit(np.maximum(draws - 1.0, 1.0), tail)
        centre = self.value if self.bias is None else self.value - self.bias
        return centre - z * self.standard_error, centre + z * self.standard_error

    def check(self) -> Self:
        """Return the estimate, or raise `UnreliableEstimate` with the remedy if its error bar is not to be believed.

        Refused are: a value or an error that is not finite; a k-hat above ``min(1 - 1/log10(n), 0.7)`` (Vehtari et al.
        2024), where the weights may have no variance; weights of which fewer than two count.
        """
        value, error = np.asarray(self.value), np.asarray(self.standard_error)
        if not (np.isfinite(value).all() and np.isfinite(error).all()):
            raise UnreliableEstimate(
                f"the estimate {self!r} is not finite: look for draws where log_p or f is nan or infinite, "
                "or where the supports differ."
            )
        if self.n is None:
            return self
        khat = self.khat
        if khat is not None:
            limit = min(1.0 - 1.0 / math.log10(max(self.n, 2)), 0.7)
            worst = float(np.max(np.where(np.isnan(khat), -np.inf, khat), initial=-np.inf))
            if worst > limit:
                raise UnreliableEstimate(
                    f"khat = {worst:.2f} is above {limit:.2f}, the limit for n = {self.n}: the weights may have no "
                    f"variance, so {self!r} understates its error. Widen q, or raise alpha towards 1."
                )
        fewest = math.inf if self.ess is None else float(np.min(self.ess, initial=math.inf))
        if fewest < 2.0 <= self.n:
            raise UnreliableEstimate(
                f"ess = {fewest:.2g} of {self.n} draws: one weight outweighs all others, so {self!r} "
                "understates its error. Bring q closer to the target, or take more draws."
            )
        return self

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain numbers, lists and strings, ready for JSON."""
        names = ["value", "standard_error", "n", "bias", "ess", "khat", "method"]
        plain = {name: _plain(getattr(self, name)) for name in names}
        return {**plain, "key": None if self.key is None else repr(self.key)}

    def __format__(self, spec: str) -> str:
        return str(self) if not spec else format(float(self.value), spec)

    def __repr__(self) -> str:
        notes = []
        if self.n is not None:
            notes.append(f"n={self.n}")
        if self.ess is not None and np.ndim(self.ess) == 0 and np.isfinite(self.ess):
            notes.append(f"ess={float(self.ess):.0f}")
        if self.n is None:
            notes.append(f"exact: {self.method}" if self.method else "exact")
        ending = f" ({', '.join(notes)})"
        if not self.shape:
            return _pair(float(self.value), float(self.standard_error)) + ending
        values = np.ravel(np.asarray(self.value, float))
        errors = np.ravel(np.broadcast_to(np.asarray(self.standard_error, float), self.shape))
        shown = [_pair(float(v), float(e)) for v, e in zip(values[:_MULTIPLE_LINES], errors, strict=False)]
        more = "" if values.size <= _MULTIPLE_LINES else f", ... {values.size - _MULTIPLE_LINES} more"
        return f"[{', '.join(shown)}{more}] shape {self.shape}{ending}"


def _only_axis(options: dict[str, Any], name: str) -> None:
    if options:
        raise TypeError(
            f"Estimate.{name} takes axis alone; got {', '.join(options)}. Use e.{name}(axis), not np.{name}(e, axis)."
        )


class _Part:
    """The k-hat of some elements of an estimate, or of a wider one, still fitted only when asked for."""

    def __init__(self, whole: Estimate, *, index: Any = ..., shape: tuple[int, ...] | None = None) -> None:
        self._whole, self._index, self._shape = whole, index, shape

    @property
    def khat(self) -> Any:
        part = np.asarray(self._whole.khat)[self._index]
        return np.ravel(part if self._shape is None else np.broadcast_to(part, self._shape))


class _Worst:
    """The largest k-hat along some axes of an estimate."""

    def __init__(self, whole: Estimate, axes: tuple[int, ...]) -> None:
        self._whole, self._axes = whole, axes

    @property
    def khat(self) -> Any:
        khat = np.asarray(self._whole.khat)
        known = np.max(np.where(np.isnan(khat), -np.inf, khat), axis=self._axes, initial=-np.inf)
        return np.ravel(np.where(np.isneginf(known), np.nan, known))


def _number(other: Any, operation: str) -> Any:
    if isinstance(other, Estimate):
        raise TypeError(
            f"Estimate {operation} Estimate: use e.value; errors do not pass through. For a difference under common "
            "draws use mcvi.difference."
        )
    array = np.asarray(other)
    if array.dtype.kind not in "fiub":
        raise TypeError(
            f"Estimate {operation} {type(other).__name__}: only real numbers and arrays of them; use e.value."
        )
    return other if array.ndim == 0 and not isinstance(other, (list, tuple)) else array


def _compared(other: Any) -> Any:
    return other.value if isinstance(other, Estimate) else other


def _plain(x: Any) -> Any:
    return x if x is None or isinstance(x, str) else np.asarray(x).tolist()


def _pair(value: float, error: float) -> str:
    """Write a value with no more digits than its error supports."""
    if error == 0.0:
        return repr(value)
    if not (math.isfinite(value) and math.isfinite(error)) or error < 1e-300:
        return f"{value:.6g} ± {error:.2g}"
    exponent = math.floor(math.log10(error))
    # one digit of the error, two if the first is 1
    digits = -exponent + (error / 10.0**exponent < 1.95)
    if digits > 15 or abs(value) >= 1e15 or exponent > 5:
        return f"{value:.10g} ± {error:.1e}"
    return f"{round(value, digits):.{max(digits, 0)}f} ± {round(error, digits):.{max(digits, 0)}f}"
