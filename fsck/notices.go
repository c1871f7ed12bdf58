package fsck

import (
	"database/sql"
	"encoding/json"
	"slices"
)

// factNames is all that a notice may say beside its verdict.
var factNames = []string{
	"Capture", "Refund", "OwnID", "Earlier", "Minor", "Currency", "Stage", "Reason", "Scope", "Case", "ARN", "AtMs", "ReplyMs", "Part",
}

// subject is what stands in front of a slash in what a notice is about.
const subject = `SUBSTR(n.subject || '/', 1, INSTR(n.subject || '/', '/') - 1)`

const notices = `
SELECT n.id, n.kind = 'settlement-file', n.state, n.tries, n.done_us, n.after_id, first.state,
       CASE n.kind
       WHEN 'capture-result' THEN (SELECT c.id FROM capture AS c WHERE c.account = n.account AND c.request_id = n.subject)
       WHEN 'capture-arn' THEN (SELECT c.id FROM capture AS c WHERE c.account = n.account AND c.request_id = n.subject)
       WHEN 'cancel-result' THEN (SELECT x.id FROM cancel AS x WHERE x.account = n.account AND x.request_id = n.subject)
       WHEN 'refund-result' THEN (SELECT f.id FROM refund AS f WHERE f.account = n.account AND f.request_id = n.subject)
       WHEN 'refund-returned' THEN (SELECT f.id FROM refund AS f WHERE f.account = n.account AND f.request_id = n.subject)
       WHEN 'refund-arn' THEN (SELECT f.id FROM refund AS f WHERE f.account = n.account AND f.request_id = n.subject)
       WHEN 'fraud' THEN (SELECT REPLACE(SUBSTR(n.id, 12), '/', '-') FROM acquirer_event AS e
                           WHERE e.acquirer = ` + subject + `
                             AND e.id = SUBSTR(n.subject, INSTR(n.subject, '/') + 1)
                             AND e.type = 'FRD' AND e.outcome = 'APPLIED' AND e.account = n.account)
       WHEN 'payout-result' THEN (SELECT p.id FROM payout AS p WHERE p.account = n.account AND p.request_id = n.subject)
       WHEN 'deposit-result' THEN (SELECT o.id || SUBSTR(n.subject, INSTR(n.subject, '/')) FROM deposit_order AS o
                                    WHERE o.merchant = n.account AND o.number = ` + subject + `)
       WHEN 'transfer-result' THEN (SELECT p.id FROM merchant_payout AS m JOIN payout AS p ON p.id = m.payout_id
                                     WHERE p.account = n.account AND m.number = ` + subject + `)
       WHEN 'settlement' THEN REPLACE(n.subject, '/', '-')
       WHEN 'settlement-file' THEN REPLACE(n.subject, '/', '-')
       ELSE (SELECT d.id FROM dispute AS d WHERE d.account = n.account AND d.id = n.subject) END,
       CASE WHEN n.kind LIKE 'settlement%' THEN '' ELSE 'naru-' || n.kind || '-' END,
       (SELECT COUNT(*) FROM notice_try AS t WHERE t.notice_id = n.id), last.at_us, last.status
  FROM notice AS n
  LEFT JOIN notice AS first ON first.id = n.after_id
  LEFT JOIN notice_try AS last ON last.notice_id = n.id AND last.n = n.tries`

