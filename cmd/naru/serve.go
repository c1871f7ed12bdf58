package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"

	"naru/clock"
	"naru/crash"
	"naru/platform"
)

type serveCmd struct {
	Config  string `required:"" type:"existingfile" placeholder:"FILE" help:"Configuration file; docs/operate/naru.example.toml shows every key."`
	Store   string `placeholder:"PLACE" help:"Database to use instead of the one in the file: a path, or postgres://user@host/name."`
	Check   bool   `help:"Read the configuration, report every problem, and end."`
	CrashAt string `placeholder:"NAME:N" help:"Die the Nth time a kill point is passed (sandbox only; for tests)."`
}

func (c serveCmd) Run(ctx context.Context) error {
	cfg, err := platform.LoadAt(c.Config, c.Store)
	if err != nil {
		return err
	}
	if c.Check {
		fmt.Println("the configuration is good")
		return nil
	}
	hook := crash.Hook(crash.Never)
	if c.CrashAt != "" {
		if !cfg.Sandbox() {
			return errors.New("--crash-at is for the sandbox environment only")
		}
		if hook, err = crash.At(c.CrashAt, crash.Die); err != nil {
			return err
		}
	}
	if os.Getenv("GOGC") == "" { // the live heap is small: collecting it less often costs little memory and saves CPU
		debug.SetGCPercent(400)
	}
	log := platform.Logger(os.Stderr, cfg.Log)
	slog.SetDefault(log)
	p, err := platform.Start(ctx, cfg, platform.World{Clock: &clock.Movable{}, Crash: hook, Log: log})
	if err != nil {
		return err
	}
	log.Info("ready", "gsp", p.GSPAddr, "merchants", p.APIAddr, "pay", p.PayAddr, "admin", p.AdminAddr, "webhooks", p.HookAddr,
		"environment", cfg.Environment)
	return p.Wait()
}
