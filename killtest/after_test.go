package killtest

import (
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"naru/rail/iso8583/sim"
	"naru/sandbox/google"
)

// What happens to a captured payment.
var (
	giveBack = kind{card: goodCard, result: success, then: capture, verdict: success, refunds: []give{
		{share: 30, lost: "silent", verdict: success},
		{share: 20, verdict: success, copies: 2},
		{share: 60, refused: "PRECONDITION_VIOLATION"},
		{share: 50, lost: "silent-dropped", verdict: success},
		{share: 1, refused: "PRECONDITION_VIOLATION"},
	}}
	sold = kind{in: "KWD", by: sell, card: goodCard, result: success, lost: "0200", refunds: []give{
		{share: 40, lost: "silent", verdict: success},
		{share: 60, verdict: success},
		{share: 1, refused: "PRECONDITION_VIOLATION"},
	}}
	contest = kind{card: goodCard, result: success, then: capture, verdict: success, quarrels: []quarrel{
		{what: "inquiry", share: 100, defended: true},
		{what: "chargeback", stage: 1, share: 100, defended: true, won: true},
		{what: "chargeback", how: "both", stage: 2, share: 50},
	}, refunds: []give{{share: 60, verdict: inPlace}}}
	claimed = kind{
		in: "EUR", by: sell, card: goodCard, result: success, lost: "0200", quarrels: contest.quarrels[1:], refunds: contest.refunds,
	}
	online = kind{card: goodCard, result: success, then: capture, verdict: success, quarrels: []quarrel{
		{what: "chargeback", how: "online", stage: 1, share: 40, defended: true}, {what: "fraud", share: 100},
	}, refunds: []give{{share: 60, verdict: success}, {share: 40, verdict: inPlace}}}
	blocked = kind{in: "JPY", by: sell, card: goodCard, result: success, quarrels: []quarrel{
		{what: "chargeback", how: "online", stage: 1, share: 100, won: true},
	}, refunds: []give{{share: 100, verdict: success}}}
	oneWay = kind{card: oneWayCard, result: success, then: capture, verdict: success, refunds: []give{
		{share: 100, verdict: "ISSUER_DECLINED"},
	}}
	expired = kind{
		card: goodCard, result: success, then: capture, verdict: success, brief: true, patient: true,
		refunds: []give{{share: 100, verdict: "REFUND_WINDOW_EXCEEDED"}},
	}
	gone = kind{card: goodCard, result: success, then: capture, verdict: success, brief: true, quarrels: []quarrel{
		{what: "chargeback", how: "both", stage: 1, share: 100, won: true},
	}}
)

const inPlace = "CHARGEBACK_IN_PLACE"

// give is a refund as Google means it.
type give struct {
	share   int64  // of what was taken, in hundredths
	lost    string // what the acquirer does with the first order to pay
	verdict string
	refused string // at once, with this error; then there is no verdict
	copies  int
}

// quarrel is a dispute as the acquirer means it.
type quarrel struct {
	what     string // inquiry, chargeback, fraud
	how      string // it is told: by file where empty, online, or both
	stage    int
	share    int64
	defended bool
	won      bool
}

// giving is one refund of a payment.
type giving struct {
	give
	ask    *ask
	amount int64
}

// telling is one dispute of a payment.
type telling struct {
	quarrel
	caseID   string
	amount   int64
	defence  *ask
	document []byte
}

// evidence begins every document that defends a payment. Its length is a multiple of three: its base64 begins every payload.
const evidence = "%PDF-1.7\nSIGNED FOR AT THE DOOR BY HER SISTER\n"

// foresee makes the requests that will follow once the money is taken.
func (p *payment) foresee(serial int) {
	for i, g := range p.refunds {
		amount := p.take * g.share / 100
		p.gives = append(p.gives, &giving{g, p.newAsk(fmt.Sprintf("refund-%d-%d", serial, i), refund, fields{
			"captureRequestId": p.taken().id, "refundAmount": fmt.Sprint(micros(amount, p.in)),
		}), amount})
	}
	for i, q := range p.quarrels {
		t := &telling{quarrel: q, caseID: fmt.Sprintf("CASE-%d", serial), amount: p.take * q.share / 100}
		if q.defended {
			id := fmt.Sprintf("defence-%d-%d", serial, i)
			t.document = []byte(evidence + id)
			t.defence = p.newAsk(id, defend, fields{"captureRequestId": p.taken().id, "defenseMaterialDocument": fields{
				"mimeType": "APPLICATION_PDF", "payload": base64.RawURLEncoding.EncodeToString(t.document),
			}})
		}
		p.told = append(p.told, t)
	}
}

// follow plays what happens to money that was taken: first its disputes, then its refunds. A sale is taken with its answer.
func (l *life) follow(p *payment) {
	if len(p.told)+len(p.gives) == 0 ||
		p.by != sell && !l.await(p.next.id+" is captured", func() bool { return l.verdicts()[p.next.id] != "" }) {
		return
	}
	captured := time.Now()
	for _, t := range p.told {
		if l.did.disputes.Add(1); !l.dispute(p, t) {
			return
		}
	}
	if p.patient {
		l.until(func() bool { return time.Since(captured) > window })
	}
	for _, g := range p.gives {
		l.did.refunds.Add(1)
		if g.lost != "" {
			l.tell(l.host.Control(), "/scenarios", sim.Rule{
				Action: g.lost, Match: sim.Match{MTI: "0200", DE3: "20", Amount: g.amount}, Times: 1,
			})
		}
		want := acknowledged
		if g.refused != "" {
			want = g.refused
		}
		if _, ok := l.insist(g.ask, g.copies, want); !ok {
			return
		}
	}
}

