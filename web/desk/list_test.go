package desk

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"naru/core/deposit"
	"naru/core/payout"
	"naru/engine"
)

func TestFilters(t *testing.T) {
	p := enter(t)
	p.order(1, deposit.Paid)
	p.order(2, deposit.Waiting)
	p.order(3, deposit.Expired, func(o *deposit.Order) { o.CreatedAt = noon.AddDate(0, 0, -1) })
	p.order(4, deposit.TakenBack, func(o *deposit.Order) {
		o.CreatedAt = time.Date(2026, 11, 19, 15, 0, 0, 0, time.UTC) // the 20th begins in Seoul
	})
	p.order(5, deposit.Paid, func(o *deposit.Order) { o.Merchant = "PF0001" })
	for query, want := range map[string][]string{
		"":                                  {"PM00000001", "PM00000002", "PM00000003", "PM00000004"},
		"?state=paid":                       {"PM00000001"},
		"?state=taken-back":                 {"PM00000004"},
		"?number=PM00000002":                {"PM00000002"},
		"?number=+PM00000002+":              {"PM00000002"},
		"?client=KRW-20261122-0003":         {"PM00000003"},
		"?number=PM00000005":                nil,
		"?from=2026-11-22":                  {"PM00000001", "PM00000002"},
		"?until=2026-11-21":                 {"PM00000003", "PM00000004"},
		"?from=2026-11-21&until=2026-11-21": {"PM00000003"},
		"?from=2026-11-20&until=2026-11-20": {"PM00000004"},
		"?until=2026-11-19":                 nil,
		"?state=paid&until=2026-11-21":      nil,
	} {
		page := p.read(root + "deposits" + query)
		var got []string
		for _, number := range []string{"PM00000001", "PM00000002", "PM00000003", "PM00000004", "PM00000005"} {
			if strings.Contains(page, `href="/desk/deposits/`+number+`"`) {
				got = append(got, number)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s shows %v instead of %v", query, got, want)
		}
		if want == nil && !strings.Contains(page, "Nothing fits this filter.") {
			t.Errorf("%s does not say that nothing fits", query)
		}
	}
	for query, says := range map[string]string{
		"?from=yesterday":                   "From is not a day",
		"?until=2026-02-30":                 "Until is not a day",
		"?from=2026-11-22&until=2026-11-21": "Until is before from.",
		"?state=lost":                       "There is no such state",
		"?page=0":                           "There is no such page.",
		"?page=x":                           "There is no such page.",
	} {
		p.says(p.get(root+"deposits"+query), http.StatusBadRequest, says)
		p.says(p.get(root+"deposits.csv"+query), http.StatusBadRequest, says)
	}
}

func TestEmptyListsSayHowToFillThem(t *testing.T) {
	p := enter(t)
	p.says(p.get(root+"deposits"), http.StatusOK, "as soon as POST /gateway/api/v1/payments has answered 0000")
	p.says(p.get(root+"payouts"), http.StatusOK, "as soon as POST /gateway/api/v2/payouts has answered 0000")
	p.says(p.get(root+"notices"), http.StatusOK, "when an order with a notify_url reaches its end")
	p.says(p.get(root+"keys"), http.StatusOK, "There is none. Make one to use this.")
}

func TestPages(t *testing.T) {
	p := enter(t)
	for i := range 120 {
		p.order(i+1, deposit.Paid)
	}
	page := p.read(root + "deposits?state=paid&page=2")
	for _, want := range []string{
		"51–100 of 120", `href="/desk/deposits?state=paid">Newer`, `href="/desk/deposits?page=3&amp;state=paid">Older`,
		"PM00000051", "PM00000100",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("page 2 lacks %q", want)
		}
	}
	last := p.read(root + "deposits?page=3")
	if strings.Contains(last, "Older") || !strings.Contains(last, "101–120 of 120") {
		t.Error("page 3 is not the last")
	}
}

