package nodetest

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"regexp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"naru/core/money"
	"naru/sandbox/google"
)

// The cards (see package sim), and what their holders type. None of it may ever be seen in a log or in the database.
const (
	goodCard  = "9999990000000006"
	poorCard  = "9999990000000519"
	birthDate = "1991-04-17"
)

var holderCI = base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("NodeTest"), 8))

// The methods that Google calls, and the words of their answers and verdicts.
const (
	reserve = "reserveFunds"
	sell    = "capture" // in one message: the answer is the verdict (Card FOP v1 §4.4)
	capture = "asynchronousCaptureFundsReservation"
	cancel  = "asynchronousCancelFundsReservation"
	refund  = "asynchronousRefund"

	success, acknowledged, insufficient = "SUCCESS", "ACKNOWLEDGED", "INSUFFICIENT_FUNDS"
)

// kind is a payment as Google means it.
type kind struct {
	by   string // how the card is asked: reserveFunds in won by Korea Cards v1, or a sale in euros by Card FOP v1
	card string
	then string // what Google does with the hold
	back bool   // half of what was taken is given back
}

var kinds = []kind{
	{by: reserve, card: goodCard, then: capture},
	{by: reserve, card: goodCard, then: capture, back: true},
	{by: reserve, card: goodCard, then: cancel},
	{by: reserve, card: goodCard},
	{by: reserve, card: poorCard},
	{by: sell, card: goodCard},
	{by: sell, card: goodCard, back: true},
	{by: sell, card: poorCard},
}

// payment is one reservation or sale and what follows it.
type payment struct {
	kind
	account, currency string
	amount, given     int64 // asked for, and given back; in minor units
	hold, next, gives *ask  // the reservation or sale; what is done with it; the refund. nil where there is none
}

// ask is one request id, however often it is sent.
type ask struct {
	id, method string
	body       []byte
	want       string // its result, in the end

	mu     sync.Mutex
	sent   bool
	calm   bool   // no fault has touched it: it was first sent after the last one
	answer []byte // the first 200, without its time
}

// tally is what was seen.
type tally struct {
	finished, calls, repeats atomic.Int64

	notices, copies, undone int

	mu       sync.Mutex
	statuses map[int]int
}

// traffic has a number of workers play payments, side by side, until stop.
func (c *cluster) traffic(workers int) (stop func()) {
	var all sync.WaitGroup
	over := make(chan struct{})
	c.seen.statuses = map[int]int{}
	for i := range workers {
		chance := rand.New(rand.NewPCG(c.seed, uint64(2+i)))
		all.Go(func() {
			for {
				select {
				case <-over:
					return
				case <-c.ctx.Done():
					return
				default:
				}
				if p := c.newPayment(kinds[chance.IntN(len(kinds))]); !c.carryOut(p, chance) {
					return
				}
				c.seen.finished.Add(1)
			}
		})
	}
	stopped := sync.OnceFunc(func() {
		close(over)
		all.Wait()
	})
	for i := range tills {
		all.Go(func() { c.shop(i, over) })
	}
	c.t.Cleanup(stopped)
	return stopped
}

// play waits until so many more payments are finished.
func (c *cluster) play(more int64) {
	c.t.Helper()
	end := c.seen.finished.Load() + more
	c.await("payments come to their end", func() bool { return c.seen.finished.Load() >= end })
}

func (c *cluster) newPayment(k kind) *payment {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := len(c.payments)
	p := &payment{kind: k, account: c.korean[n%len(c.korean)], currency: "KRW", amount: 10_000 + 10*int64(n)}
	if k.by == sell {
		p.account, p.currency = c.abroad, "EUR"
	}
	want := success
	if k.card == poorCard {
		want = insufficient
	}
	p.hold = p.askCard(fmt.Sprintf("hold-%d", n), want)
	taken := p.hold
	if k.then != "" {
		body := fields{"reservationRequestId": p.hold.id}
		if k.then == capture {
			body["amount"] = p.micros(p.amount)
		}
		p.next = p.newAsk(fmt.Sprintf("next-%d", n), k.then, acknowledged, body)
		taken = p.next
	}
	if k.back {
		p.given = p.amount / 2
		body := fields{"captureRequestId": taken.id, "refundAmount": p.micros(p.given)}
		p.gives = p.newAsk(fmt.Sprintf("back-%d", n), refund, acknowledged, body)
	}
	c.payments = append(c.payments, p)
	return p
}

// askCard is the request for the hold or the sale.
func (p *payment) askCard(id, want string) *ask {
	holder := fields{}
	if p.currency == "KRW" {
		holder = fields{"pin": "47", "dateOfBirth": birthDate, "connectingInformation": holderCI}
	}
	for _, no := range []string{
		"userSelectedProcessingNetworkTypeNotApplicable", "electronicCommerceIndicatorNotApplicable", "threeDSecureNotAppplicable",
		"storedCredentialTransactionInformationNotApplicable",
	} {
		holder[no] = fields{}
	}
	return p.newAsk(id, p.by, want, fields{
		"currencyCode": p.currency, "amount": p.micros(p.amount), "accountDetails": fields{"card": fields{
			"accountNumber": p.card, "nameOnCard": "SEO JIHUN", "expiryMonth": "08", "expiryYear": "39",
		}},
		"transactionDescription": "GOOGLE*Star Farm", "merchantCategoryCode": "5816", "additionalTransactionProcessingOptions": holder,
	})
}

func (p *payment) newAsk(id, method, want string, body fields) *ask {
	body["requestHeader"], body["paymentIntegratorAccountId"] = fields{"requestId": id}, p.account
	text, err := json.Marshal(body)
	if err != nil {
		panic(err)
	}
	return &ask{id: id, method: method, want: want, body: text}
}

