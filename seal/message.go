package seal

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"crypto"
	"crypto/rsa"
	"encoding/binary"
	"hash"
	"io"
	"math"
	"slices"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// A reason is why a message was refused, for ourselves.
type reason string

const (
	tooLarge      reason = "too-large"
	notBase64     reason = "not-base64url"
	malformed     reason = "malformed"
	notEncrypted  reason = "not-encrypted"
	noIntegrity   reason = "no-integrity-packet"
	tooMany       reason = "too-many-packets"
	noRecipient   reason = "no-key-of-ours"
	undecryptable reason = "undecryptable"

	unsigned      reason = "not-signed"
	unknownSigner reason = "unknown-signer"
	weakSignature reason = "weak-signature"
	staleSigner   reason = "signer-expired"
	staleTime     reason = "signature-time"
	notForUs      reason = "signed-for-another"
	badSignature  reason = "bad-signature"

	busy reason = "busy"
)

// public is what the peer may hear. What is not listed is a failure to decrypt.
func (r reason) public() error {
	switch r {
	case unsigned, unknownSigner, weakSignature, staleSigner, staleTime, notForUs, badSignature:
		return ErrSignature
	case busy:
		return ErrBusy
	}
	return ErrEncryption
}

// OpenPGP packet tags (RFC 4880 §4.3). Tags from 40 on are not critical and skipped.
const (
	tagRecipient   = 1
	tagSignature   = 2
	tagPassphrase  = 3
	tagOnePass     = 4
	tagCompressed  = 8
	tagNoIntegrity = 9
	tagMarker      = 10
	tagLiteral     = 11
	tagEncrypted   = 18
	tagPadding     = 21
	tagUncritical  = 40
)

func skippable(tag uint8) bool { return tag == tagMarker || tag == tagPadding || tag >= tagUncritical }

// maxPackets bounds what lies beside the packets that have bounds of their own.
const maxPackets = 64

// A message is what can be known without a key.
type message struct {
	recipients []recipient
	body       []byte
	integrity  bool
}

// A recipient is a session key encrypted to one RSA key; key id 0 hides which.
type recipient struct {
	id     uint64
	cipher []byte
}

func unarmor(bin []byte) ([]byte, bool) {
	if !bytes.HasPrefix(bin, []byte("-----BEGIN")) {
		return bin, true
	}
	block, err := armor.Decode(bytes.NewReader(bin))
	if err != nil || block.Type != openpgp.MessageType {
		return nil, false
	}
	bin, err = io.ReadAll(block.Body)
	return bin, err == nil
}

// scan reads session keys up to the one encrypted body that must end the message.
func (b *Box) scan(bin []byte) (m message, why reason) {
	packets := packet.NewOpaqueReader(bytes.NewReader(bin))
	for n := 0; ; n++ {
		p, err := packets.Next()
		switch {
		case err == io.EOF && m.body != nil:
			return m, ""
		case err == io.EOF:
			return m, notEncrypted
		case err != nil:
			return m, malformed
		case n == maxPackets:
			return m, tooMany
		case skippable(p.Tag):
			continue
		case m.body != nil:
			return m, malformed
		}
		switch p.Tag {
		case tagRecipient, tagPassphrase:
			m.recipients = append(m.recipients, parseRecipient(p))
			if len(m.recipients) > b.cfg.Limits.Recipients {
				return m, tooMany
			}
		case tagEncrypted:
			if len(p.Contents) == 0 || p.Contents[0] != 1 { // version 2 is AEAD, which our keys do not offer
				return m, malformed
			}
			m.body, m.integrity = p.Contents[1:], true
		case tagNoIntegrity:
			if !b.cfg.AllowNoIntegrity {
				return m, noIntegrity
			}
			m.body = append([]byte{}, p.Contents...)
		default:
			return m, notEncrypted
		}
	}
}

// parseRecipient reads a version 3 session key for an RSA key (RFC 4880 §5.1). Any other kind is a recipient that is not us.
func parseRecipient(p *packet.OpaquePacket) recipient {
	c := p.Contents
	if p.Tag != tagRecipient || len(c) < 12 || c[0] != 3 || packet.PublicKeyAlgorithm(c[9]) != packet.PubKeyAlgoRSA {
		return recipient{}
	}
	bits := int(binary.BigEndian.Uint16(c[10:]))
	if len(c) != 12+(bits+7)/8 {
		return recipient{}
	}
	return recipient{id: binary.BigEndian.Uint64(c[1:]), cipher: c[12:]}
}

