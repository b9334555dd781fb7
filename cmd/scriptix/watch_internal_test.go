package main

import (
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/kballard/go-shellquote"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// plainService is a service on net/http, without a line of the fake. It keeps what was sent to it, and calls nobody back.
type plainService struct {
	mu   sync.Mutex
	sent []string // content of each job
}

func (s *plainService) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	path := strings.TrimPrefix(r.URL.Path, "/api/v3/stt")
	if path != "" {
		id := strings.Split(path, "/")[1]
		_, _ = fmt.Fprintf(w, `{"id":%q,"status":"completed","transcript":"said","segments":[{"start":0,"end":1,"text":"said"}]}`, id)
		return
	}
	audio, err := formOf(r)
	if err != nil {
		return // the client was killed
	}
	s.mu.Lock()
	s.sent = append(s.sent, audio)
	id := len(s.sent)
	s.mu.Unlock()
	w.WriteHeader(http.StatusCreated)
	_, _ = fmt.Fprintf(w, `{"id":"stt_%d","status":"uploaded"}`, id)
}

func formOf(r *http.Request) (audio string, err error) {
	reader, err := r.MultipartReader()
	if err != nil {
		return "", err
	}
	for {
		var part *multipart.Part
		part, err = reader.NextPart()
		if err == io.EOF { //nolint:errorlint // as NextPart returns it
			return audio, nil
		}
		if err != nil {
			return "", err
		}
		data, err := io.ReadAll(part)
		if err != nil {
			return "", err
		}
		if part.FileName() != "" {
			audio = string(data)
		}
	}
}

func (s *plainService) jobs() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	counts := make(map[string]int)
	for _, audio := range s.sent {
		counts[audio]++
	}
	return counts
}

// A watch is killed again and again, at moments that differ, while recordings come and a program is run for each: in the
// end each content was paid for once, and the program has succeeded once for each.
func TestAWatchThatIsKilledPaysOnceAndRunsTheProgramForEach(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("the program is a shell's")
	}
	service := new(plainService)
	server := httptest.NewServer(service)
	defer server.Close()
	dir := t.TempDir()
	in := filepath.Join(dir, "in")
	require.NoError(t, os.Mkdir(in, 0o700))
	hook := filepath.Join(dir, "hook")
	require.NoError(t, os.WriteFile(hook, []byte("#!/bin/sh\nname=$(sed 's/.*\"file\":\"\\([^\"]*\\)\".*/\\1/')\nsleep 0.02\necho \"$name\" >>done\n"), 0o700))

	const recordings, kills = 12, 5
	watch := func() *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), "scriptix", "transcribe", "--watch", "in", "--watch-interval", "20ms", "-l", "en", "--out", "out", "--plan", "gold", "--exec", hook, "--json")
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "SCRIPTIX_BASE_URL="+server.URL, keyVariable+"=key")
		return cmd
	}
	for round := range kills {
		cmd := watch()
		require.NoError(t, cmd.Start())
		for n := range recordings / kills {
			name := fmt.Sprintf("%d-%d.wav", round, n)
			require.NoError(t, os.WriteFile(filepath.Join(in, name), []byte("RIFF....WAVE "+name), 0o600))
		}
		deadline := time.Now().Add(time.Duration(100+90*round) * time.Millisecond)
		require.Eventually(t, func() bool { return time.Now().After(deadline) }, time.Minute, 5*time.Millisecond)
		require.NoError(t, cmd.Process.Kill())
		_ = cmd.Wait() // it was killed
	}
	last := watch()
	output, err := os.Create(filepath.Join(dir, "output"))
	require.NoError(t, err)
	last.Stdout, last.Stderr = output, output
	require.NoError(t, last.Start())
	total := kills * (recordings / kills)
	lines := func() map[string]int {
		text, _ := os.ReadFile(filepath.Join(dir, "done")) // it is made by the first
		counts := make(map[string]int)
		for name := range strings.Lines(string(text)) {
			counts[strings.TrimSpace(name)]++
		}
		return counts
	}
	unknown := func() int { // without callbacks nobody tells what became of an upload whose answer a kill has cut off
		text, err := os.ReadFile(output.Name())
		require.NoError(t, err)
		return strings.Count(string(text), `"state":"unknown"`)
	}
	ended := assert.Eventually(t, func() bool { return len(lines())+unknown() == total }, time.Minute, 20*time.Millisecond)
	require.NoError(t, last.Process.Signal(os.Interrupt))
	err = last.Wait()
	text, _ := os.ReadFile(output.Name())
	require.NoError(t, err, "%s", text)
	require.True(t, ended, "%s", text)

	for content, n := range service.jobs() {
		assert.Equal(t, 1, n, "%s was paid for", content)
	}
	t.Logf("%d recordings, %d of them unknown, program runs %v", total, unknown(), lines())
	repeated := 0
	for _, n := range lines() {
		repeated += n - 1
	}
	assert.LessOrEqual(t, repeated, 2*kills, "only what was in flight at a kill is repeated")
}

