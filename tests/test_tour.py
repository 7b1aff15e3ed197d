"""The main job: twenty digits, every method, the table and the page, opened in a real browser."""

import base64
import contextlib
import html.parser
import io
import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from nnlite import models
from nnlite.cli import main
from nnlite.commands import digits as shown
from nnlite.commands import report, tour
from nnlite.decision_based.attention_maps import has_attention
from nnlite.decision_based.registry import METHODS

pytestmark = pytest.mark.once  # see setup.cfg

LENET, TINY = ([m for m in METHODS.values() if m.fits(models.load(name))] for name in ("lenet", "tiny"))
SHOWN = [name for name in METHODS if METHODS[name].fits is not has_attention]  # no network of the tour has any
MAPS = 10 * len(LENET) + 10 * len(TINY) + 10 * 2  # CAM and Grad-CAM by cam_net
PICTURES = MAPS + 30 + 3 * 4 + 3 + 5 + 1  # maps, digits, three questions, grids of filters, building blocks, legend


@pytest.fixture(scope="module")
def toured(tmp_path_factory, request):
    """The tour run once: what it printed, its page, and the digits with their maps."""
    folder = tmp_path_factory.mktemp("tour") / "a new folder"
    digits = []
    capture = request.config.pluginmanager.getplugin("capturemanager")
    printed = io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        capture.global_and_fixture_disabled(),
        contextlib.redirect_stdout(printed),
    ):
        explained = shown.explained_digits
        patch.setattr(tour, "explained_digits", lambda: (digits.append(digit) or digit for digit in explained()))
        assert main(["tour", "--out", str(folder)]) == 0
    return printed.getvalue(), folder / "report.html", digits


def test_the_table_has_a_row_for_every_digit_and_method(toured):
    rows = re.findall(
        r"^(strokes|uci):(\d+) +(\d)(?: \(a \d\))? +(-?\d+\.\d+)  ([a-z0-9.-]+) +(-?\d+\.\d+|-) ", toured[0], re.M
    )
    assert len(rows) == MAPS
    assert {row[4] for row in rows} == set(SHOWN)
    assert {row[0] for row in rows} == {"strokes", "uci"}


def test_the_table_says_what_the_networks_say(toured):
    rows = re.findall(r"^strokes:(\d+) +(\d).*? (-?\d+\.\d{4})  lrp-epsilon  +(-?\d+\.\d{4})", toured[0], re.M)
    network = models.load("lenet")
    images, _ = models.digits("strokes", "test")
    assert len(rows) == 10
    for number, predicted, score, total in rows:
        x = images[int(number)][None]
        scores = network.scores(x)[0]
        assert int(predicted) == scores.argmax()
        assert float(score) == pytest.approx(scores.max(), abs=1e-4)
        assert float(total) == pytest.approx(METHODS["lrp-epsilon"].compute(network, x, None).sum(), abs=2e-4)


def test_the_books_of_every_row_balance(toured):
    number = r"([+-]?\d+\.\d{4})"
    books = rf"bias {number}  ε {number}  dropped {number}"
    rows = re.findall(rf" {number}  (?:lrp|deep-taylor)\S* +{number}  {books}", toured[0])
    assert len(rows) == 20 * sum(METHODS[name].rules is not None for name in SHOWN)
    for row in rows:
        score, *parts = map(float, row)
        assert score == pytest.approx(sum(parts), abs=5e-4)


class _Page(html.parser.HTMLParser):
    """Counts the pictures and collects every address that a browser would follow by itself."""

    def __init__(self):
        super().__init__()
        self.pictures, self.addresses, self.open = 0, [], []

    def handle_starttag(self, tag, attributes):
        self.pictures += tag == "img"
        self.addresses += [value for name, value in attributes if name in ("src", "href", "srcset", "action", "data")]


