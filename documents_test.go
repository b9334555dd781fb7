package scriptix_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

func TestDocumentsAreReadExportedAndDeletedInEachDialect(t *testing.T) {
	t.Parallel()
	for _, v := range variants() {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			fake := scriptixtest.New(t, v.fake, scriptixtest.WithProcessing(time.Millisecond), scriptixtest.WithDownloadLinks(1))
			fake.Script(func(scriptixtest.Upload) scriptixtest.Outcome {
				return scriptixtest.Outcome{
					Segments: []scriptixtest.Segment{{End: 1250 * time.Millisecond, Text: "good morning", Speaker: "S1"}},
					Exports:  map[string]string{"docx": "a document"},
				}
			})
			c := newClient(t, fake, quick, scriptix.WithDialect(v.dialect))
			job, err := c.STT.Submit(t.Context(), scriptix.Bytes("a.wav", wav), scriptix.SubmitParams{Language: "en", Diarization: true})
			require.NoError(t, err)
			ended, err := c.STT.Wait(t.Context(), job.ID)
			require.NoError(t, err)

			got, err := c.Documents.Get(t.Context(), ended.Document())
			require.NoError(t, err)
			assert.Equal(t, "good morning", got.Text)
			require.Len(t, got.Segments, 1)
			assert.Equal(t, scriptix.Segment{End: 1250 * time.Millisecond, Text: "good morning", Speaker: "S1"}, got.Segments[0])

			var file bytes.Buffer
			require.NoError(t, c.Documents.Export(t.Context(), ended.Document(), "docx", &file))
			assert.Equal(t, "a document", file.String())
			assert.Equal(t, 2, fake.Downloads(), "a redirect, and the file; a key there fails the test")
			file.Reset()
			require.NoError(t, c.Documents.Export(t.Context(), scriptix.Document{JobID: job.ID}, "json", &file))
			assert.Contains(t, file.String(), "good morning", "which is always the body")
			require.ErrorIs(t, c.Documents.Export(t.Context(), ended.Document(), "midi", io.Discard), scriptix.ErrInvalid, "the service's own word")

			require.NoError(t, c.Documents.Delete(t.Context(), ended.Document()))
			_, err = c.Documents.Get(t.Context(), ended.Document())
			require.ErrorIs(t, err, scriptix.ErrNotFound)
			_, err = c.Documents.Get(t.Context(), scriptix.Document{})
			require.ErrorIs(t, err, scriptix.ErrInvalid)
		})
	}
}

// otherHost is a second host over TLS, and the transport that trusts it.
func otherHost(t *testing.T, h http.HandlerFunc) (*httptest.Server, *http.Client) {
	t.Helper()
	other := httptest.NewTLSServer(h)
	t.Cleanup(other.Close)
	return other, other.Client()
}

func TestALinkIsFollowedWithoutTheKeyAndNeverShown(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		hops  int
		link  func(other string) string
		fails bool
	}{
		"a link":                 {0, func(o string) string { return o + "/f?sig=s3cret&hop=" }, false},
		"one redirect":           {1, func(o string) string { return o + "/f?sig=s3cret&hop=" }, false},
		"two redirects":          {2, func(o string) string { return o + "/f?sig=s3cret&hop=" }, true},
		"a link without TLS":     {0, func(o string) string { return strings.Replace(o, "https", "http", 1) + "/f?sig=s3cret&hop=" }, true},
		"a link with a user":     {0, func(o string) string { return strings.Replace(o, "://", "://u:s3cret@", 1) + "/f?hop=" }, true},
		"a link that is nothing": {0, func(string) string { return "::s3cret" }, true},
		"a redirect to no URL":   {0, func(o string) string { return o + "/moved?to=/f%25zz-s3cret" }, true},
		"a redirect with a user": {0, func(o string) string { return o + "/moved?to=" + strings.Replace(o, "://", "://u:s3cret@", 1) + "/f" }, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var mu sync.Mutex
			var leaks []string
			var self string
			other, trusting := otherHost(t, func(w http.ResponseWriter, r *http.Request) {
				mu.Lock()
				defer mu.Unlock()
				for header, values := range r.Header {
					if text := strings.Join(values, ","); header == "Authorization" || header == "Cookie" || header == "Referer" || strings.Contains(text, "sk_secret") {
						leaks = append(leaks, header)
					}
				}
				if to := r.URL.Query().Get("to"); to != "" {
					w.Header().Set("Location", to)
					w.WriteHeader(http.StatusFound)
					return
				}
				if hop, _ := strconv.Atoi(r.URL.Query().Get("hop")); hop > 0 {
					http.SetCookie(w, &http.Cookie{Name: "a", Value: "b"})
					http.Redirect(w, r, self+"/f?hop="+strconv.Itoa(hop-1), http.StatusFound)
					return
				}
				_, _ = io.WriteString(w, "the file")
			})
			self = other.URL
			api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				http.SetCookie(w, &http.Cookie{Name: "session", Value: "c"})
				link := c.link(other.URL)
				if strings.HasSuffix(link, "hop=") {
					link += strconv.Itoa(c.hops)
				}
				_, _ = io.WriteString(w, `{"result":{"url":"`+link+`"}}`)
			}))
			defer api.Close()
			var log bytes.Buffer
			client, err := scriptix.New("sk_secret", scriptix.WithBaseURL(api.URL), scriptix.WithHTTPClient(trusting), quick, logTo(&log), scriptix.WithDialect(scriptix.DialectSession))
			require.NoError(t, err)
			var file bytes.Buffer
			err = client.Documents.Export(t.Context(), scriptix.Document{JobID: "s", ID: "d"}, "stl", &file)
			if c.fails {
				require.Error(t, err)
				assert.NotContains(t, err.Error(), "s3cret")
				assert.Empty(t, file.String())
			} else {
				require.NoError(t, err)
				assert.Equal(t, "the file", file.String())
			}
			assert.Empty(t, leaks)
			assert.NotContains(t, log.String(), "s3cret")
		})
	}
}

