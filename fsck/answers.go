package fsck

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"naru/core/payment"
	"naru/core/payout"
)

// method is what must stand in the stored answer of a method. An answer that says yes says it with one word; any other is a no.
type method struct {
	object  string // the table of what it makes; empty where it makes nothing that has its name
	yes     string // result where it was done
	id, end string // members that name the object, of a sale its capture, and the end of the hold, where there are such
	purpose payment.Purpose
	words   []string // all its results, where it makes nothing that tells which
	inside  []string // where the result stands; empty for the member "result"
}

// methods are the wire words that answers are kept under (Korea Cards v1 §4, Card FOP v1 §4, disburse v1 §4): where two know one, it is the
// same.
var methods = map[string]method{
	"reserveFunds": {
		object: "reservation", yes: "SUCCESS", id: "paymentIntegratorFundsReservationId", end: "reservationExpirationTimestamp",
	},
	"capture":                             {object: "reservation", yes: "SUCCESS", id: "paymentIntegratorCaptureId", purpose: payment.ToSell},
	"asynchronousCaptureFundsReservation": {object: "capture", yes: "ACKNOWLEDGED"},
	"asynchronousCancelFundsReservation":  {object: "cancel", yes: "ACKNOWLEDGED"},
	"asynchronousRefund":                  {object: "refund", yes: "ACKNOWLEDGED"},
	"verifyCardWithMinimumReservation":    {object: "reservation", yes: "SUCCESS", purpose: payment.ToVerify},
	"verifyCardWithZeroAmount":            {object: "reservation", yes: "SUCCESS", purpose: payment.ToCheck},
	"disburseFunds": {
		object: "payout", yes: "SUCCESS", id: "paymentIntegratorTransactionId",
		inside: []string{"disburseFundsResult", "disburseFundsResultCode"},
	},
	"defendChargeback": {
		words: []string{"SUCCESS", "CAPTURE_REQUEST_ID_NOT_FOUND", "INVALID_DOCUMENT_FORMAT", "CHARGEBACK_NOT_DEFENDABLE"},
	},
}

// refusals are the wire words of the reasons why a payout is refused (disburse v1 §4.3).
var refusals = map[payout.Reason]string{
	payout.BelowLimit: "DISBURSEMENT_UNDER_TRANSACTION_LIMIT", payout.AboveLimit: "DISBURSEMENT_EXCEEDS_TRANSACTION_LIMIT",
	payout.Closed: "ACCOUNT_CLOSED", payout.OnHold: "ACCOUNT_ON_HOLD", payout.ClosedFraud: "ACCOUNT_CLOSED_FRAUD",
	payout.ClosedStolen: "ACCOUNT_CLOSED_ACCOUNT_TAKEN_OVER",
}

const requests = `
SELECT i.account, i.request_id, i.method, i.fingerprint, i.done, i.answer, i.created_us, (SELECT at_us FROM event ORDER BY id DESC LIMIT 1),
       r.id, r.state, r.purpose, r.hold_until_us,
       EXISTS (SELECT 1 FROM event AS e WHERE e.payment_id = r.id AND e.object = '' AND e.event IN ('approve', 'verify', 'pass', 'sell')),
       EXISTS (SELECT 1 FROM event AS e WHERE e.payment_id = r.id AND e.object = '' AND e.event = 'decline'),
       c.id, x.id, f.id, p.id, COALESCE(p.state, ''), COALESCE(p.reason, '')
  FROM idempotency AS i
  LEFT JOIN reservation AS r ON r.account = i.account AND r.request_id = i.request_id
  LEFT JOIN capture AS c ON c.account = i.account AND c.request_id = i.request_id
  LEFT JOIN cancel AS x ON x.account = i.account AND x.request_id = i.request_id
  LEFT JOIN refund AS f ON f.account = i.account AND f.request_id = i.request_id
  LEFT JOIN payout AS p ON p.account = i.account AND p.request_id = i.request_id`

// unanswered is what was decided and has no answer. What was never decided may have none: its request may be asked again.
const unanswered = `
SELECT 'reservation', r.id FROM reservation AS r
 WHERE (r.state = 'PENDING' OR EXISTS (SELECT 1 FROM event AS e WHERE e.payment_id = r.id AND e.object = ''
                                                AND e.event IN ('approve', 'verify', 'pass', 'sell', 'decline')))
   AND NOT EXISTS (SELECT 1 FROM idempotency AS i WHERE i.account = r.account AND i.request_id = r.request_id)
 UNION ALL
SELECT 'capture', c.id FROM capture AS c
 WHERE NOT EXISTS (SELECT 1 FROM idempotency AS i WHERE i.account = c.account AND i.request_id = c.request_id)
 UNION ALL
SELECT 'cancel', x.id FROM cancel AS x
 WHERE NOT EXISTS (SELECT 1 FROM idempotency AS i WHERE i.account = x.account AND i.request_id = x.request_id)
 UNION ALL
SELECT 'refund', f.id FROM refund AS f
 WHERE NOT EXISTS (SELECT 1 FROM idempotency AS i WHERE i.account = f.account AND i.request_id = f.request_id)`

// abandonedAfterUS is when a first call without an answer is nobody's work any more: the whole call has five seconds (design §3.11).
const abandonedAfterUS = 60 * 1_000_000

