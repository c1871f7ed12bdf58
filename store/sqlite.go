package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/pressly/goose/v3"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"naru/crash"
	"naru/engine"
)

// embedded is the engine that needs nothing else installed: one process owns a database, and one writer gathers concurrent transactions into
// one commit, so that many calls share one flush to disk (design §3.7). A result is released only after the commit that holds it. Readers have
// connections of their own and never wait for the writer.
type embedded struct {
	path    string
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

// openSQLite opens or makes the database at path, brings its schema up to date and takes it for this process alone.
func openSQLite(ctx context.Context, path string, o Options) (*embedded, error) {
	if o.Readers == 0 {
		o.Readers = 4
	}
	if o.Batch == 0 {
		o.Batch = 256
	}
	lock, err := own(path)
	if err != nil {
		return nil, err
	}
	s := &embedded{
		path: path, lock: lock, crash: o.Crash, batch: o.Batch, gather: o.Gather,
		jobs: make(chan *job, 1024), asked: make(chan *question, 1024), stop: make(chan struct{}), idle: make(chan struct{}), read: make(chan *session, o.Readers),
	}
	if err := migrate(ctx, path); err != nil {
		return nil, errors.Join(fmt.Errorf("store %s: %w", filepath.Base(path), err), lock.Close())
	}
	if err := s.start(ctx, o.Readers); err != nil {
		return nil, errors.Join(fmt.Errorf("store %s: %w", filepath.Base(path), err), lock.Close())
	}
	return s, nil
}

// Shared implements backend.
func (*embedded) Shared() bool { return false }

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

func (s *embedded) start(ctx context.Context, readers int) (err error) {
	var made []*session
	session := func() *session {
		c, failed := s.session()
		if failed != nil {
			err = errors.Join(err, failed)
			return nil
		}
		made = append(made, c)
		return c
	}
	defer func() {
		if err != nil {
			for _, c := range made {
				_ = c.close()
			}
		}
	}()
	writer, folder := session(), session()
	for range readers {
		session()
	}
	if err != nil {
		return err
	}
	if err := writer.assertDurable(); err != nil {
		return err
	}
	for _, r := range made[2:] {
		if err := r.run("PRAGMA query_only = ON"); err != nil {
			return err
		}
		s.read <- r
	}
	s.folding.Go(func() { s.fold(folder) })
	go s.write(writer)
	return ctx.Err()
}

// foldEvery is how often the write-ahead log is folded into the database beside the writer, so that the writer hardly ever has to: a commit
// that does it alone stands still for as long as the disk needs for thousands of pages.
const foldEvery = time.Second

func (s *embedded) fold(c *session) {
	defer func() { _ = c.close() }()
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
func (c *session) assertDurable() error {
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "secure_delete": "1"} {
		var got string
		if _, err := c.one("PRAGMA "+pragma, nil, &got); err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("PRAGMA %s is %s and must be %s: is the file on a file system that supports it?", pragma, got, want)
		}
	}
	return nil
}

// Close implements backend.
func (s *embedded) Close() error {
	var err error
	s.closed.Do(func() {
		close(s.stop)
		<-s.idle
		s.folding.Wait()
		for range cap(s.read) { // each reader, when it is done
			err = errors.Join(err, (<-s.read).close()) // the last connection folds the write-ahead log into the database
		}
		err = errors.Join(err, s.lock.Close())
	})
	return err
}

