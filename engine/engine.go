// Package engine is the verbs: what a payment company can be asked to do with money, each safe to ask again and safe to die in.
//
// An operation that needs the network is three visible steps, each safe to crash after: accept (one transaction: the request, the payment,
// an attempt with the identifiers that the network will see), call (the network, outside any transaction), settle (one transaction: what it
// answered, the money, the stored answer, what we now owe). An operation that can be acknowledged first is one transaction (design §3.1).
package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"naru/clock"
	"naru/core/fault"
	"naru/core/ledger"
	"naru/core/payment"
	"naru/crash"
	"naru/queue"
)

// Config is what an engine is made of.
type Config struct {
	Store     Store
	Vault     Vault
	Clock     clock.Clock
	Crash     crash.Hook
	Log       *slog.Logger
	Accounts  []Account
	Links     map[string]Link // by the name that accounts give their acquirer
	Banks     map[string]Bank // by the name that accounts give their payout bank
	Merchants []Merchant
	Receivers []Receiver    // accounts of ours that payers transfer to
	MaxHold   time.Duration // how long we hold at the most, whatever the network says; seven days where 0
	Lanes     int           // how many advices are under way at once
	Meter     Meter
	Node      Node // where several nodes share the store
}

// Link is a rail and how patient we are with it.
type Link struct {
	Rail    CardRail
	Backoff []time.Duration // waits between sendings of an advice; the last one repeats
	Alarms  []time.Duration // ages at which an unanswered advice is an operator's business
	// Totals says that the network's totals of a day are compared with ours (rails §1.16).
	Totals bool
	Zone   *time.Location // of the network's business day; UTC where nil
	// Files takes captures and refunds that go by file, and FileEvery is how often one is made (rails §4.2); an hour where 0.
	Files     CaptureFiles
	FileEvery time.Duration
	// Overtaken is how long after "original unknown" a time-out reversal is sent once more: it may have overtaken its original (rails §1.11 T11).
	Overtaken time.Duration
}

// Meter counts what cannot be seen from outside.
type Meter interface {
	Replayed(account string)
	Reversed(reason payment.UndoReason)
	Unmapped(link, code string) // a network code without a row in its table
	CaseOpened(kind string)
}

// Engine works for any number of callers at once.
type Engine struct {
	store    Store
	vault    Vault
	clock    clock.Clock
	crash    crash.Hook
	log      *slog.Logger
	accounts map[string]Account
	links    map[string]Link
	banks    map[string]Bank
	floats   floats
	waiting  waiting[Key] // for payouts to end

	merchants      map[string]Merchant
	receivers      map[string]Receiver
	byNumber       map[string]string // receivers by bank, slash, account number
	changed        waiting[string]   // for deposit orders to change, by their id
	depositNumbers *numbers
	payoutNumbers  *numbers
	deposits       queue.Bell // an order's end may be nearer than known

	numbers map[string]*numbers
	node    Node
	alive   atomic.Int64 // until when others count on this node, in microseconds since 1970
	maxHold time.Duration
	lanes   int
	meter   Meter
	flights flights
	unsent  sync.Map     // attempts of this life that never left, because nobody knew whether they were written down; when
	told    sync.Map     // the cases that operators were told of, by id
	nextEnd atomic.Int64 // when the earliest known hold ends, in microseconds since 1970
	nextDue atomic.Int64 // when the earliest known deposit order is due, likewise

	Advices queue.Bells // an advice may be due, by link
	Payouts queue.Bells // a payout may be due, by bank
	Notices queue.Chime // a notice may be due: the first bell is for those to Google, the second for those to merchants
	holds   queue.Bell  // a hold's end may be nearer than known
	contest queue.Bell  // a dispute's time may be nearer than known
	totals  queue.Bell  // a network's business day may have ended
	newDays sync.Map    // by acquirer: the business day that its network said has begun
}

