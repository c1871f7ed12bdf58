package seal

import (
	"bytes"
	"context"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

func aesBlock(t testing.TB, key []byte) cipher.Block {
	t.Helper()
	block, err := aes.NewCipher(key)
	must(t, err)
	return block
}

func TestRoundTrip(t *testing.T) {
	us, peer := pair(t)
	for _, plain := range []string{`{"a":1}`, "", strings.Repeat("x", 1000), strings.Repeat("줄\r\n", 100_000)} {
		wire, err := peer.Seal([]byte(plain))
		must(t, err)
		if i := bytes.IndexFunc(wire, func(r rune) bool { return !strings.ContainsRune(alphabet, r) }); i >= 0 {
			t.Errorf("sealed text holds %q", wire[i])
		}
		got, err := us.Open(context.Background(), wire)
		must(t, err)
		if string(got.Plain) != plain || got.Signer != key(t, "g1").fingerprint || got.Recipient != key(t, "k1").fingerprint {
			t.Errorf("%d bytes: got %d, signer %s, recipient %s", len(plain), len(got.Plain), got.Signer, got.Recipient)
		}
	}
}

// Heads, literal and signatures nest like brackets (RFC 4880 §5.4), and every algorithm is the one that gsp-core §2.1 wants.
func TestSealedStructure(t *testing.T) {
	k1, k2 := key(t, "k1"), key(t, "k2")
	us := box(t, ring(t, k1.private, Active, k2.private, Active), ring(t, key(t, "g1").public, Active))
	wire, err := us.Seal([]byte("text"))
	must(t, err)
	bin, _ := Decode(wire)
	m, why := us.scan(bin)
	if why != "" || !m.integrity {
		t.Fatalf("%s, integrity %v", why, m.integrity)
	}
	peer, err := ParseRing(key(t, "g1").private)
	must(t, err)
	cipher, session, err := m.attempts(peer.set.Load(), 1)[0].sessionKey(rand.Reader)
	must(t, err)
	body, ok := m.decipher(cipher, session)
	if !ok || cipher != packet.CipherAES256 {
		t.Fatalf("decrypted %v, cipher %d", ok, cipher)
	}
	var shape []string
	var open []uint64
	packets := packet.NewReader(bytes.NewReader(body))
	for {
		p, err := packets.Next()
		if err == io.EOF {
			break
		}
		must(t, err)
		switch p := p.(type) {
		case *packet.OnePassSignature:
			open = append(open, p.KeyId)
			shape = append(shape, fmt.Sprintf("head %v last %v", p.Hash, p.IsLast))
		case *packet.LiteralData:
			text, err := io.ReadAll(p.Body)
			must(t, err)
			shape = append(shape, fmt.Sprintf("literal %s %q %d", text, p.FileName, p.Time))
		case *packet.Signature:
			if last := len(open) - 1; *p.IssuerKeyId != open[last] {
				t.Errorf("signature by %X, want %X", *p.IssuerKeyId, open[last])
			} else {
				open = open[:last]
			}
			shape = append(shape, fmt.Sprintf("signature %v notations %d", p.Hash, len(p.Notations)))
		}
	}
	want := []string{
		"head SHA-384 last false", "head SHA-384 last true", `literal text "" 0`,
		"signature SHA-384 notations 0", "signature SHA-384 notations 0",
	}
	if !slices.Equal(shape, want) {
		t.Errorf("got %q, want %q", shape, want)
	}
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// gsp-core §2.4: every phase of the runbook, in both directions; X13.
func TestRotation(t *testing.T) {
	k1, k2, g1, g2 := key(t, "k1"), key(t, "k2"), key(t, "g1"), key(t, "g2")
	for _, phase := range []struct {
		name             string
		own              []any // our private keys
		google           []any // Google's public keys, at our side
		googleOwn        []any // Google's private keys
		googlePeer       []any // our public keys, at Google's side
		signers, readers []testKey
	}{
		{
			"steady",
			[]any{k1.private, Active},
			[]any{g1.public, Active},
			[]any{g1.private, Active},
			[]any{k1.public, Active},
			[]testKey{k1},
			[]testKey{g1},
		},
		{
			"our rotation: announced, Google knows only the old key",
			[]any{k1.private, Active, k2.private, Pending},
			[]any{g1.public, Active},
			[]any{g1.private, Active},
			[]any{k1.public, Active},
			[]testKey{k1},
			[]testKey{g1},
		},
		{
			"our rotation: add",
			[]any{k1.private, Active, k2.private, Active},
			[]any{g1.public, Active},
			[]any{g1.private, Active},
			[]any{k1.public, Active, k2.public, Active},
			[]testKey{k1, k2},
			[]testKey{g1},
		},
		{
			"our rotation: add, Google still knows only the old key",
			[]any{k1.private, Active, k2.private, Active},
			[]any{g1.public, Active},
			[]any{g1.private, Active},
			[]any{k1.public, Active},
			[]testKey{k1, k2},
			[]testKey{g1},
		},
		{
			"our rotation: Google switched",
			[]any{k1.private, Retiring, k2.private, Active},
			[]any{g1.public, Active},
			[]any{g1.private, Active},
			[]any{k2.public, Active},
			[]testKey{k2},
			[]testKey{g1},
		},
		{
			"our rotation: a last message to the old key",
			[]any{k1.private, Retiring, k2.private, Active},
			[]any{g1.public, Active},
			[]any{g1.private, Active},
			[]any{k1.public, Active, k2.public, Pending},
			[]testKey{k2},
			[]testKey{g1},
		},
		{
			"our rotation: done",
			[]any{k1.private, Revoked, k2.private, Active},
			[]any{g1.public, Active},
			[]any{g1.private, Active},
			[]any{k2.public, Active},
			[]testKey{k2},
			[]testKey{g1},
		},
		{
			"Google's rotation: add",
			[]any{k1.private, Active},
			[]any{g1.public, Active, g2.public, Active},
			[]any{g1.private, Active, g2.private, Active},
			[]any{k1.public, Active},
			[]testKey{k1},
			[]testKey{g1, g2},
		},
		{
			"Google's rotation: we know only the old key",
			[]any{k1.private, Active},
			[]any{g1.public, Active},
			[]any{g1.private, Active, g2.private, Active},
			[]any{k1.public, Active},
			[]testKey{k1},
			[]testKey{g1},
		},
		{
			"Google's rotation: it signs with the new key, known as pending",
			[]any{k1.private, Active},
			[]any{g1.public, Active, g2.public, Pending},
			[]any{g1.private, Pending, g2.private, Active},
			[]any{k1.public, Active},
			[]testKey{k1},
			[]testKey{g1},
		},
		{
			"Google's rotation: done",
			[]any{k1.private, Active},
			[]any{g1.public, Revoked, g2.public, Active},
			[]any{g2.private, Active},
			[]any{k1.public, Active},
			[]testKey{k1},
			[]testKey{g2},
		},
	} {
		t.Run(phase.name, func(t *testing.T) {
			us := box(t, ring(t, phase.own...), ring(t, phase.google...))
			google := box(t, ring(t, phase.googleOwn...), ring(t, phase.googlePeer...))
			for _, way := range []struct{ from, to *Box }{{google, us}, {us, google}} {
				wire, err := way.from.Seal([]byte("text"))
				must(t, err)
				got, why, err := opens(way.to, wire)
				if err != nil || string(got.Plain) != "text" {
					t.Errorf("%v (%s)", err, why)
				}
			}
			wire, err := us.Seal([]byte("text"))
			must(t, err)
			bin, _ := Decode(wire)
			m, _ := us.scan(bin)
			if len(m.recipients) != len(phase.readers) {
				t.Errorf("encrypted to %d keys, want %d", len(m.recipients), len(phase.readers))
			}
			for _, k := range phase.readers { // each reader alone can open it and finds every signer's signature
				for _, s := range phase.signers {
					alone := box(t, ring(t, k.private, Active), ring(t, s.public, Active))
					if got, why, err := opens(alone, wire); err != nil || got.Signer != s.fingerprint {
						t.Errorf("%v (%s)", err, why)
					}
				}
			}
		})
	}
}

// gsp-core §2.1: any one good signature is enough, none is not, and what stands beside it does no harm.
func TestSignatures(t *testing.T) {
	k, g, stranger := key(t, "k1"), key(t, "g1"), key(t, "stranger")
	old, oldPublic := expired(t, "g0")
	us := box(t, ring(t, k.private, Active, key(t, "k2").private, Revoked),
		ring(t, g.public, Active, oldPublic.public, Active, key(t, "g2").public, Revoked))
	to := []testKey{k}
	later := func(s uint32) func(*packet.Signature) {
		return func(sig *packet.Signature) { sig.SigLifetimeSecs = &s }
	}
	// change alters one octet of the first signature packet, whose header has three.
	change := func(at int, to func(byte) byte) func([]byte) []byte {
		return func(sigs []byte) []byte { sigs[3+at] = to(sigs[3+at]); return sigs }
	}
	set := func(value byte) func(byte) byte { return func(byte) byte { return value } }
	flip := func(b byte) byte { return ^b }
	const version, algorithm, digest, mpi = 0, 2, 3, 250
	for _, c := range []struct {
		name   string
		letter letter
		why    reason
	}{
		{"known", letter{from: []testKey{g}}, ""},
		{"unknown beside known", letter{from: []testKey{stranger, g}}, ""},
		{"known beside unknown", letter{from: []testKey{g, stranger}}, ""},
		{"expired beside known", letter{from: []testKey{old, g}}, ""},
		{"known beside expired", letter{from: []testKey{g, old}}, ""},
		{"revoked beside known", letter{from: []testKey{key(t, "g2"), g}}, ""},
		{"unknown public-key algorithm beside known", letter{from: []testKey{g, g}, signature: change(algorithm, set(99))}, ""},
		{"unknown digest beside known", letter{from: []testKey{g, g}, signature: change(digest, set(99))}, ""},
		{"unknown signature version beside known", letter{from: []testKey{g, g}, signature: change(version, set(77))}, ""},
		{"spoiled beside known", letter{from: []testKey{g, g}, signature: change(mpi, flip)}, ""},
		{"text signature", letter{from: []testKey{g}, kind: packet.SigTypeText}, ""},
		{"SHA-256", letter{from: []testKey{g}, hash: crypto.SHA256}, ""},
		{"SHA-512", letter{from: []testKey{g}, hash: crypto.SHA512}, ""},
		{"4 minutes old", letter{from: []testKey{g}, at: start.Add(-4 * time.Minute)}, ""},
		{"2 seconds ahead", letter{from: []testKey{g}, at: start.Add(2 * time.Second)}, ""},
		{"made for us", letter{from: []testKey{g}, sign: intendedFor(t, k)}, ""},

		{"none", letter{}, unsigned},
		{"unknown", letter{from: []testKey{stranger}}, unknownSigner},
		{"expired", letter{from: []testKey{old}}, staleSigner},
		{"expired, backdated to when it was not", letter{from: []testKey{old}, at: start.Add(-48 * time.Hour)}, staleSigner},
		{"revoked", letter{from: []testKey{key(t, "g2")}}, unknownSigner},
		{"SHA-1", letter{from: []testKey{g}, hash: crypto.SHA1}, weakSignature},
		{"MD5", letter{from: []testKey{g}, signature: change(digest, set(1))}, unknownSigner},
		{"over another type of thing", letter{from: []testKey{g}, kind: packet.SigTypeGenericCert}, weakSignature},
		{"6 minutes old", letter{from: []testKey{g}, at: start.Add(-6 * time.Minute)}, staleTime},
		{"6 minutes ahead", letter{from: []testKey{g}, at: start.Add(6 * time.Minute)}, staleTime},
		{"before its key", letter{from: []testKey{g}, at: start.Add(-2 * time.Hour)}, staleSigner},
		{"over, by its own word", letter{from: []testKey{g}, at: start.Add(-time.Minute), sign: later(30)}, staleTime},
		{"not over yet", letter{from: []testKey{g}, at: start.Add(-time.Minute), sign: later(90)}, ""},
		{"made for another", letter{from: []testKey{g}, sign: intendedFor(t, stranger)}, notForUs},
		{"made for a revoked key of ours", letter{from: []testKey{g}, sign: intendedFor(t, key(t, "k2"))}, notForUs},
		{"critical notation", letter{from: []testKey{g}, sign: func(s *packet.Signature) {
			s.Notations = []*packet.Notation{{Name: "a@b", Value: []byte("c"), IsCritical: true}}
		}}, weakSignature},
		{"spoiled", letter{from: []testKey{g}, signature: change(mpi, flip)}, badSignature},
		{"by an encryption subkey", letter{from: []testKey{g}, bySubkey: true}, staleSigner},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.letter.plain, c.letter.to = "a\r\nb", to
			got, why, err := opens(us, c.letter.wire(t))
			switch {
			case why != string(c.why) || err != c.why.publicOrNil():
				t.Errorf("got %v (%s), want %v (%s)", err, why, c.why.publicOrNil(), c.why)
			case err == nil && (got.Signer != g.fingerprint || string(got.Plain) != "a\r\nb"):
				t.Errorf("got %q signed by %s", got.Plain, got.Signer)
			case err != nil && got.Plain != nil:
				t.Error("refused, but the text came out")
			}
		})
	}
}

