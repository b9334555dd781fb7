package scriptix

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/google/go-querystring/query"

	"github.com/scriptix-io/scriptix-go/internal/audio"
	"github.com/scriptix-io/scriptix-go/internal/redact"
)

// STTService turns recordings into transcripts. It is safe for concurrent use.
type STTService struct{ core *core }

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

// Job is what is known of a transcription job.
type Job struct {
	ID         string
	Status     Status
	Progress   int             // 0 to 100
	DocumentID string          // of the finished document; "" until then
	Language   string          // as the service understood it
	Duration   time.Duration   // of the audio; 0 when the service did not say
	CreatedAt  time.Time       // zero when the service did not say
	Failure    string          // why a failed job failed, as far as the service says
	Source     Source          // where this state was learned
	Raw        json.RawMessage // the answer or callback it was read from
}

// Err returns a [*JobFailedError] if the job failed, else nil.
func (j *Job) Err() error {
	if j.Status.Terminal() && !j.Status.Succeeded() {
		return &JobFailedError{Job: *j}
	}
	return nil
}

// Status is how far a job is. A word that is not known here means that the job
// still runs.
type Status string

// The documented statuses.
const (
	StatusUploaded   Status = "uploaded"
	StatusQueued     Status = "queued"
	StatusProcessing Status = "processing"
	StatusCompleted  Status = "completed"
	StatusFailed     Status = "failed"
)

// Terminal reports whether the job has ended, well or not.
func (s Status) Terminal() bool {
	return s.Succeeded() || slices.Contains([]string{"failed", "error"}, strings.ToLower(string(s)))
}

// Succeeded reports whether the job has ended with a transcript.
func (s Status) Succeeded() bool {
	return slices.Contains([]string{"completed", "done", "finished"}, strings.ToLower(string(s)))
}

// Source is how a job's state was learned.
type Source string

// The sources of a job's state.
const (
	SourceSubmit  Source = "submit"
	SourcePoll    Source = "poll"
	SourceWebhook Source = "webhook"
)

// SubmitOption changes one submission.
type SubmitOption func(*submission) error

type submission struct {
	progress  func(sent, total int64)
	resumable bool
	created   func(ctx context.Context, token string) error
	resume    *uploadToken
	digest    *audio.Digest
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
// [ResumeUpload] goes on from there; its outcome is never unknown. It costs one
// request per chunk of 50 MiB, and two or three more.
//
// API: POST /api/v3/stt, POST /api/v3/files/
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
	body := audio.Form{Audio: a.src, Field: audioField, Fields: fields, Progress: meter.Report(), Digest: sub.digest}
	k := call{op: op, method: http.MethodPost, path: pathSubmit, class: ClassSubmit, body: body.Open, billed: true, works: true}
	ans, err := s.core.send(ctx, k)
	if err != nil {
		return nil, err
	}
	return s.core.submitted(k, ans, readJob)
}

// submitted reads the answer to a submit. One that names no job leaves it open
// whether there is one.
func (c *core) submitted(k call, ans *answer, read func([]byte) (*Job, error)) (*Job, error) {
	job, err := read(ans.body)
	if err == nil && job.ID == "" {
		err = errors.New("it names no job")
	}
	if err != nil {
		return nil, &UnknownOutcomeError{Sent: ans.sent, Size: ans.size, Err: c.badAnswer(k, ans, err)}
	}
	job.Source = SourceSubmit
	c.waits.Submitted(toWatch(*job))
	return job, nil
}

// Status reports how far a job is.
//
// It costs one request of the key's budget; to follow a job to its end use
// [STTService.Wait].
//
// API: GET /api/v3/stt/{id}/status
func (s *STTService) Status(ctx context.Context, jobID string) (*Job, error) {
	if err := s.ready(ctx, "stt.status"); err != nil {
		return nil, err
	}
	return s.core.status(ctx, call{jobID: jobID, class: ClassPoll})
}

