package fsck

import (
	"crypto/sha256"
	"fmt"
)

// checkpoints walks the whole journal in the order in which it was written, beside the signatures over it (design §3.5). Within a payment
// the chain tells what is missing; the signatures tell when its end was cut off.
func (x *run) checkpoints() error {
	rows, err := x.db.query(x.ctx, many, "SELECT id, digest FROM event ORDER BY id")
	if err != nil {
		return err
	}
	defer rows.Close()
	var last, id int64
	var digest []byte
	more := false
	next := func() error {
		if more = rows.Next(); !more {
			return rows.Err()
		}
		last = id
		err := rows.Scan(&id, &digest)
		if err == nil && id != last+1 && x.engine.inTurn { // a number that was rolled back is given again
			x.bad("checkpoints", "event", fmt.Sprint(last+1), "is missing: events are numbered without gaps, and %d follows %d", id, last)
		}
		return err
	}
	if err := next(); err != nil {
		return err
	}
	var n int64
	var before []byte
	err = x.each("SELECT n, last_id, events, digest FROM checkpoint ORDER BY n", func(scan func(...any) error) error {
		var number, until, events, covered int64
		var signed []byte
		if err := scan(&number, &until, &events, &signed); err != nil {
			return err
		}
		x.did("checkpoints")
		row, end, sum := fmt.Sprint(number), int64(0), sha256.New()
		for more && id <= until {
			sum.Write(digest)
			end = id
			covered++
			if err := next(); err != nil {
				return err
			}
		}
		if n++; number != n {
			x.bad("checkpoints", "checkpoint", row, "comes where checkpoint %d must", n)
			n = number
		}
		if covered != events || end != until {
			x.bad("checkpoints", "checkpoint", row, "signed %d events up to %d, and %d up to %d are there", events, until, covered, end)
		}
		if x.vault != nil {
			x.did("checkpoint-digests")
			parts := fmt.Appendf(nil, "%d\x00%d\x00%d", number, until, events)
			if ok, err := x.vault.Verify(signed, "checkpoint", before, parts, sum.Sum(nil)); err != nil || !ok {
				x.bad("checkpoint-digests", "checkpoint", row, "is not what was signed")
			}
		}
		before = signed
		return nil
	})
	if err != nil {
		return err
	}
	open := 0
	for more {
		open++
		if err := next(); err != nil {
			return err
		}
	}
	if open > 0 {
		x.skip("checkpoints", fmt.Sprintf("the newest %d events are not signed yet: that none after them is missing cannot be shown", open))
	}
	return nil
}
