package main

import (
	"cmp"
	"fmt"
	"net/url"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/scriptix-io/scriptix-go"
)

// params is how a recording is transcribed. Two of the same value are the same
// job; it stands in the manifest and in what an output folder remembers.
type params struct {
	Language    string `json:"language"`
	Diarization bool   `json:"diarization,omitempty"`
	Timestamps  string `json:"timestamps,omitempty"`
	Model       string `json:"model,omitempty"`
	GlossaryID  int64  `json:"glossary_id,omitempty"`
	Channels    string `json:"channels,omitempty"` // channelsSplit, or "" for all of them as one recording
}

const channelsSplit = "split"

func (p params) submit() scriptix.SubmitParams {
	submit := scriptix.SubmitParams{
		Language: p.Language, Diarization: p.Diarization, Timestamps: scriptix.Timestamps(p.Timestamps),
		Model: p.Model, GlossaryID: p.GlossaryID,
	}
	if p.Channels == channelsSplit {
		submit.Extra = url.Values{"multichannel": {"true"}}
	}
	return submit
}

// speaks refuses what no recording can ask of a dialect.
func (p params) speaks(dialect string) error {
	if p.Channels != "" && dialect != sessionDialect {
		return usage("--channels split: only the session API takes channels apart (--dialect session), and two uploads of one call would be two bills; --diarization tells the speakers of a mixed call apart")
	}
	return nil
}

// paramFlags are the parameters as flags. One that was left out changes nothing.
type paramFlags struct {
	Language    string `short:"l" placeholder:"CODE" help:"Language of the recordings, as en or nl-pol; auto lets the service find out (${language_default})."`
	Diarization bool   `short:"d" negatable:"" help:"Tell the speakers apart (no)."`
	Timestamps  string `enum:"segment,word," default:"" placeholder:"FINENESS" help:"Times per segment or per word (segment)."`
	Model       string `placeholder:"KEY" help:"Custom model (none)."`
	GlossaryID  int64  `name:"glossary-id" placeholder:"N" help:"Glossary of the account (none)."`
	Channels    string `enum:"mix,split," default:"" placeholder:"HOW" help:"split: take the channels of a call for its speakers, where the dialect can (session); mix: all as one (mix)."`

	given map[string]bool // the names of the flags that stood on the command line
}

// givenFlags returns the names of the flags that stood on the command line.
func givenFlags(parsed *kong.Context) map[string]bool {
	given := make(map[string]bool)
	for _, element := range parsed.Path {
		if element.Flag != nil {
			given[element.Flag.Name] = true
		}
	}
	return given
}

// over returns p as the given flags change it.
func (f *paramFlags) over(p params) params {
	if f.given["language"] {
		p.Language = f.Language
	}
	if f.given["diarization"] {
		p.Diarization = f.Diarization
	}
	if f.given["timestamps"] {
		p.Timestamps = f.Timestamps
	}
	if f.given["model"] {
		p.Model = f.Model
	}
	if f.given["glossary-id"] {
		p.GlossaryID = f.GlossaryID
	}
	if f.given["channels"] {
		p.Channels = strings.TrimSuffix(f.Channels, "mix")
	}
	if p.Timestamps == "" {
		p.Timestamps = string(scriptix.TimestampsSegment)
	}
	return p
}

// fits reports whether the given flags agree with what p is.
func (f *paramFlags) fits(p params) bool {
	if p.Timestamps == "" {
		p.Timestamps = string(scriptix.TimestampsSegment)
	}
	return f.over(p) == p
}

// differences returns the flags by which two recordings' parameters differ, as
// they would be typed for each of the two.
func differences(a, b params) (ofA, ofB string) {
	var left, right []string
	for i, flag := range spelled(a) {
		if other := spelled(b)[i]; other != flag {
			left, right = append(left, flag), append(right, other)
		}
	}
	return strings.Join(left, " "), strings.Join(right, " ")
}

// spelled returns all of p as flags, always the same ones in the same order.
func spelled(p params) []string {
	diarization := "--no-diarization"
	if p.Diarization {
		diarization = "--diarization"
	}
	timestamps := p.Timestamps
	if timestamps == "" {
		timestamps = string(scriptix.TimestampsSegment)
	}
	return []string{
		"--language " + quoted(p.Language), diarization, "--timestamps " + timestamps,
		"--model " + quoted(p.Model), fmt.Sprintf("--glossary-id %d", p.GlossaryID), "--channels " + cmp.Or(p.Channels, "mix"),
	}
}

// words returns p for people: what is as usual is left out.
func (p params) words() []string {
	var list []string
	if p.Language != "" {
		list = append(list, "language "+oneLine(p.Language))
	}
	if p.Diarization {
		list = append(list, "diarization")
	}
	if p.Timestamps != "" && p.Timestamps != string(scriptix.TimestampsSegment) {
		list = append(list, "timestamps "+oneLine(p.Timestamps))
	}
	if p.Model != "" {
		list = append(list, "model "+oneLine(p.Model))
	}
	if p.Channels != "" {
		list = append(list, "channels "+oneLine(p.Channels))
	}
	if p.GlossaryID != 0 {
		list = append(list, fmt.Sprintf("glossary %d", p.GlossaryID))
	}
	return list
}
