package cards_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"naru/engine"
	"naru/protocol/gsp/cardfop"
	"naru/protocol/gsp/cards"
	"naru/protocol/gsp/gsptest"
	"naru/protocol/gsp/koreacards"
)

// The two folders have the same files, and what is in both is there because the wire differs (Card FOP v1 §10).
func TestTheFoldersReadAlike(t *testing.T) {
	justified := []string{
		"Profile", "Service", // each has its own profile
		// Korea's options are more
		"ReserveFundsRequest", "VerifyCardWithMinimumReservationRequest", "json additionalTransactionProcessingOptions",
		"json result", // of a capture here, of a check without money there
	}
	fop, korea, shared := declared(t, "../cardfop"), declared(t, "../koreacards"), declared(t, ".")
	for name := range fop.names {
		if korea.names[name] && !slices.Contains(justified, name) {
			t.Errorf("both folders have %s", name)
		}
	}
	for _, name := range justified {
		if !fop.names[name] || !korea.names[name] {
			t.Errorf("%s is not in both folders", name)
		}
	}
	for name := range shared.names {
		wider := name == "Profile" || name == "Service" || name == "AdditionalTransactionProcessingOptions" // what is here is inside
		if !strings.HasPrefix(name, "json ") && !wider && (fop.names[name] || korea.names[name]) {
			t.Errorf("%s stands here, and again", name)
		}
	}
	want := []string{"convert.go", "methods.go", "notify.go", "wire.go"}
	if !slices.Equal(fop.files, want) || !slices.Equal(korea.files, want) {
		t.Errorf("files %v and %v, want %v", fop.files, korea.files, want)
	}
}

type sources struct {
	files []string
	names map[string]bool // of types, and of members as they are spelled on the wire
}

func declared(t *testing.T, dir string) sources {
	t.Helper()
	paths, err := filepath.Glob(dir + "/*.go")
	if err != nil {
		t.Fatal(err)
	}
	out := sources{names: map[string]bool{}}
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		out.files = append(out.files, filepath.Base(path))
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.TypeSpec:
				if n.Name.IsExported() {
					out.names[n.Name.Name] = true
				}
			case *ast.Field:
				if n.Tag != nil {
					if name, _, _ := strings.Cut(reflect.StructTag(strings.Trim(n.Tag.Value, "`")).Get("json"), ","); name != "" {
						out.names["json "+name] = true
					}
				}
			}
			return true
		})
	}
	if len(out.names) == 0 {
		t.Fatalf("%s: nothing found", dir)
	}
	return out
}

// Both APIs have a word, or a reason for none, for everything that the engine may say, and tell of all that it may owe.
func TestBothAPIsSayEverything(t *testing.T) {
	for _, api := range []cards.API{koreacards.API, cardfop.API} {
		if len(api.Declines) != len(gsptest.Reasons(t)) { // every reason once: a table is checked when it is read
			t.Errorf("%s: %d rows for %d reasons", api.Name, len(api.Declines), len(gsptest.Reasons(t)))
		}
		for _, kind := range engine.NoticeKinds {
			has := slices.ContainsFunc(api.Notifications, func(n cards.Notification) bool { return n.Kind == kind })
			if has != kind.AboutCards() {
				t.Errorf("%s: %s has a method: %v", api.Name, kind, has)
			}
		}
		for _, certain := range []cards.RefundResultCode{"SUCCESS", "NO_MONEY_LEFT_ON_TRANSACTION", "REFUND_WINDOW_EXCEEDED"} {
			if !slices.Contains(api.Refunds, certain) { // nothing stands in for them
				t.Errorf("%s may leave %s out", api.Name, certain)
			}
		}
	}
}

// A table that says nothing where something must be said does not start.
func TestTablesOfDeclines(t *testing.T) {
	const head = "reason,code,reserve,capture,verify,otherwise\n"
	for name, table := range map[string]string{
		"other columns":         "reason,code,evidence,otherwise\na,A,korea,",
		"a column too few":      head + "a,A,yes,yes,yes",
		"a column too many":     head + "a,A,yes,yes,yes,,",
		"an unknown mark":       head + "a,A,yes,maybe,yes,B",
		"listed, nothing else":  head + "a,A,yes,listed,yes,",
		"never, nothing else":   head + "a,A,yes,no,yes,",
		"said, but no word":     head + "a,,yes,no,no,B",
		"a reason twice":        head + "a,A,yes,yes,yes,\na,B,yes,yes,yes,",
		"an unknown substitute": head + "a,A,yes,no,yes,404",
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("it is taken")
				}
			}()
			cards.Declines(table)
		})
	}
	if rows := cards.Declines(head + "a,A,yes,-,listed,503\nb,,no,no,no,ISSUER_DECLINED\n"); len(rows) != 2 {
		t.Errorf("%d rows", len(rows))
	}
}
