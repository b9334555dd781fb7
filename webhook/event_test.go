package webhook_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/scriptix-io/scriptix-go/webhook"
	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	t.Parallel()
	at := time.Date(2025, 1, 17, 10, 30, 0, 0, time.UTC)
	done := webhook.Data{ID: "stt_abc123", Status: "completed", DocumentID: "456", Duration: time.Hour, Language: "en"}
	for _, c := range []struct {
		name, payload string
		want          webhook.Event
	}{
		{
			"the documented payload",
			`{"event": "transcription.completed", "timestamp": "2025-01-17T10:30:00Z",
			  "data": {"id": "stt_abc123", "status": "completed", "document_id": 456, "duration_seconds": 3600, "language": "en"}}`,
			webhook.Event{Type: webhook.TranscriptionCompleted, Timestamp: at, Data: done},
		},
		{
			"the same in an envelope, twice",
			`{"count": 1, "total_results": 1, "result": {"event": "transcription.completed", "timestamp": "2025-01-17T10:30:00Z",
			  "data": {"result": {"id": "stt_abc123", "status": "completed", "document_id": "456", "duration_seconds": "3600", "language": "en"}}}}`,
			webhook.Event{Type: webhook.TranscriptionCompleted, Timestamp: at, Data: done},
		},
		{
			"a result beside the event is no envelope",
			`{"event": "transcription.completed", "data": {"id": "a", "result": {"id": "b"}}, "result": {"event": "x"}}`,
			webhook.Event{Type: webhook.TranscriptionCompleted, Data: webhook.Data{ID: "a"}},
		},
		{
			"the least there is",
			`{"event":"transcription.completed","data":{"id":"a"}}`,
			webhook.Event{Type: webhook.TranscriptionCompleted, Data: webhook.Data{ID: "a"}},
		},
		{
			"null wherever it may stand",
			`{"event":"transcription.failed","timestamp":null,"result":null,"data":{"id":"a","status":null,"document_id":null,"duration_seconds":null,"language":null,"error":null}}`,
			webhook.Event{Type: webhook.TranscriptionFailed, Data: webhook.Data{ID: "a"}},
		},
		{
			"odd types are their zero value",
			`{"event":"transcription.failed","timestamp":{},"data":{"id":"a","status":true,"document_id":[1],"duration_seconds":{},"language":false,"error":true}}`,
			webhook.Event{Type: webhook.TranscriptionFailed, Data: webhook.Data{ID: "a"}},
		},
		{
			"numbers keep their digits",
			`{ "event" : "transcription.completed" , "data" : { "id" : 12345678901234567890 , "document_id" : 9007199254740993 } }`,
			webhook.Event{Type: webhook.TranscriptionCompleted, Data: webhook.Data{ID: "12345678901234567890", DocumentID: "9007199254740993"}},
		},
		{
			"an offset becomes UTC",
			`{"event":"ping","timestamp":"2025-01-17T12:30:00.25+02:00"}`,
			webhook.Event{Type: "ping", Timestamp: at.Add(250 * time.Millisecond)},
		},
		{"a timestamp in words is zero", `{"event":"ping","timestamp":"yesterday"}`, webhook.Event{Type: "ping"}},
		{"a timestamp as a number is zero", `{"event":"ping","timestamp":1737109800}`, webhook.Event{Type: "ping"}},
		{"an unknown event without data", `{"event":"ping"}`, webhook.Event{Type: "ping"}},
		{"an unknown event with odd data", `{"event":"ping","data":["a"]}`, webhook.Event{Type: "ping"}},
		{"an unknown event with a job", `{"event":"glossary.ready","data":{"id":"g1"}}`, webhook.Event{Type: "glossary.ready", Data: webhook.Data{ID: "g1"}}},
		{"an unknown event that begins alike", `{"event":"transcriptions"}`, webhook.Event{Type: "transcriptions"}},
		{"a null result is no envelope", `{"event":"ping","data":{"status":"up","result":null}}`, webhook.Event{Type: "ping", Data: webhook.Data{Status: "up"}}},
		{"an unknown event of a transcription", `{"event":"transcription.progress","data":{"id":"a"}}`, webhook.Event{Type: "transcription.progress", Data: webhook.Data{ID: "a"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.want.Raw = []byte(c.payload)
			got, err := webhook.Parse([]byte(c.payload))
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

func TestParseReadsTheDuration(t *testing.T) {
	t.Parallel()
	for wire, want := range map[string]time.Duration{
		`3600`:       time.Hour,
		`12.3`:       12300 * time.Millisecond,
		`0.0000001`:  100 * time.Nanosecond,
		`1e2`:        100 * time.Second,
		`"90"`:       90 * time.Second,
		`" 1.5 "`:    1500 * time.Millisecond,
		`0`:          0,
		`-1`:         0,
		`1e300`:      0,
		`9223372037`: 0, // one second more than a time.Duration holds
		`9223372036`: 9223372036 * time.Second,
		`1e999`:      0,
		`"NaN"`:      0,
		`"+Inf"`:     0,
		`"1:30"`:     0,
		`""`:         0,
		`[60]`:       0,
	} {
		t.Run(wire, func(t *testing.T) {
			t.Parallel()
			e, err := webhook.Parse([]byte(`{"event":"transcription.completed","data":{"id":"a","duration_seconds":` + wire + `}}`))
			require.NoError(t, err)
			require.Equal(t, want, e.Data.Duration)
		})
	}
}

func TestParseFindsWhyAJobFailed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, event, data, want string }{
		{"a string", "transcription.failed", `"error":"no speech"`, "no speech"},
		{"an object with a message", "transcription.failed", `"error":{"code":17,"message":"no speech"}`, "no speech"},
		{"an object with a code alone", "transcription.failed", `"error":{"code":"NO_SPEECH"}`, "NO_SPEECH"},
		{"an object that says nothing, and a message", "transcription.failed", `"error":{},"message":"no speech"`, "no speech"},
		{"a message", "transcription.failed", `"message":"no speech"`, "no speech"},
		{"an error message", "transcription.failed", `"error_message":"no speech"`, "no speech"},
		{"a null error beside a message", "transcription.failed", `"error":null,"message":"no speech"`, "no speech"},
		{"a number", "transcription.failed", `"error":17`, "17"},
		{"nothing", "transcription.failed", `"status":"failed"`, ""},
		{"another event, but the status says so", "transcription.ended", `"status":"error","error":"no speech"`, "no speech"},
		{"a message beside a success", "transcription.completed", `"status":"completed","message":"done"`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e, err := webhook.Parse([]byte(`{"event":"` + c.event + `","data":{"id":"a",` + c.data + `}}`))
			require.NoError(t, err)
			require.Equal(t, c.want, e.Data.Error)
		})
	}
}

var unreadable = map[string]string{
	"nothing":                         ``,
	"null":                            `null`,
	"an array":                        `[]`,
	"a string":                        `"transcription.completed"`,
	"cut":                             `{"event":"ping"`,
	"something behind it":             `{"event":"ping"}{}`,
	"no event":                        `{"data":{"id":"a"}}`,
	"an empty event":                  `{"event":""}`,
	"a blank event":                   `{"event":" "}`,
	"a null event":                    `{"event":null}`,
	"an event that is no word":        `{"event":{"name":"ping"}}`,
	"an empty envelope":               `{"result":{}}`,
	"a job without data":              `{"event":"transcription.completed"}`,
	"a job without an id":             `{"event":"transcription.failed","data":{"status":"failed"}}`,
	"a job with a blank id":           `{"event":"transcription.completed","data":{"id":" "}}`,
	"a job with a null id":            `{"event":"transcription.completed","data":{"id":null}}`,
	"a job whose data is no object":   `{"event":"transcription.completed","data":"a"}`,
	"an unknown word about a job":     `{"event":"transcription.progress","data":{}}`,
	"the unsigned dialect's callback": `{"sessionId":"a","documentId":"b"}`,
	"deeper than any parser goes":     strings.Repeat(`{"result":`, 20000),
}

func TestParseRefusesWhatIsNoEvent(t *testing.T) {
	t.Parallel()
	for name, payload := range unreadable {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, err := webhook.Parse([]byte(payload))
			require.ErrorIs(t, err, webhook.ErrPayload)
			require.Zero(t, e)
		})
	}
}

