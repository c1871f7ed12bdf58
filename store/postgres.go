package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"

	"naru/crash"
	"naru/engine"
)

// cluster is the engine for many nodes. Each transaction has a connection of its own and sees one state of the database (repeatable read).
// Two that change the same row do not both succeed: the later one runs again. Two that decide on what they read, and change no row in common,
// name a guard first. Nothing here is PostgreSQL's alone that a compatible engine need not have: no advisory locks, no system columns, no
// LISTEN.
type cluster struct {
	config *pgx.ConnConfig
	crash  crash.Hook
	node   string
	free   chan struct{} // one for each connection that may be open and is not in use

	mu     sync.Mutex
	idle   []*session // the one used last is taken first
	slots  []int64    // of connections that are not open
	closed bool
	stop   chan struct{}

	guards  guards
	marks   marks
	marking sync.WaitGroup
}

const (
	// transactionTime bounds a transaction: it has no network but the database's in it. Where a server does not answer so long, it is gone.
	transactionTime = 5 * time.Second
	// patience is how long a transaction is tried again while the database cannot be reached, or has no primary.
	patience = 3 * time.Second
	// serverTime is after what the server itself ends a statement, and standstill a transaction in which nothing is asked: its node was stopped, and
	// the rows that it holds are those of others.
	serverTime = "10s"
	standstill = "2s"
	// balanceSlots is over how many rows a balance is spread at the most.
	balanceSlots = 256
)

func openPostgres(ctx context.Context, where string, o Options) (*cluster, error) {
	config, err := pgx.ParseConfig(where)
	if err != nil {
		return nil, errors.New("store: the address of the database is not a good one") // it may hold a password
	}
	if o.Password != "" {
		config.Password = o.Password
	}
	if o.Connections == 0 {
		o.Connections = 16
	}
	config.ConnectTimeout = 2 * time.Second
	if _, chosen := config.RuntimeParams["application_name"]; !chosen {
		config.RuntimeParams["application_name"] = "naru/" + o.Node
	}
	for name, value := range map[string]string{
		"default_transaction_isolation":       "repeatable read",
		"idle_in_transaction_session_timeout": standstill,
		"statement_timeout":                   serverTime,
		"TimeZone":                            "UTC",
	} {
		config.RuntimeParams[name] = value
	}
	if config.ValidateConnect == nil { // of several hosts, the one that takes writes
		config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	s := &cluster{config: config, crash: o.Crash, node: o.Node, free: make(chan struct{}, o.Connections), stop: make(chan struct{})}
	s.marks.after = cmp.Or(o.Settled, time.Minute)
	h := fnv.New32a()
	_, _ = h.Write([]byte(o.Node))
	for i := range o.Connections {
		s.free <- struct{}{}
		s.slots = append(s.slots, int64(h.Sum32()+uint32(i))%balanceSlots)
	}
	if err := s.migrate(ctx); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if err := s.assertDurable(ctx, o.Careless); err != nil {
		_ = s.Close()
		return nil, err
	}
	if s.marks.after > 0 {
		s.marking.Go(s.mark)
	}
	return s, nil
}

// mark notes again and again how far the journal goes.
func (s *cluster) mark() {
	tick := time.NewTicker(s.marks.after / 12)
	defer tick.Stop()
	for {
		_ = s.with(context.Background(), s.marks.see) // where it cannot be seen now, it is seen later
		select {
		case <-tick.C:
		case <-s.stop:
			return
		}
	}
}

// migrate brings the schema up to date. Of several nodes that start at the same time, one does; they meet in a table, not in an advisory lock.
func (s *cluster) migrate(ctx context.Context) error {
	config := s.config.Copy()
	delete(config.RuntimeParams, "statement_timeout") // a migration takes what it takes
	delete(config.RuntimeParams, "default_transaction_isolation")
	db := stdlib.OpenDB(*config)
	p, err := clusterMigrations(db)
	if err != nil {
		return errors.Join(err, db.Close())
	}
	pending, err := p.HasPending(ctx)
	if err == nil && pending {
		_, err = p.Up(ctx)
	}
	return errors.Join(err, db.Close())
}

func clusterMigrations(db *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(schema, "schema/postgres")
	if err != nil {
		return nil, err
	}
	one, err := lock.NewPostgresTableLocker(lock.WithTableName("migration_lock"))
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectPostgres, db, files, goose.WithTableName("migration"), goose.WithLocker(one))
}

