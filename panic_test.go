package scriptix_test

import (
	"context"
	"io"
	"io/fs"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

const bang = "the caller's code has a bug"

// explosive panics where it is told to.
type explosive struct {
	io.Reader
	read, closing bool
}

func (e explosive) Read(p []byte) (int, error) {
	if e.read {
		panic(bang)
	}
	return e.Reader.Read(p)
}

func (e explosive) Close() error {
	if e.closing {
		panic(bang)
	}
	return nil
}

func (e explosive) ReadAt(p []byte, off int64) (int, error) {
	if e.read && off > 4096 {
		panic(bang)
	}
	return tape{200_000}.ReadAt(p, off)
}

// explosiveFS panics when a file of it is opened.
type explosiveFS struct{ fs.StatFS }

func (explosiveFS) Open(string) (fs.File, error) { panic(bang) }

func TestAPanicOfTheCallersCodeComesOutOfSubmit(t *testing.T) {
	t.Parallel()
	const size = 200_000
	content := func() io.Reader { return io.NewSectionReader(tape{size}, 0, size) }
	opener := func(open func() io.ReadCloser) scriptix.Audio {
		return scriptix.Opener("a.wav", size, func(context.Context, int64) (io.ReadCloser, error) { return open(), nil })
	}
	files := fstest.MapFS{"a.wav": {Data: wav}}
	for name, tt := range map[string]struct {
		audio scriptix.Audio
		opts  []scriptix.SubmitOption
		whole bool // it cannot be sent in parts
	}{
		"open":           {audio: opener(func() io.ReadCloser { panic(bang) })},
		"a file's open":  {audio: scriptix.FileFS(explosiveFS{files}, "a.wav")},
		"the first read": {audio: opener(func() io.ReadCloser { return explosive{content(), true, false} })},
		"a later read": {audio: opener(func() io.ReadCloser {
			return io.NopCloser(io.MultiReader(io.LimitReader(content(), 100_000), explosive{nil, true, false}))
		})},
		"a one-shot reader":  {audio: scriptix.Reader("a.wav", io.MultiReader(io.LimitReader(content(), 100_000), explosive{nil, true, false})), whole: true},
		"ReadAt":             {audio: scriptix.ReaderAt("a.wav", explosive{nil, true, false}, size)},
		"close":              {audio: opener(func() io.ReadCloser { return explosive{content(), false, true} })},
		"the progress":       {audio: tape{size}.audio(), opts: []scriptix.SubmitOption{scriptix.OnProgress(func(int64, int64) { panic(bang) })}},
		"the upload's token": {audio: tape{size}.audio(), opts: []scriptix.SubmitOption{scriptix.Resumable(), scriptix.OnUploadCreated(func(context.Context, string) error { panic(bang) })}},
	} {
		for how, opts := range map[string][]scriptix.SubmitOption{"in one request": nil, "resumable": {scriptix.Resumable()}} {
			if tt.whole && (how == "resumable" || !variantOf(t).dialect.SignedCallbacks()) {
				continue
			}
			t.Run(name+", "+how, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					fake := newFake(t, scriptixtest.InMemory())
					c := newClient(t, fake, scriptix.WithLimits(scriptix.Limits{Concurrent: 2}))
					require.PanicsWithValue(t, bang, func() { _, _ = c.STT.Submit(t.Context(), tt.audio, english, append(opts, tt.opts...)...) })
					requireNothingLeft(t, c)
				})
			})
		}
	}
}

// requireNothingLeft asserts that no permit is out, nobody waits, and the client
// still works.
func requireNothingLeft(t *testing.T, c *scriptix.Client) {
	t.Helper()
	b := c.Budget()
	require.Equal(t, []int{0, 0, 0, 0}, []int{b.InFlight, b.Results, b.Submits, b.Polls})
	require.Zero(t, c.Stats().Waiting)
	job, err := c.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), english)
	require.NoError(t, err)
	_, err = c.STT.Wait(t.Context(), job.ID)
	require.NoError(t, err)
}

