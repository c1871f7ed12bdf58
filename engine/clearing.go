package engine

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"naru/core/ledger"
	"naru/core/money"
	"naru/core/payment"
	"naru/core/settlement"
	"naru/crash"
)

// A ClearingFile is what an acquirer says of a day: every record that could be read, and those that could not (rails §4.3). Whoever read it
// has checked its counts, sums and hash.
type ClearingFile struct {
	Acquirer, Name, Kind, Merchant string
	Day                            string // YYYYMMDD
	Seq                            int64
	SHA256                         string
	Currency                       money.Currency
	Gross, Fees, Tax, Net          int64
	Records                        []ClearingRecord
	Rejected                       []ClearingReject
}

// ClearingReject is a line that could not be read.
type ClearingReject struct {
	Line   int64
	ID     string
	Reason string
}

// ClearingRecord is one line of a file. Amounts are signed: plus = the acquirer owes us.
type ClearingRecord struct {
	Line               int64
	Type               string // CAP, REF, RRF, RSV, INQ, CHB, CBR, FRD, ARN, REJ, FEE, ADJ, PAY
	ID, Original       string // the acquirer's event ids
	RRN, Approval, ARN string
	NetworkID, Brand   string
	Reference          string // what we sent along: our id of the payment
	At                 time.Time
	Txn                money.Amount // in the currency of the purchase
	Gross, Fees, Tax   money.Amount
	Stage              payment.Stage
	Case               string
	Reason             payment.DisputeReason
	RawCode            string
	ReplyBy            time.Time
	Result, Text       string
	Digest             string // of the line's content
}

// What became of a record.
const (
	applied   = "APPLIED"
	exception = "EXCEPTION"
)

// The states of an acquirer's file.
const (
	FileLoaded      = "LOADED"
	FileQuarantined = "QUARANTINED"
)

// TakeFile takes a file into account, record by record, each in a transaction of its own: what was taken before is skipped, so a file may be
// read any number of times, and a reading that died goes on where it ended. A record that fits nothing is a case, and spoils no other.
func (e *Engine) TakeFile(ctx context.Context, f ClearingFile) (AcquirerFile, error) {
	done := AcquirerFile{
		Acquirer: f.Acquirer, Name: f.Name, Kind: f.Kind, Merchant: f.Merchant, Day: f.Day, Seq: f.Seq, SHA256: f.SHA256, State: FileLoaded,
		Currency: f.Currency.Code(), Records: int64(len(f.Records)), Gross: f.Gross, Fees: f.Fees, Tax: f.Tax, Net: f.Net, At: e.clock.Now(),
	}
	known, why, err := e.knownFile(ctx, f)
	switch {
	case err != nil:
		return done, err
	case why != "":
		return e.Quarantine(ctx, f, why)
	case known: // the process may have died before it looked for what is missing
		return done, e.missing(ctx, f)
	}
	for _, r := range f.Records {
		if err := e.takeRecord(ctx, f, r); err != nil {
			return done, fmt.Errorf("%s, record %d: %w", f.Name, r.Line, err)
		}
		e.crash(crash.RecordTaken)
	}
	err = e.store.Update(ctx, func(tx Tx) error {
		done.Exceptions = int64(len(f.Rejected))
		for _, r := range f.Rejected {
			err := e.openNow(tx, Case{
				ID: fmt.Sprintf("acquirer-line/%s/%s/%d", f.Acquirer, f.Name, r.Line), Kind: "acquirer-line", At: e.clock.Now(),
				Detail: fmt.Sprintf("file=%s line=%d: %s", f.Name, r.Line, r.Reason),
			})
			if err != nil {
				return err
			}
		}
		for _, r := range f.Records {
			if v, _, err := tx.AcquirerEvent(f.Acquirer, r.ID); err != nil {
				return err
			} else if v.Outcome == exception || v.Digest != r.Digest {
				done.Exceptions++
			}
		}
		return tx.PutAcquirerFile(done)
	})
	if err != nil {
		return done, err
	}
	e.crash(crash.FileTaken)
	e.Notices.Ring()
	e.contest.Ring()
	return done, e.missing(ctx, f)
}

