package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"

	"naru/rail/iso8583"
	"naru/rail/iso8583/sim"
	upi "naru/rail/upi/sim"
)

// The peers of a measurement, by the names of their commands.
const (
	acquirerPeer   = "acquirer"
	payoutBankPeer = "payout-bank"
)

// Acquirer runs the simulated acquirer until in ends, so that its work does not count as the server's.
func Acquirer(ctx context.Context, in io.Reader, out io.Writer) error {
	dialect, err := iso8583.LoadProfile(iso8583.DefaultProfile)
	if err != nil {
		return err
	}
	host, err := sim.Start(ctx, sim.Config{Profile: dialect, Address: "127.0.0.1:0", Polite: true})
	if err != nil {
		return err
	}
	return serve(in, out, host.Addr(), host.Close)
}

// The account at the payout bank, and what our calls carry. Nobody else can reach it.
const (
	bankUser, bankSecret = "bench", "bench"
	bankAccount          = "7878780080316316"
	bankOpening          = 1 << 50 // paise: it never runs dry
)

// PayoutBank runs the simulated payout bank until in ends.
func PayoutBank(ctx context.Context, in io.Reader, out io.Writer) error {
	host, err := upi.Start(ctx, upi.Config{
		Address: "127.0.0.1:0", KeyID: bankUser, KeySecret: bankSecret, Polite: true,
		Accounts: []upi.Account{{Number: bankAccount, Opening: bankOpening}},
	})
	if err != nil {
		return err
	}
	return serve(in, out, host.URL(), host.Close)
}

// serve tells where a peer listens, and ends it when in does.
func serve(in io.Reader, out io.Writer, address string, end func() error) error {
	_, err := fmt.Fprintln(out, address)
	if err == nil {
		_, err = io.Copy(io.Discard, in)
	}
	return errors.Join(err, end())
}

// peer is a simulator in a process of its own.
type peer struct {
	address string
	process *exec.Cmd
	hangUp  io.Closer // ends it
}

func startPeer(ctx context.Context, binary, name string) (*peer, error) {
	p := &peer{process: exec.CommandContext(ctx, binary, "bench", name)}
	in, err := p.process.StdinPipe()
	if err != nil {
		return nil, err
	}
	p.hangUp = in
	out, err := p.process.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.process.Start(); err != nil {
		return nil, err
	}
	if _, err := fmt.Fscanln(out, &p.address); err != nil {
		return nil, errors.Join(fmt.Errorf("bench %s did not start: %w", name, err), p.close())
	}
	return p, nil
}

func (p *peer) close() error { return errors.Join(p.hangUp.Close(), p.process.Wait()) }
