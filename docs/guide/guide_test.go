// Package guide_test runs what the guides show.
package guide_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"naru/core/bank"
	"naru/sandbox"
)

// samples are the clients of docs/guide/merchant: how each is started, and the Debian package that brings its interpreter.
var samples = map[string]struct {
	command []string
	brings  string
}{
	"shell": {[]string{"sh", "merchant/shell/merchant.sh"}, "dash"},
	"go":    {[]string{"go", "run", "./merchant/go"}, "golang"},
	"php":   {[]string{"php", "merchant/php/merchant.php"}, "php-cli"},
	"node":  {[]string{"node", "merchant/node/merchant.mjs"}, "nodejs"},
}

// told is what each of them prints: an order, its transfer in whole won, the balance, and a payout.
var told = regexp.MustCompile(`^order PM\d{8}: transfer (\d+) won to 100200300400, http://\S+/gateway/portal/v1/payments/\w+
told: deposit (\S+) status 2, (\d+) won came, fee (\d+) won
balance: \d+ won
payout (POT\d{8}) is taken on
told: payout (\S+) status 3, fee 1000 won
$`)

// Every sample does what the guide says, with one sandbox for all at once. The first answer to its payout is lost on the way: it pays once.
// What a stranger tells it, it does not believe.
func TestSamples(t *testing.T) {
	for name, s := range samples {
		if _, err := exec.LookPath(s.command[0]); err != nil {
			t.Fatalf("%s is missing, and the %s sample needs it. Run make need, or install the package %s", s.command[0], name, s.brings)
		}
	}
	dir := t.TempDir()
	box, err := sandbox.Start(t.Context(), sandbox.Options{Dir: dir, Seed: 1})
	must(t, err)
	t.Cleanup(func() { must(t, box.Close()) })
	text, err := os.ReadFile(filepath.Join(dir, "sandbox.json"))
	must(t, err)
	earned := balance(t, box)

	var mu sync.Mutex
	t.Run("", func(t *testing.T) {
		for name, s := range samples {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				l := newLosing(t, box.Contract.Merchant.Base)
				file := filepath.Join(t.TempDir(), "sandbox.json")
				must(t, os.WriteFile(file, bytes.Replace(text, []byte(box.Contract.Merchant.Base), []byte(l.URL), 1), 0o600))
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
				defer cancel()
				cmd := exec.CommandContext(ctx, s.command[0], append(s.command[1:], file)...)
				cmd.WaitDelay = 5 * time.Second
				var problems strings.Builder
				cmd.Stderr = &problems
				out, err := cmd.Output()
				m := told.FindSubmatch(out)
				if err != nil || m == nil || problems.Len() > 0 && name != "shell" {
					t.Fatalf("%v\n%s%s", err, out, &problems)
				}
				shown, deposit, came, fee, payout := string(m[1]), string(m[2]), number(t, m[3]), number(t, m[4]), string(m[6])
				if strconv.FormatInt(came, 10) != shown || deposit != payout {
					t.Errorf("%s came of %s, as %s and %s", m[3], shown, deposit, payout)
				}
				mu.Lock()
				earned += came - fee - 51_000
				mu.Unlock()
				if list := query(t, box, "v2/payouts?payout_cl_id="+url.QueryEscape(payout)); list.Total != 1 || list.Data[0].ID != string(m[5]) {
					t.Errorf("the payouts of that number: %+v", list)
				}
				l.judge(payout)
			})
		}
	})
	if now := balance(t, box); now != earned {
		t.Errorf("the balance is %d won, and by what the samples say it is %d", now, earned)
	}
	acknowledged(t, box)
	tries(t, box)
}

var tried = regexp.MustCompile("`POST (/[a-z/]+)` `(\\{.*?\\})` \\|")

// tries asks the control port for everything that the guide wants its readers to try.
func tries(t *testing.T, box *sandbox.Sandbox) {
	t.Helper()
	text, err := os.ReadFile(page)
	must(t, err)
	calls := tried.FindAllStringSubmatch(string(text), -1)
	if len(calls) == 0 {
		t.Error("the guide has nothing to try")
	}
	for _, c := range calls {
		resp, err := http.Post(box.Contract.Control.Base+c[1], "application/json", strings.NewReader(c[2]))
		must(t, err)
		must(t, resp.Body.Close())
		if resp.StatusCode >= 300 {
			t.Errorf("POST %s %s: %s", c[1], c[2], resp.Status)
		}
	}
}