func TestFiles(t *testing.T) {
	p := enter(t)
	p.order(1, deposit.Paid)
	p.order(2, deposit.Waiting, func(o *deposit.Order) { o.ClientID = "=HYPERLINK(1)" })
	p.transfer(3, payout.Refused)
	p.notice("PM00000001", engine.DepositResult, "PAID", engine.NoticeSent, 500, 200)
	for path, want := range map[string]string{
		"deposits.csv": "state,number,client_number,ordered_won,to_transfer_won,arrived_won,fee_won,created,changed\n" +
			"Paid,PM00000001,KRW-20261122-0001,30000,29900,29900,239,2026-11-22T03:29:00Z,2026-11-22T03:31:00Z\n" +
			"Waiting,PM00000002,'=HYPERLINK(1),30000,29900,,,2026-11-22T03:28:00Z,2026-11-22T03:28:00Z\n",
		"payouts.csv": "state,number,client_number,amount_won,fee_won,created,changed\n" +
			"Failed,POT00000003,WD-20261122-0003,50000,1000,2026-11-22T03:27:00Z,2026-11-22T03:28:00Z\n",
		"notices.csv": "state,about,tells,tries,last_answer,took,owed_since,last_try,next_try\n" +
			`Delivered,PM00000001,Paid,2,"HTTP 200, acknowledged",184 ms,2026-11-22T03:31:00Z,2026-11-22T03:32:00Z,` + "\n",
	} {
		w := p.get(root + path)
		if w.Code != http.StatusOK || w.Body.String() != want || w.Header().Get("Content-Type") != "text/csv; charset=utf-8" ||
			w.Header().Get("Content-Disposition") != `attachment; filename="`+path+`"` {
			t.Errorf("%s: %d %v\n%s", path, w.Code, w.Header(), w.Body)
		}
	}
}

// A file has all pages, what the filter lets through, and nothing that came while it was written.
func TestAFileOfManyPages(t *testing.T) {
	p := enter(t)
	for i := range atOnce + 20 {
		p.order(i+1, deposit.Paid)
	}
	p.order(0, deposit.Waiting)
	lines := strings.Split(strings.TrimSpace(p.get(root+"deposits.csv?state=paid").Body.String()), "\n")
	slices.Sort(lines)
	if len(slices.Compact(lines)) != atOnce+20+1 {
		t.Errorf("%d lines", len(lines))
	}
	p.order(-1, deposit.Paid)
	if strings.Contains(p.get(root+"deposits.csv").Body.String(), "PM-0000001") {
		t.Error("an order that was made meanwhile is in it")
	}
}

func TestAnotherMerchantsOrder(t *testing.T) {
	p := inSandbox(t)
	p.order(1, deposit.Waiting, func(o *deposit.Order) { o.Merchant = "PF0001" })
	p.transfer(1, payout.Paid, func(m *engine.MerchantPayout) { m.Account = "PF0001" })
	never := text(p.get(root + "deposits/PM77777777").Body.String())
	for _, path := range []string{"deposits/PM00000001", "payouts/POT00000001"} {
		w := p.get(root + path)
		p.says(w, http.StatusNotFound)
		if text(w.Body.String()) != never {
			t.Errorf("%s is told apart from one that never was", path)
		}
	}
	p.says(p.post(root+"deposits/PM00000001/pay", "amount", "1", "name", "x"), http.StatusNotFound)
	if len(p.booked) > 0 {
		t.Error("the bank has booked")
	}
}

func TestDepositsTellTheirStory(t *testing.T) {
	for state, phrases := range map[deposit.State][]string{
		deposit.Waiting:   {"Waiting", "2026-11-22 12:29:00 you Ordered", "2026-11-22 12:39:00 Expires unless it is paid before", "KB Kookmin"},
		deposit.Seen:      {"a person must say so", "bank Seen It came from another name"},
		deposit.Paid:      {"2026-11-22 12:31:00 bank Paid arrived ₩29,900 fee −₩239 into your balance ₩29,661"},
		deposit.Expired:   {"2026-11-22 12:39:00 clock Expired"},
		deposit.Cancelled: {"operator Cancelled"},
		deposit.Failed:    {"operator Failed"},
		deposit.TakenBack: {"into your balance ₩29,661", "bank Taken back out of your balance −₩29,900"},
	} {
		p := enter(t)
		p.order(1, state, func(o *deposit.Order) {
			if state == deposit.Seen {
				o.Trouble = deposit.NameMismatch
			}
		})
		w := p.get(root + "deposits/PM00000001")
		p.says(w, http.StatusOK, phrases...)
		if strings.Contains(w.Body.String(), "Pay now") || strings.Contains(w.Body.String(), "김하늘") {
			t.Errorf("%s: more than a merchant should see", state)
		}
	}
}