// An attempt is one private operation that may yield the session key.
type attempt struct {
	key    *part
	cipher []byte
}

// attempts pairs recipients with our keys, those that name a key first, and stops at the bound.
func (m message) attempts(own *keySet, bound int) []attempt {
	var named, hidden []attempt
	for _, r := range m.recipients {
		if r.cipher == nil {
			continue
		}
		for _, k := range own.decrypting() {
			switch r.id {
			case k.id:
				named = append(named, attempt{k, r.cipher})
			case 0:
				hidden = append(hidden, attempt{k, r.cipher})
			}
		}
	}
	all := append(named, hidden...)
	return all[:min(len(all), bound)]
}

// sessionKey decrypts the session key. A spoiled one becomes a random one, so that it fails where a spoiled body fails and after
// the same work: whoever could tell the two apart could decrypt with our key (Bleichenbacher).
func (a attempt) sessionKey(random io.Reader) (packet.CipherFunction, []byte, error) {
	instead := make([]byte, packet.CipherAES256.KeySize())
	if _, err := io.ReadFull(random, instead); err != nil {
		return 0, nil, err
	}
	size := a.key.pub.PublicKey.(*rsa.PublicKey).Size()
	sealed := make([]byte, max(size, len(a.cipher)))
	copy(sealed[len(sealed)-len(a.cipher):], a.cipher) // the wire drops leading zeroes
	// PKCS #1 v1.5: OpenPGP v4 with RSA knows no other padding; the oracle is closed above and by the one error of Open.
	block, err := a.key.priv.PrivateKey.(crypto.Decrypter).Decrypt(nil, sealed, nil)
	if err == nil && len(block) > 3 {
		cipher, key := packet.CipherFunction(block[0]), block[1:len(block)-2]
		var sum uint16
		for _, octet := range key {
			sum += uint16(octet)
		}
		if cipher >= packet.CipherAES128 && cipher <= packet.CipherAES256 && // no 3DES, CAST5, IDEA (gsp-core §2.1)
			len(key) == cipher.KeySize() && sum == binary.BigEndian.Uint16(block[len(block)-2:]) {
			return cipher, key, nil
		}
	}
	return packet.CipherAES256, instead, nil
}

// decipher decrypts the body and checks its integrity packet, if it has one.
func (m message) decipher(cipher packet.CipherFunction, key []byte) ([]byte, bool) {
	sealed := packet.SymmetricallyEncrypted{Version: 1, IntegrityProtected: m.integrity, Contents: bytes.NewReader(m.body)}
	if !m.integrity {
		sealed.Version = 0
	}
	r, err := sealed.Decrypt(cipher, key)
	if err != nil {
		return nil, false
	}
	body := bytes.NewBuffer(make([]byte, 0, len(m.body)+bytes.MinRead))
	if _, err := body.ReadFrom(r); err != nil {
		return nil, false
	}
	return body.Bytes(), r.Close() == nil
}

// signed is a decrypted text with the signatures that claim it.
type signed struct {
	literal    []byte
	signatures []*packet.OpaquePacket
}

// contents reads the decrypted packets: signatures around exactly one literal, or the same once compressed.
func (b *Box) contents(body []byte) (s signed, why reason) {
	return b.readContents(body, false)
}

func (b *Box) readContents(body []byte, inflated bool) (s signed, why reason) {
	packets := packet.NewOpaqueReader(bytes.NewReader(body))
	heads := 0
	for n := 0; ; n++ {
		p, err := packets.Next()
		switch {
		case err == io.EOF && s.literal != nil:
			return s, ""
		case err != nil:
			return s, malformed
		case n == maxPackets:
			return s, tooMany
		case skippable(p.Tag):
			continue
		}
		switch p.Tag {
		case tagCompressed:
			if inflated || n > 0 {
				return s, malformed
			}
			if body, why = b.inflate(p.Contents); why != "" {
				return s, why
			}
			return b.readContents(body, true)
		case tagOnePass:
			if heads++; s.literal != nil {
				return s, malformed
			}
		case tagSignature:
			s.signatures = append(s.signatures, p)
		case tagLiteral:
			if s.literal != nil {
				return s, malformed
			}
			if s.literal = literal(p.Contents); s.literal == nil {
				return s, malformed
			}
		default:
			return s, malformed
		}
		if heads > b.cfg.Limits.Signatures || len(s.signatures) > b.cfg.Limits.Signatures {
			return s, tooMany
		}
		if len(s.literal) > b.cfg.Limits.Plain {
			return s, tooLarge
		}
	}
}

