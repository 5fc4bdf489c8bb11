"""On timm's image models, built without weights: every parameter in one row, every layer's weight, nothing else."""

import importlib
import re

import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from shrinkage.penalties import L1  # noqa: E402
from shrinkage.torch import Plan  # noqa: E402

pytestmark = pytest.mark.slow

MODELS = [
    "beit_base_patch16_224",
    "botnet26t_256",
    "caformer_s18",
    "cait_xxs24_224",
    "coat_tiny",
    "convit_tiny",
    "convmixer_768_32",
    "convnext_atto",
    "convnextv2_atto",
    "crossvit_tiny_240",
    "cspdarknet53",
    "davit_tiny",
    "deit_tiny_distilled_patch16_224",
    "densenet121",
    "dla34",
    "dpn68",
    "edgenext_xx_small",
    "efficientformer_l1",
    "efficientnet_b0",
    "efficientvim_m1",
    "efficientvit_m0",
    "eva02_tiny_patch14_224",
    "fastvit_t8",
    "focalnet_tiny_lrf",
    "gcvit_xxtiny",
    "ghostnet_050",
    "halonet26t",
    "hiera_tiny_224",
    "hrnet_w18_small",
    "inception_next_atto",
    "inception_v3",
    "levit_128s",
    "mambaout_femto",
    "maxvit_nano_rw_256",
    "mixer_s32_224",
    "mobilenetv3_small_050",
    "mobilevit_xxs",
    "mvitv2_tiny",
    "nfnet_f0",
    "pit_ti_224",
    "poolformer_s12",
    "pvt_v2_b0",
    "regnetx_002",
    "res2net50_14w_8s",
    "resnet18",
    "resnetv2_50",
    "samvit_base_patch16",
    "sequencer2d_s",
    "swiftformer_xs",
    "swin_tiny_patch4_window7_224",
    "swinv2_tiny_window8_256",
    "swinv2_cr_tiny_224",
    "tnt_s_legacy_patch16_224",
    "twins_svt_small",
    "vgg11_bn",
    "visformer_tiny",
    "vit_relpos_small_patch16_224",
    "vit_tiny_patch16_224",
    "volo_d1_224",
    "xception41",
    "xcit_nano_12_p8_224",
]
LAYERS = (nn.Linear, nn.modules.conv._ConvNd)
# Raw parameters, two and more axes, that a person who read the model calls weights.
RAW_WEIGHTS = {"swiftformer_xs": r".*\.attn\.w_g"}
# Why timm decays what is free here: tables of relative positions and gains in several axes have ndim > 1.
TIMM_DECAYS = (
    r".*(height_rel|width_rel|rel_pos_[hw]|pos_embed\d|relative_position_bias_table|temperature|gamma|gain|alpha)$"
)
# Why it does not decay what is penalized here: layers that compute positions, listed by the model's no_weight_decay().
TIMM_LEAVES = r".*(cpb_mlp|meta_mlp|pos_block|pos_embed).*\.weight$"


def build(timm, name):
    with torch.device("meta"):
        return timm.create_model(name, pretrained=False)


def right(model, name):
    """Ids of the weights of layers, by torch's classes and what is listed above."""
    found = {id(p) for n, p in model.named_parameters() if re.fullmatch(RAW_WEIGHTS.get(name, "-"), n)}
    for module in model.modules():
        if isinstance(module, LAYERS):
            found.add(id(module.weight))
        elif isinstance(module, nn.RNNBase):
            found |= {id(p) for p in module.parameters(recurse=False) if p.ndim == 2}
    return found


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MODELS)
def test_every_weight_is_penalized_and_nothing_else_in_timms(timm, name):
    model = build(timm, name)
    plan = Plan(model, L1(1e-4))
    assert [row.name for row in plan.rows] == [n for n, _ in model.named_parameters()]
    penalized = {id(plan.parameters[n]) for n in plan.penalized}
    assert penalized == right(model, name)
    for module in model.modules():
        if re.search("norm|embedding$", type(module).__name__, re.IGNORECASE):
            assert not penalized & {id(p) for p in module.parameters(recurse=False)}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MODELS)
def test_where_timm_groups_otherwise_the_reason_is_known(timm, name):
    model = build(timm, name)
    plan = Plan(model)
    left = model.no_weight_decay() if hasattr(model, "no_weight_decay") else ()
    groups = importlib.import_module("timm.optim").param_groups_weight_decay(model, 0.1, no_weight_decay_list=left)
    theirs = {id(p) for group in groups if group["weight_decay"] for p in group["params"]}
    ours = {id(plan.parameters[n]) for n in plan.selected}
    names = {id(p): n for n, p in plan.parameters.items()}
    assert [n for n in map(names.get, theirs - ours) if not re.fullmatch(TIMM_DECAYS, n)] == []
    assert [n for n in map(names.get, ours - theirs) if not re.fullmatch(TIMM_LEAVES, n)] == []


def test_the_list_is_long_and_of_many_families(timm):
    families = {timm.models.model_entrypoint(name).__module__ for name in MODELS}
    assert len(MODELS) == len(set(MODELS)) >= 30
    assert len(families) >= 30
