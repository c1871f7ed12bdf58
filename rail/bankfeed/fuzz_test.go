package bankfeed_test

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"naru/core/card"
	"naru/core/deposit"
	"naru/rail/bankfeed"
)

func escaped(text string) string {
	var b bytes.Buffer
	if err := xml.EscapeText(&b, []byte(text)); err != nil {
		panic(err)
	}
	return b.String()
}

// kept is what we keep of a text: what XML has no sign for is replaced, blanks are single, and it has an end.
func kept(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		if r < 0x20 && !strings.ContainsRune("\t\r\n", r) || r == 0xfffe || r == 0xffff {
			return utf8.RuneError
		}
		return r
	}, text)
	list := []rune(strings.Join(strings.Fields(text), " "))
	return string(list[:min(len(list), most)])
}

// written is a notification of some credits, in this version or that.
func written(old bool, list []deposit.Entry) string {
	var b strings.Builder
	sum := int64(0)
	for _, e := range list {
		status, name := "<Cd>BOOK</Cd>", "<Pty><Nm>"+escaped(e.Name.Reveal())+"</Nm></Pty>"
		if old {
			status, name = "BOOK", "<Nm>"+escaped(e.Name.Reveal())+"</Nm>"
		}
		sum += e.Amount.Minor()
		fmt.Fprintf(&b, `<Ntry><Amt Ccy="KRW">%d.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>%s</Sts><AcctSvcrRef>%s</AcctSvcrRef><NtryDtls><TxDtls>`+
			`<RltdPties><Dbtr>%s</Dbtr></RltdPties><RmtInf><Ustrd>%s</Ustrd></RmtInf><RltdDts><TxDtTm>%s</TxDtTm></RltdDts></TxDtls></NtryDtls>`+
			`</Ntry>`, e.Amount.Minor(), status, e.ID, name, escaped(e.Memo.Reveal()), e.BookedAt.Format(time.RFC3339Nano))
	}
	return fmt.Sprintf(`<Document><BkToCstmrDbtCdtNtfctn><GrpHdr><MsgId>M1</MsgId><CreDtTm>2026-11-22T12:15:05</CreDtTm></GrpHdr>`+
		`<Ntfctn><Acct><Id><Othr><Id>1</Id></Othr></Id></Acct>`+
		`<TxsSummry><TtlCdtNtries><NbOfNtries>%d</NbOfNtries><Sum>%d</Sum></TtlCdtNtries></TxsSummry>%s</Ntfctn>`+
		`</BkToCstmrDbtCdtNtfctn></Document>`, len(list), sum, b.String())
}

// Whatever is written is read back.
func FuzzRoundTrip(f *testing.F) {
	f.Add(true, "홍길동", "AB23CD", int64(50003), int64(0))
	f.Add(false, "(주) 나루 <&>\"'", "a\r\n\tb\x00", int64(1), int64(-1))
	f.Add(false, "\ufffe\u00a0x", strings.Repeat("가", 200), int64(999_999_999_999), int64(1<<33))
	f.Fuzz(func(t *testing.T, old bool, name, memo string, amount, seconds int64) {
		if !utf8.ValidString(name) || !utf8.ValidString(memo) || kept(name, 1) == "" {
			return
		}
		amount = amount&(1<<40-1) + 1
		made := time.Unix(seconds&(1<<34-1), 0).UTC()
		in := func(name, memo string) []deposit.Entry {
			e := deposit.Entry{
				Bank: "004", Account: "1", ID: "A", Amount: won(amount), Name: card.Conceal(name), Memo: card.Conceal(memo), BookedAt: made,
			}
			other := e
			other.ID, other.Amount, other.Name, other.Memo = "B", won(7), e.Memo, e.Name
			if other.Name.IsZero() {
				other.Name = other.Memo // the memo is the name, then
			}
			return []deposit.Entry{e, other}
		}
		want := in(kept(name, 140), kept(memo, 140))
		if got := read(t, written(old, in(name, memo))).Reports[0].Entries; !same(got, want) {
			t.Errorf("%q %q: %q %q", name, memo, revealed(got[0]), revealed(got[1]))
		}
	})
}

// Whatever comes, what is read can be booked, and what is refused is not quoted.
func FuzzRead(f *testing.F) {
	for _, name := range []string{"camt.054-08.xml", "pain.002-11.xml"} {
		f.Add([]byte(file(f, name)))
	}
	statement := strings.NewReplacer("BkToCstmrDbtCdtNtfctn", "BkToCstmrStmt", "Ntfctn>", "Stmt>").Replace(file(f, "camt.054-08.xml"))
	f.Add([]byte(strings.Replace(statement, "<Acct>", "<FrToDt><FrDtTm>2026-11-22T00:00:00</FrDtTm></FrToDt><Acct>", 1)))
	f.Fuzz(func(t *testing.T, body []byte) {
		d, err := bankfeed.Read(feed, body)
		if err != nil {
			if strings.Contains(err.Error(), "50003") || strings.Contains(err.Error(), "홍") {
				t.Errorf("%v", err)
			}
			return
		}
		if d.ID == "" || d.Bookings == nil && len(d.News) == 0 {
			t.Errorf("%+v", d)
		}
		if d.Bookings == nil {
			return
		}
		for _, r := range d.Bookings.Reports {
			for _, e := range r.Entries {
				if !e.Amount.IsPositive() || e.ID == "" || e.Bank != r.Bank || e.Account != r.Account || e.BookedAt.IsZero() || e.Debit && e.Returned {
					t.Errorf("%+v", e)
				}
			}
		}
	})
}
