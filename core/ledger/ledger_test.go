package ledger_test

import (
	"slices"
	"testing"

	. "naru/core/ledger"
	"naru/core/money"
)

func TestPostings(t *testing.T) {
	a := money.New(12900, money.Of("KRW"))
	at := func(k Kind) Account { return Account{k, "P"} }
	for name, c := range map[string]struct{ got, want Posting }{
		"hold":    {Hold("P", a), Posting{at(AcquirerHeld), at(GoogleHeld), a}},
		"release": {ReleaseHold("P", a), Posting{at(GoogleHeld), at(AcquirerHeld), a}},
		"capture": {Capture("P", a), Posting{at(AcquirerReceivable), at(GooglePayable), a}},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v", name, c.got)
		}
		if !slices.Contains(Chart, c.got.Debit.Kind) || !slices.Contains(Chart, c.got.Credit.Kind) {
			t.Errorf("%s: not in the chart of accounts", name)
		}
	}
	if got := at(AcquirerHeld).String(); got != "acquirer:held/P" {
		t.Error(got)
	}
}

func TestNothingCannotBePosted(t *testing.T) {
	for _, minor := range []int64{0, -1} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%d was posted", minor)
				}
			}()
			Hold("P", money.New(minor, money.Of("KRW")))
		}()
	}
}
