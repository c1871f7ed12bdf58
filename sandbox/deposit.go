package sandbox

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"naru/sandbox/shop"
)

// sellHere plays the merchant API: orders that transfers pay, and every way in which people transfer otherwise than asked (rails §3.7). It
// ends with payouts, for which the deposits are the money.
func (t *teller) sellHere(ctx context.Context) {
	t.collect(ctx)
	t.misdirect(ctx)
	t.takeBack(ctx)
	t.transferOut(ctx)
	t.comeLate(ctx)
	t.closeShop(ctx)
}

// collect is money that finds its order by itself.
func (t *teller) collect(ctx context.Context) {
	t.say("A merchant asks for 30,000 won by transfer. Its customer opens the payment page, and transfers at the bank, which tells by file")
	o := t.orders(ctx, request{call: "createDeposit", service: transferIn, amount: 30_000, with: map[string]string{
		"name": firstPayer, "user_id": "member77", "bank_name": "KBSTAR_KR", "last_number": payerAccount,
	}})
	page := t.watch(ctx, o.link)
	t.moves(ctx, o.display-feeOf(o.display), func() {
		t.transfers(ctx, o.account, o.display, firstPayer, nil)
		page.shows("received")
		t.arrives(ctx, o, o.display)
	})
	page.close()
	list := t.shopCalls(ctx, "listDeposits", "", map[string]string{"payment_cl_id": o.id})
	t.line("Shop", "listDeposits", "the item is signed", "", list.SignOK && strings.Contains(string(list.Body), o.number))
	t.say("The same number again is refused, and so is a signature that does not fit: nothing is made twice, nothing by strangers")
	t.refused(ctx, "0014", map[string]string{"payment_cl_id": o.id})
	t.refused(ctx, "0004", map[string]string{"sign": strings.Repeat("0", 32)})

	t.say("Version 2, signed with HMAC: the payer writes a code. Another amount comes, with that code: it counts with what arrived")
	coded := t.orders(ctx, request{
		call: "createDepositV2", signType: shop.HMAC, service: codedIn, amount: 50_000, with: map[string]string{"name": otherPayer},
	})
	t.transfers(ctx, mainAccount, 45_000, stranger, fields{"memo": coded.token})
	t.arrives(ctx, coded, 45_000)

	t.say("An order with an account number of its own, which is paid too little")
	virtual := t.orders(ctx, request{call: "createDeposit", service: virtualIn, amount: 60_000, with: map[string]string{"name": firstPayer}})
	t.transfers(ctx, virtual.account, 42_000, firstPayer, nil)
	t.arrives(ctx, virtual, 42_000)

	t.say("One transfer that the bank tells by file, by push and by JSON counts once")
	thrice := t.orders(ctx, request{call: "createDeposit", signType: shop.HMAC, service: transferIn, amount: 71_000, with: map[string]string{
		"name": firstPayer,
	}})
	t.moves(ctx, thrice.display-feeOf(thrice.display), func() {
		t.transfers(ctx, thrice.account, thrice.display, firstPayer, fields{"channels": []string{"file", "push", "json"}})
		t.arrives(ctx, thrice, thrice.display)
		t.delivered(ctx)
		t.line("Bank", "reports on every channel", "delivered", "", true)
	})

	t.say("A customer whom the channel does not know registers first, and is known from then on")
	member := "u" + time.Now().UTC().Format("060102150405")
	fresh := t.orders(ctx, request{call: "createDeposit", service: registeredIn, amount: 35_000, with: map[string]string{"user_id": member}})
	display := t.registers(ctx, fresh, otherPayer, payerAccount)
	t.transfers(ctx, mainAccount, display, otherPayer, nil)
	t.arrives(ctx, fresh, display)
	again := t.orders(ctx, request{call: "createDeposit", service: registeredIn, amount: 36_000, with: map[string]string{"user_id": member}})
	t.transfers(ctx, again.account, again.display, otherPayer, nil)
	t.arrives(ctx, again, again.display)

	t.say("The merchant's endpoint fails, then hangs up, and takes the third delivery: the same news each time, booked once")
	t.faulty(ctx, fields{"kind": shop.Deposit, "action": "500", "times": 1})
	t.faulty(ctx, fields{"kind": shop.Deposit, "action": "drop", "times": 1})
	flaky := t.orders(ctx, request{call: "createDeposit", service: transferIn, amount: 18_000, with: map[string]string{"name": firstPayer}})
	t.transfers(ctx, flaky.account, flaky.display, firstPayer, nil)
	t.arrives(ctx, flaky, flaky.display)
	var log []string
	for _, h := range t.notices(ctx, flaky) {
		end := "acknowledged"
		if !h.Acked {
			end = h.Fault
		}
		log = append(log, end)
	}
	said := strings.Join(log, ", ")
	t.line("Naru", fmt.Sprintf("%d deliveries", len(log)), said, "", said == "500, drop, acknowledged")
	t.say("The merchant's developer signs in to %s: the delivery log has every attempt. A button there pays as a customer would",
		t.merchant.Desk)
	d := t.signsIn(ctx)
	var tries []string
	written := t.soon(ctx, time.Second, func() bool {
		tries = t.tries(ctx, d, flaky)
		return slices.Equal(tries, []string{"3"})
	})
	t.line("Shop", "the delivery log", strings.Join(tries, ", ")+" tries", "", written)
	button := t.orders(ctx, request{call: "createDeposit", service: transferIn, amount: 21_000, with: map[string]string{"name": firstPayer}})
	t.reads(ctx, d, "deposits/"+button.number+"/pay", url.Values{"amount": {fmt.Sprint(button.display)}})
	t.arrives(ctx, button, button.display)
}

