package workload

import (
	"fmt"
	"math/rand/v2"
	"strconv"

	"github.com/pandobase/pando/bench/internal/dataset"
	"github.com/pandobase/pando/bench/internal/load"
)

// someItems is in every list that is not empty.
var someItems = []byte(`"items":[{`)

// wants keeps, for each connection, the text that its answer must contain.
type wants [][]byte

func (w *wants) id(conn, record int) []byte {
	for len(*w) <= conn {
		*w = append(*w, nil)
	}
	(*w)[conn] = dataset.AppendRecordID((*w)[conn][:0], record)
	return (*w)[conn]
}

// view draws ids over all records.
func view(s *session, rng *rand.Rand) load.Script {
	w, want := newWire(s, rng), wants{}
	return load.ScriptFunc(func(conn int, dst []byte) ([]byte, load.Shot) {
		i := rng.IntN(s.spec.Records)
		return w.view(dst, i), load.Shot{Want: want.id(conn, i)}
	})
}

// listNewest draws one of the first 50 pages of all records, newest first.
func listNewest(s *session, rng *rand.Rand) load.Script {
	w := newWire(s, rng)
	return load.ScriptFunc(func(_ int, dst []byte) ([]byte, load.Shot) {
		return w.list(dst, 1+rng.IntN(pages), ""), load.Shot{Want: someItems}
	})
}

// listFilter draws one of 50 filters, newest matches first.
func listFilter(s *session, rng *rand.Rand) load.Script {
	w, filters := newWire(s, rng), filters()
	return load.ScriptFunc(func(_ int, dst []byte) ([]byte, load.Shot) {
		return w.list(dst, 1, filters[rng.IntN(len(filters))]), load.Shot{Want: someItems}
	})
}

// listLot finds the records of one lot out of all lots.
func listLot(s *session, rng *rand.Rand) load.Script {
	w := newWire(s, rng)
	var filter []byte
	return load.ScriptFunc(func(_ int, dst []byte) ([]byte, load.Shot) {
		lot := rng.IntN(max(s.spec.Lots()-1, 1)) // the last one may be short
		filter = append(filter[:0], "lot%3D%27"...)
		filter = append(append(filter, dataset.LotName(lot)...), "%27"...)
		return w.list(dst, 1, string(filter)), load.Shot{Want: someItems}
	})
}

// listOwned lists, as a drawn user, what the rule lets that user see.
func listOwned(s *session, rng *rand.Rand) load.Script {
	w := newWire(s, rng)
	return load.ScriptFunc(func(_ int, dst []byte) ([]byte, load.Shot) {
		return w.list(dst, 1, ""), load.Shot{Want: someItems}
	})
}

// writeThenList creates a record and then lists the newest 30, in which the
// new one must be.
func writeThenList(filtered bool) func(*session, *rand.Rand) load.Script {
	return func(s *session, rng *rand.Rand) load.Script {
		w, filters := newWire(s, rng), filters()
		var title []byte
		n, category := 0, 0
		return load.ScriptFunc(func(_ int, dst []byte) ([]byte, load.Shot) {
			n++
			if n%2 == 0 {
				filter := ""
				if filtered {
					filter = filters[category]
				}
				return w.list(dst, 1, filter), load.Shot{Kind: 1, Want: title}
			}
			r := s.spec.Record(rng.IntN(s.spec.Records))
			category = rng.IntN(dataset.Categories)
			r.ID, r.Category, r.Active = "", dataset.Category(category), true
			r.Title = fmt.Sprintf("written-%s-%d", s.round, n)
			title = []byte(r.Title)
			return w.create(dst, mustJSON(r)), load.Shot{Want: title}
		})
	}
}

// createAndList has every connection do one or the other, half and half.
func createAndList(s *session, rng *rand.Rand) load.Script {
	w, bodies := newWire(s, rng), bodies(s.spec, 500)
	return load.ScriptFunc(func(_ int, dst []byte) ([]byte, load.Shot) {
		if rng.IntN(2) == 0 {
			return w.create(dst, bodies[rng.IntN(len(bodies))]), load.Shot{Want: []byte(`"id":"`)}
		}
		return w.list(dst, 1, ""), load.Shot{Kind: 1, Want: someItems}
	})
}

