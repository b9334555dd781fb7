package scriptix_test

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/scriptix-io/scriptix-go"

// edges lists, for every package of this module, the packages outside the
// standard library that its code may import; tests may import what they like.
// Names without a dot stand below the module, and "." is its root. An arrow
// that is not listed here is a decision about the whole house: make it in
// CONTRIBUTING.md's picture first.
//
//nolint:gochecknoglobals // a table
var edges = map[string][]string{
	".": {
		"budget", "webhook", "internal/watch", "internal/audio", "internal/transport", "internal/redact", "internal/lenient",
		"internal/dialect", "github.com/google/go-querystring/query", "github.com/hashicorp/go-retryablehttp",
	},
	"budget":             {"internal/rate", "internal/lenient"},
	"webhook":            {"internal/lenient"},
	"subtitle":           {"."},
	"media":              {"."},
	"scriptixtest":       {"webhook"}, // a fake built on the client would share the client's mistakes
	"internal/watch":     {"internal/due"},
	"internal/due":       {},
	"internal/rate":      {},
	"internal/audio":     {},
	"internal/transport": {},
	"internal/redact":    {},
	"internal/lenient":   {},
	"internal/dialect":   {"internal/lenient"},
	"internal/step":      {".", "batch/ledger"},
	"batch":              {".", "webhook", "budget", "internal/step", "batch/ledger", "batch/internal/boltledger"},
	"batch/ledger":       {},
	"batch/ledgertest":   {"batch", "batch/ledger"},

	"batch/internal/boltledger": {"batch/ledger", "go.etcd.io/bbolt", "go.etcd.io/bbolt/errors"},
}

// public lists what the examples may import: what any user may.
func public(pkg string) bool {
	return pkg == "." || !strings.Contains(pkg, ".") && !strings.Contains(pkg, "internal")
}

func TestEveryPackageImportsOnlyWhatTheHouseAllows(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`, "./...").Output()
	require.NoError(t, err)
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		pkg := place(fields[0])
		allowed, listed := edges[pkg]
		if strings.HasPrefix(pkg, "examples/") {
			listed = true
		}
		assert.True(t, listed, "%s is not in the list of what may import what", pkg)
		for _, imported := range fields[1:] {
			first, _, _ := strings.Cut(imported, "/")
			if !strings.Contains(first, ".") {
				continue // the standard library
			}
			to := place(imported)
			if strings.HasPrefix(pkg, "examples/") && public(to) {
				continue
			}
			assert.Contains(t, allowed, to, "%s imports %s", pkg, to)
		}
	}
}

// place is a package's path below the module, "." for the root, or its whole
// path if it belongs to another module.
func place(importPath string) string {
	if importPath == module {
		return "."
	}
	return strings.TrimPrefix(importPath, module+"/")
}
