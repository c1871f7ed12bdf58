package drill

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"naru/seal"
)

// load plays Google: new requests at a fixed rate, whatever comes back, spread over the nodes. A request that is not answered 200 is
// repeated at the next node at once, and after a round of all nodes after a pause that grows, until it is.
type load struct {
	nodes  []*node
	box    *seal.Box
	client *http.Client

	mu       sync.Mutex
	requests []*request
	asking   sync.WaitGroup

	halt, giveUp context.CancelFunc // no more new ones; no more at all
	halted       chan struct{}
}

const (
	callTime = 30 * time.Second       // a call may take: far more than the nodes' own deadline
	pause    = 250 * time.Millisecond // of a caller whom no node answered; twice as long each time, up to longest
	longest  = 2 * time.Second
)

// begin sends requests until halt.
func (l *load) begin(ctx context.Context, perSecond float64) {
	ctx, l.giveUp = context.WithCancel(ctx)
	var paced context.Context
	paced, l.halt = context.WithCancel(ctx)
	l.halted = make(chan struct{})
	start := time.Now()
	go func() {
		defer close(l.halted)
		for n := 0; ; n++ {
			due := start.Add(time.Duration(float64(n) / perSecond * float64(time.Second)))
			select {
			case <-paced.Done():
				return
			case <-time.After(time.Until(due)):
			}
			l.asking.Go(func() { l.ask(ctx, due, n) })
		}
	}()
}

// end sends no more new requests, and waits until those that were sent are answered, or for as long as anything may take.
func (l *load) end() {
	if l.halt == nil { // it has not begun
		return
	}
	l.halt()
	<-l.halted
	late := time.AfterFunc(patience, l.giveUp)
	l.asking.Wait()
	late.Stop()
	l.giveUp()
}

// ask asks one request, at the nth node first.
func (l *load) ask(ctx context.Context, due time.Time, nth int) {
	r := &request{id: "drill-" + uuid.NewString(), due: due}
	l.mu.Lock()
	l.requests = append(l.requests, r)
	l.mu.Unlock()
	for n := range l.rounds(ctx) {
		to := l.nodes[(nth+n)%len(l.nodes)]
		c, answer := l.call(ctx, to, r.id)
		l.mu.Lock()
		r.calls, r.answer = append(r.calls, c), answer
		l.mu.Unlock()
		if answer != nil {
			return
		}
	}
}

// rounds counts, and pauses after each round of all nodes, until ctx ends.
func (l *load) rounds(ctx context.Context) func(func(int) bool) {
	return func(yield func(int) bool) {
		for n := 0; ctx.Err() == nil && yield(n); n++ {
			if round := n / len(l.nodes); (n+1)%len(l.nodes) == 0 {
				select {
				case <-time.After(min(longest, pause<<min(round, 10))):
				case <-ctx.Done():
				}
			}
		}
	}
}

// call calls once, with a fresh timestamp. Without a 200 that opens there is no answer.
func (l *load) call(ctx context.Context, to *node, id string) (c call, answer []byte) {
	c = call{node: to.name, sent: time.Now()}
	defer func() { c.over = time.Now() }()
	wire, err := l.box.Seal(fmt.Appendf(nil, body, id, time.Now().UnixMilli(), account))
	if err != nil {
		return c, nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://"+to.gsp.Load().(string)+path, bytes.NewReader(wire))
	if err != nil {
		return c, nil
	}
	req.Header.Set("Content-Type", "application/octet-stream; charset=utf-8")
	resp, err := l.client.Do(req)
	if err != nil {
		return c, nil
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return c, nil
	}
	c.status = resp.StatusCode
	if !c.good() {
		return c, nil
	}
	if answer, err = l.open(text); err != nil {
		c.status = 0
	}
	return c, answer
}

// open is what an answer says, without when it was said.
func (l *load) open(text []byte) ([]byte, error) {
	opened, err := l.box.Open(context.Background(), text)
	if err != nil {
		return nil, err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(opened.Plain, &members); err != nil {
		return nil, err
	}
	delete(members, "responseHeader")
	return json.Marshal(members)
}

// soFar is every request as it stands.
func (l *load) soFar() (all []request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.requests {
		c := *r
		c.calls = slices.Clone(r.calls)
		all = append(all, c)
	}
	return all
}

const path = "/v1/payment-integrator-korea-cards-api/reserveFunds"

// body is a reservation (Korea Cards v1 §4.1).
const body = `{"requestHeader":{"protocolVersion":{"major":1,"minor":0,"revision":0},"requestId":"%s","requestTimestamp":"%d"},` +
	`"paymentIntegratorAccountId":"%s","accountDetails":{"card":{"accountNumber":"4242424242424242","nameOnCard":"HAN SORA",` +
	`"expiryMonth":"08","expiryYear":"49"}},"currencyCode":"KRW","amount":"3300000000","transactionDescription":"GOOGLE*Drill",` +
	`"merchantCategoryCode":"5816","additionalTransactionProcessingOptions":{"userSelectedProcessingNetworkTypeNotApplicable":{},` +
	`"electronicCommerceIndicatorNotApplicable":{},"threeDSecureNotAppplicable":{},"storedCredentialTransactionInformationNotApplicable":{}}}`
