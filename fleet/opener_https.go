package fleet

import (
	"context"
	"errors"
	"io"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/internal/httpsource"
)

// httpsOpener opens https: locators. What it sends is one version of the source
// from the first byte to the last.
type httpsOpener struct{ opener *httpsource.Opener }

func newHTTPSOpener(allowPrivate bool) *httpsOpener {
	return &httpsOpener{httpsource.New(httpsource.Options{AllowPrivate: allowPrivate})}
}

func (o *httpsOpener) open(ctx context.Context, locator string) (scriptix.Audio, error) {
	if err := checkHTTPS(locator); err != nil {
		return scriptix.Audio{}, err
	}
	source, err := o.opener.Open(ctx, locator)
	if err != nil {
		return scriptix.Audio{}, refusedSource(locator, err)
	}
	if source.Size() < 0 {
		return scriptix.Audio{}, refuse(locator, "its server does not tell its size")
	}
	return scriptix.Opener(source.Name(), source.Size(), func(ctx context.Context, offset int64) (io.ReadCloser, error) {
		body, err := source.From(ctx, offset)
		if err != nil {
			return nil, errors.Join(refusedSource(locator, err), body.Close())
		}
		return refusingReader{body, locator}, nil
	}), nil
}

// refusedSource turns an error that lasts into that of this package.
func refusedSource(locator string, err error) error {
	if refused, ok := errors.AsType[*httpsource.RefusedError](err); ok {
		return refuse(locator, "%s", refused.Reason)
	}
	return err
}

// refusingReader is a source that may turn out to have changed while it is read.
type refusingReader struct {
	io.ReadCloser
	locator string
}

// Read reads on.
func (r refusingReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = refusedSource(r.locator, err)
	}
	return n, err
}
