package webhook_test

import (
	"bytes"
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
	"testing/synctest"
	"time"

	"github.com/scriptix-io/scriptix-go/webhook"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const completed = `{"event": "transcription.completed", "timestamp": "2025-01-17T10:30:00Z", "data": {"id": "stt_abc123", "status": "completed"}}`

func accept(context.Context, webhook.Event) error { return nil }

// mute says nothing about whether it can do deadlines, like the recorder, and passes nothing through.
type mute struct{ http.ResponseWriter }

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

func TestDeliverHasTenSecondsWhetherTheSenderStaysOrNot(t *testing.T) {
	t.Parallel()
	type valueKey struct{}
	synctest.Test(t, func(t *testing.T) {
		ctx, hangUp := context.WithCancel(context.WithValue(t.Context(), valueKey{}, "trace"))
		stored := false
		resp, _ := post(t, func(ctx context.Context, _ webhook.Event) error {
			deadline, ok := ctx.Deadline()
			assert.True(t, ok)
			assert.Equal(t, 10*time.Second, time.Until(deadline))
			assert.Equal(t, "trace", ctx.Value(valueKey{}))
			hangUp()
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(9 * time.Second):
				stored = true
				return nil
			}
		}, callback(t, completed).WithContext(ctx))
		require.Equal(t, http.StatusOK, resp.StatusCode)
		require.True(t, stored)
	})
}

func TestADeliverThatHeedsItsDeadlineIs503(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		resp, err := post(t, func(ctx context.Context, _ webhook.Event) error {
			<-ctx.Done()
			return ctx.Err()
		}, callback(t, completed))
		require.Equal(t, http.StatusServiceUnavailable, resp.StatusCode)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Equal(t, 10*time.Second, time.Since(start))
	})
}

func TestADeliverThatHangsKeepsItsPlaceButNotTheSender(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]struct {
		how      func()
		reported int
	}{
		"and returns at last":    {func() {}, 0},
		"and panics at last":     {func() { panic("late") }, 1},
		"and ends its goroutine": {runtime.Goexit, 1},
		"and fails by a slip":    {func() { _ = []int{}[len("late")] }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var rejected rejections
				h, err := webhook.NewHandler(func(_ context.Context, e webhook.Event) error {
					if e.Type == "hang" {
						time.Sleep(time.Minute)
						end.how()
					}
					return nil
				}, []string{secret}, webhook.MaxInFlight(1), webhook.OnReject(rejected.add))
				require.NoError(t, err)
				status := func(payload string) int {
					w := httptest.NewRecorder()
					h.ServeHTTP(w, callback(t, payload))
					return w.Code
				}

				start := time.Now()
				require.Equal(t, http.StatusServiceUnavailable, status(`{"event":"hang"}`))
				require.Equal(t, 10*time.Second, time.Since(start))
				require.ErrorIs(t, rejected.all()[0], context.DeadlineExceeded)

				require.Equal(t, http.StatusServiceUnavailable, status(`{"event":"ping"}`))
				require.ErrorIs(t, rejected.all()[1], webhook.ErrBusy)
				require.Equal(t, 10*time.Second, time.Since(start), "answered at once")

				time.Sleep(time.Minute)
				synctest.Wait()
				require.Equal(t, http.StatusOK, status(`{"event":"ping"}`))
				late := rejected.all()[2:]
				require.Len(t, late, end.reported)
				for _, err := range late {
					_, ok := errors.AsType[*webhook.PanicError](err)
					require.True(t, ok)
				}
			})
		})
	}
}

func TestTooManyInFlightAre503(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		limit int
		opts  []webhook.HandlerOption
	}{
		"unless told otherwise": {64, nil},
		"as told":               {3, []webhook.HandlerOption{webhook.MaxInFlight(3)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				h, err := webhook.NewHandler(func(context.Context, webhook.Event) error { <-release; return nil }, []string{secret}, c.opts...)
				require.NoError(t, err)
				statuses := make(chan int, 100)
				send := func(r *http.Request) {
					w := httptest.NewRecorder()
					h.ServeHTTP(w, r)
					statuses <- w.Code
				}
				for range c.limit {
					go send(callback(t, completed))
				}
				synctest.Wait()
				send(callback(t, completed))
				require.Equal(t, http.StatusServiceUnavailable, <-statuses)

				// Nobody without the secret takes a place, nor is he told that there is none.
				forged := callback(t, completed)
				forged.Header.Set(webhook.SignatureHeader, webhook.Sign("another", []byte(completed)))
				send(forged)
				require.Equal(t, http.StatusUnauthorized, <-statuses)

				close(release)
				for range c.limit {
					require.Equal(t, http.StatusOK, <-statuses)
				}
			})
		})
	}
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

