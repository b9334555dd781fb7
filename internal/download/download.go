// Package download brings files that may be large: an export streams through to
// the caller's writer, whether it is the answer itself or behind a link.
//
// A link leads to another host and is a secret. It is followed over https alone,
// through one redirect at most, and without the key, a cookie or a Referer; and
// it stands in no error.
package download

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/scriptix-io/scriptix-go/internal/audio"
	"github.com/scriptix-io/scriptix-go/internal/dialect"
	"github.com/scriptix-io/scriptix-go/internal/redact"
	"github.com/scriptix-io/scriptix-go/internal/transport"
)

const (
	maxLink = 64 << 10 // bytes of an answer that may be a link
	maxFile = 1 << 30  // bytes of a file
)

var errTooLong = errors.New("the file is longer than 1 GiB, and was cut there")

// File is an export on its way to the caller's writer.
type File struct {
	Format string
	Out    io.Writer
	Link   string // set by Copy, where the answer is a link
	Failed error  // of the writer, which is not the service's fault
}

// Write passes on what is written, and keeps the writer's failure apart.
func (f *File) Write(p []byte) (int, error) {
	n, err := f.Out.Write(p)
	f.Failed = err
	return n, err
}

// Copy writes an answer out, or takes the link that stands in the file's place. A
// file of JSON is never a link.
func (f *File) Copy(answer io.Reader) error {
	body := bufio.NewReaderSize(answer, maxLink)
	head, err := body.Peek(1)
	if err == nil && mayBeginJSON(head[0]) && f.Format != "json" {
		if head, err = body.Peek(maxLink); errors.Is(err, io.EOF) {
			if link, ok := dialect.Link(bytes.TrimSpace(head)); ok {
				f.Link = link
				return nil
			}
		}
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return f.pour(body)
}

// mayBeginJSON reports whether an object, a blank or a byte order mark begins
// with b. All else is a file, of which no more than a byte is awaited.
func mayBeginJSON(b byte) bool { return strings.IndexByte("{ \t\r\n\xef\xfe\xff", b) >= 0 }

// pour writes a body out, as far as a file may go.
func (f *File) pour(body *bufio.Reader) error {
	n, err := io.Copy(f, io.LimitReader(body, maxFile))
	if err != nil || n < maxFile {
		return err
	}
	switch _, err := body.Peek(1); {
	case err == nil:
		return errTooLong
	case !errors.Is(err, io.EOF):
		return err
	}
	return nil
}

// Follow fetches the file from where its link leads. It ends when nothing moves
// for the idle time.
func (f *File) Follow(ctx context.Context, rt http.RoundTripper, userAgent string, idle time.Duration) error {
	target, err := url.Parse(f.Link)
	if err != nil || target.Scheme != "https" || target.Hostname() == "" || target.User != nil {
		return errors.New("the link to the file is no https URL")
	}
	watchdog := audio.NewWatchdog(ctx, audio.Patience{Idle: idle, Answer: idle}, false)
	defer watchdog.End()
	req, err := http.NewRequestWithContext(watchdog.Context(), http.MethodGet, target.String(), nil) //nolint:contextcheck // ctx, ended when nothing moves
	if err != nil {
		return errors.New("the link to the file cannot be used")
	}
	req.Header = http.Header{"User-Agent": {userAgent}, "Accept-Encoding": {"identity"}}
	plain := http.Client{Transport: transport.Settled(rt), CheckRedirect: followOnce}
	resp, err := plain.Do(req)
	if err != nil {
		if cause := watchdog.Stalled(ctx); cause != nil {
			err = cause
		}
		return fmt.Errorf("the file behind the link cannot be fetched: %w", redact.StripURL(err))
	}
	defer resp.Body.Close()
	watchdog.Reading()
	switch coding := resp.Header.Get("Content-Encoding"); {
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("the host of the file answered %d", resp.StatusCode)
	case coding != "" && coding != "identity":
		return errors.New("the host of the file sends it in a coding that was not asked for")
	}
	return f.pour(bufio.NewReaderSize(audio.NewIncoming(ctx, resp.Body, watchdog), maxLink))
}

// followOnce follows one redirect to https, and keeps the link out of Referer.
func followOnce(req *http.Request, via []*http.Request) error {
	if len(via) > 1 || req.URL.Scheme != "https" || req.URL.User != nil {
		return http.ErrUseLastResponse
	}
	req.Header.Del("Referer")
	return nil
}
