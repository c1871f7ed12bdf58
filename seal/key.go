package seal

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// A State says what a key may still do (gsp-core §2.4). The zero value may do nothing.
type State string

// The states of a key, in the order of its life.
const (
	Pending  State = "pending"  // accepted, not used: the other side does not know it yet
	Active   State = "active"   // accepted and used
	Retiring State = "retiring" // accepted, no longer used: the last messages under it may be on their way
	Revoked  State = "revoked"  // refused
)

// Accepts reports whether messages under the key are still taken.
func (s State) Accepts() bool { return s == Pending || s == Active || s == Retiring }

// ParseState reads a state by its name.
func ParseState(name string) (State, error) {
	switch s := State(name); s {
	case Pending, Active, Retiring, Revoked:
		return s, nil
	}
	return "", fmt.Errorf("seal: %q is not a state of a key: pending, active, retiring or revoked", name)
}

// A Key describes one key of a ring; it holds no private material.
type Key struct {
	Fingerprint string // of the primary key, upper-case hex
	UserID      string
	State       State
	Private     bool // the ring holds its private half
	Bits        int  // RSA modulus of the primary key
	Created     time.Time
	NotAfter    time.Time // when it can no longer both sign and be encrypted to; zero: never
	Armored     []byte    // the public half
	File        string    // where the ring keeps it; empty for a ring in memory
}

// Alarm is the mark of the last warning line that the key's expiry has crossed: "", "60d", "30d", "7d" or "EXPIRED" (gsp-core §2.4).
func (k Key) Alarm(now time.Time) string {
	const day = 24 * time.Hour
	if k.NotAfter.IsZero() {
		return ""
	}
	switch left := k.NotAfter.Sub(now); {
	case left <= 0:
		return "EXPIRED"
	case left <= 7*day:
		return "7d"
	case left <= 30*day:
		return "30d"
	case left <= 60*day:
		return "60d"
	}
	return ""
}

// A part is one RSA key of an OpenPGP key, primary or subkey, with everything about it already verified: what is left per
// message is arithmetic and a comparison of times.
type part struct {
	owner           string // fingerprint of the primary key
	state           State
	id              uint64
	pub             *packet.PublicKey
	priv            *packet.PrivateKey
	created         time.Time
	notAfter        time.Time // zero: never
	signs, encrypts bool      // usage flags (gsp-core §2.1)
}

// skew is how far ahead the clock may be that stamped a key.
const skew = time.Minute

func (p *part) validAt(now time.Time) bool {
	return !p.created.After(now.Add(skew)) && (p.notAfter.IsZero() || now.Before(p.notAfter))
}

func signing(p *part) bool    { return p.signs && p.priv != nil }
func encrypting(p *part) bool { return p.encrypts }

const minBits = 2048 // gsp-core §2.1

// compile verifies an OpenPGP key once and for all. Self-signatures may still be SHA-1: the key is trusted because somebody put
// it into the ring, not because it vouches for itself.
func compile(e *openpgp.Entity, state State) (Key, []*part, error) {
	cfg := &packet.Config{MinRSABits: minBits}
	k := Key{
		Fingerprint: fmt.Sprintf("%X", e.PrimaryKey.Fingerprint),
		State:       state,
		Private:     hasPrivate(e),
		Created:     e.PrimaryKey.CreationTime,
	}
	if n, ok := e.PrimaryKey.PublicKey.(*rsa.PublicKey); ok {
		k.Bits = n.N.BitLen()
	}
	if e.PrimaryKey.Version != 4 || k.Bits < minBits {
		return Key{}, nil, fmt.Errorf("seal: key %s is not RSA with at least %d bits", k.Fingerprint, minBits)
	}
	var err error
	if k.Armored, err = armored(openpgp.PublicKeyType, e.Serialize); err != nil {
		return Key{}, nil, err
	}
	if _, id := e.PrimaryIdentity(time.Time{}, cfg); id != nil {
		k.UserID = id.Name
	}
	if revoked(e) {
		k.State = Revoked // whatever its file says
		return k, nil, nil
	}
	self, err := e.VerifyPrimaryKey(time.Time{}, cfg)
	if err != nil {
		return Key{}, nil, fmt.Errorf("seal: key %s has no valid signature by itself", k.Fingerprint)
	}
	end := expiry(k.Created, self)
	if direct, _ := e.LatestValidDirectSignature(time.Time{}, cfg); direct != nil {
		end = earliest(end, expiry(k.Created, direct))
	}

	parts := []*part{newPart(k, e.PrimaryKey, e.PrivateKey, self, end)}
	for i := range e.Subkeys {
		sub := &e.Subkeys[i]
		if bind, err := sub.Verify(time.Time{}, cfg); err == nil {
			parts = append(parts, newPart(k, sub.PublicKey, sub.PrivateKey, bind, earliest(end, expiry(sub.PublicKey.CreationTime, bind))))
		}
	}
	kept := parts[:0]
	for _, p := range parts {
		n, ok := p.pub.PublicKey.(*rsa.PublicKey)
		if !ok || n.N.BitLen() < minBits || p.pub.PubKeyAlgo != packet.PubKeyAlgoRSA || !p.signs && !p.encrypts {
			continue
		}
		if p.priv != nil {
			if p.priv, err = equip(p.priv); err != nil {
				return Key{}, nil, fmt.Errorf("seal: key %s: %w", k.Fingerprint, err)
			}
		}
		kept = append(kept, p)
	}
	k.NotAfter = earliest(
		latest(kept, func(p *part) bool { return p.signs }),
		latest(kept, func(p *part) bool { return p.encrypts }))
	if !state.Accepts() {
		kept = nil
	}
	return k, kept, nil
}

