package scriptix

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/scriptix-io/scriptix-go/internal/audio"
	"github.com/scriptix-io/scriptix-go/internal/dialect"
	"github.com/scriptix-io/scriptix-go/internal/redact"
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
	read   func(data []byte, unit time.Duration) (dialect.Document, error)
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
	read, err := d.core.dialect.table.document.read(ans.body, 0)
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
	k, err := d.call(ctx, op, &doc)
	switch {
	case err != nil:
		return err
	case format == "":
		return invalid(op, "format", "is empty")
	case w == nil:
		return invalid(op, "writer", "is nil")
	}
	export := d.core.dialect.table.document.export(k.path, format)
	export.op, export.jobID, export.class, export.accept = op, k.jobID, k.class, "*/*"
	link, out := "", &destination{Writer: w}
	export.to = func(_ http.Header, body io.Reader) (err error) {
		link, err = copyFile(out, body, format)
		return err
	}
	if _, err = d.core.send(ctx, export); out.err != nil {
		return &Error{Op: op, JobID: k.jobID, Attempts: 1, Err: out.err}
	} else if err != nil {
		return err
	}
	if link == "" {
		return nil
	}
	if err := d.core.download(ctx, link, w); err != nil {
		return &Error{Op: op, JobID: k.jobID, Attempts: 1, Err: d.core.redact.Error(err)}
	}
	return nil
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
		made, err := d.make(ctx, op, doc.JobID)
		if err != nil {
			return k, err
		}
		doc.ID = made
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

// destination is the caller's writer, whose failure is not the service's.
type destination struct {
	io.Writer
	err error
}

func (d *destination) Write(p []byte) (int, error) {
	n, err := d.Writer.Write(p)
	d.err = err
	return n, err
}

const (
	maxLink = 64 << 10 // bytes of an answer that may be a link
	maxFile = 1 << 30  // bytes of an export
)

var errFileTooLong = errors.New("the export is longer than 1 GiB, and was cut there")

// copyFile copies an export to w, or returns the link that stands in its place.
func copyFile(w io.Writer, body io.Reader, format string) (link string, err error) {
	file := bufio.NewReaderSize(body, maxLink)
	head, err := file.Peek(1)
	if err == nil && head[0] == '{' && format != "json" {
		if head, err = file.Peek(maxLink); errors.Is(err, io.EOF) {
			if link, ok := dialect.Link(bytes.TrimSpace(head)); ok {
				return link, nil
			}
		}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return "", err
	}
	n, err := io.Copy(w, io.LimitReader(file, maxFile))
	if err == nil && n == maxFile {
		if _, err = file.Peek(1); err == nil {
			return "", errFileTooLong
		} else if errors.Is(err, io.EOF) {
			err = nil
		}
	}
	return "", err
}

// download fetches a file from where a link leads. The link is a secret and the
// host is another's: neither key nor cookie goes there, and the link into no
// error, log or Referer.
func (c *core) download(ctx context.Context, link string, w io.Writer) error {
	target, err := url.Parse(link)
	if err != nil || target.Scheme != "https" || target.Hostname() == "" || target.User != nil {
		return fmt.Errorf("%w: the link to the file is no https URL", ErrBadAnswer)
	}
	watchdog := audio.NewWatchdog(ctx, audio.Patience{Idle: c.cfg.idleTimeout, Answer: c.cfg.idleTimeout}, false)
	defer watchdog.End()
	req, err := http.NewRequestWithContext(watchdog.Context(), http.MethodGet, target.String(), nil) //nolint:contextcheck // ctx, ended when nothing moves
	if err != nil {
		return fmt.Errorf("%w: the link to the file cannot be used", ErrBadAnswer)
	}
	req.Header = http.Header{"User-Agent": {c.userAgent}, "Accept-Encoding": {"identity"}}
	plain := http.Client{Transport: c.transport, CheckRedirect: followOnce}
	resp, err := plain.Do(req)
	if err != nil {
		if cause := watchdog.Stalled(ctx); cause != nil {
			err = cause
		}
		return fmt.Errorf("the file behind the link cannot be fetched: %w", redact.StripURL(err))
	}
	defer resp.Body.Close()
	watchdog.Moved()
	switch {
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("%w: the host of the file answered %d", ErrBadAnswer, resp.StatusCode)
	case resp.Header.Get("Content-Encoding") != "" && resp.Header.Get("Content-Encoding") != "identity":
		return fmt.Errorf("%w: the host of the file sends it in a coding that was not asked for", ErrBadAnswer)
	}
	_, err = copyFile(w, &incoming{Reader: resp.Body, watchdog: watchdog, parent: ctx, began: time.Now()}, "json") // which is no link
	return err
}

// followOnce follows one redirect to https, and keeps the link out of Referer.
func followOnce(req *http.Request, via []*http.Request) error {
	if len(via) > 1 || req.URL.Scheme != "https" {
		return http.ErrUseLastResponse
	}
	req.Header.Del("Referer")
	return nil
}
