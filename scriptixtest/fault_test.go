package scriptixtest_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

func TestEachFaultDoesToASubmitWhatItSays(t *testing.T) {
	t.Parallel()
	const whole = 64 << 10
	tests := map[string]struct {
		fault  scriptixtest.Fault
		status int // 0: no answer
		jobs   int
		body   string // in it
		read   func(n int64) bool
		fails  string // reading the answer does
	}{
		"cut before the body":           {fault: scriptixtest.Fault{Cut: scriptixtest.BeforeBody}, read: func(n int64) bool { return n == 0 }},
		"cut within the body":           {fault: scriptixtest.Fault{Cut: scriptixtest.WithinBody}, read: func(n int64) bool { return n > whole/2 && n < whole }},
		"cut after the body":            {fault: scriptixtest.Fault{Cut: scriptixtest.AfterBody}, jobs: 1},
		"cut within the answer":         {fault: scriptixtest.Fault{Cut: scriptixtest.WithinAnswer}, jobs: 1, status: 201, fails: "unexpected EOF"},
		"408":                           {fault: scriptixtest.Fault{Status: 408}, status: 408, body: `"error":"Request Timeout"`},
		"429":                           {fault: scriptixtest.Fault{Status: 429, RetryAfter: "7"}, status: 429, body: `RATE_LIMIT_EXCEEDED`},
		"500":                           {fault: scriptixtest.Fault{Status: 500}, status: 500, body: `"error":"Internal Server Error"`},
		"502":                           {fault: scriptixtest.Fault{Status: 502}, status: 502, body: `<html>`},
		"503":                           {fault: scriptixtest.Fault{Status: 503}, status: 503, body: `"error":"Service Unavailable"`},
		"503 as HTML":                   {fault: scriptixtest.Fault{Status: 503, Body: "<p>down</p>"}, status: 503, body: `<p>down</p>`},
		"503 with nothing":              {fault: scriptixtest.Fault{Status: 503, NoBody: true}, status: 503},
		"504 although there is a job":   {fault: scriptixtest.Fault{Status: 504, Accept: true}, status: 504, jobs: 1, body: `<html>`},
		"520":                           {fault: scriptixtest.Fault{Status: 520}, status: 520, body: `<html>`},
		"418":                           {fault: scriptixtest.Fault{Status: 418}, status: 418, body: `teapot`},
		"201 that is empty":             {fault: scriptixtest.Fault{Status: 201}, status: 201, jobs: 1},
		"201 that is {}":                {fault: scriptixtest.Fault{Status: 201, Body: "{}"}, status: 201, jobs: 1, body: "{}"},
		"201 that is HTML":              {fault: scriptixtest.Fault{Status: 201, Body: "<html>"}, status: 201, jobs: 1, body: "<html>"},
		"another body":                  {fault: scriptixtest.Fault{Body: "[]"}, status: 201, jobs: 1, body: "[]"},
		"302":                           {fault: scriptixtest.Fault{Status: 302, Header: http.Header{"location": {"/x"}}}, status: 302},
		"slow headers":                  {fault: scriptixtest.Fault{Delay: time.Hour}, status: 201, jobs: 1, body: `"id"`},
		"a stalled answer":              {fault: scriptixtest.Fault{Stall: time.Hour}, status: 201, jobs: 1, body: `"id"`},
		"a stalled and cut answer":      {fault: scriptixtest.Fault{Stall: time.Hour, Cut: scriptixtest.WithinAnswer}, status: 201, jobs: 1, fails: "unexpected EOF"},
		"a stalled body":                {fault: scriptixtest.Fault{BodyStall: time.Hour}, status: 201, jobs: 1, body: `"id"`},
		"an empty answer that is cut":   {fault: scriptixtest.Fault{NoBody: true, Cut: scriptixtest.WithinAnswer}, jobs: 1},
		"slow, then cut before a byte":  {fault: scriptixtest.Fault{Delay: time.Hour, Cut: scriptixtest.BeforeBody}},
		"slow, then cut after the body": {fault: scriptixtest.Fault{Delay: time.Hour, Cut: scriptixtest.AfterBody}, jobs: 1},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := scriptixtest.New(t, scriptixtest.InMemory())
				s.HTTPClient().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
				tt.fault.On = scriptixtest.Submit
				s.Fault(tt.fault)
				began := time.Now()
				r := submission(t, s, make([]byte, whole), "language", "en")
				r.GetBody = nil
				res, body, err := try(s, r)
				switch {
				case tt.fails != "":
					require.ErrorContains(t, err, tt.fails)
					assert.NotEmpty(t, body)
				case tt.status == 0:
					require.Error(t, err)
				default:
					require.NoError(t, err)
					assert.Equal(t, tt.status, res.StatusCode)
					assert.Contains(t, string(body), tt.body)
					assert.Equal(t, tt.body == "", len(body) == 0)
					assert.Equal(t, tt.fault.RetryAfter, res.Header.Get("Retry-After"))
					if tt.fault.Header != nil {
						assert.Equal(t, "/x", res.Header.Get("Location"))
					}
				}
				assert.Equal(t, tt.fault.Delay+tt.fault.Stall+tt.fault.BodyStall, time.Since(began))
				assert.Len(t, s.Jobs(), tt.jobs)
				seen := s.Requests()
				require.Len(t, seen, 1)
				assert.Equal(t, tt.status, seen[0].Status)
				if tt.read != nil {
					assert.True(t, tt.read(seen[0].Bytes), "%d bytes were read", seen[0].Bytes)
				} else if tt.fault.Cut != scriptixtest.BeforeBody {
					assert.Greater(t, seen[0].Bytes, int64(whole))
				}
				submit(t, s, wav(time.Second)) // the fault is over
			})
		})
	}
}

