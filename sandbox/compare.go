package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"text/tabwriter"
	"time"

	"naru/core/ledger"
	"naru/core/money"
	"naru/fsck"
	"naru/sandbox/google"
	"naru/store"
	"naru/vault"
)

// evidence is what the three parties wrote down, each for itself.
type evidence struct {
	now       time.Time // business time
	exchanges []google.Exchange
	verdicts  []google.Verdict
	holds     []store.Hold
	balances  []store.Balance
	host      []hostHold
}

// hostHold is a hold in the acquirer's own record.
type hostHold struct {
	RRN      string `json:"rrn"`
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
	State    string `json:"state"`
	Captured int64  `json:"captured"`
}

// place is where the money of a payment is in somebody's eyes, in minor units.
type place struct{ held, booked int64 }

func (p place) String() string {
	switch {
	case p.held != 0 && p.booked != 0:
		return "holds " + won(p.held) + ", booked " + won(p.booked)
	case p.held != 0:
		return "holds " + won(p.held)
	case p.booked != 0:
		return "booked " + won(p.booked)
	}
	return "nothing"
}

// row is one payment in everybody's eyes.
type row struct {
	id                       google.Exchange // the reservation
	google, ledger, acquirer place
	problems                 []string
}

// comparison is what a look at all the evidence came to.
type comparison struct {
	rows     []row
	problems []string // beside those of a row
}

func (c comparison) agrees() bool {
	return len(c.problems) == 0 && !slices.ContainsFunc(c.rows, func(r row) bool { return len(r.problems) > 0 })
}

// compare holds the three records against each other (rails §5: I1, I2, I3). Payments that Google did not send itself are compared between
// the ledger and the acquirer only.
func compare(e evidence) (c comparison) {
	books := map[[2]string]store.Hold{}
	known := map[string]bool{} // by RRN
	for _, h := range e.holds {
		books[[2]string{h.Account, h.RequestID}], known[h.RRN] = h, true
	}
	atHost := map[string]place{}
	for _, h := range e.host {
		p := h.place()
		if p != (place{}) && !known[h.RRN] {
			c.problem("the acquirer %s under RRN %s, which belongs to no payment", p, h.RRN)
		}
		sum := atHost[h.RRN]
		atHost[h.RRN] = place{sum.held + p.held, sum.booked + p.booked}
	}

	for _, id := range e.payments() {
		r := row{id: id}
		r.google, r.problems = e.atGoogle(id)
		h, there := books[[2]string{id.Account, id.RequestID}]
		delete(books, [2]string{id.Account, id.RequestID})
		if there {
			r.ledger, r.acquirer = bookPlace(h), atHost[h.RRN]
		}
		if r.google != r.ledger || r.ledger != r.acquirer { // I1; with nothing at Google, I2
			r.problems = append(r.problems, "they do not agree")
		}
		c.rows = append(c.rows, r)
	}
	for _, h := range e.holds {
		if _, foreign := books[[2]string{h.Account, h.RequestID}]; foreign && bookPlace(h) != atHost[h.RRN] {
			c.problem("%s %s: the ledger %s, the acquirer %s", h.Account, h.RequestID, bookPlace(h), atHost[h.RRN])
		}
	}
	c.checkBalances(e)
	slices.Sort(c.problems)
	return c
}

func (c *comparison) problem(format string, args ...any) {
	c.problems = append(c.problems, fmt.Sprintf(format, args...))
}

func (h hostHold) place() place {
	switch h.State {
	case "open":
		return place{held: h.Amount}
	case "captured":
		return place{booked: h.Captured}
	}
	return place{}
}

func bookPlace(h store.Hold) (p place) {
	if h.Held {
		p.held = h.Amount
	}
	p.booked = h.Captured
	return p
}

// payments is the first time that each reservation was asked for, oldest first.
func (e evidence) payments() (list []google.Exchange) {
	seen := map[[2]string]bool{}
	for _, x := range e.exchanges {
		if id := [2]string{x.Account, x.RequestID}; x.Method == "reserveFunds" && !seen[id] {
			seen[id], list = true, append(list, x)
		}
	}
	return list
}

// job is one request id and all that was said about it.
type job struct {
	exchange google.Exchange // the first that got a 200, else the last
	verdict  string
	problems []string
}

// job gathers the copies of one request: they must have one answer between them (gsp-core §4.1). The same id sent to another method is another
// request, which is refused.
func (e evidence) job(of google.Exchange) (j job) {
	for _, x := range e.exchanges {
		switch {
		case x.Account != of.Account || x.RequestID != of.RequestID || x.Method != of.Method:
		case x.Status == http.StatusOK && j.exchange.Status == http.StatusOK && x.Digest != j.exchange.Digest:
			j.problems = append(j.problems, of.RequestID+" got two answers")
		case j.exchange.Status != http.StatusOK:
			j.exchange = x
		}
	}
	for _, v := range e.verdicts {
		if v.Account == of.Account && v.Subject == of.RequestID {
			j.verdict = v.Result
		}
	}
	return j
}