// assertDurable checks what "acknowledged means durable" rests on. A compatible engine that knows no such setting is believed.
func (s *cluster) assertDurable(ctx context.Context, careless bool) error {
	if careless {
		return nil
	}
	return s.with(ctx, func(c *session) error {
		for _, setting := range []string{"fsync", "synchronous_commit", "full_page_writes"} {
			var is string
			_, err := c.one("SHOW "+setting, nil, &is)
			var unknown *pgconn.PgError
			switch {
			case errors.As(err, &unknown) && unknown.Code == "42704":
			case err != nil:
				return err
			case is == "off" || setting == "synchronous_commit" && is == "local":
				return fmt.Errorf("store: %s is %s on the server: what is acknowledged would not be durable", setting, is)
			}
		}
		return nil
	})
}

// Shared implements backend.
func (*cluster) Shared() bool { return true }

// Close implements backend.
func (s *cluster) Close() (err error) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	close(s.stop)
	s.mu.Unlock()
	s.marking.Wait()
	for range cap(s.free) { // each connection, when its transaction has ended
		<-s.free
	}
	for _, c := range s.idle {
		err = errors.Join(err, c.conn.(*wire).close())
	}
	return err
}

// take lends a connection.
func (s *cluster) take(ctx context.Context) (*session, error) {
	select {
	case <-s.stop:
		return nil, ErrClosed
	case <-ctx.Done(): // the next select picks at random: what was given up already must not run
		return nil, ctx.Err()
	default:
	}
	select {
	case <-s.free:
	case <-s.stop:
		return nil, ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	s.mu.Lock()
	if n := len(s.idle); n > 0 {
		c := s.idle[n-1]
		s.idle = s.idle[:n-1]
		s.mu.Unlock()
		return c, nil
	}
	slot := s.slots[0]
	s.slots = s.slots[1:]
	s.mu.Unlock()
	hosts := time.Duration(1 + len(s.config.Fallbacks)) // each has its time, so that one that swallows packets hides no other
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), hosts*s.config.ConnectTimeout)
	defer cancel()
	raw, err := s.dial(limit)
	if err != nil {
		s.mu.Lock()
		s.slots = append(s.slots, slot)
		s.mu.Unlock()
		s.free <- struct{}{}
		return nil, fmt.Errorf("store: the database cannot be reached: %w", err)
	}
	return &session{conn: &wire{raw: raw, guards: &s.guards}, dialect: &spread, slot: slot, settled: s.marks.settled}, nil
}

// dial opens a connection on which nothing is ever cancelled. Where a connection breaks, pgx asks the server to cancel what is under way there:
// a commit that waits for its standby would be let go, seen by everybody and acknowledged, and the standby would not have it.
func (s *cluster) dial(ctx context.Context) (*pgx.Conn, error) {
	config := s.config.Copy()
	reach := config.DialFunc
	var open atomic.Bool
	config.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		if open.Load() {
			return nil, errLost
		}
		return reach(ctx, network, address)
	}
	c, err := pgx.ConnectConfig(ctx, config)
	open.Store(true)
	return c, err
}

// give takes a connection back. One that is broken, or in doubt, is not used again.
func (s *cluster) give(c *session) {
	w := c.conn.(*wire)
	w.pending = nil
	w.release()
	broken := w.broken || w.raw.IsClosed() || w.raw.PgConn().TxStatus() != 'I'
	if broken {
		_ = w.close()
	}
	s.mu.Lock()
	if broken {
		s.slots = append(s.slots, c.slot)
	} else {
		s.idle = append(s.idle, c)
	}
	s.mu.Unlock()
	s.free <- struct{}{}
}

// Update implements engine.Store.
func (s *cluster) Update(ctx context.Context, work func(engine.Tx) error) error {
	return s.again(ctx, func(c *session) error {
		c.conn.(*wire).begin()
		if err := guarded(work, c); err != nil {
			c.conn.(*wire).rollback()
			return err
		}
		return c.conn.(*wire).commit(s.crash)
	})
}

