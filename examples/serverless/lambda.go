package main

import (
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// request is what a callback needs of the event that a function URL of AWS Lambda is called with, or an HTTP API of API
// Gateway (payload format 2.0).
type request struct {
	RawPath         string            `json:"rawPath"`
	RawQueryString  string            `json:"rawQueryString"`
	Headers         map[string]string `json:"headers"`
	Body            string            `json:"body"`
	IsBase64Encoded bool              `json:"isBase64Encoded"`
	RequestContext  struct {
		HTTP struct {
			Method   string `json:"method"`
			SourceIP string `json:"sourceIp"`
		} `json:"http"`
	} `json:"requestContext"`
}

// response is what such a function returns.
type response struct {
	StatusCode int               `json:"statusCode"`
	Headers    map[string]string `json:"headers,omitempty"`
	Body       string            `json:"body"`
}

// function has the shape that lambda.Start of github.com/aws/aws-lambda-go takes:
//
//	lambda.Start(function(handler))
//
// Give it 20 s: the handler answers within 15.
func function(handler http.Handler) func(context.Context, request) (response, error) {
	return func(ctx context.Context, event request) (response, error) {
		var body io.Reader = strings.NewReader(event.Body)
		size := int64(len(event.Body))
		if event.IsBase64Encoded { // decoded as it is read, because the handler reads no more than it takes
			body, size = base64.NewDecoder(base64.StdEncoding, body), -1
		}
		target, badTarget := url.ParseRequestURI(event.RawPath + "?" + event.RawQueryString)
		r, err := http.NewRequestWithContext(ctx, event.RequestContext.HTTP.Method, "", body)
		if err != nil || badTarget != nil {
			return response{StatusCode: http.StatusBadRequest}, nil //nolint:nilerr // an error would make the platform answer 502
		}
		r.URL, r.ContentLength, r.RemoteAddr = target, size, event.RequestContext.HTTP.SourceIP
		for name, value := range event.Headers {
			r.Header.Set(name, value)
		}
		w := answer{header: make(http.Header), status: http.StatusOK}
		handler.ServeHTTP(&w, r)
		headers := make(map[string]string, len(w.header))
		for name := range w.header {
			headers[name] = w.header.Get(name)
		}
		return response{StatusCode: w.status, Headers: headers, Body: w.body.String()}, nil
	}
}

// answer keeps what a handler answers.
type answer struct {
	header http.Header
	status int
	body   strings.Builder
}

// Header returns what WriteHeader sends.
func (w *answer) Header() http.Header { return w.header }

// WriteHeader keeps the status.
func (w *answer) WriteHeader(status int) { w.status = status }

// Write keeps the body.
func (w *answer) Write(p []byte) (int, error) { return w.body.Write(p) }
