package fsck

import (
	"fmt"
	"slices"

	"naru/core/ledger"
)

// place is one balance: an account of an owner in a currency.
type place struct{ account, owner, currency string }

func (p place) String() string { return p.account + "/" + p.owner + "/" + p.currency }

// books is what all postings, all open reservations and all settled items add up to. Its size grows with the accounts and the settlements,
// not with the payments.
type books struct {
	entries map[place]int64  // debits less credits
	held    map[place]int64  // what balances must be by what is told without postings: by what is held or in flight, for one
	settled map[string]*sums // by settlement, from the journal
}

func newBooks() *books { return &books{map[place]int64{}, map[place]int64{}, map[string]*sums{}} }

// memorandum are the accounts that hold promises, not money: they are posted against each other only (design §3.4).
var memorandum = []string{string(ledger.AcquirerHeld), string(ledger.GoogleHeld)}

type posting struct {
	n, k                                        int64
	owner, debit, creditOwner, credit, currency string
	amount, atUS                                int64
}

func (p posting) row(payment string) string { return fmt.Sprintf("%s/%d/%d", payment, p.n, p.k) }

func (b *books) add(x *run, payment string, p posting) {
	x.did("postings")
	b.entries[place{p.debit, p.owner, p.currency}] += p.amount
	b.entries[place{p.credit, p.creditOwner, p.currency}] -= p.amount
	for _, account := range []string{p.debit, p.credit} {
		if !slices.Contains(ledger.Chart, ledger.Kind(account)) {
			x.bad("postings", "posting", p.row(payment), "%s is no account", account)
		}
	}
	if slices.Contains(memorandum, p.debit) != slices.Contains(memorandum, p.credit) {
		x.bad("postings", "posting", p.row(payment), "moves between a promise and money")
	}
}

// booked compares the postings of an event with those that the event demands.
func (x *run) booked(j *journal, e event, want []ledger.Posting, have []posting) {
	if len(have) != len(want) {
		x.bad("postings", "event", e.row(j.id), "%s is booked %d times and must be %d times", e.event, len(have), len(want))
		return
	}
	for i, w := range want {
		must := posting{
			n: e.n, k: int64(i), owner: w.Debit.Owner, debit: string(w.Debit.Kind), creditOwner: w.Credit.Owner,
			credit: string(w.Credit.Kind), currency: w.Amount.Currency().Code(), amount: w.Amount.Minor(), atUS: e.atUS,
		}
		if h := have[i]; h != must {
			x.bad("postings", "posting", h.row(j.id), "%s must book %s, from %s to %s, and this is not what stands here",
				e.event, w.Amount, w.Credit, w.Debit)
		}
	}
}

// toldBy is the check of the balances that can be told without the books: from what is open, from what merchants earned and spent, and from
// what banks booked.
var toldBy = map[string]string{
	string(ledger.AcquirerHeld): "holds", string(ledger.PayoutInFlight): "in-flight", string(ledger.MerchantPayable): "merchants",
	string(ledger.DepositUnmatched): "credits", string(ledger.BankCollection): "bookings",
}

// noAmount is a journal that cannot be told: its money stands in the books all the same.
func (x *run) noAmount(j *journal, b *books, amount int64, currency string) {
	for _, q := range j.postings {
		b.add(x, j.id, q)
	}
	x.bad("states", j.table, j.id, "%d %s is no amount", amount, currency)
}

// keptBalances are sums: a balance may stand in several rows.
const keptBalances = `SELECT account, owner, currency, SUM(amount) FROM balance GROUP BY account, owner, currency`

// balances compares the kept balances with the postings, and those that can be told without postings with that too.
func (x *run) balances(b *books) error {
	sums := map[string]int64{}
	err := x.each(keptBalances, func(scan func(...any) error) error {
		var at place
		var amount int64
		if err := scan(&at.account, &at.owner, &at.currency, &amount); err != nil {
			return err
		}
		x.did("balances")
		sums[at.currency] += amount
		if want := b.entries[at]; amount != want {
			x.bad("balances", "balance", at.String(), "is %d and its postings make %d", amount, want)
		}
		delete(b.entries, at)
		if check := toldBy[at.account]; check != "" {
			x.did(check)
			if want := b.held[at]; amount != want {
				x.bad(check, "balance", at.String(), "is %d and without the books it is %d", amount, want)
			}
			delete(b.held, at)
		}
		return nil
	})
	for at, amount := range b.entries {
		x.bad("balances", "balance", at.String(), "is missing: its postings make %d", amount)
	}
	for at, amount := range b.held {
		x.bad(toldBy[at.account], "balance", at.String(), "is missing, and without the books it is %d", amount)
	}
	for currency, sum := range sums {
		if sum != 0 {
			x.bad("balances", "balance", currency, "the books of this currency sum to %d", sum)
		}
	}
	return err
}