// refused asks for an order that must be refused.
func (t *teller) refused(ctx context.Context, code string, with map[string]string) {
	t.orders(ctx, request{call: "createDeposit", service: transferIn, amount: 30_000, with: with, want: code})
}

// faulty gives the shop a rule.
func (t *teller) faulty(ctx context.Context, rule fields) {
	t.call(ctx, http.MethodPost, "/merchant/faults", rule, nil)
}

// atBank gives the deposit bank a rule.
func (t *teller) atBank(ctx context.Context, rule fields) {
	t.call(ctx, http.MethodPost, "/bank/scenarios", rule, nil)
}

// delivered waits until the bank has told all that it had to tell: news that overtake others are a gap, which is for a person.
func (t *teller) delivered(ctx context.Context) {
	told := t.soon(ctx, time.Second, func() bool {
		var all []bankReport
		t.call(ctx, http.MethodGet, "/bank/reports", nil, &all)
		return owedBy(all) == 0
	})
	if !told {
		t.line("Bank", "a report", "is not taken", "", false)
	}
}

// misdirect is money that finds no order by itself, and what a person does about it.
func (t *teller) misdirect(ctx context.Context) {
	t.say("Two customers owe the same amount, and a third name transfers it: a person decides whose it is")
	one := t.orders(ctx, request{call: "createDeposit", service: codedIn, amount: 77_000, with: map[string]string{"name": otherPayer}})
	two := t.orders(ctx, request{call: "createDeposit", service: codedIn, amount: 77_000, with: map[string]string{"name": thirdPayer}})
	t.transfers(ctx, mainAccount, 77_000, stranger, nil)
	unclear := t.opens(ctx, "deposit-ambiguous")
	both := strings.Contains(unclear.Detail, one.number) && strings.Contains(unclear.Detail, two.number)
	t.line("Naru", "its candidates", "both orders", "", both)
	t.decides(ctx, "/credits/assign", "it pays the first", fields{"id": unclear.Payment, "order": one.number, "note": "the payer called"})
	t.arrives(ctx, one, 77_000)
	t.decides(ctx, "/deposits/cancel", "the second is cancelled", fields{"id": two.number, "note": "ordered twice"})
	t.isTold(ctx, two, 3)

	t.say("The right amount under another name: the order waits for a person, who sends the money back to where it came from")
	o := t.orders(ctx, request{call: "createDeposit", service: transferIn, amount: 52_000, with: map[string]string{"name": otherPayer}})
	t.transfers(ctx, o.account, o.display, stranger, nil)
	wrong := t.opens(ctx, "deposit-name-mismatch")
	t.stands(ctx, o, 1)
	t.decides(ctx, "/credits/return", "it goes back", fields{"id": wrong.Payment, "bank": transferBank, "note": "not the payer's own account"})
	t.pays(ctx, o.display)
	t.stands(ctx, o, 0)
	t.transfers(ctx, o.account, o.display, otherPayer, nil)
	t.arrives(ctx, o, o.display)

	t.say("Somebody pays twice: the second transfer finds no order. It is for the next one, says the payer, and a person lets it count")
	t.transfers(ctx, o.account, o.display, otherPayer, nil)
	double := t.opens(ctx, "deposit-unmatched")
	next := t.orders(ctx, request{call: "createDeposit", service: transferIn, amount: 60_000, with: map[string]string{"name": otherPayer}})
	t.decides(ctx, "/credits/assign", "it counts", fields{"id": double.Payment, "order": next.number, "note": "the payer called"})
	t.arrives(ctx, next, o.display)
}

