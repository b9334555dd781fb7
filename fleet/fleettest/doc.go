// Package fleettest starts a temporary PostgreSQL for tests and examples.
//
// The server is made from the binaries that are installed, as Debian's package
// postgresql puts them under /usr/lib/postgresql. It runs as an ordinary user,
// listens on a Unix socket in its own temporary directory and on nothing else,
// and is gone with the process that started it.
package fleettest