// knownFile tells whether a file was taken before, and why it must not be.
func (e *Engine) knownFile(ctx context.Context, f ClearingFile) (known bool, why string, err error) {
	err = e.store.View(ctx, func(v Reader) error {
		old, ok, err := v.AcquirerFile(f.Acquirer, f.Name)
		if err != nil {
			return err
		}
		if ok && old.State == FileLoaded {
			if known = old.SHA256 == f.SHA256; !known {
				why = "a file of this name was loaded with other content"
			}
			return nil
		}
		old, ok, err = v.AcquirerFileBySeq(f.Acquirer, f.Merchant, f.Kind, f.Day, f.Seq)
		if err == nil && ok && old.SHA256 != f.SHA256 {
			why = "this sequence number was loaded with other content"
		}
		return err
	})
	return known, why, err
}

// Quarantine notes a file that must not be taken into account, and tells a person why. A loaded file of the same name stays loaded.
func (e *Engine) Quarantine(ctx context.Context, f ClearingFile, why string) (AcquirerFile, error) {
	now := e.clock.Now()
	bad := AcquirerFile{
		Acquirer: f.Acquirer, Name: f.Name, Kind: f.Kind, Merchant: f.Merchant, Day: f.Day, Seq: f.Seq, SHA256: f.SHA256,
		State: FileQuarantined, Reason: why, Currency: f.Currency.Code(), At: now,
	}
	return bad, e.store.Update(ctx, func(tx Tx) error {
		old, ok, err := tx.AcquirerFile(f.Acquirer, f.Name)
		if err != nil {
			return err
		}
		if !ok || old.State != FileLoaded {
			if err := tx.PutAcquirerFile(bad); err != nil {
				return err
			}
		}
		return e.openNow(tx, Case{
			ID: "acquirer-file/" + f.Acquirer + "/" + f.Name + "/" + short(f.SHA256), Kind: "acquirer-file", At: now, Detail: "file=" + f.Name + ": " + why,
		})
	})
}

// short is the beginning of a digest: enough to tell two apart, and too few digits to look like a card number.
func short(digest string) string { return digest[:min(12, len(digest))] }

func (e *Engine) takeRecord(ctx context.Context, f ClearingFile, r ClearingRecord) error {
	now := e.clock.Now()
	return e.store.Update(ctx, func(tx Tx) error {
		old, known, err := tx.AcquirerEvent(f.Acquirer, r.ID)
		if err != nil {
			return err
		}
		if known {
			if old.Digest == r.Digest {
				return nil
			}
			return e.openNow(tx, Case{
				ID: "acquirer-event-changed/" + f.Acquirer + "/" + r.ID + "/" + short(r.Digest), Kind: "acquirer-event-changed", Payment: old.Payment,
				Detail: fmt.Sprintf("file=%s line=%d event=%s was told before with other content", f.Name, r.Line, r.ID), At: now,
			})
		}
		done := AcquirerEvent{
			Acquirer: f.Acquirer, ID: r.ID, File: f.Name, Line: r.Line, Type: r.Type, Digest: r.Digest, Outcome: applied,
			Currency: f.Currency.Code(), Gross: r.Gross.Minor(), Fees: r.Fees.Minor(), Tax: r.Tax.Minor(), At: now,
		}
		do, ok := takers[r.Type]
		if !ok {
			return e.except(tx, done, "unknown record type", "")
		}
		wrong, err := do(e, tx, record{file: f, ClearingRecord: r, now: now, done: &done})
		if err != nil {
			return err
		}
		if wrong != "" {
			return e.except(tx, done, wrong, done.Payment)
		}
		return tx.InsertAcquirerEvent(done)
	})
}

// except notes a record that fits nothing.
func (e *Engine) except(tx Tx, done AcquirerEvent, why, about string) error {
	done.Outcome, done.Reason, done.Payment, done.Object = exception, why, "", ""
	if err := tx.InsertAcquirerEvent(done); err != nil {
		return err
	}
	return e.openNow(tx, Case{
		ID: "acquirer-record/" + done.Acquirer + "/" + done.ID, Kind: "acquirer-record", Payment: about, At: done.At,
		Detail: fmt.Sprintf("file=%s line=%d type=%s event=%s: %s", done.File, done.Line, done.Type, done.ID, why),
	})
}

