package main

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/internal/audio"
	"github.com/scriptix-io/scriptix-go/webhook"
)

func TestTheUsualCausesOfAMismatchAreFound(t *testing.T) {
	t.Parallel()
	const secret = "whsec_0123456789abcdef"
	const body = `{"event":"transcription.completed","data":{"id":"a/b","text":"<é> & it's"}}`
	for name, test := range map[string]struct {
		signed, captured string // bodies
		used             string // the secret that signed, if it is another
		want             string
	}{
		"an editor ended the line":         {captured: body + "\n", want: "line break at the end of the file is removed"},
		"so did one on Windows":            {captured: body + "\r\n", want: "line break at the end of the file is removed"},
		"the line break was lost":          {signed: body + "\n", captured: body, want: "with a line break at the end, which was lost"},
		"white space came around it":       {captured: "\n  " + body + " \n", want: "white space around the body is removed"},
		"line ends became CR LF":           {signed: "{\n\"event\":\"x\"\n}", captured: "{\r\n\"event\":\"x\"\r\n}", want: "line ends LF instead of CR LF"},
		"line ends became LF":              {signed: "{\r\n\"event\":\"x\"\r\n}", captured: "{\n\"event\":\"x\"\n}", want: "line ends CR LF instead of LF"},
		"an editor put a byte order mark":  {captured: "\ufeff" + body, want: "byte order mark"},
		"the header was captured with it":  {captured: "POST / HTTP/1.1\r\nHost: x\r\n\r\n" + body, want: "without the HTTP header"},
		"a log made a string of it":        {captured: `"{\"event\":\"x\"}"`, signed: `{"event":"x"}`, want: "decoded from the JSON string"},
		"it was pretty printed":            {captured: "{\n  \"event\": \"x\",\n  \"n\": 1\n}", signed: `{"event":"x","n":1}`, want: "decoded and encoded again"},
		"it was compacted":                 {captured: `{"event":"x","n":[1,2]}`, signed: `{"event": "x", "n": [1, 2]}`, want: "decoded and encoded again"},
		"its colons in strings are spared": {captured: `{"event":"a:b,c\":d"}`, signed: `{"event": "a:b,c\":d"}`, want: "decoded and encoded again"},
		"Go escaped it":                    {captured: `{"event":"\u003cx\u003e \u0026"}`, signed: `{"event":"<x> &"}`, want: "decoded and encoded again"},
		"PHP escaped it":                   {captured: `{"event":"a\/b"}`, signed: `{"event":"a/b"}`, want: "decoded and encoded again"},
		"its keys were sorted back":        {captured: `{"b":1,"a":2}`, signed: `{"a":2,"b":1}`, want: "decoded and encoded again"},
		"the secret has a line break":      {captured: body, used: secret + "\n", want: "the account's secret holds one"},
		"the secret lost its prefix":       {captured: body, used: "0123456789abcdef", want: "without its prefix"},
		"both are wrong":                   {captured: body + "\n", used: "0123456789abcdef", want: ", and with the secret taken without its prefix"},
		"nothing explains it":              {captured: body, used: "another", want: ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			signed, used := test.signed, test.used
			if signed == "" {
				signed = body
			}
			if used == "" {
				used = secret
			}
			got := mismatchCause([]byte(test.captured), webhook.Sign(used, []byte(signed)), []string{secret})
			if test.want == "" {
				assert.Empty(t, got)
			} else {
				assert.Contains(t, got, test.want)
			}
			assert.NotContains(t, got, "0123456789")
		})
	}
	mac, err := hex.DecodeString(strings.TrimPrefix(webhook.Sign(secret, []byte(body)), "sha256="))
	require.NoError(t, err)
	assert.Contains(t, malformation("sha256="+base64.StdEncoding.EncodeToString(mac), []byte(body), []string{secret}), "base64 instead of hex")
	assert.Contains(t, malformation(hex.EncodeToString(mac), []byte(body), []string{secret}), "with that it is right")
}

func TestABlankSecretNeverMatches(t *testing.T) {
	t.Parallel()
	body := []byte(`{"event":"x"}`)
	assert.Empty(t, mismatchCause(body, webhook.Sign("", body), []string{`""`, " ", "a_"}))
}