// Over a real connection net/http reads the body on a goroutine of its own.
func TestAPanicOfAReaderOnARealConnectionComesOutOfSubmit(t *testing.T) {
	t.Parallel()
	fake := newFake(t)
	c := newClient(t, fake)
	for range 20 {
		reader := scriptix.Reader("a.wav", io.MultiReader(io.LimitReader(endless{}, 3<<20), explosive{nil, true, false}))
		require.PanicsWithValue(t, bang, func() { _, _ = c.STT.Submit(t.Context(), reader, english) })
	}
	assert.Zero(t, c.Budget().InFlight)
	assert.Empty(t, fake.Jobs())
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestAPanicOfARoundTripperComesOutOfTheCall(t *testing.T) {
	t.Parallel()
	for name, call := range map[string]func(context.Context, *scriptix.Client){
		"Submit": func(ctx context.Context, c *scriptix.Client) { _, _ = c.STT.Submit(ctx, tape{5000}.audio(), english) },
		"Status": func(ctx context.Context, c *scriptix.Client) { _, _ = c.STT.Status(ctx, "stt_1") },
		"Result": func(ctx context.Context, c *scriptix.Client) { _, _ = c.STT.Result(ctx, "stt_1") },
		"Wait":   func(ctx context.Context, c *scriptix.Client) { _, _ = c.STT.Wait(ctx, "stt_1") },
		"Watch": func(ctx context.Context, c *scriptix.Client) {
			for range c.STT.Watch(ctx, "stt_1", "stt_2") {
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := newFake(t, scriptixtest.InMemory())
				var broken atomic.Bool
				broken.Store(true)
				c := newClient(t, fake, scriptix.WithLimits(scriptix.Limits{Concurrent: 2}), scriptix.WithHTTPClient(&http.Client{Transport: trip(func(r *http.Request) (*http.Response, error) {
					if broken.Load() {
						panic(bang)
					}
					return fake.HTTPClient().Transport.RoundTrip(r)
				})}))
				require.PanicsWithValue(t, bang, func() { call(t.Context(), c) })
				synctest.Wait()
				broken.Store(false)
				requireNothingLeft(t, c)
			})
		})
	}
}

// explosiveBudget panics instead of giving a permit.
type explosiveBudget struct {
	scriptix.Budget
	broken *atomic.Bool
}

func (b *explosiveBudget) Acquire(ctx context.Context, class scriptix.Class) (scriptix.Permit, error) {
	if b.broken.Load() {
		panic(bang)
	}
	return b.Budget.Acquire(ctx, class)
}

func (b *explosiveBudget) Snapshot() scriptix.BudgetSnapshot {
	key, ok := b.Budget.(*scriptix.KeyBudget)
	if !ok {
		return scriptix.BudgetSnapshot{}
	}
	return key.Snapshot()
}

func TestAPanicOfABudgetOrItsKeeperComesOutOfTheWait(t *testing.T) {
	t.Parallel()
	for name, kept := range map[string]bool{"a budget": false, "a keeper": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				fake := newFake(t, scriptixtest.InMemory())
				key, err := scriptix.NewBudget(scriptix.PlanSilver)
				require.NoError(t, err)
				var budget, keeper atomic.Bool // which panics
				budget.Store(!kept)
				keeper.Store(kept)
				b := &explosiveBudget{key, &budget}
				if kept {
					key.Keep(5, func(scriptix.BudgetState) error {
						if keeper.Load() {
							panic(bang)
						}
						return nil
					})
				}
				c := newClient(t, fake, scriptix.WithBudget(b))
				require.PanicsWithValue(t, bang, func() {
					_, _ = c.STT.Wait(t.Context(), "stt_1", scriptix.SubmittedAt(time.Now().Add(-time.Hour)))
				})
				synctest.Wait()
				budget.Store(false)
				keeper.Store(false)
				requireNothingLeft(t, c)
			})
		})
	}
}
