package naru_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// layers says what each folder may import of this module. A folder speaks for all below it unless one below has a line of its own;
// a name that ends in /. is that folder alone.
// Why we care: money is safe to reason about only where the outside cannot reach. The domain knows no network and no database; the engine
// knows ports and nobody behind them; protocols, rails, the store and the outbox never see each other and meet in platform/wire.go.
var layers = map[string][]string{
	"core":              {"core"},
	"clock":             {},
	"crash":             {},
	"queue":             {"clock"},
	"room":              {},
	"vault":             {},
	"drop":              {},
	"names":             {},
	"pgserver":          {"pgserver"}, // servers to test against; the money path never meets them
	"seal":              {},
	"engine":            {"core", "clock", "crash", "queue", "names"},
	"store":             {"engine", "core", "crash"},
	"outbox":            {"engine", "clock", "crash", "queue"},
	"protocol":          {"protocol", "engine", "core", "seal", "outbox", "room"},
	"rail":              {"rail", "engine", "core"},
	"rail/iso8583":      {"engine", "core"},
	"rail/iso8583/sim":  {"rail/iso8583"}, // the dialect and nothing else, so that client and host cannot share a mistake
	"rail/upi":          {"core"},
	"rail/upi/sim":      {}, // it speaks from the sheet, and shares nothing with the adapter
	"rail/bankfeed":     {"drop", "names", "engine", "core"},
	"rail/bankfeed/sim": {}, // likewise
	"web":               {"web/look", "core", "room"},
	"web/look":          {},
	"web/desk":          {"web/look", "engine", "core"},
	"platform":          {"drop", "room", "web", "protocol", "rail", "store", "outbox", "engine", "core", "seal", "vault", "clock", "crash"},
	"fsck":              {"core", "vault"}, // an independent reader: never the code that wrote what it reads
	"sandbox/shop":      {},                // a merchant, written from the sheet alone
	"docs":              {},                // the samples of the guide know the wire alone
	"sandbox":           {"sandbox", "platform", "web", "protocol", "rail", "store", "engine", "core", "seal", "vault", "clock", "crash", "fsck"},
	"bench":             {"pgserver", "sandbox", "platform", "protocol", "rail", "store", "engine", "core", "seal", "vault", "clock", "crash"},
	"drill":             {"sandbox", "rail/iso8583", "store", "pgserver", "seal", "vault", "core", "fsck"},
	"cmd":               {"*"},
	"e2e":               {"*"},
	"killtest":          {"*"},
	"nodetest":          {"*"},
	"core/money":        {},
	"core/bank":         {},
	"core/deposit":      {"core"},
	"core/card":         {},
	"core/flow":         {},
	"core/fault":        {},
	"core/ledger":       {"core/money"},
	"core/payment":      {"core"},
	"core/payout":       {"core"},
	"core/settlement":   {"core"},
	"store/storetest":   {"store", "engine", "core"},

	"rail/upi/banktest": {"rail/upi/.", "core"},

	"protocol/merchant":       {"engine", "core", "outbox", "room"},
	"protocol/gsp/cards":      {"protocol/gsp/.", "engine", "core"},
	"protocol/gsp/gsptest":    {"protocol/gsp/.", "engine", "core", "seal"},
	"protocol/gsp/koreacards": {"protocol/gsp/.", "protocol/gsp/cards/.", "engine", "core"}, // the two card APIs never see each other
	"protocol/gsp/cardfop":    {"protocol/gsp/.", "protocol/gsp/cards/.", "engine", "core"},
	"protocol/gsp/disburse":   {"protocol/gsp/.", "engine", "core"},
}

// pure folders import nothing but the standard library and each other.
var pure = []string{"core"}

func TestLayers(t *testing.T) {
	checked := 0
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		dir := filepath.ToSlash(filepath.Dir(path))
		allowed, ok := rule(dir)
		if !ok {
			t.Errorf("%s: the folder has no line in the table of layers", dir)
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		checked++
		for _, i := range f.Imports {
			name := strings.Trim(i.Path.Value, `"`)
			own, ours := strings.CutPrefix(name, "naru/")
			switch {
			case ours && !within(own, allowed) && own != dir:
				t.Errorf("%s imports %s: %s may import %v. Turn the dependency round with a small interface of the caller, or meet in platform/wire.go.",
					path, name, dir, allowed)
			case !ours && strings.Contains(name, ".") && within(dir, pure):
				t.Errorf("%s imports %s: the domain knows the standard library and nothing else", path, name)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if checked == 0 {
		t.Fatal("no file was checked")
	}
}

// rule finds the line of the nearest folder.
func rule(dir string) ([]string, bool) {
	for d := dir; d != "."; d = filepath.ToSlash(filepath.Dir(d)) {
		if allowed, ok := layers[d]; ok {
			return allowed, true
		}
	}
	return nil, false
}

func within(folder string, list []string) bool {
	for _, l := range list {
		if l == "*" || folder == l || folder+"/." == l || strings.HasPrefix(folder, l+"/") {
			return true
		}
	}
	return false
}
