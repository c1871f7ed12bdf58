package google

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// notification is one method that we host: what its requests say, and what they make of our knowledge.
type notification struct {
	name    string
	newer   bool    // message generation B (gsp-core §0)
	subject string  // the member that names what it is about
	fields  []field // beside header and account, in the sheet's order
	take    func(*visit) (line, *refusal)
}

// field is one member of a request. An optional one is nowhere judged by its absence.
type field struct {
	name     string
	is       kind
	optional bool
	also     string // another name that it may have
}

// job is an asynchronous method of the integrator, the notification that ends it, and the method that does the same at once: there the
// answer is the verdict (Card FOP §4.4).
type job struct{ asked, told, sold string }

var (
	captures = job{"asynchronousCaptureFundsReservation", "captureFundsReservationResultNotification", "capture"}
	cancels  = job{asked: "asynchronousCancelFundsReservation", told: "cancelFundsReservationResultNotification"}
	refunds  = job{asked: "asynchronousRefund", told: "refundResultNotification"}

	// disbursement is told where its answer was none (disburse §7.2).
	disbursement = job{sold: "disburseFunds", told: "disburseFundsResultNotification"}
)

// methods is those whose requests the job is about.
func (j job) methods() asked { return asked{j.asked, j.sold} }

// Everything that we host (Korea §5, Card FOP §5, disburse §5). The numbers are Korea's; Card FOP counts otherwise. Of the words, only
// those of a fraud are open.
var (
	captureResult = &notification{ // G1
		name: captures.told, subject: "captureFundsReservationRequestId",
		fields: []field{
			{name: "captureFundsReservationRequestId", is: label},
			{name: "captureFundsReservationResult", is: word("SUCCESS", "RESERVATION_EXPIRED", "REVOCATION_OF_AUTHORIZATION")},
			{name: "rawResult", is: raw, optional: true},
		},
		take: verdict(captures, "captureFundsReservationResult"),
	}
	cancelResult = &notification{ // G2
		name: cancels.told, subject: "cancelFundsReservationRequestId",
		fields: []field{
			{name: "cancelFundsReservationRequestId", is: label},
			{name: "cancelFundsReservationResult", is: word("SUCCESS")},
			{name: "rawResult", is: raw, optional: true},
		},
		take: verdict(cancels, "cancelFundsReservationResult"),
	}
	refundResult = &notification{ // G3
		name: refunds.told, subject: "refundRequestId",
		fields: []field{
			{name: "refundRequestId", is: label},
			{name: "refundResult", is: word("SUCCESS", "NO_MONEY_LEFT_ON_TRANSACTION", "REFUND_WINDOW_EXCEEDED", "NOT_SUPPORTED_BY_NETWORK",
				"ISSUER_DECLINED", "CARD_LOST_OR_STOLEN", "CARD_CANCELLED", "CHARGEBACK_IN_PLACE")},
			{name: "paymentIntegratorRefundId", is: label, optional: true},
			{name: "rawResult", is: raw, optional: true},
		},
		take: verdict(refunds, "refundResult"),
	}
	refundReversed = &notification{ // G4
		name: "reverseRefundNotification", subject: "refundRequestId",
		fields: []field{{name: "refundRequestId", is: label}, {name: "amount", is: positive}, {name: "rawResult", is: raw}},
		take:   takeReversal,
	}
	inquiry = &notification{ // G5
		name: "inquiryNotification", subject: "captureRequestId",
		fields: []field{
			{name: "fraudType", is: foreign, optional: true},
			{name: "captureRequestId", is: label},
			{name: "amount", is: positive},
			{name: "reasonCode", is: reason},
			{name: "rawResult", is: raw},
			{name: "inquiryDate", is: positive},
			{name: "replyByDate", is: positive},
			{name: "caseId", is: label, optional: true},
		},
		take: takeDispute,
	}
	chargeback = &notification{ // G6
		name: "chargebackNotification", subject: "captureRequestId",
		fields: []field{
			{name: "captureRequestId", is: label},
			{name: "amount", is: positive},
			{name: "chargebackStage", is: word("FIRST", "SECOND")},
			{name: "reasonCode", is: reason},
			{name: "rawResult", is: raw},
			{name: "chargebackDate", is: positive},
			{name: "replyByDate", is: positive},
			{name: "caseId", is: label, optional: true},
		},
		take: takeDispute,
	}
	chargebackReversed = &notification{ // G7
		name: "chargebackReversedNotification", subject: "chargebackRequestId",
		fields: []field{
			{name: "chargebackRequestId", is: label},
			{name: "amount", is: positive},
			{name: "rawResult", is: raw},
			{name: "chargebackReversalDate", is: positive},
		},
		take: takeChargebackReversal,
	}
	fraud = &notification{ // G8
		name: "fraudNotification", subject: "captureRequestId",
		fields: []field{{name: "captureRequestId", is: label}, {name: "fraudType", is: label}, {name: "rawResult", is: raw}},
		take:   takeDispute,
	}
	settlement = &notification{ // G9
		name: "settlementNotification", newer: true, subject: "settlementId",
		fields: []field{
			{name: "generatedTimestamp", is: newerMoment},
			{name: "settlementPeriod", is: period},
			{name: "settlementAmount", is: newerAmount},
			{name: "settlementId", is: label},
			{name: "notificationOffset", is: count},
			{name: "notificationTotal", is: count},
		},
		take: takeSettlement,
	}
	captureARN = number( // G10
		"setAcquirerReferenceNumberForCaptureNotification", captures, field{name: "captureRequestId", is: label},
	)
	koreaCaptureARN = number( // whose text and example differ (Korea §14 point 3)
		captureARN.name, captures, field{name: "captureRequestId", is: label, also: "captureFundsReservationRequestId"},
	)
	refundARN = number( // G11
		"setAcquirerReferenceNumberForRefundNotification", refunds, field{name: "refundRequestId", is: label},
	)
	payoutResult = &notification{ // disburse §5
		name: disbursement.told, subject: "disburseFundsRequestId",
		fields: []field{{name: "disburseFundsRequestId", is: requestName}, {name: disbursed, is: payoutValue}},
		take:   takePayout,
	}
	echo = &notification{ // G12; changes nothing
		name: "echo", subject: "clientMessage", fields: []field{{name: "clientMessage", is: sentence}},
	}
)

