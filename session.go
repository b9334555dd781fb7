package scriptix

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/scriptix-io/scriptix-go/internal/audio"
	"github.com/scriptix-io/scriptix-go/internal/dialect"
	"github.com/scriptix-io/scriptix-go/internal/redact"
)

// The tables of both dialects, and what the session dialect needs beside its
// paths. Its JSON is read and written in internal/dialect.

const keyHeaderLegacy = "X-Zoom-S2t-Key" // header names are not told apart by case

var sttTable = table{
	name: "stt", headers: []string{"Authorization"}, signed: true,
	own:     []string{"language", "diarization", "timestamps", "model", "glossary_id", "webhook_url", audioField},
	fileJob: fileJobID,
	status:  []reading{{path: pathStatus, job: readJob}},
	result:  pathResult,
	decode:  readTranscript,
	document: documentTable{
		path: func(d Document) []string { return []string{"documents", d.ID} },
		read: dialect.ReadContent,
		export: func(path []string, format string) call {
			body, _ := json.Marshal(map[string]string{"format": format}) // texts cannot fail
			return call{method: http.MethodPost, path: append(path, "export"), body: audio.JSON(body)}
		},
	},
}

var sessionTable = table{
	name: "session", headers: []string{"Authorization", keyHeaderLegacy}, chunks: true,
	probe:    func() []string { return pathSession(rand.Text(), "result") },
	own:      []string{"language", "diarization", "timestamps", "model", "glossary_id", "webhook_url", "webhook_method", "webhook_headers", "document", "media_source", "filename", "filetype"},
	adapt:    sessionFields,
	metadata: sessionMetadata,
	fetch:    sessionSubmission,
	made:     readCreated,
	fileJob:  func(data []byte, _ string) (string, error) { return dialect.FileSession(data) },
	status: []reading{
		{path: func(id string) []string { return pathSession(id) }, job: readSession},
		{path: func(id string) []string { return pathSession(id, "result") }, job: readSession, limit: maxResult, early: true},
	},
	result:   func(id string) []string { return pathSession(id, "result") },
	decode:   readSessionResult,
	fallback: sessionDocument,
	remove:   func(id string) []string { return pathSession(id) },
	document: documentTable{
		path: func(d Document) []string { return pathSession(d.JobID, "document", d.ID) },
		read: dialect.ReadDocument,
		make: func(jobID string) []string { return pathSession(jobID, "document", "") },
		export: func(path []string, format string) call {
			return call{method: http.MethodGet, path: path, query: url.Values{"format": {format}}}
		},
	},
}

func pathSession(elements ...string) []string {
	return append([]string{"speech-to-text", "session"}, elements...)
}

// sessionFields refuses what a session has no field for, and asks for
// punctuation, which the service leaves out by default.
func sessionFields(op string, p SubmitParams, fields url.Values) error {
	switch {
	case p.Model != "":
		return invalid(op, "model", "has no field in the session dialect; leave it out")
	case p.GlossaryID != 0:
		return invalid(op, "glossary_id", "has no field in the session dialect; leave it out")
	}
	fields.Del("timestamps") // words always come
	for name, value := range map[string]string{"punctuation": "true", "document_type": "document"} {
		if !fields.Has(name) {
			fields.Set(name, value)
		}
	}
	return nil
}

// takeCallback takes the callback's URL out of the fields of a submit.
func (c *core) takeCallback(fields url.Values) dialect.Callback {
	callback := dialect.Callback{URL: fields.Get("webhook_url")}
	fields.Del("webhook_url")
	if len(c.secrets) > 0 {
		callback.Secret = c.secrets[0]()
	}
	return callback
}

func sessionMetadata(c *core, fields url.Values) { dialect.Metadata(fields, c.takeCallback(fields)) }

func sessionSubmission(c *core, a Audio, fields url.Values) []byte {
	callback := c.takeCallback(fields)
	return dialect.Submission(a.src.Link(), a.Name(), fields, callback)
}

// submitURL has the service fetch the media at a URL.
func (s *STTService) submitURL(ctx context.Context, op string, a Audio, fields url.Values, sub *submission) (*Job, error) {
	link, err := url.Parse(a.src.Link())
	switch {
	case s.core.dialect.table.fetch == nil:
		return nil, s.core.unsupported(op, "fetches no media from a URL")
	case err != nil || link.Hostname() == "" || link.Scheme != "https" && link.Scheme != "http":
		return nil, invalid(op, "media", "needs an http or https URL that the service can reach")
	case sub.resumable || sub.resume != nil || sub.digest != nil:
		return nil, invalid(op, "media", "is fetched by the service, so it is neither sent resumably nor verified")
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if len(fields[name]) != 1 {
			return nil, invalid(op, name, "must have one value")
		}
	}
	open := audio.JSON(s.core.dialect.table.fetch(s.core, a, fields))
	body := func(ctx context.Context) (*audio.Body, error) {
		if sub.release != nil {
			// All of the request is one piece, so the first byte is the last.
			if err := sub.release(ctx); err != nil {
				return nil, a.src.Fault(err)
			}
		}
		return open(ctx)
	}
	k := call{op: op, method: http.MethodPost, path: pathSession(), class: ClassSubmit, body: body, billed: true, works: true, repeat: sub.repeat}
	ans, err := s.core.send(ctx, k)
	if err != nil {
		return nil, err
	}
	return s.core.submitted(ctx, k, ans, s.core.dialect.table.made)
}

