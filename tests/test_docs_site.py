"""The site as it was built by ``make docs``, in a real browser, and what builds it.

It is skipped where there is no site, no selenium (it comes with ``make docs``), or no Chromium
(``apt install chromium chromium-driver``). The browser connects to nothing but this machine.
"""

from __future__ import annotations

import html
import re
import shutil
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from documents import ROOT

sys.path.insert(0, str(ROOT / "docs" / "_ext"))

import explorer

SITE = ROOT / "docs" / "_build" / "html"
TIMEOUT = 120  # seconds; it takes two on a machine with nothing else to do
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)


# What builds the site


def test_broken_links(tmp_path: Path) -> None:
    """A link to no file, and one to no place in a file, are found; all others lead somewhere."""
    pytest.importorskip("sphinx", reason="needs sphinx: make docs")
    import links  # noqa: PLC0415 - needs sphinx

    (tmp_path / "sub").mkdir()
    (tmp_path / "a.html").write_text(
        '<a href="sub/b.html#here">1</a><a href="#top">2</a><a href="https://h/x">3</a>'
        '<a href="sub/b.html#nowhere">4</a><img src="missing.png"><a name="x" href="#x">5</a>'
        '<a href="mailto:a@b">6</a><a href="a%2ehtml">7</a><a href="sub">8</a>'
    )
    (tmp_path / "sub" / "b.html").write_text('<p id="here"><a href="../a.html">back</a>')
    assert links.broken_links(tmp_path) == [
        "a.html: no file for 'missing.png'",
        "a.html: no file for 'sub'",
        "a.html: no such place as 'sub/b.html#nowhere'",
    ]


@pytest.mark.parametrize(
    ("text", "moved"),
    [
        ("[x](docs/design.md)", "[x](design.md)"),
        ("[x](docs/design.md#decisions)", "[x](design.md#decisions)"),
        ("[x](adapters/README.md)", "[x](how-to/write-an-adapter.md)"),
        ("[docs/design.md](docs/design.md)", "[](design.md)"),
        ("[x](LICENSE)", "[x](../LICENSE)"),
        ("[LICENSE](LICENSE)", "[LICENSE](../LICENSE)"),
        ("[x](#here) [y](https://h/z)", "[x](#here) [y](https://h/z)"),
        ("`a`](b)", "`a`](b)"),
    ],
)
def test_links_of_included_texts(text: str, moved: str) -> None:
    """What the README links to is found from the page that includes it."""
    pytest.importorskip("sphinx", reason="needs sphinx: make docs")
    import repository  # noqa: PLC0415 - needs sphinx

    assert (
        repository._moved(text, PurePosixPath("README.md"), PurePosixPath("docs/index.md")) == moved
    )


@pytest.mark.parametrize(
    ("what", "lines", "kept"),
    [
        (
            "property",
            ["exactly the value.", "", ":type: What ends a frame"],
            ["What ends a frame: exactly the value.", ""],
        ),
        (
            "function",
            [":returns: nothing.", ":rtype: For streams that block"],
            [":returns: For streams that block: nothing."],
        ),
        (
            "function",
            [":returns: a number.", ":rtype: int"],
            [":returns: a number.", ":rtype: int"],
        ),
        ("class", [":ivar debug, connected: whether."], [":ivar debug,connected: whether."]),
    ],
)
def test_words_of_docstrings_are_kept(what: str, lines: list[str], kept: list[str]) -> None:
    """What stands in front of a colon is no type, and the first of two attributes is none."""
    names: Any = pytest.importorskip("names", reason="needs sphinx: make docs")
    names.keep_words(None, what, "", None, None, lines)
    assert [line for line in lines if line] == [line for line in kept if line]


def test_signatures_are_plain() -> None:
    """What only autodoc would say of a default is not in them."""
    names: Any = pytest.importorskip("names", reason="needs sphinx: make docs")
    signature = "(events: list[~typing.Any] = <factory>, n: int = 0)"
    plain = names.plain_signature(None, "class", "", None, None, signature, "None")
    assert plain == ("(events: list[Any] = ..., n: int = 0)", "None")
    assert names.plain_signature(None, "data", "", None, None, None, None) == (None, None)


