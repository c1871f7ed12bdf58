package koreacards

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"naru/core/money"
	"naru/core/settlement"
	"naru/engine"
	"naru/protocol/gsp"
	"naru/protocol/gsp/cards"
	"naru/protocol/gsp/gsptest"
)

// item makes one in won, with our fee and the VAT on it.
func item(kind settlement.Kind, subject, ownID string, charge, fee, vat int64) settlement.Item {
	return settlement.Item{
		Account: "HanbitPG_KRW", Kind: kind, Subject: subject, OwnID: ownID,
		Charge: money.New(charge, won), Fee: money.New(fee, won), VAT: money.New(vat, won),
	}
}

// sheetItems are those of the file in §6.3.
var sheetItems = []settlement.Item{
	item(settlement.Capture, "KR-CAP-77b0-0001", "hb-cap-0000731", 12900, -258, -26),
	item(settlement.Refund, "KR-RFD-b61d-0001", "hb-rfd-0000088", -4000, 0, 0),
	item(settlement.FundsReservation, "KR-VER-22a7-0001", "hb-auth-0000732", 0, -15, 0),
}

// allItems has one of every kind, the fee on a reservation with VAT.
func allItems() []settlement.Item {
	linked := func(i settlement.Item, notice string) settlement.Item { i.Link = notice; return i }
	noted := func(i settlement.Item, text string) settlement.Item { i.Note = text; return i }
	return []settlement.Item{
		sheetItems[0], sheetItems[1],
		item(settlement.ReverseRefund, "KR-RFD-b61d-0001", "hb-rfd-0000088", 4000, -1, 0),
		linked(item(settlement.Chargeback, "KR-CAP-77b0-0001", "dsp-1", -8900, -1000, -100), "hb-g6-0000005"),
		linked(item(settlement.ReverseChargeback, "KR-CAP-77b0-0001", "dsp-1", 8900, 0, 0), "hb-g7-0000005"),
		item(settlement.FundsReservation, "KR-VER-22a7-0001", "hb-auth-0000732", 0, -10, -1),
		noted(item(settlement.AggregateAdjusting, "E0000004", "E0000004", -15, 0, 0), "SCHEMEFEE of March"),
		noted(item(settlement.MiscAdjusting, "E0000005", "E0000005", 70, 0, 0), "credit of 2 March was 70 won short"),
	}
}

func settlementOf(id string, parts int64, items []settlement.Item) settlement.Settlement {
	totals, err := settlement.Total(won, items)
	if err != nil {
		panic(err)
	}
	return settlement.Settlement{
		ID: id, Account: "HanbitPG_KRW", Currency: won, Day: "20260315", Start: time.UnixMilli(1772409600000), End: time.UnixMilli(1773619200000),
		ClosedAt: time.UnixMilli(1773619100000), Totals: totals, Parts: parts, State: settlement.Closed,
	}
}

func sequence(items []settlement.Item, fail error) iter.Seq2[settlement.Item, error] {
	return func(yield func(settlement.Item, error) bool) {
		for _, i := range items {
			if !yield(i, nil) {
				return
			}
		}
		if fail != nil {
			yield(settlement.Item{}, fail)
		}
	}
}

var header = cards.FileHeader{RequestID: "hb-file-20260316", At: time.UnixMilli(1773619260000)}

func TestTheSheetsFile(t *testing.T) {
	want, err := os.ReadFile("testdata/settlement.ndjson")
	if err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	if err := cards.WriteSettlementFile(&got, header, settlementOf("hb-stl-20260316", 1, sheetItems), sequence(sheetItems, nil)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("got\n%s\nwant\n%s", got.Bytes(), want)
	}
}

