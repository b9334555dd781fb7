package scriptix

import (
	"cmp"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/scriptix-io/scriptix-go/internal/audio"
	"github.com/scriptix-io/scriptix-go/internal/transport"
)

// Resumable sends the recording as a resumable upload, whatever its size. A
// [Reader], whose length is unknown, cannot be sent so.
func Resumable() SubmitOption {
	return func(s *submission) error {
		s.resumable = true
		return nil
	}
}

// OnUploadCreated has fn called once a resumable upload exists at the service
// and before its first byte goes out, so that token can be stored: with
// [ResumeUpload] another process goes on after a crash. An error of fn ends
// the submission; nothing was sent then. fn is not called for a standard
// upload, nor for one that is resumed.
func OnUploadCreated(fn func(ctx context.Context, token string) error) SubmitOption {
	return func(s *submission) error {
		s.created = fn
		return nil
	}
}

// ResumeUpload goes on with an upload that was interrupted, in this process or
// another: token is that of [OnUploadCreated] or of an
// [*UploadInterruptedError]. Both stay valid until the upload is complete, and
// after that they find its job.
//
// The recording must be the one the upload began with. Its size is compared,
// its modification time where both are known ([File] and [FileFS]), and what it
// holds if [ExpectDigest] was given then; a difference is [ErrAudio] and, among
// those, [ErrOtherAudio]. The
// parameters were fixed when the upload was created: those given to Submit now
// are not looked at. A token of another service than the client's is
// [ErrInvalid]. Two processes must not resume one upload at the same time.
func ResumeUpload(token string) SubmitOption {
	return func(s *submission) error {
		t, err := parseUploadToken(token)
		if err != nil {
			return err
		}
		s.resume = t
		return nil
	}
}

// UploadInterruptedError says that a resumable upload was given up and can be
// taken up again: pass Token to [ResumeUpload]. When Offset equals Size the
// service has all of it and only the job's id is missing; resuming then asks
// for it, and sends nothing.
type UploadInterruptedError struct {
	UploadURL string // where the upload lives
	Offset    int64  // bytes that the service is known to hold
	Size      int64  // bytes of the audio
	Token     string // for ResumeUpload; holds no key
	Err       error  // what ended it: an *Error, as a rule
}

func (e *UploadInterruptedError) Error() string {
	if e.Offset == e.Size {
		return fmt.Sprintf("upload interrupted: all %d bytes are at the service, and the job's id is missing; resume it to find the job: %v", e.Size, e.Err)
	}
	return fmt.Sprintf("upload interrupted: %d of %d bytes are at the service; resume it to go on from there: %v", e.Offset, e.Size, e.Err)
}

// Unwrap returns what ended the upload.
func (e *UploadInterruptedError) Unwrap() error { return e.Err }

// GoString keeps %#v from printing the URL, which may have a query.
func (e *UploadInterruptedError) GoString() string {
	return "&scriptix.UploadInterruptedError{" + strconv.Quote(e.Error()) + "}"
}

// MarshalJSON encodes the error for a log, without its URL and token.
func (e *UploadInterruptedError) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Error  string `json:"error"`
		Offset int64  `json:"offset"`
		Size   int64  `json:"size"`
	}{e.Error(), e.Offset, e.Size})
}

// startUpload submits a recording as a new resumable upload.
func (s *STTService) startUpload(ctx context.Context, a Audio, x audio.Extent, fields url.Values, sub *submission) (*Job, error) {
	const op = "stt.submit"
	if x.Size < 0 {
		return nil, invalid(op, "audio", "has no known length, which a resumable upload needs; use File, ReaderAt or Opener instead of Reader")
	}
	meter := audio.NewMeter(sub.progress, x.Size)
	defer meter.Finish()
	u := &upload{core: s.core, size: x.Size, chunk: s.core.cfg.chunkSize, part: audio.Part{Audio: a.src, Began: x, Report: meter.Report(), Release: sub.release}}
	u.part.Sent = &u.offset.sent
	metadata, err := u.metadata(ctx, fields)
	if err != nil {
		return nil, s.core.localFailure(ctx, op, err)
	}
	u.token.Size = x.Size
	if !x.ModTime.IsZero() {
		u.token.ModTime = x.ModTime.UnixNano()
	}
	if sub.digest != nil {
		u.part.Digest, u.token.SHA256 = sub.digest, hex.EncodeToString(sub.digest.Sum[:])
	}
	if err := u.create(ctx, metadata); err != nil {
		return nil, err
	}
	u.token.URL = u.url.String()
	if sub.created != nil {
		if err := sub.created(ctx, u.token.String()); err != nil {
			return nil, &Error{Op: op, Err: fmt.Errorf("the function of OnUploadCreated failed, and nothing was sent: %w", err)}
		}
	}
	return u.run(ctx)
}

