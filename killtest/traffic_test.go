package killtest

import (
	"bytes"
	"cmp"
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
	"sync/atomic"
	"time"

	"naru/core/money"
	"naru/rail/iso8583/sim"
	"naru/sandbox/google"
)

// The cards (see package sim), and what their holder types. None of it may ever be seen in a log or in the database.
const (
	goodCard   = "9999990000000006"
	poorCard   = "9999990000000519"
	silentCard = "9999990000009015" // held, never answered
	shortCard  = "9999990000009122" // its holds end after ten minutes
	oneWayCard = "9999990000009338" // takes no money back
	badCard    = "9999990000000055" // not honoured
	cvn        = "7391"
	pin        = "47"
	birthDate  = "1991-04-17"
)

var holderCI = base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("KillTest"), 8))

// The methods that Google calls, and the words of their answers and verdicts.
const (
	reserve = "reserveFunds"
	sell    = "capture" // in one message: the answer is the verdict (Card FOP v1 §4.4)
	verify  = "verifyCardWithMinimumReservation"
	check   = "verifyCardWithZeroAmount"
	capture = "asynchronousCaptureFundsReservation"
	cancel  = "asynchronousCancelFundsReservation"
	refund  = "asynchronousRefund"
	defend  = "defendChargeback"
	success = "SUCCESS"
	lapsed  = "RESERVATION_EXPIRED"
)

// kind is a payment as Google means it.
type kind struct {
	in       string // the currency, by Card FOP v1; in won by Korea Cards v1 where empty
	by       string // how the card is asked; reserveFunds where empty
	card     string
	result   string // of the reservation or sale, in the end
	then     string // what Google does with the hold
	verdict  string // on that
	part     bool   // a half is captured
	late     bool   // Google waits until the hold has ended
	hasty    bool   // Google cancels what has no answer, and asks for the same again after that
	lost     string // the acquirer's first answer to this message does not arrive
	copies   int    // sent at the same moment
	brief    bool   // at the brief account
	patient  bool   // Google waits until the refund window is over
	quarrels []quarrel
	refunds  []give // after the quarrels
}

var (
	keep    = kind{card: goodCard, result: success}
	buy     = kind{card: goodCard, result: success, then: capture, verdict: success, copies: 2}
	part    = kind{in: "EUR", card: goodCard, result: success, then: capture, verdict: success, part: true, lost: "0220"}
	drop    = kind{card: goodCard, result: success, then: cancel, verdict: success, lost: "0420"}
	deny    = kind{card: poorCard, result: "INSUFFICIENT_FUNDS", copies: 2}
	lose    = kind{card: goodCard, result: success, then: capture, verdict: success, lost: "0100"}
	silence = kind{card: silentCard, result: "ISSUER_DECLINED", then: cancel, verdict: success, hasty: true}
	lapse   = kind{card: shortCard, result: success, late: true}
	tooLate = kind{card: shortCard, result: success, late: true, then: capture, verdict: lapsed}

	look    = kind{by: check, card: goodCard, result: success}
	probe   = kind{by: verify, card: goodCard, result: success} // nobody cancels it: its hold ends by itself
	undo    = kind{in: "EUR", by: verify, card: goodCard, result: success, then: cancel, verdict: success}
	suspect = kind{by: verify, card: badCard, result: "DO_NOT_HONOR"}

	sale   = kind{in: "JPY", by: sell, card: goodCard, result: success, copies: 2}
	refuse = kind{in: "EUR", by: sell, card: poorCard, result: "INSUFFICIENT_FUNDS", copies: 2}
	slip   = kind{in: "KWD", by: sell, card: goodCard, result: success, lost: "0200"}
	mute   = kind{in: "EUR", by: sell, card: silentCard, result: "ISSUER_DECLINED", then: cancel, verdict: success, hasty: true}
)

// programme is what a round of traffic plays. What opens it is under way before anything else begins: its attempts stay open long enough to
// be found abandoned. The lanes run side by side; the payments of a lane follow each other.
type programme struct {
	opening, lanes [][]kind
	transfers      [][]transfer
	purchases      [][]purchase // and its merchant's
	wires          [][]wire
}

