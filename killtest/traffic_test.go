package killtest

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"sync"
	"time"

	"naru/rail/iso8583/sim"
	"naru/sandbox/google"
)

// The cards (see package sim), and what their holder types. None of it may ever be seen in a log or in the database.
const (
	goodCard   = "9999990000000006"
	poorCard   = "9999990000000519"
	silentCard = "9999990000009015" // held, never answered
	shortCard  = "9999990000009122" // its holds end after ten minutes
	cvn        = "7391"
	pin        = "47"
	birthDate  = "1991-04-17"
)

var holderCI = base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("KillTest"), 8))

// The methods that Google calls, and the words of their answers and verdicts.
const (
	reserve = "reserveFunds"
	capture = "asynchronousCaptureFundsReservation"
	cancel  = "asynchronousCancelFundsReservation"
	success = "SUCCESS"
	lapsed  = "RESERVATION_EXPIRED"
)

// kind is a payment as Google means it.
type kind struct {
	card    string
	result  string // of the reservation, in the end
	then    string // what Google does with the hold
	verdict string // on that
	part    bool   // a half is captured
	late    bool   // Google waits until the hold has ended
	hasty   bool   // Google cancels what has no answer, and asks for the reservation again after that
	lost    string // the acquirer's first answer to this message does not arrive
	copies  int    // sent at the same moment
}

var (
	keep    = kind{card: goodCard, result: success}
	buy     = kind{card: goodCard, result: success, then: capture, verdict: success, copies: 2}
	part    = kind{card: goodCard, result: success, then: capture, verdict: success, part: true, lost: "0220"}
	drop    = kind{card: goodCard, result: success, then: cancel, verdict: success, lost: "0420"}
	deny    = kind{card: poorCard, result: "INSUFFICIENT_FUNDS", copies: 2}
	lose    = kind{card: goodCard, result: success, then: capture, verdict: success, lost: "0100"}
	silence = kind{card: silentCard, result: "ISSUER_DECLINED", then: cancel, verdict: success, hasty: true}
	lapse   = kind{card: shortCard, result: success, late: true}
	tooLate = kind{card: shortCard, result: success, late: true, then: capture, verdict: lapsed}
)

// opening is under way before anything else begins: its attempts stay open long enough to be found abandoned.
var opening = [][]kind{{silence}, {lose}, {silence}}

// lanes run side by side; the payments of a lane follow each other.
var lanes = [][]kind{{buy, drop, deny}, {part, drop}, {keep, buy}, {lapse}, {lapse}, {lapse}, {tooLate}}

// traffic plays payments until each has its final answers. What it gives closes then.
func (l *life) traffic(first bool) <-chan struct{} {
	done := make(chan struct{})
	l.busy.Go(func() {
		defer close(done)
		var all sync.WaitGroup
		defer all.Wait()
		play := func(lanes [][]kind) {
			for _, lane := range lanes {
				all.Go(func() {
					for _, k := range lane {
						l.play(l.newPayment(k))
					}
				})
			}
		}
		play(opening)
		if first {
			l.until(func() bool { return len(l.hostHolds()) >= len(opening) || l.deaths.Load() > 0 })
		}
		play(lanes)
	})
	return done
}

// payment is one reservation and what follows it.
type payment struct {
	kind
	account      string
	amount, take int64 // held; captured
	hold, next   *ask  // next is nil where nothing follows
}

// ask is one request id, however often it is sent.
type ask struct {
	id, method string
	body       []byte

	mu     sync.Mutex
	answer []byte // the first 200, without its time
}