func newPart(k Key, pub *packet.PublicKey, priv *packet.PrivateKey, self *packet.Signature, end time.Time) *part {
	if priv != nil && (priv.Dummy() || priv.Encrypted) {
		priv = nil
	}
	return &part{
		owner: k.Fingerprint, state: k.State, id: pub.KeyId, pub: pub, priv: priv, created: pub.CreationTime, notAfter: end,
		signs:    self.FlagsValid && self.FlagSign,
		encrypts: self.FlagsValid && (self.FlagEncryptCommunications || self.FlagEncryptStorage),
	}
}

// revoked takes any valid revocation of the whole key for good, whatever its date or reason.
func revoked(e *openpgp.Entity) bool {
	for _, r := range e.Revocations {
		if e.PrimaryKey.VerifyRevocationSignature(r.Packet) == nil {
			return true
		}
	}
	return false
}

func hasPrivate(e *openpgp.Entity) bool {
	if e.PrivateKey != nil && !e.PrivateKey.Dummy() {
		return true
	}
	for _, s := range e.Subkeys {
		if s.PrivateKey != nil && !s.PrivateKey.Dummy() {
			return true
		}
	}
	return false
}

// expiry is when the key or the signature that vouches for it ends, whichever is first.
func expiry(created time.Time, self *packet.Signature) time.Time {
	var end time.Time
	if s := self.KeyLifetimeSecs; s != nil && *s > 0 {
		end = created.Add(time.Duration(*s) * time.Second)
	}
	if s := self.SigLifetimeSecs; s != nil && *s > 0 {
		end = earliest(end, self.CreationTime.Add(time.Duration(*s)*time.Second))
	}
	return end
}

// earliest is the smaller of two ends; zero means never.
func earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// latest is when the last of the wanted parts ends; zero means never.
func latest(parts []*part, want func(*part) bool) time.Time {
	var end time.Time
	for _, p := range parts {
		if !want(p) {
			continue
		}
		if p.notAfter.IsZero() {
			return time.Time{}
		}
		if p.notAfter.After(end) {
			end = p.notAfter
		}
	}
	return end
}

// KeyOptions says how a new key should be made.
type KeyOptions struct {
	Name, Email string
	Bits        int           // 2048 (default), 3072 or 4096
	Lifetime    time.Duration // default one year; two years are the most (gsp-core §2.1)
	Now         time.Time     // creation time; required
}

// GenerateKey makes an RSA key as gsp-core §2.1 wants it: the primary key signs and certifies, a subkey decrypts, both expire.
// It returns the private and the public half, armored.
func GenerateKey(o KeyOptions) (private, public []byte, err error) {
	e, err := generate(o)
	if err != nil {
		return nil, nil, err
	}
	if private, err = armoredPrivate(e, nil); err != nil {
		return nil, nil, err
	}
	public, err = armored(openpgp.PublicKeyType, e.Serialize)
	return private, public, err
}

func generate(o KeyOptions) (*openpgp.Entity, error) {
	bits := o.Bits
	if bits == 0 {
		bits = minBits
	}
	end := o.Now.Add(o.Lifetime)
	if o.Lifetime == 0 {
		end = o.Now.AddDate(1, 0, 0)
	}
	switch {
	case o.Now.IsZero():
		return nil, errors.New("seal: a key needs its creation time")
	case bits != 2048 && bits != 3072 && bits != 4096:
		return nil, fmt.Errorf("seal: %d bits: a key has 2048, 3072 or 4096", bits)
	case end.After(o.Now.AddDate(2, 0, 0)) || !end.After(o.Now):
		return nil, errors.New("seal: a key lives for more than nothing and at most two years (gsp-core §2.1)")
	case strings.TrimSpace(o.Name+o.Email) == "":
		return nil, errors.New("seal: a key needs a name or an e-mail address to be known by")
	}
	cfg := &packet.Config{
		Algorithm: packet.PubKeyAlgoRSA, RSABits: bits, DefaultHash: crypto.SHA384, DefaultCipher: packet.CipherAES256,
		KeyLifetimeSecs: uint32(end.Sub(o.Now) / time.Second), Time: func() time.Time { return o.Now },
	}
	e, err := openpgp.NewEntity(o.Name, "", o.Email, cfg)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	// The library leaves the subkey without an end of its own.
	sub := &e.Subkeys[0]
	sub.Bindings[0].Packet.KeyLifetimeSecs = &cfg.KeyLifetimeSecs
	if err := sub.ReSign(cfg); err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return e, nil
}

// armoredPrivate writes the private half, locked if there is a passphrase. Locking spoils e for use.
func armoredPrivate(e *openpgp.Entity, passphrase []byte) ([]byte, error) {
	if len(passphrase) > 0 {
		if err := e.EncryptPrivateKeys(passphrase, &packet.Config{DefaultCipher: packet.CipherAES256}); err != nil {
			return nil, fmt.Errorf("seal: the key cannot be locked: %w", err)
		}
	}
	return armored(openpgp.PrivateKeyType, func(w io.Writer) error { return e.SerializePrivateWithoutSigning(w, nil) })
}

func armored(kind string, serialize func(io.Writer) error) ([]byte, error) {
	var out bytes.Buffer
	w, err := armor.Encode(&out, kind, nil)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(serialize(w), w.Close()); err != nil {
		return nil, fmt.Errorf("seal: the key cannot be written: %w", err)
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}
