package workload

import (
	"encoding/json"
	"math/rand/v2"
	"net/url"
	"strconv"

	"github.com/pandobase/pando/bench/internal/dataset"
)

const recordsPath = "/api/collections/" + dataset.Collection + "/records"

// pages is the number of pages that lists are drawn over, perPage their size.
const (
	pages   = 50
	perPage = 30
)

// wire appends requests to buffers. Everything that does not change from
// request to request is made before the round.
type wire struct {
	s    *session
	rng  *rand.Rand
	tail [][]byte // by user: what follows the path of a request without a body
	post [][]byte // by user: the same up to the value of Content-Length
}

func newWire(s *session, rng *rand.Rand) *wire {
	w := &wire{s: s, rng: rng}
	tokens := s.tokens
	if len(tokens) == 0 {
		tokens = []string{""}
	}
	for _, token := range tokens {
		head := " HTTP/1.1\r\nHost: " + s.proc.Addr + "\r\nUser-Agent: " + dataset.UserAgent + "\r\nAccept: */*\r\n"
		if token != "" {
			head += "Authorization: " + token + "\r\n"
		}
		w.tail = append(w.tail, []byte(head+"\r\n"))
		w.post = append(w.post, []byte(head+"Content-Type: application/json\r\nContent-Length: "))
	}
	return w
}

func (w *wire) user() int { return w.rng.IntN(len(w.tail)) }

// view appends a request for record i.
func (w *wire) view(dst []byte, i int) []byte {
	dst = append(dst, "GET "+recordsPath+"/"...)
	dst = dataset.AppendRecordID(dst, i)
	return append(dst, w.tail[w.user()]...)
}

// list appends a request for a page of the newest records; filter is already
// escaped and may be empty.
func (w *wire) list(dst []byte, page int, filter string) []byte {
	dst = append(dst, "GET "+recordsPath+"?page="...)
	dst = strconv.AppendInt(dst, int64(page), 10)
	dst = append(dst, "&perPage=30&sort=-created"...)
	if filter != "" {
		dst = append(dst, "&filter="...)
		dst = append(dst, filter...)
	}
	return append(dst, w.tail[w.user()]...)
}

// create appends a request that creates a record with the given JSON.
func (w *wire) create(dst, body []byte) []byte {
	return w.body(append(dst, "POST "+recordsPath...), body)
}

// update appends a request that changes record i.
func (w *wire) update(dst []byte, i int, body []byte) []byte {
	dst = append(dst, "PATCH "+recordsPath+"/"...)
	return w.body(dataset.AppendRecordID(dst, i), body)
}

// body ends a request that has a body.
func (w *wire) body(dst, body []byte) []byte {
	dst = append(dst, w.post[w.user()]...)
	dst = strconv.AppendInt(dst, int64(len(body)), 10)
	dst = append(dst, "\r\n\r\n"...)
	return append(dst, body...)
}

// bodies returns n records as JSON without ids, to create them again and
// again; the server chooses the ids.
func bodies(spec dataset.Spec, n int) [][]byte {
	all := make([][]byte, n)
	for i := range all {
		r := spec.Record(i)
		r.ID = ""
		all[i] = mustJSON(r)
	}
	return all
}

// filters returns the filters of the workloads, escaped for a query string,
// one for each category.
func filters() []string {
	all := make([]string, dataset.Categories)
	for i := range all {
		all[i] = url.QueryEscape("category = '" + dataset.Category(i) + "' && active = true")
	}
	return all
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // only own types of strings and numbers are given
	}
	return b
}
