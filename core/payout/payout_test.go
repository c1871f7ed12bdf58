package payout_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"naru/core/ledger"
	"naru/core/money"
	. "naru/core/payout"
)

var update = flag.Bool("update", false, "write the golden tables and docs/states anew")

func fresh(t *testing.T, path, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("%s is stale: judge the change, then run go test ./core/payout -update (%v)\n%s", path, err, want)
	}
}

func TestEveryStateAndEvent(t *testing.T) {
	fresh(t, filepath.Join("testdata", "payout.grid"), Rules.Grid())
	fresh(t, filepath.Join("testdata", "payout-attempt.grid"), AttemptRules.Grid())
}

func TestDrawingsAreFresh(t *testing.T) {
	for name, m := range map[string]struct{ what, drawing string }{
		"payout":         {"Money sent to an account we do not hold (disburse v1 §10, merchant-gateway §17)", Rules.Drawing(Asked)},
		"payout-attempt": {"One order to a payout bank (rails §2.7)", AttemptRules.Drawing(AttemptPrepared)},
	} {
		fresh(t, filepath.Join("../../docs/states", name+".md"),
			"# States: "+name+"\n\n"+m.what+".\nDrawn from the rules in `core/payout` by `go test ./core/payout -update`; do not edit.\n\n```mermaid\n"+
				m.drawing+"```\n")
	}
}

// Nothing new is sent while nobody can tell, and what was told is never told otherwise.
func TestWhatCannotHappen(t *testing.T) {
	for _, s := range []State{Sent, Unclear, Reversing, Deemed, Paid, Refused, Returned} {
		if next, ok := Rules.Next(s, Dispatch); ok {
			t.Errorf("%s: a new attempt leads to %s", s, next)
		}
	}
	for _, s := range []State{Paid, Refused, Returned, Cancelled} {
		for e, next := range Rules[s] {
			if told := s == Refused; told != (next == Refused) {
				t.Errorf("%s after %s is told as %s", s, e, next)
			}
		}
		if !s.Final() {
			t.Errorf("%s is not final", s)
		}
	}
	if Asked.Final() || Sent.Final() || Waiting.Final() || Unclear.Final() || Reversing.Final() || Deemed.Final() {
		t.Error("an open state is final")
	}
	if _, ok := AttemptRules.Next(AttemptFailed, AttemptPay); ok {
		t.Error("a failed attempt becomes paid")
	}
}

// Whatever way a payout takes, the books say: in flight until it is final, then paid or owed by nobody, and back where it came back. Who gave the
// money has it again where it was not paid; a merchant has not our fee where it came back later.
func TestMoneyOfEveryWay(t *testing.T) {
	amount, fee := money.New(12_550, money.Of("INR")), money.New(100, money.Of("INR"))
	account := func(k ledger.Kind) ledger.Account { return ledger.Account{Kind: k, Owner: "P"} }
	float := ledger.Account{Kind: ledger.PayoutFloat, Owner: "bank"}
	for _, c := range []struct {
		start           Payout
		from, back      ledger.Account
		frozen, earning int64
	}{
		{Payout{Purpose: ForGoogle}, account(ledger.GoogleReceivable), account(ledger.ReturnedSuspense), 12_550, 0},
		{Payout{Purpose: ForMerchant, Fee: fee}, account(ledger.MerchantPayable), account(ledger.MerchantPayable), 12_650, 100},
		{Payout{Purpose: ForSender}, account(ledger.DepositUnmatched), account(ledger.DepositUnmatched), 12_550, 0},
	} {
		c.start.Account, c.start.Bank, c.start.State, c.start.Amount = "P", "bank", Reviewed, amount
		seen := map[string]bool{}
		var walk func(p Payout, books map[ledger.Account]int64)
		walk = func(p Payout, books map[ledger.Account]int64) {
			want := map[ledger.Account]int64{}
			switch p.State {
			case Refused, Cancelled:
			case Paid, Returned:
				want[c.from] = c.frozen
				want[account(ledger.FeeIncome)] = -c.earning
				if p.State == Paid {
					want[float] = -12_550
				} else {
					want[c.back] -= 12_550
				}
			default:
				want[c.from], want[account(ledger.PayoutInFlight)] = c.frozen, -c.frozen
			}
			if text(books) != text(want) {
				t.Errorf("%s %s: %s, want %s", p.Purpose, p.State, text(books), text(want))
			}
			key := fmt.Sprint(p.State, text(books))
			if seen[key] {
				return
			}
			seen[key] = true
			for e := range Rules[p.State] {
				next, moved, err := p.After(e)
				if err != nil || next.Version != p.Version+1 {
					t.Errorf("%s after %s: %v", p.State, e, err)
				}
				walk(next, after(books, moved))
			}
		}
		walk(c.start, after(nil, []ledger.Posting{c.start.TakenOn()}))
		if len(seen) != len(Rules.States()) {
			t.Errorf("%s: %d states were met", c.start.Purpose, len(seen))
		}
	}
	if _, _, err := (Payout{State: Paid}).After(Refuse); err == nil {
		t.Error("what was paid is refused")
	}
}

func after(books map[ledger.Account]int64, moved []ledger.Posting) map[ledger.Account]int64 {
	out := map[ledger.Account]int64{}
	for a, v := range books {
		out[a] = v
	}
	for _, p := range moved {
		out[p.Debit] += p.Amount.Minor()
		out[p.Credit] -= p.Amount.Minor()
	}
	return out
}

func text(books map[ledger.Account]int64) string {
	var list []string
	for a, v := range books {
		if v != 0 {
			list = append(list, fmt.Sprintf("%s=%d", a, v))
		}
	}
	slices.Sort(list)
	return strings.Join(list, " ")
}
