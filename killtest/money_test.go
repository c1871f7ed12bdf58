package killtest

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"naru/core/ledger"
	"naru/core/money"
	collecting "naru/rail/bankfeed/sim"
	"naru/sandbox/google"
	"naru/store"
)

// records is what all three know.
type records struct {
	holds    []hostHold // the acquirer's
	bookings []hostBooking
	claims   []hostDispute
	told     []hostRecord

	orders []bankOrder // the payout bank's
	paid   []bankPaid
	lines  []bankLine

	moves []collecting.Transaction // the deposit bank's

	verdicts map[string]string // Google's
	refunds  []google.Refund
	arns     map[string]string
	settled  []google.Settlement

	references  map[string]reference // ours
	ourHolds    []store.Hold
	ourRefunds  []store.RefundRow
	ourDisputes []store.DisputeRow
	ourDays     []store.SettlementRow
	ourPayouts  []store.PayoutRow
	balances    []store.Balance
	backlog     store.Backlog
}

// hostBooking is money that moved at the acquirer: of a capture, a sale or a refund.
type hostBooking struct {
	Kind     string `json:"kind"`
	RRN      string `json:"rrn"`
	Currency string `json:"currency"`
	Amount   int64  `json:"amount"`
	Undone   bool   `json:"undone"`
}

func (l *life) hostBookings() (all []hostBooking) {
	l.hear(l.host.Control(), "/bookings", &all)
	return all
}

// hostRecord is a line of a file of the acquirer.
type hostRecord struct {
	Type        string `json:"rec_type"`
	ID          string `json:"event_id"`
	RRN         string `json:"rrn"`
	ARN         string `json:"arn"`
	Currency    string `json:"txn_ccy"`
	Amount      int64  `json:"txn_amount"`
	Gross       int64  `json:"gross_amount"`
	Interchange int64  `json:"interchange_fee"`
	Scheme      int64  `json:"scheme_fee"`
	Acquirer    int64  `json:"acquirer_fee"`
	Tax         int64  `json:"tax"`
	Result      string `json:"result"`
	Merchant    string `json:"merchant"`
	File        string `json:"file"`
}

// collect reads all that can be compared.
func (l *life) collect() (r *records, ok bool) {
	r = &records{
		holds: l.hostHolds(), bookings: l.hostBookings(), claims: l.hostDisputes(),
		orders: l.bankOrders(), lines: l.bankLines(), moves: l.till.Transactions(),
		verdicts: l.verdicts(), arns: map[string]string{}, references: l.references(),
	}
	l.hear(l.bank.Control(), "/paid", &r.paid)
	l.hear(l.host.Control(), "/records", &r.told)
	r.told = slices.DeleteFunc(r.told, func(x hostRecord) bool { return x.File == "" })
	r.refunds, r.settled = l.google.Refunds(), l.google.Settlements()
	for _, a := range l.google.ARNs() {
		r.arns[a.Subject] = a.Number
	}
	s, err := store.Open(l.ctx, l.database, store.Options{Careless: l.on.served})
	if err != nil {
		l.t.Error(err)
		return r, false
	}
	ok = true
	read := func(err error) {
		if err != nil {
			l.t.Error(err)
			ok = false
		}
	}
	r.ourHolds, err = s.Holds(l.ctx)
	read(err)
	r.ourRefunds, err = s.Refunds(l.ctx)
	read(err)
	r.ourDisputes, err = s.Disputes(l.ctx)
	read(err)
	r.ourDays, err = s.SettlementRows(l.ctx)
	read(err)
	r.ourPayouts, err = s.Payouts(l.ctx)
	read(err)
	r.ourPayouts = slices.DeleteFunc(r.ourPayouts, func(p store.PayoutRow) bool { return p.Bank != l.shop.bank.Name })
	r.balances, err = s.Balances(l.ctx)
	read(err)
	r.backlog, err = s.Backlog(l.ctx)
	read(err)
	read(s.Close())
	return r, ok
}

