package main

import (
	"net"
	"time"
)

// delay listens and passes everything on to target, each way so much later. It
// does not slow the stream down, only delays it: up to 64 MiB are on the way.
func delay(target string, d time.Duration) (address string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // at once
	if err != nil {
		return "", err
	}
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("tcp", target) //nolint:noctx // lasts as long as the sink
			if err != nil {
				_ = from.Close()
				continue
			}
			go pass(from, to, d)
			go pass(to, from, d)
		}
	}()
	return l.Addr().String(), nil
}

type parcel struct {
	data []byte
	due  time.Time
}

func pass(from, to net.Conn, d time.Duration) {
	way := make(chan parcel, 1024)
	go func() {
		defer close(way)
		for {
			buf := make([]byte, 64<<10)
			n, err := from.Read(buf)
			if n > 0 {
				way <- parcel{buf[:n], time.Now().Add(d)}
			}
			if err != nil {
				return
			}
		}
	}()
	failed := false
	for p := range way {
		time.Sleep(time.Until(p.due))
		if failed {
			continue
		}
		if _, err := to.Write(p.data); err != nil {
			failed = true
			_ = from.Close()
		}
	}
	// The end of one direction is the end of both: no contender half-closes.
	_ = to.Close()
}
