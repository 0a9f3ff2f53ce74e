
"use strict";
(() => {
  performance.mark("onewinner:start");
  const SVG = "http://www.w3.org/2000/svg";
  const EDGE = 10, CHARACTER = 6.2, NARROWEST = 3, MANY = 12, WIDEST = 4000000;
  const all = (where, what) => Array.from(where.querySelectorAll(what));

  const element = (name, text, className) => {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  };

  const milliseconds = (ns) => {
    if (Math.abs(ns) >= 1e9) return (ns / 1e9).toPrecision(4) + " s";
    if (Math.abs(ns) >= 1e6) return (ns / 1e6).toPrecision(4) + " ms";
    return (ns / 1e3).toPrecision(4) + " \u00b5s";
  };

  class Timeline {
    constructor(figure) {
      this.figure = figure;
      this.box = figure.querySelector(".tl-box");
      this.calls = figure.querySelector(".tl-calls");
      this.panel = figure.querySelector(".tl-panel");
      this.axis = figure.querySelector(".tl-axis");
      this.states = JSON.parse(figure.querySelector("script").textContent);
      this.bars = all(this.calls, ".b").map((node, index) => this.bar(node, index));
      this.marks = all(this.calls, ".mark").map((node) => ({
        node, at: Number(node.dataset.t), rank: node.getAttribute("transform"),
        y: node.querySelector("text").getAttribute("y"), mute: node.classList.contains("mute"),
      }));
      this.ranks = { width: this.calls.getAttribute("width"), axis: Array.from(this.axis.childNodes) };
      const last = this.bars.reduce((most, bar) => Math.max(most, bar.end ?? bar.begin), 0);
      this.span = Math.max(this.marks.reduce((most, mark) => Math.max(most, mark.at), last), 1);
      this.zoom = 1;
      this.layout = "rank";
      this.current = null;
      this.listen();
    }

    bar(node, index) {
      const [begin, end] = node.dataset.t.split(" ");
      node.setAttribute("role", "img");
      return {
        node, index, row: Number(node.dataset.r), begin: Number(begin),
        end: end === "" ? null : Number(end),
        x: node.getAttribute("x"), width: node.getAttribute("width"),
      };
    }

    listen() {
      const of = (event) => {
        const node = event.target.closest(".b");
        return node && this.bars.find((bar) => bar.node === node);
      };
      this.calls.addEventListener("pointerover", (event) => { const bar = of(event); if (bar) this.tell(bar); });
      this.calls.addEventListener("pointerleave", () => this.tell(this.current));
      this.calls.addEventListener("focusin", (event) => { const bar = of(event); if (bar) this.enter(bar); });
      this.calls.addEventListener("click", (event) => { const bar = of(event); if (bar) this.go(bar); });
      this.calls.addEventListener("keydown", (event) => this.key(event));
      for (const input of all(this.figure, ".layouts input"))
        input.addEventListener("change", () => this.show(input.value));
      for (const button of all(this.figure, "[data-zoom]"))
        button.addEventListener("click", () => this.enlarge(Number(button.dataset.zoom)));
      const jump = this.figure.querySelector(".jump");
      if (jump) jump.addEventListener("click", (event) => { event.preventDefault(); this.jump(); });
      const layouts = this.figure.querySelector(".layouts");
      if (layouts) layouts.hidden = false;
      this.panel.hidden = false;
      this.stretch();
      const first = this.first();
      this.tell(first);
      if (first && this.bars.length > MANY) this.reveal(first);
    }

    key(event) {
      const bar = this.current;
      if (!bar || event.altKey || event.ctrlKey || event.metaKey) return;
      const step = {
        ArrowRight: () => this.bars.find((other) => other.index > bar.index && other.row === bar.row),
        ArrowLeft: () => this.bars.findLast((other) => other.index < bar.index && other.row === bar.row),
        ArrowDown: () => this.beside(bar, 1),
        ArrowUp: () => this.beside(bar, -1),
        Home: () => this.bars[0],
        End: () => this.bars[this.bars.length - 1],
      }[event.key];
      if (!step) return;
      event.preventDefault();
      const next = step();
      if (next) this.go(next);
    }

    beside(bar, way) {
      const middle = (one) => Number(one.node.getAttribute("x")) + Number(one.node.getAttribute("width")) / 2;
      const others = this.bars.filter((other) => (other.row - bar.row) * way > 0);
      const rows = others.map((other) => Math.abs(other.row - bar.row));
      const nearest = Math.min(...rows);
      const row = others.filter((other) => Math.abs(other.row - bar.row) === nearest);
      const from = middle(bar);
      return row.reduce((best, other) =>
        !best || Math.abs(middle(other) - from) < Math.abs(middle(best) - from) ? other : best, null);
    }

    go(bar) {
      bar.node.focus({ preventScroll: true });
      this.reveal(bar);
    }

    reveal(bar) {
      const x = Number(bar.node.getAttribute("x")), width = Number(bar.node.getAttribute("width"));
      const y = Number(bar.node.getAttribute("y")), names = this.calls.previousSibling.clientWidth;
      const room = this.box.clientWidth - names;
      if (x < this.box.scrollLeft || x + Math.min(width, room) > this.box.scrollLeft + room)
        this.box.scrollLeft = Math.max(0, x - Math.max(EDGE, (room - width) / 2));
      if (y < this.box.scrollTop || y + 40 > this.box.scrollTop + this.box.clientHeight)
        this.box.scrollTop = Math.max(0, y - this.box.clientHeight / 2);
    }

    first() {
      return this.bars.find((each) => each.node.classList.contains("wrong"));
    }

    jump() {
      const bar = this.first();
      if (!bar) return false;
      for (let up = this.figure.closest("details"); up; up = up.parentElement.closest("details")) up.open = true;
      this.figure.scrollIntoView({ block: "center" });
      this.go(bar);
      return true;
    }

    enter(bar) {
      for (const other of this.bars) if (other.node.getAttribute("tabindex") === "0") other.node.setAttribute("tabindex", "-1");
      bar.node.setAttribute("tabindex", "0");
      this.current = bar;
      this.tell(bar);
    }

    overlapping(bar) {
      const until = (one) => one.end ?? Infinity;
      return this.bars.filter((other) => other !== bar && other.begin <= until(bar) && bar.begin <= until(other));
    }

    tell(bar) {
      if (!bar || bar === this.told) return;
      if (this.told) this.told.node.classList.remove("at");
      for (const other of this.met ?? []) other.node.classList.remove("meets");
      this.told = bar;
      this.met = this.overlapping(bar);
      bar.node.classList.add("at");
      for (const other of this.met) other.node.classList.add("meets");
      this.panel.replaceChildren(...this.words(bar));
    }

    words(bar) {
      const lines = bar.node.querySelector("title").textContent.split("\n");
      const list = element("dl", undefined, "told");
      const add = (name, text, className) => list.append(element("dt", name), element("dd", text, className));
      const wrong = bar.node.classList.contains("wrong"), ranked = this.figure.dataset.axis === "order";
      add("Call", lines[0]);
      add("Answer", lines[1], wrong ? "bad" : "");
      if (wrong) list.lastChild.append(element("span", " \u2717 not explained by what the contract allows", "words"));
      const took = bar.end !== null && !ranked ? "; it took " + milliseconds(bar.end - bar.begin) : "";
      add("When", lines[2] + took, "words");
      const names = this.met.slice(0, 6).map((other) => other.node.querySelector("title").textContent.split(":")[0]);
      const more = this.met.length > 6 ? " and " + (this.met.length - 6) + " more" : "";
      if (!ranked) add("Overlaps", names.length ? names.join(", ") + more : "no other call", "words");
      return [list, this.around(bar, wrong, ranked)];
    }

    around(bar, wrong, ranked) {
      const numbers = (bar.node.dataset.s ?? "-1 -1").split(" ").map(Number);
      if (numbers[0] < 0 && numbers[1] < 0)
        return element("p", "The state around this call is not told: it depends on the order of the calls.", "dim");
      const states = element("div", undefined, "states");
      const unknown = ["not known", wrong ? "nothing that the contract allows fits this answer" : "not known"];
      ["Before", "After"].forEach((name, place) => {
        const part = element("div");
        part.append(element("h4", name + (ranked ? "" : ", by the order of the returns")),
          element("pre", numbers[place] < 0 ? unknown[place] : this.states[numbers[place]]));
        states.append(part);
      });
      return states;
    }

    show(layout) {
      this.layout = layout;
      const zoom = this.figure.querySelector(".zoom");
      if (zoom) zoom.hidden = layout !== "real";
      this.figure.dataset.layout = layout;
      if (layout === "real") this.real(); else this.rank();
      if (this.current) this.go(this.current);
    }

    rank() {
      this.calls.setAttribute("width", this.ranks.width);
      for (const bar of this.bars) { bar.node.setAttribute("x", bar.x); bar.node.setAttribute("width", bar.width); }
      this.stretch();
      for (const mark of this.marks) {
        mark.node.setAttribute("transform", mark.rank);
        mark.node.querySelector("text").setAttribute("y", mark.y);
        mark.node.classList.toggle("mute", mark.mute);
        mark.node.classList.remove("flip");
      }
      this.axis.replaceChildren(...this.ranks.axis);
    }

    stretch() {
      const lost = this.bars.filter((bar) => bar.end === null);
      if (!lost.length) return;
      const edge = this.box.clientWidth - this.calls.previousSibling.clientWidth;
      for (const bar of lost)
        bar.node.setAttribute("width", Math.max(Number(bar.width), edge - Number(bar.x)).toFixed(1));
    }

    real() {
      const room = Math.max(this.box.clientWidth - this.calls.previousSibling.clientWidth - 2, 240);
      const width = Math.min(room * this.zoom, WIDEST), scale = (width - 2 * EDGE) / this.span;
      const at = (ns) => EDGE + ns * scale;
      this.calls.setAttribute("width", width);
      for (const bar of this.bars) {
        const left = at(bar.begin), right = bar.end === null ? width : at(bar.end);
        bar.node.setAttribute("x", left.toFixed(1));
        bar.node.setAttribute("width", Math.max(right - left, NARROWEST).toFixed(1));
      }
      this.place(at, width);
      this.ticks(at, width);
    }

    place(at, width) {
      const lines = Number(this.calls.dataset.lines), ends = [];
      for (const mark of this.marks) {
        const x = at(mark.at), text = mark.node.querySelector("text"), length = text.textContent.length * CHARACTER;
        const flip = x + length + EDGE > width, from = flip ? x - length - EDGE : x;
        let line = ends.findIndex((end) => end <= from);
        if (line < 0) line = ends.length;
        ends[line] = from + length + EDGE;
        mark.node.setAttribute("transform", "translate(" + x.toFixed(1) + ")");
        mark.node.classList.toggle("flip", flip);
        mark.node.classList.toggle("mute", line >= lines || line * 16 + 14 > Number(this.calls.dataset.top));
        text.setAttribute("y", 14 + line * 16);
      }
    }

    ticks(at, width) {
      const wanted = this.span / Math.max(width / 110, 2);
      const power = 10 ** Math.floor(Math.log10(wanted));
      const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= wanted);
      const bottom = Number(this.calls.dataset.bottom), made = [];
      for (let ns = 0; ns <= this.span; ns += step) {
        const line = document.createElementNS(SVG, "line"), text = document.createElementNS(SVG, "text");
        const x = at(ns).toFixed(1);
        for (const [name, value] of [["x1", x], ["x2", x], ["y1", this.calls.dataset.top], ["y2", bottom + 4]])
          line.setAttribute(name, value);
        text.setAttribute("x", Number(x) + 3);
        text.setAttribute("y", bottom + 14);
        text.textContent = milliseconds(ns);
        made.push(line, text);
      }
      this.axis.replaceChildren(...made);
    }

    enlarge(factor) {
      const middle = (this.box.scrollLeft + this.box.clientWidth / 2) / Number(this.calls.getAttribute("width"));
      this.zoom = Math.min(Math.max(this.zoom * factor, 1), 65536);
      this.real();
      this.box.scrollLeft = middle * Number(this.calls.getAttribute("width")) - this.box.clientWidth / 2;
    }
  }

  const timelines = all(document, ".tl").map((figure) => new Timeline(figure));

  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest("input:not([type=radio]), textarea, select");
    if (event.key !== "e" || typing || event.altKey || event.ctrlKey || event.metaKey) return;
    const here = timelines.filter((each) => each.figure.contains(event.target));
    if ([...here, ...timelines].some((each) => each.jump())) event.preventDefault();
  });

  const select = (node) => {
    const range = document.createRange();
    range.selectNodeContents(node);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
  };

  for (const button of all(document, ".copy")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      const code = button.parentElement.querySelector("code");
      try {
        await navigator.clipboard.writeText(code.textContent);
        button.textContent = "Copied";
      } catch {
        select(code);
        button.textContent = "Selected";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 1500);
    });
  }

  const open = () => {
    const found = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    for (let up = found && found.closest("details"); up; up = up.parentElement.closest("details")) up.open = true;
    if (found) found.scrollIntoView();
  };
  addEventListener("hashchange", open);
  open();
  performance.mark("onewinner:ready");
})();
