package interop_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tus/tusd/v2/pkg/filestore"
	"github.com/tus/tusd/v2/pkg/handler"
	"github.com/tus/tusd/v2/pkg/memorylocker"
	"golang.org/x/exp/slog"

	"github.com/scriptix-io/scriptix-go"
)

const (
	apiKey    = "sk_interop"
	filesPath = "/api/v3/files/"
)

// serve is the role of the service: tusd, and the call that tells which job an
// upload became.
func serve() error {
	store := filestore.New(os.Getenv("INTEROP_DIR"))
	composer := handler.NewStoreComposer()
	store.UseIn(composer)
	memorylocker.New().UseIn(composer)
	tusd, err := handler.NewHandler(handler.Config{
		BasePath: filesPath, StoreComposer: composer, DisableDownload: true,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		return err
	}
	files := http.StripPrefix(filesPath, tusd)
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", os.Getenv("INTEROP_ADDR"))
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	server := &http.Server{ReadHeaderTimeout: time.Minute, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Header.Get("Authorization") != "Bearer "+apiKey:
			w.WriteHeader(http.StatusUnauthorized)
		case r.Method == http.MethodGet:
			describe(w, r, store)
		default:
			files.ServeHTTP(w, r)
		}
	})}
	return server.Serve(l)
}

// describe answers GET /api/v3/files/{id} as the service does.
func describe(w http.ResponseWriter, r *http.Request, store filestore.FileStore) {
	id := strings.TrimPrefix(r.URL.Path, filesPath)
	upload, err := store.GetUpload(r.Context(), id)
	if err != nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	info, err := upload.GetInfo(r.Context())
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	result := map[string]any{"metadata": info.MetaData}
	if info.Offset == info.Size {
		result["session_id"] = "job-" + id
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"count": 1, "total_results": 1, "result": result})
}

