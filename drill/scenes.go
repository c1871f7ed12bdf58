package drill

import (
	"context"
	"fmt"
	"net"
	"time"
)

// blow is when something ends under load.
func (s *stage) blow(ctx context.Context, strike func() error) (time.Time, error) {
	s.begin(ctx, s.o.PerSecond)
	if err := goOn(ctx, s.o.Load); err != nil {
		return time.Time{}, err
	}
	at := time.Now()
	return at, strike()
}

// losePrimary kills the primary and promotes the replica at once: who decides that in earnest, and how fast, is not ours to measure.
func (s *stage) losePrimary(ctx context.Context) error {
	var behind *line
	if s.o.Asynchronous {
		var err error
		if behind, err = s.distant(ctx); err != nil {
			return err
		}
		defer behind.close()
	}
	at, err := s.blow(ctx, func() error {
		if behind != nil {
			behind.cut() // what is committed now, the replica never hears of
			if err := goOn(ctx, lag); err != nil {
				return err
			}
		}
		return s.primary.Kill()
	})
	if err != nil {
		return err
	}
	if behind != nil {
		at = at.Add(lag)
		if err := behind.close(); err != nil {
			return err
		}
	}
	if err := s.replica.Promote(ctx); err != nil {
		return err
	}
	s.note("the replica took writes after %s", seconds(millis(time.Since(at))))
	if err := s.mended(ctx, at, s.a, s.b); err != nil {
		return err
	}
	if err := s.prove(ctx, s.replica.URL(database)); err != nil {
		return err
	}
	s.felt(at)
	if s.o.Asynchronous { // that is what it shows
		s.result.Notes, s.result.Problems = append(s.result.Notes, s.result.Problems...), []string{}
		s.note("so it goes where commits do not wait for the replica, and it was %v behind", lag)
	}
	return nil
}

// lag is how far behind a replica is for which nobody waits.
const lag = 500 * time.Millisecond

// distant has the replica follow over a line.
func (s *stage) distant(ctx context.Context) (*line, error) {
	l, err := lay(s.primary.Addr())
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(l.addr())
	if err != nil {
		return l, err
	}
	follow := fmt.Sprintf("host=%s port=%s user=postgres sslmode=disable application_name=%s/distant", host, port, replicaName)
	if err := tell(ctx, s.replica.URL("postgres"), "ALTER SYSTEM SET primary_conninfo = '"+follow+"'", "SELECT pg_reload_conf()"); err != nil {
		return l, err
	}
	return l, until(ctx, "the replica follows over the line", func() (follows bool, err error) {
		return follows, ask(ctx, s.primary.URL("postgres"), `SELECT EXISTS
 (SELECT FROM pg_stat_replication WHERE application_name = $1 AND state = 'streaming')`, []any{replicaName + "/distant"}, &follows)
	})
}

// loseNode kills a node, and starts it again when its requests have been taken over.
func (s *stage) loseNode(ctx context.Context) error {
	at, err := s.blow(ctx, s.a.kill)
	if err != nil {
		return err
	}
	if err := s.mended(ctx, at, s.b); err != nil {
		return err
	}
	err = until(ctx, "what was in work on the killed node was answered by the other", func() (bool, error) {
		for _, r := range s.soFar() {
			if r.answer == nil && r.due.Before(at) {
				return false, nil
			}
		}
		return true, nil
	})
	if err != nil {
		s.wrong("%v", err)
	}
	again := time.Now()
	if err := s.a.start(ctx); err != nil {
		return err
	}
	if err := s.mended(ctx, again, s.a); err != nil {
		return err
	}
	s.note("the node was started again after %s", seconds(millis(again.Sub(at))))
	if err := s.prove(ctx, s.primary.URL(database)); err != nil {
		return err
	}
	s.felt(at)
	return nil
}

