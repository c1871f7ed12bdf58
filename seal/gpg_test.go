package seal

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// gnupg is GnuPG with a home of its own.
type gnupg struct {
	t    testing.TB
	home string
}

func newGnupg(t testing.TB, keys ...[]byte) *gnupg {
	t.Helper()
	if _, err := exec.LookPath("gpg"); err != nil {
		t.Fatal("these tests prove that we and GnuPG read each other: install gpg (Debian: apt-get install gnupg)")
	}
	home, err := os.MkdirTemp("", "gpg") // a socket lies in it, so the path must be short
	must(t, err)
	g := &gnupg{t, home}
	t.Cleanup(func() {
		stop := exec.Command("gpgconf", "--kill", "all")
		stop.Env = append(os.Environ(), "GNUPGHOME="+home)
		if out, err := stop.CombinedOutput(); err != nil {
			t.Errorf("gpgconf: %v: %s", err, out)
		}
		must(t, os.RemoveAll(home))
	})
	g.run(bytes.Join(keys, nil), "--import")
	return g
}

// run gives what gpg wrote and its status lines.
func (g *gnupg) run(in []byte, args ...string) (out []byte, status string) {
	g.t.Helper()
	cmd := exec.Command("gpg", append([]string{"--batch", "--no-tty", "--trust-model", "always", "--status-fd", "2"}, args...)...)
	cmd.Env = append(os.Environ(), "GNUPGHOME="+g.home, "LC_ALL=C")
	cmd.Stdin = bytes.NewReader(in)
	var told bytes.Buffer
	cmd.Stderr = &told
	out, err := cmd.Output()
	if err != nil {
		g.t.Fatalf("gpg %s: %v\n%s", strings.Join(args, " "), err, told.String())
	}
	return out, told.String()
}

// realTime is for boxes that talk to gpg, whose clock is not ours to set.
func realTime(c *Config) { c.Now = time.Now }

func TestGnupgToUs(t *testing.T) {
	k1, k2, g1, stranger := key(t, "k1"), key(t, "k2"), key(t, "g1"), key(t, "stranger")
	old, oldPublic := expired(t, "g0")
	gpg := newGnupg(t, k1.public, k2.public, g1.private, stranger.private, old.private)
	us := box(t, ring(t, k1.private, Active), ring(t, g1.public, Active, oldPublic.public, Active), realTime)
	both := box(t, ring(t, k1.private, Retiring, k2.private, Active), ring(t, g1.public, Active), realTime)
	by := func(signers ...testKey) (args []string) {
		for _, s := range signers {
			args = append(args, "--local-user", s.fingerprint)
		}
		return args
	}
	to := func(readers ...testKey) (args []string) {
		for _, r := range readers {
			args = append(args, "--recipient", r.fingerprint)
		}
		return args
	}
	for _, c := range []struct {
		name string
		args []string
		to   *Box
		why  reason
	}{
		{"plain", append(by(g1), to(k1)...), us, ""},
		{"armored", append(append(by(g1), to(k1)...), "--armor"), us, ""},
		{"text mode", append(append(by(g1), to(k1)...), "--textmode"), us, ""},
		{"uncompressed", append(append(by(g1), to(k1)...), "--compress-algo", "none"), us, ""},
		{"ZIP", append(append(by(g1), to(k1)...), "--compress-algo", "zip"), us, ""},
		{"ZLIB", append(append(by(g1), to(k1)...), "--compress-algo", "zlib"), us, ""},
		{"BZIP2", append(append(by(g1), to(k1)...), "--compress-algo", "bzip2"), us, malformed},
		{"two recipients", append(by(g1), to(k1, k2)...), both, ""},
		{"the new key alone", append(by(g1), to(k2)...), both, ""},
		{"the old key alone", append(by(g1), to(k1)...), both, ""},
		{"recipients hidden", append(append(by(g1), to(k1, k2)...), "--throw-keyids"), both, ""},
		{"known and unknown signer", append(by(g1, stranger), to(k1)...), us, ""},
		{"unknown and known signer", append(by(stranger, g1), to(k1)...), us, ""},
		{"expired, unknown and known signer", append(by(old, stranger, g1), to(k1)...), us, ""},
		{"unknown signer", append(by(stranger), to(k1)...), us, unknownSigner},
		{"expired signer", append(by(old), to(k1)...), us, staleSigner},
		{"SHA-256", append(append(by(g1), to(k1)...), "--digest-algo", "SHA256"), us, ""},
		{"SHA-1", append(append(by(g1), to(k1)...), "--digest-algo", "SHA1"), us, weakSignature},
		{"3DES", append(append(by(g1), to(k1)...), "--cipher-algo", "3DES"), us, undecryptable},
		{"CAST5", append(append(by(g1), to(k1)...), "--cipher-algo", "CAST5"), us, undecryptable},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, _ := gpg.run([]byte("{\"name\":\"김하늘\"}\n"), slices.Concat([]string{"--sign", "--encrypt"}, c.args)...)
			got, why, err := opens(c.to, Encode(out))
			if why != string(c.why) {
				t.Fatalf("got %v (%s), want (%s)", err, why, c.why)
			}
			if err == nil && (strings.ReplaceAll(string(got.Plain), "\r", "") != "{\"name\":\"김하늘\"}\n" || got.Signer != g1.fingerprint) {
				t.Errorf("got %q by %s", got.Plain, got.Signer)
			}
		})
	}
	out, _ := gpg.run([]byte("text"), append([]string{"--encrypt"}, to(k1)...)...)
	if _, why, err := opens(us, Encode(out)); err != ErrSignature {
		t.Errorf("not signed: %v (%s)", err, why)
	}
	out, _ = gpg.run([]byte("text"), append([]string{"--sign"}, by(g1)...)...)
	if _, why, err := opens(us, Encode(out)); err != ErrEncryption {
		t.Errorf("not encrypted: %v (%s)", err, why)
	}
}