def test_the_page_is_self_contained_and_shows_every_method_for_every_digit(toured):
    text = toured[1].read_text()
    page = _Page()
    page.feed(text)
    assert page.pictures == PICTURES
    assert all(address.startswith("data:") for address in page.addresses)
    assert "url(" not in text
    assert "@import" not in text
    for name in SHOWN:
        assert text.count(f"<code>{name}</code>") >= 10 + 1


def test_browser_draws_every_picture_and_fetches_nothing(toured, tmp_path, missing):
    """A script added to a copy of the page reports what the browser made of it."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        missing("no chromium on the PATH to open the report with (Debian: apt-get install chromium)")
    probe = """<script>
      const errors = []; addEventListener("error", e => errors.push(String(e.message || e.target.src)), true);
      addEventListener("load", () => { const images = [...document.images]; const said = JSON.stringify({
        errors, images: images.length, drawn: images.filter(i => i.complete && i.naturalWidth > 0).length,
        visible: images.filter(i => i.getBoundingClientRect().width > 50).length,
        fetched: performance.getEntriesByType("resource").map(r => r.name).filter(n => !n.startsWith("data:")),
        width: document.documentElement.scrollWidth, title: document.title });
        document.body.innerHTML = "<pre id=said>" + btoa(unescape(encodeURIComponent(said))) + "</pre>"; });
      </script></head>"""
    copy = tmp_path / "report.html"
    copy.write_text(toured[1].read_text().replace("</head>", probe, 1))
    result = subprocess.run(
        [
            chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            f"--user-data-dir={tmp_path / 'profile'}", "--window-size=390,800", "--enable-logging=stderr",
            "--virtual-time-budget=20000", "--dump-dom", copy.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    found = re.search(r'id="said">([A-Za-z0-9+/=]+)<', result.stdout)
    assert found, result.stdout[-500:] + result.stderr[-2000:]
    said = json.loads(base64.b64decode(found[1]))
    assert said["errors"] == []
    assert said["fetched"] == []
    assert said["images"] == said["drawn"] == said["visible"] == PICTURES
    assert said["width"] <= 500  # narrow enough for a telephone (Chromium's narrowest window is 500)
    assert "CONSOLE" not in result.stderr


def test_every_method_gives_every_digit_a_map_of_its_own(toured):
    digits = toured[2]
    assert [digit.label for digit in digits] == 2 * list(range(10))
    for digit in digits:
        assert all(np.isfinite(e.R).all() for e in digit.explanations)
        assert all(e.R.any() for e in digit.explanations)
    maps = [(e.method.name, e.R.tobytes()) for digit in digits for e in digit.explanations]
    assert len(set(maps)) == len(maps)


def test_an_open_four_and_a_closed_one_are_what_the_page_says_they_are():
    open_four, closed_four = (shown.why(number) for number in (shown.OPEN_FOUR, shown.CLOSED_FOUR))
    for q in (open_four, closed_four):
        assert (q.predicted, q.rival) == (4, 9)
    lead_of = [q.scores[4] - q.scores[9] for q in (open_four, closed_four)]
    assert lead_of[0] > 5 > 1 > lead_of[1]
    # The closing stroke: the strongest blue of the difference lies in the upper half, on or beside the ink.
    difference = (closed_four.R_predicted - closed_four.R_rival)[0]
    row, column = np.unravel_index(difference.argmin(), difference.shape)
    assert row < 14
    assert closed_four.x[0, 0, row - 2 : row + 3, column - 2 : column + 3].max() > 0.5
    assert -difference.min() > difference.max()


def test_a_folder_that_is_a_file_is_refused(tmp_path, capsys):
    (tmp_path / "taken").write_text("")
    assert main(["tour", "--out", str(tmp_path / "taken")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_same_page_comes_out_twice(toured):
    question = shown.why(shown.OPEN_FOUR)
    digits = toured[2][:2]
    assert report.page(digits, digits[:1], [question]) == report.page(digits, digits[:1], [question])
