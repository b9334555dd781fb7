package fleet

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/scriptix-io/scriptix-go"
)

// relativeTo returns the path of a file: locator below root. "file:a/b" and
// "file:///root/a/b" are the two forms; in both every character stands for
// itself.
func relativeTo(root, locator string) (string, error) {
	name := strings.TrimPrefix(locator[strings.Index(locator, ":")+1:], "//")
	absolute := strings.HasPrefix(name, "/")
	if !absolute && strings.HasPrefix(locator[strings.Index(locator, ":")+1:], "//") {
		return "", refuse(locator, "it names a host; file:///PATH is absolute, and file:PATH relative to Root")
	}
	if root == "" {
		return "", refuse(locator, "this process has no Root, below which files would be")
	}
	if absolute {
		base, err := filepath.Abs(root)
		if err != nil {
			return "", err
		}
		if name, err = filepath.Rel(base, filepath.FromSlash(name)); err != nil {
			return "", refuse(locator, "it is outside Root")
		}
	}
	name = filepath.Clean(filepath.FromSlash(name))
	if !filepath.IsLocal(name) {
		return "", refuse(locator, "it is outside Root")
	}
	if name == "." {
		return "", refuse(locator, "it is a directory")
	}
	return name, nil
}

// openFile is the opener of file: locators. It leaves Root by no way, symbolic
// links included, which os.Root sees to.
func (f *Fleet) openFile(_ context.Context, locator string) (scriptix.Audio, error) {
	name, err := relativeTo(f.options.Root, locator)
	if err != nil {
		return scriptix.Audio{}, err
	}
	file, err := openBelow(f.options.Root, locator, name)
	if err != nil {
		return scriptix.Audio{}, err
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return scriptix.Audio{}, err
	}
	if !info.Mode().IsRegular() {
		return scriptix.Audio{}, refuse(locator, "it is a %s, not a file", kindOf(info.Mode()))
	}
	root := f.options.Root
	open := func(_ context.Context, offset int64) (io.ReadCloser, error) {
		again, err := openBelow(root, locator, name)
		if err != nil {
			return nil, err
		}
		now, err := again.Stat()
		if err == nil && (!os.SameFile(info, now) || now.Size() != info.Size() || !now.ModTime().Equal(info.ModTime())) {
			err = refuse(locator, "the file changed while it was sent")
		}
		if err == nil {
			_, err = again.Seek(offset, io.SeekStart)
		}
		if err != nil {
			return nil, errors.Join(err, again.Close())
		}
		return again, nil
	}
	return scriptix.Opener(filepath.Base(name), info.Size(), open), nil
}

func openBelow(rootPath, locator, name string) (*os.File, error) {
	root, err := os.OpenRoot(rootPath)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	// Without O_NONBLOCK a named pipe would hold the worker until somebody writes.
	file, err := root.OpenFile(name, os.O_RDONLY|nonBlocking, 0)
	switch {
	case err == nil:
		return file, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, refuse(locator, "there is no such file")
	case errors.Is(err, fs.ErrPermission):
		return nil, refuse(locator, "it may not be read")
	}
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		// Above all a path that escapes; nothing that another try would change.
		return nil, refuse(locator, "it cannot be opened below Root: %v", errors.Unwrap(err))
	}
	return nil, err
}

func kindOf(mode fs.FileMode) string {
	if mode.IsDir() {
		return "directory"
	}
	return "special file"
}
