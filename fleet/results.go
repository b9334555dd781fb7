package fleet

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/jackc/pgx/v5"

	"github.com/scriptix-io/scriptix-go"
)

// ErrNoTranscript means that there is no transcript of a recording: it is not
// done, or was forgotten.
var ErrNoTranscript = errors.New("fleet: no transcript")

// maxTranscript bounds what is unpacked, as it is bounded where it is fetched.
const maxTranscript = 256 << 20

// Transcript returns the transcript of a recording that is done, or
// [ErrNoTranscript]. Its Raw is the service's answer as it came.
func (f *Fleet) Transcript(ctx context.Context, key string) (*scriptix.Transcript, error) {
	if hasNUL(key) {
		return nil, ErrNoTranscript
	}
	t, err := f.results.Get(ctx, f.store.account, key)
	if err != nil {
		return nil, fmt.Errorf("fleet: the transcript of %q: %w", key, err)
	}
	return t, nil
}

// pgResults keeps transcripts in the table scriptix_transcript.
type pgResults struct{ *store }

func (p *pgResults) Put(ctx context.Context, tx pgx.Tx, account, key string, t *scriptix.Transcript) error {
	body, err := pack(t)
	if err != nil {
		return err
	}
	save := p.sql(`
		insert into {s}.scriptix_transcript (account, key, body) values ($1, $2, $3)
		on conflict (account, key) do update set body = excluded.body, at = clock_timestamp()`)
	_, err = tx.Exec(ctx, save, account, key, body)
	return err
}

func (p *pgResults) Get(ctx context.Context, account, key string) (*scriptix.Transcript, error) {
	var body []byte
	load := p.sql("select body from {s}.scriptix_transcript where account = $1 and key = $2")
	err := p.pool.QueryRow(ctx, load, account, key).Scan(&body)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, ErrNoTranscript
	}
	if err != nil {
		return nil, err
	}
	return unpack(body)
}

func (p *pgResults) Delete(ctx context.Context, account, key string) error {
	_, err := p.pool.Exec(ctx, p.sql("delete from {s}.scriptix_transcript where account = $1 and key = $2"), account, key)
	return err
}

// pack compresses a transcript, as it came where that is JSON. The job's id, of
// which the answer need not tell, stands in the header.
func pack(t *scriptix.Transcript) ([]byte, error) {
	if t == nil {
		return nil, errors.New("fleet: the transcript is nil")
	}
	raw := []byte(t.Raw)
	if !json.Valid(raw) {
		var err error
		if raw, err = json.Marshal(t); err != nil {
			return nil, err
		}
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Extra = []byte(t.JobID)
	if _, err := z.Write(raw); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func unpack(body []byte) (*scriptix.Transcript, error) {
	z, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	jobID := string(z.Extra)
	raw, err := io.ReadAll(io.LimitReader(z, maxTranscript))
	if err != nil {
		return nil, err
	}
	var t scriptix.Transcript
	if err := json.Unmarshal(raw, &t); err != nil {
		return nil, err
	}
	t.JobID = jobID
	return &t, nil
}
