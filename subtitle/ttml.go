package subtitle

import (
	"bufio"
	"fmt"
	"io"
	"strings"
)

// WriteTTML writes cues as TTML, in the text profile of IMSC 1.0.1, which Netflix takes and players of EBU-TT-D read: UTF-8,
// one centred region at the bottom, a paragraph for each cue. Language is that of the text, as a tag; "" and what is no
// tag are written as unknown.
//
// Who speaks is told in the metadata (ttm:agent), which players do not show; the name that [Options].Speakers puts in
// front stays. Markup is text. White space, empty cues and times are handled as by [WriteSRT]. The error is w's.
func WriteTTML(w io.Writer, cues []Cue, language string) error {
	out := bufio.NewWriter(w)
	agents, err := writeTTMLHead(out, cues, language)
	for _, c := range cues {
		if err != nil {
			break
		}
		lines := clean(c.Lines)
		if len(lines) == 0 {
			continue
		}
		agent := ""
		if n := agents[fold(c.Speaker)]; n > 0 {
			agent = fmt.Sprintf(` ttm:agent="a%d"`, n)
		}
		start, end := bounds(c)
		for i, line := range lines {
			lines[i] = entities.Replace(xmlText(line))
		}
		_, err = fmt.Fprintf(out, "      <p begin=\"%s\" end=\"%s\"%s>%s</p>\n", stamp(start, "."), stamp(end, "."), agent, strings.Join(lines, "<br/>"))
	}
	if err == nil {
		_, err = out.WriteString("    </div>\n  </body>\n</tt>\n")
	}
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return fmt.Errorf("subtitle: write TTML: %w", err)
	}
	return nil
}

// writeTTMLHead writes what stands in front of the cues, and numbers their speakers.
func writeTTMLHead(out *bufio.Writer, cues []Cue, language string) (agents map[string]int, err error) {
	agents = make(map[string]int)
	var metadata strings.Builder
	for _, c := range cues {
		name := fold(c.Speaker)
		if name == "" || agents[name] > 0 {
			continue
		}
		agents[name] = len(agents) + 1
		fmt.Fprintf(&metadata, "      <ttm:agent xml:id=\"a%d\" type=\"person\"><ttm:name type=\"full\">%s</ttm:name></ttm:agent>\n", len(agents), entities.Replace(xmlText(name)))
	}
	if metadata.Len() > 0 {
		metadata.WriteString("    </metadata>\n")
	}
	body := metadata.String()
	if body != "" {
		body = "    <metadata>\n" + body
	}
	_, err = fmt.Fprintf(out, ttmlHead, tagOf(language), body)
	return agents, err
}

const ttmlHead = `<?xml version="1.0" encoding="UTF-8"?>
<tt xmlns="http://www.w3.org/ns/ttml" xmlns:ttp="http://www.w3.org/ns/ttml#parameter" xmlns:tts="http://www.w3.org/ns/ttml#styling" xmlns:ttm="http://www.w3.org/ns/ttml#metadata" ttp:profile="http://www.w3.org/ns/ttml/profile/imsc1/text" ttp:timeBase="media" xml:lang="%s">
  <head>
%s    <styling>
      <style xml:id="text" tts:fontFamily="proportionalSansSerif" tts:fontSize="100%%" tts:color="#FFFFFF" tts:textAlign="center"/>
    </styling>
    <layout>
      <region xml:id="bottom" tts:origin="10%% 10%%" tts:extent="80%% 80%%" tts:displayAlign="after"/>
    </layout>
  </head>
  <body region="bottom" style="text">
    <div>
`

// tagOf is a language tag that XML knows, "" for what is none.
func tagOf(language string) string {
	tag := strings.ReplaceAll(strings.TrimSpace(language), "_", "-")
	for part := range strings.SplitSeq(tag, "-") {
		if part == "" || len(part) > 8 || strings.ContainsFunc(part, notAlphanumeric) {
			return ""
		}
	}
	return tag
}

func notAlphanumeric(r rune) bool {
	return (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
}

var entities = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;")

// xmlText leaves out the code points that no XML may hold.
func xmlText(s string) string {
	return strings.Map(func(r rune) rune {
		if r == 0xfffe || r == 0xffff {
			return -1
		}
		return r
	}, s)
}
