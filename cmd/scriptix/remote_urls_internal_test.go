package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// keepingURLs is a list of files with one recording that is behind a signed URL.
func keepingURLs(dir string) (*manifest, *entry) {
	const public = "https://example.com/a.wav"
	one := &entry{Path: public}
	return &manifest{
		path: filepath.Join(dir, "x.db"+manifestExtension), entries: []*entry{one}, urls: map[string]string{public: public + "?sig=one"},
	}, one
}

func TestSignedURLsThatCouldNotBeWrittenAreWrittenTheNextTime(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "out")
	m, _ := keepingURLs(dir)
	require.Error(t, m.keepURLs(), "the folder is not there yet")
	require.NoError(t, os.Mkdir(dir, 0o700))
	require.NoError(t, m.keepURLs())
	text, err := os.ReadFile(m.urlsPath())
	require.NoError(t, err)
	assert.Contains(t, string(text), "sig=one")
}

func TestSignedURLsThatSomebodyRemovedAreNoFailure(t *testing.T) {
	t.Parallel()
	m, one := keepingURLs(t.TempDir())
	require.NoError(t, m.keepURLs())
	require.NoError(t, os.Remove(m.urlsPath()))
	one.Done = true
	require.NoError(t, m.keepURLs())
}
