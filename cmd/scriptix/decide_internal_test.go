package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
)

func TestFilesOfOtherKindsAreKnownByTheirFirstBytes(t *testing.T) {
	t.Parallel()
	for head, want := range map[string]string{
		"These are notes.\n":                     "text",
		"na\u00efve \u2014 and cut off \xe2\x80": "text",
		"<!DOCTYPE html><p>x":                    "HTML",
		"\n  <HTML>":                             "HTML",
		"%PDF-1.7":                               "a PDF",
		"PK\x03\x04":                             "an archive",
		"\x1f\x8b\x08":                           "an archive",
		"\x89PNG\r\n\x1a\n":                      "an image",
		"\xff\xd8\xff\xe0\x00\x10JFIF":           "an image",
		"RIFF\x00\x00\x00\x00WEBPVP8 ":           "an image",
		"\x00\x00\x00\x18ftypheic":               "an image",
		"\x7fELF":                                "a program",
		"MZ\x90":                                 "a program",
		"#!/bin/sh\n":                            "a program",
		"#EXTM3U\nhttp://x":                      "text",
		"#!AMR\nxxxxxx":                          "",
		"RIFF\x00\x00\x00\x00WAVEfmt ":           "",
		"ID3\x04 text that is a tag":             "",
		"\xff\xfb\x90\x44":                       "",
		"OggS\x00":                               "",
		"\x00\x01\x02\x03":                       "",
		"\x30\x26\xb2\x75\x8e\x66\xcf\x11":       "",
		"":                                       "",
	} {
		assert.Equal(t, want, foreign([]byte(head)), "%q", head)
	}
}

func TestTheLengthOfAWAVIsReadFromItsHeader(t *testing.T) {
	t.Parallel()
	header := func(size uint32) []byte {
		b := []byte("RIFF\x00\x00\x00\x00WAVELIST\x03\x00\x00\x00odd\x00fmt \x10\x00\x00\x00\x01\x00\x01\x00")
		b = binary.LittleEndian.AppendUint32(b, 8000)
		b = binary.LittleEndian.AppendUint32(b, 16000)
		b = append(b, 2, 0, 16, 0, 'd', 'a', 't', 'a')
		return binary.LittleEndian.AppendUint32(b, size)
	}
	for name, test := range map[string]struct {
		data []byte
		size int
		want time.Duration
	}{
		"as the header says":        {header(32000), 32000, 2 * time.Second},
		"a recorder did not finish": {header(0), 16000, time.Second},
		"it says more than there":   {header(1<<32 - 1), 8000, 500 * time.Millisecond},
		"no WAV":                    {[]byte("ID3"), 100, 0},
		"cut":                       {header(0)[:30], 0, 0},
	} {
		file := append(bytes.Clone(test.data), make([]byte, test.size)...)
		assert.Equal(t, test.want, wavLength(bytes.NewReader(file), int64(len(file))), name)
	}
}

func TestRequestsAreSpreadOverTheWindowsOfAPlan(t *testing.T) {
	t.Parallel()
	assert.Zero(t, spread(60, scriptix.PlanSilver))
	assert.Equal(t, time.Minute, spread(61, scriptix.PlanSilver))
	assert.Equal(t, time.Hour, spread(2001, scriptix.PlanSilver), "60 a minute for 33 minutes, and then the hour is full")
	assert.Equal(t, 24*time.Hour, spread(20_001, scriptix.PlanSilver))
	assert.Zero(t, spread(1000, scriptix.Limits{}))
}

func TestParametersDifferAsTheyAreTyped(t *testing.T) {
	t.Parallel()
	was, would := differences(params{Language: "en", Diarization: true}, params{Language: "nl", Timestamps: "segment", GlossaryID: 7})
	assert.Equal(t, "--language en --diarization --glossary-id 0", was)
	assert.Equal(t, "--language nl --no-diarization --glossary-id 7", would)
}

