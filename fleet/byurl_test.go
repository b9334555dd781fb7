package fleet_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/fleet"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

func TestARecordingThatTheServiceFetchesIsPaidForOnceWhateverBecomesOfItsSubmit(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		fault scriptixtest.Fault
		state batch.State
		sent  int
	}{
		"nothing goes wrong":     {scriptixtest.Fault{On: scriptixtest.Status, Status: 503}, batch.StateDone, 1},
		"it is refused at first": {scriptixtest.Fault{On: scriptixtest.Submit, Status: 503, RetryAfter: "1", Body: `{"error":"busy"}`}, batch.StateDone, 2},
		"its answer is lost":     {scriptixtest.Fault{On: scriptixtest.Submit, Cut: scriptixtest.AfterBody}, batch.StateUnknown, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, scriptixtest.WithDialect(scriptixtest.Session), scriptixtest.WithProcessing(time.Millisecond))
			s.fake.Fault(c.fault)
			o := s.sessions()
			o.Openers = map[string]fleet.Opener{"media": func(_ context.Context, locator string) (scriptix.Audio, error) {
				return scriptix.FromURL("https://media.example/" + locator), nil
			}}
			f := s.start(t, o)
			_, err := f.Enqueue(t.Context(), slices.Values([]fleet.Input{{Source: "media:call.wav", Key: "call", Params: scriptix.SubmitParams{Language: "en"}}}))
			require.NoError(t, err)
			done := await(t, f, 1)["call"]
			assert.Equal(t, c.state, done.State, "%v", done.Err)
			require.Len(t, s.fake.Jobs(), 1)
			r, err := f.Ledger().Get(t.Context(), batch.ByKey, "call")
			require.NoError(t, err)
			assert.Equal(t, "session", r.Dialect)
			assert.Equal(t, c.sent, r.Attempts)
		})
	}
}
