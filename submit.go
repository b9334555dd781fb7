package scriptix

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/google/go-querystring/query"

	"github.com/scriptix-io/scriptix-go/internal/audio"
	"github.com/scriptix-io/scriptix-go/internal/redact"
	"github.com/scriptix-io/scriptix-go/internal/transport"
)

// SubmitParams says how a recording is to be transcribed. Fields left empty
// take the service's defaults.
type SubmitParams struct {
	Language    string     `url:"language"`              // required: a code as "en" or "nl-pol", or "auto"
	Diarization bool       `url:"diarization,omitempty"` // tell the speakers apart
	Timestamps  Timestamps `url:"timestamps,omitempty"`  // per segment, unless TimestampsWord
	Model       string     `url:"model,omitempty"`       // a custom model's key
	GlossaryID  int64      `url:"glossary_id,omitempty"` // of a glossary of the account
	WebhookURL  string     `url:"webhook_url,omitempty"` // where the callback goes; WithWebhook fills it
	Extra       url.Values `url:"-"`                     // form fields this SDK does not know
}

// Timestamps is how fine the times of a transcript are.
type Timestamps string

// The documented values of [SubmitParams.Timestamps].
const (
	TimestampsSegment Timestamps = "segment"
	TimestampsWord    Timestamps = "word"
)

// SubmitOption changes one submission.
type SubmitOption func(*submission) error

type submission struct {
	progress  func(sent, total int64)
	resumable bool
	created   func(ctx context.Context, token string) error
	resume    *uploadToken
	digest    *audio.Digest
	release   audio.Release
	repeat    func(ctx context.Context, err error)
}

// BeforeLastByte has fn called before the last byte of the recording is let go,
// of a resumable upload as well. Until then no job can exist, and from then on
// one may: a ledger notes that here. It is called in each attempt that comes so
// far, once the recording is proved to be what it should be. Its error ends the
// submission, and no job was made. ctx is the attempt's, which ends when nothing
// moved for too long.
func BeforeLastByte(fn func(ctx context.Context) error) SubmitOption {
	return func(s *submission) error {
		s.release = fn
		return nil
	}
}

// OnRepeat has fn called when an attempt has made no job, because of err, and
// the submission is going to be repeated: before the wait, which may be long. A
// resumable upload goes on instead, and does not call it.
func OnRepeat(fn func(ctx context.Context, err error)) SubmitOption {
	return func(s *submission) error {
		s.repeat = fn
		return nil
	}
}

// OnProgress calls fn with how many bytes of the audio were handed to the
// network, of how many; total is -1 when it is not known. fn is called at most
// 20 times a second and once at the end, never concurrently, from a goroutine
// that sends: it should be quick. The count never goes back: when an attempt
// is repeated it stands still until the new one has come as far.
func OnProgress(fn func(sent, total int64)) SubmitOption {
	return func(s *submission) error {
		s.progress = fn
		return nil
	}
}

