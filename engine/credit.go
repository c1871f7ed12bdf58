package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"naru/core/card"
	"naru/core/deposit"
	"naru/core/fault"
	"naru/core/ledger"
	"naru/core/payment"
	"naru/core/payout"
	"naru/crash"
	"naru/names"
)

// TakeMessage takes what a bank told into account: a whole message in one transaction, each booking once, however often and by whatever way it
// is told. It is on disk when this returns without an error. A booking on an account that is not ours, or that is no money of ours, refuses
// the message: nothing of it is taken (rails §3.4).
func (e *Engine) TakeMessage(ctx context.Context, m deposit.Message) (got FeedReceipt, err error) {
	if err := e.CheckMessage(m); err != nil {
		return got, err
	}
	ctx, now := context.WithoutCancel(ctx), e.clock.Now()
	var touched []string
	err = e.store.Update(ctx, func(tx Tx) error {
		got, touched = FeedReceipt{}, nil
		before, seen, err := tx.BankMessage(m.Feed, m.Kind, m.ID)
		if err != nil {
			return err
		}
		if seen && before.Digest != m.Digest && !m.Copy { // its bookings count once all the same
			err := e.openNow(tx, Case{
				ID: "bank-message/" + m.Feed + "/" + m.ID + "/" + short(m.Digest), Kind: "bank-message", At: now,
				Detail: fmt.Sprintf("feed=%s message=%s came again with other content", m.Feed, m.ID),
			})
			if err != nil {
				return err
			}
		}
		c := change{actor: "bank", at: now, touched: &touched}
		for _, r := range m.Reports {
			if err := e.takeReport(tx, m, r, &got, c); err != nil {
				return err
			}
		}
		if seen {
			return nil
		}
		_, err = tx.InsertBankMessage(BankMessage{
			Feed: m.Feed, ID: m.ID, Kind: m.Kind, Digest: m.Digest, Entries: got.Entries, Accepted: got.Accepted, Repeated: got.Duplicates, At: now,
		})
		return err
	})
	if err != nil {
		var refusal EntryRefusal
		if errors.As(err, &refusal) {
			return FeedReceipt{}, err
		}
		return FeedReceipt{}, unavailable(err)
	}
	e.changed.tell(touched...)
	e.crash(crash.CreditTaken)
	e.Notices.Ring()
	e.Payouts.Ring()
	e.deposits.Ring()
	return got, nil
}

// CheckMessage says why a message cannot be taken: a booking on an account that is not ours, or that is no money of ours. It takes nothing.
func (e *Engine) CheckMessage(m deposit.Message) error {
	now := e.clock.Now()
	for _, r := range m.Reports {
		if err := e.checkReport(r, now); err != nil {
			return err
		}
	}
	return nil
}

// aheadAtMost is how far a bank's clock may be ahead of ours.
const aheadAtMost = time.Hour

func (e *Engine) checkReport(r deposit.Report, now time.Time) error {
	if _, ours := e.byNumber[r.Bank+"/"+r.Account]; !ours {
		return fmt.Errorf("an account of bank %s: %w", r.Bank, UnknownAccount)
	}
	for i, b := range r.Entries {
		var why EntryRefusal
		switch {
		case b.Amount.Currency() != nothing.Currency():
			why = WrongCurrency
		case !b.Amount.IsPositive():
			why = InvalidAmount
		case b.BookedAt.After(now.Add(aheadAtMost)):
			why = FutureDate
		case b.Bank != r.Bank || b.Account != r.Account:
			why = UnknownAccount
		default:
			continue
		}
		return fmt.Errorf("entry %d: %w", i+1, why)
	}
	return nil
}