// upload is the role of a program that uploads and remembers the token.
func upload() error {
	c, err := scriptix.New(apiKey, scriptix.WithBaseURL(os.Getenv("INTEROP_URL")))
	if err != nil {
		return err
	}
	how := []scriptix.SubmitOption{scriptix.Resumable(), scriptix.OnUploadCreated(func(_ context.Context, token string) error {
		return os.WriteFile(os.Getenv("INTEROP_TOKEN"), []byte(token), 0o600)
	})}
	if os.Getenv("INTEROP_VERIFY") != "" {
		digest, err := scriptix.File(os.Getenv("INTEROP_FILE")).Digest(context.Background(), io.Discard)
		if err != nil {
			return err
		}
		how = append(how, scriptix.ExpectDigest(digest))
	}
	if token, err := os.ReadFile(os.Getenv("INTEROP_TOKEN")); err == nil {
		how = []scriptix.SubmitOption{scriptix.ResumeUpload(string(token))}
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	job, err := c.STT.Submit(context.Background(), scriptix.File(os.Getenv("INTEROP_FILE")), scriptix.SubmitParams{Language: "en"}, how...)
	if err != nil {
		return err
	}
	runtime.ReadMemStats(&after)
	fmt.Println(job.ID)
	fmt.Println(after.Mallocs-before.Mallocs, after.TotalAlloc-before.TotalAlloc)
	return nil
}

// server is tusd in a process of its own.
type server struct {
	*child
	dir, addr string
}

func startServer(t *testing.T) *server {
	t.Helper()
	s := &server{dir: t.TempDir(), addr: "127.0.0.1:0"}
	s.restart(t)
	return s
}

// restart starts the service on the same port and directory as before.
func (s *server) restart(t *testing.T) {
	t.Helper()
	s.child = again(t, "server", "INTEROP_DIR="+s.dir, "INTEROP_ADDR="+s.addr)
	s.addr = s.line(t)
}

func (s *server) url() string { return "http://" + s.addr }

func newClient(t *testing.T, url string, opts ...scriptix.Option) *scriptix.Client {
	t.Helper()
	retry := scriptix.WithRetry(scriptix.RetryPolicy{MinWait: 50 * time.Millisecond, MaxWait: 2 * time.Second, MaxAttempts: 8})
	c, err := scriptix.New(apiKey, append([]scriptix.Option{scriptix.WithBaseURL(url), retry, scriptix.WithLimits(scriptix.Limits{Concurrent: 2})}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// points are n random places within a file, in order.
func points(n int, size int64) []int64 {
	at := make([]int64, n)
	for i := range at {
		at[i] = 1 + rand.Int64N(size*95/100)
	}
	slices.Sort(at)
	return at
}

func TestUploadSurvivesAServerThatIsKilledAgainAndAgain(t *testing.T) { //nolint:paralleltest // they would fight for the disk
	rounds, kills, p := 1, 5, tape{256 << 20}
	if *full {
		rounds, kills, p = 20, 3, tape{1 << 30}
	}
	s := startServer(t)
	c := newClient(t, s.url())
	for round := range rounds {
		done := make(chan struct{})
		var job *scriptix.Job
		var failure error
		go func() {
			defer close(done)
			job, failure = c.STT.Submit(t.Context(), p.audio(), scriptix.SubmitParams{Language: "en"}, scriptix.Resumable())
		}()
		killed := 0
		for _, at := range points(kills, p.size) {
			if !stored(s.dir, at, done) {
				break
			}
			s.kill()
			killed++
			s.restart(t)
		}
		<-done
		require.NoError(t, failure, "round %d", round)
		require.Equal(t, kills, killed)
		requireStored(t, s.dir, job, p)
		t.Logf("round %d: %d MiB, killed %d times, identical", round+1, p.size>>20, killed)
	}
}

func TestAnotherProcessGoesOnWhereOneWasKilled(t *testing.T) { //nolint:paralleltest // as above
	for name, verify := range map[string]string{"by size and time": "", "by SHA-256": "1"} { //nolint:paralleltest // as above
		t.Run(name, func(t *testing.T) {
			kills, p := 5, tape{256 << 20}
			if *full {
				kills, p = 20, tape{1 << 30}
			}
			s := startServer(t)
			dir := t.TempDir()
			file := filepath.Join(dir, "tape.wav")
			f, err := os.Create(file)
			require.NoError(t, err)
			_, err = io.Copy(f, io.NewSectionReader(p, 0, p.size))
			require.NoError(t, errors.Join(err, f.Close()))
			run := func() *child {
				return again(t, "client", "INTEROP_URL="+s.url(), "INTEROP_FILE="+file, "INTEROP_TOKEN="+filepath.Join(dir, "token"), "INTEROP_VERIFY="+verify)
			}
			for _, at := range points(kills, p.size) {
				client := run()
				require.True(t, stored(s.dir, at, client.ended), "it is killed before it is through")
				client.kill()
			}
			client := run()
			id := client.line(t)
			<-client.ended
			require.NoError(t, client.err)
			requireStored(t, s.dir, &scriptix.Job{ID: id}, p)
			t.Logf("%s MiB, killed %d times, resumed by another process each time, identical", strconv.FormatInt(p.size>>20, 10), kills)
		})
	}
}

// What a chunk allocates is garbage that the collector lets grow to megabytes
// before it runs, so it decides how flat the memory of a large upload stays.
func TestChunksAllocateLittle(t *testing.T) {
	s := startServer(t)
	dir := t.TempDir()
	measure := func(size int64) (allocations, bytes int64) {
		file := filepath.Join(dir, strconv.FormatInt(size, 10)+".wav")
		require.NoError(t, os.WriteFile(file, nil, 0o600))
		require.NoError(t, os.Truncate(file, size)) // sparse
		client := again(t, "client", "INTEROP_URL="+s.url(), "INTEROP_FILE="+file, "INTEROP_TOKEN="+file+".token", "INTEROP_VERIFY=")
		client.line(t)
		_, err := fmt.Sscan(client.line(t), &allocations, &bytes)
		require.NoError(t, err)
		return allocations, bytes
	}
	const chunks = 10
	n1, b1 := measure(2 * 50 << 20) // the connection's buffer included, which all chunks share
	n2, b2 := measure((chunks + 2) * 50 << 20)
	t.Logf("each chunk: %d allocations, %d bytes", (n2-n1)/chunks, (b2-b1)/chunks)
	require.Less(t, (n2-n1)/chunks, int64(150))
	if !raceDetector() { // with it sync.Pool forgets buffers at random
		require.Less(t, (b2-b1)/chunks, int64(16<<10), "less than a copy buffer")
	}
}

func raceDetector() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}