// openNow opens a case and tells of it, once, although the transaction may run again.
func (e *Engine) openNow(tx Tx, c Case) error {
	old, known, err := tx.Case(c.ID)
	if err != nil || known && old.ID != "" {
		return err
	}
	if _, told := e.told.LoadOrStore(c.ID, true); !told {
		e.reportCase(c)
	}
	return tx.OpenCase(c)
}

// A record on its way into the books.
type record struct {
	file ClearingFile
	ClearingRecord
	now    time.Time
	done   *AcquirerEvent
	detail string // for the journal, beside where the record stands
}

// takers is what each type of record does (rails §4.3). The word that each returns says why the record fits nothing; then nothing was written.
var takers = map[string]func(*Engine, Tx, record) (string, error){
	"CAP": ofPayment((*Engine).takeCapture),
	"REF": (*Engine).takeRefund,
	"RRF": (*Engine).takeReturn,
	"RSV": (*Engine).takeReservation,
	"INQ": ofPayment((*Engine).takeDispute),
	"CHB": ofPayment((*Engine).takeDispute),
	"CBR": ofPayment((*Engine).takeWin),
	"FRD": ofPayment((*Engine).takeFraud),
	"ARN": (*Engine).takeARN,
	"REJ": ofPayment((*Engine).takeReject),
	"FEE": (*Engine).takeFee,
	"ADJ": (*Engine).takeAdjustment,
	"PAY": (*Engine).takePayment,
}

// ofPayment takes a record that speaks of a captured payment.
func ofPayment(do func(*Engine, Tx, record, taken) (string, error)) func(*Engine, Tx, record) (string, error) {
	return func(e *Engine, tx Tx, r record) (string, error) {
		p, ok, err := e.paid(tx, r)
		if err != nil {
			return "", err
		}
		if !ok {
			return unknownPayment, nil
		}
		return do(e, tx, r, p)
	}
}

// paid finds the payment that a record speaks of: by reference number and approval code, by ARN, by our own reference, by the network's
// identifier and the amount, in this order (rails §4.3); last by the earlier record that it names. Whatever found it, it is a payment of the
// file's merchant that went over the file's link: a file speaks of nobody else's.
func (e *Engine) paid(tx Tx, r record) (p taken, found bool, err error) {
	for _, look := range []func(*Engine, Tx, record) ([]Capture, error){
		(*Engine).byRRN, (*Engine).byARN, (*Engine).byReference, (*Engine).byNetworkID, (*Engine).byOriginal,
	} {
		list, err := look(e, tx, r)
		if err == nil {
			list, err = e.ofFile(tx, list, r.file)
		}
		if err != nil {
			return p, false, err
		}
		if len(list) != 1 {
			continue
		}
		r.done.Payment = list[0].Reservation // should the record be an exception all the same, its case names the payment
		p, err = e.take(tx, list[0])
		return p, err == nil, err
	}
	return p, false, nil
}

func (e *Engine) byRRN(tx Tx, r record) ([]Capture, error) {
	if r.RRN == "" {
		return nil, nil
	}
	list, err := tx.CapturesByRRN(r.RRN)
	return keep(list, func(x Capture) bool { return approvalFits(x.Approval, r.Approval) }), err
}

func (e *Engine) byARN(tx Tx, r record) ([]Capture, error) {
	if r.ARN == "" {
		return nil, nil
	}
	return single(tx.CaptureByARN(r.ARN))
}

func (e *Engine) byReference(tx Tx, r record) ([]Capture, error) {
	if r.Reference == "" {
		return nil, nil
	}
	return single(tx.Capture(r.Reference))
}

func (e *Engine) byNetworkID(tx Tx, r record) ([]Capture, error) {
	if r.NetworkID == "" {
		return nil, nil
	}
	list, err := tx.CapturesByNetworkID(r.NetworkID)
	return keep(list, func(x Capture) bool { return x.Amount == r.Txn }), err
}

