package store

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"naru/crash"
	"naru/engine"
	"naru/pgserver"
	"naru/pgserver/pgtest"
)

// clustered is a store on a fresh PostgreSQL database.
func clustered(t *testing.T, o Options) *Store {
	t.Helper()
	o.Careless, o.Settled = true, -1
	return opened(t, pgtest.URL(t), o)
}

func noted(id string) func(engine.Tx) error {
	return func(tx engine.Tx) error { return tx.OpenCase(engine.Case{ID: id, Kind: "test", At: time.Unix(1, 0)}) }
}

func isNoted(t *testing.T, s *Store, id string) (ok bool) {
	t.Helper()
	err := s.View(t.Context(), func(v engine.Reader) (err error) {
		_, ok, err = v.Case(id)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

const hangUp = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()`

// cut ends every other connection to the database.
func cut(t *testing.T, c *session) {
	t.Helper()
	config := c.conn.(*wire).raw.Config()
	config.DialFunc = new(net.Dialer).DialContext // its own dials no more
	other, err := pgx.ConnectConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close(context.WithoutCancel(t.Context())) }()
	if _, err := other.Exec(t.Context(), hangUp); err != nil {
		t.Fatal(err)
	}
}

// A transaction whose connection breaks before its commit is sent has done nothing: it runs again on another.
func TestABrokenConnectionIsReplaced(t *testing.T) {
	s := clustered(t, Options{})
	tries := 0
	err := s.Update(t.Context(), func(tx engine.Tx) error {
		if _, _, err := tx.Case("x"); err != nil {
			return err
		}
		if tries++; tries == 1 {
			cut(t, tx.(*session))
		}
		if _, _, err := tx.Case("x"); err != nil {
			return err
		}
		return noted("x")(tx)
	})
	if err != nil || tries != 2 || !isNoted(t, s, "x") {
		t.Errorf("%d tries, %v", tries, err)
	}
}

// The same in front of the commit: what ended before it was told of the commit has not committed.
func TestAConnectionThatEndsBeforeTheCommit(t *testing.T) {
	var inside *session
	ends := func() {}
	s := clustered(t, Options{Crash: func(p crash.Point) {
		if p == crash.CommitBefore {
			ends()
		}
	}})
	if err := s.Update(t.Context(), noted("before")); err != nil { // its statements are prepared
		t.Fatal(err)
	}
	tries := 0
	ends = sync.OnceFunc(func() { cut(t, inside) })
	err := s.Update(t.Context(), func(tx engine.Tx) error {
		tries++
		inside = tx.(*session)
		if _, _, err := tx.Case("x"); err != nil {
			return err
		}
		return noted("x")(tx)
	})
	if err != nil || tries != 2 || !isNoted(t, s, "x") {
		t.Errorf("%d tries, %v", tries, err)
	}
}

// Two that change one row run one after the other, whatever they read before.
func TestTheSlowerOneRunsAgain(t *testing.T) {
	s := clustered(t, Options{})
	series := func(tx engine.Tx) (int64, error) { return tx.TakeNumbers("n", 1) }
	tries := 0
	var got int64
	err := s.Update(t.Context(), func(tx engine.Tx) (err error) {
		if _, _, err := tx.Case("x"); err != nil { // from here on it sees one state
			return err
		}
		if tries++; tries == 1 {
			err := s.Update(t.Context(), func(other engine.Tx) error {
				_, err := series(other)
				return err
			})
			if err != nil {
				return err
			}
		}
		got, err = series(tx)
		return err
	})
	if err != nil || tries != 2 || got != 1 {
		t.Errorf("%d tries, number %d, %v", tries, got, err)
	}
}

func TestAGuardComesFirst(t *testing.T) {
	s := clustered(t, Options{})
	err := s.Update(t.Context(), func(tx engine.Tx) error {
		if _, _, err := tx.Case("x"); err != nil {
			return err
		}
		return tx.Guard("late")
	})
	if err == nil || !strings.Contains(err.Error(), "before everything else") {
		t.Error(err)
	}
}

// Who waits for a guard keeps no connection from others: one merchant that asks for much does not stop the rest.
func TestWhoWaitsForAGuardHoldsNoConnection(t *testing.T) {
	s := clustered(t, Options{Connections: 2})
	gate, inside := make(chan struct{}), make(chan struct{})
	enter := sync.OnceFunc(func() { close(inside) })
	ended := make(chan error, 4)
	guard := func(id string, before func()) {
		ended <- s.Update(t.Context(), func(tx engine.Tx) error {
			if err := tx.Guard("m"); err != nil {
				return err
			}
			before()
			return noted(id)(tx)
		})
	}
	go guard("first", func() { enter(); <-gate })
	<-inside
	for i := range 3 {
		go guard(fmt.Sprint("waits", i), func() {})
	}
	for i := range 3 {
		if err := s.Update(t.Context(), noted(fmt.Sprint("other", i))); err != nil {
			t.Error(err)
		}
	}
	close(gate)
	for range 4 {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if !isNoted(t, s, "waits2") {
		t.Error("who waited did not come to it")
	}
}

// A server that acknowledges before the disk has it is refused, and no error shows a password.
func TestACarelessServerIsRefused(t *testing.T) {
	place := pgtest.URL(t)
	if s, err := Open(t.Context(), place, Options{}); err == nil || !strings.Contains(err.Error(), "would not be durable") {
		t.Error(err)
		if err == nil {
			_ = s.Close()
		}
	}
	for _, bad := range []string{"postgres://u:hush-hush@127.0.0.1:1/x?connect_timeout=1", "postgres://u:hush-hush@[::1/x"} {
		if _, err := Open(t.Context(), bad, Options{}); err == nil || strings.Contains(fmt.Sprint(err), "hush-hush") {
			t.Errorf("%v", err)
		}
	}
}

// What happens to the money when the standby does not answer: a commit that waits for it is given up and stays unseen, because nobody lets it go on
// the server. It must not be seen, or a repeat would be told what a promoted standby does not know.
func TestACommitThatWaitsForItsStandbyStaysUnseen(t *testing.T) {
	ctx := t.Context()
	primary, err := pgserver.Start(ctx, pgserver.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = primary.Kill() }()
	if err := primary.Create(ctx, "naru", ""); err != nil {
		t.Fatal(err)
	}
	s := opened(t, primary.URL("naru"), Options{Settled: -1})
	standby, err := primary.Standby(ctx, t.TempDir(), "one")
	if err != nil {
		t.Fatal(err)
	}
	if err := primary.Synchronous(ctx, "one"); err != nil {
		t.Fatal(err)
	}
	if err := s.Update(ctx, noted("both")); err != nil {
		t.Fatal(err)
	}
	if err := standby.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := s.Update(ctx, noted("one")); !errors.Is(err, errUncertain) {
		t.Errorf("a commit that waits: %v", err)
	}
	if !isNoted(t, s, "both") || isNoted(t, s, "one") {
		t.Error("a commit that no standby has is seen")
	}
}
