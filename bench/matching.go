package bench

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	"naru/core/card"
	"naru/core/deposit"
	"naru/core/money"
	"naru/engine"
)

// Matching is what it takes to find the orders of credits. Times are milliseconds for one credit.
type Matching struct {
	Open    int     `json:"open_orders"`
	SeedS   float64 `json:"seeding_seconds"` // wall time: orders of the engine, 256 at once
	Credits int     `json:"credits"`
	PerFile int     `json:"credits_in_a_file"`
	Paid    int     `json:"orders_paid"` // each by its own credit
	WallMS  float64 `json:"credit_wall_ms"`
	CPUMS   float64 `json:"credit_cpu_ms"`
	FileMS  float64 `json:"slowest_file_wall_ms"`

	DatabaseMS float64 `json:"credit_database_cpu_ms"`
}

// perFile is how many credits a bank tells at once.
const perFile = 50

// matching lets an engine in this process make open orders, as the API would have it make them, and then hear of credits for some of them.
func matching(ctx context.Context, o MerchantOptions, at *server) (m Matching, err error) {
	desk, err := openOffice(ctx, at, "matching", func(s engine.Store) engine.Store { return s })
	if err != nil {
		return m, err
	}
	defer func() { err = errors.Join(err, desk.store.Close()) }()
	fmt.Fprintf(o.Progress, "%d open orders\n", o.Open)
	start := time.Now()
	if err := desk.seed(ctx, o.Open); err != nil {
		return m, err
	}
	m = Matching{Open: o.Open, SeedS: time.Since(start).Seconds(), Credits: min(o.Credits, o.Open), PerFile: perFile}
	fmt.Fprintf(o.Progress, "%d credits\n", m.Credits)
	var files []deposit.Message
	for first := 0; first < m.Credits; first += perFile {
		files = append(files, file(first, min(first+perFile, m.Credits), m.Open/m.Credits))
	}
	p, err := measured(at.spentHere, func() (int, time.Duration, error) {
		start := time.Now()
		for _, f := range files {
			began := time.Now()
			if _, err := desk.engine.TakeMessage(ctx, f); err != nil {
				return 0, 0, err
			}
			m.FileMS = max(m.FileMS, time.Since(began).Seconds()*1000)
		}
		return m.Credits, time.Since(start), nil
	})
	if err != nil {
		return m, err
	}
	m.WallMS, m.CPUMS, m.DatabaseMS = 1000/p.perSecond, p.cpu, p.database
	for n := range m.Credits {
		x, ok, err := desk.engine.DepositByClient(ctx, platformID, fmt.Sprintf("bench-%d", n*(m.Open/m.Credits)))
		if err != nil {
			return m, err
		}
		if ok && x.State == deposit.Paid && x.Real == x.Amount {
			m.Paid++
		}
	}
	if m.Paid != m.Credits {
		return m, fmt.Errorf("%d of %d credits found their orders", m.Paid, m.Credits)
	}
	return m, nil
}

// seed makes orders 0 to n-1, as many at once as one commit holds.
func (o *office) seed(ctx context.Context, n int) error {
	const noEnd = time.Hour
	_, _, err := together(ctx, 256, noEnd, func(i int) error {
		if i >= n {
			return errEnough
		}
		_, err := o.create(ctx, i)
		return err
	})
	return err
}

// file is what a bank tells of the credits from first up to end: they pay every stepth order.
func file(first, end, step int) deposit.Message {
	id := fmt.Sprintf("bench-%d", first)
	digest := sha256.Sum256([]byte(id))
	now := time.Now()
	r := deposit.Report{Bank: "011", Account: "100200300400"}
	for n := first; n < end; n++ {
		r.Entries = append(r.Entries, deposit.Entry{
			Bank: r.Bank, Account: r.Account, ID: fmt.Sprintf("credit-%d", n), Amount: money.New(payerAmount(n*step), won),
			Name: card.Conceal(payerName(n * step)), BookedAt: now,
		})
	}
	return deposit.Message{
		Feed: "bench", ID: id, Kind: deposit.Notification, Digest: hex.EncodeToString(digest[:]), Reports: []deposit.Report{r},
	}
}
