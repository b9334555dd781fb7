package scriptix_test

import (
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"iter"
	"log/slog"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
	"github.com/scriptix-io/scriptix-go/webhook"
)

// The names and types that programs compile against: what has to change here
// breaks them.
var (
	_ func(string, ...scriptix.Option) (*scriptix.Client, error)                       = scriptix.New
	_ func(*scriptix.Client) http.Handler                                              = (*scriptix.Client).WebhookHandler
	_ func(*scriptix.Client, context.Context, webhook.Event) error                     = (*scriptix.Client).Deliver
	_ func(*scriptix.Client, func(context.Context, webhook.Event) error) (stop func()) = (*scriptix.Client).OnEvent
	_ func(*scriptix.Client) string                                                    = (*scriptix.Client).CallbackURL
	_ func(*scriptix.Client)                                                           = (*scriptix.Client).CloseIdleConnections

	_ func(string) scriptix.Option               = scriptix.WithBaseURL
	_ func(*http.Client) scriptix.Option         = scriptix.WithHTTPClient
	_ func(string, ...string) scriptix.Option    = scriptix.WithWebhook
	_ func(scriptix.Limits) scriptix.Option      = scriptix.WithLimits
	_ func(scriptix.RetryPolicy) scriptix.Option = scriptix.WithRetry
	_ func(scriptix.Budget) scriptix.Option      = scriptix.WithBudget
	_ func(*slog.Logger) scriptix.Option         = scriptix.WithLogger
	_ func(string, string) scriptix.Option       = scriptix.WithApplication
	_ func(int64) scriptix.Option                = scriptix.WithResumableAbove

	_ func(*scriptix.STTService, context.Context, scriptix.Audio, scriptix.SubmitParams, ...scriptix.SubmitOption) (*scriptix.Job, error)        = (*scriptix.STTService).Submit
	_ func(*scriptix.STTService, context.Context, scriptix.Audio, scriptix.SubmitParams, ...scriptix.SubmitOption) (*scriptix.Transcript, error) = (*scriptix.STTService).Transcribe
	_ func(*scriptix.STTService, context.Context, string) (*scriptix.Job, error)                                                                 = (*scriptix.STTService).Status
	_ func(*scriptix.STTService, context.Context, string) (*scriptix.Transcript, error)                                                          = (*scriptix.STTService).Result
	_ func(*scriptix.STTService, context.Context, string, ...scriptix.WaitOption) (*scriptix.Job, error)                                         = (*scriptix.STTService).Wait
	_ func(*scriptix.STTService, context.Context, ...string) iter.Seq2[*scriptix.Job, error]                                                     = (*scriptix.STTService).Watch
	_ func(*scriptix.STTService, ...scriptix.WaitOption) *scriptix.Watcher                                                                       = (*scriptix.STTService).NewWatcher
	_ func(*scriptix.Watcher, ...scriptix.Job)                                                                                                   = (*scriptix.Watcher).Add
	_ func(*scriptix.Watcher, ...string)                                                                                                         = (*scriptix.Watcher).Remove
	_ func(*scriptix.Watcher, context.Context) iter.Seq2[*scriptix.Job, error]                                                                   = (*scriptix.Watcher).All

	_ func(time.Time) scriptix.WaitOption                                                     = scriptix.SubmittedAt
	_ func(time.Duration) scriptix.WaitOption                                                 = scriptix.ExpectDuration
	_ func(func(sent, total int64)) scriptix.SubmitOption                                     = scriptix.OnProgress
	_ func(func(context.Context, string) error) scriptix.SubmitOption                         = scriptix.OnUploadCreated
	_ func() scriptix.SubmitOption                                                            = scriptix.Resumable
	_ func(string) scriptix.SubmitOption                                                      = scriptix.ResumeUpload
	_ func(scriptix.Audio) string                                                             = scriptix.Audio.Name
	_ func(scriptix.Audio, context.Context) (io.ReadCloser, int64, error)                     = scriptix.Audio.Open
	_ func(string) scriptix.Audio                                                             = scriptix.File
	_ func(fs.FS, string) scriptix.Audio                                                      = scriptix.FileFS
	_ func(string, []byte) scriptix.Audio                                                     = scriptix.Bytes
	_ func(string, io.ReaderAt, int64) scriptix.Audio                                         = scriptix.ReaderAt
	_ func(string, io.Reader) scriptix.Audio                                                  = scriptix.Reader
	_ func(string, int64, func(context.Context, int64) (io.ReadCloser, error)) scriptix.Audio = scriptix.Opener
	_ func(scriptix.Status) bool                                                              = scriptix.Status.Terminal
	_ func(scriptix.Status) bool                                                              = scriptix.Status.Succeeded

	_ func(string, []byte) string                                                                                    = webhook.Sign
	_ func([]byte, string, ...string) error                                                                          = webhook.Verify
	_ func(...string) (*webhook.Verifier, error)                                                                     = webhook.NewVerifier
	_ func(*webhook.Verifier, []byte, string) error                                                                  = (*webhook.Verifier).Verify
	_ func([]byte) (webhook.Event, error)                                                                            = webhook.Parse
	_ func(func(context.Context, webhook.Event) error, []string, ...webhook.HandlerOption) (*webhook.Handler, error) = webhook.NewHandler
	_ func(int) webhook.HandlerOption                                                                                = webhook.MaxInFlight
	_ func(func(*http.Request, error)) webhook.HandlerOption                                                         = webhook.OnReject
	_ http.Handler                                                                                                   = (*webhook.Handler)(nil)

	_ func(...scriptixtest.Option) (*scriptixtest.Server, error)                 = scriptixtest.Start
	_ func(scriptixtest.TB, ...scriptixtest.Option) *scriptixtest.Server         = scriptixtest.New
	_ func() scriptixtest.Option                                                 = scriptixtest.InMemory
	_ func(*scriptixtest.Server) string                                          = (*scriptixtest.Server).URL
	_ func(*scriptixtest.Server) string                                          = (*scriptixtest.Server).APIKey
	_ func(*scriptixtest.Server) string                                          = (*scriptixtest.Server).WebhookSecret
	_ func(*scriptixtest.Server) *http.Client                                    = (*scriptixtest.Server).HTTPClient
	_ func(*scriptixtest.Server, string, http.Handler)                           = (*scriptixtest.Server).Handle
	_ func(*scriptixtest.Server) []scriptixtest.Job                              = (*scriptixtest.Server).Jobs
	_ func(*scriptixtest.Server) []scriptixtest.Request                          = (*scriptixtest.Server).Requests
	_ func(*scriptixtest.Server, func(scriptixtest.Upload) scriptixtest.Outcome) = (*scriptixtest.Server).Script
	_ func(*scriptixtest.Server, scriptixtest.Fault)                             = (*scriptixtest.Server).Fault
	_ scriptixtest.TB                                                            = (*testing.T)(nil)
)

