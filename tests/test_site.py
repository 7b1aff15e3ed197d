"""The site of the lessons: built with warnings as errors, opened in a browser, at desktop and telephone width."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = pytest.mark.once  # see setup.cfg

LESSONS = Path(__file__).parents[1] / "lessons"
PAGES = ["README", "gallery", *(path.stem for path in sorted(LESSONS.glob("[0-9][0-9]-*.md"))), "library/layers"]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the built site; one build serves all tests of this file, and what the lessons' tests ran."""
    absent = next((tool for tool in ("sphinx", "myst_nb", "furo") if find_spec(tool) is None), None)
    if absent is not None:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"{absent} is needed to build the site")
    out = tmp_path_factory.mktemp("site")
    build = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", str(LESSONS), str(out)]
    done = subprocess.run(build, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-3000:]
    return out


def test_every_page_is_built_and_names_nothing_outside(site):
    for name in PAGES:
        text = (site / f"{name}.html").read_text()
        fetched = re.findall(r'<(?:script|img|link|iframe)[^>]+(?:src|href)="(https?:[^"]+)"', text)
        assert not fetched, f"{name} would fetch {fetched}"
    styles = "".join(path.read_text() for path in site.rglob("*.css"))
    assert not re.findall(r"(?:@import|url\()\s*['\"]?https?:", styles)


def test_the_door_leads_to_the_lessons(site, browse):
    tab = browse((site / "index.html").as_uri())
    tab.wait_for_url("**/README.html")
    tab.locator("article table").first.get_by_role("link").first.click()
    assert tab.locator("h1").inner_text().startswith("00")


def test_formulas_are_mathml(site):
    text = (site / "06-layer-wise-relevance-propagation.html").read_text()
    assert text.count("<math") > 40
    assert "$" not in re.sub(r"<(pre|code|script|style).*?</\1>", "", text, flags=re.S)
    norms = (site / "10-activation-maximization.html").read_text()
    bars = re.findall("<mo[^>]*>‖</mo>", norms)
    assert bars
    assert all('stretchy="false"' in bar for bar in bars)


def test_what_a_comment_says_is_not_shown_twice(site):
    text = (site / "06-layer-wise-relevance-propagation.html").read_text()
    assert "<pre><span></span>[7. 1.] 8.0" not in text


def test_in_a_browser(site, browse):
    """Every page at both widths, light and dark: nothing sticks out, no picture is broken, the text can be read."""
    tab = browse((site / "README.html").as_uri())
    for name in PAGES:
        tab.goto((site / f"{name}.html").as_uri())
        assert tab.locator("h1").count() >= 1
        broken = tab.evaluate("[...document.images].filter(i => !(i.complete && i.naturalWidth)).map(i => i.src)")
        assert not broken, f"{name}: {broken}"
        for width in (1280, 390):
            tab.set_viewport_size({"width": width, "height": 900})
            assert tab.evaluate(WIDTH) <= width, f"{name} is wider than {width} pixels"
        for scheme in ("light", "dark"):
            tab.emulate_media(color_scheme=scheme)
            ink, paper = tab.evaluate(BRIGHTNESS)
            assert (ink < paper - 100) if scheme == "light" else (ink > paper + 100), (
                f"{name}, {scheme}: {ink} on {paper}"
            )


WIDTH = """() => Math.max(document.documentElement.scrollWidth,
    ...[...document.querySelectorAll("article section > *")].map((each) => each.getBoundingClientRect().right))"""
"""How far the page reaches, and what stands in it: where a page cannot be scrolled sideways, it would be cut off."""

BRIGHTNESS = """() => [["article :is(p, li, pre)", "color"], ["body", "backgroundColor"]].map(([at, what]) => {
    const rgb = getComputedStyle(document.querySelector(at))[what].match(/\\d+/g).map(Number)
    return (rgb[0] + rgb[1] + rgb[2]) / 3
})"""
"""How bright the ink and the paper are, of 255."""
