package sandbox

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"naru/core/money"
)

// The addresses that the story pays to (rail/upi/sim says what becomes of each).
const (
	goodVPA   = "success@sim"
	closedVPA = "closed@sim"
	frozenVPA = "frozen@sim"
	downVPA   = "bankdown@sim" // its bank is away, whenever it is asked
	againVPA  = "again@sim"    // fails once, for a reason that passes
	deemedVPA = "deemed-reversed@sim"
	backVPA   = "returned@sim"
)

// pending are the payouts that end days later.
type pending struct{ deemed, back asked }

// payOut pays out to UPI, where a 200 is final for ever and nothing but a 200 says what became of the money (disburse v1 §7).
func (t *teller) payOut(ctx context.Context) (p pending) {
	t.say("A fourth account pays out to UPI. The bank takes the order, and a moment later tells that it is credited: one answer says so")
	good := t.pay(ctx, rupees(1_250_50), goodVPA, expect{200, "SUCCESS"})
	t.say("Asked again it says the same, and pays nothing; with another amount it refuses")
	t.repeat(ctx, good, good.amount, expect{200, "SUCCESS"})
	t.repeat(ctx, good, rupees(1_250_51), expect{412, "IDEMPOTENCY_VIOLATION"})
	t.say("Less and more than the contract pays at once")
	t.pay(ctx, rupees(50), goodVPA, expect{200, "DISBURSEMENT_UNDER_TRANSACTION_LIMIT"})
	t.pay(ctx, rupees(1_00_001_00), goodVPA, expect{200, "DISBURSEMENT_EXCEEDS_TRANSACTION_LIMIT"})
	t.say("The payee's account is closed; another's is blocked")
	t.pay(ctx, rupees(75_00), closedVPA, expect{200, "ACCOUNT_CLOSED"})
	t.pay(ctx, rupees(80_00), frozenVPA, expect{200, "ACCOUNT_ON_HOLD"})
	t.say("A payout that will come back")
	p.back = t.pay(ctx, rupees(700_00), backVPA, expect{200, "SUCCESS"})

	t.say("Six at once that nobody can decide while Google waits: Naru says 503, and keeps nothing as an answer")
	lost := t.to(goodVPA, rupees(640_00))
	t.atUPI(ctx, fields{"action": "close-after", "match": fields{"call": "create", "amount": lost.amount.Minor()}, "times": 1})
	t.atUPI(ctx, fields{"action": "webhook-never", "match": fields{"amount": lost.amount.Minor()}})
	const thousand = 1_000_00
	dearest := rupees((t.balanceAtUPI(ctx)/thousand + 2) * thousand)
	list := t.askAtOnce(ctx, expect{503, ""}, lost, t.to(goodVPA, dearest), t.to(againVPA, rupees(310_00)),
		t.to(downVPA, rupees(450_00)), t.to(downVPA, rupees(460_00)), t.to(deemedVPA, rupees(520_00)))
	lost, dear, again, stolen, taken := list[0], list[1], list[2], list[3], list[4]
	p.deemed = list[5]

	t.say("The first was paid, its answer was lost, and the bank never tells: Naru sends the same order under the same key and hears of it")
	t.told(ctx, lost, "SUCCESS")
	t.onceAtUPI(ctx, lost)
	t.repeat(ctx, lost, lost.amount, expect{200, "SUCCESS"})
	t.say("The second was more than the float: it waits until there is money")
	t.call(ctx, http.MethodPost, "/upi/actions/fund", fields{"amount": opening}, nil)
	t.line("Person", "sends "+sum(rupees(opening))+" to the payout bank", "done", "", true)
	t.told(ctx, dear, "SUCCESS")
	t.say("The third failed for a reason that passes, and moved nothing: half an hour later it is ordered anew")
	t.told(ctx, again, "SUCCESS")
	t.say("The payee's bank of the next two does not come back. Three attempts moved nothing; a person knows more, and ends them")
	t.refuse(ctx, stolen, "account_closed_fraud", "the fraud desk closed this account", "ACCOUNT_CLOSED_FRAUD")
	t.refuse(ctx, taken, "account_closed_taken_over", "somebody else had taken this account over", "ACCOUNT_CLOSED_ACCOUNT_TAKEN_OVER")
	return p
}

