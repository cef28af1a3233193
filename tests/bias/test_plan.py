"""The arguments of a study are checked before anything is drawn."""

import numpy as np
import pytest

from mcvi.distributions import Normal
from tests.bias.problems import small


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
