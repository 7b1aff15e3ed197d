"""A fresh process: from the imports to a first LRP map, and how much memory it took. `start.py` runs it.

The functions build the shipped lenet from its file by the means of their own library, so that nothing else is
imported. With biases and ε → 0 gradient × input is LRP-ε on this network: that is torch's and jax's map.
"""

import json
import sys
from collections.abc import Callable
from time import perf_counter, process_time
from typing import Any

EPSILON = 1e-6
CLASS = 3
BATCH = 256


def nnlite(path: str) -> Callable[[Any], Any]:
    from nnlite import load
    from nnlite.decision_based import lrp

    network, rule = load(path), lrp.epsilon(EPSILON)
    return lambda x: lrp.relevance(network, x, CLASS, rules=rule)


def nnlite_compiled(path: str) -> Callable[[Any], Any]:
    from nnlite import load
    from nnlite.decision_based import lrp

    network, rule = load(path).compile(), lrp.epsilon(EPSILON)
    return lambda x: lrp.relevance(network, x, CLASS, rules=rule)


def torch(path: str) -> Callable[[Any], Any]:
    module = _module(path)

    def compute(x: Any) -> Any:
        from torch import autograd, from_numpy

        x = from_numpy(x).requires_grad_()
        return (x * autograd.grad(module(x)[:, CLASS].sum(), x)[0]).detach()

    return compute


def captum(path: str) -> Callable[[Any], Any]:
    from captum.attr import LRP
    from torch import from_numpy

    method = LRP(_module(path))  # its default rule is ε = 1e-9
    return lambda x: method.attribute(from_numpy(x).requires_grad_(), target=CLASS).detach()


def jax(path: str) -> Callable[[Any], Any]:
    import jax
    import numpy as np

    p = np.load(path)

    def score(x: Any) -> Any:
        for name in ("conv1", "conv2"):
            x = jax.lax.conv_general_dilated(x, p[f"{name}.W"], (1, 1), "VALID") + p[f"{name}.b"][:, None, None]
            x = jax.lax.reduce_window(jax.nn.relu(x), -np.inf, jax.lax.max, (1, 1, 2, 2), (1, 1, 2, 2), "VALID")
        a = jax.nn.relu(x.reshape(len(x), -1) @ p["dense1.W"] + p["dense1.b"])
        return (a @ p["dense2.W"] + p["dense2.b"])[:, CLASS].sum()

    return jax.jit(lambda x: x * jax.grad(score)(x))


def _module(path: str) -> Any:
    import numpy as np
    from torch import from_numpy, nn

    p = np.load(path)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.relu1, self.pool1 = nn.Conv2d(1, 8, 5), nn.ReLU(), nn.MaxPool2d(2)
            self.conv2, self.relu2, self.pool2 = nn.Conv2d(8, 16, 5), nn.ReLU(), nn.MaxPool2d(2)
            self.dense1, self.relu3, self.dense2 = nn.Linear(256, 64), nn.ReLU(), nn.Linear(64, 10)

        def forward(self, x: Any) -> Any:
            a = self.pool2(self.relu2(self.conv2(self.pool1(self.relu1(self.conv1(x))))))
            return self.dense2(self.relu3(self.dense1(a.reshape(len(a), -1))))

    module = Net().eval()
    state = {f"{name}.weight": p[f"{name}.W"] for name in ("conv1", "conv2", "dense1", "dense2")}
    state = {name: value.T if value.ndim == 2 else value for name, value in state.items()}
    biases = {f"{name}.bias": p[f"{name}.b"] for name in ("conv1", "conv2", "dense1", "dense2")}
    module.load_state_dict({name: from_numpy(value.copy()) for name, value in (state | biases).items()})
    return module


def peak_memory() -> int:
    """The highest resident memory of this process in bytes.

    From Linux itself: getrusage there starts from what the process that started this one held.
    """
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def main(who: str, path: str, save: str) -> dict[str, float]:
    """Seconds from here to the map of one image, and of a second call; the memory then, and after a batch."""
    began = perf_counter(), process_time()
    import numpy as np

    compute = {"nnlite": nnlite, "nnlite compiled": nnlite_compiled, "torch": torch, "captum": captum, "jax": jax}[who](
        path
    )
    x = np.random.default_rng(0).random((BATCH, 1, 28, 28), np.float32)
    R = np.asarray(compute(x[:1]))
    first = perf_counter(), process_time()
    np.asarray(compute(x[:1]))
    second, one = (perf_counter(), process_time()), peak_memory()
    np.asarray(compute(x))
    np.save(save, R)
    return {
        "first wall": first[0] - began[0],
        "first cpu": first[1] - began[1],
        "second wall": second[0] - first[0],
        "second cpu": second[1] - first[1],
        "peak": one,
        "peak of a batch": peak_memory(),
    }


if __name__ == "__main__":
    print(json.dumps(main(*sys.argv[1:])))