// answers checks that each request has the answer that its object demands: the same question, the same answer, for ever (design §3.2).
func (x *run) answers() error {
	err := x.each(requests, func(scan func(...any) error) error {
		var q request
		var newest, holdUntil sql.NullInt64
		var reservation, state, purpose, capture, cancel, refund, paid sql.NullString
		var stands payout.State
		err := scan(&q.account, &q.id, &q.method, &q.fingerprint, &q.done, &q.answer, &q.createdUS, &newest, &reservation, &state, &purpose,
			&holdUntil, &q.approved, &q.declined, &capture, &cancel, &refund, &paid, &stands, &q.reason)
		if err != nil {
			return err
		}
		q.state, q.purpose = payment.State(state.String), payment.Purpose(purpose.String)
		q.holdUntil = holdUntil
		if paid.Valid {
			q.approved, q.declined = stands == payout.Paid || stands == payout.Returned, stands == payout.Refused
		}
		for _, o := range []struct {
			table string
			id    sql.NullString
		}{{"reservation", reservation}, {"capture", capture}, {"cancel", cancel}, {"refund", refund}, {"payout", paid}} {
			if o.id.Valid {
				q.objects, q.object = append(q.objects, o.table), o.id.String
			}
		}
		x.did("answers")
		x.answer(q, newest.Int64)
		return nil
	})
	if err != nil {
		return err
	}
	return x.each(unanswered, func(scan func(...any) error) error {
		var table, id string
		err := scan(&table, &id)
		x.bad("answers", table, id, "was asked for, and the request is not remembered: a repeat would do it again")
		return err
	})
}

// request is a remembered request with what it made.
type request struct {
	account, id, method string
	fingerprint, answer []byte
	done                bool
	createdUS           int64
	objects             []string // tables with a row of this key
	object              string   // the last one's id: of a sale its capture
	state               payment.State
	purpose             payment.Purpose
	holdUntil           sql.NullInt64
	approved, declined  bool
	reason              payout.Reason // of a payout that was refused
}

func (x *run) answer(q request, newestUS int64) {
	row := q.account + "/" + q.id
	bad := func(check, problem string, args ...any) { x.bad(check, "idempotency", row, problem, args...) }
	m, known := methods[q.method]
	if !known {
		bad("answers", "is of the method %q, which is not known here", q.method)
		return
	}
	makes := m.object
	if m.purpose == payment.ToSell && q.approved {
		makes = "reservation capture"
	}
	if strings.Join(q.objects, " ") != makes || q.purpose != m.purpose {
		bad("answers", "is a %s and made %q for %q, not %q for %q", q.method, q.objects, q.purpose, makes, m.purpose)
		return
	}
	if len(q.fingerprint) != 4+32 {
		bad("answers", "its fingerprint is not a digest")
	}
	held := m.object == "reservation" || m.object == "payout" // there is a yes and a no
	switch {
	case held && q.done != (q.approved || q.declined):
		bad("answers", "answered=%t where approved=%t and declined=%t", q.done, q.approved, q.declined)
	case held && q.approved && q.declined:
		bad("answers", "was approved and declined")
	case !q.done && q.state != payment.Pending: // no other method has a first call that waits
		bad("answers", "is being worked on and there is nothing to wait for: its reservation is %s", q.state)
	case !q.done && newestUS-q.createdUS > abandonedAfterUS:
		x.warn("answers", "idempotency", row, "has no answer since long before the newest event; recovery gives it up at the next start")
	}
	if !q.done || x.vault == nil {
		return
	}
	x.did("answers-open")
	plain, err := x.vault.Open(q.answer, "idempotency.answer/"+row)
	if err != nil {
		bad("answers-open", "the answer does not open in this place")
		return
	}
	for _, what := range x.secretsIn(plain, nil) {
		bad("answers-open", "the answer holds %s", what)
	}
	var says map[string]json.RawMessage
	if err := json.Unmarshal(plain, &says); err != nil {
		bad("answers-open", "the answer is no document")
		return
	}
	yes := !held || q.approved
	switch result := m.result(says); {
	case result == "":
		bad("answers-open", "the answer has no result")
	case m.words != nil && slices.Contains(m.words, result):
	case (result == m.yes) != yes:
		bad("answers-open", "the answer is %s where approved=%t", result, yes)
	case q.reason != "" && result != refusals[q.reason]:
		bad("answers-open", "the answer is %s where the payout was refused for %s", result, q.reason)
	}
	if m.object == "payout" && text(says[m.id]) == "" {
		bad("answers-open", "the answer names no payout")
	}
	if held && (q.approved || m.object == "payout") {
		if id := text(says[m.id]); id != "" && id != q.object {
			bad("answers-open", "the answer names %s and not %s", id, q.object)
		}
		if end := text(says[m.end]); end != "" && end != fmt.Sprint(q.holdUntil.Int64/1000) {
			bad("answers-open", "the answer says that the hold ends at %s ms, and it ends at %d us", end, q.holdUntil.Int64)
		}
	}
}

// result is the word that says what came of a request.
func (m method) result(says map[string]json.RawMessage) string {
	if m.inside == nil {
		return text(says["result"])
	}
	for _, name := range m.inside[:len(m.inside)-1] {
		var inner map[string]json.RawMessage
		if json.Unmarshal(says[name], &inner) != nil {
			return ""
		}
		says = inner
	}
	return text(says[m.inside[len(m.inside)-1]])
}

// text is a JSON string or number as text.
func text(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}
