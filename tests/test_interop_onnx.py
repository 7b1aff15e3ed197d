"""Networks from ONNX files and to them: the scores of ONNX Runtime, the maps of from_torch, and clear refusals."""

from __future__ import annotations

import io
import logging
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nnlite
from nnlite import Network
from nnlite import layers as ours
from nnlite.layers import KINDS, Branches, Concat, Constant, Dense, Multiply, Pad, ReLU, Residual, Slice

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install onnx")
onnxruntime = pytest.importorskip("onnxruntime", reason="ONNX Runtime is not installed: pip install onnxruntime")

from onnx import TensorProto, helper, numpy_helper  # noqa: E402

from nnlite.interop.onnx import from_onnx, to_onnx  # noqa: E402

pytestmark = [pytest.mark.once, pytest.mark.filterwarnings("ignore::DeprecationWarning")]
IMAGE, VECTOR = (4, 6, 5), (4,)


def by_runtime(path: Path, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(path))
    return session.run(None, {session.get_inputs()[0].name: x})[0]


def inputs(shape: tuple[int, ...], dtype: Any = np.float32) -> np.ndarray:
    return np.random.default_rng(1).uniform(-4, 4, (3, *shape)).astype(dtype)


def close(ours: np.ndarray, theirs: np.ndarray, tolerance: float = 1e-5) -> bool:
    assert ours.shape == theirs.shape
    return bool(np.abs(ours - theirs).max() <= tolerance * max(1e-30, np.abs(theirs).max()))


# ------------------------------------------------------------------------------------- what PyTorch exports


def exported(module: Any, x: np.ndarray, path: Path, dynamo: bool) -> Path:
    import torch

    batch = {0: torch.export.Dim("batch")}
    how: Any = {"dynamic_shapes": (batch,)} if dynamo else {"input_names": ["x"], "dynamic_axes": {"x": {0: "n"}}}
    logging.disable()
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            torch.onnx.export(module, (torch.from_numpy(x),), str(path), dynamo=dynamo, verbose=False, **how)
    finally:
        logging.disable(logging.NOTSET)
    return path