// viewAndList views nine times out of ten and lists once.
func viewAndList(s *session, rng *rand.Rand) load.Script {
	w, want := newWire(s, rng), wants{}
	return load.ScriptFunc(func(conn int, dst []byte) ([]byte, load.Shot) {
		if rng.IntN(10) == 0 {
			return w.list(dst, 1+rng.IntN(pages), ""), load.Shot{Kind: 1, Want: someItems}
		}
		i := rng.IntN(s.spec.Records)
		return w.view(dst, i), load.Shot{Want: want.id(conn, i)}
	})
}

// create creates records whose ids the server chooses.
func create(s *session, rng *rand.Rand) load.Script {
	w, bodies := newWire(s, rng), bodies(s.spec, 500)
	want := []byte(`"id":"`)
	return load.ScriptFunc(func(_ int, dst []byte) ([]byte, load.Shot) {
		return w.create(dst, bodies[rng.IntN(len(bodies))]), load.Shot{Want: want}
	})
}

// update changes a number and a text of a record drawn over all.
func update(s *session, rng *rand.Rand) load.Script {
	w, want := newWire(s, rng), wants{}
	var body []byte
	return load.ScriptFunc(func(conn int, dst []byte) ([]byte, load.Shot) {
		i := rng.IntN(s.spec.Records)
		body = appendChange(body[:0], rng)
		return w.update(dst, i, body), load.Shot{Want: want.id(conn, i)}
	})
}

// mix views 19 times out of 20 and updates once, over keys of which a few are
// wanted most of the time.
func mix(s *session, rng *rand.Rand) load.Script {
	w, want := newWire(s, rng), wants{}
	keys := load.NewZipf(rng, zipfExponent, s.spec.Records)
	var body []byte
	return load.ScriptFunc(func(conn int, dst []byte) ([]byte, load.Shot) {
		i := scatter(keys.Rank(), s.spec.Records)
		if rng.IntN(20) > 0 {
			return w.view(dst, i), load.Shot{Want: want.id(conn, i)}
		}
		body = appendChange(body[:0], rng)
		return w.update(dst, i, body), load.Shot{Kind: 1, Want: want.id(conn, i)}
	})
}

// zipfExponent is the customary one of key-value benchmarks.
const zipfExponent = 0.99

// scatter spreads ranks over the table, so that wanted records are not
// neighbours on disk: a permutation of 0 to n-1, since the factor is a prime
// larger than any n.
func scatter(rank, n int) int { return int(uint64(rank) * 2654435761 % uint64(n)) }

// appendChange appends the body of an update.
func appendChange(dst []byte, rng *rand.Rand) []byte {
	dst = append(dst, `{"points":`...)
	dst = strconv.AppendInt(dst, int64(rng.IntN(1000)), 10)
	dst = append(dst, `,"title":"changed to `...)
	dst = strconv.AppendInt(dst, int64(rng.IntN(1e6)), 10)
	return append(dst, `"}`...)
}

// login logs in as a drawn user by password.
func login(s *session, rng *rand.Rand) load.Script {
	w := newWire(s, rng)
	want := []byte(`"token":"`)
	return load.ScriptFunc(func(_ int, dst []byte) ([]byte, load.Shot) {
		body := mustJSON(map[string]string{
			"identity": dataset.UserEmail(rng.IntN(s.spec.CanLogIn())), "password": dataset.UserPassword,
		})
		return w.body(append(dst, "POST /api/collections/users/auth-with-password"...), body), load.Shot{Want: want}
	})
}

// refresh trades the token of a drawn user for a new one.
func refresh(s *session, rng *rand.Rand) load.Script {
	w := newWire(s, rng)
	want := []byte(`"token":"`)
	return load.ScriptFunc(func(_ int, dst []byte) ([]byte, load.Shot) {
		return w.body(append(dst, "POST /api/collections/users/auth-refresh"...), nil), load.Shot{Want: want}
	})
}
