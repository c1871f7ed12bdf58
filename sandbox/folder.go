package sandbox

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sync/errgroup"

	"naru/seal"
	"naru/vault"
)

// The files of the folder. Keys and records are made once and kept; what follows from them is written again at every start.
const (
	caFile           = "ca.pem" // vouches for both servers; its own key is never written
	serverCert       = "server.pem"
	serverKey        = "server.key"
	googleCert       = "google.pem"
	googleKey        = "google.key"
	ownKeys          = "keys/own"    // ring: the integrator's OpenPGP key
	googleKeys       = "keys/google" // ring: Google's public key, as the integrator has it
	integratorPublic = "integrator.pub.asc"
	googleSecret     = "google.sec.asc"
	googlePublic     = "google.pub.asc"
	kekFile          = "kek"
	database         = "naru.db"
	configFile       = "naru.toml"
	contractFile     = "sandbox.json"
	googleRecord     = "google.jsonl"
	logFile          = "naru.log"
	clockFile        = "clock" // how far business time is ahead
	acquirerInbox    = "acquirer/to-naru"
	acquirerOutbox   = "acquirer/from-naru"
	filesKey         = "sftp.key"      // the integrator's, for Google's SFTP server
	filesHost        = "sftp_host.key" // that server's own
	filesHostKey     = "sftp_host.pub"
	googleFiles      = "google-files"
	bankSecret       = "upi.key"         // with which we call the payout bank
	hookSecret       = "upi_webhook.key" // with which it signs what it tells
	shopSign         = "shop.key"        // platform_key of the sample merchant
	shopQuery        = "shop_query.key"  // its token for queries
	shopWebhook      = "shop_webhook.key"
	shopRecord       = "shop.jsonl"
	feedSecret       = "feed.key" // with which the deposit bank signs what it pushes
	collectingInbox  = "bank/to-naru"
	collectingOutbox = "bank/from-naru"
)

// folder is the sandbox's place on disk, taken by one process at a time. Everything in it is for its owner alone.
type folder struct {
	path string
	lock *os.File
}

func openFolder(path string) (*folder, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, err
	}
	lock, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("another sandbox uses %s; stop it first", path), lock.Close())
	}
	return &folder{path, lock}, nil
}

func (f *folder) close() error { return f.lock.Close() }

func (f *folder) file(name string) string { return filepath.Join(f.path, filepath.FromSlash(name)) }

func (f *folder) has(names ...string) bool {
	for _, name := range names {
		if _, err := os.Stat(f.file(name)); err != nil {
			return false
		}
	}
	return true
}

// write replaces a file as a whole or not at all.
func (f *folder) write(name string, text []byte) error {
	temporary, err := os.CreateTemp(f.path, ".new-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = temporary.Write(text)
	if err = errors.Join(err, temporary.Close()); err == nil {
		err = os.Rename(temporary.Name(), f.file(name))
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary.Name()))
	}
	return nil
}

// peers are the keys that the two sides of the GSP wire start with.
type peers struct {
	google, integrator *seal.Ring // Google's private key, the integrator's public one
	filesHost          ssh.Signer
	files              ssh.PublicKey // who may upload
	bank, hooks        string        // secrets that the payout bank and the integrator share
	feed               string        // that of the deposit bank
	shop               shopKeys
	tls                tls.Certificate
	roots              *x509.CertPool
}

// shopKeys are what the sample merchant and the integrator share.
type shopKeys struct{ sign, query, webhook string }

// furnish makes what is missing and reads the rest. The two RSA keys are made at the same time: that is most of a first start.
func (f *folder) furnish(now time.Time) (peers, error) {
	var p peers
	var own *seal.Ring
	var work errgroup.Group
	work.Go(func() (err error) {
		own, err = f.integratorKey(now)
		return err
	})
	work.Go(func() (err error) {
		p.google, err = f.googleKey(now)
		return err
	})
	work.Go(func() error { return f.certificates(now) })
	work.Go(func() error {
		if f.has(kekFile) {
			return nil
		}
		return f.write(kekFile, []byte(vault.NewKEK()))
	})
	if err := work.Wait(); err != nil {
		return peers{}, err
	}

	if err := f.introduce(own, p.google); err != nil {
		return peers{}, err
	}
	var err error
	if p.integrator, err = seal.LoadRing(f.file(integratorPublic)); err != nil {
		return peers{}, err
	}
	if p.tls, err = tls.LoadX509KeyPair(f.file(googleCert), f.file(googleKey)); err != nil {
		return peers{}, err
	}
	ca, err := os.ReadFile(f.file(caFile))
	if err != nil {
		return peers{}, err
	}
	user, err := f.sshKey(filesKey)
	if err != nil {
		return peers{}, err
	}
	p.files = user.PublicKey()
	if p.filesHost, err = f.sshKey(filesHost); err != nil {
		return peers{}, err
	}
	for _, shared := range []struct {
		name   string
		to     *string
		invent func() string
	}{
		{bankSecret, &p.bank, rand.Text},
		{hookSecret, &p.hooks, rand.Text},
		{feedSecret, &p.feed, rand.Text},
		{shopSign, &p.shop.sign, func() string { return rand.Text()[:16] }}, // as long as those of the sheet (merchant-gateway §1)
		{shopQuery, &p.shop.query, rand.Text},
		{shopWebhook, &p.shop.webhook, func() string { return "whsec_" + base64.StdEncoding.EncodeToString([]byte(rand.Text())) }},
	} {
		if *shared.to, err = f.secret(shared.name, shared.invent); err != nil {
			return peers{}, err
		}
	}
	if err := f.write(filesHostKey, ssh.MarshalAuthorizedKey(p.filesHost.PublicKey())); err != nil {
		return peers{}, err
	}
	for _, dir := range []string{acquirerInbox, acquirerOutbox, googleFiles, collectingInbox, collectingOutbox} {
		if err := os.MkdirAll(f.file(dir), 0o700); err != nil {
			return peers{}, err
		}
	}
	p.roots = x509.NewCertPool()
	if !p.roots.AppendCertsFromPEM(ca) {
		return peers{}, fmt.Errorf("%s holds no certificate", f.file(caFile))
	}
	return p, nil
}

