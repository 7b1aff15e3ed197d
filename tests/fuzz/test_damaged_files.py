"""Every file that nnlite reads, damaged: refused in one line, or it gives what the whole file gives.

Seeded: case i of a kind is the same in every run. `pytest` runs the first few, `pytest --long` more than 20,000. A
case that fails is named by its number, and made alone by `damaged(content, kind, number)`.
"""

import contextlib
import gzip
import io
import json
import os
import re
import shlex
import subprocess
import sys
import zlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import nnlite
from nnlite import Network, cli, load, models, pictures, storage
from nnlite.datasets.idx import read_idx
from nnlite.layers import BatchNorm, Conv2d, Dense, Flatten, MaxPool2d, ReLU
from nnlite.memory import TooLarge
from nnlite.model_based import experts, generators
from nnlite.training import checkpoint, fit

SHORT, LONG = 16, 2000
"""How many damaged files of each kind."""

SHORT_COMMANDS, LONG_COMMANDS = 3, 100
"""And how many go through the command line: others, numbered from LONG on."""

HAS = {".pt": find_spec("torch") is not None, ".onnx": find_spec("onnx") is not None}
"""Kinds of files that another library reads, which takes a while to import, and whether it is installed."""

# ------------------------------------------------------------------------------------------- whole files of every kind


def network():
    r = np.random.default_rng(0).standard_normal
    layers = [Conv2d(r((2, 1, 3, 3)), r(2)), BatchNorm(r(2), r(2), r(2), r(2) ** 2), ReLU(), MaxPool2d(2), Flatten()]
    return Network([*layers, Dense(r((18, 10)), r(10))], input_shape=(1, 8, 8), info={"box": 8}).astype(np.float32)


def save_network(path):
    network().save(path)


def save_expert(path):
    r = np.random.default_rng(0).standard_normal
    experts.PPCA(r(64), r((64, 3)), 0.5, (1, 8, 8)).save(path)


def save_generator(path):
    r = np.random.default_rng(0).standard_normal
    decoder = Network([Dense(r((2, 64)).astype("f4")), nnlite.layers.Reshape((1, 8, 8))], input_shape=(2,))
    generators.Generator("vae", decoder, None, r((10, 2)).astype("f4"), {"drawn": "here"}).save(path)


def save_checkpoint(path):
    fit(*_training(), epochs=1, batch_size=8, checkpoint=path, progress=False)


def _training():
    x, labels = models.digits("uci", "train")
    return network(), x[:16], labels[:16]


def save_idx(path):
    items = np.random.default_rng(0).integers(0, 256, (3, 28, 28), np.uint8)
    Path(path).write_bytes(bytes([0, 0, 8, 3]) + np.array(items.shape, ">u4").tobytes() + items.tobytes())


def save_gzip(path):
    save_idx(path)
    Path(path).write_bytes(gzip.compress(Path(path).read_bytes(), mtime=0))


def save_array(path):
    np.save(path, np.random.default_rng(0).random((8, 8)).astype("f4"))


def save_maps(path):
    np.savez(path, input=np.ones((1, 1, 8, 8)), relu1=np.ones((1, 16)))


def save_picture(path):
    values = np.random.default_rng(0).integers(0, 256, (9, 8, 3), np.uint8).repeat(3, axis=0).repeat(3, axis=1)
    Image.fromarray(values).save(path)


def save_torch(path):
    import torch

    torch.manual_seed(0)
    torch.save(_module().state_dict(), path)


def save_onnx(path):
    from nnlite.interop.onnx import to_onnx

    to_onnx(network(), path)


def _module():
    import torch

    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))


# ------------------------------------------------------------------------------------------------- and what reads them


def as_network(path):
    return _described(load(path))


def _described(net):
    return {**net.parameters, "layers": repr([*zip(net.names, net, strict=True), net.input_shape, net.info])}


def as_expert(path):
    expert = experts.load(path)
    return {name: value for name, value in vars(expert).items() if isinstance(value, np.ndarray)} | {"is": repr(expert)}


