package sandbox

import (
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
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

// tell plays one payment of each kind through the real wires, and what becomes of payments later.
func (s *Sandbox) tell(ctx context.Context, o Options) error {
	dialect, err := iso8583.LoadProfile(cmp.Or(o.Profile, iso8583.DefaultProfile))
	if err != nil {
		return err
	}
	t := &teller{
		client: s.client(), admin: s.Contract.Admin.Base, out: o.Out, dialect: dialect,
		id: fmt.Sprintf("demo-%d-%s", o.Seed, s.clock.Now().Format("20060102-150405")), // the same folder may hear it again
	}
	defer t.http.CloseIdleConnections()
	_ = t.iso(ctx) // what was said before the story
	t.beginEarly(ctx)

	b := t.buy(ctx)
	t.giveBack(ctx, b)
	t.checkCards(ctx)
	t.contest(ctx, b)
	t.endDay(ctx)
	t.letTimePass(ctx, b)

	switch {
	case t.err != nil:
		return t.err
	case t.wrong > 0:
		return fmt.Errorf("%d steps of the story went otherwise than told", t.wrong)
	}
	return nil
}

// bought are the captures that later scenes come back to, with what was paid.
type bought struct{ whole, partly, again, other asked }

const (
	wholePrice  = 12_900
	partlyPrice = 20_000
	againPrice  = 15_000
	otherPrice  = 7_700
)

// buy holds money on cards, and captures it or lets it go.
func (t *teller) buy(ctx context.Context) (b bought) {
	t.say("An echo, to see that the keys fit")
	t.ask(ctx, "echo", fields{"clientMessage": "annyeong"}, expect{status: 200})

	t.say("A purchase: %s won are held, then captured", won(wholePrice))
	held := t.reserve(ctx, first, goodCard, wholePrice, nil, expect{200, "SUCCESS"})
	b.whole = t.capture(ctx, first, held, wholePrice, expect{200, "ACKNOWLEDGED"})
	t.verdict(ctx, b.whole, "SUCCESS")

	t.say("Google asks again, as if it had not heard the answer: the same answer, nothing new at the acquirer")
	t.repeat(ctx, held, wholePrice, expect{200, "SUCCESS"})
	t.say("The same request id with another amount is refused")
	t.repeat(ctx, held, 13_900, expect{412, "IDEMPOTENCY_VIOLATION"})

	t.say("A hold that is given back")
	dropped := t.reserve(ctx, first, goodCard, 33_000, nil, expect{200, "SUCCESS"})
	t.verdict(ctx, t.cancel(ctx, first, dropped, expect{200, "ACKNOWLEDGED"}), "SUCCESS")

	t.say("A card without money, and a wrong PIN: declines are answers")
	t.reserve(ctx, first, poorCard, 45_000, nil, expect{200, "INSUFFICIENT_FUNDS"})
	t.reserve(ctx, first, pinCard, 21_500, fields{"pin": "11", "dateOfBirth": "1991-04-17"}, expect{200, "PIN_MISMATCH"})

	t.say("A smaller capture: the rest of the hold is free again")
	partly := t.reserve(ctx, first, goodCard, 50_000, nil, expect{200, "SUCCESS"})
	b.partly = t.capture(ctx, first, partly, partlyPrice, expect{200, "ACKNOWLEDGED"})
	t.verdict(ctx, b.partly, "SUCCESS")

	t.say("The acquirer holds the money and its answer is lost: Naru says 503 and takes the hold back; the repeat is a new attempt")
	t.rule(ctx, fields{"action": "silent", "match": fields{"pan": goodCard, "mti": "0100", "amount": againPrice}, "times": 1})
	lost := t.reserve(ctx, first, goodCard, againPrice, nil, expect{503, ""})
	t.until(ctx, lost, expect{200, "SUCCESS"})
	b.again = t.capture(ctx, first, lost, againPrice, expect{200, "ACKNOWLEDGED"})
	t.verdict(ctx, b.again, "SUCCESS")

	t.say("A card that never answers: Google gives up and cancels; should the purchase come again after that, it holds nothing")
	never := t.reserve(ctx, first, silentCard, 9_900, nil, expect{503, ""})
	t.verdict(ctx, t.cancel(ctx, first, never, expect{200, "ACKNOWLEDGED"}), "SUCCESS")
	t.repeat(ctx, never, 9_900, expect{200, "ISSUER_DECLINED"})

	t.say("The second account has books of its own")
	other := t.reserve(ctx, second, goodCard, otherPrice, nil, expect{200, "SUCCESS"})
	b.other = t.capture(ctx, second, other, otherPrice, expect{200, "ACKNOWLEDGED"})
	t.verdict(ctx, b.other, "SUCCESS")
	return b
}

// giveBack refunds: in parts, over a line that breaks, and in vain.
func (t *teller) giveBack(ctx context.Context, b bought) {
	t.say("Two parts of a payment are given back; a third is more than what is left")
	small := t.refund(ctx, first, b.partly, 4_000, expect{200, "ACKNOWLEDGED"})
	t.verdict(ctx, small, "SUCCESS")
	t.verdict(ctx, t.refund(ctx, first, b.partly, 6_000, expect{200, "ACKNOWLEDGED"}), "SUCCESS")
	t.refund(ctx, first, b.partly, partlyPrice-10_000+1, expect{400, "PRECONDITION_VIOLATION"})

	if !t.byFile() {
		t.say("The acquirer pays a refund and hangs up before it says so: Naru has that undone and orders it anew; the holder is paid once")
		t.rule(ctx, fields{"action": "close-before-answer", "match": fields{"mti": "0200", "de3": "20", "amount": 5_000}, "times": 1})
		before := t.seen
		lost := t.refund(ctx, first, b.again, 5_000, expect{200, "ACKNOWLEDGED"})
		t.hear(ctx, before, t.undone(), "undoes what it paid")
		t.advance(ctx, time.Minute) // a refund that was undone is not hurried
		t.verdict(ctx, lost, "SUCCESS")
	}

	t.say("A card that takes nothing back")
	vain := t.reserve(ctx, first, oneWayCard, 6_600, nil, expect{200, "SUCCESS"})
	kept := t.capture(ctx, first, vain, 6_600, expect{200, "ACKNOWLEDGED"})
	t.verdict(ctx, kept, "SUCCESS")
	t.verdict(ctx, t.refund(ctx, first, kept, 6_600, expect{200, "ACKNOWLEDGED"}), "ISSUER_DECLINED")

	t.say("The acquirer's file says what it settles and what that costs; captures and refunds get reference numbers")
	t.does(ctx, "settle", nil)
	t.notice(ctx, captureARN, "captureRequestId", b.partly.id)
	t.notice(ctx, captureARN, "captureRequestId", b.other.id)
	t.notice(ctx, refundARN, "refundRequestId", small.id)

	t.say("The holder's bank sends the first refund back, and a file tells it")
	t.does(ctx, "bounce-refund", fields{"rrn": t.rrn(ctx, "refund", 4_000), "reason": "closed"})
	t.does(ctx, "settle", nil)
	t.notice(ctx, refundBack, "refundRequestId", small.id)
}

// checkCards verifies cards: nothing is bought.
func (t *teller) checkCards(ctx context.Context) {
	t.say("A card is checked without money; another check holds the least that the network takes, if anything, until Google lets it go")
	t.check(ctx, checkZero, goodCard, expect{200, "SUCCESS"})
	least := t.check(ctx, checkLeast, goodCard, expect{200, "SUCCESS"})
	t.verdict(ctx, t.cancel(ctx, first, least, expect{200, "ACKNOWLEDGED"}), "SUCCESS")
	t.say("A lost card does not pass")
	t.check(ctx, checkZero, lostCard, expect{200, "CARD_LOST_OR_STOLEN"})
}

// contest disputes payments: an inquiry, a chargeback that is won, one that nobody defends in time, a report of fraud.
func (t *teller) contest(ctx context.Context, b bought) {
	rrn := t.rrn(ctx, "capture", wholePrice)
	t.say("The holder's bank asks about a purchase, and Google hands over what it has")
	t.does(ctx, "inquiry", fields{"rrn": rrn})
	t.does(ctx, "dispute-file", nil)
	t.notice(ctx, inquired, "captureRequestId", b.whole.id)
	t.defend(ctx, first, b.whole, expect{200, "SUCCESS"})

	t.say("It takes the money all the same; Google defends again, and wins")
	t.does(ctx, "chargeback", fields{"rrn": rrn, "reason": "4555", "text": "not delivered"})
	t.does(ctx, "dispute-file", nil)
	t.notice(ctx, chargedBack, "captureRequestId", b.whole.id)
	t.defend(ctx, first, b.whole, expect{200, "SUCCESS"})
	t.does(ctx, "chargeback-reversed", fields{"rrn": rrn})
	t.does(ctx, "dispute-file", nil)
	t.notice(ctx, wonBack, "chargebackRequestId", t.chargebackID(ctx, b.whole))

	t.say("Somebody reports that purchase as fraud: no money moves")
	t.does(ctx, "fraud", fields{"rrn": rrn})
	t.does(ctx, "dispute-file", nil)
	t.notice(ctx, fraudTold, "captureRequestId", b.whole.id)

	rrn = t.rrn(ctx, "capture", otherPrice)
	stolen := fields{"rrn": rrn, "reason": "4540", "online": t.dialect.ChargebackOnline}
	if t.dialect.ChargebackOnline {
		t.say("Another purchase is charged back, over the line; nobody defends it")
		before := t.seen
		t.does(ctx, "chargeback", stolen)
		t.hear(ctx, before, "0432", "knows that it was heard")
	} else {
		t.say("Another purchase is charged back; nobody defends it")
		t.does(ctx, "chargeback", stolen)
		t.does(ctx, "dispute-file", nil)
	}
	t.notice(ctx, chargedBack, "captureRequestId", b.other.id)
}

// endDay closes the business day: with the acquirer by its totals, with Google by a settlement.
func (t *teller) endDay(ctx context.Context) {
	t.say("The acquirer corrects something by hand: until a person has seen why, it is in suspense")
	t.does(ctx, "adjust", fields{"amount": 500, "text": "goodwill"})
	t.say("The acquirer ends its business day with a last file. Both count what was booked, and agree; some dialects leave that to the clock")
	before, told := t.seen, t.dialect.NetworkCodes.Cutover != ""
	t.does(ctx, "cutover", nil)
	if told {
		t.hear(ctx, before, "0510", "finds the totals of the day right")
	}
	t.seenTo(ctx, "acquirer-adjustment", "goodwill, says the acquirer")

	t.say("Midnight in Seoul: Naru settles the day with Google, with the first account by message, with the second by file")
	known := len(t.settlements(ctx))
	t.advance(ctx, t.untilMidnight(ctx)+20*time.Minute)
	if !told {
		t.hear(ctx, before, "0510", "finds the totals of the day right")
	}
	t.paid(ctx, known)
	t.say("The acquirer pays what its files of the day before add up to")
	t.payouts(ctx, t.does(ctx, "settle", nil))
}

// letTimePass moves the clock to what ends by itself.
func (t *teller) letTimePass(ctx context.Context, b bought) {
	t.say("A hold that nobody captures ends after seven days; a cancel that comes too late still succeeds")
	forgotten := t.reserve(ctx, first, goodCard, 8_800, nil, expect{200, "SUCCESS"})
	t.advance(ctx, 8*24*time.Hour)
	ended := t.poll(ctx, func() bool { return t.balance(ctx, "acquirer:held/"+first) == 0 })
	t.line("Naru", "the hold has ended", "nothing is held", t.iso(ctx), ended)
	t.verdict(ctx, t.cancel(ctx, first, forgotten, expect{200, "ACKNOWLEDGED"}), "SUCCESS")

	t.say("The time to answer the second chargeback is over: it is lost, and evidence is refused")
	t.advance(ctx, 14*24*time.Hour)
	t.does(ctx, "dispute-lost", fields{"rrn": t.rrn(ctx, "capture", otherPrice)})
	t.defend(ctx, second, b.other, expect{200, "CHARGEBACK_NOT_DEFENDABLE"})
}

// beginEarly: what happens on one business day should not end on the next. Where midnight is near, the story waits for it.
func (t *teller) beginEarly(ctx context.Context) {
	if left := t.untilMidnight(ctx); left < 30*time.Minute {
		t.say("It is almost midnight in Seoul: the story begins with the new day")
		t.advance(ctx, left+20*time.Minute)
	}
}

// paid waits for a settlement of each account that is newer than the known ones, and notes that its money moved.
func (t *teller) paid(ctx context.Context, known int) {
	var found []statement
	whole := map[string]bool{} // by account
	t.poll(ctx, func() bool {
		found = nil
		for i, s := range t.settlements(ctx) {
			if i >= known {
				found = append(found, s)
				whole[s.Account] = whole[s.Account] || s.Complete
			}
		}
		return whole[first] && whole[second]
	})
	for _, account := range []string{first, second} {
		if !whole[account] {
			t.line("Naru", account+" settlement", "missing", "", false)
		}
	}
	for _, s := range found {
		what := fmt.Sprintf("%s settlement by %s, %d events: %s won", s.Account, s.Channel, s.count(), won(minor(s.Amount, s.Currency)))
		t.line("Naru", what, "complete", t.iso(ctx), s.Complete && len(s.Problems) == 0)
	}
	for _, s := range found {
		t.operate(ctx, http.MethodPost, "/settlements/paid", fields{"id": s.ID, "reference": "BANK-" + s.ID[len(s.ID)-6:]}, nil)
		t.line("Person", s.Account+" settlement: the money moved", "noted", "", true)
	}
}
