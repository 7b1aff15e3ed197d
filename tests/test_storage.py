"""The file of a network: what goes in comes out bit for bit, and whatever is not such a file is one clear error."""

import io
import json
import os
import pickle
import stat
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from nnlite import Network, files, load, storage
from nnlite.layers import (
    ELU,
    GELU,
    KINDS,
    AdaptiveAvgPool2d,
    Add,
    AttentionMask,
    AvgPool2d,
    BatchNorm,
    Branches,
    Concat,
    Constant,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Dropout,
    Dropout2d,
    Flatten,
    GlobalAvgPool,
    GroupNorm,
    Hardsigmoid,
    Hardswish,
    Identity,
    InstanceNorm,
    LayerNorm,
    LeakyReLU,
    LogSoftmax,
    Mask,
    MatMul,
    MaxPool2d,
    MergeHeads,
    Multiply,
    Pad,
    Permute,
    PReLU,
    ReLU,
    ReLU6,
    RepeatHeads,
    Reshape,
    RMSNorm,
    Rotary,
    Scale,
    Sigmoid,
    SiLU,
    Slice,
    Softmax,
    Softplus,
    SplitHeads,
    Take,
    Tanh,
    Upsample,
)

pytestmark = pytest.mark.once  # see setup.cfg

INFO = {"epochs": 3, "accuracy": 0.1 + 0.2, "classes": ["0", "1", "ä"], "nested": {"none": None, "yes": True}}


def every_kind(dtype=np.float64):
    """A network with every kind of layer, none of its options at the default."""
    r = np.random.default_rng(0).normal
    layers = [
        Conv2d(r(size=(4, 1, 3, 2)), r(size=4), (1, 2), (1, 0), (1, 2), groups=2),
        ConvTranspose2d(r(size=(4, 2, 2, 2)), None, 2, 1, (1, 2), groups=2, output_padding=1),
        BatchNorm(r(size=4), r(size=4), r(size=4), r(size=4) ** 2, eps=1e-3),
        LeakyReLU(0.1 + 0.2),
        MaxPool2d((2, 3), 1, (1, 0), ceil_mode=True),
        AvgPool2d(2, (2, 1), 1, ceil_mode=True, count_include_pad=False),
        ReLU(),
        GlobalAvgPool(),
        Flatten(),
        Dense(r(size=(4, 8)), r(size=8)),
        Reshape((2, 2, 2)),
        Flatten(),
        Tanh(),
        Dropout(0.25),
        Mask(r(size=(1, 8))),
        Identity(),
        Dense(r(size=(8, 3))),
        Sigmoid(),
        Softmax(),
        LogSoftmax(),
        Dropout2d(0.25),
        Branches([[], [Constant(r(size=(1, 3)))]], Concat()),
        Branches([[Tanh()], []], Add()),
        Branches([[Tanh()], []], Multiply()),
        Reshape((1, 1, 6)),
        Upsample((4, 3), "bilinear", align_corners=True),
        Pad((3, 1, 2), (0, 0, 1), "replicate"),
        GroupNorm(2, r(size=4), r(size=4), eps=1e-3),
        InstanceNorm(r(size=4), r(size=4), eps=1e-3),
        PReLU(r(size=4)),
        *(ReLU6(), Hardsigmoid(), Hardswish(), SiLU(), GELU("tanh"), ELU(0.1 + 0.2), Softplus(0.5)),
        Slice(1, -5, -1),
        Permute((1, 3, 2)),
        AdaptiveAvgPool2d((7, 6)),
        Reshape((7, 18)),
        SplitHeads(3),
        RepeatHeads(2),
        Rotary(100.0, 2, halves=True),
        Branches([[], [Scale(0.5)]], MatMul(transposed=True)),
        AttentionMask(np.tri(7), causal=True),
        Softmax(-1),
        MergeHeads(),
        LayerNorm(r(size=42), r(size=42), 1e-3),
        RMSNorm(r(size=42)),
        Take(-1),
    ]
    return Network(layers, input_shape=(2, 8, 8), info=INFO).astype(dtype)


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "net.npz"
    every_kind().save(path)
    return path