def test_when_something_is_raised_is_kept() -> None:
    """It becomes a sentence, and the section one that napoleon knows."""
    names: Any = pytest.importorskip("names", reason="needs sphinx: make docs")
    lines = ["It reads.", "", "Raises, after the last frame that is complete:", "    Error: why."]
    names.state_when(None, "method", "", None, None, lines)
    assert lines[2:5] == [
        "What it raises comes after the last frame that is complete.",
        "",
        "Raises:",
    ]


# The site in a browser


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files, and keeps it to itself."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as it is called
        """Say nothing."""


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The site, on this machine."""
    if not (SITE / "_static" / "pyodide").exists():
        pytest.skip("needs the site: make docs")
    handler = partial(QuietHandler, directory=SITE)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser(address: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A Chromium that has the explorer open, with Python running in it."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium: make docs")
    programs = [shutil.which("chromium"), shutil.which("chromedriver")]
    if None in programs:
        pytest.skip("needs chromium and chromedriver: apt install chromium chromium-driver")
    options = webdriver.ChromeOptions()
    options.binary_location = programs[0]
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('chromium')}"):
        options.add_argument(flag)
    service = webdriver.ChromeService(programs[1])
    driver = webdriver.Chrome(options=options, service=service)
    try:
        driver.set_script_timeout(TIMEOUT)
        driver.get(f"{address}/explorer.html")
        failure = driver.execute_async_script(
            "const done = arguments[0], root = document.querySelector('.explorer');"
            "const look = () => {"
            "  if (root.matches('.ready')) done('');"
            "  if (root.matches('.failed')) done(root.querySelector('.status').textContent);"
            "};"
            "new MutationObserver(look).observe(root, {attributes: true}); look();"
        )
        assert failure == ""
        yield driver
    finally:
        driver.quit()
        service.stop()


@pytest.fixture
def page(browser: Any) -> Callable[[str], Any]:
    """What asks the open page something, in JavaScript, after a sample was chosen anew."""
    choose(browser, 0)
    return lambda script: browser.execute_script(f"return {script}")


def choose(browser: Any, sample: int) -> None:
    """Choose a sample, as a reader would."""
    browser.execute_script(
        "const select = document.querySelector('.explorer form').sample;"
        "select.selectedIndex = arguments[0];"
        "select.dispatchEvent(new Event('input', {bubbles: true}))",
        sample,
    )


def put(browser: Any, name: str, value: str) -> None:
    """Type something into a field."""
    browser.execute_script(
        "const field = document.querySelector('.explorer form')[arguments[0]];"
        "field.value = arguments[1]; field.dispatchEvent(new Event('input', {bubbles: true}))",
        name,
        value,
    )


def text_of(markup: str) -> str:
    """Return what a reader sees of some markup."""
    return html.unescape(re.sub(r"<[^>]*>", "", markup)).replace("\xa0", " ")


CUTS = "[...document.querySelectorAll('.explorer [aria-pressed=true]')].map(c => +c.dataset.cut)"
STOPS = "[...document.querySelectorAll('.strip [tabindex=\"0\"]')].map(c => +c.dataset.cut)"
ROWS = "document.querySelector('.explorer .steps tbody').textContent"


def test_framer_runs_in_the_browser(browser: Any, page: Callable[[str], Any]) -> None:
    """For each sample it shows there what the same framer shows here."""
    for index, sample in enumerate(explorer.SAMPLES):
        choose(browser, index)
        request = explorer.Request(sample.text, sample.terminator, sample.cuts)
        expected = explorer.page(request)
        assert page(ROWS) == text_of(expected["steps"])
        assert page(CUTS) == expected["cuts"]
        assert page("document.querySelector('.verdict').textContent") == expected["verdict"]


def test_cuts_move(browser: Any, page: Callable[[str], Any]) -> None:
    """A click between two bytes makes or takes a cut; it can be dragged, and moved by keys.

    Arrows go from place to place, of which Tab leads to one alone.
    """
    from selenium.webdriver import ActionChains, Keys  # noqa: PLC0415 - may be missing
    from selenium.webdriver.common.by import By  # noqa: PLC0415

    def cut(place: int) -> Any:
        return browser.find_element(By.CSS_SELECTOR, f'[data-cut="{place}"]')

    browser.execute_script(
        "document.querySelector('.strip').scrollIntoView({block: 'center', behavior: 'instant'})"
    )
    assert page(CUTS) == [7, 10]
    cut(3).click()
    assert page(CUTS) == [3, 7, 10]
    assert "b'EHL'" in page(ROWS)
    cut(7).click()
    assert page(CUTS) == [3, 10]
    ActionChains(browser).drag_and_drop(cut(3), cut(5)).perform()
    assert page(CUTS) == [5, 10]
    assert "b'EHLO '" in page(ROWS)
    browser.execute_script("arguments[0].focus()", cut(10))
    keys = ActionChains(browser)
    keys.key_down(Keys.SHIFT).send_keys(Keys.ARROW_LEFT, Keys.ARROW_LEFT).key_up(Keys.SHIFT)
    keys.perform()
    assert page(CUTS) == [5, 8]
    ActionChains(browser).send_keys(Keys.SPACE).perform()
    assert page(CUTS) == [5]
    ActionChains(browser).send_keys(Keys.ARROW_LEFT, Keys.ARROW_LEFT, Keys.SPACE).perform()
    assert page(CUTS) == [5, 6]
    assert page(STOPS) == [6]
    browser.find_element(By.CSS_SELECTOR, "[data-all=each]").click()
    assert page(CUTS) == list(range(1, page("document.querySelectorAll('.strip .byte').length")))
    browser.find_element(By.CSS_SELECTOR, "[data-all=none]").click()
    assert page(CUTS) == []


def test_typing(browser: Any, page: Callable[[str], Any]) -> None:
    """Bytes, terminator and limit are what is typed; what cannot be is said."""
    browser.execute_script("document.querySelector('[data-all=none]').click()")
    put(browser, "terminator", "Netstring()")
    put(browser, "text", "3:abc,5:<b>!x,")
    assert "b'<b>!x'" in page(ROWS)
    put(browser, "limit", "4")
    assert "FrameTooLarge" in page(ROWS)
    put(browser, "limit", "")
    assert "FrameTooLarge" not in page(ROWS)
    before = page(ROWS)
    put(browser, "terminator", "Netstring(")
    assert "SyntaxError" in page("document.querySelector('.problem').textContent")
    assert page(ROWS) == before
    assert page("document.querySelector('.explorer').matches('.stale')")
    assert page("document.querySelector('.explorer form').sample.value") == "own"
    put(browser, "terminator", "4")
    assert page("document.querySelector('.problem').textContent") == ""
    assert not page("document.querySelector('.explorer').matches('.stale')")
    assert page(ROWS) != before
    put(browser, "limit", "65536")


def test_all_comes_from_the_site(address: str, page: Callable[[str], Any]) -> None:
    """The page has asked nobody else for anything."""
    names = page("performance.getEntriesByType('resource').map(entry => entry.name)")
    assert any(name.endswith("pyodide.asm.wasm") for name in names)
    assert [name for name in names if not name.startswith(address)] == []


def test_without_a_script(address: str) -> None:
    """The page has a stream to show, and says why it is one only."""
    assert address
    text = (SITE / "explorer.html").read_text(encoding="utf-8")
    sample = explorer.SAMPLES[0]
    expected = explorer.page(explorer.Request(sample.text, sample.terminator, sample.cuts))
    assert expected["steps"] in text
    assert expected["strip"] in text
    assert "Without JavaScript this page shows one stream" in text