func (e *Engine) takeReport(tx Tx, m deposit.Message, r deposit.Report, got *FeedReceipt, c change) error {
	if r.Seq > 0 {
		if err := e.takeSequence(tx, r, c.at); err != nil {
			return err
		}
	}
	unheard := 0 // bookings that only the statement knows
	for _, b := range r.Entries {
		got.Entries++
		fresh, err := e.takeEntry(tx, m, b, c)
		if err != nil {
			return err
		}
		if !fresh {
			got.Duplicates++
			continue
		}
		got.Accepted++
		if m.Kind == deposit.Statement {
			unheard++
		}
	}
	if m.Kind != deposit.Statement {
		return nil
	}
	return e.compareStatement(tx, m, r, unheard, c.at)
}

// takeSequence notices where a notification is missing, each in a case that its coming closes: news may overtake each other. It blocks nothing,
// because the statement brings what was in it (rails §3.4).
func (e *Engine) takeSequence(tx Tx, r deposit.Report, now time.Time) error {
	receiver := e.byNumber[r.Bank+"/"+r.Account]
	missing := func(seq int64) string { return fmt.Sprintf("bank-gap/%s/%d", receiver, seq) }
	last, some, err := tx.LastSequence(r.Bank, r.Account)
	if err != nil {
		return err
	}
	if some && r.Seq <= last {
		_, err := tx.CloseCase(missing(r.Seq), "it came", now)
		return err
	}
	for seq := max(last+1, r.Seq-mostMissing); some && seq < r.Seq; seq++ {
		err := e.openNow(tx, Case{
			ID: missing(seq), Kind: "bank-gap", At: now, Detail: fmt.Sprintf("receiver=%s notification %d has not come", receiver, seq),
		})
		if err != nil {
			return err
		}
	}
	return tx.PutSequence(r.Bank, r.Account, r.Seq)
}

// mostMissing is how many missing notifications are told of at once: where there are more, the newest say enough.
const mostMissing = 20

// compareStatement says what a day's statement and what we were told of that day disagree in.
func (e *Engine) compareStatement(tx Tx, m deposit.Message, r deposit.Report, unheard int, now time.Time) error {
	receiver := e.byNumber[r.Bank+"/"+r.Account]
	open := func(kind, detail string) error {
		return e.openNow(tx, Case{
			ID: fmt.Sprintf("%s/%s/%s/%s", kind, receiver, r.Day, short(m.Digest)), Kind: kind, At: now,
			Detail: "receiver=" + receiver + " day=" + r.Day + " " + detail,
		})
	}
	if unheard > 0 {
		if err := open("bank-unheard", fmt.Sprintf("bookings that only the statement told: %d, taken now", unheard)); err != nil {
			return err
		}
	}
	missing, err := tx.UntoldEntries(r.Bank, r.Account, r.Day)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		if err := open("bank-unstated", fmt.Sprintf("bookings that were told and are not in the statement: %d", len(missing))); err != nil {
			return err
		}
	}
	if r.Balances == nil {
		return nil
	}
	sum := r.Balances.Opening
	for _, b := range r.Entries {
		if b.Debit {
			sum = sum.Less(b.Amount)
		} else {
			sum = sum.Plus(b.Amount)
		}
	}
	if sum != r.Balances.Closing {
		return open("bank-balance", "the bookings do not lead from the first balance to the last")
	}
	return nil
}