def small_file(tmp_path):
    path = tmp_path / "small.npz"
    Network([Dense(np.arange(6.0).reshape(2, 3), np.ones(3)), ReLU()], info={"epochs": 3}).save(path)
    return path


def content(net):
    """Everything that makes the network: to compare two of them bit for bit."""
    header, arrays = files.description(net)
    return json.dumps(header, sort_keys=True), {name: (a.dtype.str, a.shape, a.tobytes()) for name, a in arrays.items()}


# --------------------------------------------------------------------------------------------------- there and back


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_network_with_every_kind_of_layer_comes_back_bit_for_bit(tmp_path, dtype):
    net, x = every_kind(dtype), np.random.default_rng(1).normal(size=(3, 2, 8, 8)).astype(dtype)
    assert {type(layer).__name__ for layer in net} | {"Embedding"} == set(KINDS)  # an Embedding takes other inputs
    net.save(tmp_path / "net.npz")
    back = load(tmp_path / "net.npz")
    assert content(back) == content(net)
    assert [repr(layer) for layer in back] == [repr(layer) for layer in net]
    assert [layer.options for layer in back] == [layer.options for layer in net]
    assert (back.names, back.input_shape, back.info, back.dtype) == (net.names, net.input_shape, net.info, dtype)
    assert back.forward(x)[-1].tobytes() == net.forward(x)[-1].tobytes()


def test_names_and_a_missing_input_shape_come_back(tmp_path):
    net = Network([ReLU(), Dense(np.eye(2))], ["first layer", "../ä.W"])
    net.save(tmp_path / "net.npz")
    back = load(tmp_path / "net.npz")
    assert (back.names, back.input_shape, back.info) == (("first layer", "../ä.W"), None, {})


def test_special_numbers_come_back(tmp_path):
    W = np.array([[np.nan, np.inf, -np.inf, -0.0, 5e-324]])
    Network([Dense(W)]).save(tmp_path / "net.npz")
    assert load(tmp_path / "net.npz")[0].W.tobytes() == W.tobytes()


def test_arrays_in_another_memory_order_come_back(tmp_path):
    W = np.arange(6.0).reshape(2, 3).T
    W.flags.writeable = False
    Network([Dense(W)]).save(tmp_path / "net.npz")
    np.testing.assert_array_equal(load(tmp_path / "net.npz")[0].W, W)


def test_info_with_numbers_for_keys_can_be_read_again(tmp_path):
    Network([ReLU()], info={"per class": {2: 0.5, 10: 0.25}}).save(tmp_path / "net.npz")
    assert load(tmp_path / "net.npz").info == {"per class": {"2": 0.5, "10": 0.25}}


