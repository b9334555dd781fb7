package scriptix_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// readmeNames are what the README's passages take as given.
const readmeNames = `
var (
	ctx    context.Context
	client *scriptix.Client
	audio  scriptix.Audio
	params scriptix.SubmitParams
	key, secret string
	wav    []byte
	paths  []string
	store  func(context.Context, batch.Outcome) error
	queue  interface{ Put(ctx context.Context, id string, body []byte) error }
)
`

// readmeImports are the packages its passages use, by the name they have there.
var readmeImports = map[string]string{
	"context": "context", "errors": "errors", "fmt": "fmt", "http": "net/http", "log": "log", "os": "os", "slog": "log/slog", "testing": "testing", "time": "time",
	"synctest": "testing/synctest", "scriptix": "github.com/scriptix-io/scriptix-go", "webhook": "github.com/scriptix-io/scriptix-go/webhook",
	"scriptixtest": "github.com/scriptix-io/scriptix-go/scriptixtest", "batch": "github.com/scriptix-io/scriptix-go/batch",
	"subtitle": "github.com/scriptix-io/scriptix-go/subtitle", "slices": "slices",
}

func TestEveryGoBlockOfTheReadmeCompiles(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```go\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	require.GreaterOrEqual(t, len(blocks), 5)
	// An overlay puts each block into the module without writing to it.
	dir, err := os.Getwd()
	require.NoError(t, err)
	var replace, packages []string
	for i, block := range blocks {
		name := fmt.Sprintf("readmeblock%d", i)
		file := filepath.Join(t.TempDir(), name+".go")
		require.NoError(t, os.WriteFile(file, []byte(readmeFile(block[1])), 0o600))
		replace = append(replace, fmt.Sprintf("%q: %q", filepath.Join(dir, "internal", name, name+".go"), file))
		packages = append(packages, "./internal/"+name)
	}
	overlay := filepath.Join(t.TempDir(), "overlay.json")
	require.NoError(t, os.WriteFile(overlay, []byte(`{"Replace": {`+strings.Join(replace, ",")+`}}`), 0o600))
	for i, pkg := range packages {
		out, err := exec.CommandContext(t.Context(), "go", "build", "-overlay", overlay, "-o", os.DevNull, pkg).CombinedOutput()
		assert.NoError(t, err, "block %d:\n%s\n%s", i, blocks[i][1], out)
	}
}

// readmeFile makes a file of a block: a whole one, a declaration, or statements.
func readmeFile(block string) string {
	if strings.HasPrefix(block, "package ") {
		return block
	}
	body := block
	if !strings.HasPrefix(block, "func ") {
		body = "func passage() error {\n" + block + "\nreturn nil\n}\n"
		// What a passage declares for the reader, it need not use.
		for _, m := range regexp.MustCompile(`(?m)^(\w+(?:, \w+)*) :=`).FindAllStringSubmatch(block, -1) {
			for name := range strings.SplitSeq(m[1], ", ") {
				if name != "_" {
					body = strings.Replace(body, "\nreturn nil\n}\n", "\n_ = "+name+"\nreturn nil\n}\n", 1)
				}
			}
		}
	}
	body += readmeNames
	var b strings.Builder
	b.WriteString("package passage\n\nimport (\n")
	for name, path := range readmeImports {
		if regexp.MustCompile(`\b` + name + `\.`).MatchString(body) {
			fmt.Fprintf(&b, "%s %q\n", name, path)
		}
	}
	return b.String() + ")\n\n" + body
}

func TestTheReadmeNamesItsTwoCommandsFirst(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	first := regexp.MustCompile("(?s)```sh\n(.*?)```").FindSubmatch(readme)
	require.NotNil(t, first)
	lines := strings.Split(string(first[1]), "\n")
	assert.True(t, strings.HasPrefix(lines[0], "go run ./examples/transcribe"), lines[0])
	assert.True(t, strings.HasPrefix(lines[1], "go test work"), lines[1])
}

func TestTheRootPackageLinksLittle(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").Output()
	require.NoError(t, err)
	allowed := []string{
		"github.com/scriptix-io/scriptix-go",
		"github.com/scriptix-io/scriptix-go/budget",
		"github.com/scriptix-io/scriptix-go/webhook",
		"github.com/scriptix-io/scriptix-go/internal/audio",
		"github.com/scriptix-io/scriptix-go/internal/dialect",
		"github.com/scriptix-io/scriptix-go/internal/download",
		"github.com/scriptix-io/scriptix-go/internal/hint",
		"github.com/scriptix-io/scriptix-go/internal/due",
		"github.com/scriptix-io/scriptix-go/internal/lenient",
		"github.com/scriptix-io/scriptix-go/internal/rate",
		"github.com/scriptix-io/scriptix-go/internal/redact",
		"github.com/scriptix-io/scriptix-go/internal/transport",
		"github.com/scriptix-io/scriptix-go/internal/watch",
		"github.com/scriptix-io/scriptix-go/observe",
		"github.com/google/go-querystring/query",
		"github.com/hashicorp/go-cleanhttp",
		"github.com/hashicorp/go-retryablehttp",
	}
	assert.Subset(t, allowed, strings.Fields(string(out)))

	out, err = exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", "./webhook").Output()
	require.NoError(t, err)
	assert.ElementsMatch(t, []string{"github.com/scriptix-io/scriptix-go/webhook", "github.com/scriptix-io/scriptix-go/internal/lenient"}, strings.Fields(string(out)), "a receiver needs no more")
}

func TestOnlyTheRetryPolicyKnowsGoRetryablehttp(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, file := range files {
		source, err := os.ReadFile(file)
		require.NoError(t, err)
		if !strings.HasSuffix(file, "_test.go") && strings.Contains(string(source), `"github.com/hashicorp/go-retryablehttp"`) {
			assert.Equal(t, "retry.go", file)
		}
	}
}
