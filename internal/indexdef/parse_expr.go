package indexdef

import (
	"errors"
	"fmt"
	"strings"
)

// ParseExpr reads an expression: of [Column.Expr], or [Def.Where]. It knows what
// indexes are made of in practice; the error says where it knows no further.
func ParseExpr(s string) (Expr, error) {
	tokens, err := scan(s)
	if err != nil {
		return nil, err
	}
	p := &exprParser{parser{tokens: tokens}, 0}
	e, err := p.either()
	if err == nil && p.at < len(p.tokens) {
		err = fmt.Errorf("unexpected %s in an expression", p.tokens[p.at].text)
	}
	if err != nil {
		return nil, err
	}
	return e, nil
}

// maxDepth bounds how deep brackets may nest.
const maxDepth = 100

type exprParser struct {
	parser
	depth int
}

// The levels of precedence, lowest first, each a list of operators; in between
// stand NOT and the tests.
var (
	bindAdd    = []string{"+", "-"}
	bindTimes  = []string{"*", "/", "%"}
	bindConcat = []string{"->>", "->", "||"} // longest first
)

func (p *exprParser) either() (Expr, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, errors.New("the expression is nested too deep")
	}
	defer func() { p.depth-- }()
	return p.words("OR", func() (Expr, error) { return p.words("AND", p.negated) })
}

// words reads operands with a word between them.
func (p *exprParser) words(op string, operand func() (Expr, error)) (Expr, error) {
	left, err := operand()
	for err == nil && p.keyword(op) {
		var right Expr
		right, err = operand()
		left = Binary{op, left, right}
	}
	return left, err
}

func (p *exprParser) negated() (Expr, error) {
	n := 0
	for p.keyword("NOT") {
		n++
	}
	e, err := p.tests()
	for ; err == nil && n > 0; n-- {
		e = Unary{"NOT", e}
	}
	return e, err
}

// tests reads what is asked of a value: =, IS, IN, LIKE, BETWEEN.
func (p *exprParser) tests() (Expr, error) {
	left, err := p.ordered()
	for err == nil {
		var e Expr
		if e, err = p.test(left); e == nil {
			return left, err
		}
		left = e
	}
	return left, err
}

// test reads one test of left; nil if there is none.
func (p *exprParser) test(left Expr) (Expr, error) {
	from := p.at
	switch op := p.operator("==", "=", "!=", "<>"); {
	case op == "==" || op == "=":
		return p.right("=", left, p.ordered)
	case op != "":
		return p.right("!=", left, p.ordered)
	case p.keyword("ISNULL"):
		return Binary{"IS", left, Literal{}}, nil
	case p.keyword("NOTNULL"):
		return Binary{"IS NOT", left, Literal{}}, nil
	case p.keyword("IS"):
		op := "IS"
		if p.keyword("NOT") {
			op = "IS NOT"
		}
		return p.is(op, left)
	}
	isNot := p.keyword("NOT")
	switch {
	case isNot && p.keyword("NULL"):
		return Binary{"IS NOT", left, Literal{}}, nil
	case p.keyword("LIKE") && isNot:
		return p.right("NOT LIKE", left, p.ordered)
	case p.at > from && !isNot:
		return p.right("LIKE", left, p.ordered)
	case p.keyword("IN"):
		items, err := p.list()
		return In{left, isNot, items}, err
	case p.keyword("BETWEEN"):
		low, err := p.ordered()
		if err == nil && !p.keyword("AND") {
			err = errors.New("BETWEEN needs an AND")
		}
		if err != nil {
			return nil, err
		}
		high, err := p.ordered()
		return Between{left, isNot, low, high}, err
	}
	p.at = from
	return nil, nil
}

// is reads what follows IS. IS TRUE asks whether left holds, and is no
// comparison with 1: NOT makes 1 or 0 of what holds.
func (p *exprParser) is(op string, left Expr) (Expr, error) {
	yes, no, from := p.parser.is("TRUE"), p.parser.is("FALSE"), p.at
	right, err := p.ordered()
	if (yes || no) && p.at == from+1 {
		left, right = Unary{"NOT", left}, Literal{Number, "1"}
		if yes {
			left = Unary{"NOT", left}
		}
	}
	return Binary{op, left, right}, err
}

func (p *exprParser) right(op string, left Expr, operand func() (Expr, error)) (Expr, error) {
	right, err := operand()
	return Binary{op, left, right}, err
}

func (p *exprParser) ordered() (Expr, error) {
	return p.signs([]string{"<=", "<", ">=", ">"}, func() (Expr, error) {
		return p.signs(bindAdd, func() (Expr, error) {
			return p.signs(bindTimes, func() (Expr, error) { return p.signs(bindConcat, p.collated) })
		})
	})
}

// signs reads operands with one of some signs between them.
func (p *exprParser) signs(ops []string, operand func() (Expr, error)) (Expr, error) {
	left, err := operand()
	for err == nil {
		op := p.operator(ops...)
		if op == "" {
			break
		}
		var right Expr
		right, err = operand()
		left = Binary{op, left, right}
	}
	return left, err
}

