package fsck

import (
	"fmt"
	"slices"
	"strings"

	"naru/core/payment"
)

// about is what each type of record may be about (rails §4.3); 0422 is the message that tells of a chargeback (rails §1.16).
var about = map[string][]string{
	"CAP": {"capture"}, "REJ": {"capture"}, "FRD": {"capture"}, "REF": {"refund"}, "RRF": {"refund"}, "ARN": {"capture", "refund"},
	"RSV": {"reservation"}, "INQ": {"dispute"}, "CHB": {"dispute"}, "CBR": {"dispute"}, "0422": {"dispute"},
}

// recorded compares the acquirer's records of a payment with what they are about: what only a record can bring about has one.
func (x *run) recorded(p *life) {
	moved := map[string]int64{"reservation/" + p.id: 0} // what of ours there is, and how much of it each record must speak of
	for _, c := range p.captures {
		moved["capture/"+c.id] = c.amount
	}
	for _, f := range p.refunds {
		moved["refund/"+f.id] = -f.amount
	}
	for _, d := range p.disputes {
		moved["dispute/"+d.id] = -d.amount
	}
	told := map[string]int{} // records by type and object
	for _, r := range p.records {
		told[r.kind+" "+r.object]++
		must, ours := moved[r.object]
		kind, _, _ := strings.Cut(r.object, "/")
		switch {
		case !ours || !slices.Contains(about[r.kind], kind):
			x.bad("acquirer-records", "acquirer_event", r.row(), "is a %s of %q, which this payment does not have", r.kind, r.object)
		case r.currency != p.currency || r.gross == must:
		case r.kind == "CAP" || r.kind == "REF":
			x.bad("acquirer-records", "acquirer_event", r.row(), "moves %d where %s moves %d", r.gross, r.object, must)
		case r.kind == "CHB" || r.kind == "0422": // the first telling decides
			x.warn("acquirer-records", "acquirer_event", r.row(), "moves %d where %s was told of with %d", r.gross, r.object, must)
		}
	}
	came := func(kind, object string, amount int64) {
		n := 0
		for _, r := range p.records {
			if r.kind == kind && r.object == object && r.gross == amount && r.currency == p.currency {
				n++
			}
		}
		if want := min(amount, 1); n != int(want) || told[kind+" "+object] != n {
			x.bad("acquirer-records", kind, object, "got %d back, and %d records of that amount say so", amount, n)
		}
	}
	for _, f := range p.refunds {
		came("RRF", "refund/"+f.id, f.returned)
	}
	for _, d := range p.disputes {
		came("CBR", "dispute/"+d.id, d.won)
	}
	for _, c := range p.captures {
		cleared, rejected := told["CAP capture/"+c.id], told["REJ capture/"+c.id]
		want := ""
		switch {
		case rejected > 0:
			want = "REJECTED"
		case cleared > 0:
			want = "CLEARED"
		}
		if c.clearing != want || cleared > 1 || rejected > 1 || want != "" && c.state != payment.CaptureSuccess {
			x.bad("acquirer-records", "capture", c.id, "is %s and %q, with %d records that settle it and %d that reject it", c.state, c.clearing,
				cleared, rejected)
		}
		if rejected > 0 && !slices.Contains(p.cases, "capture-rejected/"+c.id) {
			x.bad("acquirer-records", "capture", c.id, "was rejected in clearing, and no case tells anybody")
		}
	}
}

const exceptions = `
SELECT acquirer, id, type FROM acquirer_event AS e
 WHERE outcome = 'EXCEPTION' AND (payment_id <> '' OR object <> ''
       OR NOT EXISTS (SELECT 1 FROM operator_case AS c WHERE c.id = 'acquirer-record/' || e.acquirer || '/' || e.id))
    OR outcome = 'APPLIED' AND type = 'ADJ'
       AND NOT EXISTS (SELECT 1 FROM operator_case AS c WHERE c.id = 'acquirer-adjustment/' || e.acquirer || '/' || e.id)`

// exceptions are the records that only a person can place.
func (x *run) exceptions() error {
	return x.each(exceptions, func(scan func(...any) error) error {
		var r record
		err := scan(&r.acquirer, &r.id, &r.kind)
		x.bad("acquirer-records", "acquirer_event", r.row(), "is a %s for a person to place, and no case tells anybody, or it is placed", r.kind)
		return err
	})
}