// takeEntry takes one booking, if it is new. One that was taken with another amount is for a person, and the first one stands.
func (e *Engine) takeEntry(tx Tx, m deposit.Message, b deposit.Entry, c change) (fresh bool, err error) {
	stated := m.Kind == deposit.Statement
	known, seen, err := tx.BankEntry(b.Bank, b.Account, b.ID, b.Debit)
	if err != nil {
		return false, err
	}
	if seen {
		if known.Amount != b.Amount {
			if m.Kind == deposit.Push {
				return false, fmt.Errorf("a transaction that was told before: %w", Conflict)
			}
			return false, e.openNow(tx, Case{
				ID: "bank-conflict/" + known.Receiver + "/" + short(m.Digest), Kind: "bank-conflict", At: c.at,
				Detail: fmt.Sprintf("receiver=%s message=%s: a transaction was told before with another amount", known.Receiver, m.ID),
			})
		}
		if stated && !known.Stated || !stated && !known.Notified {
			known.Stated, known.Notified = known.Stated || stated, known.Notified || !stated
			return false, tx.UpdateBankEntry(known)
		}
		return false, nil
	}
	row := BankEntry{
		Bank: b.Bank, Account: b.Account, ID: b.ID, Debit: b.Debit, Amount: b.Amount, Receiver: e.byNumber[b.Bank+"/"+b.Account], Message: m.ID,
		Notified: !stated, Stated: stated, Day: b.BookedAt.In(korea).Format("20060102"), At: c.at,
	}
	if b.Reversal {
		row.Original = cmp.Or(b.Original, b.ID)
	}
	switch {
	case b.Reversal && b.Debit:
		row.Credit, err = e.takeBack(tx, row, c)
	case b.EndToEnd != "" && (b.Debit || b.Returned):
		row.Payout, err = e.heardBooked(tx, row, b, c)
	case b.Debit, b.Returned, b.Reversal:
		err = e.unexplained(tx, row, c)
	default:
		row.Credit, err = e.takeCredit(tx, m, row, b, c)
	}
	if err != nil {
		return false, err
	}
	if mine, err := tx.InsertBankEntry(row); err != nil {
		return false, err
	} else if !mine {
		return false, errRaced
	}
	return true, nil
}

// korea is where the banks are that book in won.
var korea = time.FixedZone("KST", 9*60*60)

func unexplainedCase(b BankEntry) string {
	return fmt.Sprintf("bank-unexplained/%s/%s/%t", b.Receiver, b.ID, b.Debit)
}

// unexplained books what the bank moved and nobody asked for: a person must say what it is.
func (e *Engine) unexplained(tx Tx, b BankEntry, c change) error {
	amount := b.Amount
	if b.Debit {
		amount = amount.Negated()
	}
	c.detail = "booking=" + b.Message + " amount=" + amount.String()
	if _, err := e.enter(tx, b.Receiver, "", "book", "", ledger.BankBooked(b.Receiver, amount), c); err != nil {
		return err
	}
	return e.openNow(tx, Case{
		ID: unexplainedCase(b), Kind: "bank-unexplained", At: c.at,
		Detail: fmt.Sprintf("receiver=%s amount=%s: the bank booked what is neither a deposit nor a payout of ours", b.Receiver, amount),
	})
}

// heardBooked is that the bank booked a payout of ours: it has left, or it has come back. A payout that came back had left before.
func (e *Engine) heardBooked(tx Tx, row BankEntry, b deposit.Entry, c change) (string, error) {
	for name := range e.banks {
		a, ok, err := tx.PayoutAttemptByReference(name, b.EndToEnd)
		if err != nil {
			return "", err
		}
		if !ok {
			continue
		}
		p, _, err := tx.Payout(a.Payout)
		if err != nil {
			return "", err
		}
		say := func(v payout.Verdict, code string) error {
			p, err = e.apply(tx, p, a, payout.Answer{Verdict: v, Reference: a.Reference, Amount: b.Amount, Status: "BOOK", Code: code}, c, true)
			if err == nil {
				a, _, err = tx.PayoutAttempt(a.ID)
			}
			return err
		}
		if err := say(payout.Credited, ""); err != nil {
			return p.ID, err
		}
		if b.Returned && a.State == payout.AttemptPaid {
			err = say(payout.CameBack, b.Reason)
		}
		return p.ID, err
	}
	return "", e.unexplained(tx, row, c)
}

func senderPlace(id string) string { return "bank_credit.sender/" + id }

func encodeSender(s Sender) []byte {
	return []byte(oneLine(s.Name) + "\n" + s.Bank + "\n" + oneLine(s.Account) + "\n" + s.Memo.Reveal())
}

func oneLine(s card.Secret) string { return strings.ReplaceAll(s.Reveal(), "\n", " ") }

