package wire

import (
	"strings"
	"testing"
)

func TestExcerpt(t *testing.T) {
	for text, want := range map[string]string{
		"a<p>b</p>c": "a b c", "a<br/>b": "ab", "<p>a</p><p>b</p>": "a b", "<b>a</b>b": "ab",
		"<td>a</td><td>b</td>": "ab", "a<table><tr><td>b</td></tr></table>c": "a b c", "<h1>a</h1>b": "a b",
		"a<img src=x>b": "ab", "a<!-- c -->b": "ab", "a &lt; b &nbsp; c": "a < b \u00a0 c", "a\n\n b\t c": "a b c",
		"a < b": "a < b", "<": "<", "<a": "", "&amp": "&", "a<script>z</script>b": "ab", "<title>t</title>b": "b",
		"<textarea>a<b>c</b></textarea>": "", "a<hr>b": "a b", "a<svg><text>b</text></svg>c": "ac",
		"a<i>b</i><u>f</u>g": "ab f g", "a<video>b</video>c": "a b c", "<template>x</template>y": "y",
		"a<span> </span>b": "a b", "a\u3000b": "a\u3000b", "a<unknown>b</unknown>c": "a b c",
		"<p>a<b>b</b>c</p>d<p>e</p>": "abc d e", "a<form>b</form>c": "ac", "<p>a<dialog>b</dialog>c</p>": "a c",
		"  lead trail  ": "lead trail",
	} {
		if got := (&excerpt{max: 200, ellipsis: true}).of(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestExcerptCut(t *testing.T) {
	for text, want := range map[string]string{ // for max 1 to 8, as a running peer answers
		"<p>ab</p><p>cd</p>":        "a...|ab...|ab...|ab c...|ab cd|ab cd|ab cd|ab cd",
		"ab<hr>":                    "a...|ab|ab|ab|ab|ab|ab|ab",
		"<p> ab </p> <p>cd</p> x":   "a...|ab...|ab...|ab c...|ab cd...|ab cd...|ab cd x|ab cd x",
		"a<b> b </b>c":              "a...|a...|a b...|a b...|a b c|a b c|a b c|a b c",
		"a <p> b </p> <b> c </b> d": "a...|a...|a b...|a b...|a b c...|a b c...|a b c d|a b c d",
		"ab&nbsp;&nbsp;cd":          "a...|ab...|ab...|ab...|ab\u00a0\u00a0c...|ab\u00a0\u00a0cd|ab\u00a0\u00a0cd|ab\u00a0\u00a0cd",
		"ab\u00a0 <p>cd</p>":        "a...|ab|ab|ab...|ab\u00a0 c...|ab\u00a0 cd|ab\u00a0 cd|ab\u00a0 cd",
		"日本語 テキスト<p>x</p>":          "日...|日本...|日本語...|日本語...|日本語 テ...|日本語 テキ...|日本語 テキス...|日本語 テキスト",
		"a😀b":                       "a...|a😀...|a😀b|a😀b|a😀b|a😀b|a😀b|a😀b",
		"<p>Héllo</p> <p>wörld</p>": "H...|Hé...|Hél...|Héll...|Héllo|Héllo...|Héllo w...|Héllo wö...",
	} {
		var got []string
		for n := 1; n <= 8; n++ {
			got = append(got, (&excerpt{max: n, ellipsis: true}).of(text))
		}
		if s := strings.Join(got, "|"); s != want {
			t.Errorf("%q:\n got %s\nwant %s", text, s, want)
		}
	}
}

func TestExcerptOfDeepNesting(t *testing.T) {
	text := strings.Repeat("<div>", 100_000) + "x"
	if got := (&excerpt{max: 5}).of(text); got != "x" && got != text {
		t.Errorf("got %q", got[:20])
	}
}