const acquirerFiles = `
SELECT f.acquirer, f.name, f.state, f.reason, f.records, f.exceptions, f.gross, f.fees, f.tax,
       COALESCE(e.n, 0), COALESCE(e.lines, 0), COALESCE(e.exceptions, 0), COALESCE(e.gross, 0), COALESCE(e.fees, 0), COALESCE(e.tax, 0),
       COALESCE(e.currency = f.currency AND e.currencies = 1, TRUE),
       (SELECT COUNT(*) FROM operator_case AS c WHERE c.id > 'acquirer-line/' || f.acquirer || '/' || f.name || '/'
                                                  AND c.id < 'acquirer-line/' || f.acquirer || '/' || f.name || '0'),
       EXISTS (SELECT 1 FROM operator_case AS c -- whose name ends with the beginning of the file's digest
                WHERE c.id >= 'acquirer-file/' || f.acquirer || '/' || f.name || '/'
                  AND c.id < 'acquirer-file/' || f.acquirer || '/' || f.name || '0'
                  AND INSTR(LOWER(HEX(f.sha256)), SUBSTR(c.id, LENGTH('acquirer-file/' || f.acquirer || '/' || f.name || '/') + 1)) = 1)
  FROM acquirer_file AS f
  LEFT JOIN (SELECT acquirer, file, COUNT(*) AS n, COUNT(DISTINCT line) AS lines,
                    COUNT(*) FILTER (WHERE outcome = 'EXCEPTION') AS exceptions, SUM(gross) AS gross, SUM(fees) AS fees, SUM(tax) AS tax, MIN(currency) AS currency,
                    COUNT(DISTINCT currency) AS currencies
               FROM acquirer_event WHERE file <> '' GROUP BY acquirer, file) AS e ON e.acquirer = f.acquirer AND e.file = f.name`

const unread = `
SELECT COUNT(*) FROM acquirer_event AS e
 WHERE e.file <> '' AND NOT EXISTS (SELECT 1 FROM acquirer_file AS f WHERE f.acquirer = e.acquirer AND f.name = e.file)`

// acquirerFiles compares each file that was loaded with the records that were taken of it. A record that an earlier file had told already
// is not taken again: where such are missing, sums cannot be compared.
func (x *run) acquirerFiles() error {
	err := x.each(acquirerFiles, func(scan func(...any) error) error {
		var acquirer, name, state, reason string
		var records, said, taken, lines, excepted, rejected int64
		var sums, of [3]int64
		var oneCurrency, told bool
		err := scan(&acquirer, &name, &state, &reason, &records, &said, &sums[0], &sums[1], &sums[2], &taken, &lines, &excepted, &of[0], &of[1],
			&of[2], &oneCurrency, &rejected, &told)
		if err != nil {
			return err
		}
		x.did("acquirer-files")
		bad := func(problem string, args ...any) {
			x.bad("acquirer-files", "acquirer_file", acquirer+"/"+name, problem, args...)
		}
		if state != "LOADED" {
			if reason == "" || !told {
				bad("is in quarantine for %q, and no case tells anybody", reason)
			}
			return nil
		}
		switch {
		case reason != "":
			bad("is loaded, and %q speaks against it", reason)
		case taken > records || lines != taken:
			bad("has %d records, and %d were taken of it, of %d lines", records, taken, lines)
		case said < excepted+rejected || said > excepted+rejected+records-taken:
			bad("counts %d exceptions, and %d records and %d lines are such", said, excepted, rejected)
		case taken == records && rejected == 0 && sums != of:
			bad("sums up to %v (gross, fees, tax), and its records to %v", sums, of)
		case !oneCurrency:
			bad("is in one currency, and its records are not")
		}
		return nil
	})
	if err != nil {
		return err
	}
	return x.each(unread, func(scan func(...any) error) error {
		var n int64
		err := scan(&n)
		if n > 0 {
			x.skip("acquirer-files", fmt.Sprintf("%d records are of files that were not read to their end yet", n))
		}
		return err
	})
}

const captureFiles = `
SELECT f.name, f.state, f.items, f.done_us IS NOT NULL, COUNT(v.id), COALESCE(MAX(v.line), 0), COUNT(*) FILTER (WHERE v.state = 'BATCHED'),
       COUNT(*) FILTER (WHERE v.kind NOT IN ('COMPLETION', 'REFUND') OR v.state = 'QUEUED' OR v.currency <> f.currency
                              OR a.acquirer <> f.acquirer OR a.merchant <> f.merchant)
  FROM capture_file AS f
  LEFT JOIN advice AS v ON v.file = f.name AND v.file <> ''
  LEFT JOIN attempt AS a ON a.id = v.attempt_id
 GROUP BY f.name`

