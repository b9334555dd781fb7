package step

import (
	"errors"
	"net/url"
	"strings"

	"github.com/scriptix-io/scriptix-go"
)

// TokenParam is the parameter of the callback URL's query that names the record.
const TokenParam = "scriptix_token"

// withToken puts a record's token into a callback URL, behind the query it has.
func withToken(callback, token string) (string, error) {
	u, err := url.Parse(callback)
	if err != nil {
		return "", errors.New("batch: the callback URL cannot be parsed") // its text may hold a secret
	}
	if u.RawQuery != "" {
		u.RawQuery += "&"
	}
	u.RawQuery += TokenParam + "=" + url.QueryEscape(token)
	return u.String(), nil
}

// concealed takes the token out of what the service quotes of the callback URL.
func concealed(err error, token string) error {
	if e, ok := errors.AsType[*scriptix.Error](err); ok && token != "" && strings.Contains(err.Error(), token) {
		e.Message = withoutToken(e.Message, token)
		for field, issue := range e.Fields {
			e.Fields[field] = withoutToken(issue, token)
		}
	}
	return err
}

func withoutToken(text, token string) string {
	if token == "" {
		return text
	}
	return strings.ReplaceAll(text, token, "[token]")
}
