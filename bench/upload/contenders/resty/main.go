// Command resty uploads a file with resty, as its documentation does.
package main

import (
	"fmt"
	"net/http"

	"github.com/scriptix-io/scriptix-go/bench/upload/internal/contender"
	"resty.dev/v3"
)

func main() { contender.Run(upload, contender.Flags()) }

func upload(t contender.Task) (r contender.Report, err error) {
	tr, err := t.Transport()
	if err != nil {
		return r, err
	}
	c := resty.NewWithTransportSettings(nil).SetTransport(tr)
	defer func() { _ = c.Close() }()
	resp, err := c.R().SetAuthToken("key").SetMultipartFormData(map[string]string{"language": "en"}).SetFile("audio_file", t.File).Post(t.URL + "/api/v3/stt")
	if err == nil && resp.StatusCode() != http.StatusCreated {
		err = fmt.Errorf("the sink answered %s", resp.Status())
	}
	return r, err
}
