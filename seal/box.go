package seal

import (
	"bytes"
	"cmp"
	"context"
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// What Open and Seal can say. Open never says more: a caller that is told why decryption failed can decrypt with our key.
var (
	ErrEncryption = errors.New("seal: the message cannot be decrypted")
	ErrSignature  = errors.New("seal: the message carries no signature by an accepted key")
	ErrBusy       = errors.New("seal: too many messages failed in the last second")
	ErrNoKey      = errors.New("seal: no active, unexpired key")
)

// Config says whose keys a Box uses and how much work one message may cause. Own and Peer are required; zero values elsewhere
// are the defaults.
type Config struct {
	Own  *Ring // private keys: decrypt with every accepted one, sign with every active one
	Peer *Ring // public keys: verify with every accepted one, encrypt to every active one

	Now   func() time.Time      // wall time; time.Now
	Rand  io.Reader             // crypto/rand
	Pause func(context.Context) // called before every ErrEncryption; waits 25 ms, or until the caller is gone

	// Refused hears the reason for every refusal, one word from a fixed list, for our log and metrics only.
	Refused func(reason string)

	// Window is how far the signature's own time may be from ours, 5 minutes. It is wider than the ±60 s of the JSON
	// timestamp on purpose: a peer whose clock is wrong is told so by that check, not by "bad signature".
	Window time.Duration

	Armor            bool // send armored OpenPGP inside the base64url (gsp-core O12)
	AllowNoIntegrity bool // take messages without an integrity packet (gsp-core O4); they must still be signed
	Limits           Limits
}

// Limits bounds one message and, with Failures, everybody's failed messages together.
type Limits struct {
	Wire       int // bytes of base64url text, 1 MiB
	Plain      int // bytes of plain text after inflation, 1 MiB
	Recipients int // 8
	Signatures int // 16
	PrivateOps int // RSA private operations to open one message, 4
	Failures   int // messages a second that may fail after costing a private operation, 50
}

func (l Limits) orDefaults() Limits {
	return Limits{
		Wire: cmp.Or(l.Wire, 1<<20), Plain: cmp.Or(l.Plain, 1<<20), Recipients: cmp.Or(l.Recipients, 8),
		Signatures: cmp.Or(l.Signatures, 16), PrivateOps: cmp.Or(l.PrivateOps, 4), Failures: cmp.Or(l.Failures, 50),
	}
}

// A Box opens what one peer sends and seals what we send to it. It is safe for concurrent use.
type Box struct {
	cfg      Config
	failures *throttle
	pgp      *packet.Config
}

// Opened is a message whose sender is proven.
type Opened struct {
	Plain     []byte
	Signer    string // fingerprint of the peer's key whose signature was accepted
	Recipient string // fingerprint of our key that decrypted it
}

// NewBox checks that the rings are on the right sides: ours holds private keys, the peer's holds none.
func NewBox(cfg Config) (*Box, error) {
	if cfg.Own == nil || cfg.Peer == nil {
		return nil, errors.New("seal: a box needs our own ring and the peer's ring")
	}
	if err := checkSides(cfg.Own.set.Load(), cfg.Peer.set.Load()); err != nil {
		return nil, err
	}
	cfg.Limits = cfg.Limits.orDefaults()
	cfg.Window = cmp.Or(cfg.Window, 5*time.Minute)
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Rand == nil {
		cfg.Rand = rand.Reader
	}
	if cfg.Pause == nil {
		cfg.Pause = pause
	}
	if cfg.Refused == nil {
		cfg.Refused = func(string) {}
	}
	// A salt notation in every signature would be noise to the peer: RSA PKCS#1 v1.5 does not need it.
	plain := false
	return &Box{
		cfg:      cfg,
		failures: newThrottle(cfg.Limits.Failures),
		pgp:      &packet.Config{Rand: cfg.Rand, NonDeterministicSignaturesViaNotation: &plain},
	}, nil
}

func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(25 * time.Millisecond):
	}
}

func checkSides(own, peer *keySet) error {
	var errs []error
	if !slices.ContainsFunc(own.keys, func(k Key) bool { return k.Private }) {
		errs = append(errs, errors.New("seal: our own ring holds no private key"))
	}
	for _, k := range own.keys {
		if !k.Private && k.State.Accepts() {
			errs = append(errs, fmt.Errorf("seal: our own ring holds only the public half of %s", k.Fingerprint))
		}
	}
	for _, k := range peer.keys {
		if k.Private {
			errs = append(errs, fmt.Errorf("seal: the peer's ring holds the private half of %s: it belongs to the peer alone", k.Fingerprint))
		}
	}
	return errors.Join(errs...)
}

// Reload reads both rings again. On any error both stay as they were.
func (b *Box) Reload() error {
	own, errOwn := b.cfg.Own.read()
	peer, errPeer := b.cfg.Peer.read()
	if err := errors.Join(errOwn, errPeer); err != nil {
		return err
	}
	if err := checkSides(own, peer); err != nil {
		return err
	}
	b.cfg.Own.set.Store(own)
	b.cfg.Peer.set.Store(peer)
	return nil
}

// Ready says what is missing now to open and to seal: keys expire while we run.
func (b *Box) Ready() error {
	now, own, peer := b.cfg.Now(), b.cfg.Own.set.Load(), b.cfg.Peer.set.Load()
	var errs []error
	for _, need := range []struct {
		met  bool
		what string
	}{
		{len(own.decrypting()) > 0, "none of our keys can decrypt"},
		{len(own.active(now, signing)) > 0, "none of our active keys can sign"},
		{len(peer.active(now, encrypting)) > 0, "none of the peer's active keys can be encrypted to"},
		{slices.ContainsFunc(peer.parts, func(p *part) bool { return p.signs && p.validAt(now) }), "none of the peer's keys can be verified"},
	} {
		if !need.met {
			errs = append(errs, errors.New("seal: "+need.what))
		}
	}
	return errors.Join(errs...)
}