// New makes an engine. It fails where an account names a link that there is not.
func New(c Config) (*Engine, error) {
	if c.Node.Now == nil {
		c.Node.Now = time.Now
	}
	e := &Engine{
		store: fenced{c.Store}, node: c.Node, vault: c.Vault, clock: c.Clock, crash: c.Crash, log: c.Log, links: map[string]Link{}, meter: c.Meter, lanes: c.Lanes,
		maxHold: c.MaxHold, accounts: map[string]Account{}, numbers: map[string]*numbers{},
		Advices: queue.NewBells(c.Links), Notices: queue.NewChime(2), holds: queue.NewBell(), contest: queue.NewBell(),
		merchants: map[string]Merchant{}, receivers: map[string]Receiver{}, byNumber: map[string]string{},
		depositNumbers: &numbers{series: "deposit-number"}, payoutNumbers: &numbers{series: "payout-number"}, deposits: queue.NewBell(),
		totals: queue.NewBell(), Payouts: queue.NewBells(c.Banks), banks: map[string]Bank{}, floats: floats{list: map[string]float{}, sent: map[string]int64{}},
	}
	for name, b := range c.Banks {
		e.banks[name] = b.withDefaults()
	}
	if e.maxHold == 0 {
		e.maxHold = 7 * 24 * time.Hour
	}
	if e.crash == nil {
		e.crash = crash.Never
	}
	for name, l := range c.Links {
		if len(l.Backoff) == 0 {
			l.Backoff = []time.Duration{5 * time.Second, 15 * time.Second, time.Minute} // rails §1.11 T8
		}
		if len(l.Alarms) == 0 {
			l.Alarms = []time.Duration{15 * time.Minute, 24 * time.Hour}
		}
		if l.Overtaken == 0 {
			l.Overtaken = time.Minute
		}
		if l.Zone == nil {
			l.Zone = time.UTC
		}
		if l.FileEvery == 0 {
			l.FileEvery = time.Hour
		}
		if l.Rail.CapturesByFile() && l.Files == nil {
			return nil, fmt.Errorf("acquirer %s takes captures by file, and there is nowhere to put files", name)
		}
		e.links[name] = l
		e.numbers[name] = &numbers{series: "acquirer/" + name}
	}
	if err := e.checkMerchants(c.Merchants, c.Receivers); err != nil {
		return nil, err
	}
	for _, a := range c.Accounts {
		if _, ok := c.Banks[a.Bank]; a.Bank != "" && !ok {
			return nil, fmt.Errorf("account %s: there is no payout bank %q", a.ID, a.Bank)
		}
		if _, ok := c.Links[a.Acquirer]; !ok && (a.Acquirer != "" || a.Bank == "") {
			return nil, fmt.Errorf("account %s: there is no acquirer %q", a.ID, a.Acquirer)
		}
		if a.Acquirer != "" && len(a.Terminals) == 0 {
			return nil, fmt.Errorf("account %s: no terminal", a.ID)
		}
		a.RefundWindow, a.DisputeWindow = cmp.Or(a.RefundWindow, 365*day), cmp.Or(a.DisputeWindow, 540*day)
		a.VerifyHold, a.DisputeWait, a.PartSize = cmp.Or(a.VerifyHold, day), cmp.Or(a.DisputeWait, 75*day), cmp.Or(a.PartSize, 1000)
		if err := a.Check(); err != nil {
			return nil, fmt.Errorf("account %s: %w", a.ID, err)
		}
		e.accounts[a.ID] = a
	}
	return e, nil
}

const day = 24 * time.Hour

// Account finds an account by its id.
func (e *Engine) Account(id string) (Account, bool) {
	a, ok := e.accounts[id]
	return a, ok
}

// errTaken says that another node took the key between our look and our write.
var errTaken = errors.New("engine: the key is taken")

