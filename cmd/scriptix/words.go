package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// bytesText is a size for people.
func bytesText(n int64) string {
	switch {
	case n < 0:
		return "of unknown size"
	case n < 1000:
		return fmt.Sprintf("%d B", n)
	}
	size, unit := float64(n)/1000, "KB"
	for _, next := range []string{"MB", "GB", "TB"} {
		if size < 999.5 {
			break
		}
		size, unit = size/1000, next
	}
	if size < 10 {
		return fmt.Sprintf("%.1f %s", size, unit)
	}
	return fmt.Sprintf("%.0f %s", size, unit)
}

// hoursText is a length of audio, which is billed by the hour.
func hoursText(d time.Duration) string {
	switch h := d.Hours(); {
	case d == 0:
		return "0 h"
	case h < 0.01:
		return "less than 0.01 h"
	case h < 10:
		return fmt.Sprintf("%.2f h", h)
	default:
		return fmt.Sprintf("%.0f h", h)
	}
}

// durationText is a wait for people: 4 s, 12 min, 2 h 5 min.
func durationText(d time.Duration) string {
	switch d = max(d, 0); {
	case d < 9950*time.Millisecond && d%time.Second != 0 && d >= 50*time.Millisecond:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < 99500*time.Millisecond:
		return fmt.Sprintf("%d s", int(d.Round(time.Second)/time.Second))
	case d < 100*time.Minute:
		return fmt.Sprintf("%d min", int(d.Round(time.Minute)/time.Minute))
	}
	d = d.Round(time.Minute)
	if minutes := int(d/time.Minute) % 60; minutes > 0 {
		return fmt.Sprintf("%d h %d min", int(d/time.Hour), minutes)
	}
	return fmt.Sprintf("%d h", int(d/time.Hour))
}

// waitText is a wait that is counted down: whole seconds, at least one.
func waitText(d time.Duration) string { return durationText(max(d.Round(time.Second), time.Second)) }

// count is a number of things in words.
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// together writes the paths of one recording as a shell's braces do, since they
// differ in their extensions alone.
func together(paths []string) string {
	if len(paths) < 2 {
		return strings.Join(paths, "")
	}
	var extensions []string
	for _, path := range paths {
		extensions = append(extensions, strings.TrimPrefix(filepath.Ext(path), "."))
	}
	return strings.TrimSuffix(paths[0], filepath.Ext(paths[0])) + ".{" + strings.Join(extensions, ",") + "}"
}

// directory is one that paths are seen from.
type directory string

// hereNow is the present directory, "" where that cannot be told.
func hereNow() directory {
	here, err := os.Getwd()
	if err != nil {
		return ""
	}
	return directory(here)
}

// shorten is a path as seen from the directory, where that is shorter.
func (d directory) shorten(path string) string {
	if d == "" {
		return path
	}
	if rel, err := filepath.Rel(string(d), path); err == nil && len(rel) < len(path) {
		return rel
	}
	return path
}

// shorten is a path as seen from here, where that is shorter.
func shorten(path string) string { return hereNow().shorten(path) }

// shown is a path in a message.
func shown(path string) string {
	if path == "." {
		return "this folder"
	}
	return oneLine(shorten(path))
}