func TestStandardInputIsToldApartByItsFirstBytes(t *testing.T) {
	t.Parallel()
	for head, want := range map[string]string{
		"RIFF\x00\x00\x00\x00WAVEfmt ":                         ".wav",
		"RIFF\x00\x00\x00\x00AVI LIST":                         ".avi",
		"fLaC\x00":                                             ".flac",
		"OggS\x00":                                             ".ogg",
		"\x00\x00\x00\x20ftypM4A ":                             ".m4a",
		"\x00\x00\x00\x20ftypqt  ":                             ".mov",
		"\x00\x00\x00\x20ftypisom":                             ".mp4",
		"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82webm":     ".webm",
		"\x1a\x45\xdf\xa3\x9f\x42\x86\x81\x01\x42\x82matroska": ".mkv",
		"ID3\x04":          ".mp3",
		"\xff\xfb\x90\x44": ".mp3",
		"\xff\xf1\x50\x80": ".aac",
		"what is this":     "",
		"":                 "",
	} {
		assert.Equal(t, want, audio.Extension([]byte(head)), "%q", head)
	}
}

func TestAFileThatCannotBeWrittenLeavesTheOldOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "a.txt")
	require.NoError(t, os.WriteFile(path, []byte("old"), 0o600))
	full := errors.New("the disk is full")
	err := writeFile(path, func(w io.Writer) error {
		_, _ = io.WriteString(w, strings.Repeat("new", 10_000))
		return full
	})
	require.ErrorIs(t, err, full)
	assert.Contains(t, err.Error(), path)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "old", string(data))
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, entries, 1, "no temporary file is left")

	require.NoError(t, writeFile(path, func(w io.Writer) error {
		_, err := io.WriteString(w, "new")
		return err
	}))
	data, err = os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "new", string(data))
}

func TestOutputsOfDifferentRecordingsNeverShareAName(t *testing.T) {
	t.Parallel()
	out := t.TempDir()
	ledger := filepath.Join(out, "ledger")
	require.NoError(t, os.WriteFile(filepath.Join(out, "mine.json"), nil, 0o600))
	m, err := openManifest(ledger, out, true)
	require.NoError(t, err)
	en, nl := params{Language: "en"}, params{Language: "nl"}
	formats := []string{"json"}
	stem := func(path string, p params) string {
		return m.add(&entry{Path: pathText(path), Params: p, Out: pathText(out), Formats: formats}).Stem
	}
	assert.Equal(t, "a", stem("/x/a.wav", en))
	assert.Equal(t, "a-2", stem("/y/a.mp3", en))
	assert.Equal(t, "A-3", stem("/y/A.wav", en), "some file systems do not tell cases apart")
	assert.Equal(t, "a-4", stem("/x/a.wav", nl))
	assert.Equal(t, "mine-2", stem("/x/mine.wav", en), "a file of the user's own stays")
	long := stem("/x/"+strings.Repeat("é", 150)+".wav", en)
	assert.LessOrEqual(t, len(long), maxStem)
	assert.Equal(t, strings.Repeat("é", 100), long)
	require.NoError(t, m.save())

	m, err = openManifest(ledger, out, true)
	require.NoError(t, err)
	assert.Equal(t, "a-2", m.of("/y/a.mp3", out)[0].Stem, "the same recording keeps its name in a later run")
	assert.Equal(t, "a-5", stem("/z/a.wav", en))
}

func TestAManifestThatCannotBeReadIsNamed(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{"damaged": "{", "of the future": `{"version": 99}`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ledger := filepath.Join(t.TempDir(), "ledger")
			require.NoError(t, os.WriteFile(ledger+".files", []byte(text), 0o600))
			_, err := openManifest(ledger, filepath.Dir(ledger), true)
			require.ErrorContains(t, err, ledger+".files: ")
		})
	}
}

func TestALabelFitsAndKeepsBothEnds(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "calls/a.wav", shortName("calls/a.wav", 35))
	assert.Equal(t, "a.wav", shortName(strings.Repeat("deep/", 20)+"a.wav", 35))
	long := shortName("beginning"+strings.Repeat("-", 100)+"end.wav", 35)
	assert.Len(t, []rune(long), 35)
	assert.True(t, strings.HasPrefix(long, "beginning") && strings.HasSuffix(long, "end.wav"), long)
}

func TestAResumeHintCanBePastedIntoAShell(t *testing.T) {
	t.Parallel()
	e := &env{getenv: func(name string) string {
		return map[string]string{"SCRIPTIX_BASE_URL": "http://127.0.0.1:1"}[name]
	}}
	assert.Equal(t, "scriptix resume",
		resumeHint(e, &service{BaseURL: "http://127.0.0.1:1"}, &callbacks{}, &batchFlags{Out: "."}))
	assert.Equal(t, `scriptix resume --out 'it'\''s' --base-url http://127.0.0.1:2 --plan gold --listen :8080 --jobs 3 --allow-private`,
		resumeHint(e, &service{BaseURL: "http://127.0.0.1:2", Plan: "gold"}, &callbacks{Listen: ":8080"}, &batchFlags{Out: "it's", Jobs: 3, AllowPrivate: true}))
}
