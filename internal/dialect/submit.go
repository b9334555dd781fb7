package dialect

import (
	"encoding/json"
	"net/url"
	"strings"
)

// Callback is where an unsigned callback goes, and the secret that travels with
// it so that a forged one can be told.
type Callback struct {
	URL    string // "": none is wanted
	Secret string // "": none travels
}

// target is the callback's URL, with the secret as the last element of its
// path: metadata, and with them the header, may be dropped on the way.
func (c Callback) target() string {
	u, err := url.Parse(c.URL)
	if err != nil || c.Secret == "" {
		return c.URL
	}
	return u.JoinPath(url.PathEscape(c.Secret)).String()
}

type wishes struct {
	URL     string   `json:"webhook_url,omitempty"`
	Method  string   `json:"webhook_method,omitempty"`
	Headers []string `json:"webhook_headers,omitempty"`
}

func (c Callback) wishes() wishes {
	if c.URL == "" {
		return wishes{}
	}
	w := wishes{URL: c.target(), Method: "POST"}
	if c.Secret != "" {
		w.Headers = []string{"Authorization: Bearer " + c.Secret}
	}
	return w
}

// Metadata adds to the fields of an upload what they say of its callback: in
// webhook_url for the service that reads no more, and whole in document.
func Metadata(fields url.Values, c Callback) {
	if c.URL == "" {
		return
	}
	document, _ := json.Marshal(c.wishes()) // texts cannot fail
	fields.Set("webhook_url", c.target())
	fields.Set("document", string(document))
}

// Submission is the JSON that has the service fetch the media at a URL.
func Submission(mediaURL, filename string, fields url.Values, c Callback) []byte {
	body := map[string]any{"media_source": mediaURL}
	document := map[string]any{}
	if filename != "" {
		document["filename"] = filename
	}
	for name, values := range fields {
		text := strings.Join(values, ",")
		value := any(text)
		if text == "true" || text == "false" {
			value = text == "true"
		}
		if name == "document_type" {
			document[name] = value
			continue
		}
		body[name] = value
	}
	body["document"] = document
	if w := c.wishes(); w.URL != "" {
		body["webhook_url"], body["webhook_method"] = w.URL, w.Method
		if w.Headers != nil {
			body["webhook_headers"] = w.Headers
		}
	}
	data, _ := json.Marshal(body) // texts, booleans and lists of texts cannot fail
	return data
}
