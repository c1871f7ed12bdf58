package bench

import (
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// found is what a run may have found.
func found(store string, by float64) All {
	a := All{Store: store, Growth: Growth{
		Method: "reserveFunds", Few: Grown{Payments: 10_000, CallMS: 3, DatabaseMS: by},
		Many: Grown{Payments: 1_000_000, CallMS: 3.1, DatabaseMS: by}, Ratio: 1.03,
	}}
	for _, m := range Methods() {
		a.GSP = append(a.GSP, Report{
			Method: m, FloorMS: 2.5, CallMS: 2.5 * by, DatabaseMS: .4, ToFloor: by, ToOpenSSL: 3 * by, HotRate: .95, HotToSpread: 1,
			RestartMS: 300, IdleMiB: 40, LoadMiB: 120, Latency: latency([]float64{3, 4, 5, 6, 9, 30}, 100),
		})
	}
	for _, n := range []int{1, 16, 64} {
		a.Merchant.Creates = append(a.Merchant.Creates, Creates{Workers: n, WithDBBare: .4 + by/10, ToBare: .3, HotRate: 1})
	}
	a.Merchant.IdleMiB, a.Merchant.LoadMiB = 44, 300
	return a
}

var notANumber = regexp.MustCompile(`NaN|Inf|="-`)

func TestPicturesAreWellFormed(t *testing.T) {
	for name, runs := range map[string][]All{
		"both": {found(SQLite, 1.1), found(Postgres, 1.4)}, "one": {found(SQLite, 1.2)}, "nothing measured": {{Store: SQLite}},
	} {
		dir := t.TempDir()
		if err := Plot(dir, runs); err != nil {
			t.Fatal(err)
		}
		for _, picture := range []string{"latency", "growth", "floor", "cpu", "orders"} {
			text, err := os.ReadFile(filepath.Join(dir, picture+".svg"))
			if err != nil {
				t.Fatal(err)
			}
			for d := xml.NewDecoder(strings.NewReader(string(text))); ; {
				if _, err := d.Token(); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					t.Fatalf("%s of %s: %v", picture, name, err)
				}
			}
			if bad := notANumber.FindString(string(text)); bad != "" {
				t.Errorf("%s of %s holds %s", picture, name, bad)
			}
			if !strings.Contains(string(text), "prefers-color-scheme: dark") {
				t.Errorf("%s reads on light paper only", picture)
			}
			if want := map[bool]string{false: SQLite, true: "not measured yet"}[name == "nothing measured"]; !strings.Contains(string(text), want) {
				t.Errorf("%s of %s does not say %q", picture, name, want)
			}
		}
	}
}

func TestGoalsSayWhatWasMissed(t *testing.T) {
	var b strings.Builder
	if err := (Runs{found(SQLite, 1.1), found(Postgres, 1.4)}).Write(&b); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"| figure | goal | sqlite | postgres | naru bench … |",
		"| CPU per capture / crypto floor | at most 1.25 | 1.10 | **1.40: missed** | `gsp --method capture` |",
		"| one hot merchant / spread, orders a second, 16 at once | at least 0.9 | 1.00 | 1.00 | `merchant` |",
		"| deposit orders / bare commits, per CPU second of server and database, 16 at once | at least 0.5 | 0.51 | 0.54 | `merchant` |",
		"| growth: CPU per call at 1 million payments / at 10 thousand | at most 1.1 | 1.03 | 1.03 | `growth` |",
		"| memory of the server, idle, the most of all runs | at most 64 MiB | 44 | 44 | `gsp, merchant` |",
		"| memory of the server under load, the most of all runs | at most 256 MiB | **300: missed** | **300: missed** | `gsp, merchant` |",
	} {
		if !strings.Contains(b.String(), line+"\n") {
			t.Errorf("missing: %s\nin\n%s", line, b.String())
		}
	}
}
