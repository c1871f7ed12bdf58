package bankfeed_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"testing"

	"naru/core/card"
	"naru/core/payout"
	"naru/drop"
	"naru/engine"
	"naru/rail/bankfeed"
)

var _ engine.PayoutRail = (*bankfeed.Transfers)(nil)

// composed is an order with its bytes.
func composed(t *testing.T, r *bankfeed.Transfers) payout.Order {
	t.Helper()
	o := order()
	var err error
	if o.Body, err = r.Compose(o); err != nil {
		t.Fatal(err)
	}
	return o
}

// A handed-over order is in nobody's word paid, and the same order is the same file.
func TestPayByFile(t *testing.T) {
	dir := t.TempDir()
	r := transfers()
	r.Place = drop.Folder(dir)
	o := composed(t, r)
	for range 2 {
		if got := r.Pay(t.Context(), o); !reflect.DeepEqual(got, payout.Answer{}) {
			t.Errorf("%+v", got)
		}
	}
	all, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(all) != 1 || filepath.Base(all[0]) != "PAIN001_004_"+ordered+".xml" {
		t.Fatalf("%v, %v", all, err)
	}
	if text, err := os.ReadFile(all[0]); err != nil || string(text) != string(o.Body) {
		t.Errorf("%s, %v", text, err)
	}
	if got := r.Enquire(t.Context(), o); !reflect.DeepEqual(got, payout.Answer{}) {
		t.Errorf("%+v", got)
	}
}

// place fails as it is told.
type place struct{ err error }

func (p place) Put(context.Context, string, []byte) error { return p.err }

// Only a place that certainly has nothing is NotSent.
func TestPlaceFails(t *testing.T) {
	r := transfers()
	for want, p := range map[payout.Verdict]drop.Place{
		payout.NotSent: drop.Folder(filepath.Join(t.TempDir(), "none")), payout.Unknown: place{errors.New("the line broke")},
	} {
		r.Place = p
		if got := r.Pay(t.Context(), composed(t, r)); got.Verdict != want || got.Alert == "" {
			t.Errorf("%+v", got)
		}
	}
}

func TestPayByHTTP(t *testing.T) {
	status, hangUp := http.StatusAccepted, false
	var got []byte
	var header http.Header
	bank := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, _ = io.ReadAll(r.Body)
		header = r.Header
		if hangUp {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(status)
	}))
	defer bank.Close()
	r := transfers()
	r.URL, r.Key, r.Secret, r.Client = bank.URL, "naru", card.Conceal(secret), bank.Client()
	o := composed(t, r)
	if said := r.Pay(t.Context(), o); !reflect.DeepEqual(said, payout.Answer{}) || string(got) != string(o.Body) {
		t.Errorf("%+v", said)
	}
	timestamp := strconv.FormatInt(at.Unix(), 10)
	for name, want := range map[string]string{
		"X-Feed-Key": "naru", "X-Feed-Timestamp": timestamp, "X-Feed-Signature": bankfeed.Sign(r.Secret, timestamp, o.Body),
		"Content-Type": "application/xml",
	} {
		if header.Get(name) != want {
			t.Errorf("%s: %q", name, header.Get(name))
		}
	}
	for _, status = range []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusInternalServerError, http.StatusFound} {
		if said := r.Pay(t.Context(), o); said.Verdict != payout.Unknown || said.Alert == "" {
			t.Errorf("%d: %+v", status, said)
		}
	}
	hangUp = true
	if said := r.Pay(t.Context(), o); said.Verdict != payout.Unknown {
		t.Errorf("a line that breaks: %+v", said)
	}
	bank.Close()
	if said := r.Pay(t.Context(), o); said.Verdict != payout.NotSent {
		t.Errorf("nobody there: %+v", said)
	}
	r.URL = "http://127.0.0.1:port"
	if said := r.Pay(t.Context(), o); said.Verdict != payout.NotSent || said.Alert == "" {
		t.Errorf("nowhere: %+v", said)
	}
}

// stuckPlace keeps whoever puts a file until its gate opens.
type stuckPlace struct{ inside, gate chan struct{} }

func (p stuckPlace) Put(context.Context, string, []byte) error {
	p.inside <- struct{}{}
	<-p.gate
	return nil
}

// A bank that takes its time is not asked more: what is beyond has not left, and is said to have not.
func TestTooManyOrders(t *testing.T) {
	r, p, done := transfers(), stuckPlace{make(chan struct{}), make(chan struct{})}, make(chan payout.Answer, 16)
	r.Place = p
	o := composed(t, r)
	for range 16 {
		go func() { done <- r.Pay(t.Context(), o) }()
		<-p.inside
	}
	if got := r.Pay(t.Context(), o); !reflect.DeepEqual(got, payout.Answer{Verdict: payout.NotSent}) {
		t.Errorf("one order too much: %+v", got)
	}
	close(p.gate)
	for range 16 {
		if got := <-done; got.Verdict != payout.Unknown {
			t.Errorf("%+v", got)
		}
	}
	go func() { <-p.inside }()
	if got := r.Pay(t.Context(), o); got.Verdict != payout.Unknown {
		t.Errorf("afterwards: %+v", got)
	}
}
