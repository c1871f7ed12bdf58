package bankfeed

import (
	"cmp"
	"time"

	"naru/core/payout"
)

// ScopeISO says that a code is a status reason of ISO 20022 (rails §4.4).
const ScopeISO = "iso20022"

// meaning is what a code leads to.
type meaning struct {
	verdict payout.Verdict
	reason  payout.Reason
	morning bool          // another attempt makes sense on the next day on which banks work
	alert   string        // empty where nobody needs to look
	wait    time.Duration // before a new order; the bank's own where 0
}

// statuses is what a status says of the money (rails §4.4). A status that is missing here says nothing. ACSC is the debit, not the credit:
// what was settled can still be refused on the other side, so ACCC or the booked debit confirms.
var statuses = map[string]meaning{
	"ACTC": {verdict: payout.Open},
	"ACCP": {verdict: payout.Open},
	"ACSP": {verdict: payout.Open},
	"ACSC": {verdict: payout.Open},
	"ACCC": {verdict: payout.Credited},
	"ACWC": {verdict: payout.Open, alert: "the bank has changed the order: read its message"},
	"PDNG": {verdict: payout.Open},
}

// Status words that lead somewhere else.
const (
	rejected = "RJCT" // reasons says more
	partly   = "PART" // of a group: its transactions say more
)

// reasons is what a reason says of a rejected order (rails §4.4). One that is missing here, or none at all, may be about another order,
// such as the first of two: nobody can tell.
var reasons = map[string]meaning{
	"AC01": {verdict: payout.Rejected, reason: payout.NoAccount},
	"AC02": {verdict: payout.Misfit, alert: "the bank finds our own account number wrong"},
	"AC03": {verdict: payout.Rejected, reason: payout.NoAccount},
	"AC04": {verdict: payout.Rejected, reason: payout.Closed},
	"AC05": {verdict: payout.Misfit, alert: "the bank has closed our own account"},
	"AC06": {verdict: payout.Rejected, reason: payout.OnHold},
	"AC07": {verdict: payout.Rejected, reason: payout.Closed},
	"AC08": {verdict: payout.Rejected, reason: payout.NoAccount},
	"AC13": {verdict: payout.Misfit, alert: "the bank does not pay from our type of account"},
	"AG01": {verdict: payout.Rejected, reason: payout.NotPermitted},
	"AG03": {verdict: payout.Rejected, reason: payout.NotPermitted},
	"AM01": {verdict: payout.Rejected, reason: payout.BankLimit},
	"AM02": {verdict: payout.Rejected, reason: payout.BankLimit},
	"AM03": {verdict: payout.Misfit, alert: "the bank does not pay in this currency"},
	"AM04": {verdict: payout.Failed, alert: "our account holds too little"},
	"AM05": {alert: "the bank had this order before: look for the first"},
	"AM06": {verdict: payout.Rejected, reason: payout.BankLimit},
	"AM09": {verdict: payout.Misfit, alert: "the bank finds the amount wrong"},
	"AM10": {verdict: payout.Misfit, alert: "the bank finds the control sum wrong"},
	"AM12": {verdict: payout.Rejected, reason: payout.BankLimit},
	"AM13": {verdict: payout.Rejected, reason: payout.BankLimit},
	"AM14": {verdict: payout.Rejected, reason: payout.BankLimit},
	"BE01": {verdict: payout.Rejected, reason: payout.OtherName},
	"BE05": {verdict: payout.Misfit, alert: "the bank does not know us by our customer number"},
	"DT01": {verdict: payout.Failed, wait: time.Second}, // its day was over when it came: a new order has a new day
	"FF01": {verdict: payout.Misfit, alert: "the bank cannot read our order"},
	"MD07": {verdict: payout.Rejected, reason: payout.NotPermitted},
	"MS02": {verdict: payout.Rejected, reason: payout.Declined},
	"MS03": {verdict: payout.Rejected, reason: payout.Declined},
	"RC01": {verdict: payout.Rejected, reason: payout.NoBank},
	"RC03": {verdict: payout.Misfit, alert: "the bank finds its own code wrong"},
	"RC04": {verdict: payout.Rejected, reason: payout.NoBank},
	"RR01": {verdict: payout.Rejected, reason: payout.Compliance},
	"RR02": {verdict: payout.Rejected, reason: payout.Compliance},
	"RR03": {verdict: payout.Rejected, reason: payout.Compliance},
	"RR04": {verdict: payout.Rejected, reason: payout.Compliance},
	"TM01": {verdict: payout.Failed, morning: true},
	"AB05": {verdict: payout.Failed},
	"AB06": {verdict: payout.Failed},
	"AB07": {verdict: payout.Failed},
	"AB08": {verdict: payout.Failed},
	"AB09": {verdict: payout.Failed},
	"AB10": {verdict: payout.Failed},
	"AB11": {verdict: payout.Failed},
}

// judge is what a status and the reason given with it say, at a time.
func judge(status, reason string, at time.Time) payout.Answer {
	m, known := statuses[status]
	switch {
	case status == rejected:
		if m, known = reasons[reason]; !known {
			m.alert = "a refusal whose reason is in no sheet: " + cmp.Or(reason, "none")
		}
	case !known:
		m.alert = "a status that is in no sheet: " + cmp.Or(status, "none")
	}
	a := payout.Answer{Verdict: m.verdict, Reason: m.reason, Status: status, Alert: m.alert}
	if reason != "" {
		a.Scope, a.Code = ScopeISO, reason
	}
	a.Wait = m.wait
	if m.morning {
		a.Wait = morning(at).Sub(at)
	}
	return a
}

// opens is when Korean banks open, after midnight.
const opens = 9 * time.Hour

// morning is when banks open on the day after a time, or on the Monday after that. Holidays are not known here: what comes on one is
// refused once more, and waits again.
func morning(at time.Time) time.Time {
	y, m, d := at.In(kst).Date()
	day := time.Date(y, m, d+1, 0, 0, 0, 0, kst)
	for day.Weekday() == time.Saturday || day.Weekday() == time.Sunday {
		day = day.AddDate(0, 0, 1)
	}
	return day.Add(opens)
}