def as_generator(path):
    g = generators.load(path)
    return {"codes": g.codes, "is": repr((g.name, g.encoder, g.info)), **_described(g.decoder)}


def as_checkpoint(path):
    """Read with the settings that stand in it, so that the settings are no reason to refuse it."""
    settings = storage.read(path, "checkpoint")[0].get("settings", {})
    state = checkpoint.read(Path(path), settings if isinstance(settings, dict) else {}, network().parameters)
    memories = {f"{a}/{b}": value for a, memory in state.memories.items() for b, value in memory.items()}
    return {**state.parameters, **memories, "history": repr(state.history)}


def as_run(path):
    """A run that goes on from it."""
    return _described(fit(*_training(), epochs=1, batch_size=8, checkpoint=path, resume=True, progress=False).network)


def as_grey(path):
    return {"pixels": in_range(pictures.read(path))}


def as_colours(path):
    return {"pixels": in_range(pictures.read_colours(path))}


def in_range(pixels):
    assert pixels.dtype == np.float64
    assert pixels.min() >= 0
    assert pixels.max() <= 1
    return pixels


def as_idx(path):
    return {"items": read_idx(path)}


def as_torch(path):
    from nnlite.interop.torch import load_torch

    return _described(load_torch(path, _module(), (1, 8, 8)))


def as_onnx(path):
    from nnlite.interop.onnx import from_onnx

    return _described(from_onnx(path))


EXPLAIN = "explain {file} --model tiny --method gradient --out o.npy"
KINDS = {
    # the name of the file: who saves it, who reads it, whether a checksum protects it, and the commands
    "own.npz": (save_network, [as_network], True, ["explain uci:3 --model {file} --method gradient --out o.npy"]),
    "expert.npz": (
        save_expert,
        [as_expert],
        True,
        ["maximize --class 3 --model tiny --form expert --expert {file} --start noise --steps 1 --out o.npy"],
    ),
    "generator.npz": (
        save_generator,
        [as_generator],
        True,
        ["maximize --class 3 --model tiny --form code --generator {file} --start noise --steps 1 --out o.npy"],
    ),
    "out.npz.checkpoint": (
        save_checkpoint,
        [as_checkpoint, as_run],
        True,
        ["train --model tiny --epochs 1 --resume --out out.npz"],
    ),
    "x.npy": (
        save_array,
        [as_grey, as_colours],
        False,
        [
            EXPLAIN,
            "verify --model tiny --method gradient --input {file} --theirs R.npy",
            "verify --model tiny --samples 1 --method gradient --theirs {file}",
        ],
    ),
    "maps.npz": (
        save_maps,
        [],
        False,
        ["verify --model tiny --samples 1 --method gradient --theirs R.npy --theirs-layers {file}"],
    ),
    "t10k-images-idx3-ubyte": (
        save_idx,
        [as_idx],
        False,
        ["explain mnist-test:0 --folder . --method gradient --out o.npy"],
    ),
    "t10k-images-idx3-ubyte.gz": (
        save_gzip,
        [as_idx],
        True,
        ["explain mnist-test:0 --folder . --method gradient --out o.npy"],
    ),
    "p.png": (save_picture, [as_grey, as_colours], True, [EXPLAIN]),
    "p.jpg": (save_picture, [as_grey, as_colours], False, [EXPLAIN]),
    "p.gif": (save_picture, [as_grey, as_colours], False, [EXPLAIN]),
    "p.webp": (save_picture, [as_grey, as_colours], False, [EXPLAIN]),
    "p.bmp": (save_picture, [as_grey, as_colours], False, [EXPLAIN]),
    "w.pt": (save_torch, [as_torch], True, []),
    "m.onnx": (save_onnx, [as_onnx], False, []),
}
SELDOM = {"out.npz.checkpoint": 5, "w.pt": 2, "m.onnx": 2}
"""Of these kinds a case takes long: one in so many."""


@pytest.fixture
def long(request):
    return request.config.getoption("--long")


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """whole(name): the bytes of an undamaged file."""
    kept = {}

    def content(name):
        if name not in kept:
            path = tmp_path_factory.mktemp("whole") / name
            KINDS[name][0](path)
            kept[name] = path.read_bytes()
        return kept[name]

    return content


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("R.npy", np.ones((1, 1, 8, 8)))
    Path("t10k-labels-idx1-ubyte").write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 1, 2, 3]))


