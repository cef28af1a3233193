"""The bias study against biases that are known exactly."""

import csv
import io
import json
import lzma
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from scipy.special import digamma, logsumexp, polygamma

from mcvi.bias import BiasCurve, StudyInterrupted, bias_curve, fit_power_law
from mcvi.datasets import eight_schools, gaussian
from mcvi.distributions import MultivariateNormalDiag, Normal, Uniform
from mcvi.estimate import NonFiniteWarning, ZeroWeightWarning

# Chance that correct code fails one assertion: 1e-9, two-sided.
Z = 6.11


def exact(name):
    """Return the content of a file of exact answers."""
    with lzma.open(Path(__file__).parents[1] / "data" / f"{name}.json.xz") as page:
        return json.load(page)["content"]


BOUNDS = exact("bounds")
TWO_POINT = exact("two_point_weights")


def assert_biases(curve, alpha, exact, *, resolves):
    """The biases are the exact ones, and a relative error of `resolves` in any of them would have been seen."""
    column = curve.column(alpha)
    bias, error = curve.bias[:, column], curve.bias_standard_error[:, column]
    assert np.all(2 * Z * error <= resolves * np.abs(exact)), "test too weak"
    rounding = 1e-13 * np.abs(exact)  # two-point weights at n = 1: the control variate leaves nothing but rounding
    assert np.all(np.abs(bias - exact) < Z * error + rounding), (bias, exact, error)


def exponential_weights(z):
    """Log density whose weights under Uniform(0, 1) follow the exponential law."""
    return np.log(-np.log(z))


def lognormal_weights(variance):
    """Log density whose weights under Normal(0, 1) are lognormal with mean 1."""
    scale = math.sqrt(variance)
    return lambda z: Normal(0.0, 1.0).log_prob(z) + scale * z - variance / 2


def small(log_p=None, q=None, **options):
    """Return a study that costs next to nothing."""
    model = gaussian(2)
    settings = {"sizes": (4, 16), "alphas": (0.0,), "replications": 20, "reference": 100, "rng": 0} | options
    return bias_curve(log_p or model.log_joint, q or model.proposals["wide"], **settings)


def test_gamma_weights_have_the_bias_digamma_less_log():
    sizes = (1, 2, 4, 8, 16, 32, 64, 128)
    curve = bias_curve(
        exponential_weights, Uniform(0.0, 1.0), sizes=sizes, alphas=(0.0,), truth=0.0, replications=40_000, rng=1
    )
    assert curve.controlled.all()
    assert_biases(curve, 0.0, np.array([digamma(n) - math.log(n) for n in sizes]), resolves=0.12)
    np.testing.assert_allclose(curve.variance[:, 0], polygamma(1, sizes), rtol=0.1)
    exact_rmse = np.sqrt(polygamma(1, sizes) + (digamma(sizes) - np.log(sizes)) ** 2)
    assert np.all(np.abs(curve.rmse[:, 0] - exact_rmse) < Z * curve.rmse_standard_error[:, 0])
    assert abs(curve.relative_variance[0] - 1.0) < 0.05
    assert abs(curve.second_order[0] + 1.0 / 12.0) < 0.05  # digamma(n) - log n = -1/2n - 1/12n^2 + ...


@pytest.mark.parametrize("alpha", [-0.5, 0.0, 0.25, 0.5, 0.75, 0.9, 1.1, 1.5, 2.0])
def test_two_normals_at_distance_one_have_the_biases_of_li_and_turner(alpha):
    table = BOUNDS["li_turner_fig3b"]["table"][f"{alpha:g}"]
    table = {n: table[n] for n in ("1", "2", "5", "10", "50", "200")}
    p, q = MultivariateNormalDiag(np.zeros(2), np.ones(2)), MultivariateNormalDiag(np.ones(2), np.ones(2))
    curve = bias_curve(
        p.log_prob,
        q,
        sizes=[int(n) for n in table],
        alphas=(alpha,),
        truth=(-alpha,),
        replications=[60_000] * 4 + [20_000] * 2,
        rng=2,
    )
    # weights to the power 1.5 are too heavy-tailed for the control variate: the plain mean resolves less
    assert curve.controlled.all() == (alpha >= 0)
    assert_biases(curve, alpha, np.array(list(table.values())) + alpha, resolves=0.2 if alpha >= 0 else 0.5)