func TestACutExportIsAnErrorAndWhatWasWrittenAPrefix(t *testing.T) {
	t.Parallel()
	requests := 0
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if requests++; r.Method != http.MethodGet {
			return
		}
		w.Header().Set("Content-Length", "200000")
		_, _ = io.WriteString(w, strings.Repeat("x", 150000))
		panic(http.ErrAbortHandler)
	}))
	defer api.Close()
	c, err := scriptix.New("k", scriptix.WithBaseURL(api.URL), quick, scriptix.WithDialect(scriptix.DialectSession))
	require.NoError(t, err)
	var file bytes.Buffer
	require.Error(t, c.Documents.Export(t.Context(), scriptix.Document{JobID: "s", ID: "d"}, "pdf", &file))
	assert.LessOrEqual(t, file.Len(), 150000)
	assert.Equal(t, 1, requests, "it is not begun again")

	full := errors.New("disk full")
	err = c.Documents.Export(t.Context(), scriptix.Document{JobID: "s", ID: "d"}, "pdf", failing{full})
	require.ErrorIs(t, err, full)
	require.NotErrorIs(t, err, scriptix.ErrBadAnswer, "it is not the service's fault")
}

func TestAnExportIsReadWhateverItsCodingAndALinkWhateverStandsAroundIt(t *testing.T) {
	t.Parallel()
	other, trusting := otherHost(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "the file") })
	link := `{"download_url":"` + other.URL + `/f"}`
	for name, answer := range map[string]struct{ coding, body string }{
		"a file in gzip":                  {"gzip", gzipped(t, "the file")},
		"a file that is not in gzip":      {"gzip", "the file"},
		"a link in gzip":                  {"gzip", gzipped(t, link)},
		"a link behind a byte order mark": {"", "\ufeff" + link},
		"a link behind blanks":            {"", "\r\n " + link + "\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if answer.coding != "" {
					w.Header().Set("Content-Encoding", answer.coding)
				}
				_, _ = io.WriteString(w, answer.body)
			}))
			defer api.Close()
			c, err := scriptix.New("k", scriptix.WithBaseURL(api.URL), scriptix.WithHTTPClient(trusting), quick)
			require.NoError(t, err)
			var file bytes.Buffer
			require.NoError(t, c.Documents.Export(t.Context(), scriptix.Document{ID: "7"}, "srt", &file))
			assert.Equal(t, "the file", file.String())
		})
	}
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "br")
		_, _ = io.WriteString(w, "\x0b\x02\x80")
	}))
	defer api.Close()
	c, err := scriptix.New("k", scriptix.WithBaseURL(api.URL), quick)
	require.NoError(t, err)
	var file bytes.Buffer
	require.ErrorIs(t, c.Documents.Export(t.Context(), scriptix.Document{ID: "7"}, "srt", &file), scriptix.ErrBadAnswer)
	assert.Empty(t, file.String())
}

