package main

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"unicode"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
)

// explain is an error as one line in the user's words, with what to do about it.
func explain(err error) string {
	text := unrepeated(plain(oneLine(err.Error())))
	if advice := advise(err); advice != "" {
		return strings.TrimSuffix(text, ".") + "; " + advice
	}
	return text
}

// common is an error as explain says it, without what tells it from the same one
// of another request.
func common(err error) string {
	text := explain(err)
	if e, ok := errors.AsType[*scriptix.Error](err); ok {
		if e.RequestID != "" {
			text = strings.ReplaceAll(text, " ("+oneLine(e.RequestID)+")", "")
		}
		if e.JobID != "" {
			text = strings.ReplaceAll(text, " "+strconv.Quote(e.JobID), "")
		}
	}
	return strings.ReplaceAll(text, ".; ", "; ")
}

// prefixes are those of the packages below: the program has its own.
var prefixes = strings.NewReplacer("scriptix: ", "", "batch: ", "", "webhook: ", "", "scriptixtest: ", "", "not submitted: ", "")

var (
	socketText  = pattern(`(read|write) tcp \S+->\S+: `)
	sinkText    = pattern(`the sink failed \d+ times: `)
	unknownText = pattern(`unknown outcome: \d+ of an unknown number of bytes of audio went out and a job may exist, so it is not sent again: stt\.submit: `)
)

// pattern compiles an expression when it is used for the first time: most calls of the program use none, and do not wait
// for them when they start.
func pattern(expression string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expression) })
}

// plain turns the words of the packages below into those of their user.
func plain(text string) string {
	text = socketText().ReplaceAllString(prefixes.Replace(text), "")
	text = sinkText().ReplaceAllString(text, "its transcript cannot be written: ")
	for unknownText().MatchString(text) {
		inner := unknownText().ReplaceAllString(text, "")
		if strings.Contains(inner, "unknown outcome: ") {
			text = inner
			continue
		}
		text = unknownText().ReplaceAllLiteralString(text, "unknown outcome: the audio may have gone out and a job may exist, so it is not sent again: ")
	}
	return text
}

// unrepeated leaves out what an error says a second time, because each of the
// errors around it says it too.
func unrepeated(text string) string {
	var kept []string
	seen := make(map[string]bool)
	for part := range strings.SplitSeq(text, ": ") {
		if seen[part] && len(part) > 3 {
			continue
		}
		seen[part] = true
		kept = append(kept, part)
	}
	return strings.Join(kept, ": ")
}

func advise(err error) string {
	_, resumable := errors.AsType[*scriptix.UploadInterruptedError](err)
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "free space and run it again"
	case errors.Is(err, batch.ErrSink):
		return "run it again once that is mended: it is paid for, and only fetched again"
	case errors.Is(err, scriptix.ErrUnknownOutcome):
		return "look into the account before it is sent again, for it may be billed twice"
	case resumable:
		return "run it again to go on with the upload"
	case errors.Is(err, scriptix.ErrUnauthorized):
		return "check the key in $" + keyVariable + " or its file, or run scriptix doctor"
	case errors.Is(err, scriptix.ErrQuota):
		return "the account's quota is used up; upgrade the plan or wait"
	case errors.Is(err, scriptix.ErrForbidden):
		return "the key lacks the permission for this"
	case errors.Is(err, scriptix.ErrTooLarge):
		return "split the recording or encode it smaller"
	}
	return ""
}

// oneLine makes a text fit for one line of a terminal.
func oneLine(s string) string {
	s = strings.ReplaceAll(strings.TrimSpace(s), "\n", "; ")
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}
