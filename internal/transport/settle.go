package transport

import (
	"errors"
	"net/http"
	"net/url"
)

// Settle makes an answer one that http.Client hands on as it came: a body that
// can be read to its end, and no Location that it would fail on.
func Settle(resp *http.Response) error {
	if resp == nil {
		return errors.New("the RoundTripper returned neither an answer nor an error")
	}
	switch {
	case resp.Body == nil:
		resp.Body = http.NoBody
	case resp.StatusCode == http.StatusSwitchingProtocols:
		// This body is the connection, which ends with no context.
		_ = resp.Body.Close()
		resp.Body = http.NoBody
	}
	if location := resp.Header.Get("Location"); location != "" {
		if _, err := url.Parse(location); err != nil {
			resp.Header.Del("Location")
		}
	}
	return nil
}

// Settled settles every answer of a transport. It is for an http.Client of our
// own, whose error would quote a Location that it cannot parse, with the
// signature that it may hold.
func Settled(rt http.RoundTripper) http.RoundTripper { return settled{rt} }

type settled struct{ inner http.RoundTripper }

func (s settled) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := s.inner.RoundTrip(req)
	if err == nil {
		err = Settle(resp)
	}
	return resp, err
}
