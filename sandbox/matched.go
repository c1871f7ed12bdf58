package sandbox

import (
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"naru/core/deposit"
	"naru/core/ledger"
	"naru/core/payout"
	"naru/engine"
	"naru/sandbox/shop"
	"naru/store"
)

// shopBooks is the sample merchant's own record.
type shopBooks struct {
	asked    []shop.Asked
	heard    []shop.Heard
	bookings []shop.Booking
}

// booked is what the merchant has in its books of an order, in won.
func (b shopBooks) booked(kind, clientID string) (won, fee int64) {
	for _, x := range b.bookings {
		if x.Kind == kind && x.ClientID == clientID {
			won, fee = won+x.Amount/100, fee+x.Fee/100
		}
	}
	return won, fee
}

// status is the last that the merchant heard of an order and believed; -1 is nothing.
func (b shopBooks) status(kind, clientID string) int64 {
	status := int64(-1)
	for _, h := range b.heard {
		if h.Kind == kind && h.ClientID == clientID && h.Queried {
			status = h.Status
		}
	}
	return status
}

// requests are the orders of a kind that the merchant asked for, each once: whether any of its requests was taken, and whether any has no
// answer, which may have been taken.
func (b shopBooks) requests(calls ...string) (list []wish) {
	at := map[string]int{}
	for _, a := range b.asked {
		if !slices.Contains(calls, a.Call) {
			continue
		}
		i, known := at[a.ClientID]
		if !known {
			i, at[a.ClientID] = len(list), len(list)
			list = append(list, wish{id: a.ClientID})
		}
		if a.Code == "0000" {
			list[i].taken, list[i].won = list[i].taken+1, a.Amount/100
		}
		list[i].open = list[i].open || a.Status != 200
	}
	return list
}

// wish is what became of one order number, as its merchant was answered.
type wish struct {
	id    string
	won   int64
	taken int
	open  bool
}

// collectingBank is the deposit bank's own record, as its control port shows it.
type collectingBank struct {
	moves    []bankMove
	orders   []bankOrder
	holdings []bankHolding
	twice    []string
}

// bankMove is something that the deposit bank booked, or will.
type bankMove struct {
	ID       string `json:"id"`
	Kind     string `json:"kind"` // deposit, reversal, payment, return
	Account  string `json:"account"`
	Amount   int64  `json:"amount"` // won
	Status   string `json:"status"`
	EndToEnd string `json:"end_to_end"`
	Reversed bool   `json:"reversed"`
}

func (m bankMove) booked(kind string) bool { return m.Kind == kind && m.Status == "BOOK" }

// bankOrder is a payment that the deposit bank was asked for.
type bankOrder struct {
	EndToEnd string   `json:"end_to_end"`
	Amount   int64    `json:"amount"`
	Status   string   `json:"status"`
	History  []string `json:"history"`
	Returned bool     `json:"returned"`
	Booked   string   `json:"bank_txn_id"` // the debit; empty before it
}

// bankHolding is what the deposit bank holds on an account.
type bankHolding struct {
	Account string `json:"account"`
	Balance int64  `json:"balance"`
}

// bankReport is a message of the deposit bank.
type bankReport struct {
	Done  bool `json:"done"`
	Never bool `json:"never"`
}

// owedBy counts the reports that nobody has taken yet.
func owedBy(list []bankReport) (n int) {
	for _, r := range list {
		if !r.Done && !r.Never {
			n++
		}
	}
	return n
}

// receiverOf is our name of each account at the deposit bank.
var receiverOf = map[string]string{mainAccount: mainReceiver, virtualAccount: virtualReceiver}

// arrived is money that came for an order: what our fee was, and whether the bank took it back.
type arrived struct {
	won, fee int64
	back     bool
}

func (a arrived) String() string {
	switch {
	case a.won == 0:
		return "nothing"
	case a.back:
		return "arrived " + figures(a.won, "KRW") + ", taken back"
	}
	return "arrived " + figures(a.won, "KRW")
}

// paidIn is one deposit order in everybody's eyes. The merchant hears nothing of money that the bank takes back, and the bank knows no fee.
type paidIn struct {
	id, number         string
	amount             int64
	shop, ledger, bank arrived
	problems           []string
}

// depositStatus is what a merchant hears of an order that ended (merchant-gateway §14, §17).
var depositStatus = map[deposit.State]int64{
	deposit.Paid: 2, deposit.TakenBack: 2, deposit.Expired: 3, deposit.Cancelled: 3, deposit.Failed: 4,
}