// literal cuts format, file name and date off (RFC 4880 §5.9); nil if they are not all there.
func literal(c []byte) []byte {
	if len(c) < 6 || len(c) < 6+int(c[1]) {
		return nil
	}
	return c[6+int(c[1]):]
}

// inflate takes ZIP and ZLIB, and no more than a full plain text with its signatures needs.
func (b *Box) inflate(c []byte) ([]byte, reason) {
	if len(c) == 0 {
		return nil, malformed
	}
	var r io.Reader
	switch packet.CompressionAlgo(c[0]) {
	case packet.CompressionZIP:
		r = flate.NewReader(bytes.NewReader(c[1:]))
	case packet.CompressionZLIB:
		z, err := zlib.NewReader(bytes.NewReader(c[1:]))
		if err != nil {
			return nil, malformed
		}
		r = z
	default:
		return nil, malformed
	}
	bound := int64(b.cfg.Limits.Plain) + int64(b.cfg.Limits.Signatures+1)*4096
	body, err := io.ReadAll(io.LimitReader(r, bound+1))
	switch {
	case err != nil:
		return nil, malformed
	case int64(len(body)) > bound:
		return nil, tooLarge
	}
	return body, ""
}

// verify looks for one signature by an accepted key. Those by strangers, in unknown algorithms, expired or spoiled do no harm
// beside it (gsp-core §2.1).
func (b *Box) verify(s signed, now time.Time) (signer string, why reason) {
	if len(s.signatures) == 0 {
		return "", unsigned
	}
	own, peer := b.cfg.Own.set.Load(), b.cfg.Peer.set.Load()
	why = unknownSigner
	for _, raw := range s.signatures {
		parsed, err := raw.Parse()
		sig, ok := parsed.(*packet.Signature)
		if err != nil || !ok || sig.Version != 4 || sig.IssuerKeyId == nil {
			continue
		}
		for _, key := range peer.parts {
			if key.id != *sig.IssuerKeyId {
				continue
			}
			if why = b.check(sig, key, own, now); why == "" {
				why = checkDigest(sig, key, s.literal)
			}
			if why == "" {
				return key.owner, ""
			}
		}
	}
	return "", why
}

// check is everything about a signature that costs nothing. The library verifies a message at one moment; these are two: the key
// must be good now, or a backdated signature by an expired key would pass, and the signature must be of now.
func (b *Box) check(sig *packet.Signature, key *part, own *keySet, now time.Time) reason {
	age := now.Sub(sig.CreationTime)
	lifetime := time.Duration(math.MaxInt64)
	if sig.SigLifetimeSecs != nil && *sig.SigLifetimeSecs > 0 {
		lifetime = time.Duration(*sig.SigLifetimeSecs) * time.Second
	}
	switch {
	case !strong(sig.Hash) || sig.SigType != packet.SigTypeBinary && sig.SigType != packet.SigTypeText:
		return weakSignature
	case !key.signs || !key.validAt(now) || sig.CreationTime.Before(key.created):
		return staleSigner
	case age.Abs() > b.cfg.Window || age > lifetime:
		return staleTime
	case slices.ContainsFunc(sig.Notations, func(n *packet.Notation) bool { return n.IsCritical }):
		return weakSignature // it says that whoever does not know the notation must not trust it
	case len(sig.IntendedRecipients) > 0 && !own.intended(sig.IntendedRecipients):
		return notForUs
	}
	return ""
}

func checkDigest(sig *packet.Signature, key *part, literal []byte) reason {
	h := sig.Hash.New()
	text := hash.Hash(h)
	if sig.SigType == packet.SigTypeText {
		text = openpgp.NewCanonicalTextHash(h)
	}
	text.Write(literal)
	if key.pub.VerifySignature(h, sig) != nil {
		return badSignature
	}
	return ""
}

// strong lists the digests we take. SHA-1 and MD5 are refused (gsp-core §2.1).
func strong(h crypto.Hash) bool {
	switch h {
	case crypto.SHA256, crypto.SHA384, crypto.SHA512, crypto.SHA3_256, crypto.SHA3_512:
		return h.Available()
	}
	return false
}
