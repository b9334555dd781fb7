package scriptix_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/webhook"
)

func TestBytesFromOutsideAreReadAsTheyAreMeant(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		body string
		id   string
	}{
		"a byte order mark":              {"\xef\xbb\xbf" + `{"id":"stt_1","status":"queued"}`, "stt_1"},
		"a byte order mark and a blank":  {"\xef\xbb\xbf\r\n" + `{"id":"stt_1","status":"queued"}`, "stt_1"},
		"UTF-16, the low byte first":     {utf16(`{"id":"stt_1","status":"queued"}`, 0), "stt_1"},
		"UTF-16, the high byte first":    {utf16(`{"id":"stt_1","status":"queued"}`, 1), "stt_1"},
		"an id as a number":              {`{"id":456,"status":"queued"}`, "456"},
		"an id with a fraction of zero":  {`{"id":456.0,"status":"queued"}`, "456"},
		"an id with an exponent":         {`{"id":1e3,"status":"queued"}`, "1000"},
		"an id with both":                {`{"id":4.560E+2,"status":"queued"}`, "456"},
		"an id with a negative exponent": {`{"id":45600e-2,"status":"queued"}`, "456"},
		"a large id":                     {`{"id":12345678901234567890,"status":"queued"}`, "12345678901234567890"},
		"an id that is none of these":    {`{"id":1.5,"status":"queued"}`, "1.5"},
		"an id within blanks":            {`{"id":" stt_1\n","status":"queued"}`, "stt_1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := answering(t, http.StatusCreated, nil, tt.body)
			job, err := c.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), english)
			require.NoError(t, err)
			assert.Equal(t, tt.id, job.ID)

			job, err = answering(t, http.StatusOK, nil, tt.body).STT.Status(t.Context(), tt.id)
			require.NoError(t, err)
			assert.Equal(t, scriptix.StatusQueued, job.Status)
		})
	}
}

// utf16 is an ASCII text in UTF-16 with its byte order mark.
func utf16(text string, low int) string {
	out := []byte{0xff, 0xfe}
	if low == 1 {
		out = []byte{0xfe, 0xff}
	}
	for _, b := range []byte(text) {
		unit := [2]byte{}
		unit[low] = b
		out = append(out, unit[:]...)
	}
	return string(out)
}

func TestCallbackIsReadAsItIsMeantToo(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"456", "456.0", "4.56e2", `"456"`} {
		event, err := webhook.Parse([]byte("\xef\xbb\xbf" + `{"event":"transcription.completed","data":{"id":` + id + `,"status":"completed","document_id":1e3}}`))
		require.NoError(t, err)
		assert.Equal(t, "456", event.Data.ID)
		assert.Equal(t, "1000", event.Data.DocumentID)
	}
}

func TestRoundTripperThatSaysNothingOfTheLengthIsRead(t *testing.T) {
	t.Parallel()
	client := &http.Client{Transport: trip(func(r *http.Request) (*http.Response, error) {
		if r.Body != nil {
			_, _ = io.Copy(io.Discard, r.Body)
		}
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(`{"id":"stt_1","status":"queued"}`))}, nil
	})}
	c, err := scriptix.New(testKey, scriptix.WithBaseURL("http://127.0.0.1:1"), scriptix.WithHTTPClient(client))
	require.NoError(t, err)

	job, err := c.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), english)

	require.NoError(t, err)
	assert.Equal(t, "stt_1", job.ID)
}