func TestASlowBodyIs408WhereNoDeadlineIsSupported(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		body, sender := io.Pipe()
		r := callback(t, completed)
		r.Body, r.ContentLength = body, -1
		go func() { _, _ = io.WriteString(sender, completed[:20]) }()

		start := time.Now()
		resp, err := post(t, never(t), r)
		require.Equal(t, http.StatusRequestTimeout, resp.StatusCode)
		require.Equal(t, 5*time.Second, time.Since(start))
		require.ErrorContains(t, err, "not read within 5s")

		// The body was closed, so that neither side is left behind; the bubble's end would tell.
		synctest.Wait()
		_, werr := sender.Write([]byte("x"))
		require.ErrorIs(t, werr, io.ErrClosedPipe)
	})
}

func TestTheReadDeadlineEndsWithTheBody(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		signature string
		want      []time.Duration
	}{
		"read whole":                  {webhook.Sign(secret, []byte(completed)), []time.Duration{5 * time.Second, 0}},
		"left for the server to read": {"", []time.Duration{5 * time.Second}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h, err := webhook.NewHandler(accept, []string{secret})
				require.NoError(t, err)
				r := callback(t, completed)
				r.Header.Set(webhook.SignatureHeader, c.signature)
				w := &deadlines{ResponseWriter: httptest.NewRecorder()}
				h.ServeHTTP(w, r)
				require.Equal(t, c.want, w.set)
			})
		})
	}
}

// deadlines notes the read deadlines it is given: how far off, or zero for none.
type deadlines struct {
	http.ResponseWriter
	set []time.Duration
}

func (d *deadlines) SetReadDeadline(at time.Time) error {
	if at.IsZero() {
		d.set = append(d.set, 0)
	} else {
		d.set = append(d.set, time.Until(at))
	}
	return nil
}

// The rest is about the connection, so it goes through net/http's server, over a pipe.

func TestOverAConnection(t *testing.T) {
	t.Parallel()
	head := func(signature string, length int) string {
		return fmt.Sprintf("POST /hook HTTP/1.1\r\nHost: x\r\n%s: %s\r\nContent-Length: %d\r\n\r\n", webhook.SignatureHeader, signature, length)
	}
	signed := webhook.Sign(secret, []byte(completed))
	whole := head(signed, len(completed)) + completed

	for _, c := range []struct {
		name  string
		wrap  bool // the ResponseWriter hides that deadlines are supported
		send  []string
		waits time.Duration // before each further part
		want  []int
		after time.Duration // from the first part to the last answer
	}{
		{"two callbacks on one connection, an hour apart", false, []string{whole, whole}, time.Hour, []int{200, 200}, time.Hour},
		{"a body in two parts, in time", false, []string{head(signed, len(completed)) + completed[:9], completed[9:]}, 4 * time.Second, []int{200}, 4 * time.Second},
		{"a body that stalls", false, []string{head(signed, len(completed)) + completed[:9]}, 0, []int{408}, 5 * time.Second},
		{"a body that stalls, no deadline supported", true, []string{head(signed, len(completed)) + completed[:9]}, 0, []int{408}, 5 * time.Second},
		{"a body that never begins, unsigned", false, []string{head("", 100)}, 0, []int{401}, 5 * time.Second},
		{"a body that takes more than one read", true, []string{head(signed, len(completed)) + completed[:9], completed[9:]}, time.Second, []int{200}, time.Second},
		{"refused, then right", false, []string{head("sha256=test123", 4) + "body", whole}, time.Minute, []int{401, 200}, time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				h, err := webhook.NewHandler(accept, []string{secret})
				require.NoError(t, err)
				conn := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if c.wrap {
						w = mute{w}
					}
					h.ServeHTTP(w, r)
				}))
				start := time.Now()
				go func() {
					for i, part := range c.send {
						if i > 0 {
							time.Sleep(c.waits)
						}
						_, _ = io.WriteString(conn, part)
					}
				}()
				require.Equal(t, c.want, conn.statuses(t, len(c.want)))
				require.Equal(t, c.after, time.Since(start))
			})
		})
	}
}

// The read deadline must not outlive the body: net/http would take it for the sender's end.
func TestADeliverMayTakeLongerThanTheReadDeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h, err := webhook.NewHandler(accept, []string{secret})
		require.NoError(t, err)
		slow, err := webhook.NewHandler(func(context.Context, webhook.Event) error {
			time.Sleep(9 * time.Second)
			return nil
		}, []string{secret})
		require.NoError(t, err)
		requests := 0
		conn := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if requests++; requests == 1 {
				slow.ServeHTTP(w, r)
				assert.NoError(t, r.Context().Err(), "the connection is whole")
				return
			}
			h.ServeHTTP(w, r)
		}))
		var out bytes.Buffer
		r := callback(t, completed)
		require.NoError(t, r.Write(&out))
		go func() { _, _ = conn.Write(bytes.Repeat(out.Bytes(), 2)) }()
		require.Equal(t, []int{200, 200}, conn.statuses(t, 2))
	})
}
