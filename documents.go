package scriptix

import (
	"context"
	"io"
	"iter"
	"net/http"
	"slices"

	"github.com/scriptix-io/scriptix-go/internal/audio"
	"github.com/scriptix-io/scriptix-go/internal/dialect"
	"github.com/scriptix-io/scriptix-go/internal/download"
	"github.com/scriptix-io/scriptix-go/internal/lenient"
)

// DocumentService reads, exports and deletes the documents of finished jobs. It
// is safe for concurrent use.
type DocumentService struct{ core *core }

// Document names the text of a finished job as the service's editor holds it,
// which people may have corrected since.
type Document struct {
	JobID string // the job it was made of
	ID    string // of the document; "" has the service say, or make, the job's
}

// Document is the job's document. Its ID is known once the job has succeeded.
func (j Job) Document() Document { return Document{JobID: j.ID, ID: j.DocumentID} }

// documentTable is the part of a dialect's table about documents.
type documentTable struct {
	path   func(Document) []string
	read   func(data []byte) (dialect.Document, error)
	make   func(jobID string) []string // the path of a POST that makes one; nil: there is none
	export func(path []string, format string) call
}

// Get returns a document as a transcript. Its segments have no words.
//
// It costs one request, and up to three where the document's ID is not given.
//
// API: GET /api/v3/documents/{id}, GET /api/v3/speech-to-text/session/{id}/document/{id}
func (d *DocumentService) Get(ctx context.Context, doc Document) (*Transcript, error) {
	k, err := d.call(ctx, "documents.get", &doc)
	if err != nil {
		return nil, err
	}
	k.method, k.limit = http.MethodGet, maxResult
	ans, err := d.core.send(ctx, k)
	if err != nil {
		return nil, err
	}
	read, err := d.core.dialect.table.document.read(ans.body)
	if err != nil {
		return nil, d.core.badAnswer(k, ans, err)
	}
	t := &Transcript{JobID: doc.JobID, DocumentID: doc.ID, Text: read.Text, Raw: ans.body}
	for _, s := range read.Segments {
		t.Segments = append(t.Segments, toSegment(s, nil))
	}
	return t, nil
}

// Export writes a document to w in one of the server's formats, such as srt, vtt,
// txt, docx, pdf and, in the session dialect, stl and ttml. Formats are not
// checked here.
//
// The file streams through, so memory does not grow with it; more than 1 GiB is
// an error. When Export fails after some of it was written, which is then a
// prefix, it does not try again. Where the service answers with a link to another
// host, the file is fetched from there without the key. It costs one request, and
// up to three where the document's ID is not given.
//
// API: POST /api/v3/documents/{id}/export, GET /api/v3/speech-to-text/session/{id}/document/{id}
func (d *DocumentService) Export(ctx context.Context, doc Document, format string, w io.Writer) error {
	const op = "documents.export"
	switch {
	case format == "":
		return invalid(op, "format", "is empty")
	case w == nil:
		return invalid(op, "writer", "is nil")
	}
	k, err := d.call(ctx, op, &doc)
	if err != nil {
		return err
	}
	export := d.core.dialect.table.document.export(k.path, format)
	export.op, export.jobID, export.class, export.accept = op, k.jobID, k.class, "*/*"
	file := download.File{Format: format, Out: w}
	export.to = func(header http.Header, body io.Reader) error { return file.Copy(lenient.Plain(body, header)) }
	_, err = d.core.send(ctx, export)
	switch {
	case file.Failed != nil:
		err = &Error{Op: op, JobID: k.jobID, Attempts: 1, Err: file.Failed}
	case err == nil && file.Link != "":
		if err = file.Follow(ctx, d.core.transport, d.core.userAgent, d.core.cfg.idleTimeout); err != nil {
			return &Error{Op: op, JobID: k.jobID, Attempts: 1, Err: d.core.redact.Error(err)}
		}
	}
	return err
}

// Delete erases a document. It costs one request, and up to three where the
// document's ID is not given. The job itself stays: see [STTService.Delete].
//
// API: DELETE /api/v3/documents/{id}, DELETE /api/v3/speech-to-text/session/{id}/document/{id}
func (d *DocumentService) Delete(ctx context.Context, doc Document) error {
	k, err := d.call(ctx, "documents.delete", &doc)
	if err != nil {
		return err
	}
	k.method = http.MethodDelete
	_, err = d.core.send(ctx, k)
	return err
}

