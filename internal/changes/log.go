package changes

import (
	"context"

	"github.com/pandobase/pando/internal/position"
)

// Log opens the database's log of commits. changes/wal is one.
type Log interface {
	// Open begins to read at the present primary, from its position of now on.
	// It waits for the write transactions that are open there.
	Open(ctx context.Context) (LogReader, error)
}

// LogReader reads the log of one primary, on one connection: when that is lost, or
// the primary is one no more, its methods fail for ever. Next is for one goroutine;
// the other methods may be called beside it.
type LogReader interface {
	// Epoch and Start are of the log and of the position behind which it begins:
	// all commits beyond Start will be read.
	Epoch() position.Epoch
	Start() position.N
	// Instance names the run of the primary whose log it is: another one, with another
	// end of the log, may be of a copy that lacks what this one had.
	Instance() uint64
	// Next waits for more of the log. Entries are in the order of their positions;
	// all commits up to To have been read with them. Without commits it returns at
	// least every 20 ms, with the position that the log has reached, which then is
	// asked for.
	Next(ctx context.Context) (Chunk, error)
	// Ask has Next return as soon as the log's present position is known.
	Ask()
	// Confirm says that nobody needs what lies up to n any more.
	Confirm(n position.N)
	Close() error
}

// Chunk is a piece of the log.
type Chunk struct {
	Entries []Entry
	To      position.N
}
