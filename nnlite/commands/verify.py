"""Every method that has a counterpart there, on every convention that both can express. Where a library differs by its
choice or by a bug the row says so, and the next row shows nnlite's number under the library's convention. The exit code
is 0 if every verdict is as it should be, 1 if one is not, or if nothing was checked. A library that is not installed is
left out: pip install torch==2.13.0, then captum; zennit and lxt with pip install --no-deps.

--theirs needs none of them: somebody else's map, computed anywhere, is compared with ours, and a list of conventions
(nnlite/verify/variants.py) is tried to explain the difference. --theirs-layers is an .npz with the relevance above each
layer under the layer's name (and "input"); then it is said at which layer the two part.

examples:
  nnlite verify --model lenet --out results
  nnlite verify --torch network.py:build --shape 3,32,32
  nnlite verify --model padding --method lrp-gamma
  nnlite verify --network net.npz --input x.npy --method lrp-epsilon --theirs R.npy
  nnlite verify --model resnet20
  nnlite verify --model vgg16 --dtype float32
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np

from .. import Network, datasets, models, storage
from ..disk import read_npy, read_npz
from ..verify import Case, Report, chosen, compare, modules, theirs, vgg16
from ..verify import report as reports
from ..verify.architectures import ARCHITECTURES, architecture
from ..verify.examples import EXAMPLES, example
from . import checks
from .options import declare


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--model", "--network", default="lenet", metavar="NAME",
        help=f"{', '.join(models.NAMES)}, a saved network (.npz), vgg16, a module of PyTorch: "
        f"{', '.join(ARCHITECTURES)}, or an example: {', '.join(EXAMPLES)} (default: lenet)",
    )  # fmt: skip
    what.add_argument("--torch", metavar="FILE.py:factory", help="a module of your own; the file is executed")
    parser.add_argument("--input", type=Path, metavar="X.npy", help="inputs (N, ...) (default: held-out digits)")
    parser.add_argument("--shape", metavar="3,32,32", help="the shape of one input, for seeded random inputs")
    declare(parser, "--samples", default=4, help="how many inputs")
    declare(parser, "--target")
    parser.add_argument("--method", help="this method only")
    parser.add_argument("--dtype", choices=["float64", "float32"], default="float64", help="(default: float64)")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="write verify.json and verify.html there")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the rows as JSON")
    parser.add_argument("--page", type=Path, metavar="FILE", help="write the rows as a page")
    parser.add_argument("--theirs", type=Path, metavar="R.npy", help="a map to compare with ours, for --method")
    parser.add_argument("--theirs-layers", type=Path, metavar="MAPS.npz", help="their maps, layer by layer")


def run(options: argparse.Namespace) -> None:
    """Compare, print the table, write the files; exit with 1 unless something was checked and is as it should be."""
    files = _files(options)
    if options.samples < 1:
        raise ValueError(f"--samples takes an integer from 1, got {options.samples}.")
    if options.theirs_layers is not None and options.theirs is None:
        raise ValueError("--theirs-layers goes with --theirs, the map of the input.")
    if options.theirs is not None:
        _theirs(options)
        return
    if options.model in ("vgg16", "resnet18") and options.torch is None:
        _large(options)
        return
    case = _case(options)
    print(
        f"{case.name}: {len(case.x)} samples, {case.x.dtype}; "
        + ", ".join(f"{k} {v}" for k, v in reports.versions().items())
    )
    print(reports.tolerances(str(case.x.dtype)))
    print(reports.HEAD)
    rows = compare(chosen(case, options.method), tell=lambda row: print(reports.line(row), flush=True))
    report = Report.of(case, rows)
    print(report.summary)
    for path, content in ((files["json"], report.json), (files["page"], report.page)):
        if path is not None:
            storage.write_bytes(path, content().encode())
            print(f"written    {path}")
    if not report.as_expected:
        sys.exit(1)


def _files(options: argparse.Namespace) -> dict[str, Path | None]:
    """Where the results go; refused before any work if they cannot."""
    if options.out is not None:
        if options.out.exists() and not options.out.is_dir():
            raise ValueError(f"--out takes a folder, and {options.out} is a file; for single files: --json, --page.")
        options.out.mkdir(parents=True, exist_ok=True)
    files: dict[str, Path | None] = {}
    for name, ending in (("json", ".json"), ("page", ".html")):
        files[name] = path = getattr(options, name) or (options.out and options.out / f"verify{ending}")
        if path is not None:
            checks.output(path, {ending}, f"--{name}")
    return files


def _case(options: argparse.Namespace) -> Case:
    """The network and the inputs that were asked for."""
    if options.torch is not None:
        return _own(options)
    if options.model in ARCHITECTURES:
        return _of_module(options, *architecture(options.model, options.samples, options.dtype))
    network, x = _network(options.model, options.samples)
    network = network.astype(options.dtype)
    if options.input is not None:
        x = _array(options.input)
    elif options.shape is not None or x is None:
        x = _inputs(options, network, _shape(options.shape, network.input_shape))
    return Case.of(options.model, network, _typed(network, x), options.target)


def _inputs(options: argparse.Namespace, network: Any, shape: tuple[int, ...]) -> np.ndarray:
    return modules.inputs(shape, options.samples, options.dtype, len(network[0].E) if network.takes_tokens else 0)


def _typed(network: Network, x: np.ndarray) -> np.ndarray:
    """x in the dtype of the network, tokens as they are."""
    return x if network.takes_tokens else x.astype(network.dtype)


def _network(name: str, samples: int) -> tuple[Network, np.ndarray | None]:
    """A network by name, and inputs that belong to it."""
    if name in EXAMPLES:
        return example(name, samples)
    if name not in models.NAMES:
        checks.saved(name, "--model", (*models.NAMES, "vgg16", *ARCHITECTURES, *EXAMPLES))
        return checks.network(name), None
    dataset = models.RECIPES[name].dataset
    if dataset == "uci":
        return models.load(name), datasets.uci("test")[0][:samples]
    return models.load(name), getattr(datasets, dataset)(samples, seed=models.HELD_OUT_SEED)[0]


def _own(options: argparse.Namespace) -> Case:
    """The user's own module."""
    try:
        module, x = modules.from_file(options.torch)
    except ImportError as error:
        raise ValueError(f"--torch needs PyTorch ({error}): pip install torch==2.13.0.") from None
    module = (module.double() if options.dtype == "float64" else module.float()).eval()
    return _of_module(options, module, x)


