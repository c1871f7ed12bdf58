package fsck

import (
	"crypto/sha256"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"naru/core/payment"
	"naru/core/settlement"
)

type dispute struct {
	id, account string
	stage       payment.Stage
	caseNo      string
	state       payment.DisputeState
	currency    string
	amount, won int64
	doneUS      sql.NullInt64
	told        string

	now    payment.Dispute // where the events that were told so far lead
	lastUS int64
}

func (d *dispute) columns() []any {
	return []any{&d.id, &d.account, &d.stage, &d.caseNo, &d.state, &d.currency, &d.amount, &d.won, &d.doneUS, &d.told}
}

// document is evidence, without its content.
type document struct {
	id, dispute string
	seen        bool // the journal tells of it
}

// begins is the event that each stage begins with (Korea Cards v1 §9.5).
var begins = map[payment.Stage]payment.DisputeEvent{
	payment.Inquiry: payment.Inquire, payment.First: payment.ChargeBack, payment.Second: payment.ChargeBackAgain,
}

// The notices that tell of a stage, and of its money coming back.
const (
	inquiryTold    = "naru-inquiry-"
	chargebackTold = "naru-chargeback-"
	winTold        = "naru-chargeback-reversed-"
)

// disputeStep is an event of a stage of a dispute.
func (p *life) disputeStep(e event, id string) (f effect, err error) {
	at := slices.IndexFunc(p.disputes, func(d dispute) bool { return d.id == id })
	if at < 0 || p.now.State != payment.Captured {
		return f, fmt.Errorf("is of the dispute %s, which there is not or cannot be", id)
	}
	d := &p.disputes[at]
	ev, c := payment.DisputeEvent(e.event), p.taken()
	switch {
	case d.now.State == payment.DisputeNone && ev != begins[d.stage]:
		return f, fmt.Errorf("begins a stage %s", d.stage)
	case ev == payment.WinBack && !d.now.Won.IsPositive(), d.stage != payment.Inquiry && !d.now.Amount.IsPositive():
		return f, fmt.Errorf("moves nothing")
	}
	switch ev {
	case payment.Inquire, payment.ChargeBack, payment.ChargeBackAgain:
		f.wrong = e.agrees("amount", d.now.Amount.String())
		if ev != payment.Inquire {
			f.item = due(settlement.Chargeback, c.request, d.id, d.told, -d.amount)
		}
	case payment.WinBack:
		f.wrong = e.agrees("amount", d.now.Won.String())
		f.item = due(settlement.ReverseChargeback, c.request, d.id, winTold+d.id, d.won)
	case payment.Defend:
		evidence, _ := e.said("evidence")
		i := slices.IndexFunc(p.documents, func(v document) bool { return v.id == evidence && v.dispute == d.id && !v.seen })
		if i < 0 {
			return f, fmt.Errorf("defends with the document %q, which there is not", evidence)
		}
		p.documents[i].seen = true
	}
	d.now, f.moved, err = d.now.After(ev)
	f.state, d.lastUS = string(d.now.State), e.atUS
	return f, err
}

// disputes checks the stages of a payment's disputes.
func (x *run) disputes(p *life) {
	claimed := int64(0) // by chargebacks that stand, and by refunds
	for _, f := range p.refunds {
		if f.state != payment.RefundFailed {
			claimed += f.amount - f.returned
		}
	}
	for _, d := range p.disputes {
		x.did("disputes")
		bad := func(problem string, args ...any) { x.bad("disputes", "dispute", d.id, problem, args...) }
		if d.now.State != d.state {
			x.bad("states", "dispute", d.id, "is %s and its events lead to %s", d.state, d.now.State)
		}
		if d.account != p.account || d.currency != p.currency || d.amount > p.captured || d.won < 0 || d.won > d.amount {
			bad("is not of the account, the currency or the size of its payment")
		}
		won := d.state == payment.CB1Reversed || d.state == payment.CB2Reversed
		if (d.won > 0) != won {
			bad("is %s and %d came back", d.state, d.won)
		}
		open := payment.Dispute{State: d.state}.Open()
		if open == d.doneUS.Valid || !open && d.doneUS.Int64 != d.lastUS {
			bad("is %s and ended at %d us", d.state, d.doneUS.Int64)
		}
		prefix := chargebackTold
		if d.stage == payment.Inquiry {
			prefix = inquiryTold
		}
		if d.told != prefix+d.id {
			bad("was told of with %q, and not with the notice whose id comes from it", d.told)
		}
		if (payment.Dispute{State: d.state}).Stands() {
			claimed += d.amount
		}
	}
	for _, v := range p.documents {
		if !v.seen {
			x.bad("disputes", "evidence", v.id, "was handed over, and the journal does not know it")
		}
	}
	clash := slices.ContainsFunc(p.cases, func(id string) bool { return strings.HasPrefix(id, "chargeback-and-refund/") })
	if len(p.disputes) > 0 && claimed > p.captured && !clash {
		x.bad("disputes", "reservation", p.id, "moved %d, chargebacks and refunds take %d, and no case tells anybody", p.captured, claimed)
	}
}

// evidence opens every document.
func (x *run) evidence() error {
	if x.vault == nil {
		return nil
	}
	return x.eachOf(few, "SELECT id, size, sha256, document FROM evidence", func(scan func(...any) error) error {
		var id string
		var size int64
		var sum, sealed []byte
		if err := scan(&id, &size, &sum, &sealed); err != nil {
			return err
		}
		x.did("evidence-open")
		plain, err := x.vault.Open(sealed, "evidence.document/"+id)
		if err != nil {
			x.bad("evidence-open", "evidence", id, "the document does not open here")
			return nil
		}
		if have := sha256.Sum256(plain); string(have[:]) != string(sum) || int64(len(plain)) != size {
			x.bad("evidence-open", "evidence", id, "is not the document that was handed over")
		}
		return nil
	})
}
