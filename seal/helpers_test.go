package seal

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// start is the moment at which all tests play; every key is an hour older.
var start = time.Now().Truncate(time.Second)

const year = 365 * 24 * time.Hour

type testKey struct {
	private, public []byte
	fingerprint     string
}

var keys = struct {
	sync.Mutex
	made map[string]testKey
}{made: map[string]testKey{}}

// key gives the key of that name, made once for all tests.
func key(t testing.TB, name string) testKey {
	t.Helper()
	keys.Lock()
	defer keys.Unlock()
	if k, ok := keys.made[name]; ok {
		return k
	}
	k := makeKey(t, KeyOptions{Name: name, Now: start.Add(-time.Hour)})
	keys.made[name] = k
	return k
}

func makeKey(t testing.TB, o KeyOptions) testKey {
	t.Helper()
	private, public, err := GenerateKey(o)
	must(t, err)
	return testKey{private, public, fingerprint(t, public)}
}

func fingerprint(t testing.TB, text []byte) string {
	t.Helper()
	r, err := ParseRing(text)
	must(t, err)
	return r.Keys()[0].Fingerprint
}

// expired gives the named key twice: as its owner still uses it, and as everybody else sees it, expired since yesterday.
func expired(t testing.TB, name string) (owners, others testKey) {
	t.Helper()
	keys.Lock()
	defer keys.Unlock()
	if k, ok := keys.made[name]; ok {
		return k, keys.made[name+" expired"]
	}
	owners = makeKey(t, KeyOptions{Name: name, Lifetime: 2 * year, Now: start.Add(-year - 24*time.Hour)})
	e := entity(t, owners.private)
	cfg := &packet.Config{Time: func() time.Time { return start.Add(-year) }}
	lifetime := uint32(year / time.Second)
	for _, id := range e.Identities {
		id.SelfCertifications[0].Packet.KeyLifetimeSecs = &lifetime
		must(t, id.ReSign(cfg))
	}
	others = owners
	var err error
	others.public, err = armored(openpgp.PublicKeyType, e.Serialize)
	must(t, err)
	keys.made[name], keys.made[name+" expired"] = owners, others
	return owners, others
}

func entity(t testing.TB, text []byte) *openpgp.Entity {
	t.Helper()
	list, err := parseKeys(text)
	must(t, err)
	return list[0]
}

// ring writes keys into a folder, the state of each after its text.
func ring(t testing.TB, textAndState ...any) *Ring {
	t.Helper()
	dir := t.TempDir()
	for i := 0; i < len(textAndState); i += 2 {
		text, state := textAndState[i].([]byte), textAndState[i+1].(State)
		must(t, os.WriteFile(filepath.Join(dir, fingerprint(t, text)+"."+string(state)+".asc"), text, 0o600))
	}
	r, err := LoadRing(dir)
	must(t, err)
	return r
}

// box is a Box at start that never pauses.
func box(t testing.TB, own, peer *Ring, change ...func(*Config)) *Box {
	t.Helper()
	cfg := Config{Own: own, Peer: peer, Now: func() time.Time { return start }, Pause: func(context.Context) {}}
	for _, c := range change {
		c(&cfg)
	}
	b, err := NewBox(cfg)
	must(t, err)
	return b
}

// pair is us and the peer, one key each.
func pair(t testing.TB, change ...func(*Config)) (us, peer *Box) {
	t.Helper()
	k, g := key(t, "k1"), key(t, "g1")
	return box(t, ring(t, k.private, Active), ring(t, g.public, Active), change...),
		box(t, ring(t, g.private, Active), ring(t, k.public, Active))
}

// opens is Open with its refusal.
func opens(b *Box, wire []byte) (got Opened, why string, err error) {
	b.cfg.Refused = func(r string) { why = r }
	got, err = b.Open(context.Background(), wire)
	return got, why, err
}

