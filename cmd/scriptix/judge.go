package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/scriptix-io/scriptix-go"
	"github.com/scriptix-io/scriptix-go/batch"
)

// judge decides what is to happen to a recording, from what the ledger and the
// manifest know of it and from the flags of this run. A recording is known by
// its content. One that was transcribed already is sent again only where --again
// says so: flags that are left out are those it was done with, and a flag that
// differs refuses it.
type judge struct {
	ledger batch.Ledger // nil when there is none yet
	files  *manifest
	out    string // absolute
	now    settings
	flags  *paramFlags
	format []string // nil when --format was left out
	again  bool
	force  bool
	flat   bool
	dry    bool        // nothing is changed
	resume bool        // only what was begun is gone on with
	batch  *batchFlags // tell whether a program is to be run, and for what
}

// verdict is what is to happen to a recording.
type verdict int

const (
	toSend   verdict = iota // it becomes a new, billed job
	toFollow                // its job is made, or may be, or has failed: nothing is sent
	toFetch                 // it is done, and files of it are missing: one request
	toSkip                  // it is done
	toRefuse
)

// decision is a verdict with its reasons.
type decision struct {
	verdict verdict
	entry   *entry // nil where it is refused
	key     string // of its record
	phase   batch.Phase
	job     string
	was     params // refused: what it was transcribed with,
	would   params // and what it would be
	err     error  // refused for another reason
	changed bool   // the file holds another recording by now, see [judge.successor]
}

// refused is a decision against a recording.
func refused(err error) decision { return decision{verdict: toRefuse, err: err} }

// decide looks at one recording. What it reads of the file is kept in the entry.
func (j *judge) decide(ctx context.Context, r recording) decision {
	known := j.files.of(r.path, j.out)
	if r.entry != nil {
		known = []*entry{r.entry}
	}
	var fitting, others []*entry
	for _, e := range known {
		if j.flags.fits(e.Params) {
			fitting = append(fitting, e)
		} else {
			others = append(others, e)
		}
	}
	switch {
	case len(fitting) > 0:
		return j.earlier(ctx, r, j.best(fitting))
	case len(others) > 0:
		return j.otherwise(ctx, r, others)
	}
	return j.newcomer(ctx, r, nil)
}

// best chooses among a recording's entries: the one that new recordings are
// like, else one that is done.
func (j *judge) best(list []*entry) *entry {
	for _, e := range list {
		if e.Params == j.now.params {
			return e
		}
	}
	for _, e := range list {
		if e.Done {
			return e
		}
	}
	return list[0]
}

// earlier goes on with an entry of an earlier run.
func (j *judge) earlier(ctx context.Context, r recording, e *entry) decision {
	info, err := r.stat()
	if e.unchanged(info) {
		if d := j.settle(ctx, r, e, e.record()); d.verdict != toSend {
			return d
		}
	}
	if err != nil && e.Key != "" {
		return j.withoutSource(ctx, r, e, err)
	}
	if e.Key == "" {
		return j.newcomer(ctx, r, e)
	}
	c, err := r.digest(ctx, e.Params)
	if err != nil {
		return refused(err)
	}
	if c.key != e.Key {
		if j.open(ctx, e.record()) {
			// What was sent comes home under its own name; the file is another recording by now.
			d := j.settle(ctx, r, e, e.record())
			d.changed = true
			return d
		}
		j.abandonUnsent(ctx, e.record())
	}
	j.files.identify(e, c.key, c.sum)
	e.stamp(c)
	return j.settle(ctx, r, e, e.record())
}

// successor decides about the recording that a file holds by now, where the one
// that it held is still at the service.
func (j *judge) successor(ctx context.Context, r recording, e *entry) decision {
	return j.newcomer(ctx, r, j.files.add(j.beside(e, r)))
}

