package iso8583

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"

	moov "github.com/moov-io/iso8583"

	"naru/core/card"
	"naru/core/fault"
	"naru/core/money"
	"naru/core/payment"
)

// Contract is what an acquirer agreed with us for one link, the same in every message.
type Contract struct {
	Institution string // DE32, our acquiring institution: up to 11 digits
	City        string // DE43, where the merchant is
	Country     string // DE43, alpha-2
	CountryCode string // DE19, ISO 3166 numeric
}

// Validate says whether every message can carry the contract.
func (c Contract) Validate() error {
	switch {
	case c.Institution == "" || len(c.Institution) > 11 || !all(c.Institution, isDigit):
		return fmt.Errorf("institution: up to 11 digits")
	case len(c.Country) != 2 || latin(c.Country) != c.Country:
		return fmt.Errorf("country: two upper-case letters")
	case len(c.CountryCode) != 3 || !all(c.CountryCode, isDigit):
		return fmt.Errorf("country code: three digits")
	}
	return nil
}

// codec writes our requests and reads the host's answers in the dialect of one profile.
type codec struct {
	profile  Profile
	contract Contract
	spec     *moov.MessageSpec
	answers  answers
}

func newCodec(p Profile, c Contract) (codec, error) {
	if err := c.Validate(); err != nil {
		return codec{}, fmt.Errorf("contract: %w", err)
	}
	table, err := p.answers()
	return codec{p, c, p.Spec(), table}, err
}

// authorisation is the 0100 of a hold or a check, or the 0200 of a sale, which has the same elements (rails §1.7). Secret and personal
// tags of DE48 stand here and in no other message, because this is the one transmission they may appear in (rails §1.5); neither is ever
// sent twice.
func (c codec) authorisation(o payment.AuthOrder) (*Message, error) {
	mti := "0100"
	if o.Purpose == payment.ToSell {
		mti = "0200"
	} else if c.profile.CaptureMode == "single" && !o.Amount.IsZero() { // the engine knows, and never asks
		return nil, errors.New("this host holds nothing, it only sells")
	}
	private, err := c.profile.packPrivate(map[string]string{
		"IN": "00", // instalments: the front ends know none (rails §1.5)
		"BD": o.Holder.BirthDate.Reveal(),
		"BN": o.Holder.BusinessNumber.Reveal(),
		"PW": o.Holder.PINDigits.Reveal(),
		"CN": o.Holder.CI.Reveal(),
		"CV": o.CVN.Reveal(),
		"EC": eci(o.ECI),
		"CA": o.ThreeDS.CAVV.Reveal(),
		"DS": o.ThreeDS.DirectoryServerID,
		"TV": o.ThreeDS.Version,
		"TS": o.ThreeDS.ServerID,
		"CG": o.Token.Cryptogram.Reveal(),
		"TT": tokens[o.Token.Kind],
		"CI": initiators[o.Stored.Initiator],
		"IR": intents[o.Stored.Intent],
		"SI": storage(o.Stored),
		"NT": o.Stored.EarlierNetwork,
		"SX": exemptions[o.Exemption],
		"PR": wishes[o.Network],
		"AA": strings.TrimSpace(cut(latin(strings.Join(o.Address.Lines, " ")), 40)),
		"AP": strings.TrimSpace(cut(latin(o.Address.PostalCode), 10)),
		"AC": latin(o.Address.Country),
		"MR": o.Reference,
	})
	if err != nil {
		return nil, err
	}
	entry := "812" // customer on-line
	if o.Stored.Initiator == payment.ByMerchant {
		entry = "102"
	}
	m := c.head(mti, o.Trace, o.PAN, o.Amount, o.Terminal, o.Merchant)
	c.local(m, o.Trace.At, o.Local)
	c.sale(m, o.Expiry, o.MCC)
	m.Set(22, entry).Set(43, c.acceptor(o.Statement)).Set(48, private)
	if holdsNothing(o) {
		m.Set(25, "51") // account verification (rails §1.8)
	}
	return m, complete(m)
}

// The letters of DE48 (rails §1.5).
var (
	tokens     = map[payment.TokenKind]string{payment.DeviceToken: "D", payment.MerchantToken: "M"}
	initiators = map[payment.Initiator]string{payment.ByCustomer: "C", payment.ByMerchant: "M"}
	intents    = map[payment.Intent]string{payment.Instalment: "I", payment.Recurring: "R", payment.Unscheduled: "U"}
	exemptions = map[payment.Exemption]string{payment.LowValue: "L", payment.RiskAnalysis: "T"}
	wishes     = map[payment.NetworkWish]string{payment.WishCredit: "C", payment.WishDebit: "D"}
)

// holdsNothing reports whether an order only asks what the card is worth.
func holdsNothing(o payment.AuthOrder) bool { return !o.Purpose.Pays() && o.Amount.IsZero() }