@pytest.mark.parametrize("dynamo", [False, True], ids=["torchscript", "dynamo"])
@pytest.mark.parametrize(
    "name", ["resnet20", "densenet", "unet", "mobilenet_v2", "mobilenet_v3", "inception", "resnet1d", "tabular"]
)
def test_what_pytorch_exports_has_the_same_scores_and_maps(name: str, dynamo: bool, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    if dynamo:
        pytest.importorskip("onnxscript")
    from nnlite.interop.torch import from_torch
    from nnlite.verify.architectures import architecture

    module, x = architecture(name, dtype="float32")
    path = exported(module, x, tmp_path / "model.onnx", dynamo)
    network = from_onnx(path)
    assert close(network.output(x), by_runtime(path, x))
    assert "onnx" in network.info
    theirs = from_torch(module, x.shape[1:]).astype(np.float64).merged()
    mine = network.astype(np.float64).merged()
    for method in ("gradient", "lrp-epsilon"):
        maps = [nnlite.explain(each, x.astype(np.float64), method) for each in (mine, theirs)]
        assert close(*maps, tolerance=1e-4), method


def small() -> dict[str, tuple[Any, tuple[int, ...], str]]:
    from torch import nn
    from torch.nn import functional as F

    class Body(nn.Module):
        def __init__(self, forward: Any) -> None:
            super().__init__()
            import torch

            self.scale, self.inner = nn.Parameter(torch.arange(4.0) + 1), forward

        def forward(self, x: Any) -> Any:
            return self.inner(self, x)

    return {
        "convolution 1d": (nn.Conv1d(4, 3, 3, padding="same"), (4, 7), "Reshape Conv2d Reshape"),
        "padding that is uneven": (nn.Conv2d(4, 3, 2, padding="same"), IMAGE, "Pad Conv2d"),
        "a chain 1d": (
            nn.Sequential(nn.Conv1d(4, 3, 3), nn.MaxPool1d(2), nn.Conv1d(3, 2, 2), nn.Flatten()), (4, 9),
            "Reshape Conv2d MaxPool2d Conv2d Reshape Flatten",
        ),
        "batch norm 1d": (nn.BatchNorm1d(4), (4, 7), "Reshape BatchNorm Reshape"),
        "global pooling 1d": (nn.AdaptiveAvgPool1d(1), (4, 7), "Reshape GlobalAvgPool Reshape"),
        "transposed": (nn.ConvTranspose2d(4, 2, 3, 2, 1, output_padding=1), IMAGE, "ConvTranspose2d"),
        "silu": (nn.SiLU(), IMAGE, "SiLU"),
        "softplus": (nn.Softplus(0.3), IMAGE, "Softplus"),
        "hardswish": (Body(lambda m, x: x * F.relu6(x + 3) / 6), IMAGE, "Hardswish"),
        "prelu": (nn.PReLU(4), IMAGE, "PReLU"),
        "group norm": (nn.GroupNorm(2, 4), IMAGE, "GroupNorm"),
        "instance norm": (nn.InstanceNorm2d(4, affine=True), IMAGE, "InstanceNorm"),
        "enlarged to a size": (Body(lambda m, x: F.interpolate(x, size=(12, 10))), IMAGE, "Upsample"),
        "bilinear": (nn.Upsample(scale_factor=2, mode="bilinear"), IMAGE, "Upsample"),
        "corners": (nn.Upsample(scale_factor=2, mode="bilinear", align_corners=True), IMAGE, "Upsample"),
        "reflected": (nn.ReflectionPad2d((1, 2, 0, 3)), IMAGE, "Pad"),
        "replicated": (nn.ReplicationPad2d(1), IMAGE, "Pad"),
        "chunks": (Body(lambda m, x: F.relu(x.chunk(2, 1)[0])), IMAGE, "Slice ReLU"),
        "average, ceil": (nn.AvgPool2d(3, 2, 1, ceil_mode=True), (4, 8, 7), "AvgPool2d"),
        "average without padding": (nn.AvgPool2d(3, 2, 1, count_include_pad=False), (4, 8, 7), "AvgPool2d"),
        "mean": (Body(lambda m, x: x.mean((2, 3))), IMAGE, "GlobalAvgPool Flatten"),
        "view": (Body(lambda m, x: x.view(x.size(0), -1)), IMAGE, "Flatten"),
        "shuffle": (
            Body(lambda m, x: x.view(x.size(0), 2, 2, 6, 5).transpose(1, 2).reshape(x.size(0), 4, 6, 5)), IMAGE,
            "Reshape Permute Reshape",
        ),
        "linear along the last axis": (nn.Sequential(nn.Linear(5, 2), nn.GELU()), IMAGE, "Dense GELU"),
        "numbers": (
            Body(lambda m, x: (x - m.scale.view(4, 1, 1)) / 2 - x), IMAGE,
            "Constant Add Constant Multiply Constant Multiply Add",
        ),
        "an index": (Body(lambda m, x: x[:, 1] + x[:, -1]), IMAGE, "Slice Reshape Slice Reshape Add"),
        "log softmax": (nn.LogSoftmax(1), VECTOR, "LogSoftmax"),
    }  # fmt: skip


@pytest.mark.parametrize("name", small() if (torch := pytest.importorskip("torch")) else [])
def test_a_module_becomes_its_layers(name: str, tmp_path: Path) -> None:
    module, shape, kinds = small()[name]
    random = torch.Generator().manual_seed(0)
    for values in module.parameters():
        values.data.uniform_(-1, 1, generator=random)
    x = inputs(shape)
    path = exported(module.eval(), x, tmp_path / "model.onnx", False)
    network = from_onnx(path)
    assert [type(layer).__name__ for layer in network] == kinds.split()
    assert close(network.output(x), by_runtime(path, x))
    to_onnx(network, again := tmp_path / "again.onnx")
    assert close(from_onnx(again).output(x), network.output(x), 1e-6)


def test_numbers_in_a_file_beside_it(tmp_path: Path) -> None:
    path, x = file(tmp_path / "model.onnx", node("MatMul", "x W"), W=weights(4, 300)), inputs(VECTOR)
    onnx.save_model(onnx.load(path), path, save_as_external_data=True, location="numbers", size_threshold=0)
    assert (tmp_path / "numbers").stat().st_size >= 4800
    assert close(from_onnx(path).output(x), by_runtime(path, x))
    (tmp_path / "numbers").unlink()
    with pytest.raises(FileNotFoundError, match="numbers: there is no such file"):
        from_onnx(path)


# ------------------------------------------------------------------------------------- graphs written here


def file(
    path: Path, *nodes: Any, shape: Any = ("N", 4), out: str = "y", kind: int = 1, opset: int = 18, **more: Any
) -> Path:
    """A model of these nodes, from x to y; other keywords are its numbers."""
    tensors = [numpy_helper.from_array(value, name) for name, value in more.items() if isinstance(value, np.ndarray)]
    tensors += [value for value in more.values() if isinstance(value, TensorProto)]
    ends = [helper.make_tensor_value_info(each, kind, size) for each, size in (("x", shape), (out, None))]
    graph = helper.make_graph(nodes, "graph", [*more.get("inputs", []), ends[0]], ends[1:], tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    model.functions.extend(more.get("functions", []))
    path.write_bytes(model.SerializeToString())
    return path


def node(kind: str, reads: str, gives: str = "y", **attributes: Any) -> Any:
    name = f"the {kind}" if gives[0] == "y" else f"{kind} of {gives}"
    return helper.make_node(kind, [each.strip("_") for each in reads.split()], gives.split(), name, **attributes)


def single(*values: float, dtype: Any = np.float32) -> np.ndarray:
    return np.array(values[0] if len(values) == 1 else values, dtype)


def weights(*shape: int) -> np.ndarray:
    return np.random.default_rng(2).uniform(-1, 1, shape).astype(np.float32)


ROWS = [*("N", 4, 6, 5)]
GRAPHS: dict[str, tuple[list[Any], dict[str, Any], str]] = {
    "SAME_LOWER": ([node("Conv", "x W", auto_pad="SAME_LOWER", strides=[2, 2])], {"W": weights(3, 4, 3, 2)},
        "Pad Conv2d"),
    "VALID": ([node("Conv", "x W", auto_pad="VALID", dilations=[2, 1])], {"W": weights(3, 4, 3, 2)}, "Conv2d"),
    "uneven maximum": ([node("MaxPool", "x", auto_pad="SAME_UPPER", kernel_shape=[2, 3], strides=[1, 2])], {},
        "Pad MaxPool2d"),
    "uneven mean": (
        [node("AveragePool", "x", pads=[0, 1, 1, 0], kernel_shape=[2, 2], count_include_pad=1)], {}, "Pad AvgPool2d"
    ),
    "bias behind": ([node("Conv", "x W", "z"), node("Add", "b z")],
        {"W": weights(3, 4, 1, 1), "b": weights(3, 1, 1)}, "Conv2d"),
    "scale behind": ([node("Conv", "x W", "z"), node("Div", "z b")],
        {"W": weights(3, 4, 1, 1), "b": weights(1, 3, 1, 1)}, "Conv2d"),
    "bias of two readers": (
        [node("Conv", "x W", "z"), node("Add", "z b", "v"), node("Add", "z v")],
        {"W": weights(4, 4, 1, 1), "b": weights(4, 1, 1)}, "Conv2d Constant Add Add",
    ),
    "hardswish": (
        [node("Add", "three x", "a"), node("Clip", "a zero six", "b"), node("Div", "b six", "c"), node("Mul", "x c")],
        {"three": single(3), "zero": single(0), "six": single(6)}, "Hardswish",
    ),
    "gelu": (
        [node("Div", "x root", "a"), node("Erf", "a", "b"), node("Add", "b one", "c"), node("Mul", "x c", "d"),
        node("Mul", "d half")],
        {"root": single(2**0.5), "one": single(1), "half": single(0.5)}, "GELU",
    ),
    "gelu by tanh": (
        [node("Pow", "x three", "a"), node("Mul", "a k", "b"), node("Add", "x b", "c"), node("Mul", "c root", "d"),
         node("Tanh", "d", "e"), node("Add", "e one", "f"), node("Mul", "x f", "g"), node("Mul", "half g")],
        {"three": single(3), "k": single(0.044715), "root": single((2 / np.pi) ** 0.5), "one": single(1),
        "half": single(0.5)},
        "GELU",
    ),
    "softplus with a threshold": (
        [node("Mul", "x two", "a"), node("Softplus", "a", "b"), node("Div", "b two", "c"),
        node("Greater", "a most", "d"), node("Where", "d x c")],
        {"two": single(2), "most": single(20)}, "Softplus",
    ),
    "behind another": (
        [node("Relu", "x", "r"), node("Sigmoid", "r", "s"), node("Mul", "r s")], {}, "ReLU SiLU"
    ),
    "a gate": (
        [node("GlobalAveragePool", "x", "m"), node("Sigmoid", "m", "s"), node("Mul", "x s")], {},
        "GlobalAvgPool Sigmoid Multiply"
    ),
    "sub": ([node("Relu", "x", "r"), node("Sub", "r x")], {}, "ReLU Constant Multiply Add"),
    "sum": ([node("Relu", "x", "r"), node("Sum", "r x r")], {}, "ReLU Add"),
    "a dead end": ([node("Erf", "x", "z"), node("Relu", "x")], {}, "ReLU"),
    "steps": ([node("Slice", "x s e a t")],
        {n: single(*v, dtype=np.int64) for n, v in dict(s=(1, -5), e=(2**31, 5), a=(1, -1), t=(2, 1)).items()},
        "Slice"),
    "split": ([node("Split", "x", "a b", axis=1, num_outputs=2), node("Mul", "b a")], {}, "Slice Slice Multiply"),
    "neighbours": ([node("Gather", "x i", axis=2)], {"i": single(2, 3, dtype=np.int64)}, "Slice"),
    "nearest, half pixel": ([node("Resize", "x _ s", mode="nearest")], {"s": single(1, 1, 3, 2)}, "Upsample"),
    "edge": ([node("Pad", "x p", mode="edge")], {"p": single(0, 0, 1, 0, 0, 0, 0, 2, dtype=np.int64)}, "Pad"),
    "the number of samples": (
        [node("Shape", "x", "s"),
        node("ConstantOfShape", "s", "c", value=helper.make_tensor("v", 1, [1], [2.0])), node("Add", "x c")],
        {}, "Constant Add",
    ),
    "reshaped": (
        [node("Shape", "x", "s"), node("Gather", "s zero", "n"), node("Concat", "n rest", "t", axis=0),
        node("Reshape", "x t")],
        {"zero": single(0, dtype=np.int64).reshape(1), "rest": single(-1, 8, dtype=np.int64)}, "Reshape",
    ),
    "cast": ([node("Cast", "x", "d", to=11), node("Relu", "d", "r"), node("Cast", "r", to=1)], {},
        "Identity ReLU Identity"),
    "perceptron": (
        [node("Flatten", "x", "f"), node("Gemm", "f W b", alpha=0.5, beta=2.0, transB=1)],
        {"W": weights(3, 120), "b": weights(1, 3)},
        "Flatten Dense",
    ),
    "dropout": ([node("Dropout", "x r")], {"r": single(0.3)}, "Dropout"),
    "group norm by groups": ([node("GroupNormalization", "x g b", num_groups=2)], {"g": weights(2), "b": weights(2)},
        "GroupNorm"),
}  # fmt: skip


@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_becomes_its_layers(name: str, tmp_path: Path) -> None:
    nodes, numbers, kinds = GRAPHS[name]
    path, x = file(tmp_path / "model.onnx", *nodes, shape=ROWS, **numbers), inputs(IMAGE)
    network = from_onnx(path)
    assert [type(layer).__name__ for layer in network] == kinds.split()
    assert close(network.output(x), by_runtime(path, x))


@pytest.mark.parametrize("opset", [9, 11, 13])
def test_older_versions_have_options_as_attributes(opset: int, tmp_path: Path) -> None:
    new = opset >= 13
    last = node("Squeeze", "r ax") if new else node("Squeeze", "r", axes=[1])
    first = node("Unsqueeze", "x ax", "u") if new else node("Unsqueeze", "x", "u", axes=[1])
    path = file(
        tmp_path / "model.onnx", first, node("LeakyRelu", "u", "r", alpha=0.1), last, opset=opset,
        **({"ax": single(1, dtype=np.int64).reshape(1)} if new else {}),
    )  # fmt: skip
    assert close(from_onnx(path).output(inputs(VECTOR)), by_runtime(path, inputs(VECTOR)))


@pytest.mark.parametrize("batch", ["N", 1, 2])
def test_a_file_for_a_fixed_number_of_samples_takes_any(batch: Any, tmp_path: Path) -> None:
    target = single(0 if batch == "N" else batch, -1, dtype=np.int64)
    path = file(tmp_path / "model.onnx", node("Reshape", "x t"), shape=[batch, 2, 3], t=target)
    assert from_onnx(path).output(inputs((2, 3))).shape == (3, 6)


def test_an_open_shape_is_given(tmp_path: Path) -> None:
    path = file(tmp_path / "model.onnx", node("Relu", "x"), shape=["N", 4, "h", "w"])
    assert from_onnx(path, (4, 6, 5)).input_shape == (4, 6, 5)


def test_names_are_those_of_the_nodes(tmp_path: Path) -> None:
    nodes = [helper.make_node("Relu", ["x"], ["a"], "input"), helper.make_node("Relu", ["a"], ["b"], "r\n"),
             helper.make_node("Relu", ["b"], ["y"]), helper.make_node("Add", ["y", "one"], ["z"], "sum")]  # fmt: skip
    network = from_onnx(file(tmp_path / "model.onnx", *nodes, out="z", one=single(1)))
    assert network.names == ("input_1", "r\\n", "relu", "sum.constant", "sum")
    assert network.info["onnx"]["sum"] == "Add sum"


# ------------------------------------------------------------------------------------------------ what is refused


def external(location: str, **where: Any) -> Any:
    tensor = TensorProto(name="W", dims=[4, 3], data_type=1, data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, **where}.items():
        tensor.external_data.add(key=key, value=str(value))
    return tensor


MATMUL = [node("MatMul", "x W")]
BRANCH = helper.make_graph([node("Relu", "x", "z")], "then", [], [helper.make_tensor_value_info("z", 1, None)])
HUGE = single(10**9, 10**9, dtype=np.int64)
LONG = dict(n=single(10**10, dtype=np.int64).reshape(1))
REFUSED: dict[str, tuple[list[Any], dict[str, Any], list[str]]] = {
    "unknown operator": (
        [node("Relu", "x", "z"), node("Mish", "z")],
        {},
        ["the Mish", "no counterpart", "Supported", "Conv"],
    ),
    "another domain": (
        [helper.make_node("FusedConv", ["x"], ["y"], "f", domain="com.microsoft")],
        {},
        ["com.microsoft.FusedConv"],
    ),
    "two inputs": (
        [node("Add", "x v")],
        {"inputs": [helper.make_tensor_value_info("v", 1, ["N", 4])]},
        ["one input", "v, x"],
    ),
    "open shape": ([node("Relu", "x")], {"shape": ["N", "features"]}, ["features", "give input_shape"]),
    "no shape": ([node("Relu", "x")], {"shape": None}, ["give input_shape"]),
    "integers": ([node("Relu", "x")], {"kind": TensorProto.INT32}, ["input x", "float32"]),
    "half precision": (MATMUL, {"W": weights(4, 3).astype(np.float16)}, ["tensor W", "FLOAT16", "float32"]),
    "a loop": (
        [node("If", "c", then_branch=BRANCH, else_branch=BRANCH)],
        {"c": np.array(True)},
        ["the If", "branches"],
    ),
    "functions": (
        [node("Relu", "x")],
        {
            "functions": [
                helper.make_function("own", "f", ["x"], ["z"], [node("Relu", "x", "z")], [helper.make_opsetid("", 18)])
            ]
        },
        ["functions"],
    ),
    "more than it holds": (
        MATMUL,
        {"W": TensorProto(name="W", dims=[10**9], data_type=1, raw_data=b"1234")},
        ["tensor W", "holds 4"],
    ),
    "an endless constant": ([node("ConstantOfShape", "n", "c"), node("Add", "x c")], LONG, ["NNLITE_MEMORY"]),
    "an endless expansion": (
        [node("Expand", "o n", "c"), node("Add", "x c")],
        {"o": single(1), "n": HUGE},
        ["NNLITE_MEMORY"],
    ),
    "an endless padding": ([node("Pad", "x p")], {"p": single(0, 0, 0, 10**12, dtype=np.int64)}, ["NNLITE_MEMORY"]),
    "an endless batch": ([node("Relu", "x")], {"shape": [10**10, 4]}, ["NNLITE_MEMORY"]),
    "an endless enlargement": (
        [node("Resize", "x _ s")],
        {"shape": ["N", 1, 2, 2], "s": single(1, 1, np.inf, 1)},
        ["the Resize"],
    ),
    "no window": ([node("MaxPool", "x")], {"shape": ["N", 1, 2, 2]}, ["kernel_shape"]),
    "outside of its folder": (MATMUL, {"W": external("../secret")}, ["tensor W", "outside", "../secret"]),
    "at the root": (MATMUL, {"W": external("/etc/passwd")}, ["outside", "/etc/passwd"]),
    "over a link": (MATMUL, {"W": external("link")}, ["outside"]),
    "too few numbers": (MATMUL, {"W": external("few")}, ["48 bytes", "few"]),
    "numbers elsewhere": (MATMUL, {"W": external("few", offset="-1")}, ["few", "-1"]),
    "in training": (
        [node("BatchNormalization", "x g g g g", "y m v", training_mode=1)],
        {"g": single(1, 1, 1, 1)},
        ["training", "eval()"],
    ),
    "a clip": ([node("Clip", "x a b")], {"a": single(-1), "b": single(1)}, ["the Clip", "(-1.0, 1.0)", "ReLU6"]),
    "a hard sigmoid": ([node("HardSigmoid", "x")], {}, ["1/6"]),
    "samples side by side": ([node("Reshape", "x t")], {"t": single(-1, 2, dtype=np.int64)}, ["several samples"]),
    "samples in another order": ([node("Transpose", "x", perm=[1, 0])], {}, ["axes [1, 0]"]),
    "weights of the input": ([node("MatMul", "x x")], {}, ["the MatMul", "depends on the input"]),
    "division by activations": ([node("Div", "x x")], {}, ["by a number"]),
    "a softmax over samples": ([node("Softmax", "x", axis=0)], {}, ["dim=0"]),
    "nothing gives it": ([node("Relu", "z")], {}, ["'z'", "nothing gives"]),
    "no activation": ([node("Relu", "c")], {"c": single(1)}, ["the Relu"]),
    "an output of numbers": ([node("Shape", "x")], {}, ["output"]),
    "sizes that do not fit": (MATMUL, {"W": weights(3, 4)}, ["the MatMul", "(N, 3)"]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_is_named(case: str, tmp_path: Path) -> None:
    nodes, more, expected = REFUSED[case]
    folder = tmp_path / "folder"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(bytes(48))
    (folder / "few").write_bytes(bytes(47))
    (folder / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(ValueError, match=r"model\.onnx") as caught:
        from_onnx(file(folder / "model.onnx", *nodes, **more))
    assert str(caught.value).isprintable()
    for part in expected:
        assert part in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"no model", b"\x08\x08", b"PK\x03\x04" * 9])
def test_another_kind_of_file_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(ValueError, match="expected an ONNX model"):
        from_onnx(tmp_path / "model.onnx")
    with pytest.raises(FileNotFoundError, match="no such file"):
        from_onnx(tmp_path / "none.onnx")


def test_numbers_need_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").write_bytes(bytes(48 * 2**10))
    tensors = {f"W{i}": external("data") for i in range(400)}
    for name, tensor in tensors.items():
        tensor.name = name
        tensor.dims[1] = 3 * 2**10
    path = file(tmp_path / "model.onnx", node("MatMul", "x W0"), **tensors)
    monkeypatch.setenv("NNLITE_MEMORY", "100K")
    with pytest.raises(ValueError, match="its tensors declare needs"):
        from_onnx(path)


def test_a_shape_that_the_file_contradicts_is_refused(tmp_path: Path) -> None:
    path = file(tmp_path / "model.onnx", node("Relu", "x"))
    for shape in ((5,), (4, 1)):
        with pytest.raises(ValueError, match="got input_shape"):
            from_onnx(path, shape)


# ----------------------------------------------------------------------------------------------------- the way back


def numbers(*shape: int) -> np.ndarray:
    return np.random.default_rng(3).uniform(0.5, 1.5, shape)


LAYERS: list[tuple[Any, tuple[int, ...]]] = [
    (Dense(numbers(5, 3), numbers(3)), IMAGE),
    (Dense(numbers(4, 3)), VECTOR),
    (ours.Conv2d(numbers(6, 2, 3, 2), numbers(6), (2, 1), (1, 2), (2, 1), 2), (4, 9, 8)),
    (ours.ConvTranspose2d(numbers(4, 3, 3, 3), None, 2, 1, 2, output_padding=1), (4, 5, 4)),
    (ours.BatchNorm(numbers(4), numbers(4), numbers(4), numbers(4)), IMAGE),
    (ours.BatchNorm(numbers(4), numbers(4), numbers(4), numbers(4)), VECTOR),
    (ours.GroupNorm(2, numbers(4), numbers(4)), IMAGE),
    (ours.InstanceNorm(numbers(4), numbers(4)), IMAGE),
    (ours.MaxPool2d(3, 2, 1, True), (2, 8, 7)),
    (ours.MaxPool2d(2, 3, 1, True), (2, 8, 8)),
    (ours.AvgPool2d((3, 2), 2, (1, 0), True, False), (2, 8, 7)),
    (ours.AvgPool2d(3, 2, 1, True), (2, 8, 7)),
    (ours.GlobalAvgPool(), IMAGE),
    (ours.AdaptiveAvgPool2d((4, 3)), IMAGE),
    (ours.Upsample((2, 3)), IMAGE),
    (ours.Upsample(3, "bilinear"), IMAGE),
    (ours.Upsample(2, "bilinear", True), IMAGE),
    (ours.LeakyReLU(0.1), IMAGE),
    (ours.PReLU(numbers(4)), IMAGE),
    (ours.GELU("tanh"), IMAGE),
    (ours.ELU(0.3), IMAGE),
    (ours.Softplus(0.3), IMAGE),
    *(
        (KINDS[kind](), IMAGE)
        for kind in ("ReLU", "Tanh", "Sigmoid", "ReLU6", "Hardsigmoid", "Hardswish", "SiLU", "GELU")
    ),
    *((KINDS[kind](), IMAGE) for kind in ("Hardsigmoid", "Hardswish", "SiLU", "GELU")),
    *((KINDS[kind](), IMAGE) for kind in ("Softmax", "LogSoftmax", "Flatten", "Identity", "Dropout", "Dropout2d")),
    (ours.Reshape((6, 4, 5)), IMAGE),
    (ours.Permute((3, 1, 2)), IMAGE),
    (Slice(2, -4, None, 2), IMAGE),
    (Pad((0, 1, 2), (0, 0, 1), "reflect"), IMAGE),
    (Pad((1, 1, 2)), IMAGE),
    (ours.Mask(numbers(1, 4, 1, 1)), IMAGE),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=lambda each: repr(each)[:30])
def test_every_layer_goes_there_and_back(layer: Any, shape: tuple[int, ...], dtype: Any, tmp_path: Path) -> None:
    network, path, x = Network([layer]).astype(dtype), tmp_path / "model.onnx", inputs(shape, dtype)
    x, wide = x.astype(network.dtype), network.dtype == np.float64
    to_onnx(network, path, shape)
    onnx.checker.check_model(onnx.load(path), full_check=True)
    again = from_onnx(path)
    assert again.names[-1] == network.names[-1]
    assert close(again.output(x), network.output(x), 1e-12 if wide else 1e-6)
    assert type(again[-1]) is type(layer) or isinstance(
        layer, ours.AdaptiveAvgPool2d | ours.InstanceNorm | ours.Mask | ours.Dropout2d
    )
    if not wide:
        assert close(network.output(x), by_runtime(path, x))


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 0), (np.float64, 1e-8)])
def test_options_are_float32_in_a_file(dtype: Any, tolerance: float, tmp_path: Path) -> None:
    layers = [Dense(np.eye(4)), ours.LeakyReLU(0.1), ours.Softplus(0.3), ours.ELU(0.7)]
    network, x = Network(layers, None, VECTOR).astype(dtype), inputs(VECTOR, dtype)
    to_onnx(network, tmp_path / "model.onnx")
    again = from_onnx(tmp_path / "model.onnx")
    assert close(again.output(x), network.output(x), tolerance)
    assert (again[1].slope == 0.1) is (dtype == np.float32)


