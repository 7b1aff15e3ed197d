"""A generator: codes become images; and what is known of its codes. Its file."""

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ... import files, storage
from ...decision_based.inputs import activations
from ...layers.arguments import count, float_dtype, frozen, generator
from ...network import Network
from .bound import halves
from .joined import join, taken

KIND = "generator"


@dataclass(frozen=True, eq=False)
class Generator:
    """x = g(z), with codes z from the standard normal.

    name: "vae", "gan", "dcgan", or any other.
    decoder: g: codes (N, d) to images (N, 1, 28, 28) in [0, 1]. `Through(generator.decoder, f)` is f in code space.
    encoder: images to (N, 2d): the mean and the log variance of each one's code. None for a generator without one.
    codes: (10, d): for each class the mean of the codes of its training images.
    info: how it was trained, and how well it does: JSON-able.

    Raises TypeError or ValueError: the networks and the codes do not fit together, or hold a NaN or an infinity.
    """

    name: str
    decoder: Network
    encoder: Network | None
    codes: np.ndarray
    info: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.decoder, Network) or not isinstance(self.encoder, (Network, type(None))):
            raise TypeError(f"A generator takes networks, got {self.decoder!r} and {self.encoder!r}.")
        if not isinstance(self.codes, np.ndarray):
            raise TypeError(f"codes takes a NumPy array (classes, d), got {type(self.codes).__name__}.")
        shape = self.decoder.input_shape
        if shape is None or len(shape) != 1:
            raise ValueError(
                f"The decoder of a generator takes codes (N, d), its input_shape is (d,); this is {shape}."
            )
        if self.encoder is not None:
            image = self.decoder.output_shape((1, *shape))
            if self.encoder.input_shape != image[1:] or self.encoder.output_shape(image) != (1, 2 * shape[0]):
                raise ValueError(
                    f"The encoder must take images {image[1:]} to {2 * shape[0]} numbers: mean, log variance."
                )
        if self.codes.ndim != 2 or self.codes.shape[1:] != shape or self.codes.dtype != self.decoder.dtype:
            raise ValueError(
                f"codes takes (classes, {shape[0]}) {self.decoder.dtype}, got {self.codes.shape} {self.codes.dtype}."
            )
        for key, value in self._arrays().items():
            if not np.isfinite(value).all():
                raise ValueError(f"{key} of the generator holds a NaN or an infinity; train it again.")

    @property
    def size(self) -> int:
        """d: how many numbers a code has."""
        return self.codes.shape[1]

    def __call__(self, z: np.ndarray) -> np.ndarray:
        """The images g(z) (N, 1, 28, 28) of codes (N, d), finite and in the generator's dtype."""
        return activations(self.decoder, z)[-1]

    def sample(self, n: int, rng: np.random.Generator | int = 0) -> np.ndarray:
        """n images g(z), z from the standard normal."""
        count("sample", "n", n)
        z = generator("sample", "rng", rng).standard_normal((n, self.size))
        return self(z.astype(self.decoder.dtype))

    def encode(self, x: np.ndarray) -> np.ndarray:
        """The mean code (N, d) of each image (N, 1, 28, 28); ValueError without an encoder."""
        if self.encoder is None:
            raise ValueError(f"The generator {self.name!r} has no encoder; load one that has, such as 'vae'.")
        return halves(activations(self.encoder, x)[-1])[0]

    def astype(self, dtype: Any) -> "Generator":
        """This generator in float32 or float64."""
        dtype = float_dtype(dtype, "astype")
        encoder = None if self.encoder is None else self.encoder.astype(dtype)
        return replace(
            self, decoder=self.decoder.astype(dtype), encoder=encoder, codes=frozen(self.codes.astype(dtype))
        )

    def rounded(self) -> "Generator":
        """This generator as its file gives it back: every number rounded to float16, in float32; errors as `save`."""
        return _from_description(*self._description())

    def save(self, path: str | os.PathLike) -> None:
        """Write the generator to one .npz: its networks as `Network.save` has them, its codes; arrays in float16.

        Raises ValueError: a number is too large for float16.
        """
        storage.write(path, KIND, *self._description())

    def _networks(self) -> dict[str, Network]:
        return {"decoder": self.decoder} | ({} if self.encoder is None else {"encoder": self.encoder})

    def _arrays(self) -> dict[str, np.ndarray]:
        return join(**{key: files.description(network)[1] for key, network in self._networks().items()}) | {
            "codes": self.codes
        }

    def _description(self) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        networks = {key: files.description(network)[0] for key, network in self._networks().items()}
        return {"name": self.name, "networks": networks, "info": self.info}, _half(self._arrays())


def load_file(path: str | os.PathLike) -> Generator:
    """The generator in a file that `Generator.save` wrote, in float32.

    Raises FileNotFoundError: there is no such file; ValueError: the file is truncated, altered, of another kind or from
    a newer nnlite; the message says which.
    """
    header, arrays = storage.read(path, KIND)
    try:
        return _from_description(header, arrays)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise ValueError(f"{Path(path)}: this is not a generator that nnlite wrote ({error}).") from None


def _from_description(header: dict[str, Any], arrays: dict[str, np.ndarray]) -> Generator:
    if any(value.dtype.kind != "f" for value in arrays.values()):
        raise ValueError("its arrays are no floats")
    arrays = {key: frozen(value.astype(np.float32)) for key, value in arrays.items()}
    networks = {
        key: files.from_description(described, taken(arrays, key)) for key, described in header["networks"].items()
    }
    return Generator(header["name"], networks["decoder"], networks.get("encoder"), arrays["codes"], header["info"])


def _half(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    with np.errstate(over="ignore"):
        halved = {key: value.astype(np.float16) for key, value in arrays.items()}
    large = [key for key, value in halved.items() if not np.isfinite(value).all()]
    if large:
        raise ValueError(f"{', '.join(large)} hold numbers that float16 cannot; train again with a lower rate.")
    return halved