// checkDeposits holds the three records of each deposit order against each other. An order that the merchant did not ask for itself is
// compared between the books and the bank only.
func (c *comparison) checkDeposits(e evidence) {
	atBank := e.arrivedAtBank()
	rest := map[string]deposit.Order{}
	for _, o := range e.books.orders {
		rest[o.ClientID] = o
	}
	for _, w := range e.shop.requests("createDeposit", "createDepositV2") {
		o, known := rest[w.id]
		delete(rest, w.id)
		if !known && w.taken == 0 {
			continue // refused, and nothing is left of it
		}
		p := paidIn{id: w.id, number: o.Number, amount: o.Amount.Minor(), ledger: inOrder(o), bank: atBank[o.ID]}
		p.shop.won, p.shop.fee = e.shop.booked(shop.Deposit, w.id)
		want, ended := depositStatus[o.State]
		heard := e.shop.status(shop.Deposit, w.id)
		switch {
		case !known:
			p.problems = append(p.problems, "the merchant was told that it is made, and the books do not know it")
		case w.taken == 0 && !w.open:
			p.problems = append(p.problems, "the merchant was told that it is refused, and it is made")
		case w.taken > 1:
			p.problems = append(p.problems, fmt.Sprintf("the merchant was told %d times that it is made", w.taken))
		case w.taken == 1 && w.won != p.amount:
			p.problems = append(p.problems, "the merchant asked for "+figures(w.won, "KRW"))
		case ended && heard != want, !ended && heard >= shop.DepositPaid:
			p.problems = append(p.problems, fmt.Sprintf("the merchant heard status %d, the order is %s", heard, strings.ToLower(string(o.State))))
		}
		if p.shop.won != p.ledger.won || p.shop.fee != p.ledger.fee || p.ledger.won != p.bank.won || p.ledger.back != p.bank.back {
			p.problems = append(p.problems, "they do not agree")
		}
		c.deposits = append(c.deposits, p)
	}
	for _, o := range rest {
		in, at := inOrder(o), atBank[o.ID]
		if in.won != at.won || in.back != at.back {
			c.problem("order %s: the ledger %s, the deposit bank %s", o.Number, in, at)
		}
	}
}

func inOrder(o deposit.Order) arrived {
	switch o.State {
	case deposit.Paid, deposit.TakenBack:
		return arrived{o.Real.Minor(), o.Fee.Minor(), o.State == deposit.TakenBack}
	}
	return arrived{}
}

// arrivedAtBank is what the bank booked of the credit that paid each order.
func (e evidence) arrivedAtBank() map[string]arrived {
	at, moves := map[string]arrived{}, map[[2]string]bankMove{}
	for _, m := range e.collecting.moves {
		if m.booked("deposit") {
			moves[[2]string{m.Account, m.ID}] = m
		}
	}
	for _, k := range e.books.credits {
		if k.Order != "" {
			m := moves[[2]string{k.Account, k.BankID}]
			at[k.Order] = arrived{won: at[k.Order].won + m.Amount, back: m.Reversed}
		}
	}
	return at
}

// checkCredits: every credit at the bank is one of ours, with its amount, and it paid one order, or is before a person, or goes back to its
// sender, or the bank took it back (rails §5: I5).
func (c *comparison) checkCredits(e evidence) {
	rest := map[[2]string]deposit.Credit{}
	for _, k := range e.books.credits {
		n := [2]string{k.Account, k.BankID}
		if _, twice := rest[n]; twice {
			c.problem("the books have credit %s of the bank twice", k.BankID)
		}
		rest[n] = k
	}
	for _, m := range e.collecting.moves {
		if !m.booked("deposit") {
			continue
		}
		n := [2]string{m.Account, m.ID}
		k, known := rest[n]
		delete(rest, n)
		switch {
		case !known:
			c.problem("the deposit bank has credit %s of %s, which the books do not know", m.ID, priced(m.Amount, "KRW"))
		case k.Amount.Minor() != m.Amount:
			c.problem("credit %s is %s at the bank, %s in the books", m.ID, priced(m.Amount, "KRW"), sum(k.Amount))
		case (k.State == deposit.Reversed) != m.Reversed:
			c.problem("credit %s: taken back is %t at the bank, %t in the books", m.ID, m.Reversed, k.State == deposit.Reversed)
		case k.State == deposit.Unmatched && !e.heldBack(k):
			c.problem("credit %s is nobody's, and no case says so", m.ID)
		}
	}
	for _, k := range rest {
		c.problem("the books have credit %s of %s, which the deposit bank does not know", k.BankID, sum(k.Amount))
	}
	paid := map[string]int{}
	for _, k := range e.books.credits {
		if k.Order != "" {
			paid[k.Order]++
		}
	}
	for _, o := range e.books.orders {
		if o.Credit != "" && paid[o.ID] != 1 {
			c.problem("order %s is paid by %d credits", o.Number, paid[o.ID])
		}
	}
}

