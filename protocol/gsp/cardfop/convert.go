package cardfop

import (
	_ "embed"

	"naru/core/payment"
	"naru/engine"
	"naru/protocol/gsp/cards"
)

//go:embed results.csv
var results string

// API is what Card FOP v1 can do and say (§10).
var API = cards.API{
	Name: Name, Declines: cards.Declines(results), Notifications: Notifications,
	Refunds: []cards.RefundResultCode{
		cards.RefundResultSuccess, cards.RefundResultNoMoneyLeft, cards.RefundResultWindowExceeded, cards.RefundResultNotSupported,
		cards.RefundResultIssuerDeclined, cards.RefundResultCardLostOrStolen, cards.RefundResultCardCancelled,
		cards.RefundResultChargebackInPlace,
	},
	CVN: cards.CvnNotSentSupported, AVS: cards.NotSentSupported,
	Sells: true, CaptureIDs: true, TokenTypes: true, Exemptions: true,
}

// Profile is what one account's contract changes. Its zero value is what the sheet recommends.
type Profile struct{ cards.Profile }

// Check says what is wrong with a profile.
func (p Profile) Check() error { return API.Check(p.Profile) }

// paymentAsk reads P1 (§4.1) and P4 (§4.4), which differ in what becomes of the money.
func paymentAsk[T any](
	t cards.Terms, p payment.Purpose, in ReserveFundsRequest, response func(cards.Answer, engine.ReserveResult) (T, error),
) (engine.ReserveAsk, error) {
	r := t.Read(p)
	r.Payment(in.PaymentRequest, in.Options)
	return cards.Ask(r, response)
}

// verifyAsk reads P6 (§4.6).
func verifyAsk(t cards.Terms, in VerifyCardWithMinimumReservationRequest) (engine.ReserveAsk, error) {
	r := t.Read(payment.ToVerify)
	r.Verification(in.VerificationRequest, in.Options)
	return cards.Ask(r, cards.Answer.Verified)
}

// captureResponse writes P4's answer (§4.4).
func captureResponse(a cards.Answer, r engine.ReserveResult) (CaptureResponse, error) {
	code, err := a.Code(r.Outcome)
	out := CaptureResponse{CheckResults: a.Checks(r.Outcome), CardMetadata: cards.Metadata(r.Outcome), Result: code}
	if r.Outcome.Verdict == payment.Approved {
		out.PaymentIntegratorCaptureID = r.CaptureID
		out.AdditionalTransactionProcessingResult = a.StoredCredential(r.Outcome)
	}
	return out, err
}
