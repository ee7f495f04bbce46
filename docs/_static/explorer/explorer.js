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
             "Click between two bytes to cut there; move a cut by dragging it, or by the arrow keys.");
    this.root.classList.add("ready");
  }

  listen() {
    const form = this.form;
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", (event) => {
      if (event.target === form.sample) this.begin(form.sample.selectedOptions[0].dataset);
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
      const step = {ArrowLeft: -1, ArrowRight: 1}[event.key];
      if (step && event.target.dataset.cut) {
        event.preventDefault();
        this.move(Number(event.target.dataset.cut), Number(event.target.dataset.cut) + step);
      }
    });
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
    if (answer.problem) return;
    this.size = answer.size;
    this.cuts = answer.cuts;
    this.strip.innerHTML = answer.strip;
    this.root.querySelector(".steps tbody").innerHTML = answer.steps;
    this.root.querySelector(".verdict").innerHTML = answer.verdict;
    if (focused) this.strip.querySelector(`[data-cut="${focused}"]`)?.focus();
  }
}

const explorer = new Explorer(document.querySelector(".explorer"));
explorer.start().catch((error) => {
  explorer.say(String(error.message ?? error));
  explorer.root.classList.add("failed");
});
