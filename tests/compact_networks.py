"""Architectures with dead features, which the tests and the benchmark of `compact` both take apart."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

DEAD = 0.6
"""The share of rows that is set to 0."""


class Block(nn.Module):
    """A residual block; `proj` puts a convolution in the skip."""

    def __init__(self, inputs: int, outputs: int, proj: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.relu = nn.ReLU(inplace=True)
        self.skip = nn.Sequential(nn.Conv2d(inputs, outputs, 1, bias=False), nn.BatchNorm2d(outputs)) if proj else None

    def forward(self, x: Tensor) -> Tensor:
        identity = x if self.skip is None else self.skip(x)
        out = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        out += identity
        return self.relu(out)


class Functional(nn.Module):
    """ReLU, dropout, addition and pooling called as functions, sizes counted by `size`."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.conv2 = nn.Conv2d(1, 12, 3), nn.Conv2d(12, 12, 3, padding="same")
        self.fc1, self.fc2 = nn.Linear(12 * 9, 32), nn.Linear(32, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.conv1(x))
        x = torch.add(x, functional.gelu(self.conv2(x)))
        x = functional.max_pool2d(x, 2)
        x = x.view(x.size(0), -1)
        x = functional.dropout(torch.tanh(self.fc1(x)), 0.3, self.training)
        return functional.log_softmax(self.fc2(x), dim=-1)


