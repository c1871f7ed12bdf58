package storetest

import (
	"context"
	"slices"
	"sync"
	"time"

	"naru/store"
)

// tallies is a store that keeps how calls went.
type tallies interface {
	AddTallies(ctx context.Context, node string, list []store.Tally) error
	Tallies(ctx context.Context, from, until time.Time) ([]store.Tally, error)
}

// callTallies: what nodes add is the sum for everybody, by method and hour, and one wrong count takes all that came with it along.
func callTallies(w *world) {
	ctx, db := context.Background(), w.Store.(tallies)
	nine := start.Truncate(time.Hour)
	ten, eleven := nine.Add(time.Hour), nine.Add(2*time.Hour)
	const korea, fop, echo = "korea-cards-v1/reserveFunds", "card-fop-v1/reserveFunds", "v1/echo"
	of := func(method string, hour time.Time, calls, answered, within5s, within3s int64) store.Tally {
		return store.Tally{Method: method, Hour: hour, Calls: calls, Answered: answered, Within5s: within5s, Within3s: within3s}
	}
	read := func(from, until time.Time) []store.Tally {
		w.Helper()
		list, err := db.Tallies(ctx, from, until)
		w.must(err)
		return list
	}
	if got := read(nine, eleven); len(got) != 0 {
		w.Errorf("an empty store counted %+v", got)
	}

	w.must(db.AddTallies(ctx, "a", []store.Tally{of(korea, nine, 10, 9, 8, 7), of(fop, nine, 1, 1, 1, 1), of(korea, ten, 2, 2, 2, 2)}))
	w.must(db.AddTallies(ctx, "b", []store.Tally{of(korea, nine, 5, 5, 5, 4), of(echo, ten, 1, 0, 0, 0)}))
	w.must(db.AddTallies(ctx, "a", []store.Tally{of(korea, nine, 3, 2, 1, 0), of(korea, eleven, 1, 1, 1, 1)}))
	want := []store.Tally{
		of(fop, nine, 1, 1, 1, 1), of(korea, nine, 18, 16, 14, 11), of(korea, ten, 2, 2, 2, 2),
		of(korea, eleven, 1, 1, 1, 1), of(echo, ten, 1, 0, 0, 0),
	}
	same(w, "all hours", read(nine, eleven.Add(time.Hour)), want)
	same(w, "the hours before the last", read(nine, eleven), slices.Delete(slices.Clone(want), 3, 4))
	same(w, "one hour", read(ten, eleven), []store.Tally{want[2], want[4]})
	if got := read(eleven.Add(time.Hour), eleven.Add(2*time.Hour)); len(got) != 0 {
		w.Errorf("an hour without calls has %+v", got)
	}

	for what, wrong := range map[string]store.Tally{
		"no call":                             of(korea, ten, 0, 0, 0, 0),
		"an answer to no call":                of(korea, ten, 1, 2, 1, 1),
		"more answers within 5 s than at all": of(korea, ten, 2, 1, 2, 1),
		"more within 3 s than within 5 s":     of(korea, ten, 2, 2, 1, 2),
		"less than nothing":                   of(korea, ten, 1, 1, 1, -1),
	} {
		if err := db.AddTallies(ctx, "c", []store.Tally{of(korea, nine, 1, 1, 1, 1), wrong}); err == nil {
			w.Errorf("%s was counted", what)
		}
	}
	same(w, "what was refused left nothing", read(nine, eleven.Add(time.Hour)), want)

	var both sync.WaitGroup
	for _, node := range []string{"a", "b"} { // at the same time, and nothing is lost
		both.Go(func() {
			for range 20 {
				if err := db.AddTallies(ctx, node, []store.Tally{of(korea, nine, 2, 2, 1, 1), of(korea, ten, 1, 1, 1, 1)}); err != nil {
					w.Error(err)
				}
			}
		})
	}
	both.Wait()
	want[1], want[2] = of(korea, nine, 98, 96, 54, 51), of(korea, ten, 42, 42, 42, 42)
	same(w, "what both added", read(nine, eleven.Add(time.Hour)), want)
}
