package web

import (
	"net/http"
	"slices"
)

// The values of headers are shared by all responses: a header map only refers
// to them, which saves an allocation per header. Their capacity equals their
// length, so Header.Add copies instead of writing into them.
var (
	headerXSS       = []string{"1; mode=block"}
	headerNosniff   = []string{"nosniff"}
	headerFrame     = []string{"SAMEORIGIN"}
	headerAny       = []string{"*"}
	headerVary      = []string{"Origin"}
	headerJSON      = []string{"application/json"}
	headerPreflight = []string{"Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"}
	headerMethods   = []string{"GET,HEAD,PUT,PATCH,POST,DELETE"}
)

func (h *Handler) setCommonHeaders(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header["Vary"] = headerVary
	header["X-Content-Type-Options"] = headerNosniff
	header["X-Frame-Options"] = headerFrame
	header["X-Xss-Protection"] = headerXSS
	if origin := r.Header["Origin"]; len(origin) > 0 && origin[0] != "" {
		h.allowOrigin(header, origin)
	}
}

// preflight answers every OPTIONS request, whatever its path.
func (h *Handler) preflight(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	origin := r.Header["Origin"]
	if len(origin) == 0 || origin[0] == "" {
		header["Vary"] = headerVary
		w.WriteHeader(http.StatusNoContent)
		return
	}
	header["Vary"] = headerPreflight
	if h.allowOrigin(header, origin) {
		header["Access-Control-Allow-Methods"] = headerMethods
		if asked := r.Header["Access-Control-Request-Headers"]; len(asked) > 0 && asked[0] != "" {
			header["Access-Control-Allow-Headers"] = asked[:1:1]
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

func (h *Handler) allowOrigin(header http.Header, origin []string) bool {
	if len(h.cfg.Origins) == 0 || slices.Contains(h.cfg.Origins, "*") {
		header["Access-Control-Allow-Origin"] = headerAny
		return true
	}
	if slices.Contains(h.cfg.Origins, origin[0]) {
		header["Access-Control-Allow-Origin"] = origin[:1:1]
		return true
	}
	return false
}
