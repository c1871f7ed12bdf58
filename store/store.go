// Package store keeps everything: every query is here, above the one function that runs it.
//
// SQLite, embedded: one writer gathers concurrent transactions into one commit, so that many calls share one flush to disk (design §3.7).
// A result is released only after the commit that holds it. Readers have connections of their own and never wait for the writer.
package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"naru/crash"
	"naru/engine"
)

//go:embed schema/sqlite/*.sql
var schema embed.FS

// Options are what a store needs beside its path.
type Options struct {
	Crash   crash.Hook // told before and after every commit
	Readers int        // connections that read; 4 where 0
	Batch   int        // transactions in one commit at the most; 256 where 0

	// Gather is how long a commit waits for more transactions where their present rate promises at least one more. A flush to disk costs far
	// more than a transaction, also in CPU; at low load nobody waits. 0 never waits.
	Gather time.Duration
}

// Store is the embedded store. It is safe for concurrent use; one process owns a database.
type Store struct {
	db      *sql.DB
	lock    *os.File
	crash   crash.Hook
	batch   int
	gather  time.Duration
	last    time.Time // when the last batch was complete
	jobs    chan *job
	asked   chan *question
	stop    chan struct{}
	idle    chan struct{} // closed when the writer has ended
	closed  sync.Once
	folding sync.WaitGroup
	read    chan *session
}

// question asks whether a key was ever used.
type question struct {
	key   engine.Key
	known chan answer
}

type answer struct {
	known bool
	err   error
}

type job struct {
	work func(engine.Tx) error
	done chan error
}

// ErrClosed says that the store takes no more work.
var ErrClosed = errors.New("store: closed")

// Open opens or makes the database at path, brings its schema up to date and takes it for this process alone.
func Open(ctx context.Context, path string, o Options) (*Store, error) {
	if o.Readers == 0 {
		o.Readers = 4
	}
	if o.Batch == 0 {
		o.Batch = 256
	}
	if o.Crash == nil {
		o.Crash = crash.Never
	}
	lock, err := own(path)
	if err != nil {
		return nil, err
	}
	s := &Store{
		lock: lock, crash: o.Crash, batch: o.Batch, gather: o.Gather,
		jobs: make(chan *job, 1024), asked: make(chan *question, 1024), stop: make(chan struct{}), idle: make(chan struct{}), read: make(chan *session, o.Readers),
	}
	if err := migrate(ctx, path); err != nil {
		return nil, errors.Join(fmt.Errorf("store %s: %w", filepath.Base(path), err), lock.Close())
	}
	if s.db, err = sql.Open("sqlite", dsn(path, "ON")); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	s.db.SetMaxOpenConns(o.Readers + 2)
	s.db.SetMaxIdleConns(o.Readers + 2)
	if err := s.start(ctx, o.Readers); err != nil {
		return nil, errors.Join(fmt.Errorf("store %s: %w", filepath.Base(path), err), s.db.Close(), lock.Close())
	}
	return s, nil
}

func dsn(path, references string) string {
	q := url.Values{"_pragma": {
		"busy_timeout(5000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(" + references + ")", "secure_delete(ON)",
		"trusted_schema(OFF)", "recursive_triggers(ON)", "cell_size_check(ON)", "temp_store(MEMORY)", "cache_size(-8192)", "wal_autocheckpoint(16000)",
	}}
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

// own takes the database for this process, so that whatever it finds half done at its start was abandoned (design §3.2).
func own(path string) (*os.File, error) {
	f, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("store: another process has %s open; stop it first", filepath.Base(path)), f.Close())
	}
	if db, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600); err != nil { // made here for its permissions
		return nil, errors.Join(fmt.Errorf("store: %w", err), f.Close())
	} else if err := db.Close(); err != nil {
		return nil, errors.Join(fmt.Errorf("store: %w", err), f.Close())
	}
	return f, nil
}

