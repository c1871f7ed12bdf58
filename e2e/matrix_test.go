package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
)

// row is one line of an error matrix: what is sent, and what must come back. Only what is answered with 200 may change the database.
type row struct {
	name   string
	send   func(*world) answer
	status int
	word   string // result or error code; "" with a refusal whose status says all
}

// signed seals a text as Google does and posts it.
func signed(path, plain string) func(*world) answer {
	return by([]string{"google"}, []string{"ours"}, path, func(string) string { return plain })
}

// by seals an echo with the keys named, or what change makes of it.
func by(from, to []string, path string, change ...func(string) string) func(*world) answer {
	return func(w *world) answer {
		plain := w.sealable("echo", nil)
		for _, c := range change {
			plain = c(plain)
		}
		return w.post(path, must(box(from, to).Seal([]byte(plain))))
	}
}

// edited is a method's example with changes, signed by Google.
func edited(method string, e edits) func(*world) answer {
	return func(w *world) answer {
		return w.post(w.api.path(method), must(w.box.Seal([]byte(w.sealable(method, e)))))
	}
}

// sealable is a request as text, with a header of this moment.
func (w *world) sealable(method string, e edits) string {
	w.t.Helper()
	header := map[string]any{
		"requestId": fmt.Sprint("matrix-", w.serial.Add(1)), "requestTimestamp": after(0),
		"protocolVersion": map[string]any{"major": 1, "minor": 0, "revision": 0},
	}
	return string(must(json.Marshal(w.request(method, edits{"requestHeader": header}, e))))
}

func after(d time.Duration) string { return strconv.FormatInt(time.Now().Add(d).UnixMilli(), 10) }

// TestErrorMatrix sends real bytes to the real listener and looks that nothing came of what was refused. Here stands one row at least of
// each step of gsp-core §5.4 and each probe of §7.2-7.4 and of the matrices of both card APIs (Korea Cards v1 §10, Card FOP v1 §9) that
// needs the whole integrator: keys in their states, accounts, stored answers, reservations. Every spelling of a broken message stands in
// protocol/gsp, with the same listener, envelope and keys.
func TestErrorMatrix(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	for _, a := range apis {
		t.Run(a.name, func(t *testing.T) { errorMatrix(w.in(t).as(a)) })
	}
}

