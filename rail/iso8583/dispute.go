package iso8583

import (
	"cmp"
	"context"
	"strconv"
	"strings"
	"time"

	"naru/core/money"
	"naru/core/payment"
)

// maxDisputes is how many chargebacks wait to be written down. What does not fit is not answered, and the host repeats it.
const maxDisputes = 64

// told is a chargeback of the host and the connection that its answer goes to.
type told struct {
	by      *session
	message *Message
}

// hearsDisputes reports whether chargebacks are told to us on this link.
func (l *Link) hearsDisputes() bool { return l.cfg.Profile.ChargebackOnline && l.cfg.Disputed != nil }

// dispute hands chargebacks on, one after the other and apart from the connections, so that a slow store delays no answer to a request.
func (l *Link) dispute(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case d := <-l.disputes:
			frame, err := l.frame(replyTo(d.message, l.disputed(ctx, d.message)))
			if err != nil {
				continue // what the host sent cannot be repeated to it
			}
			select {
			case d.by.back <- reply{frame: frame}:
			case <-d.by.dead:
			}
		}
	}
}

// disputed is the answer to a chargeback: 00 once it is written down, 96 while it is not, 30 if it says too little to be.
func (l *Link) disputed(ctx context.Context, m *Message) string {
	c, err := l.cfg.Profile.chargeback(m, l.cfg.Now(), l.cfg.Zone)
	switch {
	case err != nil:
		l.cfg.Log.ErrorContext(ctx, "a chargeback that nobody can read", "profile", l.cfg.Profile.Name, "message", m, "err", err)
		return "30"
	case l.cfg.Disputed(ctx, c):
		return "00"
	default:
		return "96"
	}
}

// chargeback reads a 0422 or 0423 (rails §1.16). DC, DG and DR in DE48 are the case, its stage and the last day for evidence.
func (p Profile) chargeback(m *Message, now time.Time, zone *time.Location) (payment.ChargebackAdvice, error) {
	for _, de := range []int{4, 7, 11, 37, 49} {
		if reason := elementOf(de).refuses(m.Get(de)); reason != "" {
			return payment.ChargebackAdvice{}, &FieldError{de, reason}
		}
	}
	at, tags := nearest(timeOfDE7, m.Get(7), now), p.readPrivate(m.Get(48))
	currency, known := currencies[m.Get(49)]
	minor, err := strconv.ParseInt(m.Get(4), 10, 64)
	stage, staged := stages[tags["DG"]]
	switch {
	case err != nil || minor == 0:
		return payment.ChargebackAdvice{}, &FieldError{4, "is no amount"}
	case at.IsZero():
		return payment.ChargebackAdvice{}, &FieldError{7, "is no time"}
	case !staged:
		return payment.ChargebackAdvice{}, &FieldError{48, "DG must be 1 or 2"}
	case !known:
		return payment.ChargebackAdvice{}, &FieldError{49, "is no currency that we know"}
	}
	code := cut(cmp.Or(m.Get(60), m.Get(p.ReversalReasonElement)), 4)
	if len(code) < 4 || !all(code, isDigit) {
		code = ""
	}
	terminal := printable(strings.TrimSpace(m.Get(41)))
	return payment.ChargebackAdvice{
		Original: original(m, now), Name: strings.Join([]string{"0422", at.Format("20060102150405"), m.Get(11), m.Get(32), terminal}, "-"),
		Amount: money.New(minor, currency), Stage: stage, Case: strings.TrimSpace(tags["DC"]),
		Reason: cmp.Or(isoReasons[code], payment.UnclearReason), Scope: "ISO", RawCode: code,
		At: at, ReplyBy: lastMoment(tags["DR"], zone),
	}, nil
}

// original is what a chargeback disputes: DE37 is the RRN of the hold or the sale, DE90 names the message. DE90 has no year: a chargeback
// comes up to eleven months after its original, later than that the RRN alone is right.
func original(m *Message, now time.Time) payment.Trace {
	t, de90 := payment.Trace{RRN: m.Get(37)}, m.Get(90)
	if elementOf(90).refuses(de90) == "" {
		t.STAN, t.At = de90[4:10], nearest(timeOfDE7, de90[10:20], now.AddDate(0, -5, 0))
	}
	return t
}

// lastMoment is the end of a day where the acquirer is; the zero time where it is no date.
func lastMoment(day string, zone *time.Location) time.Time {
	at, err := time.ParseInLocation(yyyymmdd, day, zone)
	if err != nil {
		return time.Time{}
	}
	return time.Date(at.Year(), at.Month(), at.Day(), 23, 59, 59, 999e6, zone)
}

// stages is DE48 DG. A host that counts no stages tells a first chargeback.
var stages = map[string]payment.Stage{"": payment.First, "1": payment.First, "2": payment.Second}

// currencies are those of rails §0 by what DE49 calls them.
var currencies = func() map[string]money.Currency {
	table := map[string]money.Currency{}
	for _, code := range []string{"KRW", "INR", "USD", "EUR", "GBP", "JPY", "BHD", "KWD"} {
		table[money.Of(code).Numeric()] = money.Of(code)
	}
	return table
}()

// isoReasons is DE60 of a chargeback, the ISO rows of rails §1.16. 4501 and 4554 are named there and mapped nowhere.
var isoReasons = map[string]payment.DisputeReason{
	"4537": payment.Fraud, "4540": payment.Fraud, "4562": payment.Fraud,
	"4507": payment.OtherReason, "4508": payment.OtherReason, "4512": payment.OtherReason, "4535": payment.OtherReason,
	"4542": payment.LatePresentment, "4546": payment.OtherReason, "4531": payment.AmountDiffers, "4534": payment.DuplicatePayment,
	"4555": payment.NotDelivered, "4559": payment.NotDelivered, "4541": payment.SubscriptionCanceled,
	"4553": payment.DefectiveOrNotAsDescribed, "4556": payment.DefectiveOrNotAsDescribed, "4560": payment.CreditNotProcessed,
	"4501": payment.OtherReason, "4554": payment.OtherReason,
}