func TestAnExportThatCannotBeAskedForCostsNoRequest(t *testing.T) {
	t.Parallel()
	requests := 0
	api := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests++ }))
	defer api.Close()
	c, err := scriptix.New("k", scriptix.WithBaseURL(api.URL), quick, scriptix.WithDialect(scriptix.DialectSession))
	require.NoError(t, err)
	require.ErrorIs(t, c.Documents.Export(t.Context(), scriptix.Document{JobID: "s"}, "", io.Discard), scriptix.ErrInvalid)
	require.ErrorIs(t, c.Documents.Export(t.Context(), scriptix.Document{JobID: "s"}, "srt", nil), scriptix.ErrInvalid)
	assert.Zero(t, requests)
}

func TestAFormatIsAskedForAsItIs(t *testing.T) {
	t.Parallel()
	const format = "s\x7f\a\U000e0001\"t"
	var asked struct{ Format string }
	api := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		assert.NoError(t, json.NewDecoder(r.Body).Decode(&asked))
	}))
	defer api.Close()
	c, err := scriptix.New("k", scriptix.WithBaseURL(api.URL), quick)
	require.NoError(t, err)
	require.NoError(t, c.Documents.Export(t.Context(), scriptix.Document{ID: "7"}, format, io.Discard))
	assert.Equal(t, format, asked.Format)
}

// gzipped is a text in gzip.
func gzipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := io.WriteString(w, text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.String()
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }

// TestAnExportOfAGigabyteStaysSmall runs alone, because it measures memory.
//
//nolint:paralleltest // see above
func TestAnExportOfAGigabyteStaysSmall(t *testing.T) {
	if testing.Short() {
		t.Skip("sends a gigabyte over loopback")
	}
	piece := bytes.Repeat([]byte("0123456789abcdef"), 4<<10)
	extra := 0
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		for range (1 << 30) / len(piece) {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
		_, _ = w.Write(piece[:extra])
	}))
	defer api.Close()
	c, err := scriptix.New("k", scriptix.WithBaseURL(api.URL), scriptix.WithDialect(scriptix.DialectSession))
	require.NoError(t, err)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var n, peak uint64
	count := writerFunc(func(p []byte) (int, error) {
		if n += uint64(len(p)); n%(64<<20) < uint64(len(p)) {
			runtime.ReadMemStats(&after)
			peak = max(peak, after.HeapInuse-min(before.HeapInuse, after.HeapInuse))
		}
		return len(p), nil
	})
	require.NoError(t, c.Documents.Export(t.Context(), scriptix.Document{JobID: "s", ID: "d"}, "pdf", count))
	assert.EqualValues(t, 1<<30, n)
	assert.Less(t, peak, uint64(16<<20))
	t.Logf("peak of the heap %d KiB over its start", peak>>10)

	extra, n = 1, 0
	require.Error(t, c.Documents.Export(t.Context(), scriptix.Document{JobID: "s", ID: "d"}, "pdf", count))
	assert.EqualValues(t, 1<<30, n)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestAListEndsThoughTheServiceNeverSaysSo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		first func(page int) int // the first id of a page
		total string             // a member of the answer, or none
		items int
		asked int
		bad   bool
	}{
		"the page is ignored":                    {func(int) int { return 0 }, "", 100, 2, false},
		"the page is ignored, and there are 300": {func(int) int { return 0 }, `"total_results":300,`, 100, 2, true},
		"the pages overlap":                      {func(page int) int { return min(page-1, 3) * 50 }, "", 250, 5, false},
		"the pages overlap, and there are 250":   {func(page int) int { return (page - 1) * 50 }, `"total_results":250,`, 250, 4, false},
		"each page is new":                       {func(page int) int { return page * 100 }, "", 10_000, 100, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asked := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked++
				page, err := strconv.Atoi(r.URL.Query().Get("page"))
				assert.NoError(t, err)
				var models []string
				for i := range 100 {
					models = append(models, fmt.Sprintf(`{"id":%d,"model_key":"m"}`, c.first(page)+i))
				}
				_, _ = fmt.Fprintf(w, `{"count":100,%s"result":[%s]}`, c.total, strings.Join(models, ","))
			}))
			defer server.Close()
			client, err := scriptix.New("k", scriptix.WithBaseURL(server.URL), scriptix.WithLimits(scriptix.Limits{}))
			require.NoError(t, err)
			ids, failed := make(map[string]bool), []error{}
			for m, err := range client.Models.List(t.Context()) {
				if err != nil {
					failed = append(failed, err)
					continue
				}
				assert.False(t, ids[m.ID], "%s comes twice", m.ID)
				ids[m.ID] = true
			}
			assert.Len(t, ids, c.items)
			assert.Equal(t, c.asked, asked)
			assert.Equal(t, c.bad, len(failed) == 1 && errors.Is(failed[0], scriptix.ErrBadAnswer), "%v", failed)
		})
	}
}

