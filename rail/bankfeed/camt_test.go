package bankfeed_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/korean"

	"naru/core/card"
	"naru/core/deposit"
	"naru/core/money"
	"naru/rail/bankfeed"
)

var feed = bankfeed.Feed{ID: "kb-main", Bank: "004", BICs: map[string]string{"KAKOKR22": "090"}, Payouts: "kb"}

func file(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func won(n int64) money.Amount { return money.New(n, money.Of("KRW")) }

var booked = time.Date(2026, 11, 22, 3, 15, 3, 0, time.UTC)

// hong is the one credit of the sheet's example.
func hong() deposit.Entry {
	return deposit.Entry{
		Bank: "004", Account: "12345604123456", Virtual: "56200012345678", ID: "KB20261122000000917", Amount: won(50003), FromBank: "090",
		Name: card.Conceal("홍길동"), FromAccount: card.Conceal("3333011234567"), Memo: card.Conceal("홍길동"), BookedAt: booked, ValueDay: "20261122",
	}
}

func read(t *testing.T, text string) deposit.Message {
	t.Helper()
	d, err := bankfeed.Read(feed, []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	if d.Bookings == nil || d.ID != d.Bookings.ID {
		t.Fatalf("no bookings: %+v", d)
	}
	return *d.Bookings
}

func same(a, b []deposit.Entry) bool { return reflect.DeepEqual(a, b) }

func TestExample(t *testing.T) {
	text := file(t, "camt.054-08.xml")
	sum := sha256.Sum256([]byte(text))
	want := deposit.Message{
		Feed: "kb-main", ID: "KB20261122-000017", Kind: deposit.Notification, Digest: hex.EncodeToString(sum[:]),
		Reports: []deposit.Report{{Bank: "004", Account: "12345604123456", Seq: 17, Entries: []deposit.Entry{hong()}}},
	}
	if got := read(t, text); !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
}

// edit replaces parts of the example, each of which must be there.
func edit(t *testing.T, pairs ...string) string {
	t.Helper()
	text := file(t, "camt.054-08.xml")
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("the example has no %s", pairs[i])
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return text
}

const (
	amountLine   = `<Amt Ccy="KRW">50003</Amt>`
	entryAmount  = amountLine + "\n        <CdtDbtInd>"
	detailAmount = amountLine + "\n            <CdtDbtInd>"
	bookedStatus = `<Sts><Cd>BOOK</Cd></Sts>`
	debtor       = `<Dbtr><Pty><Nm>홍길동</Nm></Pty></Dbtr>`
	debtorBank   = `<DbtrAgt><FinInstnId><ClrSysMmbId><MmbId>090</MmbId></ClrSysMmbId></FinInstnId></DbtrAgt>`
	servicer     = `<Svcr><FinInstnId><ClrSysMmbId><MmbId>004</MmbId></ClrSysMmbId></FinInstnId></Svcr>`
	paidAt       = `<RltdDts><TxDtTm>2026-11-22T12:15:03+09:00</TxDtTm></RltdDts>`
	bookedAt     = `<BookgDt><DtTm>2026-11-22T12:15:03+09:00</DtTm></BookgDt>`
	reference    = `<AcctSvcrRef>KB20261122000000917</AcctSvcrRef>`
	unstructured = `<RmtInf><Ustrd>홍길동</Ustrd></RmtInf>`
	namespace    = `camt.054.001.08`
)

// Every version of rails §3.3, and every other way to say the same.
func TestOneMeaning(t *testing.T) {
	for name, pairs := range map[string][]string{
		".02": {
			namespace, "camt.054.001.02", bookedStatus, "<Sts>BOOK</Sts>", debtor, "<Dbtr><Nm>홍길동</Nm></Dbtr>",
			debtorBank, "<DbtrAgt><FinInstnId><BIC>KAKOKR22XXX</BIC></FinInstnId></DbtrAgt>",
			servicer, "<Svcr><FinInstnId><BIC>CZNBKRSE</BIC></FinInstnId></Svcr>",
		},
		".04": {
			namespace, "camt.054.001.04", bookedStatus, "<Sts> BOOK </Sts>", debtor, "<Dbtr><Nm>홍길동</Nm></Dbtr>",
			debtorBank, "<DbtrAgt><FinInstnId><BICFI>KAKOKR22</BICFI></FinInstnId></DbtrAgt>",
		},
		".06":                 {namespace, "camt.054.001.06", bookedStatus, "<Sts>BOOK</Sts>"},
		".09":                 {namespace, "camt.054.001.09"},
		".13":                 {namespace, "camt.054.001.13"},
		"a prefix":            {`<Document xmlns=`, `<c:Document xmlns:c=`, `</Document>`, `</c:Document>`},
		"proprietary status":  {bookedStatus, "<Sts><Prtry>BOOK</Prtry></Sts>"},
		"decimals":            {amountLine, `<Amt Ccy="KRW">50003.00</Amt>`, "<Sum>50003</Sum>", "<Sum>50003.00000</Sum>"},
		"leading zeros":       {amountLine, `<Amt Ccy="KRW"> 00050003 </Amt>`},
		"old transaction":     {detailAmount, "<AmtDtls><TxAmt>" + amountLine + "</TxAmt></AmtDtls><CdtDbtInd>"},
		"sent in dollars":     {detailAmount, `<AmtDtls><TxAmt><Amt Ccy="USD">36.10</Amt></TxAmt></AmtDtls><CdtDbtInd>`},
		"no zone":             {"+09:00", ""},
		"another zone":        {"2026-11-22T12:15:03+09:00", "2026-11-22T03:15:03.000Z"},
		"booking time":        {paidAt, ""},
		"acceptance time":     {"TxDtTm", "AccptncDtTm", bookedAt, "<BookgDt><Dt>2026-11-22</Dt></BookgDt>"},
		"value time":          {"<ValDt><Dt>2026-11-22</Dt></ValDt>", "<ValDt><DtTm>2026-11-22T00:30:00+09:00</DtTm></ValDt>"},
		"value day, zoned":    {"<ValDt><Dt>2026-11-22</Dt></ValDt>", "<ValDt><Dt>2026-11-22+09:00</Dt></ValDt>"},
		"feed's bank":         {servicer, ""},
		"account with dashes": {"<Id>12345604123456</Id>", "<Id>123456-04-123456</Id>"},
		"account as IBAN":     {"<Othr><Id>12345604123456</Id><SchmeNm><Cd>BBAN</Cd></SchmeNm></Othr>", "<IBAN>12345604123456</IBAN>"},
		"ultimate debtor":     {debtor, "<UltmtDbtr><Pty><Nm>홍길동</Nm></Pty></UltmtDbtr>"},
		"name in remittance":  {debtor, ""},
		"name with breaks":    {"<Pty><Nm>홍길동</Nm>", "<Pty><Nm>\n  홍길동\n</Nm>"},
		"entry's reference":   {reference + "\n              <EndToEndId>", "<EndToEndId>"},
		"detail's reference":  {"<ValDt><Dt>2026-11-22</Dt></ValDt>\n        " + reference, "<ValDt><Dt>2026-11-22</Dt></ValDt>"},
		"no summary":          {"<TxsSummry><TtlCdtNtries><NbOfNtries>1</NbOfNtries><Sum>50003</Sum></TtlCdtNtries></TxsSummry>", ""},
		"total summary":       {"TtlCdtNtries", "TtlNtries"},
		"no reversal said":    {"<RvslInd>false</RvslInd>", ""},
		"account's currency":  {"<Ccy>KRW</Ccy>", ""},
		"first page":          {"</CreDtTm>\n    </GrpHdr>", "</CreDtTm><MsgPgntn><PgNb>1</PgNb><LastPgInd>true</LastPgInd></MsgPgntn></GrpHdr>"},
		"byte order mark":     {"<?xml", "\ufeff<?xml"},
		"another element":     {bookedStatus, bookedStatus + "<Supplementary><Amt>1</Amt></Supplementary>"},
	} {
		t.Run(name, func(t *testing.T) {
			got := read(t, edit(t, pairs...))
			if len(got.Reports) != 1 || !same(got.Reports[0].Entries, []deposit.Entry{hong()}) {
				t.Errorf("%+v", got.Reports)
			}
		})
	}
}

// revealed is what an entry conceals.
func revealed(e deposit.Entry) []string {
	return []string{e.Name.Reveal(), e.Memo.Reveal(), e.FromAccount.Reveal(), e.FromBank, e.Virtual}
}

func TestCharacterSets(t *testing.T) {
	for _, label := range []string{"EUC-KR", "euc-kr", "ks_c_5601-1987", "CP949", "MS949"} {
		text, err := korean.EUCKR.NewEncoder().String(edit(t, "UTF-8", label, "홍길동", "똠방각하"))
		if err != nil {
			t.Fatal(err)
		}
		e := read(t, text).Reports[0].Entries[0]
		if e.Name.Reveal() != "똠방각하" || e.Memo.Reveal() != "똠방각하" {
			t.Errorf("%s: %q", label, revealed(e))
		}
	}
	whole, err := korean.EUCKR.NewEncoder().String(edit(t, "UTF-8", "EUC-KR", "홍길동", "홍길"))
	if err != nil {
		t.Fatal(err)
	}
	cut := strings.ReplaceAll(whole, "\xb1\xe6</Nm>", "\xb1</Nm>") // a bank cut inside the last character
	if e := read(t, cut).Reports[0].Entries[0]; cut == whole || e.Name.Reveal() != "홍\ufffd" {
		t.Errorf("%q", revealed(e))
	}
}

// What is told of a payment that is not a plain deposit.
func TestKindsOfBooking(t *testing.T) {
	ours := func(change func(*deposit.Entry)) []deposit.Entry {
		e := deposit.Entry{
			Bank: "004", Account: "12345604123456", ID: "KB20261122000000917", Amount: won(50003), BookedAt: booked, ValueDay: "20261122",
		}
		change(&e)
		return []deposit.Entry{e}
	}
	credit := func(change func(*deposit.Entry)) []deposit.Entry {
		e := hong()
		change(&e)
		return []deposit.Entry{e}
	}
	toDebit := []string{"<CdtDbtInd>CRDT", "<CdtDbtInd>DBIT", "TtlCdtNtries", "TtlDbtNtries"}
	mine := []string{"NOTPROVIDED", "DEP-ORDER-77-RF1"}
	for name, row := range map[string]struct {
		edits []string
		want  []deposit.Entry
	}{
		"pending":      {[]string{bookedStatus, "<Sts><Cd>PDNG</Cd></Sts>"}, nil},
		"information":  {[]string{bookedStatus, "<Sts><Cd>INFO</Cd></Sts>"}, nil},
		"future":       {[]string{bookedStatus, "<Sts>FUTR</Sts>"}, nil},
		"another word": {[]string{bookedStatus, "<Sts><Prtry>BOOKED</Prtry></Sts>"}, nil},
		"nothing":      {[]string{amountLine, `<Amt Ccy="KRW">0</Amt>`, "<Sum>50003</Sum>", "<Sum>0</Sum>"}, nil},
		"reversal": {
			append(toDebit, "<RvslInd>false", "<RvslInd>true"),
			ours(func(e *deposit.Entry) { e.Debit, e.Reversal = true, true }),
		},
		"our payment": {append(toDebit, mine...), ours(func(e *deposit.Entry) { e.Debit, e.EndToEnd = true, "DEP-ORDER-77-RF1" })},
		"our payment, by instruction": {
			append(toDebit, "<EndToEndId>NOTPROVIDED</EndToEndId>", "<InstrId>RF-0001</InstrId>"),
			ours(func(e *deposit.Entry) { e.Debit, e.EndToEnd = true, "RF-0001" }),
		},
		"nobody's debit": {toDebit, ours(func(e *deposit.Entry) { e.Debit = true })},
		"our payment came back": {
			append(mine, paidAt, paidAt+"<RtrInf><Rsn><Cd>AC04</Cd></Rsn></RtrInf>"),
			ours(func(e *deposit.Entry) { e.Returned, e.EndToEnd, e.Reason = true, "DEP-ORDER-77-RF1", "AC04" }),
		},
		"our payment came back, by its code": {
			append(mine, "<SubFmlyCd>DMCT", "<SubFmlyCd>RRTN"),
			ours(func(e *deposit.Entry) { e.Returned, e.EndToEnd = true, "DEP-ORDER-77-RF1" }),
		},
		"the debit of our payment was reversed": {
			append(mine, "<RvslInd>false", "<RvslInd>1"),
			ours(func(e *deposit.Entry) { e.Returned, e.EndToEnd = true, "DEP-ORDER-77-RF1" }),
		},
		"no virtual account": {
			[]string{"<Id>56200012345678</Id>", "<Id>12345604123456</Id>"},
			credit(func(e *deposit.Entry) { e.Virtual = "" }),
		},
		"name in the entry's note": {
			[]string{debtor, "", unstructured, "", "</NtryDtls>", "</NtryDtls><AddtlNtryInf>홍길동</AddtlNtryInf>"},
			credit(func(e *deposit.Entry) { e.Memo = card.Secret{} }),
		},
		"no name": {
			[]string{debtor, "", unstructured, ""},
			credit(func(e *deposit.Entry) { e.Memo, e.Name = card.Secret{}, card.Secret{} }),
		},
		"a long memo": {
			[]string{unstructured, "<RmtInf><Ustrd>A</Ustrd><Ustrd/><Ustrd>B C</Ustrd></RmtInf>"},
			credit(func(e *deposit.Entry) { e.Memo = card.Conceal("A B C") }),
		},
		"an unknown BIC": {
			[]string{debtorBank, "<DbtrAgt><FinInstnId><BICFI>CITIUS33</BICFI></FinInstnId></DbtrAgt>"},
			credit(func(e *deposit.Entry) { e.FromBank = "" }),
		},
		"a bare day, of the message": {
			[]string{paidAt, "", bookedAt, "<BookgDt><Dt>2026-11-22</Dt></BookgDt>"},
			credit(func(e *deposit.Entry) { e.BookedAt = booked.Add(2 * time.Second) }),
		},
		"a bare day before": {
			[]string{paidAt, "", bookedAt, "<BookgDt><Dt>2026-11-21</Dt></BookgDt>"},
			credit(func(e *deposit.Entry) { e.BookedAt = time.Date(2026, 11, 20, 15, 0, 0, 0, time.UTC) }),
		},
		"no day at all": {
			[]string{paidAt, "", bookedAt, "", "<ValDt><Dt>2026-11-22</Dt></ValDt>", ""},
			credit(func(e *deposit.Entry) { e.BookedAt, e.ValueDay = booked.Add(2*time.Second), "" }),
		},
		"no reference": {
			[]string{reference, ""},
			credit(func(e *deposit.Entry) { e.ID = "KB20261122-000017/1" }),
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := read(t, edit(t, row.edits...)).Reports[0].Entries; !same(got, row.want) {
				t.Errorf("\n got %+v\nwant %+v", got, row.want)
			}
		})
	}
}

func TestEntryWithoutDetails(t *testing.T) {
	text := file(t, "camt.054-08.xml")
	from, to := strings.Index(text, "<NtryDtls>"), strings.Index(text, "</NtryDtls>")
	text = text[:from] + "<AddtlNtryInf>홍길동</AddtlNtryInf>" + text[to+len("</NtryDtls>"):]
	want := deposit.Entry{
		Bank: "004", Account: "12345604123456", ID: "KB20261122000000917", Amount: won(50003), Name: card.Conceal("홍길동"), BookedAt: booked,
		ValueDay: "20261122",
	}
	if got := read(t, text).Reports[0].Entries; !same(got, []deposit.Entry{want}) {
		t.Errorf("%+v", got)
	}
}

// batch is the example with several details in its one entry: pairs of reference and amount.
func batch(t *testing.T, pairs ...string) string {
	t.Helper()
	text := file(t, "camt.054-08.xml")
	from, to := strings.Index(text, "<NtryDtls>"), strings.Index(text, "</NtryDtls>")
	details := "<NtryDtls><Btch><NbOfTxs>3</NbOfTxs></Btch>"
	for i := 0; i < len(pairs); i += 2 {
		details += "<TxDtls><Refs>" + pairs[i] + "</Refs>" + pairs[i+1] + "</TxDtls>"
		if i == 0 {
			details += "</NtryDtls><NtryDtls>"
		}
	}
	return text[:from] + details + text[to:]
}

func krw(n string) string  { return `<Amt Ccy="KRW">` + n + `</Amt>` }
func ref(id string) string { return "<AcctSvcrRef>" + id + "</AcctSvcrRef>" }

// A batch is as many bookings as it has details, each with a name of its own (rails §3.2, §3.3).
func TestBatch(t *testing.T) {
	entry := "KB20261122000000917"
	for name, row := range map[string]struct {
		text string
		ids  []string
	}{
		"own references": {batch(t, ref("A"), krw("50000"), ref("B"), krw("2"), ref("C"), krw("1")), []string{"A", "B", "C"}},
		"the entry's":    {batch(t, "", krw("50000"), "", krw("2"), "", krw("1")), []string{entry + "/1", entry + "/2", entry + "/3"}},
		"the entry's, said": {
			batch(t, ref(entry), krw("50000"), ref(entry), krw("2"), ref("C"), krw("1")), []string{entry + "/1", entry + "/2", "C"},
		},
		"of another version": {
			batch(t, ref("A"), "<AmtDtls><TxAmt>"+krw("50000")+"</TxAmt></AmtDtls>", ref("B"), krw("2"), ref("C"), krw("1.00")),
			[]string{"A", "B", "C"},
		},
	} {
		var ids []string
		var amounts []int64
		for _, e := range read(t, row.text).Reports[0].Entries {
			ids, amounts = append(ids, e.ID), append(amounts, e.Amount.Minor())
		}
		if !slices.Equal(ids, row.ids) || !slices.Equal(amounts, []int64{50000, 2, 1}) {
			t.Errorf("%s: %v %v", name, ids, amounts)
		}
	}
}

// A mistake refuses the whole document, and the error says where it is (rails §3.3).
func TestRefusedDocuments(t *testing.T) {
	for name, row := range map[string]struct{ text, where string }{
		"count":                {edit(t, "<NbOfNtries>1", "<NbOfNtries>2"), "Ntfctn 1: TxsSummry/TtlCdtNtries: NbOfNtries"},
		"sum":                  {edit(t, "<Sum>50003", "<Sum>50004"), "TtlCdtNtries: Sum"},
		"sum that is none":     {edit(t, "<Sum>50003", "<Sum>many"), "TtlCdtNtries: Sum"},
		"total":                {edit(t, "TtlCdtNtries", "TtlNtries", "<Sum>50003", "<Sum>1"), "TtlNtries: Sum"},
		"debits":               {edit(t, "TtlCdtNtries", "TtlDbtNtries"), "TtlDbtNtries: NbOfNtries"},
		"batch sum":            {batch(t, ref("A"), krw("50000"), ref("B"), krw("2")), "Ntry 1: TxDtls"},
		"batch without amount": {batch(t, ref("A"), krw("50003"), ref("B"), ""), "Ntry 1: TxDtls 2: Amt"},
		"other sum":            {edit(t, detailAmount, krw("50004")+"<CdtDbtInd>"), "Ntry 1: TxDtls"},
		"fraction":             {edit(t, amountLine, krw("50003.5")), "Ntry 1: Amt"},
		"negative":             {edit(t, amountLine, krw("-50003")), "Ntry 1: Amt"},
		"exponent":             {edit(t, amountLine, krw("5e4")), "Ntry 1: Amt"},
		"beyond":               {edit(t, amountLine, krw("999999999999999999")), "Ntry 1: Amt"},
		"no currency":          {edit(t, `Ccy="KRW"`, ""), "Ntry 1: Amt"},
		"another currency":     {edit(t, entryAmount, `<Amt Ccy="USD">500</Amt><CdtDbtInd>`), "Ntry 1: Amt"},
		"unknown currency":     {edit(t, `"KRW"`, `"XKR"`, "<Ccy>KRW", "<Ccy>XKR"), "Ntry 1: Amt"},
		"two amounts":          {edit(t, "<NtryRef>1</NtryRef>", "<NtryRef>1</NtryRef>"+amountLine), "Ntry 1: Amt"},
		"no direction":         {edit(t, "<CdtDbtInd>CRDT</CdtDbtInd>", ""), "Ntry 1: CdtDbtInd"},
		"two directions":       {edit(t, "CRDT</CdtDbtInd>\n            <RltdPties>", "DBIT</CdtDbtInd><RltdPties>"), "TxDtls 1: CdtDbtInd"},
		"reversal":             {edit(t, "<RvslInd>false", "<RvslInd>no"), "Ntry 1: RvslInd"},
		"no status":            {edit(t, bookedStatus, ""), "Ntry 1: Sts"},
		"time":                 {edit(t, "<TxDtTm>2026", "<TxDtTm>26"), "TxDtls 1: RltdDts"},
		"booking":              {edit(t, paidAt, "", "<BookgDt><DtTm>2026-11-22", "<BookgDt><DtTm>2026-13-22"), "TxDtls 1: BookgDt"},
		"value":                {edit(t, "<ValDt><Dt>2026", "<ValDt><Dt>26"), "TxDtls 1: ValDt"},
		"no name":              {edit(t, reference, "", "<NtryRef>1</NtryRef>", ""), "TxDtls 1: AcctSvcrRef"},
		"a long name":          {edit(t, reference, ref(strings.Repeat("A", 200))), "TxDtls 1: AcctSvcrRef"},
		"no account":           {edit(t, "<Id>12345604123456</Id>", ""), "Ntfctn 1: Acct/Id"},
		"sequence":             {edit(t, "<ElctrncSeqNb>17", "<ElctrncSeqNb>x"), "ElctrncSeqNb"},
		"message":              {edit(t, "<MsgId>KB20261122-000017</MsgId>", "<MsgId> </MsgId>"), "GrpHdr/MsgId"},
		"long message":         {edit(t, "<MsgId>", "<MsgId>KB20261122-000017KB20261122-000017"), "GrpHdr/MsgId"},
		"creation":             {edit(t, "<CreDtTm>2026", "<CreDtTm>x"), "GrpHdr/CreDtTm"},
		"page":                 {edit(t, "</CreDtTm>\n    </GrpHdr>", "</CreDtTm><MsgPgntn><PgNb>x</PgNb></MsgPgntn></GrpHdr>"), "PgNb"},
		"no notification":      {edit(t, "<Ntfctn>", "<Other>", "</Ntfctn>", "</Other>"), "Ntfctn"},
		"another root":         {edit(t, "Document", "Paper"), "none of"},
		"another message":      {edit(t, "BkToCstmrDbtCdtNtfctn", "BkToCstmrAcctRpt"), "none of"},
		"too deep":             {edit(t, bookedStatus, bookedStatus+strings.Repeat("<a>", 40)+strings.Repeat("</a>", 40)), "deep"},
		"types":                {edit(t, "<Document", `<!DOCTYPE d [<!ENTITY a "b">]><Document`), "type declaration"},
		"too large":            {edit(t, bookedStatus, bookedStatus+"<!--"+strings.Repeat(" ", 16<<20)+"-->"), "larger"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := bankfeed.Read(feed, []byte(row.text))
			if err == nil || !strings.Contains(err.Error(), row.where) || errors.Is(err, bankfeed.ErrUnfinished) {
				t.Fatalf("%v", err)
			}
			for _, content := range []string{"50003", "홍길동", "3333011234567", "KB2026"} {
				if strings.Contains(err.Error(), content) {
					t.Errorf("the error quotes the document: %v", err)
				}
			}
		})
	}
}

