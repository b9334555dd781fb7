// Package report is what the sink tells the measuring program.
package report

// Sink is where the sink listens.
type Sink struct {
	HTTP    string `json:"http"`
	HTTPS   string `json:"https"`   // HTTP/1.1 and HTTP/2
	Delayed string `json:"delayed"` // the same behind the delaying proxy, with HTTP/2 windows of 64 KiB
}

// Arrived is what came since it was last asked for.
type Arrived struct {
	Protocols []string `json:"protocols"`
	Bytes     int64    `json:"bytes"` // of audio
	Faults    []string `json:"faults,omitempty"`
}
