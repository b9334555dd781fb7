package httpsource

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const recording = "the quick brown fox jumps over the lazy dog"

// serve answers with a version of the recording, as far as cut says.
func serve(w http.ResponseWriter, r *http.Request, etag string, cut int) {
	w.Header().Set("ETag", etag)
	if cut < 0 {
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(recording))
		return
	}
	from := 0
	if span, ok := strings.CutPrefix(r.Header.Get("Range"), "bytes="); ok {
		first, _, _ := strings.Cut(span, "-")
		from, _ = strconv.Atoi(first)
		w.Header().Set("Content-Range", "bytes "+first+"-"+strconv.Itoa(len(recording)-1)+"/"+strconv.Itoa(len(recording)))
	}
	w.Header().Set("Content-Length", strconv.Itoa(len(recording)-from))
	if from > 0 {
		w.WriteHeader(http.StatusPartialContent)
	}
	_, _ = io.WriteString(w, recording[from:min(from+cut, len(recording))])
	if from+cut < len(recording) {
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler) // cuts the connection
	}
}

func TestAConnectionThatBreaksIsTakenUpWhereItBroke(t *testing.T) {
	t.Parallel()
	var ranges []string
	o, url := answering(t, func(w http.ResponseWriter, r *http.Request) {
		ranges = append(ranges, r.Header.Get("Range")) // one request after the other
		cut := 10
		if asked := r.Header.Get("Range"); asked == "bytes=0-511" || asked == "bytes=0-0" {
			cut = -1
		}
		serve(w, r, `"v1"`, cut)
	})
	text, err := read(t.Context(), opened(t, o, url), 0)
	require.NoError(t, err)
	assert.Equal(t, recording, text)
	assert.Equal(t, []string{"bytes=0-511", "", "bytes=10-", "bytes=20-", "bytes=30-", "bytes=40-", "bytes=0-0"}, ranges)
}

func TestAConnectionThatAlwaysBreaksIsGivenUp(t *testing.T) {
	t.Parallel()
	var requests atomic.Int32
	o, url := answering(t, func(w http.ResponseWriter, r *http.Request) {
		cut := 0
		switch requests.Add(1) {
		case 1:
			cut = -1
		case 2:
			cut = 5
		}
		serve(w, r, `"v1"`, cut)
	})
	text, err := read(t.Context(), opened(t, o, url), 0)
	require.ErrorIs(t, err, errCut)
	assert.Equal(t, recording[:5], text)
	assert.LessOrEqual(t, requests.Load(), int32(2+maxTries))
}

func TestARecordingOfWhichNothingComesIsNotTakenForAnEmptyOne(t *testing.T) {
	t.Parallel()
	o, url := answering(t, func(w http.ResponseWriter, r *http.Request) { serve(w, r, `"v1"`, 0) })
	_, err := o.Open(t.Context(), url)
	require.ErrorIs(t, err, errCut)
}

func TestAServerThatFailsForAWhileIsAskedAgain(t *testing.T) {
	t.Parallel()
	var requests atomic.Int32
	o, url := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if n := requests.Add(1); n == 2 || n == 3 || n == 5 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		serve(w, r, `"v1"`, -1)
	})
	text, err := read(t.Context(), opened(t, o, url), 0)
	require.NoError(t, err)
	assert.Equal(t, recording, text)
}

func TestTheLastBytesAreHeldBackWhenTheVersionChangedMeanwhile(t *testing.T) {
	t.Parallel()
	for name, headers := range map[string][2]string{"a strong ETag": {`"v1"`, `"v2"`}, "a weak one": {`W/"v1"`, `W/"v2"`}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int32
			o, url := answering(t, func(w http.ResponseWriter, r *http.Request) {
				if requests.Add(1) > 2 {
					serve(w, r, headers[1], -1)
					return
				}
				serve(w, r, headers[0], -1)
			})
			body, err := opened(t, o, url).From(t.Context(), 0)
			require.NoError(t, err)
			got, err := io.ReadAll(io.LimitReader(body, int64(len(recording)-1)))
			require.NoError(t, err)
			assert.Len(t, got, len(recording)-1)
			n, err := body.Read(make([]byte, 100))
			requireRefused(t, err, "it changed")
			assert.Zero(t, n, "they do not come along with the error")
			_, err = body.Read(make([]byte, 100))
			require.Error(t, err, "nor is that the end")
			require.NotErrorIs(t, err, io.EOF)
			require.NoError(t, body.Close())
		})
	}
}

