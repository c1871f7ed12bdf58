package sim

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"naru/rail/iso8583"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestGoldenBytes(t *testing.T) {
	b, v := start(t), vectors(t)
	b.rule(`{"action": "set", "elements": {"38": "A1B2C3"}, "match": {"mti": "0100"}}`)
	p := b.join()
	spec := b.cfg.Profile.Spec()
	golden := func(name string) elements {
		m, err := decode(spec, v[name])
		if err != nil {
			t.Fatal(err)
		}
		return m
	}

	// the answer may say more than the vector (extra), never anything else
	for _, c := range []struct {
		ask, answer string
		extra       []int
	}{
		{"V1", "V2", nil}, {"V3", "V4", []int{48}}, {"V7", "V8", []int{15}},
	} {
		p.write(p.frame(v[c.ask]))
		got, err := decode(spec, p.hearBody())
		if err != nil {
			t.Fatal(err)
		}
		for _, de := range c.extra {
			if got[de] == "" {
				t.Errorf("%s: DE%d is missing", c.answer, de)
			}
			delete(got, de)
		}
		if packed, err := encode(spec, got); err != nil || !bytes.Equal(packed, v[c.answer]) {
			t.Errorf("%s is answered %v, want %v", c.ask, got, golden(c.answer))
		}
	}

	p.write(p.frame(v["V9"])) // the refund of V7
	wantCode(t, p.hear(), "0210", "00")
	for i := range 2 {
		s := sale(numbered(0))
		wantCode(t, p.ask(s), "0210", "00")
		if i == 0 {
			wantCode(t, p.ask(reversal(s)), "0430", "00")
		}
	}
	p.write(p.frame(v["V10"])) // 3 debits, 1 of them reversed, 1 credit of 10000 each
	if got := p.hear(); got[0] != "0510" || got[39] != "00" || got[66] != "1" || got[99] != golden("V10")[99] {
		t.Errorf("the totals of V10 are answered %v", got)
	}
}

func TestGoldenReversal(t *testing.T) {
	b, v := start(t), vectors(t)
	p := b.join()
	p.write(p.frame(v["V3"]))
	wantCode(t, p.hear(), "0110", "00")
	for range 2 { // again word for word when it is repeated
		p.write(p.frame(v["V5"]))
		if got := p.hearBody(); !bytes.Equal(got, v["V6"]) {
			t.Errorf("V5 is answered\n%q, want\n%q", got, v["V6"])
		}
	}
	if got := b.held("632612000123"); got != released {
		t.Errorf("the hold is %s", got)
	}
}

func TestHeaders(t *testing.T) {
	body := bytes.Repeat([]byte{'x'}, 190)
	for name, want := range map[string]string{"bin2": "\x00\xbe", "ascii4": "0190", "bcd2": "\x01\x90", "vml": "\x00\xbe\x00\x00"} {
		p := profile(t, iso8583.DefaultProfile)
		p.Header = name
		f, err := newFraming(p)
		if err != nil {
			t.Fatal(err)
		}
		raw := f.write(nil, body)
		if string(raw) != want+string(body) {
			t.Errorf("%s writes the length as %x", name, raw[:4])
		}
		if back, err := readAll(f, raw); err != nil || !bytes.Equal(back.body, body) {
			t.Errorf("%s does not read what it wrote: %v", name, err)
		}
	}
	f, _ := newFraming(profile(t, iso8583.DefaultProfile))
	for _, n := range []int{1, shortest - 1, longest + 1} {
		if _, err := readAll(f, append(f.header.put(n), make([]byte, n)...)); err == nil {
			t.Errorf("a frame of %d bytes was read", n)
		}
	}
	if _, err := newFraming(iso8583.Profile{Header: "ebcdic4"}); err == nil {
		t.Error("an unknown header was taken")
	}
}

