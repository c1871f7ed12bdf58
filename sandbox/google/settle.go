package google

import (
	"cmp"
	"fmt"
	"maps"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Settlement is what the integrator says will be settled net in bulk. Positive amounts are owed to Google, negative ones by it
// (Korea §6.3).
type Settlement struct {
	At           time.Time // business time of its first part
	Channel      string    // notification or file
	Account, ID  string
	Currency     string
	AmountMicros int64 // net of everything
	Start, End   time.Time
	Parts        int      // that there will be
	Complete     bool     // all parts are here, and their sum is right
	Events       []Event  // in the order of arrival
	Problems     []string // of a file; what has problems settles nothing

	parts map[int]string // digests by offset
}

// Event is one event or adjustment of a settlement.
type Event struct {
	Kind             string `json:"kind"`                        // its member in a file: captureEvent …
	Subject          string `json:"subject,omitzero"`            // the request id that it settles; "" for an adjustment
	OwnID            string `json:"own_id,omitzero"`             // the integrator's id of it
	Capture          string `json:"capture_request_id,omitzero"` // of a chargeback
	Adjustment       string `json:"adjustment,omitzero"`         // its type
	Presented        string `json:"presented,omitzero"`          // the currency of the payment, where the event tells it
	ChargeMicros     int64  `json:"charge_micros,omitzero"`
	FeeMicros        int64  `json:"fee_micros,omitzero"`
	VATMicros        int64  `json:"vat_micros,omitzero"`
	AdjustmentMicros int64  `json:"adjustment_micros,omitzero"`
}

// eventKind says what an event holds. Members that are not named here, a breakdown of fees among them, are not looked at.
type eventKind struct {
	subject string // the member that names what is settled; one ending in anyNotification where ""
	own     string // the member with the integrator's id
	of      asked  // whose request ids the subject may be, if it is a request of ours
	sign    int    // of its charge
	feeOnly bool   // a reservation moves no money
	adjusts bool   // stands for no payment
}

// anyNotification ends the member that names a reversed chargeback, whose whole name is not readable (Korea §6.3).
const anyNotification = "NotificationRequestId"

// asked is some methods of the integrator.
type asked []string

const minimum = "verifyCardWithMinimumReservation"

// kinds is every event by its member in a file; a notification has lists of them under the plural (Korea §5.9, §6.3).
var kinds = map[string]eventKind{
	"captureEvent":            {subject: "captureRequestId", own: "paymentIntegratorCaptureId", of: captures.methods(), sign: 1},
	"refundEvent":             {subject: "asynchronousRefundRequestId", own: "paymentIntegratorRefundId", of: refunds.methods(), sign: -1},
	"reverseRefundEvent":      {subject: "asynchronousRefundRequestId", of: refunds.methods(), sign: 1},
	"chargebackEvent":         {subject: "paymentIntegratorChargebackNotificationRequestId", sign: -1},
	"reverseChargebackEvent":  {sign: 1},
	"fundsReservationEvent":   {subject: "fundsReservationRequestId", of: asked{"reserveFunds", minimum}, feeOnly: true},
	"aggregateAdjustment":     {adjusts: true},
	"miscellaneousAdjustment": {adjusts: true},
}

// part is one notification of a settlement, or a whole file.
type part struct {
	At           time.Time `json:"at"`
	Channel      string    `json:"channel"`
	Account      string    `json:"piaid"`
	ID           string    `json:"settlement_id"`
	Currency     string    `json:"currency"`
	AmountMicros int64     `json:"amount_micros"`
	Start        time.Time `json:"start"`
	End          time.Time `json:"end"`
	Offset       int       `json:"offset"`
	Parts        int       `json:"parts"`
	Digest       string    `json:"digest"`
	Events       []Event   `json:"events"`
	Problems     []string  `json:"problems,omitzero"`
}

// statement is one settlement in one channel. An integrator uses one channel; where it uses both, they say the same.
type statement struct{ channel, account, id string }

var channels = []string{"notification", "file"}

// settledEvent is what is settled once in each channel.
type settledEvent struct{ channel, account, kind, subject string }

// takeSettlement reads a part of a settlement and judges it (remittance §11.2).
func takeSettlement(v *visit) (line, *refusal) {
	p := &part{
		At: v.g.cfg.Business(), Channel: "notification", Account: v.piaid, ID: v.text("settlementId"),
		Offset: int(v.integer("notificationOffset")), Parts: int(v.integer("notificationTotal")), Digest: digest(v.plain, "requestHeader"),
	}
	p.AmountMicros, p.Currency, _ = readAmount("", v.in.Rest["settlementAmount"]) // both were read before
	p.Start, p.End, _ = readPeriod("", v.in.Rest["settlementPeriod"])
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		var list []jsontext.Value
		if given := v.in.Rest[name+"s"]; given != nil && json.Unmarshal(given, &list) != nil {
			return line{}, invalid(name + "s")
		}
		for i, one := range list {
			e, no := readEvent(fmt.Sprintf("%ss[%d]", name, i), name, one, p.Currency)
			if no != nil {
				return line{}, no
			}
			p.Events = append(p.Events, e)
		}
	}
	again, no := v.g.judgePart(p)
	if again || no != nil {
		return line{}, no
	}
	return line{Part: p}, nil
}