func (e *Engine) byOriginal(tx Tx, r record) ([]Capture, error) {
	if r.Original == "" {
		return nil, nil
	}
	old, ok, err := tx.AcquirerEvent(r.file.Acquirer, r.Original)
	if err != nil || !ok || old.Payment == "" {
		return nil, err
	}
	return single(tx.Capture(old.Payment))
}

func single(x Capture, ok bool, err error) ([]Capture, error) {
	if err != nil || !ok {
		return nil, err
	}
	return []Capture{x}, nil
}

// ofFile keeps the captures that succeeded and that a file may speak of.
func (e *Engine) ofFile(tx Tx, list []Capture, f ClearingFile) ([]Capture, error) {
	list = keep(list, func(x Capture) bool { return x.State == payment.CaptureSuccess && e.serves(x.Account, f) })
	return e.overLink(tx, list, f.Acquirer)
}

// overLink keeps the captures that went over a link: networks do not share their reference numbers.
func (e *Engine) overLink(tx Tx, list []Capture, acquirer string) (kept []Capture, err error) {
	for _, x := range list {
		r, _, err := tx.Reservation(x.Reservation)
		if err != nil {
			return nil, err
		}
		a, _, err := tx.Attempt(r.AttemptID)
		if err != nil {
			return nil, err
		}
		if a.Acquirer == acquirer {
			kept = append(kept, x)
		}
	}
	return kept, nil
}

func keep[T any](list []T, fits func(T) bool) (kept []T) {
	for _, v := range list {
		if fits(v) {
			kept = append(kept, v)
		}
	}
	return kept
}

// approvalFits compares approval codes: a Korean one of eight digits shows its last six in DE38 (rails §1.5). A file may leave it out.
func approvalFits(ours, theirs string) bool {
	ours, theirs = strings.TrimSpace(ours), strings.TrimSpace(theirs)
	return theirs == "" || ours == theirs || len(ours) > 6 && strings.HasSuffix(ours, theirs) && len(theirs) == 6
}

// serves reports whether a file's merchant is the account's.
func (e *Engine) serves(account string, f ClearingFile) bool {
	a, ok := e.accounts[account]
	return !ok || a.Acquirer == f.Acquirer && strings.TrimSpace(a.Merchant) == f.Merchant
}

func captureObject(x Capture) string { return "capture/" + x.ID }

// book writes what the acquirer keeps, and what else the record moves, into the journal of the payment, and what of ours the record was about.
func (e *Engine) book(tx Tx, p *payment.Reservation, r record, object string, moved ...ledger.Posting) error {
	moved = append(ledger.Cleared(p.Account, r.Fees, r.Tax), moved...)
	c := change{actor: "acquirer", at: r.now, detail: "file=" + r.file.Name + " line=" + fmt.Sprint(r.Line)}
	r.done.Payment, r.done.Object, r.done.Account = p.ID, object, p.Account
	_, err := e.note(tx, p, "acquirer/"+r.ID, "clear", r.Type, moved, c)
	return err
}

// enterBook writes the same into the book of the account, where a record belongs to no payment.
func (e *Engine) enterBook(tx Tx, account string, r record, moved ...ledger.Posting) (JournalEvent, error) {
	moved = append(ledger.Cleared(account, r.Fees, r.Tax), moved...)
	c := change{actor: "acquirer", at: r.now, detail: "file=" + r.file.Name + " line=" + fmt.Sprint(r.Line) + r.detail}
	r.done.Payment, r.done.Account = AccountJournal(account), account
	return e.enter(tx, account, "acquirer/"+r.ID, "clear", r.Type, moved, c)
}

const (
	unknownPayment = "unknown rrn: no payment of ours fits"
	amountDiffers  = "amount differs"
)

// takeCapture: the acquirer settles a capture.
func (e *Engine) takeCapture(tx Tx, r record, p taken) (string, error) {
	switch {
	case p.capture.Clearing != NotCleared:
		return "the capture is " + string(p.capture.Clearing) + " already", nil
	case p.capture.Amount != r.Txn, p.capture.Amount.Currency() == r.file.Currency && p.capture.Amount != r.Gross:
		return amountDiffers, nil
	}
	if err := e.book(tx, &p.r, r, captureObject(p.capture)); err != nil {
		return "", err
	}
	p.capture.Clearing = ClearedCapture
	return e.captureARN(tx, p, r)
}

