package scriptixtest

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go/webhook"
)

// behindPatience is how long a callback waits at most for those that are to overtake it.
const behindPatience = 10 * time.Minute

// again is the attempt number of a callback outside of the schedule.
const again = -1

// Redeliver sends the callback of a job that has ended once more, now, and waits for its answer; it is not tried again. The
// error says why there is nothing to send or how the receiver answered.
func (s *Server) Redeliver(jobID string) error {
	if !s.enter() {
		return errors.New("scriptixtest: the service is closed")
	}
	defer s.leave()
	s.mu.Lock()
	j := s.jobs[jobID]
	s.mu.Unlock()
	switch {
	case j == nil:
		return fmt.Errorf("scriptixtest: there is no job %q", jobID)
	case j.callbackURL() == "":
		return fmt.Errorf("scriptixtest: job %q has no webhook_url", jobID)
	case time.Now().Before(j.endAt):
		return fmt.Errorf("scriptixtest: job %q has not ended yet", jobID)
	}
	d := s.deliver(j, again, j.failed())
	if d.Err != "" {
		return fmt.Errorf("scriptixtest: job %q: the callback was not delivered: %s", jobID, d.Err)
	}
	if !d.accepted() {
		return fmt.Errorf("scriptixtest: job %q: the callback was answered with %d", jobID, d.Status)
	}
	return nil
}

// heldCallback waits for callbacks of other jobs.
type heldCallback struct {
	job  *record
	left int
}

// armCallback sets the timer of a new job's callback. The mutex is held.
func (s *Server) armCallback(j *record) {
	cb := &j.outcome.Callback
	if j.callbackURL() == "" || cb.Before {
		return
	}
	s.schedule(j, time.Until(j.endAt)+max(cb.Delay, 0), func() {
		if cb.Behind > 0 {
			s.hold(j)
			return
		}
		s.attempt(j, 0)
	})
}

// schedule calls f in a goroutine of its own unless the service is closed by then. The mutex is held.
func (s *Server) schedule(j *record, d time.Duration, f func()) {
	if s.closed {
		return
	}
	j.timer = time.AfterFunc(d, func() {
		if s.enter() {
			defer s.leave()
			f()
		}
	})
}

// hold keeps a callback back until others have overtaken it.
func (s *Server) hold(j *record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := &heldCallback{job: j, left: j.outcome.Callback.Behind}
	s.held = append(s.held, h)
	s.schedule(j, behindPatience, func() {
		s.mu.Lock()
		at := slices.Index(s.held, h)
		if at >= 0 {
			s.held = slices.Delete(s.held, at, at+1)
		}
		s.mu.Unlock()
		if at >= 0 {
			s.attempt(j, 0)
		}
	})
}

// overtake counts a callback that was sent for those that are held.
func (s *Server) overtake() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held = slices.DeleteFunc(s.held, func(h *heldCallback) bool {
		h.left--
		if h.left > 0 {
			return false
		}
		h.job.timer.Stop()
		s.schedule(h.job, 0, func() { s.attempt(h.job, 0) })
		return true
	})
}

// attempt sends a callback for the first time or again, and sees to what follows.
func (s *Server) attempt(j *record, n int) {
	cb := &j.outcome.Callback
	if j.callbackURL() == "" {
		return
	}
	began := time.Now()
	d := s.deliver(j, n, j.failed() != cb.Untrue)
	if n == 0 {
		s.overtake()
	}
	switch {
	case d.Undelivered:
	case d.accepted():
		for range cb.Repeat {
			if !s.pause(s.closing, cb.RepeatEvery) {
				return
			}
			s.deliver(j, again, j.failed() != cb.Untrue)
		}
		if cb.Contradict {
			s.deliver(j, again, j.failed() == cb.Untrue)
		}
	case n < len(s.cfg.retries):
		s.mu.Lock()
		s.schedule(j, max(0, s.cfg.retries[n]-time.Since(began)), func() { s.attempt(j, n+1) })
		s.mu.Unlock()
	}
}

// deliver sends one callback and records it.
func (s *Server) deliver(j *record, n int, failed bool) Delivery {
	cb := &j.outcome.Callback
	body, event := s.callbackBody(j, failed)
	d := Delivery{Time: time.Now(), Attempt: n, Event: event}
	switch {
	case j.session && j.failed():
		d.Undelivered, d.Err = true, "not sent: failed sessions send nothing"
	case cb.Lose && n != again:
		d.Undelivered, d.Err = true, "lost, as scripted"
	case n >= 0 && n < cb.Drop:
		d.Err = "lost on the way, as scripted"
	case j.session:
		d.Status, d.Err, d.Undelivered = s.post(j.call.Method, j.hintURL(), j.hintHeader(), j.hintBody())
	default:
		header := http.Header{
			"Content-Type": {"application/json"},
			"User-Agent":   {"Scriptix-Webhook/1.0 (scriptixtest)"},
		}
		secret := s.cfg.secret
		if cb.Forged {
			secret += "-forged"
		}
		if !cb.Unsigned {
			header.Set(webhook.SignatureHeader, webhook.Sign(secret, body))
		}
		d.Status, d.Err, d.Undelivered = s.post(http.MethodPost, j.callbackURL(), header, body)
	}
	s.mu.Lock()
	j.job.Deliveries = append(j.job.Deliveries, d)
	s.meter.deliveries++
	s.mu.Unlock()
	s.logDelivery(j, d)
	return d
}

// callbackBody is what is sent, byte by byte the same each time.
func (s *Server) callbackBody(j *record, failed bool) (body []byte, event string) {
	v := callbackBody{Timestamp: timestamp(j.endAt)}
	v.Data.ID = j.job.ID
	v.Data.Duration, v.Data.Language = inSeconds(j.duration()), j.language()
	if failed {
		v.Event, v.Data.Status = "transcription.failed", stateFailed
		v.Data.Error = strings.ToValidUTF8(j.outcome.Failure, "\ufffd")
	} else {
		v.Event, v.Data.Status = "transcription.completed", stateCompleted
		v.Data.DocumentID = j.documentID
	}
	if j.session {
		v.Event = "" // an unsigned callback has none
	}
	cb := &j.outcome.Callback
	if cb.Event != "" {
		v.Event = cb.Event
	}
	if cb.Body != "" {
		return []byte(cb.Body), v.Event
	}
	return compact(v), v.Event
}

type callbackBody struct {
	Event     string `json:"event"`
	Timestamp string `json:"timestamp"`
	Data      struct {
		ID         string  `json:"id"`
		Status     string  `json:"status"`
		DocumentID int64   `json:"document_id,omitempty"`
		Duration   float64 `json:"duration_seconds,omitempty"`
		Language   string  `json:"language,omitempty"`
		Error      string  `json:"error,omitempty"`
	} `json:"data"`
}

func (j *record) callbackURL() string {
	if j.session {
		return j.call.URL
	}
	return j.job.Fields.Get("webhook_url")
}

func (d Delivery) accepted() bool { return d.Err == "" && d.Status >= 200 && d.Status < 300 }
