// Package powerlosstest shows what a program's files hold after a power loss.
// Killing a process cannot show it: what the process wrote without syncing is
// still in the kernel. So a real process is run under strace, which records each
// write and sync with its data; a [Disk] replays the record up to some moment,
// and makes files of what is certain to be there at that moment and of some of
// what is not: writes since the last sync are kept, lost, or torn into sectors,
// in any order.
//
//	log, err := powerlosstest.Record(cmd, dir)
//	disk := powerlosstest.NewDisk(dir)
//	for _, op := range log {
//		disk.Apply(op)
//		disk.Crash(rnd, somewhere) // open somewhere, look what is there
//	}
//
// The process tells what it has promised (a write that it answered) by writing
// to its standard output; that becomes a [Mark] in the record, in order with
// everything else.
package powerlosstest

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// Kind is what an operation does.
type Kind int

const (
	Write    Kind = iota // Data at Offset of Path
	Truncate             // Path to Size bytes
	Create               // Path, empty
	Remove               // Path
	Rename               // Path to To
	Sync                 // of Path, a file or a directory, has ended
	Mark                 // the process printed Data
)

// Op is one recorded operation.
type Op struct {
	Kind   Kind
	Path   string
	To     string
	Offset int64 // below 0: at the end
	Size   int64
	Data   []byte
}

// ErrNoTracer is that strace is missing or may not trace here.
var ErrNoTracer = errors.New("strace (Debian package strace) cannot be used here")

// traced are the system calls that change files; not every machine has those
// with a question mark.
const traced = "?open,openat,write,pwrite64,fsync,fdatasync,ftruncate,?unlink,unlinkat,?rename,?renameat,renameat2"

// Record runs cmd, whose standard output must not be set, to its end, and lists
// what it did to files in dir.
func Record(cmd *exec.Cmd, dir string) ([]Op, error) {
	tracer, err := exec.LookPath("strace")
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoTracer, err)
	}
	work, err := os.MkdirTemp("", "powerlosstest")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, err
	}
	marks, err := os.Create(filepath.Join(work, "marks"))
	if err != nil {
		return nil, err
	}
	defer marks.Close()
	trace := filepath.Join(work, "trace")
	cmd.Stdout = marks
	cmd.Args = append([]string{tracer, "-f", "-y", "-xx", "-s", "16777216", "-e", "signal=none", "-e", "trace=" + traced, "-o", trace, cmd.Path}, cmd.Args[1:]...)
	cmd.Path = tracer
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("run under strace: %w", err)
	}
	f, err := os.Open(trace)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	p := parser{dir: dir, marks: marks.Name(), offsets: map[string]int64{}, waiting: map[string]string{}}
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 128<<20)
	for lines.Scan() {
		if err := p.line(lines.Text()); err != nil {
			return nil, fmt.Errorf("read trace: %w: %.200s", err, lines.Text())
		}
	}
	return p.ops, lines.Err()
}

// atEnd is the offset of a descriptor that appends.
const atEnd = -1

// parser reads strace's lines.
type parser struct {
	dir, marks string
	ops        []Op
	offsets    map[string]int64  // of sequential writes, by descriptor with its path
	waiting    map[string]string // by thread: the first half of a call that was interrupted in the record
}

func (p *parser) line(line string) error {
	thread, text, ok := strings.Cut(line, " ")
	if !ok {
		return nil
	}
	text = strings.TrimLeft(text, " ")
	if first, ok := strings.CutSuffix(text, " <unfinished ...>"); ok {
		p.waiting[thread] = first
		return nil
	}
	if strings.HasPrefix(text, "<... ") {
		_, rest, _ := strings.Cut(text, "resumed>")
		text = p.waiting[thread] + rest
		delete(p.waiting, thread)
	}
	name, rest, ok := strings.Cut(text, "(")
	if !ok {
		return nil // +++ exited with 0 +++
	}
	at := strings.LastIndex(rest, " = ")
	if at < 0 {
		return nil
	}
	args := strings.TrimRight(rest[:at], " )")
	result := rest[at+3:]
	if strings.HasPrefix(result, "-1") || strings.HasPrefix(result, "?") {
		return nil
	}
	return p.call(name, strings.Split(args, ", "), result)
}

func (p *parser) call(name string, args []string, result string) error {
	switch name {
	case "open":
		p.open(unhex(args[0]), args[1], result)
	case "openat":
		p.open(joined(args[0], args[1]), args[2], result)
	case "write":
		return p.write(args, result, -1)
	case "pwrite64":
		offset, err := strconv.ParseInt(args[3], 10, 64)
		if err != nil {
			return err
		}
		return p.write(args, result, offset)
	case "fsync", "fdatasync":
		p.add(Op{Kind: Sync, Path: descriptor(args[0])})
	case "ftruncate":
		size, err := strconv.ParseInt(args[1], 10, 64)
		if err != nil {
			return err
		}
		p.add(Op{Kind: Truncate, Path: descriptor(args[0]), Size: size})
	case "unlink":
		p.add(Op{Kind: Remove, Path: unhex(args[0])})
	case "unlinkat":
		p.add(Op{Kind: Remove, Path: joined(args[0], args[1])})
	case "rename":
		p.add(Op{Kind: Rename, Path: unhex(args[0]), To: unhex(args[1])})
	case "renameat", "renameat2":
		p.add(Op{Kind: Rename, Path: joined(args[0], args[1]), To: joined(args[2], args[3])})
	}
	return nil
}

func (p *parser) open(path, flags, result string) {
	p.offsets[result] = 0
	if strings.Contains(flags, "O_APPEND") {
		p.offsets[result] = atEnd
	}
	if strings.Contains(flags, "O_CREAT") {
		p.add(Op{Kind: Create, Path: path})
	}
	if strings.Contains(flags, "O_TRUNC") {
		p.add(Op{Kind: Truncate, Path: path})
	}
}

func (p *parser) write(args []string, result string, offset int64) error {
	n, err := strconv.Atoi(strings.Fields(result)[0])
	if err != nil {
		return err
	}
	path, data := descriptor(args[0]), []byte(unhex(args[1]))
	if n > len(data) {
		return fmt.Errorf("%d bytes written, %d recorded", n, len(data))
	}
	if path == p.marks {
		p.ops = append(p.ops, Op{Kind: Mark, Data: data[:n]})
		return nil
	}
	if offset < 0 {
		if offset = p.offsets[args[0]]; offset != atEnd {
			p.offsets[args[0]] += int64(n)
		}
	}
	p.add(Op{Kind: Write, Path: path, Offset: offset, Data: data[:n]})
	return nil
}

// add keeps what concerns the directory.
func (p *parser) add(op Op) {
	if op.Path == p.dir || strings.HasPrefix(op.Path, p.dir+"/") {
		p.ops = append(p.ops, op)
	}
}

// descriptor is the path of 7</some/path>.
func descriptor(s string) string {
	_, s, _ = strings.Cut(s, "<")
	return unhex(strings.TrimSuffix(s, ">"))
}

// joined is a path as the …at calls have it.
func joined(dir, name string) string {
	path := unhex(name)
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(descriptor(dir), path)
}

// unhex reads "\x2f\x74", with or without quotes.
func unhex(s string) string {
	s = strings.Trim(s, `"`)
	if !strings.HasPrefix(s, `\x`) {
		return s
	}
	out := make([]byte, 0, len(s)/4)
	for i := 0; i+4 <= len(s); i += 4 {
		b, err := strconv.ParseUint(s[i+2:i+4], 16, 8)
		if err != nil {
			return string(out)
		}
		out = append(out, byte(b))
	}
	return string(out)
}
