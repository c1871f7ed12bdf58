package platform

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"naru/core/money"
	"naru/core/settlement"
	"naru/drop"
	"naru/engine"
	"naru/rail/clearing"
)

// exchange is the pair of folders in which an acquirer and we leave files for each other (rails §4.2, §4.3). How they travel, by an SFTP
// server or a mounted folder, is not its business. A file that was taken goes to done/, one that must not be taken to quarantine/.
type exchange struct {
	acquirer  string // the link
	id        string // how the acquirer calls itself in file names
	merchants []string
	zone      *time.Location
	inbox     string
	outbox    drop.Place
	every     time.Duration
	engine    *engine.Engine
	log       *slog.Logger
}

// The folders below the inbox.
const (
	doneFolder       = "done"
	quarantineFolder = "quarantine"
)

// largestFile bounds what is read into memory.
const largestFile = 256 << 20

// Run looks into the inbox again and again, until ctx ends.
func (x *exchange) Run(ctx context.Context) error {
	for _, dir := range []string{x.inbox, filepath.Join(x.inbox, doneFolder), filepath.Join(x.inbox, quarantineFolder)} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	tick := time.NewTicker(x.every)
	defer tick.Stop()
	for {
		if err := x.scan(ctx); err != nil && ctx.Err() == nil {
			x.log.Error("the acquirer's files cannot be taken; they stay where they are", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// scan takes every complete file, in the order of names: that of days and sequence numbers.
func (x *exchange) scan(ctx context.Context) error {
	entries, err := os.ReadDir(x.inbox)
	if err != nil {
		return err
	}
	var names []string
	for _, e := range entries {
		if e.Type().IsRegular() && strings.HasSuffix(e.Name(), ".csv") {
			names = append(names, e.Name())
		}
	}
	return inOrder(names, func(name string) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return x.take(context.WithoutCancel(ctx), name)
	})
}

// inOrder takes files one after the other. One that cannot be taken now holds up its merchant's later ones, and nobody else's.
func inOrder(names []string, take func(string) error) error {
	var problems []error
	waits := map[string]bool{}
	for _, name := range names {
		merchant := merchantOf(name)
		if waits[merchant] {
			continue
		}
		if err := take(name); err != nil {
			waits[merchant] = true
			problems = append(problems, fmt.Errorf("%s: %w", name, err))
		}
	}
	return errors.Join(problems...)
}

// take takes one file into account and puts it away. Until it is put away it will be taken again: taking twice changes nothing.
func (x *exchange) take(ctx context.Context, name string) error {
	path := filepath.Join(x.inbox, name)
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.Size() > largestFile {
		return x.refuse(ctx, name, "", "larger than 256 MiB")
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(text)
	hash, contract := hex.EncodeToString(sum[:]), clearing.Contract{Acquirer: x.id, Merchant: merchantOf(name), Zone: x.zone}
	if !slices.Contains(x.merchants, contract.Merchant) {
		return x.refuse(ctx, name, hash, "its name has no merchant of ours")
	}
	if strings.HasPrefix(name, string(clearing.CaptureAnswers)+"_") {
		answer, err := clearing.ParseCaptureAnswer(name, text, contract)
		if err != nil {
			return x.refuse(ctx, name, hash, err.Error())
		}
		if err := x.engine.TakeAnswer(ctx, x.answered(answer)); err != nil {
			return err
		}
		return x.away(name, doneFolder)
	}
	f, err := clearing.Parse(name, text, contract)
	if err != nil {
		return x.refuse(ctx, name, hash, err.Error())
	}
	taken, err := x.engine.TakeFile(ctx, x.file(f, hash))
	if err != nil {
		return err
	}
	x.log.Info("an acquirer's file was taken", "file", name, "state", taken.State, "records", taken.Records, "exceptions", taken.Exceptions)
	if taken.State == engine.FileQuarantined {
		return x.away(name, quarantineFolder)
	}
	return x.away(name, doneFolder)
}

// merchantOf is the third part of a file's name (rails §4.3). The reader of the file checks the rest.
func merchantOf(name string) string {
	parts := strings.Split(name, "_")
	if len(parts) != 5 {
		return ""
	}
	return parts[2]
}

func (x *exchange) refuse(ctx context.Context, name, hash, why string) error {
	if _, err := x.engine.Quarantine(ctx, engine.ClearingFile{Acquirer: x.acquirer, Name: name, SHA256: hash}, why); err != nil {
		return err
	}
	return x.away(name, quarantineFolder)
}

// away puts a file where it was taken from no more. One of the same name that lies there already stays.
func (x *exchange) away(name, folder string) error {
	target := filepath.Join(x.inbox, folder, name)
	for n := 1; ; n++ {
		if _, err := os.Lstat(target); errors.Is(err, fs.ErrNotExist) {
			return os.Rename(filepath.Join(x.inbox, name), target)
		}
		target = filepath.Join(x.inbox, folder, fmt.Sprintf("%s.%d", name, n))
	}
}

// file is a settlement or dispute file in the engine's terms.
func (x *exchange) file(f clearing.File, hash string) engine.ClearingFile {
	out := engine.ClearingFile{
		Acquirer: x.acquirer, Name: f.Name, Kind: string(f.Kind), Merchant: merchantOf(f.Name), Day: strings.ReplaceAll(f.BusinessDate, "-", ""),
		Seq: int64(f.Seq), SHA256: hash, Currency: f.Currency, Gross: f.Gross, Fees: f.Fees, Tax: f.Tax, Net: f.Net,
	}
	for _, r := range f.Records {
		own := func(minor int64) money.Amount { return money.New(minor, f.Currency) }
		in := r.TxnCurrency
		if in == (money.Currency{}) {
			in = f.Currency
		}
		out.Records = append(out.Records, engine.ClearingRecord{
			Line: int64(r.RecNo), Type: string(r.Type), ID: r.EventID, Original: r.OrigEventID, RRN: r.RRN, Approval: r.AuthCode, ARN: r.ARN,
			NetworkID: r.NetworkTxnID, Brand: r.Brand, Reference: r.MerchantRef, At: r.At, Txn: money.New(r.Txn, in), Gross: own(r.Gross),
			Fees: own(r.Interchange + r.Scheme + r.AcquirerFee), Tax: own(r.Tax), Stage: r.Stage, Case: r.Case, Reason: r.DisputeReason(),
			RawCode: r.Reason, ReplyBy: r.ReplyBy, Result: r.Result, Text: r.Text, Digest: r.Digest,
		})
	}
	for _, r := range f.Rejected {
		out.Rejected = append(out.Rejected, engine.ClearingReject{Line: int64(r.RecNo), ID: r.EventID, Reason: string(r.Reason)})
	}
	return out
}

// answered is an answer to a capture file in the engine's terms.
func (x *exchange) answered(a clearing.CaptureAnswer) engine.CaptureAnswer {
	out := engine.CaptureAnswer{
		Acquirer: x.acquirer, File: clearing.CaptureName(x.id, merchantOf(a.Name), a.BusinessDate, a.Seq),
	}
	for _, v := range a.Verdicts {
		out.Lines = append(out.Lines, engine.CaptureAnswerLine{
			Line: int64(v.RecNo), Code: v.Result, ARN: v.ARN, Day: strings.ReplaceAll(v.SettlementDate, "-", ""), Reason: v.Text,
		})
	}
	for _, r := range a.Rejected {
		x.log.Error("a line of a capture file's answer cannot be read; its item stays open", "file", a.Name, "record", r.RecNo, "reason", r.Reason)
	}
	return out
}

// Name implements engine.CaptureFiles.
func (x *exchange) Name(merchant, day string, seq int64) string {
	return clearing.CaptureName(x.id, strings.TrimSpace(merchant), dashed(day), int(seq))
}

// Put implements engine.CaptureFiles.
func (x *exchange) Put(ctx context.Context, f engine.CaptureFile, lines []engine.CaptureLine) error {
	out := clearing.CaptureFile{
		Acquirer: x.id, Merchant: strings.TrimSpace(f.Merchant), BusinessDate: dashed(f.Day), Seq: int(f.Seq), Currency: money.Of(f.Currency),
		CreatedAt: f.At.In(x.zone),
	}
	for _, l := range lines {
		item := clearing.CaptureItem{
			Op: clearing.CAP, PaymentRef: l.Payment, RRN: l.Trace.RRN, STAN: l.Trace.STAN, SentDE7: l.Trace.At.UTC().Format("0102150405"),
			AuthCode: l.Approval, NetworkTxnID: l.NetworkID, Amount: l.Amount.Minor(), OriginalRRN: l.OriginalRRN, TxnAt: l.At.In(x.zone),
		}
		if l.Refund {
			item.Op, item.OriginalDate = clearing.REF, dashed(l.OriginalDay)
		}
		out.Items = append(out.Items, item)
	}
	return x.outbox.Put(ctx, f.Name, clearing.WriteCapture(out))
}

// dashed writes a day as files do: 2026-11-22.
func dashed(day string) string {
	if len(day) != 8 {
		return ""
	}
	return day[:4] + "-" + day[4:6] + "-" + day[6:]
}

// settlements lets the protocol read what it must tell of a settlement.
type settlements struct{ store engine.Store }

// Settlement is one settlement.
func (s settlements) Settlement(ctx context.Context, id string) (found settlement.Settlement, err error) {
	err = s.store.View(ctx, func(v engine.Reader) error {
		var ok bool
		if found, ok, err = v.Settlement(id); err == nil && !ok {
			err = engine.ErrNotFound
		}
		return err
	})
	return found, err
}

// Items are those of a settlement, in order.
func (s settlements) Items(ctx context.Context, id string, offset, limit int64) (list []settlement.Item, err error) {
	err = s.store.View(ctx, func(v engine.Reader) error {
		list, err = v.Items(id, offset, limit)
		return err
	})
	return list, err
}