var (
	_ = scriptix.RetryPolicy{MaxAttempts: 1, MinWait: time.Second, MaxWait: time.Second, MaxRetryAfter: time.Second}
	_ = []scriptix.Limits{{PerMinute: 1, PerHour: 1, PerDay: 1, Concurrent: 1}, scriptix.PlanFree, scriptix.PlanBronze, scriptix.PlanSilver, scriptix.PlanGold}
	_ = scriptix.SubmitParams{Language: "", Diarization: true, Timestamps: scriptix.TimestampsWord, Model: "", GlossaryID: int64(1), WebhookURL: "", Extra: url.Values{}}
	_ = scriptix.Job{ID: "", Status: scriptix.Status(""), Progress: 0, DocumentID: "", Language: "", Duration: time.Second, CreatedAt: time.Time{}, Failure: "", Source: scriptix.SourcePoll, Raw: json.RawMessage{}}
	_ = scriptix.Transcript{JobID: "", DocumentID: "", Language: "", Text: "", Duration: time.Second, Segments: []scriptix.Segment{}, Speakers: []scriptix.Speaker{}, Raw: json.RawMessage{}}
	_ = scriptix.Segment{Start: time.Second, End: time.Second, Text: "", Speaker: "", Confidence: 0.5, Words: []scriptix.Word{}}
	_ = []scriptix.Source{scriptix.SourceSubmit, scriptix.SourcePoll, scriptix.SourceWebhook}
	_ = []scriptix.Timestamps{scriptix.TimestampsSegment, scriptix.TimestampsWord}
	_ = scriptix.Error{Op: "", JobID: "", StatusCode: 0, Code: "", Message: "", Fields: map[string]string{}, RequestID: "", RetryAfter: time.Second, Attempts: 0, Err: nil}
	_ = scriptix.UnknownOutcomeError{Sent: int64(1), Size: int64(1), Err: nil}
	_ = scriptix.JobFailedError{Job: scriptix.Job{}}
	_ = scriptix.WaitError{JobID: "", Last: scriptix.Status("")}
	_ = scriptix.UploadInterruptedError{UploadURL: "", Offset: int64(1), Size: int64(1)}
	_ = webhook.Event{Type: webhook.EventType(""), Timestamp: time.Time{}, Data: webhook.Data{ID: "", Status: "", DocumentID: "", Duration: time.Second, Language: "", Error: ""}, Raw: []byte{}, Target: ""}
	_ = []webhook.EventType{webhook.TranscriptionCompleted, webhook.TranscriptionFailed}
	_ = scriptixtest.Fault{On: scriptixtest.Submit, Cut: scriptixtest.AfterBody, Status: 500, Body: "", RetryAfter: "1", Delay: time.Second}
	_ = []scriptixtest.Cut{scriptixtest.BeforeBody, scriptixtest.WithinBody, scriptixtest.AfterBody}
)

// budget and permit are what a caller's own budget has to be.
type (
	budget struct{}
	permit struct{}
)

func (budget) Acquire(context.Context, scriptix.Class) (scriptix.Permit, error) { return permit{}, nil }
func (permit) Done(scriptix.RateInfo)                                           {}

var _ scriptix.Budget = budget{}

func TestTheSentinelsAreAllDifferent(t *testing.T) {
	t.Parallel()
	all := []error{
		scriptix.ErrUnauthorized, scriptix.ErrQuota, scriptix.ErrForbidden, scriptix.ErrNotFound, scriptix.ErrConflict, scriptix.ErrTooLarge, scriptix.ErrInvalid,
		scriptix.ErrRateLimited, scriptix.ErrServer, scriptix.ErrUnknownOutcome, scriptix.ErrAudio, scriptix.ErrBudget, scriptix.ErrBadAnswer,
		scriptix.ErrNotReady, scriptix.ErrJobFailed, scriptix.ErrWaitEnded,
		webhook.ErrNoSecret, webhook.ErrNoSignature, webhook.ErrMalformedSignature, webhook.ErrMismatch, webhook.ErrPayload,
	}
	texts := make(map[string]bool)
	for _, err := range all {
		texts[err.Error()] = true
	}
	assert.Len(t, texts, len(all))
	assert.Equal(t, "X-Scriptix-Signature", webhook.SignatureHeader)
}
