"""Networks to and from PyTorch: the same scores, and a refusal by name of what has no counterpart."""

from __future__ import annotations

import copy
import math
import pickle
from typing import Any

import numpy as np
import pytest

import nnlite.models
from nnlite import Network
from nnlite.layers import (
    GELU,
    AttentionMask,
    BatchNorm,
    Branches,
    Concat,
    Constant,
    Conv2d,
    Dense,
    Embedding,
    Flatten,
    GlobalAvgPool,
    LayerNorm,
    Mask,
    Multiply,
    Pad,
    ReLU,
    Reshape,
    Residual,
    RMSNorm,
    Rotary,
    SelfAttention,
    Slice,
    Take,
    TransformerBlock,
)

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch==2.13.0")
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from nnlite.interop.torch import from_torch, load_torch, to_torch  # noqa: E402
from nnlite.verify.examples import EXAMPLES, example  # noqa: E402


def seeded(module: Any, dtype: Any = torch.float64) -> Any:
    """The module with random parameters and running statistics, in evaluation mode."""
    random = torch.Generator().manual_seed(0)
    for name, values in [*module.named_parameters(), *module.named_buffers()]:
        if values.is_floating_point():
            low = 0.5 if "var" in name else -0.5
            values.data.uniform_(low, 1, generator=random)
    return module.to(dtype).eval()


def difference(module: Any, network: Network, shape: tuple[int, ...]) -> float:
    """The largest difference of the outputs, as a part of the largest output."""
    x = np.random.default_rng(0).uniform(-1, 1, (3, *shape)).astype(network.dtype)
    with torch.no_grad():
        theirs = module(torch.from_numpy(x)).numpy()
    ours = network.forward(x)[-1]
    assert theirs.shape == ours.shape
    assert theirs.dtype == ours.dtype
    return float(np.abs(ours - theirs).max() / np.abs(theirs).max())


MODULES: dict[str, tuple[Any, tuple[int, ...]]] = {
    "linear": (lambda: nn.Linear(6, 4), (6,)),
    "no biases": (lambda: nn.Sequential(nn.Linear(6, 4, bias=False), nn.ReLU(), nn.Linear(4, 3, bias=False)), (6,)),
    "nested": (lambda: nn.Sequential(nn.Sequential(nn.Linear(6, 4), nn.Sequential(nn.Tanh())), nn.Sigmoid()), (6,)),
    "convolution": (lambda: nn.Conv2d(4, 6, (3, 2), (2, 1), (1, 2), (2, 1), groups=2), (4, 9, 8)),
    "depthwise": (lambda: nn.Conv2d(4, 8, 3, groups=4, bias=False), (4, 6, 6)),
    "padding valid": (lambda: nn.Conv2d(2, 3, 3, padding="valid"), (2, 5, 5)),
    "padding same": (lambda: nn.Conv2d(2, 3, (3, 5), padding="same", dilation=(2, 1)), (2, 6, 7)),
    "transposed": (lambda: nn.ConvTranspose2d(4, 6, 3, 2, 1, output_padding=1, groups=2, dilation=2), (4, 5, 4)),
    "max pooling": (lambda: nn.MaxPool2d(3, 2, 1, ceil_mode=True), (2, 8, 7)),
    "average pooling": (lambda: nn.AvgPool2d((3, 2), 2, (1, 0), True, False), (2, 8, 7)),
    "average pooling with padding": (lambda: nn.AvgPool2d(3, 2, 1), (2, 8, 7)),
    "global pooling": (lambda: nn.AdaptiveAvgPool2d((1, 1)), (2, 8, 7)),
    "adaptive pooling": (lambda: nn.AdaptiveAvgPool2d((4, None)), (2, 8, 7)),
    "adaptive pooling to the same": (lambda: nn.AdaptiveAvgPool2d((8, 7)), (2, 8, 7)),
    "batch norm 1d": (lambda: nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4, eps=1e-3)), (6,)),
    "batch norm 2d": (lambda: nn.Sequential(nn.BatchNorm2d(3), nn.Conv2d(3, 2, 2), nn.BatchNorm2d(2)), (3, 4, 4)),
    "batch norm without parameters": (lambda: nn.BatchNorm2d(3, affine=False), (3, 4, 4)),
    "adaptive pooling with bins that overlap": (lambda: nn.AdaptiveAvgPool2d((3, 5)), (2, 8, 4)),
    "linear along the last axis": (lambda: nn.Sequential(nn.Linear(6, 4), nn.GELU(), nn.Linear(4, 2)), (3, 5, 6)),
    "group norm": (lambda: nn.Sequential(nn.GroupNorm(2, 6, eps=0.1), nn.Conv2d(6, 2, 1)), (6, 3, 4)),
    "group norm without parameters": (lambda: nn.Sequential(nn.GroupNorm(3, 6, affine=False), nn.Linear(6, 2)), (6,)),
    "instance norm": (lambda: nn.InstanceNorm2d(3, affine=True), (3, 4, 5)),
    "instance norm without parameters": (lambda: nn.Sequential(nn.Conv2d(2, 3, 2), nn.InstanceNorm2d(3)), (2, 4, 5)),
    "instance norm with statistics": (lambda: nn.InstanceNorm2d(3, affine=True, track_running_stats=True), (3, 4, 5)),
    "instance norm 1d": (lambda: nn.InstanceNorm1d(3, affine=True), (3, 5)),
    "layer norm": (lambda: nn.Sequential(nn.LayerNorm((4, 5), 0.1), nn.LayerNorm(5, bias=False)), (3, 4, 5)),
    "layer norm without parameters": (lambda: nn.Sequential(nn.LayerNorm(6, 0.1, False), nn.Linear(6, 2)), (3, 6)),
    "rms norm": (lambda: nn.Sequential(nn.RMSNorm(6, 0.1), nn.RMSNorm(6)), (3, 6)),
    "softmax over the last axis": (lambda: nn.Softmax(dim=-1), (3, 4, 4)),
    "zero padding": (lambda: nn.ZeroPad2d((1, 2, 0, 3)), (2, 4, 5)),
    "zero padding of channels": (lambda: nn.ConstantPad3d((0, 0, 1, 1, 2, 0), 0), (2, 4, 5)),
    "reflected padding": (lambda: nn.ReflectionPad2d((1, 2, 0, 3)), (2, 4, 5)),
    "replicated padding": (lambda: nn.ReplicationPad2d((1, 2, 0, 3)), (2, 4, 5)),
    "replicated padding 1d": (lambda: nn.ReplicationPad1d(2), (2, 4)),
    "upsampling": (lambda: nn.Upsample(scale_factor=(2, 3)), (2, 4, 5)),
    "upsampling, bilinear": (lambda: nn.Upsample(scale_factor=2, mode="bilinear"), (2, 4, 5)),
    "upsampling to a size": (lambda: nn.Upsample((8, 15), mode="bilinear", align_corners=True), (2, 4, 5)),
    "prelu": (lambda: nn.PReLU(), (7,)),
    "prelu by channel": (lambda: nn.PReLU(3), (3, 4, 4)),
    "relu6": (lambda: nn.ReLU6(), (7,)),
    "hardsigmoid": (lambda: nn.Hardsigmoid(), (7,)),
    "hardswish": (lambda: nn.Hardswish(), (7,)),
    "silu": (lambda: nn.SiLU(), (7,)),
    "gelu": (lambda: nn.GELU(), (7,)),
    "gelu by tanh": (lambda: nn.GELU(approximate="tanh"), (7,)),
    "elu": (lambda: nn.ELU(0.7), (7,)),
    "softplus": (lambda: nn.Softplus(3), (7,)),
    "leaky relu": (lambda: nn.LeakyReLU(0.2), (7,)),
    "softmax": (lambda: nn.Sequential(nn.Linear(6, 4), nn.Softmax(dim=-1)), (6,)),
    "log softmax": (lambda: nn.Sequential(nn.Linear(6, 4), nn.LogSoftmax(dim=-1)), (6,)),
    "softmax over channels": (lambda: nn.Softmax(dim=1), (3, 4, 4)),
    "shapes": (lambda: nn.Sequential(nn.Flatten(), nn.Unflatten(1, (3, 2, 4)), nn.Identity()), (2, 3, 4)),
    "dropout": (lambda: nn.Sequential(nn.Dropout(0.3), nn.Dropout2d(0.3), nn.ReLU(inplace=True)), (3, 4, 4)),
}


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-10)])
@pytest.mark.parametrize("name", MODULES)
@pytest.mark.filterwarnings("error")
def test_every_module_gives_the_same_scores_both_ways(name: str, dtype: Any, tolerance: float) -> None:
    make, shape = MODULES[name]
    module = seeded(make(), dtype)
    network = from_torch(module, shape)
    if network.parameters:
        assert str(network.dtype) == str(dtype).removeprefix("torch.")
    x = np.random.default_rng(0).uniform(-1, 1, (3, *shape)).astype(str(dtype).removeprefix("torch."))
    theirs, ours = module(torch.from_numpy(x)).detach().numpy(), network.forward(x)[-1]
    assert ours.dtype == theirs.dtype
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() <= tolerance * np.abs(theirs).max()
    again = to_torch(from_torch(module, shape))(torch.from_numpy(x)).detach().numpy()
    assert np.abs(again - theirs).max() <= tolerance * np.abs(theirs).max()