// The line that starts the service is one that this program takes.
func TestTheUnitOfTheGuideStartsAWatch(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/automation.md")
	require.NoError(t, err)
	_, line, found := strings.Cut(string(text), "\nExecStart=")
	require.True(t, found)
	line, _, _ = strings.Cut(line, "\n")
	words, err := shellquote.Split(line)
	require.NoError(t, err)
	all := new(commands)
	parser, err := newParser(t.Context(), &env{stdout: io.Discard, stderr: io.Discard}, all)
	require.NoError(t, err)
	_, err = parser.Parse(words[1:])
	require.NoError(t, err)
	assert.Equal(t, []string{"/srv/recordings"}, all.Transcribe.Watch)
	assert.Equal(t, 10*time.Second, all.Transcribe.WatchInterval)
}

func TestAFileIsTakenOnceItHasStoodStillAndAgainWhenItIsAnother(t *testing.T) {
	t.Parallel()
	s := sightings{seen: make(map[string]sighting)}
	unknown := func() bool { return false }
	look := func(size, modified int64, at time.Duration) bool {
		s.next()
		return s.sighted("/a", sighting{size: size, modified: modified, at: at}, time.Second, unknown)
	}
	assert.False(t, look(1, 1, 0))
	assert.False(t, look(2, 1, time.Second), "it grew")
	assert.False(t, look(2, 2, 2*time.Second), "its time moved")
	assert.False(t, look(2, 2, 2500*time.Millisecond), "not for an interval yet")
	assert.True(t, look(2, 2, 3*time.Second))
	assert.False(t, s.take("/a", sighting{size: 3, modified: 2}), "it changed since the look")
	assert.True(t, s.take("/a", sighting{size: 2, modified: 2}))
	assert.False(t, look(4, 4, 9*time.Second), "it is being transcribed")
	assert.True(t, s.end("/a", retrying, 20*time.Second, "no"))
	assert.False(t, look(2, 2, 19*time.Second))
	assert.True(t, look(2, 2, 20*time.Second), "its turn has come again")
	assert.False(t, s.end("/a", retrying, 30*time.Second, "no"), "it was told")
	assert.True(t, s.end("/a", over, 0, ""))
	assert.False(t, look(2, 2, 40*time.Second))
	assert.False(t, look(4, 4, 41*time.Second), "another content settles first")
	assert.True(t, look(4, 4, 42*time.Second))

	s.next()
	assert.Empty(t, s.gone([]string{"/"}), "what could not be read has not gone")
	s.next()
	assert.Equal(t, []string{"/a"}, s.gone(nil), "it was never sent")
	assert.Empty(t, s.seen)
}

func TestNamesOfFilesThatAreStillWrittenAreKnown(t *testing.T) {
	t.Parallel()
	for name, unfinished := range map[string]bool{
		"a.wav": false, "part.wav": false, "a.wav.part": true, "A.WAV.PART": true, "~a.wav": true, "a.wav~": true, "a.crdownload": true, "a.mp3.tmp": true,
	} {
		assert.Equal(t, unfinished, unfinishedName(name), name)
	}
}