def test_every_kind_of_layer_is_written() -> None:
    joins = {"Add", "Concat", "Multiply", "Constant"}  # in the tests below
    attention = {type(layer).__name__ for network, _ in TRANSFORMERS.values() for layer in network}
    assert {type(layer).__name__ for layer, _ in LAYERS} | joins | attention == set(KINDS)


def _transformers() -> dict[str, tuple[Network, np.ndarray]]:
    r = np.random.default_rng(5)
    W = lambda *shape: r.normal(scale=0.5, size=shape)  # noqa: E731
    mask, rotary = ours.AttentionMask(causal=True), ours.Rotary(100.0, 2, halves=True)
    q, o, kv = W(8, 8), W(8, 8), [W(8, 4), W(8, 4)]
    heads = ours.SelfAttention(q, *kv, o, heads=4, key_heads=2, mask=mask, rotary=rotary)
    norms = [ours.RMSNorm(W(8), 1e-3), ours.LayerNorm(W(8), W(8))]
    ends = [ours.Take(-1), ours.Dense(W(8, 3))]
    block = [ours.TransformerBlock(heads, [ours.Dense(W(8, 8)), ours.Tanh()], norms=norms), *ends]
    return {
        "of tokens": (Network([ours.Embedding(W(7, 8)), *block]), r.integers(0, 7, (2, 5))),
        "of numbers": (Network([*block, ours.Softmax(-1)]), r.normal(size=(2, 5, 8))),
    }