// acknowledged waits until nothing is owed to any merchant.
func acknowledged(t *testing.T, box *sandbox.Sandbox) {
	t.Helper()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for end := time.Now().Add(20 * time.Second); ; <-look.C {
		metrics := get(t, box.Contract.Admin.Base+"/metrics", "")
		switch {
		case strings.Contains(metrics, `naru_owed{what="notice"} 0`+"\n") && strings.Contains(metrics, `naru_owed{what="parked-notice"} 0`+"\n"):
			return
		case time.Now().After(end):
			t.Fatal("a notification was never acknowledged")
		}
	}
}

// losing stands between a merchant and the gateway. It loses the first answer to a payout, and sends a forged notification.
type losing struct {
	*httptest.Server
	t       *testing.T
	mu      sync.Mutex
	payouts []string      // the numbers that were asked for
	forged  chan []string // what a forged notification was answered, and things that are none
}

func newLosing(t *testing.T, to string) *losing {
	target, err := url.Parse(to)
	must(t, err)
	l := &losing{t: t, forged: make(chan []string, 1)}
	forward := httputil.NewSingleHostReverseProxy(target)
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		var in map[string]any
		if err != nil || r.Method == http.MethodPost && json.Unmarshal(body, &in) != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		switch {
		case in["payment_cl_id"] != nil:
			go l.forge(in)
		case in["payout_cl_id"] != nil && l.first(in["payout_cl_id"]):
			forward.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler) // it hangs up
		}
		forward.ServeHTTP(w, r)
	}))
	t.Cleanup(l.Close)
	return l
}

func (l *losing) first(number any) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.payouts = append(l.payouts, fmt.Sprint(number))
	return len(l.payouts) == 1
}

// forge tells a merchant that its order is paid, signed with another key, and things that no gateway says.
func (l *losing) forge(order map[string]any) {
	var answers []string
	for _, body := range []string{
		fmt.Sprintf(`{"payment_id":"PM00000000","payment_cl_id":%q,"platform_id":"PF0901","amount":3000000,"real_amount":3000000,"fee":0,`+
			`"status":2,"create_time":1767225601,"update_time":1767225601,"sign_type":"HMAC-SHA256","sign":%q}`,
			order["payment_cl_id"], strings.Repeat("0", 64)),
		`{"status":2}`, `{"status":2,"sign":5}`, `{"sign":null}`, `[]`, `null`, `"sign"`, `{`,
	} {
		resp, err := http.Post(fmt.Sprint(order["notify_url"]), "application/json", strings.NewReader(body))
		if err != nil {
			answers = append(answers, err.Error())
			continue
		}
		answer, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		answers = append(answers, strings.TrimSpace(string(answer))+fmt.Sprint(err))
	}
	l.forged <- answers
}

