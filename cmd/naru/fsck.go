package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"naru/fsck"
	"naru/platform"
	"naru/vault"
)

type fsckCmd struct {
	Config string `type:"existingfile" placeholder:"FILE" xor:"where" help:"Configuration file that names the database and its key."`
	DB     string `name:"db" placeholder:"PLACE" xor:"where" help:"Database, which may be in use: a path, or postgres://user@host/name."`
	KEK    string `name:"kek" type:"existingfile" placeholder:"FILE" help:"Key-encryption key. Without it, what needs keys is not checked."`
	JSON   bool   `name:"json" help:"Print the report as JSON."`
	Strict bool   `help:"Take warnings for errors."`
}

// Exit statuses of fsck: 0 is clean.
const (
	statusFindings   = 1
	statusNotChecked = 2
)

// Help says what the exit status means.
func (fsckCmd) Help() string {
	return "Reads the database without changing it. Exit status: 0 no errors, 1 errors found, 2 the database could not be checked."
}

// Run reads and reports.
func (c fsckCmd) Run(ctx context.Context) error {
	report, err := c.read(ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, "naru:", err)
		return exit(statusNotChecked)
	}
	if c.JSON {
		out := json.NewEncoder(os.Stdout)
		out.SetIndent("", "  ")
		err = out.Encode(report)
	} else {
		_, err = report.WriteTo(os.Stdout)
	}
	switch {
	case err != nil:
		return err
	case !report.OK():
		return exit(statusFindings)
	}
	return nil
}

func (c fsckCmd) read(ctx context.Context) (fsck.Report, error) {
	db, kek, password := c.DB, c.KEK, ""
	switch {
	case c.Config != "":
		cfg, err := platform.Load(c.Config)
		if err != nil {
			return fsck.Report{}, err
		}
		db = cfg.Database()
		if password, err = cfg.Password(); err != nil {
			return fsck.Report{}, err
		}
		if kek == "" {
			kek = cfg.KEK()
		}
	case db == "":
		return fsck.Report{}, errors.New("name the database with --db, or the configuration with --config")
	}
	o := fsck.Options{Database: db, Password: password, Strict: c.Strict}
	if kek != "" {
		key, err := vault.ReadKEK(kek)
		if err != nil {
			return fsck.Report{}, err
		}
		o.KEK = key
	}
	return fsck.Run(ctx, o)
}