// Every kind of item, in its own words; a day without any is two lines.
func TestEveryKindOfItem(t *testing.T) {
	items := allItems()
	var got bytes.Buffer
	if err := cards.WriteSettlementFile(&got, header, settlementOf("s", 1, items), sequence(items, nil)); err != nil {
		t.Fatal(err)
	}
	krw := func(micros string) string { return `{"amountMicros":"` + micros + `","currencyCode":"KRW"}` }
	want := []string{
		`{"captureEvent":{"captureRequestId":"KR-CAP-77b0-0001","paymentIntegratorCaptureId":"hb-cap-0000731",` +
			`"eventCharge":` + krw("12900000000") + `,"eventFee":` + krw("-258000000") + `,"eventVat":` + krw("-26000000") + `}}`,
		`{"refundEvent":{"asynchronousRefundRequestId":"KR-RFD-b61d-0001","paymentIntegratorRefundId":"hb-rfd-0000088","eventCharge":` +
			krw("-4000000000") + `,"eventFee":` + krw("0") + `,"eventVat":` + krw("0") + `}}`,
		`{"reverseRefundEvent":{"asynchronousRefundRequestId":"KR-RFD-b61d-0001","eventCharge":` + krw("4000000000") + `,"eventFee":` +
			krw("-1000000") + `,"eventVat":` + krw("0") + `}}`,
		`{"chargebackEvent":{"captureRequestId":"KR-CAP-77b0-0001","paymentIntegratorChargebackNotificationRequestId":"hb-g6-0000005",` +
			`"eventCharge":` + krw("-8900000000") + `,"eventFee":` + krw("-1000000000") + `,"eventVat":` + krw("-100000000") + `}}`,
		`{"reverseChargebackEvent":{"captureRequestId":"KR-CAP-77b0-0001",` +
			`"paymentIntegratorChargebackReversedNotificationRequestId":"hb-g7-0000005","eventCharge":` + krw("8900000000") + `,"eventFee":` +
			krw("0") + `,"eventVat":` + krw("0") + `}}`,
		`{"fundsReservationEvent":{"fundsReservationRequestId":"KR-VER-22a7-0001","eventFee":` + krw("-11000000") +
			`,"eventPresentmentDetails":{"presentmentAmount":` + krw("0") + `,"nanoExchangeRate":"10000000000000"}}}`,
		`{"aggregateAdjustment":{"adjustmentAmount":` + krw("-15000000") + `,"adjustmentType":{"aggregatedSchemeFees":{}}}}`,
		`{"miscellaneousAdjustment":{"adjustmentAmount":` + krw("70000000") + `,"adjustmentDescription":"credit of 2 March was 70 won short"}}`,
	}
	lines := strings.Split(strings.TrimSuffix(got.String(), "\n"), "\n")
	if len(lines) != len(want)+2 {
		t.Fatalf("%d lines", len(lines))
	}
	for n, w := range want {
		if w = fmt.Sprintf(`{"entryId":"%d","settlementEntryType":%s}`, n+1, w); lines[n+2] != w {
			t.Errorf("got  %s\nwant %s", lines[n+2], w)
		}
	}
	for _, k := range gsptest.Constants(t, "../../../core/settlement/settlement.go", "Kind") {
		if !slices.ContainsFunc(items, func(i settlement.Item) bool { return i.Kind == settlement.Kind(k) }) {
			t.Errorf("%s has no row", k)
		}
	}

	got.Reset()
	if err := cards.WriteSettlementFile(&got, header, settlementOf("s", 1, nil), sequence(nil, nil)); err != nil {
		t.Fatal(err)
	}
	nothing := `"settlementAmount":` + krw("0") + `,"numberOfItems":"0"`
	if lines := strings.Split(got.String(), "\n"); len(lines) != 3 || !strings.Contains(lines[1], nothing) {
		t.Errorf("an empty day: %s", got.String())
	}
}

func TestAdjustmentTypes(t *testing.T) {
	for note, want := range map[string]string{
		"": "aggregatedAuthorizationFees", "AUTHFEE": "aggregatedAuthorizationFees", "authorisation fees": "aggregatedAuthorizationFees",
		"AUTHFEEVAR": "aggregatedAuthorizationFeesVariance", "CBFEE of March": "aggregatedChargebackFees",
		"CBFEEVAR": "aggregatedChargebackFeesVariance", "INTEGRITY": "aggregatedIntegrityFees", "INTEGRITYVAR": "aggregatedIntegrityFeesVariance",
		"schemefee": "aggregatedSchemeFees", "SCHEMEFEEVAR": "aggregatedSchemeFeesVariance", "SERVICEFEE": "aggregatedGoodsServicesFees",
		"CBFINE": "chargebackThresholdFine", "ROUNDING": "eventFeesRounding",
	} {
		i := item(settlement.AggregateAdjusting, "", "", -15, -2, -1)
		i.Note = note
		var got bytes.Buffer
		items := []settlement.Item{i}
		err := cards.WriteSettlementFile(&got, header, settlementOf("s", 1, items), sequence(items, nil))
		want = `{"adjustmentAmount":{"amountMicros":"-18000000","currencyCode":"KRW"},"adjustmentType":{"` + want + `":{}}}}}` + "\n"
		if !strings.HasSuffix(got.String(), want) || err != nil {
			t.Errorf("%q: got %s, %v", note, got.String(), err)
		}
	}
}