// alike is what both card APIs have under their prefix.
var alike = []*notification{
	captureResult, cancelResult, refundResult, refundReversed, inquiry, chargeback, chargebackReversed, fraud, settlement, refundARN,
}

// number hands over the acquirer reference number of what a job moved.
func number(name string, j job, subject field) *notification {
	return &notification{
		name: name, subject: subject.name, fields: []field{subject, {name: "acquirerReferenceNumber", is: label}}, take: takeARN(j),
	}
}

// verdict ends a request, or finds that it has ended already (Korea §9.3, Card FOP §8.3). The request may still be in flight (Korea §8.5),
// or not be ours: somebody else may have sent it with our key.
func verdict(j job, result string) func(*visit) (line, *refusal) {
	return func(v *visit) (line, *refusal) {
		id, said := v.text(v.what.subject), v.text(result)
		if e, ours := v.g.asked[key{v.piaid, id}]; ours && e.Method != j.asked {
			return line{}, unknown(v.what.subject)
		}
		switch fixed, told := v.g.record.byVerdict[subject{j.told, v.piaid, id}]; {
		case told && fixed != said:
			return line{}, precondition("another verdict was given before")
		case told:
			return line{}, nil
		}
		return line{Verdict: &Verdict{
			At: v.g.cfg.Business(), Method: j.told, Account: v.piaid, Subject: id, Result: said, OwnID: v.text("paymentIntegratorRefundId"),
		}}, nil
	}
}

// succeeded finds the request that a message builds on: it must be one of that job and have ended well, by its verdict or by its answer.
// What we did not send and were not told of is taken on trust; its Exchange is empty.
func (v *visit) succeeded(j job) (Exchange, *refusal) {
	id := v.text(v.what.subject)
	e, ours := v.g.asked[key{v.piaid, id}]
	result, told := v.g.record.byVerdict[subject{j.told, v.piaid, id}]
	if ours && e.Method == j.sold && e.Status == http.StatusOK {
		result = e.Result
	}
	switch {
	case ours && !slices.Contains(j.methods(), e.Method):
		return e, unknown(v.what.subject)
	case (ours || told) && result != "SUCCESS":
		return e, precondition("nothing has succeeded under this " + v.what.subject)
	}
	return e, nil
}

