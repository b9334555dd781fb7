package main

import (
	"fmt"
	"slices"
	"strconv"
)

const (
	mib = 1 << 20
	gib = 1 << 30

	chunkSize  = 50 * mib // of a resumable upload, as the service documents it
	roundTrip  = "40ms"
	delayed    = "delayed"
	form       = "form"
	resumable  = "resumable"
	ours       = "scriptix"
	curl       = "curl"
	curl1      = "curl --http1.1"
	pipe       = "io.Pipe"
	pipe1      = "io.Pipe, HTTP/1.1"
	restyV3    = "resty"
	allocation = "scriptix, allocations"
)

// upload is a line of the table: one contender at one task.
type upload struct {
	Kind      string `json:"kind"`   // form, resumable, delayed
	Scheme    string `json:"scheme"` // http, https
	Size      int64  `json:"size"`
	Contender string `json:"contender"`

	repeat int
}

func (u upload) task() string {
	return fmt.Sprintf("%s %s %s", u.Kind, u.Scheme, sizeName(u.Size))
}

func (u upload) String() string { return u.task() + " " + u.Contender }

// plan is what is measured. What stands next to each other is compared.
func plan(s settings) (all []upload) {
	add := func(repeat int, kind, scheme string, size int64, contenders ...string) {
		for _, c := range contenders {
			u := upload{kind, scheme, size, c, repeat}
			if repeat > 0 && s.only.MatchString(u.String()) {
				all = append(all, u)
			}
		}
	}
	for _, scheme := range []string{"http", "https"} {
		everyone := []string{curl1, curl, ours, pipe, restyV3}
		if scheme == "https" {
			everyone = []string{curl1, curl, ours, pipe, pipe1, restyV3}
		}
		add(s.repeat, form, scheme, 1, ours)
		add(s.repeat, form, scheme, mib, everyone...)
		add(s.repeat, form, scheme, 400*mib, everyone...)
		add(s.large, form, scheme, 5*gib, curl1, curl, ours)
		add(s.repeat, resumable, scheme, 1, ours)
		add(s.repeat, resumable, scheme, 400*mib, curl1, ours)
		add(s.large, resumable, scheme, 5*gib, curl1, ours)
	}
	add(min(s.repeat, 3), form, "https", gib, allocation)
	add(min(s.repeat, 3), resumable, "https", gib, allocation)
	size, slow := int64(32*mib), 1
	if s.quick {
		size = 8 * mib
	}
	add(s.repeat, delayed, "https", size, curl1, ours, pipe1)
	add(slow, delayed, "https", size, pipe)
	return all
}

// wantProtocol is what the sink must have seen: a contender that went another
// way was not the one to be measured.
func (u upload) wantProtocol() string {
	if u.Scheme == "https" && slices.Contains([]string{curl, pipe, restyV3}, u.Contender) {
		return "HTTP/2"
	}
	return "HTTP/1.1"
}

// command is how the contender is started.
func (b *bench) command(u upload) ([]string, error) {
	file, err := b.sparse(u.Size)
	if err != nil {
		return nil, err
	}
	url := u.Scheme + "://" + b.address(u)
	switch u.Contender {
	case curl, curl1:
		return b.curl(u, url, file)
	}
	program := map[string]string{ours: "ours", allocation: "ours", pipe: "pipe", pipe1: "pipe", restyV3: "resty"}[u.Contender]
	args := []string{b.program(program), "-url", url, "-file", file}
	if u.Scheme == "https" {
		args = append(args, "-ca", b.ca)
	}
	if u.Contender == pipe1 {
		args = append(args, "-http1.1")
	}
	if u.Kind == resumable {
		args = append(args, "-resumable")
	}
	if u.Contender == allocation {
		args = append(args, "-allocs")
	}
	return args, nil
}

func (b *bench) curl(u upload, url, file string) ([]string, error) {
	common := []string{"-sS", "--fail", "-H", "Authorization: Bearer key", "-o", "/dev/null"}
	if u.Contender == curl1 {
		common = append(common, "--http1.1")
	}
	if u.Scheme == "https" {
		common = append(common, "--cacert", b.ca)
	}
	args := append([]string{"curl"}, common...)
	if u.Kind != resumable {
		return append(args, "-F", "language=en", "-F", "audio_file=@"+file, url+"/api/v3/stt"), nil
	}
	target, err := b.createUpload(url, u.Size)
	if err != nil {
		return nil, err
	}
	// All chunks over one connection. They are files of their own, for curl
	// cannot send a part of one; each is as sparse as the whole.
	for at := int64(0); at < u.Size; at += chunkSize {
		chunk, err := b.sparse(min(chunkSize, u.Size-at))
		if err != nil {
			return nil, err
		}
		if at > 0 {
			args = append(append(args, "--next"), common...)
		}
		args = append(args, "-X", "PATCH", "-H", "Tus-Resumable: 1.0.0", "-H", "Content-Type: application/offset+octet-stream", "-H", "Expect:",
			"-H", "Upload-Offset: "+strconv.FormatInt(at, 10), "-T", chunk, target)
	}
	return args, nil
}

func sizeName(n int64) string {
	switch {
	case n >= gib:
		return strconv.FormatInt(n/gib, 10) + " GiB"
	case n >= mib:
		return strconv.FormatInt(n/mib, 10) + " MiB"
	}
	return strconv.FormatInt(n, 10) + " byte"
}
