// ---- Names

// Names are kept under the page's key, in this browser alone. Some refuse that to a page opened from a disk.
const shelf = "scriptix.names." + text.dataset.key;
const given = (() => { try { return JSON.parse(localStorage.getItem(shelf)) ?? {}; } catch { return {}; } })();
const people = [...new Map([...document.querySelectorAll("#text .line[data-p]")].map(e => [e.dataset.p, e])).keys()].sort((a, b) => a - b);
const original = {};
for (const p of people) original[p] = text.querySelector(`.who[data-p="${p}"]`).textContent;

const nameOf = p => given[p] || original[p];

function rename(p) {
  for (const e of document.querySelectorAll(`[data-p="${p}"]:not(.line, input)`)) (e.querySelector("bdi") ?? e).textContent = nameOf(p);
  const option = $("only")?.querySelector(`option[value="${p}"]`);
  if (option) option.textContent = nameOf(p);
}

for (const p of people) {
  const label = document.createElement("label"), input = document.createElement("input"), name = document.createElement("span");
  name.textContent = original[p];
  name.className = text.querySelector(`.who[data-p="${p}"]`).classList[1];
  input.value = given[p] ?? "";
  input.placeholder = "Name";
  input.dataset.p = p;
  input.maxLength = 80;
  input.autocomplete = "off";
  input.addEventListener("input", () => {
    given[p] = input.value.replace(/\s+/g, " ").trim();
    rename(p);
    try { localStorage.setItem(shelf, JSON.stringify(given)); } catch { /* they are gone with the page */ }
  });
  label.append(name, input);
  $("people").append(label);
  if (given[p]) rename(p);
}
$("people").hidden = !people.length;
$("out").hidden = false;

// ---- Copying

let silence = 0;
function tell(what) {
  $("done").textContent = what;
  clearTimeout(silence);
  silence = setTimeout(() => { $("done").textContent = ""; }, 5000);
}

async function copy(what, told) {
  try {
    await navigator.clipboard.writeText(what);
  } catch { // not allowed, or not there
    const area = document.createElement("textarea");
    area.value = what;
    area.className = "skip";
    document.body.append(area);
    const focused = document.activeElement;
    area.select();
    const ok = document.execCommand("copy");
    area.remove();
    focused?.focus({ preventScroll: true });
    if (!ok) return tell("This browser does not let a page copy.");
  }
  tell(told);
}

const withTimes = () => $("withtimes").checked;
const lineText = (i, times) => (times && timed ? `[${clock(starts[i])}] ` : "") + (lines[i].dataset.p ? nameOf(lines[i].dataset.p) + ": " : "") + said(i).textContent;

function copyLine(line) {
  if (!line) return;
  const i = lines.indexOf(line);
  copy(withTimes() ? lineText(i, true) : said(i).textContent, "The line was copied.");
}

$("copyall").addEventListener("click", () => {
  copy(withTimes() ? lines.map((_, i) => lineText(i, true)).join("\n") + "\n" : formats.txt(), "The transcript was copied.");
});

// One button, which goes to the line under the mouse, to that with the focus, or to the current one.
const copier = document.createElement("button");
copier.type = "button";
copier.className = "copy";
copier.textContent = "Copy";
copier.setAttribute("aria-label", "Copy this line");
copier.setAttribute("aria-keyshortcuts", "C");
copier.addEventListener("click", () => copyLine(copier.closest(".line")));

function offer(line) {
  if (line && copier.parentElement !== line && document.activeElement !== copier) line.append(copier);
}

text.addEventListener("pointerover", e => offer(e.target.closest(".line")));
text.addEventListener("focusin", e => offer(e.target.closest(".line")));

// ---- Downloading

const unspaced = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}\u3001-\u303f\uff01-\uff60]/u;
const join = (a, b) => unspaced.test([...a].at(-1) ?? "") && unspaced.test([...b][0] ?? "") ? a + b : a + " " + b;

// What each speaker says at a time: p is "" where nobody is known.
function turns() {
  const out = [];
  for (const [i, line] of lines.entries()) {
    const p = line.dataset.p ?? "", words = said(i).textContent.replace(/\s+/g, " ").trim(), last = out.at(-1);
    if (last?.p === p) last.text = join(last.text, words); else out.push({ p, i, text: words });
  }
  return out;
}

const named = p => p !== "" && original[p] !== "Unknown speaker" ? nameOf(p) : given[p] || "";
const speakerOf = new Map();
const tidied = name => (name ?? "").replace(/\s+/g, " ").trim();
// The name to show for a speaker of the transcript; one who has no line keeps theirs.
const shownName = name => (speakerOf.has(tidied(name)) ? named(speakerOf.get(tidied(name))) : "") || tidied(name);
function mapSpeakers() {
  data().transcript.segments.forEach((s, i) => { if (lines[i].dataset.p) speakerOf.set(tidied(s.speaker), lines[i].dataset.p); });
}

