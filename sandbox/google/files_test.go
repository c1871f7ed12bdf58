package google

import (
	"bytes"
	"compress/gzip"
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"

	"naru/seal"
)

const generated = 1773619260000 // 2026-03-16

// fileOf is the text of a settlement file; entries are adjustments, or events with their kind in front of a colon.
func fileOf(id, micros string, entries ...string) (string, string) {
	lines := []string{
		fmt.Sprintf(`{"requestId":"file-%s","generationTimestamp":{"epochMillis":"%d"},"type":"GSP_CARD_SETTLEMENT_V1",`+
			`"paymentIntegratorAccountId":%q}`, id, generated, piaid),
		fmt.Sprintf(`{"settlementId":%q,"settlementPeriod":%s,"settlementAmount":%s,"numberOfItems":"%d"}`,
			id, week, inWon(micros), len(entries)),
	}
	for i, e := range entries {
		if e[0] == '{' {
			e = "aggregateAdjustment:" + e
		}
		kind, event, _ := strings.Cut(e, ":")
		lines = append(lines, fmt.Sprintf(`{"entryId":"%d","settlementEntryType":{%q:%s}}`, i+1, kind, event))
	}
	return fmt.Sprintf("GSP_CARD_SETTLEMENT_REPORT_V1-%s-%s-2026-03-16-%d", id, piaid, generated/1000), strings.Join(lines, "\n") + "\n"
}

func (s *side) sealedFile(name, plain string) (string, []byte) {
	s.t.Helper()
	wire, err := s.box.Seal([]byte(plain))
	must(s.t, err)
	return name, wire
}

func zipped(t *testing.T, content []byte) []byte {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write(content)
	must(t, err)
	must(t, z.Close())
	return b.Bytes()
}

func hostKey(t *testing.T) ssh.Signer {
	_, private, err := ed25519.GenerateKey(nil)
	must(t, err)
	signer, err := ssh.NewSignerFromKey(private)
	must(t, err)
	return signer
}

// harbour is Google's SFTP server on a real socket.
type harbour struct {
	address   string
	host, key ssh.Signer
	close     func() // and wait until everybody is gone
}

func (s *side) serveFiles() harbour {
	s.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(s.t, err)
	ended := make(chan error, 1)
	h := harbour{l.Addr().String(), hostKey(s.t), hostKey(s.t), sync.OnceFunc(func() {
		must(s.t, l.Close())
		must(s.t, <-ended)
	})}
	go func() { ended <- s.google.ServeFiles(l, h.host, h.key.PublicKey()) }()
	s.t.Cleanup(h.close)
	return h
}

func (h harbour) dial(key ssh.Signer) (*ssh.Client, error) {
	return ssh.Dial("tcp", h.address, &ssh.ClientConfig{
		User: "integrator", Auth: []ssh.AuthMethod{ssh.PublicKeys(key)}, HostKeyCallback: ssh.FixedHostKey(h.host.PublicKey()),
	})
}