def test_an_empty_network_and_a_bare_file_name_work(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Network([]).save("no suffix")
    assert len(load("no suffix")) == 0
    assert os.listdir() == ["no suffix"]


def test_the_same_content_gives_the_same_bytes(tmp_path):
    every_kind().save(tmp_path / "one.npz")
    every_kind().save(tmp_path / "two.npz")
    load(tmp_path / "one.npz").save(tmp_path / "three.npz")
    one, two, three = ((tmp_path / f"{name}.npz").read_bytes() for name in ("one", "two", "three"))
    assert one == two == three


def test_the_arrays_of_a_loaded_network_are_read_only(saved):
    assert not any(array.flags.writeable for layer in load(saved) for array in layer.arrays.values())


def test_half_precision_halves_the_file_and_comes_back_in_float32(tmp_path):
    weights = np.linspace(-3, 3, 10_000, dtype=np.float32).reshape(100, 100)
    network = Network([Dense(weights)])
    network.save(tmp_path / "single.npz")
    network.save(tmp_path / "half.npz", half=True)
    loaded = load(tmp_path / "half.npz")
    assert np.array_equal(loaded["dense1"].W, weights.astype(np.float16).astype(np.float32))
    assert loaded.dtype == np.float32
    assert not loaded["dense1"].W.flags.writeable
    sizes = [(tmp_path / name).stat().st_size for name in ("single.npz", "half.npz")]
    assert sizes[0] - sizes[1] == weights.nbytes / 2
    with pytest.raises(ValueError, match=r"dense1\.W hold numbers that float16 cannot"):
        Network([Dense(np.full((1, 1), 1e5))]).save(tmp_path / "large.npz", half=True)
    assert not (tmp_path / "large.npz").exists()


def test_numpy_alone_can_open_the_file(saved):
    with np.load(saved, allow_pickle=False) as arrays:
        assert json.loads(arrays[storage.HEADER].tobytes())["nnlite"] == "network"
        np.testing.assert_array_equal(arrays["dense1.W"], every_kind()["dense1"].W)


# ---------------------------------------------------------------------------------------------- damage and strangers


def assert_refused(path, message):
    """One ValueError that begins with the file's name, and says what is wrong."""
    with pytest.raises(ValueError, match=message) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_truncated_file_is_refused_at_every_length(tmp_path):
    path = small_file(tmp_path)
    whole = path.read_bytes()
    for length in [*range(0, len(whole), 37), *range(len(whole) - 30, len(whole))]:
        path.write_bytes(whole[:length])
        assert_refused(path, "truncated, altered or another kind of file")


def test_a_flipped_byte_anywhere_is_refused_or_changes_nothing(tmp_path):
    path = small_file(tmp_path)
    whole, expected = path.read_bytes(), content(load(path))
    refused = 0
    for position in range(0, len(whole), 3):
        for flip in (0xFF, 0x01):
            altered = bytearray(whole)
            altered[position] ^= flip
            path.write_bytes(altered)
            try:
                assert content(load(path)) == expected, f"byte {position} was altered, and another network came"
            except ValueError as error:
                assert str(error).startswith(f"{path}: ")  # noqa: PT017
                refused += 1
    assert refused > 0.7 * 2 * len(whole) / 3, "most of the file is content"


def write_text(path):
    path.write_text("These are not the weights.")


def write_nothing(path):
    path.write_bytes(b"")


def write_picture(path):
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))


def write_array(path):
    with open(path, "wb") as file:
        np.save(file, np.ones(3))


def write_pickle(path):
    path.write_bytes(pickle.dumps({"weights": [1, 2, 3]}))


def write_empty_zip(path):
    zipfile.ZipFile(path, "w").close()


def write_other_arrays(path):
    with open(path, "wb") as file:
        np.savez(file, x=np.ones(3))


def write_compressed(path):
    with np.load(path) as file:
        arrays = dict(file)
    with open(path, "wb") as file:
        np.savez_compressed(file, **arrays)


def write_plain_members(path):
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(storage.HEADER, json.dumps({"nnlite": "network"}))


def write_folder(path):
    path.unlink()
    path.mkdir()


STRANGERS = {
    write_text: "truncated, altered or another kind of file",
    write_nothing: "truncated, altered or another kind of file",
    write_picture: "truncated, altered or another kind of file",
    write_array: "truncated, altered or another kind of file",
    write_pickle: "truncated, altered or another kind of file",
    write_empty_zip: "no nnlite header; it was not written by nnlite",
    write_other_arrays: "no nnlite header; it was not written by nnlite",
    write_compressed: "its members are compressed, and nnlite compresses none",
    write_plain_members: "truncated, altered or another kind of file",
    write_folder: "this is a folder",
}


@pytest.mark.parametrize(("write", "message"), STRANGERS.items(), ids=[write.__name__ for write in STRANGERS])
def test_a_stranger_is_refused_with_what_it_is(saved, write, message):
    write(saved)
    assert_refused(saved, message)


def test_a_file_of_another_kind_is_refused(tmp_path):
    storage.write(tmp_path / "data.npz", "dataset", {}, {"x": np.ones(2)})
    assert_refused(tmp_path / "data.npz", "expected an nnlite network, and this file is of the kind 'dataset'")


def test_a_file_that_is_not_there_is_said_to_be_missing(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere.npz: there is no such file"):
        load(tmp_path / "nowhere.npz")


# --------------------------------------------------------------------------------- forgeries whose checksum is right


def forge(path, header=None, change=None, members=None):
    """Write a file as nnlite would, checksum and all, with another header, changed entries or other members."""
    _, arrays = files.description(every_kind())
    if header is None:
        header = {"nnlite": "network", "version": 1, **json.loads(json.dumps(files.description(every_kind())[0]))}
    if change is not None:
        change(header, arrays)
    if isinstance(header, dict):
        header["sha256"] = storage._checksum(header, arrays)
    text = json.dumps(header) if not isinstance(header, str) else header
    with zipfile.ZipFile(path, "w") as file:
        for name, array in {storage.HEADER: np.frombuffer(text.encode(), np.uint8), **arrays}.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, array)
            file.writestr(f"{name}.npy", (members or {}).get(name, buffer.getvalue()))


