package boltledger

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"

	"github.com/scriptix-io/scriptix-go/batch/ledger"
)

// bbolt trusts the file it maps: a flipped bit makes it crash the process, read
// what is not there, or write over live data later. So the file is read once
// before it is opened, page by page and without trust.

const (
	boltMagic   = 0xED0CDAED
	boltVersion = 2

	pageHeader  = 16
	pageElement = 16
	bucketHead  = 16

	pageBranch   = 0x01
	pageLeaf     = 0x02
	pageMeta     = 0x04
	pageFreelist = 0x10

	leafBucket = 0x01
	noFreelist = ^uint64(0)
	maxDepth   = 64
)

// checkFile reads every page that is in use and every value, and returns what
// is wrong with them as an [ledger.ErrCorrupt].
func checkFile(path string) error {
	r, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = r.Close() }()
	info, err := r.Stat()
	if err != nil {
		return err
	}
	c := &checker{r: r, size: uint64(info.Size())} //nolint:gosec // not negative
	if err := c.check(); err != nil {
		return fmt.Errorf("%w: %w; what is in it can still be read with bbolt's own tools", ledger.ErrCorrupt, err)
	}
	return nil
}

type checker struct {
	r    io.ReaderAt
	size uint64 // of the file
	page uint64 // bytes of a page
	end  uint64 // pages below this one may be in use
	used map[uint64]bool
}

// meta is what a meta page says.
type boltMeta struct{ pageSize, root, freelist, end, tx uint64 }

func (c *checker) check() error {
	m, err := c.metas()
	if err != nil {
		return err
	}
	c.page, c.end = m.pageSize, m.end
	if c.end < 4 || c.end > c.size/c.page {
		return fmt.Errorf("it was cut short: %d pages of %d bytes are in use, and the file has %d bytes", c.end, c.page, c.size)
	}
	c.used = map[uint64]bool{0: true, 1: true}
	free, err := c.freelist(m.freelist)
	if err != nil {
		return err
	}
	if err := c.tree(m.root, nil, nil, 0); err != nil {
		return err
	}
	for _, id := range free {
		if c.used[id] {
			return fmt.Errorf("page %d is in use and listed as free", id)
		}
		c.used[id] = true
	}
	return nil
}

// metas reads both meta pages. A sector is written whole or not at all, so
// neither is ever half written: one that does not match its checksum is damage,
// and the other one is a write older.
func (c *checker) metas() (newest boltMeta, err error) {
	first, err := c.meta(0)
	if err != nil {
		return newest, fmt.Errorf("the first meta page: %w", err)
	}
	second, err := c.meta(first.pageSize)
	if err != nil {
		return newest, fmt.Errorf("the second meta page: %w", err)
	}
	if second.pageSize != first.pageSize {
		return newest, errors.New("the meta pages disagree about the size of a page")
	}
	if second.tx > first.tx {
		return second, nil
	}
	return first, nil
}

func (c *checker) meta(at uint64) (m boltMeta, err error) {
	b := make([]byte, pageHeader+64)
	if _, err := c.r.ReadAt(b, int64(at)); err != nil { //nolint:gosec // a page size is bounded below
		return m, fmt.Errorf("cannot be read: %w", err)
	}
	b = b[pageHeader:]
	order := binary.NativeEndian
	h := fnv.New64a()
	_, _ = h.Write(b[:56])
	switch {
	case order.Uint32(b) != boltMagic:
		return m, errors.New("has no mark of bbolt")
	case h.Sum64() != order.Uint64(b[56:]):
		return m, errors.New("does not match its checksum")
	case order.Uint32(b[4:]) != boltVersion:
		return m, fmt.Errorf("is of version %d", order.Uint32(b[4:]))
	}
	m = boltMeta{
		pageSize: uint64(order.Uint32(b[8:])), root: order.Uint64(b[16:]),
		freelist: order.Uint64(b[32:]), end: order.Uint64(b[40:]), tx: order.Uint64(b[48:]),
	}
	if m.pageSize < 512 || m.pageSize > 1<<24 || m.pageSize&(m.pageSize-1) != 0 {
		return m, fmt.Errorf("says that a page has %d bytes", m.pageSize)
	}
	return m, nil
}

// read returns a page with those that follow it, and marks them as used.
func (c *checker) read(id uint64) (b []byte, flags uint16, count int, err error) {
	fail := func(format string, args ...any) ([]byte, uint16, int, error) {
		return nil, 0, 0, fmt.Errorf("page %d: %w", id, fmt.Errorf(format, args...))
	}
	if id < 2 || id >= c.end {
		return fail("is outside of the file's %d pages", c.end)
	}
	head := make([]byte, pageHeader)
	if _, err := c.r.ReadAt(head, int64(id*c.page)); err != nil { //nolint:gosec // within the file
		return fail("cannot be read: %w", err)
	}
	order := binary.NativeEndian
	if got := order.Uint64(head); got != id {
		return fail("calls itself %d", got)
	}
	more := uint64(order.Uint32(head[12:]))
	if more >= c.end-id {
		return fail("says that %d more belong to it", more)
	}
	for i := id; i <= id+more; i++ {
		if c.used[i] {
			return fail("is used twice")
		}
		c.used[i] = true
	}
	b = make([]byte, (more+1)*c.page)
	if _, err := c.r.ReadAt(b, int64(id*c.page)); err != nil { //nolint:gosec // within the file
		return fail("cannot be read: %w", err)
	}
	return b, order.Uint16(head[8:]), int(order.Uint16(head[10:])), nil
}

