"""The site in a real browser: whole without a network, readable, reachable by keyboard, at home on a telephone.

What a check asks of a page is in site.js; each is tried once on a page made wrong on purpose.
"""

import functools
import http.server
import threading

import pytest
import yaml
from axe_playwright_python.sync_playwright import Axe
from conftest import ROOT, need
from playwright.sync_api import sync_playwright

TOC = yaml.safe_load((ROOT / "_toc.yml").read_text())
PAGES = [TOC["root"], *(chapter["file"] for part in TOC["parts"] for chapter in part["chapters"])]
ALL = [*PAGES, "search"]
QUESTIONS = (ROOT / "tests" / "site.js").read_text()
# What a reader's first page costs, all that it loads, not compressed: pages below 1 MB of their own.
HEAVIEST_PAGE = 1_000_000
HEAVIEST_REST = 1_250_000
WIDTHS = {"desk": 1280, "telephone": 360, "small telephone": 320}


@pytest.fixture(scope="module")
def chromium():
    path = need("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"],
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def served(site):
    """The address of the site on a server of this machine's own."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


class Visit:
    """A page in a browser that has no network but the site, and what it asked for and complained of."""

    def __init__(self, browser, base, width=1280, mode="light", **options):
        self.base, self.trouble, self.bytes = base, [], {}
        self.context = browser.new_context(
            viewport={"width": width, "height": 800}, color_scheme=mode, reduced_motion="reduce", **options
        )
        self.page = self.context.new_page()
        self.page.route("**/*", self._gate)
        self.page.on("console", lambda m: m.type in ("error", "warning") and self.trouble.append(m.text))
        self.page.on("pageerror", lambda error: self.trouble.append(f"script: {error}"))
        self.page.on("requestfailed", lambda request: self.trouble.append(f"failed: {request.url}"))
        self.page.on("response", self._weigh)

    def _gate(self, route):
        if route.request.url.startswith((self.base, "data:")):
            route.continue_()
        else:
            self.trouble.append(f"outside: {route.request.url}")
            route.abort()

    def _weigh(self, response):
        if response.status >= 400:
            self.trouble.append(f"{response.status}: {response.url}")
        elif response.url.startswith("http"):
            self.bytes[response.url.split("?")[0]] = int(response.headers.get("content-length", 0))

    def open(self, name):
        self.page.goto(f"{self.base}{name}.html")
        self.page.wait_for_load_state("load")
        self.page.evaluate("document.fonts.ready")
        return self.page

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.context.close()


# What can be wrong with a page -------------------------------------------------------------------------------


def ask(page, question):
    return page.evaluate(f"{QUESTIONS}\n{question}()")


def violations(page):
    """What axe-core finds: names, roles, landmarks, language and the rest of its rules."""
    # Contrast is slow there and leaves drawings out: site.js has it.
    options = {"rules": {"color-contrast": {"enabled": False}}, "resultTypes": ["violations"]}
    return [
        f"{rule['id']}: {node['html'][:120]} {node.get('failureSummary', '')[:200]}"
        for rule in Axe().run(page, options=options).response["violations"]
        for node in rule["nodes"]
    ]


def tab_stops(page, count):
    """Tab so often, or to the end of the page: each element that gets the focus, and whether one can see it."""
    stops = []
    for _ in range(count):
        page.keyboard.press("Tab")
        stop = ask(page, "focused")
        if stop["none"]:
            break
        stops.append(stop)
    return stops


# Every page --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("how", ["file", "http"])
def test_needs_nothing_from_elsewhere(chromium, site, served, name, how):
    base = site.resolve().as_uri() + "/" if how == "file" else served
    with Visit(chromium, base) as visit:
        page = visit.open(name)
        page.mouse.wheel(0, 20000)
        page.wait_for_timeout(100)
        assert visit.trouble == []


@pytest.mark.parametrize("name", PAGES)
def test_formulas_are_set(chromium, served, name):
    with Visit(chromium, served) as visit:
        assert ask(visit.open(name), "unsetFormulas") == []


@pytest.mark.parametrize("name", PAGES)
def test_reads_without_scripts(chromium, served, name):
    with Visit(chromium, served, java_script_enabled=False) as visit:
        page = visit.open(name)
        assert page.locator(".bd-article h1").is_visible()
        shown = page.locator(".katex-html")
        assert shown.count() == page.locator(".math").count()
        assert all(shown.nth(i).is_visible() for i in range(min(shown.count(), 5)))
        assert visit.trouble == []


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("width", [1280, 360])
def test_accessible(chromium, served, name, width):
    with Visit(chromium, served, width) as visit:
        page = visit.open(name)
        assert page.evaluate("document.documentElement.lang") == "en"
        assert violations(page) == []


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("mode", ["light", "dark"])
def test_contrast(chromium, served, name, mode):
    with Visit(chromium, served, mode=mode) as visit:
        page = visit.open(name)
        assert page.evaluate("document.documentElement.dataset.theme") == mode
        assert ask(page, "pale") == []


@pytest.mark.parametrize("name", PAGES)
def test_headings_are_in_order(chromium, served, name):
    with Visit(chromium, served) as visit:
        assert ask(visit.open(name), "headingsOutOfOrder") == []


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_fits_the_screen(chromium, served, name, width):
    with Visit(chromium, served, width) as visit:
        assert ask(visit.open(name), "sideways") == []


@pytest.mark.parametrize("name", PAGES)
def test_weight(chromium, served, name):
    with Visit(chromium, served) as visit:
        visit.open(name)
        own = visit.bytes.pop(f"{served}{name}.html")
        assert own <= HEAVIEST_PAGE
        assert sum(visit.bytes.values()) <= HEAVIEST_REST, sorted(visit.bytes.items(), key=lambda kv: -kv[1])[:8]


@pytest.mark.parametrize("name", PAGES)
def test_focus_can_be_seen(chromium, served, name):
    with Visit(chromium, served) as visit:
        page = visit.open(name)
        assert [stop["what"] for stop in tab_stops(page, 25) if not stop["visible"]] == []


@pytest.mark.parametrize("how", ["file", "http"])
def test_the_front_door_opens(chromium, site, served, how):
    base = site.resolve().as_uri() + "/" if how == "file" else served
    with Visit(chromium, base) as visit:
        visit.page.goto(f"{base}index.html")
        visit.page.wait_for_url(f"{base}{TOC['root']}.html")
        assert visit.trouble == []


# Once --------------------------------------------------------------------------------------------------------


def test_skip_link(chromium, served):
    with Visit(chromium, served) as visit:
        page = visit.open(PAGES[1])
        first = tab_stops(page, 1)[0]
        assert "#main-content" in first["what"] and first["visible"]
        page.keyboard.press("Enter")
        assert tab_stops(page, 1)[0]["main"]


@pytest.mark.parametrize("how", ["file", "http"])
def test_search_finds_the_chain_rule(chromium, site, served, how):
    base = site.resolve().as_uri() + "/" if how == "file" else served
    with Visit(chromium, base) as visit:
        page = visit.open(PAGES[0])
        page.keyboard.press("Control+k")
        page.locator("dialog#pst-search-dialog input").fill("chain rule")
        page.keyboard.press("Enter")
        found = page.locator("#search-results li a")
        found.first.wait_for()
        page.wait_for_timeout(300)
        chapter = found.filter(has_text="The scalar chain rule").first
        chapter.click()
        page.wait_for_load_state()
        assert "scalar_chain_rule.html" in page.url
        assert visit.trouble == []


def test_theme_is_chosen_and_kept(chromium, served):
    with Visit(chromium, served) as visit:
        page = visit.open(PAGES[0])
        ground = "getComputedStyle(document.body).backgroundColor"
        light = page.evaluate(ground)
        for _ in range(3):
            page.locator(".theme-switch-button").first.click()
            if page.evaluate("document.documentElement.dataset.theme") == "dark":
                break
        dark = page.evaluate(ground)
        assert light != dark
        visit.open(PAGES[1])
        assert page.evaluate(ground) == dark


@pytest.mark.parametrize("width", [1280, 360])
def test_contents_open_and_close(chromium, served, width):
    with Visit(chromium, served, width) as visit:
        page = visit.open(PAGES[1])
        link = page.locator("nav.bd-links a").filter(has_text="Notation").first
        before = link.is_visible()
        page.locator(".primary-toggle").first.click()
        page.wait_for_timeout(400)
        assert link.is_visible() != before


def test_motion_is_reduced_where_asked(chromium, served):
    with Visit(chromium, served) as visit:
        page = visit.open(PAGES[0])
        assert page.evaluate("getComputedStyle(document.documentElement).scrollBehavior") == "auto"
        moving = "e => parseFloat(getComputedStyle(e).transitionDuration) > 0"
        assert page.evaluate(f"[...document.querySelectorAll('*')].filter({moving}).length") == 0


def test_prints_the_text_alone(chromium, served):
    with Visit(chromium, served, mode="dark") as visit:
        page = visit.open(PAGES[1])
        page.emulate_media(media="print")
        assert not page.locator(".bd-sidebar-primary").is_visible()
        assert not page.locator(".bd-header-article").is_visible()
        assert page.locator(".bd-article h1").is_visible()
        assert page.evaluate("getComputedStyle(document.querySelector('.bd-article p')).color") == "rgb(0, 0, 0)"
        assert ask(page, "pale") == []
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_the_notebook_is_downloaded(chromium, served):
    with Visit(chromium, served) as visit:
        page = visit.open("book/scalar_chain_rule")
        with page.expect_download() as download:
            page.locator("a.download").first.click()
        assert download.value.suggested_filename == "scalar_chain_rule.ipynb"


# The checks bite ---------------------------------------------------------------------------------------------

WRONG = """<!DOCTYPE html><html><head><title>wrong</title><link rel="icon" href="data:,"></head><body><main>
<h1>One</h1><h3>Three</h3><p style="color: #888; background: #fff">pale</p>
<svg><text y="20" fill="#999">pale</text></svg><img src="data:,">
<span class="math">x</span><p>Left as $$\\frac{1}{2}$$</p>
<div style="width: 2000px">wide</div><div style="overflow: hidden"><p style="width: 900px">cut off</p></div>
<a href="#x" style="outline: none">link</a>
<script src="https://example.org/x.js"></script><script>nothing()</script></main></body></html>"""


def test_a_wrong_page_is_seen(chromium, served):
    with Visit(chromium, served, 360) as visit:
        page = visit.page
        page.route(f"{served}wrong.html", lambda route: route.fulfill(body=WRONG, content_type="text/html"))
        visit.open("wrong")
        assert any("outside: https://example.org/x.js" == trouble for trouble in visit.trouble)
        assert any("nothing is not defined" in trouble for trouble in visit.trouble)
        assert len(ask(page, "unsetFormulas")) >= 3
        assert ask(page, "headingsOutOfOrder") == ["Three"]
        assert len(ask(page, "sideways")) >= 3
        rules = " ".join(violations(page))
        assert len(ask(page, "pale")) == 2
        assert "image-alt" in rules and "html-has-lang" in rules
        assert not tab_stops(page, 1)[0]["visible"]