def test_the_forger_of_these_tests_writes_what_nnlite_reads(tmp_path):
    forge(tmp_path / "net.npz")
    assert content(load(tmp_path / "net.npz")) == content(every_kind())


def entry(position, **changes):
    """A forgery: entries of the layer at this position changed; those set to `...` are taken out."""

    def change(header, arrays):
        header["layers"][position].update(changes)
        for key in [key for key, value in changes.items() if value is ...]:
            del header["layers"][position][key]

    return change


def option(position, **changes):
    """A forgery: options of the layer at this position changed."""
    return lambda header, arrays: header["layers"][position]["options"].update(changes)


def top(**changes):
    """A forgery: entries of the header changed; those set to `...` are taken out."""

    def change(header, arrays):
        header.update(changes)
        for key in [key for key, value in changes.items() if value is ...]:
            del header[key]

    return change


def array(name, value):
    """A forgery: another array in the place of this one."""
    return lambda header, arrays: arrays.update({name: value})


FORGERIES = {
    "unknown kind": (entry(0, kind="Lambda"), "layer 'conv1' is of the kind 'Lambda'; the kinds are Dense"),
    "a kind that is a builtin": (entry(0, kind="__import__"), "is of the kind '__import__'"),
    "a kind that is a list": (entry(0, kind=["Dense"]), "not one that nnlite wrote"),
    "kind missing": (entry(0, kind=...), "not one that nnlite wrote .*KeyError: 'kind'"),
    "name missing": (entry(0, name=...), "not one that nnlite wrote .*KeyError: 'name'"),
    "name a number": (entry(7, name=5), "names of 1 to 255 characters"),
    "name twice": (entry(7, name="relu1"), "different names, one for each layer"),
    "options missing": (entry(0, options=...), "not one that nnlite wrote .*KeyError: 'options'"),
    "options a list": (entry(0, options=[1]), "not one that nnlite wrote"),
    "an option unknown": (option(0, color="red"), "not one that nnlite wrote .*'color'"),
    "an option of another type": (option(0, stride="one"), "stride takes an integer or a pair"),
    "an option NaN": (option(3, slope=float("nan")), "slope must be a finite number, got nan"),
    "an option infinite": (option(13, p=float("inf")), "p must be a finite number, got inf"),
    "an option enormous": (option(3, slope=10**400), "not one that nnlite wrote|finite number"),
    "groups that do not divide": (option(0, groups=3), "groups=3 must divide"),
    "a shape enormous": (option(10, shape=[10**9, 10**9, 10**9]), "layer reshape1: .*numbers a sample"),
    "arrays missing": (entry(0, arrays=...), "not one that nnlite wrote .*KeyError: 'arrays'"),
    "an array that is not there": (entry(0, arrays=["W", "c"]), "not one that nnlite wrote .*conv1.c"),
    "W left out": (entry(9, arrays=["b"]), "not one that nnlite wrote .*W"),
    "W of another ndim": (array("dense1.W", np.ones(4)), r"Dense: W takes 2 axes, got the shape \(4,\)"),
    "W of another size": (array("dense1.W", np.ones((5, 8))), r"layer dense1: .*takes \(N, 5\)"),
    "W of integers too short": (array("dense1.b", np.ones(3, int)), "b takes the shape"),
    "W of text": (array("dense1.W", np.array([["a", "b"]])), "W takes float32 or float64, got <U1"),
    "W in another dtype": (array("dense2.W", np.ones((8, 3), np.float32)), "expected layers of one dtype"),
    "layers missing": (top(layers=...), "not one that nnlite wrote .*KeyError: 'layers'"),
    "layers a number": (top(layers=5), "not one that nnlite wrote"),
    "layers a text": (top(layers="conv"), "not one that nnlite wrote"),
    "layers of numbers": (top(layers=[1, 2]), "not one that nnlite wrote"),
    "input_shape missing": (top(input_shape=...), "not one that nnlite wrote .*'input_shape'"),
    "input_shape a text": (top(input_shape="288"), "input_shape takes one or more positive integers"),
    "input_shape fractions": (top(input_shape=[2.0, 8, 8]), "input_shape takes one or more positive integers"),
    "input_shape another": (top(input_shape=[3, 8, 8]), r"layer conv1: .*got \(1, 3, 8, 8\)"),
    "info a number": (top(info=5), "not one that nnlite wrote"),
    "info missing": (top(info=...), "not one that nnlite wrote .*'info'"),
    "version 999": (top(version=999), "reads versions up to 2, and the file has version 999; install a newer nnlite"),
    "version 0": (top(version=0), "has version 0; get the file again"),
    "version a text": (top(version="1"), "has version '1'; get the file again"),
    "version NaN": (top(version=float("nan")), "has version nan; get the file again"),
    "version missing": (top(version=...), "has version None; get the file again"),
    "of another kind": (top(nnlite="dataset"), "expected an nnlite network, and this file is of the kind 'dataset'"),
    "of no kind": (top(nnlite=...), "expected an nnlite network, and this file is of the kind None"),
}


