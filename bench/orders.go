package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"naru/clock"
	"naru/core/card"
	"naru/core/deposit"
	"naru/core/ledger"
	"naru/core/money"
	"naru/core/payment"
	"naru/engine"
	"naru/store"
	"naru/vault"
)

// office is an engine in this process, with the same merchant as the server's.
type office struct {
	store  *store.Store
	engine *engine.Engine
}

// gather is what the platform lets a commit wait for company.
const gather = 3 * time.Millisecond

// openOffice opens a database of its own. through stands between the engine and its store.
func openOffice(ctx context.Context, at *server, name string, through func(engine.Store) engine.Store) (*office, error) {
	kek, err := vault.ReadKEK(filepath.Join(at.dir, "kek"))
	if err != nil {
		return nil, err
	}
	place, err := at.home.place(ctx, name)
	if err != nil {
		return nil, err
	}
	s, err := store.Open(ctx, place, store.Options{Gather: gather})
	if err != nil {
		return nil, err
	}
	keys, err := vault.Open(kek, s)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	none := money.New(0, won) // no limit
	e, err := engine.New(engine.Config{
		Store: through(s), Vault: keys, Clock: &clock.Movable{}, Log: slog.New(slog.DiscardHandler), Meter: noMeter{},
		Receivers: []engine.Receiver{{ID: "main", Bank: "011", Number: "100200300400", Holder: "Bench", DayLimit: none}},
		Merchants: []engine.Merchant{{ID: platformID, Location: time.UTC, Deposits: []engine.DepositService{{
			ID: serviceID, Limits: engine.Limits{Least: none, Most: none}, Receivers: []string{"main"}, Life: 24 * time.Hour, RealName: true,
		}}}},
	})
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return &office{s, e}, nil
}

type noMeter struct{}

func (noMeter) Replayed(string)             {}
func (noMeter) Reversed(payment.UndoReason) {}
func (noMeter) Unmapped(string, string)     {}
func (noMeter) CaseOpened(string)           {}

var won = money.Of("KRW")

// create makes the nth order as the API would.
func (o *office) create(ctx context.Context, n int) (deposit.Order, error) {
	return o.engine.CreateDeposit(ctx, engine.DepositAsk{
		Merchant: platformID, Service: serviceID, ClientID: fmt.Sprintf("bench-%d", n), Generation: 1, Amount: money.New(payerAmount(n), won),
		Payer: deposit.Payer{Name: card.Conceal(payerName(n))}, NotifyURL: notifyURL, SignType: "HMAC-SHA256",
	})
}

// Payers have 18,000 names and pay 500 amounts: many orders share either, and no two of nine million share both.
const (
	surnames = "김이박최정강조윤장임한오서신권황안송전홍"
	givens   = "민서지우현준하은도윤시아예진수빈영재성호경태유나다라마바혜솔"
	amounts  = 500
)

// payerName is who pays the nth order.
func payerName(n int) string {
	family, given := []rune(surnames), []rune(givens)
	n %= payers
	return string([]rune{family[n%20], given[n/20%30], given[n/600%30]})
}

const payers = 20 * 30 * 30

// payerAmount is what the nth order is about, in won.
func payerAmount(n int) int64 { return int64(1+(n+n/payers)%amounts) * 1000 }

// floor writes what the creation of an order writes, and nothing else: through a store of the same kind, gathered in the same way.
type floor struct {
	*office
	at       *server
	recorder *recorder
	made     int
}

func openFloor(ctx context.Context, at *server) (*floor, error) {
	f := &floor{at: at}
	var err error
	f.office, err = openOffice(ctx, at, "floor", func(s engine.Store) engine.Store {
		f.recorder = &recorder{Store: s}
		return f.recorder
	})
	return f, err
}

func (f *floor) close() error { return f.store.Close() }

// floorRate is how many commits a phase has rows for, for each second; one that used them up ends early.
const floorRate = 8000

// commits is the CPU time of a bare commit of the rows of one order. The rows are made before.
func (f *floor) commits(ctx context.Context, workers int, d time.Duration) (phase, error) {
	f.recorder.rows = f.recorder.rows[:0]
	for len(f.recorder.rows) < min(workers*1000, floorRate)*int(d.Seconds()+1) {
		_, _, err := together(ctx, 64, 100*time.Millisecond, func(n int) error {
			_, err := f.create(ctx, f.made+n)
			return err
		})
		if err != nil {
			return phase{}, err
		}
		f.made += len(f.recorder.rows)
	}
	rows := f.recorder.rows
	return measured(f.at.spentHere, func() (int, time.Duration, error) {
		return together(ctx, workers, d, func(n int) error {
			if n >= len(rows) {
				return errEnough
			}
			return f.store.Update(ctx, rows[n].write)
		})
	})
}

// recorder is a store that keeps what an order would have written, and writes none of it.
type recorder struct {
	engine.Store
	mu   sync.Mutex
	rows []orderRows
}

// orderRows is all that the creation of an order writes; a number of it is taken from a block of many.
type orderRows struct {
	order deposit.Order
	name  []byte
	event engine.JournalEvent
}

func (r orderRows) write(tx engine.Tx) error {
	if mine, err := tx.InsertOrder(r.order, r.name); err != nil || !mine {
		return errors.Join(err, fmt.Errorf("a row of the floor is there already: %t", !mine))
	}
	return tx.AppendEvent(r.event)
}

func (r *recorder) Update(ctx context.Context, work func(engine.Tx) error) error {
	var t recording
	err := r.Store.Update(ctx, func(tx engine.Tx) error {
		t = recording{Tx: tx}
		return work(&t)
	})
	if err == nil && t.rows.order.ID != "" {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.rows = append(r.rows, t.rows)
	}
	return err
}

type recording struct {
	engine.Tx
	rows orderRows
}

func (t *recording) InsertOrder(o deposit.Order, name []byte) (bool, error) {
	t.rows.order, t.rows.name = o, name
	return true, nil
}

func (t *recording) AppendEvent(e engine.JournalEvent) error {
	t.rows.event = e
	return nil
}

// Post refuses money: an order that nobody has paid moves none.
func (t *recording) Post(_ engine.JournalEvent, p []ledger.Posting) error {
	if len(p) > 0 {
		return errors.New("the creation of an order moved money: the floor does not write that")
	}
	return nil
}
