package main

import "time"

// progress shows how far a command is: bars where standard error is a terminal,
// lines where it is not. Its methods may be called concurrently. A recording is
// told apart by id, and shown by its name.
type progress interface {
	// sending tells of bytes that went out; total is -1 when it is not known.
	sending(id, name string, sent, total int64)
	// sent tells that no more bytes go out for a recording.
	sent(id string)
	// ended tells that nothing is left to be done for so many bytes.
	ended(size int64, failed bool)
	// skip takes bytes out that need not be sent.
	skip(size int64)
	// status tells what is waited for.
	status(s status)
	// printf writes a line to standard output, and complain one to standard
	// error, without harm to what is shown.
	printf(format string, args ...any) error
	complain(format string, args ...any)
	// line writes a line of another program to standard error as it is.
	line(text string)
	// close removes what is shown.
	close()
}

// status is what a run waits for, or what stands in its way.
type status struct {
	obstacle string // names what stands in the way, whatever its text counts down; "" when nothing does
	text     string
}

// newProgress shows count recordings of size bytes in all; with a size of 0 there is
// no bar for the whole, and with a negative one it counts the recordings.
func newProgress(e *env, count int, size int64) progress {
	if e.stderrTerminal && !e.quiet {
		return newScreen(e, count, size)
	}
	return newLines(e, count)
}

// newLines shows count recordings in lines; 0 is not known.
func newLines(e *env, count int) *lines {
	return &lines{e: e, told: make(map[string]time.Time), count: count, started: time.Now()}
}