TRANSFORMERS = _transformers()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", TRANSFORMERS)
def test_a_transformer_is_written(name: str, dtype: Any, tmp_path: Path) -> None:
    network, x = TRANSFORMERS[name]
    network, x = network.astype(dtype), x if network.takes_tokens else x.astype(dtype)
    to_onnx(network, tmp_path / "net.onnx", x.shape[1:])
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx", providers=["CPUExecutionProvider"])
    (scores,) = session.run(None, {session.get_inputs()[0].name: x})
    np.testing.assert_allclose(scores, network.output(x), rtol=0, atol=1e-5 if dtype == np.float32 else 1e-12)


def test_joins_go_there_and_back(tmp_path: Path) -> None:
    W = np.arange(4, dtype=np.float32).reshape(2, 2)
    block = Branches([[Dense(W), ReLU()], [], [Dense(W), Slice(1, 1), Pad((1,))]], Concat())
    ones, scale = np.ones((1, 2), np.float32), np.arange(9, dtype=np.float32)[None]
    layers = [Residual([Dense(W), ReLU()]), block, Constant(ones), Concat(), Constant(scale), Multiply()]
    plain = Network(layers[:2])
    names = (*plain.names, "ones", "both", "scale", "product")
    wires = {"ones": (), "both": (plain.names[-1], "ones"), "scale": (), "product": ("both", "scale")}
    network, path, x = Network(layers, names, (2,), wires=wires), tmp_path / "model.onnx", inputs((2,))
    to_onnx(network, path)
    again = from_onnx(path)
    assert close(network.output(x), by_runtime(path, x))
    assert np.array_equal(again.output(x), network.output(x))
    assert sorted(type(layer).__name__ for layer in again) == sorted(type(layer).__name__ for layer in network)


def test_a_layer_of_the_users_own_is_refused_by_name(tmp_path: Path) -> None:
    class Square(ReLU):
        pass

    with pytest.raises(ValueError, match=r"layer mine \(Square"):
        to_onnx(Network([Square()], ["mine"], (2,)), tmp_path / "model.onnx")
    with pytest.raises(ValueError, match="give input_shape"):
        to_onnx(Network([ReLU()]), tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())