// Update implements engine.Store. Giving up is possible until the writer takes the work, not after.
func (s *embedded) Update(ctx context.Context, work func(engine.Tx) error) error {
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
func (s *embedded) View(ctx context.Context, look func(engine.Reader) error) error {
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
func (s *embedded) Recall(ctx context.Context, k engine.Key) (row engine.Idempotency, ok bool, err error) {
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
func (s *embedded) reading(ctx context.Context, work func(*session) error) error {
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
func (s *embedded) write(c *session) {
	defer close(s.idle)
	defer func() { _ = c.close() }()
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
func (s *embedded) commit(c *session, first *job) {
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
func (s *embedded) company(c *session, first *job) []*job {
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
func (s *embedded) together(c *session, batch []*job) (held []*job, again bool, err error) {
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
func (s *embedded) answerAll(c *session) {
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
func (s *embedded) apart(c *session, batch []*job) (held []*job, err error) {
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

// portable is what SQLite says in its own words.
var portable = dialect{words: func(array string) string { return "json_each(" + array + ") AS word" }}

// session opens a connection.
func (s *embedded) session() (*session, error) {
	c, err := openFile(dsn(s.path, "ON"))
	if err != nil {
		return nil, err
	}
	return &session{conn: c, dialect: &portable, settled: everything}, nil
}

func (c *session) close() error { return c.conn.(*fileConn).close() }

// fileConn is one connection to a SQLite file. It speaks to the driver without database/sql: that has locks and conversions for what one
// goroutine at a time with known types does not need.
type fileConn struct {
	raw   driver.Conn
	stmts map[string]*fileStmt
}

// fileStmt is a prepared statement, and room for what it takes and gives.
type fileStmt struct {
	stmt interface {
		driver.StmtExecContext
		driver.StmtQueryContext
	}
	close func() error
	args  []driver.NamedValue
	row   []driver.Value
	busy  bool
}

func openFile(dsn string) (*fileConn, error) {
	raw, err := (&sqlite.Driver{}).Open(dsn)
	if err != nil {
		return nil, err
	}
	return &fileConn{raw, map[string]*fileStmt{}}, nil
}

func (c *fileConn) close() (err error) {
	for _, s := range c.stmts {
		err = errors.Join(err, s.close())
	}
	return errors.Join(err, c.raw.Close())
}

func (c *fileConn) prepared(query string, args []any) (*fileStmt, error) {
	s, ok := c.stmts[query]
	if !ok {
		raw, err := c.raw.Prepare(query)
		if err != nil {
			return nil, err
		}
		s = &fileStmt{close: raw.Close}
		if s.stmt, ok = raw.(interface {
			driver.StmtExecContext
			driver.StmtQueryContext
		}); !ok {
			panic("store: the driver of SQLite has changed")
		}
		c.stmts[query] = s
	}
	if s.busy {
		panic("store: a statement is run while its rows are read")
	}
	s.args = s.args[:0]
	for i, a := range args {
		v, err := plain(a)
		if err != nil {
			return nil, err
		}
		s.args = append(s.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return s, nil
}

func (c *fileConn) exec(query string, args []any) (int64, error) {
	s, err := c.prepared(query, args)
	if err != nil {
		return 0, describe(query, err)
	}
	r, err := s.stmt.ExecContext(context.Background(), s.args) // request contexts never reach the database
	if err != nil {
		return 0, describe(query, err)
	}
	return r.RowsAffected()
}

func (c *fileConn) tell(query string, args []any, want int64) error {
	n, err := c.exec(query, args)
	if err != nil {
		return err
	}
	return changed(query, n, want)
}

func (c *fileConn) query(query string, args []any, row func(scanner) error) (err error) {
	s, err := c.prepared(query, args)
	if err != nil {
		return describe(query, err)
	}
	rows, err := s.stmt.QueryContext(context.Background(), s.args)
	if err != nil {
		return describe(query, err)
	}
	s.busy = true
	defer func() {
		s.busy = false
		err = errors.Join(err, rows.Close())
	}()
	if s.row == nil {
		s.row = make([]driver.Value, len(rows.Columns()))
	}
	for {
		switch err := rows.Next(s.row); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return describe(query, err)
		}
		switch err := row(s.scan); {
		case errors.Is(err, errEnough):
			return nil
		case err != nil:
			return describe(query, err)
		}
	}
}

func (*fileConn) guard(string) error { return nil } // one writer: nothing runs side by side

// scan gives the values of the present row away.
func (s *fileStmt) scan(into ...any) error {
	if len(into) != len(s.row) {
		return fmt.Errorf("%d columns, and room for %d", len(s.row), len(into))
	}
	for i, to := range into {
		if err := give(s.row[i], to); err != nil {
			return fmt.Errorf("column %d: %w", i+1, err)
		}
	}
	return nil
}

// plain is an argument as the driver takes it.
func plain(a any) (driver.Value, error) {
	switch v := a.(type) {
	case nil, int64, string, []byte, bool, float64:
		return v, nil
	case int:
		return int64(v), nil
	}
	return driver.DefaultParameterConverter.ConvertValue(a)
}

// give puts what was stored where it belongs.
func give(v driver.Value, to any) error {
	switch to := to.(type) {
	case *string:
		if s, ok := v.(string); ok {
			*to = s
			return nil
		}
	case *int64:
		if n, ok := v.(int64); ok {
			*to = n
			return nil
		}
	case **int64:
		switch n := v.(type) {
		case nil:
			*to = nil
			return nil
		case int64:
			*to = &n
			return nil
		}
	case **string:
		switch s := v.(type) {
		case nil:
			*to = nil
			return nil
		case string:
			*to = &s
			return nil
		}
	case *[]byte:
		switch b := v.(type) {
		case nil:
			*to = nil
			return nil
		case []byte:
			*to = b
			return nil
		}
	}
	return giveNamed(v, reflect.ValueOf(to).Elem())
}

// giveNamed is for types of our own, and for truth, which SQLite keeps as a number.
func giveNamed(v driver.Value, to reflect.Value) error {
	switch v := v.(type) {
	case string:
		if to.Kind() == reflect.String {
			to.SetString(v)
			return nil
		}
	case bool:
		if to.Kind() == reflect.Bool {
			to.SetBool(v)
			return nil
		}
	case int64:
		switch {
		case to.Kind() == reflect.Bool:
			to.SetBool(v != 0)
			return nil
		case to.Kind() == reflect.String: // what a PRAGMA says
			to.SetString(strconv.FormatInt(v, 10))
			return nil
		case to.CanInt() && !to.OverflowInt(v):
			to.SetInt(v)
			return nil
		case to.CanUint() && v >= 0 && !to.OverflowUint(uint64(v)):
			to.SetUint(uint64(v))
			return nil
		}
	}
	return fmt.Errorf("a %T does not fit into a %s", v, to.Type())
}