// secret makes a secret of two parties once, and reads it.
func (f *folder) secret(name string, invent func() string) (string, error) {
	if !f.has(name) {
		if err := f.write(name, []byte(invent()+"\n")); err != nil {
			return "", err
		}
	}
	text, err := os.ReadFile(f.file(name))
	return strings.TrimSpace(string(text)), err
}

// sshKey makes a key for SFTP once, and reads it.
func (f *folder) sshKey(name string) (ssh.Signer, error) {
	if !f.has(name) {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			return nil, err
		}
		block, err := ssh.MarshalPrivateKey(key, "")
		if err != nil {
			return nil, err
		}
		if err := f.write(name, pem.EncodeToMemory(block)); err != nil {
			return nil, err
		}
	}
	text, err := os.ReadFile(f.file(name))
	if err != nil {
		return nil, err
	}
	return ssh.ParsePrivateKey(text)
}

func (f *folder) integratorKey(now time.Time) (*seal.Ring, error) {
	ring, err := seal.CreateRing(f.file(ownKeys), "")
	if err != nil || len(ring.Keys()) > 0 {
		return ring, err
	}
	_, err = ring.Generate(seal.KeyOptions{Name: "Naru sandbox", Email: "naru@sandbox.invalid", Now: now}, seal.Active)
	return ring, err
}

func (f *folder) googleKey(now time.Time) (*seal.Ring, error) {
	if !f.has(googleSecret) {
		private, _, err := seal.GenerateKey(seal.KeyOptions{Name: "Simulated Google", Email: "google@sandbox.invalid", Now: now})
		if err == nil {
			err = f.write(googleSecret, private)
		}
		if err != nil {
			return nil, err
		}
	}
	return seal.LoadRing(f.file(googleSecret))
}

// introduce exchanges the public halves, as two companies do by mail.
func (f *folder) introduce(own, google *seal.Ring) error {
	atNaru, err := seal.CreateRing(f.file(googleKeys), "")
	if err != nil {
		return err
	}
	var integrator, other bytes.Buffer
	if err := errors.Join(own.Export(&integrator), google.Export(&other)); err != nil {
		return err
	}
	_, err = atNaru.Import(other.Bytes(), seal.Active)
	return errors.Join(err, f.write(integratorPublic, integrator.Bytes()), f.write(googlePublic, other.Bytes()))
}

// certificates makes an authority, one server certificate for each side, and throws the authority's key away.
func (f *folder) certificates(now time.Time) error {
	if f.has(caFile, serverCert, serverKey, googleCert, googleKey) {
		return nil
	}
	authority := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "Naru sandbox authority"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign,
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	der, err := x509.CreateCertificate(rand.Reader, authority, authority, key.Public(), key)
	if err != nil {
		return err
	}
	for _, side := range []struct{ name, cert, key string }{
		{"Naru sandbox", serverCert, serverKey}, {"Simulated Google", googleCert, googleKey},
	} {
		own, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return err
		}
		leaf, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
			SerialNumber: serial(), Subject: pkix.Name{CommonName: side.name},
			NotBefore: authority.NotBefore, NotAfter: authority.NotAfter,
			DNSNames: []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		}, authority, own.Public(), key)
		if err != nil {
			return err
		}
		secret, err := x509.MarshalPKCS8PrivateKey(own)
		if err != nil {
			return err
		}
		if err := errors.Join(f.write(side.cert, pemOf("CERTIFICATE", leaf)), f.write(side.key, pemOf("PRIVATE KEY", secret))); err != nil {
			return err
		}
	}
	return f.write(caFile, pemOf("CERTIFICATE", der)) // last: without it, all is made anew
}

func pemOf(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func serial() *big.Int {
	n, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)) // never fails
	return n
}
