//go:build unix

package scriptix_test

import (
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
)

func TestANamedPipeIsRefusedAndNotWaitedFor(t *testing.T) {
	t.Parallel()
	pipe := filepath.Join(t.TempDir(), "pipe.wav")
	require.NoError(t, syscall.Mkfifo(pipe, 0o600))

	require.ErrorContains(t, refused(t, scriptix.File(pipe)), `"pipe.wav": is no regular file`)
}
