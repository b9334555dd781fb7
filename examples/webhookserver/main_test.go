package main

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/webhook"
)

const (
	secret = "whsec_test"
	body   = `{"event":"transcription.completed","data":{"id":"stt_1","status":"completed"}}`
)

func send(t *testing.T, q *queue) int {
	t.Helper()
	handler, err := webhook.NewHandler(q.put, []string{secret})
	require.NoError(t, err)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/cb", strings.NewReader(body))
	r.Header.Set(webhook.SignatureHeader, webhook.Sign(secret, []byte(body)))
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	return w.Code
}

// disk is a file that may be full.
type disk struct {
	bytes.Buffer
	syncs int
	err   error
}

func (d *disk) Write(p []byte) (int, error) {
	if d.err != nil {
		return 0, d.err
	}
	return d.Buffer.Write(p)
}

func (d *disk) Sync() error {
	d.syncs++
	return d.err
}

func TestAnEventIsWrittenBeforeItIsAcknowledged(t *testing.T) {
	t.Parallel()
	q, d := newQueue(1), &disk{}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		q.write(d)
	}()

	assert.Equal(t, http.StatusOK, send(t, q))

	assert.Equal(t, 1, d.syncs)
	q.close()
	<-ended
	assert.Equal(t, body+"\n", d.String())
}

func TestAnEventThatCannotBeWrittenIsRefused(t *testing.T) {
	t.Parallel()
	q := newQueue(1)
	go q.write(&disk{err: errors.New("no space left")})
	defer q.close()

	assert.Equal(t, http.StatusServiceUnavailable, send(t, q))
}

func TestAFullQueueRefusesBeforeItLosesAnything(t *testing.T) {
	t.Parallel()
	q := newQueue(1)
	q.items <- item{webhook.Event{Raw: []byte("earlier")}, make(chan error, 1)}

	assert.Equal(t, http.StatusServiceUnavailable, send(t, q))

	d := &disk{}
	q.close()
	q.write(d)
	assert.Equal(t, "earlier\n", d.String())
}

func TestTheServerSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	err := run(t.Context(), "127.0.0.1:0", t.TempDir()+"/events.jsonl", []string{""})
	require.ErrorIs(t, err, webhook.ErrNoSecret)
	require.ErrorContains(t, err, "SCRIPTIX_WEBHOOK_SECRET")
}
