package scriptix_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os/exec"
	"path/filepath"
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
		"budget", "webhook", "internal/watch", "internal/audio", "internal/transport", "internal/redact", "internal/lenient", "observe",
		"internal/dialect", "internal/hint", "internal/download", "github.com/google/go-querystring/query", "github.com/hashicorp/go-retryablehttp",
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
	"internal/guide":     {}, // for tests alone
	"observe":            {},
	"internal/lenient":   {},
	"internal/dialect":   {"internal/lenient"},
	"internal/hint":      {"internal/lenient"},
	"internal/download":  {"internal/audio", "internal/dialect", "internal/redact", "internal/transport"},
	"internal/step":      {".", "batch/ledger", "internal/lenient"},
	"batch":              {".", "webhook", "budget", "internal/step", "batch/ledger", "batch/internal/boltledger"},
	"batch/ledger":       {},
	"batch/ledgertest":   {"batch", "batch/ledger"},

	"internal/httpsource":       {"internal/transport"},
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

// Files hold one idea and functions fit on a screen, so that the whole can be
// read in an evening.
func TestFilesAndFunctionsStayShort(t *testing.T) {
	t.Parallel()
	const longestFile, longestFunction = 400, 60
	const rootFiles, rootLines = 20, 4500
	files, lines := 0, 0
	require.NoError(t, filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (entry.Name() == "testdata" || path != "." && strings.HasPrefix(entry.Name(), ".")) {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		length := set.File(file.FileStart).LineCount()
		assert.LessOrEqual(t, length, longestFile, path)
		for _, decl := range file.Decls {
			if function, ok := decl.(*ast.FuncDecl); ok {
				size := set.Position(function.End()).Line - set.Position(function.Pos()).Line + 1
				assert.LessOrEqual(t, size, longestFunction, "%s: %s", path, function.Name.Name)
			}
		}
		if filepath.Dir(path) == "." {
			files++
			lines += length
		}
		return nil
	}))
	assert.LessOrEqual(t, files, rootFiles, "source files of the root package")
	assert.LessOrEqual(t, lines, rootLines, "lines of the root package")
}
