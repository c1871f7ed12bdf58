package sim

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"
)

// lives is what becomes of a payout to every address of a story: states, reasons where they say more, and hours until it is over.
var lives = map[string]string{
	"success":         "processing processed",
	"instant":         "processing processed",
	"late":            "processing processed",
	"late-utr":        "processing processed",
	"pending":         "processing:partner_bank_pending",
	"approval":        "pending rejected",
	"deemed":          "processing processed",
	"deemed-reversed": "processing reversed:beneficiary_bank_rejected",
	"returned":        "processing processed reversed:bank_account_closed",
	"failed-reversed": "processing failed:gateway_technical_error reversed",
	"again":           "processing failed:beneficiary_bank_failure",
	"queued":          "queued processing processed",
	"cap":             "processing processed",
	"invalid":         "processing failed:beneficiary_vpa_invalid",
	"frozen":          "processing failed:bank_account_frozen",
	"dormant":         "processing failed:beneficiary_account_dormant",
	"closed":          "processing failed:bank_account_closed",
	"bankdown":        "processing failed:beneficiary_bank_offline",
	"timeout":         "processing failed:npci_beneficiary_timeout",
	"limit":           "processing failed:transaction_limit_exceeded",
	"unheard-of":      "processing failed:moon_in_the_wrong_house",
	"no-such-name":    "processing failed:beneficiary_vpa_invalid",
	"npci-00":         "processing processed",
	"npci-zh":         "processing failed:beneficiary_vpa_invalid",
	"npci-u68":        "processing processed",
	"npci-21":         "processing reversed",
	"npci-zz":         "processing failed:beneficiary_vpa_invalid",
	"low-balance":     "queued processing processed",
}

// usual are the reasons that a state has where nobody says another.
var usual = []string{"payout_bank_processing", "payout_processed", "payout_reversed", "pending_approval", "approval_rejected"}

func life(p payout) string {
	var all []string
	for _, h := range p.History {
		if text := string(h.To); slices.Contains(usual, h.Reason) || h.To == queued {
			all = append(all, text)
		} else {
			all = append(all, text+":"+h.Reason)
		}
	}
	return strings.Join(all, " ")
}

func TestEveryAddress(t *testing.T) {
	want := map[string]string{}
	for user, is := range lives {
		want[user+"@sim"] = is
	}
	for user := range people {
		if lives[user] == "" {
			t.Errorf("%s@sim is not in the table", user)
		}
	}
	for code := range network {
		if user := "npci-" + strings.ToLower(code); want[user+"@sim"] == "" {
			want[user+"@sim"] = ""
		}
	}
	for reason, w := range reasons {
		user := strings.ReplaceAll(reason, "_", "-")
		switch w.in {
		case failed:
			want[user+"@sim"], want[user+"@simrev"] = "processing failed:"+reason, "processing reversed:"+reason
		case processing:
			want[user+"@sim"] = "processing:" + reason + " processed"
			if slices.Contains(usual, reason) {
				want[user+"@sim"] = "processing processed"
			}
		case queued:
			want[user+"@sim"] = "queued processing processed"
		}
	}
	b := start(t, func(c *Config) { c.Accounts[0].Opening = 1_000_000_00 })
	n, refs := 0, map[string]string{}
	for address := range want {
		n++
		refs[address] = fmt.Sprintf("R%d", n)
		b.pay(address, refs[address], 5000)
	}
	b.later(200 * day)
	for address, ref := range refs {
		p := b.one(ref)
		if got := life(p); want[address] != "" && got != want[address] {
			t.Errorf("%s: %s, want %s", address, got, want[address])
		}
		if p.was(processed) && len(p.UTR) != 12 || p.Reason == "" {
			t.Errorf("%s: UTR %q, reason %q", address, p.UTR, p.Reason)
		}
		if taken := -b.moved(p.ID); p.was(processed) && p.Status != reversed && taken != 5118 || p.Status == failed && taken != 0 ||
			p.Status == reversed && taken != 0 {
			t.Errorf("%s: %s, and it cost %d", address, p.Status, taken)
		}
	}
}

