package scriptix

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go/internal/redact"
)

// STTService turns recordings into transcripts. It is safe for concurrent use.
type STTService struct{ core *core }

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

	// Transcript comes along with an end that a poll for the result found: see
	// [WantTranscript]. Its segments are shared by all who waited for it.
	Transcript *Transcript `json:"-"`
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
	t, _, err := s.result(ctx, call{jobID: jobID, class: ClassResult})
	if errors.Is(err, ErrNotFound) && s.core.dialect.table.fallback != nil {
		if t := s.core.dialect.table.fallback(ctx, s, jobID); t != nil {
			return t, nil
		}
	}
	return t, err
}

// result reads the result of a call's job, and the status that the answer
// carries, "" when it has none.
func (s *STTService) result(ctx context.Context, k call) (*Transcript, Status, error) {
	k, ans, err := s.resultAnswer(ctx, k)
	if err != nil {
		return nil, "", err
	}
	defer ans.place.Keep(0)
	out, err := s.core.dialect.table.decode(ans.body, s.core.dialect.unit)
	t, status := out.transcript, out.job.Status
	switch {
	case err == nil && status != "" && !status.Terminal() && len(t.Segments) == 0:
		return nil, "", &Error{Op: k.op, JobID: k.jobID, StatusCode: ans.status, Attempts: ans.attempts, Err: ErrNotReady}
	case err != nil:
		return nil, "", s.core.badAnswer(k, ans, err)
	case status.Terminal() && !status.Succeeded():
		job := out.job
		job.ID, job.Source = k.jobID, SourcePoll
		return nil, "", &JobFailedError{Job: job}
	case t.JobID != "" && t.JobID != k.jobID:
		return nil, "", s.core.badAnswer(k, ans, fmt.Errorf("it is about job %q", redact.Line(t.JobID, 128)))
	case !out.held:
		return nil, "", s.core.badAnswer(k, ans, errors.New("it holds no transcript that can be read"))
	}
	t.JobID = k.jobID
	return t, status, nil
}

// RawResult returns the result of a job as it came, whatever it is: for an
// answer that Result cannot read, or of which it leaves parts out. It costs one
// request. Before the end the error is [ErrNotReady], as far as the answer's
// status tells.
//
// API: GET /api/v3/stt/{id}/result
func (s *STTService) RawResult(ctx context.Context, jobID string) ([]byte, error) {
	_, ans, err := s.resultAnswer(ctx, call{jobID: jobID, class: ClassResult})
	if err != nil {
		return nil, err
	}
	ans.place.Keep(0)
	return ans.raw, nil
}

// resultAnswer fetches the result of a call's job, and completes the call.
func (s *STTService) resultAnswer(ctx context.Context, k call) (call, *answer, error) {
	k.op = "stt.result"
	if err := s.ready(ctx, k.op); err != nil {
		return k, nil, err
	}
	if k.jobID == "" {
		return k, nil, invalid(k.op, "job id", "is empty")
	}
	k.method, k.path, k.limit, k.works = http.MethodGet, s.core.dialect.table.result(k.jobID), maxResult, true
	k.holds = true
	ans, err := s.core.send(ctx, k)
	if err != nil {
		if e, ok := errors.AsType[*Error](err); ok && (e.StatusCode == http.StatusNotFound || e.StatusCode == http.StatusConflict) {
			e.Err = ErrNotReady
		}
		return k, nil, err
	}
	if ans.status == http.StatusAccepted {
		ans.place.Keep(0)
		return k, nil, &Error{Op: k.op, JobID: k.jobID, StatusCode: ans.status, Attempts: ans.attempts, Err: ErrNotReady}
	}
	return k, ans, nil
}

// WaitResult waits for a job to end and returns its transcript: the way back
// to a job that an earlier process submitted. A job that failed is
// [ErrJobFailed], and the context's end [ErrWaitEnded].
func (s *STTService) WaitResult(ctx context.Context, jobID string, opts ...WaitOption) (*Transcript, error) {
	job, err := s.Wait(ctx, jobID, append([]WaitOption{WantTranscript()}, opts...)...)
	if err != nil {
		return nil, err
	}
	if err := job.Err(); err != nil {
		return nil, err
	}
	if job.Transcript != nil {
		return job.Transcript, nil
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