// withoutSource decides about a recording whose file cannot be read any more:
// where a job was made, its transcript still comes.
func (j *judge) withoutSource(ctx context.Context, r recording, e *entry, cause error) decision {
	if d := j.settle(ctx, r, e, e.record()); d.verdict != toSend && d.verdict != toRefuse {
		return d
	}
	return refused(fmt.Errorf("%w: %w", scriptix.ErrAudio, cause))
}

// otherwise decides about a recording of which there are entries, all with other
// parameters than the flags ask for.
func (j *judge) otherwise(ctx context.Context, r recording, others []*entry) decision {
	var paid, unpaid *entry
	for _, e := range others {
		same, err := j.identified(ctx, r, e)
		if err != nil {
			return refused(err)
		}
		switch wasPaid := j.paid(ctx, e.record()); {
		case wasPaid && same:
			paid = e
		case !wasPaid:
			unpaid = e
		}
	}
	switch {
	case paid != nil && !j.again:
		return decision{verdict: toRefuse, was: paid.Params, would: j.flags.over(paid.Params)}
	case paid != nil:
		return j.newcomer(ctx, r, j.files.add(j.beside(paid, r)))
	case unpaid == nil: // another content was paid for, which lay in the same place
		return j.newcomer(ctx, r, j.files.add(j.beside(others[len(others)-1], r)))
	}
	// What was asked for then was not paid for, and is not wanted any more.
	j.abandonUnsent(ctx, unpaid.record())
	unpaid.Params, unpaid.Key, unpaid.Sum, unpaid.ModTime = j.flags.over(unpaid.Params), "", "", 0
	return j.newcomer(ctx, r, unpaid)
}

// beside is a new entry for the recording of another one, as the flags ask for
// it. Its files get a name of their own.
func (j *judge) beside(e *entry, r recording) *entry {
	return &entry{
		Path: e.Path, Params: j.flags.over(e.Params), Out: e.Out, Dir: e.Dir, Formats: e.Formats, Subtitles: e.Subtitles, Spooled: e.Spooled, shown: r.shown,
	}
}

// identified finds out which content an entry is of, and whether the file still
// has it.
func (j *judge) identified(ctx context.Context, r recording, e *entry) (same bool, err error) {
	info, err := r.stat()
	if err != nil {
		return false, fmt.Errorf("%w: %w", scriptix.ErrAudio, err)
	}
	if e.unchanged(info) {
		return true, nil
	}
	c, err := r.digest(ctx, e.Params)
	if err != nil {
		return false, err
	}
	if e.Key != "" && e.Key != c.key {
		return false, nil
	}
	j.files.identify(e, c.key, c.sum)
	e.stamp(c)
	return true, nil
}

// newcomer decides about a recording that no entry has been identified with: by
// its content it may still be known, from another place. The vessel is the entry
// that was made for it, if one was.
func (j *judge) newcomer(ctx context.Context, r recording, vessel *entry) decision {
	p := j.flags.over(j.now.params)
	if vessel != nil {
		p = j.flags.over(vessel.Params)
	}
	c, err := r.digest(ctx, p)
	if err != nil {
		return refused(err)
	}
	twin, differs := j.twin(ctx, r, p, c)
	switch {
	case twin != nil && twin != vessel && j.moved(r, twin):
		if vessel != nil {
			j.files.drop(vessel)
		}
		j.files.move(twin, r.path)
		twin.stamp(c)
		return j.settle(ctx, r, twin, twin.record())
	case twin != nil && twin.Params != p:
		p = twin.Params // a copy of what was done with these
		if c, err = r.digest(ctx, p); err != nil {
			return refused(err)
		}
	case twin == nil && differs != nil && !j.again && !j.paid(ctx, c.key):
		if vessel != nil {
			j.files.drop(vessel)
		}
		return decision{verdict: toRefuse, was: differs.Params, would: p}
	}
	if vessel == nil {
		vessel = j.files.add(j.entryOf(r, p))
	}
	vessel.Params = p
	j.files.identify(vessel, c.key, c.sum)
	if twin != nil {
		vessel.Try, vessel.Recipe = twin.Try, twin.Recipe
	}
	vessel.stamp(c)
	return j.settle(ctx, r, vessel, vessel.record())
}

