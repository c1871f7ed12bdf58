package desk

import (
	"crypto/md5"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"

	"naru/core/card"
)

// The vectors of merchant-gateway §4.6.
const (
	bodyB1 = `{"platform_id":"PF0001","service_id":"SVC0001","payment_cl_id":"test_1707220575_1","amount":"4754378","name":"王小头",` +
		`"notify_url":"http://localhost:52595/gateway/test-notification","request_time":"1707220575"}`
	signB1 = "559444c72051d4feab4d840cc39c5b84"

	bodyV1 = `{"platform_id":"PF0901","service_id":"SVC0026","payment_cl_id":"KRW-20260101-0001","user_id":"member77","name":"김하늘",` +
		`"last_number":"110222333444","bank_name":"KBSTAR_KR","amount":"3000000","notify_url":"http://127.0.0.1:9701/cb/deposit",` +
		`"request_time":"1767225600"}`
	signV1 = "1cf800ad8fb6e71a59542fedff370317"

	bodyV3 = `{"payment_id":"PM00000451","payment_cl_id":"KRW-20260101-0001","platform_id":"PF0901","amount":3000000,"real_amount":2990000,` +
		`"fee":23920,"status":2,"create_time":1767225601,"update_time":1767225733}`
	textV3 = "amount=3000000&create_time=1767225601&fee=23920&payment_cl_id=KRW-20260101-0001&payment_id=PM00000451&platform_id=PF0901" +
		"&real_amount=2990000&status=2&update_time=1767225733"
	signV3  = "4a3c507fae6058f7193dea79d39b5cde"
	signV3h = "2633be555af0ed9e98db3c6bc235e64d32da52234d7cfa04f853b5350962b30d"
)

// with puts a member into a body.
func with(body, member string) string { return strings.TrimSuffix(body, "}") + "," + member + "}" }

func md5Of(text string) string {
	sum := md5.Sum([]byte(text + "&" + ownKey.Reveal()))
	return hex.EncodeToString(sum[:])
}

func hmacOf(text string) string { return signing{}.Digest(hmac, text, ownKey) }

func TestSignaturesThatAreRight(t *testing.T) {
	for _, c := range []struct{ name, merchant, body, sign, says string }{
		{"B1", "PF0001", bodyB1, signB1, "The signature is right: MD5 with the newest key."},
		{"V1", "PF0901", bodyV1, signV1, "The signature is right: MD5 with the newest key."},
		{"V3", "PF0901", bodyV3, signV3, "The signature is right: MD5 with the newest key."},
		{"V3 in the body", "PF0901", with(bodyV3, `"sign":"`+signV3+`"`), "", "The signature is right: MD5 with the newest key."},
		{"V3h", "PF0901", with(bodyV3, `"sign_type":"HMAC-SHA256"`), signV3h, "The signature is right: HMAC-SHA256 with the newest key."},
		{"V3h unnamed", "PF0901", bodyV3, signV3h, "The signature is right for HMAC-SHA256, and sign_type says MD5."},
		{"V3 misnamed", "PF0901", with(bodyV3, `"sign_type":"HMAC-SHA256"`), signV3, "right for MD5, and sign_type says HMAC-SHA256."},
		{"lines", "PF0901", strings.ReplaceAll(textV3, "&", "\r\n"), signV3, "The signature is right: MD5 with the newest key."},
		{"one line", "PF0901", textV3, signV3, "The signature is right: MD5 with the newest key."},
		{"empties", "PF0901", with(bodyV3, `"memo":"","user":null`), signV3, "memo empty user empty"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := front(t)
			key := map[string]card.Secret{"PF0901": ownKey, "PF0001": otherKey}[c.merchant]
			p.signIn(c.merchant, key.Reveal(), "")
			w := p.post(root+"signature", "body", c.body, "sign", c.sign)
			p.says(w, http.StatusOK, c.says)
			if strings.Contains(w.Body.String(), key.Reveal()) {
				t.Error("the key is on the page")
			}
		})
	}
}

func TestTheStringAndItsSignatures(t *testing.T) {
	p := enter(t)
	w := p.post(root+"signature", "body", with(bodyV3, `"sign":"x","receiver":{"card_name":"y"}`))
	p.says(w, http.StatusOK, textV3, "MD5 newest key "+signV3, "HMAC-SHA256 newest key "+signV3h,
		"receiver an object is never signed", "sign the signature does not sign itself")
}