// View implements engine.Store.
func (s *cluster) View(ctx context.Context, look func(engine.Reader) error) error {
	return s.again(ctx, func(c *session) error {
		c.conn.(*wire).begin()
		err := look(c)
		c.conn.(*wire).rollback()
		return err
	})
}

// Recall implements engine.Store.
func (s *cluster) Recall(ctx context.Context, k engine.Key) (row engine.Idempotency, ok bool, err error) {
	err = s.again(ctx, func(c *session) error {
		row, ok, err = c.Idempotency(k)
		return err
	})
	return row, ok, err
}

// with lends a connection once.
func (s *cluster) with(ctx context.Context, work func(*session) error) error {
	c, err := s.take(ctx)
	if err != nil {
		return err
	}
	defer s.give(c)
	return work(c)
}

// again runs work, and runs it again where nothing came of it through no fault of its own.
func (s *cluster) again(ctx context.Context, work func(*session) error) error {
	var lost time.Time  // when the database was first not there
	var begun time.Time // when it began to wait for a guard
	for try := 1; ; try++ {
		err := s.with(ctx, work)
		var busy guarding
		if errors.As(err, &busy) { // nothing was sent: whoever waits keeps no connection from others
			if begun.IsZero() {
				begun = time.Now()
			}
			if err := busy.wait(ctx, transactionTime-time.Since(begun)); err != nil {
				return err
			}
			continue
		}
		switch verdict(err) {
		case final:
			return err
		case taken:
			if try > 3 { // a fresh look did not see it either
				return err
			}
		case overtaken:
			if try > 100 {
				return err
			}
		case away:
			if lost.IsZero() {
				lost = time.Now()
			}
			if time.Since(lost) > patience {
				return err
			}
		}
		select { // those that met do not meet again at once
		case <-time.After(rand.N(time.Millisecond << min(try, 6))):
		case <-ctx.Done():
			return err
		case <-s.stop:
			return err
		}
	}
}

// fate is what may be done about a failed transaction.
type fate uint8

const (
	final     fate = iota // it succeeded, failed for good, or nobody knows
	overtaken             // another transaction was faster: nothing was done
	taken                 // a row is there that it had not seen
	away                  // the database is not there, and nothing was done
)

// errUncertain is a commit whose answer was lost. Whoever asked must find out from what is on disk, as after a crash.
var errUncertain = errors.New("store: the connection broke while a transaction was committed: nobody knows whether it was")

func verdict(err error) fate {
	var told *pgconn.PgError
	var dial *pgconn.ConnectError
	switch {
	case err == nil, errors.Is(err, errUncertain), errors.Is(err, ErrClosed):
		return final
	case errors.As(err, &told):
		switch told.Code {
		case "40001", "40P01", "55P03": // serialization failure, deadlock, lock not available
			return overtaken
		case "23505": // unique violation
			return taken
		case "25P03", "57P01", "57P02", "57P03", "25006", "53300", "08006", "08001", "08003", "08004": // stood still, going down, starting, read-only, too many
			return away
		}
		return final
	case errors.As(err, &dial), errors.Is(err, errLost):
		return away
	}
	return final
}

// errLost is a connection that broke before the commit was sent.
var errLost = errors.New("store: the connection to the database broke")

// spread is what PostgreSQL says in its own words.
var spread = dialect{
	words: func(array string) string {
		return "jsonb_array_elements_text(CAST(" + array + " AS JSONB)) AS word (value)"
	},
	guards: true,
}

// wire is one connection to a PostgreSQL server. Statements that answer nothing wait, and leave together with the next one that does: what
// costs is the round trip.
type wire struct {
	raw     *pgx.Conn
	pending []statement
	inside  bool // a transaction is under way, or will be with the next statement
	broken  bool
	guards  *guards
	held    []string
}

type statement struct {
	query string
	args  []any
	want  int64 // how many rows it must change; any number where negative
}

const anyNumber = -1

func (w *wire) begin() {
	w.pending = append(w.pending[:0], statement{"BEGIN", nil, anyNumber})
	w.inside = true
}

