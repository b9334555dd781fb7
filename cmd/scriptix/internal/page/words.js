// ---- Words

// The transcript, the words of its segments (text, start, end, confidence and, if it is another than the segment's,
// speaker) and its cues, read when they are first needed.
let read = null;
const data = () => read ??= JSON.parse($("data").content.textContent);

const built = new Set(); // blocks whose lines have their words

// Where the words of a segment are in its text: each is looked for a little behind the one before it, for the text may
// have punctuation and capitals that the words lack. One that is not there only loses its time.
function parts(i) {
  const out = [], lower = s => s.replace(/[A-Z]/g, c => c.toLowerCase());
  const text = data().transcript.segments[i].text, low = lower(text);
  let at = 0;
  for (const [word, start, , sure] of data().words[i] ?? []) {
    const from = low.indexOf(lower(word), at);
    if (from < 0 || text.slice(at, from).split(/\s+/).filter(Boolean).length > 2) continue;
    let to = from + word.length;
    while (to < text.length && `.,;:!?)"'`.includes(text[to])) to++;
    out.push({ from, to, start, unsure: sure > 0 && sure < 0.6 ? sure : 0 });
    at = to;
  }
  return out;
}

const percent = f => `${Math.round(100 * f)}%`;

function build(block) {
  if (built.has(block)) return;
  built.add(block);
  for (const line of block.querySelectorAll(".line")) {
    const i = line.id.slice(1) - 1, segment = data().transcript.segments[i];
    if (!data().words[i]?.length) continue;
    const text = document.createDocumentFragment();
    let at = 0;
    for (const p of parts(i)) {
      text.append(segment.text.slice(at, p.from));
      const w = document.createElement("span");
      w.className = p.unsure ? "w u" : "w";
      w.dataset.s = p.start;
      if (p.unsure) w.title = `${percent(p.unsure)} sure`;
      w.textContent = segment.text.slice(p.from, p.to);
      text.append(w);
      at = p.to;
    }
    text.append(segment.text.slice(at));
    text.normalize();
    line.querySelector(".said").replaceChildren(text);
  }
}

function wordsOf(i) {
  build(lines[i].parentElement);
  return [...lines[i].querySelectorAll(".w")];
}

const inView = new Set();
const watch = new IntersectionObserver(entries => {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting) { inView.delete(target); continue; }
    inView.add(target);
    build(target);
    paintBlock(target);
  }
}, { rootMargin: "50%" });

addEventListener("beforeprint", () => { for (const block of text.querySelectorAll(".block")) build(block); });

// ---- What the service was not sure of

let doubt = null; // the line and the word that were shown last

function unsure(by) {
  const segments = data().transcript.segments;
  let i = doubt ? doubt.i : Math.max(current, 0), k = doubt ? doubt.k + by : by > 0 ? 0 : -1;
  for (let n = 0; n <= segments.length; n++, i = (i + by + segments.length) % segments.length, k = by > 0 ? 0 : Infinity) {
    if (lines[i].hidden) continue;
    const found = parts(i);
    const whole = !found.length && lines[i].querySelector(".said.u");
    if (whole && (k === 0 || k === Infinity)) return pointTo(i, 0, null, whole.title);
    for (k = Math.min(k, found.length - 1); k >= 0 && k < found.length; k += by) {
      if (found[k].unsure) return pointTo(i, k, found[k], `${percent(found[k].unsure)} sure`);
    }
  }
}

function pointTo(i, k, part, sure) {
  doubt = { i, k };
  const match = part ? { i, from: part.from, to: part.to } : { i, from: 0, to: said(i).textContent.length };
  build(lines[i].parentElement);
  if (hit) { hit.clear(); hit.add(range(match)); }
  respite = Date.now() + 4000;
  if (live) jump(part ? part.start : starts[i]);
  reveal(lines[i]);
  tell(`“${said(i).textContent.slice(match.from, match.to)}”, ${sure}`);
}

$("unsure")?.addEventListener("click", () => unsure(1));

// ---- One speaker

$("only")?.addEventListener("change", () => {
  const only = $("only").value;
  for (const line of lines) line.hidden = only !== "" && line.dataset.p !== only;
  for (const name of text.querySelectorAll(".who")) name.hidden = only !== "" && name.dataset.p !== only;
  if (box.value) search();
});

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
      if (lines[i].hidden) continue;
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

// Only what is in view is painted: a word that everybody says has tens of thousands of matches.
function paint() {
  for (const line of marked) line.classList.remove("match");
  marked = [];
  if (!found) { // an older browser marks whole lines
    marked = [...new Set(matches.map(m => lines[m.i]))];
    for (const line of marked) line.classList.add("match");
    return;
  }
  found.clear();
  hit.clear();
  painted.clear();
  for (const block of inView) paintBlock(block);
}

const painted = new Set();

function paintBlock(block) {
  if (!found || !matches.length || painted.has(block)) return;
  painted.add(block);
  const first = lines.indexOf(block.querySelector(".line")), behind = first + block.querySelectorAll(".line").length;
  let low = 0, high = matches.length;
  while (low < high) {
    const mid = (low + high) >> 1;
    if (matches[mid].i < first) low = mid + 1; else high = mid;
  }
  for (; low < matches.length && matches[low].i < behind; low++) found.add(range(matches[low]));
}

function step(by) {
  if (!matches.length) return;
  at = (at + by + matches.length) % matches.length;
  count.textContent = `${at + 1} of ${matches.length}`;
  if (hit) {
    build(lines[matches[at].i].parentElement);
    hit.clear();
    hit.add(range(matches[at]));
  }
  respite = Date.now() + 4000;
  reveal(lines[matches[at].i]);
}

for (const block of text.querySelectorAll(".block")) watch.observe(block);
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
