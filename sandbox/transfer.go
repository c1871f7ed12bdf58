package sandbox

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"naru/sandbox/shop"
)

// transferOut plays payouts of the merchant: pain.001 out, pain.002 and the booked debit back (rails §4.4).
func (t *teller) transferOut(ctx context.Context) {
	t.say("The merchant pays out. It is asked first whether that is its own; the bank takes the order, and credits")
	t.moves(ctx, -120_000-payoutFee, func() {
		t.isTold(ctx, t.paysOut(ctx, transferOut, 120_000, "0000"), shop.PayoutPaid)
		t.pays(ctx, 120_000)
	})
	t.say("A payout that the merchant does not know as its own does not go; one that it cannot afford neither")
	t.faulty(ctx, fields{"kind": shop.Check, "action": "refuse", "times": 1})
	t.paysOut(ctx, transferOut, 130_000, "0017")
	t.paysOut(ctx, transferOut, 29_000_000, "0018")

	t.say("The payee's account does not exist: the payout fails, and amount and fee are the merchant's again")
	t.moves(ctx, 0, func() {
		t.atBank(ctx, fields{"action": "refuse", "code": "AC01", "match": fields{"amount": 140_000}, "times": 1})
		t.isTold(ctx, t.paysOut(ctx, transferOut, 140_000, "0000"), 5)
	})

	t.say("The payee's bank sends a payout back later: no status exists for that; the amount is the merchant's again, our fee is not")
	t.moves(ctx, -payoutFee, func() {
		back := t.paysOut(ctx, transferOut, 150_000, "0000")
		t.isTold(ctx, back, shop.PayoutPaid)
		made := t.pays(ctx, 150_000)
		t.delivered(ctx)
		t.call(ctx, http.MethodPost, "/bank/actions/return", fields{"end_to_end": made.EndToEnd, "reason": "AC04"}, nil)
		t.seenTo(ctx, "payout-returned", "the merchant sees it in its balance")
		t.stands(ctx, back, shop.PayoutPaid)
	})

	t.say("The bank pays and never says so: the booked debit does")
	t.atBank(ctx, fields{"action": "silent", "match": fields{"amount": 160_000}, "times": 1})
	t.isTold(ctx, t.paysOut(ctx, transferOut, 160_000, "0000"), shop.PayoutPaid)

	t.say("A payout that a person must agree to")
	reviewed := t.paysOut(ctx, reviewedOut, 170_000, "0000")
	t.stands(ctx, reviewed, 6)
	review := t.opens(ctx, "payout-review")
	t.decides(ctx, "/payouts/approve", "agrees", fields{"id": review.Payment, "note": "as agreed by telephone"})
	t.isTold(ctx, reviewed, shop.PayoutPaid)
}

func (t *teller) paysOut(ctx context.Context, service string, won int64, want string) order {
	t.delivered(ctx)
	return t.orders(ctx, request{call: "createPayout", signType: shop.HMAC, service: service, amount: won, want: want})
}

// pays waits until the deposit bank has made its newest payment of an amount, and tells how.
func (t *teller) pays(ctx context.Context, won int64) (made bankOrder) {
	is := t.soon(ctx, time.Second, func() bool {
		var all []bankOrder
		t.call(ctx, http.MethodGet, "/bank/payments", nil, &all)
		all = slices.DeleteFunc(all, func(b bankOrder) bool { return b.Amount != won })
		if len(all) == 0 {
			return false
		}
		made = all[len(all)-1]
		return made.Status == "ACCC"
	})
	t.line("Bank", "pays "+priced(won, "KRW"), fmt.Sprintf("pain.002: %s, and the debit", strings.Join(made.History, ", ")), "", is)
	return made
}
