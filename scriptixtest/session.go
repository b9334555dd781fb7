package scriptixtest

import (
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The session dialect's status, result and delete.

// sessionJob finds a session that the key may see.
func (s *Server) sessionJob(id, key string) *record {
	s.mu.Lock()
	defer s.mu.Unlock()
	j := s.jobs[id]
	if j == nil || !j.session || j.key != key || j.deleted {
		return nil
	}
	return j
}

// reserved reports whether the id is that of an upload which is still on its way.
func (s *Server) reserved(id, key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.files {
		if f.jobID == id && f.job == nil && f.whose.key == key {
			return true
		}
	}
	return false
}

type sessionBody struct {
	ID         int64         `json:"id"`
	SessionID  string        `json:"session_id"`
	Status     string        `json:"status"`
	FileName   string        `json:"filename"`
	Duration   float64       `json:"duration"`
	Language   string        `json:"language"`
	Error      *string       `json:"error"`
	CreatedAt  string        `json:"created_at"`
	StartedAt  *string       `json:"started_at"`
	FinishedAt *string       `json:"finished_at"`
	Document   *documentInfo `json:"document"`
	Mode       string        `json:"session_mode"`
}

type documentInfo struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
	Type string `json:"type"`
}

// sessionStatus answers GET /api/v3/speech-to-text/session/{id}.
func (s *Server) sessionStatus(id, key string) answer {
	if s.cfg.variant&Current == 0 {
		return noPath()
	}
	j := s.sessionJob(id, key)
	if j == nil {
		if s.reserved(id, key) {
			return s.ok(http.StatusOK, sessionBody{SessionID: id, Status: "new", Mode: "decode", CreatedAt: timestamp(s.started)})
		}
		return unknownSession()
	}
	now := time.Now()
	v := sessionBody{
		ID: j.number, SessionID: id, FileName: j.job.FileName, Language: j.language(), CreatedAt: timestamp(j.job.CreatedAt), Mode: "decode",
	}
	v.Status = j.sessionState(now)
	if !now.Before(j.startAt) {
		at := timestamp(j.startAt)
		v.StartedAt = &at
	}
	if j.ended(now) {
		at := timestamp(j.endAt)
		v.FinishedAt = &at
		if j.failed() {
			v.Error = new(j.outcome.Failure)
		} else {
			v.Duration = inSeconds(j.duration())
			if j.documentID > 0 {
				v.Document = &documentInfo{ID: j.documentID, Name: j.job.FileName, Type: "transcript"}
			}
		}
	}
	return s.ok(http.StatusOK, v)
}

// sessionState is the word for the job's state.
func (j *record) sessionState(now time.Time) string {
	state, _ := j.state(now)
	switch {
	case state == stateUploaded:
		return "queued"
	case state == stateCompleted && j.legacy:
		return "done"
	}
	return state
}

type sessionResult struct {
	Duration  float64          `json:"duration"`
	Error     *string          `json:"error"`
	FileName  string           `json:"filename"`
	SessionID string           `json:"session_id"`
	Status    string           `json:"status"`
	Results   []sessionSegment `json:"results"`
}

type sessionSegment struct {
	Result  [][]any `json:"result"`
	Speaker string  `json:"speaker"`
	Text    string  `json:"text"`
	SConf   float64 `json:"sconf"`
	Channel int     `json:"channel"`
}

// sessionResult answers GET /api/v3/speech-to-text/session/{id}/result.
func (s *Server) sessionResult(id, key string) answer {
	j := s.sessionJob(id, key)
	if j == nil {
		return unknownSession()
	}
	now := time.Now()
	v := sessionResult{FileName: j.job.FileName, SessionID: id, Status: j.sessionState(now), Results: []sessionSegment{}}
	switch {
	case !j.ended(now) && s.cfg.notReady < 300:
		return answer{status: s.cfg.notReady, body: compact(envelope{Count: 1, Total: 1, Result: v})}
	case !j.ended(now):
		return refuse(s.cfg.notReady, problem{Message: "The session is not done yet: it is " + v.Status + "."})
	case j.failed():
		v.Error = new(j.outcome.Failure)
		return answer{status: http.StatusOK, body: compact(envelope{Count: 1, Total: 1, Result: v})}
	}
	v.Duration = inSeconds(j.duration())
	for i, seg := range j.transcript() {
		b := s.sessionSegment(j, seg)
		if i < len(j.outcome.Channels) {
			b.Channel = j.outcome.Channels[i]
		}
		v.Results = append(v.Results, b)
	}
	return answer{status: http.StatusOK, body: compact(envelope{Count: 1, Total: 1, Result: v})}
}

func (s *Server) sessionSegment(j *record, seg Segment) sessionSegment {
	b := sessionSegment{Result: [][]any{}, Speaker: "unk", Text: seg.Text, SConf: seg.Confidence}
	if seg.Speaker != "" && j.job.Fields.Get("diarization") == "true" {
		b.Speaker = seg.Speaker
	}
	words := seg.Words
	if words == nil {
		words = wordsOf(seg)
	}
	for _, w := range words {
		b.Result = append(b.Result, []any{w.Text, s.wordTime(w.Start, math.Floor), s.wordTime(w.End, math.Ceil), w.Confidence})
	}
	return b
}

// wordTime is a time in the unit of the service. Seconds always have a fraction, as in the vendor's examples.
func (s *Server) wordTime(d time.Duration, whole func(float64) float64) json.RawMessage {
	switch s.cfg.unit {
	case Milliseconds:
		return json.RawMessage(strconv.FormatInt(d.Milliseconds(), 10))
	case WholeSeconds:
		return json.RawMessage(strconv.Itoa(int(whole(d.Seconds()))))
	}
	text := strconv.FormatFloat(inSeconds(d), 'f', -1, 64)
	if !strings.Contains(text, ".") {
		text += ".0"
	}
	return json.RawMessage(text)
}

// deleteSession answers DELETE /api/v3/speech-to-text/session/{id}.
func (s *Server) deleteSession(id, key string) answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	j := s.jobs[id]
	switch {
	case j == nil || !j.session || j.key != key:
		return unknownSession()
	case j.deleted:
		return refuse(http.StatusBadRequest, problem{Message: "The session is deleted already."})
	}
	j.deleted = true
	j.job.DeletedAt = time.Now()
	if j.timer != nil {
		j.timer.Stop()
	}
	return answer{status: http.StatusNoContent}
}

func unknownSession() answer {
	return refuse(http.StatusNotFound, problem{Message: "There is no such session."})
}

func noPath() answer {
	return refuse(http.StatusNotFound, problem{Error: "Not Found", Message: "There is no such path: see the API's reference."})
}