@pytest.mark.parametrize(("change", "message"), FORGERIES.values(), ids=FORGERIES.keys())
def test_an_architecture_that_makes_no_sense_is_refused_though_its_checksum_is_right(tmp_path, change, message):
    forge(tmp_path / "net.npz", change=change)
    assert_refused(tmp_path / "net.npz", message)


HEADERS = {
    "a list": ("[1, 2]", "expected an nnlite network"),
    "a number": ("5", "expected an nnlite network"),
    "null": ("null", "header"),
    "not JSON": ("{layers: ", "truncated, altered or another kind of file"),
    "nested without end": ("[" * 100_000, "truncated, altered or another kind of file"),
    "a number without end": ("9" * 10_000, "truncated, altered or another kind of file"),
}


@pytest.mark.parametrize(("header", "message"), HEADERS.values(), ids=HEADERS.keys())
def test_a_header_that_is_none_is_refused(tmp_path, header, message):
    forge(tmp_path / "net.npz", header=header)
    assert_refused(tmp_path / "net.npz", message)


def test_an_altered_array_does_not_fit_the_checksum(tmp_path):
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, every_kind()["dense1"].W + 1e-15)
    forge(tmp_path / "net.npz", members={"dense1.W": buffer.getvalue()})
    assert_refused(tmp_path / "net.npz", "the checksum does not fit the content; the file was altered")


@pytest.mark.parametrize("shape", [(10**12,), (10**9,), (2**33, 2**33), (2**62, 2**62), (-5,), (3,)])
def test_an_array_that_claims_another_size_than_it_has_is_refused_without_the_memory(tmp_path, shape):
    claim = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
    member = b"\x93NUMPY\x01\x00" + len(claim).to_bytes(2, "little") + claim + bytes(64)
    forge(tmp_path / "net.npz", members={"dense1.W": member})
    tracemalloc.start()
    try:
        assert_refused(tmp_path / "net.npz", r"truncated, altered .* claims the shape .* and holds 64 bytes")
        assert tracemalloc.get_traced_memory()[1] < 5e6, "the highest number of bytes in use"
    finally:
        tracemalloc.stop()


