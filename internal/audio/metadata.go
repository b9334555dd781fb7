package audio

import (
	"encoding/base64"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// Metadata is the Upload-Metadata of a resumable upload: the fields of the form,
// which may replace the document type, and what the form would say of the file.
// refused is the name of a field that such an upload cannot hold, because it has
// several values or a name that is not plain.
func Metadata(fields url.Values, filename, filetype string) (metadata, refused string) {
	if filename == "" {
		filename = "audio"
	}
	values := map[string]string{"filename": filename, "filetype": filetype, "document_type": "document"}
	for name, list := range fields {
		plain := !strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r > '~' || r == ',' })
		if len(list) != 1 || !plain {
			return "", name
		}
		values[name] = list[0]
	}
	var b strings.Builder
	for i, name := range slices.Sorted(maps.Keys(values)) {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(name)
		if v := values[name]; v != "" {
			b.WriteString(" " + base64.StdEncoding.EncodeToString([]byte(v)))
		}
	}
	return b.String(), ""
}