// heldBack reports whether a person was told of a credit.
func (e evidence) heldBack(k deposit.Credit) bool {
	return slices.ContainsFunc(e.books.cases, func(x engine.Case) bool { return x.Payment == k.ID })
}

// sentOut is one payout of the merchant in everybody's eyes, our fee beside it. The merchant never hears that money came back.
type sentOut struct {
	id                 string
	amount             int64
	shop, ledger, bank moved
	problems           []string
}

// transferStatus is what a merchant hears of a payout that ended (merchant-gateway §14, §17).
var transferStatus = map[payout.State]int64{payout.Paid: 3, payout.Returned: 3, payout.Cancelled: 4, payout.Refused: 5}

// checkTransfers holds the three records of each payout of the merchant against each other, and those that give money back between the
// books and the bank (rails §5: I3, I4).
func (c *comparison) checkTransfers(e evidence) {
	atBank := c.sentByBank(e)
	wished := map[string]engine.MerchantPayout{}
	for _, m := range e.books.wished {
		wished[m.RequestID] = m
	}
	own := map[string]bool{} // payouts that the merchant asked for
	for _, w := range e.shop.requests("createPayout") {
		m, known := wished[w.id]
		if !known && w.taken == 0 {
			continue
		}
		own[m.ID] = true
		row := store.PayoutRow{State: string(m.State), Amount: m.Amount.Minor()}
		if !known {
			row = store.PayoutRow{}
		}
		p := sentOut{id: w.id, amount: row.Amount, ledger: inTransfer(row), bank: atBank[m.ID]}
		var fee int64
		p.shop.paid, fee = e.shop.booked(shop.Payout, w.id)
		want, ended := transferStatus[m.State]
		heard := e.shop.status(shop.Payout, w.id)
		switch {
		case !known:
			p.problems = append(p.problems, "the merchant was told that it is taken on, and the books do not know it")
		case w.taken == 0 && !w.open:
			p.problems = append(p.problems, "the merchant was told that it is refused, and it was taken on")
		case w.taken > 1:
			p.problems = append(p.problems, fmt.Sprintf("the merchant was told %d times that it is taken on", w.taken))
		case w.taken == 1 && w.won != p.amount:
			p.problems = append(p.problems, "the merchant asked for "+figures(w.won, "KRW"))
		case ended && heard != want:
			p.problems = append(p.problems, fmt.Sprintf("the merchant heard status %d, the payout is %s", heard, strings.ToLower(string(m.State))))
		case p.shop.paid > 0 && fee != m.Fee.Minor():
			p.problems = append(p.problems, fmt.Sprintf("the merchant's fee is %s, in the books it is %s", figures(fee, "KRW"), sum(m.Fee)))
		}
		if p.shop.paid != p.ledger.paid || p.ledger != p.bank {
			p.problems = append(p.problems, "they do not agree")
		}
		c.transfers = append(c.transfers, p)
	}
	for _, row := range e.books.transfers {
		if in, at := inTransfer(row), atBank[row.Payout]; !own[row.Payout] && in != at {
			c.problem("payout %s: the ledger %s, the deposit bank %s", row.Payout, in.in("KRW"), at.in("KRW"))
		}
	}
	for _, id := range e.collecting.twice {
		c.problem("the deposit bank paid %s twice", id)
	}
}

// inTransfer is inLedger, where a payout may end before anything left the house.
func inTransfer(row store.PayoutRow) moved {
	if payout.State(row.State) == payout.Cancelled {
		return moved{}
	}
	return inLedger(row)
}

// sentByBank is what the deposit bank did for each payout, in as many orders as there were.
func (c *comparison) sentByBank(e evidence) map[string]moved {
	at, ids := map[string]moved{}, map[string]string{}
	for _, p := range e.books.transfers {
		ids[root(p.Payout)] = p.Payout
	}
	for _, b := range e.collecting.orders {
		id, known := ids[rootOf(b.EndToEnd)]
		if !known {
			c.problem("the deposit bank has a payment of %s under %s, which belongs to none of ours", priced(b.Amount, "KRW"), b.EndToEnd)
			continue
		}
		m := at[id]
		switch {
		case b.Booked != "":
			m.paid += b.Amount
			if b.Returned {
				m.back += b.Amount
			}
		case b.Status != "RJCT":
			m.open += b.Amount
		}
		at[id] = m
	}
	return at
}

