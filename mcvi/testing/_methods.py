"""The methods of a distribution held against each other: score, Fisher information, cdf, quantile, mode, transport."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from mcvi._autograd import unbroadcast
from mcvi._typing import Array, FloatArray
from mcvi.testing._laws import FALSE_FAIL, Z

__all__ = [
    "cdf_and_quantile",
    "fisher_of_scores",
    "mode_of_draws",
    "score_of_log_prob",
    "sums_of_scores",
    "transport_of_noise",
]

Say = Callable[..., None]

#: Steps of differences, relative to the distance over which the log density varies.
_STEP, _HALF_STEP = 1e-4, 5e-5
#: A difference is trusted if half the step changes it, and rounding may change it, by less than this of the typical
#: score; the score must then be within `_CLOSE` of it.
_SMOOTH, _CLOSE = 1e-4, 1e-2


def score_of_log_prob(dist: Any, z: Array, event: tuple[int, ...], say: Say) -> None:
    """Compare the score with differences of `log_prob`, in the value and in each parameter that can be changed."""
    scores, z = dist.score(z), np.asarray(z, np.float64)
    parameters = getattr(dist, "parameters", {})
    for name, given in scores.items():
        score = np.asarray(given, np.float64)
        if name == "value" and (event or getattr(dist, "discrete", False)):
            continue
        if name != "value" and not (name in parameters and np.all(np.isfinite(parameters[name]))):
            continue
        with np.errstate(all="ignore"):
            unit = np.nan_to_num(np.median(np.abs(score), axis=0), nan=0.0, posinf=0.0)
        at = z if name == "value" else np.asarray(parameters[name], np.float64)
        found = _differences(dist, z, None if name == "value" else name, at, unit)
        if found is None:
            continue
        slope, halved, rounding, direction = found
        wide = np.where(direction == 0.0, 0.0, score * direction)
        along, size = (x.reshape(*np.shape(slope), -1).sum(axis=-1) for x in (wide, np.abs(wide)))
        typical = np.broadcast_to(unit * np.abs(direction), wide.shape).reshape(*np.shape(slope), -1).sum(axis=-1)
        allowed = np.maximum(size, typical)
        with np.errstate(invalid="ignore"):
            trusted = np.isfinite(along) & (np.abs(slope - halved) + rounding <= _SMOOTH * allowed)
            off = trusted & (np.abs(along - slope) > _CLOSE * allowed)
        if off.any():
            index = tuple(int(i) for i in np.argwhere(off)[0])
            step = np.abs(direction).max()  # of one number, the derivative itself
            say(
                f"score(z)[{name!r}] at draw {index} is {along[index] / step:.6g} along a step in {name!r}, but "
                f"differences of log_prob give {slope[index] / step:.6g}."
            )


def _differences(dist: Any, z: FloatArray, name: str | None, at: FloatArray, unit: FloatArray) -> Any:
    """Return central differences of log_prob with a step and with half of it, their rounding, and their direction.

    None if no direction stays among the legal parameters.
    """

    def changed(step: FloatArray) -> FloatArray:
        if name is None:
            return np.asarray(dist.log_prob(z + step), np.float64)
        return np.asarray(type(dist)(**{**dist.parameters, name: at + step}).log_prob(z), np.float64)

    for direction in _directions(at, unit):
        slopes = []
        try:
            for h in (_STEP, _HALF_STEP):
                with warnings.catch_warnings(), np.errstate(all="ignore"):
                    warnings.simplefilter("ignore")
                    high, low = changed(h * direction), changed(-h * direction)
                    slopes.append((high - low) / (2.0 * h))
        except (TypeError, ValueError):  # the step leaves what is legal
            continue
        with np.errstate(all="ignore"):
            half = _HALF_STEP * direction
            lost = np.abs((at + half) - at - half) > 1e-6 * np.abs(half)
            rounding = 1e-15 * (1.0 + np.abs(high)) / _HALF_STEP
            rounding = np.where(lost if name is None else lost.any(), np.inf, rounding)
        return *slopes, rounding, direction
    return None


def _directions(at: FloatArray, unit: FloatArray) -> list[FloatArray]:
    """Return three steps of about ``1 / unit``: in all numbers, in those that are not zero, and one of sum zero."""
    largest = unit
    for _ in range(max(0, unit.ndim - at.ndim)):
        largest = largest.max(axis=0, initial=0.0)
    stretched = tuple(i for i in range(-min(at.ndim, largest.ndim), 0) if at.shape[i] == 1 != largest.shape[i])
    largest = largest.max(axis=stretched, keepdims=True, initial=0.0) if stretched else largest
    with np.errstate(all="ignore"):
        size = np.where(largest > 0.0, 1.0 / largest, 0.0)
        signs = np.random.default_rng(0).choice([-1.0, -0.7, 0.8, 1.0], np.broadcast_shapes(at.shape, size.shape))
        free = signs * size
        relative = np.where(at == 0.0, 0.0, signs * np.minimum(size, np.abs(at)))
        if not at.ndim:
            return [free, relative]
        balanced = relative - at * (relative.sum(axis=-1, keepdims=True) / at.sum(axis=-1, keepdims=True))
        return [free, relative, np.nan_to_num(balanced)]


def sums_of_scores(dist: Any, sums: dict[str, Any], z: Array, say: Say) -> None:
    """Compare the sums of scores, each of weight 1, with the scores."""
    for name, given in dist.score(z).items():
        if name not in sums:
            continue
        shape = np.shape(sums[name])
        with np.errstate(invalid="ignore"):
            wanted = np.asarray(unbroadcast(np.asarray(given, np.float64), shape))
            size = np.asarray(unbroadcast(np.abs(np.asarray(given, np.float64)), shape))
            off = np.isfinite(wanted) & (np.abs(np.asarray(sums[name]) - wanted) > 1e-6 * size)
        if off.any():
            index = tuple(int(i) for i in np.argwhere(off)[0])
            say(
                f"weighted_score(z, 1)[{name!r}] is {np.asarray(sums[name])[index]:.6g}, but the scores add up to "
                f"{wanted[index]:.6g}."
            )


def fisher_of_scores(dist: Any, fisher: Any, z: Array, batch: tuple[int, ...], say: Say) -> None:
    """Compare the Fisher information with the mean of products of scores."""
    scores = [np.asarray(row, np.float64) for name, row in dist.score(z).items() if name != "value"]
    fisher = np.asarray(fisher, np.float64)
    rows = _rows_of(scores, (len(z), *batch), fisher.shape)
    if fisher.shape != (*rows.shape[1:], rows.shape[-1]):
        return say(
            f"fisher() must have shape {(*rows.shape[1:], rows.shape[-1])}, as the scores do; got {fisher.shape}."
        )
    with np.errstate(invalid="ignore", over="ignore"):
        products = rows[..., :, None] * rows[..., None, :]
        mean, error = products.mean(axis=0), products.std(axis=0) / np.sqrt(len(z))
        largest = np.abs(products - mean).max(axis=0)
        trusted = np.isfinite(fisher) & np.isfinite(error) & (largest < 0.3 * len(z) * error) & (error > 1e-12 * mean)
        # An infinite information is of a value that no draw has, and that counts in the rest of its matrix.
        trusted &= np.isfinite(np.diagonal(fisher, axis1=-2, axis2=-1)).all(axis=-1)[..., None, None]
        off = trusted & (np.abs(fisher - mean) > Z * error + 1e-6 * np.abs(mean))
    if off.any():
        index = tuple(int(i) for i in np.argwhere(off)[0])
        say(
            f"fisher() is {fisher[index]:.6g} at {index}, but the products of the scores of the draws average "
            f"{mean[index]:.6g} ± {error[index]:.2g}."
        )


def _rows_of(scores: list[FloatArray], lead: tuple[int, ...], shape: tuple[int, ...]) -> FloatArray:
    """Return the scores in all parameters on one axis, in the form that the shape of the information asks for.

    Of independent components it may be one matrix each, and of triangular parameters that of the triangle.
    """
    blocks = (*lead, *shape[len(lead) - 1 : -2])
    if all(score.shape == blocks for score in scores):
        return np.stack(scores, axis=-1)
    rows = np.concatenate([score.reshape(*lead, -1) for score in scores], axis=-1)
    used = np.any(rows != 0.0, axis=tuple(range(len(lead))))
    return rows[..., used] if shape[-1:] == (used.sum(),) else rows


def cdf_and_quantile(abilities: dict[str, Any], z: Array, batch: tuple[int, ...], discrete: bool, say: Say) -> None:
    """Compare the cdf with the draws, and its logarithm, complement and inverse with it."""
    values = np.sort(np.asarray(z, np.float64), axis=0)
    cdf = np.asarray(abilities["cdf"](values), np.float64)
    if cdf.shape != values.shape:
        return say(f"cdf(z) must have shape {values.shape}; got {cdf.shape}.")
    if not np.all((cdf >= 0.0) & (cdf <= 1.0)):
        return say("cdf(z) must be between 0 and 1.")
    columns = values.reshape(len(values), -1), cdf.reshape(len(values), -1)
    share = np.stack([np.searchsorted(x, x, "right") for x in columns[0].T], axis=-1) / len(values)
    distance = np.abs(share - columns[1]).max()
    if distance > np.sqrt(np.log(2 / FALSE_FAIL) / (2 * len(values))) + 1.0 / len(values):
        say(f"cdf is not that of the draws: they differ by {distance:.2g}.")
    for name, wanted in (
        ("survival_function", 1.0 - cdf),
        ("log_cdf", cdf),
        ("log_survival_function", 1.0 - cdf),
    ):
        if name in abilities:
            got = np.asarray(abilities[name](values), np.float64)
            got = np.exp(got) if name.startswith("log") else got
            off = ~(np.abs(got - wanted) <= 1e-6)
            if off.any():
                index = tuple(int(i) for i in np.argwhere(off)[0])
                meant = f"exp({name}(z))" if name.startswith("log") else f"{name}(z)"
                say(f"{meant} is {got[index]:.6g} at {values[index]:.6g}, where cdf(z) is {cdf[index]:.6g}.")
    if "quantile" in abilities:
        _quantile(abilities, batch, discrete, say)


def _quantile(abilities: dict[str, Any], batch: tuple[int, ...], discrete: bool, say: Say) -> None:
    wide = np.ones(batch)
    inside, outside = (np.multiply.outer(p, wide) for p in (np.linspace(0.01, 0.99, 50), [-0.1, 1.1, np.nan]))
    if not np.all(np.isnan(abilities["quantile"](outside))):
        say("quantile(p) must be nan where p is not between 0 and 1.")
    x = np.asarray(abilities["quantile"](inside), np.float64)
    if x.shape != inside.shape:
        return say(f"quantile(p) must have shape {inside.shape} for p of that shape; got {x.shape}.")
    # The number beside it, because a cdf may rise a lot between two numbers.
    reached = np.asarray(abilities["cdf"](x if discrete else np.nextafter(x, np.inf)), np.float64)
    before = np.asarray(abilities["cdf"](x - 1.0 if discrete else np.nextafter(x, -np.inf)), np.float64)
    slack = 1e-6
    off = (reached < inside - slack) | (before > inside + slack)
    if off.any():
        index = tuple(int(i) for i in np.argwhere(off)[0])
        say(f"quantile({inside[index]:.3g}) is {x[index]:.6g}, where cdf is {reached[index]:.6g}.")


def mode_of_draws(mode: Any, density: Callable[[Array], FloatArray], z: Array, log_p: FloatArray, say: Say) -> None:
    """Compare the density at the mode with that of the draws and of points beside the mode."""
    mode = np.asarray(mode, np.float64)
    with np.errstate(all="ignore"):
        at_mode = density(mode[None])[0]
        highest = log_p.max(axis=0)
        spread = np.asarray(z, np.float64).std(axis=0)
        if mode.shape == at_mode.shape and np.all(spread < np.inf):  # a number: a step to either side
            steps = np.stack([mode - 1e-3 * spread, mode + 1e-3 * spread])
            highest = np.maximum(highest, np.nan_to_num(density(steps), nan=-np.inf).max(axis=0))
        off = highest > at_mode + 1e-9 * (1.0 + np.abs(at_mode))
    if off.any():
        index = tuple(int(i) for i in np.argwhere(off)[0]) if off.ndim else ()
        say(
            f"log_prob at the mode is {np.asarray(at_mode)[index]:.9g}, but {np.asarray(highest)[index]:.9g} at a draw "
            "or beside it."
        )


def transport_of_noise(moved: Array, z: Array, promised: bool, say: Say) -> None:
    """Compare transported noise with draws of the same key: one by one if promised or visibly meant, else as a whole.

    Meant it is where the two go together, with a correlation of ranks above 0.9.
    """
    n = len(z)
    columns = [np.asarray(x, np.float64).reshape(n, -1)[:, :10] for x in (moved, z)]
    ranks = [np.argsort(np.argsort(column, axis=0, kind="stable"), axis=0, kind="stable") for column in columns]
    centred = [r - (n - 1) / 2.0 for r in ranks]
    together = (centred[0] * centred[1]).sum(axis=0) > 0.9 * (centred[0] ** 2).sum(axis=0)
    if promised or together.all():
        scale = np.abs(columns[1]).max(axis=0, initial=0.0, where=np.isfinite(columns[1]))
        spread = np.minimum(scale, 6.0 * np.subtract(*np.quantile(columns[1], [0.75, 0.25], axis=0)))
        off = ~(np.abs(columns[0] - columns[1]) <= 1e-5 * (spread + np.abs(columns[1])))
        if off.any():
            index = tuple(int(i) for i in np.argwhere(off)[0])
            say(
                f"transport(noise(n, rng=r)) is not sample(n, rng=r): {columns[0][index]:.6g} for "
                f"{columns[1][index]:.6g} at draw {index[0]}."
            )
        return
    limit = np.sqrt(2 * np.log(2 / FALSE_FAIL) / n) * 1.5
    for a, b in zip(*(np.sort(column, axis=0).T for column in columns), strict=True):
        both = np.concatenate([a, b])
        distance = np.abs(np.searchsorted(a, both, "right") - np.searchsorted(b, both, "right")).max() / n
        if distance > limit:
            return say(f"transport(noise) are not draws of sample: their cdfs differ by {distance:.2g}.")
