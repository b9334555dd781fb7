package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding"
	"encoding/binary"
	"hash"
)

// key is one secret, with the two states of SHA-256 that HMAC starts from: after the secret's inner pad and after its
// outer one. They cost two blocks of hashing and several allocations, so they are made once and kept marshaled.
type key struct {
	secret       []byte
	inner, outer []byte // nil where states cannot be kept: see newKey
}

// newKey keeps the states if this build of SHA-256 hands them out in the layout that machine.fast reads. No document
// promises that layout, though it has not changed since Go 1.10, so a known answer is asked for first; if the answer
// is wrong, crypto/hmac does the work: slower, never wrong.
func newKey(secret string, newHash func() hash.Hash) *key {
	k := &key{secret: []byte(secret)}
	m := newMachine(newHash)
	if m.h == nil {
		return k
	}
	padded := make([]byte, sha256.BlockSize)
	if len(secret) > len(padded) {
		sum := sha256.Sum256(k.secret)
		copy(padded, sum[:])
	} else {
		copy(padded, secret)
	}
	inner, outer := m.keep(padded, 0x36), m.keep(padded, 0x5c)
	for _, probe := range []string{"", "a probe that is longer than one block of SHA-256, so that each way through it is tried"} {
		m.slow(k, []byte(probe))
		want := m.sum
		if !m.fast(&key{inner: inner, outer: outer}, []byte(probe)) || m.sum != want {
			return k
		}
	}
	k.inner, k.outer = inner, outer
	return k
}

type resumable interface {
	hash.Hash
	encoding.BinaryAppender
	encoding.BinaryUnmarshaler
}

// machine computes one MAC at a time, in memory of its own.
type machine struct {
	h          resumable // nil if the hash cannot be resumed
	sum        [sha256.Size]byte
	signatures [maxSignatures][sha256.Size]byte
	tail       [8 * sha256.BlockSize]byte // the end of the payload, or all of a short one, and the padding
	outer      [sha256.BlockSize]byte     // the outer hash's only block: the inner sum and its padding
	state      [128]byte
}

func newMachine(newHash func() hash.Hash) *machine {
	m := &machine{}
	m.h, _ = newHash().(resumable)
	m.outer[sha256.Size] = 0x80
	binary.BigEndian.PutUint64(m.outer[sha256.BlockSize-8:], (sha256.BlockSize+sha256.Size)*8)
	return m
}

// mac leaves the HMAC-SHA256 of the payload in m.sum.
func (m *machine) mac(k *key, payload []byte) {
	if k.inner == nil || !m.fast(k, payload) {
		m.slow(k, payload)
	}
}

func (m *machine) slow(k *key, payload []byte) {
	mac := hmac.New(sha256.New, k.secret)
	mac.Write(payload)
	mac.Sum(m.sum[:0])
}

// fast pads the messages itself and reads the sums out of the hash's state: hash.Hash's Sum would work on a copy of
// itself, which costs a sixth of the whole.
func (m *machine) fast(k *key, payload []byte) bool {
	if m.h.UnmarshalBinary(k.inner) != nil {
		return false
	}
	whole := 0 // a usual callback fits into the tail, and one call is faster than two
	if len(payload) > len(m.tail)-9 {
		whole = len(payload) &^ (sha256.BlockSize - 1)
		m.h.Write(payload[:whole])
	}
	rest := copy(m.tail[:], payload[whole:])
	end := (rest+8)&^(sha256.BlockSize-1) + sha256.BlockSize // room for 0x80 and 8 bytes of length
	clear(m.tail[rest:end])
	m.tail[rest] = 0x80
	length := uint64(sha256.BlockSize+len(payload)) * 8
	binary.BigEndian.PutUint64(m.tail[end-8:], length)
	m.h.Write(m.tail[:end])

	if !m.read(m.outer[:sha256.Size]) || m.h.UnmarshalBinary(k.outer) != nil {
		return false
	}
	m.h.Write(m.outer[:])
	return m.read(m.sum[:])
}

// read copies the chaining value out of the hash's state, where it stands after a magic number of four bytes.
func (m *machine) read(dst []byte) bool {
	state, err := m.h.AppendBinary(m.state[:0])
	if err != nil || len(state) < 4+sha256.Size {
		return false
	}
	copy(dst, state[4:])
	return true
}

// keep is the marshaled state after one block of the padded key, each byte XORed with x. It is nil if the hash
// refuses, and resuming that fails.
func (m *machine) keep(padded []byte, x byte) []byte {
	block := make([]byte, len(padded))
	for i := range block {
		block[i] = padded[i] ^ x
	}
	m.h.Reset()
	m.h.Write(block)
	state, _ := m.h.AppendBinary(nil)
	return state
}
