package seal

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// What Decode takes is what Encode writes, padding and trailing white space aside.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		"", "A", "AA", "AA==", "AA=", "AAA=", "AAA", "AAAA", "AAAA====", "AB", "AAB", "-_-_", "+/+/", "AA\nAA", "AAAA\r\n ", " AAAA", "A=A=",
		"=", "\n", "AA==\n", "AA\n==", "AAAA\t",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		bin, ok := Decode(wire)
		if !ok {
			return
		}
		text := bytes.TrimRight(wire, "\r\n ")
		padded := base64.URLEncoding.EncodeToString(bin)
		if !bytes.Equal(text, Encode(bin)) && string(text) != padded {
			t.Errorf("%q was read as %x, which is written %q", wire, bin, padded)
		}
	})
}

func TestDecode(t *testing.T) {
	for wire, want := range map[string]string{
		"YQ": "a", "YQ==": "a", "YWI=": "ab", "YWI": "ab", "YWJj": "abc", "YWJj\r\n": "abc", "YQ== \n": "a", "-_-_": "\xfb\xff\xbf",
		"YR": "", "YWJ": "", "YQ=": "", "YQ===": "", "YWJj====": "", "+/+/": "", "Y Q": "", "Y\nQ": "", "\nYQ": "", "YQ\t": "", "Y": "", "": "",
		"==": "",
	} {
		if got, ok := Decode([]byte(wire)); string(got) != want || ok != (want != "") {
			t.Errorf("%q: got %q, %v, want %q", wire, got, ok, want)
		}
	}
}

// Whatever is inside the encryption and whatever surrounds it: no panic, one of the public errors, and a text only if the one we
// trust signed exactly it. Then it survives the way back.
func FuzzOpen(f *testing.F) {
	k, g := key(f, "k1"), key(f, "g1")
	us, peer := pair(f)
	us.cfg.Limits.Failures, us.failures = 1<<30, newThrottle(1<<30)
	good := letter{plain: "text", to: []testKey{k}, from: []testKey{g}}
	small := letter{plain: "text", to: []testKey{k}, from: []testKey{g}, compress: packet.CompressionZIP}
	for _, l := range []letter{good, small, {plain: "", to: []testKey{k}}} {
		f.Add(l.binary(f), false)
		session := bytes.Repeat([]byte{7}, 32)
		m, _ := us.scan(l.binary(f))
		inner, ok := m.decipher(packet.CipherAES256, session)
		if !ok {
			f.Fatal("the seed cannot be read")
		}
		f.Add(inner, true)
	}
	f.Add(rawPacket(tagLiteral, []byte("b\x00\x00\x00\x00\x00x")), true)
	f.Add(compressed(f, packet.CompressionZLIB, rawPacket(tagLiteral, []byte("b\x00\x00\x00\x00\x00x"))), true)
	f.Add(rawPacket(tagSignature, []byte{4, 0, 1, 9, 0, 0, 0, 0, 0, 0}), true)
	f.Add([]byte("-----BEGIN PGP MESSAGE-----\n\nAAAA\n-----END PGP MESSAGE-----\n"), false)
	f.Fuzz(func(t *testing.T, bin []byte, inside bool) {
		if inside {
			bin = sealed(t, bin)
		}
		got, err := us.Open(context.Background(), Encode(bin))
		if err != nil {
			if got.Plain != nil || !errors.Is(err, ErrEncryption) && !errors.Is(err, ErrSignature) {
				t.Errorf("got %v", err)
			}
			return
		}
		if p := string(got.Plain); p != "text" || got.Signer != g.fingerprint {
			t.Errorf("accepted %q by %s", got.Plain, got.Signer)
		}
		wire, err := us.Seal(got.Plain)
		must(t, err)
		back, err := peer.Open(context.Background(), wire)
		must(t, err)
		if !bytes.Equal(back.Plain, got.Plain) || back.Signer != k.fingerprint {
			t.Errorf("came back as %q", back.Plain)
		}
	})
}

// sealed encrypts packets to us as they are.
func sealed(t testing.TB, packets []byte) []byte {
	t.Helper()
	session := bytes.Repeat([]byte{7}, 32)
	ours := entity(t, key(t, "k1").public).Subkeys[0].PublicKey
	var out bytes.Buffer
	must(t, packet.SerializeEncryptedKeyAEAD(&out, ours, packet.CipherAES256, false, session, nil))
	w, err := packet.SerializeSymmetricallyEncrypted(&out, packet.CipherAES256, false, packet.CipherSuite{}, session, nil)
	must(t, err)
	w.Write(packets)
	must(t, w.Close())
	return out.Bytes()
}
