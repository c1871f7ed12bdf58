package pgserver

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"go.uber.org/goleak"
)

// parentDir is set where the test binary plays a process that starts a server and is killed.
const parentDir = "NARU_PGSERVER_PARENT_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(parentDir); dir != "" {
		s, err := Start(context.Background(), Options{Dir: dir})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		fmt.Println(s.PID(), s.URL("postgres"))
		select {}
	}
	goleak.VerifyTestMain(m)
}

// start runs a server until the end of the test. The thread that asks for it dies at once: the server may not.
func start(t *testing.T, settings map[string]string) *Server {
	t.Helper()
	var s *Server
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked
		s, err = Start(t.Context(), Options{Dir: t.TempDir(), Settings: settings})
	}()
	<-done
	must(t, err)
	t.Cleanup(func() { must(t, s.Stop()) })
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func connect(t *testing.T, s *Server, database string) *pgx.Conn {
	t.Helper()
	c, err := pgx.Connect(t.Context(), s.URL(database))
	must(t, err)
	t.Cleanup(func() { _ = c.Close(context.WithoutCancel(t.Context())) }) // its server may have died
	return c
}

func run(t *testing.T, c *pgx.Conn, statement string) {
	t.Helper()
	_, err := c.Exec(t.Context(), statement)
	must(t, err)
}

func numbers(t *testing.T, c *pgx.Conn) []int {
	t.Helper()
	rows, err := c.Query(t.Context(), "SELECT n FROM kept ORDER BY n")
	must(t, err)
	all, err := pgx.CollectRows(rows, pgx.RowTo[int])
	must(t, err)
	return all
}

func TestCrashKeepsWhatWasCommitted(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	must(t, s.Create(t.Context(), "original", ""))
	c := connect(t, s, "original")
	run(t, c, "CREATE TABLE kept (n int)")
	must(t, c.Close(t.Context()))
	must(t, s.Create(t.Context(), "copy", "original"))
	c = connect(t, s, "copy")
	run(t, c, "INSERT INTO kept VALUES (1), (2)")
	run(t, c, "BEGIN")
	run(t, c, "INSERT INTO kept VALUES (3)")

	family := append(familyOf(t, s), s.PID())
	must(t, s.Kill())
	if i := slices.IndexFunc(family, lives); i >= 0 {
		t.Fatalf("process %d outlived the crash", family[i])
	}
	if s.PID() != 0 {
		t.Fatal("a server that was killed still has a process")
	}
	must(t, s.Kill()) // once more is harmless
	must(t, s.Restart(t.Context()))
	if err := s.Restart(t.Context()); err == nil {
		t.Fatal("a running server was started once more")
	}
	if got := numbers(t, connect(t, s, "copy")); !slices.Equal(got, []int{1, 2}) {
		t.Fatalf("after the crash the copy holds %v", got)
	}
	if got := numbers(t, connect(t, s, "original")); len(got) != 0 {
		t.Fatalf("what went into the copy is in the original: %v", got)
	}
	must(t, s.Drop(t.Context(), "copy")) // though somebody is connected
	if _, err := pgx.Connect(t.Context(), s.URL("copy")); err == nil {
		t.Fatal("a dropped database took a connection")
	}
}

func TestStandbyHasWhatWasAcknowledged(t *testing.T) {
	t.Parallel()
	primary := start(t, map[string]string{"application_name": "it's", "fsync": "off"}) // nobody takes this machine's power away
	c := connect(t, primary, "postgres")
	var name string
	must(t, c.QueryRow(t.Context(), "SHOW application_name").Scan(&name))
	if name != "it's" {
		t.Fatalf("a setting arrived as %q", name)
	}
	run(t, c, "CREATE TABLE kept (n int PRIMARY KEY)")
	names := []string{"b", "c"} // c is made while commits wait for b, and must not wait for it later
	for i, name := range names {
		standby, err := primary.Standby(t.Context(), t.TempDir(), name)
		must(t, err)
		t.Cleanup(func() { must(t, standby.Stop()) })
		must(t, primary.Synchronous(t.Context(), names[:i+1]...))
		if i == 0 {
			continue
		}

		var acknowledged []int
		var mutex sync.Mutex
		var writers sync.WaitGroup
		enough := make(chan struct{})
		for w := range 4 {
			writers.Go(func() {
				c, err := pgx.Connect(t.Context(), primary.URL("postgres"))
				if err != nil {
					t.Error(err)
					return
				}
				defer c.Close(t.Context())
				for n := w; ; n += 4 {
					if _, err := c.Exec(t.Context(), "INSERT INTO kept VALUES ($1)", n); err != nil {
						return // the primary is dead
					}
					mutex.Lock()
					if acknowledged = append(acknowledged, n); len(acknowledged) == 200 {
						close(enough)
					}
					mutex.Unlock()
				}
			})
		}
		<-enough
		must(t, primary.Kill())
		writers.Wait()
		must(t, standby.Promote(t.Context()))
		c := connect(t, standby, "postgres")
		kept := numbers(t, c)
		for _, n := range acknowledged {
			if _, found := slices.BinarySearch(kept, n); !found {
				t.Errorf("%d was acknowledged and is lost", n)
			}
		}
		run(t, c, "INSERT INTO kept VALUES (-1)")
	}
}

