package lb

import (
	"encoding/json"
	"os"
	"strconv"
	"testing"
	"time"
)

// FuzzFast: see differ.
func FuzzFast(f *testing.F) {
	for _, c := range desyncCases(f) {
		f.Add([]byte(c.request+next), []byte("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), 0)
	}
	g := newGenerator(1)
	for range 100 {
		client, upstream, piece := g.next()
		f.Add(append([]byte(nil), client...), append([]byte(nil), upstream...), piece)
	}
	d := newDiffer(f)
	f.Fuzz(func(t *testing.T, client, upstream []byte, piece int) {
		if err := d.all(client, upstream, piece&0xffff); err != nil {
			t.Fatalf("%v\nclient: %q\nupstream: %q", err, client, upstream)
		}
	})
}

// all sends all requests of a client through both paths, as far as the fast one goes.
func (d *differ) all(client, upstream []byte, piece int) error {
	for len(client) > 0 {
		n, err := d.try(client, upstream, piece)
		if n == 0 || err != nil {
			return err
		}
		client = client[n:]
	}
	return nil
}

// proof is how far the long form has come; it is kept in a file, so that it can be run in
// pieces.
type proof struct {
	Executions      uint64 `json:"executions"`
	Requests        int    `json:"requestsTaken"`
	RequestsStrange int    `json:"requestsLeft"`
	Answers         int    `json:"answersTaken"`
	AnswersStrange  int    `json:"answersLeft"`
}

// TestFastPath is the proof in small. With PANDO_PROVE it runs PANDO_PROVE_EXECUTIONS (2e6)
// from the seed PANDO_PROVE_SEED, goes on where the file PANDO_PROVE_FILE says that it
// stopped, and rests while the file PANDO_PROVE_PAUSE is there.
func TestFastPath(t *testing.T) {
	goal, seed := uint64(30_000), uint64(1)
	var p proof
	file := os.Getenv("PANDO_PROVE_FILE")
	if os.Getenv("PANDO_PROVE") != "" {
		goal = 2e6
		if n, err := strconv.ParseUint(os.Getenv("PANDO_PROVE_EXECUTIONS"), 10, 64); err == nil {
			goal = n
		}
		if n, err := strconv.ParseUint(os.Getenv("PANDO_PROVE_SEED"), 10, 64); err == nil {
			seed = n
		}
		if b, err := os.ReadFile(file); err == nil {
			if err := json.Unmarshal(b, &p); err != nil {
				t.Fatal(err)
			}
		}
	}
	d := newDiffer(t)
	keep := func() {
		p.Requests, p.RequestsStrange = p.Requests+d.requests, p.RequestsStrange+d.strangeRequests
		p.Answers, p.AnswersStrange = p.Answers+d.answers, p.AnswersStrange+d.strangeAnswers
		d.requests, d.strangeRequests, d.answers, d.strangeAnswers = 0, 0, 0, 0
		if file == "" {
			return
		}
		b, err := json.Marshal(p)
		if err == nil {
			err = os.WriteFile(file, append(b, '\n'), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	const batch = 10_000 // of one seed
	began, from := time.Now(), p.Executions
	for p.Executions < goal {
		for pause := os.Getenv("PANDO_PROVE_PAUSE"); pause != ""; <-time.After(time.Second) {
			if _, err := os.Stat(pause); err != nil {
				break
			}
		}
		g := newGenerator(seed<<32 + p.Executions/batch)
		for range batch {
			client, upstream, piece := g.next()
			if err := d.all(client, upstream, piece); err != nil {
				t.Fatalf("seed %d, in the %d th batch: %v\npiece %d, client: %q\nupstream: %q", seed, p.Executions/batch, err, piece, client, upstream)
			}
		}
		p.Executions += batch
		if p.Executions/batch%100 == 0 {
			keep()
		}
	}
	keep()
	n := p.Executions - from
	t.Logf("%d executions, %.0f a second; of requests %d taken, %d left; of answers %d taken, %d left", p.Executions,
		float64(n)/time.Since(began).Seconds(), p.Requests, p.RequestsStrange, p.Answers, p.AnswersStrange)
	if p.Requests < p.RequestsStrange/4 || p.Answers < p.AnswersStrange/4 {
		t.Error("hardly anything is taken by the fast path: this shows little")
	}
}
