package scriptix_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
)

func TestAJobIsReadInEveryFormTheServiceSends(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		body string
		want scriptix.Job
	}{
		{
			"the reference", `{"id":"stt_1","status":"completed","progress":100,"document_id":456,"language":"en","duration_seconds":3600,"created_at":"2025-01-17T10:00:00Z"}`,
			scriptix.Job{ID: "stt_1", Status: "completed", Progress: 100, DocumentID: "456", Language: "en", Duration: time.Hour, CreatedAt: time.Date(2025, 1, 17, 10, 0, 0, 0, time.UTC)},
		},
		{"nulls", `{"id":"stt_1","status":"processing","progress":null,"document_id":null,"created_at":null}`, scriptix.Job{ID: "stt_1", Status: "processing"}},
		{"strings for numbers", `{"id":"stt_1","status":"processing","progress":"41.7","document_id":"doc_6","duration_seconds":"1.5"}`, scriptix.Job{ID: "stt_1", Status: "processing", Progress: 41, DocumentID: "doc_6", Duration: 1500 * time.Millisecond}},
		{"progress out of range", `{"id":"stt_1","status":"processing","progress":170}`, scriptix.Job{ID: "stt_1", Status: "processing", Progress: 100}},
		{"no id", `{"status":"queued"}`, scriptix.Job{ID: "stt_1", Status: "queued"}},
		{"an envelope", `{"count":1,"total_results":1,"result":{"id":"stt_1","status":"done"}}`, scriptix.Job{ID: "stt_1", Status: "done"}},
		{"a bare envelope", `{"result":{"id":"stt_1","status":"new"}}`, scriptix.Job{ID: "stt_1", Status: "new"}},
		{"an unknown word", `{"id":"stt_1","status":"dreaming"}`, scriptix.Job{ID: "stt_1", Status: "dreaming"}},
		{"a failure as a string", `{"id":"stt_1","status":"failed","error":"too loud"}`, scriptix.Job{ID: "stt_1", Status: "failed", Failure: "too loud"}},
		{"a failure as an object", `{"id":"stt_1","status":"error","error":{"message":"too loud"}}`, scriptix.Job{ID: "stt_1", Status: "error", Failure: "too loud"}},
		{"a failure as a message", `{"id":"stt_1","status":"failed","message":"too loud"}`, scriptix.Job{ID: "stt_1", Status: "failed", Failure: "too loud"}},
		{"a failure as an error message", `{"id":"stt_1","status":"failed","error_message":"too loud"}`, scriptix.Job{ID: "stt_1", Status: "failed", Failure: "too loud"}},
		{"a message of a job that runs", `{"id":"stt_1","status":"processing","message":"on it"}`, scriptix.Job{ID: "stt_1", Status: "processing"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			job, err := answering(t, 200, nil, tt.body).STT.Status(t.Context(), "stt_1")
			require.NoError(t, err)
			tt.want.Source, tt.want.Raw = scriptix.SourcePoll, json.RawMessage(tt.body)
			assert.Equal(t, &tt.want, job)
		})
	}
}

