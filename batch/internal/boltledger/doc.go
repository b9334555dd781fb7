// Package boltledger keeps the ledger of a batch in one bbolt file.
//
// Records stand under numbers, in the order in which they were claimed; small
// indexes lead to them by key, job id, token and due time. One goroutine commits,
// and only while somebody writes: the writes that come while the disk is busy
// share the next commit, so that a hundred writers wait for one sync together. A
// caller is answered once its write is durable.
//
// bbolt trusts the file it maps, so this package does not: the whole file is
// read and checked before it is opened (check.go), every value has a checksum,
// and a panic or a fault inside bbolt becomes an error after which the file is
// not written any more. One process has the file at a time. Others read the
// snapshot beside it, which is written at most once a second (snapshot.go).
//
// Which changes a record may make, package ledger decides.
package boltledger
