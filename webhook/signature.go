package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"log/slog"
	"strings"
	"sync"
)

// SignatureHeader is the header that carries the signature of a callback's body.
const SignatureHeader = "X-Scriptix-Signature"

const (
	signaturePrefix = "sha256="
	// A header may hold several signatures while secrets are rotated. More than this is no rotation.
	maxSignatures      = 16
	maxSignatureHeader = 4096
)

// Sign returns the signature of a callback's body, as the service puts it into [SignatureHeader]: "sha256=" and the
// 64 lower-case hex digits of its HMAC-SHA256. It is meant for tests of your receiver. It signs with any secret, the
// empty one too, so that a test can forge what a receiver has to refuse.
func Sign(secret string, payload []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(payload)
	return signaturePrefix + hex.EncodeToString(mac.Sum(nil))
}

// Verify reports whether a callback is authentic: nil if one of the secrets signed the payload, which must be the
// body as it was received. A service that receives many callbacks keeps a [Verifier] instead.
//
// The signature is the value of [SignatureHeader]. The hex digits may be of either case, blanks may stand around
// them, and of several signatures separated by commas any right one is enough. The first 16 well-formed ones are
// looked at, and a value longer than 4096 bytes is malformed. Every secret is compared in constant time.
//
// The error is [ErrNoSecret], [ErrNoSignature], [ErrMalformedSignature] or [ErrMismatch], looked for in that order.
// A secret is used as it is: a line break left at its end is part of it.
func Verify(payload []byte, signature string, secrets ...string) error {
	v, err := NewVerifier(secrets...)
	if err != nil {
		return err
	}
	return v.Verify(payload, signature)
}

// Verifier checks signatures against secrets that it was given once. It is safe for concurrent use and its Verify
// does not allocate. Printed, logged or marshaled it shows no secret. Make one with [NewVerifier]; the zero value and
// nil refuse everything with [ErrNoSecret].
type Verifier struct {
	secrets int
	// What is derived from the secrets is as good as they are, and a print that reflects, for example of a struct that
	// holds a Verifier, gets at unexported fields without asking Format. It cannot look into a function.
	verify func(payload []byte, signature string) error
}

// NewVerifier keeps what it derives from the secrets: one secret, or several while you rotate them. The error is
// [ErrNoSecret] if there is none or if any of them is empty or blank.
func NewVerifier(secrets ...string) (*Verifier, error) {
	return newVerifier(sha256.New, secrets)
}

func newVerifier(newHash func() hash.Hash, secrets []string) (*Verifier, error) {
	if len(secrets) == 0 {
		return nil, ErrNoSecret
	}
	keys := make([]*key, len(secrets))
	for i, s := range secrets {
		if strings.TrimSpace(s) == "" {
			return nil, fmt.Errorf("%w (secret %d of %d)", ErrNoSecret, i+1, len(secrets))
		}
		keys[i] = newKey(s, newHash)
	}
	machines := &sync.Pool{New: func() any { return newMachine(newHash) }}
	return &Verifier{secrets: len(keys), verify: func(payload []byte, signature string) error {
		m, _ := machines.Get().(*machine)
		err := m.verify(keys, payload, signature)
		machines.Put(m)
		return err
	}}, nil
}

// Verify reports whether a callback is authentic, by the rules and with the errors of the function [Verify].
func (v *Verifier) Verify(payload []byte, signature string) error {
	if v == nil || v.verify == nil {
		return ErrNoSecret
	}
	return v.verify(payload, signature)
}

// Format prints how many secrets there are, whatever the verb.
func (v Verifier) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, v.text()) }

// LogValue is what Format prints.
func (v Verifier) LogValue() slog.Value { return slog.StringValue(v.text()) }

// MarshalText is what Format prints.
func (v Verifier) MarshalText() ([]byte, error) { return []byte(v.text()), nil }

func (v Verifier) text() string { return fmt.Sprintf("webhook.Verifier(%d secrets)", v.secrets) }

func (m *machine) verify(keys []*key, payload []byte, signature string) error {
	n, err := parseSignatures(signature, &m.signatures)
	if err != nil {
		return err
	}
	// No early end: the time taken must not tell which of the secrets or signatures was right.
	var match uint64
	for _, k := range keys {
		m.mac(k, payload)
		for i := range n {
			match |= equal(&m.sum, &m.signatures[i])
		}
	}
	if match == 0 {
		return ErrMismatch
	}
	return nil
}

// parseSignatures decodes the well-formed signatures of a header into dst and tells how many there are; none is an
// error.
func parseSignatures(header string, dst *[maxSignatures][sha256.Size]byte) (int, error) {
	if digits, ok := strings.CutPrefix(header, signaturePrefix); ok && decodeHex(&dst[0], digits) {
		return 1, nil // all that most headers hold
	}
	if len(header) > maxSignatureHeader {
		return 0, ErrMalformedSignature
	}
	if strings.TrimSpace(header) == "" {
		return 0, ErrNoSignature
	}
	n := 0
	for more := true; more && n < maxSignatures; {
		var part string
		part, header, more = strings.Cut(header, ",")
		digits, ok := strings.CutPrefix(strings.TrimSpace(part), signaturePrefix)
		if ok && decodeHex(&dst[n], digits) {
			n++
		}
	}
	if n == 0 {
		return 0, ErrMalformedSignature
	}
	return n, nil
}

// decodeHex is hex.Decode for one signature, in three quarters of its time.
func decodeHex(dst *[sha256.Size]byte, s string) bool {
	if len(s) != 2*len(dst) {
		return false
	}
	var seen byte
	for i := range dst {
		hi, lo := hexValue[s[2*i]], hexValue[s[2*i+1]]
		seen |= hi | lo
		dst[i] = hi<<4 | lo&0x0f
	}
	return seen&notHex == 0
}

const notHex = 0x80

var hexValue = func() (t [256]byte) {
	for c := range t {
		t[c] = notHex
	}
	for i, c := range "0123456789abcdef" {
		t[c] = byte(i)
	}
	for i, c := range "ABCDEF" {
		t[c] = byte(10 + i)
	}
	return t
}()

// equal is 1 if a and b are the same and 0 if not, in constant time. It is subtle.ConstantTimeCompare for a fixed
// size, by words instead of bytes: 2 ns for its 22.
func equal(a, b *[sha256.Size]byte) uint64 {
	var diff uint64
	for i := 0; i < sha256.Size; i += 8 {
		diff |= binary.LittleEndian.Uint64(a[i:]) ^ binary.LittleEndian.Uint64(b[i:])
	}
	return 1 ^ (diff|-diff)>>63
}
