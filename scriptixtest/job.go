package scriptixtest

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"time"
)

// The states of a job, as the service names them.
const (
	stateUploaded   = "uploaded"
	stateProcessing = "processing"
	stateCompleted  = "completed"
	stateFailed     = "failed"
)

// Job is a copy of what the service knows of a job.
type Job struct {
	ID          string
	Fields      url.Values // the form's fields, or the upload's metadata without filename and filetype
	FileName    string
	ContentType string
	Size        int64         // bytes of the file
	SHA256      string        // of the file, 64 hexadecimal digits
	Duration    time.Duration // of a WAV, else 0
	Resumable   bool          // came as a resumable upload
	UploadID    string        // of the resumable upload, else empty
	State       string        // uploaded, processing, completed or failed, now
	Failure     string        // why it fails; known from the start
	CreatedAt   time.Time
	EndedAt     time.Time  // zero until it ends
	DeletedAt   time.Time  // zero until it is deleted, which the session dialect can
	MediaURL    string     // of a submit that named one, else empty
	Deliveries  []Delivery // what was done about its callback
}

// Delivery is one attempt to send a callback.
type Delivery struct {
	Time        time.Time // when it was sent
	Attempt     int       // 0, then 1 to 3 for the retries; -1 for repeated, contradicting and redelivered ones
	Event       string
	Status      int    // the answer's, 0 if there was none
	Err         string // why there was none
	Undelivered bool   // not sent at all, and not tried again: lost by a script, or a URL that is neither on loopback nor registered
}

// Jobs returns every job ever created, in that order.
func (s *Server) Jobs() []Job {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	jobs := make([]Job, 0, len(s.order))
	for _, j := range s.order {
		jobs = append(jobs, j.snapshot(now))
	}
	return jobs
}

// Job returns one job; false if there is none of this id.
func (s *Server) Job(id string) (Job, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	j, ok := s.jobs[id]
	if !ok {
		return Job{}, false
	}
	return j.snapshot(time.Now()), true
}

// record is a job within the service. What changes, and timer, are guarded by the server's mutex; the rest is written once.
type record struct {
	job        Job
	outcome    Outcome
	documentID int64
	startAt    time.Time // uploaded until then
	endAt      time.Time // processing until then
	knownAt    time.Time // when status and result admit it
	timer      *time.Timer

	ownership
	number       int64 // of the session, internal to the service
	deleted      bool
	documentGone bool
}

// create makes the job of an upload and sets its callback off. Its id was taken before, for the script to know it.
func (s *Server) create(u Upload, uploadID string, whose ownership) *record {
	s.mu.Lock()
	script := s.script
	s.mu.Unlock()
	var o Outcome
	if script != nil {
		asked := u
		asked.Fields = cloneValues(u.Fields)
		o = script(asked)
	}
	now := time.Now()
	j := &record{
		job: Job{
			ID: u.JobID, Fields: u.Fields, FileName: u.FileName, ContentType: u.ContentType, Size: u.Size, SHA256: u.SHA256,
			Duration: u.Duration, Resumable: u.Resumable, UploadID: uploadID, Failure: o.Failure, CreatedAt: now, MediaURL: u.MediaURL,
		},
		ownership: whose,
		outcome:   o,
	}
	queue, processing := s.cfg.queue, s.cfg.processing(u.Duration)
	if o.Queue != 0 {
		queue = max(o.Queue, 0)
	}
	if o.Processing != 0 {
		processing = max(o.Processing, 0)
	}
	if o.Callback.Before {
		queue, processing = 0, 0
	}
	j.startAt = now.Add(queue)
	j.endAt = j.startAt.Add(processing)
	j.knownAt = j.endAt.Add(max(o.ResultDelay, 0))

	s.mu.Lock()
	defer s.mu.Unlock()
	s.jobs[u.JobID] = j
	s.order = append(s.order, j)
	j.number = int64(len(s.order))
	switch {
	case o.DocumentID > 0:
		j.documentID = o.DocumentID
	case o.DocumentID == 0:
		j.documentID = int64(1000 + len(s.order))
	}
	s.armCallback(j)
	return j
}

// newID returns an id that no other run of a service gives out.
func (s *Server) newID(prefix string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ids++
	return fmt.Sprintf("%s%s%06x", prefix, s.runID, s.ids)
}

func (j *record) failed() bool { return j.outcome.Failure != "" }

// ended reports whether status and result tell of the end.
func (j *record) ended(now time.Time) bool { return !now.Before(j.knownAt) }

// state is the word for the job's state and its progress in percent, as status tells them.
func (j *record) state(now time.Time) (string, int) {
	switch {
	case j.ended(now):
		return j.endState(), 100
	case now.Before(j.startAt):
		return stateUploaded, 0
	}
	progress := 99
	if whole := j.endAt.Sub(j.startAt); whole > 0 {
		progress = min(int(100*now.Sub(j.startAt).Seconds()/whole.Seconds()), 99)
	}
	return stateProcessing, progress
}

// endState is the word for the job's end.
func (j *record) endState() string {
	switch {
	case j.outcome.State != "":
		return j.outcome.State
	case j.failed():
		return stateFailed
	}
	return stateCompleted
}

// duration is what the service says of the audio's length.
func (j *record) duration() time.Duration {
	if j.outcome.Duration != 0 {
		return max(j.outcome.Duration, 0)
	}
	return j.job.Duration
}

// language is what the service found, as far as it can know.
func (j *record) language() string {
	if j.outcome.Language != "" {
		return j.outcome.Language
	}
	if l := j.job.Fields.Get("language"); l != "auto" {
		return l
	}
	return ""
}

func (j *record) snapshot(now time.Time) Job {
	job := j.job
	job.Fields = cloneValues(job.Fields)
	job.Deliveries = slices.Clone(job.Deliveries)
	switch {
	case !now.Before(j.endAt):
		job.EndedAt = j.endAt
		job.State = stateCompleted
		if j.failed() {
			job.State = stateFailed
		}
	case now.Before(j.startAt):
		job.State = stateUploaded
	default:
		job.State = stateProcessing
	}
	return job
}

func cloneValues(v url.Values) url.Values {
	c := maps.Clone(v)
	for k := range c {
		c[k] = slices.Clone(c[k])
	}
	return c
}
