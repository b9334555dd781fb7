// Package webhook_test measures what it costs to check one callback, beside two libraries that do the same for their
// own service and beside the bare hash. The results stand in ../README.md.
package webhook_test

import (
	"crypto/sha256"
	"testing"
	"time"

	"github.com/google/go-github/v92/github"
	"github.com/scriptix-io/scriptix-go/webhook"
	stripe "github.com/stripe/stripe-go/v85/webhook"
)

const secret = "whsec_test_0123456789abcdef"

// body is what the service sends, with a document id of the length that makes it 250 bytes.
const body = `{"event": "transcription.completed", "timestamp": "2025-01-17T10:30:00Z", "data": {"id": "stt_abc123", ` +
	`"status": "completed", "document_id": "9b0c2b3e-5f64-4c83-8a54-8d1c6a1e7d2/2025-01-17/meeting.wav", ` +
	`"duration_seconds": 3600, "language": "en-US"}}`

var sum [sha256.Size]byte // keeps the bare hash from being optimised away

func BenchmarkVerify(b *testing.B) {
	payload := []byte(body)
	if len(payload) != 250 {
		b.Fatalf("the body has %d bytes, the table says 250", len(payload))
	}

	b.Run("sha256-bare", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			sum = sha256.Sum256(payload)
		}
	})

	b.Run("scriptix", func(b *testing.B) {
		v, err := webhook.NewVerifier(secret)
		if err != nil {
			b.Fatal(err)
		}
		compare(b, webhook.Sign(secret, payload), func(signature string) error {
			return v.Verify(payload, signature)
		})
	})

	b.Run("stripe-go", func(b *testing.B) {
		signed := stripe.GenerateTestSignedPayload(&stripe.UnsignedPayload{Payload: payload, Secret: secret, Timestamp: time.Now()})
		compare(b, signed.Header, func(header string) error {
			return stripe.ValidatePayload(payload, header, secret)
		})
	})

	b.Run("go-github", func(b *testing.B) {
		key := []byte(secret)
		compare(b, webhook.Sign(secret, payload), func(signature string) error {
			return github.ValidateSignature(signature, payload, key)
		})
	})
}

// compare measures a check that accepts the right signature, and that refuses the one with another last digit.
func compare(b *testing.B, right string, check func(signature string) error) {
	b.Helper()
	wrong := right[:len(right)-1] + string("10"[right[len(right)-1]&1])
	if check(wrong) == nil {
		b.Fatal("a wrong signature was accepted")
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := check(right); err != nil {
			b.Fatal(err)
		}
	}
}
