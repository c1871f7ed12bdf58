package koreacards

import (
	_ "embed"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"naru/core/card"
	"naru/core/money"
	"naru/core/payment"
	"naru/engine"
	"naru/protocol/gsp"
	"naru/protocol/gsp/cards"
)

//go:embed results.csv
var results string

// API is what Korea Cards v1 can do and say: neither a CVN nor an address is checked by Korean domestic networks (§11).
var API = cards.API{
	Name: Name, Declines: cards.Declines(results), Notifications: Notifications,
	Refunds: []cards.RefundResultCode{cards.RefundResultSuccess, cards.RefundResultNoMoneyLeft, cards.RefundResultWindowExceeded},
	CVN:     cards.CvnNotSentUnsupportedByNetwork, AVS: cards.NotSentUnsupportedByNetwork,
	ARNOptional: true,
}

// Profile is what one account's contract changes. Its zero value is what the sheet recommends.
type Profile struct {
	cards.Profile
	HolderFields     HolderFields `toml:"holder_fields"`      // how the four Korea-only members are read (§3.2)
	VerifyPlainCodes bool         `toml:"verify_plain_codes"` // card checks say ISSUER_DECLINED to a wrong PIN or birth date (§14.9)
}

// HolderFields is how pin, dateOfBirth, businessIdentifier and connectingInformation are read. Their formats are inferred (§3.2).
type HolderFields string

// The readings.
const (
	LenientHolder HolderFields = ""       // every form that §3.2 knows
	StrictHolder  HolderFields = "strict" // the first form only; birth date or business number, not both
	AnyHolder     HolderFields = "any"    // never refuses: what has no known form is left out, and the network decides
)

// Check says what is wrong with a profile.
func (p Profile) Check() error {
	if !slices.Contains([]HolderFields{LenientHolder, "lenient", StrictHolder, AnyHolder}, p.HolderFields) {
		return fmt.Errorf("holder_fields: %q is neither lenient, strict nor any", p.HolderFields)
	}
	return API.Check(p.Profile)
}

// terms are what a message is read against.
type terms struct {
	cards.Terms
	profile Profile
}

// reserveAsk reads P1 (§4.1).
func (t terms) reserveAsk(in ReserveFundsRequest) (engine.ReserveAsk, error) {
	r := t.Read(payment.ToPay)
	options, holder := in.Options.parts()
	r.Payment(in.PaymentRequest, options)
	r.Order.Holder = t.holder(&r.Faults, "additionalTransactionProcessingOptions.", holder)
	return cards.Ask(r, cards.Answer.Reserved)
}

// parts are the members that Card FOP has too, and those that it has not.
func (o *AdditionalTransactionProcessingOptions) parts() (*cards.AdditionalTransactionProcessingOptions, HolderData) {
	if o == nil {
		return nil, HolderData{}
	}
	return &o.AdditionalTransactionProcessingOptions, o.HolderData
}

// verifyHoldAsk reads P5 (§4.5). Korea's own members stand at the top or inside the options (§14 point 20).
func (t terms) verifyHoldAsk(in VerifyCardWithMinimumReservationRequest) (engine.ReserveAsk, error) {
	r := t.Read(payment.ToVerify)
	options, inside := in.Options.parts()
	r.Verification(in.VerificationRequest, options)
	r.Order.Holder = t.holder(&r.Faults, "", HolderData{
		PIN:                   cards.Either(&r.Faults, "pin", in.PIN, inside.PIN),
		ConnectingInformation: cards.Either(&r.Faults, "connectingInformation", in.ConnectingInformation, inside.ConnectingInformation),
		DateOfBirth:           cards.Either(&r.Faults, "dateOfBirth", in.DateOfBirth, inside.DateOfBirth),
		BusinessIdentifier:    cards.Either(&r.Faults, "businessIdentifier", in.BusinessIdentifier, inside.BusinessIdentifier),
	})
	return cards.Ask(r, func(a cards.Answer, result engine.ReserveResult) (cards.VerifyCardWithMinimumReservationResponse, error) {
		return a.Verified(t.checked(result))
	})
}

