"""The stepper's page in headless Chromium: every layer by the keyboard, every number computed again by the page."""

from functools import cache
from io import BytesIO
from itertools import product

import numpy as np
import pytest
from PIL import Image

from nnlite import Network, models
from nnlite.datasets import strokes
from nnlite.decision_based import lrp
from nnlite.layers import (
    Add,
    AvgPool2d,
    Branches,
    Concat,
    Constant,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Flatten,
    GlobalAvgPool,
    MaxPool2d,
    Multiply,
    ReLU,
    Residual,
    Sigmoid,
    Tanh,
)
from nnlite.stepper import page, record
from nnlite.stepper.terminal import choices

pytestmark = pytest.mark.once  # see setup.cfg


@pytest.fixture
def opened(browse, tmp_path):
    """opened(page, address, ...): the page in a tab."""

    def open_page(content, address="", width=1280, scheme="light"):
        file = tmp_path / f"page{len(list(tmp_path.iterdir()))}.html"
        file.write_text(content, encoding="utf-8")
        return browse(file.as_uri() + address, width, scheme)

    return open_page


@cache
def tiny(*methods):
    x = models.digits("uci", "test")[0][17:18]
    return page(*(record(method, models.load("tiny"), x) for method in methods), title="tiny on uci:17")


@cache
def lenet(*methods):
    x = strokes(1, seed=models.HELD_OUT_SEED, start=4)[0]
    return page(*(record(method, models.load("lenet"), x) for method in methods), title="lenet on strokes:4")


def state(tab):
    return tab.evaluate("() => ({...window.stepper.state})")


# --------------------------------------------------------------------------------------- the numbers of the page


@pytest.mark.parametrize(
    ("draw", "methods"),
    [
        (tiny, ["lrp-gamma"]), (tiny, ["lrp-alpha2-beta1", "lrp-generalized-gamma"]), (tiny, ["lrp-epsilon-relative"]),
        (tiny, ["deeplift", "gradient-times-input"]), (tiny, ["lrp-flat", "lrp-w-squared"]),
        (lenet, ["lrp-montavon2019"]), (lenet, ["deeplift"]), (lenet, ["guided-backpropagation", "deconvnet"]),
    ],
)  # fmt: skip
def test_the_page_computes_every_number_again(opened, draw, methods):
    tab = opened(draw(*methods))
    report = tab.evaluate("() => window.stepper.report()")
    assert report["worst"] <= 1e-12, report
    assert report["elements"] == report["of"] > 100
    assert tab.evaluate("() => window.stepper.check()") == report["worst"]


def test_the_page_knows_every_kind_of_layer(opened):
    rng = np.random.default_rng(0)
    layers = [
        Conv2d(rng.standard_normal((4, 1, 3, 2)), rng.random(4), (2, 1), (1, 0), (2, 3), 2), Tanh(),
        ConvTranspose2d(rng.standard_normal((4, 2, 2, 2)), rng.random(4), 2, 1, (3, 2), 2), ReLU(), MaxPool2d(2, 1),
        AvgPool2d(3, 2, 1, True, False), Flatten(),
    ]  # fmt: skip
    x = rng.standard_normal((1, 2, 5, 6)).round(1)
    (_, features) = Network(layers).output_shape(x.shape)
    net = Network([*layers, Dense(rng.standard_normal((features, 3)))])
    for method in ("lrp-generalized-gamma", "lrp-epsilon", "gradient", "deeplift"):
        tab = opened(page(record(method, net, x, 1)))
        report = tab.evaluate("() => window.stepper.report()")
        assert report["worst"] <= 1e-12, (method, report)


