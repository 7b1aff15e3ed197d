"""Networks of the literature as modules of PyTorch, small and with seeded weights: `nnlite verify --model resnet20`.

Branches that are added, concatenated and multiplied, shortcuts of three kinds, depthwise convolutions, gates, a map as
output, attention to patches and to tokens. BatchNorm has statistics that are not 0 and 1; inputs lie in [0, 1], with
zeros among them.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..layers.arguments import Shape
from .libraries import load, missing
from .modules import inputs

Size = int | tuple[int, int]


def graph(forward: Callable[[Any, Any], Any], base: Any = None, **parts: Any) -> Any:
    """A module of these parts that computes forward(m, x)."""
    Module = load("torch.nn").Module

    def begin(self: Any) -> None:
        Module.__init__(self)
        for name, part in parts.items():
            setattr(self, name, part)

    return type("Graph", (base, Module) if base else (Module,), {"__init__": begin, "forward": forward})()


def conv(i: int, o: int, size: Size = 3, stride: Size = 1, groups: int = 1) -> Any:
    """A convolution without bias whose padding keeps the size."""
    padding = size // 2 if isinstance(size, int) else tuple(n // 2 for n in size)
    return load("torch.nn").Conv2d(i, o, size, stride, padding, groups=groups, bias=False)


def normed(i: int, o: int, size: Size = 3, stride: Size = 1, groups: int = 1, end: str = "ReLU") -> Any:
    """conv, BatchNorm, and an activation function ("": none)."""
    nn = load("torch.nn")
    ends = [getattr(nn, end)()] if end else []
    return nn.Sequential(conv(i, o, size, stride, groups), nn.BatchNorm2d(o), *ends)


def head(*layers: Any) -> Any:
    """The mean over the image, and layers behind it."""
    nn = load("torch.nn")
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), *layers)


# ------------------------------------------------------------------------------------------------------ residual


def _basic_block(self: Any, x: Any) -> Any:
    y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
    return self.relu(y + (x if self.downsample is None else self.downsample(x)))


def basic_block(i: int, o: int, stride: Size, size: Size, shortcut: Callable[..., Any]) -> Any:
    """He et al. 2016, fig. 2, with the names of torchvision's BasicBlock: zennit's ResNetCanonizer knows it."""
    nn = load("torch.nn")
    return graph(
        _basic_block, None if missing("zennit") else load("zennit.torchvision").ResNetBasicBlock,
        conv1=conv(i, o, size, stride), bn1=nn.BatchNorm2d(o), relu=nn.ReLU(),
        conv2=conv(o, o, size), bn2=nn.BatchNorm2d(o), downsample=None if i == o else shortcut(i, o, 1, stride),
    )  # fmt: skip


def padded(i: int, o: int, size: Size, stride: int) -> Any:
    """He et al. 2016, option A: every second pixel, and zeros in the new channels."""
    pad, new = load("torch.nn.functional").pad, (o - i) // 2
    return graph(lambda m, x: pad(x[:, :, ::stride, ::stride], (0, 0, 0, 0, new, new)))


def resnet(
    stem: Any, widths: tuple[int, ...], depth: int, classes: int, *, flat: bool = False, shortcut: Any = None
) -> Any:
    """He et al. 2016, "Deep residual learning for image recognition", table 1 and sec. 4.2."""
    nn = load("torch.nn")
    size, stride = ((1, 3), (1, 2)) if flat else (3, 2)
    blocks, below = [], widths[0]
    for width in widths:
        for number in range(depth):
            down = stride if number == 0 and width != widths[0] else 1
            blocks.append(basic_block(below, width, down, size, shortcut or partial(normed, end="")))
            below = width
    return nn.Sequential(stem, *blocks, head(nn.Linear(below, classes)))


def _resnet18() -> Any:
    nn = load("torch.nn")
    stem = nn.Sequential(*normed(3, 64, 7, 2), nn.MaxPool2d(3, 2, 1))
    return resnet(stem, (64, 128, 256, 512), 2, 1000)


def _resnet20() -> Any:
    return resnet(normed(3, 16), (16, 32, 64), 3, 10, shortcut=padded)


def _resnet1d() -> Any:
    return resnet(normed(2, 8, (1, 7), (1, 2)), (8, 16), 1, 4, flat=True)


# ------------------------------------------------------------------------------------------------- concatenated


def _densenet() -> Any:
    """Huang et al. 2017, "Densely connected convolutional networks", fig. 2 and table 1, with bottlenecks."""
    nn, cat, growth = load("torch.nn"), load("torch").cat, 4

    def before(i: int, o: int, size: int) -> list[Any]:
        return [nn.BatchNorm2d(i), nn.ReLU(), conv(i, o, size)]

    def block(channels: int) -> Any:
        layers = nn.Sequential(*before(channels, 4 * growth, 1), *before(4 * growth, growth, 3))
        return graph(lambda m, x: cat([x, m.layers(x)], 1), layers=layers)

    blocks = [[block(width + growth * n) for n in range(3)] for width in (8, 10)]
    transition = nn.Sequential(*before(20, 10, 1), nn.AvgPool2d(2))
    return nn.Sequential(
        conv(3, 8), *blocks[0], transition, *blocks[1], nn.BatchNorm2d(22), nn.ReLU(), head(nn.Linear(22, 5))
    )


def _inception() -> Any:
    """Szegedy et al. 2015, "Going deeper with convolutions", fig. 2b, with BatchNorm."""
    nn, cat = load("torch.nn"), load("torch").cat

    def block(i: int) -> Any:
        return graph(
            lambda m, x: cat([m.one(x), m.three(x), m.five(x), m.pooled(x)], dim=1),
            one=normed(i, 4, 1),
            three=nn.Sequential(normed(i, 4, 1), normed(4, 6)),
            five=nn.Sequential(normed(i, 2, 1), normed(2, 4, 5)),
            pooled=nn.Sequential(nn.MaxPool2d(3, 1, 1), normed(i, 2, 1)),
        )

    stem = nn.Sequential(normed(3, 8, 3, 2), nn.MaxPool2d(3, 2, 1))
    return nn.Sequential(stem, block(8), block(16), head(nn.Dropout(0.4), nn.Linear(16, 5)))


def _unet() -> Any:
    """Ronneberger et al. 2015, "U-Net", fig. 1, two levels deep. The scores are those of one place of the map."""
    nn, cat = load("torch.nn"), load("torch").cat

    def twice(i: int, o: int) -> Any:
        return nn.Sequential(normed(i, o), normed(o, o))

    def forward(m: Any, x: Any) -> Any:
        one = m.down1(x)
        two = m.down2(m.pool(one))
        y = m.bottom(m.pool(two))
        y = m.join2(cat([two, m.up2(y)], 1))
        y = m.join1(cat([one, m.up1(y)], 1))
        return m.last(y)[:, :, 5, 9]

    return graph(
        forward, pool=nn.MaxPool2d(2), down1=twice(1, 4), down2=twice(4, 8), bottom=twice(8, 16),
        up2=nn.ConvTranspose2d(16, 8, 2, 2), join2=twice(16, 8), up1=nn.ConvTranspose2d(8, 4, 2, 2), join1=twice(8, 4),
        last=nn.Conv2d(4, 3, 1),
    )  # fmt: skip


# --------------------------------------------------------------------------------------------------- depthwise


def inverted(i: int, wide: int, o: int, size: int, stride: int, end: str, gate: bool = False) -> Any:
    """Sandler et al. 2018, fig. 3b: wide, depthwise, narrow; Howard et al. 2019, fig. 4, with a gate."""
    nn = load("torch.nn")
    gates = [excited(wide)] if gate else []
    path = nn.Sequential(
        normed(i, wide, 1, end=end), normed(wide, wide, size, stride, wide, end), *gates, normed(wide, o, 1, end="")
    )
    return path if stride > 1 or i != o else graph(lambda m, x: x + m.path(x), path=path)


def excited(channels: int) -> Any:
    """Hu et al. 2018, fig. 3: squeeze and excitation."""
    nn, few = load("torch.nn"), channels // 4
    gate = nn.Sequential(
        nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, few, 1), nn.ReLU(), nn.Conv2d(few, channels, 1), nn.Hardsigmoid()
    )
    return graph(lambda m, x: x * m.gate(x), gate=gate)


def _mobilenet_v2() -> Any:
    """Sandler et al. 2018, "MobileNetV2: inverted residuals and linear bottlenecks", table 2, shortened."""
    nn, six = load("torch.nn"), "ReLU6"
    return nn.Sequential(
        normed(3, 8, 3, 2, end=six), inverted(8, 16, 6, 3, 1, six), inverted(6, 24, 6, 3, 1, six),
        inverted(6, 24, 10, 3, 2, six), inverted(10, 40, 10, 3, 1, six), normed(10, 32, 1, end=six),
        head(nn.Dropout(0.2), nn.Linear(32, 5)),
    )  # fmt: skip


def _mobilenet_v3() -> Any:
    """Howard et al. 2019, "Searching for MobileNetV3", table 2, shortened."""
    nn, swish = load("torch.nn"), "Hardswish"
    return nn.Sequential(
        normed(3, 8, 3, 2, end=swish), inverted(8, 16, 8, 3, 1, "ReLU", True), inverted(8, 24, 12, 5, 2, swish, True),
        inverted(12, 40, 12, 5, 1, swish, True), normed(12, 32, 1, end=swish),
        head(nn.Linear(32, 24), nn.Hardswish(), nn.Dropout(0.2), nn.Linear(24, 5)),
    )  # fmt: skip


# --------------------------------------------------------------------------------------------------- attention


def _vit() -> Any:
    """Dosovitskiy et al. 2021, "An image is worth 16x16 words", fig. 1, with patches of 7 × 7."""
    nn, torch = load("torch.nn"), load("torch")

    def forward(m: Any, x: Any) -> Any:
        patches = m.patches(x).flatten(2).transpose(1, 2)
        tokens = torch.cat([m.start.expand(x.shape[0], -1, -1), patches], 1) + m.positions
        return m.head(m.norm(m.blocks(tokens))[:, 0])

    blocks = [nn.TransformerEncoderLayer(16, 2, 32, 0.1, "gelu", batch_first=True, norm_first=True) for _ in range(2)]
    return graph(
        forward, patches=nn.Conv2d(1, 16, 7, 7), start=nn.Parameter(torch.empty(1, 1, 16)),
        positions=nn.Parameter(torch.empty(1, 17, 16)), blocks=nn.Sequential(*blocks), norm=nn.LayerNorm(16),
        head=nn.Linear(16, 10),
    )  # fmt: skip


def _text() -> Any:
    """Vaswani et al. 2017, fig. 1, the encoder, one block: each norm behind its addition."""
    nn = load("torch.nn")
    return graph(
        lambda m, x: m.head(m.block(m.token(x) + m.positions).mean(1)), token=nn.Embedding(11, 8),
        positions=nn.Parameter(load("torch").empty(1, 6, 8)),
        block=nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), head=nn.Linear(8, 3),
    )  # fmt: skip


def _tabular() -> Any:
    """An MLP on rows of a table, with one probability as output."""
    nn = load("torch.nn")
    return nn.Sequential(
        nn.Linear(12, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 8), nn.ReLU(),
        nn.Linear(8, 1), nn.Sigmoid(),
    )  # fmt: skip


ARCHITECTURES: dict[str, tuple[Callable[[], Any], Shape]] = {
    "resnet18": (_resnet18, (3, 224, 224)),
    "resnet20": (_resnet20, (3, 16, 16)),
    "resnet1d": (_resnet1d, (2, 1, 40)),
    "densenet": (_densenet, (3, 12, 12)),
    "inception": (_inception, (3, 16, 16)),
    "unet": (_unet, (1, 16, 16)),
    "mobilenet_v2": (_mobilenet_v2, (3, 16, 16)),
    "mobilenet_v3": (_mobilenet_v3, (3, 16, 16)),
    "tabular": (_tabular, (12,)),
    "vit": (_vit, (1, 28, 28)),
    "text": (_text, (6,)),
}
"""How each is made, and the shape of an input."""


def architecture(name: str, samples: int = 2, dtype: str = "float64") -> tuple[Any, np.ndarray]:
    """The module of this name in evaluation mode, and inputs for it."""
    torch = load("torch")
    make, shape = ARCHITECTURES[name]
    module = make().to(getattr(torch, dtype)).eval()
    rng = np.random.default_rng(list(ARCHITECTURES).index(name))
    with torch.no_grad():
        for key, value in module.state_dict().items():
            kind = key.rpartition(".")[2]
            if kind == "running_var" or (kind == "weight" and value.ndim == 1):
                values = rng.uniform(0.5, 1.5, value.shape)
            else:
                spread = np.sqrt(2 / value[0].numel()) if value.ndim > 1 else 0.2
                values = rng.normal(size=value.shape) * spread
            if kind != "num_batches_tracked":
                value.copy_(torch.from_numpy(values))
    tokens = module.token.num_embeddings if hasattr(module, "token") else 0
    return module, inputs(shape, samples, dtype, tokens)
