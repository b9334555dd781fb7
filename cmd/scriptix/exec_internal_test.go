package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/batch"
)

// execution is a run that does nothing but run a program.
func execution(t *testing.T, script string, limit time.Duration) (*execs, *bytes.Buffer) {
	t.Helper()
	flags := execFlags{Exec: `sh -c "` + script + `"`, ExecTimeout: limit, ExecJobs: 1}
	if err := flags.find(); err != nil {
		t.Skipf("the programs of this test are a shell's: %v", err)
	}
	var said bytes.Buffer
	e := &env{stdout: &said, stderr: &said}
	x := newExecs(t.Context(), &transcription{env: e, flags: &batchFlags{execFlags: flags}, view: newLines(e, 1)})
	x.grace = 100 * time.Millisecond
	return x, &said
}

func TestAProgramThatIgnoresSIGTERMIsKilledWithItsChildren(t *testing.T) {
	t.Parallel()
	beat := filepath.Join(t.TempDir(), "beat")
	x, _ := execution(t, "trap '' TERM; (trap '' TERM; while :; do echo x >>"+beat+"; sleep 0.02; done) & wait", 300*time.Millisecond)
	started := time.Now()
	err := x.run(execTask{})
	require.EqualError(t, err, "it was ended after 300ms")
	assert.Less(t, time.Since(started), 10*time.Second)
	before, err := os.ReadFile(beat)
	require.NoError(t, err)
	assert.NotEmpty(t, before)
	// A beat that was being written may still come; then nothing does.
	assert.Never(t, func() bool {
		now, err := os.ReadFile(beat)
		return err != nil || len(now) > len(before)+2
	}, 150*time.Millisecond, 50*time.Millisecond)
}

func TestWhatAProgramLeavesInTheBackgroundDoesNotHoldItsSuccessUp(t *testing.T) {
	t.Parallel()
	x, said := execution(t, "sleep 5 & echo started", time.Minute)
	started := time.Now()
	require.NoError(t, x.run(execTask{}))
	assert.Less(t, time.Since(started), 4*time.Second)
	assert.Equal(t, "started\n", said.String())
}

func TestTheLinesOfAProgramStayWhole(t *testing.T) {
	t.Parallel()
	x, said := execution(t, "printf one; printf ' line'; echo; printf 'no end'", time.Minute)
	require.NoError(t, x.run(execTask{}))
	assert.Equal(t, "one line\nno end\n", said.String())

	lines := &programLines{view: x.t.view}
	said.Reset()
	_, err := lines.Write(bytes.Repeat([]byte("x"), 3*longestPart))
	require.NoError(t, err)
	lines.flush()
	assert.Equal(t, 3*longestPart, strings.Count(said.String(), "x"), "nothing of a line without an end is lost, nor is it kept")
}

func TestAProgramReadsTheObjectThatIsPrinted(t *testing.T) {
	t.Parallel()
	x, said := execution(t, "cat", time.Minute)
	task := execTask{
		line: reported{File: "a & b <c>.wav", State: string(batch.StateSkipped), JobID: "job", Outputs: []string{"out/a & b <c>.json"}},
		rec:  batch.Record{JobID: "job", Source: "poll", Attempts: 1, Duration: 1500 * time.Millisecond},
	}
	require.NoError(t, x.run(task))
	assert.Equal(t, `{"file":"a & b <c>.wav","state":"done","job_id":"job","outputs":["out/a & b <c>.json"],"duration_seconds":1.5,"source":"poll","attempts":1}`+"\n", said.String())
}

// A folder may move with its ledger; then its places are the same.
func TestThePlaceOfAnEntryMovesWithTheFolder(t *testing.T) {
	t.Parallel()
	before := (&batchFlags{Out: "/a/out"}).place(&entry{Out: "/a/out", Dir: "mon", Stem: "call"})
	assert.Equal(t, before, (&batchFlags{Out: "/b/c/out"}).place(&entry{Out: "/b/c/out", Dir: "mon", Stem: "call"}))
	assert.NotEqual(t, before, (&batchFlags{Out: "/a/out"}).place(&entry{Out: "/a/out", Dir: "tue", Stem: "call"}))
	shared := &batchFlags{Out: "/a/out", Ledger: "/a/ledger"}
	assert.NotEqual(t, shared.place(&entry{Out: "/a/out", Stem: "call"}), shared.place(&entry{Out: "/a/other", Stem: "call"}))
	assert.NotContains(t, before, "call")
	assert.False(t, (&batchFlags{}).owes(&entry{}, batch.Record{Phase: batch.Done, Name: "call.wav"}), "without --exec nothing is owed")
}
