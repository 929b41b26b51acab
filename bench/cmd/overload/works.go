package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strconv"

	"github.com/pandobase/pando/bench/internal/dataset"
)

// work is requests of one kind, to a server with these flags.
type work struct {
	name   string
	flags  []string
	conns  int // of the overload: as many as can be under way
	append func(rng *rand.Rand, dst []byte) []byte
	body   func(rng *rand.Rand) []byte
	cheap  bool // refusing one costs about what answering one does: it is not kept up for long
	goal   bool // the goals are of this
}

var spec = dataset.Spec{Records: 10_000, Users: 100}

var works = []work{
	{name: "filtered lists, as it comes", conns: 2000, append: filtered},
	{name: "filtered lists, `--overload-latency 10ms`", flags: []string{"--overload-latency", "10ms"}, conns: 2000, append: filtered},
	{name: "filtered lists, `--overload-latency off`", flags: []string{"--overload-latency", "off"}, conns: 2000, append: filtered},
	{name: "searches, as it comes", conns: 2000, append: search},
	{name: "searches, `--overload-latency 30ms`", flags: []string{"--overload-latency", "30ms"}, conns: 2000, append: search, goal: true},
	{name: "creates, as it comes", conns: 4000, append: create, body: record, cheap: true},
	{name: "views from the cache, as it comes", conns: 4000, append: view, cheap: true},
}

const path = "/api/collections/" + dataset.Collection + "/records"

// filtered is a list that no cache has: each asks for another span of points.
func filtered(rng *rand.Rand, dst []byte) []byte {
	from := rng.IntN(500)
	filter := fmt.Sprintf("category='%s' && points>=%d.%d && points<%d", dataset.Category(rng.IntN(dataset.Categories)), from, rng.IntN(1000), from+500)
	return append(append(dst, "GET "+path+"?perPage=30&sort=-created&filter="...), url.QueryEscape(filter)...)
}

// search is a list of what has a word in its text, which no index helps to find.
func search(rng *rand.Rand, dst []byte) []byte {
	filter := fmt.Sprintf("(body ~ 'w%d' || title ~ 'w%d' || body ~ 'slope%d') && points>=%d", rng.IntN(1e6), rng.IntN(1e6), rng.IntN(1e6), rng.IntN(100))
	return append(append(dst, "GET "+path+"?perPage=30&sort=-created&filter="...), url.QueryEscape(filter)...)
}

func view(rng *rand.Rand, dst []byte) []byte {
	return dataset.AppendRecordID(append(dst, "GET "+path+"/"...), rng.IntN(spec.Records))
}

func create(_ *rand.Rand, dst []byte) []byte { return append(dst, "POST "+path...) }

// record is one as JSON, with an id of the server's choice.
func record(rng *rand.Rand) []byte {
	r := spec.Record(rng.IntN(spec.Records))
	r.ID = ""
	b, err := json.Marshal(r)
	if err != nil {
		panic(err) // strings and numbers
	}
	return b
}

// requests makes them.
type requests struct {
	work
	rng    *rand.Rand
	heads  [2][][]byte // by priority and user: what follows the path, without a body
	bodies [][]byte
}

func (w work) requests(addr string, tokens []string) *requests {
	r := &requests{work: w, rng: rand.New(rand.NewPCG(1, 2))}
	for _, token := range tokens {
		head := " HTTP/1.1\r\nHost: " + addr + "\r\nUser-Agent: " + dataset.UserAgent + "\r\nAccept: */*\r\nAuthorization: " + token + "\r\n"
		r.heads[usual] = append(r.heads[usual], []byte(head))
		r.heads[low] = append(r.heads[low], []byte(head+"Priority: u=6\r\n"))
	}
	for range 500 {
		if w.body != nil {
			r.bodies = append(r.bodies, w.body(r.rng))
		}
	}
	return r
}

// next appends one.
func (r *requests) next(dst []byte, priority int) []byte {
	dst = r.append(r.rng, dst)
	dst = append(dst, r.heads[priority][r.rng.IntN(len(r.heads[priority]))]...)
	if r.body == nil {
		return append(dst, "\r\n"...)
	}
	body := r.bodies[r.rng.IntN(len(r.bodies))]
	dst = append(dst, "Content-Type: application/json\r\nContent-Length: "...)
	dst = strconv.AppendInt(dst, int64(len(body)), 10)
	return append(append(dst, "\r\n\r\n"...), body...)
}