// takeReversal lets a refund come back, in parts if need be, but never more than it was.
func takeReversal(v *visit) (line, *refusal) {
	refund, no := v.succeeded(refunds)
	if no != nil {
		return line{}, no
	}
	if no := v.whole(v.text("refundRequestId")); no != nil {
		return line{}, no
	}
	back := Reversal{v.g.cfg.Business(), v.piaid, *v.in.Header.ID, v.text("refundRequestId"), v.integer("amount")}
	if left := refund.AmountMicros - v.g.record.reversed[key{v.piaid, back.Refund}]; refund.Method != "" && back.AmountMicros > left {
		return line{}, precondition("more comes back than was refunded")
	}
	return line{Reversal: &back}, nil
}

// takeDispute hears of a contested or defrauded capture. A second stage without a reversed first one is no more than a warning in Korea
// (Korea §9.5), and refused elsewhere (Card FOP §8.5).
func takeDispute(v *visit) (line, *refusal) {
	if _, no := v.succeeded(captures); no != nil {
		return line{}, no
	}
	d := v.dispute()
	if no := v.whole(d.Capture); no != nil {
		return line{}, no
	}
	if v.api.staged && d.Stage == "SECOND" && !v.g.record.reopens(d) {
		return line{}, precondition("no reversed first chargeback of this capture is left for a second stage")
	}
	return line{Dispute: d}, nil
}

// whole refuses an amount that is finer than the currency of the payment, which a request of ours names. No amount is a whole one.
func (v *visit) whole(request string) *refusal {
	currency := cmp.Or(v.g.currency(v.piaid, request), v.api.currency)
	return unless(currency == "" || whole(v.integer("amount"), currency), "amount")
}

func takeChargebackReversal(v *visit) (line, *refusal) {
	d := v.dispute()
	named := key{v.piaid, d.Chargeback}
	raised := v.g.record.contested[named]
	if raised.Method != chargeback.name {
		return line{}, unknown("chargebackRequestId")
	}
	if no := v.whole(raised.Capture); no != nil {
		return line{}, no
	}
	switch {
	case v.g.record.undone[named]:
		return line{}, precondition("this chargeback was reversed before")
	case d.AmountMicros > raised.AmountMicros:
		return line{}, precondition("more comes back than was charged back")
	}
	d.Capture = raised.Capture
	return line{Dispute: d}, nil
}

// takeARN writes a number once (Korea §9.4, Card FOP §8.4).
func takeARN(j job) func(*visit) (line, *refusal) {
	return func(v *visit) (line, *refusal) {
		if _, no := v.succeeded(j); no != nil {
			return line{}, no
		}
		id, number := v.text(v.what.subject), v.text("acquirerReferenceNumber")
		switch fixed, told := v.g.record.byARN[subject{v.what.name, v.piaid, id}]; {
		case told && fixed != number:
			return line{}, precondition("another acquirerReferenceNumber was given before")
		case told:
			return line{}, nil
		}
		return line{ARN: &ARN{v.g.cfg.Business(), v.what.name, v.piaid, id, number}}, nil
	}
}

// dispute is what G5 to G8 say, each in its own members.
func (v *visit) dispute() *Dispute {
	var from rawResult
	_ = json.Unmarshal(v.in.Rest["rawResult"], &from) // was read before
	day := func(members ...string) (at time.Time) {
		for _, m := range members {
			if v.in.Rest[m] != nil {
				at = time.UnixMilli(v.integer(m)).UTC()
			}
		}
		return at
	}
	return &Dispute{
		At: v.g.cfg.Business(), Method: v.what.name, Account: v.piaid, RequestID: *v.in.Header.ID,
		Capture: v.text("captureRequestId"), Chargeback: v.text("chargebackRequestId"), AmountMicros: v.integer("amount"),
		Stage: v.text("chargebackStage"), Reason: cmp.Or(v.text("reasonCode"), v.text("fraudType")),
		Scope: from.Scope, RawCode: from.code(), Case: v.text("caseId"),
		Date: day("inquiryDate", "chargebackDate", "chargebackReversalDate"), ReplyBy: day("replyByDate"),
	}
}

// decimals is how many a currency has (ISO 4217); two where it does not stand here.
var decimals = map[string]int{
	"BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0, "RWF": 0, "UGX": 0, "UYI": 0, "VND": 0, "VUV": 0,
	"XAF": 0, "XOF": 0, "XPF": 0, "BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3, "CLF": 4, "UYW": 4,
}