func TestPayoutsTellTheirStory(t *testing.T) {
	for state, phrases := range map[payout.State][]string{
		payout.Reviewed:  {"Under review", "you Taken on amount ₩50,000 fee ₩1,000 frozen ₩51,000"},
		payout.Asked:     {"Pending"},
		payout.Sent:      {"Processing", "The bank has it."},
		payout.Waiting:   {"Processing"},
		payout.Reversing: {"Processing"},
		payout.Deemed:    {"Processing"},
		payout.Unclear:   {"Unclear", "Do not pay this out again."},
		payout.Paid:      {"bank Paid paid out −₩50,000 fee −₩1,000 no longer frozen ₩51,000"},
		payout.Refused:   {"Failed There is no such account. free again ₩51,000"},
		payout.Cancelled: {"operator Cancelled free again ₩51,000"},
		payout.Returned:  {"Came back", "bank Paid paid out −₩50,000", "bank Came back into your balance ₩50,000"},
	} {
		p := enter(t)
		p.transfer(1, state, func(m *engine.MerchantPayout) {
			m.Reason = payout.NoAccount
			if state == payout.Returned {
				m.BackAt = m.DoneAt.Add(time.Hour)
			}
		})
		p.says(p.get(root+"payouts/POT00000001"), http.StatusOK, phrases...)
	}
}

// What a bank says of its customer is not the merchant's to know.
func TestReasonsOfTheBank(t *testing.T) {
	p := enter(t)
	p.transfer(1, payout.Refused, func(m *engine.MerchantPayout) { m.Reason = payout.ClosedFraud })
	p.says(p.get(root+"payouts/POT00000001"), http.StatusOK, noReason)
}

// Every state has its words, so that no page ever stops at one.
func TestEveryStateHasWords(t *testing.T) {
	for s := range deposit.Rules {
		kindOf(depositKinds, s)
	}
	for s := range payout.Rules {
		kindOf(payoutKinds, s)
	}
	for _, s := range []engine.NoticeState{engine.NoticeQueued, engine.NoticeSent, engine.NoticeParked} {
		kindOf(noticeKinds, s)
	}
}

func TestOverview(t *testing.T) {
	p := enter(t)
	p.order(1, deposit.Paid)
	p.order(2, deposit.Paid)
	p.order(3, deposit.Paid, func(o *deposit.Order) { o.CreatedAt = noon.AddDate(0, 0, -1) })
	p.order(4, deposit.Paid, func(o *deposit.Order) { o.Merchant = "PF0001" })
	p.transfer(1, payout.Sent)
	p.transfer(2, payout.Deemed)
	p.notice("PM00000001", engine.DepositResult, "PAID", engine.NoticeParked, 500)
	w := p.get(root)
	p.says(w, http.StatusOK, "Free balance ₩12,345,678", "Frozen ₩51,000", "Parked notifications 1", "Paid 2", "Processing 2", "Waiting 0")
	for _, link := range []string{"/desk/deposits?state=paid&amp;from=2026-11-22", "/desk/notices?state=parked&amp;from=2026-11-16"} {
		if !strings.Contains(w.Body.String(), `href="`+link+`"`) {
			t.Errorf("no link to %s", link)
		}
	}
}

func TestSettings(t *testing.T) {
	p := enter(t)
	p.says(p.get(root+"settings"), http.StatusOK,
		"Open SVC0026 Deposit ₩1,000 ₩5,000,000 0.80 % an order lives 10 min; the amount may be lowered by up to ₩100",
		"Closed SVC0004 Payout ₩1,000 no limit ₩1,000 reviewed from ₩5,000,000",
		"Orders that end without money are notified yes", "Deposits that the bank takes back are notified no",
		"Addresses that may call the API 192.0.2.0/24")
}
