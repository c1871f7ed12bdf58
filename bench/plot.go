package bench

import (
	"encoding/xml"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Plot draws the figures of runs, one for each kind of question, into a folder. Each picture reads on light and on dark paper.
func Plot(dir string, runs []All) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, draw := range map[string]func([]All) string{
		"latency": plotLatency, "growth": plotGrowth, "floor": plotFloor, "cpu": plotCPU, "orders": plotOrders,
	} {
		if err := os.WriteFile(filepath.Join(dir, name+".svg"), []byte(draw(runs)), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func plotLatency(runs []All) string {
	p := curves{title: "Latency at half load, from when each call was due, with the peer's answer", unit: "ms", goal: 50}
	for i, a := range runs {
		dashes := []string{"none", "7 4"}[min(i, 1)]
		for _, g := range a.GSP {
			p.lines = append(p.lines, curve{fmt.Sprintf("%s, %s, %.0f/s", g.Method, a.Store, g.Latency.PerSecond), dashes, g.Latency.Curve})
		}
	}
	return p.draw()
}

func plotGrowth(runs []All) string {
	p := bars{title: "CPU of a reserveFunds by what is stored already", unit: "ms", parts: []string{"server", "database"}}
	for _, a := range runs {
		g := a.Growth
		if g.Ratio == 0 {
			continue
		}
		p.groups = append(p.groups, group{
			fmt.Sprintf("%s: ×%.2f", a.Store, g.Ratio),
			[]bar{
				{count(g.Few.Payments), []float64{g.Few.CallMS, g.Few.DatabaseMS}},
				{count(g.Many.Payments), []float64{g.Many.CallMS, g.Many.DatabaseMS}},
			},
		})
	}
	return p.draw()
}

// byMethod is a group for each method, with a bar for each store.
func byMethod(runs []All, parts func(Report) []float64) (groups []group) {
	for _, method := range Methods() {
		g := group{label: method}
		for _, a := range runs {
			for _, r := range a.GSP {
				if r.Method == method {
					g.bars = append(g.bars, bar{a.Store, parts(r)})
				}
			}
		}
		if len(g.bars) > 0 {
			groups = append(groups, g)
		}
	}
	return groups
}

func plotFloor(runs []All) string {
	return bars{
		title: "Server CPU of a call ÷ its cryptography by plain library calls", parts: []string{""}, limits: []float64{1.25, 1.15},
		groups: byMethod(runs, func(r Report) []float64 { return []float64{r.ToFloor} }),
	}.draw()
}

func plotCPU(runs []All) string {
	return bars{
		title: "Where the CPU of a call goes", unit: "ms", parts: []string{"crypto floor", "rest of the server", "database"},
		groups: byMethod(runs, func(r Report) []float64 { return []float64{r.FloorMS, max(0, r.CallMS-r.FloorMS), r.DatabaseMS} }),
	}.draw()
}

func plotOrders(runs []All) string {
	p := bars{
		title: "Deposit orders ÷ bare commits of their rows, per CPU second of server and database", parts: []string{""}, limits: []float64{.5},
	}
	for _, a := range runs {
		g := group{label: a.Store}
		for _, c := range a.Merchant.Creates {
			g.bars = append(g.bars, bar{fmt.Sprintf("%d at once", c.Workers), []float64{c.WithDBBare}})
		}
		if len(g.bars) > 0 {
			p.groups = append(p.groups, g)
		}
	}
	return p.draw()
}

// count says a large number in a word.
func count(n int) string {
	switch {
	case n >= 1_000_000 && n%100_000 == 0:
		return fmt.Sprintf("%g million", float64(n)/1_000_000)
	case n >= 1000 && n%1000 == 0:
		return fmt.Sprintf("%d thousand", n/1000)
	}
	return fmt.Sprint(n)
}

// The measures of a picture, in pixels.
const (
	width, height                = 760, 380
	left0, right0, top, underCut = 68, 680, 86, 318
)

// picture is an SVG under way.
type picture struct{ strings.Builder }

func (p *picture) begin(title string) {
	fmt.Fprintf(p, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-labelledby="t" font-size="13">
<title id="t">%s</title>
<style>
svg { --paper: #fff; --ink: #1f2328; --soft: #59636e; --grid: #d8dee4; --limit: #c5221f;
 --c0: #0b5fff; --c1: #e8710a; --c2: #188038; --c3: #9334e6; --c4: #129eaf; --c5: #c2185b;
 font-family: system-ui, "Segoe UI", Roboto, "Noto Sans", sans-serif }
@media (prefers-color-scheme: dark) {
svg { --paper: #0d1117; --ink: #e6edf3; --soft: #9198a1; --grid: #30363d; --limit: #ff7b72;
 --c0: #6ea8fe; --c1: #ffa657; --c2: #7ee787; --c3: #d2a8ff; --c4: #76e3ea; --c5: #ff9bce }
}
text { fill: var(--ink) } .soft { fill: var(--soft) } .over { fill: var(--limit); font-size: 11px }
.grid { stroke: var(--grid) } .limit { stroke: var(--limit); stroke-dasharray: 5 4 }
</style>
<rect width="100%%" height="100%%" fill="var(--paper)"/>
<text x="16" y="26" font-size="16" font-weight="600">%s</text>
`, width, height, escaped(title), escaped(title))
}

func (p *picture) end() string {
	p.WriteString("</svg>\n")
	return p.String()
}

func escaped(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s)) // a Builder never fails
	return b.String()
}

// empty says why there is nothing to see.
func (p *picture) empty() {
	p.text((left0+right0)/2, (top+underCut)/2, "middle", "soft", "not measured yet")
}

// text writes at a point; anchor is start, middle or end.
func (p *picture) text(x, y float64, anchor, class, s string) {
	fmt.Fprintf(p, `<text x="%.1f" y="%.1f" text-anchor="%s" class="%s">%s</text>`+"\n", x, y, anchor, class, escaped(s))
}

// legend names the colours, from left to right.
func (p *picture) legend(names []string, columns int) {
	for i, name := range names {
		x, y := 16+float64(i%columns)*float64(width-32)/float64(columns), 42+float64(i/columns)*18
		fmt.Fprintf(p, `<rect x="%.1f" y="%.1f" width="11" height="11" rx="2" fill="var(--c%d)"/>`+"\n", x, y, i%6)
		p.text(x+17, y+10, "start", "soft", name)
	}
}

// scale draws a grid for values from 0 to most, and says where a value is.
func (p *picture) scale(most float64, unit string) func(float64) float64 {
	step := math.Pow(10, math.Floor(math.Log10(most)))
	for _, f := range []float64{.1, .2, .5, 1} {
		if most/(step*f) <= 6 {
			step *= f
			break
		}
	}
	roof := math.Ceil(most/step) * step
	at := func(v float64) float64 { return underCut - v/roof*(underCut-top) }
	for v := 0.0; v <= roof+step/2; v += step {
		fmt.Fprintf(p, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" class="grid"/>`+"\n", left0, right0, at(v), at(v))
		p.text(left0-8, at(v)+4, "end", "soft", strings.TrimSpace(fmt.Sprintf("%.4g %s", v, unit)))
	}
	return at
}

// limit is what a goal allows.
func (p *picture) limit(at func(float64) float64, v float64) {
	fmt.Fprintf(p, `<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" class="limit"/>`+"\n", left0, right0, at(v), at(v))
	p.text(right0+6, at(v)+4, "start", "over", fmt.Sprintf("goal %g", v))
}

// bars are stacked parts in groups.
type bars struct {
	title, unit string
	parts       []string // names of what is stacked, from below; one empty name: the colours are those of the bars
	groups      []group
	limits      []float64
}

type group struct {
	label string
	bars  []bar
}

type bar struct {
	label string
	parts []float64
}

func (b bar) sum() (s float64) {
	for _, v := range b.parts {
		s += v
	}
	return s
}

func (b bars) draw() string {
	var p picture
	p.begin(b.title)
	most, columns := slices.Max(append([]float64{.001}, b.limits...)), 0
	for _, g := range b.groups {
		columns += len(g.bars) + 1
		for _, x := range g.bars {
			most = max(most, x.sum())
		}
	}
	if b.parts[0] != "" {
		p.legend(b.parts, 4)
	}
	at := p.scale(most*1.08, b.unit)
	slot := float64(right0-left0) / float64(max(columns, 1))
	thick := min(slot*.8, 84)
	x := left0 + slot/2
	for _, g := range b.groups {
		p.text(x+slot*float64(len(g.bars))/2, underCut+44, "middle", "", g.label)
		for i, one := range g.bars {
			middle, from := x+slot/2, 0.0
			for k, v := range one.parts {
				if b.parts[0] == "" {
					k = i
				}
				fmt.Fprintf(&p, `<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="var(--c%d)"/>`+"\n",
					middle-thick/2, at(from+v), thick, at(from)-at(from+v), k%6)
				from += v
			}
			p.text(middle, at(from)-5, "middle", "", fmt.Sprintf("%.2f", from))
			p.text(middle, underCut+20, "middle", "soft", one.label)
			x += slot
		}
		x += slot
	}
	if len(b.groups) == 0 {
		p.empty()
	}
	for _, v := range b.limits {
		p.limit(at, v)
	}
	return p.end()
}

// curves are latencies by the share of calls that were at least as fast. Each step to the right has ten times fewer slower ones.
type curves struct {
	title, unit string
	lines       []curve
	goal        float64
}

type curve struct {
	name   string
	dashes string // of another store than the first
	points []Quantile
}

// longest is the share at the right edge.
const longest = .999

func (c curves) draw() string {
	var p picture
	p.begin(c.title)
	most, names := c.goal, []string{}
	for _, l := range c.lines {
		names = append(names, l.name)
		for _, q := range l.points {
			if q.Share <= longest {
				most = max(most, q.MS)
			}
		}
	}
	p.legend(names, 3)
	at := p.scale(most*1.05, c.unit)
	x := func(share float64) float64 { return left0 + (right0-left0)*math.Log10(1-share)/math.Log10(1-longest) }
	for _, share := range []float64{0, .5, .9, .99, .999} {
		p.text(x(share), underCut+20, "middle", "soft", fmt.Sprintf("%.4g %%", 100*share))
	}
	p.text((left0+right0)/2, underCut+44, "middle", "", "of the calls took at most so long")
	for i, l := range c.lines {
		var way []string
		for _, q := range l.points {
			if q.Share <= longest {
				way = append(way, fmt.Sprintf("%.1f,%.1f", x(q.Share), at(q.MS)))
			}
		}
		fmt.Fprintf(&p, `<polyline points="%s" fill="none" stroke="var(--c%d)" stroke-width="2.2" stroke-dasharray="%s"/>`+"\n",
			strings.Join(way, " "), i%6, l.dashes)
	}
	if len(c.lines) == 0 {
		p.empty()
	}
	p.limit(at, c.goal)
	return p.end()
}
