"""The bias study: many runs of every size, whose mean is compared with the limit."""

import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from typing import Any

import numpy as np

from mcvi._engine.draws import Draws
from mcvi._engine.parallel import fold
from mcvi._typing import ArrayLike, FloatArray, LogDensity, RNGLike
from mcvi.bias._curve import BiasCurve
from mcvi.bias._plan import Plan
from mcvi.bias._replications import Replications
from mcvi.bias._summary import SizeDone, curve_of
from mcvi.estimate import NonFiniteWarning, ZeroWeightWarning
from mcvi.random import Key, as_key
from mcvi.renyi import renyi_curve

__all__ = ["StudyInterrupted", "bias_curve"]

_RUNS_FOR_KHAT = 20


class StudyInterrupted(KeyboardInterrupt):
    """A study was stopped by Ctrl-C; `curve` holds the finished runs, or None if there are none."""

    def __init__(self, curve: BiasCurve | None) -> None:
        super().__init__("the study was interrupted; what was done is in its attribute `curve`.")
        self.curve = curve


def bias_curve(
    log_p: LogDensity,
    q: Any,
    *,
    sizes: Sequence[int] = (4, 16, 64, 256, 1024, 4096),
    alphas: Sequence[float] = (0.0, 0.5, 1.0),
    replications: int | Sequence[int] = 1000,
    truth: ArrayLike | None = None,
    relative_variance: ArrayLike | None = None,
    reference: int | None = None,
    control_variate: bool | None = None,
    name: str = "",
    rng: RNGLike = None,
    executor: Executor | None = None,
    progress: Callable[[int, int], Any] | None = None,
) -> BiasCurve:
    r"""Measure how the bias and the spread of Renyi estimates depend on the number of draws.

    For each size n and each order alpha it makes many runs of the estimate

    .. math:: \hat L_n = \frac{1}{1-\alpha} \log \frac1n \sum_{i=1}^n w_i^{1-\alpha}, \quad
              w_i = \frac{p(z_i)}{q(z_i)}, \quad z_i \sim q

    (1 is the ELBO, 0 the importance-weighted evidence) and compares their mean with the value that the estimate tends
    to, :math:`L = (1-\alpha)^{-1}\log E[w^{1-\alpha}]`. To first order the bias is
    :math:`-\operatorname{var}(w^{1-\alpha})/E[w^{1-\alpha}]^2 / (2 n (1-\alpha))`.

    Parameters
    ----------
    log_p : callable
        The target: draws ``(n, *event_shape)`` in, ``(n,)`` out; nats, up to a constant that adds to the answers.
    q : Distribution
        The proposal, with an empty ``batch_shape``; or any object with `batch_shape`, `event_shape`, `sample` and
        `log_prob`.
    sizes : sequence of int
        Numbers of draws. Each size has its own draws, so that the points are independent of each other.
    alphas : sequence of float
        Orders, finite.
    replications : int or sequence of int
        The number of runs of each size, at least 2. Small sizes are cheap: give them more.
    truth : float or sequence of float, optional
        The limits of the estimates as n grows. A number is the log evidence, the limit for alpha = 0; a sequence has
        one limit for each order. A limit that is missing or nan is estimated from the large run, with its error.
    relative_variance : sequence of float, optional
        For each order the exact :math:`\operatorname{var}(w^{1-\alpha})/E[w^{1-\alpha}]^2`, where it is known (else
        nan): estimated from all draws without.
    reference : int, optional
        The number of draws of the large run, which estimates k-hat and the missing limits. Default: 100,000 or
        four times the largest size, or 2**20 or 16 times the largest size if limits have to be estimated.
    control_variate : bool, optional
        Use the mean weight, whose expectation is known, as control variate for the bias: the error then falls as 1/n,
        like the bias itself. Default: for the orders whose weights have a variance (k-hat of the large
        run below 0.5), and whose mean weight comes out right, as otherwise it would hide what the draws miss.
    name : str
        The name of the study, for tables and figures.
    rng, executor
        As in `mcvi.expectation`.
    progress : callable, optional
        ``progress(done, total)``, in draws.

    Returns
    -------
    BiasCurve

    Raises
    ------
    TypeError, ValueError
        An argument is not what it must be. Nothing was drawn then.
    StudyInterrupted
        On Ctrl-C; a KeyboardInterrupt whose attribute ``curve`` holds the finished runs. An exception of `log_p` comes
        through as it is, with the same attribute once some runs are finished.

    Notes
    -----
    Memory holds a block of draws, and one number for each run and order. The same `rng` gives the same bits, whatever
    the executor.

    References
    ----------
    Burda, Grosse and Salakhutdinov (2016), arXiv:1509.00519; Li and Turner (2016), arXiv:1602.02311; Nowozin (2018),
    "Debiasing evidence approximations", ICLR; Vehtari et al. (2024), JMLR 25(72).

    Examples
    --------
    >>> from mcvi.bias import bias_curve
    >>> from mcvi.datasets import gaussian
    >>> model = gaussian(2)
    >>> curve = bias_curve(model.log_joint, model.proposals["wide"], sizes=(16, 64, 256), alphas=(0.0,),
    ...                    truth=model.log_evidence, rng=0)
    >>> law = curve.power_law(0.0)
    >>> low, high = law.interval(0.999)
    >>> law.points, low < -1 < high
    (3, True)
    """
    plan = Plan.of(log_p, q, sizes, alphas, replications, truth, relative_variance, reference, as_key(rng))
    report = _Progress(progress, plan.total)
    done: list[SizeDone] = []
    large: Any = None
    try:
        large = _large_run(log_p, q, plan, executor, report)
        for index, n in enumerate(plan.sizes):
            draws = Draws(q, n * plan.replications[index], None, plan.key.child(2 + 2 * index))
            threads = draws.is_compiled and plan.weight.is_compiled
            runs = Replications(draws, plan.weight, plan.powers, n, threads)
            size = SizeDone(n, runs, [])
            done.append(size)
            runs.run(size.parts, executor, report)
            report.start_after(draws.n)
            size.khat = _khat_of_runs(log_p, q, plan, n, plan.key.child(3 + 2 * index))
    except (KeyboardInterrupt, Exception) as error:
        done = [size for size in done if size.runs.runs_in(size.parts) >= 2]
        partial = None if large is None or not done else curve_of(plan, large, done, name, control_variate, False)
        if isinstance(error, KeyboardInterrupt):
            raise StudyInterrupted(partial) from None
        if partial is not None:
            error.curve = partial  # type: ignore[attr-defined]
            error.add_note("the study stopped here; the finished runs are in the attribute `curve` of this exception.")
        raise
    curve = curve_of(plan, large, done, name, control_variate, True)
    _warn(done, curve)
    return curve