// holds is the life of holds until they are captured, aftermath all that follows, away money that is paid out, market what is paid by
// transfer. Others do some of it as well.
var (
	holds = programme{
		opening: [][]kind{{silence}, {lose}, {silence}},
		lanes: [][]kind{
			{buy, drop, deny}, {part, refuse}, {keep, sale}, {lapse}, {lapse}, {lapse}, {tooLate}, {slip}, {mute},
		},
		transfers: [][]transfer{{salary, halved}, {closed, hung}},
		purchases: [][]purchase{{bought, thrice}, {forgotten}},
	}
	aftermath = programme{
		lanes: [][]kind{
			{giveBack, suspect}, {contest}, {online, look}, {blocked}, {expired, oneWay}, {gone}, {probe, undo}, {sold}, {claimed},
		},
		transfers: [][]transfer{{second, early}, {frozen, returned}},
		purchases: [][]purchase{{stock, takenBack}, {less}},
		wires:     [][]wire{{wage}, {sentBack}},
	}
	away = programme{
		lanes: [][]kind{{buy}, {slip}},
		transfers: [][]transfer{
			{salary, returned},
			{hung, instant},
			{halved, tooMuch},
			{cutOff, closed},
			{sick, tooSmall},
			{hurried, frozen},
			{early, second},
			{deemed},
			{revoked},
		},
	}
	market = programme{
		lanes: [][]kind{{buy}},
		purchases: [][]purchase{
			{stock, bought}, {thrice, resent}, {copied, repushed}, {less, doubled}, {takenBack}, {forgotten}, {overdue}, {forgotten},
		},
		wires: [][]wire{{wage, noSuch}, {quiet}, {mislaid}, {sentBack}},
	}
)

// traffic plays payments until each has its final answers. What it gives closes then.
func (l *life) traffic(first bool, play programme) <-chan struct{} {
	done := make(chan struct{})
	l.busy.Go(func() {
		defer close(done)
		var all sync.WaitGroup
		defer all.Wait()
		begin := func(lanes [][]kind) (open *atomic.Int64) {
			open = new(atomic.Int64)
			open.Store(int64(len(lanes)))
			for _, lane := range lanes {
				all.Go(func() {
					defer open.Add(-1)
					for _, k := range lane {
						l.play(l.newPayment(k))
					}
				})
			}
			return open
		}
		open := begin(play.opening)
		if first { // where the link was not up yet, they may be over without a hold
			l.until(func() bool { return len(l.hostHolds()) >= len(play.opening) || l.deaths.Load() > 0 || open.Load() == 0 })
		}
		begin(play.lanes)
		for _, lane := range play.transfers {
			all.Go(func() {
				for _, t := range lane {
					l.pay(l.newOutgoing(t))
				}
			})
		}
		for _, lane := range play.purchases {
			all.Go(func() {
				for _, p := range lane {
					l.buy(l.newIncoming(p))
				}
			})
		}
		for _, lane := range play.wires {
			all.Go(func() {
				for _, w := range lane {
					l.payWage(l.newWired(w))
				}
			})
		}
	})
	return done
}

// payment is one reservation or sale and what follows it.
type payment struct {
	kind
	account      string
	amount, take int64 // asked for; captured. In minor units
	hold, next   *ask  // the reservation, check or sale; next is nil where nothing follows
	told         []*telling
	gives        []*giving
}

// ask is one request id, however often it is sent.
type ask struct {
	id, method, account string
	body                []byte

	mu     sync.Mutex
	answer []byte // the first 200, without its time
}

func (a *ask) name() string { return a.method + " " + a.id }

func (l *life) newPayment(k kind) *payment {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.serial++
	l.did.payments.Add(1)
	name := "hold"
	if k.by == sell {
		l.did.sales.Add(1)
		name = "sale"
	}
	p := &payment{kind: k, account: l.shop.usual[l.serial%len(l.shop.usual)], amount: 10_000 + 10*int64(l.serial)}
	switch {
	case k.brief:
		p.account = brief["id"].(string)
	case k.in != "":
		p.account = l.shop.abroad
	}
	p.in = cmp.Or(p.in, "KRW")
	p.take = p.amount
	if k.part {
		p.take /= 2
	}
	p.hold = p.askCard(fmt.Sprintf("%s-%d", name, l.serial))
	if k.then != "" {
		body := fields{"reservationRequestId": p.hold.id}
		if k.then == capture {
			body["amount"] = fmt.Sprint(micros(p.take, p.in))
		}
		p.next = p.newAsk(fmt.Sprintf("next-%d", l.serial), k.then, body)
	}
	p.foresee(l.serial)
	l.payments = append(l.payments, p)
	return p
}