// refunds compares each refund: its verdict, our books, and what the acquirer paid. It pays no refund twice, whatever was lost on the way
// (rails §5 I3).
func (l *life) refunds(r *records) {
	paid, undone := map[string][]hostBooking{}, 0
	for _, b := range r.bookings {
		if b.Kind != "refund" {
			continue
		}
		by, known := r.references[b.RRN]
		if !known || by.refund == "" {
			l.t.Errorf("the acquirer knows a refund RRN %s, which is on no record of ours", b.RRN)
		}
		if b.Undone {
			undone++
			continue
		}
		paid[by.refund] = append(paid[by.refund], b)
	}
	ours, atGoogle := map[string]store.RefundRow{}, map[string]google.Refund{}
	for _, f := range r.ourRefunds {
		ours[f.RequestID] = f
	}
	for _, f := range r.refunds {
		atGoogle[f.RequestID] = f
	}
	for _, p := range l.payments {
		for _, g := range p.gives {
			id := g.ask.id
			want := int64(0)
			if g.verdict == success {
				want = g.amount
			}
			got := paid[id]
			if len(got) > 1 || want > 0 && (len(got) != 1 || got[0].Amount != want) || want == 0 && len(got) != 0 {
				l.t.Errorf("%s: of %d with the result %q the acquirer paid %+v", id, g.amount, g.verdict, got)
			}
			f, there := ours[id]
			state := map[string]string{success: "REFUNDED", "": ""}
			if wanted := cmp.Or(state[g.verdict], "REFUND_FAILED"); g.refused == "" &&
				(f.State != wanted || f.Amount != g.amount || f.Currency != p.in || f.CaptureRequestID != p.taken().id || f.Account != p.account) {
				l.t.Errorf("%s: Google was told %s, the books say %+v", id, g.verdict, f)
			}
			if there != (g.refused == "") {
				l.t.Errorf("%s was refused at once: %t, and it stands in the books: %t", id, g.refused != "", there)
			}
			if want > 0 && len(got) == 1 && got[0].RRN != f.RRN {
				l.t.Errorf("%s: the acquirer paid under RRN %s, an order that we gave up", id, got[0].RRN)
			}
			if told := atGoogle[id]; told.Result != g.verdict {
				l.t.Errorf("%s: the verdict is %q, not %q", id, told.Result, g.verdict)
			}
			delete(ours, id)
			delete(paid, id)
		}
	}
	for id := range ours {
		l.t.Errorf("the books know a refund %q that Google never asked for", id)
	}
	for id := range paid {
		l.t.Errorf("the acquirer paid a refund %q that Google never asked for", id)
	}
}

// disputes compares each stage of each dispute: what the acquirer meant, what Google was told, once, and what the books say of it.
func (l *life) disputes(r *records) {
	type stage struct{ capture, stage string }
	ours, claims := map[stage]store.DisputeRow{}, map[stage]hostDispute{}
	for _, d := range r.ourDisputes {
		at := stage{d.CaptureRequestID, strings.TrimPrefix(d.Stage, "INQUIRY")}
		if before, twice := ours[at]; twice {
			l.t.Errorf("%s: the books know one dispute twice: %+v and %+v", d.CaptureRequestID, before, d)
		}
		ours[at] = d
	}
	captures := map[string]string{} // and sales, by RRN
	for _, p := range l.payments {
		if len(p.told) > 0 {
			captures[l.booked(p).RRN] = p.taken().id
		}
	}
	for _, d := range r.claims {
		claims[stage{captures[d.RRN], stages[d.Stage]}] = d
	}
	documents := map[string]string{}
	l.list(`SELECT sha256, dispute_id FROM evidence`, func(scan func(...any) error) error {
		var digest []byte
		var of string
		err := scan(&digest, &of)
		sum := hex.EncodeToString(digest)
		if _, twice := documents[sum]; twice {
			l.t.Errorf("one document was taken over twice, for %s and %s", documents[sum], of)
		}
		documents[sum] = of
		return err
	})
	expected := 0
	for _, p := range l.payments {
		for _, t := range p.told {
			at := stage{p.taken().id, stages[t.stage]}
			if t.document != nil {
				sum := sha256.Sum256(t.document)
				if documents[hex.EncodeToString(sum[:])] == "" {
					l.t.Errorf("%s was answered %s, and its document is gone", t.defence.id, success)
				}
				delete(documents, hex.EncodeToString(sum[:]))
			}
			heard, _ := l.heard(p, t)
			if t.what != "fraud" && heard.AmountMicros != micros(t.amount, p.in) {
				l.t.Errorf("%s: Google heard of the %s over %d micros, not %d %s", at.capture, t.what, heard.AmountMicros, t.amount, p.in)
			}
			if t.what == "fraud" {
				continue
			}
			expected++
			d := ours[at]
			delete(ours, at)
			if d.Amount != t.amount || d.Currency != p.in || d.Account != p.account || d.Notice != heard.RequestID {
				l.t.Errorf("%s: the %s of %d is in the books as %+v, and Google heard of it as %s", at.capture, t.what, t.amount, d, heard.RequestID)
			}
			back, won := l.heardBack(p, t)
			claim := claims[at]
			if won != t.won || strings.HasSuffix(d.State, "_REVERSED") != t.won || (claim.State == "reversed") != t.won ||
				t.won && (d.Won != t.amount || back.AmountMicros != micros(t.amount, p.in)) {
				l.t.Errorf("%s: the %s was won: %t; the acquirer says %+v, the books %+v, Google %+v", at.capture, t.what, t.won, claim, d, back)
			}
		}
	}
	for at, d := range ours {
		l.t.Errorf("%v: the books know a dispute that never was: %+v", at, d)
	}
	for sum := range documents {
		l.t.Errorf("a document %s was taken over that Google never sent", sum)
	}
	if len(r.ourDisputes) != expected {
		l.t.Errorf("there were %d stages of disputes, and the books know %d", expected, len(r.ourDisputes))
	}
}

