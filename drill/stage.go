package drill

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"

	"naru/pgserver"
	"naru/rail/iso8583"
	"naru/rail/iso8583/sim"
	"naru/sandbox"
	"naru/seal"
)

// setting is what a drill needs beside two nodes, a database and an acquirer.
type setting struct {
	replica bool // of the database
	line    bool // between the database and node b
}

// stage is where one drill is played.
type stage struct {
	o      Options
	dir    string
	result Result

	host    *sim.Host
	control http.Server // shows the host's own record
	records string      // and where

	primary, replica *pgserver.Server
	line             *line
	folders          []string
	a, b             *node
	load
}

const (
	database    = "naru"
	replicaName = "replica"
	// answerTime is what the acquirer takes for a hold, as one at a distance does: so that requests are under way when the blow falls.
	answerTime = 150 // ms
	// patience is how long anything may take that must happen. It bounds a drill; nothing is measured by it.
	patience = 2 * time.Minute
)

// build sets everything up and waits until both nodes answer.
func build(ctx context.Context, o Options, of setting) (s *stage, err error) {
	s = &stage{o: o, result: Result{Notes: []string{}, Problems: []string{}}}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if s.dir, err = os.MkdirTemp("", "naru-drill-*"); err != nil {
		return s, err
	}
	s.folders = append(s.folders, s.dir)
	if err := s.openAcquirer(ctx); err != nil {
		return s, err
	}
	if err := s.openDatabase(ctx, of); err != nil {
		return s, err
	}
	if err := s.playGoogle(ctx); err != nil {
		return s, err
	}
	places := [2]string{s.primary.URL(database), s.primary.URL(database)}
	if of.replica { // of several hosts a node takes the one that takes writes
		both := fmt.Sprintf("postgres://postgres@%s,%s/%s?sslmode=disable", s.primary.Addr(), s.replica.Addr(), database)
		places = [2]string{both, both}
	}
	if of.line {
		if s.line, err = lay(s.primary.Addr()); err != nil {
			return s, err
		}
		places[1] = fmt.Sprintf("postgres://postgres@%s/%s?sslmode=disable", s.line.addr(), database)
	}
	if s.a, err = s.furnish("a", places[0]); err != nil {
		return s, err
	}
	if s.b, err = s.furnish("b", places[1]); err != nil {
		return s, err
	}
	s.nodes = []*node{s.a, s.b}
	for _, n := range []*node{s.b, s.a} { // b first: it has the duties when it is cut off
		if err := n.start(ctx); err != nil {
			return s, err
		}
		if err := s.answers(ctx, n); err != nil {
			return s, err
		}
	}
	return s, nil
}

// openAcquirer starts the host, which takes a moment for each answer.
func (s *stage) openAcquirer(ctx context.Context) error {
	dialect, err := iso8583.LoadProfile(iso8583.DefaultProfile)
	if err != nil {
		return err
	}
	if s.host, err = sim.Start(ctx, sim.Config{Profile: dialect, Address: "127.0.0.1:0", Polite: true}); err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	s.control.Handler, s.control.ReadHeaderTimeout = s.host.Control(), callTime
	s.records = "http://" + l.Addr().String()
	go func() { _ = s.control.Serve(l) }() // until it is closed
	rule := fmt.Appendf(nil, `{"match":{"mti":"0100"},"action":"late","delay_ms":%d}`, answerTime)
	resp, err := http.Post(s.records+"/scenarios", "application/json", bytes.NewReader(rule))
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		err = errors.New("the acquirer takes no rules: " + resp.Status)
	}
	return errors.Join(err, resp.Body.Close())
}

// openDatabase starts the database, with a replica where there is to be one.
func (s *stage) openDatabase(ctx context.Context, of setting) error {
	dir, err := s.folder()
	if err != nil {
		return err
	}
	if s.primary, err = pgserver.Start(ctx, pgserver.Options{Dir: dir}); err != nil {
		return err
	}
	if of.replica {
		if dir, err = s.folder(); err != nil {
			return err
		}
		if s.replica, err = s.primary.Standby(ctx, dir, replicaName); err != nil {
			return err
		}
		if s.result.Synchronous = !s.o.Asynchronous; s.result.Synchronous {
			if err := s.primary.Synchronous(ctx, replicaName); err != nil {
				return err
			}
		}
	}
	return s.primary.Create(ctx, database, "")
}