// moved is what a payout has done to the account.
func (b *bench) moved(id string) (sum int64) {
	for _, l := range shown[line](b, "/statement?payout="+id) {
		sum += l.Amount
	}
	return sum
}

func TestWhatAnEnquirySees(t *testing.T) {
	b := start(t)
	see := func(ref string, status, reason, utr string) {
		t.Helper()
		got := b.get(b.one(ref).ID)
		if known := fmt.Sprint(got.str("utr") != "<nil>"); got.str("status") != status || got.str("status_details.reason") != reason ||
			known != utr {
			t.Errorf("%s: %s", ref, got.raw)
		}
	}
	for _, to := range []string{"success", "late-utr", "deemed", "returned", "failed-reversed", "npci-zh", "instant"} {
		b.pay(to+"@sim", to, 5000)
	}
	see("success", "processing", "payout_bank_processing", "false")
	see("instant", "processed", "payout_processed", "true")
	b.clock.advance(time.Second) // nobody ticks: who asks is told how it stands now
	see("success", "processing", "payout_bank_processing", "true")
	b.clock.advance(time.Second)
	see("success", "processed", "payout_processed", "true")
	see("late-utr", "processed", "payout_processed", "false")
	see("deemed", "processing", "beneficiary_bank_confirmation_pending", "true")
	see("returned", "processed", "payout_processed", "true")
	see("failed-reversed", "failed", "gateway_technical_error", "false")
	if got := b.get(b.one("npci-zh").ID); got.str("status_details.description") != "the VPA does not exist (NPCI ZH)" ||
		got.str("status_details.source") != business {
		t.Error(got.raw)
	}
	if b.moved(b.one("failed-reversed").ID) == 0 {
		t.Error("the debit of this failure is not given back at once")
	}
	b.clock.advance(time.Hour)
	see("late-utr", "processed", "payout_processed", "true")
	b.clock.advance(day)
	see("failed-reversed", "reversed", "payout_reversed", "false")
	b.clock.advance(2 * day)
	see("deemed", "processed", "payout_processed", "true")
	see("returned", "reversed", "bank_account_closed", "true")
}

func TestAgain(t *testing.T) {
	b := start(t)
	for ref, want := range map[string]state{"PID1": failed} {
		b.pay("again@sim", ref, 5000)
		b.later(3 * time.Second)
		if got := b.one(ref).Status; got != want {
			t.Errorf("%s is %s", ref, got)
		}
	}
	b.pay("again@sim", "PID1-2", 5000)
	b.later(3 * time.Second)
	if got := b.one("PID1-2").Status; got != processed {
		t.Errorf("the second attempt is %s", got)
	}
}

