package pages

import (
	"errors"
	"fmt"
	"html/template"
	"text/template/parse"
)

// maxDepth is how deep templates may call each other, themselves included.
const maxDepth = 1000

// meter puts calls of tick, enter and leave into loops and templates, so that
// one that prints nothing, or calls itself, can be ended as well. They are
// assignments, because an action would be escaped for the place where it
// stands, and even nothing may be escaped to something.
func meter(t *template.Template) error {
	probe, err := template.New("").Funcs(new(visit).funcs()).Parse("{{$_ := tick}}{{$_ := enter}}{{$_ := leave}}")
	if err != nil {
		return err
	}
	tick, enter, leave := probe.Tree.Root.Nodes[0], probe.Tree.Root.Nodes[1], probe.Tree.Root.Nodes[2]
	for _, each := range t.Templates() {
		if each.Tree == nil || each.Tree.Root == nil {
			continue
		}
		root := each.Tree.Root
		meterList(root, tick)
		root.Nodes = append(append([]parse.Node{enter.Copy()}, root.Nodes...), leave.Copy())
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

// tick ends a template that runs too long.
func (v *visit) tick() (string, error) { return "", v.ctx.Err() }

func (v *visit) enter() (string, error) {
	if v.depth++; v.depth > maxDepth {
		return "", errTooDeep
	}
	return "", v.ctx.Err()
}

func (v *visit) leave() string {
	v.depth--
	return ""
}

var (
	errTooMuch = fmt.Errorf("pages: more than %d bytes", maxOutput)
	errTooDeep = errors.New("pages: templates call each other too deeply")
)

// bounded makes a text function refuse to make more than a page may hold: a
// text that is doubled in a loop would need all memory long before it is
// written.
func bounded(f func(...any) string) func(...any) (string, error) {
	return func(args ...any) (string, error) {
		for _, a := range args {
			if weigh(a, maxOutput) < 0 {
				return "", errTooMuch
			}
		}
		s := f(args...)
		if len(s) > maxOutput {
			return "", errTooMuch
		}
		return s, nil
	}
}

// weigh takes about what v takes in memory from left, and stops below 0. What
// is in v twice counts twice, as it does when v is printed.
func weigh(v any, left int) int {
	left -= 16
	switch v := v.(type) {
	case string:
		left -= len(v)
	case map[string]any:
		for k, item := range v {
			if left = weigh(item, left-len(k)); left < 0 {
				break
			}
		}
	case []any:
		for _, item := range v {
			if left = weigh(item, left); left < 0 {
				break
			}
		}
	}
	return left
}
