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
		if strings.HasPrefix(line, "# folder") { // or an SFTP server: not both
			continue
		}
		if key, ok := strings.CutPrefix(line, "# "); ok && strings.Contains(key, " = ") && !strings.HasPrefix(key, "A ") && !strings.HasPrefix(key, "Paths") {
			line = key
		}
		if table, ok := strings.CutPrefix(line, "# ["); ok && !strings.HasPrefix(table, "acquirer.tls") { // needs files that there are not
			line = "[" + table
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
		"no-such-paths", "has one of korea-cards-v1 and card-fop-v1", "time_zone is missing", `limits = "USD"`, "no amount fits", `fees_in = "JPY"`,
		"settle.no_arn", "at most 10 000", "apis does not name card-fop-v1",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("nothing about %s in\n%v", want, err)
		}
	}
}