// A letter is a message as any sender might make it.
type letter struct {
	plain       string
	to          []testKey
	hide        bool // anonymous recipients
	from        []testKey
	bySubkey    bool // sign with the encryption subkey, which its flags forbid
	hash        crypto.Hash
	kind        packet.SignatureType
	cipher      packet.CipherFunction
	at          time.Time
	compress    packet.CompressionAlgo
	noIntegrity bool
	sign        func(*packet.Signature)
	before      []byte              // packets in front of the signed text
	after       []byte              // packets behind it
	signature   func([]byte) []byte // the serialized signature packets, changed
}

func (l letter) binary(t testing.TB) []byte {
	t.Helper()
	l.cipher = cmp.Or(l.cipher, packet.CipherAES256)
	session := bytes.Repeat([]byte{7}, l.cipher.KeySize())
	var out bytes.Buffer
	for _, k := range l.to {
		sub := entity(t, k.public).Subkeys[0].PublicKey
		must(t, packet.SerializeEncryptedKeyAEADwithHiddenOption(&out, sub, l.cipher, false, session, l.hide, nil))
	}
	return append(out.Bytes(), l.body(t, session)...)
}

func (l letter) body(t testing.TB, session []byte) []byte {
	t.Helper()
	l.hash, l.cipher = cmp.Or(l.hash, crypto.SHA384), cmp.Or(l.cipher, packet.CipherAES256)
	if l.at.IsZero() {
		l.at = start
	}
	deterministic := false // the library's salt cannot be combined with SHA-1
	cfg := &packet.Config{NonDeterministicSignaturesViaNotation: &deterministic}
	var text bytes.Buffer
	text.Write(l.before)
	var sigs bytes.Buffer
	for _, k := range l.from {
		signer := entity(t, k.private).PrivateKey
		if l.bySubkey {
			signer = entity(t, k.private).Subkeys[0].PrivateKey
		}
		h := l.hash.New()
		io.WriteString(h, l.plain)
		sig := &packet.Signature{
			SigType: l.kind, PubKeyAlgo: signer.PubKeyAlgo, Hash: l.hash, CreationTime: l.at, IssuerKeyId: &signer.KeyId,
		}
		if l.sign != nil {
			l.sign(sig)
		}
		must(t, sig.Sign(h, signer, cfg))
		must(t, sig.Serialize(&sigs))
	}
	literal, err := packet.SerializeLiteral(open{&text}, true, "", 0)
	must(t, err)
	io.WriteString(literal, l.plain)
	must(t, literal.Close())
	if l.signature != nil {
		text.Write(l.signature(sigs.Bytes()))
	} else {
		text.Write(sigs.Bytes())
	}
	text.Write(l.after)
	inner := text.Bytes()
	if l.compress != 0 {
		inner = compressed(t, l.compress, inner)
	}
	var out bytes.Buffer
	if l.noIntegrity {
		s, prefix := packet.NewOCFBEncrypter(aesBlock(t, session), make([]byte, 16), packet.OCFBResync)
		sealed := make([]byte, len(inner))
		s.XORKeyStream(sealed, inner)
		return rawPacket(tagNoIntegrity, append(prefix, sealed...))
	}
	w, err := packet.SerializeSymmetricallyEncrypted(&out, l.cipher, false, packet.CipherSuite{}, session, nil)
	must(t, err)
	w.Write(inner)
	must(t, w.Close())
	return out.Bytes()
}

func (l letter) wire(t testing.TB) []byte { t.Helper(); return Encode(l.binary(t)) }

func compressed(t testing.TB, algo packet.CompressionAlgo, inner []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := packet.SerializeCompressed(open{&out}, algo, nil)
	must(t, err)
	w.Write(inner)
	must(t, w.Close())
	return out.Bytes()
}

// rawPacket puts a new-format header with a five-octet length in front of contents.
func rawPacket(tag uint8, contents []byte) []byte {
	return append(binary.BigEndian.AppendUint32([]byte{0xC0 | tag, 255}, uint32(len(contents))), contents...)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
