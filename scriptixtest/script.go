package scriptixtest

import (
	"net/url"
	"time"
)

// Upload is what came in: the argument of the function given to [Server.Script].
type Upload struct {
	JobID       string
	FileName    string
	ContentType string        // of the file's part, or the upload's filetype
	Size        int64         // bytes of the file
	SHA256      string        // of the file, 64 hexadecimal digits
	Fields      url.Values    // the form's fields, or the upload's metadata without filename and filetype
	Duration    time.Duration // of a WAV, else 0
	Resumable   bool          // came as a resumable upload
	MediaURL    string        // of a submit that named one; nothing is downloaded, so Outcome.Duration says how long it is
}

// Outcome says what becomes of an upload. The zero value is a job that completes with a placeholder after the default times.
type Outcome struct {
	Queue      time.Duration // uploaded this long; zero: the default, negative: none
	Processing time.Duration // then processed this long; zero: the default, negative: none

	Text       string        // the transcript; without Segments, they are made of it as [Sidecar] does
	Segments   []Segment     // in the order of time
	Channels   []int         // of the segments, in the session dialect; zero: all of channel 0
	Speakers   []Speaker     // zero: counted from the segments
	Language   string        // zero: the submitted one, unless that is "auto"
	Duration   time.Duration // what the service says of the length; zero: the WAV's, negative: nothing
	DocumentID int64         // zero: a number of the service's own, negative: none

	Failure   string // not empty: the job fails for this reason
	FailureIn string // where its status says so: "error" (the default), "message", "error_message" or "error.message"; "none" leaves it out
	State     string // the word for the end, instead of completed or failed: done, finished, error and the like

	ResultDelay  time.Duration // status and result know of the end only so much later than the callback
	SessionDelay time.Duration // resumable uploads: GET /files/{id} knows the job only so long after the last byte

	Exports map[string]string // what a document's export answers, by format; others are placeholders

	Callback Callback
}

// Callback says how the callback of a job behaves. The zero value is the documented behaviour: sent when the job ends, signed,
// and sent again 1, 6 and 21 minutes later until it is accepted.
type Callback struct {
	Lose        bool          // never sent
	Drop        int           // the first so many attempts are lost on the way; the service takes them for failed
	Unsigned    bool          // without a signature
	Forged      bool          // signed with a wrong secret; in the session dialect, with a wrong one in header and path
	Delay       time.Duration // sent so long after the end
	Behind      int           // sent after so many callbacks of other jobs, at the latest after 10 minutes
	Before      bool          // the job ends at once, and its callback is sent before Submit's own answer
	Repeat      int           // sent so many times more once it was accepted
	RepeatEvery time.Duration // the wait before each of them
	Contradict  bool          // once accepted, one that says the contrary follows
	Untrue      bool          // says failed of a completed job and completed of a failed one, signed well
	Event       string        // another event instead of transcription.completed or transcription.failed
	Body        string        // another body, signed like the right one
	DropHeaders bool          // session dialect: without the headers that the submit asked for
}

// Script sets the function that says what becomes of each upload; nil brings the defaults back.
//
// It is called once for each job, when the upload is whole and before it is answered, possibly for several uploads at the same
// time. It may call the server's methods; the job itself is not yet among them.
func (s *Server) Script(f func(Upload) Outcome) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.script = f
}