// Submit uploads a recording and returns its job, which then runs at the
// service: follow it with [STTService.Wait].
//
// The audio is sent once. It is sent again only when no job can exist: it did
// not go out whole, or the service refused with a 429, or a 503 of its own.
// After the last byte a lost or unreadable answer is [ErrUnknownOutcome]; what
// the service refuses, and a local failure ([ErrAudio]), is an [*Error]. Each
// attempt costs one request of the key's budget.
//
// More than 500,000,000 bytes ([WithResumableAbove]) go as a resumable upload,
// as all with [Resumable] do: in chunks, from which on it continues after a
// cut. What interrupts it for good is an [*UploadInterruptedError], and
// [ResumeUpload] goes on from there. Its outcome is unknown only where the
// service knows neither the upload nor its job any more. It costs one
// request per chunk of 50 MiB, and two or three more.
//
// In the session dialect a file always goes as a resumable upload, and media of
// [FromURL] as one small request, whose outcome can be unknown like a form's.
//
// API: POST /api/v3/stt, POST /api/v3/files/, POST /api/v3/speech-to-text/session
func (s *STTService) Submit(ctx context.Context, a Audio, p SubmitParams, opts ...SubmitOption) (*Job, error) {
	const op = "stt.submit"
	if err := s.ready(ctx, op); err != nil {
		return nil, err
	}
	sub, err := newSubmission(op, opts)
	if err != nil {
		return nil, err
	}
	x, err := a.src.Measure()
	if err != nil {
		return nil, &Error{Op: op, Err: s.core.redact.Error(err)}
	}
	if sub.resume != nil {
		return s.resumeUpload(ctx, a, x, sub)
	}
	fields, err := s.fields(op, p)
	if err != nil {
		return nil, err
	}
	if a.src.Link() != "" {
		return s.submitURL(ctx, op, a, fields, sub)
	}
	if s.core.dialect.table.chunks || sub.resumable || x.Size > s.core.cfg.resumableAbove {
		return s.startUpload(ctx, a, x, fields, sub)
	}
	meter := audio.NewMeter(sub.progress, x.Size)
	defer meter.Finish()
	body := audio.Form{Audio: a.src, Field: audioField, Fields: fields, Progress: meter.Report(), Digest: sub.digest, Release: sub.release}
	k := call{op: op, method: http.MethodPost, path: pathSubmit, class: ClassSubmit, body: body.Open, billed: true, works: true, repeat: sub.repeat}
	ans, err := s.core.send(ctx, k)
	if err != nil {
		return nil, err
	}
	return s.core.submitted(ctx, k, ans, readJob)
}

// submitted reads the answer to a submit. One that names no job, or one that
// another recording was given, leaves it open whether there is one.
func (c *core) submitted(ctx context.Context, k call, ans *answer, read func([]byte) (*Job, error)) (*Job, error) {
	job, err := read(ans.body)
	switch {
	case err != nil:
	case job.ID == "":
		err = errors.New("it names no job")
	case !c.given.jobs.Add(job.ID, ""):
		err = fmt.Errorf("it names job %q, which another recording was given", redact.Line(job.ID, 128))
	}
	if err != nil {
		return nil, &UnknownOutcomeError{Sent: ans.sent, Size: ans.size, Err: c.badAnswer(k, ans, err)}
	}
	job.Source = SourceSubmit
	c.accepted(ctx, job)
	return job, nil
}

func newSubmission(op string, opts []SubmitOption) (*submission, error) {
	sub := new(submission)
	for i, opt := range opts {
		if opt == nil {
			return nil, invalid(op, "options", fmt.Sprintf("option %d is nil", i))
		}
		if err := opt(sub); err != nil {
			return nil, &Error{Op: op, Err: err}
		}
	}
	return sub, nil
}

// fields are the form's, checked as far as can be without the service.
func (s *STTService) fields(op string, p SubmitParams) (url.Values, error) {
	if strings.TrimSpace(p.Language) == "" {
		return nil, invalid(op, "language", `is required; "auto" lets the service find out`)
	}
	if p.GlossaryID < 0 {
		return nil, invalid(op, "glossary_id", "is negative")
	}
	if p.WebhookURL == "" {
		p.WebhookURL = s.core.callbackURL()
	} else if err := transport.CheckCallback(p.WebhookURL); err != nil {
		return nil, invalid(op, "webhook_url", err.Error())
	}
	fields, err := query.Values(p)
	if err != nil {
		return nil, &Error{Op: op, Err: err}
	}
	for _, name := range slices.Sorted(maps.Keys(p.Extra)) {
		if name == "" || slices.Contains(s.core.dialect.table.own, name) {
			return nil, invalid(op, "extra", fmt.Sprintf("%q cannot be given there", name))
		}
		fields[name] = slices.Clone(p.Extra[name])
	}
	if adapt := s.core.dialect.table.adapt; adapt != nil {
		return fields, adapt(op, p, fields)
	}
	return fields, nil
}