func (r reason) publicOrNil() error {
	if r == "" {
		return nil
	}
	return r.public()
}

func intendedFor(t testing.TB, k testKey) func(*packet.Signature) {
	fp := entity(t, k.public).PrimaryKey.Fingerprint
	return func(s *packet.Signature) {
		s.IntendedRecipients = []*packet.Recipient{{KeyVersion: 4, Fingerprint: fp}}
	}
}

// Every way to be undecryptable is one error, after one pause, whatever happened inside.
func TestOneErrorForEveryDecryptFailure(t *testing.T) {
	k, g := key(t, "k1"), key(t, "g1")
	good := letter{plain: "secret", to: []testKey{k}, from: []testKey{g}}
	bin := good.binary(t)
	head := 3 + int(bin[1]-192)<<8 + int(bin[2]) + 192 // of the recipient packet (RFC 4880 §4.2.2.2)
	change := func(at int) []byte {
		b := slices.Clone(bin)
		b[at] ^= 1
		return Encode(b)
	}
	both := letter{plain: "secret", to: []testKey{k, key(t, "k2")}, from: []testKey{g}}
	literal := rawPacket(tagLiteral, []byte("b\x00\x00\x00\x00\x00again"))
	pgpNoise := func(body ...byte) []byte { return Encode(rawPacket(tagEncrypted, body)) }
	for _, c := range []struct {
		name string
		wire []byte
		why  reason
	}{
		{"empty", nil, notBase64},
		{"not base64url", []byte("a+b/"), notBase64},
		{"JSON", []byte(`{"requestHeader":{}}`), notBase64},
		{"too large", bytes.Repeat([]byte("A"), 1<<20+1), tooLarge},
		{"noise", Encode([]byte("hello, world")), malformed},
		{"broken armor", Encode([]byte("-----BEGIN PGP MESSAGE-----\n\n!!!\n")), malformed},
		{"an armored key", Encode(k.public), malformed},
		{"signed only", Encode(good.signedOnly(t)), notEncrypted},
		{"half a recipient", Encode(bin[:head-1]), malformed},
		{"recipients without a body", Encode(bin[:head]), notEncrypted},
		{"a body without recipients", Encode(good.body(t, make([]byte, 32))), noRecipient},
		{"empty body", pgpNoise(), malformed},
		{"AEAD body", pgpNoise(2, 9, 2, 6), malformed},
		{"trailing packet", Encode(append(slices.Clone(bin), literal...)), malformed},
		{"to somebody else", letter{plain: "x", to: []testKey{key(t, "stranger")}, from: []testKey{g}}.wire(t), noRecipient},
		{"no integrity packet", letter{plain: "x", to: []testKey{k}, from: []testKey{g}, noIntegrity: true}.wire(t), noIntegrity},
		{"spoiled session key", change(100), undecryptable},
		{"spoiled body", change(len(bin) - 40), undecryptable},
		{"spoiled integrity", change(len(bin) - 1), undecryptable},
		{"session key of another body", Encode(append(slices.Clone(bin[:head]), good.body(t, make([]byte, 32))...)), undecryptable},
		{"truncated", Encode(bin[:len(bin)-30]), malformed},
		{"two literals", letter{plain: "x", to: []testKey{k}, from: []testKey{g}, after: literal}.wire(t), malformed},
		{"unknown critical packet", letter{plain: "x", to: []testKey{k}, from: []testKey{g}, after: rawPacket(30, nil)}.wire(t), malformed},
		{"compressed noise", letter{plain: "x", to: []testKey{k}, before: rawPacket(tagCompressed, []byte("\x01noise"))}.wire(t), malformed},
		{"compressed in an unknown way", letter{plain: "x", to: []testKey{k}, before: rawPacket(tagCompressed, []byte{3, 0})}.wire(t), malformed},
		{"compressed twice", letter{
			plain: "x", to: []testKey{k}, compress: packet.CompressionZIP,
			before: compressed(t, packet.CompressionZLIB, literal),
		}.wire(t), malformed},
		{"a short literal", letter{plain: "x", to: []testKey{k}, before: rawPacket(tagLiteral, []byte("b\x09"))}.wire(t), malformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			pauses := 0
			us := box(t, ring(t, k.private, Active), ring(t, g.public, Active), func(c *Config) {
				c.Pause = func(context.Context) { pauses++ }
			})
			got, why, err := opens(us, c.wire)
			if err != ErrEncryption || why != string(c.why) || pauses != 1 || got.Plain != nil {
				t.Errorf("got %v (%s), %d pauses, want %v (%s) after one", err, why, pauses, ErrEncryption, c.why)
			}
		})
	}
	// A spoiled session key for one of our keys does not spoil the one for the other.
	us := box(t, ring(t, k.private, Active, key(t, "k2").private, Active), ring(t, g.public, Active))
	bin = both.binary(t)
	bin[100] ^= 1
	if got, why, err := opens(us, Encode(bin)); err != nil || got.Recipient != key(t, "k2").fingerprint {
		t.Errorf("%v (%s)", err, why)
	}
}

