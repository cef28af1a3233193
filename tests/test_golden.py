"""The recorded answers of the ancestor, case by case."""

import json
import lzma
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from scipy import special

from tests.expressions import FUNCTIONS, evaluate
from tests.golden import OPERATIONS, run_case
from tests.golden_format import FAMILIES

LOG_OF_A_ROUNDING_ERROR = np.log(2.0**-53)
DATA = Path(__file__).parent / "data"

# What other issues bring: operations (up to the dot) and families.
LATER_OPERATIONS = {
    *("csiszar", "csiszar_grad", "conjugate"),
    # losses
    *("sequence_loss", "sequence_loss_by_example", "contrib"),  # contrib.seq2seq.sequence_loss
    *("softmax_cross_entropy_with_logits", "sparse_softmax_cross_entropy_with_logits"),
    *("sigmoid_cross_entropy_with_logits", "weighted_cross_entropy_with_logits"),
    *("nce_loss", "sampled_softmax_loss", "compute_sampled_logits", "compute_accidental_hits", "embedding_lookup"),
    *("log_uniform_expected_count", "uniform_expected_count", "fixed_unigram_expected_count"),
    "log_uniform_candidate_sampler",
    # Fisher losses, factors and blocks
    *("CategoricalLogitsNegativeLogProbLoss", "OnehotCategoricalLogitsNegativeLogProbLoss"),
    *("MultiBernoulliNegativeLogProbLoss", "NormalMeanNegativeLogProbLoss", "NormalMeanVarianceNegativeLogProbLoss"),
    *("FullFactor", "NaiveDiagonalFactor", "FullyConnectedDiagonalFactor", "FullyConnectedKroneckerFactor"),
    *("FullyConnectedMultiKF", "ConvDiagonalFactor", "ConvInputKroneckerFactor", "ConvOutputKroneckerFactor"),
    *("EmbeddingInputKroneckerFactor", "FullFB", "NaiveDiagonalFB", "FullyConnectedDiagonalFB"),
    *("FullyConnectedKFACBasicFB", "FullyConnectedSeriesFB", "FullyConnectedMultiIndepFB"),
    *("ConvDiagonalFB", "ConvKFCBasicFB", "EmbeddingKFACFB", "FisherEstimator", "KfacOptimizer"),
    *("CurvatureMatrixVectorProductComputer", "insert_slice_in_zeros", "compute_cov", "num_conv_locations"),
    *("compute_pi_tracenorm", "compute_pi_adjusted_damping", "normalize_damping", "append_homog"),
    *("kronecker_product", "posdef_inv", "layer_params_to_mat2d", "tensors_to_column"),
    *("extract_convolution_patches", "batch_execute"),
}
LATER_FAMILIES = {
    *("Deterministic", "VectorDeterministic", "Mixture", "MixtureSameFamily", "TransformedDistribution"),
    *("InverseGamma", "InverseGammaWithSoftplusConcentrationRate", "DirichletMultinomial"),
    *("RelaxedBernoulli", "RelaxedOneHotCategorical", "ExpRelaxedOneHotCategorical"),
    *("VectorExponentialDiag", "VectorLaplaceDiag", "VectorSinhArcsinhDiag", "VectorDiffeomixture", "SinhArcsinh"),
    *("WishartCholesky", "WishartFull", "QuantizedDistribution", "PoissonLogNormalQuadratureCompound"),
}


def load(name):
    with lzma.open(DATA / f"{name}.json.xz", "rt") as file:
        return json.load(file)


def operation(case):
    return case["op"].partition(".")[0]


def families(written):
    """The names of all distributions in a case."""
    if isinstance(written, dict):
        named = {written["dist"]} if isinstance(written.get("dist"), str) else set()
        return named.union(*map(families, written.values()))
    return set().union(*map(families, written)) if isinstance(written, list) else set()


CASES = [*load("bayesflow"), *load("kfac_losses")]
IN_SCOPE = [case for case in CASES if operation(case) in OPERATIONS and families(case["inputs"]) <= FAMILIES]
# A recorded defect without a right answer beside it is no target.
TARGETS = [case for case in IN_SCOPE if "corrected" in case or "tf_quirk" not in case]


def tolerances(case):
    if case["dtype"] == "float32":
        return max(case.get("rtol", 0), 1e-4), 1e-6
    op = case["op"]
    usual = 1e-7 if op.endswith(("cdf", "survival_function")) else 1e-9
    if op.startswith(("kl_divergence", "expectation_importance_sampler")):
        usual = 1e-8
    return case.get("rtol", usual), 1e-14


def differences(expected, answer, rtol, atol):
    """Return the errors of an answer, one line for each part of it; only what is expected is looked at."""
    if isinstance(expected, dict):
        return [
            f"{name}: {line}" for name in expected for line in differences(expected[name], answer[name], rtol, atol)
        ]
    if expected == answer:  # names
        return []
    expected, answer = np.asarray(expected, float), np.asarray(answer, float)
    if expected.shape != answer.shape:
        return [f"shape {answer.shape}, expected {expected.shape}"]
    right = np.isclose(answer, expected, rtol=rtol, atol=atol, equal_nan=True)
    # What is left of 1 - cdf where the answer is 0: a recorded rounding error, of which only the smallness is meant.
    right |= np.isclose(expected, LOG_OF_A_ROUNDING_ERROR, rtol=1e-13, atol=0) & (answer < expected)
    if not right.all():
        return [f"{answer.tolist()}, expected {expected.tolist()}"]
    return []


