package fleet

import (
	"context"
	"errors"

	"github.com/scriptix-io/scriptix-go"
)

// open opens a record's source with the opener of its scheme.
func (f *Fleet) open(ctx context.Context, locator string) (scriptix.Audio, error) {
	scheme := schemeOf(locator)
	opener := f.options.Openers[scheme]
	if opener == nil {
		switch scheme {
		case "https":
			opener = f.https.open
		case "file":
			opener = f.openFile
		default:
			return scriptix.Audio{}, refuse(locator, "nothing opens the scheme %q", scheme)
		}
	}
	return opener(ctx, locator)
}

// mayPass reports whether a source that could not be read may be read later. A
// file that cannot be read now is the operator's to mend; what comes over a
// network mends itself.
func mayPass(locator string, err error) bool {
	if _, refused := errors.AsType[*RefusedError](err); refused {
		return false
	}
	return schemeOf(locator) != "file"
}
