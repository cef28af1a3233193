"""The elementary functions against mpmath over the whole range of a double, and that their loops vectorise."""

import re

import mpmath
import numpy as np
import pytest

from mcvi._kernels.functions import elementary
from tests._kernels.accuracy import EPS, LARGEST, NORMAL, SMALLEST, around, largest_error, loop_over, ulp
from tests._kernels.accuracy import log_uniform as log_uniform_from

COUNT = 2000
rng = np.random.default_rng(20240229)


def log_uniform(low, high, size=COUNT):
    return log_uniform_from(rng, low, high, size)


EXP_GRID = np.concatenate(
    [
        rng.uniform(-746, 710, COUNT),
        rng.uniform(-746, -708, COUNT),
        rng.uniform(-1, 1, COUNT),
        log_uniform(1e-20, 1),
        -log_uniform(1e-20, 1),
        around(
            [709.782712893384, -745.1332191019412, -744.4400719213812, -708.3964185322641, -746, 710, -1e308, 1e308]
        ),
        around(np.log(2) * (np.arange(-20, 20) + 0.5)),
    ]
)
LOG_GRID = np.concatenate(
    [
        log_uniform(SMALLEST, LARGEST),
        log_uniform(SMALLEST, 2.3e-308),
        rng.uniform(0.5, 2, COUNT),
        1 + log_uniform(1.2e-16, 0.1),
        1 - log_uniform(1.2e-16, 0.1),
        around([1.0, 2.0, 0.5, np.sqrt(2), np.sqrt(0.5), NORMAL, LARGEST / 2, 1e-320]),
        [SMALLEST, 2 * SMALLEST, LARGEST],
    ]
)
LOG1P_GRID = np.concatenate(
    [
        log_uniform(SMALLEST, LARGEST),
        -log_uniform(SMALLEST, 1),
        rng.uniform(-0.9, 2, COUNT),
        -1 + log_uniform(1.2e-16, 0.5),
        around(
            [np.sqrt(2) - 1, np.sqrt(0.5) - 1, 1.0, -0.5, 5e-17, -5e-17, 1.1e-16, 2.2e-16, 2.0**53, 2.0**1023, 1.3e308]
        ),
        [LARGEST, SMALLEST, -SMALLEST, np.nextafter(-1, 0)],
    ]
)
EXP2_GRID = np.concatenate(
    [rng.uniform(-1021, 0, COUNT), rng.uniform(-3, 0, COUNT), -log_uniform(1e-18, 1), -np.arange(0, 1021.5, 0.5)]
)
EXPM1_GRID = np.concatenate(
    [
        rng.uniform(-40, 710, COUNT),
        log_uniform(SMALLEST, 1),
        -log_uniform(SMALLEST, 1000),
        rng.uniform(-2, 2, COUNT),
        around([709.782712893384, 5e-17, -5e-17, -50, -36.7, -37.5]),
        around(np.log(2) * (np.arange(-20, 20) + 0.5)),
    ]
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "grid", "definition", "allowed"),
    [
        ("exp", EXP_GRID, mpmath.exp, 1.0),
        ("exp2_nonpositive", EXP2_GRID, lambda y: mpmath.power(2, y), 1.0),
        ("log", LOG_GRID, mpmath.log, 1.0),
        ("log_positive", LOG_GRID[LOG_GRID >= NORMAL], mpmath.log, 1.0),
        ("log1p", LOG1P_GRID, mpmath.log1p, 1.5),
        ("expm1", EXPM1_GRID, mpmath.expm1, 1.5),
        ("sigmoid", EXP_GRID, lambda x: 1 / (1 + mpmath.exp(-x)), 3.0),
        ("softplus", EXP_GRID, lambda x: mpmath.log1p(mpmath.exp(x)), 2.0),
        ("tanh", EXPM1_GRID, mpmath.tanh, 4.0),
        ("log1p_unit", LOG1P_GRID[(LOG1P_GRID >= 0) & (LOG1P_GRID <= 1)], mpmath.log1p, 1.5),
    ],
)
def test_errors_stay_below_the_stated_ulp_over_the_whole_range(name, grid, definition, allowed):
    values = loop_over(getattr(elementary, name))(grid)
    assert largest_error(values, definition, grid, unit=ulp) < allowed


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        (
            "exp2_nonpositive",
            [0.0, -1.0, -1021.0, -1022.0, -1e308, -np.inf, np.nan],
            [1, 0.5, 2.0**-1021, 2.0**-1021, 2.0**-1021, 2.0**-1021, np.nan],
        ),
        ("exp", [0.0, -0.0, np.inf, -np.inf, np.nan, 710.0, -746.0], [1, 1, np.inf, 0, np.nan, np.inf, 0]),
        (
            "log",
            [0.0, -0.0, np.inf, -np.inf, np.nan, 1.0, -1.0, -SMALLEST],
            [-np.inf, -np.inf, np.inf] + 2 * [np.nan] + [0.0] + 2 * [np.nan],
        ),
        (
            "log1p",
            [0.0, -0.0, np.inf, -np.inf, np.nan, -1.0, -1.5, -SMALLEST],
            [0.0, -0.0, np.inf, np.nan, np.nan, -np.inf, np.nan, -SMALLEST],
        ),
        (
            "expm1",
            [0.0, -0.0, np.inf, -np.inf, np.nan, 710.0, -60.0, SMALLEST],
            [0.0, -0.0, np.inf, -1, np.nan, np.inf, -1, SMALLEST],
        ),
        ("sigmoid", [0.0, np.inf, -np.inf, np.nan], [0.5, 1, 0, np.nan]),
        ("softplus", [np.inf, -np.inf, np.nan, 1e300], [np.inf, 0, np.nan, 1e300]),
        ("tanh", [0.0, -0.0, np.inf, -np.inf, np.nan, SMALLEST], [0.0, -0.0, 1, -1, np.nan, SMALLEST]),
    ],
)
def test_special_values_are_exact(name, arguments, expected):
    found = loop_over(getattr(elementary, name))(arguments)
    np.testing.assert_array_equal(found, expected)
    kept = ~np.isnan(found)
    np.testing.assert_array_equal(np.signbit(found)[kept], np.signbit(np.array(expected, dtype=float))[kept])


