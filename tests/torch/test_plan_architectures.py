"""On networks of many makes: every parameter in one row, every layer's weight penalized, nothing else.

What is right is found here by walking the modules by torch's own classes; what only a person can know (raw parameters
that are weights) is listed with each network.
"""

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402
from torch.nn.utils import parametrizations, prune  # noqa: E402

from shrinkage.penalties import L1  # noqa: E402
from shrinkage.torch import Plan  # noqa: E402


class RMSNorm(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))


class Whiten(nn.Module):
    """A norm whose class does not say so."""

    def __init__(self, width):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))
        self.beta = nn.Parameter(torch.zeros(width))


class LayerScale(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.gamma = nn.Parameter(torch.full((width,), 1e-5))


class GlobalResponse(nn.Module):
    """Vectors kept in four axes for broadcasting."""

    def __init__(self, width):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, 1, 1, width))
        self.bias = nn.Parameter(torch.zeros(1, 1, 1, width))


class Block(nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.ln_1 = RMSNorm(width)
        self.q_proj, self.k_proj, self.v_proj = (nn.Linear(width, width, bias=False) for _ in range(3))
        self.bias_proj = nn.Linear(width, width)
        self.ls = nn.Parameter(torch.ones(width))


class Decoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed_tokens = nn.Embedding(11, 8)
        self.blocks = nn.ModuleList(Block() for _ in range(2))
        self.norm = RMSNorm(8)
        self.lm_head = nn.Linear(8, 11, bias=False)
        self.lm_head.weight = self.embed_tokens.weight


class VisionTransformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, 8))
        self.reg_token = nn.Parameter(torch.zeros(1, 4, 8))
        self.pos_embed = nn.Parameter(torch.zeros(1, 17, 8))
        self.class_embedding = nn.Parameter(torch.zeros(8))
        self.patch_embed = nn.Conv2d(3, 8, 4, 4)
        self.attn = nn.MultiheadAttention(8, 2)
        self.ls1 = LayerScale(8)
        self.norm1 = nn.LayerNorm(8)
        self.proj = nn.Parameter(torch.zeros(8, 5))
        self.logit_scale = nn.Parameter(torch.zeros(()))


class WindowAttention(nn.Module):
    def __init__(self):
        super().__init__()
        self.qkv = nn.Linear(8, 24, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(8))
        self.relative_position_bias_table = nn.Parameter(torch.zeros(49, 2))
        self.rel_pos_h = nn.Parameter(torch.zeros(13, 4))
        self.attention_biases = nn.Parameter(torch.zeros(2, 49))
        self.temperature = nn.Parameter(torch.ones(2, 1, 1))


class ConvNeXtBlock(nn.Module):
    def __init__(self):
        super().__init__()
        self.dwconv = nn.Conv2d(8, 8, 7, groups=8)
        self.norm = Whiten(8)
        self.pwconv1, self.grn, self.pwconv2 = nn.Linear(8, 32), GlobalResponse(32), nn.Linear(32, 8)
        self.gamma = nn.Parameter(torch.ones(8))


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(1, 4, 3), nn.InstanceNorm2d(4, affine=True), nn.Conv2d(4, 8, 3))
        self.up = nn.Sequential(nn.ConvTranspose2d(8, 4, 2, 2), nn.GroupNorm(2, 4), nn.Conv2d(4, 1, 1))


class Recommender(nn.Module):
    def __init__(self):
        super().__init__()
        self.users, self.items = nn.Embedding(20, 4), nn.EmbeddingBag(30, 4)
        self.mix = nn.Bilinear(4, 4, 6)
        self.head = nn.Linear(6, 1)
        self.alpha = nn.Parameter(torch.ones(1))