func (l letter) signedOnly(t testing.TB) []byte {
	var out bytes.Buffer
	w, err := packet.SerializeLiteral(open{&out}, true, "", 0)
	must(t, err)
	w.Write([]byte(l.plain))
	must(t, w.Close())
	return out.Bytes()
}

// A session key that is spoiled in any way comes back as a random one, without an error.
func TestSpoiledSessionKeyIsReplaced(t *testing.T) {
	r, err := ParseRing(key(t, "k1").private)
	must(t, err)
	k := r.set.Load().decrypting()[0]
	block := func(cipher packet.CipherFunction, key []byte, sum uint16) []byte {
		b := append([]byte{byte(cipher)}, key...)
		return append(b, byte(sum>>8), byte(sum))
	}
	ones := bytes.Repeat([]byte{1}, 32)
	for _, c := range []struct {
		name  string
		block []byte
		kept  bool
	}{
		{"AES-256", block(packet.CipherAES256, ones, 32), true},
		{"AES-192", block(packet.CipherAES192, ones[:24], 24), true},
		{"AES-128", block(packet.CipherAES128, ones[:16], 16), true},
		{"wrong sum", block(packet.CipherAES256, ones, 33), false},
		{"wrong length", block(packet.CipherAES256, ones[:31], 31), false},
		{"IDEA", block(1, ones[:16], 16), false},
		{"3DES", block(packet.Cipher3DES, ones[:24], 24), false},
		{"CAST5", block(packet.CipherCAST5, ones[:16], 16), false},
		{"Twofish", block(10, ones, 32), false},
		{"short", []byte{9}, false},
		{"empty", nil, false},
	} {
		//lint:ignore SA1019 a session key is spoiled on purpose here
		sealed, err := rsa.EncryptPKCS1v15(rand.Reader, k.pub.PublicKey.(*rsa.PublicKey), c.block)
		must(t, err)
		cipher, got, err := attempt{k, sealed}.sessionKey(rand.Reader)
		must(t, err)
		if kept := bytes.HasPrefix(ones, got); kept != c.kept || len(got) != cipher.KeySize() {
			t.Errorf("%s: kept %v, cipher %d, %d bytes", c.name, kept, cipher, len(got))
		}
	}
	for _, noise := range [][]byte{{}, {1}, bytes.Repeat([]byte{255}, 256), bytes.Repeat([]byte{3}, 300)} {
		cipher, got, err := attempt{k, noise}.sessionKey(rand.Reader)
		if err != nil || cipher != packet.CipherAES256 || len(got) != 32 {
			t.Errorf("noise: %v, cipher %d, %d bytes", err, cipher, len(got))
		}
	}
}