// files compares the acquirer's files with what was taken of them: every record once, and every reference number told.
func (l *life) files(r *records) {
	var made []struct {
		Name    string `json:"name"`
		Kind    string `json:"kind"`
		Records int64  `json:"records"`
	}
	l.hear(l.host.Control(), "/files", &made)
	sent, taken := map[string]int64{}, map[string]int64{}
	for _, f := range made {
		if f.Kind != "PICAPR" { // answers to capture files are no files of their own
			sent[f.Name] = f.Records
		}
	}
	l.did.files.Add(int64(len(sent)))
	l.list(`SELECT name, records FROM acquirer_file WHERE state = 'LOADED' AND exceptions = 0`, func(scan func(...any) error) error {
		var name string
		var records int64
		err := scan(&name, &records)
		taken[name] = records
		return err
	})
	if fmt.Sprint(sent) != fmt.Sprint(taken) {
		l.t.Errorf("the acquirer sent the files %v, and taken were %v", sent, taken)
	}
	events := map[string]string{}
	l.list(`SELECT id, type || ' ' || file FROM acquirer_event WHERE file <> '' AND outcome = 'APPLIED'`, func(scan func(...any) error) error {
		var id, of string
		err := scan(&id, &of)
		events[id] = of
		return err
	})
	arns := map[string]string{}
	for _, x := range r.told {
		if events[x.ID] != x.Type+" "+x.File {
			l.t.Errorf("the acquirer told %s %s in %s, and it was taken as %q", x.Type, x.ID, x.File, events[x.ID])
		}
		delete(events, x.ID)
		if x.Type == "ARN" {
			by := r.references[x.RRN]
			arns[cmp.Or(by.refund, strings.Replace(by.hold, "hold", "next", 1))] = x.ARN
		}
	}
	for id, of := range events {
		l.t.Errorf("the record %s (%s) was taken, and the acquirer never told it", id, of)
	}
	if fmt.Sprint(arns) != fmt.Sprint(r.arns) {
		l.t.Errorf("the acquirer's reference numbers are %v, and Google knows %v", arns, r.arns)
	}
	booked := 0
	for _, b := range r.bookings {
		if !b.Undone {
			booked++
		}
	}
	if len(arns) != booked {
		l.t.Errorf("%d captures, sales and refunds are booked, and %d have a reference number", booked, len(arns))
	}
	names, err := os.ReadDir(filepath.Join(l.inbox, "quarantine"))
	if err != nil || len(names) != min(1, len(l.spoiled)) || l.spoiled != "" && names[0].Name() != l.spoiled {
		l.t.Errorf("in quarantine are %v, and spoiled was %q: %v", names, l.spoiled, err)
	}
}

