package main

import (
	"context"
	"path/filepath"
)

// twin finds an entry of the same content whose parameters the flags agree with,
// that with p before others. Without one, differs is an entry of the same
// content that was paid for.
func (j *judge) twin(ctx context.Context, r recording, p params, c content) (twin, differs *entry) {
	for _, e := range j.files.bySum[c.sum] {
		if e.Gone || e.Key == "" {
			continue
		}
		switch {
		case e.Params == p && (twin == nil || twin.Params != p || j.moved(r, e)):
			twin = e
		case !j.paid(ctx, e.record()):
		case j.flags.fits(e.Params):
			if twin == nil {
				twin = e
			}
		default:
			differs = e
		}
	}
	if twin != nil {
		return twin, differs
	}
	twin, unkeyed := j.unidentified(ctx, r, p, c)
	if differs == nil {
		differs = unkeyed
	}
	return twin, differs
}

// unidentified looks for the content among entries of an earlier version, which
// did not keep keys: for each way in which recordings were transcribed the
// content has one, and the ledger knows it or does not.
func (j *judge) unidentified(ctx context.Context, r recording, p params, c content) (twin, differs *entry) {
	keys := map[params]string{p: c.key}
	for _, e := range j.files.entries {
		if e.Key != "" || e.Gone || r.remote != nil || isURL(string(e.Path)) || string(e.Path) == r.path || filepath.Base(string(e.Path)) != filepath.Base(r.path) {
			continue
		}
		key, read := keys[e.Params]
		if !read {
			other, err := r.digest(ctx, e.Params)
			if err != nil {
				return nil, nil
			}
			key = other.key
			keys[e.Params] = key
		}
		if exists(string(e.Path)) || !j.paid(ctx, key) {
			continue
		}
		if !j.flags.fits(e.Params) {
			differs = e
			continue
		}
		if twin == nil || alike(string(e.Path), r.path) > alike(string(twin.Path), r.path) {
			twin = e
		}
	}
	if twin != nil {
		j.files.identify(twin, keys[twin.Params], c.sum)
	}
	return twin, differs
}

// alike counts the elements in which two paths end alike.
func alike(a, b string) (n int) {
	for filepath.Base(a) == filepath.Base(b) && filepath.Dir(a) != a && filepath.Dir(b) != b {
		n++
		a, b = filepath.Dir(a), filepath.Dir(b)
	}
	return n
}

// moved reports whether the entry's recording was moved here.
func (j *judge) moved(r recording, e *entry) bool {
	if r.remote != nil || isURL(string(e.Path)) {
		return false // a URL is a place of its own
	}
	return string(e.Path) != r.path && string(e.Out) == j.out && filepath.Base(string(e.Path)) == filepath.Base(r.path) && !exists(string(e.Path))
}