const stamp = (ms, point) => {
  const two = n => String(n).padStart(2, "0");
  return `${two(Math.floor(ms / 3600000))}:${two(Math.floor(ms / 60000) % 60)}:${two(Math.floor(ms / 1000) % 60)}${point}${String(ms % 1000).padStart(3, "0")}`;
};
// SRT has no escapes: a word joiner, which shows nothing, keeps players from reading markup into the text.
const literal = s => s.replaceAll("-->", "--\u2060>").replace(/<(?=[^]*>)|<(?=[A-Za-z/!?])|\{(?=[\\A-Za-z\n])|\\(?=[Nnh])|&(?=#?[0-9A-Za-z]+;)/g, "$&\u2060");
const references = s => s.replace(/[&<>]/g, c => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[c]);

const formats = {
  txt: () => turns().map(t => (named(t.p) ? named(t.p) + ": " : "") + t.text + "\n").join("\n"),
  md: () => `# ${document.title}\n\n` + turns().map(t => {
    const head = [named(t.p) && `**${named(t.p).replace(/[\\`*_{}[\]<>#|]/g, "\\$&")}**`, timed && `(${clock(starts[t.i])})`].filter(Boolean).join(" ");
    return (head ? head + "\n\n" : "") + t.text.replace(/[\\`*_{}[\]<>#|]/g, "\\$&") + "\n";
  }).join("\n"),
  srt: () => {
    let last = "";
    return data().cues.map(([start, end, speaker, said], n) => {
      const name = shownName(speaker), first = name && speaker !== last ? name + ": " : "";
      last = speaker;
      return `${n + 1}\n${stamp(start, ",")} --> ${stamp(end, ",")}\n${literal(first + said.join("\n"))}\n`;
    }).join("\n");
  },
  vtt: () => "WEBVTT\n" + data().cues.map(([start, end, speaker, said]) => {
    const name = shownName(speaker);
    return `\n${stamp(start, ".")} --> ${stamp(end, ".")}\n${name ? `<v ${references(name)}>` : ""}${references(said.join("\n"))}\n`;
  }).join(""),
  json: () => {
    const copy = structuredClone(data().transcript), to = s => { if (s.speaker) s.speaker = shownName(s.speaker); };
    if (data().plain) copy.segments = [];
    for (const [i, s] of copy.segments.entries()) {
      to(s);
      const words = (data().words[i] ?? []).map(([word, start, end, confidence, speaker]) => ({ word, start, end, ...(confidence && { confidence }), ...(speaker && { speaker: shownName(speaker) }) }));
      if (words.length) s.words = words;
    }
    for (const s of copy.speakers ?? []) s.id = shownName(s.id);
    return JSON.stringify(copy, null, 2) + "\n";
  },
};
const types = { txt: "text/plain", md: "text/markdown", srt: "application/x-subrip", vtt: "text/vtt", json: "application/json" };

$("downloads").addEventListener("click", e => {
  const format = e.target.dataset.format;
  if (!format) return;
  mapSpeakers();
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([formats[format]()], { type: types[format] + ";charset=utf-8" }));
  link.download = (document.title.replace(/\.[A-Za-z0-9]{1,4}$/, "").replace(/[\\/:*?"<>|\p{Cc}]/gu, "_").slice(0, 120) || "transcript") + "." + format;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  tell(`${link.download} was made.`);
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
    u: () => unsure(1),
    U: () => unsure(-1),
    c: () => copyLine(link?.closest(".line") ?? lines[Math.max(current, 0)]),
  };
  if (live || opened) Object.assign(keys, { "<": () => faster(-1), ">": () => faster(1) });
  if (audio && !audio.hidden && !own) keys[" "] = () => { if (audio.paused) audio.play().catch(() => {}); else audio.pause(); };
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

if (audio && !audio.hidden) enliven();
$("tools").hidden = false;

const tag = $("language");
if (tag) try { tag.textContent = new Intl.DisplayNames(["en"], { type: "language" }).of(tag.dataset.tag); } catch { /* the code stays */ }

// A link to a line opens the page there.
const linked = location.hash.match(/^#l(\d+)$/);
if (linked && lines[linked[1] - 1]) {
  if (timed) jump(starts[linked[1] - 1]);
  lines[linked[1] - 1].scrollIntoView({ block: "center" });
}
