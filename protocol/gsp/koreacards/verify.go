package koreacards

import (
	"cmp"

	"naru/core/money"
	"naru/core/payment"
	"naru/engine"
	"naru/protocol/gsp"
)

// verifyHoldAsk reads P5 (§4.5). Nobody names an amount: the engine asks for the least that the network takes.
func (t terms) verifyHoldAsk(in VerifyCardWithMinimumReservationRequest) (engine.ReserveAsk, error) {
	var f finding
	currency, _ := t.currency(&f, required(&f, "currencyCode", in.CurrencyCode))
	order := payment.AuthOrder{
		Purpose:   payment.ToVerify,
		Amount:    money.New(0, currency),
		Statement: required(&f, "transactionDescription", in.TransactionDescription),
		MCC:       category(&f, required(&f, "merchantCategoryCode", in.MerchantCategoryCode)),
	}
	t.card(&f, "card.", required(&f, "card", in.Card), &order)
	if in.AddressVerificationData != nil {
		order.Address = address(&f, *in.AddressVerificationData)
	}
	var options AdditionalTransactionProcessingOptions
	if in.AdditionalTransactionProcessingOptions != nil {
		options = *in.AdditionalTransactionProcessingOptions
		readOptions(&f, options, &order, gsp.AtMostOne)
	}
	if in.StoredCredential != nil {
		order.Stored = storedCredential(&f, "storedCredentialTransactionInformation", *in.StoredCredential)
	}
	order.Holder = t.holder(&f, "", HolderData{
		PIN:                   either(&f, "pin", in.PIN, options.PIN),
		ConnectingInformation: either(&f, "connectingInformation", in.ConnectingInformation, options.ConnectingInformation),
		DateOfBirth:           either(&f, "dateOfBirth", in.DateOfBirth, options.DateOfBirth),
		BusinessIdentifier:    either(&f, "businessIdentifier", in.BusinessIdentifier, options.BusinessIdentifier),
	})
	stored := either(&f, "storedCredentialTransactionInformation", in.StoredCredential, options.StoredCredential)
	return holdAsk(&f, order, sent(order, in.AddressVerificationData, stored), t.verifyHoldResponse)
}

// either is a member that has two places and stands in one of them at most.
func either[T any](f *finding, path string, top, inOptions *T) *T {
	if top != nil && inOptions != nil {
		f.wrong(path, "must not stand at the top and in "+optionsAt[:len(optionsAt)-1]+" too")
	}
	return cmp.Or(top, inOptions)
}

// checkAsk reads P8 (§4.8). It names no currency; nothing is asked for in the account's first.
func (t terms) checkAsk(in VerifyCardWithZeroAmountRequest) (engine.ReserveAsk, error) {
	var f finding
	order := payment.AuthOrder{Purpose: payment.ToCheck, Amount: money.New(0, t.account.Currencies[0])}
	f.note(gsp.ExactlyOne("merchantCategoryCode", in.MerchantCategoryCode != nil, in.MerchantCategoryCodeNotPresent != nil))
	if in.MerchantCategoryCode != nil {
		order.MCC = category(&f, *in.MerchantCategoryCode)
	}
	t.card(&f, "card.", required(&f, "card", in.Card), &order)
	if in.AddressVerificationData != nil {
		order.Address = address(&f, *in.AddressVerificationData)
	}
	order.Holder = t.holder(&f, "", in.HolderData)
	return holdAsk(&f, order, sent(order, in.AddressVerificationData, nil), t.checkResponse)
}

// verifyHoldResponse writes P5's answer (§4.5). A single-message capture is not offered to anybody; a card that was refused is not told to
// work with reserve and capture.
func (t terms) verifyHoldResponse(with sentParts, r engine.ReserveResult) (VerifyCardWithMinimumReservationResponse, error) {
	o := r.Outcome
	code, err := t.profile.verifyCode(o)
	out := VerifyCardWithMinimumReservationResponse{
		CardNetworkResult:         t.profile.networkResult(o),
		AddressVerificationResult: addressResult(with, o.AVS),
		CvnResult:                 cvnResult(with, o),
		CardMetadata:              metadata(o),
		FundsTransferFlow:         FlowNotSupported,
		ReserveCaptureFlow:        FlowNotSupported,
		Result:                    code,
	}
	if o.Verdict == payment.Approved {
		out.ReserveCaptureFlow = FlowSupported
		out.AdditionalTransactionProcessingResult = storedResult(with, o)
	}
	return out, err
}

// checkResponse writes P8's answer (§4.8).
func (t terms) checkResponse(with sentParts, r engine.ReserveResult) (VerifyCardWithZeroAmountResponse, error) {
	o := r.Outcome
	code, err := t.profile.verifyCode(o)
	return VerifyCardWithZeroAmountResponse{
		CardNetworkResult:         t.profile.networkResult(o),
		AddressVerificationResult: addressResult(with, o.AVS),
		CvnResult:                 cvnResult(with, o),
		Result:                    code,
	}, err
}

// onlyOfReserveFunds are the declines that the revision history names for P1 alone (§14 point 9).
var onlyOfReserveFunds = map[payment.Reason]bool{payment.PINMismatch: true, payment.BirthOrBusinessNo: true}

// verifyCode says what a card check came to.
func (p Profile) verifyCode(o payment.Outcome) (ReserveFundsResultCode, error) {
	switch {
	case o.Verdict == payment.Approved:
		return ReserveFundsSuccess, nil
	case p.VerifyPlainCodes && onlyOfReserveFunds[o.Decline]:
		return ReserveFundsIssuerDeclined, nil
	}
	return p.resultCode(o.Decline)
}