// whole reports whether money is not finer than the minor unit of its currency.
func whole(micros int64, currency string) bool {
	digits, odd := decimals[currency]
	if !odd {
		digits = 2
	}
	unit := int64(1_000_000)
	for range digits {
		unit /= 10
	}
	return micros%unit == 0
}

// currency is that of the payment which a request belongs to, "" where we did not ask for it. Under mu.
func (g *Google) currency(account, request string) (currency string) {
	for range 3 { // a refund, its capture, its reservation
		e := g.asked[key{account, request}]
		currency, request = cmp.Or(currency, e.Currency), cmp.Or(e.Capture, e.Reservation)
	}
	return currency
}

func (v *visit) text(member string) string { return text(v.in.Rest[member]) }

func (v *visit) integer(member string) int64 {
	n, _ := integer(v.in.Rest[member])
	return n
}

// kind says what a member is: its refusal if it is something else. The value is there and not null.
type kind func(name string, v jsontext.Value) *refusal

// requestName is the request id of a request of ours.
func requestName(name string, v jsontext.Value) *refusal {
	if text(v) == "" {
		return missing(name)
	}
	return unless(requestID.MatchString(text(v)), name)
}

// label is text that is not empty, of whatever form.
func label(name string, v jsontext.Value) *refusal {
	if text(v) == "" {
		return missing(name)
	}
	return nil
}

func sentence(name string, v jsontext.Value) *refusal { return unless(v.Kind() == '"', name) }

// word is one of a closed list; the zero value of the list is not in it.
func word(list ...string) kind {
	return func(name string, v jsontext.Value) *refusal {
		if text(v) == "" {
			return missing(name)
		}
		return unless(slices.Contains(list, text(v)), name)
	}
}

// foreign is a member of another method that has come to the wrong address (Korea §14 point 5, Card FOP §12 point 4).
func foreign(name string, _ jsontext.Value) *refusal { return invalid(name) }

// reason is why a payment is contested (Korea §5.13).
var reason = word("FRAUD", "FAMILIAR_FRAUD", "SUSPICIOUS", "CHARGE_NOT_RECOGNIZED", "CREDIT_NOT_PROCESSED", "DUPLICATE_PAYMENT",
	"SUBSCRIPTION_CANCELED", "INPUT_ERROR", "INSUFFICIENT_FUNDS", "NOT_DELIVERED", "DEFECTIVE_OR_NOT_AS_DESCRIBED", "INCORRECT_MERCHANDISE",
	"UNWANTED_MERCHANDISE", "UNCLEAR", "OTHER", "TRANSACTION_AMOUNT_DIFFER", "PAID_BY_OTHER_MEANS", "LATE_PRESENTMENT")

// positive is a number: the moment of a message, or its money in micros, whose currency the message does not tell.
func positive(name string, v jsontext.Value) *refusal {
	n, ok := integer(v)
	return unless(ok && n > 0, name)
}

// rawResult is a network's own word (Korea §3.9).
type rawResult struct {
	Scope string  `json:"scope"`
	Code  *string `json:"rawCode"`
}

func (r rawResult) code() string {
	if r.Code == nil {
		return ""
	}
	return *r.Code
}

func raw(name string, v jsontext.Value) *refusal {
	var in rawResult
	switch err := json.Unmarshal(v, &in); {
	case err != nil:
		return invalid(name)
	case in.Code == nil:
		return missing(name + ".rawCode")
	}
	return nil
}

func refuse(status int, code, why string) *refusal {
	return &refusal{status: status, code: code, why: why}
}

func missing(field string) *refusal {
	return refuse(http.StatusBadRequest, "MISSING_REQUIRED_FIELD", field+" is required")
}

func invalid(field string) *refusal {
	return &refusal{http.StatusBadRequest, "INVALID_FIELD_VALUE", field + " has a value that is not supported", field}
}

func unless(ok bool, field string) *refusal {
	if ok {
		return nil
	}
	return invalid(field)
}

func unknown(member string) *refusal {
	return refuse(http.StatusNotFound, "INVALID_IDENTIFIER", "unknown "+member)
}

func precondition(why string) *refusal {
	return refuse(http.StatusBadRequest, "PRECONDITION_VIOLATION", why)
}

func conflict(why string) *refusal {
	return refuse(http.StatusPreconditionFailed, "IDEMPOTENCY_VIOLATION", why)
}