// Once runs work for a request, or gives back what was answered before (design §3.2). Of any number of copies at once, one works and the
// others wait for it; other content under the same key is KeyReused; a copy whose time is up while the first is still working is Aborted.
// Only what work answers without an error is kept, by the verb that it calls, in the transaction of its effect.
func (e *Engine) Once(ctx context.Context, r Request, work func(context.Context, Turn) ([]byte, error)) ([]byte, error) {
	for {
		first, same, done := e.flights.join(r)
		if !first {
			if !same {
				return nil, errReused
			}
			select {
			case <-done:
				continue // it is answered, or it failed and this copy is judged afresh
			case <-ctx.Done():
				return nil, fault.New(fault.Aborted, "the first copy of this request is still being worked on")
			}
		}
		answer, err := e.lead(ctx, r, work)
		if !errors.Is(err, errTaken) {
			return answer, err
		}
		if err := e.clock.Sleep(ctx, e.clock.Now().Add(pollEvery), nil); err != nil { // another node works on it
			return nil, fault.New(fault.Aborted, "the first copy of this request is still being worked on")
		}
	}
}

const pollEvery = 20 * time.Millisecond

var errReused = fault.New(fault.KeyReused, "requestId was used before with other content")

func (e *Engine) lead(ctx context.Context, r Request, work func(context.Context, Turn) ([]byte, error)) ([]byte, error) {
	defer e.flights.leave(r.Key)
	row, seen, err := e.store.Recall(ctx, r.Key)
	if err != nil {
		return nil, unavailable(err)
	}
	if !seen {
		answer, err := work(ctx, Turn{r})
		if err != nil && e.shared() { // perhaps because of what another node has done for a copy of this request meanwhile
			if row, there, look := e.store.Recall(ctx, r.Key); look == nil && there && (row.Done || row.Node != e.node.ID) {
				return nil, errTaken
			}
		}
		return answer, err
	}
	same, err := e.vault.Verify(row.Fingerprint, "request", r.Content)
	switch {
	case err != nil:
		return nil, err
	case !same:
		return nil, errReused
	case !row.Done:
		return nil, errTaken
	}
	e.meter.Replayed(r.Account)
	return e.vault.Open(row.Answer, answerPlace(r.Key))
}

func answerPlace(k Key) string { return "idempotency.answer/" + k.Account + "/" + k.RequestID }

// unavailable is what the caller hears when the store does not work: nothing is decided, ask again.
func unavailable(err error) error {
	var f *fault.Error
	if errors.As(err, &f) || errors.Is(err, errTaken) {
		return err
	}
	return fault.Wrap(fault.Unavailable, err, "")
}

// open writes the row that gives this request its turn, answered or not.
func (e *Engine) open(tx Tx, t Turn, at time.Time, answer []byte) error {
	print, err := e.vault.Digest("request", t.request.Content)
	if err != nil {
		return err
	}
	row := Idempotency{Key: t.request.Key, Method: t.request.Method, Fingerprint: print, Done: answer != nil, CreatedAt: at, Node: e.node.ID}
	if answer != nil {
		if row.Answer, err = e.vault.Seal(answer, answerPlace(row.Key)); err != nil {
			return err
		}
	}
	mine, err := tx.InsertIdempotency(row)
	if err == nil && !mine {
		err = errTaken
	}
	return err
}

// close stores the answer for ever.
func (e *Engine) close(tx Tx, k Key, answer []byte, at time.Time) error {
	sealed, err := e.vault.Seal(answer, answerPlace(k))
	if err != nil {
		return err
	}
	return tx.FinishIdempotency(k, sealed, at)
}

// A change is one event of a reservation as it is being written.
type change struct {
	actor    string
	detail   string
	at       time.Time
	keepCard bool      // a message that is still owed to the network names the card
	touched  *[]string // the deposit orders that changed
}

// step applies an event to a reservation and writes all that belongs to it: the new state, the journal, the money.
// A reservation that somebody else has changed meanwhile fails the transaction with errRaced.
func (e *Engine) step(tx Tx, r payment.Reservation, ev payment.Event, c change) (payment.Reservation, error) {
	next, moved, err := r.After(ev)
	if err != nil {
		return r, err
	}
	event, err := e.record(&next, "", string(ev), string(next.State), c)
	if err != nil {
		return r, err
	}
	if !next.NeedsCard() && !c.keepCard {
		next.Card = nil
	}
	if ok, err := tx.UpdateReservation(next, c.at); err != nil {
		return r, err
	} else if !ok {
		return r, errRaced
	}
	if err := e.write(tx, event, moved); err != nil {
		return r, err
	}
	return next, e.chargeHold(tx, r, next, ev, event)
}