// judgePart says whether a part is known already, or why it is refused. It remembers nothing. Under mu.
func (g *Google) judgePart(p *part) (again bool, no *refusal) {
	r := &g.record
	s := r.announced[statement{p.Channel, p.Account, p.ID}]
	if s == nil {
		s = &Settlement{Parts: p.Parts, Currency: p.Currency, AmountMicros: p.AmountMicros, Start: p.Start, End: p.End}
	}
	was, there := s.parts[p.Offset]
	switch {
	case there && was == p.Digest:
		return true, nil
	case s.Complete:
		return false, precondition("this settlement is complete, with another content")
	case there:
		return false, conflict("this part had another content before")
	case p.Parts < 1 || p.Parts != s.Parts:
		return false, invalid("notificationTotal")
	case p.Offset >= p.Parts:
		return false, invalid("notificationOffset")
	case !p.Start.Equal(s.Start) || !p.End.Equal(s.End):
		return false, invalid("settlementPeriod")
	case p.AmountMicros != s.AmountMicros || p.Currency != s.Currency:
		return false, invalid("settlementAmount")
	}
	for _, c := range channels {
		if other := r.announced[statement{c, p.Account, p.ID}]; other != nil &&
			(other.AmountMicros != p.AmountMicros || other.Currency != p.Currency) {
			return false, precondition("this settlement was announced with another amount")
		}
	}
	if no := g.judgeEvents(p); no != nil {
		return false, no
	}
	if len(s.parts)+1 == p.Parts && !adds(p.AmountMicros, s.Events, p.Events) {
		return false, precondition("the events and adjustments do not add up to settlementAmount")
	}
	return false, nil
}

// judgeEvents looks for events that we know as something else and for those that are settled already. What we did not ask for ourselves may
// have been asked for with our key.
func (g *Google) judgeEvents(p *part) *refusal {
	seen := map[settledEvent]bool{}
	for _, e := range p.Events {
		k := kinds[e.Kind]
		if k.adjusts {
			continue
		}
		if asked, ours := g.asked[key{p.Account, e.Subject}]; ours && k.of != nil && !slices.Contains(k.of, asked.Method) {
			return unknown(k.subject)
		}
		if asked, ours := g.asked[key{p.Account, e.Capture}]; ours && !slices.Contains(captures.methods(), asked.Method) {
			return unknown("captureRequestId")
		}
		paid := cmp.Or(e.Capture, e.Subject)
		if k.of == nil { // an id of the integrator's
			paid = cmp.Or(e.Capture, g.record.contested[key{p.Account, e.Subject}].Capture)
		}
		if c := g.currency(p.Account, paid); c != "" && c != cmp.Or(e.Presented, p.Currency) {
			return precondition("the payment behind the " + e.Kind + " of " + e.Subject + " was in " + c)
		}
		own := settledEvent{p.Channel, p.Account, e.Kind, e.Subject}
		for _, c := range channels {
			at, settled := g.record.settled[settledEvent{c, p.Account, e.Kind, e.Subject}]
			if settled && (at != p.ID || c == p.Channel) || seen[own] {
				return precondition("the " + e.Kind + " of " + e.Subject + " is settled twice")
			}
		}
		seen[own] = true
	}
	return nil
}