// event is what is settled with Google once.
type event struct{ account, currency, kind, subject string }

// settlements compares what Google was told of settlements with what happened, and with the books.
func (l *life) settlements(r *records) {
	want := map[event]int64{} // charges
	for _, p := range l.payments {
		settled := func(kind, subject string, amount int64) {
			want[event{p.account, p.in, kind, subject}] = micros(amount, p.in)
		}
		if p.taken() != nil {
			settled("captureEvent", p.taken().id, p.take)
		}
		lasting := p.next == nil && !p.late
		if p.result == success && !p.brief && (p.by == verify || p.by == "" && p.taken() == nil && !lasting) {
			settled("fundsReservationEvent", p.hold.id, 0)
		}
		for _, g := range p.gives {
			if g.verdict == success {
				settled("refundEvent", g.ask.id, -g.amount)
			}
		}
		for _, t := range p.told {
			if t.what != "chargeback" {
				continue
			}
			raised, _ := l.heard(p, t)
			settled("chargebackEvent", raised.RequestID, -t.amount)
			if back, won := l.heardBack(p, t); won {
				settled("reverseChargebackEvent", back.RequestID, t.amount)
			}
		}
	}
	ours := map[string]store.SettlementRow{}
	for _, s := range r.ourDays {
		ours[s.ID] = s
	}
	l.did.settlements.Add(int64(len(ours)))
	for _, s := range r.settled {
		b := ours[s.ID]
		delete(ours, s.ID)
		if !s.Complete || len(s.Problems) > 0 || b.Account != s.Account || b.Currency != s.Currency || b.Items != int64(len(s.Events)) ||
			micros(b.Net, s.Currency) != s.AmountMicros {
			l.t.Errorf("Google was told the settlement %+v, the books have %+v", s, b)
		}
		for _, e := range s.Events {
			at := event{s.Account, s.Currency, e.Kind, e.Subject}
			charge, there := want[at]
			if !there || e.ChargeMicros != charge {
				l.t.Errorf("%+v is settled with %d micros; expected: %t, %d", at, e.ChargeMicros, there, charge)
			}
			delete(want, at)
		}
	}
	for at := range want {
		l.t.Errorf("%+v was never settled", at)
	}
	for id := range ours {
		l.t.Errorf("Google never heard of the settlement %s", id)
	}
	for _, f := range l.google.Files() {
		if len(f.Problems) > 0 {
			l.t.Errorf("Google finds fault with %s: %q", f.Name, f.Problems)
		}
	}
}