// advice is the 0200 of a refund, which leaves once, or the 0220 or 0420 of a hold, or the 0420 of a sale or a refund. The repeat of a
// 0220 or 0420 is the same bytes but for the message type (rails §1.11 T3).
func (c codec) advice(a payment.AdviceOrder, repeat bool) (*Message, error) {
	if a.Kind == payment.RefundOrder {
		return c.refund(a)
	}
	amount := a.Whole
	if a.Kind == payment.Completion {
		amount = a.Amount
	}
	m := c.head(c.profile.adviceType(a.Kind, repeat), a.Trace, a.PAN, amount, a.Terminal, a.Merchant)
	c.local(m, a.Original.At, a.Local) // DE12, DE13 and DE37 are those of the original
	m.Set(37, a.Original.RRN)
	original := "0100"
	switch a.About {
	case payment.OfSale:
		original = "0200"
	case payment.OfRefund:
		original, a.Approval = "0200", "" // the approval code is the hold's, or the sale's
		m.Set(3, refundCode)
	}
	m.Set(90, originalData(original, a.Original, c.contract.Institution))
	if n := len(a.Approval); n > 6 { // too long for DE38: all of it goes to AN, its end to DE38, which a capture must have (rails §1.5)
		private, err := c.profile.packPrivate(map[string]string{"AN": a.Approval})
		if err != nil {
			return nil, err
		}
		m.Set(38, a.Approval[n-6:]).Set(48, private)
	} else if n > 0 {
		m.Set(38, fit(a.Approval, 6))
	}
	switch a.Kind {
	case payment.Completion:
		c.sale(m, a.Expiry, a.MCC)
	case payment.ReleaseRest:
		m.Set(95, minor(a.Amount)+strings.Repeat("0", 30)) // what stays held
		c.reason(m, "4004")
	case payment.Reversal:
		c.reason(m, reversalReasons[a.Reason])
	}
	return m, complete(m)
}

// refundCode is DE3 of a refund and of its reversal (rails §1.8).
const refundCode = "200000"

// refund is the 0200 that gives captured money back. It has a trace of its own; OR and OD say of which hold or sale the money was, and when
// it was captured; DE90 names the 0220 or 0200 that took it, while it is younger than a year (rails §1.7, §1.10).
func (c codec) refund(a payment.AdviceOrder) (*Message, error) {
	if a.HeldRRN == "" || a.Captured.IsZero() {
		return nil, &FieldError{48, missing}
	}
	private, err := c.profile.packPrivate(map[string]string{
		"MR": a.Reservation, "OR": a.HeldRRN, "OD": a.Captured.In(cmp.Or(a.Local, time.UTC)).Format(yyyymmdd),
	})
	if err != nil {
		return nil, err
	}
	m := c.head("0200", a.Trace, a.PAN, a.Amount, a.Terminal, a.Merchant)
	c.local(m, a.Trace.At, a.Local)
	c.sale(m, a.Expiry, a.MCC)
	m.Set(3, refundCode).Set(22, "812").Set(43, c.acceptor(a.Text)).Set(48, private)
	taken := "0220"
	if a.About == payment.OfSale {
		taken = "0200"
	}
	if a.Captured.AddDate(1, 0, 0).After(a.Trace.At) {
		m.Set(90, originalData(taken, a.Original, c.contract.Institution))
	}
	return m, complete(m)
}

// mandatory is rails §1.7: what a message must not leave the house without. DE38 of a 0220 is not among it: the host that
// gave no approval code will not ask for one.
var mandatory = map[string][]int{
	"0100": {2, 3, 4, 7, 11, 12, 13, 14, 18, 19, 22, 25, 32, 37, 41, 42, 43, 49},
	"0200": {2, 3, 4, 7, 11, 12, 13, 14, 18, 19, 22, 25, 32, 37, 41, 42, 43, 48, 49},
	"0220": {2, 3, 4, 7, 11, 12, 13, 14, 18, 19, 25, 32, 37, 41, 42, 49, 90},
	"0221": {2, 3, 4, 7, 11, 12, 13, 14, 18, 19, 25, 32, 37, 41, 42, 49, 90},
	"0400": {2, 3, 4, 7, 11, 12, 13, 32, 37, 41, 42, 49, 90},
	"0420": {2, 3, 4, 7, 11, 12, 13, 32, 37, 41, 42, 49, 90},
	"0421": {2, 3, 4, 7, 11, 12, 13, 32, 37, 41, 42, 49, 90},
	"0500": {7, 11, 15, 50, 74, 75, 76, 77, 86, 87, 88, 89, 97, 99},
	"0501": {7, 11, 15, 50, 74, 75, 76, 77, 86, 87, 88, 89, 97, 99},
}