// migrate brings the schema up to date. References are not enforced meanwhile: a table that others name could not be made anew. A migration
// that makes one anew looks at all references itself before it commits.
func migrate(ctx context.Context, path string) error {
	db, err := sql.Open("sqlite", dsn(path, "OFF"))
	if err != nil {
		return err
	}
	p, err := migrations(db)
	if err == nil {
		_, err = p.Up(ctx)
	}
	return errors.Join(err, db.Close())
}

func migrations(db *sql.DB) (*goose.Provider, error) {
	files, err := fs.Sub(schema, "schema/sqlite")
	if err != nil {
		return nil, err
	}
	return goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithTableName("migration"))
}

func (s *Store) start(ctx context.Context, readers int) error {
	w, err := s.session(ctx)
	if err != nil {
		return err
	}
	if err := w.assertDurable(ctx); err != nil {
		return err
	}
	for range readers {
		r, err := s.session(ctx)
		if err != nil {
			return err
		}
		if _, err := r.conn.ExecContext(ctx, "PRAGMA query_only = ON"); err != nil {
			return err
		}
		s.read <- r
	}
	f, err := s.session(ctx)
	if err != nil {
		return err
	}
	s.folding.Go(func() { s.fold(f) })
	go s.write(w)
	return nil
}

// foldEvery is how often the write-ahead log is folded into the database beside the writer, so that the writer hardly ever has to: a commit
// that does it alone stands still for as long as the disk needs for thousands of pages.
const foldEvery = time.Second

func (s *Store) fold(c *session) {
	defer c.conn.Close()
	tick := time.NewTicker(foldEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			_ = c.run("PRAGMA wal_checkpoint(PASSIVE)") // what it leaves, the writer folds
		case <-s.stop:
			return
		}
	}
}

// assertDurable checks what "acknowledged means durable" rests on.
func (c *session) assertDurable(ctx context.Context) error {
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "secure_delete": "1"} {
		var got string
		if err := c.conn.QueryRowContext(ctx, "PRAGMA "+pragma).Scan(&got); err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("PRAGMA %s is %s and must be %s: is the file on a file system that supports it?", pragma, got, want)
		}
	}
	return nil
}

// Close waits for the transactions it has taken and closes the database.
func (s *Store) Close() error {
	var err error
	s.closed.Do(func() {
		close(s.stop)
		<-s.idle
		s.folding.Wait()
		for range cap(s.read) { // each reader, when it is done
			err = errors.Join(err, (<-s.read).conn.Close())
		}
		err = errors.Join(err, s.db.Close(), s.lock.Close()) // the last connection folds the write-ahead log into the database
	})
	return err
}

// Update implements engine.Store. Giving up is possible until the writer takes the work, not after.
func (s *Store) Update(ctx context.Context, work func(engine.Tx) error) error {
	j := &job{work, make(chan error, 1)}
	select {
	case <-s.stop:
		return ErrClosed
	case <-ctx.Done(): // the next select picks at random: what was given up already must not run
		return ctx.Err()
	default:
	}
	select {
	case s.jobs <- j:
	case <-s.stop:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-j.done:
		return err
	case <-s.idle:
		select {
		case err := <-j.done:
			return err
		default:
			return ErrClosed
		}
	}
}

// View implements engine.Store.
func (s *Store) View(ctx context.Context, look func(engine.Reader) error) error {
	return s.reading(ctx, func(c *session) error {
		if err := c.run("BEGIN"); err != nil {
			return err
		}
		defer func() { _ = c.run("ROLLBACK") }()
		return look(c)
	})
}

// Recall implements engine.Store. Nearly every key is new, and whether it is the writer can say from pages that it holds: a reader would have to
// fetch them again after every commit. What the writer sees and has not committed is not there yet; only a reader's row counts.
func (s *Store) Recall(ctx context.Context, k engine.Key) (row engine.Idempotency, ok bool, err error) {
	q := &question{k, make(chan answer, 1)}
	select {
	case s.asked <- q:
	case <-s.stop:
		return row, false, ErrClosed
	case <-ctx.Done():
		return row, false, ctx.Err()
	}
	select {
	case a := <-q.known:
		if a.err != nil || !a.known {
			return row, false, a.err
		}
	case <-s.idle:
		return row, false, ErrClosed
	}
	err = s.reading(ctx, func(c *session) error {
		row, ok, err = c.Idempotency(k)
		return err
	})
	return row, ok, err
}