func (l *life) newPayment(k kind) *payment {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.serial++
	l.did.payments.Add(1)
	p := &payment{kind: k, account: l.shop.accounts[l.serial%len(l.shop.accounts)], amount: 10_000 + 10*int64(l.serial)}
	p.take = p.amount
	if k.part {
		p.take /= 2
	}
	p.hold = newAsk(fmt.Sprintf("hold-%d", l.serial), reserve, fields{
		"paymentIntegratorAccountId": p.account, "currencyCode": "KRW", "amount": micros(p.amount),
		"accountDetails": fields{"card": fields{
			"accountNumber": k.card, "nameOnCard": "SEO JIHUN", "expiryMonth": "08", "expiryYear": "39", "cvn": cvn,
		}},
		"transactionDescription": "GOOGLE*Star Farm", "merchantCategoryCode": "5816",
		"additionalTransactionProcessingOptions": fields{
			"userSelectedProcessingNetworkTypeNotApplicable": fields{}, "electronicCommerceIndicatorNotApplicable": fields{},
			"threeDSecureNotAppplicable": fields{}, "storedCredentialTransactionInformationNotApplicable": fields{},
			"pin": pin, "dateOfBirth": birthDate, "connectingInformation": holderCI,
		},
	})
	if k.then != "" {
		body := fields{"paymentIntegratorAccountId": p.account, "reservationRequestId": p.hold.id}
		if k.then == capture {
			body["amount"] = micros(p.take)
		}
		p.next = newAsk(fmt.Sprintf("next-%d", l.serial), k.then, body)
	}
	l.payments = append(l.payments, p)
	return p
}

func newAsk(id, method string, body fields) *ask {
	body["requestHeader"] = fields{"requestId": id}
	text, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return &ask{id: id, method: method, body: text}
}

func micros(won int64) string { return strconv.FormatInt(won*1_000_000, 10) }

// play asks until every answer is final.
func (l *life) play(p *payment) {
	if p.lost != "" {
		r := sim.Rule{Action: "silent", Match: sim.Match{MTI: p.lost, Amount: p.amount}, Times: 1}
		switch p.lost {
		case "0220":
			r.Match.Amount = p.take
		case "0420":
			r.Match.MTI = l.dialect.ReversalMTI
		}
		l.tell(l.host.Control(), "/scenarios", r)
	}
	if p.hasty && !l.cancelUnanswered(p) {
		return
	}
	said, ok := l.insist(p.hold, p.copies, p.result)
	if !ok {
		return
	}
	if p.late {
		millis, err := strconv.ParseInt(said.HeldUntil, 10, 64)
		if err != nil {
			l.t.Errorf("%s: the hold ends at %q", p.hold.id, said.HeldUntil)
			return
		}
		l.until(func() bool { return time.Now().After(time.UnixMilli(millis)) })
	}
	if p.next != nil {
		l.insist(p.next, p.copies, "ACKNOWLEDGED")
	}
}

// cancelUnanswered asks for the reservation until it is known to be in work, and cancels it while nobody knows what became of it.
func (l *life) cancelUnanswered(p *payment) bool {
	known, cancelled := false, false
	return l.again(p.next, func() bool {
		if !known {
			known = l.send(p.hold, 1).status == http.StatusServiceUnavailable
			return false
		}
		switch status := l.send(p.next, 1).status; status {
		case http.StatusOK:
			cancelled = true
		case http.StatusNotFound: // that 503 was no promise: nothing was begun
			known = false
		}
		return cancelled
	})
}

// insist repeats a request until its answer is final, as Google does, and wants it to be this one.
func (l *life) insist(a *ask, copies int, want string) (said answer, ok bool) {
	ok = l.again(a, func() bool {
		said = l.send(a, copies)
		return said.final()
	})
	if ok && (said.status != http.StatusOK || said.Result != want) {
		l.t.Errorf("%s %s: %d %s%s, not %s", a.method, a.id, said.status, said.Result, said.Code, want)
		ok = false
	}
	return said, ok
}

// again does something until it is done, with growing pauses.
func (l *life) again(a *ask, do func() bool) bool {
	for pause := 50 * time.Millisecond; !do(); pause = min(2*pause, time.Second) {
		rest := time.NewTimer(pause)
		select {
		case <-rest.C:
		case <-l.ctx.Done():
			rest.Stop()
			if errors.Is(l.ctx.Err(), context.DeadlineExceeded) {
				l.t.Errorf("%s %s has no final answer", a.method, a.id)
			}
			return false
		}
	}
	return true
}

// answer is what came of one sending; of several copies, what decides.
type answer struct {
	status    int
	Result    string `json:"result"`
	Code      string `json:"errorResponseCode"`
	HeldUntil string `json:"reservationExpirationTimestamp"`
}

// final reports whether Google would stop asking (gsp-core §4.2, §5.2).
func (a answer) final() bool {
	return a.status == http.StatusOK ||
		a.status >= 400 && a.status < 500 && a.status != http.StatusConflict && a.status != http.StatusTooManyRequests
}

