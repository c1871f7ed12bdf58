package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"naru/bench"
)

type benchCmd struct {
	All      benchAll      `cmd:"" help:"Every figure of the performance goals on one store."`
	GSP      benchGSP      `cmd:"" name:"gsp" help:"CPU per call against the crypto floor and OpenSSL, hot account, latency, restart, memory."`
	Merchant benchMerchant `cmd:"" help:"CPU per deposit order against bare commits, matching of credits, the payment page."`
	Growth   benchGrowth   `cmd:"" help:"CPU per call beside very many stored payments against beside few."`
	Report   benchReport   `cmd:"" help:"Put what several runs of all found side by side."`

	Acquirer   benchAcquirer   `cmd:"" hidden:"" help:"The acquirer of a measurement, in a process of its own."`
	PayoutBank benchPayoutBank `cmd:"" hidden:"" help:"The payout bank of a measurement, likewise."`
}

// benchStore says where a measurement keeps its data.
type benchStore struct {
	Store string `default:"sqlite" enum:"sqlite,postgres" help:"Which store: ${enum}. For postgres a server of its own is started."`
	JSON  string `type:"path" placeholder:"FILE" help:"Write the figures here too."`
}

type benchLoad struct {
	Duration time.Duration `default:"3s" help:"Length of each phase."`
	Rounds   int           `default:"9" help:"How often floor and load alternate; the median of the ratios counts."`
	Workers  int           `default:"16" help:"Requests at once."`
	Accounts int           `default:"16" help:"Accounts over which the spread load goes."`
	Paced    int           `default:"3000" help:"Calls of the open loop."`
}

func (l benchLoad) options(store, method string) (bench.Options, error) {
	binary, err := os.Executable()
	return bench.Options{
		Binary: binary, Store: store, Method: method, Duration: l.Duration, Rounds: l.Rounds, Workers: l.Workers, Accounts: l.Accounts,
		Paced: l.Paced, Progress: os.Stderr,
	}, err
}

type benchGSP struct {
	benchStore
	benchLoad
	Method string `default:"reserveFunds" enum:"capture,disburseFunds,reserveFunds" help:"What is called: ${enum}."`
}

func (g benchGSP) Run(ctx context.Context) error {
	o, err := g.options(g.Store, g.Method)
	if err != nil {
		return err
	}
	r, err := bench.GSP(ctx, o)
	if err != nil {
		return err
	}
	return printed(r, g.JSON)
}

type benchMerchant struct {
	benchStore
	Duration time.Duration `default:"2s" help:"Length of each phase."`
	Rounds   int           `default:"7" help:"How often floor and load alternate; the median of the ratios counts."`
	Workers  []int         `default:"1,16,64" help:"Requests at once: each is measured."`
	Open     int           `default:"100000" help:"Orders that wait when credits come."`
	Credits  int           `default:"1000" help:"Credits that come."`
}

func (m benchMerchant) options() (bench.MerchantOptions, error) {
	binary, err := os.Executable()
	return bench.MerchantOptions{
		Binary: binary, Store: m.Store, Duration: m.Duration, Rounds: m.Rounds, Workers: m.Workers, Open: m.Open, Credits: m.Credits,
		Progress: os.Stderr,
	}, err
}

func (m benchMerchant) Run(ctx context.Context) error {
	o, err := m.options()
	if err != nil {
		return err
	}
	r, err := bench.MerchantGateway(ctx, o)
	if err != nil {
		return err
	}
	return printed(r, m.JSON)
}

type benchGrowth struct {
	benchStore
	benchLoad
	Method   string `default:"reserveFunds" enum:"capture,disburseFunds,reserveFunds" help:"What is called: ${enum}."`
	Payments int    `default:"1000000" help:"Payments that are stored before."`
}

func (g benchGrowth) Run(ctx context.Context) error {
	o, err := g.options(g.Store, g.Method)
	if err != nil {
		return err
	}
	r, err := bench.Grow(ctx, o, g.Payments)
	if err != nil {
		return err
	}
	return printed(r, g.JSON)
}

type benchAll struct {
	benchStore
	Payments int    `default:"1000000" help:"Payments that are stored when growth is measured."`
	Plots    string `type:"path" placeholder:"DIR" help:"Draw the figures into this folder."`
	Quick    bool   `help:"Short and few phases: to see that it works."`
}

func (a benchAll) Run(ctx context.Context) error {
	load := benchLoad{Duration: 3 * time.Second, Rounds: 9, Workers: 16, Accounts: 16, Paced: 3000}
	shop := benchMerchant{
		benchStore: a.benchStore, Duration: 2 * time.Second, Rounds: 7, Workers: []int{1, 16, 64}, Open: 100_000, Credits: 1000,
	}
	if a.Quick {
		load = benchLoad{Duration: time.Second, Rounds: 1, Workers: 16, Accounts: 16, Paced: 200}
		shop.Duration, shop.Rounds, shop.Open, shop.Credits = time.Second, 1, 2000, 100
		a.Payments = min(a.Payments, 20_000)
	}
	o := bench.AllOptions{Store: a.Store, Payments: a.Payments}
	var err error
	if o.GSP, err = load.options(a.Store, ""); err != nil {
		return err
	}
	if o.Merchant, err = shop.options(); err != nil {
		return err
	}
	o.Growth = o.GSP
	r, err := bench.Everything(ctx, o)
	if err != nil {
		return err
	}
	if a.Plots != "" {
		if err := bench.Plot(a.Plots, []bench.All{r}); err != nil {
			return err
		}
	}
	return printed(r, a.JSON)
}

type benchReport struct {
	Files []string `arg:"" type:"existingfile" help:"What all wrote with --json."`
	Plots string   `type:"path" placeholder:"DIR" help:"Draw the figures into this folder."`
}

// Run prints the table of the goals in Markdown.
func (r benchReport) Run() error {
	var runs bench.Runs
	for _, file := range r.Files {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		var a bench.All
		if err := json.Unmarshal(text, &a); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		runs = append(runs, a)
	}
	if r.Plots != "" {
		if err := bench.Plot(r.Plots, runs); err != nil {
			return err
		}
	}
	return runs.Write(os.Stdout)
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

type benchPayoutBank struct{}

func (benchPayoutBank) Run(ctx context.Context) error {
	return bench.PayoutBank(ctx, os.Stdin, os.Stdout)
}
