package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"naru/core/deposit"
	"naru/engine"
	"naru/fsck"
	"naru/sandbox/google"
	"naru/store"
	"naru/vault"
)

// evidence is what Google, the integrator, and who moves money for it wrote down, each for itself.
type evidence struct {
	now      time.Time         // business time
	owners   map[string]string // whose account a merchant number at the acquirer is
	google   knowledge
	books    books
	acquirer host
	bank     bank

	shop       shopBooks
	collecting collectingBank
}

// knowledge is what Google asked for and what it was told.
type knowledge struct {
	exchanges   []google.Exchange
	verdicts    []google.Verdict
	refunds     []google.Refund
	disputes    []google.Dispute
	arns        []google.ARN
	settlements []google.Settlement
	files       []google.SettlementFile
	received    []received
}

// received is a message as Google's control port shows it.
type received struct {
	At     time.Time      `json:"at"`
	Method string         `json:"method"`
	PIAID  string         `json:"piaid"`
	Body   map[string]any `json:"body"`
}

// books are the integrator's rows and balances, and what it put before a person.
type books struct {
	holds       []store.Hold
	captures    []store.CaptureRow
	refunds     []store.RefundRow
	disputes    []store.DisputeRow
	settlements []store.SettlementRow
	payouts     []store.PayoutRow // for Google
	balances    []store.Balance
	cases       []engine.Case

	orders    []deposit.Order
	credits   []deposit.Credit
	wished    []engine.MerchantPayout
	transfers []store.PayoutRow // by the deposit bank
}

// host is the acquirer's own record, as its control port shows it.
type host struct {
	holds    []hostHold
	bookings []hostBooking
	disputes []hostDispute
	records  []hostRecord
	files    []hostFile
	messages []hostMessage
}

// bank is the payout bank's own record, as its control port shows it.
type bank struct {
	payouts []bankPayout
	lines   []bankLine
}

type hostHold struct {
	RRN      string `json:"rrn"`
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
	State    string `json:"state"`
}

// hostBooking is money that moved, unless it was undone.
type hostBooking struct {
	Kind     string `json:"kind"`
	RRN      string `json:"rrn"`
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
	Undone   bool   `json:"undone"`
}

type hostDispute struct {
	RRN      string   `json:"rrn"`
	Amount   int64    `json:"amount"`
	Currency string   `json:"currency"`
	Told     []string `json:"told"`
	Answer   string   `json:"answer"` // to its 0422
	Event    string   `json:"event_id"`
	STAN     string   `json:"stan"`
	Sent     string   `json:"transmission_dt"`
}

// hostRecord is a line of a file, or of the next one.
type hostRecord struct {
	Type        string `json:"rec_type"`
	ID          string `json:"event_id"`
	RRN         string `json:"rrn"`
	ARN         string `json:"arn"`
	Amount      int64  `json:"txn_amount"`
	Currency    string `json:"txn_ccy"`
	Gross       int64  `json:"gross_amount"`
	Interchange int64  `json:"interchange_fee"`
	Scheme      int64  `json:"scheme_fee"`
	Acquirer    int64  `json:"acquirer_fee"`
	Tax         int64  `json:"tax"`
	Result      string `json:"result"`
	Merchant    string `json:"merchant"`
	File        string `json:"file"` // "" is not told yet
}

type hostFile struct {
	Kind string `json:"kind"`
}

type hostMessage struct {
	MTI      string `json:"mti"`
	DE39     string `json:"de39"`
	Repeated bool   `json:"repeated"`
}

// once tells the story and compares the records.
func (s *Sandbox) once(ctx context.Context, o Options) error {
	told := s.tell(ctx, o)
	return errors.Join(told, s.Compare(ctx, o.Out))
}

// Compare waits until nothing is owed any more, ends the integrator, compares what Google, the ledger and those behind it wrote down, and
// has the database checked. It prints what it finds and fails where the records differ.
func (s *Sandbox) Compare(ctx context.Context, out io.Writer) error {
	if err := s.drain(ctx); err != nil {
		return err
	}
	e, err := s.gather(ctx)
	if err != nil {
		return err
	}
	if err := s.closePlatform(); err != nil {
		return err
	}
	c := compare(e)
	fmt.Fprint(out, "\nWhat Google and the merchant know, what the books say, what the acquirer and the banks did:\n\n")
	if err := c.print(out); err != nil {
		return err
	}
	var differ error
	if !c.agrees() {
		differ = errors.New("the records do not agree")
	}
	kek, err := vault.ReadKEK(s.folder.file(kekFile))
	if err != nil {
		return err
	}
	report, err := fsck.Run(ctx, fsck.Options{Database: s.database, KEK: kek})
	if err != nil {
		return err
	}
	if !report.OK() {
		differ = errors.Join(differ, fmt.Errorf("fsck finds %d errors in the database", report.Errors))
		if _, err := report.WriteTo(out); err != nil {
			return err
		}
	}
	if differ == nil {
		fmt.Fprintf(out, "\n%s: all three records agree, and fsck finds nothing.\n", c)
	}
	return differ
}

