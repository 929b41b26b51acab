package ruletest

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/pandobase/pando"
)

// Script is a parsed file.
type Script struct {
	World *World
	Cases []*Case
}

// Case is one question of a file and its answer.
type Case struct {
	Line       int
	Collection *pando.Collection
	Text       string // a rule, or a sort list
	IsSort     bool
	Client     bool
	Virtual    *pando.Record
	Request    *pando.Request
	Now        time.Time
	Want       []string // ids
	Error      string   // expected in the error; "" if none is

	answered bool
}

// Parse reads the text of a file; load reads the file that a load statement
// names.
func Parse(text string, load func(name string) (string, error)) (*Script, error) {
	p := &reader{script: &Script{World: &World{}}, request: &pando.Request{Method: "GET", Context: "default"}, load: load}
	p.now = time.Date(2026, 11, 23, 17, 6, 5, 875e6, time.UTC)
	if err := p.read(text); err != nil {
		return nil, err
	}
	for _, c := range p.script.Cases {
		if !c.answered {
			return nil, fmt.Errorf("line %d: nothing is expected", c.Line)
		}
	}
	return p.script, p.targets()
}

func (p *reader) read(text string) error {
	for i, line := range strings.Split(text, "\n") {
		trimmed := strings.TrimSpace(line)
		if trimmed == "" || strings.HasPrefix(trimmed, "#") {
			continue
		}
		word, rest, _ := strings.Cut(trimmed, " ")
		p.line = i + 1
		if err := p.statement(line[0] == ' ' || line[0] == '\t', word, strings.TrimSpace(rest)); err != nil {
			return fmt.Errorf("line %d: %w", p.line, err)
		}
	}
	return nil
}

type reader struct {
	script     *Script
	line       int
	collection *pando.Collection // that indented lines belong to
	pending    []*pando.RelationOptions
	request    *pando.Request
	now        time.Time
	load       func(string) (string, error)
}

func (p *reader) statement(indented bool, word, rest string) error {
	switch {
	case word == "=>" || word == "!!":
		return p.expect(word, rest)
	case indented:
		return p.field(word, rest)
	}
	switch word {
	case "load":
		text, err := p.load(rest)
		if err != nil {
			return err
		}
		return p.read(text)
	case "collection":
		return p.newCollection(rest)
	case "record":
		return p.record(rest)
	case "as":
		return p.as(rest)
	case "request":
		return p.setRequest(rest)
	case "now":
		var err error
		p.now, err = time.Parse(pando.TimeLayout, rest)
		return err
	case "rule", "filter", "sort", "csort", "create":
		return p.ask(word, rest)
	}
	return fmt.Errorf("unknown statement %q", word)
}

func (p *reader) newCollection(rest string) error {
	name, kind, _ := strings.Cut(rest, " ")
	c := &pando.Collection{ID: "id_" + name, Name: name, Type: pando.CollectionType(strings.TrimSpace(kind)), ListRule: new("")}
	add := func(name string, t pando.FieldType, hidden bool) {
		c.Fields = append(c.Fields, &pando.Field{ID: fieldID(name), Name: name, Type: t, Hidden: hidden, Options: pando.NewOptions(t)})
	}
	add("id", pando.FieldText, false)
	switch c.Type {
	case pando.TypeAuth:
		add("password", pando.FieldPassword, true)
		add("tokenKey", pando.FieldText, true)
		add("email", pando.FieldEmail, false)
		add("emailVisibility", pando.FieldBool, false)
		add("verified", pando.FieldBool, false)
	case pando.TypeBase, pando.TypeView:
	default:
		return fmt.Errorf("unknown collection type %q", kind)
	}
	p.collection = c
	p.script.World.Collections = append(p.script.World.Collections, c)
	return nil
}

func fieldID(name string) string { return "f_" + name }

// field reads a line below a collection.
func (p *reader) field(word, rest string) error {
	c := p.collection
	if c == nil {
		return fmt.Errorf("%q stands below no collection", word)
	}
	switch word {
	case "index":
		c.Indexes = append(c.Indexes, rest)
		return nil
	case "query":
		c.ViewQuery = rest
		return nil
	case "list":
		if c.ListRule = &rest; rest == "null" {
			c.ListRule = nil
		}
		return nil
	}
	parts := strings.Fields(rest)
	if len(parts) == 0 {
		return fmt.Errorf("field %q has no type", word)
	}
	f := &pando.Field{ID: fieldID(word), Name: word, Type: pando.FieldType(parts[0])}
	if f.Options = pando.NewOptions(f.Type); f.Options == nil {
		return fmt.Errorf("unknown field type %q", parts[0])
	}
	for _, part := range parts[1:] {
		switch o := f.Options.(type) {
		case *pando.SelectOptions:
			if part == "many" {
				o.MaxSelect = 99
				continue
			}
		case *pando.FileOptions:
			if part == "many" {
				o.MaxSelect = 99
				continue
			}
		case *pando.RelationOptions:
			if part == "many" {
				o.MaxSelect = 99
				continue
			}
			if part != "hidden" {
				o.CollectionID = part // a name yet: see targets
				p.pending = append(p.pending, o)
				continue
			}
		}
		if part != "hidden" {
			return fmt.Errorf("unknown word %q", part)
		}
		f.Hidden = true
	}
	c.Fields = append(c.Fields, f)
	return nil
}

