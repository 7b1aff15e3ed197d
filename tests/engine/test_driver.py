"""The engine under threads, in another process, and over changes of its own code: no address is one of before."""

import os
import pickle
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import nnlite
from nnlite import Network, models
from nnlite.decision_based import lrp
from nnlite.decision_based.gradient import saliency
from nnlite.engine.loops import relu

pytestmark = pytest.mark.skipif(os.environ.get("NNLITE_BACKEND") == "numpy", reason="the engine is Numba's")

HOUSE = Path(nnlite.__file__).parent


def lenet(n=3):
    network = models.load("lenet").compile()
    return network, np.random.default_rng(0).random((n, 1, 28, 28), np.float32)


def test_eight_threads_share_a_network():
    network, x = lenet(24)
    jobs = [
        lambda network, x: network.scores(x),
        lambda network, x: saliency(network, x),
        lambda network, x: lrp.relevance(network, x, rules=lrp.epsilon(0.25)),
        lambda network, x: lrp.relevance(network, x, rules=lrp.gamma(0.25), all_layers=True)[0],
    ]
    expected = [[job(models.load("lenet").compile(), x[i : i + 3]).tobytes() for i in range(0, 24, 3)] for job in jobs]
    for _ in range(10):
        shared = Network(network.layers, network.names).compile()  # no program is written yet: they race for it too
        with ThreadPoolExecutor(8) as pool:
            given = [[pool.submit(job, shared, x[i : i + 3]) for i in range(0, 24, 3)] for job in jobs]
            assert [[one.result().tobytes() for one in row] for row in given] == expected


def test_a_network_that_was_pickled_runs_in_another_process(tmp_path):
    network, x = lenet()
    expected = network.scores(x)
    kept = pickle.dumps((network, x))
    assert len(kept) < 10 * len(pickle.dumps(models.load("lenet")))
    (tmp_path / "network").write_bytes(kept)
    code = "import pickle, sys; n, x = pickle.load(open(sys.argv[1], 'rb')); print(n.scores(x).tobytes().hex())"
    done = run(code, HOUSE.parent, str(tmp_path / "network"))
    assert done == expected.tobytes().hex()


def run(code, house, *arguments, **environment):
    command = [sys.executable, "-c", code, *arguments]
    environment = {**os.environ, "PYTHONPATH": str(house), **environment}
    return subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=house, env=environment
    ).stdout.strip()


SMALL = """
import numpy as np
from nnlite import Network
from nnlite.layers import Dense, ReLU
print(Network([Dense(np.eye(2)), ReLU()]).compile().output(np.array([[1.0, -1.0]])).tolist())
"""


def test_compiled_code_is_made_again_when_another_file_of_the_engine_has_changed(tmp_path):
    shutil.copytree(HOUSE, tmp_path / "nnlite", ignore=shutil.ignore_patterns("__pycache__", "data"))
    kept = {"NUMBA_CACHE_DIR": str(tmp_path / "cache"), "PYTHONDONTWRITEBYTECODE": "1"}
    assert run(SMALL, tmp_path, **kept) == "[[1.0, 0.0]]"
    names = {path.name.split("-")[0] for path in (tmp_path / "cache").rglob("*.nbi")}
    assert names == {"driver._drive", "product.matrix_by_vector", "dense.add", "relu.forward"}  # and nothing else
    shared = tmp_path / "nnlite/engine/pointers.py"
    text = shared.read_text()
    assert text.count("builder, given[1], signature.args[1]") == 1
    shared.write_text(text.replace("builder, given[1], ", "builder, given[1].type(7), "))  # every number is 7
    assert run(SMALL, tmp_path, **kept) == "[[1.0, 7.0]]"


OTHER_INSIDES = """
import sys, warnings
import numba, numba.core.caching, numba.core.ccallback  # (they need it themselves)
delattr(numba.core.caching, sys.argv[1])
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    exec(sys.argv[2])
    exec(sys.argv[2])
print([str(each.message) for each in caught])
"""


@pytest.mark.parametrize("gone", ["CompileResultCacheImpl", "FunctionCache"])
def test_where_numba_has_other_insides_it_compiles_all_the_same_with_one_warning(gone):
    *computed, warned = run(OTHER_INSIDES, HOUSE.parent, gone, SMALL).splitlines()
    assert computed == ["[[1.0, 0.0]]"] * 2
    assert warned.count("every process compiles again") == warned.count("Numba") == 1


def test_a_pointer_is_no_business_of_python():
    with pytest.raises(TypeError, match="expected a call of number in a compiled loop, got one from Python"):
        relu.forward._loop([1], [1.0], [0.0], None, None)