// What differs is said, not only that something does.
func TestSignaturesThatAreWrong(t *testing.T) {
	unsorted := "payment_id=PM00000451&payment_cl_id=KRW-20260101-0001&platform_id=PF0901&amount=3000000&real_amount=2990000" +
		"&fee=23920&status=2&create_time=1767225601&update_time=1767225733"
	textV1 := "amount=3000000&bank_name=KBSTAR_KR&last_number=110222333444&name=김하늘&notify_url=http://127.0.0.1:9701/cb/deposit" +
		"&payment_cl_id=KRW-20260101-0001&platform_id=PF0901&request_time=1767225600&service_id=SVC0026&user_id=member77"
	encoded := strings.NewReplacer("김하늘", "%EA%B9%80%ED%95%98%EB%8A%98", "http://", "http%3A%2F%2F", ":9701/cb/", "%3A9701%2Fcb%2F")
	md5With := func(before, extra string) string { return md5Of(strings.Replace(textV3, before, extra+before, 1)) }
	for _, c := range []struct{ name, body, sign, says string }{
		{"order", bodyV3, md5Of(unsorted), "in the order written. Sort them by name first. (MD5, newest key)"},
		{"order, HMAC", bodyV3, hmacOf(unsorted), "Sort them by name first. (HMAC-SHA256, newest key)"},
		{"empty kept", with(bodyV3, `"memo":""`), md5With("&payment_cl", "&memo="), "with empty parameters kept"},
		{"null written", with(bodyV3, `"memo":null`), md5With("&payment_cl", "&memo=null"), "with null written out"},
		{"URL-encoded", bodyV1, md5Of(encoded.Replace(textV1)), "of URL-encoded values"},
		{"slashes", bodyV1, md5Of(strings.ReplaceAll(textV1, "/", `\/`)), `in which / was written \/`},
		{"zeros", with(bodyV3, `"lag":0`), md5Of(textV3), "without the zeros"},
		{"type", with(bodyV3, `"sign_type":"MD5"`), md5With("&status", "&sign_type=MD5"), "with sign_type in it"},
		{"key=", bodyV3, signing{}.Digest(md5Sum, textV3, card.Conceal("key="+ownKey.Reveal())), "with key= before the key"},
		{"HMAC with the key behind", bodyV3, hmacOf(textV3 + "&" + ownKey.Reveal()), "the HMAC of the string with the key behind it"},
		{"capitals", bodyV3, strings.ToUpper(signV3), "in capitals"},
		{"another key", bodyV3, signing{}.Digest(md5Sum, textV3, otherKey), "none of the usual mistakes"},
		{"cut", bodyV3, signV3[:31], "It has 31 characters"},
		{"base64", bodyV3, "SjxQf65gWPcZPevT==", "It is not hex"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := enter(t)
			p.says(p.post(root+"signature", "body", c.body, "sign", c.sign), http.StatusOK, c.says)
		})
	}
}

func TestWhereStringsPart(t *testing.T) {
	for _, c := range []struct{ name, given, says, page string }{
		{"same", textV3, "Your string is the one that is signed.", ""},
		{"same with the key", textV3 + "&" + ownKey.Reveal(), "Your string is the one that is signed.", ""},
		{"a digit", strings.Replace(textV3, "fee=23920", "fee=23900", 1), "They part at character 46, in fee.", "<mark>2</mark>0&amp;payment"},
		{"too short", strings.TrimSuffix(textV3, "3"), "in update_time.", "<mark>(end)</mark>"},
		{"beyond", textV3 + "&sign=x", "in update_time.", "<mark>&amp;</mark>sign=x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := enter(t)
			w := p.post(root+"signature", "body", bodyV3, "string", c.given)
			p.says(w, http.StatusOK, c.says)
			if !strings.Contains(w.Body.String(), c.page) {
				t.Errorf("the difference is not marked: %s", w.Body)
			}
			if strings.Contains(w.Body.String(), ownKey.Reveal()) {
				t.Error("the key is on the page")
			}
		})
	}
}

func TestNoMessage(t *testing.T) {
	for body, says := range map[string]string{
		"":                          "Paste a message first.",
		"hello":                     "neither a JSON object nor lines",
		`{"a":1`:                    "not one JSON object",
		`{"a":1,"a":2}`:             "a name stands in it twice",
		`{"a":1} x`:                 "not one JSON object",
		"a=1\na=2":                  "The name a stands there twice.",
		ownKey.Reveal() + " secret": "neither",
	} {
		p := enter(t)
		w := p.post(root+"signature", "body", body)
		p.says(w, http.StatusUnprocessableEntity, says)
		if strings.Contains(w.Body.String(), ownKey.Reveal()) {
			t.Errorf("%q: the key is on the page", body)
		}
	}
}

// After a change of keys a signature with the older one is still right, and it is said which it is.
func TestAnOlderKey(t *testing.T) {
	p := enter(t)
	p.post(root+"keys/new", "purpose", "sign")
	w := p.post(root+"signature", "body", bodyV3, "sign", signV3)
	p.says(w, http.StatusOK, "The signature is right: MD5 with the older key.", "MD5 older key "+signV3)
}
