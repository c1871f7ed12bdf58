package seal

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

func TestGenerateKeyRules(t *testing.T) {
	for name, o := range map[string]KeyOptions{
		"too weak":       {Name: "x", Now: start, Bits: 1024},
		"odd size":       {Name: "x", Now: start, Bits: 2500},
		"too long":       {Name: "x", Now: start, Lifetime: 2*year + 48*time.Hour},
		"already over":   {Name: "x", Now: start, Lifetime: -time.Hour},
		"nameless":       {Now: start},
		"timeless":       {Name: "x"},
		"a bracket name": {Name: "x <y>", Now: start},
	} {
		if _, _, err := GenerateKey(o); err == nil {
			t.Errorf("%s: made", name)
		}
	}
	private, public, err := GenerateKey(KeyOptions{Name: "x", Bits: 3072, Now: start, Lifetime: 2 * year})
	must(t, err)
	r, err := ParseRing(private)
	must(t, err)
	k := r.Keys()[0]
	if k.Bits != 3072 || !k.Private || k.UserID != "x" || !k.NotAfter.Equal(start.Add(2*year)) || bytes.Contains(public, []byte("PRIVATE")) {
		t.Errorf("made %+v", k)
	}
}

// The life of a ring, as naru keys leads it.
func TestRingLife(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "own")
	r, err := CreateRing(dir, "")
	must(t, err)
	k, err := r.Generate(KeyOptions{Name: "Naru", Now: start}, Pending)
	must(t, err)
	if k.State != Pending || !k.Private || k.File != filepath.Join(dir, k.Fingerprint+".pending.asc") {
		t.Errorf("generated %+v", k)
	}
	if info, err := os.Stat(k.File); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, mode %v, want 0600", err, info.Mode())
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, mode %v, want 0700", err, info.Mode())
	}

	short := strings.ToLower(k.Fingerprint[24:])
	for _, s := range []State{Active, Active, Retiring, Revoked, Active} {
		k, err = r.SetState(short, s)
		must(t, err)
		again, err := LoadRing(dir)
		must(t, err)
		if k.State != s || again.Keys()[0].State != s || len(again.Keys()) != 1 {
			t.Errorf("%s: %+v, on disk %+v", s, k, again.Keys())
		}
	}

	g := key(t, "g1")
	done, err := r.Import(g.public, Active)
	must(t, err)
	if done[0].Fingerprint != g.fingerprint || done[0].State != Active || done[0].Private {
		t.Errorf("imported %+v", done)
	}
	_, err = r.SetState(g.fingerprint, Retiring)
	must(t, err)
	done, err = r.Import(g.public, Active) // renewing a key does not wake it
	must(t, err)
	if done[0].State != Retiring {
		t.Errorf("importing again made it %s", done[0].State)
	}

	var out bytes.Buffer
	must(t, r.Export(&out, short))
	if strings.Contains(out.String(), "PRIVATE") || fingerprint(t, out.Bytes()) != k.Fingerprint {
		t.Error("the export is not the public half")
	}
	done, err = r.Import(out.Bytes(), Active)
	if err == nil || !r.Keys()[0].Private && !r.Keys()[1].Private {
		t.Errorf("a public half replaced the private one: %+v", done)
	}
	out.Reset()
	must(t, r.Export(&out))
	if n := strings.Count(out.String(), "BEGIN PGP PUBLIC KEY BLOCK"); n != 2 {
		t.Errorf("exported %d keys, want 2", n)
	}

	for name, id := range map[string]string{"short": "1234", "unknown": "0123456789", "not hexadecimal": "xyzxyzxyz"} {
		if _, err := r.SetState(id, Active); err == nil {
			t.Errorf("%s id: taken", name)
		}
	}
	if _, err := r.SetState(short, "sleeping"); err == nil {
		t.Error("a state that is none: taken")
	}
	single, err := LoadRing(k.File)
	must(t, err)
	if _, err := single.SetState(short, Revoked); err == nil || single.Keys()[0].State != Active {
		t.Errorf("a single file changed its state: %v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, ".key-*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestLockedRing(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "passphrase")
	must(t, os.WriteFile(secret, []byte("correct horse\n"), 0o600))
	dir := t.TempDir()
	r, err := CreateRing(dir, secret)
	must(t, err)
	k, err := r.Import(key(t, "k1").private, Active)
	must(t, err)
	if e := entity(t, readFile(t, k[0].File)); !e.PrivateKey.Encrypted || !e.Subkeys[0].PrivateKey.Encrypted {
		t.Fatal("the private key lies on disk unlocked")
	}
	us := box(t, r, ring(t, key(t, "g1").public, Active))
	peer := box(t, ring(t, key(t, "g1").private, Active), ring(t, key(t, "k1").public, Active))
	wire, err := peer.Seal([]byte("text"))
	must(t, err)
	if got, why, err := opens(us, wire); err != nil || string(got.Plain) != "text" {
		t.Errorf("%v (%s)", err, why)
	}
	if _, err := LoadRing(dir); err == nil || !strings.Contains(err.Error(), "passphrase") {
		t.Errorf("loaded without a passphrase: %v", err)
	}
	for text, want := range map[string]string{"wrong": "does not open", "\n": "empty"} {
		must(t, os.WriteFile(secret, []byte(text), 0o600))
		if _, err := LoadLockedRing(dir, secret); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("passphrase %q: %v", text, err)
		}
	}
	must(t, os.Chmod(secret, 0o644))
	if _, err := LoadLockedRing(dir, secret); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("a passphrase that everybody reads: %v", err)
	}
}