class _Progress:
    """Counts draws over the parts of a study."""

    def __init__(self, notify: Callable[[int, int], Any] | None, total: int) -> None:
        self._notify, self._total, self._before = notify, total, 0

    def __call__(self, done: int, _: int = 0) -> None:
        if self._notify is not None:
            self._notify(self._before + done, self._total)

    def start_after(self, draws: int) -> None:
        self._before += draws


def _large_run(log_p: Any, q: Any, plan: Plan, executor: Executor | None, report: _Progress) -> Any:
    large = renyi_curve(
        log_p, q, list(plan.alphas), n=plan.reference, rng=plan.key.child(0), executor=executor, progress=report
    )
    report.start_after(plan.reference)
    large.khat  # noqa: B018 - fitted while an interrupt still finds nothing half done
    return large


def _khat_of_runs(log_p: Any, q: Any, plan: Plan, n: int, key: Key) -> FloatArray:
    """Return the median k-hat of a few runs of `n` draws, for each order."""
    runs = min(_RUNS_FOR_KHAT, *plan.replications)
    with warnings.catch_warnings():
        # the study itself warns of its draws, once
        warnings.simplefilter("ignore", NonFiniteWarning)
        warnings.simplefilter("ignore", ZeroWeightWarning)
        found = [renyi_curve(log_p, q, list(plan.alphas), n=n, rng=key.child(run)).khat for run in range(runs)]
    return np.median(np.reshape(np.array(found, np.float64), (runs, -1)), axis=0)


def _warn(done: list[SizeDone], curve: BiasCurve) -> None:
    """Warn once of weights that were nan or inf, and of runs in which all were zero."""
    found = fold([part.non_finite for size in done for part in size.parts])
    if found.count:
        total = sum(size.runs.draws.n for size in done)
        warnings.warn(
            f"log_p(z) - q.log_prob(z) was nan or +inf {found.count} times in {total} draws; first at z = "
            f"{np.array2string(found.draw, threshold=8)}.",
            NonFiniteWarning,
            stacklevel=3,
        )
    empty = np.isneginf(curve.mean[:, curve.alphas < 1.0]).any(axis=1)
    if empty.any():
        sizes = ", ".join(map(str, curve.sizes[empty]))
        warnings.warn(
            f"in some runs of n = {sizes} all draws have zero weight: q and log_p may not share support.",
            ZeroWeightWarning,
            stacklevel=3,
        )
