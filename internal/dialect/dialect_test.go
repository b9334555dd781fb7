package dialect_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/internal/dialect"
)

type segment struct {
	dialect.Segment
	words []dialect.Word
}

func read(body string, unit time.Duration) (dialect.Result[segment], error) {
	return dialect.ReadResult([]byte(body), unit,
		func(w dialect.Word) dialect.Word { return w },
		func(s dialect.Segment, words []dialect.Word) segment { return segment{s, words} })
}

// answer is a result of one segment with the given tuples.
func answer(duration, tuples string) string {
	return `{"count":1,"result":{"session_id":"s","status":"done","duration":` + duration + `,"results":[{"result":[` + tuples + `],"speaker":"unk","text":"hi there","sconf":0.5,"channel":0}]}}`
}

func TestTheUnitOfWordTimesIsFoundOrTheAnswerRefused(t *testing.T) {
	t.Parallel()
	ms := time.Millisecond
	for name, c := range map[string]struct {
		duration, tuples string
		unit             time.Duration
		start, end       time.Duration // of the last word
		fails            bool
	}{
		"seconds":                                 {"60", `["a",0.5,0.9,1],["b",1.25,1.75,1]`, 0, 1250 * ms, 1750 * ms, false},
		"milliseconds":                            {"60", `["a",500,900],["b",1250,1750]`, 0, 1250 * ms, 1750 * ms, false},
		"milliseconds with a fraction":            {"60", `["a",500.0,900.0],["b",1250.0,1750.5]`, 0, 1250 * ms, 1750500 * time.Microsecond, false},
		"whole seconds":                           {"60", `["a",0,1],["b",1,1],["c",1,2]`, 0, time.Second, 2 * time.Second, false},
		"one word in seconds":                     {"0", `["a",0,3]`, 0, 0, 3 * time.Second, false},
		"one word in milliseconds":                {"0", `["a",0,300]`, 0, 0, 300 * ms, false},
		"a median of exactly 20":                  {"0", `["a",0,19],["b",20,41]`, 0, 20 * ms, 41 * ms, false},
		"a median just below":                     {"0", `["a",0,19],["b",20,40.9]`, 0, 20 * time.Second, 40900 * ms, false},
		"no length, and a fraction":               {"0", `["a",2.5,2.5]`, 0, 2500 * ms, 2500 * ms, false},
		"no length, and none":                     {"0", `["a",2500,2500]`, 0, 2500 * ms, 2500 * ms, false},
		"strings":                                 {"60", `["a","500","900"]`, 0, 500 * ms, 900 * ms, false},
		"a duration that contradicts seconds":     {"10", `["a",100,110],["b",5000,5010]`, 0, 0, 0, true},
		"a duration that contradicts thousandths": {"0.001", `["a",0,300]`, 0, 0, 0, false},
		"the caller names milliseconds":           {"10", `["a",100,110],["b",5000,5010]`, ms, 5000 * ms, 5010 * ms, false},
		"the caller names seconds":                {"10", `["a",1,2],["b",5000,5010]`, time.Second, time.Second, 2 * time.Second, false},
		"a duration of centuries":                 {"9e9", `["a",0.5,0.9]`, 0, 500 * ms, 900 * ms, false},
		"centuries, and a unit":                   {"9e9", `["a",500,900]`, ms, 500 * ms, 900 * ms, false},
		"one word far beyond":                     {"10", `["a",1,2],["b",1,2],["c",9e17,9e18]`, 0, time.Second, 2 * time.Second, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			result, err := read(answer(c.duration, c.tuples), c.unit)
			if c.fails {
				require.ErrorIs(t, err, dialect.ErrTimes)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, "hi there", result.Text)
			words := result.Segments[0].words
			if c.end == 0 && c.start == 0 {
				assert.Empty(t, words)
				return
			}
			last := words[len(words)-1]
			assert.Equal(t, [2]time.Duration{c.start, c.end}, [2]time.Duration{last.Start, last.End})
			assert.Equal(t, last.End, result.Segments[0].End)
		})
	}
}

