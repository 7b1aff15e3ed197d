"""Make tests/golden/saved/*.npz: one small file of each kind, as version 0.1 wrote them, and what they give.

    mkdir ../nnlite-0.1 && git archive 0967a2b | tar -x -C ../nnlite-0.1
    PYTHONPATH=../nnlite-0.1 python scripts/make_golden_saved.py

It runs on version 0.1 only: its files must load for as long as there is an nnlite. numbers.npz holds the inputs, and
what the network, the half network, the finished training run, the expert and the generator make of them.
"""

from contextlib import suppress
from pathlib import Path
from unittest import mock

import numpy as np

import nnlite
from nnlite import Network, storage
from nnlite.layers import (
    AvgPool2d,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Dropout,
    Flatten,
    LeakyReLU,
    MaxPool2d,
    ReLU,
    Reshape,
    Sigmoid,
    Softmax,
)
from nnlite.model_based.experts import PPCA
from nnlite.model_based.generators import Generator
from nnlite.training import fit

FOLDER = Path(__file__).parents[1] / "tests" / "golden" / "saved"
STOPPED = 2  # of four epochs


def network(rng: np.random.Generator) -> Network:
    """(1, 8, 8) to three probabilities, through most kinds of layers."""
    draw = rng.standard_normal
    layers = [
        Conv2d(draw((4, 1, 3, 3)), draw(4), padding=1),
        BatchNorm(draw(4), draw(4), draw(4), draw(4) ** 2 + 1),
        LeakyReLU(0.1),
        MaxPool2d(2),
        ConvTranspose2d(draw((4, 2, 2, 2)), None, 2),
        AvgPool2d(2, padding=1),
        ReLU(),
        Flatten(),
        Dropout(0.5),
        Dense(draw((50, 3)), draw(3)),
        Softmax(),
    ]
    return Network(layers, input_shape=(1, 8, 8), info={"classes": ["a", "b", "ä"]})


def run(checkpoint: Path) -> dict[str, np.ndarray]:
    """A training run of four epochs, stopped after two, and the parameters at the end of one that is not stopped."""
    rng = np.random.default_rng(1)
    start = Network([Dense(rng.standard_normal((5, 7)), np.zeros(7)), ReLU(), Dense(rng.standard_normal((7, 3)))])
    x, labels = rng.standard_normal((40, 5)), rng.integers(0, 3, 40)
    settings = {"epochs": 4, "batch_size": 16, "seed": 9, "held_out": (x[:10], labels[:10]), "progress": False}
    whole = fit(start, x, labels, **settings)
    write, written = storage.write, []

    def stopping(*arguments: object) -> None:
        write(*arguments)
        written.append(arguments)
        if len(written) == STOPPED:
            raise KeyboardInterrupt

    with mock.patch.object(storage, "write", stopping), suppress(KeyboardInterrupt):
        fit(start, x, labels, **settings, checkpoint=checkpoint)
    weights = {f"start/{name}": value for name, value in start.parameters.items()}
    weights |= {f"trained/{name}": value for name, value in whole.network.parameters.items()}
    return weights | {"run/x": x, "run/labels": labels, "run/loss": np.array([epoch.loss for epoch in whole.history])}


def main() -> None:
    if nnlite.__version__ != "0.1.0":
        raise SystemExit(f"This is nnlite {nnlite.__version__}; version 0.1 has to write the files, see above.")
    FOLDER.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    net, x = network(rng), rng.standard_normal((3, 1, 8, 8))
    net.save(FOLDER / "network.npz")
    net.save(FOLDER / "half.npz", half=True)
    half = nnlite.load(FOLDER / "half.npz")
    expert = PPCA.fit(rng.standard_normal((20, 1, 2, 3)), q=2)
    expert.save(FOLDER / "expert.npz", info={"of": "noise"})
    decoder = Network([Dense(rng.standard_normal((2, 16))), Sigmoid(), Reshape((1, 4, 4))], input_shape=(2,))
    encoder = Network([Flatten(), Dense(rng.standard_normal((16, 4)))], input_shape=(1, 4, 4))
    generator = Generator("small", decoder, encoder, rng.standard_normal((3, 2))).rounded()
    generator.save(FOLDER / "generator.npz")
    z, likely = rng.standard_normal((3, 2)).astype(np.float32), rng.standard_normal((3, 1, 2, 3))
    arrays = {
        "x": x,
        "network": net.forward(x)[-1],
        "half": half.forward(x.astype(np.float32))[-1],
        "expert/x": likely,
        "expert/density": expert(likely)[0],
        "expert/gradient": expert(likely)[1],
        "generator/z": z,
        "generator/images": generator(z),
        "generator/codes": generator.encode(generator(z)),
    }
    storage.write(FOLDER / "numbers.npz", "golden", {}, arrays | run(FOLDER / "checkpoint.npz"))


if __name__ == "__main__":
    main()
