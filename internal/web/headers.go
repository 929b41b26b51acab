package web

import (
	"math"
	"net/http"
	"slices"
	"strconv"
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
	h.markAge(header, h.turns()) // whatever answers does so again: see [call.markAge]
	if origin := r.Header["Origin"]; len(origin) > 0 && origin[0] != "" {
		h.allowOrigin(header, origin)
	}
}

// turns is a number that changes when answers come to be old.
func (h *Handler) turns() uint64 {
	if h.cfg.Turns == nil {
		return 0
	}
	return h.cfg.Turns()
}

// markAge says that an answer may lack what others know by now, and since when: who
// asks again later may be shown it.
func (h *Handler) markAge(header http.Header, turns uint64) {
	if h.cfg.Age == nil {
		return
	}
	age := h.cfg.Age()
	if age == 0 && h.turns() != turns {
		age = 1 // it was so for a while
	}
	if age > 0 {
		if header["Age"] == nil {
			h.metrics.aged.Inc()
		}
		header["Age"] = []string{strconv.FormatInt(int64(math.Ceil(age.Seconds())), 10)}
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
