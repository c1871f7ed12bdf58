package bank_test

import (
	"slices"
	"strings"
	"testing"

	"naru/core/bank"
)

// The codes of rails §3.8, as the sheet lists them.
const codes = "001 002 003 004 005 007 008 011 012 020 021 023 026 027 031 032 034 035 037 039 041 045 048 050 051 052 054 055 056 057 " +
	"058 059 060 061 062 063 064 065 066 067 071 076 077 081 088 089 090 092 093 094 095 099 101 103 105 " +
	"209 218 221 222 223 224 225 227 238 240 243 247 261 262 263 264 265 266 267 269 270 271 272 273 274 275 278 279 280 287 288 290 291 " +
	"292 293 294 295 296 299"

func TestEveryCode(t *testing.T) {
	var got []string
	for _, b := range bank.List() {
		got = append(got, b.Code)
		if found, ok := bank.Lookup(b.Code); !ok || found != b {
			t.Errorf("%s is not found: %+v", b.Code, found)
		}
		if b.Pays != (b.Name != "") {
			t.Errorf("%s: pays %t, name %q", b.Code, b.Pays, b.Name)
		}
	}
	if want := strings.Fields(codes); !slices.Equal(got, want) {
		t.Errorf("\n got %v\nwant %v", got, want)
	}
}

// The nine names that could be read in the merchant API, and no others, are not ours (merchant-gateway §12).
func TestDocumentedNames(t *testing.T) {
	want := map[string]string{
		"KBSTAR_KR": "004", "NHBANK_KR": "011", "KYUNGNAM_KR": "039", "KWANGJU_KR": "034", "DAEGU_KR": "031", "BUSANBANK_KR": "032",
		"SUHYUP_KR": "007", "SHINHANCHINA_KR": "088", "HVBKKRSE_KR": "020",
	}
	for name, code := range want {
		if b, ok := bank.ByName(name); !ok || b.Code != code || b.Ours || !b.Pays {
			t.Errorf("%s: %+v", name, b)
		}
	}
	for _, b := range bank.List() {
		if b.Name != "" && !b.Ours && want[b.Name] != b.Code {
			t.Errorf("%s passes for a name of the API", b.Name)
		}
	}
	for _, code := range strings.Fields("002 003 023 027 035 037 045 048 050 071 081 089 090 092 238 264") {
		if b, _ := bank.Lookup(code); !b.Ours || !b.Pays {
			t.Errorf("%s has no name of ours: %+v", code, b)
		}
	}
	if b, ok := bank.ByName(""); ok {
		t.Errorf("nothing is the name of %s", b.Code)
	}
}

func TestOneBank(t *testing.T) {
	want := bank.Bank{
		Code: "090", Legacy: "90", Name: "KAKAOBANK_KR", English: "KakaoBank", Korean: "카카오뱅크", Chinese: "KakaoBank", Ours: true, Pays: true,
	}
	if got, _ := bank.Lookup("090"); got != want {
		t.Errorf("%+v", got)
	}
	if b, _ := bank.Lookup("238"); b.Legacy != "" {
		t.Errorf("a securities firm has the legacy code %s", b.Legacy)
	}
}

// Who was merged, or keeps nobody's account, is known and cannot be paid.
func TestWhoCannotBePaid(t *testing.T) {
	const list = "001 005 008 021 026 041 051 056 076 077 093 094 095 099 101 272 293 295 296 299 300 359 361 381 431 460"
	for _, code := range strings.Fields(list) {
		if b, ok := bank.Lookup(code); !ok || b.Pays || b.Code != code {
			t.Errorf("%s: %+v, %t", code, b, ok)
		}
	}
	for _, code := range []string{"", "4", "04", "0004", "006", "360", "382", "461", "30x", "999", "300-359"} {
		if b, ok := bank.Lookup(code); ok {
			t.Errorf("%q is known: %+v", code, b)
		}
	}
}

const head = "code,pays,ours,name,english,korean,chinese\n"

func TestOverride(t *testing.T) {
	const rows = "# changed\n090,,,,Gone,없음,無\n106,x,x,NEW_KR,New,새은행,新銀行\n300-359,,,,Lender,대부,貸款\n"
	table, err := bank.Shipped.With(strings.NewReader(head + rows))
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := table.Lookup("090"); b.Pays || b.English != "Gone" {
		t.Errorf("%+v", b)
	}
	if b, ok := table.ByName("NEW_KR"); !ok || b.Code != "106" {
		t.Errorf("%+v", b)
	}
	if b, _ := table.Lookup("310"); b.English != "Lender" {
		t.Errorf("%+v", b)
	}
	if _, ok := table.ByName("KAKAOBANK_KR"); ok || len(table.List()) != len(bank.List())+1 {
		t.Error("the old row is still there")
	}
	if b, _ := bank.Lookup("090"); !b.Pays {
		t.Error("the shipped table has changed")
	}
}

func TestBrokenOverride(t *testing.T) {
	for name, text := range map[string]string{
		"nothing":       "",
		"other columns": "code,name\n",
		"too few":       head + "106,x\n",
		"code":          head + "16,x,x,A_KR,A,B,C\n",
		"no name":       head + "106,x,,,A,B,C\n",
		"cannot pay":    head + "106,,x,A_KR,A,B,C\n",
		"mark":          head + "106,yes,x,A_KR,A,B,C\n",
		"name":          head + "106,x,x,a kr,A,B,C\n",
		"no Korean":     head + "106,x,x,A_KR,A,,C\n",
		"twice":         head + "106,x,x,KBSTAR_KR,A,B,C\n",
		"range":         head + "400-300,,,,A,B,C\n",
		"range pays":    head + "400-410,x,x,A_KR,A,B,C\n",
	} {
		if _, err := bank.Shipped.With(strings.NewReader(text)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
