package webhook_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/scriptix-io/scriptix-go/webhook"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const completed = `{"event": "transcription.completed", "timestamp": "2025-01-17T10:30:00Z", "data": {"id": "stt_abc123", "status": "completed"}}`

func accept(context.Context, webhook.Event) error { return nil }

type rejections struct {
	mu   sync.Mutex
	errs []error
}

func (r *rejections) add(_ *http.Request, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errs = append(r.errs, err)
}

func (r *rejections) all() []error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.errs
}

func callback(t *testing.T, payload string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/hook?token=t1", strings.NewReader(payload))
	r.Header.Set(webhook.SignatureHeader, webhook.Sign(secret, []byte(payload)))
	return r
}

// post gives a request to a handler and checks what is true of every answer and every rejection.
func post(t *testing.T, deliver func(context.Context, webhook.Event) error, r *http.Request) (*http.Response, error) {
	t.Helper()
	var rejected rejections
	h, err := webhook.NewHandler(deliver, []string{"whsec_new", secret}, webhook.OnReject(func(got *http.Request, err error) {
		assert.Same(t, r, got)
		rejected.add(got, err)
	}))
	require.NoError(t, err)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	require.Empty(t, w.Body.String())
	resp := w.Result()
	require.NoError(t, resp.Body.Close())

	errs := rejected.all()
	if resp.StatusCode == http.StatusOK {
		require.Empty(t, errs)
		return resp, nil
	}
	require.Len(t, errs, 1, "each rejected request is reported once")
	rejection, ok := errors.AsType[*webhook.RejectError](errs[0])
	require.True(t, ok)
	require.Equal(t, resp.StatusCode, rejection.StatusCode)
	require.Contains(t, rejection.Error(), fmt.Sprint(resp.StatusCode))
	assertNoSecret(t, rejection.Error())
	for _, verb := range []string{"Retry-After", "Allow"} {
		require.Equal(t, resp.Header.Get(verb) != "", resp.StatusCode == map[string]int{"Retry-After": 503, "Allow": 405}[verb], verb)
	}
	return resp, errs[0]
}

func never(t *testing.T) func(context.Context, webhook.Event) error {
	t.Helper()
	return func(context.Context, webhook.Event) error {
		assert.Fail(t, "delivered")
		return nil
	}
}

func TestAnAuthenticCallbackIsDeliveredAndThen200(t *testing.T) {
	t.Parallel()
	var got []webhook.Event
	resp, _ := post(t, func(_ context.Context, e webhook.Event) error {
		got = append(got, e)
		return nil
	}, callback(t, completed))

	require.Equal(t, http.StatusOK, resp.StatusCode)
	want, err := webhook.Parse([]byte(completed))
	require.NoError(t, err)
	want.Target = "/hook?token=t1"
	require.Equal(t, []webhook.Event{want}, got)
}

func TestUnknownEventsAndDuplicatesAreDeliveredToo(t *testing.T) {
	t.Parallel()
	delivered := 0
	h, err := webhook.NewHandler(func(context.Context, webhook.Event) error { delivered++; return nil }, []string{secret})
	require.NoError(t, err)
	for _, payload := range []string{completed, completed, `{"event":"glossary.ready"}`, `{"event":"ping","data":null,"timestamp":"soon"}`} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, callback(t, payload))
		require.Equal(t, http.StatusOK, w.Code, payload)
	}
	require.Equal(t, 4, delivered)
}

func TestACallbackThatIsNotAuthenticChangesNothing(t *testing.T) {
	t.Parallel()
	right := webhook.Sign(secret, []byte(completed))
	unread := io.NopCloser(iotest.ErrReader(errors.New("the body was read")))
	for _, c := range []struct {
		name      string
		signature []string
		body      io.ReadCloser // nil: the payload
		want      error
	}{
		{"no signature", nil, unread, webhook.ErrNoSignature},
		{"an empty one", []string{""}, unread, webhook.ErrNoSignature},
		{"a malformed one", []string{"sha256=test123"}, unread, webhook.ErrMalformedSignature},
		{"thousands of them", []string{strings.Repeat(right+",", 1000)}, unread, webhook.ErrMalformedSignature},
		{"thousands of lines", slices.Repeat([]string{right}, 1000), unread, webhook.ErrMalformedSignature},
		{"signed with the empty secret", []string{webhook.Sign("", []byte(completed))}, nil, webhook.ErrMismatch},
		{"signed with another secret", []string{webhook.Sign("another", []byte(completed))}, nil, webhook.ErrMismatch},
		{"signed, but another body", []string{right}, io.NopCloser(strings.NewReader(completed + "\n")), webhook.ErrMismatch},
		{"signed, but no body", []string{right}, http.NoBody, webhook.ErrMismatch},
		{"of nonsense", []string{webhook.Sign("another", []byte("nonsense"))}, io.NopCloser(strings.NewReader("nonsense")), webhook.ErrMismatch},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := callback(t, completed)
			r.Header[webhook.SignatureHeader] = c.signature
			if c.body != nil {
				r.Body, r.ContentLength = c.body, -1
			}
			resp, err := post(t, never(t), r)
			require.Equal(t, http.StatusUnauthorized, resp.StatusCode)
			require.ErrorIs(t, err, c.want)
			assert.NotContains(t, err.Error(), strings.TrimPrefix(right, "sha256=")[:8])
		})
	}
}