// TestNothingIllegalHappens plays whatever a person at the control port may do, in any order, and looks at every life and every paisa.
func TestNothingIllegalHappens(t *testing.T) {
	// rails §2.5, written down a second time
	table := map[state]string{
		"": "pending queued processing", pending: "queued scheduled processing rejected", queued: "processing cancelled failed",
		processing: "processed reversed failed", processed: "reversed", failed: "reversed",
	}
	var addresses []string
	for user := range people {
		addresses = append(addresses, user+"@sim", user+"@simrev")
	}
	addresses = append(addresses, "low-balance@sim", "partner-bank-pending@sim", "npci-u68@sim", "npci-21@sim", "anna@okbank")
	slices.Sort(addresses)
	steps, seen := 0, map[string]bool{}
	for seed := range uint64(40) {
		draw := rand.New(rand.NewPCG(seed, 1))
		b := start(t, func(c *Config) { c.Seed = int64(seed) })
		var ids []string
		for i := range 60 {
			steps++
			some := ""
			if len(ids) > 0 {
				some = ids[draw.IntN(len(ids))]
			}
			switch draw.IntN(8) {
			case 0, 1, 2:
				text := order(addresses[draw.IntN(len(addresses))], fmt.Sprintf("R%d-%d", i/4, i%4), 100+draw.Int64N(300_000))
				text = strings.Replace(text, `balance":false`, fmt.Sprintf(`balance":%t`, draw.IntN(2) == 0), 1)
				ids = append(ids, b.send("POST", "/payouts", fmt.Sprintf("key %d", i), text).str("id"))
			case 3:
				b.clock.advance(time.Duration(draw.Int64N(int64(5 * day))))
			case 4:
				as := []string{"", "processed", "failed", "reversed", "rejected", "cancelled", "queued", "processing", "pending"}[draw.IntN(9)]
				b.control("POST", "/actions/settle", fmt.Sprintf(`{"id":%q,"as":%q}`, some, as))
			case 5:
				b.control("POST", []string{"/actions/reverse", "/actions/return"}[draw.IntN(2)], fmt.Sprintf(`{"id":%q}`, some))
			case 6:
				b.control("POST", "/actions/fund", fmt.Sprintf(`{"amount":%d}`, draw.Int64N(800_000)-400_000))
			case 7:
				b.send("POST", "/payouts/"+some+"/cancel", "", "")
			}
		}
		total := map[string]int64{}
		for _, l := range shown[line](b, "/statement") {
			if total[l.Account] += l.Amount; l.Balance != total[l.Account] || l.Balance < 0 {
				t.Errorf("seed %d: line %s leaves %d, and the sum is %d", seed, l.ID, l.Balance, total[l.Account])
			}
		}
		for _, p := range shown[payout](b, "/payouts") {
			at := state("")
			for _, h := range p.History {
				if !slices.Contains(strings.Fields(table[at]), string(h.To)) {
					t.Errorf("seed %d: %q became %q", seed, at, h.To)
				}
				seen[string(at)+">"+string(h.To)], at = true, h.To
			}
			whole := -(p.Amount + p.Fees)
			switch got := b.moved(p.ID); {
			case p.Debited && got != whole, !p.Debited && got != 0,
				(p.Status == processed || p.Status == processing) != p.Debited && p.Status != failed:
				t.Errorf("seed %d: a payout of %d that is %s has moved %d", seed, p.Amount, p.Status, got)
			}
		}
	}
	t.Logf("%d steps, transitions %d", steps, len(seen))
	for _, want := range []string{
		">pending", ">queued", ">processing", "pending>processing", "pending>rejected", "queued>processing", "queued>cancelled", "queued>failed",
		"processing>processed", "processing>reversed", "processing>failed", "processed>reversed", "failed>reversed",
	} {
		if !seen[want] {
			t.Errorf("%s was never seen", want)
		}
	}
}

