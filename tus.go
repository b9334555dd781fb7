package scriptix

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/scriptix-io/scriptix-go/internal/audio"
	"github.com/scriptix-io/scriptix-go/internal/redact"
	"github.com/scriptix-io/scriptix-go/internal/transport"
)

// Resumable uploads speak TUS 1.0.0, its core and the creation extension: POST
// creates the upload, each PATCH appends a chunk, HEAD tells after a cut how
// much arrived. The job exists once the last byte does, and GET names it; so
// nothing here is ever sent to no avail or billed twice.
// See https://tus.io/protocols/resumable-upload.

const tusVersion = "1.0.0"

// upload is one resumable upload on its way.
type upload struct {
	core   *core
	part   audio.Part
	size   int64
	url    *url.URL
	token  uploadToken
	header http.Header // of each chunk, of which there may be hundreds

	offset  offset
	chunk   int64 // bytes of the next one at most
	blind   int   // chunks in a row that were answered without an offset, and none of which arrived
	certain bool  // offset.confirmed is where the service stands now
	resumed bool  // an earlier process sent, nobody knows how much
}

// offset is how far an upload has come.
type offset struct {
	confirmed int64        // the service said that it holds so much, and is held to that
	sent      atomic.Int64 // no byte from here on was ever given to the network
}

// errProtocol marks an answer that contradicts what was sent or said before.
var errProtocol = errors.New("the upload protocol is broken")

// run sends what is missing and returns the job. While it is certain where the
// service stands it appends; after each failure it waits and asks. MaxAttempts
// failures without a byte of progress between them end it.
func (u *upload) run(ctx context.Context) (*Job, error) {
	u.header = http.Header{"Tus-Resumable": {tusVersion}, "Content-Type": {"application/offset+octet-stream"}}
	failures := 0
	for {
		before := u.offset.confirmed
		var err error
		switch {
		case !u.certain:
			err = u.ask(ctx)
		case before < u.size:
			err = u.append(ctx)
		default:
			return u.job(ctx)
		}
		if u.offset.confirmed > before {
			failures, u.blind = 0, 0
		}
		if err == nil {
			continue
		}
		e, ok := errors.AsType[*Error](err)
		if ok && !u.certain && absent(e) {
			return u.gone(ctx, e)
		}
		tooLarge := ok && u.certain && e.StatusCode == http.StatusRequestEntityTooLarge && u.halve()
		u.certain = false
		if tooLarge {
			continue
		}
		failures++
		if err := u.pause(ctx, failures, err); err != nil {
			return nil, u.interrupted(err)
		}
	}
}

// absent reports whether the service says that it does not know the upload.
func absent(e *Error) bool {
	return e.StatusCode == http.StatusNotFound || e.StatusCode == http.StatusGone
}

// leastChunk is the size below which chunks are not halved: what refuses even
// these refuses the upload.
const leastChunk = 256 << 10

// halve makes the next chunks smaller than the one that was too large for the
// service, or for a proxy before it.
func (u *upload) halve() bool {
	size := min(u.chunk, u.size-u.offset.confirmed)
	if size <= leastChunk {
		return false
	}
	u.chunk = max(size/2, leastChunk)
	return true
}

// pause waits after a failure, and returns what ends the upload instead.
func (u *upload) pause(ctx context.Context, failures int, err error) error {
	policy := u.core.cfg.retry
	e, ok := errors.AsType[*Error](err)
	if !ok || failures >= policy.MaxAttempts || !goesOn(ctx, e) {
		return err
	}
	wait, ok := policy.next(ctx, failures, e)
	if !ok {
		return err
	}
	u.core.cfg.logger.LogAttrs(ctx, slog.LevelInfo, "scriptix: upload interrupted, going on", slog.String("op", e.Op),
		slog.Int64("offset", u.offset.confirmed), slog.Int64("size", u.size), slog.Duration("wait", wait))
	return sleep(ctx, wait, e)
}

// create announces the upload and learns its URL, which no other recording has.
func (u *upload) create(ctx context.Context, metadata string) error {
	k := call{op: "files.create", method: http.MethodPost, path: pathFiles, class: ClassSubmit, bare: true, alone: true, header: http.Header{
		"Tus-Resumable":   {tusVersion},
		"Upload-Length":   {strconv.FormatInt(u.size, 10)},
		"Upload-Metadata": {metadata},
	}}
	ans, err := u.core.send(ctx, k)
	if err != nil {
		return err
	}
	base, err := u.core.target(k)
	if err != nil {
		return err
	}
	if u.url, err = location(base, ans.header.Get("Location")); err != nil {
		return u.core.badAnswer(k, ans, err)
	}
	if !u.core.given.uploads.Add(u.url.String(), "") {
		return u.core.badAnswer(k, ans, errors.New("its Location is the upload that another recording was given"))
	}
	u.certain = true
	return nil
}

