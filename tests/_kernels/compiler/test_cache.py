"""The disk cache of compiled code: never stale, found again by every kind of kernel, and dispensable.

Each test works on a copy of the package, in processes of its own, so that it starts with no cache at all.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

PACKAGE = Path(__file__).parents[3] / "mcvi"

# Ends a script: how many functions were compiled, rather than loaded from disk.
COUNTED = """
from numba.core import event
with event.install_recorder("numba:compile") as compiled:
{body}
print(len(compiled.buffer) // 2)
"""

PROBE = {
    "probe_helper.py": """
from mcvi._kernels.compiler.jit import scalar

@scalar
def helper(x):
    return x + 1.0
""",
    "probe.py": """
from mcvi._kernels.compiler.jit import kernel
from mcvi._kernels.probe_helper import helper

@kernel
def salted(x):
    return 2.0 * helper(x[0])
""",
    "plain_probe.py": """
import numba
from mcvi._kernels.probe_helper import helper

@numba.njit(cache=True)
def plain(x):
    return 2.0 * helper(x[0])
""",
}


@pytest.fixture
def copy(tmp_path):
    """Return a folder with a copy of the package in it that has no cache."""
    shutil.copytree(PACKAGE, tmp_path / "mcvi", ignore=shutil.ignore_patterns("__pycache__"))
    for name, source in PROBE.items():
        (tmp_path / "mcvi" / "_kernels" / name).write_text(source)
    return tmp_path


def run(folder, script, **environment):
    """Run a script on the copy in `folder`; return the words it prints."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA")}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        cwd=folder,
        env={**inherited, "PYTHONPATH": str(folder), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def counted(*statements):
    return COUNTED.format(body="\n".join(f"    {statement}" for statement in statements))


def upgrade(folder):
    helper = folder / "mcvi" / "_kernels" / "probe_helper.py"
    helper.write_text(helper.read_text().replace("x + 1.0", "x + 10.0"))


SALTED = "import numpy as np; from mcvi._kernels.probe import salted; print(salted(np.ones(1)))"


def test_a_changed_helper_in_another_file_changes_the_answer(copy):
    assert run(copy, SALTED) == ["4.0"]
    upgrade(copy)
    assert run(copy, SALTED) == ["22.0"]


def test_numba_alone_would_have_served_the_old_answer(copy):
    plain = SALTED.replace("probe", "plain_probe").replace("salted", "plain")
    assert run(copy, plain) == ["4.0"]
    upgrade(copy)
    assert run(copy, plain) == ["4.0"], "Numba now looks at other files too: the salt may have had its day"


PAGE = """
import numpy as np
from mcvi._kernels.compiler.elementwise import elementwise
from mcvi._kernels.compiler.jit import scalar

SHIFT = 1.0

@scalar
def density(x, constants):
    return x + SHIFT

out = np.empty(1)
elementwise(density, 1)(np.ones(1), np.zeros((1, 1)), out)
"""
READ_PAGE = counted("from page import out", "print(out[0])")


@pytest.mark.parametrize("change", [("SHIFT = 1.0", "SHIFT = 10.0"), ("x + SHIFT", "x + 10.0 * SHIFT")])
def test_a_page_outside_the_package_is_cached_until_its_formula_or_a_constant_changes(copy, change):
    page = copy / "page.py"
    page.write_text(PAGE)
    assert run(copy, READ_PAGE)[0] == "2.0"
    page.write_text("# A comment.\n" + PAGE)
    assert run(copy, READ_PAGE) == ["2.0", "0"]
    page.write_text(PAGE.replace(*change))
    assert run(copy, READ_PAGE)[0] == "11.0"


FAMILIES = counted(
    "import mcvi",
    "from mcvi.distributions import Laplace, Normal",
    "print(mcvi.distributions.{0}(0.0, 1.0).log_prob(0.5))",
)


def edit(folder, path, old, new):
    file = folder / "mcvi" / path
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def test_a_changed_family_is_compiled_anew_and_no_other(copy):
    laplace, normal = FAMILIES.format("Laplace"), FAMILIES.format("Normal")
    (before, _), _ = run(copy, laplace), run(copy, normal)
    edit(copy, "distributions/laplace.py", "from typing import Any", "from typing import Any  # A comment.")
    assert run(copy, laplace) == [before, "0"]
    edit(copy, "distributions/laplace.py", "return -abs(t)\n\n\ndef _slope", "return -2.0 * abs(t)\n\n\ndef _slope")
    after, compiled = run(copy, laplace)
    assert (after != before, int(compiled) > 0) == (True, True)
    assert run(copy, normal)[1] == "0"


def test_the_compiler_is_a_part_of_what_code_is_made_from(copy):
    normal = FAMILIES.format("Normal")
    run(copy, normal)
    edit(copy, "_kernels/compiler/intrinsics.py", "import Any", "import Any  # Changed.")
    assert int(run(copy, normal)[1]) > 0


USES = {
    "a kernel": (
        "import numpy as np",
        "from mcvi._kernels.probe import salted",
        "salted(np.ones(1))",
    ),
    "kernels made by factories": (
        "from mcvi.distributions import Bernoulli, Normal",
        "Normal(0.0, 1.0).log_prob([0.0, 1.0])",
        "Normal(0.0, 1.0).score([0.0, 1.0])",
        "Normal(0.0, 1.0).sample(3, rng=0)",
        "Bernoulli(probs=0.5).log_prob([0.0, 1.0])",
    ),
    "an estimator": (
        "import mcvi",
        "from mcvi.distributions import Normal",
        "p, q = Normal(1.0, 2.0), Normal(0.0, 1.0)",
        "mcvi.renyi_ratio(p.log_prob, q, 0.5, n=1000, rng=0).khat",
        "mcvi.elbo_ratio(lambda z: -z * z, q, n=1000, rng=0)",
        "mcvi.expectation_importance_sampler(lambda z: z, p.log_prob, q, n=1000, rng=0)",
    ),
}


@pytest.mark.parametrize("use", USES)
def test_the_second_start_compiles_nothing(copy, use):
    script = counted(*USES[use])
    (first,) = run(copy, script)
    (second,) = run(copy, script)
    assert int(first) > 0, "nothing was compiled at first, so the second count shows nothing"
    assert int(second) == 0


def test_kernels_of_one_factory_do_not_take_each_others_code(copy):
    script = """
from math import isclose, log
from mcvi.distributions import Bernoulli, Normal
print(isclose(Normal(0.0, 1.0).log_prob(1.0), -0.5 - 0.9189385332046727))
print(isclose(Bernoulli(probs=0.25).log_prob(1.0), log(0.25)))
"""
    assert run(copy, script) == ["True", "True"]
    assert run(copy, script) == ["True", "True"]


TWO = """
import numpy as np
from mcvi._kernels.compiler.elementwise import elementwise
from mcvi._kernels.compiler.jit import scalar

@scalar
def one(x, constants):
    return x + 1.0

@scalar
def ten(x, constants):
    return x + 10.0

for function in (one, ten):
    out = np.empty(1)
    elementwise(function, 1)(np.ones(1), np.zeros((1, 1)), out)
    print(out[0])
"""


def test_code_in_the_file_of_another_kernel_is_not_taken(copy):
    assert run(copy, TWO) == ["2.0", "11.0"]
    first, second = (copy / "mcvi").rglob("*elementwise.elementwise*.nbc")
    contents = first.read_bytes(), second.read_bytes()
    first.write_bytes(contents[1])
    second.write_bytes(contents[0])
    assert run(copy, TWO) == ["2.0", "11.0"]


def damaged(contents):
    middle = len(contents) // 2
    garbled = contents[:middle] + bytes([contents[middle] ^ 1]) + contents[middle + 1 :]
    return {"empty": b"", "truncated": contents[:middle], "a header only": contents[:64], "one bit": garbled}


@pytest.mark.parametrize("kind", damaged(b"12"))
def test_a_damaged_file_is_compiled_anew_and_replaced(copy, kind):
    script = counted("import numpy as np", "from mcvi._kernels.probe import salted", "print(salted(np.ones(1)))")
    run(copy, script)
    for file in (copy / "mcvi").rglob("*.nbc"):
        file.write_bytes(damaged(file.read_bytes())[kind])
    answer, compiled = run(copy, script)
    assert (answer, int(compiled) > 0) == ("4.0", True)
    assert run(copy, script) == ["4.0", "0"]


WARNED = """
import warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    {body}
    print(len(caught), *{{w.category.__name__ for w in caught}})
    print("NUMBA_CACHE_DIR" in str(caught[0].message) if caught else "")
"""
TWO_KERNELS = "; ".join(
    (SALTED, "from mcvi._kernels.sums.rows import group_sums", "group_sums(np.ones(2), np.ones(2))")
)


def test_where_nothing_can_be_written_one_warning_says_so(copy):
    # Permissions do not stop an administrator; a file where the folder should be, and a home that is no folder, do.
    for folder in [copy / "mcvi", *(path for path in (copy / "mcvi").rglob("*") if path.is_dir())]:
        (folder / "__pycache__").write_text("")
    nowhere = {"HOME": os.devnull, "PYTHONDONTWRITEBYTECODE": "1"}
    inherited = {name: "" for name in ("XDG_CACHE_HOME", "LOCALAPPDATA") if name in os.environ}
    script = WARNED.format(body=TWO_KERNELS)
    assert run(copy, script, **nowhere, **inherited) == ["4.0", "1", "RuntimeWarning", "True"]


def test_a_full_disk_costs_a_warning_and_no_answer(copy):
    full = "import pathlib, errno\ndef refuse(*_): raise OSError(errno.ENOSPC, 'No space left on device')\n"
    full += "pathlib.Path.write_bytes = refuse\n"
    assert run(copy, full + WARNED.format(body=TWO_KERNELS)) == ["4.0", "1", "RuntimeWarning", "True"]
    assert not [file for file in (copy / "mcvi").rglob("*.nbc*")]


def test_kernels_are_compiled_where_a_users_own_functions_are_not(copy):
    script = """
import numba, numpy as np, mcvi
print(type(numba.njit(lambda x: x)).__name__, mcvi.math.log(1.0))
print(np.isfinite(mcvi.distributions.Gamma(2.0, 1.0).sample(3, rng=0)).all())
"""
    assert run(copy, script, NUMBA_DISABLE_JIT="1") == ["function", "0.0", "True"]


def test_a_folder_of_the_users_choice_holds_the_cache(copy):
    run(copy, SALTED, NUMBA_CACHE_DIR=str(copy / "elsewhere"))
    assert list((copy / "elsewhere").rglob("*.nbc"))
    assert not list((copy / "mcvi").rglob("*.nbc"))