func TestWhatCannotBeReadOfATranscriptCostsNothingElse(t *testing.T) {
	t.Parallel()
	const segment = `{"start":0,"end":1.5,"text":"hello there","words":%s}`
	for name, tt := range map[string]struct {
		body  string
		text  string // of the transcript
		first string // of the first segment
		words int
	}{
		"words as lists":                {fmt.Sprintf(`{"transcript":"all","segments":[`+segment+`]}`, `[["hello",0,0.5],["there",0.5,1]]`), "all", "hello there", 0},
		"words as strings":              {fmt.Sprintf(`{"transcript":"all","segments":[`+segment+`]}`, `["hello","there"]`), "all", "hello there", 0},
		"words as an object":            {fmt.Sprintf(`{"transcript":"all","segments":[`+segment+`]}`, `{"0":"hello"}`), "all", "hello there", 0},
		"words as text":                 {fmt.Sprintf(`{"transcript":"all","segments":[`+segment+`]}`, `"hello there"`), "all", "hello there", 0},
		"one odd word":                  {fmt.Sprintf(`{"transcript":"all","segments":[`+segment+`]}`, `[{"word":"hello"},7,null,{"word":"there"}]`), "all", "hello there", 2},
		"odd times":                     {fmt.Sprintf(`{"transcript":"all","segments":[`+segment+`]}`, `[{"word":"hello","start":"0.5","end":null,"confidence":[]}]`), "all", "hello there", 1},
		"an odd segment":                {`{"transcript":"all","segments":[7,"x",null,[1],{"text":"hello"}]}`, "all", "hello", 0},
		"segments as an object":         {`{"transcript":"all","segments":{"0":{"text":"hello"}}}`, "all", "", 0},
		"segments as text":              {`{"transcript":"all","segments":"hello"}`, "all", "", 0},
		"speakers as an object":         {`{"transcript":"all","segments":[{"text":"hello"}],"speakers":{"a":1}}`, "all", "hello", 0},
		"a transcript as an object":     {`{"transcript":{"text":"all"}}`, "all", "", 0},
		"a transcript as a list":        {`{"transcript":["all","of it"]}`, "all of it", "", 0},
		"a transcript as segments":      {`{"transcript":[{"start":0,"end":1,"text":"hello"}]}`, "", "hello", 0},
		"a transcript with its own":     {`{"transcript":{"text":"all","segments":[{"text":"hello"}]}}`, "all", "hello", 0},
		"an odd one beside segments":    {`{"transcript":{"a":1},"segments":[{"text":"hello"}]}`, "", "hello", 0},
		"segments as strings":           {`{"segments":["all","of it"]}`, "all of it", "", 0},
		"an envelope":                   {`{"count":1,"result":{"transcript":"all","segments":[{"text":"hello"}]}}`, "all", "hello", 0},
		"a byte order mark":             {"\xef\xbb\xbf" + `{"transcript":"all"}`, "all", "", 0},
		"a text that is a number":       {`{"transcript":"all","segments":[{"text":42}]}`, "all", "42", 0},
		"a duration of another kind":    {`{"transcript":"all","duration_seconds":{"a":1},"document_id":[1],"language":7}`, "all", "", 0},
		"silence":                       {`{"status":"completed","transcript":"","segments":[]}`, "", "", 0},
		"silence, without its segments": {`{"status":"completed","transcript":""}`, "", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			transcript, err := answering(t, http.StatusOK, nil, tt.body).STT.Result(t.Context(), "stt_1")
			require.NoError(t, err)
			assert.Equal(t, tt.text, transcript.Text)
			if tt.first == "" {
				assert.Empty(t, transcript.Segments)
				return
			}
			require.NotEmpty(t, transcript.Segments)
			assert.Equal(t, tt.first, transcript.Segments[0].Text)
			assert.Len(t, transcript.Segments[0].Words, tt.words)
		})
	}
}

func TestPaidTranscriptIsWithinReachWhateverItIs(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"no text anywhere":       `{"id":"stt_1","status":"completed","transcript":{"a":1}}`,
		"segments of no text":    `{"id":"stt_1","status":"completed","segments":[[0,1,"hello"]]}`,
		"nothing known":          `{"id":"stt_1","status":"completed","utterances":[{"t":"hello"}]}`,
		"NaN":                    `{"id":"stt_1","status":"completed","transcript":"hello","segments":[{"confidence":NaN}]}`,
		"no JSON":                "1\n00:00:00,000 --> 00:00:01,000\nhello\n",
		"a list":                 `["hello"]`,
		"binary":                 "\x00\x01\xff\xfe\x00",
		"a text of another kind": `"hello"`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := answering(t, http.StatusOK, nil, body)

			raw, err := c.STT.RawResult(t.Context(), "stt_1")
			require.NoError(t, err)
			assert.Equal(t, body, string(raw))

			_, err = c.STT.Result(t.Context(), "stt_1")
			require.ErrorIs(t, err, scriptix.ErrBadAnswer)
			e := failure(t, err)
			assert.Equal(t, body, string(e.RawBody()))
			for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
				assert.NotContains(t, fmt.Sprintf(verb, *e), "hello")
				assert.NotContains(t, fmt.Sprintf(verb, e), "hello")
			}
			encoded, err := e.MarshalJSON()
			require.NoError(t, err)
			assert.NotContains(t, string(encoded), "hello")
		})
	}
}

func TestRawResultFailsAsResultDoes(t *testing.T) {
	t.Parallel()
	_, err := answering(t, http.StatusNotFound, nil, "").STT.RawResult(t.Context(), "stt_1")
	require.ErrorIs(t, err, scriptix.ErrNotReady)
	require.ErrorIs(t, err, scriptix.ErrNotFound)
	_, err = answering(t, http.StatusAccepted, nil, "{}").STT.RawResult(t.Context(), "stt_1")
	require.ErrorIs(t, err, scriptix.ErrNotReady)
	_, err = answering(t, http.StatusOK, nil, "{}").STT.RawResult(t.Context(), "")
	require.ErrorIs(t, err, scriptix.ErrInvalid)
	_, err = answering(t, http.StatusUnauthorized, nil, `{"message":"no"}`).STT.RawResult(t.Context(), "stt_1")
	require.ErrorIs(t, err, scriptix.ErrUnauthorized)
	assert.Nil(t, failure(t, err).RawBody())
}

