package scriptix_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/internal/lenient"
)

// Who bounds answers by itself is asked before each of their pieces is kept, and
// an answer that it has no room for is not asked for again unbidden.
func TestAnAnswerForWhichThereIsNoRoomIsGivenUp(t *testing.T) {
	t.Parallel()
	var body strings.Builder
	writeTranscript(&body, 2<<20, true)
	for name, known := range map[string]bool{"its length known": true, "its length unknown": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				requests.Add(1)
				if known {
					w.Header().Set("Content-Length", strconv.Itoa(body.Len()))
				}
				_, _ = io.WriteString(w, body.String())
			}))
			defer server.Close()
			c, err := scriptix.New(testKey, scriptix.WithBaseURL(server.URL), quick)
			require.NoError(t, err)
			asked := int64(0)
			ctx := lenient.WithRoom(t.Context(), func(size int64) bool {
				asked = max(asked, size)
				return size <= 1<<20
			})
			_, err = c.STT.Result(ctx, "stt_1")
			require.ErrorIs(t, err, lenient.ErrNoRoom)
			assert.Equal(t, int32(1), requests.Load())
			assert.Greater(t, asked, int64(1<<20))
			assert.LessOrEqual(t, asked, int64(body.Len()+4<<20))

			ctx = lenient.WithRoom(t.Context(), func(int64) bool { return true })
			transcript, err := c.STT.Result(ctx, "stt_1")
			require.NoError(t, err)
			assert.Len(t, transcript.Raw, body.Len())
		})
	}
}