@pytest.mark.parametrize("case", TWO_POINT, ids=lambda case: f"p={case['p']},K={case['K']}")
def test_two_point_weights_have_the_bias_of_a_binomial_sum(case):
    p, large, little = case["p"], math.log(case["a"]), math.log(case["b"])
    curve = bias_curve(
        lambda z: np.where(z < p, large, little),
        Uniform(0.0, 1.0),
        sizes=(case["K"],),
        alphas=(0.0,),
        truth=case["logZ"],
        replications=200_000 if case["K"] < 16 else 40_000,
        rng=3,
    )
    assert_biases(curve, 0.0, np.array([case["bias"]["m0"]]), resolves=0.15)
    np.testing.assert_allclose(curve.variance[0, 0], case["iwae_var"], rtol=0.1)


def test_the_first_order_prediction_is_believed_where_it_holds_and_flagged_where_it_does_not():
    table = BOUNDS["lognormal_s2_0.5"]
    sizes = [int(n) for n in table["bias"]]
    curve = bias_curve(
        lognormal_weights(0.5), Normal(0.0, 1.0), sizes=sizes, alphas=(0.0,), truth=0.0, replications=4000, rng=4
    )
    biases = np.array([orders[0] for orders in table["bias"].values()])
    assert_biases(curve, 0.0, biases, resolves=0.6)
    assert abs(curve.relative_variance[0] / (-2 * table["a1"]) - 1) < 0.05
    trusted = curve.asymptotic_trusted[:, 0]
    assert trusted[2:].all()
    assert np.all(np.abs(curve.asymptotic_bias[trusted, 0] / biases[trusted] - 1) < 0.3)
    # log-variance 4: the expansion is useless below n = 10,000, where a bias of -26.8/n is predicted
    heavy = bias_curve(
        lognormal_weights(4.0), Normal(0.0, 1.0), sizes=(4, 64, 512), alphas=(0.0,), truth=0.0, replications=2000, rng=4
    )
    biases = np.array([BOUNDS["lognormal_s2_4"]["bias"][n][0] for n in ("4", "64", "512")])
    assert not heavy.asymptotic_trusted.any()
    assert not heavy.controlled.any()
    assert_biases(heavy, 0.0, biases, resolves=3.0)


def test_the_standard_errors_are_calibrated_with_the_control_variate_and_without():
    studies, truth = 600, digamma(8) - math.log(8)
    scores = {True: [], False: []}
    for seed in range(studies):
        for control, found in scores.items():
            curve = bias_curve(
                exponential_weights,
                Uniform(0.0, 1.0),
                sizes=(8,),
                alphas=(0.0,),
                truth=0.0,
                replications=300,
                reference=20,
                control_variate=control,
                rng=seed,
            )
            found.append((curve.bias[0, 0] - truth) / curve.bias_standard_error[0, 0])
    for found in map(np.array, scores.values()):
        # 600 studies see a coverage off by 4.4 % and an error bar off by 15 %, at 1e-6
        assert abs(np.mean(np.abs(found) < 1.96) - 0.95) < 0.044
        assert abs(found.std() - 1) < 0.15
        assert abs(found.mean()) < 5 / math.sqrt(studies)
    assert np.std(scores[True]) != np.std(scores[False])