func TestSynchronousCommitWaits(t *testing.T) {
	t.Parallel()
	primary := start(t, map[string]string{"fsync": "off"})
	standby, err := primary.Standby(t.Context(), t.TempDir(), "b")
	must(t, err)
	must(t, primary.Synchronous(t.Context(), "b"))
	must(t, standby.Kill())
	waiting := connect(t, primary, "postgres")
	answer := make(chan error)
	go func() {
		_, err := waiting.Exec(t.Context(), "CREATE TABLE kept (n int)")
		answer <- err
	}()
	must(t, primary.until(t.Context(), "nobody waits", "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep')"))
	must(t, standby.Restart(t.Context()))
	must(t, <-answer)
	must(t, standby.Stop())
	must(t, primary.Synchronous(t.Context())) // and now for nobody
	run(t, waiting, "DROP TABLE kept")
}

func TestStopLeavesNoProcess(t *testing.T) {
	t.Parallel()
	s := start(t, nil)
	before, err := s.CPU()
	must(t, err)
	c := connect(t, s, "postgres")
	run(t, c, "SELECT count(*) FROM generate_series(1, 1000000)")
	living, err := s.CPU()
	must(t, err)
	if before == 0 || living <= before {
		t.Errorf("CPU time went from %v to %v over a long question", before, living)
	}
	backend := int(c.PgConn().PID())
	must(t, c.Close(t.Context()))
	for lives(backend) {
		runtime.Gosched()
	}
	if dead, err := s.CPU(); err != nil || dead < living {
		t.Errorf("CPU time went from %v to %v (%v) with a connection's end", living, dead, err)
	}
	connect(t, s, "postgres") // somebody is still there
	family := append(familyOf(t, s), s.PID())
	must(t, s.Stop())
	if i := slices.IndexFunc(family, lives); i >= 0 {
		t.Fatalf("process %d outlived the server", family[i])
	}
	must(t, s.Stop())
	if _, err := s.CPU(); err == nil {
		t.Error("a server that does not run has CPU time")
	}
}

func TestServerDiesWithItsParent(t *testing.T) {
	t.Parallel()
	parent := exec.CommandContext(t.Context(), os.Args[0])
	parent.Env = append(os.Environ(), parentDir+"="+t.TempDir())
	parent.Stderr = os.Stderr
	out, err := parent.StdoutPipe()
	must(t, err)
	must(t, parent.Start())
	var pid int
	var url string
	_, err = fmt.Fscan(bufio.NewReader(out), &pid, &url)
	must(t, err)
	c, err := pgx.Connect(t.Context(), url)
	must(t, err)
	family, err := children(pid)
	must(t, err)

	must(t, parent.Process.Kill())
	_ = parent.Wait() // it was killed
	if _, err := c.WaitForNotification(t.Context()); err == nil {
		t.Fatal("a notification that nobody sent")
	}
	for lives(pid) || slices.ContainsFunc(family, func(c stat) bool { return lives(c.pid) }) {
		runtime.Gosched()
	}
	_ = c.Close(t.Context())
}

func TestStartTellsWhyNot(t *testing.T) {
	t.Parallel()
	_, err := Start(t.Context(), Options{Dir: t.TempDir(), Settings: map[string]string{"max_connections": "many"}})
	if err == nil || !strings.Contains(err.Error(), "max_connections") {
		t.Errorf("a senseless setting: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Start(ctx, Options{Dir: t.TempDir()}); !errors.Is(err, context.Canceled) {
		t.Errorf("nobody waits any more: %v", err)
	}
}

func TestFind(t *testing.T) {
	t.Setenv("PATH", "")
	debian := t.TempDir()
	if _, err := find(debian); err == nil || !strings.Contains(err.Error(), "apt-get install postgresql") {
		t.Errorf("without PostgreSQL: %v", err)
	}
	furnish := func(version string, programs ...string) string {
		bin := filepath.Join(debian, version, "bin")
		must(t, os.MkdirAll(bin, 0o700))
		for _, p := range programs {
			must(t, os.WriteFile(filepath.Join(bin, p), nil, 0o700))
		}
		return bin
	}
	furnish("9.6", programs...)
	furnish("13", programs...)
	newest := furnish("15", programs...)
	furnish("16", "initdb") // a client alone
	if got, err := find(debian); err != nil || got != newest {
		t.Errorf("the newest that is whole is %s: %s, %v", newest, got, err)
	}
	link := t.TempDir()
	onPath := furnish("14", programs...)
	must(t, os.Symlink(filepath.Join(onPath, "initdb"), filepath.Join(link, "initdb")))
	t.Setenv("PATH", link)
	if got, err := find(debian); err != nil || got != onPath {
		t.Errorf("PATH leads to %s: %s, %v", onPath, got, err)
	}
}

// familyOf are the server's processes but the postmaster.
func familyOf(t *testing.T, s *Server) (pids []int) {
	t.Helper()
	family, err := children(s.PID())
	must(t, err)
	if len(family) == 0 {
		t.Fatal("a server without processes")
	}
	for _, c := range family {
		pids = append(pids, c.pid)
	}
	return pids
}

// lives tells of a process whether it does anything any more.
func lives(pid int) bool {
	st, err := read(pid)
	return err == nil && st.state != "Z"
}
