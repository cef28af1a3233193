"""Tests of draws against a density, when both are known at given points only."""

from collections.abc import Callable

import numpy as np

from mcvi._typing import Array, FloatArray

__all__ = ["FALSE_FAIL", "Z", "law_of_arrays", "law_of_counts", "law_of_numbers"]

#: A check of chance fails a correct class with this probability; a deviation of Z standard errors has it.
FALSE_FAIL = 1e-9
Z = 6.11

Say = Callable[..., None]
Density = Callable[[Array], FloatArray]


def law_of_numbers(z: Array, density: Density, where: str, say: Say) -> None:
    """Compare draws of a number with the integral of the density between their quantiles."""
    from scipy.integrate import tanhsinh

    z = z.astype(np.float64)
    edges = np.unique(np.quantile(z, np.linspace(0.0, 1.0, 33)))
    if len(edges) < 3:
        return

    def mass(x: Array) -> Array:
        return np.exp(density(np.ravel(x))).reshape(np.shape(x))

    left, right = np.concatenate([[-np.inf], edges]), np.concatenate([edges, [np.inf]])
    with np.errstate(all="ignore"):
        pieces = np.asarray(tanhsinh(mass, left, right, atol=1e-9, rtol=1e-7, maxlevel=8).integral)
    total = pieces.sum()
    if not abs(total - 1.0) < 5e-3:
        say(f"exp(log_prob) integrates to {total:.4g}, not to 1{where}: is a constant missing?", stop=True)
    shares = np.searchsorted(np.sort(z), edges, "right") / len(z)
    distance = np.abs(np.cumsum(pieces)[:-1] - shares).max()
    if distance > np.sqrt(np.log(2 / FALSE_FAIL) / (2 * len(z))) + 1e-3:
        say(f"the draws do not follow log_prob{where}: the two cdfs differ by {distance:.2g}.")


def law_of_counts(z: Array, log_p: FloatArray, density: Density, where: str, say: Say) -> None:
    """Compare frequencies with probabilities, and the sum of what was seen with one."""
    n = len(z)
    seen, first, counts = np.unique(z, return_index=True, return_counts=True)
    p = np.exp(log_p[first])
    unseen = (np.sum(counts == 1) + Z * np.sqrt(np.sum(counts == 1) + 2 * np.sum(counts == 2) + 1.0) + Z**2) / n
    if p.sum() > 1.0 + 1e-6 or p.sum() < 1.0 - unseen:
        say(f"the probabilities of all that was drawn sum to {p.sum():.4g}, not to 1{where}.", stop=True)
    spread = np.sqrt(n * p * (1.0 - p)) + 1.0
    off = np.abs(counts - n * p) > Z * spread + Z**2 / 3
    if off.any():
        k = int(np.argmax(np.abs(counts - n * p) / spread))
        say(f"the draws do not follow log_prob{where}: {seen[k]} was drawn {counts[k]} times, not {n * p[k]:.0f}.")
    between = density(np.array([seen[0] + 0.5]))
    if between[0] != -np.inf and np.exp(between[0]) > 0.0:
        say(f"log_prob of {seen[0] + 0.5} must be -inf{where}: all draws are whole numbers.")


def law_of_arrays(
    z: Array, log_p: FloatArray, density: Density, rng: np.random.Generator, discrete: bool, where: str, say: Say
) -> None:
    """Compare the integral of the density, and its ratio at shifted draws, with one."""
    n, shape = len(z), z.shape[1:]
    flat = z.reshape(n, -1).astype(np.float64)
    size = flat.shape[1]
    scale = flat.std(axis=0)
    if discrete or size > 8 or not np.all(scale > 0) or not np.all(np.isfinite(scale)):
        return
    # A multivariate t as wide as the draws, so that its weights have a variance.
    df = 5.0
    covariance = np.atleast_2d(np.cov(flat.T)) * 1.2
    values, vectors = np.linalg.eigh(covariance)
    if values[0] <= 1e-9 * values[-1]:
        return  # the draws lie on a surface: there is no density to integrate
    factor = vectors * np.sqrt(values)
    normal, chi = rng.standard_normal((n, size)), rng.chisquare(df, n)
    proposals = flat.mean(axis=0) + (normal / np.sqrt(chi / df)[:, None]) @ factor.T
    from scipy.special import gammaln

    squares = (normal**2).sum(axis=1) / chi
    log_r = gammaln(0.5 * (df + size)) - gammaln(0.5 * df) - 0.5 * size * np.log(df * np.pi)
    log_r = log_r - 0.5 * np.log(values).sum() - 0.5 * (df + size) * np.log1p(squares)
    with np.errstate(over="ignore"):
        weights = np.exp(density(proposals.reshape(n, *shape)) - log_r)
    if not weights.any():
        return
    mean, error = weights.mean(), weights.std() / np.sqrt(n)
    if error < 0.02 and abs(mean - 1.0) > Z * error + 1e-6:
        say(f"exp(log_prob) integrates to {mean:.4g} ± {error:.1g}, not to 1{where}: is a constant missing?", stop=True)
    for i in range(size):
        shifted = [flat.copy(), flat.copy()]
        for sign, moved in zip((0.5, -0.5), shifted, strict=True):
            moved[:, i] += sign * scale[i]
        logs = [density(moved.reshape(n, *shape)) for moved in shifted]
        # Where a step leaves the support the mean is only bounded, on the way there and on the way back.
        everywhere = bool(np.all(np.isfinite(logs)))
        for log_shifted in logs:
            with np.errstate(over="ignore", invalid="ignore"):
                ratio = np.exp(log_shifted - log_p)
            mean, error = ratio.mean(), ratio.std() / np.sqrt(n)
            deviation = abs(mean - 1.0) if everywhere else mean - 1.0
            if ratio.max() < 0.05 * n * (mean + error) and deviation > Z * error + 1e-3:
                say(
                    f"the draws do not follow log_prob{where}: exp(log_prob(z + d) - log_prob(z)) averages "
                    f"{mean:.4g} ± {error:.1g}, not 1, for a step d along component {i}.",
                    stop=True,
                )