// SenderOf is who sent a credit, as the bank told it.
func (e *Engine) SenderOf(c deposit.Credit) (s Sender, err error) {
	plain, err := e.vault.Open(c.Sender, senderPlace(c.ID))
	if err != nil {
		return s, err
	}
	part := strings.SplitN(string(plain), "\n", 4)
	if len(part) != 4 {
		return s, fmt.Errorf("engine: the sealed sender of %s is broken", c.ID)
	}
	return Sender{card.Conceal(part[0]), part[1], card.Conceal(part[2]), card.Conceal(part[3])}, nil
}

// takeCredit writes money that came, and finds its order.
func (e *Engine) takeCredit(tx Tx, m deposit.Message, row BankEntry, b deposit.Entry, c change) (string, error) {
	if r := e.receivers[row.Receiver]; b.Virtual == b.Account || !r.holds(b.Virtual) {
		b.Virtual = ""
	}
	credit := deposit.Credit{
		ID: newID(), Receiver: row.Receiver, Bank: b.Bank, Account: b.Account, Virtual: b.Virtual, BankID: b.ID, Feed: m.Feed, Message: m.ID,
		State: deposit.Unmatched, Version: 1, Amount: b.Amount, BookedAt: b.BookedAt, ReceivedAt: c.at,
	}
	var err error
	credit.Sender, err = e.vault.Seal(encodeSender(Sender{b.Name, b.FromBank, b.FromAccount, b.Memo}), senderPlace(credit.ID))
	if err != nil {
		return "", err
	}
	c.detail = "amount=" + b.Amount.String() + " message=" + m.ID
	j, err := e.creditEvent(&credit, "book", c)
	if err != nil {
		return "", err
	}
	if err := tx.InsertCredit(credit); err != nil {
		return "", err
	}
	if err := e.write(tx, j, []ledger.Posting{ledger.CreditArrived(credit.Receiver, credit.Amount)}); err != nil {
		return "", err
	}
	c.detail = ""
	if back, gone, err := tx.ReversalOf(b.Bank, b.Account, b.ID); err != nil {
		return "", err
	} else if gone && back.Credit == "" && back.Amount == b.Amount { // the bank told of the end before the beginning: now it is explained
		c.detail = "taken back before it was told"
		if _, err := e.stepCredit(tx, credit, deposit.Reverse, c, ledger.BankBooked(credit.Receiver, back.Amount)...); err != nil {
			return "", err
		}
		_, err = tx.CloseCase(unexplainedCase(back), "it took back a credit that was told later", c.at)
		return credit.ID, err
	}
	_, err = e.place(tx, credit, false, c)
	return credit.ID, err
}

// creditEvent makes the next link of a credit's journal.
func (e *Engine) creditEvent(credit *deposit.Credit, event string, c change) (JournalEvent, error) {
	chain := payment.Chain(credit.Chain)
	j, err := e.link(&chain, JournalEvent{
		Payment: credit.ID, At: c.at, Event: event, State: string(credit.State), Actor: c.actor, Detail: c.detail,
	})
	credit.Chain = deposit.Chain(chain)
	return j, err
}

// stepCredit applies an event to a credit and writes all that belongs to it, with more money that moves beside it.
func (e *Engine) stepCredit(tx Tx, credit deposit.Credit, ev deposit.CreditEvent, c change, beside ...ledger.Posting) (deposit.Credit, error) {
	next, moved, err := credit.After(ev)
	if err != nil {
		return credit, err
	}
	j, err := e.creditEvent(&next, string(ev), c)
	if err != nil {
		return credit, err
	}
	if ok, err := tx.UpdateCredit(next); err != nil {
		return credit, err
	} else if !ok {
		return credit, errRaced
	}
	return next, e.write(tx, j, append(moved, beside...))
}