// debts is what somebody still waits for.
type debts struct {
	store.Backlog
	inbox  int // files of the acquirer, and of the deposit bank, that nobody has taken yet
	claims int // chargebacks told on line that have no answer yet
	untold int // events of the payout bank, and reports of the deposit bank
	closes int // accounts whose last business day is not settled yet: after years that passed at once each day takes its time
}

func (d debts) any() bool {
	return d.Advices+d.Batched+d.Notices+d.Reconciliations+d.Payouts > 0 || d.inbox+d.claims+d.untold+d.closes > 0
}

func (d debts) String() string {
	return fmt.Sprintf("still owed: %d messages and %d lines of files to the acquirer, %d notifications, %d totals of a day, "+
		"%d payouts, the settlements of %d accounts; not taken: %d files, %d chargebacks, %d events of banks",
		d.Advices, d.Batched, d.Notices, d.Reconciliations, d.Payouts, d.closes, d.inbox, d.claims, d.untold)
}

// drain waits until nothing is owed and everything is taken. Waits between attempts are business time, which need not be waited for: after
// a moment the clock moves. What goes by file the acquirer collects. Last the payout bank's statement is read: what nobody told stands
// there.
func (s *Sandbox) drain(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	t := s.client()
	defer t.http.CloseIdleConnections()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	read := false
	for began := time.Now(); ; {
		d, err := s.debts(ctx, t)
		if err != nil {
			return err
		}
		if !d.any() && !read {
			if err := s.platform.Engine.ReadStatement(ctx, payoutBank); err != nil {
				return err
			}
			read = true
			continue
		}
		if !d.any() {
			if d.Parked+d.Unheard+d.Cases > 0 {
				return fmt.Errorf("%d notifications are parked and %d cases wait for an operator", d.Parked+d.Unheard, d.Cases)
			}
			return nil
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return errors.New(d.String())
		}
		if d.Batched > 0 {
			t.call(ctx, http.MethodPost, "/acquirer/actions/collect", nil, nil)
		}
		if time.Since(began) > 2*time.Second {
			if err := s.advance(time.Second); err != nil {
				return err
			}
		}
	}
}

// debts looks at what comes from outside first: what that leads to is in the backlog before it is gone from there.
func (s *Sandbox) debts(ctx context.Context, t *client) (d debts, err error) {
	var reports []bankReport
	if t.call(ctx, http.MethodGet, "/bank/reports", nil, &reports); t.err != nil {
		return d, t.err
	}
	d.untold = owedBy(reports)
	for _, dir := range []string{acquirerInbox, collectingOutbox, collectingInbox, collectingInbox + "/processing"} { // as files go
		entries, err := os.ReadDir(s.folder.file(dir))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return d, err
		}
		for _, f := range entries {
			if ext := filepath.Ext(f.Name()); ext == ".csv" || ext == ".xml" {
				d.inbox++
			}
		}
	}
	var disputes []hostDispute
	if t.call(ctx, http.MethodGet, "/acquirer/disputes", nil, &disputes); t.err != nil {
		return d, t.err
	}
	for _, c := range disputes {
		if c.STAN != "" && c.Answer == "" {
			d.claims++
		}
	}
	var events []struct{ Delivered, Never bool }
	if t.call(ctx, http.MethodGet, "/upi/events", nil, &events); t.err != nil {
		return d, t.err
	}
	for _, e := range events {
		if !e.Delivered && !e.Never {
			d.untold++
		}
	}
	settled, err := s.platform.Store.SettlementRows(ctx)
	if err != nil {
		return d, err
	}
	d.closes = unsettled(settled, s.clock.Now())
	d.Backlog, err = s.platform.Store.Backlog(ctx)
	return d, err
}