// dispute plays one dispute until Google knows of it, has defended itself, and knows that it has won.
func (l *life) dispute(p *payment, t *telling) bool {
	about := fields{"rrn": l.booked(p).RRN, "amount": t.amount}
	if t.what == "chargeback" {
		about["case"], about["stage"], about["online"], about["both"] = t.caseID, t.stage, t.how == "online", t.how == "both"
	}
	ok := l.tell(l.host.Control(), "/actions/"+t.what, about) && (t.how == "online" || l.deliver()) &&
		l.await(fmt.Sprintf("%s: the %s is told", p.taken().id, t.what), func() bool { _, told := l.heard(p, t); return told })
	if ok && t.defence != nil {
		_, ok = l.insist(t.defence, 1, success)
	}
	if ok && t.won {
		ok = l.tell(l.host.Control(), "/actions/chargeback-reversed", fields{"case": t.caseID}) && l.deliver() &&
			l.await(p.taken().id+": the chargeback is reversed", func() bool { _, told := l.heardBack(p, t); return told })
	}
	return ok
}

// booked is a payment in the acquirer's books, once its money is taken.
func (l *life) booked(p *payment) hostBooking {
	all := l.hostBookings()
	i := slices.IndexFunc(all, func(b hostBooking) bool { return b.Kind != "refund" && !b.Undone && b.Amount == p.take })
	if i < 0 {
		l.t.Errorf("%s: the acquirer has booked nothing", p.taken().id)
		return hostBooking{}
	}
	return all[i]
}

var stages = []string{"", "FIRST", "SECOND"}

// heard is what Google knows of a dispute.
func (l *life) heard(p *payment, t *telling) (google.Dispute, bool) {
	return l.disputeIs(func(d google.Dispute) bool {
		return d.Method == t.what+"Notification" && d.Account == p.account && d.Capture == p.taken().id && d.Stage == stages[t.stage]
	})
}

// heardBack is what it knows of its end.
func (l *life) heardBack(p *payment, t *telling) (google.Dispute, bool) {
	raised, _ := l.heard(p, t)
	return l.disputeIs(func(d google.Dispute) bool {
		return d.Method == "chargebackReversedNotification" && d.Account == p.account && d.Chargeback == raised.RequestID
	})
}

func (l *life) disputeIs(this func(google.Dispute) bool) (google.Dispute, bool) {
	all := l.google.Disputes()
	if i := slices.IndexFunc(all, this); i >= 0 {
		return all[i], true
	}
	return google.Dispute{}, false
}

// deliver has the acquirer hand over a file of disputes. The very first one arrives cut off: it must be put aside, and is then sent whole.
func (l *life) deliver() bool {
	l.post.Lock()
	defer l.post.Unlock()
	var made []struct{ Name string }
	if !l.tell(l.host.Control(), "/actions/dispute-file", fields{}, &made) || len(made) == 0 || l.spoiled != "" {
		return !l.t.Failed() // somebody else's file had it
	}
	l.spoiled = made[0].Name
	return l.await(l.spoiled+" is put aside", func() bool {
		_, err := os.Stat(filepath.Join(l.inbox, "quarantine", l.spoiled))
		return err == nil
	}) && l.tell(l.host.Control(), "/actions/redeliver", fields{"name": l.spoiled})
}

// endDay is the acquirer's evening: the settlement of the day without reference numbers, the next business day, in its file the reference
// numbers and the payment, and that file once more. The deposit bank states what it has booked.
func (l *life) endDay() {
	for _, step := range []struct {
		action string
		how    fields
	}{{"settle", fields{"late_arn": true, "cutover": true}}, {"settle", fields{}}, {"redeliver", fields{}}} {
		l.tell(l.host.Control(), "/actions/"+step.action, step.how)
	}
	l.tell(l.till.Control(), "/actions/statement", fields{})
}

// untaken counts what has been said and nobody has confirmed: files of the acquirer, those between the victim and the deposit bank, and
// chargebacks on line.
func (l *life) untaken() (n int) {
	for _, pattern := range []string{"inbox/*.csv", "bank/*/*.xml", "bank/*/processing/*.xml"} {
		files, err := filepath.Glob(filepath.Join(l.dir, pattern))
		if err != nil {
			l.t.Error(err)
		}
		n += len(files)
	}
	for _, d := range l.hostDisputes() {
		if d.STAN != "" && d.Answer == "" {
			n++
		}
	}
	return n
}

// hostDispute is a stage of a chargeback in the acquirer's own record.
type hostDispute struct {
	Case     string `json:"case"`
	Stage    int    `json:"stage"`
	RRN      string `json:"rrn"`
	State    string `json:"state"`
	Currency string `json:"currency"`
	Amount   int64  `json:"amount"`
	STAN     string `json:"stan"`
	Answer   string `json:"answer"`
}

func (l *life) hostDisputes() (all []hostDispute) {
	l.hear(l.host.Control(), "/disputes", &all)
	return all
}