func TestModelsAndGlossariesAreListedPageByPage(t *testing.T) {
	t.Parallel()
	for _, v := range variants() {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			var opts []scriptixtest.Option
			for i := range 230 {
				opts = append(opts, scriptixtest.WithModels(scriptixtest.Model{ID: int64(i), Key: "custom_" + strconv.Itoa(i), Name: "N", Language: "nl", Status: 4}))
			}
			opts = append(opts, scriptixtest.WithGlossaries(scriptixtest.Glossary{ID: 7, Name: "Names"}), v.fake)
			fake := scriptixtest.New(t, opts...)
			c := newClient(t, fake, scriptix.WithDialect(v.dialect))
			var keys []string
			for m, err := range c.Models.List(t.Context()) {
				require.NoError(t, err)
				assert.Equal(t, 4, m.Status)
				keys = append(keys, m.Key)
			}
			assert.Len(t, slices.Compact(keys), 230)
			for g, err := range c.Glossaries.List(t.Context()) {
				require.NoError(t, err)
				assert.Equal(t, scriptix.Glossary{ID: "7", Name: "Names"}, g)
			}
			for _, err := range c.Models.List(t.Context()) {
				require.NoError(t, err)
				break
			}
			fake.Fault(scriptixtest.Fault{On: scriptixtest.Models, Status: 403})
			for _, err := range c.Models.List(t.Context()) {
				require.ErrorIs(t, err, scriptix.ErrForbidden)
			}
		})
	}
}

func TestAListEndsWhereTheServiceRepeatsAPageOrNamesNoUsableTotal(t *testing.T) {
	t.Parallel()
	all := make([]string, 150)
	for i := range all {
		all[i] = fmt.Sprintf(`{"id":%d,"name":"N"}`, i)
	}
	page := func(r *http.Request) string {
		n, _ := strconv.Atoi(r.URL.Query().Get("page"))
		return "[" + strings.Join(all[min(100*(n-1), 150):min(100*n, 150)], ",") + "]"
	}
	for name, answer := range map[string]func(*http.Request) string{
		"every page is the whole list":       func(*http.Request) string { return "[" + strings.Join(all, ",") + "]" },
		"the total is no number":             func(r *http.Request) string { return `{"total_results":"many","result":` + page(r) + `}` },
		"the total is lower than what comes": func(r *http.Request) string { return `{"total_results":0,"result":` + page(r) + `}` },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			requests := 0
			api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests++
				_, _ = io.WriteString(w, answer(r))
			}))
			defer api.Close()
			c, err := scriptix.New("k", scriptix.WithBaseURL(api.URL), quick)
			require.NoError(t, err)
			var ids []string
			for g, err := range c.Glossaries.List(t.Context()) {
				require.NoError(t, err)
				ids = append(ids, g.ID)
				require.LessOrEqual(t, len(ids), 150)
			}
			assert.Len(t, ids, 150)
			assert.LessOrEqual(t, requests, 2)
		})
	}
}

func logTo(w io.Writer) scriptix.Option {
	return scriptix.WithLogger(slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug})))
}

func TestAProgramThatDoesNotUseTheOptionLinksNothingOfTheOtherDialect(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds a program")
	}
	binary := filepath.Join(t.TempDir(), "program")
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", binary, "./examples/transcribe").CombinedOutput()
	require.NoError(t, err, "%s", out)
	symbols, err := exec.CommandContext(t.Context(), "go", "tool", "nm", binary).Output()
	require.NoError(t, err)
	assert.Contains(t, string(symbols), "scriptix-go.readTranscript")
	for _, name := range []string{"dialect.ReadResult", "dialect.ReadSession", "dialect.Submission", "internal/download", "internal/hint", "scriptix-go.sessionTable"} {
		assert.NotContains(t, string(symbols), name)
	}
}
