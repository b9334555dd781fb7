package step_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch/ledger"
	"github.com/scriptix-io/scriptix-go/internal/step"
)

func TestAResultThatIsWholeAndCannotBeReadIsNotAskedForForHours(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body  string
		cut   bool
		tries int // fetches until it is given up
	}{
		"no transcript":            {`{"id":"stt_1","status":"completed"}`, false, 6},
		"another job's":            {`{"id":"stt_2","status":"completed","transcript":"hello","segments":[]}`, false, 6},
		"a list":                   {`["hello"]`, false, 6},
		"a page of something else": {`<html><body>Please log in</body></html>`, false, 30},
		"nothing":                  {``, false, 30},
		"half of it":               {`{"id":"stt_1","status":"completed","transcript":"hel`, true, 30},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var header http.Header
			if c.cut {
				header = http.Header{"Content-Length": {fmt.Sprint(len(c.body))}}
			}
			client := answering(t, c.body, header)
			for tries := range c.tries {
				fetched := step.Fetch(t.Context(), client, "stt_1", tries)
				require.ErrorIs(t, fetched.Err, scriptix.ErrBadAnswer)
				r, verdict := fetched.Settle(record(ledger.Completed), now)
				assert.Equal(t, record(ledger.Completed), r, "the record stays")
				if tries+1 < c.tries {
					require.Equal(t, step.Again, verdict.Then, "after %d", tries)
					continue
				}
				require.Equal(t, step.Interrupt, verdict.Then)
				require.ErrorIs(t, verdict.Err, scriptix.ErrBadAnswer)
				require.ErrorContains(t, verdict.Err, "the job is paid for and stays in the ledger")
				if raw := fetchedError(t, verdict.Err).RawBody(); c.body != "" {
					assert.Equal(t, c.body, string(raw))
				}
			}
		})
	}
}

func fetchedError(t *testing.T, err error) *scriptix.Error {
	t.Helper()
	var e *scriptix.Error
	require.ErrorAs(t, err, &e)
	return e
}