// readCreated reads the answer to a submit of a URL. An internal id is no
// session's, so without a session_id nothing is known of the job.
func readCreated(data []byte) (*Job, error) {
	job, err := readSession(data)
	switch {
	case err != nil:
		return nil, err
	case job.ID == "":
		return nil, errors.New("it names no session")
	case job.Status == "":
		job.Status = "new"
	}
	return job, nil
}

func readSession(data []byte) (*Job, error) {
	session, err := dialect.ReadSession(data)
	if err != nil {
		return nil, err
	}
	job := sessionJob(session)
	if len(data) <= maxError { // a result holds the whole transcript
		job.Raw = slices.Clone(data)
	}
	return &job, nil
}

func sessionJob(s dialect.Session) Job {
	job := Job{ID: s.ID, Status: Status(s.Status), DocumentID: s.DocumentID, Language: s.Language, Duration: s.Duration, CreatedAt: s.CreatedAt}
	switch {
	case job.Status.Succeeded():
		job.Progress = 100
	case job.Status.Terminal():
		job.Failure = redact.Line(redact.URLs(s.Failure), 1024)
	}
	return job
}

func readSessionResult(data []byte, unit time.Duration) (outcome, error) {
	result, err := dialect.ReadResult(data, unit,
		func(w dialect.Word) Word {
			return Word{Start: w.Start, End: w.End, Text: w.Text, Confidence: w.Confidence}
		},
		toSegment)
	out := outcome{job: sessionJob(result.Session), held: result.Held}
	if err != nil {
		return out, err
	}
	out.transcript = &Transcript{
		JobID: result.ID, DocumentID: result.DocumentID, Language: result.Language, Text: result.Text,
		Duration: result.Duration, Segments: result.Segments, Raw: data,
	}
	for _, s := range result.Speakers {
		out.transcript.Speakers = append(out.transcript.Speakers, Speaker(s))
	}
	return out, nil
}

func toSegment(s dialect.Segment, words []Word) Segment {
	return Segment{Start: s.Start, End: s.End, Text: s.Text, Speaker: s.Speaker, Confidence: s.Confidence, Words: words}
}

// sessionDocument is the transcript of a session that has succeeded and has no
// result, as its document holds it; nil where there is none.
func sessionDocument(ctx context.Context, s *STTService, jobID string) *Transcript {
	d := s.core.dialect
	if d.learned.Status() != 0 {
		return nil // this variant has no status call, so nothing tells of the document
	}
	job, err := s.core.read(ctx, call{op: "stt.status", jobID: jobID, method: http.MethodGet, class: ClassResult}, d.table.status[0])
	if err != nil || !job.Status.Succeeded() || job.DocumentID == "" {
		return nil
	}
	documents := &DocumentService{core: s.core}
	t, err := documents.Get(ctx, job.Document())
	if err != nil {
		return nil
	}
	t.Language, t.Duration = job.Language, job.Duration
	return t
}

// Delete erases a job at the service: its transcript and the name of its file.
// Whether a recording that was kept there goes too, the service does not say. It
// costs one request. Deleting what is deleted already is no error; a job that
// the service does not know, or that another key made, is [ErrNotFound]. The
// error is [ErrUnsupported] in a dialect that cannot delete.
//
// API: DELETE /api/v3/speech-to-text/session/{id}
func (s *STTService) Delete(ctx context.Context, jobID string) error {
	const op = "stt.delete"
	if err := s.ready(ctx, op); err != nil {
		return err
	}
	remove := s.core.dialect.table.remove
	switch {
	case remove == nil:
		return s.core.unsupported(op, "deletes no jobs")
	case jobID == "":
		return invalid(op, "job id", "is empty")
	}
	_, err := s.core.send(ctx, call{op: op, jobID: jobID, method: http.MethodDelete, path: remove(jobID), class: ClassResult})
	if e, ok := errors.AsType[*Error](err); ok && e.StatusCode == http.StatusBadRequest {
		return nil // it is deleted already
	}
	return err
}

// unsupported is the error of what the dialect lacks, before anything is sent.
func (c *core) unsupported(op, what string) *Error {
	return &Error{Op: op, Err: fmt.Errorf("%w: the %s dialect %s", ErrUnsupported, c.dialect, what)}
}