def _of_module(options: argparse.Namespace, module: Any, x: np.ndarray | None) -> Case:
    from ..interop.torch import from_torch

    x = x if options.input is None else _array(options.input)
    shape = _shape(options.shape, None) if x is None else x.shape[1:]
    network = from_torch(module, shape)
    x = _inputs(options, network, shape) if x is None else x
    return Case.of(options.torch or options.model, network, _typed(network, x), options.target, module)


def _shape(text: str | None, known: tuple[int, ...] | None) -> tuple[int, ...]:
    if text is None:
        if known is None:
            raise ValueError("The shape of an input is not known; give --shape, such as --shape 3,32,32, or --input.")
        return known
    parts = text.split(",")
    if not all(part.strip().isdecimal() and int(part) > 0 for part in parts):
        raise ValueError(f"--shape takes positive integers such as 3,32,32, got {text}.")
    return tuple(int(part) for part in parts)


def _array(path: Path) -> np.ndarray:
    """The numbers in an .npy file."""
    return _numbers(path, read_npy(path))


def _numbers(path: Path, values: np.ndarray) -> np.ndarray:
    if values.dtype.kind not in "fiu":
        raise ValueError(f"{path}: expected numbers, got {values.dtype}; write floats or integers.")
    return values


def _theirs(options: argparse.Namespace) -> None:
    if options.method is None:
        raise ValueError("--theirs needs --method: which method the map is of.")
    case = _case(options)
    layers, maps = None, options.theirs_layers
    if maps is not None:
        layers = {name: _numbers(maps, values) for name, values in read_npz(maps, "an .npz of maps").items()}
    finding = theirs.examine(case, options.method, _array(options.theirs), layers)
    print(finding.text())
    if not finding.agrees:
        sys.exit(1)


def _large(options: argparse.Namespace) -> None:
    """A few comparisons on a network of real size, with time and memory."""
    network = None if options.model == "vgg16" else _case(options).network
    print(", ".join(f"{name} {version}" for name, version in reports.versions().items()))
    print(vgg16.HEAD)
    expected = True
    for measured in vgg16.measure(options.dtype, network=network):
        print(measured, flush=True)
        expected &= measured.expected
    if not expected:
        sys.exit(1)
