//go:build openssl

package seal

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha512"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// equipped is a key for Go's RSA and for OpenSSL's.
func equipped(t *testing.T, bits int) (*rsa.PrivateKey, *operator) {
	t.Helper()
	priv, err := rsa.GenerateKey(rand.Reader, bits)
	must(t, err)
	k, err := equip(packet.NewRSAPrivateKey(start, priv))
	must(t, err)
	return priv, k.PrivateKey.(*operator)
}

func TestOpenSSLAgreesWithGo(t *testing.T) {
	if !strings.HasPrefix(RSA(), "OpenSSL 3.") {
		t.Errorf("RSA by %s", RSA())
	}
	session := bytes.Repeat([]byte{7}, 35)
	for _, bits := range []int{2048, 3072, 4096} {
		priv, o := equipped(t, bits)
		digest := sha512.Sum384([]byte("text"))
		want, err := rsa.SignPKCS1v15(nil, priv, crypto.SHA384, digest[:])
		must(t, err)
		got, err := o.Sign(rand.Reader, digest[:], crypto.SHA384)
		must(t, err)
		if !bytes.Equal(got, want) {
			t.Errorf("%d bits: another signature than Go's", bits)
		}
		//lint:ignore SA1019 OpenPGP v4 with RSA knows no other padding
		sealed, err := rsa.EncryptPKCS1v15(rand.Reader, &priv.PublicKey, session)
		must(t, err)
		if got, err = o.Decrypt(nil, sealed, nil); err != nil || !bytes.Equal(got, session) {
			t.Errorf("%d bits: decrypted %x, %v", bits, got, err)
		}
		sealed[bits/16] ^= 1
		if got, err = o.Decrypt(nil, sealed, nil); err == nil && bytes.Equal(got, session) { // later versions give random bytes, not an error
			t.Errorf("%d bits: a spoiled session key is still the session key", bits)
		}
	}
}

func TestOpenSSLRefuses(t *testing.T) {
	_, o := equipped(t, 2048)
	for name, do := range map[string]func() ([]byte, error){
		"another digest":    func() ([]byte, error) { return o.Sign(nil, make([]byte, 32), crypto.SHA256) },
		"half a digest":     func() ([]byte, error) { return o.Sign(nil, make([]byte, 24), crypto.SHA384) },
		"nothing":           func() ([]byte, error) { return o.Decrypt(nil, nil, nil) },
		"more than the key": func() ([]byte, error) { return o.Decrypt(nil, make([]byte, 257), nil) },
		"a number above the modulus": func() ([]byte, error) {
			return o.Decrypt(nil, slices.Repeat([]byte{0xFF}, 256), nil)
		},
	} {
		if got, err := do(); err == nil {
			t.Errorf("%s: %x", name, got)
		}
	}
	for range cap(o.signing) + 1 { // what was refused has spoiled nothing
		if _, err := o.Sign(nil, make([]byte, 48), crypto.SHA384); err != nil {
			t.Error(err)
		}
	}
}

// The key in OpenSSL's memory goes with the last user of ours, and not before.
func TestOpenSSLKeepsKeysInUse(t *testing.T) {
	digest := sha512.Sum384([]byte("text"))
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			priv, o := equipped(t, 2048)
			want, err := rsa.SignPKCS1v15(nil, priv, crypto.SHA384, digest[:])
			if err != nil {
				t.Error(err)
			}
			for range 20 {
				runtime.GC()
				if got, err := o.Sign(nil, digest[:], crypto.SHA384); err != nil || !bytes.Equal(got, want) {
					t.Errorf("%x, %v", got, err)
				}
			}
		})
	}
	all.Wait()
}

// A ring whose keys have been replaced seals with the new ones; the old ones are freed.
func TestOpenSSLRingRenewed(t *testing.T) {
	r, g := ring(t, key(t, "k1").private, Active), ring(t, key(t, "g1").public, Active)
	b := box(t, r, g)
	for range 3 {
		renewed, err := r.Generate(KeyOptions{Name: "next", Now: start.Add(-time.Minute)}, Active)
		must(t, err)
		runtime.GC()
		wire, err := b.Seal([]byte("text"))
		must(t, err)
		peer := box(t, ring(t, key(t, "g1").private, Active), ring(t, renewed.Armored, Active))
		if got, why, err := opens(peer, wire); err != nil || string(got.Plain) != "text" {
			t.Errorf("%q, %s, %v", got.Plain, why, err)
		}
	}
}