// note writes an event of something that hangs on a payment, such as a refund: the journal and the money. The reservation stays where it is;
// its version grows, so that of two that change one payment at a time only one succeeds.
func (e *Engine) note(tx Tx, r *payment.Reservation, object, event, state string, moved []ledger.Posting, c change) (JournalEvent, error) {
	j, err := e.record(r, object, event, state, c)
	if err != nil {
		return j, err
	}
	r.Version++
	if ok, err := tx.UpdateReservation(*r, c.at); err != nil {
		return j, err
	} else if !ok {
		return j, errRaced
	}
	return j, e.write(tx, j, moved)
}

func (e *Engine) write(tx Tx, event JournalEvent, moved []ledger.Posting) error {
	if err := tx.AppendEvent(event); err != nil {
		return err
	}
	return tx.Post(event, moved)
}

var errRaced = errors.New("engine: somebody was faster")

// record makes the next link of the reservation's journal.
func (e *Engine) record(r *payment.Reservation, object, event, state string, c change) (JournalEvent, error) {
	return e.link(&r.Chain, JournalEvent{Payment: r.ID, At: c.at, Object: object, Event: event, State: state, Actor: c.actor, Detail: c.detail})
}

// link puts an event at the end of a chain.
func (e *Engine) link(c *payment.Chain, j JournalEvent) (JournalEvent, error) {
	j.N = c.Length + 1
	digest, err := e.vault.Digest("journal", c.Digest, j.Bytes())
	if err != nil {
		return j, err
	}
	j.Digest = digest
	*c = payment.Chain{Length: j.N, Digest: digest}
	return j, nil
}

// AccountJournal is the name of the journal of what belongs to an account and to none of its payments.
func AccountJournal(account string) string { return "account/" + account }

// enter writes an event into the book of an account.
func (e *Engine) enter(tx Tx, account, object, event, state string, moved []ledger.Posting, c change) (JournalEvent, error) {
	chain, err := tx.AccountBook(account)
	if err != nil {
		return JournalEvent{}, err
	}
	j, err := e.link(&chain, JournalEvent{
		Payment: AccountJournal(account), At: c.at, Object: object, Event: event, State: state, Actor: c.actor, Detail: c.detail,
	})
	if err != nil {
		return j, err
	}
	if ok, err := tx.UpdateAccountBook(account, chain); err != nil {
		return j, err
	} else if !ok {
		return j, errRaced
	}
	return j, e.write(tx, j, moved)
}

// Bytes is what the digest of an event covers beside the digest before it.
func (j JournalEvent) Bytes() []byte {
	text := fmt.Appendf(nil, "%s\x00%d\x00%d\x00%s\x00%s\x00%s\x00%s", j.Payment, j.N, j.At.UnixMicro(), j.Event, j.State, j.Actor, j.Detail)
	if j.Object != "" {
		text = append(append(text, 0), j.Object...)
	}
	return text
}

// newID makes an identifier of our own: UUID version 7, so that rows are stored in the order in which they were made.
func newID() string { return uuid.Must(uuid.NewV7()).String() }

// reportCase tells the operators of a case that was opened.
func (e *Engine) reportCase(c Case) {
	e.meter.CaseOpened(c.Kind)
	e.log.Error("a case needs an operator", "kind", c.Kind, "payment", c.Payment, "detail", c.Detail)
}

// Bytes is what the digest of a checkpoint covers beside the checkpoint before it and the events' digests.
func (p Checkpoint) Bytes() []byte { return fmt.Appendf(nil, "%d\x00%d\x00%d", p.N, p.LastID, p.Count) }