// endPayouts comes back to what was open when days have passed.
func (t *teller) endPayouts(ctx context.Context, p pending) {
	t.say("The sixth payout was deemed paid, which is no success. Days later the bank took it back, and only then Google was told")
	t.told(ctx, p.deemed, "ACCOUNT_ON_HOLD")
	t.repeat(ctx, p.deemed, p.deemed.amount, expect{200, "ACCOUNT_ON_HOLD"})

	t.say("The payout that came back was told as paid, and no message can take that back: the money is in suspense, and before a person")
	t.seenTo(ctx, "payout-returned", "Google is told with the next remittance")
	held := -t.balance(ctx, "suspense:returned/"+payer)
	t.line("Naru", "suspense:returned/"+payer, priced(held, "INR"), t.history(ctx, p.back), held >= p.back.amount.Minor())
	t.repeat(ctx, p.back, p.back.amount, expect{200, "SUCCESS"})

	t.say("The bank's statement, which is read every hour, and the books have the same float")
	t.advance(ctx, time.Hour)
	bank := t.balanceAtUPI(ctx)
	same := t.poll(ctx, func() bool { return bank == t.balance(ctx, "payout:float/"+payoutBank) })
	t.line("Bank", "balance", priced(bank, "INR"), "", same)
}

// to is a payout that was not asked for yet.
func (t *teller) to(vpa string, amount money.Amount) asked {
	return asked{method: payOut, account: payer, amount: amount, body: fields{
		"currencyCode": amount.Currency().Code(), "transactionDescription": "Google - Reward 4711", "upiDetails": fields{"vpa": vpa},
	}}
}

func (t *teller) pay(ctx context.Context, amount money.Amount, vpa string, e expect) asked {
	return t.ask(ctx, t.to(vpa, amount), e)
}

// askAtOnce sends requests at the same moment, each once.
func (t *teller) askAtOnce(ctx context.Context, e expect, list ...asked) []asked {
	replies, failed := make([]reply, len(list)), make([]error, len(list))
	var all sync.WaitGroup
	for i := range list {
		t.serial++
		list[i].id = fmt.Sprintf("%s-%d", t.id, t.serial)
		all.Go(func() {
			one := &teller{client: &client{base: t.base, http: t.http}}
			replies[i], failed[i] = one.send(ctx, list[i]), one.err
		})
	}
	all.Wait()
	for i, a := range list {
		if t.err == nil {
			t.err = failed[i]
		}
		t.report(ctx, a, replies[i], e)
	}
	return list
}

// told waits for the result of a payout that Google was not answered with. What must pass before there is one is business time.
func (t *teller) told(ctx context.Context, a asked, want string) {
	word := ""
	t.poll(ctx, func() bool {
		var list []received
		t.call(ctx, http.MethodGet, "/google/received", nil, &list)
		for _, m := range list {
			if m.Method == payOutEnd && m.Body["disburseFundsRequestId"] == a.id {
				result, _ := m.Body["disburseFundsResult"].(map[string]any)
				word = fmt.Sprint(result["disburseFundsResultCode"])
				return true
			}
		}
		t.advance(ctx, time.Minute)
		return false
	})
	t.line("Naru", payOutEnd+" "+sum(a.amount), word, t.history(ctx, a), word == want)
}

// refuse ends a payout that has come before a person.
func (t *teller) refuse(ctx context.Context, a asked, reason, note, want string) {
	var found struct{ ID, Kind, Payment string }
	t.poll(ctx, func() bool {
		var cases []struct{ ID, Kind, Payment string }
		t.operate(ctx, http.MethodGet, "/cases", nil, &cases)
		own := t.ofRequest(ctx, a)
		for _, c := range cases {
			if c.Kind == "payout-stuck" && slices.ContainsFunc(own, func(p bankPayout) bool { return rootOf(p.Reference) == root(c.Payment) }) {
				found = c
				return true
			}
		}
		t.advance(ctx, time.Minute)
		return false
	})
	if found.ID != "" {
		t.operate(ctx, http.MethodPost, "/payouts/refuse", fields{"id": found.Payment, "reason": reason, "note": note}, nil)
		t.operate(ctx, http.MethodPost, "/cases/close", fields{"id": found.ID, "note": note}, nil)
	}
	t.line("Person", "case payout-stuck: "+reason, "refused", "", found.ID != "")
	t.told(ctx, a, want)
	t.repeat(ctx, a, a.amount, expect{200, want})
}