// reading lends one of the readers' connections.
func (s *Store) reading(ctx context.Context, work func(*session) error) error {
	select {
	case <-s.stop:
		return ErrClosed
	default:
	}
	select {
	case c := <-s.read:
		defer func() { s.read <- c }()
		return work(c)
	case <-s.stop:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// write is the one writer. It ends when the store is closed and all it took is done.
func (s *Store) write(c *session) {
	defer close(s.idle)
	defer c.conn.Close()
	for {
		select {
		case j := <-s.jobs:
			s.commit(c, j)
		case q := <-s.asked:
			c.answer(q)
		case <-s.stop:
			for {
				select {
				case j := <-s.jobs:
					s.commit(c, j)
				default:
					return
				}
			}
		}
	}
}

// commit makes a transaction durable together with all that wait behind it.
//
// Nearly all of them succeed, or fail before they write, so they run side by side without savepoints. One that fails after it wrote takes the
// others down with it: they run once more, each in a savepoint of its own. That is what re-runnable closures are for.
func (s *Store) commit(c *session, first *job) {
	held, again, err := s.together(c, s.company(c, first))
	if again {
		held, err = s.apart(c, held)
	}
	if err == nil && len(held) > 0 {
		s.crash(crash.CommitBefore)
		err = c.run("COMMIT")
	}
	if err != nil || len(held) == 0 {
		_ = c.run("ROLLBACK")
	} else {
		s.crash(crash.CommitAfter)
	}
	for _, j := range held {
		j.done <- err
	}
}

// company is a transaction and all that wait behind it, or will within a moment.
func (s *Store) company(c *session, first *job) []*job {
	batch := []*job{first}
	for len(batch) < s.batch {
		select {
		case j := <-s.jobs:
			batch = append(batch, j)
			continue
		default:
		}
		break
	}
	if s.gather > 0 {
		now := time.Now()
		if since := now.Sub(s.last); since < s.gather*time.Duration(len(batch)) { // so many came in that time: one more will within gather
			more := time.NewTimer(s.gather)
			defer more.Stop()
			for waiting := true; waiting && len(batch) < s.batch; {
				select {
				case j := <-s.jobs:
					batch = append(batch, j)
				case q := <-s.asked:
					c.answer(q)
				case <-more.C:
					waiting = false
				case <-s.stop:
					waiting = false
				}
			}
		}
		s.last = now
	}
	return batch
}

// together runs a batch in one transaction. again says that one failed after it wrote and all is undone: those held must run apart.
func (s *Store) together(c *session, batch []*job) (held []*job, again bool, err error) {
	if err := c.run("BEGIN IMMEDIATE"); err != nil {
		return batch, false, err
	}
	for i, j := range batch {
		s.answerAll(c)
		c.wrote = false
		err := guarded(j.work, c)
		switch {
		case err == nil:
			held = append(held, j)
		case spoilt(err):
			return append(held, batch[i:]...), false, err
		case !c.wrote:
			j.done <- err
		default:
			j.done <- err
			return append(held, batch[i+1:]...), true, c.run("ROLLBACK")
		}
	}
	return held, false, nil
}

// answerAll answers what was asked meanwhile, so that nobody waits for a whole batch.
func (s *Store) answerAll(c *session) {
	for {
		select {
		case q := <-s.asked:
			c.answer(q)
		default:
			return
		}
	}
}

const isKnown = `SELECT COUNT(*) FROM idempotency WHERE account = $1 AND request_id = $2`

func (c *session) answer(q *question) {
	var n int
	_, err := c.one(isKnown, []any{q.key.Account, q.key.RequestID}, &n)
	q.known <- answer{n > 0, err}
}

// apart runs a batch in one transaction, each part in a savepoint of its own.
func (s *Store) apart(c *session, batch []*job) (held []*job, err error) {
	if err := c.run("BEGIN IMMEDIATE"); err != nil {
		return batch, err
	}
	for i, j := range batch {
		if err := c.run("SAVEPOINT one"); err != nil {
			return append(held, batch[i:]...), err
		}
		failed := guarded(j.work, c)
		switch {
		case failed == nil:
			held = append(held, j)
		case spoilt(failed):
			return append(held, batch[i:]...), failed
		default:
			j.done <- failed
			if err := c.run("ROLLBACK TO one"); err != nil {
				return append(held, batch[i+1:]...), err
			}
		}
		if err := c.run("RELEASE one"); err != nil {
			return append(held, batch[i+1:]...), err
		}
	}
	return held, nil
}

// guarded turns a panic into an error: the transaction goes with it, the others stay.
func guarded(work func(engine.Tx) error, c *session) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("store: a transaction panicked: %v\n%s", p, debug.Stack())
		}
	}()
	return work(c)
}

