package main

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"time"

	"naru/bench"
)

type benchCmd struct {
	GSP      benchGSP      `cmd:"" name:"gsp" help:"CPU per call against the crypto floor and OpenSSL, hot account, restart, memory."`
	Merchant benchMerchant `cmd:"" help:"CPU per deposit order against bare commits, matching of credits, the payment page."`
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
	return printed(r, g.JSON)
}

type benchMerchant struct {
	Duration time.Duration `default:"2s" help:"Length of each phase."`
	Rounds   int           `default:"7" help:"How often floor and load alternate; the median of the ratios counts."`
	Workers  []int         `default:"1,16,64" help:"Requests at once: each is measured."`
	Open     int           `default:"100000" help:"Orders that wait when credits come."`
	Credits  int           `default:"1000" help:"Credits that come."`
	JSON     string        `type:"path" placeholder:"FILE" help:"Write the figures here too."`
}

func (m benchMerchant) Run(ctx context.Context) error {
	binary, err := os.Executable()
	if err != nil {
		return err
	}
	r, err := bench.MerchantGateway(ctx, bench.MerchantOptions{
		Binary: binary, Duration: m.Duration, Rounds: m.Rounds, Workers: m.Workers, Open: m.Open, Credits: m.Credits, Progress: os.Stderr,
	})
	if err != nil {
		return err
	}
	return printed(r, m.JSON)
}

// printed prints a report for people, and writes it to a file for programs where one is named.
func printed(r interface{ Write(io.Writer) error }, file string) error {
	if file != "" {
		text, err := json.MarshalIndent(r, "", "  ")
		if err != nil {
			return err
		}
		if err := os.WriteFile(file, append(text, '\n'), 0o644); err != nil {
			return err
		}
	}
	return r.Write(os.Stdout)
}

type benchAcquirer struct{}

func (benchAcquirer) Run(ctx context.Context) error { return bench.Acquirer(ctx, os.Stdin, os.Stdout) }