// entryOf is a new entry for a recording.
func (j *judge) entryOf(r recording, p params) *entry {
	e := &entry{Path: pathText(r.path), Params: p, Out: pathText(j.out), Dir: r.dir, Formats: j.now.Formats, Subtitles: j.now.Subtitles, Spooled: r.spooled, shown: r.shown}
	if j.flat {
		e.Dir = ""
	}
	return e
}

// settle makes the verdict from the record.
func (j *judge) settle(ctx context.Context, r recording, e *entry, key string) decision {
	if j.format != nil {
		e.Formats = j.format
	}
	if j.flags.given["subtitles"] {
		e.Subtitles = j.now.Subtitles
	}
	if r.shown != "" {
		e.shown = r.shown
	}
	d := decision{entry: e, key: key}
	rec, err := j.find(ctx, key)
	if err == nil && rec.Phase == "" {
		if rec, err = j.recallRecipe(ctx, e); rec.Phase != "" {
			d.key = e.record()
		}
	}
	if err != nil {
		return refused(err)
	}
	d.phase, d.job = rec.Phase, rec.JobID
	switch rec.Phase {
	case batch.Done:
		d.verdict = toFetch
		// Of a job that was erased, or a recording that was forgotten, nothing can come any more.
		// A program that was given the files may have taken them elsewhere.
		if e.complete() || !rec.ErasedAt.IsZero() || rec.Name == "" || j.batch.follows(e, rec) && e.takenAway() {
			d.verdict = toSkip
		}
	case "", batch.Claimed, batch.Rejected:
		d.verdict = toSend
		if rec.Phase == "" && e.Done && e.Written == e.record() {
			return d.unrecorded()
		}
		if kind := r.foreign(); kind != "" && !j.force {
			return decision{verdict: toRefuse, entry: e, err: fmt.Errorf("it is %s and no recording; --force sends it all the same", kind)}
		}
	default:
		d.verdict = toFollow
	}
	return d
}

// unrecorded decides about a recording whose transcript was written, and of
// which the ledger knows nothing: it was removed, or is an older copy. The
// recording was paid for all the same.
func (d decision) unrecorded() decision {
	d.verdict = toSkip
	if !d.entry.complete() {
		d.verdict = toRefuse
		d.err = errors.New("an earlier run transcribed it, and the ledger has lost its job, so missing files cannot be fetched; to pay for it anew, transcribe it with another --out")
	}
	return d
}

// find returns the record of a key; the zero record if there is none.
func (j *judge) find(ctx context.Context, key string) (batch.Record, error) {
	if j.ledger == nil || key == "" {
		return batch.Record{}, nil
	}
	rec, err := j.ledger.Get(ctx, batch.ByKey, key)
	if errors.Is(err, batch.ErrNoRecord) {
		return batch.Record{}, nil
	}
	return rec, err
}

// paid reports whether a job was made for a key, or may have been.
func (j *judge) paid(ctx context.Context, key string) bool {
	rec, err := j.find(ctx, key)
	return err != nil || rec.Phase != "" && rec.Phase != batch.Claimed && rec.Phase != batch.Rejected
}

// open reports whether a job was made, or may have been, whose transcript is
// still to come.
func (j *judge) open(ctx context.Context, key string) bool {
	rec, err := j.find(ctx, key)
	if err != nil {
		return true
	}
	return rec.Phase == batch.Sent || rec.Phase == batch.Unknown || rec.Phase == batch.Submitted || rec.Phase == batch.Completed
}

// abandonUnsent gives up a record of which nothing was sent, and which nobody
// asks for any more.
func (j *judge) abandonUnsent(ctx context.Context, key string) {
	if rec, err := j.find(ctx, key); err == nil && rec.Phase == batch.Claimed && !j.dry {
		_ = batch.Abandon(ctx, j.ledger, key) // it stays open then, and that sends nothing either
	}
}