// taken is the request that takes the money: the sale itself, or the capture of the hold; nil where none does.
func (p *payment) taken() *ask {
	switch {
	case p.by == sell && p.result == success:
		return p.hold
	case p.then == capture && p.verdict == success:
		return p.next
	}
	return nil
}

// askCard is the request for a hold or a sale, or for a check of the card.
func (p *payment) askCard(id string) *ask {
	card := fields{"accountNumber": p.card, "nameOnCard": "SEO JIHUN", "expiryMonth": "08", "expiryYear": "39", "cvn": cvn}
	holder := fields{}
	if p.in == "KRW" {
		holder = fields{"pin": pin, "dateOfBirth": birthDate, "connectingInformation": holderCI}
	}
	switch p.by {
	case verify:
		holder["card"], holder["currencyCode"] = card, p.in
		holder["transactionDescription"], holder["merchantCategoryCode"] = "GOOGLE*Star Farm", "5816"
		return p.newAsk(id, verify, holder)
	case check:
		holder["card"], holder["merchantCategoryCodeNotPresent"] = card, fields{}
		return p.newAsk(id, check, holder)
	}
	for _, no := range []string{
		"userSelectedProcessingNetworkTypeNotApplicable", "electronicCommerceIndicatorNotApplicable", "threeDSecureNotAppplicable",
		"storedCredentialTransactionInformationNotApplicable",
	} {
		holder[no] = fields{}
	}
	return p.newAsk(id, cmp.Or(p.by, reserve), fields{
		"currencyCode": p.in, "amount": fmt.Sprint(micros(p.amount, p.in)), "accountDetails": fields{"card": card},
		"transactionDescription": "GOOGLE*Star Farm", "merchantCategoryCode": "5816", "additionalTransactionProcessingOptions": holder,
	})
}

func (p *payment) newAsk(id, method string, body fields) *ask {
	return newAsk(p.account, id, method, body)
}

func newAsk(account, id, method string, body fields) *ask {
	body["requestHeader"], body["paymentIntegratorAccountId"] = fields{"requestId": id}, account
	text, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return &ask{id: id, method: method, account: account, body: text}
}

// micros is an amount as Google writes it. That a currency does not exist is said elsewhere.
func micros(minor int64, currency string) int64 {
	in, _ := money.Lookup(currency)
	return money.New(minor, in).Micros()
}

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
		if _, ok := l.insist(p.next, p.copies, acknowledged); !ok {
			return
		}
	}
	if p.taken() != nil {
		l.follow(p)
	}
}

const acknowledged = "ACKNOWLEDGED"