KINKED = [nn.ReLU6(), nn.Hardsigmoid(), nn.Hardswish(), nn.ELU(0.7), nn.PReLU(), nn.LeakyReLU()]


@pytest.mark.parametrize("module", KINKED, ids=lambda module: type(module).__name__)
def test_at_a_kink_the_slope_is_that_of_autograd(module: Any) -> None:
    a = np.array([[-3.0, -1, 0, 1, 3, 6, 7]], np.float32)
    x = torch.from_numpy(a.copy()).requires_grad_()
    module(x).sum().backward()
    np.testing.assert_allclose(from_torch(module)[0].backward(a, np.ones_like(a)), x.grad.numpy(), rtol=1e-6)


class Chain(nn.Module):
    """Functions and methods in the place of modules."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 4, 3, padding=1)
        self.features = nn.Sequential(nn.Conv2d(4, 4, 3), nn.BatchNorm2d(4))
        self.last = nn.Linear(16, 3)

    def forward(self, x: Any) -> Any:
        batch = x.size(0)
        x = F.max_pool2d(F.relu(self.first(x)), 2)
        x = F.leaky_relu(self.features(x), 0.1)
        x = F.avg_pool2d(x, kernel_size=2, stride=1)
        x = F.dropout(x.relu(), 0.2, training=self.training)
        x = torch.max_pool2d(x, 1).reshape(batch, -1)
        x = torch.flatten(torch.tanh(x), 1).view(x.shape[0], 16)
        return torch.softmax(self.last(x), dim=1)


def test_a_forward_of_functions_is_traced() -> None:
    module = seeded(Chain()).train()
    network = from_torch(module, (1, 10, 10))
    assert module.training
    assert module.features[1].training  # it is left as it was
    assert difference(module.eval(), network, (1, 10, 10)) <= 1e-10
    assert network.info["torch"]["features.0"] == "features.0 (Conv2d)"


class Modern(nn.Module):
    """The functions of the newer modules, with their options."""

    def forward(self, x: Any) -> Any:
        x = F.elu(F.relu6(F.pad(x, (1, 0, 2, 1))), alpha=0.7)
        x = F.hardswish(F.pad(x, (1, 1, 1, 0), mode="reflect"))
        x = F.gelu(F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False), approximate="tanh")
        x = F.silu(F.adaptive_avg_pool2d(x, (3, 4)).permute(0, 2, 3, 1))
        return F.softplus(F.hardsigmoid(x), beta=2)


def test_the_newer_functions_are_traced_with_their_options() -> None:
    network = from_torch(Modern(), (2, 4, 5)).astype(np.float64)
    assert difference(Modern(), network, (2, 4, 5)) <= 1e-6  # no parameters: in float32
    names = [type(layer).__name__ for layer in network]
    assert names == ["Pad", "ReLU6", "ELU", "Pad", "Hardswish", "Upsample", "GELU", "AdaptiveAvgPool2d", "Permute",
                     "SiLU", "Hardsigmoid", "Softplus"]  # fmt: skip


class LogProbabilities(nn.Module):
    def __init__(self, end: Any) -> None:
        super().__init__()
        self.last, self.end = nn.Linear(4, 3), end

    def forward(self, x: Any) -> Any:
        return self.end(self.last(x))


ENDS = {
    "F": lambda x: F.log_softmax(x, dim=1),
    "F, negative": lambda x: F.log_softmax(x, -1),
    "torch": lambda x: torch.log_softmax(x, 1),
    "method": lambda x: x.log_softmax(dim=1),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_final_log_softmax_is_left_out_of_the_scores(end: str) -> None:
    module = seeded(LogProbabilities(ENDS[end]))
    network = from_torch(module, (4,))
    assert difference(module, network, (4,)) <= 1e-10
    x = np.random.default_rng(0).uniform(-1, 1, (2, 4))
    np.testing.assert_allclose(network.scores(x), module.last(torch.from_numpy(x)).detach().numpy(), atol=1e-12)


class Optional(nn.Module):
    """Arguments that a caller may leave out."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(4, 3)

    def forward(self, x: Any, mask: Any = None, *, scale: float = 1.0, **more: Any) -> Any:
        if mask is not None:
            x = x * mask
        return torch.relu(self.inner(x)) if scale == 1.0 else x


