package scriptixtest_test

import (
	"encoding/binary"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

func TestASidecarGivesSpeakersAndTimes(t *testing.T) {
	t.Parallel()
	const s = time.Second
	type segment = scriptixtest.Segment
	tests := map[string]struct {
		text string
		want []segment
	}{
		"nothing":      {"\n# a comment\n\n", nil},
		"one line":     {"hello there", []segment{{End: 20 * s, Text: "hello there"}}},
		"speakers":     {"Speaker 1: aaaa\r\nSpeaker 12:bbbb\n", []segment{{0, 10 * s, "aaaa", "Speaker 1", 0, nil}, {10 * s, 20 * s, "bbbb", "Speaker 12", 0, nil}}},
		"other colons": {"Agenda: one", []segment{{End: 20 * s, Text: "Agenda: one"}}},
		"times":        {"[0.50 - 2.25] Speaker 1: a\n[ 3-4.001 ] b", []segment{{s / 2, 2250 * time.Millisecond, "a", "Speaker 1", 0, nil}, {3 * s, 4001 * time.Millisecond, "b", "", 0, nil}}},
		"gaps between times are shared": {"éé\n[5-6] b\nc\nd", []segment{
			{0, 5 * s, "éé", "", 0, nil}, {5 * s, 6 * s, "b", "", 0, nil}, {6 * s, 13 * s, "c", "", 0, nil}, {13 * s, 20 * s, "d", "", 0, nil},
		}},
		"by the length of the text": {"aaaaaaaaa\naaaaaaaaaaaaaaaaaaaaaaaaaaaaa", []segment{
			{0, 5 * s, "aaaaaaaaa", "", 0, nil}, {5 * s, 20 * s, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "", 0, nil},
		}},
		"times beyond the end": {"[30-40] a\nb", []segment{{30 * s, 40 * s, "a", "", 0, nil}, {40 * s, 40 * s, "b", "", 0, nil}}},
		"absurd times":         {"[1-99999999999999999999] a", []segment{{s, 0, "a", "", 0, nil}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			assert.Equal(t, tt.want, scriptixtest.Sidecar(tt.text, 20*s))
		})
	}
}

// result submits a file and returns its result.
func result(t *testing.T, o scriptixtest.Outcome, pairs ...string) object {
	t.Helper()
	var v object
	synctest.Test(t, func(t *testing.T) {
		s := scriptixtest.New(t, scriptixtest.InMemory())
		s.Script(always(o))
		id := submit(t, s, wav(20*time.Second), pairs...)
		time.Sleep(time.Hour)
		var status int
		status, v = get(t, s, "/api/v3/stt/"+id+"/result")
		require.Equal(t, http.StatusOK, status)
	})
	return v
}

func TestTheResultHoldsWhatWasAskedFor(t *testing.T) {
	t.Parallel()
	o := scriptixtest.Outcome{Text: "[0 - 4] Speaker 1: good day\n[4 - 6] Speaker 2: yes"}
	plain := object{"start": 0.0, "end": 4.0, "text": "good day"}

	v := result(t, o)
	assert.Equal(t, "good day yes", v["transcript"])
	assert.Equal(t, plain, v["segments"].([]any)[0])
	assert.NotContains(t, v, "speakers")

	v = result(t, o, "diarization", "true", "timestamps", "segment")
	assert.Equal(t, "Speaker 1", v["segments"].([]any)[0].(object)["speaker"])
	assert.Equal(t, []any{object{"id": "Speaker 1", "segments_count": 1.0}, object{"id": "Speaker 2", "segments_count": 1.0}}, v["speakers"])

	v = result(t, o, "timestamps", "word")
	assert.Equal(t, []any{object{"word": "good", "start": 0.0, "end": 2.222}, object{"word": "day", "start": 2.222, "end": 4.0}},
		v["segments"].([]any)[0].(object)["words"])

	v = result(t, scriptixtest.Outcome{
		Text:     "as it is",
		Segments: []scriptixtest.Segment{{Start: 1500 * time.Millisecond, End: 2 * time.Second, Text: "x", Confidence: 0.5, Words: []scriptixtest.Word{{Text: "x", Speaker: "S"}}}},
		Speakers: []scriptixtest.Speaker{{"S", 9}}, Language: "nl", Duration: time.Hour, DocumentID: -1, State: "done",
	}, "diarization", "true", "timestamps", "word")
	delete(v, "id")
	assert.Equal(t, object{
		"status": "done", "language": "nl", "duration_seconds": 3600.0, "transcript": "as it is",
		"segments": []any{object{"start": 1.5, "end": 2.0, "text": "x", "confidence": 0.5,
			"words": []any{object{"word": "x", "start": 0.0, "end": 0.0, "speaker": "S"}}}},
		"speakers": []any{object{"id": "S", "segments_count": 9.0}},
	}, v)
}

func TestAFailureIsToldInEveryWayThereIs(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]object{
		"":              {"error": "no speech"},
		"error":         {"error": "no speech"},
		"error.message": {"error": object{"message": "no speech"}},
		"message":       {"message": "no speech"},
		"error_message": {"error_message": "no speech"},
		"none":          {},
	} {
		t.Run("in "+in, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := scriptixtest.New(t, scriptixtest.InMemory())
				s.Script(always(scriptixtest.Outcome{Failure: "no speech", FailureIn: in}))
				id := submit(t, s, wav(time.Second))
				time.Sleep(time.Hour)
				_, v := get(t, s, "/api/v3/stt/"+id+"/status")
				assert.Equal(t, "failed", v["status"])
				delete(v, "status")
				delete(v, "id")
				delete(v, "progress")
				assert.Equal(t, want, v)
				status, _ := get(t, s, "/api/v3/stt/"+id+"/result")
				assert.Equal(t, http.StatusConflict, status)
				assert.Equal(t, "failed", s.Jobs()[0].State)
			})
		})
	}
}

