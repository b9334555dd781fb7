package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"unicode/utf8"

	"github.com/scriptix-io/scriptix-go/internal/audio"
)

// headSize is how much of a file is looked at to see what it is not.
const headSize = 1024

// foreignKind says what a file is when its first bytes are those of something
// that is no recording; "" for a recording and for bytes that are not known.
// The service bills what it is sent, so this is asked before.
func foreignKind(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }() // was only read
	head := make([]byte, headSize)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return "", err
	}
	return foreign(head[:n]), nil
}

// signatures are what files of other kinds begin with.
var signatures = []struct {
	kind   string
	offset int
	magic  string
}{
	{"a PDF", 0, "%PDF-"},
	{"an archive", 0, "PK\x03\x04"}, {"an archive", 0, "PK\x05\x06"}, {"an archive", 0, "\x1f\x8b"}, {"an archive", 0, "BZh"},
	{"an archive", 0, "\xfd7zXZ\x00"}, {"an archive", 0, "7z\xbc\xaf\x27\x1c"}, {"an archive", 0, "Rar!\x1a\x07"},
	{"an archive", 0, "\x28\xb5\x2f\xfd"}, {"an archive", 257, "ustar"}, {"an archive", 0, "!<arch>\n"},
	{"an image", 0, "\x89PNG\r\n\x1a\n"}, {"an image", 0, "\xff\xd8\xff"}, {"an image", 0, "GIF87a"}, {"an image", 0, "GIF89a"},
	{"an image", 0, "II*\x00"}, {"an image", 0, "MM\x00*"}, {"an image", 8, "WEBP"}, {"an image", 4, "ftypheic"},
	{"an image", 4, "ftypheix"}, {"an image", 4, "ftypmif1"}, {"an image", 4, "ftypavif"}, {"an image", 0, "\x00\x00\x01\x00\x01\x00"},
	{"an image", 0, "8BPS"},
	{"a program", 0, "\x7fELF"}, {"a program", 0, "MZ"}, {"a program", 0, "\xfe\xed\xfa\xce"}, {"a program", 0, "\xfe\xed\xfa\xcf"},
	{"a program", 0, "\xce\xfa\xed\xfe"}, {"a program", 0, "\xcf\xfa\xed\xfe"}, {"a program", 0, "\xca\xfe\xba\xbe"}, {"a program", 0, "\x00asm"},
	{"an Office document", 0, "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"},
	{"a database", 0, "SQLite format 3\x00"},
	{"text", 0, "\xef\xbb\xbf"}, {"text", 0, "\xff\xfe<\x00"}, {"text", 0, "\xfe\xff\x00<"},
}

// foreign tells what the first bytes of a file are of.
func foreign(head []byte) string {
	if audio.Extension(head) != "" {
		for _, s := range signatures {
			if s.kind == "an image" && s.offset > 0 && startsAt(head, s.offset, s.magic) {
				return s.kind // of the families of AVI and MP4
			}
		}
		return ""
	}
	for _, s := range signatures {
		if startsAt(head, s.offset, s.magic) {
			return s.kind
		}
	}
	if startsAt(head, 0, "BM") && len(head) > 14 && head[6] == 0 && head[7] == 0 && head[8] == 0 && head[9] == 0 {
		return "an image"
	}
	return textKind(head)
}

func startsAt(head []byte, offset int, magic string) bool {
	return len(head) >= offset && bytes.HasPrefix(head[offset:], []byte(magic))
}

// textKind tells HTML and scripts from other text, and all of them from bytes
// that are none.
func textKind(head []byte) string {
	text := head
	for range utf8.UTFMax {
		if len(text) == 0 || utf8.Valid(text) {
			break
		}
		text = text[:len(text)-1] // the last character may be cut
	}
	if len(text) < 4 || !utf8.Valid(text) || len(head)-len(text) >= utf8.UTFMax {
		return ""
	}
	for _, r := range string(text) {
		if r < ' ' && r != '\n' && r != '\r' && r != '\t' && r != '\f' && r != '\x1b' || r == 0x7f {
			return ""
		}
	}
	start := bytes.ToLower(bytes.TrimSpace(text))
	for _, tag := range []string{"<!doctype html", "<html", "<head", "<body"} {
		if bytes.HasPrefix(start, []byte(tag)) {
			return "HTML"
		}
	}
	if bytes.HasPrefix(start, []byte("#!")) {
		return "a program"
	}
	return "text"
}