func TestAStatusOfAnotherJobIsNoAnswer(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{"id":"stt_2","status":"completed"}`, `[]`, `"completed"`, `{"id":"stt_1"}`} {
		_, err := answering(t, 200, nil, body).STT.Status(t.Context(), "stt_1")
		require.ErrorIs(t, err, scriptix.ErrBadAnswer, body)
	}
}

func TestStatusWordsMeanWhatTheyMean(t *testing.T) {
	t.Parallel()
	for status, want := range map[scriptix.Status][2]bool{
		"uploaded": {}, "processing": {}, "queued": {}, "new": {}, "created": {}, "": {}, "whatever": {},
		"completed": {true, true}, "done": {true, true}, "finished": {true, true}, "Completed": {true, true},
		"failed": {true, false}, "error": {true, false},
	} {
		assert.Equal(t, want, [2]bool{status.Terminal(), status.Succeeded()}, status)
	}
}

const documentedResult = `{"id":"stt_1","document_id":456,"status":"completed","language":"en","duration_seconds":3600,
 "transcript":"Hello, welcome.","segments":[
  {"start":0.0,"end":2.5,"text":"Hello,","speaker":"Speaker 1","confidence":0.95,"words":[{"word":"Hello,","start":0,"end":1.25,"confidence":0.9,"speaker":"Speaker 1"}]},
  {"start":2.5,"end":59.9996,"text":"welcome."}],
 "speakers":[{"id":"Speaker 1","segments_count":45}]}`

func TestATranscriptIsReadAsDocumented(t *testing.T) {
	t.Parallel()
	got, err := answering(t, 200, nil, documentedResult).STT.Result(t.Context(), "stt_1")
	require.NoError(t, err)
	want := &scriptix.Transcript{
		JobID: "stt_1", DocumentID: "456", Language: "en", Text: "Hello, welcome.", Duration: time.Hour,
		Segments: []scriptix.Segment{
			{
				End: 2500 * time.Millisecond, Text: "Hello,", Speaker: "Speaker 1", Confidence: 0.95,
				Words: []scriptix.Word{{End: 1250 * time.Millisecond, Text: "Hello,", Speaker: "Speaker 1", Confidence: 0.9}},
			},
			{Start: 2500 * time.Millisecond, End: 59999600 * time.Microsecond, Text: "welcome."},
		},
		Speakers: []scriptix.Speaker{{ID: "Speaker 1", Segments: 45}},
		Raw:      json.RawMessage(documentedResult),
	}
	assert.Equal(t, want, got)

	encoded, err := json.Marshal(got)
	require.NoError(t, err)
	assert.JSONEq(t, `{"id":"stt_1","document_id":"456","language":"en","duration_seconds":3600,"transcript":"Hello, welcome.","segments":[
		{"start":0,"end":2.5,"text":"Hello,","speaker":"Speaker 1","confidence":0.95,"words":[{"word":"Hello,","start":0,"end":1.25,"confidence":0.9,"speaker":"Speaker 1"}]},
		{"start":2.5,"end":59.9996,"text":"welcome."}],"speakers":[{"id":"Speaker 1","segments_count":45}]}`, string(encoded))
	var again scriptix.Transcript
	require.NoError(t, json.Unmarshal(encoded, &again))
	again.Raw = got.Raw
	assert.Equal(t, *got, again, "it reads what it writes")
}

func TestATranscriptIsReadTolerantly(t *testing.T) {
	t.Parallel()
	words := func(start, end time.Duration) []scriptix.Segment {
		return []scriptix.Segment{{Words: []scriptix.Word{{Start: start, End: end, Text: "Hi"}}}}
	}
	const most = time.Duration(math.MaxInt64 / int64(time.Second) * int64(time.Second))
	tests := []struct {
		name, body string
		want       scriptix.Transcript
	}{
		{"in an envelope", `{"count":1,"result":{"id":"stt_1","transcript":"Hi."}}`, scriptix.Transcript{Text: "Hi."}},
		{"words called text", `{"segments":[{"words":[{"text":"Hi","start":"0.5","end":1}]}]}`, scriptix.Transcript{Segments: words(500*time.Millisecond, time.Second)}},
		{"times that are no times", `{"segments":[{"words":[{"word":"Hi","start":null,"end":"NaN"}]}]}`, scriptix.Transcript{Segments: words(0, 0)}},
		{"times beyond all measure", `{"segments":[{"words":[{"word":"Hi","start":-1,"end":1e300}]}]}`, scriptix.Transcript{Segments: words(-time.Second, most)}},
		{"nothing was said", `{"status":"completed","transcript":"","segments":[]}`, scriptix.Transcript{Segments: []scriptix.Segment{}}},
		{"a status between blanks", `{"status":" completed\n","transcript":"","segments":[]}`, scriptix.Transcript{Segments: []scriptix.Segment{}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := answering(t, 200, nil, tt.body).STT.Result(t.Context(), "stt_1")
			require.NoError(t, err)
			tt.want.JobID, tt.want.Raw = "stt_1", json.RawMessage(tt.body)
			assert.Equal(t, &tt.want, got)
		})
	}
}

func TestAResultThatIsNotThereYetSaysSo(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		status int
		body   string
		also   error
	}{
		{"404", 404, `{"error":"Not Found"}`, scriptix.ErrNotFound},
		{"409", 409, `{"error":"Conflict"}`, scriptix.ErrConflict},
		{"202", 202, `{"status":"processing"}`, nil},
		{"202 with nothing", 202, ``, nil},
		{"200 of a job that runs", 200, `{"id":"stt_1","status":"processing"}`, nil},
		{"200 of a job that runs, with no segments", 200, `{"id":"stt_1","status":"queued","segments":[]}`, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := answering(t, tt.status, nil, tt.body).STT.Result(t.Context(), "stt_1")
			require.ErrorIs(t, err, scriptix.ErrNotReady)
			require.ErrorContains(t, err, "stt_1")
			if tt.also != nil {
				require.ErrorIs(t, err, tt.also)
			}
		})
	}
}

func TestAResultThatIsNoneIsAnError(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, body string
		want       error
	}{
		{"of a failed job", `{"id":"stt_1","status":"failed","error":"no speech"}`, scriptix.ErrJobFailed},
		{"of another job", `{"id":"stt_2","transcript":"private"}`, scriptix.ErrBadAnswer},
		{"an empty object", `{}`, scriptix.ErrBadAnswer},
		{"a page", page, scriptix.ErrBadAnswer},
		{"segments that are none", `{"id":"stt_1","segments":{"a":1}}`, scriptix.ErrBadAnswer},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := answering(t, http.StatusOK, nil, tt.body).STT.Result(t.Context(), "stt_1")
			require.ErrorIs(t, err, tt.want)
			require.ErrorContains(t, err, "stt_1")
			assert.NotContains(t, err.Error(), "private")
		})
	}
	_, err := answering(t, 200, nil, "{}").STT.Result(t.Context(), "")
	require.ErrorIs(t, err, scriptix.ErrInvalid)
}

func TestAnAnswerLongerThanAnyMayBeIsNotRead(t *testing.T) {
	t.Parallel()
	c := answering(t, 200, nil, `{"id":"stt_1","status":"completed","x":"`+string(make([]byte, 2<<20))+`"}`)
	_, err := c.STT.Status(t.Context(), "stt_1")
	require.ErrorIs(t, err, scriptix.ErrBadAnswer)
	require.ErrorContains(t, err, "longer than any answer")
	_, err = answering(t, 200, http.Header{"X-Long": {strings.Repeat("x", 1<<20)}}, `{"status":"queued"}`).STT.Status(t.Context(), "stt_1")
	require.ErrorContains(t, err, "headers exceeded")

	// The bound holds for what a compressed answer holds.
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	for range 4 {
		_, err := z.Write(make([]byte, 1<<20))
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	_, err = answering(t, 200, http.Header{"Content-Encoding": {"gzip"}}, bomb.String()).STT.Status(t.Context(), "stt_1")
	require.ErrorContains(t, err, "longer than any answer")
}

func TestAJobIsWrittenAsDocumented(t *testing.T) {
	t.Parallel()
	encoded, err := json.Marshal(scriptix.Job{ID: "stt_1", Status: "failed", Progress: 7, DocumentID: "4", Language: "en", Duration: 1500 * time.Millisecond, CreatedAt: time.Date(2025, 1, 17, 10, 0, 0, 0, time.UTC), Failure: "no"})
	require.NoError(t, err)
	assert.JSONEq(t, `{"id":"stt_1","status":"failed","progress":7,"document_id":"4","language":"en","duration_seconds":1.5,"created_at":"2025-01-17T10:00:00Z","error":"no"}`, string(encoded))
	var job scriptix.Job
	require.NoError(t, json.Unmarshal(encoded, &job))
	assert.Equal(t, "no", job.Failure)
}

func TestAResultWithoutATranscriptIsNone(t *testing.T) {
	t.Parallel()
	for body, kind := range map[string]error{
		`{"id":"stt_1","status":"completed"}`:                               scriptix.ErrBadAnswer,
		`{"id":"stt_1"}`:                                                    scriptix.ErrBadAnswer,
		`{"id":"stt_1","status":"completed","transcript":null}`:             scriptix.ErrBadAnswer,
		`{"result":{"id":"stt_1","status":"completed","segments":null}}`:    scriptix.ErrBadAnswer,
		`{"id":"stt_1","status":"completed","transcript":""}`:               nil,
		`{"id":"stt_1","status":"completed","segments":[]}`:                 nil,
		`{"result":{"id":"stt_1","segments":[],"transcript":""},"count":1}`: nil,
		`{"id":"stt_1","status":"processing"}`:                              scriptix.ErrNotReady,
	} {
		c := answering(t, 200, nil, body)
		got, err := c.STT.Result(t.Context(), "stt_1")
		if kind == nil {
			require.NoError(t, err, body)
			assert.Equal(t, "stt_1", got.JobID)
			continue
		}
		require.ErrorIs(t, err, kind, body)
	}
}

func TestAResultThatSaysTheJobFailedIsAPollsWord(t *testing.T) {
	t.Parallel()
	c := answering(t, 200, nil, `{"id":"stt_1","status":"failed","error":"no speech","progress":40}`)

	_, err := c.STT.Result(t.Context(), "stt_1")

	failed, ok := errors.AsType[*scriptix.JobFailedError](err)
	require.True(t, ok)
	assert.Equal(t, "stt_1", failed.Job.ID)
	assert.Equal(t, "no speech", failed.Job.Failure)
	assert.Equal(t, scriptix.SourcePoll, failed.Job.Source)
}

func TestASpeakerThatIsANumberIsThatNumber(t *testing.T) {
	t.Parallel()
	var got scriptix.Transcript
	require.NoError(t, json.Unmarshal([]byte(`{"segments":[{"text":"a","speaker":10},{"text":"b","speaker":"0"},{"text":"c","speaker":101},{"text":"d","speaker":101}]}`), &got))
	var speakers []string
	for _, s := range got.Segments {
		speakers = append(speakers, s.Speaker)
	}
	assert.Equal(t, []string{"10", "0", "101", "101"}, speakers)
}