func (h harbour) client(t *testing.T) *sftp.Client {
	t.Helper()
	conn, err := h.dial(h.key)
	must(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	c, err := sftp.NewClient(conn)
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func put(t *testing.T, c *sftp.Client, name string, content []byte) {
	t.Helper()
	f, err := c.Create(name)
	must(t, err)
	_, err = f.Write(content)
	must(t, err)
	must(t, f.Close())
}

// An integrator uploads over SSH: directly, by way of a temporary name, compressed, twice, and half.
func TestUpload(t *testing.T) {
	s := paid(t, "")
	s.google.cfg.Files = filepath.Join(t.TempDir(), "files")
	h := s.serveFiles()
	if _, err := h.dial(hostKey(t)); err == nil {
		t.Error("a stranger gets in")
	}
	c := h.client(t)

	name, content := s.sealedFile(fileOf("a", "12616000000", "captureEvent:"+captureEvent("c", "12900000000")))
	put(t, c, name, content)
	files := s.google.Files()
	if len(files) != 1 {
		t.Fatalf("files are %+v", files)
	}
	want := SettlementFile{
		At: files[0].At, Name: name, SHA256: files[0].SHA256, SettlementID: "a", Account: piaid, Currency: "KRW",
		Items: 1, Amount: 12_616_000_000,
	}
	if !reflect.DeepEqual(files[0], want) || len(want.SHA256) != 64 {
		t.Errorf("the file is %+v, want %+v", files[0], want)
	}
	if kept, err := os.ReadFile(filepath.Join(s.google.cfg.Files, name)); err != nil || !bytes.Equal(kept, content) {
		t.Errorf("the folder keeps %d bytes, %v", len(kept), err)
	}

	name2, content2 := s.sealedFile(fileOf("b", "0"))
	put(t, c, "/"+name2+".gz.tmp", zipped(t, content2))
	if got := len(s.google.Files()); got != 1 {
		t.Errorf("a temporary name is judged: %d files", got)
	}
	must(t, c.Rename(name2+".gz.tmp", name2+".gz"))
	put(t, c, ".hidden", content2)
	must(t, c.PosixRename(".hidden", name2+".gz")) // which is not compressed
	if err := c.Rename(name2+".gz", name); err == nil {
		t.Error("a file was replaced by a rename")
	}
	f, err := c.Create(name)
	must(t, err)
	_, err = f.Write(content[:100])
	must(t, err)
	must(t, c.Close()) // half a file is no file

	c = h.client(t)
	put(t, c, name, content) // and again, whole
	listed, err := c.ReadDir("/")
	must(t, err)
	var names []string
	for _, l := range listed {
		names = append(names, l.Name())
	}
	if !slices.Equal(names, []string{name, name2 + ".gz"}) {
		t.Errorf("the folder lists %v", names)
	}
	back, err := c.Open(name)
	must(t, err)
	read, err := io.ReadAll(back)
	must(t, err)
	must(t, back.Close())
	if !bytes.Equal(read, content) {
		t.Errorf("%d bytes come back", len(read))
	}
	for why, err := range map[string]error{
		"removes a file": c.Remove(name), "makes a folder": c.Mkdir("/sub"),
		"leaves the folder": func() error { _, err := c.Create("/sub/x"); return err }(),
	} {
		if err == nil {
			t.Errorf("the client %s", why)
		}
	}

	h.close()
	var got []string
	for _, f := range s.google.Files() {
		got = append(got, fmt.Sprint(f.SettlementID, " ", f.Items, " ", f.Problems))
	}
	if !slices.Equal(got, []string{"a 1 []", "b 0 []", " 0 [the file is not compressed, though its name says so]", "a 1 []"}) {
		t.Errorf("the files are %q", got)
	}
	var settled []string
	for _, s := range s.google.Settlements() {
		settled = append(settled, fmt.Sprintln(s.Channel, s.ID, s.AmountMicros, len(s.Events), s.Complete))
	}
	if !slices.Equal(settled, []string{"file a 12616000000 1 true\n", "file b 0 0 true\n"}) {
		t.Errorf("the settlements are %q", settled)
	}
	const shown = `"settlement_id":"a","piaid":"Test_KRW","currency":"KRW","items":1,"amount_micros":12616000000}`
	if got := s.control("GET", "/files", "", 200); !strings.Contains(got, shown) {
		t.Errorf("the control port says %s", got)
	}
}

// Everything that can be wrong with a file (Korea §6, remittance §9.2).
func TestFiles(t *testing.T) {
	one, refund := "captureEvent:"+captureEvent("c", "12900000000"), "refundEvent:"+refundEvent("f", "-4000000000")
	type edit func(name, plain string) (string, string)
	replace := func(old, with string) edit {
		return func(name, plain string) (string, string) {
			if !strings.Contains(plain, old) {
				t.Errorf("there is no %s to replace", old)
			}
			return name, strings.Replace(plain, old, with, 1)
		}
	}
	rename := func(old, with string) edit {
		return func(name, plain string) (string, string) { return strings.Replace(name, old, with, 1), plain }
	}
	balances := func(closing, paid string) edit {
		return replace(`"numberOfItems"`, `"openingBalance":`+inWon("1000000")+`,"closingBalance":`+inWon(closing)+paid+`,"numberOfItems"`)
	}
	const paidOut = `,"settlementPaymentDetails":{"settlementPaymentAmount":{"amountMicros":"8616000000","currencyCode":"KRW"}}`
	for _, c := range []struct {
		why      string
		edit     edit
		problems []string
	}{
		{"nothing", rename("", ""), nil},
		{"the time in milliseconds", rename("1773619260", "1773619260000"), nil},
		{"the day in Los Angeles", rename("03-16", "03-15"), nil},
		{"no newline at the end", func(name, plain string) (string, string) { return name, strings.TrimSuffix(plain, "\n") }, nil},
		{"numbers as numbers", replace(`"entryId":"2"`, `"entryId":2`), nil},
		{"balances", balances("1000000", paidOut), nil},
		{"balances, nothing paid", balances("8617000000", ""), nil},

		{"another name", rename("GSP_CARD_SETTLEMENT_REPORT_V1", "REPORT"), []string{"the name is not GSP_CARD_SETTLEMENT_REPORT_V1-"}},
		{"another id in the name", rename("V1-s-", "V1-t-"), []string{"the name has another settlementId or account than the file"}},
		{"another account in the name", rename("Test_", "Other_"), []string{"the name has another settlementId or account than the file"}},
		{"another time in the name", rename("1773619260", "1773619261"), []string{"the name has another time than the file"}},
		{"another day in the name", rename("03-16", "03-18"), []string{"the name has another day than the file"}},

		{"no requestId", replace(`"requestId":"file-s",`, ``), []string{"line 1: requestId is required"}},
		{"another type", replace(`_V1"`, `_V2"`), []string{"line 1: type has a value"}},
		{"no account", replace(`,"paymentIntegratorAccountId":"Test_KRW"`, ``), []string{
			"line 1: paymentIntegratorAccountId is required", "the name has another settlementId or account than the file",
		}},
		{"an unknown account", replace(`"paymentIntegratorAccountId":"Test_KRW"`, `"paymentIntegratorAccountId":"No_KRW"`), []string{
			"line 1: paymentIntegratorAccountId has a value", "the name has another settlementId or account than the file",
		}},
		{"no time", replace(`"generationTimestamp":{"epochMillis":"1773619260000"},`, ``), []string{"line 1: generationTimestamp is required"}},

		{"no id", replace(`"settlementId":"s",`, ``), []string{
			"line 2: settlementId is required", "the name has another settlementId or account than the file",
		}},
		{"no period", replace(`"settlementPeriod":`+week+`,`, ``), []string{"line 2: settlementPeriod is required"}},
		{"no amount", replace(`"settlementAmount":`+inWon("8616000000")+`,`, ``), []string{"line 2: settlementAmount is required"}},
		{"no number of items", replace(`,"numberOfItems":"2"`, ``), []string{
			"line 2: numberOfItems is required", "numberOfItems is 0, there are 2 entries",
		}},
		{"another number of items", replace(`"numberOfItems":"2"`, `"numberOfItems":"3"`), []string{"numberOfItems is 3, there are 2 entries"}},
		{"another sum", replace(`"8616000000"`, `"8616000001"`), []string{"the events and adjustments do not add up to settlementAmount"}},
		{"wrong balances", balances("2000000", paidOut), []string{"line 2: closingBalance is not openingBalance and settlementAmount"}},
		{"a payment of nothing", balances("8617000000", `,"settlementPaymentDetails":{}`), []string{
			"line 2: settlementPaymentAmount is required",
		}},

		{"entries not from 1", replace(`"entryId":"1"`, `"entryId":"0"`), []string{"line 3: entryId is not 1"}},
		{"a hole", replace(`"entryId":"2"`, `"entryId":"3"`), []string{"line 4: entryId is not 2"}},
		{"an unknown event", replace(`{"refundEvent"`, `{"giftEvent"`), []string{"line 4: settlementEntryType is not one of", "the events and"}},
		{
			"two events in an entry", replace(`{"refundEvent"`, `{"aggregateAdjustment":`+adjustment("0")+`,"refundEvent"`),
			[]string{"line 4: settlementEntryType has a value", "the events and"},
		},
		{"no event in an entry", replace(`{"refundEvent":`+refundEvent("f", "-4000000000")+`}`, `{}`), []string{
			"line 4: settlementEntryType is required", "the events and",
		}},
		{"another currency", replace(`"-4000000000","currencyCode":"KRW"`, `"-4000000000","currencyCode":"USD"`), []string{
			"line 4: refundEvent.eventCharge.currencyCode has a value", "the events and",
		}},
		{"no fee", replace(`"eventFee"`, `"eventFees"`), []string{"line 3: captureEvent.eventFee is required", "the events and"}},
		{"a capture under a refund's id", replace(`"captureRequestId":"c"`, `"captureRequestId":"f"`), []string{"unknown captureRequestId"}},
		{
			"an event that is settled twice", replace(`"asynchronousRefundRequestId":"f"`, `"asynchronousRefundRequestId":"settled"`),
			[]string{"the refundEvent of settled is settled twice"},
		},
		{"a line that is no JSON", replace(`{"entryId":"2"`, `"entryId":"2"`), []string{"line 4 is not a strict JSON object", "the events and"}},
		{"an empty line", replace("\n{\"entryId\":\"2\"", "\n\n{\"entryId\":\"2\""), []string{
			"line 4 is not a strict JSON object", "line 5: entryId is not 3", "numberOfItems is 2, there are 3 entries",
		}},
		{"one line", func(name, _ string) (string, string) { return name, "{}\n" }, []string{"the file has 1 lines, and two are headers"}},
		{"no headers", func(name, _ string) (string, string) { return name, "[]\n[]\n" }, []string{
			"line 1 is not a strict JSON object", "line 2 is not a strict JSON object", "the name has another settlementId or account than the file",
		}},
	} {
		s := meet(t, "", reply(`{}`))
		s.google.ask(Exchange{Account: piaid, RequestID: "c", Method: captures.asked})
		s.google.ask(Exchange{Account: piaid, RequestID: "f", Method: refunds.asked})
		s.google.takeFile(s.sealedFile(fileOf("x", "0", "refundEvent:"+refundEvent("settled", "0"))))
		s.google.takeFile(s.sealedFile(c.edit(fileOf("s", "8616000000", one, refund))))
		got := s.google.Files()[1].Problems
		if len(got) != len(c.problems) {
			t.Errorf("%s: the problems are %q, want %q", c.why, got, c.problems)
			continue
		}
		for i, want := range c.problems {
			if !strings.HasPrefix(got[i], want) {
				t.Errorf("%s: problem %d is %q, want %q", c.why, i, got[i], want)
			}
		}
		for _, settled := range s.google.Settlements()[1:] {
			if settled.Complete != (c.problems == nil) || len(settled.Problems) != len(c.problems) {
				t.Errorf("%s: the settlement is %+v", c.why, settled)
			}
		}
		// What was refused can be told better.
		s.google.takeFile(s.sealedFile(fileOf("s", "8616000000", one, refund)))
		if last := s.google.Files()[2]; c.problems != nil && last.Problems != nil {
			t.Errorf("%s: the right file afterwards has %q", c.why, last.Problems)
		}
	}
}

const captureOfC = `[{"captureRequestId":"c","paymentIntegratorCaptureId":"own-c",` +
	`"eventCharge":{"amountMicros":"12900000000","currencyCode":"KRW"},"eventFee":{"amountMicros":"-258000000","currencyCode":"KRW"},` +
	`"eventVat":{"amountMicros":"-26000000","currencyCode":"KRW"}}]`

// What protects a file, and that both channels are one (Korea §5.9, §6.1).
func TestFilesSealed(t *testing.T) {
	s := paid(t, "")
	name, plain := fileOf("s", "12616000000", "captureEvent:"+captureEvent("c", "12900000000"))
	_, wire := s.sealedFile(name, plain)
	binary, ok := seal.Decode(wire)
	if !ok {
		t.Fatal("the seal is not base64")
	}
	stranger, err := seal.NewBox(seal.Config{Own: ring(t, made()["nobody"].private), Peer: ring(t, made()["google"].public)})
	must(t, err)
	forged, err := stranger.Seal([]byte(plain))
	must(t, err)
	const closed = "the file cannot be decrypted and verified"
	for _, c := range []struct {
		why, name string
		content   []byte
		problem   string
	}{
		{"in the open", name, []byte(plain), closed},
		{"a stranger's", name, forged, closed},
		{"spoiled", name, wire[:len(wire)/2], closed},
		{"empty", name, nil, closed},
		{"compressed and not called so", name, zipped(t, wire), closed},
		{"compressed badly", name + ".gz", zipped(t, wire)[:200], "the file is compressed badly"},
		{"as in the API", name, wire, ""},
		{"in bare packets", name, binary, ""},
		{"compressed", name + ".gz", zipped(t, binary), ""},
	} {
		s.google.takeFile(c.name, c.content)
		files := s.google.Files()
		if got := strings.Join(files[len(files)-1].Problems, "; "); got != c.problem {
			t.Errorf("%s: %q, want %q", c.why, got, c.problem)
		}
	}
	armored, err := seal.NewBox(seal.Config{Own: ring(t, made()["integrator"].private), Peer: ring(t, made()["google"].public), Armor: true})
	must(t, err)
	wire, err = armored.Seal([]byte(plain))
	must(t, err)
	block, err := base64.RawURLEncoding.DecodeString(string(wire))
	must(t, err)
	if s.google.takeFile(name, block); s.google.Files()[9].Problems != nil {
		t.Errorf("in armor: %q", s.google.Files()[9].Problems)
	}

	for _, c := range []struct {
		why, id, micros, problem string
		entries                  []string
	}{
		{"other content under the same id", "s", "0", "this settlement is complete, with another content", nil},
		{
			"the same event in another settlement", "t", "12616000000", "the captureEvent of c is settled twice",
			[]string{"captureEvent:" + captureEvent("c", "12900000000")},
		},
	} {
		s.google.takeFile(s.sealedFile(fileOf(c.id, c.micros, c.entries...)))
		files := s.google.Files()
		if got := strings.Join(files[len(files)-1].Problems, "; "); got != c.problem {
			t.Errorf("%s: %q, want %q", c.why, got, c.problem)
		}
	}
	for i, c := range []struct {
		why     string
		members map[string]string
		want    string
	}{
		{"the other channel, another amount", statementOf("s", 0, 1, "0"), newerCode("preconditionViolation")},
		{
			"the other channel, another settlement",
			but(statementOf("u", 0, 1, "12616000000"), "captureEvents", captureOfC), newerCode("preconditionViolation"),
		},
		{
			"the other channel, the same", but(statementOf("s", 0, 1, "12616000000"), "captureEvents", captureOfC), yes,
		},
	} {
		if got := s.tell(at("settlementNotification"), newer(fmt.Sprint("n", i), c.members)); got != c.want {
			t.Errorf("%s: %s, want %s", c.why, got, c.want)
		}
	}
}
