"""The contents of the figures."""

import matplotlib as mpl
import numpy as np
import pytest

mpl.use("Agg")

from matplotlib import pyplot as plt

from mcvi.bias import bias_curve
from mcvi.datasets import gaussian
from mcvi.plots import plot_bias_curve


@pytest.fixture(scope="module")
def curve():
    model = gaussian(2)
    alphas = (0.0, 0.5, 1.0)
    return bias_curve(
        model.log_joint,
        model.proposals["wide"],
        sizes=(4, 16, 64),
        alphas=alphas,
        truth=[model.limits["wide"](alpha) for alpha in alphas],
        replications=200,
        name="a Gaussian",
        rng=0,
    )


@pytest.fixture(autouse=True)
def closed_figures():
    yield
    plt.close("all")


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_the_biases_stand_above_and_the_bound_below(curve):
    figure = plot_bias_curve(curve)
    above, below = figure.axes
    assert above.get_title() == "a Gaussian"
    assert (above.get_xscale(), above.get_yscale()) == ("log", "log")
    assert (below.get_xscale(), below.get_yscale()) == ("log", "linear")
    drawn = [line.get_ydata() for line in above.get_lines() if len(line.get_xdata()) == 3]
    assert any(np.allclose(y, np.abs(curve.bias[:, 0])) for y in drawn)
    means = [line.get_ydata() for line in below.get_lines() if len(line.get_xdata()) == 3]
    assert len(means) == 3
    for column, y in enumerate(means):
        np.testing.assert_array_equal(y, curve.mean[:, column])
    assert any("log evidence -3.031" in text for text in texts(below))
    assert {"α = 0", "α = 0.5", "ELBO (α = 1)"} <= set(texts(below))
    assert above.get_ylabel() == "|bias|  (nats)"


def test_the_orders_differ_without_colour(curve):
    above = plot_bias_curve(curve).axes[0]
    legend = above.get_legend()
    styles = {(handle.get_marker(), handle.get_linestyle()) for handle in legend.legend_handles}
    names = [text.get_text() for text in legend.get_texts()]
    # the ELBO is unbiased, and has no line on a logarithmic scale
    assert len(styles) == len(names) == 3
    assert names[2] == "first order"
    assert names[0].startswith("α = 0:  n^(-1.0") or names[0].startswith("α = 0:  n^(-1.1")


def test_several_curves_stand_side_by_side_on_one_scale(curve):
    figure = plot_bias_curve([curve, curve])
    assert len(figure.axes) == 4
    left, right = figure.axes[:2]
    assert left.get_ylim() == right.get_ylim()


def test_axes_of_the_caller_s_own_are_drawn_in(curve):
    figure, ax = plt.subplots()
    assert plot_bias_curve(curve, ax=ax) is figure
    assert ax.has_data()
    assert len(figure.axes) == 1
    figure, axes = plt.subplots(2, 1)
    plot_bias_curve(curve, ax=axes)
    assert all(ax.has_data() for ax in axes)


def test_a_figure_is_not_shown(curve, monkeypatch):
    monkeypatch.setattr(plt, "show", lambda *_, **__: pytest.fail("shown"))
    plot_bias_curve(curve)


def test_wrong_arguments_are_refused(curve):
    with pytest.raises(TypeError, match="curve must be a BiasCurve or a sequence"):
        plot_bias_curve([])
    with pytest.raises(TypeError, match="curve must be a BiasCurve or a sequence"):
        plot_bias_curve([1.0])
    _, axes = plt.subplots(3, 1)
    with pytest.raises(ValueError, match=r"ax must have shape \(2, 1\)"):
        plot_bias_curve(curve, ax=axes)


def test_a_curve_with_nothing_finite_is_still_drawn():
    log_p = lambda z: np.full(len(z), -np.inf)
    with pytest.warns(RuntimeWarning, match="zero weight"):
        empty = bias_curve(
            log_p,
            gaussian(2).proposals["wide"],
            sizes=(4, 8),
            alphas=(0.0,),
            truth=0.0,
            replications=5,
            reference=50,
            rng=0,
        )
    plot_bias_curve(empty).canvas.draw()
