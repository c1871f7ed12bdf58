package e2e

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
)

// TestAnsweredOnce is gsp-core §7.4 X1-X6 against stored answers, across a restart: the same question gets the same answer, for ever.
func TestAnsweredOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{})
	good, poor := edits{"amount": sum(50_001)}, edits{"amount": sum(50_002), pan: numbered("51")}
	approved := w.want(reserve, "x1", good, 200, "SUCCESS")
	declined := w.want(reserve, "x5", poor, 200, "INSUFFICIENT_FUNDS")
	taken := w.want(capture, "x1-capture", edits{of: "x1", "amount": sum(50_001)}, 200, "ACKNOWLEDGED")
	w.verdict("x1-capture", "SUCCESS")
	w.want(reserve, "x3", edits{"amount": "0"}, 400, "INVALID_FIELD_VALUE")
	other := w.want(reserve, "x1", edits{"amount": sum(50_003), account: second}, 200, "SUCCESS")
	for _, when := range []string{"at once", "after a restart"} {
		for _, c := range []struct {
			probe, method, id string
			e                 edits
			want              answer
		}{
			{"X1", reserve, "x1", good, approved},
			{"X1, a number for a string", reserve, "x1", edits{"amount": 50_001_000_000}, approved},
			{"X1, null for absence", reserve, "x1", edits{"amount": sum(50_001), "addressVerificationData": nil}, approved},
			{"X1, a capture", capture, "x1-capture", edits{of: "x1", "amount": sum(50_001)}, taken},
			{"X5", reserve, "x5", poor, declined},
			{"X6", reserve, "x1", edits{"amount": sum(50_003), account: second}, other},
		} {
			if got := w.ask(c.method, c.id, c.e); got != c.want {
				t.Errorf("%s %s: got %d %s, want %d %s", c.probe, when, got.status, got.body, c.want.status, c.want.body)
			}
		}
		for _, c := range []struct {
			probe, method, id string
			e                 edits
		}{
			{"X2", reserve, "x1", edits{"amount": sum(50_004)}},
			{"X2, another card", reserve, "x1", edits{"amount": sum(50_001), pan: numbered("51")}},
			{"X2, another PIN", reserve, "x1", edits{"amount": sum(50_001), options_ + "pin": "48"}},
			{"X2, a member more", reserve, "x1", edits{"amount": sum(50_001), "novel": "member"}},
			{"X2, a member less", reserve, "x1", edits{"amount": sum(50_001), options_ + "pin": absent}},
			{"another method", cancel, "x1", edits{of: "x1"}},
		} {
			if got := w.ask(c.method, c.id, c.e); !got.is(412, "IDEMPOTENCY_VIOLATION") {
				t.Errorf("%s %s: got %d %s", c.probe, when, got.status, got.body)
			}
		}
		w.restart()
	}
	w.want(reserve, "x3", edits{"amount": sum(50_005)}, 200, "SUCCESS") // X3: a 400 bound nothing, not even its own content
	for amount, n := range map[int64]int{50_001: 1, 50_002: 1, 50_003: 1, 50_004: 0, 50_005: 1} {
		if got := w.seen("0100", amount); got != n {
			t.Errorf("the host saw %d requests for %d won, want %d", got, amount, n)
		}
	}
	if n := w.seen("0220", 50_001); n != 1 {
		t.Errorf("the host saw %d captures", n)
	}
}