// Result returns the transcript of a job that has ended. It costs one request.
// Before the end the error is [ErrNotReady], and for a failed job
// [ErrJobFailed]; [STTService.WaitResult] waits.
//
// API: GET /api/v3/stt/{id}/result
func (s *STTService) Result(ctx context.Context, jobID string) (*Transcript, error) {
	const op = "stt.result"
	if err := s.ready(ctx, op); err != nil {
		return nil, err
	}
	if jobID == "" {
		return nil, invalid(op, "job id", "is empty")
	}
	table := s.core.dialect.table
	k := call{op: op, jobID: jobID, method: http.MethodGet, path: table.result(jobID), class: ClassResult, limit: maxResult}
	ans, err := s.core.send(ctx, k)
	if err != nil {
		if e, ok := errors.AsType[*Error](err); ok && (e.StatusCode == http.StatusNotFound || e.StatusCode == http.StatusConflict) {
			e.Err = ErrNotReady
			if e.StatusCode == http.StatusNotFound && table.fallback != nil {
				if t := table.fallback(ctx, s, jobID); t != nil {
					return t, nil
				}
			}
		}
		return nil, err
	}
	out, err := table.decode(ans.body, s.core.dialect.unit)
	t, status := out.transcript, out.job.Status
	switch {
	case ans.status == http.StatusAccepted,
		err == nil && status != "" && !status.Terminal() && len(t.Segments) == 0:
		return nil, &Error{Op: op, JobID: jobID, StatusCode: ans.status, Attempts: ans.attempts, Err: ErrNotReady}
	case err != nil:
		return nil, s.core.badAnswer(k, ans, err)
	case status.Terminal() && !status.Succeeded():
		job := out.job
		job.ID, job.Source = jobID, SourcePoll
		return nil, &JobFailedError{Job: job}
	case t.JobID != "" && t.JobID != jobID:
		return nil, s.core.badAnswer(k, ans, fmt.Errorf("it is about job %q", redact.Line(t.JobID, 128)))
	case !out.held:
		return nil, s.core.badAnswer(k, ans, errors.New("it holds no transcript"))
	}
	t.JobID = jobID
	return t, nil
}

// WaitResult waits for a job to end and returns its transcript: the way back
// to a job that an earlier process submitted. A job that failed is
// [ErrJobFailed], and the context's end [ErrWaitEnded].
func (s *STTService) WaitResult(ctx context.Context, jobID string, opts ...WaitOption) (*Transcript, error) {
	job, err := s.Wait(ctx, jobID, opts...)
	if err != nil {
		return nil, err
	}
	if err := job.Err(); err != nil {
		return nil, err
	}
	return s.readyResult(ctx, job)
}

// Transcribe submits a recording, waits for its job and returns the transcript.
//
// Errors are those of [STTService.Submit] and [STTService.WaitResult]; every
// one after the upload names the job, to come back to with WaitResult.
func (s *STTService) Transcribe(ctx context.Context, a Audio, p SubmitParams, opts ...SubmitOption) (*Transcript, error) {
	job, err := s.Submit(ctx, a, p, opts...)
	if err != nil {
		return nil, err
	}
	return s.WaitResult(ctx, job.ID)
}

// ready refuses what would otherwise be a panic.
func (s *STTService) ready(ctx context.Context, op string) error {
	if err := s.made(op); err != nil {
		return err
	}
	if ctx == nil {
		return invalid(op, "context", "is nil; use context.Background")
	}
	return nil
}

func (s *STTService) made(op string) error {
	if s == nil || s.core == nil {
		return invalid(op, "client", "was not made by New")
	}
	return nil
}

// readyResult fetches the result of a job that is known to have succeeded. The
// API may lag behind its callback; then it is asked again.
func (s *STTService) readyResult(ctx context.Context, job *Job) (*Transcript, error) {
	const first, most = 5 * time.Second, 10 * time.Minute
	for wait := first; ; wait = min(wait*3/2, most) {
		t, err := s.Result(ctx, job.ID)
		if errors.Is(err, ErrNotReady) {
			select {
			case <-ctx.Done():
				err = fmt.Errorf("%w (%w)", ctxError(ctx), err)
			case <-time.After(wait):
				continue
			}
		}
		if ended := ctx.Err(); ended != nil && errors.Is(err, ended) {
			return nil, &WaitError{JobID: job.ID, Last: job.Status, Pending: []string{job.ID}, Err: err}
		}
		return t, err
	}
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
	} else if err := checkCallbackURL(p.WebhookURL); err != nil {
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
