package bench

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// Write prints a report for people.
func (r Report) Write(w io.Writer) error {
	c := r.Conditions
	fmt.Fprintf(w, "%s, %d cores, %s, revision %s, %s, %s; %d payments stored\n\n", c.CPU, c.Cores, c.Go, c.Revision, c.Store, c.When, r.Stored)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "figure\tmeasured\tgoal")
	for _, row := range []struct {
		name, unit string
		value      float64
		goal       string
	}{
		{"crypto floor, CPU", "ms", r.FloorMS, ""},
		{"two OpenSSL private operations", "ms", r.OpenSSLMS, ""},
		{r.Method + ", server CPU", "ms", r.CallMS, ""},
		{r.Method + " / crypto floor", "", r.ToFloor, "at most 1.25"},
		{r.Method + " / two OpenSSL operations", "", r.ToOpenSSL, "at most 2.0 (out of reach of Go's own RSA)"},
		{"hot account / spread", "", r.HotToSpread, "at least 0.9"},
		{"replay, server CPU", "ms", r.ReplayMS, ""},
		{"closed loop", "calls/s", r.PerSecond, ""},
		{fmt.Sprintf("p50 at %.0f calls/s, open loop", r.Latency.PerSecond), "ms", r.Latency.P50, ""},
		{"p99", "ms", r.Latency.P99, "at most 50"},
		{"p99.9", "ms", r.Latency.P999, ""},
		{"restart after kill to first 200", "ms", r.RestartMS, "at most 2000"},
		{"memory, idle", "MiB", r.IdleMiB, "at most 64"},
		{"memory, under load", "MiB", r.LoadMiB, "at most 256"},
	} {
		fmt.Fprintf(t, "%s\t%.2f %s\t%s\n", row.name, row.value, row.unit, row.goal)
	}
	return t.Flush()
}
