package scriptix_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
)

// writeTranscript writes a result of about size bytes, as words or as segments
// alone.
func writeTranscript(w io.Writer, size int, words bool) {
	n, _ := io.WriteString(w, `{"id":"stt_1","status":"completed","transcript":"hello","segments":[`)
	for i := 0; n < size; i++ {
		comma := ","
		if i == 0 {
			comma = ""
		}
		var m int
		if words {
			m, _ = fmt.Fprintf(w, `%s{"start":%d.5,"end":%d.25,"text":"hello there my friend","speaker":"Speaker %d","confidence":0.9,"words":[`, comma, i, i+1, i%3)
			for j, word := range strings.Fields("hello there my friend") {
				k, _ := fmt.Fprintf(w, `%s{"word":%q,"start":%d.%d,"end":%d.%d,"confidence":0.95}`, ","[:min(j, 1)], word, i, j, i, j+1)
				m += k
			}
			k, _ := io.WriteString(w, "]}")
			m += k
		} else {
			m, _ = fmt.Fprintf(w, `%s{"start":%d.5,"end":%d.25,"text":"a","speaker":"Speaker %d"}`, comma, i, i+1, i%3)
		}
		n += m
	}
	_, _ = io.WriteString(w, "]}")
}

// TestMain lets a child process measure its own memory.
func TestMain(m *testing.M) {
	if url := os.Getenv("SCRIPTIX_RESULT_FROM"); url != "" {
		fetchResult(url)
		return
	}
	os.Exit(m.Run())
}

func fetchResult(url string) {
	c, err := scriptix.New("k", scriptix.WithBaseURL(url))
	if err == nil {
		var transcript *scriptix.Transcript
		if transcript, err = c.STT.Result(context.Background(), "stt_1"); err == nil {
			status, _ := os.ReadFile("/proc/self/status")
			_, peak, _ := strings.Cut(string(status), "VmHWM:")
			fmt.Println(strings.Fields(peak)[0], len(transcript.Raw), len(transcript.Segments))
			return
		}
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// The peak of a process that fetches one result is bounded by a multiple of the
// answer. RESULT_MIB makes it larger than the test's own 24 MiB.
func TestResultTakesLittleMoreMemoryThanItIsLong(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" || raceDetector {
		t.Skip("reads /proc, and the race detector takes memory of its own")
	}
	mib := 24
	if given, err := strconv.Atoi(os.Getenv("RESULT_MIB")); err == nil {
		mib = given
	}
	for _, words := range []bool{true, false} {
		for _, known := range []bool{true, false} {
			t.Run(fmt.Sprintf("words %t, length known %t", words, known), func(t *testing.T) {
				t.Parallel()
				file := t.TempDir() + "/result.json"
				f, err := os.Create(file)
				require.NoError(t, err)
				writeTranscript(f, mib<<20, words)
				require.NoError(t, f.Close())
				server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					f, err := os.Open(file)
					assert.NoError(t, err)
					defer func() { _ = f.Close() }()
					if info, err := f.Stat(); known && err == nil {
						w.Header().Set("Content-Length", strconv.FormatInt(info.Size(), 10))
					}
					_, _ = io.Copy(w, f)
				}))
				defer server.Close()
				child := exec.CommandContext(t.Context(), "sh", "-c", `ulimit -v 4000000; exec "$0"`, os.Args[0])
				child.Env = append(os.Environ(), "SCRIPTIX_RESULT_FROM="+server.URL)
				child.Stderr = os.Stderr
				out, err := child.Output()
				require.NoError(t, err)

				var peak, size, segments int64
				_, err = fmt.Sscan(string(out), &peak, &size, &segments)
				require.NoError(t, err)
				t.Logf("%d MiB in %d segments: peak %d MiB, %.1f times", size>>20, segments, peak>>10, float64(peak<<10)/float64(size))
				assert.Less(t, peak<<10, 6*size)
			})
		}
	}
}

func TestLargeResultsWaitForOneAnother(t *testing.T) {
	t.Parallel()
	var body strings.Builder
	writeTranscript(&body, 3<<20, true)
	c := answering(t, http.StatusOK, nil, body.String(), scriptix.WithAtHand(4<<20), scriptix.WithLimits(scriptix.Limits{}))
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			if i%3 == 0 {
				ctx, cancel := context.WithCancel(t.Context())
				time.AfterFunc(time.Duration(i)*time.Millisecond, cancel)
				_, _ = c.STT.Result(ctx, "stt_1") // one that gives up takes no room with it
				return
			}
			transcript, err := c.STT.Result(t.Context(), "stt_1")
			assert.NoError(t, err)
			assert.NotEmpty(t, transcript.Segments)
			raw, err := c.STT.RawResult(t.Context(), "stt_1")
			assert.NoError(t, err)
			assert.Len(t, raw, body.Len())
		})
	}
	all.Wait()
}