// call is a call about a document, whose id is asked for where it is not known.
func (d *DocumentService) call(ctx context.Context, op string, doc *Document) (call, error) {
	k := call{op: op, jobID: doc.JobID, class: ClassResult}
	switch {
	case d == nil || d.core == nil:
		return k, invalid(op, "client", "was not made by New")
	case ctx == nil:
		return k, invalid(op, "context", "is nil; use context.Background")
	case doc.ID == "" && doc.JobID == "":
		return k, invalid(op, "document", "has neither an id nor a job's")
	}
	table := d.core.dialect.table.document
	if doc.ID == "" {
		job, err := d.core.status(ctx, call{jobID: doc.JobID, class: ClassResult})
		if err != nil {
			return k, err
		}
		doc.ID = job.DocumentID
	}
	if doc.ID == "" && table.make != nil {
		var err error
		if doc.ID, err = d.make(ctx, op, doc.JobID); err != nil {
			return k, err
		}
	}
	k.path = table.path(*doc)
	if slices.Contains(k.path, "") {
		return k, invalid(op, "document", "has no id, or lacks its job's")
	}
	return k, nil
}

// make has the service make the document of a job.
func (d *DocumentService) make(ctx context.Context, op, jobID string) (string, error) {
	k := call{
		op: op, jobID: jobID, method: http.MethodPost, path: d.core.dialect.table.document.make(jobID), class: ClassResult,
		body: audio.JSON([]byte(`{"document_type":"document"}`)), single: true,
	}
	ans, err := d.core.send(ctx, k)
	if err != nil {
		return "", err
	}
	id, err := dialect.DocumentID(ans.body)
	if err != nil {
		return "", d.core.badAnswer(k, ans, err)
	}
	return id, nil
}

// ModelService lists the account's own models. It is safe for concurrent use.
type ModelService struct{ core *core }

// GlossaryService lists the account's glossaries. It is safe for concurrent use.
type GlossaryService struct{ core *core }

// Model is a custom model of the account.
type Model struct {
	ID       string
	Key      string // what [SubmitParams.Model] takes
	Name     string
	Language string
	Status   int // how far its training is; 4 can be used
}

// Glossary is a list of words of the account.
type Glossary struct {
	ID   string // what [SubmitParams.GlossaryID] takes
	Name string
}

// List yields the models, each once, and one last error where a page cannot be had,
// or after 10,000. It costs one request for each hundred. [ErrForbidden] says that the key lacks the
// permission custom_models:read.
//
// API: GET /api/v3/custom_models
func (s *ModelService) List(ctx context.Context) iter.Seq2[Model, error] {
	if s == nil {
		s = new(ModelService)
	}
	return list(ctx, s.core, "models.list", "custom_models", dialect.ReadModels, func(m dialect.Model) Model { return Model(m) })
}

// List yields the glossaries, each once, and one last error where a page cannot be
// had, or after 10,000. It costs one request for each hundred. The glossaries of /api/v4, which are
// pairs for translation, are not among them.
//
// API: GET /api/v3/glossaries
func (s *GlossaryService) List(ctx context.Context) iter.Seq2[Glossary, error] {
	if s == nil {
		s = new(GlossaryService)
	}
	return list(ctx, s.core, "glossaries.list", "glossaries", dialect.ReadGlossaries, func(g dialect.Glossary) Glossary { return Glossary(g) })
}

// list yields what a call lists, page by page.
func list[W comparable, T any](ctx context.Context, c *core, op, path string, read func([]byte) ([]W, int, error), item func(W) T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		var none T
		switch {
		case c == nil:
			yield(none, invalid(op, "client", "was not made by New"))
			return
		case ctx == nil:
			yield(none, invalid(op, "context", "is nil; use context.Background"))
			return
		}
		for pages := (dialect.Pages[W]{Parse: read}); pages.More(); {
			k := call{op: op, method: http.MethodGet, path: []string{path}, query: pages.Query(), class: ClassPoll}
			ans, err := c.send(ctx, k)
			if err != nil {
				yield(none, err)
				return
			}
			items, err := pages.Read(ans.body)
			for _, i := range items {
				if !yield(item(i), nil) {
					return
				}
			}
			if err != nil {
				yield(none, c.badAnswer(k, ans, err))
				return
			}
		}
	}
}