func TestSignaturesMayComeOnSeveralLines(t *testing.T) {
	t.Parallel()
	r := callback(t, completed)
	right := r.Header.Get(webhook.SignatureHeader)
	r.Header.Set(webhook.SignatureHeader, webhook.Sign("another", []byte(completed)))
	r.Header.Add(webhook.SignatureHeader, right)
	resp, _ := post(t, accept, r)
	require.Equal(t, http.StatusOK, resp.StatusCode)
}

func TestAnAuthenticBodyThatIsNoEventIs400(t *testing.T) {
	t.Parallel()
	for name, payload := range unreadable {
		if len(payload) > 64<<10 {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			resp, err := post(t, never(t), callback(t, payload))
			require.Equal(t, http.StatusBadRequest, resp.StatusCode)
			require.ErrorIs(t, err, webhook.ErrPayload)
		})
	}
}

func TestARequestWithoutABodyIsAnEmptyOne(t *testing.T) {
	t.Parallel()
	r := callback(t, "")
	r.Body = nil
	resp, _ := post(t, never(t), r)
	require.Equal(t, http.StatusBadRequest, resp.StatusCode)
}

func TestOnlyPostIsAllowed(t *testing.T) {
	t.Parallel()
	for _, method := range []string{http.MethodGet, http.MethodHead, http.MethodPut, http.MethodOptions, strings.Repeat("X", 100)} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			r := callback(t, completed)
			r.Method = method
			resp, err := post(t, never(t), r)
			require.Equal(t, http.StatusMethodNotAllowed, resp.StatusCode)
			require.Equal(t, http.MethodPost, resp.Header.Get("Allow"))
			require.Less(t, len(err.Error()), 80)
		})
	}
}

func TestTheBodyIsLimited(t *testing.T) {
	t.Parallel()
	const limit = 64 << 10
	padded := func(n int) string { return completed + strings.Repeat(" ", n-len(completed)) }
	for _, c := range []struct {
		name    string
		payload string
		length  int64
		want    int
	}{
		{"at the limit", padded(limit), limit, http.StatusOK},
		{"at the limit, chunked", padded(limit), -1, http.StatusOK},
		{"one more", padded(limit + 1), limit + 1, http.StatusRequestEntityTooLarge},
		{"one more, chunked", padded(limit + 1), -1, http.StatusRequestEntityTooLarge},
		{"announced as more", completed, 1 << 40, http.StatusRequestEntityTooLarge},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := callback(t, c.payload)
			r.ContentLength = c.length
			resp, _ := post(t, accept, r)
			require.Equal(t, c.want, resp.StatusCode)
		})
	}

	endless := &counter{}
	r := callback(t, completed)
	r.Body, r.ContentLength = io.NopCloser(endless), -1
	resp, _ := post(t, never(t), r)
	require.Equal(t, http.StatusRequestEntityTooLarge, resp.StatusCode)
	require.LessOrEqual(t, endless.n, limit+1)
}

type counter struct{ n int }

func (c *counter) Read(p []byte) (int, error) { c.n += len(p); return len(p), nil }