@pytest.mark.parametrize("wrap", [lambda m: m, nn.Sequential], ids=["alone", "nested"])
def test_arguments_after_the_first_keep_their_defaults(wrap: Any) -> None:
    module = wrap(seeded(Optional()))
    network = from_torch(module, (4,))
    assert difference(module, network, (4,)) <= 1e-10
    assert network.names[0].endswith("inner")


def halved(module: Any, x: Any, y: Any = None) -> Any:
    """A hook: what it gives takes the place of the input (before) or of the output (after)."""
    return torch.tanh(x[0] if y is None else y)


def replaced(module: Any) -> Any:
    module.forward = lambda x: torch.tanh(type(module).forward(module, x))
    return module


CHANGED: dict[str, Any] = {
    "hook": lambda module: (module.register_forward_hook(halved), module)[1],
    "pre-hook": lambda module: (module.register_forward_pre_hook(halved), module)[1],
    "replaced forward": replaced,
}


@pytest.mark.parametrize("change", CHANGED)
@pytest.mark.parametrize("inside", [False, True])
def test_hooks_and_a_replaced_forward_are_converted_too(change: str, inside: bool) -> None:
    plain = seeded(nn.Sequential(nn.Sequential(nn.Linear(4, 4), nn.ReLU()), nn.Linear(4, 3)))
    CHANGED[change](plain[0] if inside else plain)
    for shape in ((4,), None):
        network = from_torch(plain, shape)
        assert [type(layer).__name__ for layer in network].count("Tanh") == 1
        assert difference(plain, network, (4,)) <= 1e-10


@pytest.mark.parametrize("change", CHANGED)
@pytest.mark.parametrize("wrap", [lambda m: m, nn.Sequential], ids=["alone", "nested"])
def test_a_layer_that_was_changed_is_refused_by_name(change: str, wrap: Any) -> None:
    module = wrap(CHANGED[change](nn.Linear(4, 4)))
    with pytest.raises(ValueError, match=r"0 \(Linear\).*(hooks|replaced)"):
        from_torch(module)


