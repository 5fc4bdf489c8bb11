"""The rules that decide who is penalized, on facts alone: no framework takes part."""

import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shrinkage._errors import ArgumentError
from shrinkage.penalties import L1, L1L2, L2, MCP, SCAD, GroupL2
from shrinkage.training import FAMILIES, ROLES, Facts, PlanTable, from_plain, penalty_text, resolve, role_by_name


def fact(name, role="linear", shape=(4, 3), trainable=True, aliases=()):
    return Facts(name, shape, int(np.prod(shape)), role, f"{role} by decree", trainable, aliases)


NET = (
    fact("body.bias_proj.weight"),
    fact("body.bias_proj.bias", "bias", (4,)),
    fact("body.norm.weight", "norm", (4,)),
    fact("body.norm.bias", "bias", (4,)),
    fact("embed.weight", "embedding", (9, 4), aliases=("lm_head.weight",)),
    fact("head.weight", "conv", (2, 4, 3)),
    fact("header.weight", "linear", (2, 4)),
    fact("cold.weight", "linear", (2, 4), trainable=False),
)
MANY = st.lists(st.tuples(st.sampled_from(sorted(ROLES)), st.booleans()), min_size=1, max_size=12).map(
    lambda pairs: [fact(f"p{i}.weight", role, trainable=trained) for i, (role, trained) in enumerate(pairs)]
)


def penalized(*args, **kwargs):
    return [row.name for row in resolve(NET, *args, **kwargs) if row.penalty is not None]


@given(facts=MANY, select=st.sampled_from([None, *FAMILIES, "all"]), exclude=st.sampled_from([None, *FAMILIES]))
def test_every_parameter_is_in_one_row_and_the_families_divide_the_roles(facts, select, exclude):
    there = {family for family in FAMILIES if any(ROLES[f.role] == family for f in facts)}
    if {select, exclude} - {None, "all"} - there:
        return
    left = {select or "weights"} if select != "all" else set(FAMILIES)
    right = [f.name for f in facts if f.trainable and ROLES[f.role] in left - {exclude}]
    if not right:
        with pytest.raises(ArgumentError, match="reaches no parameter"):
            resolve(facts, L1(1.0), select, exclude)
        return
    table = resolve(facts, L1(1.0), select, exclude)
    assert [row.facts for row in table] == facts
    assert [row.name for row in table if row.penalty is not None] == right
    tensors, numbers = zip(*(table.count(state) for state in ("penalized", "free", "frozen")), strict=True)
    assert (sum(tensors), sum(numbers)) == (len(facts), sum(f.n_elements for f in facts))


def test_weights_are_the_default():
    assert penalized(L1(0.1)) == ["body.bias_proj.weight", "head.weight", "header.weight"]


def test_a_frozen_parameter_gets_nothing_whatever_is_said_of_it():
    table = resolve(NET, L1(0.1), "all", overrides={"cold.*": L2(1.0), "*": L2(1.0)})
    assert [(row.rule, row.penalty, row.state) for row in table if row.name == "cold.weight"] == [
        ("frozen", None, "frozen")
    ]


def test_overrides_outweigh_exclusions_and_exclusions_outweigh_selections():
    table = resolve(
        NET,
        L1(0.1),
        ["weights", "norms", "header"],
        ["norms", "head"],
        {"body.norm.*": L2(1.0), "body.norm.bias": None},
    )
    got = {row.name: (row.rule, row.penalty) for row in table}
    assert got["body.norm.weight"] == ("override 'body.norm.*'", L2(1.0))
    assert got["body.norm.bias"] == ("override 'body.norm.bias'", None)
    assert got["head.weight"] == ("excluded by 'head'", None)
    assert got["header.weight"] == ("selected by 'weights'", L1(0.1))
    assert got["embed.weight"] == ("not selected", None)


def test_the_last_override_that_matches_wins():
    assert resolve(NET, overrides={"head": L1(1.0), "*": L2(2.0)}).rows[5].penalty == L2(2.0)
    assert resolve(NET, overrides={"*": L2(2.0), "head": L1(1.0)}).rows[5].penalty == L1(1.0)


