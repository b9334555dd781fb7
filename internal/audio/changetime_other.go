//go:build !linux

package audio

import (
	"io/fs"
	"time"
)

// changeTime is not looked for here; the time of the last modification has to do.
func changeTime(fs.FileInfo) time.Time { return time.Time{} }
