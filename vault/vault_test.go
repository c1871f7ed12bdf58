package vault_test

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"naru/vault"
)

type kept map[string][]byte

func (k kept) LoadKeyset(name string) ([]byte, bool, error) { b, ok := k[name]; return b, ok, nil }

func (k kept) SaveKeyset(name string, sealed []byte) (bool, error) {
	if _, ok := k[name]; ok {
		return false, nil
	}
	k[name] = sealed
	return true, nil
}

func kek(t *testing.T) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(vault.NewKEK()))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSealedValueOpensOnlyInItsPlaceAndAfterRestart(t *testing.T) {
	key, keysets := kek(t), kept{}
	v, err := vault.Open(key, keysets)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := v.Seal([]byte("9999990000000006"), "reservation.card/1")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, []byte("9999990000000006")) {
		t.Fatal("the sealed value shows what it seals")
	}
	if again, _ := v.Seal([]byte("9999990000000006"), "reservation.card/1"); bytes.Equal(again, sealed) {
		t.Fatal("two seals of one value are equal")
	}
	restarted, err := vault.OpenExisting(key, keysets)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := restarted.Open(sealed, "reservation.card/1"); err != nil || string(plain) != "9999990000000006" {
		t.Fatalf("got %q, %v", plain, err)
	}
	if _, err := restarted.Open(sealed, "reservation.card/2"); err != vault.ErrSealed {
		t.Fatalf("opened in another place: %v", err)
	}
	if _, err := vault.OpenExisting(kek(t), keysets); err == nil {
		t.Fatal("opened with another key-encryption key")
	}
	if _, err := vault.OpenExisting(key, kept{}); err != vault.ErrNoKeyset {
		t.Fatalf("got %v", err)
	}
}

func TestDigestTellsPurposeAndParts(t *testing.T) {
	v, err := vault.Open(kek(t), kept{})
	if err != nil {
		t.Fatal(err)
	}
	d, err := v.Digest("p", []byte("ab"), []byte("c"))
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		purpose string
		parts   [][]byte
		want    bool
	}{
		"same":            {"p", [][]byte{[]byte("ab"), []byte("c")}, true},
		"other split":     {"p", [][]byte{[]byte("a"), []byte("bc")}, false},
		"joined":          {"p", [][]byte{[]byte("abc")}, false},
		"other purpose":   {"q", [][]byte{[]byte("ab"), []byte("c")}, false},
		"purpose in data": {"", [][]byte{[]byte("p"), []byte("ab"), []byte("c")}, false},
	} {
		if ok, err := v.Verify(d, c.purpose, c.parts...); err != nil || ok != c.want {
			t.Errorf("%s: %v, %v", name, ok, err)
		}
	}
	if ok, _ := v.Verify(d[:10], "p", []byte("ab"), []byte("c")); ok {
		t.Error("a cut digest was accepted")
	}
}

func TestKEKFileMustBePrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kek")
	if err := os.WriteFile(path, []byte(vault.NewKEK()), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := vault.ReadKEK(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Fatalf("got %v", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if key, err := vault.ReadKEK(path); err != nil || len(key) != 32 {
		t.Fatalf("got %d bytes, %v", len(key), err)
	}
}