class Experts(nn.Module):
    def __init__(self):
        super().__init__()
        self.router = nn.Linear(8, 3)
        self.experts = nn.ParameterList(torch.zeros(8, 16) for _ in range(3))
        self.biases = nn.ParameterList(torch.zeros(16) for _ in range(3))
        self.down = nn.Parameter(torch.zeros(3, 16, 8))
        self.down_bias = nn.Parameter(torch.zeros(3, 8))
        self.heads = nn.ParameterDict({"a": torch.zeros(8, 2), "temperature": torch.ones(1)})


class LoRA(nn.Module):
    def __init__(self, base, rank=2):
        super().__init__()
        self.base_layer = base.requires_grad_(False)
        self.lora_A = nn.ModuleDict({"default": nn.Linear(base.in_features, rank, bias=False)})
        self.lora_B = nn.ModuleDict({"default": nn.Linear(rank, base.out_features, bias=False)})


class StateSpace(nn.Module):
    def __init__(self):
        super().__init__()
        self.in_proj, self.conv1d = nn.Linear(8, 32, bias=False), nn.Conv1d(16, 16, 4, groups=16)
        self.A_log = nn.Parameter(torch.zeros(16, 4))
        self.A_log._no_weight_decay = True
        self.D = nn.Parameter(torch.ones(16))
        self.dt_bias = nn.Parameter(torch.zeros(16))


class Misleading(nn.Module):
    """Layers whose names say what they are not."""

    def __init__(self):
        super().__init__()
        self.norm_free, self.bias_proj, self.embedding_proj = nn.Linear(8, 8), nn.Linear(8, 1), nn.Linear(8, 8)
        self.bn_conv, self.layernorm_mlp = nn.Conv2d(3, 8, 1), nn.Linear(1, 8)
        self.weight_net, self.my_weights = nn.BatchNorm1d(8), nn.LayerNorm(8)


def convnet():
    return nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.PReLU(8), nn.Conv2d(8, 8, 3, groups=8), nn.Flatten(), nn.Linear(8, 10)
    )


def recurrent():
    return nn.ModuleDict(
        {"lstm": nn.LSTM(4, 6, 2, bidirectional=True, proj_size=3), "gru": nn.GRU(4, 6), "cell": nn.LSTMCell(4, 6)}
        | {"rnn": nn.RNN(4, 6, bias=False), "head": nn.Linear(6, 1)}
    )


def reparametrized():
    model = nn.ModuleDict({"wn": nn.Linear(4, 6), "sn": nn.Conv2d(1, 4, 3), "plain": nn.Linear(6, 2)})
    parametrizations.weight_norm(model["wn"])
    parametrizations.spectral_norm(model["sn"])
    return model


def pruned():
    model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 2))
    prune.l1_unstructured(model[0], "weight", amount=0.5)
    return model


NETWORKS = {
    "MLP with batch norm": (lambda: nn.Sequential(nn.Linear(8, 4), nn.BatchNorm1d(4), nn.Linear(4, 2)), ()),
    "convolutions": (convnet, ()),
    "transformer encoder": (
        lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2),
        (),
    ),
    "encoder and decoder": (lambda: nn.Transformer(8, 2, 1, 1, 16, batch_first=True), ()),
    "attention over other widths": (lambda: nn.MultiheadAttention(8, 2, kdim=5, vdim=6, add_bias_kv=True), ()),
    "decoder with a tied head": (Decoder, ()),
    "vision transformer": (VisionTransformer, ("proj",)),
    "window attention": (WindowAttention, ()),
    "ConvNeXt block": (ConvNeXtBlock, ()),
    "U-Net": (UNet, ()),
    "recurrent nets": (recurrent, ()),
    "recommender": (Recommender, ()),
    "mixture of experts": (Experts, ("experts.0", "experts.1", "experts.2", "down", "heads.a")),
    "LoRA": (lambda: nn.Sequential(LoRA(nn.Linear(8, 8)), nn.LayerNorm(8)), ()),
    "state space": (StateSpace, ()),
    "misleading names": (Misleading, ()),
    "weight and spectral norm": (
        reparametrized,
        ("wn.parametrizations.weight.original1", "sn.parametrizations.weight.original"),
    ),
    "pruned": (pruned, ("0.weight_orig",)),
    "three dimensions": (
        lambda: nn.Sequential(nn.Conv3d(1, 4, 3), nn.GroupNorm(2, 4), nn.ConvTranspose3d(4, 1, 3)),
        (),
    ),
    "audio": (lambda: nn.Sequential(nn.Conv1d(1, 4, 9), nn.RMSNorm(4), nn.ConvTranspose1d(4, 1, 9)), ()),
    "synchronized batch norm": (lambda: nn.SyncBatchNorm.convert_sync_batchnorm(convnet()), ()),
    "one output": (lambda: nn.Sequential(nn.Linear(1, 1), nn.Conv2d(1, 1, 1), nn.Linear(5, 1)), ()),
}