// merchantBalances is what deposits and merchants' payouts should come to in the books: what we owe the merchant and what we earned of it
// by the merchant's own record, what lies at the bank by the bank's, and what is nobody's by what of that has found no order.
func (e evidence) merchantBalances(add func(k ledger.Kind, owner, currency string, amount int64)) {
	owe := func(won int64) { add(ledger.MerchantPayable, shopID, "KRW", -won) }
	earn := func(won int64) { add(ledger.Kind(earned), shopID, "KRW", -won) }
	for _, b := range e.shop.bookings {
		owe(b.Net() / 100)
		earn(b.Fee / 100)
	}
	told := map[string]bool{}
	for _, b := range e.shop.bookings {
		told[b.Kind+"/"+b.ClientID] = true
	}
	for _, o := range e.books.orders {
		if in := inOrder(o); in.won > 0 && !told[shop.Deposit+"/"+o.ClientID] { // of somebody outside
			owe(in.won - in.fee)
			earn(in.fee)
		}
	}
	for _, m := range e.books.wished {
		in := inTransfer(store.PayoutRow{State: string(m.State), Amount: m.Amount.Minor()})
		if in.paid > 0 && !told[shop.Payout+"/"+m.RequestID] {
			owe(-in.paid - m.Fee.Minor())
			earn(m.Fee.Minor())
		}
		if in.open > 0 {
			owe(-in.open - m.Fee.Minor())
			add(ledger.PayoutInFlight, shopID, "KRW", -in.open-m.Fee.Minor())
		}
	}
	owners := map[string]string{} // of each payout
	for _, row := range e.books.transfers {
		owners[root(row.Payout)] = row.Account
		if in := inTransfer(row); row.Account != shopID {
			add(ledger.PayoutInFlight, row.Account, "KRW", -in.open)
		}
	}
	paid := map[[2]string]bool{} // credits that paid an order
	for _, k := range e.books.credits {
		paid[[2]string{k.Account, k.BankID}] = k.Order != ""
		if k.State == deposit.Unmatched {
			add(ledger.DepositUnmatched, k.Receiver, "KRW", -k.Amount.Minor())
		}
	}
	for _, m := range e.collecting.moves {
		if m.Status != "BOOK" {
			continue
		}
		receiver := receiverOf[m.Account]
		switch m.Kind {
		case "deposit":
			add(ledger.BankCollection, receiver, "KRW", m.Amount)
		case "reversal":
			add(ledger.BankCollection, receiver, "KRW", -m.Amount)
			if paid[[2]string{m.Account, m.ID}] {
				owe(-m.Amount)
			}
		case "payment":
			add(ledger.PayoutFloat, transferBank, "KRW", -m.Amount)
		case "return":
			add(ledger.PayoutFloat, transferBank, "KRW", m.Amount)
			if owners[rootOf(m.EndToEnd)] == shopID {
				owe(m.Amount)
			}
		}
	}
}

// checkHoldings: what the books have on the accounts at the deposit bank, less what was paid from them, is what the bank holds for us.
func (c *comparison) checkHoldings(e evidence) {
	var books, bank int64
	for _, b := range e.books.balances {
		if ledger.Kind(b.Account) == ledger.BankCollection || ledger.Kind(b.Account) == ledger.PayoutFloat && b.Owner == transferBank {
			books += b.Amount
		}
	}
	for _, h := range e.collecting.holdings {
		bank += h.Balance
	}
	if books != bank {
		c.problem("the deposit bank holds %s for us, the books have %s there", priced(bank, "KRW"), priced(books, "KRW"))
	}
}

func (c comparison) printMerchant(t *tabwriter.Writer) error {
	if len(c.deposits) > 0 {
		fmt.Fprintln(t, "\n  merchant\torder\tamount\tmerchant\tledger\tdeposit bank\t")
	}
	for _, p := range c.deposits {
		bank := p.bank.String()
		if p.bank.won == p.ledger.won && p.bank.back == p.ledger.back {
			bank = "the same"
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\t%s\t%s\n", shopID, p.id, priced(p.amount, "KRW"), p.shop, p.ledger, bank, verdictOn(p.problems))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if len(c.transfers) > 0 {
		fmt.Fprintln(t, "\n  merchant\tpayout\tamount\tmerchant\tledger\tdeposit bank\t")
	}
	for _, p := range c.transfers {
		bank := "the same"
		if p.bank != p.ledger {
			bank = p.bank.in("KRW")
		}
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\t%s\t%s\n", shopID, p.id, priced(p.amount, "KRW"), p.shop.in("KRW"), p.ledger.in("KRW"), bank,
			verdictOn(p.problems))
	}
	return t.Flush()
}