// place finds the order of a credit by the rules of rails §3.7, and does what they say. It reports whether the credit paid one.
func (e *Engine) place(tx Tx, credit deposit.Credit, newOrder bool, c change) (paid bool, err error) {
	sender, err := e.SenderOf(credit)
	if err != nil {
		return false, err
	}
	in := deposit.Incoming{Amount: credit.Amount, BookedAt: credit.BookedAt, Virtual: credit.Virtual != "", NewOrder: newOrder}
	orders, crowded, err := e.candidates(tx, credit, sender)
	in.Crowded = crowded
	if err != nil {
		return false, err
	}
	list := make([]deposit.Candidate, 0, len(orders))
	words := names.Words(sender.Name.Reveal() + " " + sender.Memo.Reveal())
	var seen []string // what the decision was made from, without a name
	for _, o := range orders {
		x, err := e.candidate(o, sender, words)
		if err != nil {
			return false, err
		}
		list = append(list, x)
		if len(seen) == mostNamed { // there is no more to be learnt from the others
			continue
		}
		seen = append(seen, fmt.Sprintf("%s/%s/%d%s%s%s", o.Number, o.State, o.Display.Minor(), sign(x.NameAgrees, "+name"),
			sign(x.SamePayer, "+account"),
			sign(x.TokenFound, "+code")))
	}
	d := deposit.Decide(in, list)
	before := credit
	credit.Rule, credit.Trouble, credit.Suspect = d.Rule, d.Trouble, ""
	credit.Inputs = fmt.Sprintf(
		"amount=%d virtual=%t new_order=%t of=%d candidates=%s", in.Amount.Minor(), in.Virtual, in.NewOrder, len(list), strings.Join(seen, ","))
	c.detail = "rule=" + d.Rule + " " + credit.Inputs
	if d.Flag != "" {
		c.detail += " flag=" + d.Flag
	}
	if d.Order != "" {
		i := slices.IndexFunc(orders, func(o deposit.Order) bool { return o.ID == d.Order })
		return true, e.payWith(tx, orders[i], credit, c)
	}
	if newOrder { // nothing has changed
		return false, nil
	}
	if d.Wait {
		credit.RetryUntil = credit.BookedAt.Add(deposit.Early)
		_, err = e.stepCredit(tx, credit, deposit.Waits, c)
	} else {
		credit.Suspect = d.Suspect
		_, err = e.stepCredit(tx, credit, deposit.Hold, c)
	}
	if err == nil {
		err = e.unsuspect(tx, before, d.Suspect, c)
	}
	if err == nil && d.Suspect != "" {
		i := slices.IndexFunc(orders, func(o deposit.Order) bool { return o.ID == d.Suspect })
		err = e.suspect(tx, orders[i], d.Trouble, c)
	}
	if err != nil {
		return false, err
	}
	return false, e.openNow(tx, Case{
		ID: creditCase(credit.ID), Kind: "deposit-" + strings.ToLower(strings.ReplaceAll(string(d.Trouble), "_", "-")), Payment: credit.ID, At: c.at,
		Detail: fmt.Sprintf("credit=%s receiver=%s rule=%s %s", credit.ID, credit.Receiver, d.Rule, credit.Inputs),
	})
}

func sign(is bool, text string) string {
	if is {
		return text
	}
	return ""
}

func creditCase(id string) string { return "credit/" + id }

// notGivenCase is about a credit that could not be given back, as it is since then.
func notGivenCase(x deposit.Credit) string { return fmt.Sprintf("%s/%d", creditCase(x.ID), x.Version) }

// closeCredit closes what a person was to decide of a credit, as it was before.
func closeCredit(tx Tx, was deposit.Credit, note string, at time.Time) error {
	for _, id := range []string{creditCase(was.ID), notGivenCase(was)} {
		if _, err := tx.CloseCase(id, note, at); err != nil {
			return err
		}
	}
	return nil
}

// lateFor is how long after its end money is still known to be for an order.
const lateFor = day

// mostNamed is how many orders of one name are looked at: where there are more, nobody can tell which is meant.
const mostNamed = 50

