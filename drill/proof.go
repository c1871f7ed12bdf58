package drill

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"sync"

	"naru/core/payment"
	"naru/fsck"
	"naru/store"
	"naru/vault"
)

// prove ends the load and compares what callers were told with the database that is left, and that with the acquirer's own record.
func (s *stage) prove(ctx context.Context, place string) error {
	s.end()
	all := s.soFar()
	never := 0
	for _, r := range all {
		if r.answer == nil {
			never++
		}
	}
	if never > 0 {
		s.wrong("%d requests were never answered", never)
	}
	if n := mute(all); n > 0 {
		s.wrong("%d calls were left without an answer for %v", n, callTime)
	}
	db, err := store.Open(ctx, place, store.Options{Node: "drill", Connections: 1})
	if err != nil {
		return err
	}
	defer db.Close()
	err = until(ctx, "every reversal was confirmed and every request decided", func() (bool, error) { return quiet(ctx, db) })
	if err != nil {
		s.wrong("%v", err)
	}
	known, err := s.compare(ctx, db)
	if err != nil {
		return err
	}
	s.repeat(ctx, all, known)
	return s.check(ctx, place)
}

// quiet reports whether the network has heard everything, and no request is under way.
func quiet(ctx context.Context, db *store.Store) (bool, error) {
	b, err := db.Backlog(ctx)
	if err != nil || b.Advices > 0 {
		return false, err
	}
	holds, err := db.Holds(ctx)
	for _, h := range holds {
		if h.State == string(payment.Pending) {
			return false, err
		}
	}
	return true, err
}

// compare looks for holds that only the acquirer or only the books know, and gives the requests that the books know.
func (s *stage) compare(ctx context.Context, db *store.Store) (known map[string]bool, err error) {
	var record []struct {
		RRN    string `json:"rrn"`
		Amount int64  `json:"amount"`
		State  string `json:"state"`
	}
	if err := s.record("/holds", &record); err != nil {
		return nil, err
	}
	var messages []struct {
		RRN string `json:"rrn"`
		MTI string `json:"mti"`
	}
	if err := s.record("/transactions", &messages); err != nil {
		return nil, err
	}
	undone := map[string]bool{}
	for _, m := range messages {
		if m.MTI == "0420" {
			undone[m.RRN] = true
		}
	}
	s.result.Undone = len(undone)
	holds, err := db.Holds(ctx)
	if err != nil {
		return nil, err
	}
	atAcquirer, inBooks, known := map[string]int64{}, map[string]int64{}, map[string]bool{}
	twice := 0
	for _, h := range record {
		if h.State != "open" {
			continue
		}
		if _, again := atAcquirer[h.RRN]; again {
			twice++
		}
		atAcquirer[h.RRN] = h.Amount
	}
	for _, h := range holds {
		if known[h.RequestID] = true; h.Held {
			inBooks[h.RRN] = h.Amount
		}
	}
	s.result.AtAcquirer, s.result.InBooks = len(atAcquirer)+twice, len(inBooks)
	if s.result.Disagreeing = alone(atAcquirer, inBooks) + twice; s.result.Disagreeing > 0 {
		s.wrong("%d holds are known to the acquirer alone, or to the books alone", s.result.Disagreeing)
	}
	return known, nil
}

// record reads what the acquirer wrote down.
func (s *stage) record(of string, into any) error {
	resp, err := http.Get(s.records + of)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(resp.Body)
	if err = errors.Join(err, resp.Body.Close()); err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// repeat asks every request that was answered once more, and counts those that the books knew and that are answered the same.
func (s *stage) repeat(ctx context.Context, all []request, known map[string]bool) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var found, missed int
	var mu sync.Mutex
	var wait sync.WaitGroup
	next := make(chan request)
	for w := range 4 {
		wait.Go(func() {
			for r := range next {
				same := false
				for n := range s.rounds(ctx) {
					if _, answer := s.load.call(ctx, s.nodes[(w+n)%len(s.nodes)], r.id); answer != nil {
						same = bytes.Equal(answer, r.answer)
						break
					}
				}
				mu.Lock()
				if same && known[r.id] {
					found++
				} else {
					missed++
				}
				mu.Unlock()
			}
		})
	}
	for _, r := range all {
		if r.answer != nil {
			next <- r
		}
	}
	close(next)
	wait.Wait()
	if s.result.Found = found; missed > 0 {
		s.wrong("%d requests were acknowledged and are lost", missed)
	}
}

// check has the database that is left checked.
func (s *stage) check(ctx context.Context, place string) error {
	kek, err := vault.ReadKEK(filepath.Join(s.dir, "kek"))
	if err != nil {
		return err
	}
	report, err := fsck.Run(ctx, fsck.Options{Database: place, KEK: kek})
	if err != nil {
		return err
	}
	s.result.FsckErrors = report.Errors
	for _, f := range report.Findings {
		if f.Severity == fsck.Error {
			s.wrong("fsck %s: %s %s: %s", f.Check, f.Table, f.Row, f.Problem)
		}
	}
	return nil
}