class HardCoded(nn.Module):
    """A view that names the number of features, and functional dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 16, 3, padding=1)
        self.fc1, self.fc2 = nn.Linear(16 * 16, 24), nn.Linear(24, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.max_pool2d(torch.relu(self.conv(x)), 2)
        x = functional.dropout(torch.relu(self.fc1(x.view(-1, 16 * 16))), training=self.training)
        return self.fc2(x)


class Concat(nn.Module):
    """Two branches side by side, as in Inception and DenseNet."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Conv2d(3, 10, 1), nn.Conv2d(3, 14, 3, padding=1)
        self.norm, self.head = nn.BatchNorm2d(27), nn.Conv2d(27, 6, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.cat([self.left(x), x, self.right(x)], dim=1)
        return self.head(functional.relu(self.norm(x))).mean((2, 3))


class Shared(nn.Module):
    """One layer called three times: its rows and columns go together."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.again, self.last = nn.Linear(8, 24), nn.Linear(24, 24), nn.Linear(24, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.first(x))
        for _ in range(3):
            x = torch.relu(self.again(x))
        return self.last(x)


class Tied(nn.Module):
    """A language model whose head is its embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.fc = nn.Embedding(30, 16), nn.Linear(16, 16)
        self.up, self.head = nn.Linear(16, 32), nn.Linear(16, 30, bias=False)
        self.down = nn.Linear(32, 16)
        self.head.weight = self.embed.weight

    def forward(self, ids: Tensor) -> Tensor:
        x = self.embed(ids)
        return self.head(x + self.down(functional.silu(self.up(x))))


class Gated(nn.Module):
    """A gated feed-forward layer (SwiGLU) whose two halves come from one matrix."""

    def __init__(self) -> None:
        super().__init__()
        self.into, self.out = nn.Linear(12, 2 * 20), nn.Linear(20, 12)

    def forward(self, x: Tensor) -> Tensor:
        gate, value = self.into(x).chunk(2, dim=-1)
        return x + self.out(functional.silu(gate) * value)


class Squeeze(nn.Module):
    """Squeeze-and-excitation: channels scaled by what a small network makes of their means."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.out = nn.Conv2d(3, 16, 3, padding=1), nn.Conv2d(16, 8, 1)
        self.down, self.up = nn.Conv2d(16, 8, 1), nn.Conv2d(8, 16, 1)
        self.pool = nn.AdaptiveAvgPool2d(1)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.silu(self.conv(x))
        return self.out(x * torch.sigmoid(self.up(functional.relu(self.down(self.pool(x))))))


class Attention(nn.Module):
    """A block written by hand: separate projections, softmax over scores, heads laid out by view."""

    def __init__(self, width: int = 16, heads: int = 2) -> None:
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.q, self.k, self.v, self.o = (nn.Linear(width, width) for _ in range(4))
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        B, T, D = x.shape
        h = self.norm1(x)
        q, k, v = (p(h).view(B, T, self.heads, D // self.heads).transpose(1, 2) for p in (self.q, self.k, self.v))
        h = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(B, T, D)
        x = x + self.o(h)
        return x + self.down(functional.gelu(self.up(self.norm2(x))))


class Classifier(nn.Module):
    """Tokens, learned positions, two of torch's encoder layers, the mean, a head."""

    def __init__(self, norm_first: bool = False) -> None:
        super().__init__()
        self.embed, self.position = nn.Embedding(20, 16), nn.Parameter(0.1 * torch.randn(1, 6, 16))
        layer = nn.TransformerEncoderLayer(16, 2, 48, batch_first=True, norm_first=norm_first)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Sequential(nn.Linear(16, 24), nn.ReLU(), nn.Linear(24, 4))

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(self.encoder(self.embed(ids) + self.position).mean(1))


class Bag(nn.Module):
    """Embedding and positions, then layers that sum over them: nothing in between needs every column."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.position = nn.Embedding(20, 24), nn.Parameter(torch.randn(5, 24))
        self.fc, self.head = nn.Linear(24, 32), nn.Linear(32, 3)

    def forward(self, ids: Tensor) -> Tensor:
        return self.head(torch.relu(self.fc(self.embed(ids) + self.position)).amax(1))


class Mixer(nn.Module):
    """Layers over tokens and over features in turns, transposed between."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(12), nn.LayerNorm(12)
        self.tokens = nn.Sequential(nn.Linear(6, 20), nn.GELU(), nn.Linear(20, 6))
        self.features = nn.Sequential(nn.Linear(12, 40), nn.GELU(), nn.Linear(40, 12))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.tokens(self.norm1(x).transpose(1, 2)).transpose(1, 2)
        return x + self.features(self.norm2(x))


class TwoHeads(nn.Module):
    """Two inputs by name, two outputs in a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = nn.Linear(6, 20), nn.Linear(4, 20)
        self.mean, self.spread = nn.Linear(20, 2), nn.Linear(20, 2)

    def forward(self, wide: Tensor, deep: Tensor, scale: float | None = None) -> dict[str, Tensor]:
        x = torch.relu(self.left(wide) + self.right(deep))
        return {"mean": self.mean(x), "spread": functional.softplus(self.spread(x))}


def conv_bn(*widths: int, padding: int = 1, **settings: Any) -> list[nn.Module]:
    """Convolution, batch norm, ReLU, as often as there are steps between widths."""
    layers: list[nn.Module] = []
    for a, b in pairwise(widths):
        layers += [nn.Conv2d(a, b, 3, padding=padding, **settings), nn.BatchNorm2d(b), nn.ReLU()]
    return layers


def mlp(*widths: int, act: Callable[[], nn.Module] = nn.ReLU) -> nn.Sequential:
    """Linear layers with activations between them."""
    layers: list[nn.Module] = []
    for a, b in pairwise(widths):
        layers += [nn.Linear(a, b), act()]
    return nn.Sequential(*layers[:-1])


def head(channels: int) -> list[nn.Module]:
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 4)]


def depthwise() -> nn.Sequential:
    """MobileNet: expand, filter each channel alone, project."""
    return nn.Sequential(
        *(nn.Conv2d(3, 24, 1), nn.BatchNorm2d(24), nn.ReLU6()),
        *(nn.Conv2d(24, 24, 3, padding=1, groups=24), nn.BatchNorm2d(24), nn.ReLU6()),
        *(nn.Conv2d(24, 12, 1), nn.BatchNorm2d(12), *head(12)),
    )


def grouped() -> nn.Sequential:
    """ResNeXt: convolutions in groups of several channels."""
    return nn.Sequential(nn.Conv2d(3, 24, 1), nn.ReLU(), nn.Conv2d(24, 24, 3, groups=6), nn.ReLU(), *head(24))


def nested() -> nn.Sequential:
    inner = nn.Sequential(nn.Linear(10, 30), nn.Sequential(nn.LeakyReLU(), nn.Dropout(0.2)), nn.Linear(30, 20))
    return nn.Sequential(nn.Sequential(inner, nn.Identity()), nn.ELU(), nn.Linear(20, 2))


def conv1d() -> nn.Sequential:
    return nn.Sequential(
        *(nn.Conv1d(2, 16, 5, padding=2, padding_mode="circular"), nn.PReLU(16), nn.MaxPool1d(2)),
        *(nn.Conv1d(16, 16, 3, dilation=2), nn.BatchNorm1d(16), nn.SiLU(), nn.AdaptiveMaxPool1d(3)),
        *(nn.Flatten(), nn.Linear(48, 5)),
    )


def autoencoder() -> nn.Sequential:
    return nn.Sequential(
        *(nn.Conv2d(1, 12, 3, stride=2, padding=1), nn.ReLU(), nn.ConvTranspose2d(12, 10, 2, stride=2), nn.ReLU()),
        *(nn.Upsample(scale_factor=2), nn.Conv2d(10, 1, 3, padding=1)),
    )


def layer_norm_mlp() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(10, 40), nn.LayerNorm(40), nn.ReLU(), nn.Linear(40, 30), nn.GELU(), nn.Linear(30, 30), nn.ReLU(),
        nn.Linear(30, 3),
    )  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A network, what it is called with, and whether fewer parameters must come out."""

    make: Callable[[], nn.Module]
    inputs: Callable[[], Any]
    shrinks: bool = True


def images(channels: int = 3, size: int = 8) -> Callable[[], Tensor]:
    return lambda: torch.randn(5, channels, size, size)


def rows(*shape: int) -> Callable[[], Tensor]:
    return lambda: torch.randn(7, *shape)


def words(length: int, vocabulary: int = 20) -> Callable[[], Tensor]:
    return lambda: torch.randint(0, vocabulary, (5, length))


CASES = {
    "MLP": Case(lambda: mlp(20, 64, 32, 3), rows(20)),
    "deep MLP, sigmoid": Case(lambda: mlp(10, 30, 30, 30, 30, 2, act=nn.Sigmoid), rows(10)),
    "MLP without biases": Case(
        lambda: nn.Sequential(nn.Linear(9, 40, False), nn.Sigmoid(), nn.Linear(40, 3, False)), rows(9)
    ),
    "nested Sequential": Case(nested, rows(10)),
    "LayerNorm MLP": Case(layer_norm_mlp, rows(10)),
    "conv-BN": Case(lambda: nn.Sequential(*conv_bn(3, 16, 24, 16), *head(16)), images()),
    "conv-BN without padding": Case(lambda: nn.Sequential(*conv_bn(3, 16, 24, padding=0), *head(24)), images()),
    "conv-BN, reflected": Case(lambda: nn.Sequential(*conv_bn(3, 16, 24, padding_mode="reflect"), *head(24)), images()),
    "LeNet, flattened": Case(
        lambda: nn.Sequential(
            *(nn.Conv2d(1, 6, 5, padding=2), nn.Tanh(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 3), nn.Tanh()),
            *(nn.Flatten(), nn.Linear(16 * 4, 30), nn.Tanh(), nn.Linear(30, 10)),
        ),
        images(1),
    ),
    "pooling and flattening": Case(
        lambda: nn.Sequential(*conv_bn(3, 16), nn.AdaptiveAvgPool2d((2, 3)), nn.Flatten(), nn.Linear(96, 4)), images()
    ),
    "residual": Case(lambda: nn.Sequential(*conv_bn(3, 16), Block(16, 16, False), *head(16)), images()),
    "residual with projection": Case(
        lambda: nn.Sequential(*conv_bn(3, 8), Block(8, 16, True), Block(16, 16, False), *head(16)), images()
    ),
    "depthwise": Case(depthwise, images()),
    "groups of channels": Case(grouped, images()),
    "concatenation": Case(Concat, images()),
    "squeeze and excitation": Case(Squeeze, images()),
    "1-d convolutions": Case(conv1d, rows(2, 20)),
    "autoencoder": Case(autoencoder, images(1)),
    "functional": Case(Functional, images(1)),
    "hard-coded view": Case(HardCoded, images(1)),
    "shared layer": Case(Shared, rows(8)),
    "tied embedding": Case(Tied, words(4, 30)),
    "gated feed-forward": Case(Gated, rows(4, 12)),
    "embedding and positions": Case(Bag, words(5)),
    "attention by hand": Case(Attention, rows(6, 16)),
    "transformer": Case(Classifier, words(6)),
    "transformer, norm first": Case(lambda: Classifier(True), words(6)),
    "mixer": Case(Mixer, rows(6, 12)),
    "two inputs, two outputs": Case(TwoHeads, lambda: {"wide": torch.randn(7, 6), "deep": torch.randn(7, 4)}),
}


@torch.no_grad()
def with_dead_features(case: Case, seed: int = 0) -> tuple[nn.Module, Any]:
    """The network with random norms, and rows of every layer but the last set to 0, and an example input.

    Of layers in one place of a residual branch or of a group the same rows go, as a penalty on groups leaves them.
    """
    torch.manual_seed(seed)
    model = case.make()
    layers = [m for m in model.modules() if isinstance(m, nn.Linear | nn.modules.conv._ConvNd)]
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._NormBase):
            module.weight.uniform_(0.5, 1.5), module.bias.normal_()
            module.running_mean.normal_(), module.running_var.uniform_(0.5, 2.0)
            module.weight[torch.rand(module.num_features) < 0.2] = 0.0
    for layer in layers[:-1]:
        axis = 1 if isinstance(layer, nn.modules.conv._ConvTransposeNd) else 0
        count = layer.weight.shape[axis]
        dead = torch.arange(count) >= max(1, round((1 - DEAD) * count))
        layer.weight.movedim(axis, 0)[dead] = 0.0
    for module in model.modules():
        if isinstance(module, nn.Embedding):
            module.weight[:, 12:] = 0.0
    if hasattr(model, "position"):
        model.position[..., 12:] = 0.5
    return model.eval(), case.inputs()