def test_the_exponent_of_a_well_behaved_bias_is_minus_one():
    model = gaussian(3)
    alphas = (-0.5, 0.0, 0.5, 1.0)
    curve = bias_curve(
        model.log_joint,
        model.proposals["wide"],
        sizes=(64, 256, 1024, 4096),
        alphas=alphas,
        truth=[model.limits["wide"](alpha) for alpha in alphas],
        relative_variance=[model.relative_variances["wide"](alpha) for alpha in alphas],
        replications=2000,
        rng=5,
    )
    for alpha in alphas[:-1]:
        law = curve.power_law(alpha)
        assert law.points == 4
        assert law.standard_error < 0.02
        low, high = law.interval(1 - 1e-9)
        assert low < -1 < high
        assert np.all(
            np.abs(curve.bias - curve.asymptotic_bias)[:, curve.column(alpha)]
            < Z * curve.bias_standard_error[:, curve.column(alpha)]
            + np.abs(curve.second_order[curve.column(alpha)]) / curve.sizes**2 * 2
        )
    assert math.isnan(curve.power_law(1.0).exponent)  # the ELBO is unbiased: there is nothing to fit
    assert np.all(np.abs(curve.bias[:, 3]) < Z * curve.bias_standard_error[:, 3])


def test_eight_schools_stall_with_the_mean_field_optimum_and_not_with_the_wide_proposal():
    schools, sizes = eight_schools(), (64, 1024, 16384)
    options = {"sizes": sizes, "alphas": (0.0,), "truth": schools.log_evidence, "rng": 6}
    narrow = bias_curve(schools.log_joint, schools.proposals["mean-field"], replications=(4000, 3200, 150), **options)
    wide = bias_curve(schools.log_joint, schools.proposals["wide"], replications=(4000, 800, 100), **options)
    # two independent runs had -.04, -.016, -.013; the true values are not known to more digits
    assert not narrow.controlled.any()
    assert np.all(np.abs(narrow.bias[:, 0] - [-0.037, -0.017, -0.012]) < Z * narrow.bias_standard_error[:, 0])
    assert np.all(narrow.bias_standard_error[:, 0] < 0.006)
    assert -0.035 < narrow.median[-1, 0] - schools.log_evidence < -0.01
    assert abs(wide.median[-1, 0] - schools.log_evidence) < 0.008
    assert 0.4 < narrow.khat[-1, 0] < 0.7
    assert not narrow.asymptotic_trusted.any()
    # found within the error bar, and as 1/n
    assert wide.controlled.all()
    assert abs(wide.recovered[0] - 1.0) < Z * wide.recovered_standard_error[0] < 0.01
    error = np.sqrt(wide.variance[-1, 0] / wide.replications[-1])
    assert abs(wide.mean[-1, 0] - schools.log_evidence) < Z * error < 0.01
    assert np.all(np.abs(wide.bias[1:, 0] / wide.asymptotic_bias[1:, 0] - 1) < 0.5)
    assert abs(wide.power_law(0.0).exponent + 1) < 0.15


def test_what_the_proposal_never_reaches_is_seen_when_the_evidence_is_known():
    # half of the target lies where a Uniform(0, 1) never draws
    curve = bias_curve(lambda z: np.log(0.25 + 0.5 * z), Uniform(0.0, 1.0), alphas=(0.0,), truth=0.0, rng=7)
    assert curve.missing.all()
    assert abs(curve.recovered[0] - 0.5) < 0.01
    assert not curve.controlled.any()
    assert "the draws found 0.5" in curve.table()


