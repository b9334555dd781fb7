//go:build linux

package interop_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

// The command line reads recordings from nginx by range, copies those that have no strong ETag or no length, and sends
// the very bytes. nginx's way with ETags, preconditions and limits is not that of net/http.
func TestTheCommandLineReadsRecordingsFromNginx(t *testing.T) {
	t.Parallel()
	recording := append([]byte("RIFF\x00\x00\x00\x00WAVEfmt "), bytes.Repeat([]byte("what is said "), 100_000)...)
	server := site(t, func(f *front) string {
		for _, name := range []string{"strong.wav", "bare.wav", "zipped.wav", "whole.wav"} {
			f.write(t, name, append([]byte(name), recording...))
		}
		return fmt.Sprintf(`server {
			listen %s ssl;
			ssl_certificate %s;
			ssl_certificate_key %s/privkey.pem;
			root %s;
			location = /bare.wav { etag off; }
			location = /zipped.wav { gzip on; gzip_types *; gzip_min_length 1; }
			location = /whole.wav { max_ranges 0; }
			location = /moved.wav { return 302 https://$http_host/strong.wav?$args; }
		}`, f.addr, f.root, f.dir, f.dir)
	})
	scriptix := built(t, "../cmd/scriptix", ".")
	for name, c := range map[string]struct {
		file   string // on disk
		copied bool
	}{
		"strong.wav?Signature=secret": {"strong.wav", false},
		"whole.wav?Signature=secret":  {"whole.wav", false},
		"bare.wav?Signature=secret":   {"bare.wav", true},
		"zipped.wav?Signature=secret": {"zipped.wav", false}, // whoever wants identity gets it
		"moved.wav?Signature=secret":  {"strong.wav", false},
	} {
		t.Run(strings.Split(name, "?")[0], func(t *testing.T) {
			t.Parallel()
			fake, err := scriptixtest.Start()
			require.NoError(t, err)
			defer fake.Close()
			folder := filepath.Join(t.TempDir(), "out")
			command := func() string {
				cmd := exec.CommandContext(t.Context(), scriptix, "transcribe", "https://"+server.addr+"/"+name, "--language", "en",
					"--out", folder, "--allow-private", "--listen", "127.0.0.1:0")
				cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+server.root,
					"SCRIPTIX_BASE_URL="+fake.URL(), "SCRIPTIX_API_KEY="+fake.APIKey(), "SCRIPTIX_WEBHOOK_SECRET="+fake.WebhookSecret())
				out, err := cmd.CombinedOutput()
				require.NoError(t, err, "%s", out)
				return string(out)
			}
			out := command()
			assert.NotContains(t, out, "secret")
			assert.Equal(t, c.copied, strings.Contains(out, "is copied to"), "%s", out)
			jobs := fake.Jobs()
			require.Len(t, jobs, 1)
			sum := sha256.Sum256(append([]byte(c.file), recording...))
			assert.Equal(t, hex.EncodeToString(sum[:]), jobs[0].SHA256)
			assert.Equal(t, strings.Split(name, "?")[0], jobs[0].FileName)
			assert.Contains(t, command(), ": skipped, done before")
			assert.Len(t, fake.Jobs(), 1)
		})
	}
}
