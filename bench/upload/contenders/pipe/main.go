// Command pipe uploads a file as most examples for net/http do: an io.Pipe with
// a multipart.Writer at its other end.
package main

import (
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"

	"github.com/scriptix-io/scriptix-go/bench/upload/internal/contender"
)

func main() { contender.Run(upload, contender.Flags()) }

func upload(t contender.Task) (r contender.Report, err error) {
	tr, err := t.Transport()
	if err != nil {
		return r, err
	}
	f, err := os.Open(t.File)
	if err != nil {
		return r, err
	}
	defer func() { _ = f.Close() }()
	pr, pw := io.Pipe()
	form := multipart.NewWriter(pw)
	go func() { pw.CloseWithError(write(form, f)) }()
	req, err := http.NewRequest(http.MethodPost, t.URL+"/api/v3/stt", pr) //nolint:noctx // the measuring program ends this process
	if err != nil {
		return r, err
	}
	req.Header.Set("Authorization", "Bearer key")
	req.Header.Set("Content-Type", form.FormDataContentType())
	resp, err := (&http.Client{Transport: tr}).Do(req)
	if err != nil {
		return r, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		return r, fmt.Errorf("the sink answered %s", resp.Status)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return r, err
}

func write(form *multipart.Writer, f *os.File) error {
	if err := form.WriteField("language", "en"); err != nil {
		return err
	}
	part, err := form.CreateFormFile("audio_file", filepath.Base(f.Name()))
	if err != nil {
		return err
	}
	if _, err := io.Copy(part, f); err != nil {
		return err
	}
	return form.Close()
}
