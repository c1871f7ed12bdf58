package sandbox

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"time"

	"naru/rail/iso8583"
)

// The cards of the story (rails §1.19).
const (
	goodCard   = "9999990000000006"
	poorCard   = "9999990000000519"
	lostCard   = "9999990000000410"
	pinCard    = "9999990000009080" // PIN 47, born 1991-04-17
	silentCard = "9999990000009015" // every request for its money is booked and never answered
	oneWayCard = "9999990000009338" // pays, and takes nothing back
)

// evidencePDF is what Google hands over to defend a payment.
var evidencePDF = base64.RawURLEncoding.EncodeToString([]byte("%PDF-1.7\n% Delivered to Star Farm, signed by the holder.\n%%EOF\n"))

const day = 24 * time.Hour

// tell plays one payment of each kind through the real wires, and what becomes of payments later.
func (s *Sandbox) tell(ctx context.Context, o Options) error {
	dialect, err := iso8583.LoadProfile(cmp.Or(o.Profile, iso8583.DefaultProfile))
	if err != nil {
		return err
	}
	t := &teller{
		client: s.client(), admin: s.Contract.Admin.Base, merchant: s.Contract.Merchant, out: o.Out, dialect: dialect,
		id: fmt.Sprintf("demo-%d-%s", o.Seed, s.clock.Now().Format("20060102-150405")), // the same folder may hear it again
	}
	defer t.http.CloseIdleConnections()
	_ = t.iso(ctx) // what was said before the story
	t.paidBefore, t.shown = len(t.bankPayouts(ctx)), map[string]string{}
	t.beginEarly(ctx)

	b := t.buy(ctx)
	t.giveBack(ctx, b)
	t.checkCards(ctx)
	t.contest(ctx, b)
	b.sold = t.sellAbroad(ctx)
	t.contestAbroad(ctx, b.sold)
	t.endDay(ctx)
	p := t.payOut(ctx)
	t.letTimePass(ctx, b)
	t.endPayouts(ctx, p)
	t.sellHere(ctx)

	switch {
	case t.err != nil:
		return t.err
	case t.wrong > 0:
		return fmt.Errorf("%d steps of the story went otherwise than told", t.wrong)
	}
	return nil
}

// bought are the captures that later scenes come back to, with what was paid.
type bought struct{ whole, partly, again, other, sold asked }

// buy holds money on cards, and captures it or lets it go.
func (t *teller) buy(ctx context.Context) (b bought) {
	t.say("An echo, to see that the keys fit")
	t.ask(ctx, asked{method: "echo", body: fields{"clientMessage": "annyeong"}}, expect{status: 200})

	t.say("A purchase: money is held, then captured")
	held := t.reserve(ctx, first, goodCard, won(12_900), nil, expect{200, "SUCCESS"})
	b.whole = t.capture(ctx, held, won(12_900), expect{200, "ACKNOWLEDGED"})
	t.verdict(ctx, b.whole, "SUCCESS")

	t.say("Google asks again, as if it had not heard the answer: the same answer, nothing new at the acquirer")
	t.repeat(ctx, held, won(12_900), expect{200, "SUCCESS"})
	t.say("The same request id with another amount is refused")
	t.repeat(ctx, held, won(13_900), expect{412, "IDEMPOTENCY_VIOLATION"})

	t.say("A hold that is given back")
	dropped := t.reserve(ctx, first, goodCard, won(33_000), nil, expect{200, "SUCCESS"})
	t.verdict(ctx, t.cancel(ctx, dropped, expect{200, "ACKNOWLEDGED"}), "SUCCESS")

	t.say("A card without money, and a wrong PIN: declines are answers")
	t.reserve(ctx, first, poorCard, won(45_000), nil, expect{200, "INSUFFICIENT_FUNDS"})
	t.reserve(ctx, first, pinCard, won(21_500), fields{"pin": "11", "dateOfBirth": "1991-04-17"}, expect{200, "PIN_MISMATCH"})

	t.say("A smaller capture: the rest of the hold is free again")
	partly := t.reserve(ctx, first, goodCard, won(50_000), nil, expect{200, "SUCCESS"})
	b.partly = t.capture(ctx, partly, won(20_000), expect{200, "ACKNOWLEDGED"})
	t.verdict(ctx, b.partly, "SUCCESS")

	t.say("The acquirer holds the money and its answer is lost: Naru says 503 and takes the hold back; the repeat is a new attempt")
	t.rule(ctx, fields{"action": "silent", "match": fields{"pan": goodCard, "mti": "0100", "amount": 15_000}, "times": 1})
	lost := t.reserve(ctx, first, goodCard, won(15_000), nil, expect{503, ""})
	t.until(ctx, lost, expect{200, "SUCCESS"})
	b.again = t.capture(ctx, lost, won(15_000), expect{200, "ACKNOWLEDGED"})
	t.verdict(ctx, b.again, "SUCCESS")

	t.say("A card that never answers: Google gives up and cancels; should the purchase come again after that, it holds nothing")
	never := t.reserve(ctx, first, silentCard, won(9_900), nil, expect{503, ""})
	t.verdict(ctx, t.cancel(ctx, never, expect{200, "ACKNOWLEDGED"}), "SUCCESS")
	t.repeat(ctx, never, won(9_900), expect{200, "ISSUER_DECLINED"})

	t.say("The second account has books of its own")
	other := t.reserve(ctx, second, goodCard, won(7_700), nil, expect{200, "SUCCESS"})
	b.other = t.capture(ctx, other, won(7_700), expect{200, "ACKNOWLEDGED"})
	t.verdict(ctx, b.other, "SUCCESS")
	return b
}