def test_an_override_can_name_a_role():
    table = resolve(NET, L1(0.1), overrides={"conv": GroupL2(0.2, axis=0), "embeddings": L2(0.3)})
    assert [row.penalty.alpha for row in table if row.penalty is not None] == [0.1, 0.3, 0.2, 0.1]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("bias", ["body.bias_proj.bias", "body.norm.bias"]),
        ("bias_proj", ["body.bias_proj.weight", "body.bias_proj.bias"]),
        ("body", ["body.bias_proj.weight", "body.bias_proj.bias", "body.norm.weight", "body.norm.bias"]),
        ("head", ["head.weight"]),
        ("head.weight", ["head.weight"]),
        ("head*", ["head.weight", "header.weight"]),
        ("*.bias", ["body.bias_proj.bias", "body.norm.bias"]),
        ("*norm.*", ["body.norm.weight", "body.norm.bias"]),
        ("lm_head", ["embed.weight"]),
        ("lm_head.*", ["embed.weight"]),
        ("role:norm", ["body.norm.weight"]),
        ("norms", ["body.norm.weight"]),
        ("gains", None),
        ("Head", None),
        ("ead", None),
        ("bias_pro", None),
        ("role:head", None),
        ("norm", None),
    ],
)
def test_a_pattern_matches_whole_components_or_as_a_glob_the_whole_name(pattern, names):
    if names is None:
        with pytest.raises(ArgumentError, match=re.escape(pattern)):
            resolve(NET, None, pattern)
    else:
        assert [row.name for row in resolve(NET, None, pattern) if row.selected] == names


@pytest.mark.parametrize("argument", ["select", "exclude", "overrides"])
def test_what_matches_nothing_is_refused_with_the_closest_names(argument):
    wrong = {"lm_haed": None} if argument == "overrides" else "lm_haed"
    with pytest.raises(ArgumentError, match=rf"{argument}: 'lm_haed' matches no parameter.*'lm_head'"):
        resolve(NET, L1(0.1), **{argument: wrong})


def test_a_role_that_no_parameter_has_is_refused_with_those_there_are():
    with pytest.raises(ArgumentError, match=r"no parameter has the role 'recurrent'.*linear 3.*frozen: 1"):
        resolve(NET, L1(0.1), "recurrent")