class Counting(nn.Module):
    """Every other call gives something else."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.calls = nn.Linear(4, 4), 0

    def forward(self, x: Any) -> Any:
        self.calls += 1
        return self.inner(x) if self.calls % 2 else torch.relu(self.inner(x))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_network_must_give_the_scores_of_the_module(dtype: Any, monkeypatch: Any) -> None:
    with pytest.raises(ValueError, match=r"by [0-9.e-]+ where the largest is"):
        from_torch(seeded(Counting(), dtype), (4,))
    module = seeded(nn.Sequential(nn.Linear(4, 4)), dtype)
    bent = 1 + (1e-3 if dtype == torch.float32 else 1e-8)
    monkeypatch.setattr(nn.Linear, "forward", lambda self, x: F.linear(x, bent * self.weight, self.bias))
    with pytest.raises(ValueError, match="other scores than the module"):
        from_torch(module, (4,))
    assert len(from_torch(module)) == 1  # without an input_shape nothing is compared


def test_what_is_wrapped_is_unwrapped_with_a_warning() -> None:
    module = seeded(nn.Sequential(nn.Linear(4, 3), nn.ReLU()))
    plain = from_torch(module, (4,))
    for wrapped, named in ((torch.compile(module), "_orig_mod"), (nn.DataParallel(module), "module")):
        with pytest.warns(UserWarning, match=rf"module\.{named} of a") as caught:
            network = from_torch(wrapped, (4,))
        assert caught[0].filename == __file__
        assert network.info == plain.info
        assert np.array_equal(network[0].W, plain[0].W)
    module.compile()  # in place: still this module
    assert from_torch(module, (4,)).info == plain.info
    assert module._compiled_call_impl is not None


@pytest.mark.parametrize("shape", [None, (4,)])
def test_a_module_without_values_is_refused(shape: Any) -> None:
    for module in (nn.Linear(4, 3, device="meta"), nn.Sequential(nn.BatchNorm1d(4, device="meta", affine=False))):
        with pytest.raises(ValueError, match=r"from_torch: .*(weight|running_mean) is on the meta device") as caught:
            from_torch(module, shape)
        assert len(str(caught.value)) < 120


class Mean(nn.Module):
    def forward(self, x: Any) -> Any:
        return x.mean(dim=(2, 3))


def test_a_mean_over_the_image_is_global_pooling() -> None:
    network = from_torch(nn.Sequential(nn.Conv2d(1, 2, 3).double(), Mean()), (1, 5, 5))
    assert [type(layer) for layer in network] == [Conv2d, GlobalAvgPool, Flatten]


@pytest.mark.parametrize("name", nnlite.models.VERIFIED)
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float64", 1e-10)])
def test_the_shipped_networks_there_and_back(name: str, dtype: str, tolerance: float) -> None:
    network = nnlite.models.load(name).astype(dtype)
    module = to_torch(network)
    shape = network.input_shape
    assert shape is not None
    assert difference(module, network, shape) <= tolerance
    again = from_torch(module, shape)
    assert again.names == network.names
    for ours, theirs in zip(network.parameters.values(), again.parameters.values(), strict=True):
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_there_and_back(name: str) -> None:
    network, x = example(name)
    module = to_torch(network)
    again = from_torch(module, network.input_shape)
    scores = network.forward(x)[-1]
    assert np.abs(module(torch.from_numpy(x.copy())).detach().numpy() - scores).max() <= 1e-10 * np.abs(scores).max()
    assert np.array_equal(again.forward(x)[-1], scores)


def test_the_parameters_are_copies() -> None:
    module = nn.Linear(2, 1)
    network = from_torch(module)
    before = network.parameters["0.W"].copy()
    with torch.no_grad():
        module.weight.zero_()
    assert np.array_equal(network.parameters["0.W"], before)


# -------------------------------------------------------------------------------------------------- branches


class Body(nn.Module):
    """A module around any function of x."""

    def __init__(self, body: Any) -> None:
        super().__init__()
        self.body = body
        self.inner = nn.Linear(4, 4)
        self.conv = nn.Conv2d(4, 4, 3, padding=1)
        self.scale = nn.Parameter(torch.ones(4))
        self.relu, self.overwrite = nn.ReLU(), nn.ReLU(inplace=True)
        self.register_buffer("mean", torch.ones(1, 4))
        self.register_buffer("var", torch.ones(4))

    def forward(self, x: Any) -> Any:
        return self.body(self, x)


def shuffled(m: Any, x: Any) -> Any:
    n, channels, height, width = x.shape
    return x.view(n, 2, channels // 2, height, width).transpose(1, 2).reshape(n, -1, height, width)


def turned(m: Any, x: Any) -> Any:
    first, second = x.chunk(2, dim=1)
    return torch.cat([second, F.relu(first), second], 1)


def gated(m: Any, x: Any) -> Any:
    y = m.conv(x)
    return x + y * torch.sigmoid(m.inner(y.mean((2, 3)))).view(-1, 4, 1, 1)


def added_to(m: Any, x: Any) -> Any:
    y = z = m.inner(x)
    y += x
    return torch.cat([y, z], 1)


def enlarged(m: Any, x: Any) -> Any:
    y = F.max_pool2d(m.conv(x), 2)
    return torch.cat([F.interpolate(y, size=x.shape[-2:]), F.interpolate(y, scale_factor=2.0, mode="bilinear"), x], -3)


VECTOR, IMAGE = (4,), (4, 6, 6)

GRAPHS: dict[str, tuple[Any, tuple[int, ...], str]] = {
    "x + y": (lambda m, x: x + torch.relu(m.inner(x)), VECTOR, "Dense ReLU Add"),
    "torch.add": (lambda m, x: torch.add(m.inner(x), x, alpha=2), VECTOR, "Dense Scale Add"),
    "add_": (lambda m, x: m.inner(x).add_(x), VECTOR, "Dense Add"),
    "+=": (added_to, VECTOR, "Dense Add Concat"),
    "x + x": (lambda m, x: m.inner(x + x), VECTOR, "Add Dense"),
    "x - y": (lambda m, x: 1 - m.inner(x) - x / 2, VECTOR, None),
    "-x": (lambda m, x: F.relu(-m.inner(x)), VECTOR, "Dense Scale ReLU"),
    "a number": (lambda m, x: m.inner(x) * 2 + 1, VECTOR, "Dense Scale Constant Add"),
    "a parameter": (lambda m, x: m.inner(x * m.scale), VECTOR, "Constant Multiply Dense"),
    "statistics": (lambda m, x: (x - m.mean) / m.var.sqrt(), VECTOR, "Constant Add Constant Multiply"),
    "a parameter along the channels": (lambda m, x: x + m.scale.view(1, -1, 1, 1), IMAGE, "Constant Add"),
    "a parameter beside": (lambda m, x: torch.cat([m.mean.expand(x.size(0), -1), x], 1), VECTOR, "Constant Concat"),
    "weights of functions": (lambda m, x: F.linear(x, m.inner.weight, m.inner.bias), VECTOR, "Dense"),
    "F.conv2d": (lambda m, x: F.conv2d(x, m.conv.weight, stride=2), IMAGE, "Conv2d"),
    "F.batch_norm": (lambda m, x: F.batch_norm(x, m.mean[0], m.var, m.scale, None, m.training), IMAGE, "BatchNorm"),
    "F.group_norm": (lambda m, x: F.group_norm(x, 2, m.scale, m.mean[0]), IMAGE, "GroupNorm"),
    "F.instance_norm": (lambda m, x: F.instance_norm(x), IMAGE, "InstanceNorm"),
    "squeeze and excitation": (gated, IMAGE, None),
    "several calls": (lambda m, x: m.relu(m.inner(m.relu(m.inner(x)))), VECTOR, "Dense ReLU Dense ReLU"),
    "every second pixel": (
        lambda m, x: F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 2, 2)),
        IMAGE,
        "Slice Slice Pad",
    ),
    "an index": (lambda m, x: x[:, 1] + x[..., 0, :, :], IMAGE, "Take Take Add"),
    "chunk": (turned, IMAGE, "Slice ReLU Slice Concat"),
    "split, one part unused": (lambda m, x: x.split([1, 2, 1], 1)[1], IMAGE, "Slice"),
    "channel shuffle": (shuffled, IMAGE, "Reshape Permute Reshape"),
    "axes": (lambda m, x: m.inner(x.permute(0, 2, 3, 1)).transpose(-1, 1), IMAGE, "Permute Dense Permute"),
    "flatten in part": (lambda m, x: x.flatten(2).unsqueeze(1).squeeze(1), IMAGE, "Reshape Reshape Reshape"),
    "enlarged": (enlarged, IMAGE, "Conv2d MaxPool2d Upsample Upsample Concat"),
    "in place, then read": (lambda m, x: (x.relu_(), m.inner(x))[1], VECTOR, "ReLU Dense"),
    "in place by a module": (lambda m, x: m.inner(m.overwrite(x)) + x, VECTOR, "ReLU Dense Add"),
    "in place on a branch": (lambda m, x: m.relu(m.inner(x)).mul_(2) + x, VECTOR, "Dense ReLU Scale Add"),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_a_graph_becomes_layers_with_wires_and_goes_back(name: str) -> None:
    body, shape, kinds = GRAPHS[name]
    module = seeded(Body(body))
    network = from_torch(module, shape)
    x = np.random.default_rng(0).uniform(-1, 1, (3, *shape))
    theirs = module(torch.from_numpy(x.copy())).detach().numpy()
    assert kinds is None or [type(layer).__name__ for layer in network] == kinds.split()
    np.testing.assert_allclose(network.output(x), theirs, rtol=0, atol=1e-10 * np.abs(theirs).max())
    back = to_torch(network)
    assert difference(back, network, shape) <= 1e-10
    again = from_torch(back, shape)
    assert again.wires == network.wires or "Reshape" in str(network.layers)  # there of two modules
    assert np.array_equal(again.output(x), network.output(x))


class Nested(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer1 = nn.Sequential(Body(lambda m, x: m.relu(m.inner(m.relu(x)) + x)), nn.Linear(4, 3))

    def forward(self, x: Any) -> Any:
        return F.relu(self.layer1(x)) + self.layer1(x)


def test_names_are_the_paths_of_the_modules() -> None:
    network = from_torch(seeded(Nested()), VECTOR)
    first = ("layer1.0.relu", "layer1.0.inner", "layer1.0.add", "layer1.0.relu_1", "layer1.1", "relu")
    again = ("layer1.0.relu_2", "layer1.0.inner_1", "layer1.0.add_1", "layer1.0.relu_3", "layer1.1_1", "add")
    assert network.names == (*first, *again)
    assert network.read(2, ["x", "relu", "inner"]) == ("inner", "x")


def test_a_network_that_branches_keeps_its_names_and_wires() -> None:
    W = np.arange(4.0).reshape(2, 2)
    block = Branches([[Dense(W), ReLU()], [], [Dense(W), Slice(1), Pad((0,))]], Concat())
    layers = [Residual([Dense(W), ReLU()]), block, Constant([[1.0, -2.0, 3.0, 0.5, 2.0, 1.0]]), Multiply()]
    names = [*(f"layer{n}" for n in range(8)), "join", "constant", "read"]
    network = Network(layers, names, (2,), wires={"constant": (), "read": ("join", "constant")})
    module = to_torch(network)
    assert difference(module, network, (2,)) <= 1e-15
    with torch.no_grad():
        module.constant.value *= 2  # trained there
        module.read_.eval()
    again = from_torch(copy.deepcopy(module), (2,))
    assert again.wires == network.wires
    assert again.names == (*names[:-1], "read_")
    np.testing.assert_allclose(again.output(np.ones((1, 2))), 2 * network.output(np.ones((1, 2))))


# --------------------------------------------------------------------------------------------- what is refused


class Two(nn.Module):
    def forward(self, x: Any, y: Any) -> Any:
        return x


def hooked() -> Any:
    module = nn.Linear(4, 4)
    module.register_forward_hook(lambda *a: None)
    return nn.Sequential(module)


REFUSED: dict[str, tuple[Any, tuple[int, ...] | None, list[str]]] = {
    "unknown module": (lambda: nn.Sequential(nn.Linear(4, 4), nn.Mish()), None, ["1 (Mish)", "Supported", "Conv2d"]),
    "unknown function": (lambda: Body(lambda m, x: F.mish(m.inner(x))), None, ["mish", "Supported", "max_pool2d"]),
    "unknown option": (lambda: Body(lambda m, x: torch.tanh(x, out=None)), None, ["tanh", "arguments"]),
    "unknown method": (lambda: Body(lambda m, x: m.inner(x).abs()), None, ["x.abs()", "Supported"]),
    "a number of unknown shape": (lambda: Body(lambda m, x: m.inner(x) + 2), None, ["add", "give input_shape"]),
    "division by activations": (lambda: Body(lambda m, x: 1 / m.inner(x)), VECTOR, ["truediv", "by a number"]),
    "a parameter of another shape": (lambda: Body(lambda m, x: m.scale[:3] + x), VECTOR, ["add", "(1, 3)", "(1, 4)"]),
    "a branch of another shape": (lambda: Body(lambda m, x: m.inner(x)[:, :3] + x), VECTOR, ["add", "one shape"]),
    "samples side by side": (lambda: Body(lambda m, x: x.view(-1, 2)), VECTOR, ["x.view()", "several samples"]),
    "samples picked": (lambda: Body(lambda m, x: x[1:]), VECTOR, ["getitem", "samples"]),
    "samples concatenated": (lambda: Body(lambda m, x: torch.cat([x, x])), VECTOR, ["cat", "dim=0"]),
    "the number of samples": (lambda: Body(lambda m, x: x * x.size(0)), VECTOR, ["mul"]),
    "chunks of an unknown size": (lambda: Body(lambda m, x: x.chunk(2, 1)[0]), None, ["chunk", "give input_shape"]),
    "a slice of unknown size": (lambda: Body(lambda m, x: x[:, x.size(1) :]), None, ["getitem", "an unknown size"]),
    "a slice by samples": (lambda: Body(lambda m, x: x[:, : x.size(0)]), VECTOR, ["getitem", "x.size(0)"]),
    "an index of numbers": (lambda: Body(lambda m, x: x[:, m.var > 0]), VECTOR, ["getitem", "index"]),
    "a buffer changed in place": (lambda: Body(lambda m, x: m.var.add_(x)), VECTOR, ["add_", "no activation"]),
    "statistics of the batch": (
        lambda: Body(lambda m, x: F.batch_norm(x, m.mean[0], m.var, training=True)),
        VECTOR,
        ["running statistics"],
    ),
    "overwritten in a view": (
        lambda: Body(lambda m, x: (y := m.inner(x), v := y[:, :2], y.relu_(), v)[-1]),
        VECTOR,
        ["x.relu_()", "in place"],
    ),
    "overwritten below a view": (
        lambda: Body(lambda m, x: (y := m.inner(x), y.view(-1, 2, 2).mul_(2), m.inner(y))[-1]),
        VECTOR,
        ["x.mul_()"],
    ),
    "overwritten through dropout": (
        lambda: Body(lambda m, x: (F.dropout(x, training=m.training).relu_(), m.inner(x))[1]),
        None,
        ["x.relu_()"],
    ),
    "a changed parameter": (lambda: Body(lambda m, x: x * m.scale.mul_(2)), VECTOR, ["mul_", "in place"]),
    "assignment": (lambda: Body(lambda m, x: (x.__setitem__(0, 1), x)[1]), VECTOR, ["setitem"]),
    "no input": (lambda: Body(lambda m, x: m.scale), VECTOR, ["depends on the input"]),
    "branch from below": (
        lambda: Body(lambda m, x: (m.inner(x), torch.relu(x))[1]),
        None,
        ["inner (Linear)", "not used"],
    ),
    "several outputs": (lambda: Body(lambda m, x: (m.inner(x), 0)), None, ["one array of scores"]),
    "two inputs": (Two, None, ["second input y"]),
    "decision": (lambda: Body(lambda m, x: x if x.sum() > 0 else -x), None, ["cannot be traced", "graph of"]),
    "dropout always on": (lambda: Body(lambda m, x: F.dropout(x)), None, ["training=self.training"]),
    "hooks": (hooked, None, ["0 (Linear)", "forward hooks"]),
    "padding mode": (lambda: nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect"), None, ["reflect", "zeros"]),
    "uneven padding": (lambda: nn.Conv2d(1, 1, 2, padding="same"), None, ["same", "wider"]),
    "pooling with dilation": (lambda: nn.MaxPool2d(2, dilation=2), None, ["dilation=1"]),
    "pooling with a divisor": (lambda: nn.AvgPool2d(2, divisor_override=3), None, ["divisor_override"]),
    "adaptive pooling of unknown size": (lambda: nn.AdaptiveAvgPool2d((7, None)), None, ["give input_shape"]),
    "upsampling by a part": (lambda: nn.Upsample(scale_factor=1.5), None, ["1.5", "whole number"]),
    "upsampling to an unknown size": (lambda: nn.Upsample(8), None, ["give input_shape"]),
    "upsampling by cubes": (lambda: nn.Upsample(scale_factor=2, mode="bicubic"), None, ["bicubic"]),
    "padding with ones": (lambda: nn.ConstantPad2d(1, 1.0), None, ["padding with 1.0"]),
    "padding that cuts": (lambda: nn.ZeroPad2d(-1), None, ["pad=(-1, -1, -1, -1)"]),
    "the batch permuted": (lambda: Body(lambda m, x: x.permute(1, 0)), None, ["the samples"]),
    "softmax over rows": (lambda: nn.Softmax(dim=0), None, ["dim=0", "dim=1"]),
    "flatten with the batch": (lambda: nn.Flatten(0), (4,), ["flatten(0, -1)", "several samples"]),
    "unknown size in a view": (lambda: Body(lambda m, x: x.view(x.size(0), 2, -1)), None, ["x.view()"]),
    "no running statistics": (lambda: nn.BatchNorm1d(4, track_running_stats=False), None, ["running statistics"]),
    "half precision": (lambda: nn.Linear(4, 4).half(), None, ["float16", "module.float()"]),
    "wrong sizes": (lambda: nn.Sequential(nn.Linear(4, 3), nn.Linear(4, 3)), (4,), ["1 (Linear)", "(N, 4)"]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_has_no_counterpart_is_refused_by_name(case: str) -> None:
    make, shape, expected = REFUSED[case]
    with pytest.raises(ValueError, match="from_torch") as caught:
        from_torch(make(), shape)
    message = str(caught.value)
    assert "\n" not in message
    for part in expected:
        assert part in message


def test_a_class_in_the_place_of_a_module_is_refused() -> None:
    with pytest.raises(TypeError, match="call it first"):
        from_torch(nn.Linear)


def test_to_torch_refuses_what_has_no_module() -> None:
    with pytest.raises(ValueError, match=r"mask1.*the draw was made from"):
        to_torch(Network([Mask(np.ones((1, 4)))]))
    norm = BatchNorm([1.0], [0.0], [0.0], [1.0])
    with pytest.raises(ValueError, match="input_shape"):
        to_torch(Network([norm]))
    x = torch.ones((1, 2), dtype=torch.float64)
    assert to_torch(Network([Dense(np.ones((2, 1))), norm]))(x).shape == (1, 1)


@pytest.mark.parametrize("name", ["forward", "training", "add", "_modules", "a.b", "weight", "Σ /", "0"])
def test_to_torch_takes_layers_of_any_name(name: str) -> None:
    network = Network([Dense(np.ones((2, 3))), Dense(np.ones((3, 1)))], names=["first", name], input_shape=(2,))
    assert difference(to_torch(network), network, (2,)) == 0


def test_to_torch_refuses_names_that_become_the_same() -> None:
    with pytest.raises(ValueError, match="a dot is _"):
        to_torch(Network([Dense(np.eye(2)), Dense(np.eye(2))], names=["a.b", "a_b"]))


def test_reshape_of_an_image_is_kept() -> None:
    network = Network([Reshape((2, 2, 3))])
    assert difference(to_torch(network), Network([Reshape((2, 2, 3)), Dense(np.ones((1, 1)))])[:1], (3, 2, 2)) == 0


# ------------------------------------------------------------------------------------------------- .pt files


def test_weights_from_a_file(tmp_path: Any) -> None:
    path = tmp_path / "weights.pt"
    module = seeded(Chain())
    for content in (module.state_dict(), {"epoch": 3, "state_dict": module.state_dict()}):
        torch.save(content, path)
        other = Chain().double()
        for given in (other, lambda: Chain().double()):
            assert difference(module, load_torch(path, given, (1, 10, 10)), (1, 10, 10)) <= 1e-10
        assert not torch.equal(other.last.weight, module.last.weight)  # it stays as it was


class Evil:
    def __reduce__(self) -> Any:
        return (print, ("executed",))


def test_files_that_are_refused(tmp_path: Any, capsys: Any) -> None:
    path = tmp_path / "weights.pt"
    with pytest.raises(FileNotFoundError, match="no such file"):
        load_torch(path, nn.Linear(2, 2))
    torch.save(nn.Linear(2, 2), path)
    with pytest.raises(ValueError, match="state_dict"):
        load_torch(path, nn.Linear(2, 2))
    torch.save({"weight": Evil()}, path)
    with pytest.raises(ValueError, match="not executed"):
        load_torch(path, nn.Linear(2, 2))
    torch.save([1, 2], path)
    with pytest.raises(ValueError, match="dictionary of tensors"):
        load_torch(path, nn.Linear(2, 2))
    torch.save(nn.Linear(3, 2).state_dict(), path)
    with pytest.raises(ValueError, match="do not fit the module"):
        load_torch(path, nn.Linear(2, 2))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"weights\.pt"):
        load_torch(path, nn.Linear(2, 2))
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"weights\.pt"):
        load_torch(path, nn.Linear(2, 2))
    with pytest.raises(TypeError, match=r"nn\.Module"):
        load_torch(path, "module")
    assert "executed" not in capsys.readouterr().out


def test_damaged_files_are_refused_in_words(tmp_path: Any) -> None:
    path, random = tmp_path / "weights.pt", np.random.default_rng(0)
    module = nn.Linear(2, 2)
    torch.save(module.state_dict(), path)
    whole = path.read_bytes()
    torch.save(module.state_dict(), path, _use_new_zipfile_serialization=False)
    old = path.read_bytes()
    torch.save({1: torch.ones(2), None: torch.ones(2)}, path)
    strange = path.read_bytes()
    np.savez(tmp_path / "other.npz", W=np.ones(3))
    contents = [(tmp_path / "other.npz").read_bytes(), strange, pickle.dumps({"weight": [1.0]}), pickle.dumps(Evil())]
    contents += [content[:n] for content in (whole, old) for n in range(0, len(content), 37)]
    contents += [random.bytes(n) for n in (1, 100, 5000)]
    for content in (whole, old):
        for _ in range(200):
            changed = bytearray(content)
            changed[random.integers(len(changed))] = random.integers(256)
            contents.append(bytes(changed))
    said = []
    for content in contents:
        path.write_bytes(content)
        try:
            W = load_torch(path, module)[0].W  # a changed byte may be one of a number, where there is no checksum
            assert not content.startswith(b"PK") or np.array_equal(W.T, module.weight.detach().numpy())
        except (ValueError, TypeError) as error:
            said.append(str(error))
    assert len(said) > 200
    assert all(str(path) in line and "\n" not in line for line in said)


# ---------------------------------------------------------------------------------------------------- transformers


def rows(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).normal(size=shape)


def grouped(tokens: np.ndarray | None = None) -> Network:
    """Two blocks with grouped heads, positions, a mask, both norms, and one token taken out."""
    rotary, W = Rotary(100.0, width=2, halves=True), [rows(8, 8), rows(8, 4), rows(8, 4), rows(8, 8)]
    mask = AttentionMask(np.array([[1, 1, 1], [0, 1, 1], [1, 1, 1]]), causal=True)
    first = SelfAttention(*W, heads=4, key_heads=2, mask=mask, rotary=rotary)
    norms = RMSNorm(rows(8), 0.1), LayerNorm(rows(8), rows(8), 0.1)
    second = SelfAttention(*[rows(8, 8)] * 4, heads=2, mask=AttentionMask(rows(2, 1, 1, 3) < 1), rotary=Rotary())
    mlp = [Dense(rows(8, 6), rows(6)), GELU(), Dense(rows(6, 8))]
    start = [] if tokens is None else [Embedding(tokens)]
    blocks = [TransformerBlock(first, mlp, norms=norms), TransformerBlock(second, mlp, norm_first=False)]
    return Network([*start, *blocks, Take(-1), Dense(rows(8, 3))], input_shape=(3,) if start else (3, 8))


def test_a_transformer_goes_to_pytorch_and_back_with_its_gradient() -> None:
    network, x = grouped(), rows(2, 3, 8)
    module = to_torch(network)
    t = torch.from_numpy(x).requires_grad_()
    scores = module(t)
    np.testing.assert_allclose(network(x), scores.detach().numpy(), rtol=1e-10)
    theirs = torch.autograd.grad(scores[:, 1].sum(), t)[0].numpy()
    np.testing.assert_allclose(nnlite.decision_based.gradient(network, x, 1), theirs, rtol=1e-10, atol=1e-12)
    again = from_torch(module)
    np.testing.assert_allclose(again(x), network(x), rtol=1e-12)
    assert [type(layer) for layer in again] == [type(layer) for layer in network]


def test_a_network_of_tokens_goes_to_pytorch_and_back() -> None:
    network, x = grouped(rows(5, 8)), np.array([[0, 4, 2], [1, 1, 3]])
    module = to_torch(network)
    np.testing.assert_allclose(module(torch.from_numpy(x)).detach().numpy(), network(x), rtol=1e-10)
    np.testing.assert_allclose(from_torch(module)(x), network(x), rtol=1e-12)


CAUSAL = nn.Transformer.generate_square_subsequent_mask(5, dtype=torch.float64)
PADDED = torch.where(torch.tensor([[False, False, True, False, True]]), -torch.inf, 0.0).double()


class Attention(nn.Module):
    """Attention written out in one of several ways; x (N, 5, 8) for two heads."""

    def __init__(self, body: Any, **parts: Any) -> None:
        super().__init__()
        self.body = body
        self.query, self.key, self.value, self.out = (nn.Linear(8, 8) for _ in range(4))
        self.packed = nn.Linear(8, 24)
        self.W = nn.Parameter(torch.ones(8, 8))
        self.register_buffer("tril", torch.tril(torch.ones(1, 1, 6, 6)).bool())
        for name, part in parts.items():
            setattr(self, name, part)

    def forward(self, x: Any) -> Any:
        return self.body(self, x)

    def heads(self, x: Any) -> list[Any]:
        return [f(x).view(x.size(0), -1, 2, 4).transpose(1, 2) for f in (self.query, self.key, self.value)]


def written_out(m: Any, x: Any) -> Any:
    n, t, d = x.shape
    q, k, v = m.heads(x)
    a = (q @ k.transpose(-2, -1)) / math.sqrt(k.size(-1))
    a = F.softmax(a.masked_fill(m.tril[:, :, :t, :t] == 0, float("-inf")), dim=-1)
    return m.out((a @ v).transpose(1, 2).contiguous().view(n, t, d))


def in_one_array(m: Any, x: Any) -> Any:
    """As timm has it."""
    n, t, d = x.shape
    q, k, v = m.packed(x).reshape(n, t, 3, 2, d // 2).permute(2, 0, 3, 1, 4).unbind(0)
    y = F.scaled_dot_product_attention(q, k, v, scale=0.3)
    return m.out(y.transpose(1, 2).reshape(n, t, d))


def additive(m: Any, x: Any) -> Any:
    q, k, v = m.packed(x).chunk(3, dim=-1)
    q, k, v = (y.unflatten(-1, (2, 4)).permute(0, 2, 1, 3) for y in (q, k, v))
    return (torch.matmul(q * 0.5, k.mT) + CAUSAL).softmax(-1) @ v


def of_module(**options: Any) -> Any:
    return lambda m, x: x + m.attention(x, x, x, **options)[0]


def multihead(**options: Any) -> dict[str, Any]:
    return {"attention": nn.MultiheadAttention(8, 2, batch_first=True, **options)}


def encoder(**options: Any) -> dict[str, Any]:
    layer = nn.TransformerEncoderLayer(8, 2, 12, batch_first=True, **options)
    return {"encoder": nn.TransformerEncoder(layer, 2, nn.LayerNorm(8))}


HEADS, SCORES = "SplitHeads SplitHeads SplitHeads", "MatMul Scale AttentionMask Softmax MatMul"
MULTIHEAD = "Dense SplitHeads Dense SplitHeads Dense SplitHeads MatMul Scale"
ATTENTION: dict[str, tuple[Any, dict[str, Any], str | None]] = {
    "written out": (
        written_out,
        {},
        f"Dense SplitHeads Dense SplitHeads Dense SplitHeads {SCORES} MergeHeads Dense",
    ),
    "queries, keys, values in one array": (in_one_array, {}, None),
    "an additive mask": (additive, {}, None),
    "bool mask": (
        lambda m, x: F.scaled_dot_product_attention(*m.heads(x), attn_mask=m.tril[0, 0, 1:, 1:]),
        {},
        None,
    ),
    "causal": (
        lambda m, x: F.scaled_dot_product_attention(*m.heads(x), is_causal=True).transpose(1, 2).flatten(2),
        {},
        f"Dense SplitHeads Dense SplitHeads Dense SplitHeads {SCORES} MergeHeads",
    ),
    "a matrix": (lambda m, x: F.layer_norm(x @ m.W, (8,)), {}, "Dense LayerNorm"),
    "the mean token": (lambda m, x: m.out(x.mean(1)), {}, "Reshape AvgPool2d Flatten Dense"),
    "one token": (lambda m, x: m.out(x[:, -2]), {}, "Take Dense"),
    "a class token and positions": (
        lambda m, x: torch.cat([m.cls.expand(x.shape[0], -1, -1), x], 1) + m.pos,
        {"cls": nn.Parameter(torch.ones(1, 1, 8)), "pos": nn.Parameter(torch.ones(1, 6, 8))},
        "Constant Concat Constant Add",
    ),
    "module": (of_module(), multihead(), f"{MULTIHEAD} Softmax MatMul MergeHeads Dense Add"),
    "module without biases": (of_module(need_weights=False), multihead(bias=False, dropout=0.1), None),
    "module, CAUSAL and PADDED": (of_module(attn_mask=CAUSAL, key_padding_mask=PADDED), multihead(), None),
    "module, PADDED": (of_module(key_padding_mask=PADDED), multihead(), None),
    "encoder": (lambda m, x: m.encoder(x), encoder(), None),
    "encoder, norm first": (lambda m, x: m.encoder(x), encoder(norm_first=True, activation="gelu", dropout=0), None),
    "encoder, PADDED": (lambda m, x: m.encoder(x, src_key_padding_mask=torch.arange(5)[None] > 2), encoder(), None),
    "encoder, causal": (lambda m, x: m.encoder(x, mask=CAUSAL, is_causal=True), encoder(activation=nn.SiLU()), None),
}


@pytest.mark.parametrize("name", ATTENTION)
@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
def test_attention_of_modules_and_written_out_becomes_layers_and_goes_back(name: str) -> None:
    body, parts, kinds = ATTENTION[name]
    module = seeded(Attention(body, **parts))
    network = from_torch(module, (5, 8))
    assert kinds is None or [type(layer).__name__ for layer in network] == kinds.split()
    x = np.random.default_rng(0).normal(size=(1 if "PADDED" in name else 3, 5, 8))
    t = torch.from_numpy(x.copy()).requires_grad_()
    theirs = module(t)
    np.testing.assert_allclose(network.output(x), theirs.detach().numpy(), rtol=1e-10, atol=1e-11)
    back = to_torch(network)(t)
    np.testing.assert_allclose(back.detach().numpy(), network.output(x), rtol=1e-10, atol=1e-11)
    slopes = [torch.autograd.grad((z**2).sum(), t)[0].numpy() for z in (theirs, back)]
    np.testing.assert_allclose(slopes[1], slopes[0], rtol=1e-9, atol=1e-10 * np.abs(slopes[0]).max())


def test_tokens_are_converted_and_compared_as_integers() -> None:
    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token, self.position = nn.Embedding(7, 8), nn.Embedding(5, 8)
            self.encoder = nn.TransformerEncoderLayer(8, 2, 12, batch_first=True)
            self.head = nn.Linear(8, 3)

        def forward(self, ids: Any) -> Any:
            e = self.token(ids) + self.position(torch.arange(5, device=ids.device))
            return self.head(self.encoder(e)[:, 0])

    module, x = seeded(Tokens()), np.array([[0, 6, 2, 2, 1]])
    network = from_torch(module, (5,))
    np.testing.assert_allclose(network(x), module(torch.from_numpy(x)).detach().numpy(), rtol=1e-10)
    assert network.names[:3] == ("token", "constant", "add")
    assert {"encoder.norm1", "encoder.attention.dropout1", "encoder.mlp.dense2"} < {*network.names}


@pytest.mark.parametrize(
    ("module", "expected"),
    [
        (Attention(of_module(), attention=nn.MultiheadAttention(8, 2)), "batch_first=True"),
        (Attention(of_module(), **multihead(add_zero_attn=True)), "add_zero_attn"),
        (Attention(lambda m, x: m.attention(x, m.key(x), x)[0], **multihead()), "one activation"),
        (Attention(of_module(attn_mask=CAUSAL + 1), **multihead()), "0 and −∞"),
        (Attention(lambda m, x: x.masked_fill(m.W[:5] > 0, 0.0)), "masked_fill"),
        (nn.Embedding(5, 3, max_norm=1.0), "max_norm"),
        (nn.TransformerEncoderLayer(8, 2, batch_first=True, activation=F.mish), "activation"),
    ],
)
def test_attention_that_has_no_counterpart_is_refused_by_name(module: Any, expected: str) -> None:
    with pytest.raises(ValueError, match=f"from_torch: .*{expected}"):
        from_torch(module, (5,) if isinstance(module, nn.Embedding) else (5, 8))
