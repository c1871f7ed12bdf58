package e2e

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"flag"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
	"golang.org/x/sync/errgroup"

	"naru/seal"
	"naru/vault"
)

var workshopDir string

// atOnce is how many tests run at once: most of their time they wait for a time-out, or for the second that HTTP/2 takes to say goodbye.
const atOnce = 5

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", strconv.Itoa(max(atOnce, runtime.GOMAXPROCS(0)))); err != nil {
		panic(err)
	}
	var err error
	if workshopDir, err = os.MkdirTemp("", "naru-e2e-*"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := os.RemoveAll(workshopDir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// keyStates is every key there is: whose, and how the integrator has it. The stranger's is in no ring.
var keyStates = map[string]seal.State{
	"ours": seal.Active, "ours-pending": seal.Pending, "ours-retiring": seal.Retiring, "ours-revoked": seal.Revoked,
	"google": seal.Active, "google-pending": seal.Pending, "google-retiring": seal.Retiring, "google-revoked": seal.Revoked,
	"google-expired": seal.Active, "stranger": "",
}

type key struct{ private, public []byte }

// workshop is what all worlds share: keys in every state, a certificate for both servers, the key of the database.
type workshop struct {
	keys  map[string]key
	cert  tls.Certificate
	roots *x509.CertPool
}

func (workshop) file(name string) string { return filepath.Join(workshopDir, name) }

// shop is made once: RSA keys take their time.
var shop = sync.OnceValue(func() *workshop {
	s := &workshop{keys: map[string]key{}}
	var making errgroup.Group
	var mu sync.Mutex
	for name := range keyStates {
		making.Go(func() error {
			o := seal.KeyOptions{Name: name, Now: time.Now().Add(-time.Hour)}
			if name == "google-expired" { // since yesterday, as we have it
				o.Now, o.Lifetime = time.Now().Add(-year-24*time.Hour), 2*year
			}
			private, public, err := seal.GenerateKey(o)
			mu.Lock()
			defer mu.Unlock()
			s.keys[name] = key{private, public}
			return err
		})
	}
	if err := making.Wait(); err != nil {
		panic(err)
	}
	own, theirs := must(seal.CreateRing(s.file("own-keys"), "")), must(seal.CreateRing(s.file("google-keys"), ""))
	mute := must(seal.CreateRing(s.file("google-keys-none-active"), "")) // it verifies Google and has nothing to answer to
	must(mute.Import(s.keys["google"].public, seal.Retiring))
	for name, state := range keyStates {
		switch {
		case state == "":
		case bytes.HasPrefix([]byte(name), []byte("ours")):
			must(own.Import(s.keys[name].private, state))
		case name == "google-expired":
			must(theirs.Import(ended(s.keys[name].private), state))
		default:
			must(theirs.Import(s.keys[name].public, state))
		}
	}
	s.certificate()
	if err := os.WriteFile(s.file("kek"), []byte(vault.NewKEK()), 0o600); err != nil {
		panic(err)
	}
	return s
})

const year = 365 * 24 * time.Hour

// ended is the public half of a key of a year and a day, with one year of life.
func ended(private []byte) []byte {
	e := entity(private)
	lifetime, born := uint32(year/time.Second), e.PrimaryKey.CreationTime
	cfg := &packet.Config{Time: func() time.Time { return born.Add(time.Hour) }}
	for _, id := range e.Identities {
		id.SelfCertifications[0].Packet.KeyLifetimeSecs = &lifetime
		if err := id.ReSign(cfg); err != nil {
			panic(err)
		}
	}
	var out bytes.Buffer
	w := must(armor.Encode(&out, openpgp.PublicKeyType, nil))
	if err := errors.Join(e.Serialize(w), w.Close()); err != nil {
		panic(err)
	}
	return out.Bytes()
}

func entity(text []byte) *openpgp.Entity {
	return must(openpgp.ReadArmoredKeyRing(bytes.NewReader(text)))[0]
}

func (s *workshop) certificate() {
	private := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der := must(x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private))
	secret := must(x509.MarshalPKCS8PrivateKey(private))
	for name, block := range map[string]*pem.Block{
		"server.pem": {Type: "CERTIFICATE", Bytes: der}, "server.key": {Type: "PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(s.file(name), pem.EncodeToMemory(block), 0o600); err != nil {
			panic(err)
		}
	}
	s.cert = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private}
	s.roots = x509.NewCertPool()
	s.roots.AddCert(must(x509.ParseCertificate(der)))
}

func parse(name string, private bool) *seal.Ring {
	if private {
		return must(seal.ParseRing(shop().keys[name].private))
	}
	return must(seal.ParseRing(shop().keys[name].public))
}

// box signs with all of the first keys and encrypts to all of the others.
func box(from, to []string) *seal.Box {
	var own, peer [][]byte
	for _, name := range from {
		own = append(own, shop().keys[name].private)
	}
	for _, name := range to {
		peer = append(peer, shop().keys[name].public)
	}
	return must(seal.NewBox(seal.Config{
		Own: must(seal.ParseRing(own...)), Peer: must(seal.ParseRing(peer...)), Pause: func(context.Context) {},
	}))
}

// unsigned encrypts to us and signs nothing.
func unsigned(plain []byte) []byte {
	var out bytes.Buffer
	w := must(openpgp.Encrypt(&out, []*openpgp.Entity{entity(shop().keys["ours"].public)}, nil, nil, &openpgp.FileHints{IsUTF8: true}, nil))
	if _, err := w.Write(plain); err != nil {
		panic(err)
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return seal.Encode(out.Bytes())
}