// captureARN sets a capture's acquirer reference number, once, and tells of it after the capture's own verdict.
func (e *Engine) captureARN(tx Tx, p taken, r record) (string, error) {
	news := r.ARN != "" && p.capture.ARN == ""
	if news {
		other, taken, err := tx.CaptureByARN(r.ARN)
		if err != nil {
			return "", err
		}
		if taken {
			news = false
			if err := e.openNow(tx, arnTaken(r, p.r.ID, captureObject(other))); err != nil {
				return "", err
			}
		}
	}
	switch {
	case r.ARN != "" && p.capture.ARN != "" && r.ARN != p.capture.ARN:
		if err := e.openNow(tx, Case{
			ID: "arn-changed/" + p.capture.ID + "/" + r.ID, Kind: "arn-changed", Payment: p.r.ID, At: r.now,
			Detail: "event=" + r.ID + " names another acquirer reference number than before",
		}); err != nil {
			return "", err
		}
	case news:
		p.capture.ARN = r.ARN
	}
	if err := tx.UpdateClearing(p.capture); err != nil || !news || e.accounts[p.r.Account].NoARN {
		return "", err
	}
	return "", tx.InsertNotice(Notice{
		ID: noticeID(CaptureARN, p.capture.ID), Kind: CaptureARN, Account: p.r.Account, Subject: p.capture.RequestID,
		After: p.verdict(), Facts: Facts{Capture: p.capture.RequestID, ARN: r.ARN}, CreatedAt: r.now,
	})
}

// arnTaken is a reference number that names something else already.
func arnTaken(r record, payment, other string) Case {
	return Case{
		ID: "arn-taken/" + r.ID, Kind: "arn-taken", Payment: payment, At: r.now,
		Detail: "event=" + r.ID + " names the acquirer reference number of " + other,
	}
}

// refunded finds the refund that a record speaks of.
func (e *Engine) refunded(tx Tx, r record) (f payment.Refund, found bool, err error) {
	if r.RRN != "" {
		list, err := tx.RefundsByRRN(r.RRN)
		if err != nil {
			return f, false, err
		}
		list = keep(list, func(f payment.Refund) bool { return e.serves(f.Account, r.file) })
		if len(list) == 1 {
			return list[0], true, nil
		}
	}
	if r.ARN != "" {
		if f, ok, err := tx.RefundByARN(r.ARN); err != nil || ok && e.serves(f.Account, r.file) {
			return f, ok, err
		}
	}
	if r.Original != "" {
		old, ok, err := tx.AcquirerEvent(r.file.Acquirer, r.Original)
		if err != nil || !ok {
			return f, false, err
		}
		if id, is := strings.CutPrefix(old.Object, "refund/"); is {
			f, ok, err := tx.Refund(id)
			return f, ok && e.serves(f.Account, r.file), err
		}
	}
	return f, false, nil
}

// refundRecord finds a refund of which the network says that it paid it.
func (e *Engine) refundRecord(tx Tx, r record) (f payment.Refund, p payment.Reservation, wrong string, err error) {
	f, ok, err := e.refunded(tx, r)
	switch {
	case err != nil:
		return f, p, "", err
	case !ok:
		return f, p, "unknown rrn: no refund of ours fits", nil
	case f.State == payment.RefundPending || f.State == payment.RefundFailed:
		return f, p, "the refund is " + string(f.State) + " with us", nil
	}
	p, _, err = tx.Reservation(f.Payment)
	return f, p, "", err
}

// takeRefund: the acquirer settles a refund.
func (e *Engine) takeRefund(tx Tx, r record) (string, error) {
	f, p, wrong, err := e.refundRecord(tx, r)
	switch {
	case err != nil || wrong != "":
		return wrong, err
	case f.Amount != r.Txn, f.Amount.Currency() == r.file.Currency && f.Amount != r.Gross.Negated():
		return amountDiffers, nil
	}
	if _, told, err := tx.AcquirerEventOf(refundObject(f), r.Type); err != nil || told {
		return "the refund is settled already", err
	}
	if err := e.book(tx, &p, r, refundObject(f)); err != nil {
		return "", err
	}
	return e.refundARN(tx, f, r)
}