// location resolves the URL of a new upload. The key and the audio go there,
// so it must be on the service's own origin. A service behind a proxy that ends
// TLS does not know of it and says http: that is raised to https on the same host.
func location(base *url.URL, header string) (*url.URL, error) {
	ref, err := url.Parse(header)
	if err != nil || header == "" {
		return nil, errors.New("it has no Location, or one that cannot be parsed")
	}
	u := base.ResolveReference(ref)
	u.Fragment = ""
	transport.RaiseToTLS(u, base)
	switch {
	case !transport.SameOrigin(base, u) || u.User != nil:
		return nil, errors.New("its Location is on another scheme, host or port")
	case u.EscapedPath() == base.EscapedPath() || fileID(u) == "":
		return nil, errors.New("its Location names no upload")
	}
	return u, nil
}

// fileID is the last element of an upload's URL.
func fileID(u *url.URL) string {
	id, err := url.PathUnescape(path.Base(u.EscapedPath()))
	if err != nil || id == "/" || id == "." || id == ".." {
		return ""
	}
	return id
}

// append sends the next chunk.
func (u *upload) append(ctx context.Context) error {
	before := u.offset.confirmed
	if err := u.part.Prepare(ctx, before); err != nil {
		return u.core.localFailure(ctx, "files.patch", err)
	}
	u.header.Set("Upload-Offset", strconv.FormatInt(before, 10))
	k := call{op: "files.patch", method: http.MethodPatch, url: u.url, header: u.header, class: ClassSubmit, body: u.open, single: true, chunk: true, bare: true}
	k.works = u.size-before <= u.chunk // after the last chunk it may digest the whole
	ans, err := u.core.send(ctx, k)
	if err != nil {
		return err
	}
	if ans.header.Get("Upload-Offset") == "" && u.blind < maxBlind {
		u.blind++
		u.certain = false // a HEAD says how much arrived
		return nil
	}
	if err := u.confirm(k, ans, u.offset.sent.Load()); err != nil {
		return err
	}
	if u.offset.confirmed == before {
		return u.core.badAnswer(k, ans, errors.New("nothing of the chunk was stored"))
	}
	return nil
}

// ask asks how much the service holds.
func (u *upload) ask(ctx context.Context) error {
	k := call{op: "files.head", method: http.MethodHead, url: u.url, header: http.Header{"Tus-Resumable": {tusVersion}}, class: ClassSubmit, single: true, bare: true}
	ans, err := u.core.send(ctx, k)
	if err != nil {
		return err
	}
	if length := ans.header.Get("Upload-Length"); length != "" && length != strconv.FormatInt(u.size, 10) {
		return u.core.badAnswer(k, ans, fmt.Errorf("%w: the upload is %q bytes long, not %d", errProtocol, redact.Line(length, 32), u.size))
	}
	most := u.offset.sent.Load()
	if u.resumed {
		most = u.size
	}
	if err := u.confirm(k, ans, most); err != nil {
		return err
	}
	if u.resumed {
		u.offset.sent.Store(u.offset.confirmed)
		if u.part.Report != nil {
			u.part.Report(u.offset.confirmed, u.size)
		}
	}
	u.certain, u.resumed = true, false
	return nil
}

// maxBlind is how many chunks in a row may be answered without an offset and
// not arrive.
const maxBlind = 3

// confirm takes over the offset that an answer states. One that cannot be true
// ends the upload: going on from there would leave a hole or a repetition.
func (u *upload) confirm(k call, ans *answer, most int64) error {
	raw := strings.TrimSpace(ans.header.Get("Upload-Offset"))
	offset, err := strconv.ParseInt(raw, 10, 64)
	switch {
	case raw == "":
		err = errors.New("it has no Upload-Offset")
	case err != nil || offset < 0:
		err = fmt.Errorf("its Upload-Offset %q is no offset", redact.Line(raw, 32))
	case offset < u.offset.confirmed:
		err = fmt.Errorf("its Upload-Offset %d is behind %d, which was confirmed before", offset, u.offset.confirmed)
	case offset > most:
		err = fmt.Errorf("its Upload-Offset %d is beyond %d, the end of what was sent", offset, most)
	default:
		u.offset.confirmed = offset
		return nil
	}
	return u.core.badAnswer(k, ans, fmt.Errorf("%w: %w", errProtocol, err))
}

