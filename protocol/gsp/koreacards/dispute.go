package koreacards

import (
	"bytes"
	"encoding/base64"
	"strings"

	"naru/core/payment"
	"naru/engine"
	"naru/protocol/gsp"
)

// The bounds of a defence (§4.6): a document, and the body around it, which base64 makes larger twice.
const (
	maxDocument    = 16 << 20
	maxDefenceBody = 32 << 20
)

// defendAsk reads P6 (§4.6). A document that is no PDF is an answer, not a fault; so is a capture that nobody knows.
func (t terms) defendAsk(in DefendChargebackRequest) (engine.DefendAsk, error) {
	var f finding
	const at = "defenseMaterialDocument."
	doc := required(&f, "defenseMaterialDocument", in.DefenseMaterialDocument)
	ask := engine.DefendAsk{Capture: engine.Key{Account: t.account.ID, RequestID: text(in.CaptureRequestID)}}
	mime, payload := open(&f, at+"mimeType", required(&f, at+"mimeType", doc.MimeType)), required(&f, at+"payload", doc.Payload)
	f.note(gsp.ExactlyOne("criteria", in.CaptureRequestID != nil, in.MrnPaymentDetails != nil))
	if in.CaptureRequestID != nil && *in.CaptureRequestID == "" {
		f.wrong("captureRequestId", "must not be empty") // it would be a payment made elsewhere
	}
	document, fits := readPDF(payload.Reveal())
	if !fits {
		f.wrong(at+"payload", "must be at most 16 MiB")
	}
	if mime == MimePDF {
		ask.Document = document
	}
	ask.Encode = func(r engine.DefendResult) ([]byte, error) {
		return gsp.Encode(DefendChargebackResponse{defendResults[r]})
	}
	return ask, f.err()
}

// readPDF decodes base64url or base64, padded or not. It is nil for what is no PDF, and says whether the size is one that we take.
func readPDF(payload string) (document []byte, fits bool) {
	payload = strings.TrimRight(payload, "=")
	alphabet := base64.RawURLEncoding
	if strings.ContainsAny(payload, "+/") {
		alphabet = base64.RawStdEncoding
	}
	if alphabet.DecodedLen(len(payload)) > maxDocument {
		return nil, false
	}
	document, err := alphabet.DecodeString(payload)
	if err != nil || !bytes.HasPrefix(document, []byte("%PDF-")) {
		return nil, true
	}
	return document, true
}

var defendResults = map[engine.DefendResult]DefendChargebackResultCode{
	engine.DefenceTaken:            DefendSuccess,
	engine.DefenceOfUnknownCapture: DefendCaptureRequestIDNotFound,
	engine.DefenceUnreadable:       DefendInvalidDocumentFormat,
	engine.DefenceOfNothing:        DefendChargebackNotDefendable,
}

var disputeReasons = map[payment.DisputeReason]PaymentDisputeReasonCode{ // §5.13, complete
	payment.Fraud:                     "FRAUD",
	payment.FamiliarFraud:             "FAMILIAR_FRAUD",
	payment.Suspicious:                "SUSPICIOUS",
	payment.ChargeNotRecognized:       "CHARGE_NOT_RECOGNIZED",
	payment.CreditNotProcessed:        "CREDIT_NOT_PROCESSED",
	payment.DuplicatePayment:          "DUPLICATE_PAYMENT",
	payment.SubscriptionCanceled:      "SUBSCRIPTION_CANCELED",
	payment.InputError:                "INPUT_ERROR",
	payment.NoFunds:                   "INSUFFICIENT_FUNDS",
	payment.NotDelivered:              "NOT_DELIVERED",
	payment.DefectiveOrNotAsDescribed: "DEFECTIVE_OR_NOT_AS_DESCRIBED",
	payment.IncorrectMerchandise:      "INCORRECT_MERCHANDISE",
	payment.UnwantedMerchandise:       "UNWANTED_MERCHANDISE",
	payment.UnclearReason:             DisputeUnclear,
	payment.OtherReason:               "OTHER",
	payment.AmountDiffers:             "TRANSACTION_AMOUNT_DIFFER",
	payment.PaidByOtherMeans:          "PAID_BY_OTHER_MEANS",
	payment.LatePresentment:           "LATE_PRESENTMENT",
}

// reason is never without a word: who is told too little must still be told in time.
func (n news) reason() PaymentDisputeReasonCode {
	if code, ok := disputeReasons[payment.DisputeReason(n.Facts.Reason)]; ok {
		return code
	}
	return DisputeUnclear
}

var chargebackStages = map[payment.Stage]ChargebackStage{
	payment.First:  ChargebackFirst,
	payment.Second: ChargebackSecond,
}

func inquiry(n news) (any, bool) { // G5, §5.5
	amount, ok := n.micros()
	return InquiryNotification{
		n.Facts.Capture, amount, n.reason(), n.raw(), gsp.TimestampA(n.Facts.AtMs), gsp.TimestampA(n.Facts.ReplyMs), n.Facts.Case,
	}, ok && n.Facts.Capture != "" && n.Facts.AtMs > 0 && n.Facts.ReplyMs > 0
}

func chargeback(n news) (any, bool) { // G6, §5.6
	amount, ok := n.micros()
	stage, known := chargebackStages[payment.Stage(n.Facts.Stage)]
	return ChargebackNotification{
		n.Facts.Capture, amount, stage, n.reason(), n.raw(), gsp.TimestampA(n.Facts.AtMs), gsp.TimestampA(n.Facts.ReplyMs), n.Facts.Case,
	}, ok && known && n.Facts.Capture != "" && n.Facts.AtMs > 0 && n.Facts.ReplyMs > 0
}

func chargebackReversed(n news) (any, bool) { // G7, §5.7
	amount, ok := n.micros()
	return ChargebackReversedNotification{n.Facts.Earlier, amount, n.raw(), gsp.TimestampA(n.Facts.AtMs)},
		ok && n.Facts.Earlier != "" && n.Facts.AtMs > 0
}

// fraud says FRAUDULENT_USE to every code that the profile has no word for: one word is better than none, and no other can be spelled yet.
func fraud(n news) (any, bool) { // G8, §5.8
	word, ok := n.profile.FraudTypes[n.Code]
	if !ok {
		word = FraudulentUse
	}
	return FraudNotification{n.Facts.Capture, word, n.raw()}, n.Facts.Capture != ""
}

func captureARN(n news) (any, bool) { // G10, §5.10
	return SetAcquirerReferenceNumberForCaptureNotification{n.Facts.Capture, n.Facts.ARN}, n.Facts.Capture != "" && n.Facts.ARN != ""
}