// join makes a part count that was judged before.
func (r *record) join(p *part) {
	at := statement{p.Channel, p.Account, p.ID}
	s := r.announced[at]
	if s == nil || p.Problems != nil {
		s = &Settlement{
			At: p.At, Channel: p.Channel, Account: p.Account, ID: p.ID, Currency: p.Currency, AmountMicros: p.AmountMicros,
			Start: p.Start, End: p.End, Parts: p.Parts, Problems: p.Problems, parts: map[int]string{},
		}
		r.settlements = append(r.settlements, s)
	}
	s.Events = append(s.Events, p.Events...)
	if p.Problems != nil {
		return
	}
	r.announced[at] = s
	s.parts[p.Offset] = p.Digest
	s.Complete = len(s.parts) == s.Parts
	for _, e := range p.Events {
		if e.Subject != "" {
			r.settled[settledEvent{p.Channel, p.Account, e.Kind, e.Subject}] = p.ID
		}
	}
}

// adds reports whether events come to a sum. It cannot overflow.
func adds(sum int64, lists ...[]Event) bool {
	rest := big.NewInt(sum)
	for _, e := range slices.Concat(lists...) {
		for _, micros := range []int64{e.ChargeMicros, e.FeeMicros, e.VATMicros, e.AdjustmentMicros} {
			rest.Sub(rest, big.NewInt(micros))
		}
	}
	return rest.Sign() == 0
}

// readEvent reads an event of either channel. at is where it stands, for the refusal.
func readEvent(at, name string, v jsontext.Value, currency string) (e Event, no *refusal) {
	k := kinds[name]
	in, no := members(at, v)
	fail := func(why *refusal) {
		if no == nil {
			no = why
		}
	}
	money := func(member string) int64 {
		micros, c, why := readAmount(at+"."+member, in[member])
		if why == nil {
			why = unless(c == currency, at+"."+member+".currencyCode")
		}
		fail(why)
		return micros
	}
	id := func(member string) string {
		if text(in[member]) == "" {
			fail(missing(at + "." + member))
		}
		return text(in[member])
	}
	e.Kind = name
	if k.adjusts {
		e.AdjustmentMicros = money("adjustmentAmount")
		if kind := in["adjustmentType"]; kind != nil || name == "aggregateAdjustment" {
			var why *refusal
			e.Adjustment, _, why = only(at+".adjustmentType", kind)
			fail(why)
		}
		return e, no
	}
	subject := k.subject
	for _, member := range slices.Sorted(maps.Keys(in)) {
		if k.subject == "" && strings.HasSuffix(member, anyNotification) {
			subject = member
		}
	}
	e.Subject = id(subject)
	if k.own != "" {
		e.OwnID = id(k.own)
	}
	if name == "chargebackEvent" {
		e.Capture = id("captureRequestId")
	}
	e.FeeMicros = money("eventFee")
	if k.feeOnly {
		fail(unless(in["eventCharge"] == nil, at+".eventCharge"))
		fail(unless(in["eventVat"] == nil, at+".eventVat"))
	} else {
		e.ChargeMicros, e.VATMicros = money("eventCharge"), money("eventVat")
		fail(unless(e.ChargeMicros == 0 || (e.ChargeMicros > 0) == (k.sign > 0), at+".eventCharge"))
		fail(unless(whole(e.ChargeMicros, currency), at+".eventCharge"))
	}
	if in["eventPresentmentDetails"] != nil || k.feeOnly {
		var why *refusal
		e.Presented, why = readPresentment(at+".eventPresentmentDetails", in["eventPresentmentDetails"])
		fail(why)
	}
	return e, no
}

