package bench

import (
	"path/filepath"
	"testing"

	"naru/core/card"
	"naru/platform"
)

// The servers that are measured have configurations that are good, on either store.
func TestConfigurationsAreGood(t *testing.T) {
	for kind, at := range map[string]struct {
		home  home
		place string
	}{SQLite: {files{}, "bench.db"}, Postgres: {(*cluster)(nil), "postgres://postgres@127.0.0.1:5432/bench"}} {
		for name, m := range methods {
			dir := t.TempDir()
			b := &run{
				server: server{dir: dir, home: at.home}, o: Options{Accounts: 3}, method: m, place: at.place,
				peer: &peer{address: map[string]string{acquirerPeer: "127.0.0.1:9", payoutBankPeer: "http://127.0.0.1:9/v1"}[m.peer]},
			}
			if err := b.configure(); err != nil {
				t.Fatal(err)
			}
			c, err := platform.Load(filepath.Join(dir, configFile))
			if err != nil {
				t.Errorf("%s on %s: %v", name, kind, err)
			} else if len(c.Accounts) != 3 {
				t.Errorf("%s on %s: %d accounts", name, kind, len(c.Accounts))
			}
		}
		dir := t.TempDir()
		b := &gateway{server: server{dir: dir, home: at.home}, key: card.Conceal("key")}
		if err := b.configure(at.place); err != nil {
			t.Fatal(err)
		}
		c, err := platform.Load(filepath.Join(dir, configFile))
		if err != nil || len(c.Merchants) != len(b.merchants) || len(c.Merchants) < 2 {
			t.Errorf("merchants on %s: %d, %v", kind, len(c.Merchants), err)
		}
	}
}
