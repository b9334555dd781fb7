package main

import (
	"fmt"
	"io"
	"os"
	"strings"
)

// Where secrets come from. None has a flag: a command line is in the shell's
// history and in every process list.
const (
	keyVariable        = "SCRIPTIX_API_KEY"
	keyFileVariable    = "SCRIPTIX_API_KEY_FILE"
	secretVariable     = "SCRIPTIX_WEBHOOK_SECRET"      //nolint:gosec // a name, not a secret
	secretFileVariable = "SCRIPTIX_WEBHOOK_SECRET_FILE" //nolint:gosec // a name, not a secret
)

// found is a secret and the place it was found in, for messages.
type found struct {
	values []string // one, or of a file as many as it has lines
	place  string
	loose  bool // others may read the file
}

// apiKey finds the key: in the file of the flag, else in the environment, else
// in the file that the environment names.
func (e *env) apiKey(file string) (found, error) {
	f, err := e.secret(file, keyVariable, keyFileVariable)
	if err != nil {
		return f, err
	}
	switch len(f.values) {
	case 0:
		return f, usage("no API key: set %s, or name a file that holds it with --key-file", keyVariable)
	case 1:
		return f, nil
	}
	return f, usage("%s: holds %d lines; want the API key alone", f.place, len(f.values))
}

// webhookSecrets finds the secrets that callbacks may be signed with, in the
// same order. A file may hold several, one a line, while they are rotated.
func (e *env) webhookSecrets(file string) (found, error) {
	f, err := e.secret(file, secretVariable, secretFileVariable)
	if err == nil && len(f.values) == 0 {
		err = usage("no webhook secret: set %s, or name a file that holds it with --secret-file", secretVariable)
	}
	return f, err
}

// secret returns no values when there is none.
func (e *env) secret(file, variable, fileVariable string) (found, error) {
	if file == "" {
		if value := e.getenv(variable); value != "" {
			return found{values: []string{value}, place: "$" + variable}, nil
		}
		file = e.getenv(fileVariable)
	}
	if file == "" {
		return found{}, nil
	}
	f, err := readSecretFile(file)
	if err != nil {
		return f, usage("%w", err)
	}
	if f.loose {
		e.complain("warning: %s can be read by others; chmod 600 %s", file, file)
	}
	return f, nil
}

const maxSecretFile = 64 << 10

func readSecretFile(path string) (found, error) {
	r, err := os.Open(path)
	if err != nil {
		return found{}, err
	}
	defer func() { _ = r.Close() }() // was only read
	info, err := r.Stat()
	if err != nil {
		return found{}, err
	}
	data, err := io.ReadAll(io.LimitReader(r, maxSecretFile+1))
	switch {
	case err != nil:
		return found{}, err
	case len(data) > maxSecretFile:
		return found{}, fmt.Errorf("%s: too long for a file that holds a secret", path)
	}
	f := found{place: path, loose: info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0}
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimRight(line, "\r\n"); strings.TrimSpace(line) != "" {
			f.values = append(f.values, line)
		}
	}
	if len(f.values) == 0 {
		return f, fmt.Errorf("%s: is empty", path)
	}
	return f, nil
}
