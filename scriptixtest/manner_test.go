package scriptixtest_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

// askAbout sends a GET about a job that there is not.
func askAbout(t *testing.T, s *scriptixtest.Server) (*http.Response, []byte, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+"/api/v3/stt/none/status", nil)
	require.NoError(t, err)
	r.Header.Set("Authorization", "Bearer "+s.APIKey())
	r.Header.Set("Accept-Encoding", "identity")
	resp, err := s.HTTPClient().Do(r)
	if err != nil {
		return nil, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp, body, err
}

func TestTheMannersOfServersAndProxies(t *testing.T) {
	t.Parallel()
	const body = `{"id":"none","status":"queued"}`
	t.Run("a coding that was not asked for", func(t *testing.T) {
		t.Parallel()
		s := scriptixtest.New(t)
		s.Fault(scriptixtest.Fault{Status: 200, Body: body, Coding: "gzip"})
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+"/api/v3/stt/none/status", nil)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+s.APIKey())
		r.Header.Set("Accept-Encoding", "identity")
		resp, err := s.HTTPClient().Do(r)
		require.NoError(t, err)
		defer resp.Body.Close()
		assert.Equal(t, "gzip", resp.Header.Get("Content-Encoding"))
		plain, err := gzip.NewReader(resp.Body)
		require.NoError(t, err)
		got, err := io.ReadAll(plain)
		require.NoError(t, err)
		assert.JSONEq(t, body, string(got))
	})
	t.Run("an answer without its end", func(t *testing.T) {
		t.Parallel()
		s := scriptixtest.New(t)
		s.Fault(scriptixtest.Fault{Status: 200, Body: body, Cut: scriptixtest.AfterAnswer})
		_, got, err := askAbout(t, s)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		assert.JSONEq(t, body, string(got))
	})
	t.Run("a kept connection alone", func(t *testing.T) {
		t.Parallel()
		s := scriptixtest.New(t)
		s.Fault(scriptixtest.Fault{Kept: true, Status: 418, Times: -1})
		for _, want := range []int{404, 418, 418} {
			resp, _, err := askAbout(t, s)
			require.NoError(t, err)
			assert.Equal(t, want, resp.StatusCode)
		}
	})
	t.Run("slow bytes and interim answers", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			s := scriptixtest.New(t, scriptixtest.InMemory())
			s.Fault(scriptixtest.Fault{Status: 200, Body: body, Trickle: time.Second})
			s.Fault(scriptixtest.Fault{Status: 200, Body: body, Delay: time.Minute, Interim: 10 * time.Second})
			start := time.Now()
			_, got, err := askAbout(t, s)
			require.NoError(t, err)
			assert.JSONEq(t, body, string(got))
			assert.Equal(t, time.Duration(len(body))*time.Second, time.Since(start))
			start = time.Now()
			_, _, err = askAbout(t, s)
			require.NoError(t, err)
			assert.Equal(t, time.Minute, time.Since(start))
		})
	})
}
