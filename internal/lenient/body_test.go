package lenient_test

import (
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/internal/lenient"
)

// Each coding takes memory before a byte was read, and a header may name
// hundreds of thousands. The test measures memory, so it runs alone.
//
//nolint:paralleltest // see above
func TestABodyThatIsSaidToBeInManyCodingsTakesNoMemoryForThem(t *testing.T) {
	header := http.Header{"Content-Encoding": {strings.Repeat("gzip,", 20_000)}}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := lenient.Read(strings.NewReader(`{"a":1}`), lenient.Reading{Header: header, Length: -1, Limit: 1 << 20})
	runtime.ReadMemStats(&after)
	require.ErrorContains(t, err, "20000 content codings")
	assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(4<<20))
	_, err = io.ReadAll(lenient.Plain(strings.NewReader("a"), header))
	require.Error(t, err)
}
