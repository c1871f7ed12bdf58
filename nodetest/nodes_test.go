package nodetest

import (
	"cmp"
	"context"
	"math/rand/v2"
	"os"
	"strconv"
	"syscall"
	"testing"
	"time"

	"naru/pgserver/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

const (
	workers = 12
	stretch = 24              // payments that are finished between two faults
	bound   = 4 * time.Minute // more than the story takes; what is not over by then is stuck
)

// TestThreeNodes plays the story. NARU_NODETEST_SEED repeats the choices of an earlier run; NARU_NODETEST_KEEP is an empty folder where the
// evidence stays.
func TestThreeNodes(t *testing.T) {
	seed, err := strconv.ParseUint(cmp.Or(os.Getenv("NARU_NODETEST_SEED"), strconv.FormatInt(time.Now().UnixNano(), 10)), 10, 64)
	if err != nil {
		t.Fatal("NARU_NODETEST_SEED is a number:", err)
	}
	t.Logf("seed %d", seed)
	ctx, cancel := context.WithTimeout(t.Context(), bound)
	defer cancel()
	c := open(ctx, t, seed)
	for _, n := range c.nodes { // at the same time: one of them makes the schema
		n.start()
	}
	for _, n := range c.nodes {
		n.awaitUp()
	}
	victims := rand.New(rand.NewPCG(seed, 0)).Perm(len(c.nodes))
	stop := c.traffic(workers)

	c.play(stretch)
	killed := c.nodes[victims[0]]
	life := killed.seize()
	killed.signal(syscall.SIGKILL)
	<-killed.gone
	c.await("the others give up what the killed node had in work", func() bool { return c.none(owned, life) })
	killed.start()
	killed.awaitUp()

	c.play(stretch)
	paused := c.nodes[victims[1]]
	life = paused.seize()
	c.await("the others give up what the stopped node had in work", func() bool { return c.none(owned, life) })
	c.await("the lease of the stopped node is over", func() bool { return c.none(leased, life, time.Now().UnixMicro()) })
	paused.signal(syscall.SIGCONT)
	paused.awaitUp()

	c.play(stretch)
	c.calm.Store(true)
	for _, i := range victims {
		n := c.nodes[i]
		n.end()
		c.play(stretch / 4)
		n.start()
		n.awaitUp()
	}
	c.play(stretch / 2)

	stop()
	c.rest()
	c.askAgain()
	for _, n := range c.nodes {
		n.end()
	}
	c.audit()
	c.report()
}
