package main

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestItPrintsTracesAndMetrics(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), &out))
	for _, want := range []string{
		`"Name":"POST /api/v3/stt"`, `"Name":"scriptix job"`, `"Name":"GET /api/v3/stt/{id}/result"`, `"Name":"one recording"`,
		`scriptix_budget_limit`, `window="minute"`, `scriptix_polls_sent`,
	} {
		assert.Contains(t, out.String(), want)
	}
}
