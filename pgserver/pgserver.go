// Package pgserver runs PostgreSQL servers of this machine on loopback, for tests, measurements and drills. They are thrown away: whoever
// reaches loopback is their superuser.
package pgserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// programs are what a folder of PostgreSQL must hold.
var programs = []string{"initdb", "postgres", "pg_basebackup"}

// Find is the folder of PostgreSQL's programs: that of PATH, or else the newest of Debian's, which are not on PATH.
func Find() (bin string, err error) { return find("/usr/lib/postgresql") }

func find(debian string) (bin string, err error) {
	var folders []string
	if initdb, err := exec.LookPath("initdb"); err == nil {
		if initdb, err = filepath.EvalSymlinks(initdb); err == nil {
			folders = append(folders, filepath.Dir(initdb))
		}
	}
	versions, err := filepath.Glob(filepath.Join(debian, "*", "bin"))
	if err != nil {
		return "", err
	}
	version := func(folder string) int {
		n, _ := strconv.Atoi(filepath.Base(filepath.Dir(folder))) // what is no number is the oldest
		return n
	}
	slices.SortFunc(versions, func(a, b string) int { return version(b) - version(a) })
	for _, folder := range append(folders, versions...) {
		if !slices.ContainsFunc(programs, func(name string) bool { _, err := exec.LookPath(filepath.Join(folder, name)); return err != nil }) {
			return folder, nil
		}
	}
	return "", errors.New("PostgreSQL is missing: neither PATH nor " + debian + "/*/bin has " + strings.Join(programs, ", ") +
		". Install the package postgresql (Debian: sudo apt-get install postgresql)")
}

// Options say what a server is like.
type Options struct {
	Dir      string            // all that the server keeps; its data must not be there yet
	Settings map[string]string // lines of postgresql.conf, instead of ours
}

// settings are those of every server that does not say otherwise. PostgreSQL's own make it durable.
var settings = map[string]string{
	"max_connections": "200", "timezone": "UTC", "log_timezone": "UTC",
	"dynamic_shared_memory_type": "mmap", // what a crash leaves behind is in the server's folder
}

// Server is one PostgreSQL server and the child process that runs it. One goroutine at a time may stop, kill and restart it.
type Server struct {
	Dir string

	bin     string
	owner   *syscall.Credential
	port    int
	kept    *os.File // the port
	process *process // nil while it is stopped or killed
}

