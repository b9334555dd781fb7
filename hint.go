package scriptix

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
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
	"github.com/scriptix-io/scriptix-go/internal/redact"
)

const (
	minHintSecret  = 16 // bytes: 128 random bits
	maxHint        = 64 << 10
	hintReadPeriod = 10 * time.Second
)

// HintHandler returns a handler for the unsigned callbacks of the session
// dialect, to be mounted at the URL of [WithWebhook] and everything below it.
//
// Such a callback proves nothing, so it is a hint and no more: it has a job that
// somebody waits for polled now instead of later, within the budget and at most
// every 30 seconds per job. It never ends a job and never reaches
// [Client.OnEvent], [Client.Deliver] or a ledger. A hint needs one of the secrets
// of WithWebhook, in the header that a submit asked the service to send or as the
// path's last element, where a submit puts it too; the answer is 401 without.
//
// The error says that there is no secret, or one of less than 16 bytes.
func (c *Client) HintHandler() (http.Handler, error) {
	if c == nil || c.core == nil {
		return nil, errors.New("scriptix: HintHandler: the client was not made by New")
	}
	if len(c.core.secrets) == 0 {
		return nil, errors.New("scriptix: HintHandler: there is no secret; give one with WithWebhook")
	}
	h := &hintHandler{hint: c.core.waits.Hint}
	for i, secret := range c.core.secrets {
		if len(secret()) < minHintSecret {
			return nil, fmt.Errorf("scriptix: HintHandler: secret %d has less than %d bytes, and could be guessed", i, minHintSecret)
		}
		h.secrets = append(h.secrets, sum(secret))
	}
	return h, nil
}

type hintHandler struct {
	secrets [][sha256.Size]byte // so that comparing takes the same time whatever comes
	hint    func(jobID string)
}

func sum(s redact.Secret) [sha256.Size]byte { return sha256.Sum256([]byte(s())) }

// ServeHTTP answers one hint.
func (h *hintHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// Before anything is refused, because the server reads what is left of a refused body too.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(hintReadPeriod))
	switch {
	case r.Method != http.MethodPost && r.Method != http.MethodPut:
		w.Header().Set("Allow", "POST, PUT")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	case !h.authentic(r):
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	jobID, status := readHint(r)
	if status == http.StatusRequestTimeout || status == http.StatusRequestEntityTooLarge {
		w.Header().Set("Connection", "close") // what is left of the body is not worth reading
	}
	if status == http.StatusOK {
		h.hint(jobID)
	}
	w.WriteHeader(status)
}

// authentic compares what came with every secret, so that the time tells nothing.
func (h *hintHandler) authentic(r *http.Request) bool {
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

// readHint reads which job a hint is about, or the status to refuse it with.
func readHint(r *http.Request) (jobID string, status int) {
	if r.ContentLength > maxHint {
		return "", http.StatusRequestEntityTooLarge
	}
	var body []byte
	if r.Body != nil {
		var err error
		switch body, err = io.ReadAll(io.LimitReader(r.Body, maxHint+1)); {
		case errors.Is(err, os.ErrDeadlineExceeded):
			return "", http.StatusRequestTimeout
		case err != nil:
			return "", http.StatusServiceUnavailable
		case len(body) > maxHint:
			return "", http.StatusRequestEntityTooLarge
		}
	}
	var top map[string]json.RawMessage
	if json.Unmarshal(body, &top) != nil || top == nil {
		return "", http.StatusBadRequest
	}
	inBody, inHeader := lenient.Scalar(top["sessionId"]), r.Header.Get("X-Scriptix-Session")
	switch {
	case inBody == "" && inHeader == "", inBody != "" && inHeader != "" && inBody != inHeader:
		return "", http.StatusBadRequest
	case inBody == "":
		return inHeader, http.StatusOK
	}
	return inBody, http.StatusOK
}
