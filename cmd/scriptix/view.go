package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"
)

// view is what a screen shows, apart from how it is drawn.
type view struct {
	uploads []*upload // in the order in which they began
	count   int       // recordings
	ends    int
	failed  int
	total   int64 // of the bar for the whole, each byte counted twice; 0: there is none; negative: recordings are counted
	done    int64
	started time.Time
	moved   time.Time // something was sent, or ended
	status  status
}

type upload struct {
	id, name string
	sent     int64
	total    int64 // -1 when it is not known
	began    time.Time
}

// whole reports whether all of it went out: what it waits for is not its bytes.
func (u *upload) whole() bool { return u.total > 0 && u.sent >= u.total }

func (v *view) sending(id, name string, sent, total int64) {
	now := time.Now()
	var u *upload
	for _, known := range v.uploads {
		if known.id == id {
			u = known
		}
	}
	if u == nil {
		u = &upload{id: id, name: name, began: now}
		v.uploads = append(v.uploads, u)
	}
	if sent > u.sent {
		v.moved = now
	}
	v.done += sent - u.sent
	u.sent, u.total = sent, total
}

// lines is the frame in a terminal of that size. No line is as wide as the
// terminal: some would go on in the next line then.
func (v *view) lines(now time.Time, width, height int) []string {
	width = max(width-1, 10)
	var list []string
	room := max(min(maxBars, height-6), 1)
	uploads := slices.DeleteFunc(slices.Clone(v.uploads), (*upload).whole)
	for i, u := range uploads {
		if i == room && len(uploads) > room+1 {
			list = append(list, fit(fmt.Sprintf("and %d other uploads", len(uploads)-i), width))
			break
		}
		list = append(list, v.uploadLine(u, now, width))
	}
	if v.total != 0 {
		list = append(list, v.wholeLine(now, width))
	}
	return append(list, wrapped(v.status.text, width, 3)...)
}

func (v *view) uploadLine(u *upload, now time.Time, width int) string {
	share, percent := 0.0, "    "
	if u.total > 0 {
		share = min(float64(u.sent)/float64(u.total), 1)
		percent = fmt.Sprintf("%3d%%", int(share*100))
	}
	speed := ""
	if took := now.Sub(u.began); took > 200*time.Millisecond && u.sent > 0 {
		speed = bytesText(int64(float64(u.sent)/took.Seconds())) + "/s"
	}
	return barLine(u.name, share, percent, speed, width)
}

func (v *view) wholeLine(now time.Time, width int) string {
	words := "%d of %d done"
	if width < 60 {
		words = "%d/%d"
	}
	text := fmt.Sprintf(words, v.ends-v.failed, v.count)
	if v.failed > 0 {
		text += fmt.Sprintf(", %d failed", v.failed)
	}
	share := min(float64(v.done)/float64(v.total), 1)
	if v.total < 0 {
		share = float64(v.ends) / float64(max(v.count, 1))
	}
	return barLine(text, share, fmt.Sprintf("%3d%%", int(share*100)), v.estimate(now), width)
}

// estimate says how long the whole will take, as long as it moves: what it waits
// for otherwise, the status says.
func (v *view) estimate(now time.Time) string {
	elapsed := now.Sub(v.started)
	if elapsed < 2*time.Second || v.done*50 < v.total || v.done >= v.total || now.Sub(v.moved) > 5*time.Second || v.status.obstacle != "" {
		return ""
	}
	left := time.Duration(float64(elapsed) * float64(v.total-v.done) / float64(v.done))
	return waitText(left) + " left"
}

// barLine lays out a name, a bar and what follows it. In a narrow terminal the
// bar goes first, and then what follows.
func barLine(name string, share float64, percent, more string, width int) string {
	const percentWidth, moreWidth = 6, 14
	nameWidth, barWidth := 36, 32
	if width < nameWidth+barWidth+4+percentWidth+moreWidth {
		nameWidth = max(min(36, (width-percentWidth)/2), 8)
		barWidth = width - nameWidth - percentWidth - moreWidth - 4
		if barWidth < 8 { // without what follows
			more = ""
			barWidth = width - nameWidth - percentWidth - 4
		}
	}
	label := padded(shortName(name, nameWidth-1), nameWidth)
	if barWidth < 4 {
		return fit(label+percent, width)
	}
	line := label + "[" + bar(share, barWidth) + "] " + percent
	if more != "" {
		line += strings.Repeat(" ", max(moreWidth-cells(more), 1)) + more
	}
	return line
}

// bar is a bar of that many cells.
func bar(share float64, width int) string {
	full := int(share * float64(width))
	if full >= width {
		return strings.Repeat("=", width)
	}
	return strings.Repeat("=", full) + ">" + strings.Repeat(" ", width-full-1)
}

// shortName is a recording's path where there is room, else its name.
func shortName(path string, width int) string {
	name := oneLine(path)
	if cells(name) > width {
		name = oneLine(filepath.Base(path))
	}
	return fit(name, width)
}

// fit shortens a text in its middle: its beginning and its end tell most.
func fit(s string, width int) string {
	if cells(s) <= width {
		return s
	}
	runes := []rune(s)
	tail := len(runes)
	for tail > 0 && cells(string(runes[tail-1:])) <= (width-1)/2 {
		tail--
	}
	head := 0
	for head < tail && cells(string(runes[:head+1]))+1+cells(string(runes[tail:])) <= width {
		head++
	}
	return string(runes[:head]) + "…" + string(runes[tail:])
}

func padded(s string, width int) string { return s + strings.Repeat(" ", max(width-cells(s), 0)) }

// wrapped breaks a text into so many lines of that width at most, at its blanks.
func wrapped(text string, width, most int) []string {
	var list []string
	line := ""
	for word := range strings.FieldsSeq(oneLine(text)) {
		switch {
		case line == "":
			line = word
		case cells(line)+1+cells(word) <= width:
			line += " " + word
		default:
			list = append(list, line)
			line = word
		}
	}
	if line != "" {
		list = append(list, line)
	}
	if len(list) > most {
		list[most-1] = strings.Join(list[most-1:], " ")
		list = list[:most]
	}
	for i := range list {
		list[i] = fit(list[i], width)
	}
	return list
}

// cells is how many cells of a terminal a text takes: two for characters of
// Chinese, Japanese and Korean, none for accents that stand by themselves.
func cells(s string) (n int) {
	for _, r := range s {
		switch {
		case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		case r >= 0x1100 && (r <= 0x115f || r >= 0x2e80 && r <= 0xa4cf || r >= 0xac00 && r <= 0xd7a3 || r >= 0xf900 && r <= 0xfaff || r >= 0xfe30 && r <= 0xfe6f || r >= 0xff00 && r <= 0xff60 || r >= 0x1f300 && r <= 0x1faff || r >= 0x20000 && r <= 0x3fffd):
			n += 2
		default:
			n++
		}
	}
	return n
}
