package batch_test

import (
	"context"
	"io"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

const errOfTheirs = "the caller's own panic"

type panicking struct{}

func (panicking) Read([]byte) (int, error) { panic(errOfTheirs) }

type panickingTransport struct{}

func (panickingTransport) RoundTrip(*http.Request) (*http.Response, error) { panic(errOfTheirs) }

func TestAPanicOfTheCallersCodeComesOutOfTheLoop(t *testing.T) {
	t.Parallel()
	open := func(context.Context, int64) (io.ReadCloser, error) { panic(errOfTheirs) }
	read := func(context.Context, int64) (io.ReadCloser, error) { return io.NopCloser(panicking{}), nil }
	for name, c := range map[string]struct {
		input  func(*batch.Input)
		option func(*batch.Options)
		client scriptix.Option
	}{
		"an audio that is opened for its key": {input: func(in *batch.Input) { in.Audio = scriptix.Opener("a.wav", 100, open) }},
		"an audio that is read for its key":   {input: func(in *batch.Input) { in.Audio = scriptix.Opener("a.wav", 100, read) }},
		"an audio that is opened to be sent":  {input: func(in *batch.Input) { in.Audio, in.Key = scriptix.Opener("a.wav", 100, open), "k" }},
		"an audio that is read to be sent":    {input: func(in *batch.Input) { in.Audio, in.Key = scriptix.Opener("a.wav", 100, read), "k" }},
		"a function that is told of progress": {option: func(o *batch.Options) { o.OnProgress = func(batch.Input, int64, int64) { panic(errOfTheirs) } }},
		"a ledger": {option: func(o *batch.Options) {
			o.Ledger = &failing{Ledger: batch.Memory(), claim: func() error { panic(errOfTheirs) }}
		}},
		"a ledger that is told of the last byte": {option: func(o *batch.Options) {
			o.Ledger = &failing{Ledger: batch.Memory(), apply: func() error { panic(errOfTheirs) }}
		}},
		"a transport": {client: scriptix.WithHTTPClient(&http.Client{Transport: panickingTransport{}})},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := scriptixtest.New(t, scriptixtest.InMemory())
				var opts []scriptix.Option
				if c.client != nil {
					opts = append(opts, c.client)
				}
				var o batch.Options
				if c.option != nil {
					c.option(&o)
				}
				in := recording(t, 1)
				if c.input != nil {
					c.input(&in)
				}
				seen := 0
				assert.PanicsWithValue(t, errOfTheirs, func() {
					for outcome := range batch.Run(t.Context(), newClient(t, fake, opts...), only(in), o) {
						seen++
						assert.Equal(t, batch.StateInterrupted, outcome.State)
					}
				})
				assert.Equal(t, 1, seen, "what was taken is yielded")
			})
		})
	}
}
