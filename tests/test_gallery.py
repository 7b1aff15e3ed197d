"""The gallery: ten classes by every form, its table and its page, opened in a real browser."""

import argparse
import contextlib
import html.parser
import io
import re
import shutil
import subprocess

import numpy as np
import pytest

from nnlite import cli, models
from nnlite.commands import gallery, prototypes
from nnlite.commands.page import grey
from nnlite.datasets import CLEAN_HAND, strokes
from nnlite.model_based import experts

pytestmark = pytest.mark.once  # see setup.cfg

FORMS = len(prototypes.FORMS)
PICTURES = FORMS * 10 * 2


@pytest.fixture(scope="module")
def shown(tmp_path_factory, request):
    """The gallery made once, with experts fit to fewer digits for speed: what it printed, its page, its rows."""
    folder = tmp_path_factory.mktemp("gallery") / "a new folder"
    x = strokes(2000, seed=2, hand=CLEAN_HAND)[0]
    quick = {
        "ppca": experts.PPCA.fit(x, q=60),
        "mixture": experts.MixturePPCA.fit(x, K=20, q=10, steps=6),
        "rbm": experts.rbm.train(x, hidden=96, epochs=12, k=1, progress=False)[0],
    }
    made, rows = [], prototypes.rows
    capture = request.config.pluginmanager.getplugin("capturemanager")
    printed = io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        capture.global_and_fixture_disabled(),
        contextlib.redirect_stdout(printed),
    ):
        patch.setattr(experts, "fitted", lambda name, progress: quick[name])
        patch.setattr(gallery, "rows", lambda compile: (made.append(row) or row for row in rows(compile)))
        assert cli.main(["gallery", "--out", str(folder)]) == 0
    return printed.getvalue(), folder / "gallery.html", made


def test_every_form_is_sure_of_every_class_and_the_judges_see_it_where_a_form_knows_digits(shown):
    assert len(shown[2]) == FORMS
    for row in shown[2]:
        general = row.form.name.startswith("general")
        assert row.found.classes.tolist() == list(range(10))
        assert row.found.probability.min() >= (0.99 if general else 0.95)
        if not general:
            assert all(row.agreeing(judge) >= 9 for judge in prototypes.JUDGES)


def test_the_judges_had_no_part_in_the_search():
    assert prototypes.SEARCHED not in prototypes.JUDGES
    W = [models.load(name).parameters["conv1.W"] for name in (prototypes.SEARCHED, *prototypes.JUDGES)]
    assert all(not np.array_equal(W[i], W[j]) for i in range(len(W)) for j in range(i))


def test_the_verdicts_are_what_the_judges_say(shown):
    for row in shown[2][::3]:
        for name, verdicts in row.verdicts.items():
            assert [verdict.predicted for verdict in verdicts] == models.load(name).predict(row.found.x).tolist()
            assert row.agreeing(name) == (models.load(name).predict(row.found.x) == np.arange(10)).sum()


def test_the_table_has_a_row_for_every_form(shown):
    rows = re.findall(r"^(.+?) +(\d\.\d{4})  ((?:lenet-\d: +\d+ *)+) +(\d+\.\d)$", shown[0], re.M)
    assert [row[0] for row in rows] == [form.name for form in prototypes.FORMS]
    for (_, smallest, agree, _), row in zip(rows, shown[2], strict=True):
        assert float(smallest) == pytest.approx(row.found.probability.min(), abs=1e-4)
        assert [int(n) for n in re.findall(r": +(\d+)", agree)] == [row.agreeing(judge) for judge in prototypes.JUDGES]


class _Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.pictures, self.addresses, self.names = [], [], []

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        if tag == "img":
            self.pictures.append(found["src"])
            self.names.append(found["alt"])
        self.addresses += [value for name, value in attributes if name in ("src", "href", "srcset", "action", "data")]


def test_the_page_is_self_contained_and_shows_start_and_result_of_every_class_by_every_form(shown):
    text = shown[1].read_text()
    page = _Page()
    page.feed(text)
    assert len(page.pictures) == len(set(page.names)) == PICTURES
    assert all(address.startswith(("data:", "#")) for address in page.addresses)
    assert {address[1:] for address in page.addresses if address.startswith("#")} == set(
        re.findall(r"<section id='([\w-]+)'", text)
    )
    assert "url(" not in text
    assert "@import" not in text
    assert "prefers-color-scheme: dark" in text
    for row in shown[2]:
        for n in range(10):
            name = f"{row.form.name}, {n}"
            assert page.pictures[page.names.index(f"{name}: the start")] == grey(row.found.start[n, 0])
            assert page.pictures[page.names.index(f"{name}: the result")] == grey(row.found.x[n, 0])
            assert f"p {row.found.start_probability[n]:.3f} → {row.found.probability[n]:.3f}" in text
            assert f"lenet-1: {row.verdicts['lenet-1'][n]}" in text


def test_a_browser_draws_every_picture_within_a_narrow_window(shown, tmp_path, missing):
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        missing("no chromium on the PATH to open the gallery with (Debian: apt-get install chromium)")
    probe = """<script>addEventListener("load", () => { const images = [...document.images];
      document.body.innerHTML = "<pre id=said>" + images.filter(i => i.complete && i.naturalWidth > 0
        && i.getBoundingClientRect().width > 30).length + " " + document.documentElement.scrollWidth + "</pre>"; });
      </script></head>"""
    copy = tmp_path / "gallery.html"
    copy.write_text(shown[1].read_text().replace("</head>", probe, 1))
    result = subprocess.run(
        [
            chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync",
            f"--user-data-dir={tmp_path / 'profile'}", "--window-size=390,800", "--enable-logging=stderr",
            "--virtual-time-budget=20000", "--dump-dom", copy.as_uri(),
        ],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    found = re.search(r'id="said">(\d+) (\d+)<', result.stdout)
    assert found, result.stdout[-500:] + result.stderr[-2000:]
    assert int(found[1]) == PICTURES
    assert int(found[2]) <= 500  # Chromium's narrowest window
    assert "CONSOLE" not in result.stderr


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(ValueError, match=r"--out takes a folder, and .*taken is a file"):
        gallery.run(argparse.Namespace(out=tmp_path / "taken"))
