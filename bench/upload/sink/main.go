// Command sink is the service that the contenders upload to: it reads
// everything, keeps nothing, and tells what came.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/scriptix-io/scriptix-go/bench/upload/internal/report"
)

func main() {
	ca := flag.String("ca", "", "file to write the certificate to")
	roundTrip := flag.Duration("rtt", 40*time.Millisecond, "round trip through the delaying proxy")
	flag.Parse()
	if err := run(*ca, *roundTrip); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run serves until standard input ends, so that the sink never outlives the
// measuring program.
func run(ca string, roundTrip time.Duration) error {
	cert, err := certificate(ca)
	if err != nil {
		return err
	}
	s := newSink()
	var at report.Sink
	for _, l := range []struct {
		address *string
		secure  bool
		http2   *http.HTTP2Config
	}{
		{&at.HTTP, false, nil},
		{&at.HTTPS, true, nil},
		// As small as net/http allows: what many servers have.
		{&at.Delayed, true, &http.HTTP2Config{MaxReceiveBufferPerConnection: 64 << 10, MaxReceiveBufferPerStream: 64 << 10}},
	} {
		listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // at once
		if err != nil {
			return err
		}
		*l.address = listener.Addr().String()
		srv := &http.Server{Handler: s, HTTP2: l.http2, ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0)}
		if l.secure {
			srv.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}}
			go srv.ServeTLS(listener, "", "") //nolint:errcheck // the contender's error tells
		} else {
			go srv.Serve(listener) //nolint:errcheck // the contender's error tells
		}
	}
	if at.Delayed, err = delay(at.Delayed, roundTrip/2); err != nil {
		return err
	}
	if err := json.NewEncoder(os.Stdout).Encode(at); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// certificate makes a certificate for 127.0.0.1 and writes it to file.
func certificate(file string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "sink"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, os.WriteFile(file, text, 0o600)
}
