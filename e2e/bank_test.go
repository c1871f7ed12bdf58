package e2e

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"naru/core/payout"
	upisim "naru/rail/upi/sim"
	"naru/store"
)

// Two accounts pay out through one bank, which signs with one secret after the other.
const (
	firstPay, secondPay = "NaruPay_INR", "NaruPay2_INR"

	pay = "disburseFunds"
	vpa = "upiDetails.vpa"

	bankAccount                     = "2323230000000000"
	opening                         = 50_00_000_00 // paise
	bankKey, bankHook, nextBankHook = "key-secret-Zq81pYt", "webhook-secret-Lm20", "webhook-secret-Wd77"

	paysOut = `
[webhooks]
listen = "127.0.0.1:0"
[[payout_bank]]
name = "bank"
base = %q
key_id = "rzp_test_e2e"
key_secret = "bank.key"
webhooks = ["bank.hook", "next.hook"]
account = "` + bankAccount + `"
timeout = "1s"
%s
[[account]]
id = "` + firstPay + `"
apis = ["disburse-v1"]
currencies = ["INR"]
payout_bank = "bank"
time_zone = "Asia/Kolkata"
%s
[[account]]
id = "` + secondPay + `"
apis = ["disburse-v1"]
currencies = ["INR"]
payout_bank = "bank"
time_zone = "Asia/Kolkata"
limits = { INR = { least = 20000, most = 30000 } }
`
)

// openBank starts the payout bank. Its references of one request are the payout's id and the number of the attempt.
func (w *world) openBank() {
	w.t.Helper()
	for name, secret := range map[string]string{"bank.key": bankKey, "bank.hook": bankHook, "next.hook": nextBankHook} {
		w.write(name, secret+"\n")
		w.secrets[secret] = true
	}
	var err error
	w.bank, err = upisim.Start(context.Background(), upisim.Config{
		Address: "127.0.0.1:0", KeyID: "rzp_test_e2e", KeySecret: bankKey, Accounts: []upisim.Account{{Number: bankAccount, Opening: opening}},
		Delay: 1, WebhookSecret: bankHook, Seed: 1, Now: w.clock.Now, Sleep: w.clock.Sleep, Polite: !w.options.rude,
		Root: func(reference string) string { return reference[:max(len(reference)-2, 0)] },
	})
	w.check(err)
	w.t.Cleanup(func() { w.check(w.bank.Close()) })
	w.teller = w.bank.Control()
}

// payouts is the part of the configuration that pays out.
func (w *world) payouts() string {
	if w.bank == nil {
		return ""
	}
	return fmt.Sprintf(paysOut, w.bank.URL(), w.options.bank, w.options.payer)
}

// to is a payout of an amount in paise to an address.
func to(address string, paise int64) edits { return edits{vpa: address, "amount": sum(paise)} }

// meddle tells the payout bank to misbehave.
func (w *world) meddle(format string, args ...any) {
	w.t.Helper()
	w.command(w.teller, "POST", "/scenarios", fmt.Sprintf(format, args...), nil)
}

// behave lets it do its work again.
func (w *world) behave() { w.t.Helper(); w.command(w.teller, "DELETE", "/scenarios", "", nil) }

// counter lets somebody at the payout bank do something that no call asks for.
func (w *world) counter(action, format string, args ...any) {
	w.t.Helper()
	w.command(w.teller, "POST", "/actions/"+action, fmt.Sprintf(format, args...), nil)
}

// payout is where a payout stands in the books.
func (w *world) payout(id string) store.PayoutRow {
	w.t.Helper()
	list, err := w.platform.Store.Payouts(context.Background())
	w.check(err)
	for _, p := range list {
		if p.RequestID == id && w.api.owns(p.Account) {
			return p
		}
	}
	return store.PayoutRow{}
}

// rooted is how all references of a payout begin.
func rooted(p store.PayoutRow) string { return strings.ReplaceAll(p.Payout, "-", "") }

// bankRecord is a line of the bank's record of truth.
type bankRecord struct {
	Kind, Call, Key, Reference, State, Event string
	Status                                   int
}

// calls are those that the bank heard about a payout: create, get or list, with the keys of the first.
func (w *world) calls(id string) (calls []string, keys map[string]int) {
	w.t.Helper()
	root := rooted(w.payout(id))
	if root == "" {
		return nil, nil
	}
	var list []bankRecord
	w.command(w.teller, "GET", "/transactions?kind=seen", "", &list)
	keys = map[string]int{}
	for _, r := range list {
		if !strings.HasPrefix(r.Reference, root) {
			continue
		}
		if calls = append(calls, r.Call); r.Call == "create" {
			keys[r.Key]++
		}
	}
	return calls, keys
}

// tally is what became of all orders of one request at the bank.
type tally struct {
	Root                 string
	Payouts              []string
	Paid, Returned, Open int
	Amount               int64
	Twice                bool
}

func (w *world) tallies() map[string]tally {
	w.t.Helper()
	var list []tally
	w.command(w.teller, "GET", "/paid", "", &list)
	at := map[string]tally{}
	for _, x := range list {
		at[x.Root] = x
	}
	return at
}

// once looks that nobody was paid twice, or may be (disburse v1 §10).
func (w *world) once() {
	w.t.Helper()
	var list []tally
	w.command(w.teller, "GET", "/paid?twice=true", "", &list)
	if len(list) > 0 {
		w.t.Errorf("paid twice: %+v", list)
	}
}

