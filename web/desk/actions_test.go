package desk

import (
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"naru/core/deposit"
	"naru/engine"
)

func TestSendOneAgain(t *testing.T) {
	p := enter(t)
	p.order(1, deposit.Paid)
	n := p.notice("PM00000001", engine.DepositResult, "PAID", engine.NoticeParked, 500, 0, 500)
	w := p.get(root + "deposits/PM00000001")
	p.says(w, http.StatusOK, "Notification: Paid Parked",
		"1 2026-11-22 12:31:00 HTTP 500, refused 184 ms", "2 2026-11-22 12:32:00 no answer in time 184 ms",
		"3 2026-11-22 12:33:00 HTTP 500, refused 184 ms",
		"Tells the present state to https://shop.example.test/cb/deposit once more, under the same notification id, with ten tries.",
		"It moves no money.")
	if len(p.resent) > 0 {
		t.Fatal("looking at it sent it")
	}
	w = p.post(root+"notices/resend", "id", n.ID, "number", "PM00000001", "from", "deposits/")
	if to := w.Header().Get("Location"); to != root+"deposits/PM00000001?done=resent#"+n.ID {
		t.Errorf("it leads to %s", to)
	}
	if !slices.Equal(p.resent, []string{n.ID}) {
		t.Errorf("sent again: %v", p.resent)
	}
	p.says(p.get(root+"deposits/PM00000001?done=resent"), http.StatusOK,
		"The notification is on its way again.", "Next try 2026-11-22 12:31:00")
	p.says(p.post(root+"notices/resend", "id", n.ID), http.StatusConflict, "it is on its way already", "Nothing has changed.")
}

func TestAnotherMerchantsNotification(t *testing.T) {
	p := enter(t)
	p.notice("PM00000001", engine.DepositResult, "PAID", engine.NoticeParked, 500)
	p.told[0].Account = "PF0001"
	p.says(p.post(root+"notices/resend", "id", p.told[0].ID), http.StatusNotFound)
	if len(p.resent) > 0 || strings.Contains(p.read(root+"notices"), "PM00000001") {
		t.Error("it is reached")
	}
}

func TestSendParkedOnesAgain(t *testing.T) {
	p := enter(t)
	const parked = engine.NoticeParked
	for i, s := range []engine.NoticeState{parked, engine.NoticeSent, parked, engine.NoticeQueued, parked} {
		o := p.order(i+1, deposit.Paid)
		p.notice(o.Number, engine.DepositResult, "PAID", s, 500)
	}
	p.told[4].CreatedAt = noon.AddDate(0, 0, -2) // outside of the range
	path := root + "notices?from=2026-11-22&until=2026-11-22"
	p.says(p.get(path), http.StatusOK, "This range holds 2 parked notifications", "It moves no money.", "Send 2 again")
	days := []string{"from", "2026-11-22", "until", "2026-11-22", "number", ""}
	p.says(p.post(root+"notices/resend-all", append(days, "count", "3")...), http.StatusConflict, "Their number has changed: nothing was sent")
	if len(p.resent) > 0 {
		t.Fatal("it did other than it said")
	}
	w := p.post(root+"notices/resend-all", append(days, "count", "2")...)
	if w.Code != http.StatusSeeOther || !slices.Equal(p.resent, []string{p.told[0].ID, p.told[2].ID}) {
		t.Errorf("%d %v", w.Code, p.resent)
	}
	p.says(p.get(w.Header().Get("Location")), http.StatusOK, "The notifications are on their way again.")
	if strings.Contains(p.read(path), "parked</b>") {
		t.Error("it still offers to send")
	}
}

