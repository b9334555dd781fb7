package scriptix_test

import (
	"context"
	"io/fs"
	"math/rand/v2"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

// openFS counts the files that are open.
type openFS struct {
	fs.FS
	open *atomic.Int64
}

func (o openFS) Open(name string) (fs.File, error) {
	f, err := o.FS.Open(name)
	if err != nil {
		return nil, err
	}
	o.open.Add(1)
	return &openFile{File: f, open: o.open}, nil
}

type openFile struct {
	fs.File
	open *atomic.Int64
	once sync.Once
}

func (f *openFile) Close() error {
	f.once.Do(func() { f.open.Add(-1) })
	return f.File.Close()
}

// permits counts those that are out.
type permits struct {
	scriptix.Budget
	out *atomic.Int64
}

func (p permits) Acquire(ctx context.Context, class scriptix.Class) (scriptix.Permit, error) {
	permit, err := p.Budget.Acquire(ctx, class)
	if err != nil {
		return nil, err
	}
	p.out.Add(1)
	return &counted{Permit: permit, out: p.out}, nil
}

type counted struct {
	scriptix.Permit
	out  *atomic.Int64
	once sync.Once
}

func (c *counted) Done(info scriptix.RateInfo) {
	c.once.Do(func() { c.out.Add(-1) })
	c.Permit.Done(info)
}

// Fifty goroutines submit one recording through one client over a network that
// fails in every way, and give up at random moments. Each submit makes one job
// at most, and nothing stays behind: no file, no permit, no goroutine.
func TestManySubmitsThatFailAtRandomLeaveNothingBehindAndMakeNoJobTwice(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(dir+"/a.wav", makeWAV(20*time.Second), 0o600))
	synctest.Test(t, func(t *testing.T) {
		fake := newFake(t, scriptixtest.InMemory())
		var open, out atomic.Int64
		budget, err := scriptix.NewBudget(scriptix.Limits{Concurrent: 20})
		require.NoError(t, err)
		c := newClient(t, fake, scriptix.WithBudget(permits{budget, &out}))
		audio := scriptix.FileFS(openFS{os.DirFS(dir), &open}, "a.wav")
		if variantOf(t).byURL {
			audio = sourceOf(t, nil)
		}
		faults := []scriptixtest.Fault{
			{Cut: scriptixtest.BeforeBody}, {Cut: scriptixtest.WithinBody}, {Cut: scriptixtest.AfterBody}, {Cut: scriptixtest.WithinAnswer},
			{Status: 429, RetryAfter: "1"}, {Status: 500}, {Status: 401}, {Status: 503, RetryAfter: "2", Body: `{"error":"busy"}`}, {BodyStall: time.Hour}, {Delay: 20 * time.Second},
		}
		var wg sync.WaitGroup
		for i := range 50 {
			fault := faults[i%len(faults)]
			fault.On, fault.Skip = scriptixtest.Submit, i/2
			fake.Fault(fault)
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), rand.N(10*time.Minute))
				defer cancel()
				var opts []scriptix.SubmitOption
				if i%5 == 0 {
					opts = append(opts, scriptix.OnProgress(func(int64, int64) {}))
				}
				params := english
				params.Extra = url.Values{"folder_id": {string(rune('A' + i))}}
				job, err := c.STT.Submit(ctx, audio, params, opts...)
				assert.Equal(t, job == nil, err != nil)
			})
		}
		wg.Wait()
		c.CloseIdleConnections()
		time.Sleep(2 * time.Hour) // what is stalled at the fake comes to its end
		require.NotEmpty(t, fake.Jobs())
		seen := make(map[string]int)
		for _, job := range fake.Jobs() {
			seen[job.Fields.Get("folder_id")]++
		}
		for folder, n := range seen {
			assert.Equal(t, 1, n, "jobs of %s", folder)
		}
		assert.Zero(t, open.Load(), "files")
		assert.Zero(t, out.Load(), "permits")
	})
}