// notices checks what we owe the counterparty to tell: every verdict and every piece of news once, as it is (design §3.3).
func (x *run) notices() error {
	err := x.each(notices, func(scan func(...any) error) error {
		var id, state, after, prefix string
		var tries, rows int64
		var file bool // it goes to a folder, where nobody answers
		var done, lastAt, lastStatus sql.NullInt64
		var first, object sql.NullString
		if err := scan(&id, &file, &state, &tries, &done, &after, &first, &object, &prefix, &rows, &lastAt, &lastStatus); err != nil {
			return err
		}
		x.did("notices")
		bad := func(problem string, args ...any) { x.bad("notices", "notice", id, problem, args...) }
		switch {
		case !object.Valid:
			bad("tells of something that there is not")
		case id != prefix+object.String: // the id on the wire: another one would be another message
			bad("has not the id that comes from what it tells of")
		}
		if rows != tries || tries > 0 && !lastAt.Valid {
			bad("was tried %d times, of which %d are written down", tries, rows)
		}
		if answered := lastStatus.Int64/100 == 2 || file && lastStatus.Int64 == 0; state == "SENT" && (lastAt != done || !answered) {
			bad("is said to be sent, and its last try was not answered so")
		}
		if state == "PARKED" && tries == 0 {
			bad("was given up without a try")
		}
		switch {
		case after == "":
		case !first.Valid:
			bad("waits for a notice that there is not")
		case tries > 0 && first.String != "SENT":
			bad("was tried before the notice that must be heard first")
		}
		return nil
	})
	for _, o := range owed {
		if err == nil {
			err = x.owed(o)
		}
	}
	if err != nil {
		return err
	}
	return x.each(strayParts, func(scan func(...any) error) error {
		var id string
		err := scan(&id)
		x.bad("notices", "notice", id, "tells of a part that its settlement does not have")
		return err
	})
}

