// Package interop holds tests of the SDK against software that others wrote:
// resumable uploads to tusd in a process of its own that is killed again and
// again, through toxiproxy that cuts, stalls and throttles; the documentation's
// receivers in Python and Node; curl's multipart upload; subtitles read back by
// go-astisub and ffmpeg; nginx, configured as the guide says, in front of two
// receivers.
//
//	GOWORK=off go test ./...                     # 256 MiB, 5 kills
//	GOWORK=off go test -timeout 60m ./... -full  # 1 GiB, 20 times over
//
// It is a module of its own, so that what these need does not change the
// versions that users of the SDK get.
package interop