// checkAsk reads P8 (§4.8). It names no currency; nothing is asked for in the account's first.
func (t terms) checkAsk(in VerifyCardWithZeroAmountRequest) (engine.ReserveAsk, error) {
	r := t.Read(payment.ToCheck)
	r.Order.Amount = money.New(0, t.Account.Currencies[0])
	r.Note(gsp.ExactlyOne("merchantCategoryCode", in.MerchantCategoryCode != nil, in.MerchantCategoryCodeNotPresent != nil))
	if in.MerchantCategoryCode != nil {
		r.Category(*in.MerchantCategoryCode)
	}
	r.Card(in.Card)
	r.Address(in.AddressVerificationData)
	r.Order.Holder = t.holder(&r.Faults, "", in.HolderData)
	return cards.Ask(r, func(a cards.Answer, result engine.ReserveResult) (VerifyCardWithZeroAmountResponse, error) {
		o := t.checked(result).Outcome
		code, err := a.Code(o)
		return VerifyCardWithZeroAmountResponse{CheckResults: a.Checks(o), Result: code}, err
	})
}

// onlyOfReserveFunds are the declines that the revision history names for P1 alone (§14 point 9).
var onlyOfReserveFunds = map[payment.Reason]bool{payment.PINMismatch: true, payment.BirthOrBusinessNo: true}

// checked is what came of a card check, in reasons that this account wants to hear of one.
func (t terms) checked(r engine.ReserveResult) engine.ReserveResult {
	if t.profile.VerifyPlainCodes && onlyOfReserveFunds[r.Outcome.Decline] {
		r.Outcome.Decline = payment.IssuerDeclined
	}
	return r
}

// holder reads the members that only Korea has (§3.2). Who sends none lets the network decide (§14 point 7).
func (t terms) holder(f *cards.Faults, at string, in HolderData) (h payment.Holder) {
	mode := t.profile.HolderFields
	type form func(HolderFields, string) (string, payment.Reason, bool)
	read := func(name string, member *gsp.Secret, parse form, rule string) (v card.Secret) {
		if member == nil {
			return v
		}
		value, decline, ok := parse(mode, member.Reveal())
		switch {
		case ok && decline == "":
			return card.Conceal(value)
		case mode == AnyHolder: // left out
		case !ok:
			f.Wrong(at+name, rule)
		default:
			f.Mistyped(decline)
		}
		return v
	}
	h.PINDigits = read("pin", in.PIN, pinDigits, "must be digits")
	h.BirthDate = read("dateOfBirth", in.DateOfBirth, birthDate, "must be a date, YYYY-MM-DD")
	h.BusinessNumber = read("businessIdentifier", in.BusinessIdentifier, businessNumber, "must be ten digits")
	h.CI = read("connectingInformation", in.ConnectingInformation, connectingInformation, "must be 64 bytes in base64")
	if mode == StrictHolder && in.DateOfBirth != nil && in.BusinessIdentifier != nil {
		f.Wrong(at+"dateOfBirth", "must not come with businessIdentifier")
	}
	return h
}

// pinDigits are the first two digits of the card password; no more leave this function.
func pinDigits(mode HolderFields, s string) (string, payment.Reason, bool) {
	most := 4
	if mode == StrictHolder {
		most = 2
	}
	switch {
	case !cards.Digits(s, 1, len(s)):
		return "", "", false
	case len(s) < 2 || len(s) > most:
		return "", payment.PINMismatch, true
	}
	return s[:2], "", true
}

// birthDate is YYMMDD, which is what the networks take.
func birthDate(mode HolderFields, s string) (string, payment.Reason, bool) {
	forms := []string{"2006-01-02", "20060102", "060102"}
	if mode == StrictHolder {
		forms = forms[:1]
	}
	for _, form := range forms {
		if !sameShape(s, form) {
			continue
		}
		day, err := time.Parse(form, s)
		if err != nil { // the thirtieth of February
			return "", payment.BirthOrBusinessNo, true
		}
		return day.Format("060102"), "", true
	}
	return "", "", false
}

// sameShape reports whether s has digits where the form has, and the form's own signs elsewhere.
func sameShape(s, form string) bool {
	return strings.Map(zero, s) == strings.Map(zero, form)
}

func zero(r rune) rune {
	if r >= '0' && r <= '9' {
		return '0'
	}
	return r
}

func businessNumber(_ HolderFields, s string) (string, payment.Reason, bool) {
	s = strings.ReplaceAll(s, "-", "")
	return s, "", cards.Digits(s, 10, 10)
}

func connectingInformation(_ HolderFields, s string) (string, payment.Reason, bool) {
	raw, err := base64.StdEncoding.Strict().DecodeString(s)
	return s, "", err == nil && len(raw) == 64 && len(s) == 88
}
