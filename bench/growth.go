package bench

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Growth is what a call costs beside many stored payments, compared with few (design §5). Times are milliseconds of one core.
type Growth struct {
	Method     string     `json:"method"`
	Conditions Conditions `json:"conditions"`
	Few        Grown      `json:"few"`
	Many       Grown      `json:"many"`
	RatioAll   []float64  `json:"many_to_few_rounds"`
	Ratio      float64    `json:"many_to_few"`      // server CPU per call; goal: at most 1.10
	RatioBoth  float64    `json:"many_to_few_both"` // with that of the database
}

// Grown is one of the two.
type Grown struct {
	Payments   int     `json:"payments"` // stored before the load
	SeedS      float64 `json:"seeding_seconds"`
	MiB        float64 `json:"database_mib"` // after seeding
	CallMS     float64 `json:"call_cpu_ms"`
	DatabaseMS float64 `json:"call_database_cpu_ms"`
	PerSecond  float64 `json:"closed_loop_per_second"`
}

// fewPayments is what a database that is not empty any more holds.
const fewPayments = 10_000

// Grow measures one method beside few and beside many stored payments. Both servers are up, each with a database of its own, and are loaded
// in turn: the ratio is taken within a round.
func Grow(ctx context.Context, o Options, payments int) (g Growth, err error) {
	if o.Rounds < 1 || payments < fewPayments {
		return g, fmt.Errorf("rounds: one at least; payments: %d at least", fewPayments)
	}
	g.Method = o.Method
	m, err := castMould(ctx)
	if err != nil {
		return g, err
	}
	var sides [2]*run
	for i, at := range []*Grown{&g.Few, &g.Many} {
		at.Payments = []int{fewPayments, payments}[i]
		b, err := grown(ctx, o, m, at)
		if err != nil {
			return g, err
		}
		defer func() { err = errors.Join(err, b.close()) }()
		sides[i] = b
	}
	if g.Conditions, err = conditions(sides[0].home); err != nil {
		return g, err
	}
	var cpu, database, rate [2][]float64
	var both []float64
	for round := range o.Rounds {
		fmt.Fprintf(o.Progress, "growth on %s: round %d of %d\n", o.Store, round+1, o.Rounds)
		var p [2]phase
		for i := range sides {
			turn := (i + round) % 2 // neither is always first
			if p[turn], err = sides[turn].closedLoop(ctx, o.Accounts); err != nil {
				return g, err
			}
		}
		for i, p := range p {
			cpu[i], database[i], rate[i] = append(cpu[i], p.cpu), append(database[i], p.database), append(rate[i], p.perSecond)
		}
		g.RatioAll = append(g.RatioAll, p[1].cpu/p[0].cpu)
		both = append(both, (p[1].cpu+p[1].database)/(p[0].cpu+p[0].database))
	}
	for i, at := range []*Grown{&g.Few, &g.Many} {
		at.CallMS, at.DatabaseMS, at.PerSecond = median(cpu[i]), median(database[i]), median(rate[i])
	}
	g.Ratio, g.RatioBoth = median(g.RatioAll), median(both)
	return g, nil
}

// grown is a server on a database with so many payments in it.
func grown(ctx context.Context, o Options, m *mould, at *Grown) (b *run, err error) {
	if b, err = newRun(ctx, o); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	fmt.Fprintf(o.Progress, "%d payments into %s\n", at.Payments, o.Store)
	began := time.Now()
	if err := seed(ctx, b.home, b.place, b.dir, m, b.accounts(o.Accounts), at.Payments, o.Progress); err != nil {
		return b, err
	}
	at.SeedS = time.Since(began).Seconds()
	size, err := b.home.size(ctx, b.place)
	if err != nil {
		return b, err
	}
	at.MiB = float64(size) / (1 << 20)
	return b, b.warmUp(ctx)
}