// micros is an amount as Google writes it.
func (p *payment) micros(minor int64) string {
	return fmt.Sprint(money.New(minor, money.Of(p.currency)).Micros())
}

// asks are the requests of a payment, in their order.
func (p *payment) asks() []*ask {
	return slices.DeleteFunc([]*ask{p.hold, p.next, p.gives}, func(a *ask) bool { return a == nil })
}

// carryOut asks until every answer is final. Any request may go out in copies, and is asked again when others have followed it.
func (c *cluster) carryOut(p *payment, chance *rand.Rand) bool {
	for _, a := range p.asks() {
		captured := func() bool { return c.verdicts()[p.next.id] != "" } // nothing else is given back
		if a == p.gives && p.next != nil && !c.until(captured) {
			return false
		}
		if !c.insist(a, 1+chance.IntN(3)) {
			return false
		}
	}
	for _, a := range p.asks() {
		if chance.IntN(2) == 0 && !c.insist(a, 1) {
			return false
		}
	}
	return true
}

// insist repeats a request until its answer is final, as Google does, and wants it to be the expected one.
func (c *cluster) insist(a *ask, copies int) bool {
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		if got := c.send(a, copies); got.final() {
			if got.result() != a.want {
				c.t.Errorf("%s %s: %d %s, not %s", a.method, a.id, got.status, got.result(), a.want)
			}
			return got.result() == a.want
		}
		c.seen.repeats.Add(1)
		rest := time.NewTimer(pause)
		select {
		case <-rest.C:
		case <-c.ctx.Done():
			rest.Stop()
			if errors.Is(c.ctx.Err(), context.DeadlineExceeded) {
				c.t.Errorf("%s %s has no final answer", a.method, a.id)
			}
			return false
		}
	}
}

// answer is what came of one sending; of several copies, what decides.
type answer struct {
	status int
	Result string `json:"result"`
	Code   string `json:"errorResponseCode"`
}

func (a answer) result() string { return a.Result + a.Code }

// final reports whether Google would stop asking (gsp-core §4.2, §5.2).
func (a answer) final() bool {
	return a.status == http.StatusOK ||
		a.status >= 400 && a.status < 500 && a.status != http.StatusConflict && a.status != http.StatusTooManyRequests
}

var timestamp = regexp.MustCompile(`"responseTimestamp":"[0-9]+"`)

// send sends copies of a request at once, each to any node. Whatever was answered 200 must never be answered otherwise, by any node. While
// nodes are only restarted in good order, every call is answered.
func (c *cluster) send(a *ask, copies int) (decides answer) {
	a.mu.Lock()
	if !a.sent {
		a.sent, a.calm = true, c.calm.Load()
	}
	a.mu.Unlock()
	answers, err := c.google.Send(c.ctx, google.Order{Method: a.method, Body: a.body, Copies: copies})
	if err != nil {
		panic(err)
	}
	c.seen.calls.Add(int64(copies))
	c.seen.repeats.Add(int64(copies - 1))
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, one := range answers {
		c.seen.count(one.Status)
		got := answer{status: one.Status}
		if one.Body != nil {
			if err := json.Unmarshal(one.Body, &got); err != nil {
				c.t.Errorf("%s %s: the answer cannot be read: %v", a.method, a.id, err)
			}
		}
		text := timestamp.ReplaceAll(one.Body, nil)
		switch {
		case a.answer != nil && got.final() && !bytes.Equal(a.answer, text):
			c.t.Errorf("%s %s was answered\n%s\nand then %d\n%s", a.method, a.id, a.answer, got.status, text)
		case a.answer == nil && got.status == http.StatusOK:
			a.answer = text
		case a.calm && !got.final() && c.ctx.Err() == nil:
			c.t.Errorf("%s %s: while nodes are restarted in good order a call is answered %d %s %s", a.method, a.id, got.status, text, one.Error)
		}
		if got.status == http.StatusOK || !decides.final() {
			decides = got
		}
	}
	return decides
}

func (s *tally) count(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.statuses[status]++
}

// verdicts are those that Google got, by what they are about.
func (c *cluster) verdicts() map[string]string {
	_, all := c.google.Record()
	told := map[string]string{}
	for _, v := range all {
		told[v.Subject] = v.Result
	}
	return told
}

// selectOwed counts what is under way.
const selectOwed = `
SELECT (SELECT COUNT(*) FROM advice WHERE state IN ('QUEUED', 'BATCHED')) + (SELECT COUNT(*) FROM notice WHERE state = 'QUEUED')
     + (SELECT COUNT(*) FROM idempotency WHERE NOT done)`

// rest waits until nothing is owed any more, and every verdict has arrived.
func (c *cluster) rest() {
	c.t.Helper()
	c.await("everything comes to rest", func() bool {
		if c.unsold() {
			return false
		}
		told := c.verdicts()
		for _, p := range c.payments {
			for _, a := range p.asks() {
				if a.want == acknowledged && told[a.id] == "" {
					return false
				}
			}
		}
		return c.none(selectOwed)
	})
}

// askAgain wants every answer once more, of every node, at once and as it was.
func (c *cluster) askAgain() {
	for _, n := range c.nodes {
		c.balancer.only.Store(n)
		var all errgroup.Group
		all.SetLimit(workers)
		for _, p := range c.payments {
			for _, a := range p.asks() {
				all.Go(func() error {
					c.seen.repeats.Add(1)
					if got := c.send(a, 1); got.status != http.StatusOK {
						c.t.Errorf("%s %s was answered 200, and then %d by node %s", a.method, a.id, got.status, n.name)
					}
					return nil
				})
			}
		}
		_ = all.Wait()
	}
}
