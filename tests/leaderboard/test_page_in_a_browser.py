"""The page as a person meets it: in a real browser, narrow and wide, light and dark, by keyboard, without scripts."""

import re
import shutil

import pytest

from graftbench.benchmark.results.schema import ShownPrompt, ShownReply
from graftbench.leaderboard.page.writing import page_of
from tests.benchmark.runs.test_entry import result
from tests.leaderboard.planted import VARIANTS, entry, suite_of

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: the page is tried in none")
PHONE, WIDE = {"width": 360, "height": 740}, {"width": 1600, "height": 900}
NASTY = "<img src=x onerror=\"document.title='broken'\"><script>document.title='broken'</script>"
LONG = "a very long answer " * 30
LONGEST = "suite" + "s" * 59
FITTED = "[aria-label$=': fitted']"  # the ranking that these entries have
FAIR = "[id='suite/pocket/mapper/fair']"


def planted():
    said = {"native": ShownReply(completion=LONG, success=True), "mapped": ShownReply(completion=NASTY, success=False)}
    example = ShownPrompt(item="p0", prompt=f"{NASTY}{LONG}", reference="x" * 300, said=said)

    def entry_of(name, rate, source="mine"):
        cells = [
            result(native=0.9, mapped=rate, variant=VARIANTS[0], reasons={"random_contrast": "pairs_are_alike"}),
            result(native=0.12, mapped=rate, variant=VARIANTS[1]),
        ]
        cells = [cell.model_copy(update={"examples": [example]}) for cell in cells]
        scored = entry(name, *cells)
        return scored.model_copy(update={"mapper": scored.mapper.model_copy(update={"source": source})})

    return [entry_of("good", 0.8), entry_of("fair", 0.5), entry_of("identity", 0.1, "identity")]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "index.html"
    path.write_text(page_of(planted()), encoding="utf-8")
    return path.as_uri()


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def visit(browser, file):
    contexts = []

    def visited(viewport=WIDE, where="", address=file, **more):
        context = browser.new_context(viewport=viewport, **more)
        contexts.append(context)
        page = context.new_page()
        page.said, page.asked = [], []
        page.on("console", lambda message: page.said.append(message.text))
        page.on("pageerror", lambda error: page.said.append(str(error)))
        page.on("request", lambda request: page.asked.append(request.url))
        page.goto(address + where)
        return page

    yield visited
    for context in contexts:
        context.close()


def names(page):
    return [
        row.get_attribute("data-mapper") for row in page.query_selector_all(f"{FITTED} tbody tr") if row.is_visible()
    ]


def test_it_asks_for_nothing_else_and_nothing_goes_wrong(visit, file):
    page = visit()
    assert {url for url in page.asked if not url.startswith("data:")} == {file}
    assert page.said == []
    assert names(page) == ["good", "fair", "identity"]


def test_what_an_entry_says_is_never_run(visit):
    page = visit()
    for one in page.query_selector_all("details"):
        one.evaluate("one => one.open = true")
    assert page.title() == "graftbench: pocket"
    assert page.query_selector_all("main img") == []
    assert page.get_by_text("onerror=").first.is_visible()


def test_it_can_be_read_without_scripts(visit):
    page = visit(java_script_enabled=False)
    assert names(page) == ["good", "fair", "identity"]
    assert not page.is_visible(".filters")
    assert page.query_selector_all("th button") == []
    page.click(".cells summary >> nth=0")
    assert page.is_visible(".cells .conditions >> nth=0")


@pytest.mark.parametrize("viewport", [PHONE, WIDE], ids=["phone", "wide"])
def test_nothing_lies_beyond_the_edge_of_the_screen(visit, viewport):
    page = visit(viewport)
    for one in page.query_selector_all("details"):
        one.evaluate("one => one.open = true")
    assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"]


def test_a_ranking_is_sorted_by_keyboard(visit):
    page = visit()
    page.focus(f"{FITTED} thead th >> nth=1 >> button")
    page.keyboard.press("Enter")
    assert names(page) == ["fair", "good", "identity"]
    assert page.get_attribute(f"{FITTED} thead th >> nth=1", "aria-sort") == "ascending"
    page.keyboard.press("Enter")
    assert names(page) == ["good", "fair", "identity"]  # a control stays apart
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    assert names(page) == ["good", "fair", "identity"]
    assert page.get_attribute(f"{FITTED} thead th >> nth=2", "aria-sort") == "descending"
    assert page.get_attribute(f"{FITTED} thead th >> nth=1", "aria-sort") is None


def test_mappers_and_cells_are_filtered(visit):
    page = visit()
    page.fill("#filter-mapper", "FAI")
    assert names(page) == ["fair"]
    assert page.inner_text("#filtered").startswith("1 of 3 mappers, 2 of 2")
    page.fill("#filter-mapper", "")
    page.uncheck("#filter-controls")
    assert names(page) == ["good", "fair"]
    page.fill("#filter-cell", "hate leading")
    assert page.inner_text("#filtered") == "2 of 3 mappers, 1 of 2 experiments"
    page.fill("#filter-cell", "")
    page.uncheck("#filter-unsteerable")
    assert page.inner_text("#filtered") == "2 of 3 mappers, 1 of 2 experiments"


