package main

import (
	"fmt"
	"slices"
)

// bound is a promise of bench/README.md, and what this run says to it.
type bound struct {
	What     string  `json:"what"`
	Most     float64 `json:"most"`
	Measured float64 `json:"measured"`
	Held     bool    `json:"held"`
}

func (o *outcome) held() bool {
	return !slices.ContainsFunc(o.Bounds, func(b bound) bool { return !b.Held })
}

// bounds are those of which the run has both sides.
func (o *outcome) bounds() (all []bound) {
	add := func(most, measured float64, format string, args ...any) {
		all = append(all, bound{fmt.Sprintf(format, args...), most, measured, measured <= most})
	}
	cpu, wall := func(s sample) float64 { return s.CPU }, func(s sample) float64 { return s.Wall }
	against := func(kind, scheme string, size int64, other string, of func(sample) float64, most float64, what string) {
		if l, c := o.find(kind, scheme, size, ours), o.find(kind, scheme, size, other); l != nil && c != nil {
			add(most, ratio(*l, *c, of), "%s: %s to %s", l.task(), what, other)
		}
	}
	for _, scheme := range []string{"http", "https"} {
		for _, kind := range []string{form, resumable} {
			one := o.find(kind, scheme, 1, ours)
			for _, size := range []int64{400 * mib, 5 * gib} {
				l := o.find(kind, scheme, size, ours)
				if l == nil {
					continue
				}
				add(12, float64(l.PeakRSS)/mib, "%s: peak RSS, MiB", l.task())
				if one != nil {
					add(1, float64(l.PeakRSS-one.PeakRSS)/mib, "%s: peak RSS above that of one byte, MiB", l.task())
				}
			}
		}
	}
	if l := o.find(form, "https", gib, allocation); l != nil {
		add(50, float64(l.Allocs), "%s: allocations more than for one byte", l.task())
	}
	for _, size := range []int64{400 * mib, 5 * gib} {
		against(form, "http", size, curl1, cpu, 0.9, "CPU")
		against(form, "https", size, curl1, cpu, 1.05, "CPU")
		against(form, "https", size, curl1, wall, 1.08, "wall")
		against(form, "https", size, curl, cpu, 0.7, "CPU")
		against(form, "https", size, curl, wall, 0.7, "wall")
		for _, scheme := range []string{"http", "https"} {
			against(form, scheme, size, pipe, cpu, 0.55, "CPU")
			against(resumable, scheme, size, curl1, cpu, 1.05, "CPU")
		}
	}
	for _, size := range []int64{8 * mib, 32 * mib} {
		against(delayed, "https", size, curl1, wall, 1.1, "wall")
		against(delayed, "https", size, pipe1, wall, 1.1, "wall")
	}
	return all
}
