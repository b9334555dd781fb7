package scriptixtest

import (
	"crypto/subtle"
	"net/http"
	"strings"
)

// legacyHeader is where the legacy variant of the session dialect expects the key.
const legacyHeader = "x-zoom-s2t-key"

// keyHeader names the header that holds a key, "" if none does.
func keyHeader(h http.Header) string {
	switch {
	case h.Get(legacyHeader) != "":
		return legacyHeader
	case h.Get("Authorization") != "":
		return "Authorization"
	}
	return ""
}

// authorize checks the key, and the header it came in.
func (s *Server) authorize(x *exchange, r *http.Request) *answer {
	bearer, legacy := s.headers(x)
	scheme, key, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	key = strings.TrimSpace(key)
	p := problem{Error: "Unauthorized", Message: "The API key is invalid.", Code: "INVALID_API_KEY"}
	old := r.Header.Get(legacyHeader)
	switch {
	case old != "" && key != "":
		a := refuse(http.StatusBadRequest, problem{Message: "The key came in two headers: send one."})
		return &a
	case legacy && old != "":
		key = old
	case bearer && strings.EqualFold(scheme, "Bearer") && key != "":
	case bearer:
		p.Message, p.Code = "The API key is missing: send Authorization: Bearer <API key>.", "MISSING_API_KEY"
		key = ""
	default:
		p.Message, p.Code = "The API key is missing: send "+legacyHeader+".", "MISSING_API_KEY"
		key = ""
	}
	for _, known := range append([]string{s.cfg.key}, s.cfg.otherKeys...) {
		if subtle.ConstantTimeCompare([]byte(key), []byte(known)) == 1 {
			x.key = known
			return nil
		}
	}
	a := refuse(http.StatusUnauthorized, p)
	a.header = http.Header{"Www-Authenticate": {"Bearer"}}
	return &a
}

// headers says which headers may hold the key: the uploads take either in the session dialect.
func (s *Server) headers(x *exchange) (bearer, legacy bool) {
	switch {
	case s.cfg.dialect == STT:
		return true, false
	case x.endpoint == FilesCreate || x.endpoint == FilesHead || x.endpoint == FilesPatch || x.endpoint == FilesInfo:
		return true, true
	case s.cfg.dialect == DialectBoth && !x.session:
		return true, false
	}
	return s.cfg.variant&Current != 0, s.cfg.variant&Legacy != 0
}

// routeMore finds the endpoints of sessions, documents, models and glossaries.
func (x *exchange) routeMore(r *http.Request, part []string) (allow []string) {
	last := part[len(part)-1]
	switch {
	case len(part) >= 2 && part[0] == "speech-to-text" && part[1] == "session":
		x.session = true
		return x.routeSession(r, part[2:])
	case len(part) == 2 && part[0] == "documents" && last != "" && x.s.cfg.speaks(STT):
		x.document, x.endpoint = part[1], DocumentGet
		if r.Method == http.MethodDelete {
			x.endpoint = DocumentDelete
		}
		return []string{http.MethodGet, http.MethodDelete}
	case len(part) == 3 && part[0] == "documents" && part[1] != "" && last == "export" && x.s.cfg.speaks(STT):
		x.document, x.endpoint = part[1], DocumentExport
		return []string{http.MethodPost}
	case len(part) == 1 && last == "custom_models":
		x.endpoint = Models
		return []string{http.MethodGet}
	case len(part) == 1 && last == "glossaries":
		x.endpoint = Glossaries
		return []string{http.MethodGet}
	}
	return nil
}

// routeSession finds the endpoints below .../session.
func (x *exchange) routeSession(r *http.Request, part []string) (allow []string) {
	if len(part) > 0 {
		x.id = part[0]
	}
	switch {
	case len(part) == 0:
		x.endpoint = Submit
		return []string{http.MethodPost}
	case x.id == "":
		return nil
	case len(part) == 1:
		x.endpoint = Status
		if r.Method == http.MethodDelete {
			x.endpoint = Delete
		}
		if x.s.cfg.variant&Current == 0 && r.Method == http.MethodGet {
			return nil // the legacy variant has no status call
		}
		return []string{http.MethodGet, http.MethodDelete}
	case len(part) == 2 && part[1] == "result":
		x.endpoint = Result
		return []string{http.MethodGet}
	case len(part) == 3 && part[1] == "document" && part[2] == "":
		x.endpoint = DocumentCreate
		return []string{http.MethodPost}
	case len(part) == 3 && part[1] == "document":
		x.document, x.endpoint = part[2], DocumentGet
		switch {
		case r.Method == http.MethodDelete:
			x.endpoint = DocumentDelete
		case r.URL.Query().Get("format") != "":
			x.endpoint = DocumentExport
		}
		return []string{http.MethodGet, http.MethodDelete}
	}
	return nil
}