// giveBack refunds: in parts, over a line that breaks, and in vain.
func (t *teller) giveBack(ctx context.Context, b bought) {
	t.say("Two parts of a payment are given back; a third is more than what is left")
	small := t.refund(ctx, b.partly, won(4_000), expect{200, "ACKNOWLEDGED"})
	t.verdict(ctx, small, "SUCCESS")
	t.verdict(ctx, t.refund(ctx, b.partly, won(6_000), expect{200, "ACKNOWLEDGED"}), "SUCCESS")
	t.refund(ctx, b.partly, won(10_001), expect{400, "PRECONDITION_VIOLATION"})

	if !t.byFile() {
		t.say("The acquirer pays a refund and hangs up before it says so: Naru has that undone and orders it anew; the holder is paid once")
		t.rule(ctx, fields{"action": "close-before-answer", "match": fields{"mti": "0200", "de3": "20", "amount": 5_000}, "times": 1})
		before := t.seen
		lost := t.refund(ctx, b.again, won(5_000), expect{200, "ACKNOWLEDGED"})
		t.hear(ctx, before, t.undone(), 1, "undoes what it paid")
		t.advance(ctx, time.Minute) // a refund that was undone is not hurried
		t.verdict(ctx, lost, "SUCCESS")
	}

	t.say("A card that takes nothing back")
	vain := t.reserve(ctx, first, oneWayCard, won(6_600), nil, expect{200, "SUCCESS"})
	kept := t.capture(ctx, vain, won(6_600), expect{200, "ACKNOWLEDGED"})
	t.verdict(ctx, kept, "SUCCESS")
	t.verdict(ctx, t.refund(ctx, kept, won(6_600), expect{200, "ACKNOWLEDGED"}), "ISSUER_DECLINED")

	t.say("The acquirer's file says what it settles and what that costs; captures and refunds get reference numbers")
	t.does(ctx, "settle", nil)
	t.notice(ctx, captureARN, b.partly, fields{"captureRequestId": b.partly.id})
	t.notice(ctx, captureARN, b.other, fields{"captureRequestId": b.other.id})
	t.notice(ctx, refundARN, small, fields{"refundRequestId": small.id})

	t.say("The holder's bank sends the first refund back, and a file tells it")
	t.does(ctx, "bounce-refund", fields{"rrn": t.rrn(ctx, "refund", small.amount), "reason": "closed"})
	t.does(ctx, "settle", nil)
	t.notice(ctx, refundBack, small, fields{"refundRequestId": small.id})
}