@pytest.mark.parametrize("n", [1, 7, 1000, 40_000])
def test_a_run_is_the_estimate_from_its_draws_however_they_fall_into_blocks(n):
    alphas = (-1.0, 0.0, 0.5, 1.0 - 1e-9, 1.0, 1.0 + 1e-4, 2.0)
    p, q = Normal(0.3, 1.2), Normal(0.0, 1.0)
    curve = bias_curve(
        p.log_prob, q, sizes=(n,), alphas=alphas, replications=50, truth=[0.0] * 7, control_variate=False, rng=8
    )
    z = q.sample(50 * n, rng=curve.key.child(2))
    log_w = (p.log_prob(z) - q.log_prob(z)).reshape(50, n)
    for column, alpha in enumerate(alphas):
        power = 1 - alpha
        if abs(power) < 1e-6:  # to second order about the mean: exact here to 1e-12
            naive = log_w.mean(axis=1) + power / 2 * log_w.var(axis=1)
        else:
            naive = (logsumexp(power * log_w, axis=1) - math.log(n)) / power
        np.testing.assert_allclose(curve.mean[0, column], naive.mean(), rtol=0, atol=2e-11)
        assert curve.low[0, column] < curve.median[0, column] < curve.high[0, column]
        np.testing.assert_allclose(curve.median[0, column], np.sort(naive)[24], rtol=0, atol=2e-11)
        if n > 1:
            np.testing.assert_allclose(curve.variance[0, column], naive.var(ddof=1), rtol=1e-7)


def test_limits_that_are_not_given_are_estimated_and_their_error_is_counted():
    model = gaussian(2)
    limit = model.limits["wide"](0.5)
    curve = bias_curve(
        model.log_joint, model.proposals["wide"], sizes=(16, 64), alphas=(0.0, 0.5), truth=model.log_evidence, rng=9
    )
    assert curve.truth[0] == model.log_evidence
    assert curve.truth_standard_error[0] == 0
    assert 0 < curve.truth_standard_error[1] < 0.002
    assert abs(curve.truth[1] - limit) < Z * curve.truth_standard_error[1]
    assert curve.controlled.all()
    prediction = -0.5 * model.relative_variances["wide"](0.5) / 0.5 / np.array([16, 64])
    assert np.all(np.abs(curve.bias[:, 1] - prediction) < Z * curve.bias_standard_error[:, 1] + 0.1 * abs(prediction))
    plain = bias_curve(
        model.log_joint, model.proposals["wide"], sizes=(16, 64), alphas=(0.5,), rng=9, control_variate=False
    )
    assert np.all(plain.bias_standard_error > plain.truth_standard_error)


class Shifted:
    """A proposal of a user's own: two methods, two shapes."""

    batch_shape = ()
    event_shape = (2,)

    def sample(self, n, *, rng):
        return 0.7 + math.sqrt(0.8) * rng.standard_normal((n, 2))

    def log_prob(self, z):
        return -math.log(2 * math.pi * 0.8) - 0.5 * np.sum((z - 0.7) ** 2, axis=-1) / 0.8


def test_a_proposal_of_a_users_own_gives_what_the_library_s_gives():
    model = gaussian(2)
    ours, theirs = (
        bias_curve(model.log_joint, q, sizes=(16, 64), alphas=(0.0,), truth=model.log_evidence, rng=10)
        for q in (model.proposals["wide"], Shifted())
    )
    error = np.hypot(ours.bias_standard_error, theirs.bias_standard_error)
    assert np.all(np.abs(ours.bias - theirs.bias) < Z * error)
    assert np.all(error < 0.2 * np.abs(ours.bias))


def fields_of(curve):
    return {name: value for name, value in vars(curve).items() if isinstance(value, np.ndarray)}


def assert_same_bits(a, b):
    for name, value in fields_of(a).items():
        np.testing.assert_array_equal(value, fields_of(b)[name], err_msg=name)


def test_the_same_seed_gives_the_same_bits_on_any_executor():
    schools = eight_schools()
    options = {"sizes": (10, 3000), "replications": (30, 200), "reference": 200_000, "rng": 11}
    first = bias_curve(schools.log_joint, schools.proposals["wide"], **options)
    again = bias_curve(schools.log_joint, schools.proposals["wide"], **options)
    with ThreadPoolExecutor(4) as executor:
        threads = bias_curve(schools.log_joint, schools.proposals["wide"], executor=executor, **options)
    assert_same_bits(first, again)
    assert_same_bits(first, threads)
    repeated = bias_curve(schools.log_joint, schools.proposals["wide"], **options | {"rng": first.key})
    assert_same_bits(first, repeated)
    other = bias_curve(schools.log_joint, schools.proposals["wide"], **options | {"rng": 12})
    assert not np.any(first.mean == other.mean)