// readPresentment reads what the holder saw: its currency.
func readPresentment(at string, v jsontext.Value) (currency string, no *refusal) {
	in, no := members(at, v)
	if no != nil {
		return "", no
	}
	if _, currency, no = readAmount(at+".presentmentAmount", in["presentmentAmount"]); no != nil {
		return "", no
	}
	if in["nanoExchangeRate"] == nil {
		return "", missing(at + ".nanoExchangeRate")
	}
	rate, ok := integer(in["nanoExchangeRate"])
	return currency, unless(ok && rate > 0, at+".nanoExchangeRate")
}

// members takes an object apart; null members are left out.
func members(at string, v jsontext.Value) (map[string]jsontext.Value, *refusal) {
	if v == nil {
		return nil, missing(at)
	}
	in := map[string]jsontext.Value{}
	if v.Kind() != '{' || json.Unmarshal(v, &in) != nil {
		return nil, invalid(at)
	}
	maps.DeleteFunc(in, func(_ string, v jsontext.Value) bool { return v.Kind() == 'n' })
	return in, nil
}

// only is the one member of a union (gsp-core §8).
func only(at string, v jsontext.Value) (string, jsontext.Value, *refusal) {
	in, no := members(at, v)
	if no != nil {
		return "", nil, no
	}
	for name, value := range in {
		return name, value, unless(len(in) == 1, at)
	}
	return "", nil, missing(at)
}

var currencyCode = regexp.MustCompile(`^[A-Z]{3}$`)

func readAmount(at string, v jsontext.Value) (micros int64, currency string, no *refusal) {
	in, no := members(at, v)
	if no != nil {
		return 0, "", no
	}
	for _, member := range []string{"amountMicros", "currencyCode"} {
		if in[member] == nil {
			return 0, "", missing(at + "." + member)
		}
	}
	micros, ok := integer(in["amountMicros"])
	if !ok {
		return 0, "", invalid(at + ".amountMicros")
	}
	currency = text(in["currencyCode"])
	return micros, currency, unless(currencyCode.MatchString(currency), at+".currencyCode")
}

func readMoment(at string, v jsontext.Value) (time.Time, *refusal) {
	in, no := members(at, v)
	if no != nil {
		return time.Time{}, no
	}
	if in["epochMillis"] == nil {
		return time.Time{}, missing(at + ".epochMillis")
	}
	ms, ok := integer(in["epochMillis"])
	return time.UnixMilli(ms).UTC(), unless(ok && ms > 0, at+".epochMillis")
}

func readPeriod(at string, v jsontext.Value) (start, end time.Time, no *refusal) {
	in, no := members(at, v)
	if no != nil {
		return start, end, no
	}
	if start, no = readMoment(at+".start", in["start"]); no != nil {
		return start, end, no
	}
	if end, no = readMoment(at+".end", in["end"]); no != nil {
		return start, end, no
	}
	return start, end, unless(!end.Before(start), at)
}

// The kinds of members of the newer dialect.
func newerAmount(name string, v jsontext.Value) *refusal { _, _, no := readAmount(name, v); return no }

func newerMoment(name string, v jsontext.Value) *refusal { _, no := readMoment(name, v); return no }

func period(name string, v jsontext.Value) *refusal { _, _, no := readPeriod(name, v); return no }

// count is a small number, written as one.
func count(name string, v jsontext.Value) *refusal {
	n, ok := integer(v)
	return unless(ok && v.Kind() == '0' && n >= 0 && n <= 1_000_000, name)
}
