package killtest

import (
	"context"
	"io"
	"net"
	"os"
)

// dieBeside dies beside another node of the same database. That one alone gives up what the dead one worked on, once its lease is over;
// then it is called at the addresses of the dead one, as behind a load balancer, and all that was asked there is asked again.
func (l *life) dieBeside(f fate) {
	own := keepDoors(l.t)
	text, err := os.ReadFile(l.config)
	must(l.t, err)
	survivor := l.startWith(l.write(l.shop.dir, text, own.listening()), "")
	v := l.start(f.today[0])
	day := l.day(f.play)
	select {
	case <-v.gone:
	case <-day:
		v.stop()
	}
	if !l.died(v) || !l.await("what the dead one worked on is given up", l.givenUp) {
		return
	}
	var closing []func()
	for i, to := range own.all() {
		closing = append(closing, l.lead(l.at.all()[i], to))
	}
	if !l.over(survivor, day) || !l.rest(survivor) {
		return
	}
	for _, c := range closing {
		c()
	}
	l.finish(survivor)
}

// selectGivenUp are the reversals that were made for requests of dead nodes, and those of their requests that are still in work.
const selectGivenUp = `
SELECT (SELECT COUNT(*) FROM event WHERE actor = 'recovery'), (SELECT COUNT(*) FROM idempotency WHERE NOT done)`

func (l *life) givenUp() bool {
	var reversals, working int
	l.list(selectGivenUp, func(scan func(...any) error) error { return scan(&reversals, &working) })
	return reversals > 0 && working == 0
}

// lead listens in place of a dead victim and leads every connection to another one, until close is called.
func (l *life) lead(from, to string) (closing func()) {
	l.t.Helper()
	ctx, cancel := context.WithCancel(l.ctx)
	doorway, err := net.Listen("tcp", from)
	must(l.t, err)
	context.AfterFunc(ctx, func() { _ = doorway.Close() })
	l.busy.Go(func() {
		for {
			in, err := doorway.Accept()
			if err != nil {
				return
			}
			l.busy.Go(func() { join(ctx, in, to) })
		}
	})
	return func() {
		cancel()
		_ = doorway.Close() // before anybody else listens there
	}
}

// join carries bytes both ways until one side ends.
func join(ctx context.Context, in net.Conn, to string) {
	out, err := net.Dial("tcp", to)
	if err != nil {
		_ = in.Close()
		return
	}
	ctx, end := context.WithCancel(ctx)
	context.AfterFunc(ctx, func() { _, _ = in.Close(), out.Close() })
	go func() {
		defer end()
		_, _ = io.Copy(out, in)
	}()
	_, _ = io.Copy(in, out)
	end()
}