func TestSplitGluedAndEmptyFrames(t *testing.T) {
	b, v := start(t), vectors(t)
	p := b.dial()
	for _, c := range p.frame(v["V1"]) {
		p.write([]byte{c})
	}
	if got := p.hearBody(); !bytes.Equal(got, v["V2"]) {
		t.Errorf("split: %q", got)
	}
	p.write(bytes.Join([][]byte{{0, 0}, p.frame(v["V1"]), {0, 0}, p.frame(v["V1"]), p.frame(v["V1"])[:7]}, nil))
	for range 2 {
		if got := p.hearBody(); !bytes.Equal(got, v["V2"]) {
			t.Errorf("glued: %q", got)
		}
	}
	p.write(p.frame(v["V1"])[7:])
	if got := p.hearBody(); !bytes.Equal(got, v["V2"]) {
		t.Errorf("the rest: %q", got)
	}
	p.write([]byte{0xff, 0xff, 'x'})
	p.hungUp()
}

func TestPipelinedAnswersComeInAnyOrder(t *testing.T) {
	order := func(seed int64) (asked, heard []string) {
		b := start(t, func(c *Config) { c.Polite, c.Seed = false, seed })
		p := b.join()
		var glued []byte
		for range batch {
			m := auth(numbered(0))
			asked, glued = append(asked, m[11]), append(glued, p.frame(p.pack(m))...)
		}
		p.write(glued)
		for range batch {
			heard = append(heard, p.hear()[11])
		}
		return asked, heard
	}
	mixed := false
	for seed := range int64(4) {
		asked, heard := order(seed)
		mixed = mixed || !slices.Equal(asked, heard)
		if slices.Sort(heard); !slices.Equal(asked, heard) {
			t.Fatalf("asked %v, heard %v", asked, heard)
		}
	}
	if !mixed {
		t.Error("four seeds, and always in order")
	}
}

func TestRudenessIsSeeded(t *testing.T) {
	seen := map[string]int{}
	b := start(t, func(c *Config) { c.Polite = false })
	p := b.join()
	for range 100 {
		got := p.ask(auth(numbered(0)))
		found := p.tags(got)
		for what, is := range map[string]bool{
			"tag": found["QX"] != "", "text": got[63] != "", "blank": got[38][5] == ' ',
			"lower": got[38] != string(bytes.ToUpper([]byte(got[38]))),
		} {
			if is {
				seen[what]++
			}
		}
	}
	for _, what := range []string{"tag", "text", "blank", "lower"} {
		if seen[what] == 0 || seen[what] == 100 {
			t.Errorf("%s: %d of 100", what, seen[what])
		}
	}
	m := auth(numbered(0))
	first := p.ask(m)
	again := start(t, func(c *Config) { c.Polite = false }).join().ask(m)
	if fmt.Sprint(first) != fmt.Sprint(again) {
		t.Errorf("the same seed says\n%v, then\n%v", first, again)
	}
}

func TestSignOn(t *testing.T) {
	b := start(t)
	p := b.dial()
	m := auth(numbered(0))
	for _, unsigned := range []elements{m, sale(numbered(0)), capture(m, elements{38: "A1B2C3"}), reversal(m)} {
		wantCode(t, p.ask(unsigned), unsigned.answerMTI(), "91")
	}
	if len(b.holds("")) != 0 {
		t.Error("money was held without a session")
	}
	wantCode(t, p.ask(p.manage("301")), "0810", "00") // an echo needs none
	wantCode(t, p.ask(p.manage("001")), "0810", "00")
	wantCode(t, p.ask(m), "0110", "00") // what was refused with 91 is not remembered
	wantCode(t, p.ask(p.manage("101")), "0810", "00")
	wantCode(t, p.ask(p.manage("777")), "0810", "12")
	wantCode(t, p.ask(with(p.manage("301"), elements{70: ""})), "0810", "30")
	wantCode(t, p.ask(p.manage("002")), "0810", "00")
	wantCode(t, p.ask(auth(numbered(0))), "0110", "91")
	wantCode(t, p.ask(m), "0110", "91") // nor are old answers repeated
	strict := start(t, func(c *Config) { c.Unsigned = "58" }).dial()
	wantCode(t, strict.ask(auth(numbered(0))), "0110", "58")
}

