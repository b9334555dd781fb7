package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"

	"github.com/scriptix-io/scriptix-go/webhook"
)

// variant is a body or a secret as it may have been before something changed it.
type variant struct {
	value string
	cause string // completes "the signature matches ..."
}

// mismatchCause finds what happened to the body, to the secret, or to both, by
// trying; "" when nothing fits.
func mismatchCause(body []byte, signature string, secrets []string) string {
	bodies := bodyVariants(body)
	var keys []variant
	for _, s := range secrets {
		keys = append(keys, secretVariants(s)...)
	}
	fits := func(b, s variant) bool { return webhook.Verify([]byte(b.value), signature, s.value) == nil }
	for _, b := range bodies {
		for _, s := range secrets {
			if fits(b, variant{value: s}) {
				return b.cause
			}
		}
	}
	for _, s := range keys {
		if fits(variant{value: string(body)}, s) {
			return s.cause
		}
	}
	for _, b := range bodies {
		for _, s := range keys {
			if fits(b, s) {
				return b.cause + ", and " + s.cause
			}
		}
	}
	return ""
}

func bodyVariants(body []byte) []variant {
	text := string(body)
	const received = "; verify the body as it was received"
	const saved = "once the line break at the end of the file is removed, which an editor or echo put there" + received
	list := []variant{
		{strings.TrimSuffix(text, "\n"), saved},
		{strings.TrimSuffix(text, "\r\n"), saved},
		{strings.TrimSpace(text), "once the white space around the body is removed" + received},
		{text + "\n", "with a line break at the end, which was lost on the way" + received},
		{text + "\r\n", "with a line break (CR LF) at the end, which was lost on the way" + received},
		{strings.ReplaceAll(text, "\r\n", "\n"), "with line ends LF instead of CR LF, so the file was converted" + received},
		{strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\n", "\r\n"), "with line ends CR LF instead of LF, so the file was converted" + received},
		{strings.TrimPrefix(text, "\ufeff"), "without the byte order mark at its start, which an editor put there" + received},
	}
	if _, rest, ok := strings.Cut(text, "\r\n\r\n"); ok {
		list = append(list, variant{rest, "without the HTTP header in front of it; keep the body alone"})
	}
	var inner string
	if json.Unmarshal(body, &inner) == nil {
		list = append(list, variant{inner, "once it is decoded from the JSON string that a log made of it" + received})
	}
	for _, written := range rewritten(body) {
		list = append(list, variant{written, "once it is written as JSON with other spacing, order or escapes, so it was decoded and encoded again" + received})
	}
	return list
}

// rewritten is a JSON body as the usual encoders write it.
func rewritten(body []byte) []string {
	var list []string
	add := func(b []byte) {
		text := string(bytes.TrimSpace(b))
		list = append(list, text, text+"\n", spaced(text))
	}
	var compact, indented bytes.Buffer
	if json.Compact(&compact, body) != nil {
		return nil
	}
	add(compact.Bytes())
	plain := unescaped(compact.Bytes())
	add(plain)
	for _, indent := range []string{"  ", "    ", "\t"} {
		indented.Reset()
		if json.Indent(&indented, compact.Bytes(), "", indent) == nil {
			add(indented.Bytes())
		}
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var value any
	if dec.Decode(&value) == nil {
		if sorted, err := json.Marshal(value); err == nil {
			add(sorted)
			add(unescaped(sorted))
		}
	}
	return append(list, strings.ReplaceAll(string(plain), "/", `\/`)) // PHP's
}

// unescaped writes <, > and & as they are, which Go escapes.
func unescaped(compact []byte) []byte {
	r := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&", `\/`, "/")
	return []byte(r.Replace(string(compact)))
}

// spaced writes compact JSON as Python does, with a space behind each comma and
// colon outside of strings.
func spaced(compact string) string {
	var b strings.Builder
	quoted, escaped := false, false
	for _, r := range compact {
		b.WriteRune(r)
		switch {
		case escaped:
			escaped = false
		case quoted && r == '\\':
			escaped = true
		case r == '"':
			quoted = !quoted
		case !quoted && (r == ',' || r == ':'):
			b.WriteByte(' ')
		}
	}
	return b.String()
}

func secretVariants(secret string) []variant {
	list := []variant{
		{strings.TrimSpace(secret), "with the white space around the secret removed; mend the secret"},
		{secret + "\n", "with a line break at the end of the secret, so the account's secret holds one"},
		{strings.Trim(secret, `"'`), "with the quotes around the secret removed; mend the secret"},
	}
	if _, rest, ok := strings.Cut(secret, "_"); ok {
		list = append(list, variant{rest, "with the secret taken without its prefix"})
	}
	if raw, err := hex.DecodeString(secret); err == nil {
		list = append(list, variant{string(raw), "with the secret decoded from hex"})
	}
	if raw, err := base64.StdEncoding.DecodeString(secret); err == nil {
		list = append(list, variant{string(raw), "with the secret decoded from base64"})
	}
	return list
}

// matchesBase64 reports whether digits are the right MAC in base64.
func matchesBase64(digits string, body []byte, secrets []string) bool {
	for _, enc := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding, base64.RawStdEncoding, base64.RawURLEncoding} {
		if mac, err := enc.DecodeString(digits); err == nil && webhook.Verify(body, "sha256="+hex.EncodeToString(mac), secrets...) == nil {
			return true
		}
	}
	return false
}
