package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/alecthomas/kong"

	"naru/seal"
	"naru/vault"
)

const keysHelp = `A ring is a folder of files FINGERPRINT.STATE.asc: one ring for our private keys, one for the public keys Google gave us.

pending: accepted, not used yet. active: accepted and used. retiring: accepted, no longer used. revoked: refused.

A running server takes a change up within seconds.`

// keysCmd leads the life of the keys of one ring (gsp-core §2.4).
type keysCmd struct {
	Ring           string `type:"path" placeholder:"DIR" help:"Folder of the keys, one file each; needed by all but kek."`
	PassphraseFile string `type:"existingfile" placeholder:"FILE" help:"File with the passphrase that locks private keys."`

	Generate keysGenerate `cmd:"" help:"Make an RSA key for us: the primary key signs, a subkey decrypts, both expire."`
	List     keysList     `cmd:"" help:"Show the keys with their states; marks 60, 30 and 7 days before a key expires."`
	Import   keysImport   `cmd:"" help:"Add keys from an OpenPGP file, or renew those the ring has."`
	Export   keysExport   `cmd:"" help:"Write public halves, for Google."`
	State    keysState    `cmd:"" help:"Change what a key may do."`
	KEK      keysKEK      `cmd:"" name:"kek" help:"Make the key-encryption key of a database."`
}

// AfterApply asks for the ring where a command needs one.
func (c *keysCmd) AfterApply(ctx *kong.Context) error {
	if c.Ring == "" && ctx.Selected() != nil && ctx.Selected().Name != "kek" {
		return errors.New("missing flags: --ring=DIR")
	}
	return nil
}

// keysKEK makes the one key that never stands in the database (design: card data).
type keysKEK struct {
	File string `arg:"" type:"path" help:"Where to write it, mode 0600. Keep a copy elsewhere: without it what is sealed is lost."`
}

// Run refuses to overwrite: a database that was made with another key would never open again.
func (k keysKEK) Run() error {
	f, err := os.OpenFile(k.File, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("key-encryption key: %w", err)
	}
	_, err = f.WriteString(vault.NewKEK())
	return errors.Join(err, f.Sync(), f.Close())
}

func (keysCmd) Help() string { return keysHelp }

func (c *keysCmd) open() (*seal.Ring, error) { return seal.LoadLockedRing(c.Ring, c.PassphraseFile) }

type keysGenerate struct {
	Name  string     `required:"" help:"Who we are, such as \"Example Pay GSP production\"."`
	Email string     `help:"Address beside the name."`
	Bits  int        `default:"2048" enum:"2048,3072,4096" help:"Size: ${enum}."`
	Days  int        `default:"365" help:"Days until it expires, two years at most."`
	State seal.State `default:"pending" enum:"pending,active" help:"${enum}. A successor is pending until Google has it."`
}

// Run makes the folder too: generate is the first thing anybody does.
func (g keysGenerate) Run(c *keysCmd, ctx *kong.Context) error {
	ring, err := seal.CreateRing(c.Ring, c.PassphraseFile)
	if err != nil {
		return err
	}
	now := time.Now()
	key, err := ring.Generate(seal.KeyOptions{
		Name: g.Name, Email: g.Email, Bits: g.Bits, Lifetime: time.Duration(g.Days) * 24 * time.Hour, Now: now,
	}, g.State)
	if err != nil {
		return err
	}
	return seal.WriteTable(ctx.Stdout, []seal.Key{key}, now)
}

type keysList struct{}

func (keysList) Run(c *keysCmd, ctx *kong.Context) error {
	ring, err := c.open()
	if err != nil {
		return err
	}
	return seal.WriteTable(ctx.Stdout, ring.Keys(), time.Now())
}

type keysImport struct {
	File  string     `arg:"" type:"existingfile" help:"Armored or binary OpenPGP keys."`
	State seal.State `default:"pending" enum:"pending,active" help:"State of a key that is new to the ring: ${enum}."`
}

func (i keysImport) Run(c *keysCmd, ctx *kong.Context) error {
	text, err := os.ReadFile(i.File)
	if err != nil {
		return err
	}
	ring, err := seal.CreateRing(c.Ring, c.PassphraseFile)
	if err != nil {
		return err
	}
	keys, err := ring.Import(text, i.State)
	if err != nil {
		return err
	}
	return seal.WriteTable(ctx.Stdout, keys, time.Now())
}

type keysExport struct {
	IDs []string `arg:"" optional:"" name:"key" help:"Fingerprints, or their last 8 digits; all but revoked ones if none."`
	Out string   `short:"o" type:"path" placeholder:"FILE" help:"Write to this file instead of standard output."`
}

func (e keysExport) Run(c *keysCmd, ctx *kong.Context) error {
	ring, err := c.open()
	if err != nil {
		return err
	}
	if e.Out == "" {
		return ring.Export(ctx.Stdout, e.IDs...)
	}
	var text bytes.Buffer
	if err := ring.Export(&text, e.IDs...); err != nil {
		return err
	}
	return os.WriteFile(e.Out, text.Bytes(), 0o644)
}

type keysState struct {
	ID    string     `arg:"" name:"key" help:"Fingerprint, or its last 8 or more digits."`
	State seal.State `arg:"" enum:"pending,active,retiring,revoked" help:"${enum}."`
}

func (s keysState) Run(c *keysCmd, ctx *kong.Context) error {
	ring, err := c.open()
	if err != nil {
		return err
	}
	key, err := ring.SetState(s.ID, s.State)
	if err != nil {
		return err
	}
	if usable(ring.Keys(), time.Now()) == 0 {
		fmt.Fprintln(ctx.Stderr, "warning: no key of this ring is active and unexpired; nothing can be sealed with it")
	}
	return seal.WriteTable(ctx.Stdout, []seal.Key{key}, time.Now())
}

func usable(keys []seal.Key, now time.Time) (n int) {
	for _, k := range keys {
		if k.State == seal.Active && k.Alarm(now) != "EXPIRED" {
			n++
		}
	}
	return n
}
