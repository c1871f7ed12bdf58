package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"naru/vault"
)

// naruKeys runs "naru keys" as typed.
func naruKeys(t *testing.T, args ...string) (stdout string, err error) {
	t.Helper()
	var c struct {
		Keys keysCmd `cmd:""`
	}
	var out, errOut bytes.Buffer
	parser, err := kong.New(&c, kong.Writers(&out, &errOut))
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parser.Parse(append([]string{"keys"}, args...))
	if err != nil {
		return "", err
	}
	err = parsed.Run()
	return out.String() + errOut.String(), err
}

// The rotation of gsp-core §2.4 as an operator types it.
func TestKeysCommand(t *testing.T) {
	dir := t.TempDir()
	own, google := filepath.Join(dir, "own"), filepath.Join(dir, "google")
	passphrase, public := filepath.Join(dir, "passphrase"), filepath.Join(dir, "public.asc")
	if err := os.WriteFile(passphrase, []byte("correct horse"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(wants string, args ...string) (out string) {
		t.Helper()
		out, err := naruKeys(t, args...)
		if err != nil {
			t.Fatalf("keys %s: %v", strings.Join(args, " "), err)
		}
		for _, want := range strings.Split(wants, "|") {
			if !strings.Contains(out, want) {
				t.Errorf("keys %s: no %q in\n%s", strings.Join(args, " "), want, out)
			}
		}
		return out
	}
	locked := []string{"--ring", own, "--passphrase-file", passphrase}
	first := run("Naru PG <pg@example.com>|pending|private|364 days", // and a part of the last one
		append(locked, "generate", "--name", "Naru PG", "--email", "pg@example.com")...)
	id := strings.Fields(strings.Split(first, "\n")[1])[0]
	run("active", append(locked, "state", id[32:], "active")...)
	if out := run("warning: no key", append(locked, "state", id, "retiring")...); !strings.Contains(out, "retiring") {
		t.Error(out)
	}
	run(id, append(locked, "list")...)
	if out := run("BEGIN PGP PUBLIC KEY BLOCK", append(locked, "export", id)...); strings.Contains(out, "PRIVATE") {
		t.Error("exported a private half")
	}
	run("", append(locked, "export", "-o", public)...)
	run("pending|public|"+id, "--ring", google, "import", public)
	run("364 days", "--ring", google, "list")

	for name, args := range map[string][]string{
		"no ring":                      {"list"},
		"a ring that is not there":     {"--ring", filepath.Join(dir, "none"), "list"},
		"a locked ring, no passphrase": {"--ring", own, "list"},
		"three years":                  append(locked, "generate", "--name", "x", "--days", "1095"),
		"1024 bits":                    append(locked, "generate", "--name", "x", "--bits", "1024"),
		"an unknown state":             append(locked, "state", id, "asleep"),
		"an unknown key":               append(locked, "state", "00000000", "active"),
		"not a key":                    append(locked, "import", passphrase),
	} {
		if out, err := naruKeys(t, args...); err == nil {
			t.Errorf("%s: accepted:\n%s", name, out)
		} else if strings.Contains(err.Error(), "horse") {
			t.Errorf("%s: the error quotes a secret: %v", name, err)
		}
	}
}

func TestKEKIsPrivateAndNeverOverwritten(t *testing.T) {
	file := filepath.Join(t.TempDir(), "kek")
	if _, err := naruKeys(t, "kek", file); err != nil {
		t.Fatal(err)
	}
	before, err := vault.ReadKEK(file) // refuses a file that others can read
	if err != nil {
		t.Fatal(err)
	}
	if _, err := naruKeys(t, "kek", file); err == nil {
		t.Error("a key was overwritten")
	}
	if after, err := vault.ReadKEK(file); err != nil || !bytes.Equal(before, after) {
		t.Errorf("the key changed: %v", err)
	}
}