// Wire forms of gsp-core §2.1; X14, X15.
func TestForms(t *testing.T) {
	k, g := key(t, "k1"), key(t, "g1")
	us, peer := pair(t)
	armoring := box(t, ring(t, g.private, Active), ring(t, k.public, Active), func(c *Config) { c.Armor = true })
	armoredWire, err := armoring.Seal([]byte("text"))
	must(t, err)
	if bin, _ := Decode(armoredWire); !bytes.HasPrefix(bin, []byte("-----BEGIN PGP MESSAGE-----")) {
		t.Error("not armored")
	}
	wire, err := peer.Seal([]byte("text"))
	must(t, err)
	bin, _ := Decode(wire)
	l := letter{plain: "text", to: []testKey{k}, from: []testKey{g}}
	with := func(change func(*letter)) []byte {
		c := l
		change(&c)
		return c.wire(t)
	}
	for name, wire := range map[string][]byte{
		"binary":               wire,
		"padded":               []byte(base64.URLEncoding.EncodeToString(bin)),
		"trailing CR LF":       append(slices.Clone(wire), "\r\n \n"...),
		"padded, trailing LF":  append([]byte(base64.URLEncoding.EncodeToString(bin)), '\n'),
		"armored":              armoredWire,
		"ZIP":                  with(func(l *letter) { l.compress = packet.CompressionZIP }),
		"ZLIB":                 with(func(l *letter) { l.compress = packet.CompressionZLIB }),
		"AES-128":              with(func(l *letter) { l.cipher = packet.CipherAES128 }),
		"hidden recipient":     with(func(l *letter) { l.hide = true }),
		"marker and padding":   with(func(l *letter) { l.before = append(rawPacket(tagMarker, []byte("PGP")), rawPacket(tagPadding, nil)...) }),
		"an uncritical packet": with(func(l *letter) { l.after = rawPacket(60, []byte("private")) }),
		"passphrase beside":    Encode(append(rawPacket(tagPassphrase, []byte{4, 9, 0, 8}), l.binary(t)...)),
	} {
		if got, why, err := opens(us, wire); err != nil || string(got.Plain) != "text" {
			t.Errorf("%s: %v (%s)", name, err, why)
		}
	}
}