func (e *Engine) refundARN(tx Tx, f payment.Refund, r record) (string, error) {
	switch {
	case r.ARN == "" || f.ARN == r.ARN:
		return "", nil
	case f.ARN != "":
		return "", e.openNow(tx, Case{
			ID: "arn-changed/" + f.ID + "/" + r.ID, Kind: "arn-changed", Payment: f.Payment, At: r.now,
			Detail: "event=" + r.ID + " names another acquirer reference number than before",
		})
	}
	if other, taken, err := tx.RefundByARN(r.ARN); err != nil {
		return "", err
	} else if taken {
		return "", e.openNow(tx, arnTaken(r, f.Payment, refundObject(other)))
	}
	f.ARN = r.ARN
	if err := tx.UpdateRefund(f); err != nil || e.accounts[f.Account].NoARN {
		return "", err
	}
	return "", tx.InsertNotice(Notice{
		ID: noticeID(RefundARN, f.ID), Kind: RefundARN, Account: f.Account, Subject: f.RequestID, After: noticeID(RefundResult, f.ID),
		Facts: Facts{Refund: f.RequestID, ARN: r.ARN}, CreatedAt: r.now,
	})
}

// takeReturn: a refund came back.
func (e *Engine) takeReturn(tx Tx, r record) (string, error) {
	f, p, wrong, err := e.refundRecord(tx, r)
	switch {
	case err != nil || wrong != "":
		return wrong, err
	case f.State != payment.Refunded:
		return "the refund is " + string(f.State) + " with us", nil
	case r.Gross.Currency() != f.Amount.Currency() || r.Gross.Exceeds(f.Amount) || !r.Gross.IsPositive():
		return amountDiffers, nil
	}
	if err := e.book(tx, &p, r, refundObject(f)); err != nil {
		return "", err
	}
	c := change{actor: "acquirer", at: r.now, detail: "event=" + r.ID + " amount=" + r.Gross.String()}
	return "", e.returned(tx, &p, f, r.Gross, r.code(), r.Brand, c)
}

// code is the network's own word for why.
func (r record) code() string {
	if r.RawCode != "" {
		return r.RawCode
	}
	return r.Result
}

// takeReservation: a hold that was never captured costs a fee.
func (e *Engine) takeReservation(tx Tx, r record) (string, error) {
	p, ok, err := tx.Reservation(r.Reference)
	switch {
	case err != nil:
		return "", err
	case !ok || !e.serves(p.Account, r.file):
		return unknownPayment, nil
	}
	return "", e.book(tx, &p, r, "reservation/"+p.ID)
}

// takeDispute: an inquiry, or a chargeback.
func (e *Engine) takeDispute(tx Tx, r record, p taken) (string, error) {
	switch {
	case r.Txn.Currency() != p.capture.Amount.Currency():
		return "currency differs", nil
	}
	t := telling{
		stage: r.Stage, amount: r.Txn, caseNo: r.Case, reason: r.Reason, scope: r.Brand, code: r.RawCode, at: r.At, replyBy: r.ReplyBy, event: r.ID,
	}
	if r.Type == "INQ" {
		t.stage = payment.Inquiry
	}
	d, wrong, err := e.raise(tx, p, t, "acquirer", r.now)
	if err != nil || wrong != "" {
		return wrong, err
	}
	if p, err = e.take(tx, p.capture); err != nil { // its journal has grown
		return "", err
	}
	if err := e.book(tx, &p.r, r, disputeObject(d)); err != nil {
		return "", err
	}
	return "", nil
}