// candidates are the orders that a credit may be for.
func (e *Engine) candidates(v Reader, credit deposit.Credit, s Sender) (list []deposit.Order, crowded bool, err error) {
	if credit.Virtual != "" {
		list, err = v.OrdersOfVirtual(credit.Receiver, credit.Virtual, 5)
		return list, false, err
	}
	list, err = v.OrdersShowing(credit.Receiver, credit.Amount, credit.BookedAt.Add(deposit.Early), credit.BookedAt.Add(-lateFor))
	if err != nil {
		return nil, false, err
	}
	print, err := e.namePrint(s.Name)
	if err != nil {
		return nil, false, err
	}
	named, err := v.OrdersNamed(credit.Receiver, names.Words(s.Name.Reveal()+" "+s.Memo.Reveal()), print, mostNamed)
	for _, o := range named {
		if !slices.ContainsFunc(list, func(x deposit.Order) bool { return x.ID == o.ID }) {
			list = append(list, o)
		}
	}
	return list, len(named) == mostNamed, err
}

// candidate compares an order with who sent a credit.
func (e *Engine) candidate(o deposit.Order, s Sender, words []string) (x deposit.Candidate, err error) {
	service, _ := e.merchants[o.Merchant].deposit(o.Service)
	service = service.withDefaults()
	payer, err := e.PayerOf(o)
	if err != nil {
		return x, err
	}
	account := digits(payer.Account.Reveal())
	return deposit.Candidate{
		Order: o.ID, State: o.State, Display: o.Display, CreatedAt: o.CreatedAt, ExpiresAt: o.ExpiresAt.Add(service.Grace),
		RealName: service.RealName, Unique: service.Unique, OtherAmount: service.Other,
		NameKnown: !payer.Name.IsZero(), NameAgrees: names.Agree(payer.Name.Reveal(), s.Name.Reveal()),
		SamePayer:  account != "" && account == digits(s.Account.Reveal()),
		TokenFound: o.Token != "" && slices.Contains(words, o.Token),
	}, nil
}

// payWith pays an order with a credit, once for either.
func (e *Engine) payWith(tx Tx, o deposit.Order, credit deposit.Credit, c change) error {
	service, _ := e.merchants[o.Merchant].deposit(o.Service)
	was, _, err := tx.Credit(credit.ID)
	if err != nil {
		return err
	}
	o.Real, o.Credit, o.Into = credit.Amount, credit.ID, credit.Receiver
	if o.Fee = service.Fee.of(o.Real); o.Fee.Exceeds(o.Real) { // we never take more than came
		o.Fee = o.Real
	}
	credit.Order, credit.Suspect, credit.Trouble, credit.RetryUntil = o.ID, "", deposit.NoTrouble, time.Time{}
	if _, err := e.stepCredit(tx, credit, deposit.Match, c); err != nil {
		return err
	}
	c.detail = "credit=" + credit.ID + " real=" + o.Real.String() + " fee=" + o.Fee.String()
	if _, err := e.stepOrder(tx, o, deposit.Pay, c); err != nil {
		return err
	}
	if err := closeCredit(tx, was, "paid order "+o.Number+" by rule "+credit.Rule, c.at); err != nil {
		return err
	}
	return e.unsuspect(tx, was, o.ID, c)
}

// unsuspect takes it back from an order that a credit, as it was before, was probably its; except is the order that it paid.
func (e *Engine) unsuspect(tx Tx, was deposit.Credit, except string, c change) error {
	if was.Suspect == "" || was.Suspect == except {
		return nil
	}
	o, ok, err := tx.Order(was.Suspect)
	if err != nil || !ok || o.Trouble == deposit.NoTrouble {
		return err
	}
	if left, err := tx.CreditsSuspecting(o.ID); err != nil || len(left) > 0 { // another one is
		return err
	}
	if _, may := deposit.Rules.Next(o.State, deposit.Clear); !may {
		return nil
	}
	o.Trouble = deposit.NoTrouble
	if o.State == deposit.Seen {
		service, _ := e.merchants[o.Merchant].deposit(o.Service)
		o.DueAt = o.ExpiresAt.Add(service.withDefaults().Grace)
	}
	c.detail = "credit=" + was.ID
	_, err = e.stepOrder(tx, o, deposit.Clear, c)
	return err
}