def test_everything_can_be_reached_by_keyboard(visit):
    page = visit()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    page.focus(".cells summary >> nth=0")
    page.keyboard.press("Enter")
    assert page.is_visible(".cells .conditions >> nth=0")
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"


def test_a_link_to_a_mapper_opens_its_card(visit):
    page = visit()
    assert not page.is_visible(f"{FAIR} .facts")
    page.click(".rankings a[href='#suite/pocket/mapper/fair'] >> nth=0")
    page.wait_for_selector(f"{FAIR} .facts", state="visible")
    assert visit(where="#suite/pocket/mapper/good").is_visible("[id='suite/pocket/mapper/good'] .facts")


@pytest.fixture(scope="module")
def two_suites(tmp_path_factory):
    """A page of two suites, the second with one mapper and the longest name that a suite may have."""
    small = suite_of(name=LONGEST)
    path = tmp_path_factory.mktemp("two") / "index.html"
    only = [result(mapped=0.5, variant=name) for name in VARIANTS]
    path.write_text(page_of([*planted(), entry("alone", *only, suite=small)]), encoding="utf-8")
    return path.as_uri()


def suites_of(page):
    return [one.get_attribute("data-suite") for one in page.query_selector_all(".suite") if one.is_visible()]


def test_a_suite_is_chosen_by_keyboard(visit, two_suites):
    page = visit(address=two_suites)
    assert page.said == []
    assert suites_of(page) == ["pocket", LONGEST]
    page.focus("#filter-suite")
    page.keyboard.press("ArrowDown")
    assert suites_of(page) == ["pocket"]
    assert page.inner_text("#filtered") == "3 of 3 mappers, 2 of 2 experiments"
    page.keyboard.press("ArrowDown")
    assert suites_of(page) == [LONGEST]
    assert names(page) == ["alone"]
    page.keyboard.press("Home")
    assert suites_of(page) == ["pocket", LONGEST]
    assert page.inner_text("#filtered") == "4 of 4 mappers, 4 of 4 experiments"


def test_a_link_into_a_suite_that_is_hidden_shows_it(visit, two_suites):
    page = visit(address=two_suites)
    page.select_option("#filter-suite", LONGEST)
    page.click("body > nav a >> text=pocket")
    page.wait_for_selector("[id='suite/pocket']", state="visible")
    assert suites_of(page) == ["pocket"]
    assert page.input_value("#filter-suite") == "pocket"
    assert abs(page.evaluate("document.getElementById('suite/pocket').getBoundingClientRect().top")) < 200


def test_both_suites_can_be_read_without_scripts(visit, two_suites):
    page = visit(address=two_suites, java_script_enabled=False)
    assert suites_of(page) == ["pocket", LONGEST]
    assert not page.is_visible("#filter-suite")
    assert names(page) == ["good", "fair", "identity", "alone"]


def test_two_suites_fit_on_a_phone(visit, two_suites):
    page = visit(PHONE, address=two_suites)
    for one in page.query_selector_all("details"):
        one.evaluate("one => one.open = true")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def luminance(colour):
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    """The contrast ratio of two colours (WCAG 2.2, relative luminance)."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_stand_out_from_the_page(visit, scheme):
    page = visit(color_scheme=scheme)
    paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (luminance(paper) > 0.5) == (scheme == "light")
    for one in page.query_selector_all("details"):
        one.evaluate("one => one.open = true")
    for selector in ("body", "small", "a[href]", ".badge", ".yes", ".no", ".none", "thead th", ".said dd"):
        colour = page.eval_on_selector(selector, "one => getComputedStyle(one).color")
        behind = page.eval_on_selector(
            selector,
            """one => {
              const clear = "rgba(0, 0, 0, 0)";
              while (one.parentElement && getComputedStyle(one).backgroundColor === clear) one = one.parentElement;
              return getComputedStyle(one).backgroundColor;
            }""",
        )
        assert contrast(colour, paper if behind == "rgba(0, 0, 0, 0)" else behind) >= 4.5, selector


def test_a_bar_is_as_wide_as_its_rate(visit):
    page = visit()
    page.click(".cells summary >> nth=0")
    bar = page.query_selector(".cells tr[data-mapper=fair] .bar.mapped")
    shares = bar.evaluate(
        "bar => [...bar.children].map(one => one.getBoundingClientRect().width / bar.getBoundingClientRect().width)"
    )
    rate = result(mapped=0.5).rates["mapped"]
    assert shares[0] == pytest.approx(0.5, abs=0.02)
    assert shares[1] == pytest.approx(rate.high - rate.low, abs=0.02)