// takeWin: a chargeback was won, wholly or in part.
func (e *Engine) takeWin(tx Tx, r record, p taken) (string, error) {
	d, ok, err := e.charged(tx, p, r)
	switch {
	case err != nil:
		return "", err
	case !ok:
		return "no chargeback of ours fits", nil
	case r.Gross.Currency() != d.Amount.Currency():
		return "currency differs", nil
	}
	wrong, err := e.winBack(tx, p, d, r.Gross, r.Brand, r.code(), r.At, r.now)
	if err != nil || wrong != "" {
		return wrong, err
	}
	if p, err = e.take(tx, p.capture); err != nil {
		return "", err
	}
	return "", e.book(tx, &p.r, r, disputeObject(d))
}

// charged finds the chargeback that a reversal names: by the record that raised it, by its case, or the newest that stands.
func (e *Engine) charged(tx Tx, p taken, r record) (d payment.Dispute, found bool, err error) {
	if old, ok, err := tx.AcquirerEvent(r.file.Acquirer, r.Original); err != nil {
		return d, false, err
	} else if id, is := strings.CutPrefix(old.Object, "dispute/"); ok && is {
		return tx.Dispute(id)
	}
	for i := len(p.disputes) - 1; i >= 0; i-- {
		d = p.disputes[i]
		if d.Stands() && (r.Case == "" || d.Case == "" || d.Case == r.Case) && (r.Stage == "" || r.Stage == d.Stage) {
			return d, true, nil
		}
	}
	return d, false, nil
}

// takeFraud: somebody suspects fraud. No money moves.
func (e *Engine) takeFraud(tx Tx, r record, p taken) (string, error) {
	if err := e.book(tx, &p.r, r, captureObject(p.capture)); err != nil {
		return "", err
	}
	id := r.file.Acquirer + "/" + r.ID // anything may stand in it: the notice has a name made from it that fits every wire
	return "", tx.InsertNotice(Notice{
		ID: noticeID(FraudReported, uuid.NewSHA1(uuid.NameSpaceOID, []byte(id)).String()), Kind: FraudReported, Account: p.r.Account, Subject: id, Code: r.code(),
		After: p.verdict(), CreatedAt: r.now,
		Facts: Facts{Capture: p.capture.RequestID, Reason: string(r.Reason), Scope: r.Brand, AtMs: r.At.UnixMilli()},
	})
}

// takeARN: the reference number of a capture or refund that was settled without one.
func (e *Engine) takeARN(tx Tx, r record) (string, error) {
	f, ok, err := e.refunded(tx, r)
	if err != nil {
		return "", err
	}
	if ok && f.State != payment.RefundPending && f.State != payment.RefundFailed {
		p, _, err := tx.Reservation(f.Payment)
		if err != nil {
			return "", err
		}
		if err := e.book(tx, &p, r, refundObject(f)); err != nil {
			return "", err
		}
		return e.refundARN(tx, f, r)
	}
	return ofPayment((*Engine).takeCaptureARN)(e, tx, r)
}

func (e *Engine) takeCaptureARN(tx Tx, r record, p taken) (string, error) {
	if err := e.book(tx, &p.r, r, captureObject(p.capture)); err != nil {
		return "", err
	}
	return e.captureARN(tx, p, r)
}

// takeReject: the acquirer refuses in clearing what it had accepted. We said that the money moves, so Google stays credited and the loss is
// ours until a person has it back (rails §4.3).
func (e *Engine) takeReject(tx Tx, r record, p taken) (string, error) {
	switch {
	case p.capture.Clearing == RejectedCapture:
		return "the capture is rejected already", nil
	}
	if err := e.book(tx, &p.r, r, captureObject(p.capture), ledger.Rejected(p.r.Account, p.capture.Amount)); err != nil {
		return "", err
	}
	p.capture.Clearing = RejectedCapture
	if err := tx.UpdateClearing(p.capture); err != nil {
		return "", err
	}
	return "", e.openNow(tx, Case{
		ID: "capture-rejected/" + p.capture.ID, Kind: "capture-rejected", Payment: p.r.ID, At: r.now,
		Detail: "code=" + r.code() + " amount=" + p.capture.Amount.String() + " is our loss until the acquirer takes it back",
	})
}