// resumeUpload goes on with an upload.
func (s *STTService) resumeUpload(ctx context.Context, a Audio, x audio.Extent, sub *submission) (*Job, error) {
	const op = "stt.submit"
	token := sub.resume
	target, err := url.Parse(token.URL)
	switch {
	case err != nil || !transport.SameOrigin(s.core.base, target) || target.User != nil || fileID(target) == "":
		return nil, invalid(op, "token", "belongs to an upload elsewhere; use a client with the base URL it began with")
	}
	meter := audio.NewMeter(sub.progress, token.Size)
	defer meter.Finish()
	u := &upload{core: s.core, size: token.Size, part: audio.Part{Audio: a.src, Began: audio.Extent{Size: token.Size}, Report: meter.Report(), Release: sub.release}, url: target, token: *token, resumed: true}
	u.part.Sent = &u.offset.sent
	u.chunk = min(cmp.Or(token.Chunk, s.core.cfg.chunkSize), s.core.cfg.chunkSize)
	if token.Whole {
		u.offset.sent.Store(u.part.Began.Size)
	}
	if token.ModTime != 0 {
		u.part.Began.ModTime = time.Unix(0, token.ModTime)
	}
	if err := u.part.Began.Same(x); err != nil {
		return nil, &Error{Op: op, Err: a.src.Fault(err)}
	}
	expected, err := token.digest(sub.digest)
	if err != nil {
		return nil, &Error{Op: op, Err: a.src.Fault(err)}
	}
	if expected != nil {
		if u.part.Digest, err = a.src.Check(ctx, expected); err != nil {
			return nil, s.core.localFailure(ctx, op, err)
		}
	}
	return u.run(ctx)
}

// localFailure is the error of a call that failed before anything was sent.
func (c *core) localFailure(ctx context.Context, op string, err error) error {
	if _, ok := errors.AsType[*Error](err); ok {
		return err
	}
	if ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
		err = ctxError(ctx)
	}
	return &Error{Op: op, Err: c.redact.Error(err)}
}

// metadata is what Upload-Metadata tells the service of the recording.
func (u *upload) metadata(ctx context.Context, fields url.Values) (string, error) {
	if add := u.core.dialect.table.metadata; add != nil {
		add(u.core, fields)
	}
	kind, err := u.part.Audio.MediaType(ctx)
	if err != nil {
		return "", err
	}
	metadata, refused := audio.Metadata(fields, u.part.Audio.Name(), kind)
	if refused != "" {
		return "", invalid("stt.submit", refused, "must have one value and a plain name in a resumable upload")
	}
	return metadata, nil
}

// uploadToken is what has to be remembered of an upload to go on with it.
type uploadToken struct {
	URL     string `json:"u"`
	Size    int64  `json:"s"`
	ModTime int64  `json:"m,omitempty"` // Unix nanoseconds; 0 when unknown
	SHA256  string `json:"h,omitempty"` // hexadecimal; "" when unknown
	Whole   bool   `json:"w,omitempty"` // all of it went out, so a job may exist
	Chunk   int64  `json:"c,omitempty"` // the largest chunk that the service takes; 0: as large as any
}

// digest is what the recording must hold: what the upload began with, if that
// is known, and what the caller expects now.
func (t *uploadToken) digest(expected *audio.Digest) (*audio.Digest, error) {
	if t.SHA256 == "" {
		return expected, nil
	}
	d := new(audio.Digest)
	sum, err := hex.DecodeString(t.SHA256)
	if copy(d.Sum[:], sum); err != nil || len(sum) != len(d.Sum) {
		return nil, fmt.Errorf("%w: the token's SHA-256 is none", ErrOtherAudio)
	}
	switch {
	case expected == nil:
		return d, nil
	case expected.Sum != d.Sum:
		return nil, fmt.Errorf("%w: its SHA-256 differs", ErrOtherAudio)
	}
	return expected, nil
}

const tokenPrefix = "tus1."

func (t *uploadToken) String() string {
	data, _ := json.Marshal(t) // strings and numbers cannot fail
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(data)
}

func parseUploadToken(token string) (*uploadToken, error) {
	wrong := fmt.Errorf("%w: the upload token is none of OnUploadCreated or UploadInterruptedError, or was cut", ErrInvalid)
	if len(token) <= len(tokenPrefix) || token[:len(tokenPrefix)] != tokenPrefix {
		return nil, wrong
	}
	data, err := base64.RawURLEncoding.DecodeString(token[len(tokenPrefix):])
	if err != nil {
		return nil, wrong
	}
	t := new(uploadToken)
	if json.Unmarshal(data, t) != nil || t.Size <= 0 || t.URL == "" {
		return nil, wrong
	}
	return t, nil
}