func TestACutSubmitOfUnknownLengthCreatesNoJob(t *testing.T) {
	t.Parallel()
	s := scriptixtest.New(t, scriptixtest.InMemory())
	for _, size := range []int{1, 100_000} {
		s.Fault(scriptixtest.Fault{Cut: scriptixtest.WithinBody})
		r := submission(t, s, make([]byte, size), "language", "en")
		r.ContentLength, r.GetBody = -1, nil
		_, _, err := try(s, r)
		require.Error(t, err)
	}
	assert.Empty(t, s.Jobs())
}

func TestFaultsStrikeTheRequestsTheyAreMeantFor(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scriptixtest.New(t, scriptixtest.InMemory())
		one, two := submit(t, s, wav(time.Second)), submit(t, s, wav(time.Second))
		time.Sleep(time.Minute)
		statuses := func(n int, id string) (got []int) {
			for range n {
				status, _ := get(t, s, "/api/v3/stt/"+id+"/status")
				got = append(got, status)
			}
			return got
		}
		s.Fault(scriptixtest.Fault{On: scriptixtest.Status, Skip: 1, Times: 2, Status: 500})
		s.Fault(scriptixtest.Fault{On: scriptixtest.Result, Status: 503})
		s.Fault(scriptixtest.Fault{On: scriptixtest.Status, Status: 409})
		assert.Equal(t, []int{409, 500, 500, 200}, statuses(4, one), "what is skipped is left to the next fault")
		status, _ := get(t, s, "/api/v3/stt/"+one+"/result")
		assert.Equal(t, 503, status)

		s.Fault(scriptixtest.Fault{JobID: two, Times: -1, Status: 404})
		assert.Equal(t, []int{200, 200}, statuses(2, one))
		assert.Equal(t, []int{404, 404, 404}, statuses(3, two))
		s.ClearFaults()
		assert.Equal(t, []int{200}, statuses(1, two))
	})
}

