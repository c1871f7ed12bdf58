package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"naru/core/flow"
	"naru/core/ledger"
	"naru/core/money"
	"naru/core/payment"
	"naru/crash"
	"naru/engine"
)

func opened(t *testing.T, path string, o Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func file(t *testing.T) string { return filepath.Join(t.TempDir(), "naru.db") }

// inside runs SQL on the writer's connection, in a transaction.
func inside(s *Store, work func(*session) error) error {
	return s.Update(context.Background(), func(tx engine.Tx) error { return work(tx.(*session)) })
}

func reserve(tx engine.Tx, id string) error {
	krw := money.Of("KRW")
	return tx.InsertReservation(payment.Reservation{
		ID: id, Account: "P", RequestID: id, State: payment.Pending, Version: 1, Amount: money.New(1, krw), Captured: money.New(0, krw),
		Card: bytes.Repeat([]byte{7}, 2000), Chain: payment.Chain{Digest: []byte{1}},
	}, time.Unix(1, 0))
}

func has(t *testing.T, s *Store, id string) (ok bool) {
	t.Helper()
	err := s.View(t.Context(), func(r engine.Reader) (err error) {
		_, ok, err = r.Reservation(id)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

// Design §3.7: "acknowledged means durable" rests on these, on every connection.
func TestPragmas(t *testing.T) {
	s := opened(t, file(t), Options{})
	want := map[string]string{
		"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "secure_delete": "1", "trusted_schema": "0", "cell_size_check": "1",
		"temp_store": "2", "busy_timeout": "5000", "query_only": "0",
	}
	check := func(c *session) error {
		for pragma, w := range want {
			var got string
			if err := c.conn.QueryRowContext(t.Context(), "PRAGMA "+pragma).Scan(&got); err != nil || got != w {
				t.Errorf("%s is %q, not %q: %v", pragma, got, w, err)
			}
		}
		return nil
	}
	if err := inside(s, check); err != nil {
		t.Fatal(err)
	}
	want["query_only"] = "1"
	for range cap(s.read) {
		if err := s.look(t.Context(), check); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAWeakDatabaseIsRefused(t *testing.T) {
	db, err := sql.Open("sqlite", file(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, step := range []string{
		"journal_mode = WAL", "synchronous = NORMAL", "synchronous = FULL", "foreign_keys = ON",
		"journal_mode = DELETE",
	} {
		if _, err := conn.ExecContext(t.Context(), "PRAGMA "+step); err != nil {
			t.Fatal(err)
		}
		if err := (&session{conn: conn}).assertDurable(t.Context()); err == nil || !strings.Contains(err.Error(), "must be") {
			t.Errorf("after %s: %v", step, err)
		}
	}
	for _, pragma := range []string{"journal_mode = WAL", "secure_delete = ON"} {
		if _, err := conn.ExecContext(t.Context(), "PRAGMA "+pragma); err != nil {
			t.Fatal(err)
		}
	}
	if err := (&session{conn: conn}).assertDurable(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestReadersCannotWrite(t *testing.T) {
	s := opened(t, file(t), Options{})
	if err := s.look(t.Context(), func(c *session) error { return c.InsertNotice(engine.Notice{}) }); err == nil {
		t.Error("a reader wrote")
	}
}

func TestOneHandleOwnsADatabase(t *testing.T) {
	path := file(t)
	s := opened(t, path, Options{})
	if _, err := Open(t.Context(), path, Options{}); err == nil || !strings.Contains(err.Error(), "another process has naru.db open") {
		t.Errorf("two handles on one database: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	opened(t, path, Options{})
}

func TestFilesAreForTheirOwnerOnly(t *testing.T) {
	path := file(t)
	s := opened(t, path, Options{})
	if err := s.Update(t.Context(), func(tx engine.Tx) error { return reserve(tx, "r") }); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(path + "*")
	if err != nil || len(files) < 3 {
		t.Fatal(files, err)
	}
	for _, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s is %v", filepath.Base(f), info.Mode())
		}
	}
}

func TestReopeningKeepsWhatWasCommitted(t *testing.T) {
	path := file(t)
	for i := range 3 {
		s := opened(t, path, Options{})
		for j := range i {
			if !has(t, s, fmt.Sprint(j)) {
				t.Errorf("%d was lost", j)
			}
		}
		if err := s.Update(t.Context(), func(tx engine.Tx) error { return reserve(tx, fmt.Sprint(i)) }); err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAClosedStoreTakesNoWork(t *testing.T) {
	s := opened(t, file(t), Options{})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Update(t.Context(), func(engine.Tx) error { t.Error("ran"); return nil }); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if err := s.View(t.Context(), func(engine.Reader) error { t.Error("looked"); return nil }); err == nil {
		t.Error("a closed store was read")
	}
	if err := s.Close(); err != nil {
		t.Error("closing twice:", err)
	}
}

// Whatever Close finds taken is finished; whatever comes later is refused. Nothing is told a success that was not written.
func TestClosingUnderLoadLosesNothing(t *testing.T) {
	path := file(t)
	s := opened(t, path, Options{})
	var all sync.WaitGroup
	var mu sync.Mutex
	told := map[string]bool{}
	begun := make(chan struct{}, 200)
	for i := range 200 {
		all.Go(func() {
			id := fmt.Sprint(i)
			err := s.Update(context.Background(), func(tx engine.Tx) error { begun <- struct{}{}; return reserve(tx, id) })
			if err != nil && !errors.Is(err, ErrClosed) {
				t.Error(err)
			}
			mu.Lock()
			told[id] = err == nil
			mu.Unlock()
		})
	}
	<-begun
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	all.Wait()
	again := opened(t, path, Options{})
	for id, ok := range told {
		if has(t, again, id) != ok {
			t.Errorf("%s was told %v", id, ok)
		}
	}
}

func TestLedgerAndJournalAreAppendOnly(t *testing.T) {
	s := opened(t, file(t), Options{})
	event := engine.JournalEvent{Payment: "r", N: 1, At: time.Unix(1, 0), Digest: []byte{1}}
	err := s.Update(t.Context(), func(tx engine.Tx) error {
		return errors.Join(tx.AppendEvent(event), tx.Post(event, []ledger.Posting{ledger.Hold("P", money.New(5, money.Of("KRW")))}))
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		"UPDATE posting SET amount = 6", "DELETE FROM posting", "UPDATE event SET detail = 'x'", "DELETE FROM event",
	} {
		if err := inside(s, func(c *session) error { return c.run(statement) }); err == nil || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s: %v", statement, err)
		}
	}
}

// The schema's lists of states are those of the rules.
func TestSchemaKnowsTheRules(t *testing.T) {
	s := opened(t, file(t), Options{})
	for table, want := range map[string][]string{
		"reservation": names(payment.Rules.States()),
		"attempt":     names(payment.AttemptRules.States()),
		"advice":      names(payment.AdviceRules.States()),
		"capture":     {"PENDING", "SUCCESS", "EXPIRED", "REVOKED"},
		"cancel":      {"PENDING", "SUCCESS"},
		"notice":      {"QUEUED", "SENT", "PARKED"},
	} {
		var text string
		err := s.look(t.Context(), func(c *session) error {
			_, err := c.one("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = $1", []any{table}, &text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		list := regexp.MustCompile(`CHECK \(state IN \(([^)]*)\)\)`).FindStringSubmatch(text)
		if list == nil {
			t.Errorf("%s has no list of states", table)
			continue
		}
		got := regexp.MustCompile(`\w+`).FindAllString(list[1], -1)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%s: the schema knows %v, the rules %v", table, got, want)
		}
	}
}

func names[S ~string](states []S) (list []string) {
	for _, s := range states {
		list = append(list, string(s))
	}
	return list
}

// What may hold money is live in the index that allows one live attempt, and only that: a state is live exactly if something can follow it.
func TestLiveAttemptsAreThoseThatCanStillChange(t *testing.T) {
	s := opened(t, file(t), Options{})
	var text string
	err := s.look(t.Context(), func(c *session) error {
		_, err := c.one("SELECT sql FROM sqlite_master WHERE name = 'attempt_live'", nil, &text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, state := range payment.AttemptRules.States() {
		if listed := strings.Contains(text, "'"+string(state)+"'"); listed != canChange(payment.AttemptRules, state) {
			t.Errorf("%s is in the index: %v", state, listed)
		}
	}
}

func canChange[S, E ~string](r flow.Rules[S, E], s S) bool { return len(r[s]) > 0 }

// gather makes the writer busy until all of the work is waiting behind it, so that it ends up in one commit.
func gather(t *testing.T, s *Store, work []func(engine.Tx) error) []error {
	t.Helper()
	gate, errs := make(chan struct{}), make([]error, len(work))
	var all sync.WaitGroup
	busy := make(chan struct{})
	all.Go(func() {
		_ = s.Update(context.Background(), func(engine.Tx) error { close(busy); <-gate; return errors.New("only to keep it busy") })
	})
	<-busy
	for i, w := range work { // queued as Update does it, in this order
		j := &job{w, make(chan error, 1)}
		s.jobs <- j
		all.Go(func() { errs[i] = <-j.done })
	}
	close(gate)
	all.Wait()
	return errs
}

func TestABatchIsOneCommit(t *testing.T) {
	commits := 0
	s := opened(t, file(t), Options{Crash: func(p crash.Point) {
		if p == crash.CommitAfter {
			commits++
		}
	}})
	var work []func(engine.Tx) error
	for i := range 30 {
		work = append(work, func(tx engine.Tx) error { return reserve(tx, fmt.Sprint(i)) })
	}
	commits = 0
	for i, err := range gather(t, s, work) {
		if err != nil || !has(t, s, fmt.Sprint(i)) {
			t.Errorf("%d: %v", i, err)
		}
	}
	if commits != 1 {
		t.Errorf("%d commits", commits)
	}
}

// In one batch, good ones stay and bad ones go, wherever they stand: first, last, between, all.
func TestBadNeighboursInOneBatch(t *testing.T) {
	s := opened(t, file(t), Options{})
	bad := map[rune]func(engine.Tx) error{
		'e': func(engine.Tx) error { return errors.New("failed on purpose") },
		'p': func(engine.Tx) error { panic("on purpose") },
		'c': func(tx engine.Tx) error { return reserve(tx, "taken") }, // a broken constraint
		'n': func(tx engine.Tx) error { // its only writing is a number
			if _, err := tx.TakeNumbers("n", 1); err != nil {
				return err
			}
			return errors.New("failed after it took a number")
		},
		'r': func(tx engine.Tx) error { // it wrote nothing
			_, _, err := tx.Reservation("taken")
			return errors.Join(err, errors.New("failed after it read"))
		},
	}
	if err := s.Update(t.Context(), func(tx engine.Tx) error { return reserve(tx, "taken") }); err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{
		"eg", "ge", "geg", "eeg", "gee", "pgp", "gpg", "cgc", "gcg", "ecpgecpg", "eee", "ppp", "gg",
		"ng", "gng", "rg", "grg", "nrgnrg", "nnn",
	} {
		var work []func(engine.Tx) error
		for i, kind := range pattern {
			id := fmt.Sprint(pattern, i)
			work = append(work, func(tx engine.Tx) error {
				if kind != 'n' && kind != 'r' {
					if err := reserve(tx, id); err != nil {
						return err
					}
				}
				if b, ok := bad[kind]; ok {
					return b(tx)
				}
				return nil
			})
		}
		for i, err := range gather(t, s, work) {
			good := pattern[i] == 'g'
			if (err == nil) != good || has(t, s, fmt.Sprint(pattern, i)) != good {
				t.Errorf("%s, %d: %v", pattern, i, err)
			}
		}
	}
	if err := s.Update(t.Context(), func(tx engine.Tx) error {
		first, err := tx.TakeNumbers("n", 1)
		if first != 0 {
			t.Errorf("%d numbers of failed transactions are gone", first)
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
}

// The disk is full: the whole batch is told so, nothing of it stays, nothing before it is lost, and it goes on when there is room again.
func TestFullDiskFailsTheBatchAndLosesNothing(t *testing.T) {
	path := file(t)
	s := opened(t, path, Options{})
	if err := s.Update(t.Context(), func(tx engine.Tx) error { return reserve(tx, "before") }); err != nil {
		t.Fatal(err)
	}
	var pages, room int
	limit := func(n int) {
		if err := inside(s, func(c *session) error {
			return c.conn.QueryRowContext(t.Context(), fmt.Sprintf("PRAGMA max_page_count = %d", n)).Scan(&room)
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := inside(s, func(c *session) error { return c.conn.QueryRowContext(t.Context(), "PRAGMA page_count").Scan(&pages) }); err != nil {
		t.Fatal(err)
	}
	limit(pages + 4)
	var work []func(engine.Tx) error
	for i := range 20 {
		work = append(work, func(tx engine.Tx) error { return reserve(tx, fmt.Sprint(i)) })
	}
	full := 0
	errs := gather(t, s, work)
	if errs[0] == nil {
		t.Error("the first fitted, but its batch did not: it must fail with the others")
	}
	for i, err := range errs {
		var e *sqlite.Error
		if errors.As(err, &e) && e.Code() == sqlite3.SQLITE_FULL {
			full++
		} else if err != nil {
			t.Errorf("%d: %v", i, err)
		}
		if has(t, s, fmt.Sprint(i)) != (err == nil) {
			t.Errorf("%d was told %v", i, err)
		}
	}
	if full < 2 {
		t.Errorf("only %d were told that the disk is full", full)
	}
	if !has(t, s, "before") {
		t.Error("what was committed before is gone")
	}
	limit(1 << 30)
	if err := s.Update(t.Context(), func(tx engine.Tx) error { return reserve(tx, "after") }); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again := opened(t, path, Options{})
	if !has(t, again, "before") || !has(t, again, "after") {
		t.Error("lost on the way")
	}
}

func TestErrorsNameTheStatementAndNoValue(t *testing.T) {
	s := opened(t, file(t), Options{})
	work := func(tx engine.Tx) error {
		return tx.InsertNotice(engine.Notice{ID: "9999990000000006", Kind: "9999990000000006"})
	}
	err := s.Update(t.Context(), work)
	if err == nil || !strings.Contains(err.Error(), "INSERT INTO notice") || strings.Contains(err.Error(), "9999990000000006") {
		t.Error(err)
	}
}

func TestKeysetsAreWrittenOnce(t *testing.T) {
	s := opened(t, file(t), Options{})
	if _, ok, err := s.LoadKeyset("k"); ok || err != nil {
		t.Error(ok, err)
	}
	for i, want := range []bool{true, false} {
		if mine, err := s.SaveKeyset("k", []byte{byte(i)}); mine != want || err != nil {
			t.Error(i, mine, err)
		}
	}
	if got, ok, err := s.LoadKeyset("k"); !bytes.Equal(got, []byte{0}) || !ok || err != nil {
		t.Error(got, ok, err)
	}
}

func TestReportsSayWhatIsOwed(t *testing.T) {
	s := opened(t, file(t), Options{})
	krw, at := money.Of("KRW"), time.Unix(5, 0).UTC()
	err := s.Update(t.Context(), func(tx engine.Tx) error {
		r := payment.Reservation{
			ID: "r", Account: "P", RequestID: "q", State: payment.Reserved, Version: 1, Amount: money.New(9, krw), Captured: money.New(0,
				krw), Held: true,
			AttemptID: "a", Chain: payment.Chain{Digest: []byte{1}},
		}
		a := payment.Attempt{ID: "a", Reservation: "r", State: payment.AttemptApproved, Version: 1, Trace: payment.Trace{
			STAN: "1",
			RRN:  "RRN1", At: at,
		}}
		v := payment.Advice{
			ID: "v", Reservation: "r", Attempt: "a", Kind: payment.Completion, State: payment.AdviceQueued, Trace: a.Trace, Amount: r.Amount,
			CreatedAt: at, DueAt: at,
		}
		return errors.Join(tx.InsertReservation(r, at), tx.InsertAttempt(a), tx.InsertAdvice(v),
			tx.InsertNotice(engine.Notice{ID: "n", Kind: engine.CancelResult, Subject: "1", CreatedAt: at.Add(time.Second)}),
			tx.InsertNotice(engine.Notice{ID: "m", Kind: engine.CancelResult, Subject: "2", CreatedAt: at}))
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.RecordTry(t.Context(), engine.NoticeTry{Notice: "m", N: 1, At: at, State: engine.NoticeParked, Due: at}); err != nil {
		t.Fatal(err)
	}
	got, err := s.Backlog(t.Context())
	if want := (Backlog{Advices: 1, Notices: 1, Parked: 1, OldestAdvice: at, OldestNotice: at.Add(time.Second)}); got != want || err != nil {
		t.Errorf("%+v, %v", got, err)
	}
	holds, err := s.Holds(t.Context())
	want := Hold{Reservation: "r", Account: "P", RequestID: "q", State: "RESERVED", Currency: "KRW", RRN: "RRN1", Amount: 9, Held: true}
	if len(holds) != 1 || holds[0] != want || err != nil {
		t.Errorf("%+v, %v", holds, err)
	}
}