// losePath cuts a node off from the database for longer than its lease. It must say that it cannot answer, acknowledge nothing, and lose
// what it does for all nodes; the other node goes on.
func (s *stage) losePath(ctx context.Context) error {
	duties := func(when string) (n int, err error) {
		err = ask(ctx, s.primary.URL(database), `SELECT count(*) FROM lease WHERE holder LIKE 'b/%' AND until_us > $1`,
			[]any{time.Now().UnixMicro()}, &n)
		s.note("leases of node b, %s: %d", when, n)
		return n, err
	}
	if n, err := duties("before"); err != nil || n == 0 {
		s.wrong("node b has no lease that it could lose (%v)", err)
	}
	at, err := s.blow(ctx, func() error { s.line.cut(); return nil })
	if err != nil {
		return err
	}
	away := s.o.Lease + s.o.Lease/2
	if err := goOn(ctx, away); err != nil {
		return err
	}
	kept, err := duties(fmt.Sprintf("when it was cut off for %v", away))
	if err != nil {
		return err
	}
	if kept > 0 {
		s.wrong("node b kept %d leases", kept)
	}
	healed := time.Now()
	s.line.mend()
	if err := s.mended(ctx, healed, s.a, s.b); err != nil {
		return err
	}
	if err := s.prove(ctx, s.primary.URL(database)); err != nil {
		return err
	}
	s.felt(at)
	all := s.soFar()
	if n := answeredWithin(all, s.b.name, at, healed); n > 0 {
		s.wrong("node b acknowledged %d requests while it was cut off", n)
	}
	s.note("while node b was cut off, it acknowledged nothing, and node a %d", answeredWithin(all, s.a.name, at, healed))
	s.note("node b answered 200 again %s after the path was mended", seconds(firstAfter(all, s.b.name, healed)))
	return nil
}

// loseStandby kills the replica that commits wait for. Nothing may be acknowledged until an operator says that commits wait for nobody.
func (s *stage) loseStandby(ctx context.Context) error {
	at, err := s.blow(ctx, s.replica.Kill)
	if err != nil {
		return err
	}
	dead := time.Now()
	if err := goOn(ctx, s.o.Load+waiting); err != nil {
		return err
	}
	var held int
	err = ask(ctx, s.primary.URL("postgres"), `SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'`, nil, &held)
	if err != nil {
		return err
	}
	released := time.Now()
	if err := s.primary.Synchronous(ctx); err != nil {
		return err
	}
	if err := s.mended(ctx, released, s.a, s.b); err != nil {
		return err
	}
	s.note("%d commits waited; after %s synchronous_standby_names was emptied, and 200 was answered %s later", held,
		seconds(millis(released.Sub(at))), seconds(firstAfter(s.soFar(), "", released)))
	if err := s.follow(ctx); err != nil {
		return err
	}
	again := time.Now()
	if err := s.mended(ctx, again, s.a, s.b); err != nil {
		return err
	}
	s.note("the replica was started again, and commits wait for it again")
	if err := s.prove(ctx, s.primary.URL(database)); err != nil {
		return err
	}
	s.felt(at)
	if n := answeredWithin(s.soFar(), "", dead, released); n > 0 {
		s.wrong("%d calls were answered 200 while no commit could reach the replica", n)
	}
	return nil
}

// waiting is longer than a transaction may take: what happens then is part of the drill.
const waiting = 8 * time.Second

// follow starts the replica again and has commits wait for it.
func (s *stage) follow(ctx context.Context) error {
	if err := s.replica.Restart(ctx); err != nil {
		return err
	}
	return s.primary.Synchronous(ctx, replicaName)
}

// mended waits until nodes answer requests that were sent after something was mended, and lets the load go on for a while.
func (s *stage) mended(ctx context.Context, since time.Time, nodes ...*node) error {
	for _, n := range nodes {
		err := until(ctx, "node "+n.name+" answered again", func() (bool, error) {
			return answeredWithin(s.soFar(), n.name, since, time.Now()) > 0, nil
		})
		if err != nil {
			s.wrong("%v; its log ends in:\n%s", err, n.lastWords())
		}
	}
	return goOn(ctx, s.o.Load)
}

// felt writes down how the nodes' callers felt a blow.
func (s *stage) felt(at time.Time) { s.result.felt(s.soFar(), []string{s.a.name, s.b.name}, at) }
