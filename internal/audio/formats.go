package audio

import (
	"bytes"
	"net/http"
	"path"
	"strings"
)

// kinds are the media types by extension: first those that the service
// documents, then others that it is known to read. mime.TypeByExtension would
// answer differently on each machine.
var kinds = []struct{ extension, mediaType string }{
	{".mp3", "audio/mpeg"},
	{".wav", "audio/wav"},
	{".flac", "audio/flac"},
	{".m4a", "audio/mp4"},
	{".aac", "audio/aac"},
	{".ogg", "audio/ogg"},
	{".mp4", "video/mp4"},
	{".mov", "video/quicktime"},
	{".avi", "video/x-msvideo"},
	{".mkv", "video/x-matroska"},
	{".webm", "video/webm"},

	{".opus", "audio/ogg"},
	{".oga", "audio/ogg"},
	{".amr", "audio/amr"},
	{".wma", "audio/x-ms-wma"},
	{".m4b", "audio/mp4"},
	{".mka", "audio/x-matroska"},
	{".ts", "video/mp2t"},
	{".3gp", "video/3gpp"},
}

// Extensions are those of recordings, with their dots.
func Extensions() []string {
	all := make([]string, len(kinds))
	for i, kind := range kinds {
		all[i] = kind.extension
	}
	return all
}

// MediaType is that of a recording by its name's extension, "" when that is none
// of a recording.
func MediaType(name string) string {
	extension := strings.ToLower(path.Ext(name))
	for _, kind := range kinds {
		if kind.extension == extension {
			return kind.mediaType
		}
	}
	return ""
}

// Extension tells a recording's extension from its first bytes, of which 64
// suffice; "" when they are of no known kind.
func Extension(head []byte) string {
	at := func(offset int, magic string) bool {
		return len(head) >= offset && bytes.HasPrefix(head[offset:], []byte(magic))
	}
	frame := len(head) > 1 && head[0] == 0xff
	switch {
	case at(0, "RIFF") && at(8, "WAVE"), at(0, "RF64") && at(8, "WAVE"):
		return ".wav"
	case at(0, "RIFF") && at(8, "AVI "):
		return ".avi"
	case at(0, "fLaC"):
		return ".flac"
	case at(0, "OggS"):
		return ".ogg"
	case at(4, "ftypM4A"), at(4, "ftypM4B"):
		return ".m4a"
	case at(4, "ftypqt"):
		return ".mov"
	case at(4, "ftyp3g"):
		return ".3gp"
	case at(4, "ftyp"):
		return ".mp4"
	case at(0, "\x1a\x45\xdf\xa3") && bytes.Contains(head[:min(len(head), 64)], []byte("webm")):
		return ".webm"
	case at(0, "\x1a\x45\xdf\xa3"):
		return ".mkv"
	case at(0, "#!AMR"):
		return ".amr"
	case at(0, "\x30\x26\xb2\x75\x8e\x66\xcf\x11"):
		return ".wma"
	case frame && head[1]&0xf6 == 0xf0:
		return ".aac" // ADTS: an MPEG frame of layer 0
	case at(0, "ID3"), frame && head[1]&0xe0 == 0xe0:
		return ".mp3"
	}
	return ""
}

// kindOf is the media type of a recording that begins with head, and which its
// name does not tell.
func kindOf(head []byte) string {
	if kind := MediaType(Extension(head)); kind != "" {
		return kind
	}
	return http.DetectContentType(head)
}
