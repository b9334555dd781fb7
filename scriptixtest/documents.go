package scriptixtest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The documents of finished jobs, beside stt and within a session, and the lists of models and glossaries.

// documentJob finds the job whose document has the number.
func (s *Server) documentJob(number, key string, session bool) *record {
	s.mu.Lock()
	defer s.mu.Unlock()
	id, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return nil
	}
	for _, j := range s.order {
		if j.documentID == id && id > 0 && j.session == session && j.key == key && !j.deleted && !j.documentGone && j.ended(time.Now()) && !j.failed() {
			return j
		}
	}
	return nil
}

// document answers the calls about a document. Sessions name it below their own path.
func (s *Server) document(x *exchange, r *http.Request) answer {
	session := x.session
	j := s.documentJob(x.document, x.key, session)
	if j == nil || session && j.job.ID != x.id {
		return refuse(http.StatusNotFound, problem{Message: "There is no such document."})
	}
	format := r.URL.Query().Get("format")
	switch x.endpoint {
	case DocumentDelete:
		s.mu.Lock()
		j.documentGone = true
		s.mu.Unlock()
		return answer{status: http.StatusNoContent}
	case DocumentExport:
		if !session {
			var body struct {
				Format string `json:"format"`
			}
			if data, err := io.ReadAll(io.LimitReader(r.Body, maxField)); err != nil || json.Unmarshal(data, &body) != nil {
				return refuse(http.StatusBadRequest, problem{Message: "The body is no JSON object."})
			}
			format = body.Format
		}
		return s.export(j, format)
	}
	if session {
		return answer{status: http.StatusOK, body: compact(envelope{Count: 1, Total: 1, Result: map[string]any{"document": j.editorLines()}})}
	}
	v := j.resultBody()
	content := map[string]any{"text": v.Transcript, "segments": v.Segments}
	return s.ok(http.StatusOK, map[string]any{"id": j.documentID, "content": content})
}

type editorLine struct {
	Start   int64  `json:"start"` // milliseconds
	Stop    int64  `json:"stop"`
	Speaker string `json:"speaker"`
	Text    string `json:"text"`
}

func (j *record) editorLines() []editorLine {
	lines := []editorLine{}
	for _, seg := range j.transcript() {
		lines = append(lines, editorLine{seg.Start.Milliseconds(), seg.End.Milliseconds(), seg.Speaker, seg.Text})
	}
	return lines
}

// makeDocument answers POST .../session/{id}/document/.
func (s *Server) makeDocument(id, key string) answer {
	j := s.sessionJob(id, key)
	if j == nil {
		return unknownSession()
	}
	if !j.ended(time.Now()) || j.failed() {
		return refuse(http.StatusConflict, problem{Message: "The session is not done."})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if j.documentID <= 0 {
		j.documentID = 900_000 + j.number
	}
	return answer{status: http.StatusCreated, body: compact(envelope{Count: 1, Total: 1, Result: map[string]any{"id": j.documentID}})}
}

// exportFormats are those of a session; beside stt there are fewer.
var exportFormats = []string{"json", "sbv", "srt", "ttml", "vtt", "docx", "stl", "html", "template", "pdf", "txt"}

// export answers with the file, or a link to it. What only a word processor or a broadcaster could read is a placeholder.
func (s *Server) export(j *record, format string) answer {
	formats := exportFormats
	if !j.session {
		formats = []string{"txt", "docx", "pdf", "srt", "vtt", "json"}
	}
	if !slices.Contains(formats, format) {
		return invalid("format", fmt.Sprintf("%q is not supported", format))
	}
	file := []byte(fmt.Sprintf("[%s of document %d]\n", format, j.documentID))
	switch format {
	case "json":
		file = compact(map[string]any{"document": j.editorLines()})
	case "txt":
		texts := []string{}
		for _, seg := range j.transcript() {
			texts = append(texts, seg.Text)
		}
		file = []byte(strings.Join(texts, "\n") + "\n")
	}
	if made, ok := j.outcome.Exports[format]; ok {
		file = []byte(made)
	}
	if format != "json" && s.cfg.links {
		return answer{status: http.StatusOK, body: compact(envelope{Count: 1, Total: 1, Result: map[string]string{"download_url": s.offer(file)}})}
	}
	return answer{status: http.StatusOK, body: file}
}

// listModels answers GET /api/v3/custom_models, a page of it.
func (s *Server) listModels(r *http.Request) answer {
	page, size := 1, 25
	if n, err := strconv.Atoi(r.URL.Query().Get("page")); err == nil && n > 0 {
		page = n
	}
	if n, err := strconv.Atoi(r.URL.Query().Get("per_page")); err == nil && n > 0 {
		size = min(n, 100)
	}
	items := []map[string]any{}
	for _, m := range s.cfg.models {
		item := map[string]any{"id": m.ID, "name": m.Name, "language": m.Language, "model_key": m.Key, "training_status": m.Status}
		if s.cfg.variant&Current != 0 {
			item = map[string]any{"id": m.ID, "name": m.Name, "language": m.Language, "key": m.Key, "training_log": map[string]any{"training_status": m.Status}}
		}
		items = append(items, item)
	}
	first := min((page-1)*size, len(items))
	part := items[first:min(first+size, len(items))]
	return answer{status: http.StatusOK, body: compact(envelope{Count: len(part), Total: len(items), Result: part})}
}

// listGlossaries answers GET /api/v3/glossaries.
func (s *Server) listGlossaries() answer {
	items := []map[string]any{}
	for _, g := range s.cfg.glossaries {
		items = append(items, map[string]any{"id": g.ID, "name": g.Name})
	}
	return answer{status: http.StatusOK, body: compact(envelope{Count: len(items), Total: len(items), Result: items})}
}
