package main

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/webhook"
)

// gate is a receiver that passes on what it has verified, as listen does.
func gate(t *testing.T, to string, timeout time.Duration) (url string, shown <-chan taken) {
	t.Helper()
	forward, err := newForwarder(to)
	require.NoError(t, err)
	forward.timeout = timeout
	events, seen := make(chan taken), make(chan taken, 10)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case one := <-events:
				seen <- one
				one.printed <- nil
			case <-done:
				return
			}
		}
	}()
	handler, err := webhook.NewHandler(deliverTo(events, done, forward), []string{"secret"})
	require.NoError(t, err)
	server := httptest.NewServer(keeping(handler))
	t.Cleanup(func() {
		server.Close()
		close(done)
	})
	return server.URL, seen
}

// callback posts a callback to url with what senders add to it, and returns the status of the answer.
func callback(t *testing.T, url string, body []byte, signature string) int {
	t.Helper()
	req, err := newCallback(t.Context(), url, body, signature)
	require.NoError(t, err)
	req.Header.Set("User-Agent", "Scriptix/3")
	req.Header.Set("X-Scriptix-Delivery", "7")
	req.Header.Set("Authorization", "Basic of-a-tunnel")
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	return resp.StatusCode
}

func TestACallbackIsPassedOnByteForByte(t *testing.T) {
	t.Parallel()
	type seen struct {
		header      http.Header
		body        string
		path, query string
	}
	requests := make(chan seen, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		requests <- seen{r.Header, string(body), r.URL.Path, r.URL.RawQuery}
	}))
	defer receiver.Close()
	url, shown := gate(t, receiver.URL+"/my/hook?key=1", forwardTimeout)

	body := []byte("{ \"event\" : \"transcription.completed\",\r\n \"data\":{\"id\":\"stt_1\", \"n\": 1.50, \"text\":\"\\u00e9 é\"} }\n")
	assert.Equal(t, http.StatusOK, callback(t, url+"/from/service?token=%2F1", body, mac("secret", body)))

	got := <-requests
	assert.Equal(t, string(body), got.body)
	assert.Equal(t, "/my/hook", got.path)
	assert.Equal(t, "key=1&token=%2F1", got.query)
	assert.Equal(t, mac("secret", body), got.header.Get("X-Scriptix-Signature"))
	assert.Equal(t, "7", got.header.Get("X-Scriptix-Delivery"))
	assert.Equal(t, "Scriptix/3", got.header.Get("User-Agent"))
	assert.Equal(t, "application/json", got.header.Get("Content-Type"))
	assert.Empty(t, got.header.Get("Authorization"))
	assert.Contains(t, (<-shown).passed.words(), "forwarded, 200 in ")

	for _, signature := range []string{"", mac("other", body), "sha256=zz"} {
		assert.Equal(t, http.StatusUnauthorized, callback(t, url, body, signature))
	}
	assert.Empty(t, requests, "what is refused is not passed on")
}

func TestWhatAReceiverDoesNotTakeComesAgain(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	reached := make(chan string, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch reached <- r.URL.Path; r.URL.Path {
		case "/error":
			http.Error(w, "KeyError: 'text'\nline 12", http.StatusInternalServerError)
		case "/redirect":
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		case "/accepted":
			w.WriteHeader(http.StatusAccepted)
		case "/slow":
			<-release
		case "/cut":
			conn, _, err := http.NewResponseController(w).Hijack()
			if assert.NoError(t, err) {
				_ = conn.Close()
			}
		}
	}))
	defer receiver.Close()
	defer close(release)
	body := []byte(`{"event":"transcription.completed","data":{"id":"stt_1","status":"completed"}}`)
	for _, c := range []struct{ path, want string }{
		{"/error", "forwarded, 500 in .*: KeyError: 'text'; line 12$"},
		{"/redirect", "forwarded, 307, a redirect"},
		{"/accepted", "forwarded, 202 in "},
		{"/cut", `forwarded, no answer \(EOF\)`},
		{"/slow", "forwarded, no answer within "}, // the last, because a busy machine may reach it late
	} {
		path, want := c.path, c.want
		timeout := forwardTimeout
		if path == "/slow" {
			timeout = 100 * time.Millisecond
		}
		url, shown := gate(t, receiver.URL+path, timeout)
		assert.Equal(t, http.StatusServiceUnavailable, callback(t, url, body, mac("secret", body)), path)
		if path != "/slow" { // which a busy machine may not even reach in time
			assert.Equal(t, path, <-reached)
		}
		assert.Regexp(t, want, (<-shown).passed.words())
	}
	for len(reached) > 0 {
		assert.Equal(t, "/slow", <-reached, "no redirect was followed")
	}
}

func TestAReceiverThatIsSlowHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	let := sync.OnceFunc(func() { close(release) })
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.RawQuery == "slow" {
			<-release
		}
	}))
	defer receiver.Close()
	defer let()
	url, _ := gate(t, receiver.URL, forwardTimeout)
	body := []byte(`{"event":"transcription.completed","data":{"id":"stt_1","status":"completed"}}`)
	slow := make(chan *http.Response, 1)
	req, err := newCallback(t.Context(), url+"?slow", body, mac("secret", body))
	require.NoError(t, err)
	go func() {
		resp, err := http.DefaultClient.Do(req)
		if assert.NoError(t, err) {
			slow <- resp
		}
	}()
	assert.Equal(t, http.StatusOK, callback(t, url, body, mac("secret", body)))
	let()
	resp := <-slow
	require.NoError(t, resp.Body.Close())
	assert.Equal(t, http.StatusOK, resp.StatusCode)
}

func TestAForwarderThatLeadsBackIsKnown(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		target, listens string
		back            bool
	}{
		{"http://127.0.0.1:8090/", "127.0.0.1:8090", true},
		{"http://localhost:8090/", "127.0.0.1:8090", true},
		{"http://[::1]:8090/", "[::]:8090", true},
		{"http://0.0.0.0:8090/", "127.0.0.1:8090", true},
		{"http://127.0.0.1:3000/", "127.0.0.1:8090", false},
		{"http://127.0.0.1/", "0.0.0.0:80", true},
		{"https://jobs.example.com:8090/", "127.0.0.1:8090", false},
		{"http://192.168.1.2:8090/", "127.0.0.1:8090", false},
	} {
		forward, err := newForwarder(c.target)
		require.NoError(t, err)
		address, err := net.ResolveTCPAddr("tcp", c.listens)
		require.NoError(t, err)
		assert.Equal(t, c.back, forward.leadsTo(address), "%s from %s", c.target, c.listens)
	}
}
