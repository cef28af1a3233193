"""Figures. Matplotlib is imported here and nowhere below, and only when a figure is made."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mcvi._typing import FloatArray
from mcvi.bias import BiasCurve

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_bias_curve"]

# Colours that differ in lightness too, from Okabe and Ito; a marker and a line style of its own for each order.
_STYLES = (("#0072B2", "o", "-"), ("#D55E00", "s", "--"), ("#117733", "^", "-."), ("#7F3C8D", "D", ":"))
_GREY = "0.35"


def plot_bias_curve(curve: BiasCurve | Sequence[BiasCurve], *, ax: Any = None) -> "Figure":
    """Draw the bias against the number of draws, and below it the bound itself with the limit that it should reach.

    Above, on logarithmic axes: the size of the bias with its standard error, the fitted power law, and (thin) the
    first-order prediction where it may be believed. Hollow markers are biases that their error does not resolve.
    Below: the mean of the runs, the band in which two runs in three lie, and the log evidence.

    Parameters
    ----------
    curve : BiasCurve or sequence of them
        Several stand side by side, on the same scale above.
    ax : Axes or array of Axes ``(2, number of curves)``, optional
        The axes to draw on; a single Axes takes the upper panel of a single curve. By default a new figure is made.

    Returns
    -------
    matplotlib.figure.Figure
        Nothing is shown or written.

    Raises
    ------
    TypeError, ValueError
        No curve, or not as many axes as panels.

    Examples
    --------
    >>> from matplotlib import pyplot as plt
    >>> from mcvi.bias import bias_curve
    >>> from mcvi.datasets import gaussian
    >>> model = gaussian()
    >>> curve = bias_curve(model.log_joint, model.proposals["wide"], sizes=(4, 16, 64), alphas=(0.0,),
    ...                    replications=100, truth=model.log_evidence, rng=0)
    >>> figure = plot_bias_curve(curve)
    >>> len(figure.axes)
    2
    >>> plt.close(figure)
    """
    curves = [curve] if isinstance(curve, BiasCurve) else list(curve)
    if not curves or not all(isinstance(found, BiasCurve) for found in curves):
        raise TypeError("curve must be a BiasCurve or a sequence of at least one of them.")
    if ax is None:
        from matplotlib import pyplot as plt

        width = 4.1 * len(curves) if len(curves) > 1 else 5.2
        figure, axes = plt.subplots(
            2,
            len(curves),
            figsize=(width, 6.6),
            squeeze=False,
            sharex="col",
            layout="constrained",
            gridspec_kw={"height_ratios": (1.25, 1)},
        )
    else:
        axes = np.atleast_1d(np.asarray(ax, dtype=object))
        axes = axes[:, None] if axes.ndim == 1 else axes
        if axes.shape not in {(2, len(curves)), (1, len(curves))}:
            raise ValueError(f"ax must have shape (2, {len(curves)}), or be one Axes for one curve; got {axes.shape}.")
        figure = axes[0, 0].figure
    for column, found in enumerate(curves):
        _draw_bias(axes[0, column], found)
        if len(axes) > 1:
            _draw_bound(axes[1, column], found)
            axes[0, column].set_xlabel("")
        axes[0, column].set_title(found.name, fontsize=10.5)
    if ax is None:
        _share_scale(axes[0])
        axes[0, 0].set_ylabel("|bias|  (nats)")
        axes[1, 0].set_ylabel("estimate  (nats)")
    return figure  # type: ignore[no-any-return]


def _draw_bias(ax: "Axes", curve: BiasCurve) -> None:
    n, predicted = curve.sizes.astype(np.float64), False
    for j, alpha in enumerate(curve.alphas):
        if alpha == 1.0:  # an unbiased estimate of its limit: nothing but noise to draw on a logarithmic scale
            continue
        colour, marker, line = _style(j)
        size, error = np.abs(curve.bias[:, j]), curve.bias_standard_error[:, j]
        with np.errstate(invalid="ignore"):
            resolved = size >= 2.0 * error
        shown = np.isfinite(size) & np.isfinite(error) & (size > 0)
        below = np.minimum(error, 0.9 * size)  # a bar that reaches zero would reach the bottom of the page
        for kind, face in ((resolved & shown, colour), (~resolved & shown, "white")):
            if kind.any():
                ax.errorbar(
                    n[kind],
                    size[kind],
                    yerr=np.stack([below[kind], error[kind]]),
                    fmt=marker,
                    color=colour,
                    markerfacecolor=face,
                    markersize=5.5,
                    capsize=2.5,
                    linestyle="none",
                    zorder=3,
                )
        law = curve.power_law(float(alpha))
        fitted = np.exp(law.intercept) * n**law.exponent
        single = _is_single_power(size[resolved], fitted[resolved])
        if single:
            ax.plot(n, fitted, color=colour, linestyle=line, linewidth=1.3)
        elif shown.any():
            ax.plot(n[shown], size[shown], color=colour, linestyle=line, linewidth=1.0)
        trusted = curve.asymptotic_trusted[:, j]
        if trusted.any():
            ax.plot(n[trusted], np.abs(curve.asymptotic_bias[trusted, j]), color=_GREY, linewidth=0.9, zorder=1)
            predicted = True
        if shown.any():
            text = f"α = {alpha:g}"
            if single:
                text += f":  n^({law.exponent:.2f} ± {law.standard_error:.2f})"
            elif np.isfinite(law.exponent):
                text += ":  no single power of n"
            # marker and line style stand together in the legend, so that colour is not needed
            ax.plot([], [], color=colour, marker=marker, linestyle=line, markersize=5.5, label=text)
    if predicted:
        ax.plot([], [], color=_GREY, linewidth=0.9, label="first order")
    ax.set_xscale("log")
    ax.set_yscale("log")
    if not ax.has_data() or not all(0 < end < np.inf for end in ax.get_ylim()):
        ax.set_ylim(1e-6, 1.0)  # nothing to draw: no limits to be found
    ax.set_xlabel("number of draws n")
    ax.grid(True, which="major", color="0.9", linewidth=0.6)
    if ax.get_legend_handles_labels()[0]:
        ax.legend(loc="lower left", fontsize=8.5, frameon=False, handlelength=2.6)


def _is_single_power(size: FloatArray, fitted: FloatArray) -> bool:
    """Tell whether a fitted power law passes the points within a factor of 1.5."""
    return bool(np.isfinite(fitted).all() and np.all(np.abs(np.log(size / fitted)) < np.log(1.5)))


def _draw_bound(ax: "Axes", curve: BiasCurve) -> None:
    n = curve.sizes.astype(np.float64)
    for j in range(curve.alphas.size):
        colour, marker, line = _style(j)
        mean = curve.mean[:, j]
        ax.fill_between(n, curve.low[:, j], curve.high[:, j], color=colour, alpha=0.13, linewidth=0)
        ax.plot(n, mean, color=colour, marker=marker, linestyle=line, markersize=4.5, linewidth=1.2)
    if (curve.alphas == 0.0).any():
        evidence = curve.truth[curve.column(0.0)]
        ax.axhline(evidence, color="black", linewidth=1.0, zorder=1)
        ax.annotate(
            f"log evidence {evidence:.3f}",
            (0.98, evidence),
            xycoords=("axes fraction", "data"),
            xytext=(0, 3),
            textcoords="offset points",
            ha="right",
            va="bottom",
            fontsize=8.5,
        )
    ax.set_xscale("log")
    ax.set_xlabel("number of draws n")
    ax.grid(True, which="major", color="0.9", linewidth=0.6)
    _label_ends(ax, curve)
    means = curve.mean[np.isfinite(curve.mean)]
    if means.size:  # the bands of the smallest samples may leave the page, the means may not
        room = 0.7 * max(float(np.ptp(means)), 1e-6 * float(np.abs(means).max()), 1e-12)
        ax.set_ylim(means.min() - room, means.max() + room)


def _label_ends(ax: "Axes", curve: BiasCurve) -> None:
    """Name each line at its right end, under it."""
    last = float(curve.sizes[-1])
    for j, alpha in enumerate(curve.alphas):
        if np.isfinite(curve.mean[-1, j]):
            ax.annotate(
                "ELBO (α = 1)" if alpha == 1.0 else f"α = {alpha:g}",
                (last, curve.mean[-1, j]),
                xytext=(0, -5),
                textcoords="offset points",
                ha="right",
                va="top",
                fontsize=8.5,
                color=_style(j)[0],
            )


def _share_scale(axes: Any) -> None:
    """Give the upper panels one scale: what they show is how differently the biases fall."""
    limits = [ax.get_ylim() for ax in axes if ax.has_data()]
    if limits:
        for ax in axes:
            ax.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))
    for ax in axes[1:]:
        ax.tick_params(labelleft=False)


def _style(j: int) -> tuple[str, str, str]:
    return _STYLES[j % len(_STYLES)]