func complete(m *Message) error {
	for _, de := range mandatory[m.mti] {
		if v := m.Get(de); v == "" || de != 43 && strings.TrimSpace(v) == "" {
			return &FieldError{de, missing}
		}
	}
	return m.check()
}

const missing = "is missing"

func (c codec) reason(m *Message, code string) {
	if de := c.profile.ReversalReasonElement; de != 0 {
		m.Set(de, cmp.Or(code, "4001"))
	}
}

// reversalReasons is DE60 (rails §1.5). A hold of less than the whole is unwanted like a cancelled one: 4004 would ask for DE95.
var reversalReasons = map[payment.UndoReason]string{
	payment.UndoCancel: "4000", payment.UndoCrash: "4002", payment.UndoGarbled: "4003", payment.UndoLate: "4006",
	payment.UndoInvalid: "4020", payment.UndoSilence: "4021", payment.UndoPartial: "4000",
}

// adviceType is the message type of the first transmission and of the repeats (rails §1.6, §1.3). An 0400 is only ever a whole
// reversal: to the 0420 that follows it a host that has booked it may answer 25, which for a partial one would mean a lost hold.
func (p Profile) adviceType(k payment.AdviceKind, repeat bool) string {
	switch {
	case k == payment.Completion && repeat && p.RepeatMTI:
		return "0221"
	case k == payment.Completion:
		return "0220"
	case repeat && p.RepeatMTI:
		return "0421"
	case repeat || k == payment.ReleaseRest:
		return "0420"
	default:
		return p.ReversalMTI
	}
}

// head fills what every financial message has.
func (c codec) head(mti string, t payment.Trace, pan card.PAN, amount money.Amount, terminal, merchant string) *Message {
	return NewMessage(mti).Set(2, pan.Reveal()).Set(3, "000000").Set(4, minor(amount)).Set(7, t.At.UTC().Format(timeOfDE7)).Set(11, t.STAN).
		Set(32, c.contract.Institution).Set(37, t.RRN).Set(41, fit(terminal, 8)).Set(42, fit(merchant, 15)).Set(49, amount.Currency().Numeric())
}

func (c codec) local(m *Message, at time.Time, where *time.Location) {
	where = cmp.Or(where, time.UTC)
	m.Set(12, at.In(where).Format("150405")).Set(13, at.In(where).Format("0102"))
}

func (c codec) sale(m *Message, e card.Expiry, mcc string) {
	m.Set(18, mcc).Set(19, c.contract.CountryCode).Set(25, "59")
	if !e.IsZero() {
		m.Set(14, fmt.Sprintf("%02d%02d", e.Year%100, e.Month))
	}
}

// acceptor is DE43: what the holder's statement shows, and where the merchant is.
func (c codec) acceptor(text string) string {
	return fit(latin(text), 25) + fit(latin(c.contract.City), 13) + fit(c.contract.Country, 2)
}

func minor(a money.Amount) string { return fmt.Sprintf("%012d", a.Minor()) }

func eci(digits string) string {
	if len(digits) == 1 {
		return "0" + digits
	}
	return digits
}

func storage(s payment.StoredCredential) string {
	switch {
	case s.Initiator == payment.NoStoredCredential:
		return ""
	case s.StoredBefore || s.Initiator == payment.ByMerchant:
		return "U"
	default:
		return "S"
	}
}

// maxMinor is what DE4 holds.
const maxMinor = 999_999_999_999

// refusal turns what the format refuses into what the caller may hear. What the caller did not choose is our own fault.
func refusal(err error) error {
	var at *FieldError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &at) && at.DE == 14 && at.Reason == missing:
		return fault.Wrap(fault.Missing, err, "the card network needs the expiry date of the card")
	case errors.As(err, &at) && (at.DE == 2 || at.DE == 14 || at.DE == 18 || at.DE == 48):
		return fault.Wrap(fault.Invalid, err, "a value does not fit the card network's format")
	default:
		return fault.Wrap(fault.Internal, err, "the card network's format")
	}
}

// networkMessage is an 0800; stan and at are its identity on the link.
func networkMessage(code, stan string, at time.Time) *Message {
	return NewMessage("0800").Set(7, at.UTC().Format(timeOfDE7)).Set(11, stan).Set(70, code)
}

// replyTo answers a request of the host: function + 1, originator even, what identifies it repeated (rails §1.13).
func replyTo(request *Message, code string) *Message {
	mti := []byte(request.mti)
	mti[2]++
	mti[3] = '0' + (mti[3]-'0')&^1
	m := NewMessage(string(mti)).Set(39, code)
	for _, de := range []int{3, 4, 7, 11, 32, 37, 41, 42, 49, 70} {
		m.Set(de, request.Get(de))
	}
	return m
}