func TestMalformedTuplesCostWordsAndNotText(t *testing.T) {
	t.Parallel()
	for name, tuples := range map[string]string{
		"short":         `["a"],["a",1],["ok",1,2]`,
		"long":          `["ok",1,2,0.9,"more",{}]`,
		"no text":       `[null,1,2],["ok",1,2]`,
		"objects":       `{"word":"a"},["ok",1,2]`,
		"texts":         `"a","b",["ok",1,2]`,
		"times as text": `["a","soon","later"],["ok",1,2]`,
		"negative":      `["a",-1,2],["ok",1,2]`,
		"huge":          `["a",1,1e400],["ok",1,2]`,
		"nulls":         `null,["a",null,2],["ok",1,2]`,
	} {
		result, err := read(answer("60", tuples), 0)
		require.NoError(t, err, name)
		assert.Equal(t, "hi there", result.Text, name)
		require.Len(t, result.Segments[0].words, 1, name)
		assert.Equal(t, "ok", result.Segments[0].words[0].Text, name)
	}
	result, err := read(`{"result":{"status":"done","results":[{"result":"none","text":"hi"},{"text":"there"},{"result":[["word",0.5,0.9]]}]}}`, 0)
	require.NoError(t, err)
	assert.Equal(t, "hi there word", result.Text)
}

func TestResultsThatAreNoListOfObjectsAreRefused(t *testing.T) {
	t.Parallel()
	for _, results := range []string{`{}`, `"text"`, `["text"]`, `[null]`, `[[1]]`, `7`} {
		_, err := read(`{"result":{"status":"done","results":`+results+`}}`, 0)
		require.ErrorIs(t, err, dialect.ErrNoResults, results)
	}
	result, err := read(`{"result":{"status":"done","results":[]}}`, 0)
	require.NoError(t, err)
	assert.True(t, result.Held)
	result, err = read(`{"result":{"status":"processing"}}`, 0)
	require.NoError(t, err)
	assert.False(t, result.Held)
	_, err = read(`{"result":{"status":4,"results":[]}}`, 0)
	require.Error(t, err, "an integer status says nothing")
}

func TestAStatusIsReadWithoutTheBlanksAroundIt(t *testing.T) {
	t.Parallel()
	session, err := dialect.ReadSession([]byte(`{"session_id":"s","status":" completed\n"}`))
	require.NoError(t, err)
	assert.Equal(t, "completed", session.Status)
	_, err = dialect.ReadSession([]byte(`{"session_id":"s","status":" "}`))
	require.Error(t, err)
}

func TestChannelsBecomeSpeakersInOrderOfTime(t *testing.T) {
	t.Parallel()
	result, err := read(`{"result":{"status":"done","results":[
		{"result":[["one",0.5,0.9]],"text":"one","channel":0,"speaker":"unk"},
		{"result":[["three",4.5,4.9]],"text":"three","channel":0,"speaker":"A"},
		{"result":[["two",2.5,2.9]],"text":"two","channel":1,"speaker":"B"}]}}`, 0)
	require.NoError(t, err)
	assert.Equal(t, "one two three", result.Text)
	var speakers []string
	for _, s := range result.Segments {
		speakers = append(speakers, s.Speaker)
	}
	assert.Equal(t, []string{"Channel 1", "Channel 2 B", "Channel 1 A"}, speakers)
	assert.Len(t, result.Speakers, 3)

	result, err = read(answer("60", `["a",0.5,0.9]`), 0)
	require.NoError(t, err)
	assert.Empty(t, result.Segments[0].Speaker, "there is one channel, and unk is nobody")
}

func TestTenThousandWordsAreRead(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&b, `,["w%d",%d,%d,0.9]`, i, i*300, i*300+250)
	}
	result, err := read(answer("3000", b.String()[1:]), 0)
	require.NoError(t, err)
	require.Len(t, result.Segments[0].words, 10_000)
	assert.Equal(t, 9999*300*time.Millisecond+250*time.Millisecond, result.Segments[0].End)
}

