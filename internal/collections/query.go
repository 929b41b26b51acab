package collections

import "strings"

// A view's columns are known by name only. What kind of field each becomes
// follows from the text that makes it, so the query is read as far as that needs:
// the columns of its main SELECT and the tables behind FROM. The database is the
// one to say whether the query makes sense.

// column is one column of a query: a plain one ("u.email"), or an expression.
type column struct {
	table, name string // name is "" for an expression
	expr        string // in lower case, without its alias
	star        bool   // "*" or "u.*"
}

// query is what is known of a SELECT statement.
type query struct {
	columns []column
	tables  map[string]string // table by its alias or name, both as written in lower case
	order   []string          // the keys of tables as they came
	bad     string            // why nothing could be said about its columns
}

// parseQuery reads text; a text that is no SELECT has no columns.
func parseQuery(text string) query {
	toks := tokens(text)
	q := query{tables: map[string]string{}}
	i := 0
	for i < len(toks) && !(toks[i].depth == 0 && toks[i].is("select")) {
		i++
	}
	if i == len(toks) {
		return q
	}
	i++
	for i < len(toks) && (toks[i].is("distinct") || toks[i].is("all")) {
		i++
	}
	start := i
	for ; ; i++ {
		if i < len(toks) && toks[i].depth == 0 && toks[i].compound() {
			q.bad = "invalid identifier parts [" + words(toks[start:i+1]) + "]"
			return q
		}
		end := i == len(toks) || toks[i].depth == 0 && (toks[i].is("from") || toks[i].text == ";")
		if end || toks[i].depth == 0 && toks[i].text == "," {
			if i > start {
				q.columns = append(q.columns, parseColumn(toks[start:i]))
			}
			start = i + 1
		}
		if end {
			break
		}
	}
	if i < len(toks) && toks[i].is("from") {
		q.parseFrom(toks[i+1:])
	}
	return q
}

func parseColumn(toks []token) column {
	if n := len(toks); toks[n-1].text == "*" && (n == 1 || toks[n-2].text == ".") {
		return column{star: true}
	}
	toks = withoutAlias(toks)
	switch {
	case len(toks) == 1 && toks[0].ident:
		return column{name: toks[0].name(), expr: toks[0].text}
	case len(toks) == 3 && toks[0].ident && toks[1].text == "." && toks[2].ident:
		return column{table: toks[0].name(), name: toks[2].name()}
	}
	return column{expr: strings.ToLower(words(toks))}
}

// withoutAlias drops "AS x", or a lone x behind a complete expression.
func withoutAlias(toks []token) []token {
	n := len(toks)
	switch {
	case n > 2 && toks[n-2].depth == 0 && toks[n-2].is("as"):
		return toks[:n-2]
	case n > 1 && toks[n-1].depth == 0 && toks[n-1].ident && (toks[n-2].ident || toks[n-2].text == ")" || toks[n-2].literal()) && !toks[n-1].is("end"):
		return toks[:n-1]
	}
	return toks
}

// parseFrom notes the tables and their aliases. Subqueries are left out: their
// columns are expressions to us. A compound of several SELECTs is refused where
// its next one follows a table: what its columns are, the first SELECT alone
// does not tell.
func (q *query) parseFrom(toks []token) {
	expect := true // a table comes next
	table := -1    // where the last one began, if nothing but its alias followed
	for i := 0; i < len(toks); i++ {
		t := toks[i]
		if t.depth > 0 || t.text == ")" {
			expect = false
			continue
		}
		switch {
		case t.is("where") || t.is("group") || t.is("order") || t.is("limit"):
			return
		case t.compound():
			if table == i-1 {
				q.bad = `invalid identifier part - expected "as", got ` + t.text
			} else if table >= 0 {
				q.bad = "invalid identifier parts [" + words(toks[table:i+1]) + "]"
			}
			return
		case t.is("on") || t.is("using"):
			table = -1
		case t.is("join") || t.text == ",":
			expect, table = true, -1
		case expect && t.ident:
			expect, table = false, i
			name, alias := t.name(), t.name()
			j := i + 1
			if j < len(toks) && toks[j].is("as") {
				j++
			}
			if j < len(toks) && toks[j].ident && !toks[j].reserved() {
				alias, i = toks[j].name(), j
			}
			alias = strings.ToLower(alias)
			q.tables[alias] = name
			q.order = append(q.order, alias)
		}
	}
}