// One that has gone out by itself meanwhile is no reason to leave the others.
func TestSendingAgainGoesOn(t *testing.T) {
	p := enter(t)
	p.notice("PM00000001", engine.DepositResult, "PAID", engine.NoticeParked, 500)
	p.notice("PM00000002", engine.DepositResult, "PAID", engine.NoticeParked, 500)
	p.underWay = p.told[0].ID
	w := p.post(root+"notices/resend-all", "from", "2026-11-22", "count", "2")
	if w.Code != http.StatusSeeOther || !slices.Equal(p.resent, []string{p.told[1].ID}) {
		t.Errorf("%d %v", w.Code, p.resent)
	}
}

func TestTheDeliveryLog(t *testing.T) {
	p := enter(t)
	p.order(1, deposit.Paid)
	p.order(2, deposit.Expired)
	p.notice("PM00000001", engine.DepositResult, "PAID", engine.NoticeSent, 0, 200)
	p.notice("PM00000002", engine.DepositResult, "EXPIRED", engine.NoticeQueued)
	p.notice("POT00000001", engine.TransferResult, "SUCCEEDED", engine.NoticeParked, 500)
	p.told[2].CreatedAt = noon.AddDate(0, 0, -30)
	w := p.get(root + "notices")
	p.says(w, http.StatusOK, "Delivered PM00000001 Paid 2 HTTP 200, acknowledged 184 ms", "On its way PM00000002 Expired 0 not tried yet")
	if strings.Contains(w.Body.String(), "POT00000001") {
		t.Error("the usual range is longer than a week")
	}
	p.says(p.get(root+"notices?number=POT00000001"), http.StatusOK, "Parked POT00000001 Paid 1 HTTP 500, refused")
	if got := p.read(root + "notices?state=delivered"); !strings.Contains(got, "PM00000001") || strings.Contains(got, "PM00000002") {
		t.Error("the state does not filter")
	}
}

// More than can be looked at is said, and never sent again in part under a full number.
func TestTooManyNotifications(t *testing.T) {
	p := enter(t)
	for range mostLooked + 1 {
		p.notice("PM00000001", engine.DepositResult, "PAID", engine.NoticeParked, 500)
	}
	p.says(p.get(root+"notices"), http.StatusOK, "these are the newest 2,000", "This range holds 2000 parked")
	p.says(p.get(root), http.StatusOK, "Parked notifications 2000+")
	p.says(p.get(root+"notices.csv"), http.StatusBadRequest, "choose a shorter range")
}

func TestANewKeyIsShownOnce(t *testing.T) {
	p := enter(t)
	p.says(p.get(root+"keys"), http.StatusOK, "From that moment we sign with the new key.", "Requests signed with it get 0004 from then on")
	w := p.post(root+"keys/new", "purpose", "sign")
	p.says(w, http.StatusOK, "New: Signing key", newSecret, "it is shown this once", "Two are valid, which is the most.")
	if w.Header().Get("Cache-Control") != "no-store" {
		t.Error("it may be kept")
	}
	for _, path := range closedPages {
		if strings.Contains(p.get(root+path).Body.String(), newSecret) {
			t.Errorf("%s shows it again", path)
		}
	}
	p.says(p.post(root+"keys/new", "purpose", "sign"), http.StatusConflict, "two are valid already")
	if strings.Contains(p.log.String(), newSecret) {
		t.Error("the log has it")
	}
}

// A library of webhooks wants its secret marked and in base64; its bytes are those that sign.
func TestANewWebhookSecret(t *testing.T) {
	p := enter(t)
	p.says(p.post(root+"keys/new", "purpose", "webhook"), http.StatusOK, "whsec_"+base64.StdEncoding.EncodeToString([]byte(newSecret)))
}