// Every problem of a ring is named, each with its file, and none quotes what it read.
func TestBadRing(t *testing.T) {
	dir := t.TempDir()
	k, g := key(t, "k1"), key(t, "g1")
	weak := entity(t, g.public)
	weak.Subkeys, weak.Identities = nil, nil
	var bare bytes.Buffer
	must(t, weak.PrimaryKey.Serialize(&bare))
	for name, file := range map[string]struct {
		text []byte
		mode os.FileMode
	}{
		"stateless.asc":      {k.private, 0o600},
		"odd.sleeping.asc":   {k.private, 0o600},
		"noise.active.asc":   {[]byte("correct horse"), 0o600},
		"open.active.asc":    {k.private, 0o644},
		"two.active.asc":     {append(binaryKey(t, key(t, "g2")), binaryKey(t, key(t, "stranger"))...), 0o600},
		"first.active.asc":   {g.public, 0o644},
		"again.retiring.asc": {g.public, 0o644},
		"bare.active.asc":    {bare.Bytes(), 0o600},
	} {
		must(t, os.WriteFile(filepath.Join(dir, name), file.text, file.mode))
	}
	_, err := LoadRing(dir)
	if err == nil {
		t.Fatal("loaded")
	}
	for _, want := range []string{
		"stateless.asc says no state", "odd.sleeping.asc says no state", "noise.active.asc", "open.active.asc",
		"two.active.asc holds 2 keys", "twice", "bare.active.asc",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("does not say %q:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "horse") {
		t.Errorf("quotes the file: %v", err)
	}
	if _, err := LoadRing(filepath.Join(dir, "nowhere")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a ring that is not there: %v", err)
	}
}

// A ring that has not changed is not read again: servers look every few seconds, and unlocking a key is slow on purpose.
func TestReloadReadsOnlyWhatChanged(t *testing.T) {
	r := ring(t, key(t, "k1").private, Active)
	first := r.set.Load()
	must(t, r.Reload())
	if r.set.Load() != first {
		t.Error("read again though nothing had changed")
	}
	file := r.Keys()[0].File
	must(t, os.Chtimes(file, start, start.Add(-time.Hour)))
	must(t, r.Reload())
	if r.set.Load() == first {
		t.Error("not read again though the file had changed")
	}
	must(t, os.Chmod(file, 0o644))
	if err := r.Reload(); err == nil {
		t.Error("not read again though others can read the file")
	}
	must(t, os.Remove(file))
	must(t, r.Reload())
	if n := len(r.Keys()); n != 0 {
		t.Errorf("%d keys left after the file was removed", n)
	}
}

// A key that carries its own revocation is revoked whatever its file says, an elliptic or a weak key is no key for us, and a revoked
// or flagless subkey is not used.
func TestKeysThatMayNotBeUsed(t *testing.T) {
	cfg := &packet.Config{Time: func() time.Time { return start }}
	ours := ring(t, key(t, "k1").private, Active)
	seals := func(change func(*openpgp.Entity)) error {
		e := entity(t, key(t, "g1").private)
		change(e)
		text, err := armored(openpgp.PublicKeyType, e.Serialize)
		must(t, err)
		peer, err := ParseRing(text)
		if err != nil {
			return err
		}
		_, err = box(t, ours, peer).Seal([]byte("x"))
		return err
	}
	must(t, seals(func(*openpgp.Entity) {}))
	for name, change := range map[string]func(*openpgp.Entity){
		"revoked":    func(e *openpgp.Entity) { must(t, e.Revoke(packet.KeyCompromised, "", cfg)) },
		"superseded": func(e *openpgp.Entity) { must(t, e.Revoke(packet.KeySuperseded, "", cfg)) },
		"revoked subkey": func(e *openpgp.Entity) {
			must(t, e.Subkeys[0].Revoke(packet.KeyRetired, "", cfg))
		},
		"no encryption flag": func(e *openpgp.Entity) {
			b := e.Subkeys[0].Bindings[0].Packet
			b.FlagEncryptStorage, b.FlagEncryptCommunications = false, false
			must(t, e.Subkeys[0].ReSign(cfg))
		},
		"expired subkey": func(e *openpgp.Entity) {
			minute := uint32(60)
			e.Subkeys[0].Bindings[0].Packet.KeyLifetimeSecs = &minute
			must(t, e.Subkeys[0].ReSign(cfg))
		},
		"not yet born": func(e *openpgp.Entity) {
			*e = *entity(t, makeKey(t, KeyOptions{Name: "later", Now: start.Add(time.Hour)}).private)
		},
	} {
		if err := seals(change); !errors.Is(err, ErrNoKey) {
			t.Errorf("%s: %v, want %v", name, err, ErrNoKey)
		}
	}
	elliptic, err := openpgp.NewEntity("x", "", "", &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA})
	must(t, err)
	weak, err := openpgp.NewEntity("x", "", "", &packet.Config{RSABits: 1024})
	must(t, err)
	for _, e := range []*openpgp.Entity{elliptic, weak} {
		if err := seals(func(into *openpgp.Entity) { *into = *e }); err == nil || !strings.Contains(err.Error(), "not RSA") {
			t.Errorf("%v", err)
		}
	}
}

