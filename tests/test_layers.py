"""The layers of the package: a module imports only what stands above it in this table, lazily or not."""

import ast
import re
import tokenize
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "mcvi"

# One line a layer. Inside one subpackage the imports are free; between two names of one line there are none.
LAYERS = (
    {"_typing", "_autograd", "_members"},
    {"_checks"},
    {"_kernels", "_tree"},
    {"math"},
    {"estimate", "random"},
    {"diagnostics"},
    {"accumulate"},
    {"distributions"},
    {"_engine"},
    {"monte_carlo", "paired"},
    {"entropy", "renyi"},
    {"divergences"},
    {"stochastic", "fisher", "losses"},
    {"bounds", "vi", "bias"},
    {"plots", "testing", "datasets"},
    {"cli"},
)
LAYER = {name: number for number, names in enumerate(LAYERS) for name in names}
MODULES = sorted(PACKAGE.rglob("*.py"))

# The same inside two subpackages; what is not named stands below all that are.
INNER = {
    "_kernels": ({"compiler"}, {"functions"}, {"draws", "sums"}, {"log_weights"}),
    "distributions": ({"_functions"}, {"_base"}),
}
# The doors of a subpackage: the modules that others may import, for all of them and for some.
DOORS = {"_engine": {"": {"estimator"}, "bias": {"draws", "estimator", "parallel"}}}


def part(path: Path) -> str:
    """Return the name that a file has in the table: its subpackage, or its own."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(tree: ast.AST) -> set[str]:
    """Return every module that a file imports, at its head or inside a function; members count as modules too."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def imports_of(path: Path) -> set[str]:
    return imported(ast.parse(path.read_text(encoding="utf-8")))


def faults(own: str, names: set[str]) -> list[str]:
    """Return what a module of the part `own` imports from beside or below itself."""
    found = []
    for name in sorted(names):
        head, _, rest = name.partition(".")
        target = rest.partition(".")[0]
        if head != "mcvi" or target == own:
            continue
        if target in LAYER:
            if LAYER[target] >= LAYER[own] or own == "_kernels":
                found.append(f"{own} imports {name}")
        elif not target and f"{name}." not in {n[: len(name) + 1] for n in names if n != name}:
            found.append(f"{own} imports the package's top level, which imports everything")
    return found


def faults_inside(parts: tuple[str, ...], names: set[str]) -> list[str]:
    """Return what the module ``mcvi.<parts>`` imports from beside or below its own layer of a subpackage."""
    layers = INNER.get(parts[0], ())
    layer = {name: number for number, of_one in enumerate(layers) for name in of_one}
    own = layer.get(parts[1], len(layers))
    found = []
    for name in sorted(names):
        _, head, target, *_ = (*name.split("."), "", "")
        below = layer.get(target, len(layers))
        if head == parts[0] and target and target != parts[1] and below >= own and own < len(layers):
            found.append(f"{'.'.join(parts)} imports {name}")
    return found


def faults_at_doors(own: str, names: set[str]) -> list[str]:
    """Return what a module of the part `own` imports of a subpackage past its doors."""
    found = []
    for name in sorted(names):
        _, head, target, *_ = (*name.split("."), "", "")
        doors = DOORS.get(head)
        if doors is not None and head != own and target not in doors.get(own, doors[""]) | {""}:
            found.append(f"{own} imports {name}: the door is mcvi.{head}.estimator")
    return found


def dotted(path: Path) -> str:
    """Return the name under which a file is imported."""
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def circle(graph: dict[str, set[str]]) -> list[str]:
    """Return a circle of modules that import each other, if there is one."""
    done: set[str] = set()

    def search(name: str, above: list[str]) -> list[str]:
        if name in above:
            return above[above.index(name) :]
        if name not in done:
            for other in sorted(graph[name] & graph.keys()):
                if found := search(other, [*above, name]):
                    return found
            done.add(name)
        return []

    return next((found for name in graph if (found := search(name, []))), [])


def test_every_part_of_the_package_has_a_layer():
    parts = {part(path) for path in MODULES} - {"__init__", "__main__"}
    assert parts <= set(LAYER), f"give a layer to {sorted(parts - set(LAYER))}"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_module_imports_only_from_the_layers_above_its_own(path):
    if part(path) in {"__init__", "__main__"}:
        return
    assert faults(part(path), imports_of(path)) == []


