package scriptixtest

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// downloads is the second host, to which the links of exports lead. It must never see the key.
type downloads struct {
	listener net.Listener
	http     *http.Server
	served   chan struct{}
	url      string
	files    map[string][]byte // guarded by the server's mutex
	leaks    []string          // guarded by the server's mutex
	seen     int
}

// Leaks tells of each request to the second host of [WithDownloadLinks] that carried a key or a cookie. A link needs neither.
func (s *Server) Leaks() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.downloads.leaks...)
}

// Downloads returns how many requests the second host of [WithDownloadLinks] has seen.
func (s *Server) Downloads() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.downloads.seen
}

// listenForDownloads starts the second host.
func (s *Server) listenForDownloads(cert tls.Certificate) error {
	d := &s.downloads
	d.files, d.served = make(map[string][]byte), make(chan struct{})
	if s.cfg.memory {
		l := newMemoryListener()
		l.addr = &net.TCPAddr{IP: memoryAddr.IP, Port: 2}
		d.listener = l
	} else {
		l, err := new(net.ListenConfig).Listen(s.closing, "tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		d.listener = l
	}
	d.url = "https://" + d.listener.Addr().String()
	d.http = &http.Server{
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelWarn), // of clients that hang up
		Handler:           http.HandlerFunc(s.download),
		ConnState:         s.connState,
		ReadHeaderTimeout: time.Minute,
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12},
	}
	go func() {
		defer close(d.served)
		_ = d.http.ServeTLS(d.listener, "", "") // always an error: that of Close
	}()
	return nil
}

// trusting makes a certificate for all hosts of the service, and has the client trust it.
func trusting(transport *http.Transport) (tls.Certificate, error) {
	cert, pool, err := selfSigned()
	if err != nil {
		return tls.Certificate{}, err
	}
	transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	return cert, nil
}

// closeDownloads ends the second host.
func (s *Server) closeDownloads() {
	if s.downloads.http == nil {
		return
	}
	_ = s.downloads.http.Close()
	<-s.downloads.served
}

// offer puts a file on the second host, and returns a link to it, which is a secret.
func (s *Server) offer(file []byte) string {
	name := token(16)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.downloads.files[name] = file
	return s.downloads.url + "/" + name + "?hop=" + strconv.Itoa(s.cfg.linkRedirects) + "&X-Signature=" + token(8)
}

// download answers a request to the second host.
func (s *Server) download(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.downloads.seen++
	keys := append([]string{s.cfg.key}, s.cfg.otherKeys...)
	for name, values := range r.Header {
		all := strings.Join(values, ", ")
		for _, key := range keys {
			if name == "Authorization" || name == "Cookie" || name == http.CanonicalHeaderKey(legacyHeader) || strings.Contains(all, key) {
				s.downloads.leaks = append(s.downloads.leaks, fmt.Sprintf("the header %s arrived at the second host", name))
				break
			}
		}
	}
	file, ok := s.downloads.files[strings.TrimPrefix(r.URL.Path, "/")]
	s.mu.Unlock()
	query := r.URL.Query()
	hops, _ := strconv.Atoi(query.Get("hop"))
	switch {
	case !ok:
		http.NotFound(w, r)
	case hops > 0:
		query.Set("hop", strconv.Itoa(hops-1))
		http.Redirect(w, r, s.downloads.url+r.URL.Path+"?"+query.Encode(), http.StatusFound) //nolint:gosec // to this host
	default:
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Length", strconv.Itoa(len(file)))
		_, _ = w.Write(file) // the client may be gone
	}
}

// dialMemory connects to the host of an in-memory service that has the address.
func (s *Server) dialMemory(ctx context.Context, network, addr string) (net.Conn, error) {
	for _, l := range []net.Listener{s.listener, s.downloads.listener} {
		if l, ok := l.(*memoryListener); ok && addr == l.Addr().String() {
			return l.dial(ctx, network)
		}
	}
	return nil, refused(network)
}