// rollback undoes the transaction; one that has not left the house is forgotten.
func (w *wire) rollback() {
	began := len(w.pending) == 0 || w.pending[0].query != "BEGIN"
	w.pending, w.inside = nil, false
	if began && !w.broken {
		_ = w.raw.PgConn().Conn().SetDeadline(time.Now().Add(transactionTime))
		if _, err := w.raw.Exec(context.Background(), "ROLLBACK"); err != nil {
			w.broken = true
		}
	}
}

// commit sends what waits and ends the transaction: in one trip, unless what waits must be counted first.
func (w *wire) commit(hook crash.Hook) error {
	for _, s := range w.pending {
		if s.want >= 0 {
			if err := w.flush(nil); err != nil {
				w.rollback()
				return err
			}
			break
		}
	}
	hook(crash.CommitBefore)
	began := len(w.pending) == 0 || w.pending[0].query != "BEGIN" || len(w.pending) > 1
	if !began {
		w.pending, w.inside = nil, false
		return nil
	}
	w.pending = append(w.pending, statement{"COMMIT", nil, anyNumber})
	if err := w.flush(nil); err != nil {
		if errors.Is(err, errLost) {
			err = fmt.Errorf("%w: %w", errUncertain, err)
		}
		w.rollback()
		return err
	}
	w.inside = false
	hook(crash.CommitAfter)
	return nil
}

// flush sends what waits, and behind it, where there is one, a statement that answers.
func (w *wire) flush(last func(*pgx.Batch) (read func(pgx.BatchResults) error, query string)) (err error) {
	if w.broken {
		return errLost
	}
	var batch pgx.Batch
	sent := w.pending
	for _, s := range sent {
		batch.Queue(s.query, s.args...)
	}
	var read func(pgx.BatchResults) error
	var query string
	if last != nil {
		read, query = last(&batch)
	}
	if batch.Len() == 0 {
		return nil
	}
	_ = w.raw.PgConn().Conn().SetDeadline(time.Now().Add(transactionTime))
	results := w.raw.SendBatch(context.Background(), &batch) // request contexts never reach the database
	w.pending = w.pending[:0]
	for _, s := range sent {
		tag, failed := results.Exec()
		switch {
		case failed != nil && s.query == "COMMIT":
			_ = results.Close()
			return w.failedCommit(failed)
		case failed != nil:
			_ = results.Close()
			return w.failed(s.query, failed)
		case s.query == "COMMIT" && tag.String() == "ROLLBACK": // it had failed before
			_ = results.Close()
			return describe(s.query, errors.New("the transaction was undone"))
		case err == nil:
			err = changed(s.query, tag.RowsAffected(), s.want)
		}
	}
	if read != nil {
		if failed := read(results); failed != nil {
			_ = results.Close()
			return w.failed(query, failed)
		}
	}
	if failed := results.Close(); failed != nil && err == nil {
		return w.failed(query, failed)
	}
	return err
}

// failed says what failed, and remembers where the connection is of no more use.
func (w *wire) failed(query string, err error) error {
	var told *pgconn.PgError
	var ours scanError
	switch {
	case errors.As(err, &told), errors.As(err, &ours):
		return describe(query, err)
	}
	w.broken = true
	return describe(query, fmt.Errorf("%w: %w", errLost, err))
}

// failedCommit tells a transaction that was refused from one of which nobody knows: a server that goes down may say so after it has committed.
func (w *wire) failedCommit(err error) error {
	var told *pgconn.PgError
	if errors.As(err, &told) && (strings.HasPrefix(told.Code, "40") || strings.HasPrefix(told.Code, "23")) {
		return describe("COMMIT", err)
	}
	w.broken = true
	return describe("COMMIT", fmt.Errorf("%w: %w", errLost, errors.New(err.Error()))) // whatever it was: this is all that counts
}

// scanError is an error of whoever reads rows, not of the connection.
type scanError struct{ error }

func (e scanError) Unwrap() error { return e.error }