// gsp-core O4: without an integrity packet only by switch, and only under a good signature; anything else is one failure.
func TestNoIntegrity(t *testing.T) {
	k, g := key(t, "k1"), key(t, "g1")
	lax := box(t, ring(t, k.private, Active), ring(t, g.public, Active), func(c *Config) { c.AllowNoIntegrity = true })
	l := letter{plain: "text", to: []testKey{k}, from: []testKey{g}, noIntegrity: true}
	if got, why, err := opens(lax, l.wire(t)); err != nil || string(got.Plain) != "text" {
		t.Errorf("%v (%s)", err, why)
	}
	l.from = []testKey{key(t, "stranger")}
	if _, why, err := opens(lax, l.wire(t)); err != ErrEncryption {
		t.Errorf("by a stranger: %v (%s)", err, why)
	}
	l.from = nil
	if _, why, err := opens(lax, l.wire(t)); err != ErrEncryption {
		t.Errorf("unsigned: %v (%s)", err, why)
	}
}

// X20: bombs end early. The limits stand in design §3.9.
func TestBounds(t *testing.T) {
	k, g := key(t, "k1"), key(t, "g1")
	us, _ := pair(t)
	hundred := func(l letter) letter {
		l.from = nil
		one := letter{plain: "x", from: []testKey{key(t, "stranger")}}
		var sigs []byte
		one.signature = func(s []byte) []byte { sigs = s; return s }
		one.body(t, make([]byte, 32))
		l.after = bytes.Repeat(sigs, 100)
		return l
	}
	nine := slices.Repeat([]testKey{key(t, "stranger")}, 8)
	seventeen := slices.Repeat([]testKey{g}, 17)
	for _, c := range []struct {
		name   string
		letter letter
		why    reason
	}{
		{"eight recipients, ours last", letter{to: append(nine[:7:7], k), from: []testKey{g}}, ""},
		{"nine recipients", letter{to: append(nine, k), from: []testKey{g}}, tooMany},
		{"100 recipients", letter{to: slices.Repeat([]testKey{k}, 100)}, tooMany},
		{"16 signatures", letter{to: []testKey{k}, from: seventeen[:16]}, ""},
		{"17 signatures", letter{to: []testKey{k}, from: seventeen}, tooMany},
		{"100 signatures", hundred(letter{to: []testKey{k}}), tooMany},
		{"1000 packets", letter{to: []testKey{k}, before: bytes.Repeat(rawPacket(tagPadding, nil), 1000)}, tooMany},
		{"bomb", letter{to: []testKey{k}, plain: strings.Repeat("0", 16<<20), compress: packet.CompressionZLIB}, tooLarge},
		{"just over", letter{to: []testKey{k}, plain: strings.Repeat("0", 1<<20+1), compress: packet.CompressionZIP}, tooLarge},
		{"just fits", letter{to: []testKey{k}, from: []testKey{g}, plain: strings.Repeat("0", 1<<20), compress: packet.CompressionZIP}, ""},
		{"our hidden key is the fourth", letter{to: append(nine[:3:3], k), from: []testKey{g}, hide: true}, ""},
		{"our hidden key is the fifth", letter{to: append(nine[:4:4], k), from: []testKey{g}, hide: true}, undecryptable},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, why, err := opens(us, c.letter.wire(t)); why != string(c.why) {
				t.Errorf("got %v (%s), want (%s)", err, why, c.why)
			}
		})
	}
	if _, why, err := opens(us, Encode(bytes.Repeat(rawPacket(tagPadding, nil), 1000))); why != string(tooMany) {
		t.Errorf("1000 packets outside: %v (%s)", err, why)
	}
}

