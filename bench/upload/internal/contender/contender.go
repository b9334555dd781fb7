// Package contender is what the programs under measurement share. It links
// next to nothing, so that their memory is that of what they measure.
package contender

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strconv"
)

// Task is what a contender is told to do.
type Task struct {
	URL   string // the sink's base URL
	File  string
	CA    string // PEM file with the sink's certificate; "" on http
	HTTP1 bool   // HTTP/1.1 even where HTTP/2 is offered
}

// Report is what a contender says of itself when it is done.
type Report struct {
	PeakRSS int64  `json:"peak_rss"`         // bytes, VmHWM
	Allocs  uint64 `json:"allocs,omitempty"` // more than for one byte, if that was asked for
}

// Flags reads the task from the command line. Flags of the contender's own are
// defined before.
func Flags() Task {
	var t Task
	flag.StringVar(&t.URL, "url", "", "the sink's base URL")
	flag.StringVar(&t.File, "file", "", "the file to upload")
	flag.StringVar(&t.CA, "ca", "", "PEM file with the sink's certificate")
	flag.BoolVar(&t.HTTP1, "http1.1", false, "HTTP/1.1 even where HTTP/2 is offered")
	flag.Parse()
	return t
}

// Run runs a contender and ends the process.
func Run(upload func(Task) (Report, error), t Task) {
	r, err := upload(t)
	if err == nil {
		r.PeakRSS, err = peakRSS()
	}
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(r)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Transport trusts the sink. But for HTTP1 it is what a program gets that sets
// nothing.
func (t Task) Transport() (*http.Transport, error) {
	tr := &http.Transport{ForceAttemptHTTP2: !t.HTTP1}
	if t.CA == "" {
		return tr, nil
	}
	pem, err := os.ReadFile(t.CA)
	if err != nil {
		return nil, err
	}
	tr.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: x509.NewCertPool()}
	if !tr.TLSClientConfig.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", t.CA)
	}
	return tr, nil
}

// peakRSS is read by the process itself: what wait4 tells of a child that was
// started by vfork includes the parent's.
func peakRSS() (int64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	_, after, _ := bytes.Cut(status, []byte("VmHWM:"))
	field, _, found := bytes.Cut(after, []byte("kB"))
	if !found {
		return 0, errors.New("/proc/self/status has no VmHWM")
	}
	kb, err := strconv.ParseInt(string(bytes.TrimSpace(field)), 10, 64)
	return kb << 10, err
}