// operator reads one of some signs, which is not the beginning of a longer one.
func (p *exprParser) operator(ops ...string) string {
	whole, n := "", 0
	for i := p.at; i < len(p.tokens) && p.tokens[i].kind == sign && (i == p.at || !p.tokens[i].gap) && strings.Contains("<>=!|-", p.tokens[i].text); i++ {
		whole += p.tokens[i].text
		n++
	}
	if n == 0 && p.at < len(p.tokens) && p.tokens[p.at].kind == sign {
		whole, n = p.tokens[p.at].text, 1
	}
	for ; n > 0; whole, n = whole[:len(whole)-1], n-1 {
		if !known[whole] {
			continue
		}
		for _, op := range ops {
			if whole == op {
				p.at += n
				return op
			}
		}
		return ""
	}
	return ""
}

// known are all signs that are operators.
var known = map[string]bool{
	"==": true, "=": true, "!=": true, "<>": true, "<=": true, "<": true, ">=": true, ">": true, "+": true, "-": true,
	"*": true, "/": true, "%": true, "->>": true, "->": true, "||": true, "<<": true, ">>": true, "|": true, "&": true,
}

func (p *exprParser) collated() (Expr, error) {
	e, err := p.unary()
	for err == nil && p.keyword("COLLATE") {
		var name string
		name, err = p.name("the collation")
		e = Collate{e, strings.ToUpper(name)}
	}
	return e, err
}

func (p *exprParser) unary() (Expr, error) {
	for _, op := range []string{"-", "+"} {
		if p.at < len(p.tokens) && p.tokens[p.at].kind == sign && p.tokens[p.at].text == op {
			p.at++
			if p.depth++; p.depth > maxDepth {
				return nil, errors.New("the expression is nested too deep")
			}
			e, err := p.unary()
			p.depth--
			return Unary{op, e}, err
		}
	}
	return p.primary()
}

func (p *exprParser) primary() (Expr, error) {
	if p.at == len(p.tokens) {
		return nil, errors.New("the expression ends too early")
	}
	t := p.tokens[p.at]
	p.at++
	switch t.kind {
	case number:
		return Literal{Number, t.text}, nil
	case text:
		return Literal{Text, t.name}, nil
	case word, quoted:
		return p.named(t)
	}
	if t.text == "(" {
		e, err := p.either()
		if err == nil && !p.sign(")") {
			err = errors.New("a bracket is not closed")
		}
		return e, err
	}
	if t.text == "." && p.at < len(p.tokens) && p.tokens[p.at].kind == number && !p.tokens[p.at].gap {
		p.at++
		return Literal{Number, "0." + p.tokens[p.at-1].text}, nil
	}
	return nil, fmt.Errorf("unexpected %s in an expression", t.text)
}

// named reads what begins with a name: a value, a call or a column.
func (p *exprParser) named(t token) (Expr, error) {
	if t.text == `""` {
		return Literal{Kind: Text}, nil // SQLite takes what is no column for a text
	}
	if t.kind == word {
		switch strings.ToUpper(t.text) {
		case "NULL":
			return Literal{}, nil
		case "TRUE":
			return Literal{Number, "1"}, nil
		case "FALSE":
			return Literal{Number, "0"}, nil
		case "CAST":
			return p.cast()
		case "CASE", "EXISTS", "SELECT", "CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "NOT", "AND", "OR", "IN", "IS", "BETWEEN", "LIKE", "COLLATE":
			return nil, fmt.Errorf("unexpected %s in an expression", t.text)
		}
	}
	if p.at < len(p.tokens) && p.tokens[p.at].text == "(" {
		args, err := p.list()
		return Call{strings.ToLower(t.name), args}, err
	}
	for p.sign(".") { // table.column: the table is the index's own
		name, err := p.name("the column")
		if err != nil {
			return nil, err
		}
		t.name = name
	}
	if t.name == "" {
		return nil, errors.New("a column has no name")
	}
	return Name(t.name), nil
}

func (p *exprParser) cast() (Expr, error) {
	if !p.sign("(") {
		return nil, errors.New("CAST needs a bracket")
	}
	e, err := p.either()
	if err != nil {
		return nil, err
	}
	if !p.keyword("AS") {
		return nil, errors.New("CAST needs AS and a type")
	}
	name, err := p.name("the type")
	if err == nil && !p.sign(")") {
		err = errors.New("the bracket of CAST is not closed")
	}
	for i := range len(name) {
		if !isLetter(name[i]) && !isDigit(name[i]) || name[i] >= 0x80 {
			err = fmt.Errorf("%q is no type", name)
		}
	}
	return Cast{e, strings.ToUpper(name)}, err
}

// list reads expressions in brackets.
func (p *exprParser) list() ([]Expr, error) {
	if !p.sign("(") {
		return nil, errors.New("a list needs a bracket")
	}
	var out []Expr
	if p.sign(")") {
		return out, nil
	}
	for {
		e, err := p.either()
		if err != nil {
			return nil, err
		}
		out = append(out, e)
		switch {
		case p.sign(")"):
			return out, nil
		case !p.sign(","):
			return nil, errors.New("a list is not closed")
		}
	}
}
