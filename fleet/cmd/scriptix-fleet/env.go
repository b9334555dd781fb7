package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
)

// env is what a command sees of the process around it.
type env struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	mu             sync.Mutex // a line is written whole
}

// errTold ends the program when each failure was reported by itself.
var errTold = errors.New("some of it failed")

func (e *env) printf(format string, args ...any) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, err := fmt.Fprintf(e.stdout, format+"\n", args...)
	return err
}

// object writes a value as one line of JSON.
func (e *env) object(v any) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	enc := json.NewEncoder(e.stdout)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// Write lets a logger share standard error with the other lines.
func (e *env) Write(p []byte) (int, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.stderr.Write(p)
}

func (e *env) complain(err error) {
	_, _ = fmt.Fprintf(e, "scriptix-fleet: %v\n", err) // nobody is left to be told
}

// maxSecretFile bounds the files that hold secrets.
const maxSecretFile = 64 << 10

// secrets reads a secret from a variable, or from the file that another variable
// names: one a line. A command line has none, for it is in every process list.
func (e *env) secrets(variable string) ([]string, error) {
	if value := e.getenv(variable); value != "" {
		return []string{value}, nil
	}
	file := e.getenv(variable + "_FILE")
	if file == "" {
		return nil, nil
	}
	return readLines(file)
}

func readLines(path string) (lines []string, err error) {
	r, err := os.Open(path)
	if err != nil {
		return nil, usageError{err}
	}
	defer func() { _ = r.Close() }() // was only read
	data, err := io.ReadAll(io.LimitReader(r, maxSecretFile))
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(data)) {
		if line = strings.TrimSpace(line); line != "" {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return nil, usageError{fmt.Errorf("%s: is empty", path)}
	}
	return lines, nil
}

func (e *env) apiKey() (string, error) {
	keys, err := e.secrets("SCRIPTIX_API_KEY")
	if err != nil {
		return "", err
	}
	if len(keys) != 1 {
		return "", usageError{errors.New("no API key: set SCRIPTIX_API_KEY, or SCRIPTIX_API_KEY_FILE to the name of a file that holds it alone")}
	}
	return keys[0], nil
}

func (e *env) webhookSecrets() ([]string, error) {
	secrets, err := e.secrets("SCRIPTIX_WEBHOOK_SECRET")
	if err == nil && len(secrets) == 0 {
		err = usageError{errors.New("no webhook secret: set SCRIPTIX_WEBHOOK_SECRET, or SCRIPTIX_WEBHOOK_SECRET_FILE to the name of a file that holds it")}
	}
	return secrets, err
}