// ledger makes our ledger from what the others know: the acquirer of holds, bookings, chargebacks, its fees and payments, the payout bank
// of payouts, and Google of our fees.
func (l *life) ledger(r *records) {
	want := map[book]int64{}
	add := func(of purse, debit, credit ledger.Kind, amount int64) {
		want[book{debit, of}] += amount
		want[book{credit, of}] -= amount
	}
	of := l.purses(r)
	for _, h := range r.holds {
		if l.shop.terminals[h.Terminal] != of[h.RRN].owner {
			l.t.Errorf("RRN %s of %s came from the terminal %s of another account", h.RRN, of[h.RRN].owner, h.Terminal)
		}
		if h.State == "open" {
			add(of[h.RRN], ledger.AcquirerHeld, ledger.GoogleHeld, h.Amount)
		}
	}
	for _, b := range r.bookings {
		switch {
		case b.Undone:
		case b.Kind == "refund":
			add(of[b.RRN], ledger.GooglePayable, ledger.AcquirerReceivable, b.Amount)
		default:
			add(of[b.RRN], ledger.AcquirerReceivable, ledger.GooglePayable, b.Amount)
		}
	}
	for _, d := range r.claims {
		if d.State != "reversed" {
			add(of[d.RRN], ledger.GooglePayable, ledger.AcquirerReceivable, d.Amount)
		}
	}
	for _, x := range r.told {
		to := purse{l.shop.merchants[x.Merchant], x.Currency}
		if x.RRN != "" && to != of[x.RRN] {
			l.t.Errorf("the acquirer told %s %s to %s, and RRN %s is of %s", x.Type, x.ID, to, x.RRN, of[x.RRN])
		}
		add(to, ledger.AcquirerReceivable, ledger.AcquirerFee, x.Interchange+x.Scheme+x.Acquirer)
		add(to, ledger.AcquirerReceivable, ledger.TaxInput, x.Tax)
		switch {
		case x.Type == "PAY" && x.Result == "C":
			add(to, ledger.BankSettlement, ledger.AcquirerReceivable, x.Amount)
		case x.Type == "PAY":
			add(to, ledger.AcquirerReceivable, ledger.BankSettlement, x.Amount)
		}
	}
	for _, s := range r.settled {
		for _, e := range s.Events { // the fee on a hold holds its tax: both are told in one member
			add(purse{s.Account, s.Currency}, ledger.FeeIncome, ledger.GooglePayable, (e.FeeMicros+e.VATMicros)/micros(1, s.Currency))
		}
	}
	for _, more := range []func(*records, func(book, int64)){l.float, l.merchantBooks} {
		more(r, func(b book, amount int64) { want[b] += amount })
	}
	have := map[book]int64{}
	for _, b := range r.balances {
		kind := ledger.Kind(b.Account)
		if kind == ledger.TaxOutput {
			kind = ledger.FeeIncome
		}
		have[book{kind, purse{b.Owner, b.Currency}}] += b.Amount
	}
	for account, amount := range want {
		if have[account] != amount {
			l.t.Errorf("%s is %d, the others make it %d", account, have[account], amount)
		}
		delete(have, account)
	}
	for account, amount := range have {
		if amount != 0 {
			l.t.Errorf("%s is %d, and the others know nothing of it", account, amount)
		}
	}
}

// purse is whose money it is, and in what currency; book is one account of the ledger.
type (
	purse struct{ owner, currency string }
	book  struct {
		ledger.Kind
		purse
	}
)

// purses says whose each reference number is. What the acquirer has under it must be in that currency.
func (l *life) purses(r *records) map[string]purse {
	byHold, of := map[string]purse{}, map[string]purse{}
	for _, p := range l.payments {
		byHold[p.hold.id] = purse{p.account, p.in}
	}
	for rrn, by := range r.references {
		of[rrn] = byHold[by.hold]
	}
	check := func(rrn, numeric string) {
		if in, _ := money.Lookup(of[rrn].currency); in.Numeric() != numeric {
			l.t.Errorf("RRN %s is in %s, and at the acquirer in %s", rrn, in, numeric)
		}
	}
	for _, h := range r.holds {
		check(h.RRN, h.Currency)
	}
	for _, b := range r.bookings {
		check(b.RRN, b.Currency)
	}
	for _, d := range r.claims {
		check(d.RRN, d.Currency)
	}
	return of
}

// leftovers wants nothing to be owed any more, no case but those that are meant, no broken totals, and no card beyond its time.
func (l *life) leftovers(r *records) {
	want := store.Backlog{Cases: int64(min(1, len(l.spoiled))) + l.cameBack() + l.strays()}
	if r.backlog != want {
		l.t.Errorf("something is still owed: %+v, not %+v", r.backlog, want)
		l.list(`SELECT kind || ' ' || detail FROM operator_case`, func(scan func(...any) error) error {
			var text string
			err := scan(&text)
			l.t.Log(text)
			return err
		})
	}
	l.list(`SELECT day || ' in ' || currency, state FROM reconciliation`, func(scan func(...any) error) error {
		var day, state string
		err := scan(&day, &state)
		if l.did.totals.Add(1); state != "AGREED" {
			l.t.Errorf("the totals of %s are %s", day, state)
		}
		return err
	})
	l.list(`SELECT request_id, account, card IS NOT NULL FROM reservation WHERE captured > 0`, func(scan func(...any) error) error {
		var id, account string
		var kept bool
		err := scan(&id, &account, &kept)
		if kept != (account != brief["id"]) {
			l.t.Errorf("%s of %s is captured, and its card is kept: %t", id, account, kept)
		}
		return err
	})
}
