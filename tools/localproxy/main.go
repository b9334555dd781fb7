// Command localproxy writes modules of a git checkout, as one commit has them,
// in the layout of a module proxy, so that they can be installed as a user would
// before anybody can download them:
//
//	go run ./tools/localproxy -version v0.1.0 -out /tmp/proxy . cmd/scriptix
//	GOPROXY="file:///tmp/proxy,$(go env GOPROXY)" GONOSUMDB='github.com/scriptix-io/*' go install github.com/scriptix-io/scriptix-go/cmd/scriptix@v0.1.0
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"
)

func main() {
	version := flag.String("version", "", "that all modules get, as v1.2.3")
	out := flag.String("out", "", "`directory` of the proxy")
	commit := flag.String("commit", "HEAD", "that the modules are taken from")
	flag.Parse()
	for _, dir := range flag.Args() {
		if err := write(context.Background(), *out, *version, *commit, filepath.ToSlash(filepath.Clean(dir))); err != nil {
			fmt.Fprintln(os.Stderr, "localproxy:", err)
			os.Exit(1)
		}
	}
}

// write adds one module in one version to the proxy.
func write(ctx context.Context, out, version, commit, dir string) error {
	subdir := dir
	if subdir == "." {
		subdir = ""
	}
	gomod, err := exec.CommandContext(ctx, "git", "show", //nolint:gosec // what the caller names, of the caller's own checkout
		commit+":"+strings.TrimPrefix(subdir+"/go.mod", "/")).Output()
	if err != nil {
		return fmt.Errorf("%s/go.mod at %s: %w", dir, commit, err)
	}
	mod := module.Version{Path: modfile.ModulePath(gomod), Version: version}
	escaped, err := module.EscapePath(mod.Path)
	if err != nil {
		return err
	}
	versions := filepath.Join(out, filepath.FromSlash(escaped), "@v")
	if err := os.MkdirAll(versions, 0o750); err != nil {
		return err
	}
	info, err := json.Marshal(struct {
		Version string
		Time    time.Time
	}{version, time.Now().UTC()})
	if err != nil {
		return err
	}
	files := map[string][]byte{version + ".info": info, version + ".mod": gomod, "list": []byte(version + "\n")}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(versions, name), data, 0o600); err != nil {
			return err
		}
	}
	archive, err := os.Create(filepath.Join(versions, version+".zip"))
	if err != nil {
		return err
	}
	return errors.Join(zip.CreateFromVCS(archive, mod, ".", commit, subdir), archive.Close())
}
