package indexdef

import "strings"

// Expr is an expression of an index, as [ParseExpr] reads it: [Name], [Literal],
// [Call], [Cast], [Unary], [Binary], [In], [Between] or [Collate].
type Expr interface {
	// String prints the expression with a bracket around each part; [ParseExpr]
	// reads it back to an equal Expr.
	String() string
}

// Name is a column.
type Name string

// Literal is a value that stands in the text.
type Literal struct {
	Kind LiteralKind
	Text string // of a text without quotes, of a number as written
}

// LiteralKind is the type of a literal.
type LiteralKind uint8

// The kinds of literals.
const (
	Null LiteralKind = iota
	Number
	Text
)

// Call is a function of expressions, its name in lower case.
type Call struct {
	Func string
	Args []Expr
}

// Cast is CAST(X AS Type), the type in upper case.
type Cast struct {
	X    Expr
	Type string
}

// Unary is an operator before its operand: -, + or NOT.
type Unary struct {
	Op string
	X  Expr
}

// Binary is an operator between its operands: AND, OR, =, !=, <, <=, >, >=, IS,
// IS NOT, LIKE, NOT LIKE, ||, ->, ->>, +, -, *, / or %. The other spellings of
// SQLite are made of these: ==, <>, ISNULL, NOTNULL, IS TRUE.
type Binary struct {
	Op          string
	Left, Right Expr
}

// In is X [NOT] IN (…) of a list.
type In struct {
	X    Expr
	Not  bool
	List []Expr
}

// Between is X [NOT] BETWEEN Low AND High.
type Between struct {
	X         Expr
	Not       bool
	Low, High Expr
}

// Collate is X COLLATE Collation.
type Collate struct {
	X         Expr
	Collation string
}

func (n Name) String() string { return Quote(string(n)) }

func (l Literal) String() string {
	switch l.Kind {
	case Null:
		return "NULL"
	case Number:
		return l.Text
	}
	return "'" + strings.ReplaceAll(l.Text, "'", "''") + "'"
}

func (c Call) String() string { return Quote(c.Func) + "(" + list(c.Args) + ")" }

func (c Cast) String() string { return "CAST(" + c.X.String() + " AS " + c.Type + ")" }

func (u Unary) String() string { return "(" + u.Op + " " + u.X.String() + ")" }

func (b Binary) String() string {
	return "(" + b.Left.String() + " " + b.Op + " " + b.Right.String() + ")"
}

func (i In) String() string {
	return "(" + i.X.String() + not(i.Not) + " IN (" + list(i.List) + "))"
}

func (b Between) String() string {
	return "(" + b.X.String() + not(b.Not) + " BETWEEN " + b.Low.String() + " AND " + b.High.String() + ")"
}

func (c Collate) String() string { return "(" + c.X.String() + " COLLATE " + Quote(c.Collation) + ")" }

func not(is bool) string {
	if is {
		return " NOT"
	}
	return ""
}

func list(of []Expr) string {
	texts := make([]string, len(of))
	for i, e := range of {
		texts[i] = e.String()
	}
	return strings.Join(texts, ", ")
}