@dataclass(frozen=True)
class LassoRun:
    """A group lasso on digits, what `compact` made of it, the same trained on, and dense training of equal length."""

    penalized: nn.Module
    compacted: Any
    refit: nn.Module
    figures: dict[str, Any]


def lasso_then_refit(seed: int, compact: Callable[[nn.Module, Tensor], Any], alpha: float = 7.5e-4) -> LassoRun:
    """Digits, MLP 64-256-128-10: 40 epochs with a penalty on hidden neurons, made smaller, 40 epochs without.

    The dense network takes the same two halves, optimizers, batches and learning rates, without penalty and removal.
    """
    import networks

    first = replace(networks.digits(), network=lambda: networks.mlp(64, 256, 128, 10))
    penalized, _ = networks.train(first, seed, networks.maker("DualAdam", alpha, rows=True))
    dense, _ = networks.train(first, seed, networks.adam)
    X, y = first.test
    compacted = compact(penalized, X)

    def on(model: nn.Module) -> nn.Module:
        second = replace(first, network=lambda: copy.deepcopy(model), lr=1e-2)
        return networks.train(second, seed + 100, lambda net: torch.optim.AdamW(net.parameters(), weight_decay=0.3))[0]

    @torch.no_grad()
    def accuracy(model: nn.Module) -> float:
        return float((model(X).argmax(1) == y).double().mean())

    refit = on(compacted.model)
    figures = {
        "widths": [len(layer.weight) for layer in networks.layers(refit)],
        "accuracy": accuracy(refit),
        "dense_accuracy": accuracy(on(dense)),
        "penalized_accuracy": accuracy(penalized),
    }
    return LassoRun(penalized, compacted, refit, figures)
