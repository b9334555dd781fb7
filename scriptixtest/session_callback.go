package scriptixtest

import (
	"net/http"
	"net/url"
	"path"
	"strings"
)

// hintHeader is the header of an unsigned callback: the caller's own first, which cannot replace the service's.
func (j *record) hintHeader() http.Header {
	h := make(http.Header)
	if !j.outcome.Callback.DropHeaders {
		for _, header := range j.call.Headers {
			name, value, _ := strings.Cut(header, ": ")
			h.Add(name, value)
		}
	}
	if j.outcome.Callback.Forged && h.Get("Authorization") != "" {
		h.Set("Authorization", "Bearer forged")
	}
	h.Set("Content-Type", "application/json")
	h.Set("User-Agent", "Scriptix-Webhook/1.0 (scriptixtest)")
	h.Set("X-Scriptix-Session", j.job.ID)
	h.Set("X-Zoom-Session", j.job.ID)
	return h
}

// hintURL is where an unsigned callback goes. A forged one knows neither the header's secret nor the path's.
func (j *record) hintURL() string {
	raw := j.callbackURL()
	if !j.outcome.Callback.Forged {
		return raw
	}
	u, err := url.Parse(raw)
	if err != nil || len(u.Path) < 2 {
		return raw
	}
	u.Path, u.RawPath = path.Join(path.Dir(u.Path), "forged"), ""
	return u.String()
}

// hintBody is the body of an unsigned callback.
func (j *record) hintBody() []byte {
	if body := j.outcome.Callback.Body; body != "" {
		return []byte(body)
	}
	return compact(map[string]string{"sessionId": j.job.ID, "zoom_id": j.job.ID})
}
