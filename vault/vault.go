// Package vault holds the keys of what is stored at rest: it seals what must not be read and digests what must not be changed.
//
// Two keysets live in the database, each encrypted under one key-encryption key that never does (design §3.6):
// one seals (AES-256-GCM), one digests (HMAC-SHA-256). Both rotate: every sealed value and digest names its key.
package vault

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/subtle"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
	tinkpb "github.com/tink-crypto/tink-go/v2/proto/tink_go_proto"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// The names of the keysets.
const (
	Sealing   = "sealing"
	Digesting = "digesting"
)

// Keysets keeps the encrypted keysets. Save reports false, and keeps nothing, where one of that name exists already.
type Keysets interface {
	LoadKeyset(name string) ([]byte, bool, error)
	SaveKeyset(name string, sealed []byte) (bool, error)
}

// Vault seals and digests. It is safe for concurrent use.
type Vault struct {
	seal tink.AEAD
	prfs *prf.Set
}

// NewKEK makes a key-encryption key as text, to be kept in a file of its own.
func NewKEK() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails
	return base64.StdEncoding.EncodeToString(key) + "\n"
}

// ReadKEK reads a key-encryption key from a file that only its owner may read.
func ReadKEK(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("key-encryption key: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("key-encryption key: others may read %s; run chmod 600 on it", path)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("key-encryption key: %w", err)
	}
	key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(key) != 32 {
		return nil, fmt.Errorf("key-encryption key: %s does not hold 32 bytes in base64", path)
	}
	return key, nil
}

// ErrNoKeyset says that a database has no keysets yet, so nothing in it is sealed.
var ErrNoKeyset = errors.New("the database holds no keysets")

// Open loads the keysets and makes them where they are missing.
func Open(kek []byte, kept Keysets) (*Vault, error) { return open(kek, kept, true) }

// OpenExisting loads the keysets, or fails with ErrNoKeyset.
func OpenExisting(kek []byte, kept Keysets) (*Vault, error) { return open(kek, kept, false) }

func open(kek []byte, kept Keysets, create bool) (*Vault, error) {
	wrap, err := subtle.NewAESGCM(kek)
	if err != nil {
		return nil, fmt.Errorf("key-encryption key: %w", err)
	}
	sealing, err := load(wrap, kept, Sealing, aead.AES256GCMKeyTemplate(), create)
	if err != nil {
		return nil, err
	}
	digesting, err := load(wrap, kept, Digesting, prf.HMACSHA256PRFKeyTemplate(), create)
	if err != nil {
		return nil, err
	}
	v := &Vault{}
	if v.seal, err = aead.New(sealing); err != nil {
		return nil, fmt.Errorf("sealing keyset: %w", err)
	}
	if v.prfs, err = prf.NewPRFSet(digesting); err != nil {
		return nil, fmt.Errorf("digesting keyset: %w", err)
	}
	return v, nil
}

func load(wrap tink.AEAD, kept Keysets, name string, template *tinkpb.KeyTemplate, create bool) (*keyset.Handle, error) {
	sealed, ok, err := kept.LoadKeyset(name)
	if err != nil {
		return nil, fmt.Errorf("%s keyset: %w", name, err)
	}
	if !ok && !create {
		return nil, ErrNoKeyset
	}
	if !ok {
		h, err := keyset.NewHandle(template)
		if err != nil {
			return nil, fmt.Errorf("%s keyset: %w", name, err)
		}
		var b bytes.Buffer
		if err := h.WriteWithAssociatedData(keyset.NewBinaryWriter(&b), wrap, []byte(name)); err != nil {
			return nil, fmt.Errorf("%s keyset: %w", name, err)
		}
		if mine, err := kept.SaveKeyset(name, b.Bytes()); err != nil {
			return nil, fmt.Errorf("%s keyset: %w", name, err)
		} else if mine {
			return h, nil
		}
		return load(wrap, kept, name, template, false) // another process was faster
	}
	h, err := keyset.ReadWithAssociatedData(keyset.NewBinaryReader(bytes.NewReader(sealed)), wrap, []byte(name))
	if err != nil {
		return nil, fmt.Errorf("%s keyset does not open: is this the key-encryption key that it was made with?", name)
	}
	return h, nil
}

// Seal encrypts plain bound to a place, such as a table, column and row id.
func (v *Vault) Seal(plain []byte, place string) ([]byte, error) {
	return v.seal.Encrypt(plain, []byte(place))
}

// ErrSealed is the one error for whatever does not open.
var ErrSealed = errors.New("vault: sealed value does not open here")

// Open gives back what was sealed for the same place.
func (v *Vault) Open(sealed []byte, place string) ([]byte, error) {
	plain, err := v.seal.Decrypt(sealed, []byte(place))
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}

const digestLen = 32

// Digest is a keyed digest of data for one purpose; its first four bytes are the id of the key.
func (v *Vault) Digest(purpose string, data ...[]byte) ([]byte, error) {
	return v.digest(v.prfs.PrimaryID, purpose, data)
}

// Verify reports whether a digest was made of this data, with whichever key it names.
func (v *Vault) Verify(digest []byte, purpose string, data ...[]byte) (bool, error) {
	if len(digest) != 4+digestLen {
		return false, nil
	}
	again, err := v.digest(binary.BigEndian.Uint32(digest), purpose, data)
	if err != nil {
		return false, err
	}
	return hmac.Equal(digest, again), nil
}

func (v *Vault) digest(key uint32, purpose string, data [][]byte) ([]byte, error) {
	f, ok := v.prfs.PRFs[key]
	if !ok {
		return nil, fmt.Errorf("vault: digest key %d is not here", key)
	}
	size := 4 + len(purpose)
	for _, d := range data {
		size += 8 + len(d)
	}
	in := make([]byte, 0, size)
	in = binary.BigEndian.AppendUint32(in, uint32(len(purpose)))
	in = append(in, purpose...)
	for _, d := range data { // lengths in front, so that no two lists of parts read alike
		in = binary.BigEndian.AppendUint64(in, uint64(len(d)))
		in = append(in, d...)
	}
	sum, err := f.ComputePRF(in, digestLen)
	if err != nil {
		return nil, fmt.Errorf("vault: %w", err)
	}
	return append(binary.BigEndian.AppendUint32(make([]byte, 0, 4+digestLen), key), sum...), nil
}
