"""The disk cache of compiled code: never stale, found again by every kind of kernel, and done without where it must be.

Each test works on a copy of the package, in processes of its own, so that it starts with no cache at all.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

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


def test_a_changed_family_outside_the_package_changes_the_answer(copy):
    page = copy / "page.py"
    page.write_text(
        """
import numpy as np
from mcvi._kernels.compiler.elementwise import elementwise
from mcvi._kernels.compiler.jit import scalar

@scalar
def density(x, constants):
    return x + 1.0

out = np.empty(1)
elementwise(density, 1)(np.ones(1), np.zeros((1, 1)), out)
"""
    )
    assert run(copy, "from page import out; print(out[0])") == ["2.0"]
    page.write_text(page.read_text().replace("x + 1.0", "x + 10.0"))
    assert run(copy, "from page import out; print(out[0])") == ["11.0"]


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


def test_processes_that_compile_at_once_do_not_take_each_others_code(copy):
    factory = """
import numpy as np
from mcvi._kernels.compiler.elementwise import elementwise
from mcvi._kernels.compiler.jit import scalar
from mcvi._kernels.probe_pair import one, ten

def answers():
    out = np.empty((2, 1))
    for function, row in zip((one, ten), out):
        elementwise(function, 1)(np.ones(1), np.zeros((1, 1)), row)
    return out[:, 0]
"""
    (copy / "factory.py").write_text(factory)
    (copy / "mcvi" / "_kernels" / "probe_pair.py").write_text(
        """
from mcvi._kernels.compiler.jit import scalar

@scalar
def one(x, constants):
    return x + 1.0

@scalar
def ten(x, constants):
    return x + 10.0
"""
    )
    # Neither has seen the other's index, and the first writes its code last: the order that two processes may have.
    race = """
import factory
from numba.core.caching import IndexDataCacheFile as File
write, held = File._save_data, []
File._load_index = lambda self: {}
File._save_data = lambda self, name, data: write(self, name, data) if held else held.append((self, name, data))
factory.answers()
write(*held[0])
"""
    run(copy, race)
    assert run(copy, "import factory; print(*factory.answers())") == ["2.0", "11.0"]


def test_a_place_where_nothing_can_be_written_is_worked_without_a_cache(copy):
    # Permissions do not stop an administrator; a file where the folder should be, and a home that is no folder, do.
    for folder in [copy / "mcvi", *(path for path in (copy / "mcvi").rglob("*") if path.is_dir())]:
        (folder / "__pycache__").write_text("")
    nowhere = {"HOME": os.devnull, "PYTHONDONTWRITEBYTECODE": "1"}
    inherited = {name: "" for name in ("XDG_CACHE_HOME", "LOCALAPPDATA") if name in os.environ}
    script = f"{SALTED}\nprint(type(salted._cache).__name__)"
    assert run(copy, script, **nowhere, **inherited) == ["4.0", "NullCache"]


def test_a_folder_of_the_users_choice_holds_the_cache(copy):
    run(copy, SALTED, NUMBA_CACHE_DIR=str(copy / "elsewhere"))
    assert list((copy / "elsewhere").rglob("*.nbc"))
    assert not list((copy / "mcvi").rglob("*.nbc"))