func TestAnEarlyAnswerDoesNotReadTheBody(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string][]scriptixtest.Option{"on loopback": nil, "in memory": {scriptixtest.InMemory()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := scriptixtest.New(t, opts...)
			s.Fault(scriptixtest.Fault{IgnoreBody: true, RetryAfter: "1"})
			r := submission(t, s, make([]byte, 1), "language", "en")
			body := &slowBody{left: 1 << 30}
			r.Body, r.ContentLength, r.GetBody = body, 1<<30, nil
			res, err := s.HTTPClient().Do(r)
			if err == nil { // the client may find the connection closed while it still writes
				assert.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
				require.NoError(t, res.Body.Close())
			} else {
				assert.True(t, errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) || strings.Contains(err.Error(), "broken"), "%v", err)
			}
			assert.Equal(t, http.StatusServiceUnavailable, s.Requests()[0].Status)
			assert.Zero(t, s.Requests()[0].Bytes)
			assert.Less(t, body.read.Load(), int64(64<<20))
			assert.Empty(t, s.Jobs())
		})
	}
}

type slowBody struct {
	left int64
	read atomic.Int64
}

func (b *slowBody) Read(p []byte) (int, error) { b.read.Add(int64(len(p))); return len(p), nil }
func (b *slowBody) Close() error               { return nil }

func TestAClientThatGoesAwayWithinTheBodyCreatesNoJob(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scriptixtest.New(t, scriptixtest.InMemory())
		ctx, cancel := context.WithCancel(t.Context())
		body, contentType := form(t, make([]byte, 100_000), "language", "en")
		reader, writer := io.Pipe()
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL()+"/api/v3/stt", reader)
		require.NoError(t, err)
		r.ContentLength = int64(len(body))
		r.Header.Set("Authorization", "Bearer "+s.APIKey())
		r.Header.Set("Content-Type", contentType)
		go func() {
			_, _ = writer.Write(body[:len(body)-1])
			cancel()
			_ = writer.CloseWithError(context.Canceled) // the transport waits for a read that hangs
		}()
		_, _, err = try(s, r)
		require.ErrorIs(t, err, context.Canceled)
		synctest.Wait()
		assert.Empty(t, s.Jobs())
		assert.Zero(t, s.Requests()[0].Status)
	})
}

func TestAClientThatWaitsForASlowAnswerAndGoesAwayLeavesItsJob(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := scriptixtest.New(t, scriptixtest.InMemory())
		s.Fault(scriptixtest.Fault{On: scriptixtest.Submit, Delay: time.Hour})
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, _, err := try(s, submission(t, s, wav(time.Second), "language", "en").WithContext(ctx))
		require.ErrorIs(t, err, context.DeadlineExceeded)
		synctest.Wait()
		assert.Len(t, s.Jobs(), 1)
		assert.Equal(t, time.Minute, s.Requests()[0].Took)
	})
}

func TestFaultsWorkOverHTTP2(t *testing.T) {
	t.Parallel()
	s := scriptixtest.New(t, scriptixtest.WithTLS())
	for _, cut := range []scriptixtest.Cut{scriptixtest.BeforeBody, scriptixtest.WithinBody, scriptixtest.AfterBody, scriptixtest.WithinAnswer} {
		s.Fault(scriptixtest.Fault{Cut: cut})
		r := submission(t, s, make([]byte, 100_000), "language", "en")
		r.GetBody = nil
		_, _, err := try(s, r)
		require.Error(t, err)
		assert.Equal(t, "HTTP/2.0", s.Requests()[0].Proto)
	}
	assert.Len(t, s.Jobs(), 2)
}

func TestAFaultWithAShareStrikesThatShareOfTheRequestsEvenly(t *testing.T) {
	t.Parallel()
	s := scriptixtest.New(t)
	s.Fault(scriptixtest.Fault{Status: http.StatusBadGateway, Times: -1, Share: 0.1})
	var struck []int
	for i := range 40 {
		if res, _, err := try(s, submission(t, s, wav(time.Millisecond), "language", "en")); assert.NoError(t, err) && res.StatusCode == http.StatusBadGateway {
			struck = append(struck, i)
		}
	}
	assert.Equal(t, []int{9, 19, 29, 39}, struck)
}
