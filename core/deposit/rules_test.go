package deposit_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	. "naru/core/deposit"
	"naru/core/ledger"
	"naru/core/money"
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
		t.Errorf("%s is stale: judge the change, then run go test ./core/deposit -update (%v)\n%s", path, err, want)
	}
}

func TestEveryStateAndEvent(t *testing.T) {
	fresh(t, filepath.Join("testdata", "order.grid"), Rules.Grid())
	fresh(t, filepath.Join("testdata", "credit.grid"), CreditRules.Grid())
}

func TestDrawingsAreFresh(t *testing.T) {
	for name, m := range map[string]struct{ what, drawing string }{
		"deposit": {"A merchant's order that a bank transfer pays (merchant-gateway §17)", Rules.Drawing(Waiting)},
		"credit":  {"Money that came by bank transfer (rails §3.7)", CreditRules.Drawing(Unmatched)},
	} {
		fresh(t, filepath.Join("../../docs/states", name+".md"),
			"# States: "+name+"\n\n"+m.what+".\nDrawn from the rules in `core/deposit` by `go test ./core/deposit -update`; do not edit.\n\n```mermaid\n"+
				m.drawing+"```\n")
	}
}

func won(n int64) money.Amount { return money.New(n, money.Of("KRW")) }

// Whatever happens to an order and its credit, each account is moved by what that event means and by nothing else.
func TestMoneyOfEveryEvent(t *testing.T) {
	var b strings.Builder
	for _, s := range Rules.States() {
		for _, e := range Rules.Events() {
			o := Order{State: s, Merchant: "M", Into: "R", Real: won(30_000), Fee: won(240)}
			if _, moved, err := o.After(e); err == nil {
				fmt.Fprintf(&b, "order  %-10s %-10s %s\n", s, e, told(moved))
			}
		}
	}
	for _, s := range CreditRules.States() {
		for _, e := range CreditRules.Events() {
			c := Credit{State: s, Receiver: "R", Amount: won(30_000)}
			if _, moved, err := c.After(e); err == nil {
				fmt.Fprintf(&b, "credit %-10s %-10s %s\n", s, e, told(moved))
			}
		}
	}
	fresh(t, filepath.Join("testdata", "money.golden"), b.String())
}

func told(moved []ledger.Posting) string {
	if len(moved) == 0 {
		return "-"
	}
	var list []string
	for _, p := range moved {
		list = append(list, fmt.Sprintf("%s from %s to %s", p.Amount, p.Credit, p.Debit))
	}
	return strings.Join(list, "; ")
}

// What a merchant was told as paid is never told otherwise, whatever the bank does (merchant-gateway §17).
func TestPaidStaysPaid(t *testing.T) {
	for _, s := range []State{Paid, TakenBack} {
		for e, next := range Rules[s] {
			if next != TakenBack {
				t.Errorf("%s after %s becomes %s", s, e, next)
			}
		}
	}
	for _, s := range []State{Paid, TakenBack, Failed} {
		if _, ok := Rules.Next(s, Pay); ok {
			t.Errorf("%s can be paid", s)
		}
	}
}