// atGoogle is what Google must believe of a reservation, from what it was told and nothing else.
func (e evidence) atGoogle(id google.Exchange) (p place, problems []string) {
	reserved := e.job(id)
	problems = reserved.problems
	approved := reserved.exchange.Status == http.StatusOK && reserved.exchange.Result == "SUCCESS"
	ended := !reserved.exchange.HeldUntil.After(e.now)
	seen, captures := map[string]bool{}, 0
	for _, x := range e.exchanges {
		if x.Account != id.Account || x.Reservation != id.RequestID || seen[x.RequestID+x.Method] {
			continue
		}
		seen[x.RequestID+x.Method] = true
		j := e.job(x)
		problems = append(problems, j.problems...)
		taken := j.exchange.Status == http.StatusOK
		switch {
		case taken && j.verdict == "":
			problems = append(problems, "no verdict on "+x.RequestID)
		case !taken && j.verdict != "" && j.exchange.Status >= 400 && j.exchange.Status < 500:
			problems = append(problems, "a verdict on "+x.RequestID+", which was refused")
		}
		if !taken && j.verdict == "" {
			continue
		}
		ended = true
		if x.Method != "asynchronousCaptureFundsReservation" {
			continue
		}
		if captures++; captures > 1 {
			problems = append(problems, "a second capture, "+x.RequestID+", was accepted")
		}
		if j.verdict == "SUCCESS" {
			p.booked += minor(j.exchange.AmountMicros, id.Currency)
		}
	}
	if approved && !ended {
		p.held = minor(reserved.exchange.AmountMicros, id.Currency)
	}
	return p, problems
}

func minor(micros int64, currency string) int64 {
	c, ok := money.Lookup(currency)
	if !ok {
		return 0
	}
	a, err := money.FromMicros(micros, c)
	if err != nil {
		return 0
	}
	return a.Minor()
}

// checkBalances compares each account's balance with the payments that make it.
func (c *comparison) checkBalances(e evidence) {
	type book struct{ account, currency string }
	want := map[book]int64{}
	for _, h := range e.holds {
		p := bookPlace(h)
		for _, side := range []struct {
			kind   ledger.Kind
			amount int64
		}{
			{ledger.AcquirerHeld, p.held},
			{ledger.GoogleHeld, -p.held},
			{ledger.AcquirerReceivable, p.booked},
			{ledger.GooglePayable, -p.booked},
		} {
			want[book{ledger.Account{Kind: side.kind, Owner: h.Account}.String(), h.Currency}] += side.amount
		}
	}
	for _, b := range e.balances {
		at := book{ledger.Account{Kind: ledger.Kind(b.Account), Owner: b.Owner}.String(), b.Currency}
		if b.Amount != want[at] {
			c.problem("%s says %s, its payments make %s", at.account, won(b.Amount), won(want[at]))
		}
		delete(want, at)
	}
	for at, amount := range want {
		if amount != 0 {
			c.problem("%s is missing, its payments make %s", at.account, won(amount))
		}
	}
}

// print writes the table, and below it what is wrong.
func (c comparison) print(out io.Writer) error {
	t := tabwriter.NewWriter(out, 0, 0, 3, ' ', 0)
	fmt.Fprintln(t, "  account\treservation\twon\tGoogle\tledger\tacquirer\t")
	for _, r := range c.rows {
		mark := "agree"
		if len(r.problems) > 0 {
			mark = "DIFFER"
		}
		amount := won(minor(r.id.AmountMicros, r.id.Currency))
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.id.Account, r.id.RequestID, amount,
			r.google, r.ledger, r.acquirer, mark)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, r := range c.rows {
		for _, p := range r.problems {
			fmt.Fprintf(out, "  %s: %s\n", r.id.RequestID, p)
		}
	}
	for _, p := range c.problems {
		fmt.Fprintf(out, "  %s\n", p)
	}
	return nil
}

// once tells the story and compares the records.
func (s *Sandbox) once(ctx context.Context, o Options) error {
	told := s.tell(ctx, o)
	return errors.Join(told, s.Compare(ctx, o.Out))
}

// Compare waits until nothing is owed any more, ends the integrator, compares what Google, the ledger and the acquirer wrote down, and has the
// database checked. It prints what it finds and fails where the records differ.
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
	fmt.Fprint(out, "\nWhat Google knows, what the books say, what the acquirer did:\n\n")
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
	report, err := fsck.Run(ctx, fsck.Options{Path: s.folder.file(database), KEK: kek})
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
		fmt.Fprintf(out, "\n%d payments: all three records agree, and fsck finds nothing.\n", len(c.rows))
	}
	return differ
}

// drain waits until nothing is owed: no advice to the acquirer, no verdict to Google. Waits between attempts are business time, which
// need not be waited for: after a moment the clock moves.
func (s *Sandbox) drain(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	for began := time.Now(); ; {
		owed, err := s.platform.Store.Backlog(ctx)
		if err != nil {
			return err
		}
		if owed.Advices == 0 && owed.Notices == 0 {
			if owed.Parked+owed.Cases > 0 {
				return fmt.Errorf("%d notifications are parked and %d cases wait for an operator", owed.Parked, owed.Cases)
			}
			return nil
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return fmt.Errorf("still owed: %d advices to the acquirer, %d notifications to Google", owed.Advices, owed.Notices)
		}
		if time.Since(began) > 2*time.Second {
			if err := s.advance(time.Second); err != nil {
				return err
			}
		}
	}
}

// gather asks everybody for their record. The acquirer's comes by its control port: it shares nothing with us.
func (s *Sandbox) gather(ctx context.Context) (e evidence, err error) {
	e.now = s.clock.Now()
	e.exchanges, e.verdicts = s.google.Record()
	if e.holds, err = s.platform.Store.Holds(ctx); err != nil {
		return e, err
	}
	if e.balances, err = s.platform.Store.Balances(ctx); err != nil {
		return e, err
	}
	t := &teller{control: s.Contract.Control.Base, http: &http.Client{Timeout: patience}}
	defer t.http.CloseIdleConnections()
	t.call(ctx, http.MethodGet, "/acquirer/holds", nil, &e.host)
	return e, t.err
}