// Beyond the cap nothing costs a private operation, and a second later all is well. Good messages cost nothing.
func TestFailuresAreCapped(t *testing.T) {
	k, g := key(t, "k1"), key(t, "g1")
	now := start
	us, peer := pair(t, func(c *Config) {
		c.Limits.Failures = 3
		c.Now = func() time.Time { return now }
	})
	good, err := peer.Seal([]byte("text"))
	must(t, err)
	bad := letter{plain: "x", to: []testKey{k}, from: []testKey{key(t, "stranger")}}.wire(t)
	foreign := letter{plain: "x", to: []testKey{key(t, "stranger")}, from: []testKey{g}}.wire(t)
	expect := func(wire []byte, want error) {
		t.Helper()
		if _, why, err := opens(us, wire); err != want {
			t.Errorf("got %v (%s), want %v", err, why, want)
		}
	}
	for range 5 {
		expect(good, nil)
		expect(foreign, ErrEncryption) // costs no private operation, so it is not counted
	}
	for range 3 {
		expect(bad, ErrSignature)
	}
	expect(bad, ErrBusy)
	expect(good, ErrBusy)
	now = now.Add(time.Second)
	expect(good, nil)
	for range 3 {
		expect(bad, ErrSignature)
	}
	expect(bad, ErrBusy)
}

