package audio

import (
	"io/fs"
	"syscall"
	"time"
)

// changeTime is when a file's content or anything else about it changed, which
// no program can set; zero when unknown.
func changeTime(info fs.FileInfo) time.Time {
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		return time.Unix(sys.Ctim.Unix())
	}
	return time.Time{}
}