class Marker:
    """Unpickling it makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_a_pickle_in_the_file_never_runs(tmp_path):
    ran = tmp_path / "it ran"
    pickle.loads(pickle.dumps(Marker(ran)))
    assert ran.exists(), "the marker works"
    ran.unlink()
    honest = io.BytesIO()
    np.lib.format.write_array(honest, np.array([Marker(ran)], object), allow_pickle=True)
    bare = pickle.dumps(Marker(ran))
    padded = bare + bytes(-len(bare) % 8)  # as long as an array of so many pointers
    claim = f"{{'descr': '|O', 'fortran_order': False, 'shape': ({len(padded) // 8},), }}".encode().ljust(117) + b"\n"
    sly = b"\x93NUMPY\x01\x00" + len(claim).to_bytes(2, "little") + claim + padded
    for member in ("dense1.W", storage.HEADER):
        for pickled in (honest.getvalue(), bare, sly):
            forge(tmp_path / "net.npz", members={member: pickled})
            assert_refused(tmp_path / "net.npz", "truncated, altered or another kind of file")
    (tmp_path / "net.npz").write_bytes(pickle.dumps(Marker(ran)))
    assert_refused(tmp_path / "net.npz", "truncated, altered or another kind of file")
    assert not ran.exists()


def test_objects_are_never_pickled_into_a_file(tmp_path):
    with pytest.raises(ValueError, match="not arrays of Python objects"):
        storage.write(tmp_path / "x.npz", "network", {}, {"x": np.array([None])})
    assert not list(tmp_path.iterdir())


# --------------------------------------------------------------------------------------------------------- all or none


def test_saving_again_replaces_the_old_file(saved):
    Network([ReLU()]).save(saved)
    assert load(saved).names == ("relu1",)
    assert [path.name for path in saved.parent.iterdir()] == ["net.npz"]


@pytest.mark.parametrize("step", ["fsync", "chmod", "replace"])
@pytest.mark.parametrize("interruption", [OSError("disk full"), KeyboardInterrupt()], ids=["error", "interrupt"])
def test_a_write_that_is_interrupted_leaves_the_old_file_and_nothing_beside_it(saved, monkeypatch, step, interruption):
    before = saved.read_bytes()

    def interrupted(*arguments):
        raise interruption

    monkeypatch.setattr(os, step, interrupted)
    with pytest.raises(type(interruption)):
        Network([ReLU()]).save(saved)
    monkeypatch.undo()
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == ["net.npz"]


def test_the_new_file_is_whole_before_it_takes_the_place_of_the_old(saved, monkeypatch):
    seen, real = [], os.replace

    def watching(beside, place):
        seen.append((load(beside).names, load(place).names, Path(beside).parent == Path(place).parent))
        real(beside, place)

    monkeypatch.setattr(os, "replace", watching)
    Network([ReLU()]).save(saved)
    assert seen == [(("relu1",), every_kind().names, True)]


@pytest.mark.skipif(os.name != "posix", reason="the umask is POSIX's")
def test_the_file_has_the_permissions_of_any_other_new_file(saved):
    other = saved.parent / "other"
    other.touch()
    assert stat.S_IMODE(saved.stat().st_mode) == stat.S_IMODE(other.stat().st_mode)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"there is no folder .*missing; make it first"):
        Network([ReLU()]).save(tmp_path / "missing" / "net.npz")


def test_a_folder_in_the_place_of_the_file_is_an_error_and_leaves_nothing(tmp_path):
    (tmp_path / "net.npz").mkdir()
    with pytest.raises(OSError, match=r"net\.npz"):
        Network([ReLU()]).save(tmp_path / "net.npz")
    assert [path.name for path in tmp_path.iterdir()] == ["net.npz"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write and read everything")
def test_a_file_without_permission_is_named(saved):
    saved.chmod(0)
    with pytest.raises(PermissionError, match=r"net\.npz"):
        load(saved)
    saved.parent.chmod(0o500)
    try:
        with pytest.raises(PermissionError, match=r"net\.npz"):
            Network([ReLU()]).save(saved)
    finally:
        saved.parent.chmod(0o700)


def test_what_json_cannot_hold_is_refused_and_leaves_nothing(tmp_path):
    with pytest.raises(ValueError, match=r"info: expected what JSON can hold.*array"):
        Network([ReLU()], info={"when": np.ones(2)})
    with pytest.raises(TypeError, match="JSON"):
        storage.write(tmp_path / "net.npz", "network", {"when": np.ones(2)}, {})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name", ["a/b", "../a", "a\\b", "/", ".", "dense1.W", "header.json", "file", "Σ ☃ 𝄞", "a b", "<!--<script>"]
)
def test_a_layer_of_any_name_is_saved_and_loaded(tmp_path, name):
    network = Network([Dense(np.eye(2)), ReLU(), Dense(np.ones((2, 3)))], names=["dense1", "relu", name])
    network.save(tmp_path / "net.npz")
    again = load(tmp_path / "net.npz")
    assert again.names == network.names
    assert np.array_equal(again[name].W, np.ones((2, 3)))