def test_progress_rises_to_the_number_of_draws():
    seen = []
    small(replications=(50, 5000), reference=100_000, progress=lambda done, total: seen.append((done, total)))
    done, totals = zip(*seen, strict=True)
    assert set(totals) == {100_000 + 4 * 50 + 16 * 5000}
    assert list(done) == sorted(done)
    assert done[-1] == totals[-1]


def stopping_after(calls):
    """Return the log joint of a Gaussian that is interrupted at its `calls`-th call."""
    model, count = gaussian(2), [0]

    def log_p(z):
        count[0] += 1
        if count[0] > calls:
            raise KeyboardInterrupt
        return model.log_joint(z)

    return log_p


def test_an_interrupt_leaves_the_sizes_that_were_done():
    options = {"sizes": (4, 16, 64), "replications": 100, "truth": gaussian(2).log_evidence, "reference": 1000}
    whole = small(**options)
    calls = 1 + 1 + 20 + 1 + 20  # the large run; two sizes, and the runs for their k-hat
    with pytest.raises(StudyInterrupted) as stopped:
        small(log_p=stopping_after(calls), **options)
    curve = stopped.value.curve
    assert isinstance(stopped.value, KeyboardInterrupt)
    assert not curve.complete
    assert list(curve.sizes) == [4, 16]
    np.testing.assert_array_equal(curve.mean, whole.mean[:2])
    assert "interrupted" in curve.table()


def test_an_interrupt_in_the_middle_of_a_size_keeps_its_whole_runs():
    # a step of the work is 64 blocks of 16,384 draws
    with pytest.raises(StudyInterrupted) as stopped:
        small(log_p=stopping_after(1 + 70), sizes=(10_000,), replications=200)
    curve = stopped.value.curve
    assert curve.replications[0] == 64 * 16384 // 10_000
    assert np.isfinite(curve.mean).all()
    assert np.isnan(curve.khat).all()


def test_an_interrupt_before_anything_is_done_leaves_nothing():
    with pytest.raises(StudyInterrupted) as stopped:
        small(log_p=stopping_after(0))
    assert stopped.value.curve is None


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"sizes": ()}, ValueError, "sizes must be a sequence of at least one number"),
        ({"sizes": (4, 4)}, ValueError, "sizes must increase; got 4, 4"),
        ({"sizes": (4.5,)}, TypeError, "each of sizes must be an integer; got 4.5"),
        ({"sizes": 4}, ValueError, "sizes must be a sequence"),
        ({"alphas": (0.0, 0.0)}, ValueError, "alphas must differ"),
        ({"alphas": (np.inf,)}, ValueError, "each of alphas must be finite; got inf"),
        ({"alphas": (np.nan,)}, ValueError, "each of alphas must be a real number; got nan"),
        ({"replications": 1}, ValueError, "replications must be at least 2"),
        ({"replications": (5, 5, 5)}, ValueError, "one number, or one for each of 2 sizes; got 3"),
        ({"truth": (0.0, 1.0)}, ValueError, "truth must have one number for each of 1 alphas"),
        ({"truth": np.inf}, ValueError, "truth must be finite; got inf"),
        ({"truth": (-np.inf,)}, ValueError, "truth must be finite, or nan where it is not known"),
        ({"relative_variance": (1.0, 2.0)}, ValueError, "relative_variance must have one number for each of 1"),
        ({"reference": 0}, ValueError, "reference must be a positive integer"),
        ({"q": Normal([0.0, 1.0], 1.0)}, ValueError, r"q must have an empty batch_shape; got \(2,\)"),
        ({"q": "normal"}, TypeError, "q must be a distribution"),
        ({"log_p": 3}, TypeError, "log_p must be callable"),
        ({"rng": -1}, ValueError, "rng must be a non-negative integer"),
    ],
)
def test_a_bad_argument_is_refused_in_a_sentence_before_anything_is_drawn(options, error, text):
    def untouched(z):
        raise AssertionError("drew before the checks")

    with pytest.raises(error, match=text):
        small(**({"log_p": untouched} | options))


