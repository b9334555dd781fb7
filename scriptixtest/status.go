package scriptixtest

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// status answers GET /api/v3/stt/{id}/status.
func (s *Server) status(id, key string) answer {
	s.mu.Lock()
	j := s.jobs[id]
	s.mu.Unlock()
	if j == nil || j.session || j.key != key {
		return unknownJob()
	}
	now := time.Now()
	var v statusBody
	v.ID = id
	v.Status, v.Progress = j.state(now)
	switch {
	case !j.ended(now):
	case !j.failed():
		v.DocumentID = j.documentID
	default:
		v.Progress = 0
		switch j.outcome.FailureIn {
		case "", "error":
			v.Error = j.outcome.Failure
		case "error.message":
			v.Error = map[string]string{"message": j.outcome.Failure}
		case "message":
			v.Message = j.outcome.Failure
		case "error_message":
			v.ErrorMessage = j.outcome.Failure
		}
	}
	return s.ok(http.StatusOK, v)
}

// result answers GET /api/v3/stt/{id}/result.
func (s *Server) result(id, key string) answer {
	s.mu.Lock()
	j := s.jobs[id]
	s.mu.Unlock()
	if j == nil || j.session || j.key != key {
		return unknownJob()
	}
	now := time.Now()
	state, progress := j.state(now)
	switch {
	case !j.ended(now) && s.cfg.notReady < 300:
		return s.ok(s.cfg.notReady, statusBody{ID: id, Status: state, Progress: progress})
	case !j.ended(now):
		return refuse(s.cfg.notReady, problem{Message: "The transcription is not completed yet: it is " + state + "."})
	case j.failed():
		return refuse(http.StatusConflict, problem{Message: "The transcription has failed: " + j.outcome.Failure})
	}
	return s.ok(http.StatusOK, j.resultBody())
}

func unknownJob() answer {
	return refuse(http.StatusNotFound, messages[http.StatusNotFound])
}

type statusBody struct {
	ID           string `json:"id"`
	Status       string `json:"status"`
	Progress     int    `json:"progress"`
	DocumentID   int64  `json:"document_id,omitempty"`
	Error        any    `json:"error,omitempty"`
	Message      string `json:"message,omitempty"`
	ErrorMessage string `json:"error_message,omitempty"`
}

type resultBody struct {
	ID         string        `json:"id"`
	DocumentID int64         `json:"document_id,omitempty"`
	Status     string        `json:"status"`
	Language   string        `json:"language,omitempty"`
	Duration   float64       `json:"duration_seconds,omitempty"`
	Transcript string        `json:"transcript"`
	Segments   []segmentBody `json:"segments"`
	Speakers   []speakerBody `json:"speakers,omitempty"`
}

type segmentBody struct {
	Start      float64    `json:"start"`
	End        float64    `json:"end"`
	Text       string     `json:"text"`
	Speaker    string     `json:"speaker,omitempty"`
	Confidence float64    `json:"confidence,omitempty"`
	Words      []wordBody `json:"words,omitempty"`
}

type wordBody struct {
	Word       string  `json:"word"`
	Start      float64 `json:"start"`
	End        float64 `json:"end"`
	Confidence float64 `json:"confidence,omitempty"`
	Speaker    string  `json:"speaker,omitempty"`
}

type speakerBody struct {
	ID       string `json:"id"`
	Segments int    `json:"segments_count"`
}

// resultBody is the transcript with what was asked for: speakers only with diarization, words only with timestamps=word.
func (j *record) resultBody() resultBody {
	v := resultBody{
		ID: j.job.ID, DocumentID: j.documentID, Status: j.endState(), Language: j.language(), Duration: inSeconds(j.duration()),
		Segments: []segmentBody{},
	}
	diarization := j.job.Fields.Get("diarization") == "true"
	words := j.job.Fields.Get("timestamps") == "word"
	segments := j.transcript()
	texts := make([]string, 0, len(segments))
	for _, seg := range segments {
		b := segmentBody{Start: inSeconds(seg.Start), End: inSeconds(seg.End), Text: seg.Text, Confidence: seg.Confidence}
		texts = append(texts, seg.Text)
		if diarization && seg.Speaker != "" {
			b.Speaker = seg.Speaker
			at := slices.IndexFunc(v.Speakers, func(s speakerBody) bool { return s.ID == seg.Speaker })
			if at < 0 {
				at = len(v.Speakers)
				v.Speakers = append(v.Speakers, speakerBody{ID: seg.Speaker})
			}
			v.Speakers[at].Segments++
		}
		if words {
			spoken := seg.Words
			if spoken == nil {
				spoken = wordsOf(seg)
			}
			for _, w := range spoken {
				wb := wordBody{Word: w.Text, Start: inSeconds(w.Start), End: inSeconds(w.End), Confidence: w.Confidence}
				if diarization {
					wb.Speaker = w.Speaker
				}
				b.Words = append(b.Words, wb)
			}
		}
		v.Segments = append(v.Segments, b)
	}
	v.Transcript = strings.Join(texts, " ")
	if len(j.outcome.Segments) > 0 && j.outcome.Text != "" {
		v.Transcript = j.outcome.Text
	}
	if diarization && j.outcome.Speakers != nil {
		v.Speakers = v.Speakers[:0]
		for _, s := range j.outcome.Speakers {
			v.Speakers = append(v.Speakers, speakerBody(s))
		}
	}
	return v
}
