package scriptixtest_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

func TestOptionsThatMakeNoSenseAreRefused(t *testing.T) {
	t.Parallel()
	for name, o := range map[string]scriptixtest.Option{
		"nil":                        nil,
		"an empty key":               scriptixtest.WithAPIKey(""),
		"a key with a line break":    scriptixtest.WithAPIKey("a\nb"),
		"a blank secret":             scriptixtest.WithWebhookSecret(" "),
		"an address on the network":  scriptixtest.WithAddr("0.0.0.0:0"),
		"an address without a port":  scriptixtest.WithAddr("127.0.0.1"),
		"a negative limit":           scriptixtest.WithPlan(scriptixtest.Limits{PerDay: -1}),
		"negative processing":        scriptixtest.WithProcessing(-1),
		"a negative queue":           scriptixtest.WithQueue(-1),
		"a negative retry":           scriptixtest.WithCallbackRetries(-1),
		"an unknown not-ready":       scriptixtest.WithNotReady(500),
		"no history":                 scriptixtest.WithHistory(0),
		"no logger":                  scriptixtest.WithLogger(nil),
		"a relative base path":       scriptixtest.WithBasePath("a"),
		"a negative size":            scriptixtest.WithMaxUpload(-1, 0),
		"an address that is no port": scriptixtest.WithAddr("127.0.0.1:99999"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := scriptixtest.Start(o)
			require.ErrorContains(t, err, "scriptixtest: ")
			assert.Nil(t, s)
		})
	}
	_, err := scriptixtest.Start(scriptixtest.InMemory(), scriptixtest.WithAddr("127.0.0.1:0"))
	require.Error(t, err)
}

func TestNotReadyCanBeAnsweredInFourWays(t *testing.T) {
	t.Parallel()
	for _, status := range []int{http.StatusConflict, http.StatusNotFound, http.StatusAccepted, http.StatusOK} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			t.Parallel()
			s := scriptixtest.New(t, scriptixtest.WithNotReady(status), scriptixtest.WithQueue(time.Hour))
			got, v := get(t, s, "/api/v3/stt/"+submit(t, s, wav(0)[:44], "model", "m")+"/result")
			assert.Equal(t, status, got)
			if status < 300 {
				assert.Equal(t, "uploaded", v["status"])
				assert.NotContains(t, v, "segments")
			}
		})
	}
}

func TestAnswersCanComeInAnEnvelopeUnderAPath(t *testing.T) {
	t.Parallel()
	s := scriptixtest.New(t, scriptixtest.WithEnvelope(), scriptixtest.WithBasePath("/gate/way/"))
	assert.True(t, strings.HasSuffix(s.URL(), "/gate/way"))
	_, body := do(t, s, submission(t, s, wav(time.Second), "language", "en"))
	v := decode(t, body)
	assert.InDelta(t, 1, v["count"], 0)
	assert.Equal(t, "uploaded", v["result"].(object)["status"])

	r := request(t, s, http.MethodGet, "/api/v3/stt/x/status", nil)
	r.URL.Path = "/api/v3/stt/x/status"
	res, _ := do(t, s, r)
	assert.Equal(t, http.StatusNotFound, res.StatusCode)
}

func TestTLSIsTrustedByItsOwnClientAlone(t *testing.T) {
	t.Parallel()
	s := scriptixtest.New(t, scriptixtest.WithTLS())
	assert.True(t, strings.HasPrefix(s.URL(), "https://127.0.0.1:"))
	id := submit(t, s, wav(time.Second))
	tr := s.HTTPClient().Transport.(*http.Transport).Clone()
	tr.TLSClientConfig.NextProtos = nil
	tr.ForceAttemptHTTP2 = false
	tr.Protocols = new(http.Protocols)
	tr.Protocols.SetHTTP1(true)
	defer tr.CloseIdleConnections()
	res, err := tr.RoundTrip(request(t, s, http.MethodGet, "/api/v3/stt/"+id+"/status", nil))
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	assert.Equal(t, http.StatusOK, res.StatusCode)

	requests := s.Requests()
	assert.Equal(t, "HTTP/2.0", requests[0].Proto)
	assert.Equal(t, "HTTP/1.1", requests[1].Proto)

	bare := &http.Transport{}
	defer bare.CloseIdleConnections()
	_, err = bare.RoundTrip(request(t, s, http.MethodGet, "/", nil))
	require.ErrorContains(t, err, "certificate")
}

func TestHistoryIsBoundedOnRequest(t *testing.T) {
	t.Parallel()
	s := scriptixtest.New(t, scriptixtest.InMemory(), scriptixtest.WithHistory(3))
	for i := range 5 {
		get(t, s, fmt.Sprintf("/%d", i))
	}
	var paths []string
	for _, r := range s.Requests() {
		paths = append(paths, r.Path)
	}
	assert.Equal(t, []string{"/2", "/3", "/4"}, paths)
	assert.Equal(t, 5, s.Stats().Requests)
}

func TestTheLogHoldsEachRequestAndDeliveryButNoSecret(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		s := scriptixtest.New(t, scriptixtest.InMemory(), scriptixtest.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
		s.Handle(hook, &receiver{})
		id := submit(t, s, wav(time.Second), "webhook_url", hook+"?token=hidden")
		time.Sleep(time.Minute)
		synctest.Wait()
		out := log.String()
		assert.Contains(t, out, "msg=request method=POST path=/api/v3/stt status=201")
		assert.Contains(t, out, "msg=callback job="+id+" event=transcription.completed url=https://example.com/hook attempt=0 status=200")
		assert.Equal(t, 2, strings.Count(out, "\n"))
		assert.NotContains(t, out, s.APIKey())
		assert.NotContains(t, out, s.WebhookSecret())
		assert.NotContains(t, out, "hidden")
	})
}

func TestTLSWorksInMemory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scriptixtest.New(t, scriptixtest.InMemory(), scriptixtest.WithTLS())
		id := submit(t, s, wav(time.Second))
		time.Sleep(20 * 365 * 24 * time.Hour / 4)
		_, v := get(t, s, "/api/v3/stt/"+id+"/status")
		assert.Equal(t, "completed", v["status"])
		assert.Equal(t, "HTTP/2.0", s.Requests()[1].Proto)
	})
}