// TestLaterMethodsAnswerOnce is the same for refunds, card checks and defences: copies that are under way together, repeats, repeats after
// a restart, other content. Nothing happens twice: one order, one check, one document.
func TestLaterMethodsAnswerOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{files: true, authorise: "4s"})
	rrn := w.sold("once", 50_101, nil)
	w.quarrel("chargeback", rrn, `, "amount": 30000`)
	w.rule(`{"action": "late", "delay_ms": 100, "match": {"mti": "0100"}, "times": 3}`) // so that all copies have arrived
	asks := []struct {
		method, id string
		e          edits
		word       string
	}{
		{verify, "once-verify", nil, "SUCCESS"},
		{inspect, "once-inspect", nil, "SUCCESS"},
		{verify, "once-declined", edits{"card.expiryYear": "20"}, "CARD_EXPIRED"},
		{refund, "once-refund", edits{paid: "once-capture", back: sum(10_101)}, "ACKNOWLEDGED"},
		{refund, "once-charged", edits{paid: "once-capture", back: sum(20_101)}, "ACKNOWLEDGED"},
		{defend, "once-defence", edits{paid: "once-capture"}, "SUCCESS"},
		{defend, "once-nothing", edits{paid: "nobody"}, "CAPTURE_REQUEST_ID_NOT_FOUND"},
		{cancel, "once-cancel", edits{of: "once-verify"}, "ACKNOWLEDGED"},
	}
	answers := map[string]answer{}
	for _, a := range asks {
		same := map[answer]bool{}
		for _, got := range w.copies(6, a.method, a.id, a.e) {
			same[got], answers[a.id] = true, got
		}
		if len(same) != 1 || !answers[a.id].is(200, a.word) {
			t.Errorf("%s: the copies heard %v", a.id, same)
		}
	}
	w.verdict("once-refund", "SUCCESS")
	w.verdict("once-charged", "CHARGEBACK_IN_PLACE")
	w.verdict("once-cancel", "SUCCESS")
	for _, when := range []string{"at once", "after a restart"} {
		for _, a := range asks {
			if got := w.ask(a.method, a.id, a.e); got != answers[a.id] {
				t.Errorf("%s %s: got %d %s, want %s", a.id, when, got.status, got.body, answers[a.id].body)
			}
			if got := w.ask(a.method, a.id, a.e.and(edits{"novel": 1})); !got.is(412, violation) {
				t.Errorf("%s with a member more %s: got %d %s", a.id, when, got.status, got.body)
			}
			for _, other := range []string{reserve, refund, verify, inspect, defend} {
				if other == a.method {
					continue
				}
				if got := w.ask(other, a.id, nil); !got.is(412, violation) {
					t.Errorf("%s sent to %s %s: got %d %s", a.id, other, when, got.status, got.body)
				}
			}
		}
		for id, e := range map[string]edits{
			"once-refund": {paid: "once-capture", back: sum(10_102)}, "once-charged": {paid: "once-other", back: sum(20_101)},
		} {
			w.want(refund, id, e, 412, violation)
		}
		w.want(verify, "once-verify", edits{number: numbered("51")}, 412, violation)
		w.want(inspect, "once-inspect", edits{"pin": "48"}, 412, violation)
		w.want(defend, "once-defence", edits{paid: "once-capture", document + ".payload": "JVBERi0xLjcKJcK1wrYKCh"}, 412, violation)
		w.restart()
	}
	if orders, checks := w.seen("0200", 10_101), w.seen("0100", 0); orders != 1 || checks != 2 {
		t.Errorf("the host saw %d orders to pay and %d checks, want 1 and 2", orders, checks)
	}
	documents := 0
	w.query("SELECT id FROM evidence", func([]any) { documents++ })
	if documents != 1 {
		t.Errorf("%d documents were kept", documents)
	}
	// The last won is there once: of five refunds at once that each want it, one is taken (Korea §4.4).
	w.sold("last", 50_102, nil)
	var come [5]<-chan []answer
	for i := range come {
		come[i] = w.meanwhile(1, refund, fmt.Sprint("last-", i), edits{paid: "last-capture", back: sum(50_102)})
	}
	heard := map[int]int{}
	for _, c := range come {
		heard[(<-c)[0].status]++
	}
	if heard[200] != 1 || heard[400] != 4 {
		t.Errorf("five refunds of the whole heard %v", heard)
	}
}

// TestTwentyAtOnce: one of twenty copies works and the others wait for it, also where nothing comes of it (X4, design §3.2).
func TestTwentyAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{authorise: "4s"})
	w.rule(`{"action": "late", "delay_ms": 150, "match": {"mti": "0100", "amount": 51001}}`) // so that all have arrived
	same := map[answer]int{}
	for _, a := range w.copies(20, reserve, "x4", edits{"amount": sum(51_001)}) {
		same[a]++
	}
	if len(same) != 1 || w.seen("0100", 51_001) != 1 {
		t.Errorf("%d different answers, %d requests at the host: %v", len(same), w.seen("0100", 51_001), same)
	}
	w.want(reserve, "x4", edits{"amount": sum(51_001)}, 200, "SUCCESS")

	// One waits with other content.
	w.rule(`{"action": "late", "delay_ms": 300, "match": {"mti": "0100", "amount": 51002}}`)
	come := w.meanwhile(1, reserve, "x4-other", edits{"amount": sum(51_002)})
	w.until("the host has the request", func() bool { return w.seen("0100", 51_002) == 1 })
	w.want(reserve, "x4-other", edits{"amount": sum(51_003)}, 412, "IDEMPOTENCY_VIOLATION")
	if got := <-come; !got[0].is(200, "SUCCESS") {
		t.Errorf("the first: %d %s", got[0].status, got[0].body)
	}

	// A capture and a cancel at once, ten times: the first wins, the other hears so (Korea §9.1).
	for i := range 10 {
		id, amount := fmt.Sprint("race-", i), int64(51_100+i)
		w.want(reserve, id, edits{"amount": sum(amount)}, 200, "SUCCESS")
		captured := w.meanwhile(2, capture, id+"-capture", edits{of: id, "amount": sum(amount)})
		cancelled := w.meanwhile(2, cancel, id+"-cancel", edits{of: id})
		a, b := <-captured, <-cancelled
		if a[0] != a[1] && a[0].status == 200 || b[0] != b[1] && b[0].status == 200 {
			t.Errorf("%s: two answers: %v %v", id, a, b)
		}
		switch {
		case a[0].is(200, "ACKNOWLEDGED") && b[0].is(400, "PRECONDITION_VIOLATION"):
			w.verdict(id+"-capture", "SUCCESS")
		case a[0].is(400, "PRECONDITION_VIOLATION") && b[0].is(200, "ACKNOWLEDGED"):
			w.verdict(id+"-cancel", "SUCCESS")
		default:
			t.Errorf("%s: capture %d %s, cancel %d %s", id, a[0].status, a[0].body, b[0].status, b[0].body)
		}
	}
}