// targets turns the names of relations' targets into ids: a collection may stand
// after those that point to it.
func (p *reader) targets() error {
	for _, o := range p.pending {
		c := p.script.World.Collection(o.CollectionID)
		if c == nil {
			return fmt.Errorf("a relation points to %q, which is not there", o.CollectionID)
		}
		o.CollectionID = c.ID
	}
	return nil
}

func (p *reader) record(rest string) error {
	name, rest, _ := strings.Cut(rest, " ")
	id, values, _ := strings.Cut(strings.TrimSpace(rest), " ")
	c := p.script.World.Collection(name)
	if c == nil {
		return fmt.Errorf("unknown collection %q", name)
	}
	rec, err := Record(c, values)
	if err != nil {
		return err
	}
	rec.Set("id", id)
	p.script.World.Records = append(p.script.World.Records, rec)
	return nil
}

// Record makes a record of c from JSON values.
func Record(c *pando.Collection, values string) (*pando.Record, error) {
	rec := pando.NewRecord(c)
	if strings.TrimSpace(values) == "" {
		return rec, nil
	}
	var raw map[string]json.RawMessage
	if err := json.Unmarshal([]byte(values), &raw); err != nil {
		return nil, err
	}
	for key, data := range raw {
		f := c.Field(key)
		if f == nil {
			return nil, fmt.Errorf("unknown field %q", key)
		}
		v, err := decode(f, data)
		if err != nil {
			return nil, fmt.Errorf("field %q: %w", key, err)
		}
		rec.Set(key, v)
	}
	return rec, nil
}

func decode(f *pando.Field, data json.RawMessage) (any, error) {
	var err error
	switch f.Zero().(type) {
	case float64:
		var v float64
		err = json.Unmarshal(data, &v)
		return v, err
	case bool:
		var v bool
		err = json.Unmarshal(data, &v)
		return v, err
	case []string:
		var v []string
		err = json.Unmarshal(data, &v)
		return v, err
	case pando.GeoPoint:
		var v pando.GeoPoint
		err = json.Unmarshal(data, &v)
		return v, err
	case json.RawMessage:
		return data, nil
	}
	var v string
	err = json.Unmarshal(data, &v)
	return v, err
}

func (p *reader) as(rest string) error {
	req := *p.request
	p.request = &req
	if req.Auth = nil; rest == "guest" {
		return nil
	}
	name, id, _ := strings.Cut(rest, " ")
	for _, rec := range p.script.World.Records {
		if rec.Collection.Name == name && rec.ID() == id {
			req.Auth = rec
			return nil
		}
	}
	return fmt.Errorf("no record %s of %s", id, name)
}

func (p *reader) setRequest(rest string) error {
	var r struct {
		Method, Context string
		Query, Headers  map[string]string
		Body            map[string]any
	}
	if err := json.Unmarshal([]byte(rest), &r); err != nil {
		return err
	}
	p.request = &pando.Request{
		Method: r.Method, Context: r.Context, Auth: p.request.Auth, Body: r.Body,
		Query:  func(k string) (string, bool) { v, ok := r.Query[k]; return v, ok },
		Header: func(k string) (string, bool) { v, ok := r.Headers[k]; return v, ok },
	}
	return nil
}

func (p *reader) ask(word, rest string) error {
	name, text, _ := strings.Cut(rest, " ")
	c := &Case{
		Line: p.line, Collection: p.script.World.Collection(name), Text: text,
		IsSort: strings.HasSuffix(word, "sort"), Client: word == "filter" || word == "csort",
		Request: p.request, Now: p.now,
	}
	if c.Collection == nil {
		return fmt.Errorf("unknown collection %q", name)
	}
	if word == "create" {
		d := json.NewDecoder(strings.NewReader(text))
		var values json.RawMessage
		if err := d.Decode(&values); err != nil {
			return err
		}
		var err error
		if c.Virtual, err = Record(c.Collection, string(values)); err != nil {
			return err
		}
		c.Text = strings.TrimSpace(text[d.InputOffset():])
	}
	p.script.Cases = append(p.script.Cases, c)
	return nil
}

func (p *reader) expect(word, rest string) error {
	if len(p.script.Cases) == 0 {
		return fmt.Errorf("%s without a question", word)
	}
	c := p.script.Cases[len(p.script.Cases)-1]
	c.answered = true
	switch {
	case word == "!!":
		c.Error = rest
	case c.Virtual != nil && rest == "yes":
		c.Want = []string{c.Virtual.ID()}
	case c.Virtual != nil && rest == "no":
	default:
		c.Want = strings.Fields(rest)
	}
	return nil
}