func TestTable(t *testing.T) {
	newYear := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	list := []Key{
		{Fingerprint: "AA", UserID: "Naru PG", State: Active, Private: true, Created: newYear, NotAfter: start.Add(61 * 24 * time.Hour)},
		{Fingerprint: "BB", State: Pending, NotAfter: start.Add(60 * 24 * time.Hour)},
		{Fingerprint: "CC", State: Retiring, NotAfter: start.Add(30 * 24 * time.Hour)},
		{Fingerprint: "DD", State: Revoked, NotAfter: start.Add(7 * 24 * time.Hour)},
		{Fingerprint: "EE", State: Active, NotAfter: start},
		{Fingerprint: "FF", State: Active},
	}
	var out bytes.Buffer
	must(t, WriteTable(&out, list, start))
	want := `FINGERPRINT  USER ID  STATE     HALF     CREATED     EXPIRES IN  ALARM
AA           Naru PG  active    private  2026-01-01  61 days     
BB           -        pending   public   0001-01-01  60 days     60d
CC           -        retiring  public   0001-01-01  30 days     30d
DD           -        revoked   public   0001-01-01  7 days      7d
EE           -        active    public   0001-01-01  0 days      EXPIRED
FF           -        active    public   0001-01-01  never       
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

func readFile(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(name)
	must(t, err)
	return text
}

func binaryKey(t testing.TB, k testKey) []byte {
	t.Helper()
	var out bytes.Buffer
	must(t, entity(t, k.public).Serialize(&out))
	return out.Bytes()
}