var timestamp = regexp.MustCompile(`"responseTimestamp":"[0-9]+"`)

// send sends copies of a request at once. Whatever was answered 200 must never be answered otherwise: on no copy, in no later life.
func (l *life) send(a *ask, copies int) (decides answer) {
	answers, err := l.google.Send(l.ctx, google.Order{Method: a.method, Body: a.body, Copies: copies})
	if err != nil {
		panic(err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, one := range answers {
		got := answer{status: one.Status}
		if one.Body != nil {
			if err := json.Unmarshal(one.Body, &got); err != nil {
				l.t.Errorf("%s %s: the answer cannot be read: %v", a.method, a.id, err)
			}
		}
		text := timestamp.ReplaceAll(one.Body, nil)
		switch {
		case a.answer != nil && got.final() && !bytes.Equal(a.answer, text):
			l.t.Errorf("%s %s was answered\n%s\nand then %d\n%s", a.method, a.id, a.answer, got.status, text)
		case a.answer == nil && got.status == http.StatusOK:
			a.answer = text
		}
		if got.status == http.StatusOK || !decides.final() {
			decides = got
		}
	}
	return decides
}

// asks is every request there was.
func (l *life) asks() (all []*ask) {
	for _, p := range l.payments {
		all = append(all, p.hold)
		if p.next != nil {
			all = append(all, p.next)
		}
	}
	return all
}

// askAgain wants every answer once more, at once and as it was.
func (l *life) askAgain(v *victim) {
	select {
	case <-v.ready:
	case <-v.gone:
	}
	for _, a := range l.asks() {
		if got := l.send(a, 1); got.status != http.StatusOK {
			l.t.Errorf("%s %s was answered 200, and then %d", a.method, a.id, got.status)
		}
	}
}

// selectOwed counts what is under way, and the holds whose end is near.
const selectOwed = `
SELECT (SELECT COUNT(*) FROM advice WHERE state = 'QUEUED') + (SELECT COUNT(*) FROM notice WHERE state = 'QUEUED')
     + (SELECT COUNT(*) FROM idempotency WHERE NOT done)
     + (SELECT COUNT(*) FROM reservation WHERE state = 'RESERVED' AND hold_until_us < $1)`

// settle waits until nothing is owed any more and every verdict has arrived; or until the victim is dead.
func (l *life) settle(v *victim) (quiet bool) {
	owed, silent := int64(-1), 0
	quiet = l.until(func() bool {
		select {
		case <-v.gone:
			return true
		default:
		}
		silent = l.unheard()
		err := l.query(func(db *sql.DB) error {
			return db.QueryRowContext(l.ctx, selectOwed, time.Now().Add(time.Hour).UnixMicro()).Scan(&owed)
		})
		return err == nil && owed == 0 && silent == 0
	})
	if !quiet {
		l.t.Errorf("victim %d never comes to rest: %d verdicts are missing, %d rows are not done:\n%s", v.n, silent, owed, l.lastWords(v))
	}
	return quiet
}

// unheard counts the verdicts that Google waits for.
func (l *life) unheard() (n int) {
	_, verdicts := l.google.Record()
	told := map[string]bool{}
	for _, v := range verdicts {
		told[v.Subject] = true
	}
	for _, p := range l.payments {
		if p.next != nil && !told[p.next.id] {
			n++
		}
	}
	return n
}

// query reads the victim's database from outside.
func (l *life) query(look func(*sql.DB) error) error {
	q := url.Values{"mode": {"ro"}, "_pragma": {"busy_timeout(5000)"}}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: l.database}).EscapedPath()+"?"+q.Encode())
	if err != nil {
		return err
	}
	return errors.Join(look(db), db.Close())
}

// hostHold is a hold in the acquirer's own record.
type hostHold struct {
	RRN      string `json:"rrn"`
	Terminal string `json:"terminal"`
	Amount   int64  `json:"amount"`
	State    string `json:"state"`
	Captured int64  `json:"captured"`
}

func (l *life) hostHolds() (all []hostHold) {
	l.hear(l.host.Control(), "/holds", &all)
	return all
}
