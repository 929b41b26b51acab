package cluster

import (
	"encoding/binary"
	"hash/fnv"

	"github.com/pandobase/pando/internal/changes"
	"github.com/pandobase/pando/internal/position"
)

// hello is the first word of a member to a tailer: who it is, and what it knows.
type hello struct {
	Oldest, Newest uint8 // formats that it speaks
	ID, Boot       string
	Term           uint64 // the highest that it has heard of
	Epoch          position.Epoch
	Base, Frontier position.N
	Leased         bool // it has a lease, of an earlier connection
	// Instance is of the primary's run by whose log the index was made: see
	// position.Index.Instance.
	Instance uint64
}

func (hello) kind() kind { return kindHello }

func (h hello) append(b []byte) []byte {
	b = append(b, h.Oldest, h.Newest)
	b = appendBytes(b, h.ID)
	b = appendBytes(b, h.Boot)
	b = binary.AppendUvarint(b, h.Term)
	b = appendEpoch(b, h.Epoch)
	b = binary.AppendUvarint(b, uint64(h.Base))
	b = binary.AppendUvarint(b, uint64(h.Frontier))
	return binary.LittleEndian.AppendUint64(appendBool(b, h.Leased), h.Instance)
}

func decodeHello(d *decoder) hello {
	return hello{
		Oldest: d.byte(), Newest: d.byte(),
		ID: d.string(), Boot: d.string(),
		Term:  d.uvarint(),
		Epoch: decodeEpoch(d),
		Base:  position.N(d.uvarint()), Frontier: position.N(d.uvarint()),
		Leased: d.bool(), Instance: d.fixed(),
	}
}

// snapshot is what a tailer answers: where the stream begins for this member.
type snapshot struct {
	Term   uint64
	Number uint64 // of the stream: acks and batches name it
	Epoch  position.Epoch
	Base   position.N
	At     position.N // P: batches follow from here
	Slots  uint32     // of the index; positions for all of them follow if Full
	Resume bool       // the member keeps its index
	Full   bool
	Origin uint64 // of the index: see position.Index.Origin
	// Instance is of the log: see position.Index.Instance.
	Instance uint64
}

func (snapshot) kind() kind { return kindSnapshot }

func (s snapshot) append(b []byte) []byte {
	b = binary.AppendUvarint(b, s.Term)
	b = binary.AppendUvarint(b, s.Number)
	b = appendEpoch(b, s.Epoch)
	b = binary.AppendUvarint(b, uint64(s.Base))
	b = binary.AppendUvarint(b, uint64(s.At))
	b = binary.AppendUvarint(b, uint64(s.Slots))
	b = appendBool(b, s.Resume)
	b = appendBool(b, s.Full)
	return binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(b, s.Origin), s.Instance)
}

// maxSlots is more than any index has.
const maxSlots = 1 << 26

func decodeSnapshot(d *decoder) snapshot {
	s := snapshot{
		Term: d.uvarint(), Number: d.uvarint(),
		Epoch: decodeEpoch(d),
		Base:  position.N(d.uvarint()), At: position.N(d.uvarint()),
	}
	slots := d.uvarint()
	if slots > maxSlots || slots&(slots-1) != 0 {
		d.fail()
	}
	s.Slots = uint32(slots)
	s.Resume, s.Full = d.bool(), d.bool()
	s.Origin, s.Instance = d.fixed(), d.fixed()
	return s
}

// positions is a piece of X: the last changes of the slots from From on.
type positions struct {
	From uint32
	List []position.N
}

func (positions) kind() kind { return kindPositions }

func (p positions) append(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(p.From))
	b = binary.AppendUvarint(b, uint64(len(p.List)))
	for _, n := range p.List {
		b = binary.AppendUvarint(b, uint64(n))
	}
	return b
}

func decodePositions(d *decoder) positions {
	from := d.uvarint()
	if from > maxSlots {
		d.fail()
	}
	p := positions{From: uint32(from), List: make([]position.N, d.count(1))}
	for i := range p.List {
		p.List[i] = position.N(d.uvarint())
	}
	return p
}