// Open decodes, decrypts and verifies one message. Its errors are ErrEncryption, ErrSignature and ErrBusy.
func (b *Box) Open(ctx context.Context, wire []byte) (Opened, error) {
	opened, why := b.open(wire)
	if why == "" {
		return opened, nil
	}
	b.cfg.Refused(string(why))
	err := why.public()
	if err == ErrEncryption {
		b.cfg.Pause(ctx)
	}
	return Opened{}, err
}

func (b *Box) open(wire []byte) (Opened, reason) {
	if len(wire) > b.cfg.Limits.Wire {
		return Opened{}, tooLarge
	}
	bin, ok := Decode(wire)
	if !ok {
		return Opened{}, notBase64
	}
	if bin, ok = unarmor(bin); !ok {
		return Opened{}, malformed
	}
	m, why := b.scan(bin)
	if why != "" {
		return Opened{}, why
	}
	attempts := m.attempts(b.cfg.Own.set.Load(), b.cfg.Limits.PrivateOps)
	if len(attempts) == 0 {
		return Opened{}, noRecipient
	}
	now := b.cfg.Now()
	if !b.failures.allows(now) {
		return Opened{}, busy
	}
	opened, why := b.try(m, attempts, now)
	if why != "" {
		b.failures.charge()
	}
	return opened, why
}

// try spends the private operations. What the integrity packet proves right decides the message; anything else, a spoiled session
// key too, looks the same from here and the next key is tried.
func (b *Box) try(m message, attempts []attempt, now time.Time) (Opened, reason) {
	for _, a := range attempts {
		cipher, key, err := a.sessionKey(b.cfg.Rand)
		if err != nil {
			return Opened{}, undecryptable
		}
		body, ok := m.decipher(cipher, key)
		if !ok {
			continue
		}
		signed, why := b.contents(body)
		if why == "" {
			var signer string
			if signer, why = b.verify(signed, now); why == "" {
				return Opened{Plain: signed.literal, Signer: signer, Recipient: a.key.owner}, ""
			}
		}
		// Without an integrity packet a stranger can bend the text: only a good signature tells a right key from a wrong one.
		if m.integrity {
			return Opened{}, why
		}
	}
	return Opened{}, undecryptable
}

// Seal signs with every active key of ours, encrypts to every active key of the peer and encodes (gsp-core §2.1: SHA-384, AES-256,
// integrity packet, uncompressed).
func (b *Box) Seal(plain []byte) ([]byte, error) {
	now := b.cfg.Now()
	signers := b.cfg.Own.set.Load().active(now, signing)
	readers := b.cfg.Peer.set.Load().active(now, encrypting)
	if len(signers) == 0 || len(readers) == 0 {
		return nil, fmt.Errorf("%w: we have %d to sign with, the peer has %d to encrypt to", ErrNoKey, len(signers), len(readers))
	}
	out := bytes.NewBuffer(make([]byte, 0, len(plain)+512*(len(signers)+len(readers))+256))
	if !b.cfg.Armor {
		if err := b.write(out, plain, signers, readers, now); err != nil {
			return nil, err
		}
		return Encode(out.Bytes()), nil
	}
	text, err := armor.Encode(out, openpgp.MessageType, nil)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(b.write(text, plain, signers, readers, now), text.Close()); err != nil {
		return nil, err
	}
	return Encode(out.Bytes()), nil
}

// write does by packets what the library's Encrypt does by preferences: a recipient whose key prefers AES-128 or SHA-256 would
// otherwise talk us down, and one expired key beside a good one would fail the whole message.
func (b *Box) write(w io.Writer, plain []byte, signers, readers []*part, now time.Time) error {
	key := make([]byte, packet.CipherAES256.KeySize())
	defer clear(key)
	if _, err := io.ReadFull(b.cfg.Rand, key); err != nil {
		return err
	}
	for _, r := range readers {
		if err := packet.SerializeEncryptedKeyAEAD(w, r.pub, packet.CipherAES256, false, key, b.pgp); err != nil {
			return err
		}
	}
	body, err := packet.SerializeSymmetricallyEncrypted(w, packet.CipherAES256, false, packet.CipherSuite{}, key, b.pgp)
	if err != nil {
		return err
	}
	for i, s := range signers {
		head := packet.OnePassSignature{
			Version: 3, SigType: packet.SigTypeBinary, Hash: crypto.SHA384, PubKeyAlgo: s.pub.PubKeyAlgo, KeyId: s.id,
			IsLast: i == len(signers)-1,
		}
		if err := head.Serialize(body); err != nil {
			return err
		}
	}
	literal, err := packet.SerializeLiteral(open{body}, true, "", 0)
	if err != nil {
		return err
	}
	if _, err := literal.Write(plain); err != nil {
		return err
	}
	if err := literal.Close(); err != nil {
		return err
	}
	for _, s := range slices.Backward(signers) { // signatures close in the reverse order of their heads (RFC 4880 §5.4)
		h := crypto.SHA384.New()
		h.Write(plain)
		sig := packet.Signature{
			SigType: packet.SigTypeBinary, PubKeyAlgo: s.pub.PubKeyAlgo, Hash: crypto.SHA384,
			CreationTime: now, IssuerKeyId: &s.id,
		}
		if err := sig.Sign(h, s.priv, b.pgp); err != nil {
			return err
		}
		if err := sig.Serialize(body); err != nil {
			return err
		}
	}
	return body.Close()
}

// open keeps the literal packet from closing the encrypted one around it.
type open struct{ io.Writer }

func (open) Close() error { return nil }
