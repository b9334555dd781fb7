package dialect

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
)

const (
	perPage  = 100
	maxPages = 100 // a list without an end would cost requests without an end
)

// Pages follows a list that comes page by page. A service that ignores the page
// sends the same one again, so a page without anything new ends the list.
type Pages[T comparable] struct {
	Parse func(data []byte) (items []T, total int, err error) // total is -1 when the answer does not say

	page int
	seen map[T]bool
	over bool
}

// More reports whether there is another page to ask for.
func (p *Pages[T]) More() bool { return !p.over }

// Query asks for the next page.
func (p *Pages[T]) Query() url.Values {
	p.page++
	return url.Values{"page": {strconv.Itoa(p.page)}, "per_page": {strconv.Itoa(perPage)}}
}

// Read returns what of a page was on none before it. An error beside items says
// that the list has more, which cannot be had.
func (p *Pages[T]) Read(data []byte) (fresh []T, err error) {
	items, total, err := p.Parse(data)
	if err != nil {
		return nil, err
	}
	if p.seen == nil {
		p.seen = make(map[T]bool)
	}
	for _, item := range items {
		if !p.seen[item] {
			p.seen[item] = true
			fresh = append(fresh, item)
		}
	}
	known := len(p.seen)
	switch {
	case total >= 0 && known >= total, total < 0 && len(items) < perPage, len(items) == 0:
		p.over = true
	case len(fresh) == 0:
		p.over = true
		if total >= 0 {
			return nil, fmt.Errorf("page %d repeats what came before: %d of %d", p.page, known, total)
		}
	case p.page == maxPages:
		return fresh, errors.New("the list does not end: " + strconv.Itoa(known) + " so far")
	}
	return fresh, nil
}
