package main

import (
	"context"
	"encoding/json"
	"os"
	"time"

	"naru/bench"
)

type benchCmd struct {
	GSP      benchGSP      `cmd:"" name:"gsp" help:"CPU per call against the crypto floor and OpenSSL, hot account, restart, memory."`
	Acquirer benchAcquirer `cmd:"" hidden:"" help:"The acquirer of a measurement, in a process of its own."`
}

type benchGSP struct {
	Method   string        `default:"reserveFunds" enum:"capture,reserveFunds" help:"What is called: ${enum}."`
	Duration time.Duration `default:"3s" help:"Length of each phase."`
	Rounds   int           `default:"9" help:"How often floor and load alternate; the median of the ratios counts."`
	Workers  int           `default:"16" help:"Requests at once."`
	Accounts int           `default:"16" help:"Accounts over which the spread load goes."`
	JSON     string        `type:"path" placeholder:"FILE" help:"Write the figures here too."`
}

func (g benchGSP) Run(ctx context.Context) error {
	binary, err := os.Executable()
	if err != nil {
		return err
	}
	r, err := bench.GSP(ctx, bench.Options{
		Binary: binary, Method: g.Method, Duration: g.Duration, Rounds: g.Rounds, Workers: g.Workers, Accounts: g.Accounts, Progress: os.Stderr,
	})
	if err != nil {
		return err
	}
	if g.JSON != "" {
		text, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(g.JSON, append(text, '\n'), 0o644); err != nil {
			return err
		}
	}
	return r.Write(os.Stdout)
}

type benchAcquirer struct{}

func (benchAcquirer) Run(ctx context.Context) error { return bench.Acquirer(ctx, os.Stdin, os.Stdout) }
