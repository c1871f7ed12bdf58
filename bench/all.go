package bench

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// All is every figure of design §5 on one store.
type All struct {
	Store    string         `json:"store"`
	GSP      []Report       `json:"gsp"` // one for each method
	Merchant MerchantReport `json:"merchant"`
	Growth   Growth         `json:"growth"`
}

// AllOptions say how long and how wide the parts of a run are. The method and the store of its parts do not count.
type AllOptions struct {
	Store    string
	GSP      Options
	Merchant MerchantOptions
	Growth   Options
	Payments int // stored, when growth is measured
}

// Everything measures all there is on one store, part after part.
func Everything(ctx context.Context, o AllOptions) (a All, err error) {
	a.Store = o.Store
	for _, method := range Methods() {
		g := o.GSP
		g.Store, g.Method = o.Store, method
		r, err := GSP(ctx, g)
		if err != nil {
			return a, fmt.Errorf("%s: %w", method, err)
		}
		a.GSP = append(a.GSP, r)
	}
	m := o.Merchant
	m.Store = o.Store
	if a.Merchant, err = MerchantGateway(ctx, m); err != nil {
		return a, fmt.Errorf("deposit orders: %w", err)
	}
	g := o.Growth
	g.Store, g.Method = o.Store, "reserveFunds"
	if a.Growth, err = Grow(ctx, g, o.Payments); err != nil {
		return a, fmt.Errorf("growth: %w", err)
	}
	return a, nil
}

// A goal is a row of design §5 and what came of it.
type goal struct {
	figure, command string
	value, limit    float64
	least           bool // the limit is one from below
	unit            string
}

func (g goal) wanted() string {
	word := "at most"
	if g.least {
		word = "at least"
	}
	return strings.TrimSpace(fmt.Sprintf("%s %g %s", word, g.limit, g.unit))
}

func (g goal) met() bool { return g.value <= g.limit && !g.least || g.value >= g.limit && g.least }

// result says the value as precisely as the goal needs it.
func (g goal) result() string {
	text := fmt.Sprintf("%.2f", g.value)
	if g.limit >= 10 {
		text = fmt.Sprintf("%.0f", g.value)
	}
	if !g.met() {
		text += ": missed"
	}
	return text
}

// goals are the rows in the order of design §5.
func (a All) goals() (list []goal) {
	row := func(command, figure string, value, limit float64, unit string) {
		list = append(list, goal{figure, command, value, limit, false, unit})
	}
	least := func(command, figure string, value, limit float64) {
		list = append(list, goal{figure, command, value, limit, true, ""})
	}
	for _, g := range a.GSP {
		row("gsp --method "+g.Method, "CPU per "+g.Method+" / crypto floor", g.ToFloor, 1.25, "")
	}
	for _, g := range a.GSP {
		row("gsp --method "+g.Method, "CPU per "+g.Method+" / two OpenSSL RSA-2048 private operations", g.ToOpenSSL, 2, "")
	}
	for _, c := range a.Merchant.Creates {
		figure := fmt.Sprintf("deposit orders / bare commits, per CPU second of server and database, %d at once", c.Workers)
		least("merchant", figure, c.WithDBBare, .5)
	}
	for _, c := range a.Merchant.Creates {
		least("merchant", fmt.Sprintf("the same, per CPU second of the server alone, %d at once", c.Workers), c.ToBare, .5)
	}
	row("growth", fmt.Sprintf("growth: CPU per call at %s payments / at %s", count(a.Growth.Many.Payments), count(a.Growth.Few.Payments)),
		a.Growth.Ratio, 1.1, "")
	for _, g := range a.GSP {
		row("gsp --method "+g.Method, "p99 of "+g.Method+" at half load, with the peer's answer", g.Latency.P99, 50, "ms")
	}
	for _, g := range a.GSP {
		least("gsp --method "+g.Method, "one hot account / spread, "+g.Method+", calls a second", g.HotRate, .9)
		least("gsp --method "+g.Method, "one hot account / spread, "+g.Method+", calls per CPU second", g.HotToSpread, .9)
	}
	for _, c := range a.Merchant.Creates {
		least("merchant", fmt.Sprintf("one hot merchant / spread, orders a second, %d at once", c.Workers), c.HotRate, .9)
	}
	for _, g := range a.GSP {
		row("gsp --method "+g.Method, "restart after kill under load to first 200, "+g.Method, g.RestartMS, 2000, "ms")
	}
	idle, load := a.Merchant.IdleMiB, a.Merchant.LoadMiB
	for _, g := range a.GSP {
		idle, load = max(idle, g.IdleMiB), max(load, g.LoadMiB)
	}
	row("gsp, merchant", "memory of the server, idle, the most of all runs", idle, 64, "MiB")
	row("gsp, merchant", "memory of the server under load, the most of all runs", load, 256, "MiB")
	return list
}

// Write prints a report for people: first what design §5 asks, then each part.
func (a All) Write(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "design §5\t"+a.Store+"\tgoal")
	for _, g := range a.goals() {
		fmt.Fprintf(t, "%s\t%s\t%s\n", g.figure, g.result(), g.wanted())
	}
	if err := t.Flush(); err != nil {
		return err
	}
	parts := []interface{ Write(io.Writer) error }{}
	for _, g := range a.GSP {
		parts = append(parts, g)
	}
	for _, p := range append(parts, a.Merchant, a.Growth) {
		fmt.Fprintln(w)
		if err := p.Write(w); err != nil {
			return err
		}
	}
	return nil
}

// Runs are reports of several stores side by side.
type Runs []All

// Write prints design §5 as a table in Markdown, a column for each store.
func (r Runs) Write(w io.Writer) error {
	head, line := "| figure | goal |", "|---|---|"
	for _, a := range r {
		head, line = head+" "+a.Store+" |", line+"---|"
	}
	fmt.Fprintf(w, "%s naru bench … |\n%s---|\n", head, line)
	for _, g := range r[0].goals() {
		text := "| " + g.figure + " | " + g.wanted() + " |"
		for _, a := range r {
			result := "not measured"
			list := a.goals()
			if i := slices.IndexFunc(list, func(other goal) bool { return other.figure == g.figure }); i >= 0 {
				if result = list[i].result(); !list[i].met() {
					result = "**" + result + "**"
				}
			}
			text += " " + result + " |"
		}
		if _, err := fmt.Fprintf(w, "%s `%s` |\n", text, g.command); err != nil {
			return err
		}
	}
	return nil
}