// checkCards verifies cards: nothing is bought.
func (t *teller) checkCards(ctx context.Context) {
	t.say("A card is checked without money; another check holds the least that the network takes, if anything, until Google lets it go")
	t.check(ctx, checkZero, first, "KRW", cardOf(goodCard), expect{200, "SUCCESS"})
	least := t.check(ctx, checkLeast, first, "KRW", cardOf(goodCard), expect{200, "SUCCESS"})
	t.verdict(ctx, t.cancel(ctx, least, expect{200, "ACKNOWLEDGED"}), "SUCCESS")
	t.say("A lost card does not pass")
	t.check(ctx, checkZero, first, "KRW", cardOf(lostCard), expect{200, "CARD_LOST_OR_STOLEN"})
}

// contest disputes payments: an inquiry, a chargeback that is won, one that nobody defends in time, a report of fraud.
func (t *teller) contest(ctx context.Context, b bought) {
	t.dispute(ctx, b.whole, t.rrn(ctx, "capture", b.whole.amount))

	t.say("Somebody reports that purchase as fraud: no money moves")
	t.does(ctx, "fraud", fields{"rrn": t.rrn(ctx, "capture", b.whole.amount)})
	t.does(ctx, "dispute-file", nil)
	t.notice(ctx, fraudTold, b.whole, fields{"captureRequestId": b.whole.id})

	rrn := t.rrn(ctx, "capture", b.other.amount)
	stolen := fields{"rrn": rrn, "reason": "4540", "online": t.dialect.ChargebackOnline}
	if t.dialect.ChargebackOnline {
		t.say("Another purchase is charged back, over the line; nobody defends it")
		before := t.seen
		t.does(ctx, "chargeback", stolen)
		t.hear(ctx, before, "0432", 1, "knows that it was heard")
	} else {
		t.say("Another purchase is charged back; nobody defends it")
		t.does(ctx, "chargeback", stolen)
		t.does(ctx, "dispute-file", nil)
	}
	t.notice(ctx, chargedBack, b.other, fields{"captureRequestId": b.other.id})
}

// dispute contests a payment as far as its first stage goes: Google defends what it has sold, and wins.
func (t *teller) dispute(ctx context.Context, of asked, rrn string) {
	t.say("The holder's bank asks about a purchase, and Google hands over what it has")
	t.does(ctx, "inquiry", fields{"rrn": rrn})
	t.does(ctx, "dispute-file", nil)
	t.notice(ctx, inquired, of, fields{"captureRequestId": of.id})
	t.defend(ctx, of, expect{200, "SUCCESS"})

	t.say("It takes the money all the same; Google defends again, and wins")
	t.does(ctx, "chargeback", fields{"rrn": rrn, "reason": "4555", "text": "not delivered"})
	t.does(ctx, "dispute-file", nil)
	t.notice(ctx, chargedBack, of, fields{"captureRequestId": of.id})
	t.defend(ctx, of, expect{200, "SUCCESS"})
	t.does(ctx, "chargeback-reversed", fields{"rrn": rrn})
	t.does(ctx, "dispute-file", nil)
	t.notice(ctx, wonBack, of, fields{"chargebackRequestId": t.chargebackID(ctx, of)})
}

// endDay closes the business day: with the acquirer by its totals, with Google by a settlement.
func (t *teller) endDay(ctx context.Context) {
	t.say("The acquirer corrects something by hand: until a person has seen why, it is in suspense")
	t.does(ctx, "adjust", fields{"amount": 500, "text": "goodwill", "merchant": merchant(0), "currency": "KRW"})
	t.say("The acquirer ends its business day with a last file. Both count what was booked, and agree; some dialects leave that to the clock")
	before, told := t.seen, t.dialect.NetworkCodes.Cutover != ""
	t.does(ctx, "cutover", nil)
	if told {
		t.hear(ctx, before, "0510", len(contracted()), "finds the totals of the day right")
	}
	t.seenTo(ctx, "acquirer-adjustment", "goodwill, says the acquirer")

	t.say("Midnight in Seoul: Naru settles the day with Google, each currency by itself, the second account by file, the others by message")
	known := len(t.settlements(ctx))
	t.advance(ctx, t.untilMidnight(ctx)+20*time.Minute)
	if !told {
		t.hear(ctx, before, "0510", len(contracted()), "finds the totals of the day right")
	}
	t.paid(ctx, known)
	t.say("The acquirer pays what its files of the day before add up to")
	t.payouts(ctx, t.does(ctx, "settle", nil))
}

