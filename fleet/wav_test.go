package fleet_test

import (
	"bytes"
	"encoding/binary"
	"time"
)

// wav is a recording of silence. The number tells it from others of its length.
func wav(length time.Duration, number int) []byte {
	const rate = 8000
	data := make([]byte, int(length.Seconds()*rate))
	for i := range data {
		data[i] = 128
	}
	if len(data) >= 8 {
		binary.LittleEndian.PutUint64(data, uint64(number))
	}
	var b bytes.Buffer
	b.WriteString("RIFF")
	_ = binary.Write(&b, binary.LittleEndian, uint32(36+len(data)))
	b.WriteString("WAVEfmt ")
	for _, field := range []any{uint32(16), uint16(1), uint16(1), uint32(rate), uint32(rate), uint16(1), uint16(8)} {
		_ = binary.Write(&b, binary.LittleEndian, field)
	}
	b.WriteString("data")
	_ = binary.Write(&b, binary.LittleEndian, uint32(len(data)))
	b.Write(data)
	return b.Bytes()
}