// notified counts the messages that told Google a result, and the ids under which it was told: a repeat has the same.
func (w *world) notified(id string) (ids map[string]bool) {
	w.t.Helper()
	ids = map[string]bool{}
	for _, body := range w.received("disburseFundsResultNotification") {
		if body["disburseFundsRequestId"] == id {
			header, _ := body["requestHeader"].(map[string]any)
			ids[fmt.Sprint(header["requestId"])] = true
		}
	}
	return ids
}

// even reports whether the books have what the payout bank holds, to the paisa.
func (w *world) even() bool {
	w.t.Helper()
	if w.bank == nil {
		return true
	}
	list, err := w.platform.Store.Balances(context.Background())
	w.check(err)
	books := int64(0)
	for _, b := range list {
		if b.Account == "payout:float" {
			books += b.Amount
		}
	}
	atBank := int64(0)
	for _, l := range w.statement() {
		atBank += l.Amount
	}
	return books == atBank
}

// bankLine is a movement of the account at the payout bank.
type bankLine struct {
	Amount int64
	Kind   string
}

func (w *world) statement() (list []bankLine) {
	w.t.Helper()
	w.command(w.teller, "GET", "/statement", "", &list)
	return list
}

// results is what Google is told of each reason (disburse v1 §4.3).
var results = map[payout.Reason]string{
	payout.NoReason: "SUCCESS", payout.BelowLimit: "DISBURSEMENT_UNDER_TRANSACTION_LIMIT",
	payout.AboveLimit: "DISBURSEMENT_EXCEEDS_TRANSACTION_LIMIT", payout.Closed: "ACCOUNT_CLOSED", payout.OnHold: "ACCOUNT_ON_HOLD",
	payout.ClosedFraud: "ACCOUNT_CLOSED_FRAUD", payout.ClosedStolen: "ACCOUNT_CLOSED_ACCOUNT_TAKEN_OVER",
}

// agreePayouts holds the records of payouts against each other: the books, the bank's, Google's. What they make of the accounts goes into
// want.
func (w *world) agreePayouts(want map[string]int64) {
	if w.bank == nil {
		return
	}
	w.t.Helper()
	w.once()
	atBank := w.tallies()
	list, err := w.platform.Store.Payouts(context.Background())
	w.check(err)
	const float, income = "payout:float bank INR", "bank:settlement bank INR"
	for _, p := range list {
		word, ok := results[payout.Reason(p.Reason)]
		paid := map[string]tally{"SUCCEEDED": {Paid: 1, Amount: p.Amount}, "RETURNED": {Paid: 1, Returned: 1}, "DECLINED": {}}
		expected, final := paid[p.State]
		bank := atBank[rooted(p)]
		if delete(atBank, rooted(p)); !ok || !final || (p.State == "DECLINED") != (p.Reason != "") {
			w.t.Errorf("%s is %s for %q", p.RequestID, p.State, p.Reason)
		}
		if p.State == "DECLINED" { // what had come back before anybody knew that it was paid was told as not paid
			expected.Paid, expected.Returned = bank.Returned, bank.Returned
		}
		if bank.Paid != expected.Paid || bank.Returned != expected.Returned || bank.Open != 0 || bank.Amount != expected.Amount {
			w.t.Errorf("%s is %s of %d, the bank says %+v", p.RequestID, p.State, p.Amount, bank)
		}
		w.hears(p, word)
		if p.State != "DECLINED" {
			want["google:receivable "+p.Account+" INR"] += p.Amount
			want[float] -= p.Amount
		}
		if p.State == "RETURNED" {
			want["suspense:returned "+p.Account+" INR"] -= p.Amount
			want[float] += p.Amount
		}
		if p.State == "SUCCEEDED" { // this bank gives its fees back, too
			want[float] -= p.Fees + p.Tax
			want["fee:rail bank INR"] += p.Fees
			want["tax:input bank INR"] += p.Tax
		}
	}
	for root, x := range atBank {
		w.t.Errorf("the bank has orders of nobody: %s %+v", root, x)
	}
	for _, l := range w.statement() {
		if l.Kind == "bank_transfer" {
			want[float] += l.Amount
			want[income] -= l.Amount
		}
	}
}

// hears looks that Google knows one result of a payout, whichever channels carried it, and the right one.
func (w *world) hears(p store.PayoutRow, word string) {
	w.t.Helper()
	exchanges, verdicts := w.google.Load().Record()
	heard, digests := map[string]bool{}, map[string]bool{}
	for _, x := range exchanges {
		if x.Account == p.Account && x.RequestID == p.RequestID && x.Method == pay && x.Status == http.StatusOK {
			heard[x.Result+" "+x.Value], digests[x.Digest] = true, true
			if x.OwnID != p.Payout {
				w.t.Errorf("%s is %s, and was answered as %s", p.RequestID, p.Payout, x.OwnID)
			}
		}
	}
	for _, v := range verdicts {
		if v.Account == p.Account && v.Subject == p.RequestID {
			heard[v.Result+" "+v.Value] = true
		}
	}
	all := slices.Collect(maps.Keys(heard))
	if len(all) != 1 || len(digests) > 1 || !strings.HasPrefix(all[0], word+" ") {
		w.t.Errorf("%s is %s %s, and Google heard %q in %d answers", p.RequestID, p.State, p.Reason, all, len(digests))
	}
}
