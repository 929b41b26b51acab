package powerlosstest

import (
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
)

// sector is what a disk writes whole or not at all, in bytes.
const sector = 512

// Disk is what is known of the files in a directory: what is certain to survive
// a power loss, and what is not yet. A file's content is certain once the file
// has been synced, its name once the directory has been.
type Disk struct {
	dir     string
	names   map[string]*file // as the running process sees them
	certain map[string]*file // as they are certain to be
	pending []Op             // creations, removals, renames since
	made    []*file          // by pending creation, nil for other operations
}

type file struct {
	data    []byte // certain
	pending []Op   // writes and truncations since
}

// NewDisk is an empty directory.
func NewDisk(dir string) *Disk {
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	}
	return &Disk{dir: dir, names: map[string]*file{}, certain: map[string]*file{}}
}

// Apply lets an operation happen.
func (d *Disk) Apply(op Op) {
	f := d.names[op.Path]
	switch op.Kind {
	case Create:
		if f == nil {
			f = new(file)
			d.name(op, f, d.names)
			d.pending, d.made = append(d.pending, op), append(d.made, f)
		}
	case Remove, Rename:
		if f != nil {
			d.name(op, nil, d.names)
			d.pending, d.made = append(d.pending, op), append(d.made, nil)
		}
	case Write, Truncate:
		if f != nil {
			if op.Offset < 0 {
				op.Offset = f.size()
			}
			f.pending = append(f.pending, op)
		}
	case Sync:
		switch {
		case op.Path == d.dir:
			d.settleNames(d.certain, len(d.pending))
			d.pending, d.made = nil, nil
		case f != nil:
			for _, w := range f.pending {
				f.data = w.on(f.data)
			}
			f.pending = nil
		}
	}
}

func (d *Disk) name(op Op, f *file, names map[string]*file) {
	switch op.Kind {
	case Create:
		names[op.Path] = f
	case Remove:
		delete(names, op.Path)
	case Rename:
		if f := names[op.Path]; f != nil {
			names[op.To] = f
			delete(names, op.Path)
		}
	}
}

func (d *Disk) settleNames(names map[string]*file, n int) {
	for i, op := range d.pending[:n] {
		d.name(op, d.made[i], names)
	}
}

// size is the length that the running process sees.
func (f *file) size() int64 {
	size := int64(len(f.data))
	for _, op := range f.pending {
		if op.Kind == Truncate {
			size = op.Size
		} else {
			size = max(size, op.Offset+int64(len(op.Data)))
		}
	}
	return size
}

// on is data after a write or a truncation.
func (op Op) on(data []byte) []byte {
	end := op.Size
	if op.Kind == Write {
		end = max(int64(len(data)), op.Offset+int64(len(op.Data)))
	}
	if grow := int(end) - len(data); grow > 0 {
		data = append(data, make([]byte, grow)...)
	}
	data = data[:end]
	if op.Kind == Write {
		copy(data[op.Offset:], op.Data)
	}
	return data
}

// Crash writes to the directory to, which must be empty, what the power loss
// leaves of the files. What is not certain is drawn from rnd.
func (d *Disk) Crash(rnd *rand.Rand, to string) error {
	names := maps.Clone(d.certain)
	d.settleNames(names, rnd.IntN(len(d.pending)+1)) // directories are journaled: in order
	for _, path := range slices.Sorted(maps.Keys(names)) {
		rel, err := filepath.Rel(d.dir, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(target, names[path].crash(rnd), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// crash is the content with some of what is pending.
func (f *file) crash(rnd *rand.Rand) []byte {
	data := slices.Clone(f.data)
	mode := rnd.IntN(4)
	prefix := rnd.IntN(len(f.pending) + 1)
	for i, op := range f.pending {
		switch mode {
		case 0: // nothing of it
		case 1: // all of it
			data = op.on(data)
		case 2: // what came first, the last of it torn
			if i < prefix {
				data = op.on(data)
			} else if i == prefix {
				data = op.torn(data, rnd)
			}
		case 3: // some, in whatever order the disk chose
			if rnd.IntN(2) == 0 {
				data = op.torn(data, rnd)
			}
		}
	}
	return data
}

// torn is data with some sectors of a write; a truncation happens or not.
func (op Op) torn(data []byte, rnd *rand.Rand) []byte {
	if op.Kind != Write {
		if rnd.IntN(2) == 0 {
			return op.on(data)
		}
		return data
	}
	for at := int64(0); at < int64(len(op.Data)); {
		end := min((op.Offset+at)/sector*sector+sector-op.Offset, int64(len(op.Data)))
		if rnd.IntN(2) == 0 {
			data = Op{Kind: Write, Offset: op.Offset + at, Data: op.Data[at:end]}.on(data)
		}
		at = end
	}
	return data
}