// unsettled counts the accounts that settle every day from the first on, and have not settled the last one that is over. A settlement is
// made five minutes after midnight.
func unsettled(settled []store.SettlementRow, now time.Time) (n int) {
	over := now.Add(-5*time.Minute).In(seoul).AddDate(0, 0, -1).Format("20060102")
	last := map[string]string{}
	for _, r := range settled { // oldest first
		last[r.Account] = r.Day
	}
	for account, day := range last {
		if account != third && day < over { // which leaves out days without anything
			n++
		}
	}
	return n
}

// everyCase is more than a sandbox ever has of anything.
const everyCase = 100_000

// gather asks everybody for their record. The peers' come by their control ports: they share nothing with us.
func (s *Sandbox) gather(ctx context.Context) (e evidence, err error) {
	e.now, e.owners = s.clock.Now(), map[string]string{}
	for i, a := range sellers {
		e.owners[merchant(i)] = a.PIAID
	}
	e.google = knowledge{
		refunds: s.google.Refunds(), disputes: s.google.Disputes(), arns: s.google.ARNs(), settlements: s.google.Settlements(),
		files: s.google.Files(),
	}
	e.google.exchanges, e.google.verdicts = s.google.Record()
	e.shop = shopBooks{s.shop.Asked(), s.shop.Heard(), s.shop.Bookings()}
	t := s.client()
	defer t.http.CloseIdleConnections()
	for path, into := range map[string]any{
		"/google/received": &e.google.received,
		"/acquirer/holds":  &e.acquirer.holds, "/acquirer/bookings": &e.acquirer.bookings, "/acquirer/disputes": &e.acquirer.disputes,
		"/acquirer/records": &e.acquirer.records, "/acquirer/files": &e.acquirer.files, "/acquirer/transactions": &e.acquirer.messages,
		"/upi/payouts": &e.bank.payouts, "/upi/statement": &e.bank.lines,
		"/bank/transactions": &e.collecting.moves, "/bank/payments": &e.collecting.orders, "/bank/accounts": &e.collecting.holdings,
		"/bank/twice": &e.collecting.twice,
	} {
		t.call(ctx, http.MethodGet, path, nil, into)
	}
	read := func(from error) { err = errors.Join(err, from) }
	b, db := &e.books, s.platform.Store
	read(t.err)
	read(into(&b.holds)(db.Holds(ctx)))
	read(into(&b.captures)(db.Captures(ctx)))
	read(into(&b.refunds)(db.Refunds(ctx)))
	read(into(&b.disputes)(db.Disputes(ctx)))
	read(into(&b.settlements)(db.SettlementRows(ctx)))
	read(into(&b.payouts)(db.Payouts(ctx)))
	b.transfers = slices.Clone(b.payouts)
	b.payouts = slices.DeleteFunc(b.payouts, func(p store.PayoutRow) bool { return p.Bank == transferBank })
	b.transfers = slices.DeleteFunc(b.transfers, func(p store.PayoutRow) bool { return p.Bank != transferBank })
	every := engine.Page{Merchant: shopID, Limit: everyCase}
	read(counted(&b.orders)(s.platform.Engine.Deposits(ctx, every)))
	read(counted(&b.wished)(s.platform.Engine.MerchantPayouts(ctx, every)))
	read(into(&b.credits)(s.platform.Engine.ListCredits(ctx, false, everyCase)))
	read(into(&b.balances)(db.Balances(ctx)))
	read(into(&b.cases)(s.platform.Engine.ListCases(ctx, false, everyCase)))
	return e, err
}

func into[T any](to *[]T) func([]T, error) error {
	return func(list []T, err error) error {
		*to = list
		return err
	}
}

// counted is into, for pages.
func counted[T any](to *[]T) func([]T, int64, error) error {
	return func(list []T, _ int64, err error) error {
		*to = list
		return err
	}
}

// told is what the acquirer has told in files, without what the integrator put before a person because it fits nothing: that money is known
// to differ.
func (e evidence) told() []hostRecord {
	return slices.DeleteFunc(slices.Clone(e.acquirer.records), func(r hostRecord) bool { return r.File == "" || e.excepted(r.ID) })
}

// excepted reports whether a case was made of what the acquirer told under this name.
func (e evidence) excepted(name string) bool {
	return slices.ContainsFunc(e.books.cases, func(c engine.Case) bool {
		return c.Kind == "acquirer-record" && strings.Contains(c.ID, name)
	})
}