every_network = pytest.mark.parametrize(("build", "listed"), NETWORKS.values(), ids=NETWORKS.keys())


def weights_of(model, listed):
    """Ids of the tensors that should be penalized, by torch's classes and the list alone."""
    found = {id(dict(model.named_parameters())[name]) for name in listed}
    tables = set()
    for module in model.modules():
        own = dict(module.named_parameters(recurse=False))
        if isinstance(module, (nn.Linear, nn.Bilinear, nn.modules.conv._ConvNd)):
            found |= {id(p) for name, p in own.items() if name == "weight"}
        elif isinstance(module, (nn.RNNBase, nn.RNNCellBase)):
            found |= {id(p) for name, p in own.items() if p.ndim == 2}
        elif isinstance(module, nn.MultiheadAttention):
            found |= {id(p) for p in own.values() if p.ndim == 2}
        elif isinstance(module, (nn.Embedding, nn.EmbeddingBag)):
            tables |= {id(p) for p in own.values()}
    frozen = {id(p) for p in model.parameters() if not p.requires_grad}
    return found - tables - frozen


@every_network
def test_every_parameter_stands_in_exactly_one_row_in_the_models_order(build, listed):
    model = build()
    plan = Plan(model, L1(0.1))
    assert [row.name for row in plan.rows] == [name for name, _ in model.named_parameters()]
    assert [id(p) for p in plan.parameters.values()] == [id(p) for p in model.parameters()]
    assert all(row.rule and row.reason for row in plan.rows)


@every_network
def test_every_weight_is_penalized_and_nothing_else(build, listed):
    model = build()
    plan = Plan(model, L1(0.1))
    right = weights_of(model, listed)
    assert right
    assert {id(plan.parameters[name]) for name in plan.penalized} == right


@every_network
def test_groups_hold_every_trained_parameter_once_and_any_optimizer_takes_them(build, listed):
    model = build()
    plan = Plan(model, L1(0.1))
    optimizer = torch.optim.AdamW(plan.param_groups(weight_decay=0.1), lr=0.0)
    held = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in model.parameters() if p.requires_grad)
    decayed = {id(p) for group in optimizer.param_groups if group["weight_decay"] for p in group["params"]}
    assert decayed == weights_of(model, listed)


@every_network
def test_names_and_shapes_alone_free_every_vector_and_penalize_every_weight_of_a_layer(build, listed):
    model = build()
    plan = Plan(model.named_parameters(), L1(0.1))
    assert all("by name and shape alone" in row.reason for row in plan.rows)
    for name in plan.penalized:
        assert plan.parameters[name].ndim > 1
        assert name.rpartition(".")[2] not in ("bias", "cls_token", "pos_embed")
    layers = [
        m for m in model.modules() if isinstance(m, (nn.Linear, nn.modules.conv._ConvNd)) if "weight" in m._parameters
    ]
    penalized = {id(plan.parameters[name]) for name in plan.penalized}
    assert {id(m.weight) for m in layers} & weights_of(model, listed) <= penalized