def test_a_log_density_of_the_wrong_shape_is_refused():
    with pytest.raises(ValueError, match=r"log_p returned shape \(100, 2\); expected \(100,\)"):
        small(log_p=lambda z: z)


def test_weights_that_are_nan_warn_once_and_stay_in_the_answer():
    log_p = lambda z: np.where(z[:, 0] > 2.0, np.nan, 0.0)
    with pytest.warns(NonFiniteWarning) as warned:
        curve = small(log_p=log_p, replications=1000, truth=0.0)
    assert len([w for w in warned if "draws; first at z" in str(w.message)]) == 1
    assert np.isnan(curve.mean).all()
    assert json.loads(curve.to_json())["points"][0]["mean"] is None


def test_runs_without_a_single_weight_warn_and_are_minus_infinity():
    log_p = lambda z: np.where(z[:, 0] > 1.5, 0.0, -np.inf)
    with pytest.warns(ZeroWeightWarning, match="in some runs of n = 4"):
        curve = small(log_p=log_p, sizes=(4, 1000), truth=0.0)
    assert curve.mean[0, 0] == -np.inf
    assert np.isfinite(curve.mean[1, 0])
    assert json.loads(curve.to_json())["points"][0]["mean"] == "-inf"
    curve.table()


def test_tables_hold_every_point():
    curve = small(alphas=(0.0, 0.5, 1.0), name="a name")
    rows = list(csv.DictReader(io.StringIO(curve.to_csv())))
    assert len(rows) == 6
    assert {row["name"] for row in rows} == {"a name"}
    assert float(rows[3]["bias"]) == curve.bias[1, 1]
    record = json.loads(curve.to_json())
    assert [order["alpha"] for order in record["orders"]] == [0.0, 0.5, 1.0]
    assert record["key"] == f"0x{curve.key.value:032x}"
    text = curve.table()
    assert "evidence (alpha = 0)" in text
    assert "ELBO (alpha = 1)" in text
    assert repr(curve) == "BiasCurve('a name', sizes 4, 16; alphas 0, 0.5, 1)"
    with pytest.raises(ValueError, match=r"alpha must be one of 0, 0\.5, 1; got 3"):
        curve.power_law(3)


def test_a_power_law_needs_three_resolved_points_of_one_sign():
    assert math.isnan(fit_power_law([1, 2], [1.0, 0.5], [0.01, 0.01]).exponent)
    law = fit_power_law([1, 2, 4, 8], [1.0, 0.5, -0.25, 0.01], [0.01, 0.01, 0.01, 0.01])
    assert (law.points, math.isnan(law.exponent)) == (2, True)
    assert str(law) == "not fitted (2 of the needed 3 points are resolved)"


def test_a_bias_that_is_no_power_law_widens_the_interval():
    sizes, error = np.array([4, 16, 64, 256]), np.full(4, 1e-3)
    straight = fit_power_law(sizes, 1.0 / sizes, error / sizes)
    bent = fit_power_law(sizes, 1.0 / sizes + 0.01, error / sizes)
    assert straight.exponent == pytest.approx(-1)
    assert bent.misfit > 100
    assert bent.standard_error > 10 * straight.standard_error
    with pytest.raises(ValueError, match="level must be between 0 and 1"):
        straight.interval(95)


def test_a_curve_is_frozen():
    curve = small()
    assert isinstance(curve, BiasCurve)
    with pytest.raises(AttributeError):
        curve.name = "other"