// FuzzReadResult holds the promise about times: none is beyond twice a known
// duration, whatever the answer and whatever the unit.
func FuzzReadResult(f *testing.F) {
	f.Add([]byte(answer("60", `["a",0.5,0.9,1],["b",1.25,1.75,1]`)), uint8(0))
	f.Add([]byte(answer("10", `["a",100,110],["b",5000,5010]`)), uint8(1))
	f.Add([]byte(answer("1e-9", `["a",1e300,2e300],["b",-0.0,1]`)), uint8(2))
	f.Add([]byte(`{"duration":1,"results":[{"result":[["a","1",2]],"channel":1},{"channel":-4}]}`), uint8(0))
	f.Fuzz(func(t *testing.T, body []byte, which uint8) {
		unit := []time.Duration{0, time.Second, time.Millisecond}[which%3]
		result, err := read(string(body), unit)
		if err != nil || result.Duration == 0 {
			return
		}
		for _, s := range result.Segments {
			times := []time.Duration{s.Start, s.End}
			for _, w := range s.words {
				times = append(times, w.Start, w.End)
			}
			for _, at := range times {
				if at < 0 || at-result.Duration > result.Duration {
					t.Fatalf("%v of %v", at, result.Duration)
				}
			}
		}
	})
}

func TestASubmissionSaysWhatIsWanted(t *testing.T) {
	t.Parallel()
	fields := url.Values{"language": {"en"}, "diarization": {"true"}, "punctuation": {"false"}, "document_type": {"caption"}, "folder_id": {"7"}}
	callback := dialect.Callback{URL: "https://me.example/hook?token=t", Secret: "s/e c"}
	assert.JSONEq(t, `{"language":"en","diarization":true,"punctuation":false,"folder_id":"7","media_source":"https://media.example/a.mp3",
		"document":{"document_type":"caption","filename":"a.mp3"},
		"webhook_url":"https://me.example/hook/s%2Fe%20c?token=t","webhook_method":"POST","webhook_headers":["Authorization: Bearer s/e c"]}`,
		string(dialect.Submission("https://media.example/a.mp3", "a.mp3", fields, callback)))

	dialect.Metadata(fields, callback)
	assert.Equal(t, "https://me.example/hook/s%2Fe%20c?token=t", fields.Get("webhook_url"))
	var document map[string]any
	require.NoError(t, json.Unmarshal([]byte(fields.Get("document")), &document))
	assert.Equal(t, fields.Get("webhook_url"), document["webhook_url"])
	assert.Equal(t, []any{"Authorization: Bearer s/e c"}, document["webhook_headers"])
}

func TestListsLinksAndDocumentsAreReadInEachShape(t *testing.T) {
	t.Parallel()
	models, total, err := dialect.ReadModels([]byte(`{"count":2,"total_results":7,"result":[{"id":1,"model_key":"m1","name":"A","language":"nl","training_status":4},{"id":"2","key":"m2","training_log":{"training_status":"1"}}]}`))
	require.NoError(t, err)
	assert.Equal(t, 7, total)
	assert.Equal(t, []dialect.Model{{ID: "1", Key: "m1", Name: "A", Language: "nl", Status: 4}, {ID: "2", Key: "m2", Status: 1}}, models)
	glossaries, _, err := dialect.ReadGlossaries([]byte(`[{"id":3,"name":"Names"}]`))
	require.NoError(t, err)
	assert.Equal(t, []dialect.Glossary{{ID: "3", Name: "Names"}}, glossaries)
	_, _, err = dialect.ReadModels([]byte(`{"result":"none"}`))
	require.Error(t, err)

	for body, want := range map[string]string{
		`{"download_url":"https://a/b"}`:            "https://a/b",
		`{"result":{"url":"https://a/c"}}`:          "https://a/c",
		`{"document":[{"url":"https://a/c"}]}`:      "",
		`1\n00:00:01,000 --> 00:00:02,000\nhello\n`: "",
	} {
		link, ok := dialect.Link([]byte(body))
		assert.Equal(t, want, link)
		assert.Equal(t, want != "", ok)
	}
	for _, body := range []string{
		`{"result":{"document":[{"start":500,"stop":900,"speaker":"A","text":"hi"}]}}`,
		`{"result":{"document":{"content":{"segments":[{"start":500,"end":900,"speaker":"A","text":"hi"}]}}}}`,
	} {
		document, err := dialect.ReadDocument([]byte(body))
		require.NoError(t, err, body)
		assert.Equal(t, []dialect.Segment{{Start: 500 * time.Millisecond, End: 900 * time.Millisecond, Text: "hi", Speaker: "A"}}, document.Segments)
	}
	content, err := dialect.ReadContent([]byte(`{"id":4,"content":{"text":"hi","segments":[{"start":0.5,"end":0.9,"text":"hi","speaker":"A"}]}}`))
	require.NoError(t, err)
	assert.Equal(t, 900*time.Millisecond, content.Segments[0].End)
}