// folder is a server's own: it may run as another user.
func (s *stage) folder() (string, error) {
	dir, err := os.MkdirTemp("", "naru-drill-postgres-*")
	if err == nil {
		s.folders = append(s.folders, dir)
	}
	return dir, err
}

// playGoogle lets a sandbox make the keys and certificates, and takes Google's.
func (s *stage) playGoogle(ctx context.Context) error {
	made, err := sandbox.Start(ctx, sandbox.Options{Dir: s.dir, Out: io.Discard})
	if err != nil {
		return err
	}
	if err := made.Close(); err != nil {
		return err
	}
	in := func(name string) string { return filepath.Join(s.dir, name) }
	google, err := seal.LoadRing(in(made.Contract.GSP.Google.PGPSecret))
	if err != nil {
		return err
	}
	integrator, err := seal.LoadRing(in(made.Contract.GSP.Integrator.PGPPublic))
	if err != nil {
		return err
	}
	if s.box, err = seal.NewBox(seal.Config{Own: google, Peer: integrator}); err != nil {
		return err
	}
	ca, err := os.ReadFile(in(made.Contract.GSP.CA))
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	s.client = &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, MaxIdleConnsPerHost: 64, DisableCompression: true,
	}}
	return nil
}

// answers waits until a node and the acquirer behind it answer.
func (s *stage) answers(ctx context.Context, n *node) error {
	alone := load{nodes: []*node{n}, box: s.box, client: s.client}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	alone.ask(ctx, time.Now(), 0)
	if first := alone.requests[0]; first.answer == nil {
		return fmt.Errorf("node %s does not answer; its log ends in:\n%s", n.name, n.lastWords())
	}
	return nil
}

// until waits for what must happen. That it does not is what the drill found.
func until(ctx context.Context, what string, happened func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		if yes, err := happened(); yes || err != nil {
			return err
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return fmt.Errorf("in %v it did not happen that %s", patience, what)
		}
	}
}

// goOn lets time pass under load.
func goOn(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ask asks a server one question.
func ask(ctx context.Context, place, question string, args []any, into ...any) error {
	c, err := pgx.Connect(ctx, place)
	if err != nil {
		return err
	}
	return errors.Join(c.QueryRow(ctx, question, args...).Scan(into...), c.Close(ctx))
}

// tell has a server do something.
func tell(ctx context.Context, place string, statements ...string) error {
	c, err := pgx.Connect(ctx, place)
	if err != nil {
		return err
	}
	for _, statement := range statements {
		_, failed := c.Exec(ctx, statement)
		err = errors.Join(err, failed)
	}
	return errors.Join(err, c.Close(ctx))
}

func (s *stage) note(text string, args ...any) {
	s.result.Notes = append(s.result.Notes, fmt.Sprintf(text, args...))
}

// wrong is why the drill failed.
func (s *stage) wrong(text string, args ...any) {
	s.result.Problems = append(s.result.Problems, fmt.Sprintf(text, args...))
}

// close ends everything and removes it.
func (s *stage) close() (err error) {
	if s.giveUp != nil { // nobody waits any more
		s.giveUp()
	}
	s.end()
	for _, n := range s.nodes {
		err = errors.Join(err, n.stop())
	}
	if s.client != nil {
		s.client.CloseIdleConnections()
	}
	if s.line != nil {
		err = errors.Join(err, s.line.close())
	}
	for _, server := range []*pgserver.Server{s.replica, s.primary} {
		if server != nil {
			err = errors.Join(err, server.Kill()) // it is thrown away
		}
	}
	if s.host != nil {
		err = errors.Join(err, s.control.Close(), s.host.Close())
	}
	for _, dir := range s.folders {
		if dir == s.dir && len(s.result.Problems) > 0 {
			s.note("the nodes' logs are kept in %s", dir)
			continue
		}
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return err
}
