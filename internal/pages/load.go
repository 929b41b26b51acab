package pages

import (
	"context"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
)

// set is every page of a directory, parsed.
type set struct {
	pages     []*page
	notFound  *page // 404.html
	signature string
}

// page is one template with the path that it answers.
type page struct {
	name     string             // the file, below the pages directory
	segments []string           // of its path; "[x]" matches any one
	entry    string             // the template to execute: the layout or the page itself
	template *template.Template // never executed itself: see instance

	instances sync.Pool // of *instance
}

const layoutName = "_layout.html"

// load parses every *.html below dir. A directory that is not there has no
// pages.
func load(dir string) (*set, error) {
	s := &set{}
	sum, err := signature(dir)
	if err != nil {
		return nil, err
	}
	s.signature = sum
	if sum == "" {
		return s, nil
	}
	root := os.DirFS(dir)
	partials, names := map[string]string{}, []string{}
	err = fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || path.Ext(name) != ".html" {
			return err
		}
		if !strings.HasPrefix(path.Base(name), "_") {
			names = append(names, name)
			return nil
		}
		text, err := fs.ReadFile(root, name)
		partials[name] = string(text)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("pages: %w", err)
	}
	for _, name := range names {
		text, err := fs.ReadFile(root, name)
		if err != nil {
			return nil, fmt.Errorf("pages: %w", err)
		}
		p, err := parsePage(name, string(text), partials)
		if err != nil {
			return nil, fmt.Errorf("pages: %w", err)
		}
		if name == "404.html" {
			s.notFound = p
			continue
		}
		if other := s.same(p); other != nil {
			return nil, fmt.Errorf("pages: %s and %s are both the page of /%s: rename one of them", other.name, name, strings.Join(p.segments, "/"))
		}
		s.pages = append(s.pages, p)
	}
	return s, nil
}

// parsePage parses one page together with the partials.
func parsePage(name, text string, partials map[string]string) (*page, error) {
	p := &page{name: name, entry: name, segments: segments(name)}
	t := template.New(name).Funcs(new(visit).funcs())
	for _, n := range slices.Sorted(maps.Keys(partials)) {
		if _, err := t.New(n).Parse(partials[n]); err != nil {
			return nil, err
		}
	}
	if _, err := t.Parse(text); err != nil {
		return nil, err
	}
	if t.Lookup("content") != nil && t.Lookup(layoutName) != nil {
		p.entry = layoutName
	}
	if err := meter(t); err != nil {
		return nil, err
	}
	p.template = t
	return p, p.try()
}

// try finds what only shows when a page is executed: templates that are not
// there, and values in places where they cannot be escaped. It executes nothing
// of the page, since the context has ended.
func (p *page) try() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := p.execute(visit{ctx: ctx, r: &http.Request{URL: new(url.URL)}})
	if e, ok := errors.AsType[*template.Error](err); ok {
		return e
	}
	return nil
}

// segments is the path of a page, cut at its slashes.
func segments(name string) []string {
	name = strings.TrimSuffix(name, ".html")
	name = strings.TrimSuffix("/"+name, "/index")
	return strings.Split(strings.Trim(name, "/"), "/")
}

// find is the page of a path. Where several match, the one wins that says more
// at the first segment in which they differ.
func (s *set) find(urlPath string) (*page, map[string]string) {
	parts := strings.Split(strings.Trim(path.Clean("/"+urlPath), "/"), "/")
	var best *page
	var bestParams map[string]string
	for _, p := range s.pages {
		params, ok := p.match(parts)
		if ok && (best == nil || p.before(best)) {
			best, bestParams = p, params
		}
	}
	return best, bestParams
}

// same is a page of the same paths as p.
func (s *set) same(p *page) *page {
	for _, other := range s.pages {
		if len(other.segments) == len(p.segments) && !p.before(other) && !other.before(p) &&
			slices.EqualFunc(p.segments, other.segments, func(a, b string) bool { return a == b || placeholder(a) && placeholder(b) }) {
			return other
		}
	}
	return nil
}

// before tells whether p is preferred to another page of as many segments.
func (p *page) before(other *page) bool {
	for i, seg := range p.segments {
		if a, b := placeholder(seg), placeholder(other.segments[i]); a != b {
			return b
		}
	}
	return false
}

func placeholder(segment string) bool {
	return len(segment) > 2 && strings.HasPrefix(segment, "[") && strings.HasSuffix(segment, "]")
}

func (p *page) match(parts []string) (map[string]string, bool) {
	if len(parts) != len(p.segments) {
		return nil, false
	}
	params := map[string]string{}
	for i, seg := range p.segments {
		switch {
		case placeholder(seg) && parts[i] != "":
			params[seg[1:len(seg)-1]] = parts[i]
		case seg != parts[i]:
			return nil, false
		}
	}
	return params, true
}

// signature changes when a page is added, changed or removed; "" if there is no
// such directory.
func signature(dir string) (string, error) {
	if dir == "" {
		return "", nil
	}
	var b strings.Builder
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%s %d %d\n", name, info.Size(), info.ModTime().UnixNano())
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) && b.Len() == 0 {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("pages: %w", err)
	}
	return b.String(), nil
}
