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

// job is an asynchronous method of the integrator and the notification that ends it.
type job struct{ asked, told string }

var (
	captures = job{"asynchronousCaptureFundsReservation", "captureFundsReservationResultNotification"}
	cancels  = job{"asynchronousCancelFundsReservation", "cancelFundsReservationResultNotification"}
	refunds  = job{"asynchronousRefund", "refundResultNotification"}
)

// Everything that we host (Korea §5). Of the words, only those of a fraud are open.
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
		fields: []field{{name: "refundRequestId", is: label}, {name: "amount", is: amount}, {name: "rawResult", is: raw}},
		take:   takeReversal,
	}
	inquiry = &notification{ // G5
		name: "inquiryNotification", subject: "captureRequestId",
		fields: []field{
			{name: "captureRequestId", is: label},
			{name: "amount", is: amount},
			{name: "reasonCode", is: reason},
			{name: "rawResult", is: raw},
			{name: "inquiryDate", is: moment},
			{name: "replyByDate", is: moment},
			{name: "caseId", is: label, optional: true},
		},
		take: takeDispute,
	}
	chargeback = &notification{ // G6
		name: "chargebackNotification", subject: "captureRequestId",
		fields: []field{
			{name: "captureRequestId", is: label},
			{name: "amount", is: amount},
			{name: "chargebackStage", is: word("FIRST", "SECOND")},
			{name: "reasonCode", is: reason},
			{name: "rawResult", is: raw},
			{name: "chargebackDate", is: moment},
			{name: "replyByDate", is: moment},
			{name: "caseId", is: label, optional: true},
		},
		take: takeDispute, // a second stage without a reversed first one is taken (Korea §9.5)
	}
	chargebackReversed = &notification{ // G7
		name: "chargebackReversedNotification", subject: "chargebackRequestId",
		fields: []field{
			{name: "chargebackRequestId", is: label},
			{name: "amount", is: amount},
			{name: "rawResult", is: raw},
			{name: "chargebackReversalDate", is: moment},
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
	captureARN = &notification{ // G10
		name: "setAcquirerReferenceNumberForCaptureNotification", subject: "captureRequestId",
		fields: []field{
			{name: "captureRequestId", is: label, also: "captureFundsReservationRequestId"}, {name: "acquirerReferenceNumber", is: label},
		},
		take: takeARN(captures),
	}
	refundARN = &notification{ // G11
		name: "setAcquirerReferenceNumberForRefundNotification", subject: "refundRequestId",
		fields: []field{{name: "refundRequestId", is: label}, {name: "acquirerReferenceNumber", is: label}},
		take:   takeARN(refunds),
	}
	echo = &notification{ // G12; changes nothing
		name: "echo", subject: "clientMessage", fields: []field{{name: "clientMessage", is: sentence}},
	}
)

// prefix is in front of every method but two (Korea §1.3).
const prefix = "/google-korea-cards-api/v1/"

// routes is where we host it. The path of G1 is irregular; the regular one leads to the same.
var routes = map[string]*notification{
	cards + captureResult.name:       captureResult,
	prefix + captureResult.name:      captureResult,
	prefix + cancelResult.name:       cancelResult,
	prefix + refundResult.name:       refundResult,
	prefix + refundReversed.name:     refundReversed,
	prefix + inquiry.name:            inquiry,
	prefix + chargeback.name:         chargeback,
	prefix + chargebackReversed.name: chargebackReversed,
	prefix + fraud.name:              fraud,
	prefix + settlement.name:         settlement,
	prefix + captureARN.name:         captureARN,
	prefix + refundARN.name:          refundARN,
	"/v1/" + echo.name:               echo,
}

// verdict ends a request, or finds that it has ended already (Korea §9.3). The request may still be in flight (§8.5), or not be ours:
// somebody else may have sent it with our key.
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
		return line{Verdict: &Verdict{v.g.cfg.Business(), j.told, v.piaid, id, said, v.text("paymentIntegratorRefundId")}}, nil
	}
}

// succeeded finds the request that a message builds on: it must be one of that job and have ended well. What we did not send and were
// not told of is taken on trust; its Exchange is empty.
func (v *visit) succeeded(j job) (Exchange, *refusal) {
	id := v.text(v.what.subject)
	e, ours := v.g.asked[key{v.piaid, id}]
	result, told := v.g.record.byVerdict[subject{j.told, v.piaid, id}]
	switch {
	case ours && e.Method != j.asked:
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
	back := Reversal{v.g.cfg.Business(), v.piaid, *v.in.Header.ID, v.text("refundRequestId"), v.integer("amount")}
	if left := refund.AmountMicros - v.g.record.reversed[key{v.piaid, back.Refund}]; refund.Method != "" && back.AmountMicros > left {
		return line{}, precondition("more comes back than was refunded")
	}
	return line{Reversal: &back}, nil
}

func takeDispute(v *visit) (line, *refusal) {
	_, no := v.succeeded(captures)
	return line{Dispute: v.dispute()}, no
}

func takeChargebackReversal(v *visit) (line, *refusal) {
	d := v.dispute()
	named := key{v.piaid, d.Chargeback}
	raised, known := v.g.record.chargebacks[named]
	switch {
	case !known:
		return line{}, unknown("chargebackRequestId")
	case v.g.record.undone[named]:
		return line{}, precondition("this chargeback was reversed before")
	case d.AmountMicros > raised.AmountMicros:
		return line{}, precondition("more comes back than was charged back")
	}
	d.Capture = raised.Capture
	return line{Dispute: d}, nil
}

// takeARN writes a number once (Korea §9.4).
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

func (v *visit) text(member string) string { return text(v.in.Rest[member]) }

func (v *visit) integer(member string) int64 {
	n, _ := integer(v.in.Rest[member])
	return n
}

// kind says what a member is: its refusal if it is something else. The value is there and not null.
type kind func(name string, v jsontext.Value) *refusal

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

// reason is why a payment is contested (Korea §5.13).
var reason = word("FRAUD", "FAMILIAR_FRAUD", "SUSPICIOUS", "CHARGE_NOT_RECOGNIZED", "CREDIT_NOT_PROCESSED", "DUPLICATE_PAYMENT",
	"SUBSCRIPTION_CANCELED", "INPUT_ERROR", "INSUFFICIENT_FUNDS", "NOT_DELIVERED", "DEFECTIVE_OR_NOT_AS_DESCRIBED", "INCORRECT_MERCHANDISE",
	"UNWANTED_MERCHANDISE", "UNCLEAR", "OTHER", "TRANSACTION_AMOUNT_DIFFER", "PAID_BY_OTHER_MEANS", "LATE_PRESENTMENT")

// amount is money in micros of the won, which has no minor unit (Korea §2.2).
func amount(name string, v jsontext.Value) *refusal {
	n, ok := integer(v)
	return unless(ok && n > 0 && n%1_000_000 == 0, name)
}

func moment(name string, v jsontext.Value) *refusal {
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
