// Command naru is a payment integrator in one binary: the server, a sandbox with everything around it, and the tools of its operators.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	_ "time/tzdata" // business days need time zones wherever the binary runs

	"github.com/alecthomas/kong"
)

type commands struct {
	Serve     serveCmd     `cmd:"" help:"Run the integrator from a configuration file."`
	Sandbox   sandboxCmd   `cmd:"" help:"Run the integrator with simulated Google and acquirer around it, and play a payment."`
	Cases     casesCmd     `cmd:"" help:"What waits for a person: list, close, send again, read evidence, note a payment."`
	Echo      echoCmd      `cmd:"" help:"Ask Google's echo for an account: do address, keys and account fit?"`
	Credits   creditsCmd   `cmd:"" help:"Money that came by bank transfer and is nobody's yet: list, assign to an order, send back."`
	Deposits  depositsCmd  `cmd:"" help:"End deposit orders by hand."`
	Receivers receiversCmd `cmd:"" help:"Accounts that payers transfer to: list, pause, resume."`
	Payouts   payoutsCmd   `cmd:"" help:"Payouts that wait for a person: approve, cancel, settle."`
	SLO       sloCmd       `cmd:"" name:"slo" help:"How calls went, as counterparties measure it: availability and latency of each method."`
	Fsck      fsckCmd      `cmd:"" help:"Check a database independently: books, journal, states, what is owed, card secrets."`
	Keys      keysCmd      `cmd:"" help:"Make, list, import, export OpenPGP keys and change their state."`
	Bench     benchCmd     `cmd:"" help:"Measure this build against what cannot be saved: its cryptography, its commits."`
	Drill     drillCmd     `cmd:"" help:"Kill and cut off nodes and databases under load, and prove that nothing acknowledged is lost."`
	Version   versionCmd   `cmd:"" help:"Say which build this is."`
}

// Exit statuses. A command may fail with one of its own (exit).
const (
	statusFailed = 1
	statusUsage  = 2
)

// exit is an error that was already reported and asks for a status of its own.
type exit int

func (e exit) Error() string { return fmt.Sprintf("exit status %d", int(e)) }

func main() {
	var c commands
	parser := kong.Must(&c,
		kong.Name("naru"),
		kong.Description("A self-hosted payment integrator: Google Standard Payments in front, card and bank rails behind."),
		kong.UsageOnError(),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Exit(func(status int) {
			if status != 0 {
				status = statusUsage
			}
			os.Exit(status)
		}),
	)
	if err := syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}); err != nil { // a core dump would hold card data in clear
		parser.Fatalf("core dumps cannot be switched off: %v", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	parsed, err := parser.Parse(os.Args[1:])
	parser.FatalIfErrorf(err)
	parsed.BindTo(ctx, (*context.Context)(nil))
	if err := parsed.Run(); err != nil {
		if status := exit(0); errors.As(err, &status) {
			os.Exit(int(status))
		}
		fmt.Fprintln(os.Stderr, "naru:", err)
		os.Exit(statusFailed)
	}
}
