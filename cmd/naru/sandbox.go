package main

import (
	"context"
	"os"

	"naru/sandbox"
)

type sandboxCmd struct {
	Data     string `type:"path" placeholder:"DIR" help:"Where keys and records are kept; a temporary folder, removed at the end."`
	Store    string `placeholder:"URL" help:"Keep the books in this PostgreSQL database, of this DIR alone (postgres://user@host/name)."`
	PortBase int    `default:"7440" placeholder:"N" help:"First port (${default}); 0 takes free ones."`
	Seed     int64  `default:"1" placeholder:"N" help:"Seed of the simulators and the story, never of keys (${default})."`
	Demo     bool   `default:"true" negatable:"" help:"Play one payment of each kind at the start (yes)."`
	Once     bool   `help:"Play, compare the records of Google, the ledger and the acquirer, and end: 0 only if all agree."`
}

func (sandboxCmd) Help() string {
	return "Everything is on loopback: GSP on the first port, Google +1, control +3, admin +4, acquirer +7. " +
		"DIR/sandbox.json tells clients where; DIR/naru.toml runs the same integrator alone (naru serve)."
}

func (c sandboxCmd) Run(ctx context.Context) error {
	return sandbox.Run(ctx, sandbox.Options{
		Dir: c.Data, Store: c.Store, PortBase: c.PortBase, Seed: c.Seed, Demo: c.Demo, Once: c.Once, Out: os.Stdout,
	})
}
