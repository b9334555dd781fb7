//go:build !unix

package fleet

const nonBlocking = 0
