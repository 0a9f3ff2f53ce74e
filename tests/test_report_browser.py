"""Tests of the HTML reports as a reader uses them, in headless Chromium."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

import chromium
from onewinner.report import html
from onewinner.suite.timeline import Mark
from onewinner.suite.tree import Status
from pages import bar, long_history, timeline, traffic
from results import check, run, violation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("chromium")  # one browser for all of them

SEEN = timeline(
    bar(0, before="k: no row", after="k: 0"),
    bar(1, wrong=True, before="k: 0"),
    bar(2, kind="info", ended_ns=None),
    bar(0, begun_ns=9_000_000, ended_ns=9_500_000, call="lookup('k')", answer="0"),
    bar(1, begun_ns=9_100_000, ended_ns=9_200_000, kind="fail", answer="raised BUSY"),
    marks=(Mark(told="p2 is killed (SIGKILL)", at_ns=400_000),),
)
PANEL = ".tl-panel"
WATCH = """
window.refused = [];
document.addEventListener("securitypolicyviolation", (event) =>
  window.refused.push(event.blockedURI));
"""
FOLD = """
() => {
  const folded = document.createElement("details"), timeline = document.querySelector(".tl");
  timeline.before(folded);
  folded.append(timeline);
}
"""
CONTRAST = """
() => {
  const light = (colour) => {
    const [r, g, b] = colour.match(/[0-9.]+/g).slice(0, 3).map((each) => {
      const part = Number(each) / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (node) => {
    for (let up = node; up; up = up.parentElement) {
      const colour = getComputedStyle(up).backgroundColor;
      if (colour !== "rgba(0, 0, 0, 0)") return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const weak = [];
  const texts = "p, dd, dt, th, td, li, a, h1, h2, h3, .badge, .button";
  for (const node of document.querySelectorAll(texts)) {
    if (!node.checkVisibility() || !node.textContent.trim() || node.closest("svg")) continue;
    const shades = [getComputedStyle(node).color, ground(node)].map(light).sort();
    const ratio = (Math.max(...shades) + 0.05) / (Math.min(...shades) + 0.05);
    if (ratio < 4.5) weak.push(node.tagName + "." + node.className + " " + ratio.toFixed(1));
  }
  return [...new Set(weak)];
}
"""


@dataclass
class Window:
    """A window of the browser, with what the page in it asked for and complained about."""

    page: Any
    complaints: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Write down from now on what pages say and ask for."""
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.add_init_script(WATCH)

    def open(self, path: Path, *, scheme: str = "light", width: int = 1200) -> None:
        """Open a file as if nothing had been open before."""
        self.page.goto("about:blank")
        self.page.emulate_media(color_scheme=scheme)
        self.page.set_viewport_size({"width": width, "height": 900})
        self.complaints.clear()
        self.asked.clear()
        self.page.goto(path.as_uri())

    def told(self) -> str:
        """Answer what the first panel says."""
        return str(self.page.locator(PANEL).first.inner_text())

    def place(self, number: int) -> tuple[float, float]:
        """Answer from where to where a bar of the first timeline is drawn."""
        node = self.page.locator(".tl").first.locator(".tl-calls .b").nth(number)
        left, width = (float(node.get_attribute(name)) for name in ("x", "width"))
        return left, left + width

    @property
    def focused(self) -> str:
        """The title of the bar that has the keyboard, empty where none has it."""
        return str(
            self.page.evaluate("document.activeElement.querySelector('title')?.textContent ?? ''")
        )


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A browser for all tests of this module."""
    if (reason := chromium.lacking()) is not None:
        pytest.skip(reason)
    with chromium.browser() as found:
        yield found


@pytest.fixture(scope="module")
def window(browser: Any) -> Window:
    """A window for all tests: to open one takes as long as all that is done in it."""
    found = Window(browser.new_page())
    found.watch()
    return found


@pytest.fixture
def report(tmp_path: Path) -> Path:
    """The file of a run with one violation."""
    seen = violation("CLAIM-5", timeline=SEEN)
    failed = (check("CLAIM-5", Status.FAIL, violation=seen),)
    path = tmp_path / "report.html"
    path.write_text(html.dumps(run(checks={"CLAIM-5": failed}, traffic=traffic())), "utf-8")
    return path


class TestOpening:
    def test_it_opens_without_a_word(self, window: Window, report: Path) -> None:
        """No error, nothing refused by its own policy, and nothing asked for but the file."""
        window.open(report)
        assert window.page.evaluate("performance.getEntriesByName('onewinner:ready').length")
        assert window.page.evaluate("window.refused") == []
        assert window.complaints == []
        assert [each for each in window.asked if not each.startswith("data:")] == [report.as_uri()]

    def test_a_foreign_script_is_refused(self, window: Window, report: Path) -> None:
        """What gets into the page some other way is not carried out."""
        smuggled = "<script>window.smuggled = true</script><p onclick='1'>x</p></main>"
        report.write_text(report.read_text("utf-8").replace("</main>", smuggled), "utf-8")
        window.open(report)
        assert window.page.evaluate("window.smuggled") is None
        assert len(window.page.evaluate("window.refused")) == 2
        assert window.complaints != []

    @pytest.mark.parametrize("scheme", ["light", "dark"])
    def test_it_is_readable(self, window: Window, report: Path, scheme: str) -> None:
        """In light and in dark every text stands out from its ground (WCAG AA)."""
        window.open(report, scheme=scheme)
        ground = window.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (ground == "rgb(18, 22, 27)") is (scheme == "dark")
        assert window.page.evaluate(CONTRAST) == []

    def test_a_narrow_window_scrolls_one_way(self, window: Window, report: Path) -> None:
        """On a telephone nothing is wider than the window but what scrolls by itself."""
        window.open(report, width=400)
        assert window.page.evaluate("document.documentElement.scrollWidth") <= 400

    def test_without_script_it_is_whole(self, browser: Any, report: Path) -> None:
        """Bars are drawn, clauses can be filtered, and what needs the script is not offered."""
        page = browser.new_page(java_script_enabled=False)
        page.goto(report.as_uri())
        assert page.locator(".tl-calls .b").count() == 5
        assert page.locator(".tl-calls .b").first.bounding_box()["width"] > 50
        assert not page.locator(".layouts").is_visible()
        assert page.locator("tr#CLAIM-1").is_visible()
        page.locator("label[for=show-fail]").click()
        assert not page.locator("tr#CLAIM-1").is_visible()
        assert page.locator("tr#CLAIM-5").is_visible()
        page.close()


class TestTimeline:
    def test_the_first_error_is_told_at_once(self, window: Window, report: Path) -> None:
        """Before anything is touched the panel tells the call that is wrong."""
        window.open(report)
        assert "register_if_absent('k', 1)" in window.told()
        assert "not explained by what the contract allows" in window.told()

    def test_pointing_at_a_bar_tells_it(self, window: Window, report: Path) -> None:
        """Hovering shows call, answer, time and the state before and after."""
        window.open(report)
        window.page.locator(".tl-calls .b").nth(0).hover()
        told = window.told()
        for part in ("register_if_absent('k', 0)", "True", "k: no row", "k: 0", "p1, p2"):
            assert part in told
        window.page.locator(".tl-calls .b").nth(2).hover()
        assert "never returned" in window.told()
        assert "is not told" in window.told()

    def test_keys_go_from_bar_to_bar(self, window: Window, report: Path) -> None:
        """Left and right stay in a row, up and down change it, and the panel follows."""
        window.open(report)
        window.page.keyboard.press("e")
        assert "register_if_absent('k', 1)" in window.focused
        for key, told in [
            ("ArrowRight", "raised BUSY"),
            ("ArrowUp", "lookup('k')"),
            ("ArrowLeft", "register_if_absent('k', 0)"),
            ("End", "raised BUSY"),
            ("Home", "register_if_absent('k', 0)"),
        ]:
            window.page.keyboard.press(key)
            assert told in window.focused, key
            assert told in window.told()
        assert window.page.locator(PANEL).get_attribute("aria-live") == "polite"

    def test_a_timeline_is_one_stop(self, window: Window, report: Path) -> None:
        """Tab comes to one bar, the one that was left."""
        window.open(report)
        window.page.keyboard.press("e")
        window.page.keyboard.press("ArrowRight")
        window.page.keyboard.press("Tab")
        assert window.focused == ""
        window.page.keyboard.press("Shift+Tab")
        assert "raised BUSY" in window.focused
        assert window.page.locator(".tl-calls .b[tabindex='0']").count() == 1

    def test_jumping_opens_what_is_folded(self, window: Window, report: Path) -> None:
        """The button brings the first error into view, wherever the page stands."""
        window.open(report)
        window.page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
        window.page.evaluate(FOLD)
        window.page.evaluate("document.querySelector('.jump').click()")
        assert "register_if_absent('k', 1)" in window.focused
        assert window.page.locator(".tl-calls .b.wrong").is_visible()
        top = window.page.locator(".tl-calls .b.wrong").bounding_box()["y"]
        assert 0 <= top <= 900

    def test_real_time_is_to_scale(self, window: Window, report: Path) -> None:
        """In real time widths are durations, and ranks come back as they were."""
        window.open(report)
        ranks = [window.place(number) for number in range(5)]
        window.page.get_by_text("Real time").click()
        places = [window.place(number) for number in range(5)]
        long, short = places[0][1] - places[0][0], places[3][1] - places[3][0]
        assert long / short == pytest.approx(2, rel=0.02)
        assert places[3][0] - places[0][0] == pytest.approx(9 * long, rel=0.02)
        assert places[2][1] == max(right for _, right in places)
        window.page.locator("[data-zoom='2']").click()
        assert window.place(0)[1] - window.place(0)[0] == pytest.approx(2 * long, rel=0.05)
        window.page.get_by_text("Ranks", exact=True).click()
        assert [window.place(number) for number in range(5)] == ranks

    def test_marks_move_with_the_layout(self, window: Window, report: Path) -> None:
        """What was done meanwhile stands at its time."""
        window.open(report)
        window.page.get_by_text("Real time").click()
        left, right = window.place(0)
        at = window.page.locator(".tl-calls .mark").get_attribute("transform")
        share = (float(at[len("translate(") : -1]) - left) / (right - left)
        assert share == pytest.approx(0.4, abs=0.02)
        assert "SIGKILL" in window.page.locator(".tl-calls .mark text").text_content()

    def test_a_long_history_can_be_used(self, window: Window, tmp_path: Path) -> None:
        """Among 1,500 bars the error is found by key, in both layouts."""
        operations = long_history(3_000)
        seen = timeline(bar(3, begun_ns=0, ended_ns=300_000, wrong=True))
        path = tmp_path / "long.html"
        page = html.dumps_violation("long", [], violation("CLAIM-5", timeline=seen), operations)
        path.write_text(page, "utf-8")
        window.open(path)
        assert window.page.locator("#h .tl-calls .b").count() == 1_500
        for layout in ("rank", "real"):
            window.page.locator(f"#h [value={layout}]").check(force=True)
            window.page.locator("#h .jump").click()
            assert "p3: claim('k1', 3)" in window.focused
            assert window.page.locator("#h .tl-calls .b.wrong").is_visible()
        assert window.complaints == []


def test_commands_can_be_copied(window: Window, report: Path) -> None:
    """The button takes the command, or selects it where the clipboard is closed."""
    window.open(report)
    button = window.page.locator(".copy").first
    button.click()
    changed = "button => button.textContent !== 'Copy'"
    window.page.wait_for_function(changed, arg=button.element_handle())
    assert button.inner_text() in {"Copied", "Selected"}


def test_without_chromium_it_is_said_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """A skip names what is missing and how it is had; a given program is believed."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CHROMIUM", raising=False)
    assert "chromium" in (chromium.lacking() or "")
    monkeypatch.setenv("CHROMIUM", "/opt/chromium")
    assert chromium.program() == "/opt/chromium"