func TestABodyThatBreaksOffIsAskedForAgain(t *testing.T) {
	t.Parallel()
	r := callback(t, completed)
	r.Body = io.NopCloser(io.MultiReader(strings.NewReader(completed[:20]), iotest.ErrReader(io.ErrUnexpectedEOF)))
	resp, err := post(t, never(t), r)
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

// explosive is a body of a middleware that has a bug.
type explosive struct{ io.Reader }

func (explosive) Read([]byte) (int, error) { panic("boom") }

func TestABodyThatPanicsEndsNoProcess(t *testing.T) {
	t.Parallel()
	r := callback(t, completed)
	r.Body = io.NopCloser(explosive{})
	resp, err := post(t, never(t), r)
	require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
	require.ErrorContains(t, err, "boom")
}

func TestAFailedDeliveryIs503(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	for _, c := range []struct {
		name    string
		deliver func(context.Context, webhook.Event) error
		check   func(*testing.T, error)
	}{
		{"an error", func(context.Context, webhook.Event) error { return full }, func(t *testing.T, err error) {
			t.Helper()
			require.ErrorIs(t, err, full)
		}},
		{"a panic", func(context.Context, webhook.Event) error { panic("boom") }, func(t *testing.T, err error) {
			t.Helper()
			p, ok := errors.AsType[*webhook.PanicError](err)
			require.True(t, ok)
			require.Equal(t, "boom", p.Value)
			require.Contains(t, string(p.Stack), "handler_test.go")
			require.Contains(t, err.Error(), "deliver panicked: boom")
		}},
		{"a panic with an error", func(context.Context, webhook.Event) error { panic(full) }, func(t *testing.T, err error) {
			t.Helper()
			require.ErrorIs(t, err, full)
		}},
		{"the panic that net/http lets pass", func(context.Context, webhook.Event) error { panic(http.ErrAbortHandler) }, func(t *testing.T, err error) {
			t.Helper()
			require.ErrorIs(t, err, http.ErrAbortHandler)
		}},
		{"the end of its goroutine", func(context.Context, webhook.Event) error { runtime.Goexit(); return nil }, func(t *testing.T, err error) {
			t.Helper()
			p, ok := errors.AsType[*webhook.PanicError](err)
			require.True(t, ok)
			require.Nil(t, p.Value)
			require.Contains(t, err.Error(), "without returning")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			resp, err := post(t, c.deliver, callback(t, completed))
			require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
			require.Equal(t, "60", resp.Header.Get("Retry-After"))
			c.check(t, err)
		})
	}
}

func TestAFailedDeliveryComesAgain(t *testing.T) {
	t.Parallel()
	tries := 0
	h, err := webhook.NewHandler(func(context.Context, webhook.Event) error {
		tries++
		if tries < 3 {
			panic("not yet")
		}
		return nil
	}, []string{secret}, webhook.MaxInFlight(1)) // a place that a panic kept would be missed
	require.NoError(t, err)
	var codes []int
	for range 3 {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, callback(t, completed))
		codes = append(codes, w.Code)
	}
	require.Equal(t, []int{503, 503, 200}, codes)
}

func TestAPanicOfOnRejectCostsNobodyAnAnswer(t *testing.T) {
	t.Parallel()
	h, err := webhook.NewHandler(accept, []string{secret}, webhook.OnReject(func(*http.Request, error) { panic("boom") }))
	require.NoError(t, err)
	r := callback(t, completed)
	r.Header.Del(webhook.SignatureHeader)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	require.Equal(t, http.StatusUnauthorized, w.Code)
}

func TestTheTargetIsWhatTheSenderAskedFor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change func(*http.Request)
		want   string
	}{
		{"behind a router that cuts the path", func(r *http.Request) { r.URL.Path = "/" }, "/hook?token=t1"},
		{"made by hand", func(r *http.Request) { r.RequestURI = "" }, "/hook?token=t1"},
		{"in the form that proxies use", func(r *http.Request) { r.RequestURI = "http://example.com/hook?token=t1" }, "/hook?token=t1"},
		{"as escaped as it came", func(r *http.Request) { r.RequestURI = "/a%2Fb?x=%20" }, "/a%2Fb?x=%20"},
		{"not there", func(r *http.Request) { r.URL, r.RequestURI = nil, "" }, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := callback(t, completed)
			c.change(r)
			resp, _ := post(t, func(_ context.Context, e webhook.Event) error {
				assert.Equal(t, c.want, e.Target)
				return nil
			}, r)
			require.Equal(t, http.StatusOK, resp.StatusCode)
		})
	}
}

func TestNewHandlerRefusesNonsense(t *testing.T) {
	t.Parallel()
	secrets := []string{secret}
	for name, try := range map[string]func() (*webhook.Handler, error){
		"no function":       func() (*webhook.Handler, error) { return webhook.NewHandler(nil, secrets) },
		"a nil option":      func() (*webhook.Handler, error) { return webhook.NewHandler(accept, secrets, nil) },
		"no place":          func() (*webhook.Handler, error) { return webhook.NewHandler(accept, secrets, webhook.MaxInFlight(0)) },
		"less than none":    func() (*webhook.Handler, error) { return webhook.NewHandler(accept, secrets, webhook.MaxInFlight(-1)) },
		"no one to tell":    func() (*webhook.Handler, error) { return webhook.NewHandler(accept, secrets, webhook.OnReject(nil)) },
		"only blank secret": func() (*webhook.Handler, error) { return webhook.NewHandler(accept, []string{"  "}) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, err := try()
			require.ErrorContains(t, err, "webhook: ")
			require.Nil(t, h)
		})
	}
}

func TestANilOrZeroHandlerIs404(t *testing.T) {
	t.Parallel()
	for _, h := range []*webhook.Handler{nil, {}} {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, callback(t, completed))
		require.Equal(t, http.StatusNotFound, w.Code)
	}
}

func TestAHandlerWithoutOnRejectAnswersAllTheSame(t *testing.T) {
	t.Parallel()
	h, err := webhook.NewHandler(accept, []string{secret})
	require.NoError(t, err)
	r := callback(t, completed)
	r.Header.Del(webhook.SignatureHeader)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	require.Equal(t, http.StatusUnauthorized, w.Code)
}