def complaints(case):
    """Return the errors of mcvi's answer to a case."""
    asked = {key: case[key] for key in ("name", "op", "inputs", "dtype")}
    try:
        answer = run_case(asked)
    except Exception as error:
        if "raises" not in case:
            return [f"raised {error!r}"]
        wanted = case["raises"].replace("RuntimeError", "ValueError")  # an assertion at run time, here at the door
        return [] if type(error).__name__ == wanted else [f"raised {error!r}, expected {wanted}"]
    if "raises" in case:
        # An ability that the ancestor lacked may be there now.
        return [] if case["raises"] == "NotImplementedError" else [f"answered {answer}, expected {case['raises']}"]
    return differences(case.get("corrected", case["expected"]), answer, *tolerances(case))


def grouped(cases):
    groups = defaultdict(list)
    for case in cases:
        groups[f"{case['op']}-{'-'.join(sorted(families(case['inputs']))) or 'plain'}"].append(case)
    return groups


GROUPS = grouped(TARGETS)


@pytest.mark.parametrize("group", GROUPS)
def test_recorded_answers(group):
    failures = [f"{case['name']}: {line}" for case in GROUPS[group] for line in complaints(case)]
    assert not failures, "\n".join([f"{len(failures)} of {len(GROUPS[group])}", *failures])


def test_every_case_is_in_scope_or_listed_as_later():
    operations, named = {operation(case) for case in CASES}, set().union(*(families(case["inputs"]) for case in CASES))
    assert operations <= OPERATIONS.keys() | LATER_OPERATIONS
    assert not OPERATIONS.keys() & LATER_OPERATIONS
    assert not LATER_OPERATIONS - operations
    assert named <= FAMILIES | LATER_FAMILIES
    assert not FAMILIES & LATER_FAMILIES
    assert not LATER_FAMILIES - named


def test_what_is_later_is_refused_by_name():
    with pytest.raises(LookupError, match=r"csiszar.kl_reverse is no operation"):
        run_case({"name": "", "op": "csiszar.kl_reverse", "inputs": {}, "dtype": "float64"})
    with pytest.raises(LookupError, match="SinhArcsinh is no family"):
        run_case({"name": "", "op": "dist.mean", "inputs": {"dist": "SinhArcsinh", "params": {}}, "dtype": "float64"})


@pytest.mark.parametrize("keep_dims", [False, True])
@pytest.mark.parametrize("axis", [0, 1, 2, -1, -3, [0, 1], [1, 2], [2, 0], [-1], None])
def test_averages_over_any_axes_are_translated(axis, keep_dims):
    x = np.random.default_rng(0).normal(size=(2, 3, 4))
    axes = tuple(axis) if isinstance(axis, list) else axis
    for score in (False, True):
        inputs = {
            "f": {"kind": "expr", "expr": "x*x + c", "consts": {"c": [1.0, 2.0, 3.0, 4.0]}},
            "samples": x.tolist(),
        }
        inputs |= {"axis": axis, "keep_dims": keep_dims, "use_reparametrization": not score}
        inputs |= {"log_prob": {"kind": "expr", "expr": "-square(x)"}} if score else {}
        answer = run_case({"name": "", "op": "expectation", "inputs": inputs, "dtype": "float64"})
        np.testing.assert_allclose(answer, np.mean(x * x + [1, 2, 3, 4], axis=axes, keepdims=keep_dims), rtol=1e-14)


def test_the_functions_of_expressions_are_what_their_names_say():
    x = np.array([[-1.5, 0.5, 700.0], [0.0, -800.0, 2.0]])
    expected = {
        "sigmoid": special.expit(x),
        "softplus": np.logaddexp(0, x),
        "sum_last": x.sum(-1),
        "prod_last": x.prod(-1),
        "sum_first": x.sum(0),
        "mean_first": x.mean(0),
        "mean_first_keep": x.mean(0, keepdims=True),
        "mean_all": x.mean(),
        "sum_all": x.sum(),
        "cast": x,
        "stop": x,
        "expand_last": x[..., None],
        "expand_first": x[None],
        "logsumexp_last": special.logsumexp(x, axis=-1),
        "softmax": special.softmax(x, axis=-1),
        "log_softmax": special.log_softmax(x, axis=-1),
        "ones_like": np.ones((2, 3)),
        "zeros_like": np.zeros((2, 3)),
        "reshape1": x.ravel(),
        "transpose": x.T,
    }
    for name, value in expected.items():
        answer = evaluate(f"{name}(x)", {"x": x})
        assert np.shape(answer) == np.shape(value), name
        np.testing.assert_allclose(answer, value, rtol=1e-13, err_msg=name)
    assert evaluate("gather(c, k)", {"c": np.array([5.0, 6.0]), "k": np.array([1.0, 0.0])}).tolist() == [6.0, 5.0]
    assert evaluate("maximum(x, minimum(y, 1.)) // 2", {"x": 0.0, "y": 4.0}) == 0.0
    plain = [
        "exp",
        "log",
        "log1p",
        "expm1",
        "sqrt",
        "square",
        "abs",
        "sin",
        "cos",
        "tanh",
        "sign",
        "maximum",
        "minimum",
    ]
    assert FUNCTIONS.keys() == {*expected, *plain, "gather", "matmul"}


def test_expressions_are_arithmetic_and_the_listed_functions_only():
    x = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert evaluate("sum_all(2.*x**2 - -x) / 4", {"x": x}) == 17.5
    for text in ("__import__('os')", "x.shape", "open(x)", "x[0]", "lambda: 0", "'text'", "exp(x=x)", "unknown"):
        with pytest.raises(ValueError, match="cannot evaluate"):
            evaluate(text, {"x": x})