# --------------------------------------------------------------------------------------------------------- the damage


def flipped(r, content):
    for at in r.integers(0, 8 * len(content), r.integers(1, 9)):
        content[at // 8] ^= 1 << (at % 8)


def cut(r, content):
    del content[r.integers(0, len(content)) :]


def inserted(r, content):
    at = r.integers(0, len(content) + 1)
    content[at:at] = r.bytes(r.integers(1, 40))


def removed(r, content):
    at = r.integers(0, len(content))
    del content[at : at + r.integers(1, 40)]


def overwritten(r, content):
    at, n = r.integers(0, len(content)), r.integers(1, 40)
    content[at : at + n] = bytes([r.choice([0, 0xFF, 0x20])]) * len(content[at : at + n])


def header_edited(r, content):
    """A few bytes near the beginning or, where a .zip has its directory, near the end."""
    for _ in range(r.integers(1, 4)):
        at = r.integers(0, min(128, len(content)))
        content[at if r.random() < 0.7 else -1 - at] = r.integers(0, 256)


def size_claimed(r, content):
    """A size that is far too large, in either byte order, or a number in a header of text."""
    digits = [match.start() for match in re.finditer(rb"\d(?=[\d, )])", bytes(content[:4096]))]
    if digits and r.random() < 0.5:
        at = r.choice(digits)
        content[at : at + 1] = str(r.choice([0, 99999, 10**9, 2**63])).encode()
    else:
        at = r.integers(0, min(64, max(1, len(content) - 4)))
        content[at : at + 4] = int(r.choice([0, 20000, 2**24, 2**31 - 1, 2**32 - 1])).to_bytes(
            4, str(r.choice(["big", "little"]))
        )


def repeated(r, content):
    at = r.integers(0, len(content))
    content += content[at:]


DAMAGES = (flipped, cut, inserted, removed, overwritten, header_edited, size_claimed, repeated)


def damaged(content, name, number):
    """Case `number` of the kind `name`: the damage of its turn, and in every fourth case another one, too."""
    r = np.random.default_rng([zlib.crc32(name.encode()), number])
    content = bytearray(content)
    DAMAGES[number % len(DAMAGES)](r, content)
    if number % 4 == 3 and content:
        DAMAGES[r.integers(len(DAMAGES))](r, content)
    return bytes(content)


def edited(r, value):
    """A JSON value with one place in it changed, left out or of another kind."""
    odd = [None, True, -1, 0, 1.5, 1e308, 10**30, "", "x", "\x1b[31m", [], {}, [[]], {"": 0}, [1, 2, 3]]
    if isinstance(value, (dict, list)) and value and r.random() < 0.85:
        key = list(value)[r.integers(len(value))] if isinstance(value, dict) else int(r.integers(len(value)))
        copy = value.copy()
        if r.random() < 0.2:
            del copy[key]
        else:
            copy[key] = edited(r, value[key])
        return copy
    return odd[r.integers(len(odd))]


def altered(r, array):
    """Another array, with the right checksum all the same."""
    odd = [
        lambda a: a.astype("f2"),
        lambda a: a.astype(">f8"),
        lambda a: a.astype(int),
        lambda a: a.astype(complex),
        lambda a: a[None],
        lambda a: a.ravel(),
        lambda a: a[:0],
        lambda a: a * np.nan,
        lambda a: a + np.inf,
        lambda a: a.astype(str),
        lambda a: np.zeros((), a.dtype),
        lambda a: -a,
        lambda a: a * 0,
        lambda a: a.T,
    ]
    return odd[r.integers(len(odd))](array)


def crafted(path, name, number):
    """Write a file that is whole, but whose header or arrays nnlite would not have written."""
    r = np.random.default_rng([zlib.crc32(name.encode()), number, 1])
    kind = {"own.npz": "network", "expert.npz": "expert", "generator.npz": "generator"}.get(name, "checkpoint")
    header, arrays = storage.read(path, kind)
    if number % 3:
        header = edited(r, {key: value for key, value in header.items() if key not in ("nnlite", "version")})
    else:
        key = sorted(arrays)[r.integers(len(arrays))]
        arrays = {**arrays, key: altered(r, arrays[key])} if r.random() < 0.8 else {"more": arrays.pop(key), **arrays}
    with contextlib.suppress(ValueError):  # NaN: no JSON
        storage.write(path, kind, header if isinstance(header, dict) else {}, arrays)


# ------------------------------------------------------------------------------------------------------ what is right


def read_or_refused(read, path):
    """What a reader makes of a file; None where it is refused as documented."""
    try:
        return read(path)
    except FloatingPointError:  # a run went on from numbers that are not finite: `fit` says so
        return None
    except (ValueError, FileNotFoundError) as error:
        refusal = error
    assert type(refusal) in (ValueError, TooLarge, FileNotFoundError), f"{type(refusal).__name__}: not for people"
    assert Path(path).name in str(refusal), f"the message does not name the file: {refusal}"
    return None


def same(one, other):
    return one.keys() == other.keys() and all(
        np.array_equal(one[k], other[k]) and np.asarray(one[k]).dtype == np.asarray(other[k]).dtype for k in one
    )


def said(line):
    """The exit code and the standard error of a command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = cli.main(shlex.split(line))
        except SystemExit as end:
            code = end.code
    return code, err.getvalue()


def collected(cases, check):
    """Every case is tried; at the end all that failed are named."""
    failed = []
    for number in cases:
        try:
            check(number)
        except Exception as error:
            failed.append(f"{number}: {type(error).__name__}: {' '.join(str(error).split())[:160]}")
    assert not failed, f"{len(failed)} of {len(cases)} cases:\n" + "\n".join(failed[:30])


def cases_of(name, short, long, is_long, first=0):
    return range(first, first + max(1, (long if is_long else short) // SELDOM.get(name, 1)))


def test_the_long_run_damages_more_than_twenty_thousand_files():
    """Different ones: a file that two readers read is counted once."""
    read = sum(len(cases_of(name, SHORT, LONG, True)) for name, (_, readers, _, _) in KINDS.items() if readers)
    commanded = sum(len(cases_of(name, SHORT_COMMANDS, LONG_COMMANDS, True)) for name, _ in COMMANDS)
    assert read + commanded > 20_000


READ = [(name, read) for name, (_, readers, _, _) in KINDS.items() for read in readers]


@pytest.mark.parametrize(("name", "read"), READ, ids=[f"{name}-{read.__name__}" for name, read in READ])
def test_a_damaged_file_is_refused_or_gives_what_the_whole_one_gives(name, read, whole, long):
    if not HAS.get(suffix := Path(name).suffix, True) or (suffix in HAS and not long):
        pytest.skip("what reads it is not installed, or --long not given: to import that takes a while")
    Path(name).write_bytes(whole(name))
    expected = read(name)

    def check(number):
        content = damaged(whole(name), name, number)
        Path(name).write_bytes(content)
        found = read_or_refused(read, name)
        assert Path(name).read_bytes() == content or read is as_run, "the file was changed by reading it"
        assert found is None or not KINDS[name][2] or same(found, expected), "altered data is accepted"

    collected(cases_of(name, SHORT, LONG, long), check)


COMMANDS = [(name, line) for name, (_, _, _, lines) in KINDS.items() for line in lines]


@pytest.mark.parametrize(("name", "line"), COMMANDS, ids=[f"{name}-{line.split()[0]}" for name, line in COMMANDS])
def test_a_command_says_in_one_line_that_a_file_is_damaged(name, line, whole, long):
    def check(number):
        Path(name).write_bytes(damaged(whole(name), name, number))
        code, err = said(line.format(file=name))
        assert code in ((0, 1, 2) if line.startswith("verify") else (0, 2))
        assert err.count("\n") == (code == 2), err
        assert all(c.isprintable() or c == "\n" for c in err)

    first = LONG + LONG_COMMANDS * KINDS[name][3].index(line)
    collected(cases_of(name, SHORT_COMMANDS, LONG_COMMANDS, long, first), check)


OURS = [(name, read) for name, read in READ if name.endswith((".npz", ".checkpoint"))]


@pytest.mark.parametrize(("name", "read"), OURS, ids=[f"{name}-{read.__name__}" for name, read in OURS])
def test_a_whole_file_of_strange_contents_is_refused_or_makes_sense(name, read, whole, long):
    def check(number):
        Path(name).write_bytes(whole(name))
        crafted(name, name, number)
        read_or_refused(read, name)
        if number % 10 == 0:
            code, err = said(KINDS[name][3][0].format(file=name))
            assert code in (0, 2)
            assert err.count("\n") == (code == 2), err

    collected(cases_of(name, SHORT, LONG // 3, long), check)


# --------------------------------------------------------------------------------------------------------------- memory

BUDGET = 64 * 2**20

PEAK = """
import importlib.util, json, pathlib, re, sys
sys.path.insert(0, {root!r})
spec = importlib.util.spec_from_file_location("fuzz", {file!r})
fuzz = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fuzz)
status = pathlib.Path("/proc/self/status")
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", status.read_text())[1])
def read(kind, file):
    for one in fuzz.KINDS[kind][1]:
        try:
            one(file)
        except Exception:
            pass