func TestAnEventSharesNoMemoryWithThePayload(t *testing.T) {
	t.Parallel()
	const payload = `{"event":"ping"}`
	buffer := []byte(payload)
	e, err := webhook.Parse(buffer)
	require.NoError(t, err)
	clear(buffer)
	require.Equal(t, payload, string(e.Raw))
	require.Equal(t, webhook.EventType("ping"), e.Type)
}

func FuzzParse(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add(v.payload(f))
	}
	for _, payload := range unreadable {
		f.Add([]byte(payload))
	}
	f.Add([]byte(`{"result":{"event":"transcription.failed","data":{"id":1,"duration_seconds":"1e9","error":{"message":"x"}}}}`))
	f.Fuzz(func(t *testing.T, payload []byte) {
		e, err := webhook.Parse(payload)
		if err != nil {
			require.ErrorIs(t, err, webhook.ErrPayload)
			require.Zero(t, e)
			return
		}
		require.True(t, json.Valid(payload))
		require.Equal(t, byte('{'), bytes.TrimLeft(payload, " \t\r\n")[0])
		require.NotEmpty(t, strings.TrimSpace(string(e.Type)))
		require.True(t, !strings.HasPrefix(string(e.Type), "transcription.") || e.Data.ID != "")
		require.GreaterOrEqual(t, e.Data.Duration, time.Duration(0))
		require.Equal(t, time.UTC, e.Timestamp.Location())
		require.Empty(t, e.Target)
		require.True(t, bytes.Equal(payload, e.Raw))
		again, err := webhook.Parse(e.Raw)
		require.NoError(t, err)
		require.Equal(t, e, again)
	})
}
