package wire

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// excerpt is the modifier excerpt(max, ellipsis): the readable text of a piece
// of HTML, cut to max runes.
type excerpt struct {
	max      int
	ellipsis bool // mark a text that was cut with "..."
}

// inline elements do not part the words around them.
var inline = map[atom.Atom]bool{
	atom.A: true, atom.Abbr: true, atom.Acronym: true, atom.B: true, atom.Bdo: true, atom.Big: true,
	atom.Br: true, atom.Button: true, atom.Cite: true, atom.Code: true, atom.Em: true, atom.I: true,
	atom.Img: true, atom.Input: true, atom.Label: true, atom.Q: true, atom.Small: true,
	atom.Span: true, atom.Strike: true, atom.Strong: true, atom.Sub: true, atom.Sup: true,
}

// mute elements hold no text for readers.
var mute = map[atom.Atom]bool{
	atom.Head: true, atom.Script: true, atom.Style: true, atom.Template: true, atom.Textarea: true,
	atom.Button: true, atom.Iframe: true, atom.Object: true, atom.Option: true, atom.Picture: true,
	atom.Select: true, atom.Svg: true, atom.Dialog: true, atom.Form: true, atom.Embed: true,
}

// of is the excerpt of text. What is no HTML is text as it stands; what nests
// too deeply to be read is left as it is.
func (e *excerpt) of(text string) string {
	doc, err := html.Parse(strings.NewReader(text))
	if err != nil {
		return text
	}
	var out strings.Builder
	gap := false // white space or an edge of a block since the last word
	var walk func(n *html.Node)
	walk = func(n *html.Node) {
		switch n.Type {
		case html.TextNode:
			gap = appendWords(&out, n.Data, gap)
			return
		case html.ElementNode:
			if mute[n.DataAtom] {
				return
			}
			gap = gap || !inline[n.DataAtom]
		}
		// The length in bytes is at least that in runes: with more bytes than max
		// whether there is more to come is known, or at worst not told.
		for c := n.FirstChild; c != nil && out.Len() <= e.max; c = c.NextSibling {
			walk(c)
		}
		if n.Type == html.ElementNode {
			gap = gap || !inline[n.DataAtom]
		}
	}
	walk(doc)
	return e.cut(strings.TrimSpace(out.String()))
}

// appendWords appends the words of text with one space between them, and tells
// whether a space is due before the next.
func appendWords(out *strings.Builder, text string, gap bool) bool {
	for i := 0; i < len(text); i++ {
		switch b := text[i]; b {
		case ' ', '\t', '\n', '\f', '\r':
			gap = true
		default:
			if gap && out.Len() > 0 {
				out.WriteByte(' ')
			}
			gap = false
			out.WriteByte(b)
		}
	}
	return gap
}

func (e *excerpt) cut(text string) string {
	if utf8.RuneCountInString(text) <= e.max {
		return text
	}
	n := 0
	for i := range text {
		if n == e.max {
			text = text[:i]
			break
		}
		n++
	}
	text = strings.TrimSpace(text)
	if e.ellipsis {
		text += "..."
	}
	return text
}