func TestWordsOfARefusalAreRead(t *testing.T) {
	t.Parallel()
	fields := map[string]string{"language": "is unknown"}
	for name, tt := range map[string]struct {
		body    string
		message string
		fields  map[string]string
	}{
		"detail as a list of loc and msg":     {`{"detail":[{"loc":["body","language"],"msg":"is unknown","type":"value_error"}]}`, "is unknown", fields},
		"detail with a deeper loc":            {`{"detail":[{"loc":["body","options",0,"language"],"msg":"is unknown"}]}`, "is unknown", map[string]string{"options.0.language": "is unknown"}},
		"detail as a list of texts":           {`{"detail":["is unknown","is empty"]}`, "is unknown; is empty", nil},
		"detail as an object":                 {`{"detail":{"language":["is unknown"]}}`, "is unknown", fields},
		"details as a list":                   {`{"details":[{"field":"language","issue":"is unknown"}]}`, "is unknown", fields},
		"details as a list of texts":          {`{"error":"Validation Error","details":["the language is unknown"]}`, "Validation Error: the language is unknown", nil},
		"details as a text":                   {`{"details":"the language is unknown"}`, "the language is unknown", nil},
		"details as a text beside an error":   {`{"error":"Validation Error","details":"the language is unknown"}`, "Validation Error: the language is unknown", nil},
		"errors as a list":                    {`{"errors":[{"field":"language","message":"is unknown"}]}`, "is unknown", fields},
		"errors as a list of texts":           {`{"errors":["the language is unknown"]}`, "the language is unknown", nil},
		"errors as a map of lists":            {`{"errors":{"language":["is unknown"]}}`, "is unknown", fields},
		"errors as a map of texts":            {`{"message":"invalid","errors":{"language":"is unknown"}}`, "invalid", fields},
		"errors of JSON:API":                  {`{"errors":[{"title":"Invalid","detail":"is unknown","source":{"parameter":"language"}}]}`, "is unknown", fields},
		"error as a list":                     {`{"error":["the language is unknown"]}`, "the language is unknown", nil},
		"error as a list of objects":          {`{"error":[{"field":"language","message":"is unknown"}]}`, "is unknown", fields},
		"message as an object":                {`{"message":{"language":["is unknown"]}}`, "is unknown", fields},
		"message as an object with words":     {`{"message":{"text":"the language is unknown","code":"E1"}}`, "the language is unknown", nil},
		"message as a list":                   {`{"message":["the language is unknown"]}`, "the language is unknown", nil},
		"error_message":                       {`{"error_message":"the language is unknown"}`, "the language is unknown", nil},
		"err":                                 {`{"err":"the language is unknown"}`, "the language is unknown", nil},
		"err as an object":                    {`{"err":{"message":"the language is unknown"}}`, "the language is unknown", nil},
		"a problem of RFC 9457":               {`{"type":"about:blank","title":"Invalid","detail":"the language is unknown","status":422}`, "the language is unknown", nil},
		"a byte order mark":                   {"\xef\xbb\xbf" + `{"message":"the language is unknown"}`, "the language is unknown", nil},
		"a field that is called as words are": {`{"message":"invalid","details":{"title":"is too long"}}`, "invalid", map[string]string{"title": "is too long"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := answering(t, http.StatusUnprocessableEntity, nil, tt.body).STT.Status(t.Context(), "stt_1")
			e := failure(t, err)
			assert.Equal(t, tt.message, e.Message)
			assert.Equal(t, tt.fields, e.Fields)
		})
	}
}

func TestFractionsOfRetryAfterRoundUp(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]time.Duration{"1.9": 2 * time.Second, "0.4": time.Second, "3.0": 3 * time.Second, "2": 2 * time.Second} {
		for name, c := range map[string]*scriptix.Client{
			"header": answering(t, http.StatusTooManyRequests, http.Header{"Retry-After": {value}}, `{"error":"slow"}`),
			"body":   answering(t, http.StatusTooManyRequests, nil, `{"error":"slow","retry_after":`+value+`}`),
			"text":   answering(t, http.StatusTooManyRequests, nil, `{"error":"slow","retry_after":"`+value+`"}`),
		} {
			_, err := c.STT.Status(t.Context(), "stt_1")
			assert.Equal(t, want, failure(t, err).RetryAfter, name+" "+value)
		}
	}
}

func TestTranscriptKeepsWhatCame(t *testing.T) {
	t.Parallel()
	const body = `{"id":"stt_1","status":"completed","transcript":"hello","future":{"a":[1,2]}}`
	transcript, err := answering(t, http.StatusOK, nil, "\xef\xbb\xbf"+body+"\n").STT.Result(t.Context(), "stt_1")
	require.NoError(t, err)
	assert.True(t, bytes.Equal([]byte(body), transcript.Raw))
}

// failure is the *Error in an error.
func failure(t *testing.T, err error) *scriptix.Error {
	t.Helper()
	e, ok := errors.AsType[*scriptix.Error](err)
	require.True(t, ok, "%v", err)
	return e
}