// owed is what must be told, kind by kind: whether a notice is due (NULL: there may be one), what it is about where no other column names
// it, its verdict, its code and its predecessor (NULL: one that the database does not name), its facts as far as they are known, and what
// the notice says that is there. A second telling of a dispute may complete its case.
var owed = []string{
	`SELECT 'capture', c.id, c.state <> 'PENDING' AND NOT ` + sold + `, '', c.state, NULL, '', '{}', ` + said + `
	   FROM capture AS c LEFT JOIN notice AS n ON n.account = c.account AND n.kind = 'capture-result' AND n.subject = c.request_id`,
	`SELECT 'cancel', c.id, c.state <> 'PENDING', '', c.state, NULL, '', '{}', ` + said + `
	   FROM cancel AS c LEFT JOIN notice AS n ON n.account = c.account AND n.kind = 'cancel-result' AND n.subject = c.request_id`,
	`SELECT 'refund', f.id, f.state <> 'REFUND_PENDING', '', CASE f.state WHEN 'REFUND_FAILED' THEN f.reason ELSE 'SUCCESS' END, f.code, '',
	        JSON_OBJECT('OwnID', f.id), ` + said + `
	   FROM refund AS f LEFT JOIN notice AS n ON n.account = f.account AND n.kind = 'refund-result' AND n.subject = f.request_id`,
	`SELECT 'refund', f.id, f.state = 'REFUND_REVERSED', '', '', NULL, 'naru-refund-result-' || f.id,
	        JSON_OBJECT('Refund', f.request_id, 'OwnID', f.id, 'Minor', f.returned, 'Currency', f.currency), ` + said + `
	   FROM refund AS f LEFT JOIN notice AS n ON n.account = f.account AND n.kind = 'refund-returned' AND n.subject = f.request_id`,
	`SELECT 'dispute', d.id, TRUE, '', '', d.raw_code,
	        CASE WHEN NOT ` + sold + ` THEN NULL
	             WHEN EXISTS (SELECT 1 FROM dispute AS o WHERE o.reservation_id = d.reservation_id AND o.id <> d.id) THEN n.after_id
	             ELSE '' END,
	        JSON_OBJECT('Capture', c.request_id, 'OwnID', d.id, 'Minor', d.amount, 'Currency', d.currency, 'Stage', d.stage,
	                    'Reason', d.reason, 'Scope', d.scope, 'Case', CASE WHEN NOT d.told_twice THEN d.case_no END,
	                    'AtMs', d.created_us / 1000, 'ReplyMs', d.reply_by_us / 1000), ` + said + `
	   FROM dispute AS d LEFT JOIN capture AS c ON c.reservation_id = d.reservation_id
	   LEFT JOIN notice AS n ON n.account = d.account AND n.subject = d.id
	                        AND n.kind = CASE d.stage WHEN 'INQUIRY' THEN 'inquiry' ELSE 'chargeback' END`,
	`SELECT 'dispute', d.id, d.won > 0, '', '', NULL, d.told,
	        JSON_OBJECT('Capture', c.request_id, 'OwnID', d.id, 'Earlier', d.told, 'Minor', d.won, 'Currency', d.currency), ` + said + `
	   FROM dispute AS d LEFT JOIN capture AS c ON c.reservation_id = d.reservation_id
	   LEFT JOIN notice AS n ON n.account = d.account AND n.kind = 'chargeback-reversed' AND n.subject = d.id`,
	`SELECT 'acquirer_event', e.acquirer || '/' || e.id, TRUE, '', '', NULL, ` + verdict + `,
	        JSON_OBJECT('Capture', c.request_id), ` + said + `
	   FROM acquirer_event AS e LEFT JOIN capture AS c ON c.reservation_id = e.payment_id
	   LEFT JOIN notice AS n ON n.account = e.account AND n.kind = 'fraud' AND n.subject = e.acquirer || '/' || e.id
	  WHERE e.type = 'FRD' AND e.outcome = 'APPLIED'`,
	`SELECT 'capture', c.id, CASE c.arn WHEN '' THEN FALSE END, '', '', NULL, ` + verdict + `,
	        JSON_OBJECT('Capture', c.request_id, 'ARN', c.arn), ` + said + `
	   FROM capture AS c LEFT JOIN notice AS n ON n.account = c.account AND n.kind = 'capture-arn' AND n.subject = c.request_id`,
	`SELECT 'refund', f.id, CASE f.arn WHEN '' THEN FALSE END, '', '', NULL, 'naru-refund-result-' || f.id,
	        JSON_OBJECT('Refund', f.request_id, 'ARN', f.arn), ` + said + `
	   FROM refund AS f LEFT JOIN notice AS n ON n.account = f.account AND n.kind = 'refund-arn' AND n.subject = f.request_id`,
	// A payout's result was answered, or it is told, or both: who asked again before the notice went out has his answer too.
	`SELECT 'payout', p.id,
	        CASE WHEN p.done_us IS NULL OR p.purpose <> '' THEN FALSE
	             WHEN NOT EXISTS (SELECT 1 FROM idempotency AS i WHERE i.account = p.account AND i.request_id = p.request_id) THEN TRUE END,
	        '',
	        CASE p.state WHEN 'DECLINED' THEN p.reason ELSE 'SUCCESS' END, p.code, '',
	        JSON_OBJECT('OwnID', p.id, 'Scope', p.scope, 'Minor', p.limit_broken, 'Currency', p.currency), ` + said + `
	   FROM payout AS p LEFT JOIN notice AS n ON n.account = p.account AND n.kind = 'payout-result' AND n.subject = p.request_id`,
	`SELECT 'payout', p.id, p.done_us IS NOT NULL AND m.notify_url <> '', m.number || '/' || ` + ended + `, ` + ended + `, p.code, '',
	        JSON_OBJECT('OwnID', p.id), ` + said + `
	   FROM merchant_payout AS m JOIN payout AS p ON p.id = m.payout_id
	   LEFT JOIN notice AS n ON n.account = p.account AND n.kind = 'transfer-result' AND n.id = 'naru-transfer-result-' || p.id`,
	`SELECT 'deposit_order', o.id, o.credit_id IS NOT NULL AND o.notify_url <> '', '', 'PAID', '', '', JSON_OBJECT('OwnID', o.id), ` + said + `
	   FROM deposit_order AS o
	   LEFT JOIN notice AS n ON n.account = o.merchant AND n.kind = 'deposit-result' AND n.subject = o.number || '/PAID'`,
	// That an order ended otherwise, or lost its money again, is told where the merchant wants to hear of it.
	`SELECT 'deposit_order', o.id, CASE WHEN o.notify_url = '' OR NOT EXISTS (SELECT 1 FROM event AS e WHERE e.payment_id = o.id
	                                              AND e.state = SUBSTR(n.subject, INSTR(n.subject, '/') + 1)) THEN FALSE END,
	        '', SUBSTR(n.subject, INSTR(n.subject, '/') + 1), '', '', JSON_OBJECT('OwnID', o.id), ` + said + `
	   FROM notice AS n JOIN deposit_order AS o ON o.number = ` + subject + `
	  WHERE n.kind = 'deposit-result' AND n.subject <> o.number || '/PAID'`,
	parts + `
	 SELECT 'settlement', p.id, TRUE, p.id || '/' || CAST(p.k AS TEXT), '', NULL, '', JSON_OBJECT('OwnID', p.id, 'Part', p.k), ` + said + `
	   FROM part AS p
	   LEFT JOIN notice AS n ON n.id = p.id || '-' || CAST(p.k AS TEXT) AND n.account = p.account
	                        AND n.kind IN ('settlement', 'settlement-file')`,
}