// errorMatrix is the matrix of one API: what both have, and what Korea Cards has alone.
func errorMatrix(w *world) {
	w.want(reserve, "held", edits{"amount": sum(20001)}, 200, "SUCCESS")
	w.want(reserve, "captured", edits{"amount": sum(20002)}, 200, "SUCCESS")
	w.want(capture, "capture", edits{of: "captured", "amount": sum(20002)}, 200, "ACKNOWLEDGED")
	w.verdict("capture", "SUCCESS")
	w.want(reserve, "declined", edits{"amount": sum(20003), pan: "9999990000000519"}, 200, "INSUFFICIENT_FUNDS")
	w.want(reserve, "others", edits{"amount": sum(20004), account: w.api.second}, 200, "SUCCESS")
	w.drain()

	ours, googles := []string{"ours"}, []string{"google"}
	raw := func(path string, wire string) func(*world) answer {
		return func(w *world) answer { return w.post(path, []byte(wire)) }
	}
	plain := w.sealable("echo", nil)
	inside := plain[1 : len(plain)-1]
	many := strings.Repeat("x", 100)
	rows := []row{
		{"§5.4 1: another verb", verb("GET", "/v1/echo"), 405, ""},
		{"§5.4 1: another verb at a method", verb("PUT", w.api.path(reserve)), 405, ""},
		{"§5.4 1: unknown route", signed("/v1/nothing", "{}"), 404, ""},
		{"Korea §1.2: methods are case-sensitive", signed(w.api.prefix+"ReserveFunds", "{}"), 404, ""},
		{"§5.4 2: oversized", raw(w.api.path(reserve), strings.Repeat("A", 1<<20+1)), 413, ""},
		{"§5.4 2: oversized, in chunks", chunked, 413, ""},

		{"§5.4 3: not base64url", raw(w.api.path(reserve), "+/+/"), 400, encryption},
		{"§5.4 3: in the open", raw(w.api.path(reserve), plain), 400, encryption},
		{"§5.4 4, C1: no OpenPGP", raw("/v1/echo", "AAAA"), 400, encryption},
		{"§5.4 4, X16: encrypted to a stranger", by(googles, []string{"stranger"}, "/v1/echo"), 400, encryption},
		{"§5.4 4, Korea §10: encrypted to a revoked key of ours", by(googles, []string{"ours-revoked"}, "/v1/echo"), 400, encryption},
		{"§5.4 4: spoiled", func(w *world) answer {
			wire := must(w.box.Seal([]byte(plain)))
			copy(wire[len(wire)-40:], "AAAAAAAA")
			return w.post("/v1/echo", wire)
		}, 400, encryption},
		{"X13: encrypted to a pending key of ours", by(googles, []string{"ours-pending"}, "/v1/echo"), 200, ""},
		{"X13: encrypted to a retiring key of ours", by(googles, []string{"ours-retiring"}, "/v1/echo"), 200, ""},
		{"X13: encrypted to a revoked and an active key of ours", by(googles, []string{"ours-revoked", "ours"}, "/v1/echo"), 200, ""},

		{"§5.4 5, Korea §10: not signed", func(w *world) answer { return w.post(w.api.path(reserve), unsigned([]byte(plain))) }, 401, signature},
		{"§5.4 5, C2, E4: signed by a stranger", by([]string{"stranger"}, ours, "/v1/echo"), 401, signature},
		{"§5.4 5: signed by a revoked key", by([]string{"google-revoked"}, ours, "/v1/echo"), 401, signature},
		{"§5.4 5: signed by an expired key", by([]string{"google-expired"}, ours, "/v1/echo"), 401, signature},
		{"§5.4 5: signed by all the wrong keys", by([]string{"google-revoked", "stranger", "google-expired"}, ours, "/v1/echo"), 401, signature},
		{"E5: stranger's and active signature", by([]string{"stranger", "google"}, ours, "/v1/echo"), 200, ""},
		{"E5: expired and active signature", by([]string{"google-expired", "google"}, ours, "/v1/echo"), 200, ""},
		{"E5: active, expired and revoked signature", by([]string{"google", "google-expired", "google-revoked"}, ours, "/v1/echo"), 200, ""},
		{"X13: signed by a pending key", by([]string{"google-pending"}, ours, "/v1/echo"), 200, ""},
		{"X13: signed by a retiring key", by([]string{"google-retiring"}, ours, "/v1/echo"), 200, ""},
		{"X13: old and new on both sides", by([]string{"google-retiring", "google"}, []string{"ours-retiring", "ours"}, "/v1/echo"), 200, ""},

		{"§5.4 6, C3: no JSON", signed(w.api.path(reserve), "hello"), 400, syntax},
		{"§5.4 6: no object", signed(w.api.path(reserve), "["+plain+"]"), 400, syntax},
		{"§5.4 6: nothing", signed(w.api.path(reserve), ""), 400, syntax},
		{"X17: duplicate member", signed("/v1/echo", "{"+inside+`,"clientMessage":"y"}`), 400, syntax},
		{"X17: trailing garbage", signed("/v1/echo", plain+"{}"), 400, syntax},
		{"X17, E6: comment", signed("/v1/echo", "{/**/"+inside+"}"), 400, syntax},
		{"X17: byte order mark", signed("/v1/echo", "\ufeff"+plain), 400, syntax},
		{"X17: invalid UTF-8", signed("/v1/echo", "{"+inside+",\"a\":\"\xff\"}"), 400, syntax},
		{"gsp-core §10: 65 deep", signed("/v1/echo", "{"+inside+`,"a":`+strings.Repeat("[", 64)+strings.Repeat("]", 64)+"}"), 400, syntax},

		{"§5.4 7: no header", edited(reserve, edits{"requestHeader": absent}), 400, missing},
		{"§5.4 7, C5: no requestId", edited(reserve, edits{requestID: absent}), 400, missing},
		{"§5.4 7: no timestamp", edited(capture, edits{stampAt: absent}), 400, missing},
		{"§5.4 7: no version", edited(cancel, edits{versionAt: absent}), 400, missing},
		{"§5.4 8, X8, Korea §10: other major version", edited(reserve, edits{versionAt + ".major": 2}), 400, "INVALID_API_VERSION"},
		{"X7: minor and revision 99", edited("echo", edits{versionAt: map[string]any{"major": 1, "minor": 99, "revision": 99}}), 200, ""},
		{"§5.4 9, X11: 101 characters", edited(reserve, edits{requestID: many + "x"}), 400, invalid},
		{"X11: a blank in the id", edited(reserve, edits{requestID: "a b"}), 400, invalid},
		{"X11: é", edited(reserve, edits{requestID: "é"}), 400, invalid},
		{"§5.4 10, C4, X12: late", edited(reserve, edits{stampAt: after(-90 * time.Second)}), 400, stale},
		{"§5.4 10, X12: early", edited(reserve, edits{stampAt: after(90 * time.Second)}), 400, stale},
		{"X12: within the window, late", edited("echo", edits{stampAt: after(-30 * time.Second)}), 200, ""},
		{"X12: within the window, early", edited("echo", edits{stampAt: after(30 * time.Second)}), 200, ""},
		{"§5.4 11: no account", edited(reserve, edits{account: absent}), 400, missing},
		{"§5.4 11, C6, Korea §10: unknown account", edited(reserve, edits{account: "Nobody_KRW"}), 404, identifier},
		{"§5.4 11, Korea §10: account not enabled", edited(reserve, edits{account: disabled}), 403, "FORBIDDEN"},
		{"Korea §10: account not enabled, of a known reservation", edited(capture, edits{account: disabled, of: "held"}), 403, "FORBIDDEN"},

		{"§5.4 12, X2: other amount", edited(reserve, edits{requestID: "held", "amount": sum(20009)}), 412, violation},
		{"§5.4 12: a member more", edited(reserve, edits{requestID: "held", "amount": sum(20001), "novel": 1}), 412, violation},
		{"§4.3: the same id for another method", edited(cancel, edits{requestID: "held", of: "held"}), 412, violation},
		{"§4.3: a capture with another amount", edited(capture, edits{requestID: "capture", of: "captured", "amount": sum(1)}), 412, violation},
		{"§4.1 I6: a decline with another card", edited(reserve, edits{requestID: "declined", "amount": sum(20003)}), 412, violation},
		{"Korea §10: the stored answer comes before the fields", edited(reserve, edits{requestID: "held", "amount": absent}), 412, violation},

		{"Korea §10: required member missing", edited(reserve, edits{"amount": absent}), 400, missing},
		{"Korea §10: required member null", edited(reserve, edits{"transactionDescription": nil}), 400, missing},
		{"Korea §10: account details missing", edited(reserve, edits{"accountDetails": absent}), 400, missing},
		{"Korea §10: union missing", edited(reserve, edits{"accountDetails.card": absent}), 400, missing},
		{"Korea §10: union of the options missing", edited(reserve, edits{
			options_ + "threeDSecureNotAppplicable": absent, options_ + "threeDSecureAuthenticationDetails": absent,
		}), 400, missing},
		{"Korea §10: capture of nothing named", edited(capture, edits{of: absent}), 400, missing},
		{"Korea §10: cancel of nothing named", edited(cancel, edits{of: absent}), 400, missing},
		{"Korea §10: two members of a union", edited(reserve, edits{"accountDetails.paymentToken": map[string]any{
			"nameOnCard": "SEO JIHUN", "paymentTokenAccountNumber": leakToken, "expiryMonth": "08", "expiryYear": "29",
			"tokenTypeDeviceToken": map[string]any{},
		}}), 400, invalid},
		{"Korea §10: zero value of an enum", edited(reserve, edits{
			options_ + "userSelectedProcessingNetworkTypeNotApplicable": absent,
			options_ + "userSelectedProcessingNetworkType":              "PROCESSING_NETWORK_TYPE_UNSPECIFIED",
		}), 400, invalid},
		{"Korea §10: amount no int64", edited(reserve, edits{"amount": "9223372036854775808"}), 400, invalid},
		{"Korea §10: amount in words", edited(reserve, edits{"amount": "much"}), 400, invalid},
		{"Korea §10: amount nothing", edited(reserve, edits{"amount": "0"}), 400, invalid},
		{"Korea §10: amount below nothing", edited(reserve, edits{"amount": sum(-5)}), 400, invalid},
		{"Korea §10: fraction of a won", edited(reserve, edits{"amount": "1500001"}), 400, invalid},
		{"Korea §10: currency not contracted", edited(reserve, edits{"currencyCode": "CHF"}), 400, invalid},
		{"Korea §10: currency unknown", edited(reserve, edits{"currencyCode": "XQQ"}), 400, invalid},
		{"Korea §4.2: capture of nothing", edited(capture, edits{of: "held", "amount": "0"}), 400, invalid},
		{"Korea §4.2: capture of a fraction", edited(capture, edits{of: "held", "amount": "1000001"}), 400, invalid},
		{"C8, Korea §4.1: card number of letters", edited(reserve, edits{pan: "99999900000000AB"}), 400, invalid},
		{"C8, Korea §4.1: card number of 12 digits", edited(reserve, edits{pan: "999999000000"}), 400, invalid},
		{"C8, Korea §4.1: card number of 20 digits", edited(reserve, edits{pan: "99999900000000000006"}), 400, invalid},
		{"C8, Korea §4.1: empty card number", edited(reserve, edits{pan: ""}), 400, invalid},
		{"C8, Korea §4.1: month of letters", edited(reserve, edits{"accountDetails.card.expiryMonth": "ab"}), 400, invalid},
		{"§3.10: a sibling's member", edited(cancel, edits{of: "held", "amount": sum(20001)}), 400, invalid},
		{"§3.10: a capture in place of a reservation", func(w *world) answer {
			return w.post(w.api.path(reserve), must(w.box.Seal([]byte(w.sealable(capture, edits{of: "held"})))))
		}, 400, invalid},

		{"Korea §10: capture of an unknown reservation", edited(capture, edits{of: "nobody"}), 404, identifier},
		{"Korea §10: capture of another account's", edited(capture, edits{of: "others"}), 404, identifier},
		{"Korea §10: cancel of an unknown reservation", edited(cancel, edits{of: "nobody"}), 404, identifier},
		{"Korea §10: cancel of another account's", edited(cancel, edits{of: "held", account: w.api.second}), 404, identifier},
		{"Korea §10: a capture is no reservation", edited(cancel, edits{of: "capture"}), 404, identifier},
		{"Korea §10: more than what is held", edited(capture, edits{of: "held", "amount": sum(20002)}), 400, precondition},
		{"Korea §10: captured twice", edited(capture, edits{of: "captured", "amount": sum(1)}), 400, precondition},
		{"Korea §10: cancelled after the capture", edited(cancel, edits{of: "captured"}), 400, precondition},
		{"Korea §10: capture of a decline", edited(capture, edits{of: "declined", "amount": sum(20003)}), 400, precondition},
		{"C7: echo", edited("echo", nil), 200, ""},
		{"X9: unknown members", edited("echo", edits{"novel": map[string]any{"a": []any{1, nil}}}), 200, ""},
	}
	if w.api == korea {
		rows = append(rows, []row{
			{"Korea §10: method not offered", signed(w.api.path(sell), "{}"), 404, ""},
			{"C8, Korea §4.1: PIN of letters", edited(reserve, edits{options_ + "pin": "4x"}), 400, invalid},
			{"Korea §3.2: birth date of letters", edited(reserve, edits{options_ + "dateOfBirth": "april"}), 400, invalid},
			{"Korea §3.2: CI of another length", edited(reserve, edits{options_ + "connectingInformation": "QUJD"}), 400, invalid},
			{"Korea §3.2: business number of letters", edited(reserve, edits{options_ + "businessIdentifier": "ten digits"}), 400, invalid},
		}...)
	}
	w.refused(rows)
}

// in lets a subtest use the world.
func (w *world) in(t *testing.T) *world {
	inner := *w
	inner.t = t
	return &inner
}

func verb(method, path string) func(*world) answer {
	return func(w *world) answer { return w.answered(method, path, nil) }
}

func chunked(w *world) answer {
	large := io.MultiReader(bytes.NewReader(make([]byte, 1<<20)), strings.NewReader("A")) // its length is not told
	return w.answered("POST", w.api.path(reserve), large)
}

// answered is an answer that must not be sealed.
func (w *world) answered(method, path string, body io.Reader) answer {
	w.t.Helper()
	req, err := http.NewRequest(method, w.url(path), body)
	w.check(err)
	resp, err := w.http.Do(req)
	w.check(err)
	text, err := io.ReadAll(resp.Body)
	w.check(errors.Join(err, resp.Body.Close()))
	return answer{status: resp.StatusCode, body: string(text)}
}