// takeBack is a transfer that the bank takes back after it was told.
func (t *teller) takeBack(ctx context.Context) {
	t.say("The bank takes a transfer back that has paid an order: no status exists for that, the balance is debited, a person looks")
	o := t.orders(ctx, request{call: "createDeposit", service: transferIn, amount: 24_000, with: map[string]string{"name": firstPayer}})
	id := t.transfers(ctx, o.account, o.display, firstPayer, nil)
	t.arrives(ctx, o, o.display)
	t.delivered(ctx)
	t.moves(ctx, -o.display, func() { t.call(ctx, http.MethodPost, "/bank/actions/reversal", fields{"id": id}, nil) })
	t.stands(ctx, o, shop.DepositPaid)
	t.seenTo(ctx, "deposit-taken-back", "the merchant was called")
}

// comeLate is money for an order whose time is over.
func (t *teller) comeLate(ctx context.Context) {
	t.say("An order expires. Its money comes a little later, and a person lets it count: the merchant hears of a success after all")
	o := t.orders(ctx, request{call: "createDeposit", service: transferIn, amount: 88_000, with: map[string]string{"name": thirdPayer}})
	t.advance(ctx, 11*time.Minute)
	t.isTold(ctx, o, 3)
	t.transfers(ctx, o.account, o.display, thirdPayer, nil)
	late := t.opens(ctx, "deposit-late")
	t.decides(ctx, "/credits/assign", "it counts", fields{"id": late.Payment, "order": o.number, "note": "the merchant still has the goods"})
	t.arrives(ctx, o, o.display)
	t.say("Another expires, and nobody ever pays it")
	never := t.orders(ctx, request{call: "createDeposit", service: transferIn, amount: 15_000, with: map[string]string{"name": thirdPayer}})
	t.advance(ctx, 11*time.Minute)
	t.isTold(ctx, never, 3)
	t.stands(ctx, never, 3)
}

// closeShop ends the merchant's day: what the bank says of it in its statement was told before.
func (t *teller) closeShop(ctx context.Context) {
	t.say("The bank's statement of the day says nothing that was not told, and the merchant's balance is what its own books come to")
	t.delivered(ctx)
	var files []string
	t.call(ctx, http.MethodPost, "/bank/actions/statement", fields{}, &files)
	t.delivered(ctx)
	t.line("Bank", "statements", strings.Join(files, ", "), "", len(files) == len(collectingAccounts))
	free, frozen := t.shopBalance(ctx)
	t.line("Shop", "getBalance: "+priced(free, "KRW"), "frozen "+figures(frozen, "KRW"), "", free > 0 && frozen == 0)
}