// Whatever part of a document has been written, it is not finished.
func TestHalfWritten(t *testing.T) {
	text := strings.TrimSpace(file(t, "camt.054-08.xml"))
	for n := range len(text) {
		if _, err := bankfeed.Read(feed, []byte(text[:n])); !errors.Is(err, bankfeed.ErrUnfinished) {
			t.Fatalf("%d of %d bytes: %v", n, len(text), err)
		}
	}
	for name, text := range map[string]string{
		"two documents": text + text, "text behind": text + "x", "entity": edit(t, "<NtryRef>1", "<NtryRef>&x;"),
		"wrong nesting": edit(t, "</NtryRef>", "</NtryDtls>"), "no UTF-8": edit(t, "홍길동", "\xc8\xab\xb1\xe6\xb5\xbf"),
		"nobody's set": edit(t, "UTF-8", "KLINGON"), "a close too many": text + "</Document>",
	} {
		if _, err := bankfeed.Read(feed, []byte(text)); !errors.Is(err, bankfeed.ErrUnfinished) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := bankfeed.Read(feed, []byte(text+"\n<!-- the end -->\n")); err != nil {
		t.Errorf("a comment behind: %v", err)
	}
}

// Whose account it is must be said by somebody.
func TestNobodysBank(t *testing.T) {
	nobody := bankfeed.Feed{ID: "kb-main", BICs: map[string]string{"CZNBKRSE": "004"}}
	if _, err := bankfeed.Read(nobody, []byte(edit(t, servicer, ""))); err == nil || !strings.Contains(err.Error(), "Ntfctn 1: Acct/Svcr") {
		t.Errorf("%v", err)
	}
	named := edit(t, servicer, "<Svcr><FinInstnId><BICFI>CZNBKRSEXXX</BICFI></FinInstnId></Svcr>")
	if d, err := bankfeed.Read(nobody, []byte(named)); err != nil || d.Bookings.Reports[0].Bank != "004" {
		t.Errorf("%+v, %v", d, err)
	}
}

func TestCopies(t *testing.T) {
	for mark, want := range map[string]bool{"DUPL": true, "CODU": true, "COPY": false} {
		if got := read(t, edit(t, "<Acct>", "<CpyDplctInd>"+mark+"</CpyDplctInd><Acct>")); got.Copy != want || len(got.Reports[0].Entries) != 1 {
			t.Errorf("%s: %+v", mark, got)
		}
	}
	page := edit(t, "</CreDtTm>\n    </GrpHdr>", "</CreDtTm><MsgPgntn><PgNb>2</PgNb><LastPgInd>true</LastPgInd></MsgPgntn></GrpHdr>")
	if got := read(t, page); got.ID != "KB20261122-000017/2" {
		t.Errorf("the second page is %s", got.ID)
	}
}

// A statement is read like a notification, and has a day and balances beside (rails §3.3).
func TestStatement(t *testing.T) {
	bal := func(kind, amount, sign string) string {
		return "<Bal><Tp><CdOrPrtry><Cd>" + kind + "</Cd></CdOrPrtry></Tp>" + krw(amount) + "<CdtDbtInd>" + sign + "</CdtDbtInd>" +
			"<Dt><Dt>2026-11-22</Dt></Dt></Bal>"
	}
	period := "<FrToDt><FrDtTm>2026-11-22T00:00:00+09:00</FrDtTm><ToDtTm>2026-11-22T23:59:59+09:00</ToDtTm></FrToDt>"
	statement := func(beside string, more ...string) string {
		return edit(t, append([]string{
			namespace, "camt.053.001.08", "BkToCstmrDbtCdtNtfctn", "BkToCstmrStmt", "Ntfctn>", "Stmt>",
			"<TxsSummry>", beside + "<TxsSummry>",
		}, more...)...)
	}
	want := deposit.Report{Bank: "004", Account: "12345604123456", Day: "20261122", Entries: []deposit.Entry{hong()}}
	balanced := want
	balanced.Balances = &deposit.Balances{Opening: won(-10), Closing: won(49993)}
	for name, row := range map[string]struct {
		text string
		want deposit.Report
	}{
		"balances":       {statement(bal("OPBD", "10", "DBIT") + bal("CLBD", "49993.00", "CRDT")), balanced},
		"closed before":  {statement(bal("CLBD", "49993", "CRDT") + bal("PRCD", "10", "DBIT") + bal("CLAV", "1", "CRDT")), balanced},
		"a period":       {statement(period), want},
		"one balance":    {statement(bal("CLBD", "49993", "CRDT")), want},
		"other balances": {statement(period + bal("ITBD", "1", "CRDT")), want},
	} {
		got := read(t, row.text)
		if got.Kind != deposit.Statement || !reflect.DeepEqual(got.Reports, []deposit.Report{row.want}) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	for name, row := range map[string]struct{ text, where string }{
		"no day":       {statement(""), "no day"},
		"no sign":      {statement(bal("CLBD", "1", "")), "Bal CLBD: CdtDbtInd"},
		"no amount":    {statement(bal("OPBD", "x", "CRDT") + period), "Bal OPBD: Amt"},
		"no reference": {statement(period, reference, ""), "AcctSvcrRef"},
	} {
		if _, err := bankfeed.Read(feed, []byte(row.text)); err == nil || !strings.Contains(err.Error(), row.where) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
