package scriptixtest

import (
	"bytes"
	"encoding/json"
	"math"
	"net/http"
	"strings"
	"time"
)

// answer is what a request is answered with.
type answer struct {
	status int
	header http.Header // may be nil
	body   []byte
	gone   bool // nothing can be answered: the client went away, or the connection is cut
}

// problem is the body of an error.
type problem struct {
	Error      string            `json:"error"`
	Message    string            `json:"message"`
	Code       string            `json:"error_code,omitempty"`
	Details    map[string]string `json:"details,omitempty"`
	RetryAfter int               `json:"retry_after,omitempty"`
}

// messages are the texts of errors that a [Fault] asks for without giving a body.
var messages = map[int]problem{
	http.StatusBadRequest:          {Error: "Bad Request", Message: "The request could not be read."},
	http.StatusUnauthorized:        {Error: "Unauthorized", Message: "The API key is invalid.", Code: "INVALID_API_KEY"},
	http.StatusPaymentRequired:     {Error: "Payment Required", Message: "Your quota is used up. Upgrade the plan."},
	http.StatusForbidden:           {Error: "Forbidden", Message: "The API key lacks the permission."},
	http.StatusNotFound:            {Error: "Not Found", Message: "There is no such transcription."},
	http.StatusConflict:            {Error: "Conflict", Message: "The transcription is not completed yet."},
	http.StatusGone:                {Error: "Gone", Message: "The upload does not exist any more."},
	http.StatusUnprocessableEntity: {Error: "Validation Error", Message: "The request is invalid."},
	http.StatusTooManyRequests: {Error: "Rate Limit Exceeded", Message: "Too many requests. Please wait before you try again.",
		Code: "RATE_LIMIT_EXCEEDED"},
	http.StatusInternalServerError: {Error: "Internal Server Error", Message: "Something went wrong."},
	http.StatusServiceUnavailable:  {Error: "Service Unavailable", Message: "The service is overloaded or under maintenance."},
}

// refuse makes the answer of an error.
func refuse(status int, p problem) answer {
	if p.Error == "" {
		p.Error = http.StatusText(status)
	}
	return answer{status: status, body: compact(p)}
}

// invalid is the answer to a form whose field is wrong.
func invalid(field, issue string) answer {
	return refuse(http.StatusUnprocessableEntity, problem{
		Error: "Validation Error", Message: "The request is invalid: " + field + ": " + issue, Details: map[string]string{field: issue},
	})
}

// documented is the body of an error of this status as the service, or the gateway in front of it, sends it.
func documented(status int) string {
	if p, ok := messages[status]; ok {
		return string(compact(p))
	}
	text := http.StatusText(status)
	if text == "" {
		text = "Unknown Error"
	}
	if status >= 500 {
		return "<html><head><title>" + text + "</title></head><body><center><h1>" + text + "</h1></center></body></html>\n"
	}
	return string(compact(problem{Error: text, Message: text + "."}))
}

// compact is JSON without spaces and without the escapes that only Go makes: a receiver that parses it and writes it again
// with JSON.stringify gets the same bytes.
func compact(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // our own types always encode
	out := bytes.TrimSuffix(b.Bytes(), []byte("\n"))
	if !bytes.Contains(out, []byte(`\u202`)) && !bytes.Contains(out, []byte(`\ufffd`)) {
		return out
	}
	plain := make([]byte, 0, len(out))
	for i := 0; i < len(out); i++ {
		if out[i] != '\\' {
			plain = append(plain, out[i])
			continue
		}
		rest := string(out[i:min(i+6, len(out))])
		switch rest {
		case `\u2028`, `\u2029`:
			plain = append(plain, "\u2028\u2029"[3*int(rest[5]-'8'):][:3]...)
			i += 5
		case `\ufffd`:
			plain = append(plain, "\ufffd"...)
			i += 5
		default:
			plain = append(plain, out[i], out[i+1]) // an escape is two bytes at least
			i++
		}
	}
	return plain
}

// inSeconds is a time as the service writes it, exact to the millisecond.
func inSeconds(d time.Duration) float64 { return math.Round(d.Seconds()*1000) / 1000 }

// timestamp is a moment as the service writes it.
func timestamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// contentType guesses what a body is.
func contentType(body []byte) string {
	switch t := strings.TrimSpace(string(body[:min(len(body), 16)])); {
	case t == "":
		return ""
	case t[0] == '{' || t[0] == '[':
		return "application/json"
	case t[0] == '<':
		return "text/html; charset=utf-8"
	}
	return "text/plain; charset=utf-8"
}
