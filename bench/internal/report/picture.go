package report

import (
	"fmt"
	"html"
	"maps"
	"math"
	"slices"
	"strings"
)

// Geometry of the picture, in pixels.
const (
	pictureLeft  = 190 // names
	plotWidth    = 620
	pictureRight = 110 // figures
	pictureTop   = 64
	rowHeight    = 34
)

type bar struct {
	name        string
	pando, bare Figure // zero where there is none
	goal        float64
}

// Picture is an SVG image: for each workload a bar for the ratio of Pando to
// PocketBase, one for the bare handler where it took part, and a mark where
// the goal is. The scale is logarithmic; 1 is PocketBase.
func (r *Run) Picture() string {
	bars := r.bars()
	low, high := decades(bars)
	x := func(v float64) float64 {
		return pictureLeft + plotWidth*(math.Log10(v)-float64(low))/float64(high-low)
	}
	width := pictureLeft + plotWidth + pictureRight
	height := pictureTop + rowHeight*len(bars) + 24
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" font-family="system-ui,sans-serif" font-size="13">`+"\n", width, height, width, height)
	fmt.Fprintf(&b, `<title>%s: throughput as a multiple of PocketBase</title>`+"\n", html.EscapeString(r.Name))
	b.WriteString(`<rect width="100%" height="100%" fill="#fff"/>` + "\n")
	b.WriteString(`<text x="16" y="24" font-size="16" font-weight="600">Work done, as a multiple of PocketBase (log scale)</text>` + "\n")
	legend(&b)
	for d := low; d <= high; d++ {
		v := math.Pow10(d)
		fmt.Fprintf(&b, `<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="#ddd"/>`, x(v), x(v), pictureTop, height-24)
		fmt.Fprintf(&b, `<text x="%.1f" y="%d" text-anchor="middle" fill="#666">%g</text>`+"\n", x(v), height-8, v)
	}
	for i, bar := range bars {
		bar.draw(&b, pictureTop+rowHeight*i, x)
	}
	fmt.Fprintf(&b, `<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="#333"/>`+"\n", x(1), x(1), pictureTop, height-24)
	b.WriteString("</svg>\n")
	return b.String()
}

func legend(b *strings.Builder) {
	at := 16
	for _, l := range []struct{ fill, text string }{{"#2f7d4f", "Pando"}, {"#b9c4bd", "bare handler, the same bytes"}, {"#c2410c", "goal"}} {
		fmt.Fprintf(b, `<rect x="%d" y="38" width="12" height="12" fill="%s"/><text x="%d" y="49">%s</text>`+"\n", at, l.fill, at+17, l.text)
		at += 36 + 7*len(l.text)
	}
}

func (bar *bar) draw(b *strings.Builder, y int, x func(float64) float64) {
	fmt.Fprintf(b, `<text x="%d" y="%d" text-anchor="end">%s</text>`, pictureLeft-10, y+20, html.EscapeString(bar.name))
	stroke := func(f Figure, y, height int, fill string) {
		from, to := min(x(1), x(f.Median)), max(x(1), x(f.Median))
		fmt.Fprintf(b, `<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"/>`, from, y, to-from, height, fill)
	}
	var text []string
	if bar.bare.Median > 0 {
		stroke(bar.bare, y+4, 26, "#b9c4bd")
	}
	end := x(1)
	if bar.pando.Median > 0 {
		stroke(bar.pando, y+10, 14, "#2f7d4f")
		fmt.Fprintf(b, `<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="#143d26" stroke-width="2"/>`, x(bar.pando.Min), x(bar.pando.Max), y+17, y+17)
		end = max(end, x(bar.pando.Median), x(bar.pando.Max))
		text = append(text, number(bar.pando.Median)+" ×")
	}
	if bar.bare.Median > 0 {
		end = max(end, x(bar.bare.Median))
	}
	if bar.goal > 0 {
		fmt.Fprintf(b, `<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="#c2410c" stroke-width="3"/>`, x(bar.goal), x(bar.goal), y+3, y+31)
		end = max(end, x(bar.goal))
	}
	fmt.Fprintf(b, `<text x="%.1f" y="%d" font-weight="600">%s</text>`+"\n", end+8, y+21, strings.Join(text, " "))
}

// bars collects the workloads that have a ratio to PocketBase.
func (r *Run) bars() []bar {
	goals := make(map[string]float64)
	for _, g := range Goals {
		if g.Against == Peer {
			goals[g.Workload] = g.Bound
		}
	}
	var bars []bar
	for i := range r.Workloads {
		w := &r.Workloads[i]
		line := bar{name: w.Name, goal: goals[w.Name]}
		if w.Compare != Throughput {
			line.name += " (" + string(w.Compare) + ")"
		}
		pando := Pando
		if w.Of(OnPostgres) != nil {
			pando = OnPostgres
		}
		line.pando, _ = w.Ratio(w.Compare, pando, Peer)
		line.bare, _ = w.Ratio(w.Compare, Bare, Peer)
		if line.pando.Median > 0 || line.bare.Median > 0 {
			bars = append(bars, line)
		}
	}
	return bars
}

// decades returns the powers of ten that enclose all that is drawn.
func decades(bars []bar) (low, high int) {
	high = 1
	for _, b := range bars {
		for _, v := range []float64{b.pando.Min, b.pando.Max, b.bare.Median, b.goal} {
			if v > 0 {
				low = min(low, int(math.Floor(math.Log10(v))))
				high = max(high, int(math.Ceil(math.Log10(v))))
			}
		}
	}
	return low, high
}

func sortedKeys(m map[string]float64) []string { return slices.Sorted(maps.Keys(m)) }