grown, kinds = [], json.load(sys.stdin)
for kind, (whole, *files) in kinds.items():
    read(kind, whole)
for kind, (whole, *files) in kinds.items():
    for file in files:
        before = peak()
        read(kind, file)
        grown.append((file, (peak() - before) // 1024))
print(json.dumps([one for one in grown if one[1] > {most}]))
"""


def bombs(name):
    """Small files that claim a great deal, well made."""
    if name == "p.png":
        buffer = io.BytesIO()
        Image.new("1", (5000, 5000)).save(buffer, "PNG")
        yield buffer.getvalue()
    if name in ("p.gif", "p.webp", "p.bmp", "p.jpg"):
        buffer = io.BytesIO()
        Image.new("L", (4500, 4500)).save(buffer, {"p.jpg": "JPEG"}.get(name, name[2:].upper()))
        yield buffer.getvalue()
    if name == "t10k-images-idx3-ubyte.gz":
        header = bytes([0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 28, 0, 0, 0, 28])
        yield gzip.compress(header + bytes(100 * 2**20), 1)
        yield gzip.compress(
            bytes([0, 0, 8, 3]) + (100 * 2**20).to_bytes(4, "big") + bytes([0, 0, 0, 1] * 2) + bytes(100 * 2**20), 1
        )
    if name == "x.npy":
        buffer = io.BytesIO()
        np.lib.format.write_array_header_1_0(buffer, {"descr": "<f8", "fortran_order": False, "shape": (2**20, 2**12)})
        yield buffer.getvalue()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from Linux' /proc")
def test_a_damaged_file_takes_no_more_memory_than_is_allowed(whole, long, tmp_path):
    """The peak of a process of its own, above what it took before."""
    claims, kinds = DAMAGES.index(size_claimed), {}
    for name in KINDS:
        contents = list(bombs(name))
        if long and HAS.get(Path(name).suffix, True):
            contents += [damaged(whole(name), name, claims + len(DAMAGES) * n) for n in range(100)]
        for number, content in enumerate([whole(name), *contents] if contents else []):
            path = tmp_path / f"{number}-{name}"
            path.write_bytes(content)
            kinds.setdefault(name, []).append(str(path))
    program = PEAK.format(root=str(Path(nnlite.__file__).parents[1]), file=__file__, most=BUDGET // 2**20)
    environment = os.environ | {"NNLITE_MEMORY": str(BUDGET), "OPENBLAS_NUM_THREADS": "1"}
    call = [sys.executable, "-c", program]
    done = subprocess.run(call, input=json.dumps(kinds), env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-600:]
    worst = [(Path(file).name, megabytes) for file, megabytes in json.loads(done.stdout)]
    assert worst == [], "the megabytes that these took, above what was taken before"
