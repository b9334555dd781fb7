package main

import (
	"strconv"
	"strings"
)

// resumeHint is the command that goes on after an interruption: what was given
// as a flag is given again, and what came from the environment still does.
func resumeHint(e *env, s *service, c *callbacks, f *batchFlags) string {
	words := []string{"scriptix", "resume"}
	add := func(flag, value, usual string) {
		if value != usual {
			words = append(words, flag, quoted(value))
		}
	}
	add("--out", f.Out, ".")
	add("--ledger", f.Ledger, "")
	if s.BaseURL != e.getenv("SCRIPTIX_BASE_URL") {
		add("--base-url", s.BaseURL, defaultBaseURL)
	}
	add("--key-file", s.KeyFile, "")
	add("--plan", s.Plan, "")
	if s.Dialect != e.getenv("SCRIPTIX_DIALECT") {
		add("--dialect", s.Dialect, "")
	}
	add("--listen", c.Listen, "")
	add("--webhook-url", c.WebhookURL, "")
	add("--secret-file", c.SecretFile, "")
	add("--jobs", strconv.Itoa(f.Jobs), "0")
	if f.ResubmitAfter > 0 {
		words = append(words, "--resubmit-after", f.ResubmitAfter.String())
	}
	if f.Audio != "" {
		add("--audio", f.Audio, "auto")
	}
	if f.Erase {
		words = append(words, "--erase")
	}
	if f.Exec != "" {
		words = append(words, "--exec", quoted(f.Exec))
		add("--exec-timeout", f.ExecTimeout.String(), "10m0s")
		add("--exec-jobs", strconv.Itoa(f.ExecJobs), "2")
	}
	if f.AllowPrivate {
		words = append(words, "--allow-private")
	}
	if f.EmbedAudio {
		words = append(words, "--embed-audio")
	}
	return strings.Join(words, " ")
}

// quoted is a word as a shell takes it.
func quoted(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("./:_-", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