// accountOf is the account whose book a record without a payment goes into: the first one that the file's merchant serves.
func (e *Engine) accountOf(f ClearingFile) (string, bool) {
	found := ""
	for id := range e.accounts {
		if e.serves(id, f) && (found == "" || id < found) {
			found = id
		}
	}
	return found, found != ""
}

const noAccount = "no account of ours has this merchant"

// takeFee: what the acquirer charges beside payments.
func (e *Engine) takeFee(tx Tx, r record) (string, error) {
	account, ok := e.accountOf(r.file)
	if !ok {
		return noAccount, nil
	}
	j, err := e.enterBook(tx, account, r)
	if err != nil || !e.accounts[account].terms(r.Fees.Currency()).PassFeesOn {
		return "", err
	}
	none := money.New(0, r.Fees.Currency())
	return "", e.adjust(tx, j, settlement.AggregateAdjusting, account, r, none, r.Fees.Plus(r.Tax))
}

// takeAdjustment: a correction by hand. A person must say what it is for.
func (e *Engine) takeAdjustment(tx Tx, r record) (string, error) {
	account, ok := e.accountOf(r.file)
	if !ok {
		return noAccount, nil
	}
	j, err := e.enterBook(tx, account, r, ledger.Corrected(account, r.Gross)...)
	if err != nil {
		return "", err
	}
	err = e.openNow(tx, Case{
		ID: "acquirer-adjustment/" + r.file.Acquirer + "/" + r.ID, Kind: "acquirer-adjustment", At: r.now,
		Detail: fmt.Sprintf("file=%s line=%d amount=%s", r.file.Name, r.Line, r.Gross),
	})
	if err != nil || !e.accounts[account].terms(r.Gross.Currency()).PassAdjustsOn {
		return "", err
	}
	return "", e.adjust(tx, j, settlement.MiscAdjusting, account, r, r.Gross, money.New(0, r.Gross.Currency()))
}

// adjust passes something on that belongs to no payment.
func (e *Engine) adjust(tx Tx, j JournalEvent, k settlement.Kind, account string, r record, charge, fee money.Amount) error {
	return tx.InsertItem(settlement.Item{
		Payment: j.Payment, EventN: j.N, Account: account, Kind: k, Day: e.dayOf(account, r.now), OwnID: r.ID, Charge: charge, Fee: fee,
		VAT: money.New(0, charge.Currency()), Note: r.RawCode, At: r.now,
	})
}

// takePayment: the acquirer paid us, or drew from us where it says D.
func (e *Engine) takePayment(tx Tx, r record) (string, error) {
	account, ok := e.accountOf(r.file)
	if !ok {
		return noAccount, nil
	}
	amount := r.Txn
	if r.Result == "D" {
		amount = amount.Negated()
	}
	r.detail = " amount=" + amount.String()
	_, err := e.enterBook(tx, account, r, ledger.AcquirerPaid(account, amount)...)
	return "", err
}

// missing opens a case for every capture of a settled day that its file does not know.
func (e *Engine) missing(ctx context.Context, f ClearingFile) error {
	if f.Kind != SettlementFileKind {
		return nil
	}
	spoken := map[money.Currency]bool{f.Currency: true} // a file speaks of its own currency, and of those that it converts
	for _, r := range f.Records {
		if c := r.Txn.Currency(); c != (money.Currency{}) {
			spoken[c] = true
		}
	}
	return e.store.Update(ctx, func(tx Tx) error {
		var list []Capture
		for c := range spoken {
			some, err := tx.Uncleared(f.Acquirer, f.Merchant, f.Day, c.Code(), 1000)
			if err != nil {
				return err
			}
			list = append(list, some...)
		}
		for _, x := range list {
			err := e.openNow(tx, Case{
				ID: "missing-at-acquirer/" + x.ID, Kind: "missing-at-acquirer", Payment: x.Reservation, At: e.clock.Now(),
				Detail: fmt.Sprintf("day=%s amount=%s: the settlement of that day does not know this capture", f.Day, x.Amount),
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// SettlementFileKind and DisputeFileKind are the kinds of an acquirer's files, as their names begin (rails §4.3).
const (
	SettlementFileKind = "PISTL"
	DisputeFileKind    = "PIDSP"
)
