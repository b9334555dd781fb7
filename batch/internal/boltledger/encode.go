package boltledger

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"sync"
	"time"

	"github.com/scriptix-io/scriptix-go/batch/ledger"
)

func number(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }

func dueKey(t time.Time, id []byte) []byte {
	return append(number(uint64(t.UnixNano())), id...)
}

func dueTime(key []byte) time.Time {
	return time.Unix(0, int64(binary.BigEndian.Uint64(key))) //nolint:gosec // as it was stored
}

var castagnoli = sync.OnceValue(func() *crc32.Table { return crc32.MakeTable(crc32.Castagnoli) })

// encodeSum puts a checksum before a value, because bbolt has none of its own.
func encodeSum(v []byte) []byte {
	return append(binary.BigEndian.AppendUint32(make([]byte, 0, len(v)+4), crc32.Checksum(v, castagnoli())), v...)
}

func decodeSum(v []byte) ([]byte, error) {
	if len(v) < 4 || binary.BigEndian.Uint32(v) != crc32.Checksum(v[4:], castagnoli()) {
		return nil, fmt.Errorf("%w: a value's checksum does not match", ledger.ErrCorrupt)
	}
	return v[4:], nil
}

func encode(v any) ([]byte, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return encodeSum(text), nil
}

func decode(v []byte, into any) error {
	text, err := decodeSum(v)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%w: %w", ledger.ErrCorrupt, err)
	}
	return nil
}

func decodeRecord(v []byte) (r ledger.Record, err error) {
	err = decode(v, &r)
	return r, err
}