@pytest.mark.parametrize(
    ("own", "source"),
    [
        ("_kernels", "from mcvi._typing import ArrayLike"),
        ("accumulate", "from mcvi.distributions import Normal"),
        ("accumulate", "def f():\n    import mcvi.distributions.normal"),
        ("monte_carlo", "from mcvi.entropy import elbo_ratio"),
        ("vi", "from mcvi.bounds import cubo"),
        ("entropy", "from mcvi import plots"),
        ("bounds", "import mcvi"),
    ],
)
def test_the_rule_sees_a_breach(own, source):
    assert faults(own, imported(ast.parse(source)))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_inside_a_subpackage_too(path):
    parts = tuple(dotted(path).split(".")[1:])
    if len(parts) > 1:
        assert faults_inside(parts, imports_of(path)) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("_kernels.functions.elementary", "from mcvi._kernels.sums.moments import log_moments"),
        ("_kernels.draws.noise", "from mcvi._kernels.sums import rows"),
        ("_kernels.sums.rows", "import mcvi._kernels.log_weights.sweep"),
        ("distributions._functions.incomplete", "from mcvi.distributions._base.page import Maths"),
        ("distributions._base.page", "from mcvi.distributions.normal import Normal"),
    ],
)
def test_the_inner_rule_sees_a_breach(module, source):
    assert faults_inside(tuple(module.split(".")), imported(ast.parse(source)))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_a_module_comes_in_by_the_door(path):
    assert faults_at_doors(part(path), imports_of(path)) == []


@pytest.mark.parametrize(
    ("own", "source"),
    [
        ("entropy", "from mcvi._engine.fused import Sweep"),
        ("stochastic", "from mcvi._engine import run"),
        ("bias", "import mcvi._engine.integrands"),
        ("monte_carlo", "from mcvi._engine.parallel import fold"),
    ],
)
def test_the_door_rule_sees_a_breach(own, source):
    assert faults_at_doors(own, imported(ast.parse(source)))


def test_a_lawful_import_passes_the_inner_rules():
    names = imported(ast.parse("from mcvi._engine.parallel import fold\nfrom mcvi._engine.estimator import estimate"))
    assert faults_at_doors("bias", names) == []
    names = imported(ast.parse("from mcvi._kernels.compiler.jit import kernel\nfrom mcvi._kernels.sums.rows import f"))
    assert faults_inside(("_kernels", "sums", "tail"), names) == []
    assert faults_inside(("distributions", "normal"), {"mcvi.distributions._base.page"}) == []


def test_no_modules_import_each_other():
    assert circle({dotted(path): imports_of(path) for path in MODULES if part(path) != "__init__"}) == []


def test_a_circle_is_seen():
    assert circle({"a": {"b"}, "b": {"c", "d"}, "c": set(), "d": {"b"}}) == ["b", "d"]


@pytest.mark.parametrize(
    ("own", "source"),
    [
        ("math", "from mcvi._kernels import elementary"),
        ("entropy", "from mcvi.estimate import Estimate"),
        ("entropy", "from mcvi import _checks, estimate"),
        ("cli", "from mcvi.plots import plot_bias_curve"),
        ("vi", "from mcvi.vi.elbo import elbo"),
    ],
)
def test_the_rule_lets_a_lawful_import_pass(own, source):
    assert faults(own, imported(ast.parse(source))) == []


@pytest.mark.parametrize(
    "path",
    [p for p in MODULES if LAYER.get(part(p), 0) < LAYER["plots"]],
    ids=lambda p: p.relative_to(PACKAGE).as_posix(),
)
def test_nothing_below_plots_imports_matplotlib(path):
    assert not [name for name in imports_of(path) if name.partition(".")[0] == "matplotlib"]


def code_of(path: Path) -> str:
    """Return a file's tokens without comments and strings, one space apart."""
    with tokenize.open(path) as lines:
        return " ".join(
            token.string
            for token in tokenize.generate_tokens(lines.readline)
            if token.type in {tokenize.NAME, tokenize.OP, tokenize.NUMBER}
        )


OPTIONS_OF_NUMBA = re.compile(
    r"\b(cache = True|fastmath =|parallel =|njit \(|@ (numba \. )?(njit|jit|vectorize|guvectorize)\b)"
)


@pytest.mark.parametrize(
    "path",
    [p for p in MODULES if p != PACKAGE / "_kernels" / "compiler" / "jit.py"],
    ids=lambda path: path.relative_to(PACKAGE).as_posix(),
)
def test_the_options_of_numba_stand_in_one_file_only(path):
    match = OPTIONS_OF_NUMBA.search(code_of(path))
    assert match is None, f"{match.group()}: compile through mcvi._kernels.compiler.jit, which owns the options"


def test_the_search_for_options_of_numba_finds_those_of_the_decorator():
    assert len(OPTIONS_OF_NUMBA.findall(code_of(PACKAGE / "_kernels" / "compiler" / "jit.py"))) >= 3


MACHINE_PATH = re.compile(r"(?<![\w.:/])(/(home|root|tmp|work|opt|usr|Users|mnt|var)/\w|[A-Z]:\\\\?\w)")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_no_module_names_a_path_of_some_machine(path):
    assert MACHINE_PATH.search(path.read_text(encoding="utf-8")) is None