const strayLines = `
SELECT id, 'goes by a file that there is not' FROM advice AS v
 WHERE file <> '' AND NOT EXISTS (SELECT 1 FROM capture_file AS f WHERE f.name = v.file)
 UNION ALL
SELECT id, 'waits for a file that does not carry its kind' FROM advice WHERE state = 'BATCHED' AND kind NOT IN ('COMPLETION', 'REFUND')`

const fileNumbers = `
SELECT acquirer || '/' || merchant || '/' || day, COUNT(*), MAX(seq) FROM capture_file GROUP BY acquirer, merchant, day`

// captureFiles checks the files that we give an acquirer (rails §4.2). Until it is handed over, a file is whole; what the acquirer refuses
// for now leaves it for the next one.
func (x *run) captureFiles() error {
	err := x.each(captureFiles, func(scan func(...any) error) error {
		var name, state string
		var items, carried, last, waiting, foreign int64
		var over bool
		if err := scan(&name, &state, &items, &over, &carried, &last, &waiting, &foreign); err != nil {
			return err
		}
		x.did("capture-files")
		bad := func(problem string, args ...any) { x.bad("capture-files", "capture_file", name, problem, args...) }
		switch {
		case last > items || carried > items || state == "MADE" && carried != items:
			bad("is %s with %d records, and carries %d, the last as number %d", state, items, carried, last)
		case foreign > 0:
			bad("carries %d records of another kind, currency or merchant", foreign)
		case over != (state == "ANSWERED"):
			bad("is %s, and the time of its answer is there: %t", state, over)
		case state == "ANSWERED" && waiting > 0:
			x.warn("capture-files", "capture_file", name, "is answered, and %d of its records still wait", waiting)
		}
		return nil
	})
	if err == nil {
		err = x.each(strayLines, func(scan func(...any) error) error {
			var id, problem string
			err := scan(&id, &problem)
			x.bad("capture-files", "advice", id, "%s", problem)
			return err
		})
	}
	if err != nil {
		return err
	}
	return x.each(fileNumbers, func(scan func(...any) error) error {
		var of string
		var n, last int64
		err := scan(&of, &n, &last)
		if err == nil && n != last {
			x.bad("capture-files", "capture_file", of, "files are numbered without gaps, and %d go up to %d", n, last)
		}
		return err
	})
}

const reconciliations = `
SELECT r.acquirer || '/' || r.day || '/' || r.currency, r.state, r.tries, r.stan <> '' AND r.sent_us IS NOT NULL, r.due_us IS NOT NULL,
       COALESCE((r.credits, r.credit_sum, r.credits_undone, r.credit_undone_sum, r.debits, r.debit_sum, r.debits_undone, r.debit_undone_sum)
              = (r.host_credits, r.host_credit_sum, r.host_credits_undone, r.host_credit_undone_sum, r.host_debits, r.host_debit_sum,
                 r.host_debits_undone, r.host_debit_undone_sum), FALSE),
       EXISTS (SELECT 1 FROM operator_case AS c WHERE c.id = 'totals-differ/' || r.acquirer || '/' || r.day || '/' || r.currency)
  FROM reconciliation AS r`

// totals checks the comparisons of a day's totals with a network (rails §1.16).
func (x *run) totals() error {
	return x.each(reconciliations, func(scan func(...any) error) error {
		var row, state string
		var tries int64
		var sent, due, equal, told bool
		if err := scan(&row, &state, &tries, &sent, &due, &equal, &told); err != nil {
			return err
		}
		x.did("totals")
		bad := func(problem string, args ...any) { x.bad("totals", "reconciliation", row, problem, args...) }
		switch {
		case sent != (tries > 0):
			bad("was asked %d times, and has a name at the network: %t", tries, sent)
		case state == "OPEN" && !due:
			bad("is open, and nothing says when it is asked")
		case state != "OPEN" && tries == 0:
			bad("is %s, and the network was not asked", state)
		case state == "BREAK" && (equal || !told):
			bad("is a break, the figures agree: %t, a case tells somebody: %t", equal, told)
		}
		return nil
	})
}