// The check before the upload (§6.3), fault by fault.
func TestFilesThatMustNotBeUploaded(t *testing.T) {
	usd := money.Of("USD")
	dollars := item(settlement.Capture, "c", "o", 0, 0, 0)
	dollars.Charge, dollars.Fee, dollars.VAT = money.New(1, usd), money.New(0, usd), money.New(0, usd)
	spoilt := func(n int, spoil func(*settlement.Item)) []settlement.Item {
		items := allItems()
		spoil(&items[n])
		return items
	}
	torn := errors.New("torn off")
	for name, row := range map[string]struct {
		items []settlement.Item // nil: all of them
		total func(*settlement.Settlement)
		fail  error
		says  string
	}{
		"one too few":       {items: allItems()[:7], says: "7 items"},
		"one twice":         {items: append(allItems(), sheetItems[1]), says: "9 items"},
		"another sum":       {total: func(s *settlement.Settlement) { s.Net = s.Net.Plus(money.New(1, won)) }, says: "sum"},
		"another number":    {total: func(s *settlement.Settlement) { s.Items++ }, says: "8 items"},
		"another currency":  {items: append(allItems(), dollars), says: "not in KRW"},
		"another account":   {items: spoilt(0, func(i *settlement.Item) { i.Account = "Other_KRW" }), says: "another account"},
		"an unknown kind":   {items: spoilt(0, func(i *settlement.Item) { i.Kind = "gift" }), says: "unknown kind"},
		"no capture":        {items: spoilt(0, func(i *settlement.Item) { i.Subject = "" }), says: "without captureRequestId"},
		"no own id":         {items: spoilt(0, func(i *settlement.Item) { i.OwnID = "" }), says: "without paymentIntegratorCaptureId"},
		"no refund":         {items: spoilt(1, func(i *settlement.Item) { i.Subject = "" }), says: "without asynchronousRefundRequestId"},
		"no chargeback":     {items: spoilt(3, func(i *settlement.Item) { i.Link = "" }), says: "without paymentIntegratorChargebackNotif"},
		"no reversal":       {items: spoilt(4, func(i *settlement.Item) { i.Link = "" }), says: "without paymentIntegratorChargebackReversed"},
		"a charge on a fee": {items: spoilt(5, func(i *settlement.Item) { i.Charge = money.New(1, won) }), says: "that moves money"},
		"more than a number": {
			items: spoilt(0, func(i *settlement.Item) { i.Charge = money.New(1<<45, won) }), says: "no 64-bit number",
		},
		"a sum above a number": {
			items: []settlement.Item{
				item(settlement.Capture, "c", "o", 9_223_372_036_854, 0, 0), item(settlement.Capture, "d", "p", 9_223_372_036_854, 0, 0),
			},
			says: "no 64-bit number",
		},
		"a whole above a number": {total: func(s *settlement.Settlement) { s.Net = money.New(-1<<45, won) }, says: "no 64-bit number"},
		"torn off":               {fail: torn, says: "torn off"},
	} {
		s, items := settlementOf("s", 1, allItems()), row.items
		if items == nil {
			items = allItems()
		}
		if row.total != nil {
			row.total(&s)
		}
		var out bytes.Buffer
		err := cards.WriteSettlementFile(&out, header, s, sequence(items, row.fail))
		if err == nil || !strings.Contains(err.Error(), row.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s := settlementOf("s", 1, sheetItems)
	if err := cards.WriteSettlementFile(broken{}, header, s, sequence(sheetItems, nil)); err == nil {
		t.Error("a disk that is full is not heard of")
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, errors.New("full") }

func TestFileNames(t *testing.T) {
	s := settlementOf("hb-stl-20260316", 1, nil)
	late := cards.FileHeader{At: time.Date(2026, 3, 16, 23, 59, 59, 0, time.UTC)}
	for pattern, want := range map[string]string{
		"": "GSP_CARD_SETTLEMENT_REPORT_V1-hb-stl-20260316-HanbitPG_KRW-2026-03-16-1773705599",
		"GSP_CARD_SETTLEMENT_V1-{piaid}-{date}-{millis}.pgp": "GSP_CARD_SETTLEMENT_V1-HanbitPG_KRW-2026-03-16-1773705599000.pgp",
	} {
		if got, err := cards.SettlementFileName(pattern, late, s); got != want || err != nil {
			t.Errorf("%q: %s, %v", pattern, got, err)
		}
	}
	for _, pattern := range []string{"{settlementID}-{date}", "../{piaid}", "a/{piaid}", `a\{piaid}`, ".{piaid}", "{"} {
		if got, err := cards.SettlementFileName(pattern, late, s); err == nil {
			t.Errorf("%q is taken: %s", pattern, got)
		}
	}
	s.Account = "../etc"
	if got, err := cards.SettlementFileName("", late, s); err == nil {
		t.Errorf("a path is taken: %s", got)
	}
}

// shelf keeps one settlement.
type shelf struct {
	s     settlement.Settlement
	items []settlement.Item
	fail  error
	asked []string
}

func (s *shelf) Settlement(_ context.Context, id string) (settlement.Settlement, error) {
	if id != s.s.ID {
		return settlement.Settlement{}, errors.New("no such settlement")
	}
	return s.s, nil
}

func (s *shelf) Items(_ context.Context, id string, offset, limit int64) ([]settlement.Item, error) {
	s.asked = append(s.asked, fmt.Sprintf("%s %d+%d", id, offset, limit))
	return s.items[min(offset, int64(len(s.items))):min(offset+limit, int64(len(s.items)))], s.fail
}

// successB is Google's answer in generation B (§5.9).
func successB(t *testing.T) gsp.Reply {
	text, err := os.ReadFile("testdata/g9-response.json")
	if err != nil {
		t.Fatal(err)
	}
	return gsp.Reply{Class: gsp.Delivered, Status: 200, Body: text}
}

func part(id string, n int64) engine.Notice {
	return engine.Notice{
		ID: fmt.Sprintf("%s-%d", id, n), Kind: engine.SettlementPart, Account: "HanbitPG_KRW", Subject: fmt.Sprintf("%s/%d", id, n),
		Facts: engine.Facts{OwnID: id, Part: n},
	}
}

func TestTheSheetsSettlementNotification(t *testing.T) {
	s := settlementOf("hb-stl-20260316", 1, sheetItems[:1])
	s.End = time.UnixMilli(1773014400000)
	peer := &gsptest.Google{Answers: []gsp.Reply{successB(t)}}
	n := notifier(t, cards.NotifierConfig{Client: peer, Settlements: &shelf{s: s, items: sheetItems[:1]}}, Profile{})
	notice := part(s.ID, 0)
	notice.ID = "hb-g9-20260316-0"
	if r := n.Send(t.Context(), notice); r.Class != gsp.Delivered {
		t.Errorf("%s: %s", r.Class, r.Why)
	}
	m := peer.Heard[0]
	body, err := gsp.Encode(m.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := canonical(t, body), golden(t, "g9-request"); !bytes.Equal(got, want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	m.Body = nil
	want := gsp.Message{
		Generation: gsp.B, Account: "HanbitPG_KRW", Path: "/google-korea-cards-api/v1/settlementNotification", RequestID: "hb-g9-20260316-0",
	}
	if m != want {
		t.Errorf("got  %+v\nwant %+v", m, want)
	}
}

// However a settlement is cut: the parts are as many as it says, have every item once and in its place, and do not change when told again.
func TestSettlementParts(t *testing.T) {
	for _, size := range []int64{1, 2, 3, 5, 7, 8, 9, 1000} {
		items := allItems()
		count := int64(len(items))
		s := settlementOf("s", (count+size-1)/size, items)
		keep := &shelf{s: s, items: items}
		peer := &gsptest.Google{Answers: []gsp.Reply{successB(t)}}
		n := notifier(t, cards.NotifierConfig{Client: peer, Settlements: keep}, Profile{})
		arrays := map[string]int{}
		for k := range s.Parts {
			if r := n.Send(t.Context(), part("s", k)); r.Class != gsp.Delivered {
				t.Fatalf("size %d, part %d: %s", size, k, r.Why)
			}
			body := peer.Heard[k].Body.(*cards.SettlementNotification)
			if body.NotificationOffset != k || body.NotificationTotal != s.Parts || body.SettlementAmount.AmountMicros != gsp.Int64(s.Net.Micros()) {
				t.Errorf("size %d, part %d: %+v", size, k, body)
			}
			for name, events := range body.Events {
				arrays[name] += len(events)
			}
		}
		for _, array := range []string{
			"captureEvents", "refundEvents", "reverseRefundEvents", "chargebackEvents", "reverseChargebackEvents", "fundsReservationEvents",
			"aggregateAdjustments", "miscellaneousAdjustments",
		} {
			if arrays[array] != 1 {
				t.Errorf("size %d: %d %s", size, arrays[array], array)
			}
		}
		first, err1 := gsp.Encode(peer.Heard[0].Body)
		n.Send(t.Context(), part("s", 0))
		again, err2 := gsp.Encode(peer.Heard[s.Parts].Body)
		if err1 != nil || err2 != nil || !bytes.Equal(first, again) {
			t.Errorf("size %d: told again, the first part is another", size)
		}
	}
	empty := &shelf{s: settlementOf("s", 1, nil)}
	peer := &gsptest.Google{Answers: []gsp.Reply{successB(t)}}
	n := notifier(t, cards.NotifierConfig{Client: peer, Settlements: empty}, Profile{})
	if r := n.Send(t.Context(), part("s", 0)); r.Class != gsp.Delivered || len(empty.asked) != 0 {
		t.Errorf("an empty day: %s, asked for %v", r.Why, empty.asked)
	}
}

// What cannot be read is tried again; what cannot be said waits for a person. Neither reaches Google.
func TestSettlementsThatAreNotTold(t *testing.T) {
	whole := func() *shelf { return &shelf{s: settlementOf("s", 1, allItems()), items: allItems()} }
	for name, row := range map[string]struct {
		spoil func(*shelf)
		part  engine.Notice
		want  gsp.Class
	}{
		"unknown":                 {func(*shelf) {}, part("t", 0), gsp.Retry},
		"items cannot be read":    {func(s *shelf) { s.fail = errors.New("disk") }, part("s", 0), gsp.Retry},
		"no such part":            {func(*shelf) {}, part("s", 1), gsp.Park},
		"a part before the first": {func(*shelf) {}, part("s", -1), gsp.Park},
		"one item is missing":     {func(s *shelf) { s.items = s.items[1:] }, part("s", 0), gsp.Park},
		"one of a part is missing": {
			func(s *shelf) { s.s.Parts, s.items = 2, s.items[:7] }, part("s", 1), gsp.Park,
		},
		"another sum":        {func(s *shelf) { s.s.Net = money.New(1, won) }, part("s", 0), gsp.Park},
		"of another account": {func(s *shelf) { s.s.Account = "Other_KRW" }, part("s", 0), gsp.Park},
		"no id":              {func(s *shelf) { s.items[0].OwnID = "" }, part("s", 0), gsp.Park},
		"too much":           {func(s *shelf) { s.s.Net = money.New(1<<45, won) }, part("s", 0), gsp.Park},
	} {
		keep, peer := whole(), &gsptest.Google{Answers: []gsp.Reply{successB(t)}}
		row.spoil(keep)
		n := notifier(t, cards.NotifierConfig{Client: peer, Settlements: keep}, Profile{})
		if r := n.Send(t.Context(), row.part); r.Class != row.want || !r.Alert || r.Why == "" || len(peer.Heard) != 0 {
			t.Errorf("%s: %s %q after %d calls", name, r.Class, r.Why, len(peer.Heard))
		}
	}
}