// goesOn reports whether what failed may go well from the service's offset on.
func goesOn(ctx context.Context, e *Error) bool {
	switch s := e.StatusCode; {
	case ctx.Err() != nil || errors.Is(e, errProtocol):
		return false
	case s == 0:
		return !permanent(e)
	case s < 300, s >= 500:
		return true
	default:
		switch s {
		case http.StatusNotFound, http.StatusGone, // asking again says for certain
			http.StatusConflict,                                                        // another offset than ours
			http.StatusLocked,                                                          // by the connection that was cut
			http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests: // as for any call
			return true
		}
		return false
	}
}

// job finds the job of an upload that is whole. The service may take a while
// to make one.
func (u *upload) job(ctx context.Context) (*Job, error) {
	patience := time.Now().Add(u.core.cfg.answerTimeout)
	for n := 1; ; n++ {
		job, err := u.lookUp(ctx)
		if err == nil {
			return job, nil
		}
		e, ok := errors.AsType[*Error](err)
		notYet := ok && (e.StatusCode/100 == 2 || absent(e) || e.StatusCode == http.StatusConflict)
		if !notYet || time.Now().After(patience) {
			return nil, u.jobless(err)
		}
		wait, ok := u.core.cfg.retry.next(ctx, n, e)
		if !ok {
			return nil, u.interrupted(err)
		}
		if err := sleep(ctx, wait, e); err != nil {
			return nil, u.interrupted(err)
		}
	}
}

// jobless is the error of an upload of which all went out and no job was found.
// While the service still has the upload it can be asked again.
func (u *upload) jobless(err error) error {
	e, ok := errors.AsType[*Error](err)
	if !ok || u.certain || !absent(e) {
		return u.interrupted(err)
	}
	e.Err = ErrNotFound
	e.Message = "the service knows neither the upload nor its job, though all of it went out"
	return u.unknown(e)
}

// lookUp asks which job the upload became. Its class is that of results: the
// job is there and its id is all that is missing.
func (u *upload) lookUp(ctx context.Context) (*Job, error) {
	id := fileID(u.url)
	k := call{op: "files.info", method: http.MethodGet, path: pathFile(id), class: ClassResult, lax: true}
	ans, err := u.core.send(ctx, k)
	if err != nil {
		return nil, err
	}
	jobID, err := u.core.dialect.table.fileJob(ans.body, id)
	if err != nil {
		return nil, u.core.badAnswer(k, ans, err)
	}
	if !u.core.given.jobs.Add(jobID, u.url.String()) {
		return nil, u.core.badAnswer(k, ans, fmt.Errorf("it names job %q, which another recording was given", redact.Line(jobID, 128)))
	}
	job := new(Job)
	if err := json.Unmarshal(ans.body, job); err != nil {
		return nil, u.core.badAnswer(k, ans, err)
	}
	job.ID, job.Source = jobID, SourceSubmit
	if job.Status == "" {
		job.Status = StatusUploaded
	}
	u.core.accepted(ctx, job)
	return job, nil
}

// gone deals with an upload that the service does not know any more. It may
// have been completed before that; unless it is certain that the last byte never
// left, only the service's word on the job can tell.
func (u *upload) gone(ctx context.Context, e *Error) (*Job, error) {
	if u.offset.sent.Load() == u.size {
		return u.job(ctx)
	}
	job, err := u.lookUp(ctx)
	if err == nil {
		return job, nil
	}
	if other, ok := errors.AsType[*Error](err); !ok || !absent(other) {
		return nil, u.interrupted(err)
	}
	e.Err = ErrNotFound
	if u.resumed {
		e.Message = "the service knows neither the upload nor its job, and it is not known how much an earlier process sent"
		return nil, u.unknown(e)
	}
	e.Message = "the upload is gone at the service and has to be started again; no job exists, because its last byte never left"
	return nil, e
}

// unknown is the outcome of an upload that may have become a job. Its token
// stays good for asking again.
func (u *upload) unknown(e *Error) error {
	return &UnknownOutcomeError{Sent: u.size, Size: u.size, Err: u.interrupted(e)}
}

func (u *upload) interrupted(err error) error {
	token := u.token
	token.Whole = u.offset.sent.Load() == u.size
	if u.chunk < u.core.cfg.chunkSize {
		token.Chunk = u.chunk
	}
	return &UploadInterruptedError{UploadURL: token.URL, Offset: u.offset.confirmed, Size: u.size, Token: token.String(), Err: err}
}

// open is the body of the next chunk.
func (u *upload) open(ctx context.Context) (*audio.Body, error) {
	return u.part.Open(ctx, u.offset.confirmed, u.chunk)
}