func TestUsToGnupg(t *testing.T) {
	k1, k2, g1, g2 := key(t, "k1"), key(t, "k2"), key(t, "g1"), key(t, "g2")
	for _, armor := range []bool{false, true} {
		us := box(t, ring(t, k1.private, Active, k2.private, Active), ring(t, g1.public, Active, g2.public, Active),
			realTime, func(c *Config) { c.Armor = armor })
		plain := strings.Repeat(`{"name":"김하늘"}`, 500)
		wire, err := us.Seal([]byte(plain))
		must(t, err)
		bin, ok := Decode(wire)
		if !ok {
			t.Fatal("we cannot read our own base64url")
		}
		for _, reader := range []testKey{g1, g2} {
			gpg := newGnupg(t, reader.private, k1.public, k2.public)
			out, status := gpg.run(bin, "--decrypt")
			if string(out) != plain {
				t.Errorf("gpg read %d bytes, want %d", len(out), len(plain))
			}
			good := 0
			for line := range strings.Lines(status) {
				f := strings.Fields(line)
				switch {
				case len(f) > 3 && f[1] == "DECRYPTION_INFO":
					if f[2] != "2" || f[3] != "9" {
						t.Errorf("want an integrity packet (2) and AES-256 (9): %s", line)
					}
				case len(f) > 9 && f[1] == "VALIDSIG":
					if good++; f[9] != "9" {
						t.Errorf("want SHA-384 (9): %s", line)
					}
				}
			}
			if good != 2 || !strings.Contains(status, "GOODMDC") {
				t.Errorf("%d good signatures, want 2 and GOODMDC:\n%s", good, status)
			}
			packets, _ := gpg.run(bin, "--list-packets")
			if n := strings.Count(string(packets), ":pubkey enc packet: version 3, algo 1"); n != 2 {
				t.Errorf("%d recipients, want 2", n)
			}
			for _, not := range []string{":compressed packet", "notation"} {
				if strings.Contains(string(packets), not) {
					t.Errorf("gpg lists a %s", not)
				}
			}
		}
	}
}

// A new key looks to GnuPG as Google's rules want it (gsp-core §2.1), locked or not, and comes back the same.
func TestGnupgReadsOurKeys(t *testing.T) {
	secret := t.TempDir() + "/passphrase"
	must(t, os.WriteFile(secret, []byte("correct horse\n"), 0o600))
	r, err := CreateRing(t.TempDir()+"/own", secret)
	must(t, err)
	k, err := r.Generate(KeyOptions{Name: "Naru PG", Email: "pg@example.com", Now: time.Now().Add(-time.Minute)}, Pending)
	must(t, err)
	locked, err := os.ReadFile(k.File)
	must(t, err)

	gpg := newGnupg(t, k.Armored)
	listing, _ := gpg.run(nil, "--with-colons", "--fixed-list-mode", "--list-keys")
	var kinds []string
	for line := range strings.Lines(string(listing)) {
		f := strings.Split(line, ":")
		switch f[0] {
		case "pub", "sub":
			created, expires := seconds(t, f[5]), seconds(t, f[6])
			kinds = append(kinds, f[0]+" "+f[2]+" "+f[3]+" "+strings.Map(lower, f[11])+" "+expires.Sub(created).String())
		case "uid":
			kinds = append(kinds, f[9])
		}
	}
	want := []string{"pub 2048 1 sc 8760h0m0s", "Naru PG <pg@example.com>", "sub 2048 1 e 8760h0m0s"}
	slices.Sort(want[1:])
	slices.Sort(kinds[1:])
	if !slices.Equal(kinds, want) {
		t.Errorf("gpg lists %q, want %q", kinds, want)
	}
	packets, _ := gpg.run(k.Armored, "--list-packets")
	for _, want := range []string{"digest algo 9", "pref-sym-algos: 9 ", "pref-hash-algos: 9 "} {
		if !strings.Contains(string(packets), want) {
			t.Errorf("gpg does not list %q", want)
		}
	}

	gpg.run(locked, "--import")
	unlocked, _ := gpg.run(nil, "--pinentry-mode", "loopback", "--passphrase", "correct horse", "--armor", "--export-secret-keys")
	again := ring(t)
	if _, err := again.Import(unlocked, Active); err == nil || !strings.Contains(err.Error(), "locked") {
		t.Errorf("a locked key was imported without its passphrase: %v", err)
	}
	again, err = CreateRing(t.TempDir(), secret)
	must(t, err)
	back, err := again.Import(unlocked, Active)
	must(t, err)
	peer := key(t, "g1")
	us := box(t, again, ring(t, peer.public, Active), realTime)
	sealed, _ := newGnupg(t, peer.private, k.Armored).run([]byte("text"), "--sign", "--encrypt", "--recipient", k.Fingerprint)
	if got, why, err := opens(us, Encode(sealed)); err != nil || got.Recipient != back[0].Fingerprint {
		t.Errorf("%v (%s)", err, why)
	}
	if _, err := us.Open(context.Background(), Encode(locked)); err != ErrEncryption {
		t.Error(err)
	}
}

func seconds(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.ParseDuration(text + "s")
	must(t, err)
	return time.Unix(0, 0).Add(at)
}

// lower keeps what the key itself may do: gpg writes the whole key's abilities in capitals behind it.
func lower(r rune) rune {
	if r >= 'a' {
		return r
	}
	return -1
}
