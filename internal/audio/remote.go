package audio

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"path"
)

// Remote is a recording that the service fetches from a URL. It cannot be read here.
func Remote(rawURL string) Audio {
	a := Audio{name: "media", size: -1, link: rawURL, stat: func() (Extent, error) { return Extent{Size: -1}, nil }}
	if u, err := url.Parse(rawURL); err == nil {
		if name := path.Base(u.Path); name != "." && name != "/" {
			a.name = name
		}
	}
	a.open = func(context.Context, int64) (*source, error) {
		return nil, fmt.Errorf("is fetched by the service: %w", errors.ErrUnsupported)
	}
	return a
}

// Link is the URL of a recording that the service fetches, "" for any other.
func (a Audio) Link() string { return a.link }

// JSON is a request body that holds no audio, such as a submit that names its
// media by URL.
func JSON(data []byte) func(context.Context) (*Body, error) {
	return func(context.Context) (*Body, error) {
		return &Body{
			Reader: bytes.NewReader(data), ContentType: "application/json", Length: int64(len(data)),
			audioSize: -1, audioRead: func() int64 { return 0 },
		}, nil
	}
}