func (w *wire) exec(query string, args []any) (n int64, err error) {
	err = w.flush(func(b *pgx.Batch) (func(pgx.BatchResults) error, string) {
		b.Queue(query, args...)
		return func(r pgx.BatchResults) error {
			tag, err := r.Exec()
			n = tag.RowsAffected()
			return err
		}, query
	})
	return n, err
}

func (w *wire) tell(query string, args []any, want int64) error {
	w.pending = append(w.pending, statement{query, args, want})
	if w.inside {
		return nil
	}
	return w.flush(nil)
}

func (w *wire) query(query string, args []any, row func(scanner) error) error {
	return w.flush(func(b *pgx.Batch) (func(pgx.BatchResults) error, string) {
		b.Queue(query, args...)
		return func(r pgx.BatchResults) error {
			rows, err := r.Query()
			if err != nil {
				return err
			}
			defer rows.Close()
			for rows.Next() {
				switch err := row(rows.Scan); {
				case errors.Is(err, errEnough):
					rows.Close()
					return rows.Err()
				case err != nil:
					return scanError{err}
				}
			}
			return rows.Err()
		}, query
	})
}

const takeGuard = `INSERT INTO guard (name, n) VALUES ($1, 1) ON CONFLICT (name) DO UPDATE SET n = guard.n + 1`

// guard waits in this process first: who waits in the database has looked at it already, and would have to look again.
func (w *wire) guard(name string) error {
	if len(w.pending) != 1 || w.pending[0].query != "BEGIN" {
		return fmt.Errorf("store: guard %s: a guard comes before everything else", name)
	}
	if other, busy := w.guards.enter(name); busy {
		return guarding{name, other}
	}
	w.held = append(w.held, name)
	return w.tell(takeGuard, []any{name}, anyNumber)
}

// release lets others in.
func (w *wire) release() {
	for _, name := range w.held {
		w.guards.leave(name)
	}
	w.held = nil
}

func (w *wire) close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if w.broken {
		cancel() // there is nobody to say good-bye to
	}
	_ = w.raw.Close(ctx)
	return nil
}

// guards are those that this process holds.
type guards struct {
	mu   sync.Mutex
	held map[string]chan struct{}
}

// enter takes a name, or gives what closes when whoever holds it in this process leaves.
func (g *guards) enter(name string) (other <-chan struct{}, busy bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if other, busy := g.held[name]; busy {
		return other, true
	}
	if g.held == nil {
		g.held = map[string]chan struct{}{}
	}
	g.held[name] = make(chan struct{})
	return nil, false
}

// guarding is that somebody else of this process holds a guard, until its channel closes.
type guarding struct {
	name  string
	other <-chan struct{}
}

func (g guarding) Error() string { return "store: guard " + g.name + ": whoever holds it does not end" }

func (g guarding) wait(ctx context.Context, atMost time.Duration) error {
	late := time.NewTimer(atMost)
	defer late.Stop()
	select {
	case <-g.other:
		return nil
	case <-late.C:
		return g
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (g *guards) leave(name string) {
	g.mu.Lock()
	close(g.held[name])
	delete(g.held, name)
	g.mu.Unlock()
}

// marks remember how far the journal went and when that was seen. Transactions that run side by side do not end in the order of the numbers
// of their events: what was the newest number longer ago than any transaction lives is settled, and everything before it.
type marks struct {
	after time.Duration // how long is longer than any transaction lives; nobody else writes where negative

	mu   sync.Mutex
	seen []mark // oldest first
}

type mark struct {
	at time.Time
	id int64
}

const selectNewestEvent = `SELECT COALESCE(MAX(id), 0) FROM event`

// see notes how far the journal goes now.
func (m *marks) see(c *session) error {
	var newest int64
	if _, err := c.one(selectNewestEvent, nil, &newest); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	m.seen = append(m.seen, mark{now, newest})
	for len(m.seen) > 1 && now.Sub(m.seen[1].at) >= m.after {
		m.seen = m.seen[1:]
	}
	return nil
}

func (m *marks) settled(c *session) (upTo int64, err error) {
	if m.after < 0 {
		return everything(c)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.seen) > 0 && time.Since(m.seen[0].at) >= m.after {
		upTo = m.seen[0].id
	}
	return upTo, nil
}