// judge says whether the merchant asked again with the same number, and refused what was forged.
func (l *losing) judge(number string) {
	l.t.Helper()
	if want := []string{number, number}; !slices.Equal(l.payouts, want) {
		l.t.Errorf("asked for payouts %v, not %v", l.payouts, want)
	}
	got := <-l.forged
	if got[0] != `{"error_code":"0004"}<nil>` {
		l.t.Errorf("a forged notification is answered %s", got[0])
	}
	for _, answer := range got {
		if strings.Contains(answer, `"0000"`) || !strings.HasSuffix(answer, "<nil>") {
			l.t.Errorf("what is no notification is answered %s", answer)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func number(t *testing.T, text []byte) int64 {
	t.Helper()
	n, err := strconv.ParseInt(string(text), 10, 64)
	must(t, err)
	return n
}

func get(t *testing.T, address, authorization string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	must(t, err)
	req.Header.Set("Authorization", authorization)
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s", address, resp.Status)
	}
	return string(body)
}

type list struct {
	Total int
	Data  []struct {
		ID string `json:"payout_id"`
	}
}

func query(t *testing.T, box *sandbox.Sandbox, path string) (l list) {
	t.Helper()
	m := box.Contract.Merchant
	must(t, json.Unmarshal([]byte(get(t, m.Base+"/gateway/api/"+path, m.Authorization)), &l))
	return l
}

// balance is what the sample merchant has, in won.
func balance(t *testing.T, box *sandbox.Sandbox) int64 {
	t.Helper()
	var b struct {
		Data struct {
			Total int64 `json:"total_balance"`
		}
	}
	m := box.Contract.Merchant
	must(t, json.Unmarshal([]byte(get(t, m.Base+"/gateway/api/v2/platforms/balance", m.Authorization)), &b))
	return b.Data.Total / 100
}

const page = "merchant.md"

// quoted is a block of code that follows the name of the file that it is taken from.
var (
	quoted = regexp.MustCompile("(?s)\\]\\((merchant/[^)]+)\\):\n\n```\\w*\n(.*?)```")
	linked = regexp.MustCompile(`\]\(([^)#:]+)(#[^)]*)?\)`)
)

// What the guide quotes are lines of its samples as they stand, and each sample is quoted. Its links lead somewhere.
func TestQuotations(t *testing.T) {
	text, err := os.ReadFile(page)
	must(t, err)
	from := map[string]bool{}
	for _, m := range quoted.FindAllStringSubmatch(string(text), -1) {
		source, err := os.ReadFile(m[1])
		must(t, err)
		if !bytes.Contains(source, []byte(m[2])) {
			t.Errorf("%s does not say\n%s", m[1], m[2])
		}
		from[filepath.Dir(m[1])] = true
	}
	for name := range samples {
		if !from["merchant/"+name] {
			t.Errorf("no block is quoted from merchant/%s: %v", name, slices.Sorted(maps.Keys(from)))
		}
	}
	for _, m := range linked.FindAllStringSubmatch(string(text), -1) { // not those of the web
		if _, err := os.Stat(m[1]); err != nil {
			t.Errorf("%v", err)
		}
	}
}

var (
	toSign  = regexp.MustCompile("(?s)The key is `(\\w+)`.*?```text\n(.*?)\n```.*?MD5\\s+`([0-9a-f]{32})`.*?HMAC-SHA256\\s+`([0-9a-f]{64})`")
	inGuide = regexp.MustCompile("(?m)^\\| `(\\d{4})` \\|")
	inCode  = regexp.MustCompile(`(?m)^\s\w+\s+Code = "(\d{4})"`)
	banks   = regexp.MustCompile("`([A-Z_]+_KR)` ")
)

// The worked signature is right, the codes are those that the gateway says, and the banks are those that can be paid.
func TestFacts(t *testing.T) {
	text, err := os.ReadFile(page)
	must(t, err)
	m := toSign.FindSubmatch(text)
	if m == nil {
		t.Fatal("there is no worked signature")
	}
	sum := md5.Sum(fmt.Appendf(nil, "%s&%s", m[2], m[1]))
	mac := hmac.New(sha256.New, m[1])
	mac.Write(m[2])
	if string(m[3]) != hex.EncodeToString(sum[:]) || string(m[4]) != hex.EncodeToString(mac.Sum(nil)) {
		t.Errorf("%s is signed %x and %x", m[2], sum, mac.Sum(nil))
	}
	wire, err := os.ReadFile("../../protocol/merchant/wire.go")
	must(t, err)
	codes := func(r *regexp.Regexp, in []byte) (list []string) {
		for _, m := range r.FindAllSubmatch(in, -1) {
			list = append(list, string(m[1]))
		}
		slices.Sort(list)
		return list
	}
	if told, said := codes(inGuide, text), codes(inCode, wire); !slices.Equal(told, said) {
		t.Errorf("the guide explains %v, and the gateway says %v", told, said)
	}
	var paid []string
	for _, b := range bank.List() {
		if b.Pays {
			paid = append(paid, b.Name)
		}
	}
	slices.Sort(paid)
	if told := codes(banks, text); !slices.Equal(told, paid) {
		t.Errorf("the guide lists %v, and %v can be paid", told, paid)
	}
}
