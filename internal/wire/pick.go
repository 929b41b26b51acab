package wire

import (
	"bytes"
	"strconv"
	"strings"
)

// Pick is [ParseFields] and [Picker.Pick] in one.
func Pick(body []byte, fields string) ([]byte, error) {
	p, err := ParseFields(fields)
	if err != nil {
		return nil, err
	}
	return p.Pick(body)
}

// Pick returns the parts of body, a JSON value, that p names; body itself if p
// is nil. Of the envelope of a list only the items are picked.
func (p *Picker) Pick(body []byte) ([]byte, error) {
	if p == nil {
		return body, nil
	}
	s := picking{body: body, out: make([]byte, 0, len(body))}
	if tail := listTail(body); tail > 0 {
		items := len(listHead) - 1 // the position of their opening bracket
		s.out = append(s.out, body[:items]...)
		end, err := s.value(items, p.paths)
		if err != nil {
			return nil, err
		}
		if end != tail {
			return nil, errScan
		}
		return append(s.out, body[tail:]...), nil
	}
	end, err := s.value(skipSpace(body, 0), p.paths)
	if err != nil {
		return nil, err
	}
	if skipSpace(body, end) != len(body) {
		return nil, errScan
	}
	return s.out, nil
}

// listTail is the position behind the items of a list's envelope as [OpenList]
// and [CloseList] write it, 0 if body is something else. A quote inside a
// string is always escaped, so the tail cannot be part of one.
func listTail(body []byte) int {
	if !bytes.HasPrefix(body, []byte(listHead)) {
		return 0
	}
	i := bytes.LastIndex(body, []byte(`],"page":`))
	if i < 0 {
		return 0
	}
	rest := string(body[i+1:])
	for _, key := range []string{`,"page":`, `,"perPage":`, `,"totalItems":`, `,"totalPages":`} {
		after, found := strings.CutPrefix(rest, key)
		if !found {
			return 0
		}
		rest = strings.TrimLeft(after, "-0123456789")
	}
	if strings.TrimSpace(rest) != "}" {
		return 0
	}
	return i + 1
}

// picking is one run of a picker.
type picking struct {
	body, out []byte
	paths     []path // stack of the paths of the levels that are entered
}

// value appends what paths keep of the value at i, and returns the position
// after it. What is neither an object nor an array of objects is kept whole.
func (s *picking) value(i int, paths []path) (int, error) {
	if i >= len(s.body) {
		return 0, errScan
	}
	switch s.body[i] {
	case '{':
		return s.object(i, paths)
	case '[':
		return s.array(i, paths)
	}
	return s.whole(i)
}

func (s *picking) whole(i int) (int, error) {
	end, err := skipValue(s.body, i)
	if err == nil {
		s.out = appendNormal(s.out, s.body[i:end])
	}
	return end, err
}

// appendNormal appends a value with its fractions in their shortest form, as
// decoding and encoding it would; whole numbers keep all their digits.
func appendNormal(dst, value []byte) []byte {
	start := 0
	for i := 0; i < len(value); {
		switch b := value[i]; {
		case b == '"':
			end, err := skipString(value, i)
			if err != nil {
				return append(dst, value[start:]...)
			}
			i = end
		case b == '-' || b >= '0' && b <= '9':
			end, _ := skipValue(value, i)
			if number := value[i:end]; bytes.ContainsAny(number, ".eE") {
				if f, err := strconv.ParseFloat(string(number), 64); err == nil {
					dst = AppendNumber(append(dst, value[start:i]...), f)
					start = end
				}
			}
			i = end
		default:
			i++
		}
	}
	return append(dst, value[start:]...)
}

// array picks from the objects of an array, unless it begins with something
// else: then it is a plain value.
func (s *picking) array(i int, paths []path) (int, error) {
	if first := skipSpace(s.body, i+1); first < len(s.body) && s.body[first] != '{' && s.body[first] != ']' {
		return s.whole(i)
	}
	s.out = append(s.out, '[')
	i = skipSpace(s.body, i+1)
	for n := 0; i < len(s.body); n++ {
		if s.body[i] == ']' {
			s.out = append(s.out, ']')
			return i + 1, nil
		}
		if n > 0 {
			if s.body[i] != ',' {
				return 0, errScan
			}
			s.out = append(s.out, ',')
			i = skipSpace(s.body, i+1)
		}
		var end int
		var err error
		if i < len(s.body) && s.body[i] == '{' {
			end, err = s.object(i, paths)
		} else {
			end, err = s.whole(i)
		}
		if err != nil {
			return 0, err
		}
		i = skipSpace(s.body, end)
	}
	return 0, errScan
}

func (s *picking) object(i int, paths []path) (int, error) {
	s.out = append(s.out, '{')
	first := true
	i = skipSpace(s.body, i+1)
	for n := 0; i < len(s.body); n++ {
		if s.body[i] == '}' {
			s.out = append(s.out, '}')
			return i + 1, nil
		}
		if n > 0 {
			if s.body[i] != ',' {
				return 0, errScan
			}
			i = skipSpace(s.body, i+1)
		}
		end, kept, err := s.member(i, paths, first)
		if err != nil {
			return 0, err
		}
		first = first && !kept
		i = skipSpace(s.body, end)
	}
	return 0, errScan
}

// member handles one key and its value, and tells whether it was kept.
func (s *picking) member(i int, paths []path, first bool) (end int, kept bool, err error) {
	keyEnd, err := skipString(s.body, i)
	if err != nil {
		return 0, false, err
	}
	key, err := unquote(s.body[i:keyEnd])
	if err != nil {
		return 0, false, errScan
	}
	at := skipSpace(s.body, keyEnd)
	if at >= len(s.body) || s.body[at] != ':' {
		return 0, false, errScan
	}
	at = skipSpace(s.body, at+1)

	base := len(s.paths)
	defer func() { s.paths = s.paths[:base] }()
	whole, modify := s.match(key, paths)
	if !whole && len(s.paths) == base {
		end, err = skipValue(s.body, at)
		return end, false, err
	}
	if !first {
		s.out = append(s.out, ',')
	}
	s.out = append(append(s.out, s.body[i:keyEnd]...), ':')
	switch {
	case !whole:
		end, err = s.value(at, s.paths[base:])
	case modify != nil && at < len(s.body) && s.body[at] == '"':
		end, err = s.modified(at, modify)
	default:
		end, err = s.whole(at)
	}
	return end, true, err
}

// match tells whether the value of key is kept as a whole, and with which
// modifier; else it pushes what is to be kept of it, which may be nothing. What
// is said about the key itself goes before what is said about "*".
func (s *picking) match(key string, paths []path) (whole bool, modify *excerpt) {
	base := len(s.paths)
	var star *path
	for i := range paths {
		p := &paths[i]
		rest, found := strings.CutPrefix(p.name, key)
		switch {
		case found && (rest == "" || rest == "."):
			return true, p.modify
		case found && rest[0] == '.':
			s.paths = append(s.paths, path{rest[1:], p.modify})
		case p.name == "*":
			star = p
		}
	}
	if star != nil && len(s.paths) == base {
		return true, star.modify
	}
	return false, nil
}

func (s *picking) modified(i int, modify *excerpt) (int, error) {
	end, err := skipString(s.body, i)
	if err != nil {
		return 0, err
	}
	text, err := unquote(s.body[i:end])
	if err != nil {
		return 0, errScan
	}
	s.out = AppendString(s.out, modify.of(text))
	return end, nil
}