func TestAVersionThatChangedBetweenTwoConnectionsIsNotMixed(t *testing.T) {
	t.Parallel()
	var requests atomic.Int32
	o, url := answering(t, func(w http.ResponseWriter, r *http.Request) {
		switch requests.Add(1) {
		case 1:
			serve(w, r, `"v1"`, -1)
		case 2:
			serve(w, r, `"v1"`, 10)
		default:
			serve(w, r, `"v2"`, -1)
		}
	})
	text, err := read(t.Context(), opened(t, o, url), 0)
	requireRefused(t, err, "it changed")
	assert.Equal(t, recording[:10], text)
}

func TestWithoutALengthTheEndOfTheAnswerIsTheEnd(t *testing.T) {
	t.Parallel()
	var cut atomic.Bool
	o, url := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, recording[:20])
		_ = http.NewResponseController(w).Flush() // without a length from here on
		if cut.Load() {
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(w, recording[20:])
	})
	source := opened(t, o, url)
	assert.EqualValues(t, -1, source.Size())
	text, err := read(t.Context(), source, 0)
	require.NoError(t, err)
	assert.Equal(t, recording, text)

	cut.Store(true)
	_, err = read(t.Context(), source, 0)
	require.ErrorIs(t, err, errCut, "what is cut cannot be told from what is not, and is not taken up")
}

func TestAConnectionWithoutAByteForAWhileIsBroken(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	defer close(release)
	var requests atomic.Int32
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) == 2 {
			w.Header().Set("ETag", `"v1"`)
			w.Header().Set("Content-Length", strconv.Itoa(len(recording)))
			_, _ = io.WriteString(w, recording[:10])
			_ = http.NewResponseController(w).Flush()
			<-release
			return
		}
		serve(w, r, `"v1"`, -1)
	}))
	t.Cleanup(server.Close)
	o, _ := trusting(t, server, true)
	o.stall = 250 * time.Millisecond
	text, err := read(t.Context(), opened(t, o, server.URL+"/a.wav"), 0)
	require.NoError(t, err)
	assert.Equal(t, recording, text)
}

// Where a server has no ranges, what was read before comes again and is skipped.
func TestAConnectionThatIsSilentWhileBytesAreSkippedIsBroken(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	defer close(release)
	var requests atomic.Int32
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", `"v1"`)
		w.Header().Set("Content-Length", strconv.Itoa(len(recording)))
		switch requests.Add(1) {
		case 2: // is cut
			_, _ = io.WriteString(w, recording[:20])
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		case 3: // is silent before the offset
			_, _ = io.WriteString(w, recording[:10])
			_ = http.NewResponseController(w).Flush()
			<-release
		default:
			_, _ = io.WriteString(w, recording)
		}
	}))
	t.Cleanup(server.Close)
	o, _ := trusting(t, server, true)
	o.stall = 250 * time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	text, err := read(ctx, opened(t, o, server.URL+"/a.wav"), 0)
	require.NoError(t, err)
	assert.Equal(t, recording, text)
}

func TestReadingEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var requests atomic.Int32
	o, url := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if requests.Add(1) > 1 {
			cancel()
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		serve(w, r, `"v1"`, -1)
	})
	o.pause = time.Hour
	_, err := read(ctx, opened(t, o, url), 0)
	require.ErrorIs(t, err, context.Canceled)
}