func TestTheDurationOfAWAVIsTrue(t *testing.T) {
	t.Parallel()
	pcm := chunk("fmt ", fmtPCM(8000, 1, 16))
	extensible := fmtPCM(48000, 6, 24)
	binary.LittleEndian.PutUint16(extensible, 0xFFFE)
	extensible = append(append(extensible, 22, 0, 24, 0, 63, 0, 0, 0, 1, 0), make([]byte, 14)...)
	adpcm := fmtPCM(8000, 1, 16)
	binary.LittleEndian.PutUint16(adpcm, 2)
	binary.LittleEndian.PutUint32(adpcm[8:], 4000)
	second := make([]byte, 16000)
	streamed := chunk("data", second)
	binary.LittleEndian.PutUint32(streamed[4:], 0xFFFFFFFF)
	announced := chunk("data", second)
	binary.LittleEndian.PutUint32(announced[4:], 99999999)
	for name, tt := range map[string]struct {
		file []byte
		want time.Duration
	}{
		"PCM":                          {riff(pcm, chunk("data", second)), time.Second},
		"odd chunks before the format": {riff(chunk("LIST", []byte("abc")), pcm, chunk("junk", []byte("x")), chunk("data", second)), time.Second},
		"chunks behind the samples":    {riff(pcm, chunk("data", second[:1001*2]), chunk("LIST", second)), 125125 * time.Microsecond},
		"extensible":                   {riff(chunk("fmt ", extensible), chunk("data", make([]byte, 18*48000))), time.Second},
		"compressed":                   {riff(chunk("fmt ", adpcm), chunk("data", make([]byte, 6000))), 1500 * time.Millisecond},
		"a format with an odd tail":    {riff(chunk("fmt ", append(fmtPCM(8000, 1, 16), 0, 0, 0)), chunk("data", second)), time.Second},
		"streamed, length unknown":     {riff(pcm, streamed), time.Second},
		"cut":                          {riff(pcm, announced), time.Second},
		"no samples":                   {riff(pcm), 0},
		"samples before the format":    {riff(chunk("data", second), pcm), 0},
		"no rate":                      {riff(chunk("fmt ", fmtPCM(0, 1, 16)), chunk("data", second)), 0},
		"a short format":               {riff(chunk("fmt ", []byte("abcd")), chunk("data", second)), 0},
		"another RIFF":                 {append([]byte("RIFF....AVI "), second...), 0},
		"an MP3":                       {append([]byte("ID3"), second...), 0},
		"one byte":                     {[]byte("R"), 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := scriptixtest.New(t, scriptixtest.InMemory())
			path := create(t, s, len(tt.file)) // in small pieces
			for at := 0; at < len(tt.file); {
				n := min(7, len(tt.file)-at)
				if at > 200 {
					n = len(tt.file) - at
				}
				do(t, s, patch(t, s, path, at, tt.file[at:at+n]))
				at += n
			}
			submit(t, s, tt.file)
			jobs := s.Jobs()
			require.Len(t, jobs, 2)
			assert.Equal(t, tt.want, jobs[0].Duration)
			assert.Equal(t, tt.want, jobs[1].Duration)
		})
	}
}