def test_a_word_that_is_a_role_and_a_module_is_refused_with_both_spellings():
    with pytest.raises(ArgumentError, match=r"role \(1 parameters\) and a module \(2.*'role:norm'.*'\*norm\.\*'"):
        resolve(NET, L1(0.1), exclude="norm")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"penalty": 0.1}, "penalty must be a penalty such as L1"),
        ({"penalty": L1}, "got the class itself"),
        ({"overrides": {"head": 0.1}}, r"overrides\['head'\] must be a penalty"),
        ({"overrides": ["head"]}, "overrides must map patterns"),
        ({"overrides": {3: None}}, "patterns as keys; got 3"),
        ({"select": 3}, "select must be a word, a pattern, a callable or a list of these; got 3"),
        ({"select": [3]}, "select must hold words, patterns or callables; got 3"),
        ({"select": lambda name: 1}, "must answer True or False; 'body.bias_proj.weight' got 1"),
        ({"exclude": lambda name: False}, "True for none of 8 parameters"),
    ],
)
def test_arguments_of_another_kind_are_refused(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        resolve(NET, **arguments)


@pytest.mark.parametrize(
    "arguments",
    [{"exclude": "all"}, {"select": "cold"}, {"overrides": {"*": None}}, {"select": []}],
)
def test_a_penalty_that_reaches_nothing_is_refused(arguments):
    with pytest.raises(ArgumentError, match="the penalty reaches no parameter"):
        resolve(NET, L1(0.1), **arguments)


@pytest.mark.parametrize(
    ("penalty", "message"),
    [
        (L1(0.1, factors=np.ones(4)), r"'head.weight' of shape \(2, 4, 3\).*factors have shape \(4,\)"),
        (L1L2(np.ones(5)), r"alpha has shape \(5,\)"),
        (GroupL2(0.1, axis=3), "along axis 3, and there are 3 axes"),
        (GroupL2(0.1, axis=(0, -4)), "along axis -4, and there are 3 axes"),
        (GroupL2(0.1, groups=[[0, 24]]), "name coefficient 24, and there are 24"),
        (GroupL2(0.1, groups=[[0, 1], [2]], weights=[1.0, 2.0, 3.0]), "weights for 3 groups, and there are 2"),
        (GroupL2(0.1, axis=(0, 2), weights=[1.0, 2.0]), "weights for 2 groups, and there are 6"),
        (L1(0.1) + GroupL2(0.1, axis=3), "along axis 3, and there are 3 axes"),
        (L1(0.1, np.ones(4)) + GroupL2(0.1, axis=0), r"factors have shape \(4,\)"),
    ],
)
def test_a_penalty_that_cannot_fit_is_refused_naming_the_parameter(penalty, message):
    with pytest.raises(ArgumentError, match=message):
        resolve(NET, penalty, "head")


@pytest.mark.parametrize(
    "penalty",
    [
        L1(0.1, factors=np.ones((2, 4, 3))),
        L1L2(np.ones(3)),
        L2(np.ones((2, 1, 1))),
        GroupL2(0.1, axis=-3),
        GroupL2(0.1, axis=(0, 2), weights=np.ones(6)),
        GroupL2(0.1, groups=[[0, 23]]),
        L1(0.1) + GroupL2(0.1, axis=0),
        MCP(0.1, factors=np.ones((2, 4, 3))),
    ],
    ids=penalty_text,
)
def test_a_penalty_that_fits_can_be_evaluated(penalty):
    (row,) = [row for row in resolve(NET, penalty, "head") if row.penalty is not None]
    assert float(row.penalty.value(np.zeros(row.shape))) == 0


def test_the_table_says_everything_in_a_line_each():
    text = str(resolve(NET, L1L2(0.1, 0.9), overrides={"head": GroupL2(0.2, axis=0)})).splitlines()
    assert len(text) == len(NET) + 3
    assert re.fullmatch(
        r"body\.bias_proj\.weight +4 x 3 +linear +linear by decree +L1L2\(l1_ratio=0\.9\) +0\.1", text[2]
    )
    assert re.fullmatch(r"embed\.weight \(= lm_head\.weight\) +9 x 4 +embedding +embedding by decree +- +-", text[6])
    assert re.fullmatch(r"head\.weight +2 x 4 x 3 +conv +override 'head' +GroupL2\(axis=0\) +0\.2", text[7])
    assert text[-1] == "penalized: 3 tensors, 44 numbers; free: 4 tensors, 48 numbers; frozen: 1 tensor, 8 numbers"
    assert "array" in str(resolve(NET, L2(np.ones(3)), "head"))


@pytest.mark.parametrize(
    ("penalty", "text"),
    [
        (None, "-"),
        (L1(0.1), "L1"),
        (L2(0.1, np.ones(3)), "L2(factors)"),
        (MCP(0.1), "MCP(gamma=3)"),
        (SCAD(0.1, gamma=4), "SCAD(gamma=4)"),
        (GroupL2(0.1, groups=[[0], [2, 1]], weights="ones"), "GroupL2(2 groups, weights='ones')"),
        (GroupL2(0.1, axis=(0, 1), weights=[1.0]), "GroupL2(axis=(0, 1), weights=array)"),
        (L1(0.1) + GroupL2(0.1, axis=0), "L1 + GroupL2(axis=0)"),
    ],
)
def test_a_penalty_is_shown_in_a_few_letters(penalty, text):
    assert penalty_text(penalty) == text


def test_the_plan_is_plain_data_too():
    table = resolve(NET, L1L2(0.1, 0.9))
    stored = json.loads(table.to_json())
    assert stored == table.to_dict()
    assert [from_plain(row["penalty"]) for row in stored["rows"]] == [row.penalty for row in table]
    assert stored["counts"]["frozen"] == {"tensors": 1, "numbers": 8}
    frame = table.to_frame()
    assert list(frame["name"]) == [row.name for row in table]
    assert list(frame["state"]).count("penalized") == 3
    assert str(PlanTable(())).endswith("frozen: 0 tensors, 0 numbers")


@pytest.mark.parametrize(
    ("name", "shape", "role"),
    [
        ("fc.weight", (4, 3), "matrix"),
        ("fc.bias", (4,), "bias"),
        ("bias_proj.weight", (4, 3), "matrix"),
        ("bn1.weight", (4,), "norm"),
        ("bn1.bias", (4,), "bias"),
        ("h.0.ln_1.weight", (4,), "norm"),
        ("layernorm_mlp.weight", (4, 3), "matrix"),
        ("gn.gamma", (4,), "norm"),
        ("block.ls", (4,), "gain"),
        ("gamma", (1, 4, 1, 1), "gain"),
        ("conv.weight", (1, 4, 1, 1), "matrix"),
        ("pos_embed", (1, 17, 8), "position"),
        ("attn.relative_position_bias_table", (49, 2), "position"),
        ("wpe.weight", (16, 8), "position"),
        ("cls_token", (1, 1, 8), "token"),
        ("class_embedding", (8,), "token"),
        ("query", (1, 4, 8), "token"),
        ("embed_tokens.weight", (11, 8), "embedding"),
        ("wte.weight", (11, 8), "embedding"),
        ("patch_embed.proj.weight", (8, 3, 4, 4), "matrix"),
        ("embedding_proj.weight", (8, 8), "matrix"),
        ("lstm.weight_hh_l0", (24, 6), "recurrent"),
        ("lstm.bias_hh_l0", (24,), "bias"),
        ("attn.in_proj_weight", (24, 8), "attention"),
        ("attn.in_proj_bias", (24,), "bias"),
        ("experts.down_bias", (3, 8), "bias"),
        ("logit_scale", (), "gain"),
        ("layer.kernel", (3, 4), "matrix"),
        ("layer_normalization.gamma", (4,), "norm"),
        ("layer_normalization.beta", (4,), "bias"),
        ("bias_proj", (4, 3), "matrix"),
        ("codebook", (64, 8), "embedding"),
        ("scale_shift_table", (6, 8), "embedding"),
        ("posEmbed", (1, 17, 8), "position"),
    ],
)
def test_names_and_shapes_tell_roles_where_no_module_does(name, shape, role):
    assert role_by_name(name, shape)[0] == role
