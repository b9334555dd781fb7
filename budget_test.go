package scriptix_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

// Some services say -1 where a key is not limited.
func TestNegativeFiguresInHeadersDoNotStopTheKey(t *testing.T) {
	t.Parallel()
	for name, header := range map[string][2]string{"both": {"-1", "-1"}, "the limit": {"-1", "0"}, "the remainder": {"60", "-1"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("X-RateLimit-Limit", header[0])
				w.Header().Set("X-RateLimit-Remaining", header[1])
				w.Header().Set("X-RateLimit-Reset", strconv.FormatInt(time.Now().Add(24*time.Hour).Unix(), 10))
				_, _ = io.WriteString(w, `{"id":"stt_1","status":"processing"}`)
			}))
			defer server.Close()
			c, err := scriptix.New("key", scriptix.WithBaseURL(server.URL))
			require.NoError(t, err)
			for range 5 {
				_, err := c.STT.Status(t.Context(), "stt_1")
				require.NoError(t, err)
			}
			assert.Less(t, time.Until(c.Budget().NextPoll), time.Minute)
		})
	}
}

func TestAStatusWithADeadlineIsNotRefusedForSubmitsThatWaitForASlot(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		fake.Fault(scriptixtest.Fault{On: scriptixtest.Submit, Delay: 5 * time.Minute, Times: 100})
		c := newClient(t, fake, scriptix.WithLimits(scriptix.Limits{PerMinute: 10, Concurrent: 3}))
		ctx, cancel := context.WithCancel(t.Context())
		for i := range 30 {
			go func() { _, _ = c.STT.Submit(ctx, scriptix.Bytes(fmt.Sprint(i, ".wav"), wav), english) }()
		}
		synctest.Wait()
		require.Equal(t, 28, c.Budget().Submits)
		for range 5 {
			soon, done := context.WithTimeout(t.Context(), 30*time.Second)
			_, err := c.STT.Status(soon, "stt_1")
			done()
			require.ErrorIs(t, err, scriptix.ErrNotFound, "it was sent")
		}
		cancel()
	})
}
