// The player, and which line is spoken when. words.js and out.js are parts of the same script.

const $ = id => document.getElementById(id);
const root = document.documentElement;
const audio = $("audio"); // null on a page whose lines have no times and that came without audio
const text = $("text"), plot = $("plot"), head = $("head");
const lines = [...text.querySelectorAll(".line")];
const timed = text.hasAttribute("data-timed");
const calm = matchMedia("(prefers-reduced-motion: reduce)");
let live = false; // jumping is possible

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
    words = i < 0 ? [] : wordsOf(i);
    if (i >= 0) {
      offer(lines[i]);
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

const speaker = i => i >= 0 && lines[i].dataset.p ? ", " + nameOf(lines[i].dataset.p) : "";

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
  if (current >= 0 && $("follow").checked && Date.now() > respite) reveal(lines[current]);
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
  if (!line || !live || e.ctrlKey || e.metaKey || e.shiftKey || e.target.closest("button")) return;
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
  const file = audio.dataset.file;
  $("note").textContent = opened ? "This browser cannot play that file." :
    file ? `The audio could not be loaded: “${file}” was looked for, as seen from this page. Jumping to a time is switched off.` :
    "The audio in this page could not be loaded, so jumping to a time is switched off.";
  $("missing").hidden = false;
  for (const id of ["following", "speed"]) $(id).hidden = true;
  if (plot) {
    plot.removeAttribute("tabindex");
    for (const name of ["aria-valuemin", "aria-valuemax", "aria-valuenow", "aria-valuetext", "aria-orientation"]) plot.removeAttribute(name);
    plot.setAttribute("role", "img");
    plot.setAttribute("aria-label", drawn);
    head.hidden = true;
  }
}

const drawn = plot?.getAttribute("aria-label");

// What is possible once there is audio.
function enliven() {
  live = timed;
  $("speed").hidden = false;
  if (!live) return;
  root.classList.add("live");
  $("following").hidden = false;
  if (plot) {
    head.hidden = false;
    plot.tabIndex = 0;
    for (const [name, value] of [["role", "slider"], ["aria-label", "Position in the recording"], ["aria-valuemin", 0], ["aria-valuemax", Math.ceil(length())], ["aria-orientation", "horizontal"]]) plot.setAttribute(name, value);
  }
  show(audio.currentTime);
}

let opened = "";

function openFile(file) {
  if (!file) return;
  if (opened) URL.revokeObjectURL(opened);
  opened = URL.createObjectURL(file);
  audio.replaceChildren();
  audio.hidden = false;
  audio.src = opened;
  audio.addEventListener("loadedmetadata", () => {
    $("note").textContent = "";
    $("missing").hidden = true;
    enliven();
  }, { once: true });
}

if (audio) {
  const frame = () => {
    if (live) show(audio.currentTime);
    if (!audio.paused) requestAnimationFrame(frame);
  };
  audio.addEventListener("play", () => requestAnimationFrame(frame));
  for (const kind of ["timeupdate", "seeking", "seeked"]) audio.addEventListener(kind, () => { if (live) show(audio.currentTime); });
  let following = 0; // paused as well, once a frame however fast somebody seeks
  audio.addEventListener("seeked", () => {
    cancelAnimationFrame(following);
    following = requestAnimationFrame(() => { if (live) follow(); });
  });
  plot?.addEventListener("pointerdown", e => {
    if (e.button || !live) return;
    plot.setPointerCapture(e.pointerId);
    scrub(e);
  });
  plot?.addEventListener("pointermove", e => { if (plot.hasPointerCapture(e.pointerId)) scrub(e); });

  $("open").addEventListener("click", () => $("file").click());
  $("file").addEventListener("change", () => openFile($("file").files[0]));
  $("speed").addEventListener("change", () => { audio.playbackRate = Number($("speed").value); });
  audio.addEventListener("error", () => setTimeout(deaf), true); // of the source as well, which does not bubble
  addEventListener("load", deaf); // it may have failed before; while it is being looked for, its state is the same
}

function faster(by) {
  const speed = $("speed");
  speed.selectedIndex = Math.min(Math.max(speed.selectedIndex + by, 0), speed.options.length - 1);
  audio.playbackRate = Number(speed.value);
  tell(`Speed ${speed.value}`);
}