// TestCopyStillWaitingAtTheDeadline: Korea §10, gsp-core §5.4 step 12: 409 without a code, nothing stored; the first
// hears 503 and goes on.
func TestCopyStillWaitingAtTheDeadline(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{gsp: `deadline = "300ms"`, authorise: "4s"})
	w.rule(`{"action": "late", "delay_ms": 2500, "match": {"mti": "0100", "amount": 52001}}`)
	heard := map[int]int{}
	for _, a := range w.copies(3, reserve, "patient", edits{"amount": sum(52_001)}) {
		if heard[a.status]++; a.word != "" {
			t.Errorf("got %d %s", a.status, a.body)
		}
	}
	if heard[503] != 1 || heard[409] != 2 {
		t.Errorf("got %v, want one 503 and two 409", heard)
	}
	w.until("the first is decided", func() bool { return w.ask(reserve, "patient", edits{"amount": sum(52_001)}).is(200, "SUCCESS") })
	if n := w.seen("0100", 52_001); n != 1 {
		t.Errorf("the host saw %d requests", n)
	}
}

// TestCallUnderWayAtTheEnd: who stops the integrator does not take the answer away from a call that is under way.
func TestCallUnderWayAtTheEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{authorise: "4s"})
	w.rule(`{"action": "late", "delay_ms": 300, "match": {"mti": "0100", "amount": 53001}}`)
	come := w.meanwhile(1, reserve, "last", edits{"amount": sum(53_001)})
	w.until("the host has the request", func() bool { return w.seen("0100", 53_001) == 1 })
	w.stop()
	got := <-come
	w.restart()
	if !got[0].is(200, "SUCCESS") || w.ask(reserve, "last", edits{"amount": sum(53_001)}) != got[0] {
		t.Errorf("got %d %s", got[0].status, got[0].body)
	}
}

// TestNobodyToAnswerTo is gsp-core §5.4 step 14: with no active key of Google's the answer cannot be encrypted: an empty 500.
// What was done stays done, and is told when there is a key again.
func TestNobodyToAnswerTo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, options{googleKeys: shop().file("google-keys-none-active")})
	if got := edited("echo", nil)(w); got.status != 500 || got.body != "" {
		t.Errorf("got %d %s, want an empty 500", got.status, got.body)
	}
	w.want(reserve, "mute", edits{"amount": sum(54_001)}, 500, "")
	w.options.googleKeys = shop().file("google-keys")
	w.restart()
	w.want(reserve, "mute", edits{"amount": sum(54_001)}, 200, "SUCCESS")
	if n := w.seen("0100", 54_001); n != 1 {
		t.Errorf("the host saw %d requests", n)
	}
}

// TestListener is gsp-core §7.2 E1-E3 at the platform's own listener, with its setting for a prober that wants TLS 1.2 and
// nothing else (O1).
func TestListener(t *testing.T) {
	t.Parallel()
	both, only := newWorld(t, options{}), newWorld(t, options{gsp: `tls_max = "1.2"`})
	for _, c := range []struct {
		name     string
		at       *world
		min, max uint16
		suites   []uint16
		good     bool
	}{
		{"TLS 1.3", both, tls.VersionTLS13, tls.VersionTLS13, nil, true},
		{"TLS 1.2", both, tls.VersionTLS12, tls.VersionTLS12, nil, true},
		{"E2: TLS 1.1", both, tls.VersionTLS10, tls.VersionTLS11, nil, false},
		{"E2: TLS 1.3 where 1.2 is the most", only, tls.VersionTLS13, tls.VersionTLS13, nil, false},
		{"TLS 1.2 where it is the most", only, tls.VersionTLS12, tls.VersionTLS13, nil, true},
		{"E1: AES-256", both, 0, tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384}, false},
		{"E1: CBC", both, 0, tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256}, false},
		{"E1: CBC with SHA-1", both, 0, tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}, false},
	} {
		conn, err := tls.Dial("tcp", c.at.platform.GSPAddr, &tls.Config{
			RootCAs: shop().roots, MinVersion: c.min, MaxVersion: c.max, CipherSuites: c.suites,
		})
		if (err == nil) != c.good {
			t.Errorf("%s: %v", c.name, err)
		}
		if err == nil {
			both.check(conn.Close())
		}
	}
	before := both.contents()
	var probes sync.WaitGroup
	for _, plain := range []string{
		"POST /v1/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", "GET / HTTP/1.0\r\n\r\n", "\x00", "\x80\x2e\x01",
	} {
		probes.Go(func() {
			conn, err := net.Dial("tcp", both.platform.GSPAddr)
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, plain); err != nil {
				t.Error(err)
			}
			if got, _ := io.ReadAll(conn); len(got) != 0 {
				t.Errorf("E3: %q was answered %q", plain, got)
			}
		})
	}
	probes.Wait()
	if now := both.contents(); fmt.Sprint(now) != fmt.Sprint(before) {
		t.Errorf("the database was changed: %v, %v", before, now)
	}
}