// cancelUnanswered asks for the reservation until it is known to be in work, and cancels it while nobody knows what became of it.
func (l *life) cancelUnanswered(p *payment) bool {
	known, cancelled := false, false
	return l.again(p.next.name(), func() bool {
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

// insist repeats a request until its answer is final, as Google does, and wants it to be this result, or this error.
func (l *life) insist(a *ask, copies int, want string) (said answer, ok bool) {
	ok = l.again(a.name(), func() bool {
		said = l.send(a, copies)
		return said.final()
	})
	if ok && said.result() != want {
		l.t.Errorf("%s %s: %d %s, not %s", a.method, a.id, said.status, said.result(), want)
		ok = false
	}
	return said, ok
}

// again does something until it is done, with growing pauses.
func (l *life) again(what string, do func() bool) bool {
	for pause := 50 * time.Millisecond; !do(); pause = min(2*pause, time.Second) {
		rest := time.NewTimer(pause)
		select {
		case <-rest.C:
		case <-l.ctx.Done():
			rest.Stop()
			if errors.Is(l.ctx.Err(), context.DeadlineExceeded) {
				l.t.Errorf("%s has no final answer", what)
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
	PaidOut   struct {
		Code string `json:"disburseFundsResultCode"`
	} `json:"disburseFundsResult"`
}

func (a answer) result() string { return a.Result + a.Code + a.PaidOut.Code }

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

// asks is every request there was that was answered 200.
func (l *life) asks() (all []*ask) {
	for _, p := range l.payments {
		all = append(all, p.hold)
		if p.next != nil {
			all = append(all, p.next)
		}
		for _, g := range p.gives {
			if g.refused == "" {
				all = append(all, g.ask)
			}
		}
		for _, t := range p.told {
			if t.defence != nil {
				all = append(all, t.defence)
			}
		}
	}
	for _, o := range l.outgoings {
		all = append(all, o.ask)
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

// selectOwed counts what is under way, and the holds whose end is near; when the day is over also what it has left to settle and to erase,
// and of so many lines of the payout bank's statement those that are not taken: it is read at a start.
const selectOwed = `
SELECT (SELECT COUNT(*) FROM advice WHERE state IN ('QUEUED', 'BATCHED')) + (SELECT COUNT(*) FROM notice WHERE state = 'QUEUED')
     + (SELECT COUNT(*) FROM idempotency WHERE NOT done) + (SELECT COUNT(*) FROM reconciliation WHERE state = 'OPEN')
     + (SELECT COUNT(*) FROM payout WHERE done_us IS NULL)
     + (SELECT COUNT(*) FROM reservation WHERE state IN ('RESERVED', 'VERIFY_HELD') AND hold_until_us < $1)
     + CASE WHEN $2 THEN (SELECT COUNT(*) FROM settlement_item WHERE settlement_id IS NULL)
                       + (SELECT COUNT(*) FROM reservation WHERE card IS NOT NULL AND card_until_us < $1)
                       + $3 - (SELECT COUNT(*) FROM statement_entry) ELSE 0 END`

// rest waits until nothing is owed any more, every verdict has arrived, and every file is taken; or until the victim, if one is named, is
// dead.
func (l *life) rest(v *victim) (quiet bool) {
	var gone <-chan struct{} // of nobody
	if v != nil {
		gone = v.gone
		select {
		case <-v.ready:
		case <-gone:
		}
	}
	owed, silent := int64(-1), 0
	quiet = l.until(func() bool {
		select {
		case <-gone:
			return true
		default:
		}
		if l.t.Failed() {
			return true
		}
		if silent = l.unheard() + l.unsold() + l.untaken() + l.untold(); silent > 0 {
			return false
		}
		err := l.query(func(db *sql.DB) error {
			return db.QueryRowContext(l.ctx, selectOwed, time.Now().Add(time.Hour).UnixMicro(), l.tomorrow, len(l.bankLines())).Scan(&owed)
		})
		return err == nil && owed == 0
	})
	if !quiet && errors.Is(l.ctx.Err(), context.DeadlineExceeded) {
		l.t.Errorf("it never comes to rest: %d verdicts, files or events are missing, %d rows are not done", silent, owed)
	}
	return quiet && !l.t.Failed()
}

// unheard counts the verdicts that Google waits for.
func (l *life) unheard() (n int) {
	told := l.verdicts()
	for _, p := range l.payments {
		if p.next != nil && told[p.next.id] == "" {
			n++
		}
		for _, g := range p.gives {
			if g.refused == "" && told[g.ask.id] == "" {
				n++
			}
		}
	}
	return n
}

// verdicts are those that Google got, by what they are about.
func (l *life) verdicts() map[string]string {
	_, all := l.google.Record()
	told := map[string]string{}
	for _, v := range all {
		told[v.Subject] = v.Result
	}
	return told
}

// query reads the victim's database from outside. One in a file is let go each time: fsck may read it next.
func (l *life) query(look func(*sql.DB) error) error {
	if l.reader != nil {
		return look(l.reader)
	}
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
	Currency string `json:"currency"` // by its number, as everywhere on its line
	Amount   int64  `json:"amount"`
	State    string `json:"state"`
	Captured int64  `json:"captured"`
}

func (l *life) hostHolds() (all []hostHold) {
	l.hear(l.host.Control(), "/holds", &all)
	return all
}
