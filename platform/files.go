package platform

import (
	"bytes"
	"context"
	"fmt"
	"iter"
	"log/slog"
	"os"

	"golang.org/x/crypto/ssh"

	"naru/core/settlement"
	"naru/drop"
	"naru/engine"
	"naru/outbox"
	"naru/protocol/gsp/cards"
	"naru/seal"
)

// files lets the outbox deliver settlements as files: written, sealed as a message would be, and handed over (Korea Cards v1 §6).
// A file that is handed over twice has the same name and the same content under another seal.
type files struct {
	settlements
	box   *seal.Box
	place drop.Place
	name  string
	log   *slog.Logger
}

// page is how many items are read at a time.
const page = 1000

// Send implements outbox.Sender.
func (f files) Send(ctx context.Context, n engine.Notice) outbox.Result {
	s, err := f.Settlement(ctx, n.Facts.OwnID)
	if err != nil {
		return f.later("unreadable", err)
	}
	head := cards.FileHeader{RequestID: n.ID, At: s.ClosedAt}
	name, err := cards.SettlementFileName(f.name, head, s)
	if err != nil {
		return f.never(err)
	}
	var plain bytes.Buffer
	if err := cards.WriteSettlementFile(&plain, head, s, f.all(ctx, s)); err != nil {
		return f.never(err)
	}
	sealed, err := f.box.Seal(plain.Bytes())
	if err != nil {
		return f.later("not sealed", err)
	}
	if err := f.place.Put(ctx, name, sealed); err != nil {
		return f.later("not handed over", err)
	}
	return outbox.Result{Class: outbox.Delivered, Word: "handed over"}
}

func (f files) later(word string, err error) outbox.Result {
	f.log.Error("a settlement file cannot be handed over; it is tried again", "error", err)
	return outbox.Result{Class: outbox.Repeat, Word: word}
}

// never: what is stored is not what must be told. A person must look before anything leaves.
func (f files) never(err error) outbox.Result {
	f.log.Error("a settlement cannot be written", "error", err)
	return outbox.Result{Class: outbox.Park, Word: "not as it must be", Alert: true}
}

func (f files) all(ctx context.Context, s settlement.Settlement) iter.Seq2[settlement.Item, error] {
	return func(yield func(settlement.Item, error) bool) {
		for at := int64(0); at < s.Items; at += page {
			list, err := f.settlements.Items(ctx, s.ID, at, page)
			if err != nil {
				yield(settlement.Item{}, err)
				return
			}
			for _, i := range list {
				if !yield(i, nil) {
					return
				}
			}
		}
	}
}

// drop is a place of the configuration.
func (c Config) drop(name string, d Drop) (drop.Place, error) {
	if d.Folder != "" {
		dir := c.file(d.Folder)
		return drop.Folder(dir), os.MkdirAll(dir, 0o700)
	}
	text, err := os.ReadFile(c.file(d.Key))
	if err != nil {
		return nil, fmt.Errorf("%s: key: %w", name, err)
	}
	key, err := ssh.ParsePrivateKey(text)
	if err != nil {
		return nil, fmt.Errorf("%s: key: %w", name, err)
	}
	if text, err = os.ReadFile(c.file(d.HostKey)); err != nil {
		return nil, fmt.Errorf("%s: host_key: %w", name, err)
	}
	host, _, _, _, err := ssh.ParseAuthorizedKey(text)
	if err != nil {
		return nil, fmt.Errorf("%s: host_key: %w", name, err)
	}
	return drop.SFTP{Address: d.SFTP, User: d.User, Key: key, Host: host, Dir: d.Dir, Timeout: d.Timeout.Duration}, nil
}
