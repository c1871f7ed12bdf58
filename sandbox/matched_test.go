package sandbox

import (
	"slices"
	"strings"
	"testing"

	"naru/core/deposit"
	"naru/core/payout"
	"naru/engine"
	"naru/sandbox/shop"
	"naru/store"
)

// tradeHere adds a merchant. Of its orders d1 was paid, d2 too little into a virtual account, d3 expired, d4 was paid and taken back, d5
// waits, d6 was made although its answer was lost; d7 was refused, and d1 again. Of its payouts w1 was paid, w2 refused, w3 came back, w4
// is open, w5 was cancelled, and w6 the merchant could not afford. Of the other money that came, some waits for a person, some was given
// back, and some was taken back. One order and one payout are of somebody outside.
func tradeHere(e *evidence) {
	s, b, at := &e.shop, &e.books, &e.collecting
	ask := func(call, id string, amount int64, status int, code string) {
		s.asked = append(s.asked, shop.Asked{Call: call, ClientID: id, Amount: amount * 100, Status: status, Code: code})
	}
	hear := func(kind, id string, status, won, fee int64) {
		s.heard = append(s.heard, shop.Heard{Kind: kind, ClientID: id, Status: status, SignOK: true, WebhookOK: true, Queried: true, Acked: true})
		if won > 0 {
			s.bookings = append(s.bookings, shop.Booking{Kind: kind, ClientID: id, Amount: won * 100, Fee: fee * 100})
		}
	}
	order := func(id string, state deposit.State, amount, real, fee int64) {
		o := deposit.Order{
			ID: "o-" + id, Number: "PM-" + id, Merchant: shopID, ClientID: id, State: state, Amount: won(amount), Real: won(real), Fee: won(fee),
		}
		if real > 0 {
			o.Credit = "k-" + id
		}
		b.orders = append(b.orders, o)
	}
	credit := func(id, account string, state deposit.CreditState, amount int64, order string) {
		b.credits = append(b.credits, deposit.Credit{
			ID: "k-" + id, Receiver: receiverOf[account], Account: account, BankID: "T-" + id, State: state, Amount: won(amount), Order: order,
		})
		back := state == deposit.Reversed
		at.moves = append(at.moves, bankMove{ID: "T-" + id, Kind: "deposit", Account: account, Amount: amount, Status: "BOOK", Reversed: back})
		if back {
			at.moves = append(at.moves, bankMove{ID: "T-" + id, Kind: "reversal", Account: account, Amount: amount, Status: "BOOK"})
		}
	}
	wish := func(id string, state payout.State, amount int64) {
		m := engine.MerchantPayout{Number: "POT-" + id, Payout: payout.Payout{
			ID: "id-" + id, Account: shopID, RequestID: id, State: state, Amount: won(amount), Fee: won(payoutFee),
		}}
		b.wished = append(b.wished, m)
		b.transfers = append(b.transfers, store.PayoutRow{
			Payout: m.ID, Account: shopID, RequestID: id, Bank: transferBank, State: string(state), Currency: "KRW", Amount: amount,
		})
	}
	pay := func(id, n string, amount int64, status string, returned bool) {
		p := bankOrder{EndToEnd: "id" + id + n, Amount: amount, Status: status, Returned: returned}
		move := bankMove{Kind: "payment", Account: mainAccount, Amount: amount, Status: "BOOK", EndToEnd: p.EndToEnd}
		if status == "ACCC" {
			p.Booked = "T-" + p.EndToEnd
			at.moves = append(at.moves, move)
		}
		if returned {
			move.Kind = "return"
			at.moves = append(at.moves, move)
		}
		at.orders = append(at.orders, p)
	}

	ask("createDeposit", "d1", 30_000, 200, "0000")
	ask("createDeposit", "d1", 30_000, 200, "0014")
	hear(shop.Deposit, "d1", 2, 29_950, 240)
	hear(shop.Deposit, "d1", 2, 0, 0) // again
	order("d1", deposit.Paid, 30_000, 29_950, 240)
	credit("d1", mainAccount, deposit.Matched, 29_950, "o-d1")
	ask("createDepositV2", "d2", 60_000, 200, "0000")
	hear(shop.Deposit, "d2", 2, 42_000, 336)
	order("d2", deposit.Paid, 60_000, 42_000, 336)
	credit("d2", virtualAccount, deposit.Matched, 42_000, "o-d2")
	ask("createDeposit", "d3", 8_000, 200, "0000")
	hear(shop.Deposit, "d3", 3, 0, 0)
	order("d3", deposit.Expired, 8_000, 0, 0)
	ask("createDeposit", "d4", 24_000, 200, "0000")
	hear(shop.Deposit, "d4", 2, 24_000, 192)
	order("d4", deposit.TakenBack, 24_000, 24_000, 192)
	credit("d4", mainAccount, deposit.Reversed, 24_000, "o-d4")
	ask("createDeposit", "d5", 5_000, 200, "0000")
	order("d5", deposit.Waiting, 5_000, 0, 0)
	ask("createDeposit", "d6", 5_500, 0, "")
	hear(shop.Deposit, "d6", 3, 0, 0)
	order("d6", deposit.Cancelled, 5_500, 0, 0)
	ask("createDeposit", "d7", 5_000, 200, "0004")
	order("aside", deposit.Paid, 9_000, 9_000, 72)
	credit("aside", mainAccount, deposit.Matched, 9_000, "o-aside")

	credit("open", mainAccount, deposit.Unmatched, 5_000, "")
	b.cases = append(b.cases, engine.Case{ID: "credit/k-open", Kind: "deposit-late", Payment: "k-open", ClosedAt: testNow})
	credit("given", mainAccount, deposit.GoingBack, 6_000, "")
	b.transfers = append(b.transfers, store.PayoutRow{
		Payout: "id-g1", Account: mainReceiver, RequestID: "k-given/2", Bank: transferBank, State: string(payout.Paid), Currency: "KRW",
		Amount: 6_000,
	})
	pay("g1", "01", 6_000, "ACCC", false)
	credit("taken", mainAccount, deposit.Reversed, 7_000, "")
	at.moves = append(at.moves, bankMove{ID: "T-pending", Kind: "deposit", Account: mainAccount, Amount: 1, Status: "PDNG"})

	ask("createPayout", "w1", 12_000, 200, "0000")
	hear(shop.Check, "w1", -1, 0, 0)
	hear(shop.Payout, "w1", 3, 12_000, payoutFee)
	wish("w1", payout.Paid, 12_000)
	pay("w1", "01", 12_000, "RJCT", false)
	pay("w1", "02", 12_000, "ACCC", false)
	ask("createPayout", "w2", 14_000, 200, "0000")
	hear(shop.Payout, "w2", 5, 0, 0)
	wish("w2", payout.Refused, 14_000)
	pay("w2", "01", 14_000, "RJCT", false)
	ask("createPayout", "w3", 15_000, 200, "0000")
	hear(shop.Payout, "w3", 3, 15_000, payoutFee)
	wish("w3", payout.Returned, 15_000)
	pay("w3", "01", 15_000, "ACCC", true)
	ask("createPayout", "w4", 7_000, 200, "0000")
	wish("w4", payout.Sent, 7_000)
	pay("w4", "01", 7_000, "ACTC", false)
	ask("createPayout", "w5", 3_000, 200, "0000")
	hear(shop.Payout, "w5", 4, 0, 0)
	wish("w5", payout.Cancelled, 3_000)
	ask("createPayout", "w6", 900_000, 200, "0018")
	wish("beside", payout.Paid, 2_000)
	pay("beside", "01", 2_000, "ACCC", false)

	at.holdings = []bankHolding{{mainAccount, 29_950}, {virtualAccount, 42_000}}
	for _, balance := range []store.Balance{
		{Account: "merchant:payable", Owner: shopID, Amount: -55_110},
		{Account: "income:fees", Owner: shopID, Amount: -3_840},
		{Account: "payout:inflight", Owner: shopID, Amount: -8_000},
		{Account: "payout:inflight", Owner: mainReceiver},
		{Account: "deposit:unmatched", Owner: mainReceiver, Amount: -5_000},
		{Account: "bank:collection", Owner: mainReceiver, Amount: 49_950},
		{Account: "bank:collection", Owner: virtualReceiver, Amount: 42_000},
		{Account: "payout:float", Owner: transferBank, Amount: -20_000},
	} {
		balance.Currency = "KRW"
		b.balances = append(b.balances, balance)
	}
}