// suspect tells an order that money came which is probably its.
func (e *Engine) suspect(tx Tx, o deposit.Order, why deposit.Trouble, c change) error {
	if _, may := deposit.Rules.Next(o.State, deposit.See); !may {
		return nil // it is paid, or its end is final
	}
	o.Trouble = why
	if o.State == deposit.Waiting {
		o.DueAt = time.Time{} // it does not expire with money in our hands
	}
	c.detail = "why=" + string(why)
	_, err := e.stepOrder(tx, o, deposit.See, c)
	return err
}

// claimWaiting looks whether money that came just before an order was made is for it.
func (e *Engine) claimWaiting(tx Tx, o deposit.Order, c change) (deposit.Order, error) {
	if o.Receiver.Virtual {
		return o, nil
	}
	waiting, err := tx.WaitingCredits(o.Receiver.Account, o.Display, c.at)
	if err != nil {
		return o, err
	}
	for _, credit := range waiting {
		paid, err := e.place(tx, credit, true, c)
		if err != nil {
			return o, err
		}
		if paid {
			o, _, err = tx.Order(o.ID)
			return o, err
		}
	}
	return o, nil
}

// takeBack is that the bank takes an earlier credit back (rails §3.7 step 7). A paid order keeps its success; its merchant's balance does not.
func (e *Engine) takeBack(tx Tx, row BankEntry, c change) (string, error) {
	credit, ok, err := tx.CreditByBankID(row.Bank, row.Account, row.Original)
	if err != nil {
		return "", err
	}
	if !ok || credit.Amount != row.Amount || credit.State == deposit.Reversed || credit.State == deposit.GoingBack {
		return "", e.unexplained(tx, row, c)
	}
	was := credit.State
	c.detail = "message=" + row.Message
	before := credit
	credit.Trouble, credit.Suspect, credit.RetryUntil = deposit.NoTrouble, "", time.Time{}
	if credit, err = e.stepCredit(tx, credit, deposit.Reverse, c); err != nil {
		return "", err
	}
	if was == deposit.Unmatched {
		if err := closeCredit(tx, before, "the bank took it back", c.at); err != nil {
			return "", err
		}
		return credit.ID, e.unsuspect(tx, before, "", c)
	}
	o, ok, err := tx.Order(credit.Order)
	if err != nil {
		return "", err
	}
	if !ok {
		panic("engine: a matched credit without an order")
	}
	c.detail = "credit=" + credit.ID
	if _, err := e.stepOrder(tx, o, deposit.TakeBack, c); err != nil {
		return "", err
	}
	return credit.ID, e.openNow(tx, Case{
		ID: "deposit-taken-back/" + o.ID, Kind: "deposit-taken-back", Payment: o.ID, At: c.at,
		Detail: fmt.Sprintf("order=%s amount=%s: the merchant was told that it is paid, and owes the money", o.Number, o.Real),
	})
}

// ListCredits lists money that came by transfer: what is nobody's yet, or all of it, oldest first.
func (e *Engine) ListCredits(ctx context.Context, open bool, limit int) (list []deposit.Credit, err error) {
	err = e.store.View(ctx, func(v Reader) error {
		list, err = v.Credits(open, limit)
		return err
	})
	return list, err
}