def branching():
    """Skips, a gate that is spread over its maps, a Concat along an axis within, and a constant."""
    rng = np.random.default_rng(0)

    def conv(filters, channels, size):
        return Conv2d(rng.standard_normal((filters, channels, size, size)), rng.random(filters), padding=size // 2)

    return Network([
        conv(2, 1, 3), ReLU(), Residual([conv(2, 2, 3), ReLU(), conv(2, 2, 1)]), ReLU(),
        Branches([[], [GlobalAvgPool(), conv(2, 2, 1), Sigmoid()]], Multiply()),
        Branches([[], [MaxPool2d((2, 1), 1), Branches([[], [Constant(np.ones((1, 2, 2, 3)))]], Add())]], Concat(2)),
        Flatten(), Dense(rng.standard_normal((30, 3))),
    ])  # fmt: skip


ADDS = [lrp.proportional(lrp.relative(0.25)), lrp.positive(), lrp.absolute(), lrp.only(1)]


def test_the_page_computes_every_join_again(opened):
    rng = np.random.default_rng(1)
    x, net = rng.random((1, 1, 3, 3)).round(1), branching()
    usual = {"convolution": lrp.epsilon(), "dense": lrp.zero(), "multiply": lrp.uniform()}
    rules = [lrp.Composite(add=add, **usual) for add in ADDS]
    for methods in (rules[:2], rules[2:], ["gradient-times-input", "deeplift"]):
        tab = opened(page(*(record(method, net, x, 1) for method in methods)))
        report = tab.evaluate("() => window.stepper.report()")
        assert report["worst"] <= 1e-12, (methods, report)
        assert report["elements"] == report["of"] > 100


def test_the_page_goes_through_branches_as_the_terminal_does(opened):
    trace = record("lrp-epsilon", branching(), np.random.default_rng(1).random((1, 1, 3, 3)), 1)
    tab = opened(page(trace))
    found = tab.evaluate("() => TRACES[0].frames.map((_, l) => onPath(l, 0))")
    assert [(each["j"], each["k"]) for each in found] == list(choices(trace).values())
    l = trace.layers.index("block1.add")
    tab.evaluate("(l) => window.stepper.go({ l, s: 0, j: 20 })", l)  # of the second branch, which begins at 18
    assert (state(tab)["j"], state(tab)["k"]) == (20, 2)
    assert tab.locator("#where-j").inner_text() == "block1.conv2, channel 0, row 0, column 2"
    tab.evaluate("() => window.stepper.go({ k: 5 })")
    assert state(tab)["j"] == 23  # in the branch that was chosen
    assert tab.locator("#arrays figure[data-s=a_j]").count() == 2  # an array for each branch
    assert "from relu1" in tab.locator("#ledger").inner_text()
    tab.locator("#arrays figure[data-s=a_j] canvas").nth(1).click(position={"x": 5, "y": 5})
    assert state(tab)["j"] == 18
    tab.keyboard.press("ArrowDown")  # to block1.conv2, where this branch comes from
    assert (tab.locator("#layers [aria-current=true]").inner_text(), state(tab)["k"]) == ("block1.conv2", 0)
    tab.keyboard.press("ArrowUp")
    assert state(tab)["j"] == 18


def test_a_z_of_zero_counts_as_positive_in_the_page_too(opened):
    net = Network([Dense(np.zeros((2, 1))), Sigmoid(), Dense(np.ones((1, 1)), np.ones(1))])
    trace = record("lrp-epsilon", net, np.ones((1, 2)))
    assert trace.frame("dense1").arrays["s_k"][0] > 1e5  # half of the score, divided by +ε
    tab = opened(page(trace))
    assert tab.evaluate("() => window.stepper.check()") <= 1e-12


def test_a_wrong_number_is_found_out(opened):
    trace = record("lrp-gamma", models.load("tiny"), models.digits("uci", "test")[0][17:18])
    trace.frames[0].arrays["c_j"][15] += 1e-9
    tab = opened(page(trace), "#l=0&s=2&j=15&k=3")
    assert tab.evaluate("() => window.stepper.check()") > 1e-12
    assert tab.locator(".current .wrong").count() == 1


# ------------------------------------------------------------------------------------------------- hands and keys


@pytest.mark.parametrize(("draw", "method"), [(tiny, "lrp-gamma"), (lenet, "lrp-montavon2019")])
def test_the_keyboard_reaches_every_step_of_every_layer(opened, draw, method):
    tab = opened(draw(method))
    names = tab.locator("#layers button").all_inner_texts()
    seen = []
    while True:
        at = state(tab)
        seen.append((at["l"], at["s"]))
        assert tab.locator("#layers [aria-current=true]").inner_text() == names[at["l"]]
        assert tab.locator(".step.current").count() == 1
        assert tab.locator(".wrong").count() == 0
        assert tab.locator(".ok").count() >= 1
        assert tab.locator("#live").inner_text().startswith(f"Layer {names[at['l']]}, step {at['s'] + 1} of ")
        assert tab.evaluate("location.hash") == f"#l={at['l']}&s={at['s']}&j={at['j']}&k={at['k']}"
        tab.keyboard.press("ArrowRight")
        if state(tab) == at:
            break
    assert {l for l, _ in seen} == set(range(len(names)))
    assert len(seen) == tab.evaluate("() => TRACES[0].frames.reduce((n, frame) => n + frame.steps.length, 0)")
    for l in reversed(range(len(names) - 1)):
        tab.keyboard.press("ArrowUp")
        assert state(tab)["l"] == l
    assert (state(tab)["j"], state(tab)["k"]) == tuple(tab.evaluate("() => [DATA.start.j, DATA.start.k]"))
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("ArrowLeft")
    assert (state(tab)["l"], state(tab)["s"]) == seen[-1 + [l for l, _ in seen].index(1)]


def test_the_address_says_where_we_are_and_is_obeyed(opened):
    tab = opened(tiny("lrp-gamma"), "#l=2&s=2&j=30&k=3")
    assert state(tab) == {"l": 2, "s": 2, "j": 30, "k": 3, "m": 0}
    tab.evaluate("() => { location.hash = '#l=0&s=1&j=5&k=9'; }")
    tab.wait_for_function("() => window.stepper.state.k === 9")
    assert state(tab) == {"l": 0, "s": 1, "j": 5, "k": 9, "m": 0}
    tab.evaluate("() => { location.hash = '#l=99&s=99&j=9999&k=x&<script>'; }")  # brought into range
    tab.wait_for_function("() => window.stepper.state.l === 3")
    assert state(tab)["j"] == state(tab)["k"] == 63


def test_a_click_on_a_cell_chooses_it(opened):
    tab = opened(tiny("lrp-gamma"), "#l=2&s=0&j=0&k=0")
    a, z = tab.locator('[data-s="a_j"] canvas'), tab.locator('[data-s="z_k"] canvas')
    box = a.bounding_box()
    a.click(position={"x": box["width"] * 2.5 / 8, "y": box["height"] * 1.5 / 8})
    assert state(tab)["j"] == 10
    box = z.bounding_box()
    z.click(position={"x": box["width"] * 0.9, "y": box["height"] * 0.9})
    assert state(tab)["k"] == 15
    tab.locator(".bill button").first.click()  # the largest term
    assert state(tab)["j"] == tab.evaluate("() => Number(document.querySelector('.bill button').dataset.n)")
    tab.keyboard.press("j")
    tab.keyboard.press("Shift+K")
    assert state(tab)["k"] == 14
    tab.locator("#j").fill("7")
    tab.locator("#j").press("Enter")
    assert state(tab)["j"] == 7
    before = state(tab)
    tab.locator("#j").press("ArrowRight")  # in a field the arrows belong to the field
    assert state(tab) == before


def test_a_symbol_lights_up_wherever_it_occurs(opened):
    tab = opened(tiny("lrp-gamma"), "#l=2&s=0&j=4&k=15")
    tab.locator('.current .math .sym[data-s="w_jk"]').first.hover()
    lit = tab.evaluate("() => [...document.querySelectorAll('.lit')].map((e) => e.dataset.s)")
    assert set(lit) == {"w_jk"}
    assert len(lit) >= 2 + 2 + 2 + 2 * 6 + 1  # formulas of steps 1 and 3, vector form, numbers, array
    tab.locator("h1").hover()
    assert tab.locator(".lit").count() == 0


def test_the_window_and_the_winner_are_shown(opened):
    tab = opened(lenet("lrp-montavon2019"), "#l=7")
    at = state(tab)
    assert tab.locator(".bill tr.wins").inner_text().startswith(f"j = {at['j']}")
    assert tab.locator(".bill").last.locator("tr").count() == 4
    tab.evaluate("() => window.stepper.go({ l: 6, s: 0 })")
    assert "channel" in tab.locator("#where-j").inner_text()


def test_two_methods_can_be_changed_over(opened):
    tab = opened(tiny("lrp-gamma", "lrp-epsilon"), "#l=2&s=1&j=4&k=15&m=0")
    assert tab.locator("h1").inner_text() == "lrp-gamma, step by step"
    assert tab.locator("#compare canvas").count() == 3
    tab.keyboard.press("m")
    assert tab.locator("h1").inner_text() == "lrp-epsilon, step by step"
    assert state(tab) == {"l": 2, "s": 1, "j": 4, "k": 15, "m": 1}
    assert "m=1" in tab.evaluate("location.hash")
    captions = tab.locator("#compare figcaption").all_inner_texts()
    one, other, difference = (float(text.split("=")[1].replace("−", "-")) for text in captions)
    assert one - other == pytest.approx(difference, abs=2e-4)
    narrow = opened(tiny("lrp-gamma", "deeplift"), "#l=4&m=1")
    assert "Only deeplift has this step" in narrow.locator("#compare").inner_text()


# -------------------------------------------------------------------------------------------------- for everybody


def test_every_control_has_a_name_and_a_visible_focus(opened):
    tab = opened(tiny("lrp-gamma"))
    names = tab.evaluate(
        """() => [...document.querySelectorAll("button, input, canvas")].map(
            (e) => e.getAttribute("aria-label") || e.innerText.trim())"""
    )
    assert all(names)
    for _ in range(4):
        tab.keyboard.press("Tab")
    assert tab.evaluate("() => getComputedStyle(document.activeElement).outlineStyle") == "solid"
    tab.keyboard.press("Enter")  # the focus stays where it was, though everything was drawn again
    assert tab.evaluate("() => document.activeElement.id").startswith("layer-")
    assert tab.evaluate("() => document.documentElement.lang") == "en"


@pytest.mark.parametrize(("draw", "method", "layers"), [(tiny, "lrp-gamma", 4), (lenet, "lrp-montavon2019", 10)])
def test_it_fits_a_telephone_and_a_desk(opened, draw, method, layers):
    tab = opened(draw(method))
    for width, scheme in product((1280, 390), ("light", "dark")):
        tab.set_viewport_size({"width": width, "height": 900})
        tab.emulate_media(color_scheme=scheme)
        for l in range(0, layers, 3):
            tab.evaluate("(l) => window.stepper.go({ l, s: 0 })", l)
            assert tab.evaluate("() => document.documentElement.scrollWidth") <= width
        shown = np.asarray(Image.open(BytesIO(tab.screenshot())).convert("L"))
        assert shown.shape[1] == width
        assert (shown.mean() > 128) == (scheme == "light")


def test_it_opens_in_under_a_second(opened):
    tab = opened(lenet("lrp-alpha2-beta1", "lrp-epsilon"))
    times = tab.evaluate("() => performance.getEntriesByType('navigation')[0].toJSON()")
    assert times["loadEventEnd"] - times["startTime"] < 1000