func TestOtherDialect(t *testing.T) {
	b := start(t, func(c *Config) { c.Profile = profile(t, "pi87-alt") })
	p := b.dial()
	wantCode(t, p.ask(p.manage("001")), "0810", "12")
	wantCode(t, p.ask(p.manage("061")), "0810", "00")
	m := with(auth(numbered(908)), elements{48: "BD006910417PW00247"})
	got := p.ask(m)
	wantCode(t, got, "0110", "00")
	if got[2] != "" || got[32] != "" || got[41] != m[41] {
		t.Errorf("the echo set of the profile is not kept: %v", got)
	}
	if found := p.tags(got); found["KP"] != "M" || found["KB"] != "M" {
		t.Errorf("tags %v", found)
	}
	wantCode(t, p.ask(with(m, elements{7: "1122031501", 11: stan()})), "0110", "94") // dup_rrn = reject
	c := capture(m, got)
	wantCode(t, p.ask(c), "0230", "00")
	wantCode(t, p.ask(with(c, elements{0: "0221"})), "0230", "12") // repeat_mti = false
	wantCode(t, p.ask(c), "0230", "00")
	m = auth(numbered(0))
	p.ask(m)
	r := with(reversal(m), elements{0: "0400", 56: "4021", 60: ""})
	wantCode(t, p.ask(with(r, elements{56: ""})), "0410", "30")
	wantCode(t, p.ask(r), "0410", "00")
	wantCode(t, p.ask(with(r, elements{0: "0420", 11: stan()})), "0430", "25")
	if got := b.records(m[37]); got[len(got)-1].DE39 != "25" || got[len(got)-2].Reason != "4021" {
		t.Errorf("records %+v", got)
	}
}

func TestTLS(t *testing.T) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"host.test"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	b := start(t, func(c *Config) {
		c.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
	})
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(leaf)
	conn, err := tls.Dial("tcp", b.host.Addr(), &tls.Config{RootCAs: roots, ServerName: "host.test"})
	if err != nil {
		t.Fatal(err)
	}
	p := b.peer(conn)
	wantCode(t, p.ask(p.manage("001")), "0810", "00")
	wantCode(t, p.ask(auth(numbered(0))), "0110", "00")
}

func TestContextEndsTheHost(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	b := start(t)
	host, err := Start(ctx, b.cfg)
	if err != nil {
		t.Fatal(err)
	}
	b.host = host
	p := b.join()
	cancel()
	p.hungUp()
	if err := host.Close(); err != nil {
		t.Error(err)
	}
}

// TestManyAtOnce is the load of several connections: every payment has one hold, and the totals are right to the won.
func TestManyAtOnce(t *testing.T) {
	b := start(t, func(c *Config) { c.Dir = t.TempDir() })
	var all sync.WaitGroup
	const peers, each = 4, 25
	for range peers {
		p := b.join()
		all.Go(func() {
			for range each {
				m := auth(numbered(0))
				p.say(m)
				answer, err := p.next()
				if err != nil {
					t.Error(err)
					return
				}
				approved, err := decode(b.cfg.Profile.Spec(), answer)
				if err != nil || approved[11] != m[11] {
					t.Error(err, approved)
					return
				}
				p.say(capture(m, approved))
				if _, err := p.next(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if got := b.host.book.totals("1122", "410", 0); got[76] != fmt.Sprintf("%010d", peers*each) ||
		got[88] != fmt.Sprintf("%016d", peers*each*10000) || len(b.holds("")) != peers*each {
		t.Errorf("totals %v", got)
	}
}
