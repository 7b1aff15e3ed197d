"""The steps of LRP: z, s, c and R for every group and term of a rule (lrp_words.py)."""

from dataclasses import replace

import numpy as np

from ..decision_based.lrp import Part, Relative, Rule, minus, rules
from ..decision_based.lrp.form import Prepared, four_steps
from ..decision_based.lrp.passing import PASSING, Share
from ..decision_based.lrp.rule import Branch
from ..layers import Constant, MaxPool2d
from .expressions import Tree, add, mul, num, sym
from .gradient_steps import JOINS, constant, layer_arrays, product
from .lrp_words import GroupForm, R, TermForm, group_forms, weights
from .printing import formula
from .sources import Source, source
from .trace import Formula, Recorded, Written, behind_each_other

WORDS = (
    "",
    "what the inputs bring, and the bias where the rule counts it (the slides' step 1)",
    "the relevance for each unit of z (the slides' step 2)",
    "what each input collects from the outputs that it feeds (the slides' step 3)",
    "the share of each input (the slides' step 4)",
)
JOIN_WORDS = (
    "",
    "what the branches bring, each with the weight 1 (step 1)",
    "the relevance for each unit of z (step 2)",
    "what each branch collects: the s of its k (step 3)",
    "the share of each branch (step 4)",
)


def steps(of: Recorded) -> Written:
    """z, s, c and R of a layer under its rule; on a layer that divides nothing, R alone.

    Raises ValueError: the rule is a function of the user's own, or one without a formula here.
    """
    arrays = {"R_k": of.R_k, "R_j": of.R_j, **layer_arrays(of)}
    if of.rule in PASSING:
        return Written(arrays, [_passing(of)])
    if isinstance(of.rule, Share):
        return _shared(of, arrays)
    if not isinstance(of.rule, (Rule, Prepared)):
        raise ValueError(f"{of.rule!r} cannot be stepped through: give a rule in the words of lrp.Rule.")
    inputs = [term.input for group in rule_of(of).groups for term in group.terms]
    arrays |= {f"{m.symbol}_j": np.broadcast_to(m.bound, of.a_j.shape) for m in inputs if isinstance(m, minus)}
    for one in (m for m in inputs if isinstance(m, Branch)):
        arrays["p_j"] = behind_each_other(one(of.geometry.split(of.a_j)))
    first, second, third, shares = _own_z(of), [], [], []
    for group, part in zip(_forms(of), of.step.parts, strict=True):
        arrays |= {f"z{group.mark}_k": part.z[0], f"s{group.mark}_k": part.s[0]}
        first.append(_z(of, group))
        second += _s(of, group, part, arrays)
        for term, c in zip(group.terms, part.c, strict=True):
            arrays[f"c{group.mark}{term.mark}_j"] = behind_each_other(c)
            third.append(_c(of, group, term))
            shares.append(mul(term.a, sym(third[-1].symbol, "j")))
    vector = " + ".join(map(_elementwise, shares))
    last = Formula("R", "j", add(*shares), f"R ← {vector}", _words(of, 4), _sources(of, 4))
    return Written(arrays, [*first, *second, *third, last])


def rule_of(of: Recorded) -> Rule:
    """The rule of the layer, where it was prepared for the layer too."""
    return of.rule.rule if isinstance(of.rule, Prepared) else of.rule


def _forms(of: Recorded) -> list[GroupForm]:
    try:
        return group_forms(rule_of(of), of.layer)
    except ValueError as error:
        raise ValueError(f"{of.rule!r} cannot be stepped through: {error}") from None


def _own_z(of: Recorded) -> list[Formula]:
    """The layer's z itself, for a rule that asks for its sign."""
    if not any(callable(group.kappa) for group in rule_of(of).groups):
        return []
    w, b = weights(of.layer)
    own = GroupForm((TermForm(sym("a", "j"), w),), b)
    code = (source(type(of.layer).forward),)
    return [replace(_z(of, own), words="the layer's own z, whose sign decides", sources=code)]


def _z(of: Recorded, group: GroupForm) -> Formula:
    terms = add(*(mul(term.a, term.w) for term in group.terms))
    tree = add(terms if of.geometry.kind == "same" else ["sum", "j", terms], group.bias)
    vector = [product(_bracketed(term.a), _bracketed(term.w), of.layer) for term in group.terms]
    vector += [] if group.bias is None else [formula(group.bias, bare=True)]
    return Formula(f"z{group.mark}", "k", tree, f"z{group.mark} ← {' + '.join(vector)}", _words(of, 1), _sources(of, 1))


