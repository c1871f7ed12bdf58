// Package pgtest gives tests fresh PostgreSQL databases, on one server for each test binary. The server forgets in a crash: tests of what
// lasts start their own.
package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"

	"naru/pgserver"
)

// settings make the server quick and small. A test that wants synchronous commits says so in its URL: "&synchronous_commit=on".
var settings = map[string]string{
	"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "32MB",
}

// shared is the one of this test binary.
var shared pool

// Run runs the tests of a binary that call URL or Copy, and then stops the server they used: func TestMain(m *testing.M) {
// os.Exit(pgtest.Run(m)) }.
func Run(m *testing.M) int {
	shared.running = true
	code := m.Run()
	if err := shared.close(); err != nil {
		fmt.Fprintln(os.Stderr, "pgtest:", err)
		return max(code, 1)
	}
	return code
}

// URL is the address of a fresh, empty database, which ends with the test.
func URL(t testing.TB) string {
	t.Helper()
	return shared.give(t, "", nil)
}

// Copy is the address of a fresh copy of a database, which ends with the test. The first who asks for a name has prepare make
// the original; prepare leaves no connection behind.
func Copy(t testing.TB, name string, prepare func(url string) error) string {
	t.Helper()
	return shared.give(t, name, prepare)
}

// pool is a server that starts when it is first needed.
type pool struct {
	running bool

	mutex     sync.Mutex
	dir       string
	server    *pgserver.Server
	err       error            // why there is none
	originals map[string]error // by name, and why it could not be made
	given     int
}

// give makes a database for a test.
func (p *pool) give(t testing.TB, original string, prepare func(url string) error) string {
	t.Helper()
	name, err := p.create(t.Context(), original, prepare)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.server.Drop(context.WithoutCancel(t.Context()), name); err != nil {
			t.Error(err)
		}
	})
	return p.server.URL(name)
}

func (p *pool) create(ctx context.Context, original string, prepare func(url string) error) (string, error) {
	name, err := p.ready(ctx, original, prepare)
	if err != nil {
		return "", err
	}
	return name, p.server.Create(ctx, name, original)
}

// ready starts the server and makes the original, where nobody has, and names the next database.
func (p *pool) ready(ctx context.Context, original string, prepare func(url string) error) (string, error) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if !p.running {
		return "", errors.New("pgtest: nobody would stop the server. Add func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) } to the package")
	}
	if p.server == nil && p.err == nil {
		p.err = p.start(ctx)
	}
	if p.err != nil {
		return "", p.err
	}
	if original != "" {
		err, made := p.originals[original]
		if !made {
			if err = p.server.Create(ctx, original, ""); err == nil {
				err = prepare(p.server.URL(original))
			}
			p.originals[original] = err
		}
		if err != nil {
			return "", fmt.Errorf("pgtest: the original %s: %w", original, err)
		}
	}
	p.given++
	return fmt.Sprintf("test_%d", p.given), nil
}

func (p *pool) start(ctx context.Context) (err error) {
	p.originals = map[string]error{}
	if p.dir, err = os.MkdirTemp("", "naru-pgtest-"); err != nil {
		return err
	}
	p.server, err = pgserver.Start(ctx, pgserver.Options{Dir: p.dir, Settings: settings})
	return err
}

// close stops the server, if one was started.
func (p *pool) close() error {
	var err error
	if p.server != nil {
		err = p.server.Stop()
	}
	if p.dir != "" {
		err = errors.Join(err, os.RemoveAll(p.dir))
	}
	return err
}
