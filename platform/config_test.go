package platform_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"naru/platform"
)

const example = "../docs/operate/naru.example.toml"

// The example is what operators start from: it must load, also with every key that it shows commented out.
func TestExampleIsGood(t *testing.T) {
	if _, err := platform.Load(example); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for line := range strings.Lines(string(text)) {
		if key, ok := strings.CutPrefix(line, "# "); ok && strings.Contains(key, " = ") && !strings.HasPrefix(key, "A ") && !strings.HasPrefix(key, "Paths") {
			line = key
		}
		if table, ok := strings.CutPrefix(line, "# ["); ok && !strings.HasPrefix(table, "acquirer.tls") { // needs files that there are not
			line = "[" + table
		}
		if strings.HasPrefix(line, "path = ") { // its place is taken by url
			continue
		}
		all.WriteString(line)
	}
	path := filepath.Join(t.TempDir(), "naru.toml")
	if err := os.WriteFile(path, []byte(all.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := platform.Load(path); err != nil {
		t.Errorf("with every key: %v", err)
	}
}

// Where everything is kept: a file or a cluster, and what naru serve --store says comes before both.
func TestPlaces(t *testing.T) {
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	const file = `path = "naru.db" `
	for _, c := range []struct{ store, place, want, refused string }{
		{file, "", "naru.db", ""},
		{file, "postgres://h/n", "postgres://h/n", ""},
		{`url = "postgres://h/n"`, "", "postgres://h/n", ""},
		{`url = "postgres://h/n"` + "\nconnections = 4", "other.db", "other.db", ""},
		{"", "", "", "store.path is missing, or store.url"},
		{file + "\n" + `url = "postgres://h/n"`, "", "", "write one of them"},
		{`url = "mysql://h/n"`, "", "", "no postgres:// address"},
		{file + "\nconnections = 4", "", "", "belong to store.url"},
		{file + "\n[node]\n" + `lease = "10ms"`, "", "", "less than 1s"},
		{file + "\n[node]\n" + `name = "a b"`, "", "", "node.name is"},
		{file + "\n[node]\n" + `drain = "2h"`, "", "", "node.drain"},
	} {
		parts := strings.SplitN(c.store, "\n[node]", 2)
		changed := strings.Replace(string(text), file, parts[0]+" ", 1)
		if len(parts) > 1 {
			changed += "\n[node]" + parts[1]
		}
		path := filepath.Join(t.TempDir(), "naru.toml")
		if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := platform.LoadAt(path, c.place)
		switch {
		case c.refused != "":
			if err == nil || !strings.Contains(err.Error(), c.refused) {
				t.Errorf("%q: %v", c.store, err)
			}
		case err != nil:
			t.Errorf("%q: %v", c.store, err)
		default:
			if at := got.Database(); at != c.want && filepath.Base(at) != c.want {
				t.Errorf("%q at %q: %s", c.store, c.place, at)
			}
		}
	}
}

// Whoever writes a configuration wants to hear of all mistakes at once, each with what to write instead.
func TestEveryProblemAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "naru.toml")
	err := os.WriteFile(path, []byte(`
environment = "test"
colour = "blue"
[log]
level = "loud"
[gsp]
listen = "7440"
google_base = "http://example.com"
tls_max = "1.1"
[gsp.paths.korea-cards-v1]
noSuchNotification = "/x"
[gsp.paths.no-such-paths]
[admin]
listen = "0.0.0.0:7444"
[[acquirer]]
name = "main"
profile = "pi99"
addresses = []
institution = "12A"
[[account]]
id = ""
apis = ["no-such-api"]
currencies = ["XXX"]
acquirer = "other"
terminals = ["SHORT"]
merchant = "M"
mcc = "58"
time_zone = "Mars/Olympus"
korea_cards = { emit = ["NO_SUCH_CODE"] }
[[account]]
id = "two"
apis = ["korea-cards-v1", "card-fop-v1"]
currencies = ["EUR"]
acquirer = "main"
terminals = ["PI000001"]
merchant = "PIMERCHANT00001"
mcc = "5816"
settle = { no_arn = true }
limits = { USD = { least = 1 }, EUR = { least = 2, most = 1 } }
fees_in = { JPY = { capture = 1 } }
[[account]]
id = "three"
apis = ["korea-cards-v1"]
currencies = ["KRW"]
acquirer = "main"
terminals = ["PI000001"]
merchant = "PIMERCHANT00001"
mcc = "5816"
fees = { capture_rate = 10001 }
card_fop = { skip_luhn = true }
disburse = { allow_ifsc_addresses = true }
payout_bank = "float"
[webhooks]
key = "webhooks.key"
[[payout_bank]]
name = "float"
webhooks = ["old", "new"]
guard = "perhaps"
resend = ["1m", "0s"]
attempts = -1
[[payout_bank]]
name = "float"
key_secret = "float.secret"
[[payout_bank]]
name = "the bank"
key_secret = "bank.secret"
[[account]]
id = "payouts to nobody"
apis = ["disburse-v1"]
currencies = ["INR"]
payout_bank = "nobody"
[[account]]
id = "payouts by card"
apis = ["disburse-v1"]
currencies = ["INR"]
payout_bank = "float"
acquirer = "main"
mcc = "5816"
[[account]]
id = "payouts in two currencies"
apis = ["disburse-v1"]
currencies = ["INR", "EUR"]
payout_bank = "float"
[[account]]
id = "float"
apis = ["disburse-v1"]
currencies = ["INR"]
payout_bank = "float"
settle = { part_size = 1 }
`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	_, err = platform.Load(path)
	if err == nil {
		t.Fatal("it loaded")
	}
	for _, want := range []string{
		`environment = "test"`, "colour", `log.level = "loud"`, "store.path is missing", "store.kek is missing", "gsp.listen", "gsp.google_base", "gsp.tls_max",
		"noSuchNotification", "gsp.cert is missing", "admin.remote = true", "pi99", "addresses is empty", "institution", "id is 1 to 100",
		"no-such-api", `"XXX" is unknown`, `no acquirer "other"`, `terminal "SHORT"`, `merchant "M"`, `mcc "58"`, "Mars/Olympus", "NO_SUCH_CODE",
		"no-such-paths", "has one of korea-cards-v1, card-fop-v1, disburse-v1", "time_zone is missing", `limits = "USD"`, "no amount fits",
		`fees_in = "JPY"`, "settle.no_arn", "at most 10 000", "apis does not name card-fop-v1",
		`webhooks.listen = "" is not host:port`, "webhooks: cert and key come together", "it needs cert and key", "webhooks.listen says nowhere",
		`(float): guard = "perhaps"`, "(float): key_secret is missing", "attempts and cap", "0s is no wait",
		"payout_bank 2 (float): the name stands twice",
		"payout_bank 3 (the bank): name is 1 to 32", `no payout_bank "nobody"`, "(payouts by card): an account that pays out has no acquirer",
		"(payouts in two currencies): currencies: payouts to UPI are in INR", "(float): settle", "(float): a payout_bank has the same name",
		"(three): payout_bank is set, and apis does not name disburse-v1", "disburse is set, and apis does not name disburse-v1",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("nothing about %s in\n%v", want, err)
		}
	}
}