func TestDefaultPauseEndsWithTheCaller(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	pause(ctx)
	us, _ := pair(t, func(c *Config) { c.Pause = nil })
	if _, err := us.Open(context.Background(), []byte("!")); err != ErrEncryption {
		t.Error(err)
	}
}

// gsp-core §2.4: an expired key of ours may still decrypt but does not sign; an expired key of theirs is not encrypted to.
func TestExpiredKeys(t *testing.T) {
	k, g := key(t, "k1"), key(t, "g1")
	old, oldPublic := expired(t, "g0")
	ours := entity(t, old.private)
	for _, id := range ours.Identities {
		for _, other := range entity(t, oldPublic.public).Identities {
			id.SelfCertifications = other.SelfCertifications
		}
	}
	oldPrivate, err := armoredPrivate(ours, nil)
	must(t, err)

	us := box(t, ring(t, oldPrivate, Active, k.private, Active), ring(t, g.public, Active, oldPublic.public, Active))
	got, why, err := opens(us, letter{plain: "x", to: []testKey{old}, from: []testKey{g}}.wire(t))
	if err != nil || got.Recipient != old.fingerprint {
		t.Errorf("our expired key does not decrypt: %v (%s)", err, why)
	}
	wire, err := us.Seal([]byte("x"))
	must(t, err)
	bin, _ := Decode(wire)
	if m, _ := us.scan(bin); len(m.recipients) != 1 {
		t.Errorf("encrypted to %d keys, want the one that has not expired", len(m.recipients))
	}
	toOld := box(t, ring(t, g.private, Active), ring(t, old.public, Active))
	if _, why, _ := opens(toOld, wire); why != string(unknownSigner) {
		t.Errorf("our expired key signed (%s)", why)
	}
	must(t, us.Ready())

	lonely := box(t, ring(t, oldPrivate, Active), ring(t, oldPublic.public, Active))
	if _, err := lonely.Seal([]byte("x")); !errors.Is(err, ErrNoKey) {
		t.Errorf("sealed with expired keys: %v", err)
	}
	err = lonely.Ready()
	for _, want := range []string{"can sign", "encrypted to", "verified"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Ready does not say %q: %v", want, err)
		}
	}
}