func TestAKeyEnds(t *testing.T) {
	for when, want := range map[string]time.Time{"now": noon, "later": noon.Add(24 * time.Hour)} {
		p := enter(t)
		p.post(root+"keys/new", "purpose", "sign")
		w := p.post(root+"keys/end", "id", "key-1", "when", when)
		if w.Header().Get("Location") != root+"keys?done=ended" || !p.keyring[1].EndsAt.Equal(want) {
			t.Errorf("%s: %d, it ends at %s", when, w.Code, p.keyring[1].EndsAt)
		}
	}
	p := enter(t)
	p.says(p.post(root+"keys/end", "id", "key-2", "when", "now"), http.StatusNotFound)
	p.says(p.post(root+"keys/end", "id", "key-1", "when", "never"), http.StatusNotFound)
	p.says(p.post(root+"keys/new", "purpose", "everything"), http.StatusNotFound)
	if !p.keyring[0].EndsAt.IsZero() || !p.keyring[1].EndsAt.IsZero() {
		t.Error("a key has ended")
	}
}

// The last key without an end has no button to end it; beside another it has.
func TestWhichKeysCanEnd(t *testing.T) {
	p := enter(t)
	if strings.Contains(p.read(root+"keys"), "/desk/keys/end") {
		t.Error("the only key can be ended")
	}
	p.post(root+"keys/new", "purpose", "sign")
	if n := strings.Count(p.read(root+"keys"), "/desk/keys/end"); n != 2 {
		t.Errorf("%d of two can be ended", n)
	}
	p.keyring[1].EndsAt = noon.Add(time.Hour)
	page := p.read(root + "keys")
	if n := strings.Count(page, "/desk/keys/end"); n != 1 || !strings.Contains(text(page), "Ending key-1") {
		t.Errorf("%d can be ended", n)
	}
}

func TestPayNow(t *testing.T) {
	late := noon.Add(-time.Minute).Add(630*time.Second).Sub(noon) + time.Second
	for _, c := range []struct {
		name    string
		fields  []string
		booked  []string
		skipped time.Duration
	}{
		{"as shown", []string{"amount", "29900"}, []string{"3021234567891 29900 김하늘"}, 0},
		{"another amount", []string{"amount", "29,000", "name", "이도윤"}, []string{"3021234567891 29000 이도윤"}, 0},
		{"again", []string{"amount", "29900", "again", "1"}, []string{"3021234567891 29900 김하늘", "3021234567891 29900 김하늘"}, 0},
		{"late", []string{"amount", "29900", "late", "1"}, []string{"3021234567891 29900 김하늘"}, late},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := inSandbox(t)
			p.order(1, deposit.Waiting)
			p.says(p.get(root+"deposits/PM00000001"), http.StatusOK, "Pay now, in the sandbox", "No real money moves.")
			w := p.post(root+"deposits/PM00000001/pay", c.fields...)
			if w.Code != http.StatusSeeOther || !slices.Equal(p.booked, c.booked) || p.skipped != c.skipped {
				t.Errorf("%d: booked %v, skipped %s", w.Code, p.booked, p.skipped)
			}
			if strings.Contains(w.Body.String()+p.read(root+"deposits/PM00000001"), "김하늘") {
				t.Error("the payer's name is told")
			}
		})
	}
}

func TestPayNowSaysWhatIsWrong(t *testing.T) {
	p := inSandbox(t)
	p.order(1, deposit.Waiting, func(o *deposit.Order) { o.Payer = nil })
	for _, amount := range []string{"", "0", "-5", "1.5", "x", "99999999999999999999"} {
		p.says(p.post(root+"deposits/PM00000001/pay", "amount", amount, "name", "x"), http.StatusUnprocessableEntity, "The amount is whole won")
	}
	p.says(p.post(root+"deposits/PM00000001/pay", "amount", "5"), http.StatusUnprocessableEntity, "Say from whose name")
	if len(p.booked) > 0 {
		t.Errorf("booked %v", p.booked)
	}
}

// Outside a sandbox nobody can pay by hand.
func TestNoPayNowOutsideASandbox(t *testing.T) {
	p := enter(t)
	p.order(1, deposit.Waiting)
	if strings.Contains(p.read(root+"deposits/PM00000001"), "sandbox") {
		t.Error("the form is there")
	}
	p.says(p.post(root+"deposits/PM00000001/pay", "amount", "29900"), http.StatusNotFound)
}
