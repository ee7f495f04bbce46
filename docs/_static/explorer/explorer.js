// The explorer: what the reader does becomes a question to Python, and its answer is shown.
// Python is Pyodide, from this very site; all that is shown is made by explorer.py.

const here = (path) => new URL(path, import.meta.url).href;

class Explorer {
  constructor(root) {
    this.root = root;
    this.form = root.querySelector("form");
    this.strip = root.querySelector(".strip");
    this.cuts = JSON.parse(root.dataset.cuts);
    this.size = this.strip.querySelectorAll(".byte").length;
    this.place = 1; // of all places between two bytes the one that Tab leads to
    this.ask = null;
  }

  say(words) {
    this.root.querySelector(".status").textContent = words;
  }

  async start() {
    if (location.protocol === "file:") {
      throw new Error(
        "A browser runs Python only in a page that comes from a server. " +
        "For this one: python -m http.server -b 127.0.0.1 -d docs/_build/html",
      );
    }
    this.say("Loading Python, 14 MB …");
    const {loadPyodide} = await import(here("../pyodide/pyodide.mjs"));
    const python = await loadPyodide({indexURL: here("../pyodide/")});
    const response = await fetch(here("framer.zip"));
    if (!response.ok) throw new Error(`${response.url}: ${response.statusText}`);
    python.unpackArchive(await response.arrayBuffer(), "zip");
    this.ask = python.pyimport("explorer").answer;
    this.listen();
    for (const part of this.form.querySelectorAll("[disabled]")) part.disabled = false;
    this.update();
    const version = python.runPython("import sys; sys.version.split()[0]");
    this.say(`Python ${version} runs framer in this page. ` +
             "Click between two bytes to cut there, and drag a cut to move it. With the keyboard, " +
             "arrows go from place to place, the space bar cuts, and Shift with an arrow moves a cut.");
    this.root.classList.add("ready");
  }

  listen() {
    const form = this.form;
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", (event) => {
      if (event.target === form.sample) this.begin(form.sample.selectedOptions[0].dataset);
      // What was changed is no sample any more; and it can be chosen again.
      if ([form.terminator, form.text].includes(event.target)) form.sample.value = "own";
      this.update();
    });
    form.addEventListener("click", (event) => {
      const all = event.target.dataset.all;
      if (all) this.cutAll(all);
    });
    this.strip.addEventListener("click", (event) => {
      // The pointer has done its work by now; this is for the keyboard and for what acts like it.
      if (event.detail === 0 && event.target.dataset.cut) this.toggle(Number(event.target.dataset.cut));
    });
    this.strip.addEventListener("keydown", (event) => {
      const place = Number(event.target.dataset.cut);
      const step = {ArrowLeft: -1, ArrowRight: 1}[event.key];
      if (!step || !place) return;
      event.preventDefault();
      if (event.shiftKey) this.move(place, place + step);
      else this.go(place + step);
    });
    this.strip.addEventListener("focusin", (event) => this.stop(Number(event.target.dataset.cut)));
    this.drag();
  }

  begin({terminator, text, cuts}) {
    this.form.terminator.value = terminator;
    this.form.text.value = text;
    this.cuts = JSON.parse(cuts);
  }

  drag() {
    let held = null;
    let moved = false;
    this.strip.addEventListener("pointerdown", (event) => {
      if (!event.target.dataset.cut) return;
      event.target.releasePointerCapture?.(event.pointerId);
      held = Number(event.target.dataset.cut);
      moved = false;
    });
    this.strip.addEventListener("pointermove", (event) => {
      if (held === null || !this.cuts.includes(held)) return;
      const place = document.elementFromPoint(event.clientX, event.clientY)?.dataset?.cut;
      if (place && Number(place) !== held) {
        this.move(held, Number(place));
        held = Number(place);
        moved = true;
      }
    });
    document.addEventListener("pointerup", () => {
      if (held !== null && !moved) this.toggle(held);
      held = null;
    });
    document.addEventListener("pointercancel", () => { held = null; });
  }

  // Tab leads to one place, not to every one there is.
  stop(place) {
    this.cutAt(this.place)?.setAttribute("tabindex", "-1");
    this.place = Math.min(place, Math.max(this.size - 1, 1));
    this.cutAt(this.place)?.setAttribute("tabindex", "0");
  }

  go(place) {
    this.cutAt(place)?.focus();
  }

  cutAt(place) {
    return this.strip.querySelector(`[data-cut="${place}"]`);
  }

  toggle(place) {
    const cuts = new Set(this.cuts);
    if (!cuts.delete(place)) cuts.add(place);
    this.cuts = [...cuts];
    this.update(place);
  }

  move(from, to) {
    if (to < 1 || to >= this.size) return;
    const cuts = new Set(this.cuts);
    if (cuts.delete(from)) cuts.add(to);
    this.cuts = [...cuts];
    this.update(to);
  }

  cutAll(which) {
    const places = Array.from({length: Math.max(this.size - 1, 0)}, (_, index) => index + 1);
    this.cuts = {
      none: () => [],
      each: () => places,
      some: () => places.filter(() => Math.random() < 0.25),
    }[which]();
    this.update();
  }

  update(focused = null) {
    const form = this.form;
    const limit = form.limit.value;
    const answer = JSON.parse(this.ask(JSON.stringify({
      text: form.text.value.replaceAll("\n", "\\n"),
      terminator: form.terminator.value,
      cuts: this.cuts,
      max_frame_size: limit === "" ? null : Number(limit),
      frames: form.what.value === "frames",
      end: form.end.checked,
    })));
    this.root.querySelector(".problem").textContent = answer.problem;
    this.root.classList.toggle("stale", answer.problem !== "");
    if (answer.problem) return;
    this.size = answer.size;
    this.cuts = answer.cuts;
    this.strip.innerHTML = answer.strip;
    this.root.querySelector(".steps tbody").innerHTML = answer.steps;
    this.root.querySelector(".verdict").innerHTML = answer.verdict;
    this.stop(this.place);
    if (focused) this.go(focused);
  }
}

const explorer = new Explorer(document.querySelector(".explorer"));
explorer.start().catch((error) => {
  explorer.say(String(error.message ?? error));
  explorer.root.classList.add("failed");
});
