package main

import (
	"bytes"
	"errors"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go/fleet/fleettest"
)

func TestAFolderIsTranscribedByAFleetInOneCommand(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	err := run(t.Context(), &out, "../testdata")
	if errors.Is(err, fleettest.ErrMissing) && os.Getenv(fleettest.RequireVariable) == "" {
		t.Skip(err)
	}
	require.NoError(t, err)
	assert.Contains(t, out.String(), `"state":"done"`)
	assert.Contains(t, out.String(), `"fresh":1`)
}