func TestFloat(t *testing.T) {
	b := start(t, func(c *Config) { c.Accounts[0].Opening = 10_000 })
	floats := func() string {
		got := b.send("GET", "/banking_balances", "", "")
		items := got.body["items"].([]any)
		return fmt.Sprintf("%.0f %.0f", dig(items[0], "amount"), dig(items[1], "available_amount"))
	}
	queue := func(ref string, amount int64) answer {
		return b.send("POST", "/payouts", "key "+ref, strings.Replace(order("success@sim", ref, amount), `balance":false`, `balance":true`, 1))
	}
	if got := floats(); got != "10000 50000" {
		t.Error(got)
	}
	if got := b.pay("success@sim", "exact", 10_000-118); got.str("status") != "processing" || floats() != "0 50000" {
		t.Error(got.raw, floats())
	}
	if got := b.pay("success@sim", "short", 5000); got.str("status") != "failed" || got.str("status_details.reason") != "insufficient_funds" ||
		got.str("fees") != "0" || floats() != "0 50000" {
		t.Error(got.raw)
	}
	large, small := queue("large", 9000), queue("small", 1000)
	if large.str("status") != "queued" || small.str("status_details.reason") != "low_balance" {
		t.Error(large.raw, small.raw)
	}
	b.do("/actions/fund", `{"amount":1118}`)
	if b.one("large").Status != queued || b.one("small").Status != processing || floats() != "0 50000" {
		t.Error("what is covered goes, what is not waits")
	}
	b.later(3 * time.Second)
	b.do("/actions/return", `{"reference":"exact"}`) // what comes back feeds what waits
	if b.one("exact").Status != reversed || b.one("large").Status != processing || floats() != "882 50000" {
		t.Error("what comes back feeds what waits", floats())
	}
	gone := queue("gone", 9000)
	if got := b.send("POST", "/payouts/"+gone.str("id")+"/cancel", "", ""); got.str("status") != "cancelled" {
		t.Error(got.raw)
	}
	for _, id := range []string{gone.str("id"), b.one("exact").ID, "pout_unknown"} {
		if got := b.send("POST", "/payouts/"+id+"/cancel", "", ""); got.status != 400 {
			t.Error(got.raw)
		}
	}
	forgotten := queue("forgotten", 9000)
	b.later(quarter)
	if p := b.one("forgotten"); p.Status != failed || p.ID != forgotten.str("id") || p.Reason != "insufficient_funds" || b.moved(p.ID) != 0 {
		t.Errorf("%+v", p)
	}
	late := b.pay("queued@sim", "late", 700) // enough now, and not any more when its turn comes
	b.do("/actions/fund", `{"amount":-800}`)
	b.later(time.Hour)
	if got := b.get(late.str("id")); got.str("status") != "failed" || got.str("status_details.reason") != "insufficient_funds" {
		t.Error(got.raw)
	}
	for text, code := range map[string]int{`{"amount":-100}`: 409, `{"account":"12","amount":5}`: 409, `{}`: 409, `{"amount":"5"}`: 400} {
		if got, _ := b.control("POST", "/actions/fund", text); got != code {
			t.Errorf("%s: %d", text, got)
		}
	}

	var kinds []string
	got := b.send("GET", "/transactions?count=100&account_number="+ours, "", "")
	for _, i := range got.body["items"].([]any) {
		kinds = append(kinds, fmt.Sprintf("%v %v-%v=%v", dig(i, "source.entity"), dig(i, "credit"), dig(i, "debit"), dig(i, "balance")))
	}
	slices.Reverse(kinds)
	if want := "bank_transfer 10000-0=10000, payout 0-10000=0, bank_transfer 1118-0=1118, payout 0-1118=0, reversal 10000-0=10000, " +
		"payout 0-9118=882, bank_transfer 0-800=82"; strings.Join(kinds, ", ") != want {
		t.Errorf("%s, want %s", strings.Join(kinds, ", "), want)
	}
}

func TestPaidTwiceIsSeen(t *testing.T) {
	b := start(t)
	b.pay("success@sim", "A", 5000)
	b.pay("closed@sim", "B", 5000)
	b.later(3 * time.Second)
	b.pay("success@sim", "B-2", 5000)
	b.pay("pending@sim", "C", 5000)
	b.pay("instant@sim", "C.2", 5000)
	b.pay("returned@sim", "D", 5000)
	b.later(3 * day)
	b.pay("instant@sim", "D/2", 6000)
	b.pay("instant@sim", "E-1234", 5000)
	got := map[string]paid{}
	for _, p := range shown[paid](b, "/paid") {
		p.Payouts = nil
		got[p.Root] = p
	}
	want := map[string]paid{
		"A": {Root: "A", Paid: 1, Amount: 5000}, "B": {Root: "B", Paid: 1, Amount: 5000},
		"C": {Root: "C", Paid: 1, Open: 1, Amount: 5000, Twice: true}, "D": {Root: "D", Paid: 2, Returned: 1, Amount: 6000, Twice: true},
		"E-1234": {Root: "E-1234", Paid: 1, Amount: 5000},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if twice := shown[paid](b, "/paid?twice=true"); len(twice) != 2 || len(twice[0].Payouts) != 2 {
		t.Errorf("%+v", twice)
	}
	if one := shown[paid](b, "/paid?root=B"); len(one) != 1 || len(one[0].Payouts) != 2 {
		t.Errorf("%+v", one)
	}
}
