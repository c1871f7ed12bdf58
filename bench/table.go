package bench

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// row is one figure: a goal may be empty.
type row struct {
	name, unit string
	value      float64
	goal       string
}

// table prints figures for people.
func (c Conditions) table(w io.Writer, stored string, rows []row) error {
	fmt.Fprintf(w, "%s, %d cores, load average %s, %s, revision %s, %s, %s; %s stored\n\n",
		c.CPU, c.Cores, c.Load, c.Go, c.Revision, c.Store, c.When, stored)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "figure\tmeasured\tgoal")
	for _, r := range rows {
		fmt.Fprintf(t, "%s\t%.2f %s\t%s\n", r.name, r.value, r.unit, r.goal)
	}
	return t.Flush()
}

// Write prints a report for people.
func (r Report) Write(w io.Writer) error {
	return r.Conditions.table(w, fmt.Sprintf("%d payments", r.Stored), []row{
		{"crypto floor, CPU", "ms", r.FloorMS, ""},
		{"two OpenSSL private operations", "ms", r.OpenSSLMS, ""},
		{r.Method + ", server CPU", "ms", r.CallMS, ""},
		{r.Method + ", database CPU beside it", "ms", r.DatabaseMS, ""},
		{r.Method + " / crypto floor", "", r.ToFloor, "at most 1.25, then 1.15"},
		{r.Method + " / two OpenSSL operations", "", r.ToOpenSSL, "at most 2.0 (out of reach of Go's own RSA)"},
		{"hot account / spread, calls a second", "", r.HotRate, "at least 0.9"},
		{"hot account / spread, calls per CPU second", "", r.HotToSpread, "at least 0.9"},
		{"replay, server CPU", "ms", r.ReplayMS, ""},
		{"replay, database CPU beside it", "ms", r.ReplayDBMS, ""},
		{"closed loop", "calls/s", r.PerSecond, ""},
		{fmt.Sprintf("p50 of %d calls at %.0f calls/s, open loop", r.Latency.Calls, r.Latency.PerSecond), "ms", r.Latency.P50, ""},
		{"p99", "ms", r.Latency.P99, "at most 50"},
		{"p99.9", "ms", r.Latency.P999, ""},
		{"restart after kill to first 200", "ms", r.RestartMS, "at most 2000"},
		{"memory, idle", "MiB", r.IdleMiB, "at most 64"},
		{"memory, under load", "MiB", r.LoadMiB, "at most 256"},
	})
}

// Write prints a report for people.
func (g Growth) Write(w io.Writer) error {
	var rows []row
	for _, at := range []Grown{g.Few, g.Many} {
		stored := fmt.Sprintf(" at %s payments", count(at.Payments))
		rows = append(rows,
			row{g.Method + ", server CPU" + stored, "ms", at.CallMS, ""},
			row{g.Method + ", database CPU" + stored, "ms", at.DatabaseMS, ""},
			row{"closed loop" + stored, "calls/s", at.PerSecond, ""},
			row{"size of the database" + stored, "MiB", at.MiB, ""},
			row{"seeding" + stored, "s", at.SeedS, ""})
	}
	rows = append(rows, row{"growth: many / few, server CPU", "", g.Ratio, "at most 1.10"},
		row{"growth: many / few, server and database CPU", "", g.RatioBoth, ""})
	return g.Conditions.table(w, fmt.Sprintf("%d payments", g.Many.Payments), rows)
}

// Write prints a report for people.
func (r MerchantReport) Write(w io.Writer) error {
	var rows []row
	for _, c := range r.Creates {
		at := fmt.Sprintf(", %d at once", c.Workers)
		rows = append(rows,
			row{"bare commit of an order's rows, CPU" + at, "ms", c.FloorMS, ""},
			row{"the same, database CPU" + at, "ms", c.FloorDBMS, ""},
			row{"deposit order, server CPU" + at, "ms", c.OrderMS, ""},
			row{"the same, database CPU" + at, "ms", c.OrderDBMS, ""},
			row{"orders / bare commits, per CPU second of server and database" + at, "", c.WithDBBare, "at least 0.5"},
			row{"the same, of the server alone" + at, "", c.ToBare, ""},
			row{"hot merchant / spread, orders a second" + at, "", c.HotRate, "at least 0.9"},
			row{"hot merchant / spread, orders per CPU second" + at, "", c.HotToSpread, "at least 0.9"},
			row{"closed loop" + at, "orders/s", c.PerSecond, ""})
	}
	served := "plain"
	if r.Page.Gzip {
		served = "gzip"
	}
	m := r.Matching
	rows = append(rows,
		row{fmt.Sprintf("a credit among %d open orders, wall time", m.Open), "ms", m.WallMS, ""},
		row{"a credit, CPU", "ms", m.CPUMS, ""},
		row{"a credit, database CPU beside it", "ms", m.DatabaseMS, ""},
		row{fmt.Sprintf("the slowest file of %d credits", m.PerFile), "ms", m.FileMS, ""},
		row{fmt.Sprintf("orders paid, of %d credits", m.Credits), "", float64(m.Paid), "all"},
		row{"payment page, " + served, "KiB", float64(r.Page.Page) / 1024, ""},
		row{fmt.Sprintf("payment page and its %d files, %s", r.Page.Fetched, served), "KiB", float64(r.Page.Page+r.Page.Files) / 1024, ""})
	if r.Page.Visits > 0 {
		rows = append(rows, row{"first paint in Chromium, median of new visits", "ms", r.Page.PaintMS, ""})
	} else if _, err := fmt.Fprintln(w, "There is no Chromium here: the first paint is not measured."); err != nil {
		return err
	}
	rows = append(rows, row{"memory, idle", "MiB", r.IdleMiB, "at most 64"}, row{"memory, under load", "MiB", r.LoadMiB, "at most 256"})
	return r.Conditions.table(w, fmt.Sprintf("%d orders", r.Stored), rows)
}
