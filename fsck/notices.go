package fsck

import "database/sql"

const notices = `
SELECT n.id, n.kind, n.result, n.state, n.tries, n.done_us,
       n.after_id <> '' AND NOT EXISTS (SELECT 1 FROM notice AS a WHERE a.id = n.after_id),
       COALESCE(c.id, x.id), COALESCE(c.state, x.state),
       (SELECT COUNT(*) FROM notice_try AS t WHERE t.notice_id = n.id), last.at_us, last.status
  FROM notice AS n
  LEFT JOIN capture AS c ON n.kind = 'capture-result' AND c.account = n.account AND c.request_id = n.subject
  LEFT JOIN cancel AS x ON n.kind = 'cancel-result' AND x.account = n.account AND x.request_id = n.subject
  LEFT JOIN notice_try AS last ON last.notice_id = n.id AND last.n = n.tries`

// owed counts the notices of each capture and cancel: one for a verdict, none before it.
const owed = `
SELECT 'capture', c.id, c.state,
       (SELECT COUNT(*) FROM notice AS n WHERE n.account = c.account AND n.kind = 'capture-result' AND n.subject = c.request_id)
  FROM capture AS c
 UNION ALL
SELECT 'cancel', x.id, x.state,
       (SELECT COUNT(*) FROM notice AS n WHERE n.account = x.account AND n.kind = 'cancel-result' AND n.subject = x.request_id)
  FROM cancel AS x`

// notices checks what we owe the counterparty to tell: every verdict once, as it is (design §3.3).
func (x *run) notices() error {
	err := x.each(notices, func(scan func(...any) error) error {
		var id, kind, result, state string
		var tries, rows int64
		var lost bool
		var done, lastAt, lastStatus sql.NullInt64
		var object, verdict sql.NullString
		if err := scan(&id, &kind, &result, &state, &tries, &done, &lost, &object, &verdict, &rows, &lastAt, &lastStatus); err != nil {
			return err
		}
		x.did("notices")
		bad := func(problem string, args ...any) { x.bad("notices", "notice", id, problem, args...) }
		switch {
		case !object.Valid:
			bad("tells of something that there is not")
		case result != verdict.String:
			bad("tells %s, and the verdict is %s", result, verdict.String)
		case id != "naru-"+kind+"-"+object.String: // the id on the wire: another one would be another message
			bad("has not the id that comes from its %s", kind)
		}
		if rows != tries || tries > 0 && !lastAt.Valid {
			bad("was tried %d times, of which %d are written down", tries, rows)
		}
		if state == "SENT" && (lastAt != done || lastStatus.Int64/100 != 2) {
			bad("is said to be sent, and its last try was not answered so")
		}
		if state == "PARKED" && tries == 0 {
			bad("was given up without a try")
		}
		if lost {
			bad("waits for a notice that there is not")
		}
		return nil
	})
	if err != nil {
		return err
	}
	return x.each(owed, func(scan func(...any) error) error {
		var table, id, state string
		var have, want int64
		if err := scan(&table, &id, &state, &have); err != nil {
			return err
		}
		if state != "PENDING" {
			want = 1
		}
		if have != want {
			x.bad("notices", table, id, "is %s: %d notices must be owed, and there are %d", state, want, have)
		}
		return nil
	})
}
