package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// composition is what a file for Docker Compose says of the services.
type composition struct {
	Services map[string]composed
	Secrets  map[string]struct{ File string }
}

type composed struct {
	Image       string
	Build       struct{ Context, Dockerfile string }
	User        string
	Command     []string
	Environment map[string]string
	Secrets     []string
	Volumes     []string
	DependsOn   any `yaml:"depends_on"`
}

const exampleFolder = "../../../examples/fleet"

// readComposition reads the example's file as Compose does with variables that
// are set, and says which of them have to be.
func readComposition(t *testing.T) (c composition, needed []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(exampleFolder, "compose.yaml"))
	require.NoError(t, err)
	variable := regexp.MustCompile(`\$\{([A-Z_]+)(:[-?])([^}]*)\}`)
	filled := variable.ReplaceAllStringFunc(string(text), func(use string) string {
		part := variable.FindStringSubmatch(use)
		if part[2] == ":-" {
			return part[3]
		}
		needed = append(needed, part[1])
		return map[string]string{"CALLS": "/srv/calls", "WEBHOOK_URL": "https://hooks.example.com/scriptix", "FLEET_USER": "1000:1000"}[part[1]]
	})
	require.NoError(t, yaml.Unmarshal([]byte(filled), &c))
	return c, needed
}

func TestTheCommandsOfTheComposeFileAreThoseOfTheProgram(t *testing.T) {
	t.Parallel()
	c, needed := readComposition(t)
	slices.Sort(needed)
	assert.Equal(t, []string{"CALLS", "FLEET_USER", "WEBHOOK_URL"}, slices.Compact(needed))
	var ours []string
	for name, service := range c.Services {
		for _, secret := range service.Secrets {
			assert.NotEmpty(t, c.Secrets[secret].File, "%s has the secret %s", name, secret)
		}
		for variable, value := range service.Environment {
			if secret, ok := strings.CutPrefix(value, "/run/secrets/"); ok {
				assert.Contains(t, service.Secrets, secret, "%s: %s", name, variable)
			}
		}
		if service.Image != "" {
			continue
		}
		ours = append(ours, name)
		assert.FileExists(t, filepath.Join(exampleFolder, service.Build.Context, service.Build.Dockerfile))
		assert.NotEmpty(t, service.User, "%s: nobody else can read the secrets", name)
		parser, err := newParser(t.Context(), &env{stdout: io.Discard, stderr: io.Discard, getenv: os.Getenv})
		require.NoError(t, err)
		_, err = parser.Parse(service.Command)
		require.NoError(t, err, "%s: %v", name, service.Command)
		if slices.Contains(service.Command, "/calls") {
			assert.Equal(t, []string{"/srv/calls:/calls:ro"}, service.Volumes, name)
		}
	}
	slices.Sort(ours)
	assert.Equal(t, []string{"enqueue", "migrate", "receiver", "worker"}, ours)
}

func TestTheDockerfileBuildsThisProgramFromTheRootOfTheRepository(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(exampleFolder, "Dockerfile"))
	require.NoError(t, err)
	build := regexp.MustCompile(`(?m)^RUN (.* go build .*)$`).FindStringSubmatch(string(text))
	require.NotNil(t, build)
	dry := exec.CommandContext(t.Context(), "sh", "-c", strings.Replace(build[1], " -trimpath", " -n -trimpath", 1))
	dry.Dir = "../../.."
	said, err := dry.CombinedOutput()
	require.NoError(t, err, "%s", said)
	for _, there := range []string{" -o /scriptix-fleet ", "COPY --from=build /scriptix-fleet /scriptix-fleet", `ENTRYPOINT ["/scriptix-fleet"]`} {
		assert.Contains(t, string(text), there)
	}
}