func TestAFileIsTrustedOnlyOnceItsTimeHasSettled(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "a.wav")
	require.NoError(t, os.WriteFile(path, []byte("abc"), 0o600))
	stat := func() os.FileInfo {
		info, err := os.Stat(path)
		require.NoError(t, err)
		return info
	}
	e := &entry{Key: "k"}
	e.stamp(content{before: stat(), after: stat()})
	assert.False(t, e.unchanged(stat()), "it may be written to within the same tick of the clock")
	old := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(path, old, old))
	e.stamp(content{before: stat(), after: stat()})
	assert.True(t, e.unchanged(stat()))
	require.NoError(t, os.Chtimes(path, old, old.Add(time.Second)))
	assert.False(t, e.unchanged(stat()))
}

func TestAManifestThatWasCutOffInTheMiddleOfALineIsReadUpToThere(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	ledger := filepath.Join(out, "ledger")
	m, err := openManifest(ledger, out, true)
	require.NoError(t, err)
	one := m.add(&entry{Path: "/x/a.wav", Out: pathText(out)})
	require.NoError(t, m.save(one))
	one.Key = "k"
	two := m.add(&entry{Path: "/x/caf\xe9.wav", Out: pathText(out)})
	require.NoError(t, m.save(one, two))
	m.close()
	data, err := os.ReadFile(m.path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(m.path, append(data, `{"n":3,"path":"/x`...), 0o600))

	m, err = openManifest(ledger, out, true)
	require.NoError(t, err)
	require.Len(t, m.entries, 2)
	assert.Equal(t, "k", m.entries[0].Key, "the last line about an entry is what it is")
	assert.Equal(t, pathText("/x/caf\xe9.wav"), m.entries[1].Path, "to the byte")
	three := m.add(&entry{Path: "/x/c.wav", Out: pathText(out)})
	require.NoError(t, m.save(three))
	m, err = openManifest(ledger, out, true)
	require.NoError(t, err)
	assert.Len(t, m.entries, 3)
}

func TestErrorsAreToldInTheUsersWordsAndOnce(t *testing.T) {
	t.Parallel()
	lost := &scriptix.UnknownOutcomeError{Size: -1, Err: &scriptix.Error{Op: "stt.submit", Err: &scriptix.UnknownOutcomeError{Sent: 9, Size: 9, Err: &scriptix.Error{Op: "stt.submit", Err: errors.New("EOF")}}}}
	assert.Equal(t, "unknown outcome: 9 of 9 bytes of audio went out and a job may exist, so it is not sent again: stt.submit: EOF; look into the account before it is sent again, for it may be billed twice", explain(lost))
	gone := &scriptix.UnknownOutcomeError{Size: -1, Err: &scriptix.Error{Op: "stt.submit", Err: errors.New("it was killed")}}
	assert.Contains(t, explain(gone), "unknown outcome: the audio may have gone out and a job may exist, so it is not sent again: it was killed")
	full := errors.Join(batch.ErrSink, &os.PathError{Op: "write", Path: "out/a.txt", Err: syscall.ENOSPC})
	assert.Contains(t, explain(full), "free space and run it again")
	assert.NotContains(t, explain(errorf("batch: the sink failed 5 times: open out/a.txt: permission denied")), "sink")
	assert.Equal(t, "open a: no such file", explain(errorf("open a: no such file: open a: no such file")))
}

func errorf(text string) error { return errors.New(text) }

