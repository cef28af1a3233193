"""Record the golden draws of families: ``python -m tests.distributions.record_golden_draws laplace gamma``.

Only after a change of the stream that was meant, together with a new `STREAM_VERSION`.
"""

import json
import sys
from importlib import import_module

from tests.distributions.contract import GOLDEN, Contract
from tests.distributions.vector_contract import VectorContract, golden_format


def record(name):
    for cls in vars(import_module(f"tests.distributions.test_{name}")).values():
        if isinstance(cls, type) and issubclass(cls, VectorContract) and cls.family is not None:
            write(cls, {key: golden_format(q) for key, q in cls.recorded_instances().items()})
        elif isinstance(cls, type) and issubclass(cls, Contract) and cls.family is not None:
            draws = {repr(q): [float(x).hex() for x in q.sample(64, rng=2024)] for q in cls.instances}
            write(cls, draws)


def write(cls, draws):
    lines = ",\n".join(f" {json.dumps(key)}: {json.dumps(values)}" for key, values in draws.items())
    (GOLDEN / f"{cls.family.__name__}.json").write_text("{\n" + lines + "\n}\n")


if __name__ == "__main__":
    for name in sys.argv[1:]:
        record(name)
