package rule

import (
	"strings"

	"github.com/ganigeorgiev/fexpr"
)

// printed is the text of a parsed rule in one spelling.
func printed(e expr) string {
	var b strings.Builder
	printExpr(&b, e)
	return b.String()
}

func printExpr(b *strings.Builder, e expr) {
	switch e := e.(type) {
	case list:
		printList(b, e)
	case *comparison:
		printComparison(b, e)
	}
}

func printList(b *strings.Builder, l list) {
	for i, all := range l {
		if i > 0 {
			b.WriteString(" || ")
		}
		for j, e := range all {
			if j > 0 {
				b.WriteString(" && ")
			}
			if _, group := e.(list); group {
				b.WriteByte('(')
				printExpr(b, e)
				b.WriteByte(')')
				continue
			}
			printExpr(b, e)
		}
	}
}

func printComparison(b *strings.Builder, c *comparison) {
	printToken(b, c.left)
	b.WriteByte(' ')
	if c.any {
		b.WriteByte('?')
	}
	b.WriteString(c.op)
	b.WriteByte(' ')
	printToken(b, c.right)
}

func printToken(b *strings.Builder, t fexpr.Token) {
	switch t.Type {
	case fexpr.TokenText:
		b.WriteByte('"')
		for i := 0; i < len(t.Literal); i++ {
			switch c := t.Literal[i]; c {
			case '\\', '"':
				b.WriteByte('\\')
				b.WriteByte(c)
			case '\r': // a bare one is no blank between tokens
				b.WriteString(`\r`)
			default:
				b.WriteByte(c)
			}
		}
		b.WriteByte('"')
	case fexpr.TokenFunction:
		b.WriteString(t.Literal)
		b.WriteByte('(')
		args, _ := t.Meta.([]fexpr.Token)
		for i, a := range args {
			if i > 0 {
				b.WriteString(", ")
			}
			printToken(b, a)
		}
		b.WriteByte(')')
	default:
		b.WriteString(t.Literal)
	}
}