// letTimePass moves the clock to what ends by itself.
func (t *teller) letTimePass(ctx context.Context, b bought) {
	told := len(t.settlements(ctx))
	t.say("A hold that nobody captures ends after seven days; a cancel that comes too late still succeeds")
	forgotten := t.reserve(ctx, first, goodCard, won(8_800), nil, expect{200, "SUCCESS"})
	t.advance(ctx, 8*day)
	ended := t.poll(ctx, func() bool { return t.balance(ctx, "acquirer:held/"+first) == 0 })
	t.line("Naru", "the hold has ended", "nothing is held", t.iso(ctx), ended)
	t.verdict(ctx, t.cancel(ctx, forgotten, expect{200, "ACKNOWLEDGED"}), "SUCCESS")

	t.say("The time to answer the chargebacks that nobody defended is over: they are lost, and evidence is refused")
	t.advance(ctx, 14*day)
	t.does(ctx, "dispute-lost", fields{"rrn": t.rrn(ctx, "capture", b.other.amount)})
	t.defend(ctx, b.other, expect{200, "CHARGEBACK_NOT_DEFENDABLE"})
	t.does(ctx, "dispute-lost", fields{"rrn": t.rrn(ctx, "sale", b.sold.amount)})
	t.defend(ctx, b.sold, expect{200, "CHARGEBACK_NOT_DEFENDABLE"})

	t.say("Three weeks of days on which little or nothing happened are settled too; the third account leaves empty ones out")
	whole := t.poll(ctx, func() bool { return len(t.settlements(ctx)) >= told+2*22 })
	t.line("Naru", "22 settlements of each Korean account", "told", t.iso(ctx), whole)
}

// beginEarly: what happens on one business day should not end on the next. Where midnight is near, the story waits for it.
func (t *teller) beginEarly(ctx context.Context) {
	if left := t.untilMidnight(ctx); left < 30*time.Minute {
		t.say("It is almost midnight in Seoul: the story begins with the new day")
		t.advance(ctx, left+20*time.Minute)
	}
}

// paid waits for a settlement of each account and currency that is newer than the known ones, and notes that its money moved.
func (t *teller) paid(ctx context.Context, known int) {
	var found []statement
	missing := func() (list []string) {
		for _, a := range sellers {
			for _, in := range a.Currencies {
				if !slices.ContainsFunc(found, func(s statement) bool { return s.Complete && s.Account == a.PIAID && s.Currency == in }) {
					list = append(list, a.PIAID+" settlement in "+in)
				}
			}
		}
		return list
	}
	t.poll(ctx, func() bool {
		all := t.settlements(ctx)
		found = all[min(known, len(all)):]
		return missing() == nil
	})
	for _, what := range missing() {
		t.line("Naru", what, "missing", "", false)
	}
	for _, s := range found {
		net := priced(minor(s.Amount, s.Currency), s.Currency)
		what := fmt.Sprintf("%s settlement by %s, %d events: %s", s.Account, s.Channel, s.count(), net)
		t.line("Naru", what, "complete", t.iso(ctx), s.Complete && len(s.Problems) == 0)
	}
	for _, s := range found {
		t.operate(ctx, http.MethodPost, "/settlements/paid", fields{"id": s.ID, "reference": "BANK-" + s.ID[len(s.ID)-6:]}, nil)
		t.line("Person", s.Account+" settlement in "+s.Currency+": the money moved", "noted", "", true)
	}
}
