package seal

import (
	"bytes"
	"crypto"
	"io"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// A Floor does with plain library calls, in the most direct way, what one request and its answer cost in cryptography:
// decrypt and verify, sign and encrypt, RSA-2048. It is the yardstick for everything above it.
type Floor struct {
	ring    openpgp.EntityList
	peer    []*openpgp.Entity
	own     []*openpgp.Entity
	cfg     *packet.Config
	plain   []byte
	request []byte
}

// NewFloor makes two keys and one request of size bytes.
func NewFloor(size int) (*Floor, error) {
	own, err := generate(KeyOptions{Name: "floor, ours", Now: time.Now()})
	if err != nil {
		return nil, err
	}
	peer, err := generate(KeyOptions{Name: "floor, the peer's", Now: time.Now()})
	if err != nil {
		return nil, err
	}
	f := &Floor{
		ring: openpgp.EntityList{own, peer}, own: []*openpgp.Entity{own}, peer: []*openpgp.Entity{peer},
		cfg:   &packet.Config{DefaultHash: crypto.SHA384, DefaultCipher: packet.CipherAES256},
		plain: bytes.Repeat([]byte{'x'}, size),
	}
	if f.request, err = f.seal(f.peer, f.own); err != nil {
		return nil, err
	}
	return f, f.Do() // the library verifies a key at its first use and remembers; after that Do may run concurrently
}

// Do opens the request and seals an answer of the same size.
func (f *Floor) Do() error {
	m, err := openpgp.ReadMessage(bytes.NewReader(f.request), f.ring, nil, f.cfg)
	if err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, m.UnverifiedBody); err != nil {
		return err
	}
	if m.SignatureError != nil {
		return m.SignatureError
	}
	_, err = f.seal(f.own, f.peer)
	return err
}

func (f *Floor) seal(from, to []*openpgp.Entity) ([]byte, error) {
	var out bytes.Buffer
	w, err := openpgp.Encrypt(&out, to, nil, from, nil, f.cfg)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(f.plain); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