def test_sine_and_cosine_of_a_turn_are_within_one_eps():
    turns = np.concatenate(
        [
            rng.random(COUNT),
            log_uniform(SMALLEST, 0.5),
            np.arange(8) / 8,
            np.nextafter(np.arange(1, 9) / 8, 0),
            np.nextafter(np.arange(8) / 8, 1),
        ]
    )
    with mpmath.workprec(160):
        for u in turns:
            sine, cosine = elementary.sincos2pi(u)
            angle = 2 * mpmath.pi * mpmath.mpf(float(u))
            assert abs(sine - mpmath.sin(angle)) <= EPS
            assert abs(cosine - mpmath.cos(angle)) <= EPS


def test_quarter_turns_are_exact():
    assert [elementary.sincos2pi(u) for u in (0.0, 0.25, 0.5, 0.75)] == [(0, 1), (1, 0), (0, -1), (-1, 0)]


@pytest.mark.parametrize("name", ["exp", "log", "log_positive", "log1p", "expm1", "sigmoid", "softplus", "tanh"])
def test_integers_and_single_precision_are_computed_in_double_precision(name):
    function = getattr(elementary, name)
    assert function(2) == function(2.0) == function(np.float32(2.0))


# Packed arithmetic on doubles, as x86 and as ARM spell it.
PACKED = re.compile(r"\bv?(mul|add|fn?m(add|sub)\d+)pd\b|\.2d\b")


@pytest.mark.parametrize("name", ["exp", "log", "log_positive", "log1p", "expm1", "sigmoid", "softplus", "tanh"])
def test_a_loop_over_an_array_compiles_to_packed_instructions(name):
    apply = loop_over(getattr(elementary, name))
    apply(np.ones(4))
    (assembly,) = apply.loop.inspect_asm().values()
    assert len(PACKED.findall(assembly)) >= 10
