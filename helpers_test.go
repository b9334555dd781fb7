package scriptix_test

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/scriptixtest"
)

// quick is a retry policy that wastes no time in tests on a real socket.
var quick = scriptix.WithRetry(scriptix.RetryPolicy{MinWait: time.Millisecond, MaxWait: 5 * time.Millisecond})

// newClient makes a client of the fake.
func newClient(t *testing.T, fake *scriptixtest.Server, opts ...scriptix.Option) *scriptix.Client {
	t.Helper()
	opts = append([]scriptix.Option{scriptix.WithBaseURL(fake.URL()), scriptix.WithHTTPClient(fake.HTTPClient()), scriptix.WithLimits(scriptix.Limits{}), scriptix.WithDialect(variantOf(t).dialect)}, opts...)
	c, err := scriptix.New(fake.APIKey(), opts...)
	require.NoError(t, err)
	t.Cleanup(c.CloseIdleConnections)
	return c
}

// wav is a recording of half a second, a tone that nobody needs to hear.
var wav = makeWAV(500 * time.Millisecond)

// makeWAV makes a 16-bit mono WAV at 8 kHz.
func makeWAV(d time.Duration) []byte {
	const rate = 8000
	samples := int(d.Seconds() * rate)
	b := []byte("RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00")
	b = binary.LittleEndian.AppendUint32(b, rate)
	b = binary.LittleEndian.AppendUint32(b, rate*2)
	b = append(b, 2, 0, 16, 0, 'd', 'a', 't', 'a')
	b = binary.LittleEndian.AppendUint32(b, uint32(samples*2))
	for i := range samples {
		b = binary.LittleEndian.AppendUint16(b, uint16(i*37))
	}
	binary.LittleEndian.PutUint32(b[4:], uint32(len(b)-8))
	return b
}