// X16 and mix-ups of halves.
func TestWrongKeys(t *testing.T) {
	k, g := key(t, "k1"), key(t, "g1")
	us, _ := pair(t)
	sandbox := box(t, ring(t, key(t, "g2").private, Active), ring(t, k.public, Active))
	wire, err := sandbox.Seal([]byte("x"))
	must(t, err)
	if _, _, err := opens(us, wire); err != ErrSignature {
		t.Errorf("signed with the sandbox key: %v", err)
	}
	sandbox = box(t, ring(t, g.private, Active), ring(t, key(t, "k2").public, Active))
	wire, err = sandbox.Seal([]byte("x"))
	must(t, err)
	if _, _, err := opens(us, wire); err != ErrEncryption {
		t.Errorf("encrypted to the sandbox key: %v", err)
	}
	for name, cfg := range map[string]Config{
		"own holds a public half":    {Own: ring(t, k.public, Active), Peer: ring(t, g.public, Active)},
		"peer holds a private half":  {Own: ring(t, k.private, Active), Peer: ring(t, g.private, Active)},
		"own is empty":               {Own: ring(t), Peer: ring(t, g.public, Active)},
		"no rings":                   {},
		"one public half beside own": {Own: ring(t, k.private, Active, g.public, Pending), Peer: ring(t, g.public, Active)},
	} {
		if _, err := NewBox(cfg); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// Keys change their state under a running box; run with -race.
func TestReloadWhileBusy(t *testing.T) {
	k, g, g2 := key(t, "k1"), key(t, "g1"), key(t, "g2")
	peerRing := ring(t, g.public, Active, g2.public, Pending)
	us := box(t, ring(t, k.private, Active), peerRing)
	google := box(t, ring(t, g.private, Active), ring(t, k.public, Active))
	wire, err := google.Seal([]byte("text"))
	must(t, err)
	var busy sync.WaitGroup
	for range 4 {
		busy.Go(func() {
			for range 10 {
				if _, err := us.Open(context.Background(), wire); err != nil {
					t.Error(err)
				}
				if _, err := us.Seal([]byte("text")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	edit, err := LoadRing(peerRing.path) // as another process would
	must(t, err)
	for _, s := range []State{Active, Retiring, Revoked, Pending, Active} {
		if _, err := edit.SetState(g2.fingerprint, s); err != nil {
			t.Error(err)
		}
		if err := us.Reload(); err != nil {
			t.Error(err)
		}
	}
	busy.Wait()

	_, err = edit.SetState(g.fingerprint, Revoked)
	must(t, err)
	if _, _, err := opens(us, wire); err != nil {
		t.Errorf("changed before Reload: %v", err)
	}
	must(t, us.Reload())
	if _, _, err := opens(us, wire); err != ErrSignature {
		t.Errorf("revoked: %v", err)
	}
}

func TestReloadKeepsTheOldKeysOnError(t *testing.T) {
	k, g := key(t, "k1"), key(t, "g1")
	us, peer := pair(t)
	wire, err := peer.Seal([]byte("text"))
	must(t, err)
	must(t, writeFile(us.cfg.Peer.path+"/x.active.asc", []byte("not a key")))
	if err := us.Reload(); err == nil || !strings.Contains(err.Error(), "x.active.asc") {
		t.Errorf("Reload does not name the file: %v", err)
	}
	must(t, writeFile(us.cfg.Peer.path+"/x.active.asc", k.private))
	if err := us.Reload(); err == nil || !strings.Contains(err.Error(), "private half") {
		t.Errorf("Reload took a private key for the peer: %v", err)
	}
	if got, _, err := opens(us, wire); err != nil || got.Signer != g.fingerprint {
		t.Error(err)
	}
}

func BenchmarkOpenSeal(b *testing.B) {
	us, peer := pair(b)
	wire, err := peer.Seal(bytes.Repeat([]byte{'x'}, 1000))
	must(b, err)
	b.ReportAllocs()
	for b.Loop() {
		got, err := us.Open(context.Background(), wire)
		must(b, err)
		_, err = us.Seal(got.Plain)
		must(b, err)
	}
}

func BenchmarkFloor(b *testing.B) {
	f, err := NewFloor(1000)
	must(b, err)
	b.ReportAllocs()
	for b.Loop() {
		must(b, f.Do())
	}
}
