// Command ours uploads a file with this SDK.
package main

import (
	"context"
	"flag"
	"math"
	"net/http"
	"runtime"

	scriptix "github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/bench/upload/internal/contender"
)

func main() {
	resumable := flag.Bool("resumable", false, "as a resumable upload")
	allocs := flag.Bool("allocs", false, "count how many allocations the file costs more than one byte does")
	contender.Run(func(t contender.Task) (contender.Report, error) {
		u, err := newUploader(t, *resumable)
		if err != nil {
			return contender.Report{}, err
		}
		if *allocs {
			return u.allocations(t.File)
		}
		return contender.Report{}, u.upload(scriptix.File(t.File))
	}, contender.Flags())
}

type uploader struct {
	client *scriptix.Client
	opts   []scriptix.SubmitOption
}

func newUploader(t contender.Task, resumable bool) (*uploader, error) {
	tr, err := t.Transport()
	if err != nil {
		return nil, err
	}
	u := new(uploader)
	if resumable {
		u.opts = append(u.opts, scriptix.Resumable())
	}
	u.client, err = scriptix.New("key", scriptix.WithBaseURL(t.URL), scriptix.WithHTTPClient(&http.Client{Transport: tr}),
		scriptix.WithLimits(scriptix.Limits{}), scriptix.WithResumableAbove(math.MaxInt64), scriptix.WithRetry(scriptix.RetryPolicy{MaxAttempts: 1}))
	return u, err
}

func (u *uploader) upload(a scriptix.Audio) error {
	_, err := u.client.STT.Submit(context.Background(), a, scriptix.SubmitParams{Language: "en"}, u.opts...)
	return err
}

// allocations compares an upload of the file with one of a byte, both on a
// connection of their own and with everything made that is made once.
func (u *uploader) allocations(file string) (contender.Report, error) {
	one := scriptix.Bytes("one.wav", []byte{0})
	if err := u.upload(one); err != nil {
		return contender.Report{}, err
	}
	small, err := u.count(one)
	if err != nil {
		return contender.Report{}, err
	}
	large, err := u.count(scriptix.File(file))
	return contender.Report{Allocs: max(large, small) - small}, err
}

func (u *uploader) count(a scriptix.Audio) (uint64, error) {
	u.client.CloseIdleConnections()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	err := u.upload(a)
	runtime.ReadMemStats(&after)
	return after.Mallocs - before.Mallocs, err
}
