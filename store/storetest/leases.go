package storetest

import (
	"context"
	"sync"
	"time"

	"naru/engine"
)

func (w *world) takes(name, holder string, now time.Time, lasts time.Duration) (fence int64, mine bool) {
	w.Helper()
	w.do(func(tx engine.Tx) (err error) {
		fence, mine, err = tx.TakeLease(name, holder, now, now.Add(lasts))
		return err
	})
	return fence, mine
}

func (w *world) holds(name, holder string, fence int64) (mine bool) {
	w.Helper()
	w.do(func(tx engine.Tx) (err error) {
		mine, err = tx.HoldsLease(name, holder, fence)
		return err
	})
	return mine
}

func leases(w *world) {
	const life = 10 * time.Second
	if fence, mine := w.takes("sweep", "a", start, life); !mine || fence != 1 {
		w.Errorf("the first: %d, %v", fence, mine)
	}
	if _, mine := w.takes("sweep", "b", start.Add(life-time.Microsecond), life); mine {
		w.Error("a lease was taken from its holder")
	}
	if fence, mine := w.takes("sweep", "a", start.Add(life-time.Microsecond), life); !mine || fence != 1 {
		w.Errorf("renewed: %d, %v", fence, mine)
	}
	if !w.holds("sweep", "a", 1) || w.holds("sweep", "b", 1) || w.holds("sweep", "a", 2) || w.holds("other", "a", 1) {
		w.Error("who holds it")
	}
	if fence, mine := w.takes("sweep", "b", start.Add(3*life), life); !mine || fence != 2 {
		w.Errorf("after its time: %d, %v", fence, mine)
	}
	if w.holds("sweep", "a", 1) || !w.holds("sweep", "b", 2) {
		w.Error("who lost a lease holds it")
	}
	if fence, mine := w.takes("sweep", "a", start.Add(5*life), life); !mine || fence != 3 {
		w.Errorf("taken back: %d, %v", fence, mine)
	}
	if w.holds("sweep", "a", 1) {
		w.Error("an old fence is good again")
	}

	running := engine.Idempotency{Key: engine.Key{Account: "P", RequestID: "q"}, Method: "m", Fingerprint: []byte{1}, CreatedAt: start, Node: "a"}
	w.do(func(tx engine.Tx) error {
		_, err := tx.InsertIdempotency(running)
		return err
	})
	abandoned := func(node string, now time.Time) (n int) {
		w.look(func(v engine.Reader) error {
			list, err := v.Abandoned(node, now)
			if n = len(list); n == 1 && list[0].Node != "a" {
				w.Errorf("whose it is: %q", list[0].Node)
			}
			return err
		})
		return n
	}
	if abandoned("b", start) != 1 {
		w.Error("a node that never lived")
	}
	w.takes("node/a", "a", start, life)
	if abandoned("b", start.Add(life-time.Microsecond)) != 0 || abandoned("a", start) != 1 || abandoned("b", start.Add(life)) != 1 {
		w.Error("what is abandoned, and what is not")
	}
	w.takes("node/gone", "gone", start, life)
	w.takes("node/new", "new", start.Add(2*life), life)
	w.do(func(tx engine.Tx) error { return tx.ForgetNodes(start.Add(2 * life)) })
	if w.holds("node/gone", "gone", 1) || !w.holds("node/new", "new", 1) || !w.holds("node/a", "a", 1) || !w.holds("sweep", "a", 3) {
		w.Error("which nodes are forgotten: those that are gone and have left nothing")
	}
}

// guards let transactions pass one by one that would both be right alone, and wrong together.
func guards(w *world) {
	const most, many = 3, 12
	var all sync.WaitGroup
	failed := make(chan error, many)
	for i := range many {
		all.Go(func() {
			failed <- w.Update(context.Background(), func(tx engine.Tx) error {
				if err := tx.Guard("seats"); err != nil {
					return err
				}
				taken, err := tx.Cases(true, many)
				if err != nil || len(taken) == most {
					return err
				}
				id := string(rune('a' + i))
				return tx.OpenCase(engine.Case{ID: id, Kind: "seat", At: start})
			})
		})
	}
	all.Wait()
	for range many {
		w.must(<-failed)
	}
	w.look(func(v engine.Reader) error {
		taken, err := v.Cases(true, many)
		if len(taken) != most {
			w.Errorf("%d of %d seats are taken", len(taken), most)
		}
		return err
	})
}