def _s(of: Recorded, group: GroupForm, part: Part, arrays: dict[str, np.ndarray]) -> list[Formula]:
    """s; and before it ε, where that is in proportion to the root mean square of z."""
    z, size = sym(f"z{group.mark}", "k"), rule_of(of).stabilizer
    before = []
    denominator: Tree = ["stab", z, num(size, "ε")] if size and not isinstance(size, Relative) else z
    if isinstance(size, Relative):
        arrays["ε"] = np.asarray(np.abs(part.stabilizer).flat[0])
        denominator = ["stab", z, sym("ε")]
        before.append(_relative(size, z, of.a_k.size))
    s = f"s{group.mark}"
    vector = f"{s} ← {_elementwise(group.part)} ⊘ {_bracketed(denominator)}"
    return [*before, Formula(s, "k", ["share", group.part, denominator], vector, _words(of, 2), _sources(of, 2))]


def _relative(size: Relative, z: Tree, count: int) -> Formula:
    """ε = factor · √(Σ_k z²_k / K)."""
    mean = ["div", ["total", "k", ["square", z]], num(count)]
    tree = add(mul(num(size.factor), ["root", mean]), num(size.plus) if size.plus else None)
    vector = f"ε ← {size.factor:g} RMS({z[1]})" + (f" + {size.plus:g}" if size.plus else "")
    words = "ε in proportion to the root mean square of z"
    return Formula("ε", "", tree, vector, words, (source(Relative.__call__),))


def _c(of: Recorded, group: GroupForm, term: TermForm) -> Formula:
    c, s = f"c{group.mark}{term.mark}", f"s{group.mark}"
    collected = mul(term.w, sym(s, "k"))
    tree = collected if of.geometry.kind in ("same", "join") else ["sum", "k", collected]
    vector = f"{c} ← {product(s, _bracketed(term.w), of.layer, back=True)}"
    return Formula(c, "j", tree, vector, _words(of, 3), _sources(of, 3))


def _words(of: Recorded, number: int) -> str:
    """What a step does, in a few words."""
    return (JOIN_WORDS if of.geometry.branches else WORDS)[number]


def _passing(of: Recorded) -> Formula:
    """The step of a layer that divides nothing."""
    if isinstance(of.layer, Constant):
        return constant()
    code: tuple[Source, ...] = (source(of.rule),)
    if not isinstance(of.layer, MaxPool2d):
        return Formula("R", "j", R, "R ← R", JOINS.get(type(of.layer), "passes unchanged"), code)
    tree = ["sum", "k", ["when", ["wins", "a"], R, num(0)]]
    code += (source(MaxPool2d.backward),)
    return Formula("R", "j", tree, "R ← R to the winners", "the winner of each window takes all", code)


def _shared(of: Recorded, arrays: dict[str, np.ndarray]) -> Written:
    """The step of a Multiply under fixed shares."""
    branches = of.geometry.split(of.a_j)
    shares = zip(branches, of.rule.of(branches, of.a_k[None]), strict=True)
    p = behind_each_other(tuple(np.full(x.shape, share) for x, share in shares))
    words = "each factor gets its part p_j of the relevance, whatever its value"
    tree: Tree = ["sum", "k", mul(sym("p", "j"), R)]
    return Written(arrays | {"p_j": p}, [Formula("R", "j", tree, "R ← p ⊙ R", words, (source(Share.__call__),))])


def _sources(of: Recorded, number: int) -> tuple[Source, ...]:
    """The line of the form that computes a step, and what it calls."""
    form = source(four_steps, f"# step {number}")
    if number == 1:
        made = getattr(rules, rule_of(of).name, None)
        return form, *([] if made is None else [source(made)]), source(type(of.layer).forward)
    return (form, source(type(of.layer).backward)) if number == 3 else (form,)


def _bracketed(tree: Tree) -> str:
    text = formula(tree, bare=True)
    return f"({text})" if tree[0] in ("add", "sub", "stab") else text


def _elementwise(tree: Tree) -> str:
    """A product of vectors with ⊙ between its factors."""
    if tree[0] == "mul" and tree[1][0] != "num":
        return " ⊙ ".join(map(_bracketed, tree[1:]))
    return formula(tree, bare=True)
