package pages

import (
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"
	"text/template/parse"
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
		s.pages = append(s.pages, p)
	}
	return s, nil
}

// parsePage parses one page together with the partials.
func parsePage(name, text string, partials map[string]string) (*page, error) {
	p := &page{name: name, entry: name, segments: segments(name)}
	t := template.New(name).Funcs(new(visit).funcs())
	for n, partial := range partials {
		if _, err := t.New(n).Parse(partial); err != nil {
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
	return p, nil
}

// segments is the path of a page, cut at its slashes.
func segments(name string) []string {
	name = strings.TrimSuffix(name, ".html")
	name = strings.TrimSuffix("/"+name, "/index")
	return strings.Split(strings.Trim(name, "/"), "/")
}

// find is the page of a path; one with fewer placeholders wins.
func (s *set) find(urlPath string) (*page, map[string]string) {
	parts := strings.Split(strings.Trim(path.Clean("/"+urlPath), "/"), "/")
	var best *page
	var bestParams map[string]string
	for _, p := range s.pages {
		params, ok := p.match(parts)
		if ok && (best == nil || len(params) < len(bestParams)) {
			best, bestParams = p, params
		}
	}
	return best, bestParams
}

func (p *page) match(parts []string) (map[string]string, bool) {
	if len(parts) != len(p.segments) {
		return nil, false
	}
	params := map[string]string{}
	for i, seg := range p.segments {
		switch {
		case strings.HasPrefix(seg, "[") && strings.HasSuffix(seg, "]") && parts[i] != "":
			params[seg[1:len(seg)-1]] = parts[i]
		case seg != parts[i]:
			return nil, false
		}
	}
	return params, true
}

// meter puts a call of {{tick}} into each loop and each template, so that one
// that prints nothing can be ended as well.
func meter(t *template.Template) error {
	probe, err := template.New("").Funcs(new(visit).funcs()).Parse("{{tick}}")
	if err != nil {
		return err
	}
	tick := probe.Tree.Root.Nodes[0]
	for _, each := range t.Templates() {
		if each.Tree == nil || each.Tree.Root == nil {
			continue
		}
		meterList(each.Tree.Root, tick)
		each.Tree.Root.Nodes = append([]parse.Node{tick.Copy()}, each.Tree.Root.Nodes...)
	}
	return nil
}

func meterList(l *parse.ListNode, tick parse.Node) {
	if l == nil {
		return
	}
	for _, n := range l.Nodes {
		switch n := n.(type) {
		case *parse.RangeNode:
			meterList(n.List, tick)
			meterList(n.ElseList, tick)
			n.List.Nodes = append([]parse.Node{tick.Copy()}, n.List.Nodes...)
		case *parse.IfNode:
			meterList(n.List, tick)
			meterList(n.ElseList, tick)
		case *parse.WithNode:
			meterList(n.List, tick)
			meterList(n.ElseList, tick)
		}
	}
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
