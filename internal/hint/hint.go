// Package hint receives unsigned callbacks, which prove nothing: all that one can
// do is to say that a job is worth a look.
//
// A secret travels with each of them, in a header that the submit asked for or as
// the last element of the path. Without it nothing is read. Whoever learns the
// secret can cost requests, and change nothing.
package hint

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go/internal/lenient"
)

const (
	minSecret   = 16 // bytes: 128 random bits
	maxBody     = 64 << 10
	readTimeout = 10 * time.Second
)

// NewHandler makes the handler that calls hint with the id of each job that an
// authentic hint names; its error is a 503, after which the sender tries again. It
// refuses to be made without a secret, or with one that could be guessed.
func NewHandler(hint func(ctx context.Context, jobID string) error, secrets []string) (http.Handler, error) {
	if len(secrets) == 0 {
		return nil, errors.New("there is no secret")
	}
	h := &handler{hint: hint}
	for i, secret := range secrets {
		if len(secret) < minSecret {
			return nil, fmt.Errorf("secret %d has fewer than %d bytes, and could be guessed", i, minSecret)
		}
		h.secrets = append(h.secrets, sha256.Sum256([]byte(secret)))
	}
	return h, nil
}

type handler struct {
	secrets [][sha256.Size]byte // so that comparing takes the same time whatever comes
	hint    func(ctx context.Context, jobID string) error
}

// ServeHTTP answers one hint.
func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// Before anything is refused, because the server reads what is left of a refused body too.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(readTimeout))
	switch {
	case r.Method != http.MethodPost && r.Method != http.MethodPut:
		w.Header().Set("Allow", "POST, PUT")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	case !h.authentic(r):
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	jobID, status := read(r)
	if status == http.StatusRequestTimeout || status == http.StatusRequestEntityTooLarge {
		w.Header().Set("Connection", "close") // what is left of the body is not worth reading
	}
	if status == http.StatusOK && h.hint(r.Context(), jobID) != nil {
		w.Header().Set("Retry-After", "5")
		status = http.StatusServiceUnavailable
	}
	w.WriteHeader(status)
}

// authentic compares what came with every secret, so that the time tells nothing.
func (h *handler) authentic(r *http.Request) bool {
	scheme, bearer, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		bearer = ""
	}
	last := ""
	if r.URL != nil {
		last, _ = url.PathUnescape(path.Base(r.URL.EscapedPath())) // what cannot be decoded is no secret
	}
	found := 0
	for _, given := range []string{strings.TrimSpace(bearer), last} {
		mac := sha256.Sum256([]byte(given))
		for i := range h.secrets {
			found |= subtle.ConstantTimeCompare(mac[:], h.secrets[i][:])
		}
	}
	return found == 1
}

// read reads which job a hint is about, or the status to refuse it with.
func read(r *http.Request) (jobID string, status int) {
	if r.ContentLength > maxBody {
		return "", http.StatusRequestEntityTooLarge
	}
	var body []byte
	if r.Body != nil {
		var err error
		switch body, err = io.ReadAll(io.LimitReader(r.Body, maxBody+1)); {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return "", http.StatusRequestTimeout
		case err != nil:
			return "", http.StatusServiceUnavailable
		case len(body) > maxBody:
			return "", http.StatusRequestEntityTooLarge
		}
	}
	top := lenient.Object(body)
	if top == nil {
		return "", http.StatusBadRequest
	}
	inBody, inHeader := lenient.ID(top["sessionId"]), r.Header.Get("X-Scriptix-Session")
	switch {
	case inBody == "" && inHeader == "", inBody != "" && inHeader != "" && inBody != inHeader:
		return "", http.StatusBadRequest
	case inBody == "":
		return inHeader, http.StatusOK
	}
	return inBody, http.StatusOK
}