func (c *checker) freelist(id uint64) ([]uint64, error) {
	if id == noFreelist {
		return nil, nil
	}
	b, flags, n, err := c.read(id)
	if err != nil {
		return nil, err
	}
	if flags != pageFreelist {
		return nil, fmt.Errorf("page %d: is no list of free pages", id)
	}
	order := binary.NativeEndian
	list := b[pageHeader:]
	if n == 0xFFFF {
		// More than fit a counter of 16 bits.
		big := order.Uint64(list)
		if big > c.end {
			return nil, fmt.Errorf("page %d: lists %d free pages", id, big)
		}
		n, list = int(big), list[8:] //nolint:gosec // bounded by the file's pages
	}
	if n*8 > len(list) {
		return nil, fmt.Errorf("page %d: lists %d free pages", id, n)
	}
	free := make([]uint64, n)
	for i := range free {
		free[i] = order.Uint64(list[i*8:])
		if free[i] < 2 || free[i] >= c.end || i > 0 && free[i] <= free[i-1] {
			return nil, fmt.Errorf("page %d: entry %d is wrong", id, i)
		}
	}
	return free, nil
}

// tree checks a page and those below it. The keys lie from low on, and below
// high; nil is no bound.
func (c *checker) tree(id uint64, low, high []byte, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("page %d: lies too deep", id)
	}
	b, flags, n, err := c.read(id)
	if err != nil {
		return err
	}
	switch flags {
	case pageLeaf:
		return c.leaf(b, id, n, low, high, depth)
	case pageBranch:
	default:
		return fmt.Errorf("page %d: is neither branch nor leaf", id)
	}
	if n == 0 {
		return fmt.Errorf("page %d: is an empty branch", id)
	}
	order := binary.NativeEndian
	keys, below := make([][]byte, n), make([]uint64, n)
	for i := range n {
		at := pageHeader + i*pageElement
		if at+pageElement > len(b) {
			return fmt.Errorf("page %d: has room for fewer than %d entries", id, n)
		}
		if keys[i], err = piece(b, at, order.Uint32(b[at:]), 0, order.Uint32(b[at+4:])); err != nil {
			return fmt.Errorf("page %d: entry %d: %w", id, i, err)
		}
		below[i] = order.Uint64(b[at+8:])
	}
	if err := ordered(keys, low, high); err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	for i := range n {
		end := high
		if i+1 < n {
			end = keys[i+1]
		}
		if err := c.tree(below[i], keys[i], end, depth+1); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) leaf(b []byte, id uint64, n int, low, high []byte, depth int) error {
	order := binary.NativeEndian
	keys := make([][]byte, n)
	for i := range n {
		at := pageHeader + i*pageElement
		if at+pageElement > len(b) {
			return fmt.Errorf("page %d: has room for fewer than %d entries", id, n)
		}
		flags, pos, keySize, size := order.Uint32(b[at:]), order.Uint32(b[at+4:]), order.Uint32(b[at+8:]), order.Uint32(b[at+12:])
		key, err := piece(b, at, pos, 0, keySize)
		if err != nil {
			return fmt.Errorf("page %d: key %d: %w", id, i, err)
		}
		value, err := piece(b, at, pos, keySize, size)
		if err != nil {
			return fmt.Errorf("page %d: value %d: %w", id, i, err)
		}
		keys[i] = key
		switch flags {
		case 0:
		case leafBucket:
			if err := c.bucket(value, id, depth); err != nil {
				return fmt.Errorf("bucket %.32q: %w", key, err)
			}
		default:
			return fmt.Errorf("page %d: entry %d is of an unknown kind", id, i)
		}
	}
	if err := ordered(keys, low, high); err != nil {
		return fmt.Errorf("page %d: %w", id, err)
	}
	return nil
}

// bucket checks a bucket, which is a tree of its own or, when it is small, a
// leaf within the value.
func (c *checker) bucket(value []byte, id uint64, depth int) error {
	if len(value) < bucketHead {
		return fmt.Errorf("page %d: has no room for a bucket", id)
	}
	if root := binary.NativeEndian.Uint64(value); root != 0 {
		return c.tree(root, nil, nil, depth+1)
	}
	inner := value[bucketHead:]
	if len(inner) < pageHeader || binary.NativeEndian.Uint16(inner[8:]) != pageLeaf {
		return fmt.Errorf("page %d: holds a bucket that is none", id)
	}
	return c.leaf(inner, id, int(binary.NativeEndian.Uint16(inner[10:])), nil, nil, depth+1)
}

// piece is a part of a page, given from the element at.
func piece(b []byte, at int, pos, skip, size uint32) ([]byte, error) {
	from := uint64(at) + uint64(pos) + uint64(skip) //nolint:gosec // at lies within a page
	if from+uint64(size) > uint64(len(b)) {
		return nil, errors.New("lies outside of its page")
	}
	return b[from : from+uint64(size)], nil
}

func ordered(keys [][]byte, low, high []byte) error {
	for i, k := range keys {
		if i > 0 && bytes.Compare(keys[i-1], k) >= 0 || i == 0 && low != nil && bytes.Compare(k, low) < 0 || high != nil && bytes.Compare(k, high) >= 0 {
			return fmt.Errorf("key %d is out of order", i)
		}
	}
	return nil
}
