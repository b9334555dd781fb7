(() => {
"use strict";

const $ = id => document.getElementById(id);
const root = document.documentElement;
const audio = $("audio"); // null on a page without audio
const text = $("text"), plot = $("plot"), head = $("head");
const lines = [...text.querySelectorAll(".line")];
const timed = text.hasAttribute("data-timed");
const calm = matchMedia("(prefers-reduced-motion: reduce)");
let live = Boolean(audio) && timed; // jumping is possible

const clock = t => {
  const s = Math.floor(t), two = n => String(n).padStart(2, "0");
  return s < 3600 ? `${Math.floor(s / 60)}:${two(s % 60)}` : `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
};

// ---- Which line is spoken at a time

// Lines by their start. Segments may overlap: latest[k] is the latest end of the first k + 1, which ends the walk back
// to a line that still goes on.
const starts = [], ends = [], order = [], latest = [];
if (timed) {
  for (const [i, line] of lines.entries()) {
    starts.push(Number(line.dataset.s));
    ends.push(Number(line.dataset.e));
    order.push(i);
  }
  order.sort((a, b) => starts[a] - starts[b] || a - b);
  for (const [k, i] of order.entries()) latest.push(Math.max(ends[i], k ? latest[k - 1] : 0));
}

// The line that started last and goes on; in a pause the one before it; -1 before the first.
function lineAt(t) {
  let low = 0, high = order.length;
  while (low < high) {
    const mid = (low + high) >> 1;
    if (starts[order[mid]] <= t) low = mid + 1; else high = mid;
  }
  for (let k = low - 1; k >= 0 && latest[k] > t; k--) if (ends[order[k]] > t) return order[k];
  return low ? order[low - 1] : -1;
}

// ---- What is shown as current

let current = -1, word = null, words = [];

function show(t) {
  t += 0.005; // a player may stop a little before the time it was sent to
  const i = lineAt(t);
  if (i !== current) {
    if (current >= 0) {
      lines[current].classList.remove("now");
      lines[current].removeAttribute("aria-current");
    }
    current = i;
    words = i < 0 ? [] : [...lines[i].querySelectorAll(".w")];
    if (i >= 0) {
      lines[i].classList.add("now");
      lines[i].setAttribute("aria-current", "true");
      if (!audio.paused) follow();
    }
  }
  let at = null;
  for (const w of words) if (Number(w.dataset.s) <= t) at = w;
  if (at !== word) {
    word?.classList.remove("on");
    at?.classList.add("on");
    word = at;
  }
  if (plot) {
    head.style.left = `${100 * Math.min(t / length(), 1)}%`;
    plot.setAttribute("aria-valuenow", Math.round(t));
    plot.setAttribute("aria-valuetext", `${clock(t)} of ${clock(length())}${speaker(i)}`);
  }
}

const length = () => Number(plot.dataset.length) || 1;

function speaker(i) {
  for (let b = i < 0 ? null : lines[i].closest(".block"); b; b = b.previousElementSibling) {
    const name = b.querySelector(".who");
    if (name) return ", " + name.textContent;
  }
  return "";
}

// ---- Scrolling

let respite = 0; // nobody who scrolls is pulled back at once

function reveal(element) {
  const box = element.getBoundingClientRect();
  const bar = $("bar").getBoundingClientRect();
  const top = getComputedStyle($("bar")).position === "sticky" ? bar.bottom : 0;
  if (box.top >= top && box.bottom <= innerHeight) return;
  const far = Math.abs(box.top - innerHeight / 2) > 2 * innerHeight;
  element.scrollIntoView({ block: "center", behavior: far || calm.matches ? "auto" : "smooth" });
}

function follow() {
  if ($("follow").checked && Date.now() > respite) reveal(lines[current]);
}

for (const kind of ["wheel", "touchmove"]) addEventListener(kind, () => { respite = Date.now() + 4000; }, { passive: true });

new ResizeObserver(() => root.style.setProperty("--bar", $("bar").offsetHeight + "px")).observe($("bar"));

// ---- Jumping

function jump(t, scroll) {
  if (!live) return;
  audio.currentTime = Math.max(0, t);
  respite = 0;
  show(Math.max(0, t));
  if (scroll && current >= 0) reveal(lines[current]);
}

text.addEventListener("click", e => {
  const line = e.target.closest(".line");
  if (!line || !live || e.ctrlKey || e.metaKey || e.shiftKey) return;
  if (e.target.closest("a.time")) {
    e.preventDefault();
    try { history.replaceState(null, "", "#" + line.id); } catch { /* some browsers refuse it to a page opened from a disk */ }
  } else if (getSelection().type === "Range") {
    return; // text was selected, not clicked
  }
  jump(Number((e.target.closest(".w") ?? line).dataset.s));
});

function scrub(e) {
  const box = plot.getBoundingClientRect();
  jump(length() * Math.min(Math.max((e.clientX - box.left) / box.width, 0), 1), true);
}

function deaf() {
  if (!audio || (!audio.error && audio.networkState !== HTMLMediaElement.NETWORK_NO_SOURCE)) return;
  live = false;
  root.classList.remove("live");
  $("note").textContent = "The audio could not be loaded, so jumping to a time is switched off.";
  if (plot) {
    plot.removeAttribute("tabindex");
    plot.setAttribute("role", "img");
    plot.setAttribute("aria-label", drawn);
    head.hidden = true;
  }
}

const drawn = plot?.getAttribute("aria-label");

if (live) {
  root.classList.add("live");
  $("following").hidden = false;
  const frame = () => {
    show(audio.currentTime);
    if (!audio.paused) requestAnimationFrame(frame);
  };
  audio.addEventListener("play", () => requestAnimationFrame(frame));
  for (const kind of ["timeupdate", "seeking", "seeked"]) audio.addEventListener(kind, () => show(audio.currentTime));

  if (plot) {
    head.hidden = false;
    plot.tabIndex = 0;
    for (const [name, value] of [["role", "slider"], ["aria-label", "Position in the recording"], ["aria-valuemin", 0], ["aria-valuemax", Math.ceil(length())], ["aria-orientation", "horizontal"]]) plot.setAttribute(name, value);
    plot.addEventListener("pointerdown", e => {
      if (e.button || !live) return;
      plot.setPointerCapture(e.pointerId);
      scrub(e);
    });
    plot.addEventListener("pointermove", e => { if (plot.hasPointerCapture(e.pointerId)) scrub(e); });
  }
  show(audio.currentTime);
}
if (audio) {
  audio.addEventListener("error", () => setTimeout(deaf), true); // of the source as well, which does not bubble
  addEventListener("load", deaf); // it may have failed before; while it is being looked for, its state is the same
}

// ---- Search

const box = $("query"), count = $("count");
const found = CSS.highlights && new Highlight(), hit = CSS.highlights && new Highlight();
let matches = [], at = -1, marked = [];
if (found) {
  hit.priority = 1;
  CSS.highlights.set("found", found);
  CSS.highlights.set("hit", hit);
}

// Text without capitals and accents, and for each of its characters from where to where it comes from.
function fold(s) {
  // eslint-disable-next-line no-control-regex
  if (/^[\x00-\x7f]*$/.test(s)) return { text: s.toLowerCase() };
  let out = "";
  const from = [], to = [];
  let i = 0;
  for (const c of s) {
    const plain = c.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
    for (let k = 0; k < plain.length; k++) { from.push(i); to.push(i + c.length); }
    out += plain;
    i += c.length;
  }
  return { text: out, from, to };
}

const folded = [];
const said = i => lines[i].querySelector(".said");

function search() {
  const wanted = fold(box.value.trim().replace(/\s+/g, " ")).text;
  matches = [];
  at = -1;
  if (wanted) {
    for (let i = 0; i < lines.length; i++) {
      const f = folded[i] ??= fold(said(i).textContent);
      for (let k = f.text.indexOf(wanted); k >= 0; k = f.text.indexOf(wanted, k + wanted.length)) {
        const last = k + wanted.length - 1;
        matches.push({ i, from: f.from ? f.from[k] : k, to: f.to ? f.to[last] : last + 1 });
      }
    }
  }
  paint();
  for (const b of [$("previous"), $("next")]) b.disabled = !matches.length;
  if (matches.length) step(1); else count.textContent = wanted ? "no match" : "";
}

// A range over a match, which may begin in one word's element and end in another's.
function range(m) {
  const r = new Range(), walk = document.createTreeWalker(said(m.i), NodeFilter.SHOW_TEXT);
  let begun = false;
  for (let n = walk.nextNode(), before = 0; n; before += n.length, n = walk.nextNode()) {
    if (!begun && m.from < before + n.length) { r.setStart(n, m.from - before); begun = true; }
    if (m.to <= before + n.length) { r.setEnd(n, m.to - before); break; }
  }
  return r;
}

function paint() {
  for (const line of marked) line.classList.remove("match");
  marked = [];
  if (!found) { // an older browser marks whole lines
    marked = matches.map(m => lines[m.i]);
    for (const line of marked) line.classList.add("match");
    return;
  }
  found.clear();
  hit.clear();
  for (const m of matches) found.add(range(m));
}

function step(by) {
  if (!matches.length) return;
  at = (at + by + matches.length) % matches.length;
  count.textContent = `${at + 1} of ${matches.length}`;
  if (hit) {
    hit.clear();
    hit.add(range(matches[at]));
  }
  respite = Date.now() + 4000;
  reveal(lines[matches[at].i]);
}

$("search").hidden = false;
$("keys").hidden = false;
let typing = 0;
box.addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(search, 120); });
$("search").addEventListener("submit", e => e.preventDefault());
$("previous").addEventListener("click", () => step(-1));
$("next").addEventListener("click", () => step(1));
box.addEventListener("keydown", e => {
  if (e.key === "Enter" && !e.isComposing) {
    e.preventDefault();
    step(e.shiftKey ? -1 : 1);
  } else if (e.key === "Escape") {
    box.value = "";
    search();
    box.blur();
  }
});

// ---- Keyboard

// Along the lines, while the focus is on the time of one.
function along(link, by) {
  const to = lines[lines.indexOf(link.closest(".line")) + by]?.querySelector("a.time");
  to?.focus({ preventScroll: true });
  if (to) reveal(to.closest(".line"));
}

addEventListener("keydown", e => {
  if (e.ctrlKey || e.altKey || e.metaKey || e.defaultPrevented) return;
  const on = e.target;
  if (on.closest("input:not([type=checkbox]), textarea, select")) return;
  const own = on.closest("audio, button, summary, input"); // these have a use for some keys themselves
  const link = on.closest("a.time");
  const keys = {
    "/": () => { box.focus(); box.select(); },
    n: () => step(1),
    N: () => step(-1),
  };
  if (audio && !own) keys[" "] = () => { if (audio.paused) audio.play().catch(() => {}); else audio.pause(); };
  if (live && on !== audio) {
    keys.ArrowLeft = () => jump(audio.currentTime - 5, true);
    keys.ArrowRight = () => jump(Math.min(audio.currentTime + 5, length()), true);
    keys.Home = () => jump(starts[order[0]], true);
    keys.End = () => jump(starts[order.at(-1)], true);
    keys.f = () => { $("follow").checked = !$("follow").checked; };
    if (on === plot) {
      keys.ArrowUp = keys.ArrowRight;
      keys.ArrowDown = keys.ArrowLeft;
    }
  }
  if (link) {
    keys.ArrowUp = () => along(link, -1);
    keys.ArrowDown = () => along(link, 1);
  }
  const act = keys[e.key];
  if (!act) return;
  e.preventDefault();
  act();
});

// ---- The rest

const tag = $("language");
if (tag) try { tag.textContent = new Intl.DisplayNames(["en"], { type: "language" }).of(tag.dataset.tag); } catch { /* the code stays */ }

// A link to a line opens the page there.
const named = location.hash.match(/^#l(\d+)$/);
if (named && lines[named[1] - 1]) {
  if (timed) jump(starts[named[1] - 1]);
  lines[named[1] - 1].scrollIntoView({ block: "center" });
}
})();