// sold is whether a capture is a sale's. verdict is the notice that told of a capture; a sale was answered and has none (Card FOP v1 §4.4).
const (
	sold    = `COALESCE((SELECT r.purpose = 'SALE' FROM reservation AS r WHERE r.id = c.reservation_id), FALSE)`
	verdict = `CASE WHEN ` + sold + ` THEN '' ELSE 'naru-capture-result-' || c.id END`
)

// ended is how a payout stood when its merchant was to be told: what came back later stays told as paid.
const ended = `CASE p.state WHEN 'RETURNED' THEN 'SUCCEEDED' ELSE p.state END`

// said is what a notice says.
const said = `n.id, n.subject, n.result, n.code, n.after_id, n.facts`

// parts are those in which settlements are told, at most one for each item.
const parts = `
	WITH RECURSIVE part (id, account, parts, k) AS (
	        SELECT id, account, CASE WHEN parts <= items OR parts <= 1 THEN parts WHEN items > 1 THEN items ELSE 1 END, 0 FROM settlement
	         UNION ALL
	        SELECT id, account, parts, k + 1 FROM part WHERE k + 1 < parts)`

const strayParts = parts + `
	SELECT n.id FROM notice AS n WHERE n.kind IN ('settlement', 'settlement-file')
	   AND (n.account, n.subject) NOT IN (SELECT p.account, p.id || '/' || CAST(p.k AS TEXT) FROM part AS p)`

// owed compares what must be told with what is.
func (x *run) owed(query string) error {
	last := ""
	return x.each(query, func(scan func(...any) error) error {
		var table, row, subject string
		var due sql.NullBool
		var result, known string
		var code, after, id, about, says, saysCode, behind, told sql.NullString
		err := scan(&table, &row, &due, &subject, &result, &code, &after, &known, &id, &about, &says, &saysCode, &behind, &told)
		if err != nil {
			return err
		}
		bad := func(problem string, args ...any) { x.bad("notices", table, row, problem, args...) }
		switch {
		case !id.Valid:
			if due.Valid && due.Bool {
				bad("must be told of, and no notice says so")
			}
			return nil
		case due.Valid && !due.Bool:
			bad("is told of with %s before there is anything to tell", id.String)
			return nil
		case id.String == last:
			bad("is told of twice")
		}
		last = id.String
		bad = func(problem string, args ...any) { x.bad("notices", "notice", id.String, problem, args...) }
		if subject != "" && subject != about.String || says.String != result || code.Valid && saysCode.String != code.String {
			bad("tells %s (%s) of %s, and it is %s", says.String, saysCode.String, about.String, result)
		}
		if after.Valid && behind.String != after.String || !after.Valid && behind.String == "" {
			bad("must be heard after %q, and is sent after %q", after.String, behind.String)
		}
		want, have := map[string]any{}, map[string]any{}
		if err := json.Unmarshal([]byte(known), &want); err != nil {
			return err
		}
		if told.String != "" && json.Unmarshal([]byte(told.String), &have) != nil {
			bad("its facts cannot be read")
			return nil
		}
		for name, must := range want {
			if have[name] != must && must != nil && (have[name] != nil || must != "" && must != 0.0) { // what is empty may be left out
				bad("says the %s %v, and it is %v", name, have[name], must)
			}
		}
		for name := range have {
			if !slices.Contains(factNames, name) {
				bad("says the %s, which is no fact", name)
			}
		}
		return nil
	})
}