// AssignCredit pays an order with a credit, because a person says whose it is.
func (e *Engine) AssignCredit(ctx context.Context, credit, order, note string) error {
	return e.settleCredit(ctx, credit, note, func(tx Tx, x deposit.Credit, c change) error {
		o, ok, err := tx.OrderByNumber(order)
		if err != nil {
			return err
		}
		if !ok {
			return ErrNotFound
		}
		if _, may := deposit.Rules.Next(o.State, deposit.Pay); !may {
			return fault.New(fault.Precondition, "the order is %s: it cannot be paid", o.State)
		}
		x.Rule, x.Inputs = "person", "order="+o.Number
		return e.payWith(tx, o, x, c)
	})
}

// GiveBackCredit sends a credit back to who transferred it, by a payout of a bank, because a person says so.
func (e *Engine) GiveBackCredit(ctx context.Context, credit, bank, note string) error {
	err := e.settleCredit(ctx, credit, note, func(tx Tx, x deposit.Credit, c change) error {
		rail, ok := e.banks[bank]
		if !ok {
			return fault.New(fault.Invalid, "there is no payout bank %q", bank)
		}
		s, err := e.SenderOf(x)
		if err != nil {
			return err
		}
		target := payout.Target{Bank: s.Bank, Number: card.Conceal(digits(s.Account.Reveal())), Name: s.Name, Text: "반환"}
		if err := rail.Rail.Check(payout.Order{Amount: x.Amount, Target: target}); err != nil {
			return fault.Wrap(fault.Precondition, err, "the bank has not told enough of the sender: pay it back by hand, and close the case")
		}
		p := payout.Payout{Purpose: payout.ForSender, Account: x.Receiver, Bank: bank, RequestID: x.ID + fmt.Sprintf("/%d", x.Version), Amount: x.Amount}
		if p, err = e.takePayout(tx, p, target, payout.Asked, c); err != nil {
			return err
		}
		c.detail = "payout=" + p.ID + " " + c.detail
		before := x
		x.Payout, x.RetryUntil, x.Suspect, x.Trouble = p.ID, time.Time{}, "", deposit.NoTrouble
		if _, err = e.stepCredit(tx, x, deposit.GiveBack, c); err != nil {
			return err
		}
		if err := closeCredit(tx, before, "it goes back to its sender: "+note, c.at); err != nil {
			return err
		}
		return e.unsuspect(tx, before, "", c)
	})
	e.Payouts.Ring()
	return err
}

func (e *Engine) settleCredit(ctx context.Context, id, note string, do func(Tx, deposit.Credit, change) error) error {
	if note == "" {
		return fault.New(fault.Invalid, "say in a note why")
	}
	now := e.clock.Now()
	var touched []string
	err := e.store.Update(ctx, func(tx Tx) error {
		touched = nil
		x, ok, err := tx.Credit(id)
		if err != nil {
			return err
		}
		if !ok {
			return ErrNotFound
		}
		if x.State != deposit.Unmatched {
			return fault.New(fault.Precondition, "the money is %s: it is decided already", x.State)
		}
		return do(tx, x, change{actor: "operator", at: now, detail: "note=" + note, touched: &touched})
	})
	if err == nil {
		e.changed.tell(touched...)
		e.Notices.Ring()
		e.deposits.Ring()
	}
	return err
}

// notGivenBack is that a payout which should have given a credit back did not: it is nobody's again, and for a person.
func (e *Engine) notGivenBack(tx Tx, p payout.Payout, c change) error {
	id, _, _ := strings.Cut(p.RequestID, "/")
	x, ok, err := tx.Credit(id)
	if err != nil || !ok {
		return err
	}
	x.Payout, x.Trouble = "", deposit.NoOrder
	c.detail = "payout=" + p.ID
	if x, err = e.stepCredit(tx, x, deposit.NotGiven, c); err != nil {
		return err
	}
	return e.openNow(tx, Case{
		ID: notGivenCase(x), Kind: "deposit-not-given-back", Payment: x.ID, At: c.at,
		Detail: fmt.Sprintf("credit=%s receiver=%s amount=%s: its sender could not be paid", x.ID, x.Receiver, x.Amount),
	})
}
