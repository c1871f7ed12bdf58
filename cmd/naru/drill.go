package main

import (
	"context"
	"os"
	"time"

	"naru/drill"
)

type drillCmd struct {
	Drills       []string      `arg:"" optional:"" help:"Which: primary, node, partition, standby; all where none is named."`
	JSON         string        `name:"json" type:"path" placeholder:"FILE" help:"Write the report there too."`
	Seconds      float64       `default:"4" help:"Load before something ends, and after it is mended."`
	PerSecond    float64       `default:"20" help:"Requests a second."`
	Lease        time.Duration `default:"10s" help:"Of a node."`
	Asynchronous bool          `help:"Lose the primary where commits do not wait for its replica, and see what is lost."`
}

// Help says what is played.
func (drillCmd) Help() string {
	return "Runs PostgreSQL, two nodes and an acquirer on loopback, ends or cuts off one of them under load, and proves that everything " +
		"that was acknowledged is found again. Exit status: 0 nothing was lost, 1 a drill failed."
}

// Run plays and reports.
func (c drillCmd) Run(ctx context.Context) error {
	binary, err := os.Executable()
	if err != nil {
		return err
	}
	r, err := drill.Run(ctx, drill.Options{
		Binary: binary, Only: c.Drills, Asynchronous: c.Asynchronous, Load: time.Duration(c.Seconds * float64(time.Second)),
		PerSecond: c.PerSecond, Lease: c.Lease, Progress: os.Stderr,
	})
	if err != nil {
		return err
	}
	if err := printed(r, c.JSON); err != nil {
		return err
	}
	if !r.OK() {
		return exit(statusFailed)
	}
	return nil
}