// Start makes a server and returns when it answers. It dies with this process (Linux).
func Start(ctx context.Context, o Options) (*Server, error) {
	bin, err := Find()
	if err != nil {
		return nil, err
	}
	s, err := furnish(bin, o.Dir)
	if err != nil {
		return nil, err
	}
	if err := s.tool(ctx, "initdb", "--pgdata="+s.data(), "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C",
		"--data-checksums", "--no-sync"); err != nil {
		return nil, err
	}
	all := maps.Clone(settings)
	maps.Copy(all, o.Settings)
	if err := s.configure(all); err != nil {
		return nil, err
	}
	if err := s.begin(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// furnish takes a folder and a port for a server.
func furnish(bin, dir string) (*Server, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	s := &Server{Dir: dir, bin: bin}
	if s.owner, err = owner(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if s.owner != nil {
		if err := hand(dir, s.owner); err != nil {
			return nil, err
		}
	}
	s.kept, s.port, err = keepPort()
	return s, err
}

// configure appends settings to postgresql.conf.
func (s *Server) configure(all map[string]string) error {
	f, err := os.OpenFile(filepath.Join(s.data(), "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if _, err := fmt.Fprintf(f, "%s = '%s'\n", name, strings.ReplaceAll(all[name], "'", "''")); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return f.Close()
}

// begin starts the process and waits until the server answers.
func (s *Server) begin(ctx context.Context) error {
	log, err := os.OpenFile(s.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := s.command(context.Background(), "postgres", "-D", s.data(), "-p", strconv.Itoa(s.port),
		"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=")
	cmd.Stdout, cmd.Stderr = log, log
	if s.process, err = launch(cmd); err != nil {
		return err
	}
	for {
		err := s.do(ctx, func(c *pgx.Conn) error { return c.Ping(ctx) })
		if err == nil {
			return nil
		}
		select {
		case <-s.process.ended:
			s.process = nil
			return fmt.Errorf("PostgreSQL ended at its start; its log ends in:\n%s", s.lastWords())
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("PostgreSQL does not answer: %w; its log ends in:\n%s", err, s.lastWords()), s.Kill())
		case <-time.After(pause):
		}
	}
}

// pause lies between two questions to a server that is not yet where we want it.
const pause = 10 * time.Millisecond

// Restart starts a server that was stopped or killed, at its old address, and returns when it answers.
func (s *Server) Restart(ctx context.Context) error {
	if s.process != nil {
		return errors.New("the server runs")
	}
	return s.begin(ctx)
}

// Stop ends the server in order: open transactions are broken off, what was committed is on disk, standbys have it.
func (s *Server) Stop() error {
	if s.process == nil {
		return nil
	}
	p := s.process
	_ = p.Signal(syscall.SIGINT) // it may have ended by itself; then its exit says how
	select {
	case <-p.ended:
		s.process = nil
		if p.err != nil {
			return fmt.Errorf("PostgreSQL: %w; its log ends in:\n%s", p.err, s.lastWords())
		}
		return nil
	case <-time.After(time.Minute):
		return errors.Join(errors.New("PostgreSQL did not stop within a minute and was killed"), s.Kill())
	}
}

// Kill ends the server's processes at once and without warning, as a crash would, and returns when the last is gone.
func (s *Server) Kill() error {
	if s.process == nil {
		return nil
	}
	err := s.process.kill()
	s.process = nil
	return err
}

// URL is a database's address. More parameters of a connection may follow it: "&synchronous_commit=on".
func (s *Server) URL(database string) string {
	return "postgres://postgres@" + s.Addr() + "/" + database + "?sslmode=disable"
}

// Addr is where the server listens, HOST:PORT.
func (s *Server) Addr() string { return "127.0.0.1:" + strconv.Itoa(s.port) }

// PID is the postmaster's process, 0 while the server does not run.
func (s *Server) PID() int {
	if s.process == nil {
		return 0
	}
	return s.process.Pid
}

// CPU is the processor time that the running server took since it was started, in all its processes, living and dead (Linux).
func (s *Server) CPU() (time.Duration, error) {
	if s.process == nil {
		return 0, errors.New("the server does not run")
	}
	return s.process.cpu()
}

// Create makes a database, a copy of template where that is not empty. Nobody may be connected to the template.
func (s *Server) Create(ctx context.Context, name, template string) error {
	statement := "CREATE DATABASE " + pgx.Identifier{name}.Sanitize()
	if template != "" {
		statement += " TEMPLATE " + pgx.Identifier{template}.Sanitize()
	}
	return s.exec(ctx, statement)
}

// Drop removes a database and throws out who is connected to it.
func (s *Server) Drop(ctx context.Context, name string) error {
	return s.exec(ctx, "DROP DATABASE "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)")
}

// do lends a fresh connection.
func (s *Server) do(ctx context.Context, f func(*pgx.Conn) error) error {
	c, err := pgx.Connect(ctx, s.URL("postgres"))
	if err != nil {
		return err
	}
	return errors.Join(f(c), c.Close(ctx))
}

func (s *Server) exec(ctx context.Context, statements ...string) error {
	return s.do(ctx, func(c *pgx.Conn) error {
		for _, statement := range statements {
			if _, err := c.Exec(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
}

// until asks a yes-no question, each time over a fresh connection, until the answer is yes.
func (s *Server) until(ctx context.Context, what, question string, args ...any) error {
	for {
		var yes bool
		err := s.do(ctx, func(c *pgx.Conn) error { return c.QueryRow(ctx, question, args...).Scan(&yes) })
		if yes || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, ctx.Err())
		case <-time.After(pause):
		}
	}
}

func (s *Server) data() string { return filepath.Join(s.Dir, "data") }
func (s *Server) log() string  { return filepath.Join(s.Dir, "log") }

// lastWords is the end of the server's log.
func (s *Server) lastWords() []byte {
	text, err := os.ReadFile(s.log())
	if err != nil {
		return []byte(err.Error())
	}
	return bytes.TrimSpace(text[max(0, len(text)-2000):])
}