// batch is a piece of the stream.
type batch struct {
	batchHead
	Term     uint64
	From, To position.N // all commits beyond From, up to To, are in Entries
	Safe     position.N // S; 0 while none may be told
	Entries  []changes.Entry
}

// batchHead is what differs between members.
type batchHead struct {
	Number  uint64     // of the snapshot that it belongs to
	Boot    uint64     // of the process whose t is echoed
	Echo    int64      // a t of the member; 0: none
	Probe   position.N // the primary's flush position, asked for after that t came
	Standby bool       // the member is to be ready to become the tailer
}

func (batch) kind() kind { return kindBatch }

func (m batch) append(b []byte) []byte { return m.appendBody(m.batchHead.append(b)) }

func (h batchHead) append(b []byte) []byte {
	b = binary.AppendUvarint(b, h.Number)
	b = binary.LittleEndian.AppendUint64(b, h.Boot)
	b = binary.AppendUvarint(b, uint64(h.Echo))
	b = binary.AppendUvarint(b, uint64(h.Probe))
	return appendBool(b, h.Standby)
}

func (m batch) appendBody(b []byte) []byte {
	b = binary.AppendUvarint(b, m.Term)
	b = binary.AppendUvarint(b, uint64(m.From))
	b = binary.AppendUvarint(b, uint64(m.To))
	b = binary.AppendUvarint(b, uint64(m.Safe))
	b = binary.AppendUvarint(b, uint64(len(m.Entries)))
	for i := range m.Entries {
		b = appendEntry(b, &m.Entries[i])
	}
	return b
}

func decodeBatch(d *decoder) batch {
	m := batch{
		batchHead: batchHead{
			Number: d.uvarint(), Boot: d.fixed(),
			Echo: int64(d.uvarint()), Probe: position.N(d.uvarint()), Standby: d.bool(),
		},
		Term: d.uvarint(),
		From: position.N(d.uvarint()), To: position.N(d.uvarint()), Safe: position.N(d.uvarint()),
	}
	if n := d.count(entrySize); n > 0 {
		m.Entries = make([]changes.Entry, n)
		for i := range m.Entries {
			decodeEntry(d, &m.Entries[i])
		}
	}
	return m
}

// ack is how far a member has come.
type ack struct {
	Term     uint64
	Number   uint64 // of the snapshot that it is of
	Frontier position.N
	T        int64      // its clock
	Want     position.N // it waits for the stream to get here; 0: it does not
}

func (ack) kind() kind { return kindAck }

func (a ack) append(b []byte) []byte {
	b = binary.AppendUvarint(b, a.Term)
	b = binary.AppendUvarint(b, a.Number)
	b = binary.AppendUvarint(b, uint64(a.Frontier))
	b = binary.AppendUvarint(b, uint64(a.T))
	return binary.AppendUvarint(b, uint64(a.Want))
}

func decodeAck(d *decoder) ack {
	return ack{Term: d.uvarint(), Number: d.uvarint(), Frontier: position.N(d.uvarint()), T: int64(d.uvarint()), Want: position.N(d.uvarint())}
}

// leave is a member's last word: it has no lease any more and wants none.
type leave struct{}

func (leave) kind() kind             { return kindLeave }
func (leave) append(b []byte) []byte { return b }

// refusal is the answer of a server that is not, or not for this member, the tailer.
type refusal struct {
	Reason string
	Term   uint64 // the highest that it has heard of
}

func (refusal) kind() kind { return kindRefusal }

func (r refusal) append(b []byte) []byte {
	return binary.AppendUvarint(appendBytes(b, r.Reason), r.Term)
}

func appendEpoch(b []byte, e position.Epoch) []byte {
	b = binary.LittleEndian.AppendUint64(b, e.Database)
	b = binary.AppendUvarint(b, e.Incarnation)
	return binary.AppendUvarint(b, uint64(e.Timeline))
}

func decodeEpoch(d *decoder) position.Epoch {
	e := position.Epoch{Database: d.fixed(), Incarnation: d.uvarint()}
	timeline := d.uvarint()
	if timeline > 1<<32-1 {
		d.fail()
	}
	e.Timeline = uint32(timeline)
	return e
}

// bootNumber is how a boot is named where it is compared often.
func bootNumber(boot string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(boot))
	return h.Sum64()
}
