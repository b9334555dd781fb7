package scriptix

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"

	"github.com/scriptix-io/scriptix-go/internal/dialect"
)

// ModelService lists the account's own models. It is safe for concurrent use.
type ModelService struct{ core *core }

// GlossaryService lists the account's glossaries. It is safe for concurrent use.
type GlossaryService struct{ core *core }

// Model is a custom model of the account.
type Model struct {
	ID       string
	Key      string // what [SubmitParams.Model] takes
	Name     string
	Language string
	Status   int // how far its training is; 4 can be used
}

// Glossary is a list of words of the account.
type Glossary struct {
	ID   string // what [SubmitParams.GlossaryID] takes
	Name string
}

// List yields the models, and one last error where a page cannot be had. It costs
// one request for each hundred. [ErrForbidden] says that the key lacks the
// permission custom_models:read.
//
// API: GET /api/v3/custom_models
func (s *ModelService) List(ctx context.Context) iter.Seq2[Model, error] {
	if s == nil {
		s = new(ModelService)
	}
	return list(ctx, s.core, "models.list", "custom_models", dialect.ReadModels, func(m dialect.Model) Model { return Model(m) })
}

// List yields the glossaries, and one last error where a page cannot be had. It
// costs one request for each hundred. The glossaries of /api/v4, which are
// pairs for translation, are not among them.
//
// API: GET /api/v3/glossaries
func (s *GlossaryService) List(ctx context.Context) iter.Seq2[Glossary, error] {
	if s == nil {
		s = new(GlossaryService)
	}
	return list(ctx, s.core, "glossaries.list", "glossaries", dialect.ReadGlossaries, func(g dialect.Glossary) Glossary { return Glossary(g) })
}

// list yields what a call lists, page by page. A service that ignores the page
// sends the same one again, so the total it names ends the list too.
func list[W, T any](ctx context.Context, c *core, op, path string, read func([]byte) ([]W, int, error), item func(W) T) iter.Seq2[T, error] {
	const perPage = 100
	return func(yield func(T, error) bool) {
		var none T
		switch {
		case c == nil:
			yield(none, invalid(op, "client", "was not made by New"))
			return
		case ctx == nil:
			yield(none, invalid(op, "context", "is nil; use context.Background"))
			return
		}
		for page, seen := 1, 0; ; page++ {
			query := url.Values{"page": {strconv.Itoa(page)}, "per_page": {strconv.Itoa(perPage)}}
			k := call{op: op, method: http.MethodGet, path: []string{path}, query: query, class: ClassPoll}
			ans, err := c.send(ctx, k)
			if err != nil {
				yield(none, err)
				return
			}
			items, total, err := read(ans.body)
			if err != nil {
				yield(none, c.badAnswer(k, ans, err))
				return
			}
			for _, i := range items {
				if !yield(item(i), nil) {
					return
				}
			}
			seen += len(items)
			if len(items) == 0 || seen >= total && total >= 0 || total < 0 && len(items) < perPage {
				return
			}
		}
	}
}
