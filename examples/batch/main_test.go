package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/scriptix-io/scriptix-go"
)

func TestAFolderBecomesTranscriptsAndIsNotPaidForTwice(t *testing.T) {
	t.Setenv("SCRIPTIX_API_KEY", "")
	out := filepath.Join(t.TempDir(), "out")
	require.NoError(t, run("../testdata", out))
	name := filepath.Join(out, "meeting.wav.json")
	data, err := os.ReadFile(name)
	require.NoError(t, err)
	var got scriptix.Transcript
	require.NoError(t, json.Unmarshal(data, &got))
	assert.Contains(t, got.Text, "meeting.wav")

	require.NoError(t, os.Remove(name))
	require.NoError(t, run("../testdata", out))
	assert.NoFileExists(t, name, "what is done is skipped")
}