// spoilt reports whether an error may have undone more than the one savepoint: then the whole batch fails.
func spoilt(err error) bool {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code() & 0xff {
	case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_BUSY:
		return true
	}
	return false
}

// session is one connection and the statements prepared on it. It implements engine.Tx.
type session struct {
	conn  *sql.Conn
	stmts map[string]*sql.Stmt
	wrote bool // something, since the present transaction of the batch began
}

func (s *Store) session(ctx context.Context) (*session, error) {
	conn, err := s.db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return &session{conn: conn, stmts: map[string]*sql.Stmt{}}, nil
}

func (c *session) prepared(query string) (*sql.Stmt, error) {
	if st, ok := c.stmts[query]; ok {
		return st, nil
	}
	st, err := c.conn.PrepareContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	c.stmts[query] = st
	return st, nil
}

func (c *session) run(query string, args ...any) error {
	_, err := c.change(query, args...)
	return err
}

// change runs a statement and says how many rows it changed.
func (c *session) change(query string, args ...any) (int64, error) {
	st, err := c.prepared(query)
	if err != nil {
		return 0, describe(query, err)
	}
	r, err := st.ExecContext(context.Background(), args...) // request contexts never reach the database
	if err != nil {
		c.wrote = true // perhaps
		return 0, describe(query, err)
	}
	n, err := r.RowsAffected()
	c.wrote = c.wrote || n > 0
	return n, err
}

// one scans the only row of a query; ok is false where there is none.
func (c *session) one(query string, args []any, into ...any) (ok bool, err error) {
	st, err := c.prepared(query)
	if err != nil {
		return false, describe(query, err)
	}
	switch err := st.QueryRowContext(context.Background(), args...).Scan(into...); {
	case errors.Is(err, sql.ErrNoRows):
		return false, nil
	case err != nil:
		return false, describe(query, err)
	}
	return true, nil
}

// all scans every row of a query.
func all[T any](c *session, query string, args []any, scan func(func(...any) error) (T, error)) ([]T, error) {
	st, err := c.prepared(query)
	if err != nil {
		return nil, describe(query, err)
	}
	rows, err := st.QueryContext(context.Background(), args...)
	if err != nil {
		return nil, describe(query, err)
	}
	defer rows.Close()
	var out []T
	for rows.Next() {
		v, err := scan(rows.Scan)
		if err != nil {
			return nil, describe(query, err)
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// describe says which statement failed by its first words; values never stand in a statement.
func describe(query string, err error) error {
	words := strings.Fields(query)
	return fmt.Errorf("store: %s: %w", strings.Join(words[:min(3, len(words))], " "), err)
}

// exactlyOne runs a statement that must change one row; anything else is a broken invariant, and the transaction goes with it.
func (c *session) exactlyOne(query string, args ...any) error {
	n, err := c.change(query, args...)
	if err != nil {
		return err
	}
	if n != 1 {
		return describe(query, fmt.Errorf("changed %d rows, not one", n))
	}
	return nil
}
