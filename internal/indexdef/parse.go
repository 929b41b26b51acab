package indexdef

import (
	"errors"
	"fmt"
	"strings"
)

// Parse reads one CREATE INDEX statement; a semicolon may end it. The error
// says what is wrong with the text, for the user who wrote it.
func Parse(s string) (*Def, error) {
	tokens, err := scan(s)
	if err != nil {
		return nil, err
	}
	if n := len(tokens); n > 0 && tokens[n-1].text == ";" {
		tokens = tokens[:n-1]
	}
	p := &parser{tokens: tokens}
	d, err := p.statement()
	if err != nil {
		return nil, err
	}
	return d, nil
}

type parser struct {
	tokens []token
	at     int
}

func (p *parser) statement() (*Def, error) {
	d := new(Def)
	if !p.keyword("CREATE") {
		return nil, errors.New("an index begins with CREATE INDEX or CREATE UNIQUE INDEX")
	}
	d.Unique = p.keyword("UNIQUE")
	if !p.keyword("INDEX") {
		return nil, errors.New("an index begins with CREATE INDEX or CREATE UNIQUE INDEX")
	}
	if p.keyword("IF") {
		if !p.keyword("NOT") || !p.keyword("EXISTS") {
			return nil, errors.New("IF must be followed by NOT EXISTS")
		}
		d.IfNotExists = true
	}
	if p.is("ON") {
		return nil, errors.New("the index has no name")
	}
	var err error
	if d.Name, err = p.name("the index"); err != nil {
		return nil, err
	}
	if p.sign(".") {
		d.Schema = d.Name
		if d.Name, err = p.name("the index"); err != nil {
			return nil, err
		}
	}
	if !p.keyword("ON") {
		return nil, errors.New("the index's name must be followed by ON and the table's name")
	}
	if p.at < len(p.tokens) && p.tokens[p.at].kind == quoted && p.tokens[p.at].name == "" {
		p.at++ // `` stands for the table, whatever it will be called: scaffolds have that
	} else if d.Table, err = p.name("the table"); err != nil {
		return nil, err
	}
	if err := p.columns(d); err != nil {
		return nil, err
	}
	return d, p.where(d)
}

// columns reads the list in brackets.
func (p *parser) columns(d *Def) error {
	if !p.sign("(") {
		return errors.New("the table's name must be followed by the columns in brackets")
	}
	depth, from := 0, p.at
	for ; p.at < len(p.tokens); p.at++ {
		switch t := p.tokens[p.at]; {
		case t.text == "(":
			depth++
		case t.text == ")" && depth > 0:
			depth--
		case (t.text == "," || t.text == ")") && depth == 0:
			c, err := column(p.tokens[from:p.at])
			if err != nil {
				return err
			}
			d.Columns = append(d.Columns, c)
			if from = p.at + 1; t.text == ")" {
				p.at++
				return nil
			}
		case t.text == ";":
			return errors.New("an index is one statement: there is a semicolon inside")
		}
	}
	return errors.New("the bracket around the columns is not closed")
}

// where reads the rest: a WHERE clause or nothing.
func (p *parser) where(d *Def) error {
	if p.at == len(p.tokens) {
		return nil
	}
	if !p.keyword("WHERE") {
		return fmt.Errorf("unexpected %s after the columns", p.tokens[p.at].text)
	}
	rest := p.tokens[p.at:]
	if err := expression(rest); err != nil {
		return err
	}
	d.Where = join(rest)
	return nil
}

// column reads one key of the list.
func column(ts []token) (Column, error) {
	var c Column
	if n := len(ts); n > 1 && ts[n-1].kind == word {
		if s := strings.ToUpper(ts[n-1].text); s == "ASC" || s == "DESC" {
			c.Sort, ts = s, ts[:n-1]
		}
	}
	if n := len(ts); n > 2 && isKeyword(ts[n-2], "COLLATE") && (ts[n-1].kind == word || ts[n-1].kind == quoted) {
		c.Collate, ts = ts[n-1].text, ts[:n-2]
	}
	// A lone text is a column's name to SQLite ('a' as well as "a"); keep to that.
	if len(ts) == 1 && (ts[0].kind == word || ts[0].kind == quoted || ts[0].kind == text) && ts[0].name != "" {
		c.Name = ts[0].name
		return c, nil
	}
	if err := expression(ts); err != nil {
		return c, err
	}
	c.Expr = join(ts)
	return c, nil
}

// expression checks that ts can be pasted into a statement without breaking out
// of its place.
func expression(ts []token) error {
	if len(ts) == 0 {
		return errors.New("an expression is missing")
	}
	depth := 0
	for _, t := range ts {
		switch t.text {
		case "(":
			depth++
		case ")":
			depth--
		case ";":
			return errors.New("an index is one statement: there is a semicolon inside")
		}
		if depth < 0 {
			return errors.New("there is a closing bracket too many")
		}
	}
	if depth > 0 {
		return errors.New("a bracket is not closed")
	}
	return nil
}

// join writes tokens as the user wrote them, comments out.
func join(ts []token) string {
	var b strings.Builder
	for i, t := range ts {
		if i > 0 && t.gap {
			b.WriteByte(' ')
		}
		b.WriteString(t.text)
	}
	return b.String()
}

func (p *parser) is(keyword string) bool {
	return p.at < len(p.tokens) && isKeyword(p.tokens[p.at], keyword)
}

func isKeyword(t token, keyword string) bool {
	return t.kind == word && strings.EqualFold(t.text, keyword)
}

func (p *parser) keyword(k string) bool {
	if !p.is(k) {
		return false
	}
	p.at++
	return true
}

func (p *parser) sign(s string) bool {
	if p.at < len(p.tokens) && p.tokens[p.at].kind == sign && p.tokens[p.at].text == s {
		p.at++
		return true
	}
	return false
}

func (p *parser) name(of string) (string, error) {
	if p.at < len(p.tokens) {
		if t := p.tokens[p.at]; t.kind != number && t.kind != sign && t.name != "" {
			p.at++
			return t.name, nil
		}
	}
	return "", fmt.Errorf("%s has no name", of)
}