func TestWhatStandsInTheWayIsToldWithinFiveSeconds(t *testing.T) {
	t.Parallel()
	h := newHealth(&service{BaseURL: "https://api.example.com"})
	log := h.logger(nil)
	start := h.started
	assert.Empty(t, h.obstacle(start.Add(3*time.Second)).text)
	assert.Equal(t, "https://api.example.com does not answer, for 4 s now; scriptix doctor checks it", h.obstacle(start.Add(4*time.Second)).text)
	require.NoError(t, h.exhausted(start.Add(2*time.Minute-1), 2*time.Minute))
	require.EqualError(t, h.exhausted(start.Add(2*time.Minute), 2*time.Minute), "gave up, since https://api.example.com has not answered for 2 min; scriptix doctor checks it")
	require.NoError(t, h.exhausted(start.Add(time.Hour), 0), "0 goes on")

	log.Debug("scriptix: attempt failed", slog.Int("status", 0), slog.String("error", "stt.submit: lookup api.example.com: no such host"))
	assert.Contains(t, h.obstacle(start).text, "does not answer: no such host; scriptix doctor")
	h.retried(errors.New("x"), time.Minute)
	assert.Regexp(t, `no such host; next try in (59|60) s; scriptix doctor`, h.obstacle(time.Now()).text)
	log.Debug("scriptix: attempt failed", slog.Int("status", 503), slog.String("error", "x"))
	assert.Equal(t, "the service answers 503; scriptix doctor checks it", h.obstacle(start).text)
	require.NoError(t, h.exhausted(start.Add(time.Hour), time.Minute), "it was reached")
	log.Debug("scriptix: attempt failed", slog.Int("status", 401), slog.String("error", "x"))
	assert.Contains(t, h.obstacle(start).text, "refuses the key")
	log.Debug("scriptix: attempt succeeded", slog.Int("status", 200))
	assert.Empty(t, h.obstacle(start.Add(time.Hour)).text)
}

func TestCallbacksThatStayOutAreToldOnceAfterHalfAMinute(t *testing.T) {
	t.Parallel()
	var h hookHealth
	now := time.Now()
	h.called = map[string]bool{"told": true}
	h.polled("told", now)
	_, overdue := h.overdue(now.Add(time.Hour))
	assert.False(t, overdue)
	h.polled("untold", now)
	_, overdue = h.overdue(now.Add(hookGrace - 1))
	assert.False(t, overdue)
	job, overdue := h.overdue(now.Add(hookGrace))
	assert.True(t, overdue)
	assert.Equal(t, "untold", job)
	_, overdue = h.overdue(now.Add(hookGrace))
	assert.False(t, overdue)
}

func TestATranscriptAsJSONIsThatOfTheEncoderSegmentBySegment(t *testing.T) {
	t.Parallel()
	for _, transcript := range []*scriptix.Transcript{
		{JobID: "j", Text: "a\n  \"segments\": [] <b>"},
		{JobID: "j", Text: "x", Segments: []scriptix.Segment{{Text: "<one> & \"two\"", Speaker: "S"}, {Start: time.Second, Words: []scriptix.Word{{Text: "w"}}}}, Speakers: []scriptix.Speaker{{ID: "S"}}},
	} {
		var want, got bytes.Buffer
		enc := json.NewEncoder(&want)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		require.NoError(t, enc.Encode(transcript))
		require.NoError(t, writeJSON(&got, transcript))
		assert.Equal(t, want.String(), got.String())
	}
}

func TestTheStatusLineTellsWhatIsWaitedFor(t *testing.T) {
	t.Parallel()
	now := time.Now()
	three := looks{jobs: 3, next: now.Add(4 * time.Second), reason: scriptix.WaitsForEnd}
	assert.Equal(t, "3 transcribing, next look in 4 s", three.text(now, 3, 0))
	assert.Equal(t, "2 being sent or fetched; 3 transcribing, next look in 4 s; 1 without an answer", three.text(now, 5, 1))
	assert.Equal(t, "3 transcribing, looking now", three.text(now.Add(4*time.Second), 3, 0))
	assert.Empty(t, looks{}.text(now, 0, 0))
	assert.Empty(t, three.obstacle(now, "minute"))
	three.reason, three.next = scriptix.WaitsForBudget, now.Add(12*time.Second)
	assert.Equal(t, "minute full, goes on in 12 s", three.obstacle(now, "minute").text)
	three.reason, three.err = scriptix.WaitsForService, errors.New("stt.status: dial tcp 127.0.0.1:1: connect: connection refused")
	assert.Equal(t, "the service does not answer: connection refused; next try in 12 s; scriptix doctor checks it", three.obstacle(now, "minute").text)
}
