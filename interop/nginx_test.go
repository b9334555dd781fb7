//go:build linux

package interop_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// domain is the one that the guide puts its receivers at.
const domain = "jobs.example.com"

// front is nginx with the configuration of the guide.
type front struct {
	addr string
	dir  string
	root string // file of the certificate, which is its own authority
}

// guide returns the configuration that docs/callbacks.md shows.
func guide(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../docs/callbacks.md")
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```nginx\n(.*?)```").FindAllSubmatch(page, -1)
	require.Len(t, blocks, 1, "configurations of nginx on the page")
	return string(blocks[0][1])
}

// nginx runs the guide's configuration as it stands, but for addresses and files, in front of two receivers. It runs
// as a user without rights, because nothing in the guide needs any.
func nginx(t *testing.T, first, second string) *front {
	t.Helper()
	return site(t, func(f *front) string {
		config := guide(t)
		for theirs, ours := range map[string]string{
			"10.0.0.11:8090":  first,
			"10.0.0.12:8090":  second,
			"listen 443 ssl;": "listen " + f.addr + " ssl;",
			"/etc/ssl/jobs.example.com/fullchain.pem": f.root,
			"/etc/ssl/jobs.example.com/privkey.pem":   filepath.Join(f.dir, "privkey.pem"),
		} {
			require.Equal(t, 1, strings.Count(config, theirs), "the guide's configuration has %q once", theirs)
			config = strings.Replace(config, theirs, ours, 1)
		}
		return config
	})
}

// site runs nginx with the configuration of a site, which may put files into the folder.
func site(t *testing.T, configured func(f *front) string) *front {
	t.Helper()
	binary := "/usr/sbin/nginx" // which is not on an ordinary user's PATH
	if _, err := os.Stat(binary); err != nil {
		binary = program(t, "nginx")
	}
	dir, err := os.MkdirTemp("", "nginx") //nolint:usetesting // another user cannot get into t.TempDir
	require.NoError(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	f := &front{addr: address(t, "127.0.0.13"), dir: dir, root: filepath.Join(dir, "fullchain.pem")}
	f.certify(t)
	config := configured(f)
	// What Debian's nginx.conf has around a site.
	whole := "worker_processes 2;\npid nginx.pid;\ndaemon off;\nevents {}\nhttp {\naccess_log " + filepath.Join(dir, "access.log") + ";\n"
	for _, module := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		whole += module + "_temp_path " + module + ";\n"
	}
	f.write(t, "nginx.conf", []byte(whole+config+"}\n"))
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), binary, "-p", dir, "-e", filepath.Join(dir, "error.log"), "-c", filepath.Join(dir, "nginx.conf"))
	if uid := os.Geteuid(); uid == 0 {
		const nobody = 65534
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		require.NoError(t, err)
		for _, file := range append(files, dir) {
			require.NoError(t, os.Chown(file, nobody, nobody))
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	f.run(t, cmd)
	return f
}

// run starts nginx and waits until it takes connections.
func (f *front) run(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = new(syscall.SysProcAttr)
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGTERM // should the test's process be killed
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	require.NoError(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
		}
		if log, err := os.ReadFile(filepath.Join(f.dir, "error.log")); err == nil && t.Failed() {
			t.Logf("nginx said:\n%s%s", said.Bytes(), log)
		}
	})
	ready(t, f.addr)
}

// certify makes a certificate for the domain and for the address.
func (f *front) certify(t *testing.T) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	host, _, err := net.SplitHostPort(f.addr)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: domain}, DNSNames: []string{domain}, IPAddresses: []net.IP{net.ParseIP(host)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	f.write(t, "fullchain.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}))
	f.write(t, "privkey.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
}

func (f *front) write(t *testing.T, name string, data []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(f.dir, name), data, 0o600))
}

// client reaches the domain as the service would, and keeps its connections.
func (f *front) client(t *testing.T) *http.Client {
	t.Helper()
	chain, err := os.ReadFile(f.root)
	require.NoError(t, err)
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(chain))
	transport := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, f.addr)
		},
		MaxIdleConnsPerHost: senders,
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 30 * time.Second} // as long as the service waits for an answer
}

// address returns a port that is free. The addresses are those of loopback that nothing else on a machine uses, so
// that it stays free while a receiver restarts.
func address(t *testing.T, host string) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", host+":0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	return l.Addr().String()
}

// ready waits until something takes connections at the address.
func ready(t *testing.T, addr string) {
	t.Helper()
	require.Eventually(t, func() bool {
		conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
		if err != nil {
			return false
		}
		return assert.NoError(t, conn.Close())
	}, 20*time.Second, 5*time.Millisecond, "nothing listens at %s", addr)
}

// A new user follows docs/callbacks.md: nginx in front of two receivers that restart one after the other, first with
// both secrets and then with the new one alone, while callbacks come all the time.
func TestNoCallbackIsLostOrRefusedWhileTheSecretIsRotatedBehindNginx(t *testing.T) {
	t.Parallel()
	programs := builds(t)
	for _, kind := range []string{"listen", "webhookserver"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			first := &receiver{kind: kind, program: programs[kind], addr: address(t, "127.0.0.11"), dir: t.TempDir()}
			second := &receiver{kind: kind, program: programs[kind], addr: address(t, "127.0.0.12"), dir: t.TempDir()}
			proxy := nginx(t, first.addr, second.addr)
			const oldSecret, newSecret = "whsec_of_your_account", "whsec_that_comes"
			first.begin(t, oldSecret)
			second.begin(t, oldSecret)
			s := newStream(proxy.client(t))
			require.Equal(t, http.StatusOK, s.post(t, oldSecret))
			require.Equal(t, http.StatusUnauthorized, s.post(t, newSecret), "nobody knows it yet")

			s.sign(oldSecret)
			s.begin(t)
			first.restart(t, newSecret, oldSecret) // step 1
			second.restart(t, newSecret, oldSecret)
			proxy.trigger(t, programs["listen"], newSecret, oldSecret) // step 2
			s.sign(newSecret, oldSecret)                               // steps 3 and 4: retries may carry the old one
			s.flows(t, 200)
			s.sign(newSecret)
			first.restart(t, newSecret) // step 5
			second.restart(t, newSecret)
			s.flows(t, 200)
			s.end()

			t.Logf("%d callbacks, of which the first receiver took %d and the second %d", s.sent(), len(first.events(t)), len(second.events(t)))
			assert.Empty(t, s.refused(), "what was not answered with 200")
			got := append(first.events(t), second.events(t)...)
			assert.Subset(t, got, s.accepted(), "whatever had its 200 is with one of the receivers")
			assert.NotEmpty(t, first.events(t))
			assert.NotEmpty(t, second.events(t))
			assert.Equal(t, http.StatusUnauthorized, s.post(t, oldSecret), "the old secret is out")
			log, err := os.ReadFile(filepath.Join(proxy.dir, "access.log"))
			require.NoError(t, err)
			assert.Empty(t, string(log), "the query of a callback is nobody's business")
		})
	}
}

// trigger checks the receivers through nginx as step 2 of the guide does.
func (f *front) trigger(t *testing.T, scriptix string, secrets ...string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secrets")
	require.NoError(t, os.WriteFile(file, []byte(strings.Join(secrets, "\n")+"\n"), 0o600))
	cmd := exec.CommandContext(t.Context(), scriptix, "trigger", fmt.Sprintf("https://%s/scriptix", f.addr), "--all", "--secret-file", file)
	cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+f.root)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	assert.NotContains(t, string(out), "FAIL")
	assert.Regexp(t, `(?m)^ok +rotated +200 in`, string(out))
}