// onceAtUPI looks at what the bank itself wrote down of a payout: how often it was ordered, under which keys, and how often it paid.
func (t *teller) onceAtUPI(ctx context.Context, a asked) {
	calls, keys, paid := 0, map[string]bool{}, 0
	for _, p := range t.ofRequest(ctx, a) {
		var heard []struct{ Key string }
		t.call(ctx, http.MethodGet, "/upi/transactions?kind=seen&call=create&reference="+p.Reference, nil, &heard)
		for _, h := range heard {
			calls++
			keys[h.Key] = true
		}
		if p.was("processed") {
			paid++
		}
	}
	t.line("Bank", fmt.Sprintf("%d orders under %d key", calls, len(keys)), fmt.Sprintf("paid %d time", paid), "",
		calls == 2 && len(keys) == 1 && paid == 1)
}

// atUPI gives the payout bank a rule.
func (t *teller) atUPI(ctx context.Context, rule fields) {
	t.call(ctx, http.MethodPost, "/upi/scenarios", rule, nil)
}

// balanceAtUPI is what the payout bank holds for us, in paise.
func (t *teller) balanceAtUPI(ctx context.Context) int64 {
	var lines []bankLine
	t.call(ctx, http.MethodGet, "/upi/statement", nil, &lines)
	if len(lines) == 0 {
		return 0
	}
	return lines[len(lines)-1].Balance
}

func (t *teller) bankPayouts(ctx context.Context) (list []bankPayout) {
	t.call(ctx, http.MethodGet, "/upi/payouts", nil, &list)
	return list
}

// ofRequest is what the bank made of a payout since the story began, in which no two have the same amount.
func (t *teller) ofRequest(ctx context.Context, a asked) []bankPayout {
	list := t.bankPayouts(ctx)
	return slices.DeleteFunc(list[min(t.paidBefore, len(list)):], func(p bankPayout) bool { return p.Amount != a.amount.Minor() })
}

// history is where each order of a payout stood at the bank, one after the other, if that is news.
func (t *teller) history(ctx context.Context, a asked) string {
	var orders []string
	for _, p := range t.ofRequest(ctx, a) {
		var stood []string
		for _, h := range p.History {
			stood = append(stood, h.To)
		}
		orders = append(orders, strings.Join(stood, " > "))
	}
	said := strings.Join(orders, ", ")
	if said == "" || said == t.shown[a.id] {
		return ""
	}
	t.shown[a.id] = said
	return "UPI: " + said
}

// rootOf is what our references of one payout have in common: its id, in front of the two digits of the attempt.
func rootOf(reference string) string { return reference[:max(0, len(reference)-2)] }

// root is the same, made of the id.
func root(id string) string { return strings.ReplaceAll(id, "-", "") }

// rupees are amounts of payouts, in paise.
func rupees(n int64) money.Amount { return money.New(n, money.Of("INR")) }

// bankPayout is a payout as the bank's control port shows it.
type bankPayout struct {
	ID        string `json:"id"`
	Amount    int64  `json:"amount"`
	Fees      int64  `json:"fees"` // with tax
	Tax       int64  `json:"tax"`
	Reference string `json:"reference"`
	Status    string `json:"status"`
	History   []step `json:"history"`
}

type step struct {
	To string `json:"to"`
}

// was tells whether a payout ever stood there.
func (p bankPayout) was(state string) bool {
	return slices.ContainsFunc(p.History, func(s step) bool { return s.To == state })
}

// bankLine is a movement of the account from which the bank pays for us. Less than nought is a debit.
type bankLine struct {
	Amount  int64  `json:"amount"`
	Balance int64  `json:"balance"`
	Kind    string `json:"kind"`
	Payout  string `json:"payout"`
}