// Each lie about the merchant is told to one party alone, and found.
func TestCompareFindsOfMerchants(t *testing.T) {
	order := func(e *evidence, id string) *deposit.Order {
		return &e.books.orders[slices.IndexFunc(e.books.orders, func(o deposit.Order) bool { return o.ClientID == id })]
	}
	credit := func(e *evidence, id string) *deposit.Credit {
		return &e.books.credits[slices.IndexFunc(e.books.credits, func(k deposit.Credit) bool { return k.ID == "k-"+id })]
	}
	move := func(e *evidence, id string) *bankMove {
		return &e.collecting.moves[slices.IndexFunc(e.collecting.moves, func(m bankMove) bool { return m.ID == "T-"+id })]
	}
	asked := func(e *evidence, id string) *shop.Asked {
		return &e.shop.asked[slices.IndexFunc(e.shop.asked, func(a shop.Asked) bool { return a.ClientID == id })]
	}
	heard := func(e *evidence, id string) *shop.Heard {
		return &e.shop.heard[slices.IndexFunc(e.shop.heard, func(h shop.Heard) bool { return h.ClientID == id && h.Kind != shop.Check })]
	}
	booking := func(e *evidence, id string) *shop.Booking {
		return &e.shop.bookings[slices.IndexFunc(e.shop.bookings, func(b shop.Booking) bool { return b.ClientID == id })]
	}
	wished := func(e *evidence, id string) *engine.MerchantPayout {
		return &e.books.wished[slices.IndexFunc(e.books.wished, func(m engine.MerchantPayout) bool { return m.RequestID == id })]
	}
	payment := func(e *evidence, id string) *bankOrder {
		return &e.collecting.orders[slices.IndexFunc(e.collecting.orders, func(p bankOrder) bool { return p.EndToEnd == id })]
	}
	for _, c := range []struct {
		lie  string
		tell func(*evidence)
		want []string
	}{
		{
			"a notification told another amount", func(e *evidence) { booking(e, "d1").Amount += 100 },
			[]string{"d1: they do not agree", "merchant:payable/PF0901 says -55,110 KRW, it should be -55,111 KRW"},
		},
		{
			"a notification told another fee", func(e *evidence) { booking(e, "d2").Fee += 100 },
			[]string{
				"d2: they do not agree", "income:fees and tax:output/PF0901 says -3,840 KRW, it should be -3,841 KRW",
				"merchant:payable/PF0901 says -55,110 KRW, it should be -55,109 KRW",
			},
		},
		{
			"the merchant heard of a success that it could not confirm", func(e *evidence) {
				for i := range e.shop.heard {
					if e.shop.heard[i].ClientID == "d2" {
						e.shop.heard[i].Queried = false
					}
				}
			},
			[]string{"d2: the merchant heard status -1, the order is paid"},
		},
		{
			"the merchant heard of an end that did not come", func(e *evidence) { heard(e, "d3").ClientID = "d5" },
			[]string{"d3: the merchant heard status -1, the order is expired", "d5: the merchant heard status 3, the order is waiting"},
		},
		{
			"the merchant was told that an order is made which is not", func(e *evidence) { asked(e, "d7").Code = "0000" },
			[]string{"d7: the merchant was told that it is made, and the books do not know it"},
		},
		{
			"an order that was refused is made", func(e *evidence) { asked(e, "d5").Code = "0013" },
			[]string{"d5: the merchant was told that it is refused, and it is made"},
		},
		{
			"one number was taken twice", func(e *evidence) { e.shop.asked[1].Code = "0000" },
			[]string{"d1: the merchant was told 2 times that it is made"},
		},
		{
			"an order has another amount", func(e *evidence) { order(e, "d3").Amount = won(8_001) },
			[]string{"d3: the merchant asked for 8,000"},
		},
		{
			"the bank booked another amount", func(e *evidence) { move(e, "d1").Amount++ },
			[]string{
				"d1: they do not agree", "bank:collection/nonghyup-main says 49,950 KRW, it should be 49,951 KRW",
				"credit T-d1 is 29,951 KRW at the bank, 29,950 KRW in the books",
			},
		},
		{
			"the bank took money back, and the books do not know", func(e *evidence) {
				move(e, "d1").Reversed = true
				e.collecting.moves = append(e.collecting.moves,
					bankMove{ID: "T-d1", Kind: "reversal", Account: mainAccount, Amount: 29_950, Status: "BOOK"})
			},
			[]string{
				"d1: they do not agree", "bank:collection/nonghyup-main says 49,950 KRW, it should be 20,000 KRW",
				"credit T-d1: taken back is true at the bank, false in the books",
				"merchant:payable/PF0901 says -55,110 KRW, it should be -25,160 KRW",
			},
		},
		{
			"a credit of the bank's is not in the books", func(e *evidence) {
				e.books.credits = slices.DeleteFunc(e.books.credits, func(k deposit.Credit) bool { return k.ID == "k-given" })
			},
			[]string{"the deposit bank has credit T-given of 6,000 KRW, which the books do not know"},
		},
		{
			"the books have a credit that never came", func(e *evidence) {
				never := deposit.Credit{ID: "k-x", Account: mainAccount, BankID: "T-x", State: deposit.GoingBack, Amount: won(3)}
				e.books.credits = append(e.books.credits, never)
			},
			[]string{"the books have credit T-x of 3 KRW, which the deposit bank does not know"},
		},
		{
			"one credit is in the books twice, and pays twice", func(e *evidence) {
				again := *credit(e, "d1")
				again.ID, again.Order = "k-again", "o-d2"
				e.books.credits = append(e.books.credits, again)
			},
			[]string{
				"d2: they do not agree", "order PM-d2 is paid by 2 credits", "the books have credit T-d1 of the bank twice",
			},
		},
		{
			"money is nobody's, and nobody was told", func(e *evidence) {
				e.books.cases = slices.DeleteFunc(e.books.cases, func(x engine.Case) bool { return x.Payment == "k-open" })
			},
			[]string{"credit T-open is nobody's, and no case says so"},
		},
		{
			"somebody else's order was paid with nothing", func(e *evidence) {
				credit(e, "aside").Order = ""
			},
			[]string{"order PM-aside is paid by 0 credits", "order PM-aside: the ledger arrived 9,000, the deposit bank nothing"},
		},
		{
			"a payout was paid twice", func(e *evidence) {
				p := payment(e, "idw101")
				p.Status, p.Booked = "ACCC", "T-again"
			},
			[]string{"w1: they do not agree"},
		},
		{
			"the bank says so itself", func(e *evidence) { e.collecting.twice = []string{"idw102"} },
			[]string{"the deposit bank paid idw102 twice"},
		},
		{
			"the bank paid what nobody ordered", func(e *evidence) {
				e.collecting.orders = append(e.collecting.orders, bankOrder{EndToEnd: "strange01", Amount: 5, Status: "RJCT"})
			},
			[]string{"the deposit bank has a payment of 5 KRW under strange01, which belongs to none of ours"},
		},
		{
			"a payout came back, and the books do not know", func(e *evidence) { payment(e, "idw102").Returned = true },
			[]string{"w1: they do not agree"},
		},
		{
			"a payout was told as failed that was paid", func(e *evidence) {
				heard(e, "w1").Status = 5
				e.shop.bookings = slices.DeleteFunc(e.shop.bookings, func(b shop.Booking) bool { return b.ClientID == "w1" })
			},
			[]string{"w1: the merchant heard status 5, the payout is succeeded", "w1: they do not agree"},
		},
		{
			"a payout was told with another fee", func(e *evidence) { wished(e, "w3").Fee = won(2) },
			[]string{"w3: the merchant's fee is 1,000, in the books it is 2 KRW"},
		},
		{
			"a payout that was refused is paid", func(e *evidence) { asked(e, "w2").Code = "0018" },
			[]string{"w2: the merchant was told that it is refused, and it was taken on"},
		},
		{
			"a payout that was taken on is nowhere", func(e *evidence) { asked(e, "w6").Code = "0000" },
			[]string{"w6: the merchant was told that it is taken on, and the books do not know it"},
		},
		{
			"money was given back twice", func(e *evidence) {
				e.collecting.orders = append(e.collecting.orders, bankOrder{EndToEnd: "idg102", Amount: 6_000, Status: "ACCC", Booked: "T-g2"})
			},
			[]string{"payout id-g1: the ledger paid 6,000, the deposit bank paid 12,000"},
		},
		{
			"the bank holds less than it says that it booked", func(e *evidence) { e.collecting.holdings[0].Balance-- },
			[]string{"the deposit bank holds 71,949 KRW for us, the books have 71,950 KRW there"},
		},
	} {
		e := world()
		c.tell(&e)
		got := compare(e)
		if !slices.Equal(got.found(), c.want) || got.agrees() {
			t.Errorf("%s: finds\n%s\nwant\n%s", c.lie, strings.Join(got.found(), "\n"), strings.Join(c.want, "\n"))
		}
	}
}
