package koreacards

import (
	"slices"

	"naru/core/payment"
	"naru/engine"
	"naru/protocol/gsp"
)

// refundAsk reads P4 (§4.4). Its amount is in the currency of the payment, which only the engine knows.
func (t terms) refundAsk(in AsynchronousRefundRequest) (engine.RefundAsk, error) {
	var f finding
	return engine.RefundAsk{
		Capture: engine.Key{Account: t.account.ID, RequestID: required(&f, "captureRequestId", in.CaptureRequestID)},
		Amount:  t.later(&f, "refundAmount", required(&f, "refundAmount", in.RefundAmount)),
		Encode: func(string) ([]byte, error) {
			return gsp.Encode(AsynchronousRefundResponse{Result: Acknowledged})
		},
	}, f.err()
}

// refundResult is how a verdict on a refund is said, and what stands in for the word where the profile does not list it: nothing for a word
// with Korea evidence. Where nobody can be paid, "too late" is the nearest of the Korean words that does not say that the money is gone.
type refundResult struct {
	verdict   string
	code      RefundResultCode
	otherwise RefundResultCode
}

var refundResults = []refundResult{ // §5.3
	{"SUCCESS", RefundResultSuccess, ""},
	{string(payment.RefundNothingLeft), RefundResultNoMoneyLeft, ""},
	{string(payment.RefundTooLate), RefundResultWindowExceeded, ""},
	{string(payment.RefundUnsupported), RefundResultNotSupported, RefundResultWindowExceeded},
	{string(payment.RefundIssuerDeclined), RefundResultIssuerDeclined, RefundResultWindowExceeded},
	{string(payment.RefundLostOrStolen), RefundResultCardLostOrStolen, RefundResultWindowExceeded},
	{string(payment.RefundCardCancelled), RefundResultCardCancelled, RefundResultWindowExceeded},
	{string(payment.RefundChargebackFirst), RefundResultChargebackInPlace, RefundResultNoMoneyLeft},
}

// refundCode says a verdict in Google's words. What is not listed is no verdict.
func (p Profile) refundCode(verdict string) (RefundResultCode, bool) {
	i := slices.IndexFunc(refundResults, func(r refundResult) bool { return r.verdict == verdict })
	if i < 0 {
		return "", false
	}
	r := refundResults[i]
	if r.otherwise != "" && p.RefundCodes != nil && !slices.Contains(p.RefundCodes, r.code) {
		return r.otherwise, true
	}
	return r.code, true
}

func refundVerdict(n news) (any, bool) { // G3, §5.3
	code, ok := n.profile.refundCode(n.Result)
	return RefundResultNotification{n.Facts.OwnID, n.Subject, code, n.rawIfAny()}, ok
}

func refundReturned(n news) (any, bool) { // G4, §5.4
	amount, ok := n.micros()
	return ReverseRefundNotification{n.Facts.Refund, amount, n.raw()}, ok && n.Facts.Refund != ""
}

func refundARN(n news) (any, bool) { // G11, §5.11
	return SetAcquirerReferenceNumberForRefundNotification{n.Facts.Refund, n.Facts.ARN}, n.Facts.Refund != "" && n.Facts.ARN != ""
}
