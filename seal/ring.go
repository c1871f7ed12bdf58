package seal

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
	openpgp "github.com/ProtonMail/go-crypto/openpgp/v2"
)

// A Ring is a set of keys with states: a folder of files NAME.STATE.asc with one key each, one file NAME.asc whose keys are
// all active, or keys in memory. It is safe for concurrent use; whoever uses it sees a whole old or a whole new set.
type Ring struct {
	path           string // folder or file; empty: in memory, fixed
	folder         bool
	passphraseFile string
	edit           sync.Mutex // one change of the folder at a time
	set            atomic.Pointer[keySet]
}

// A keySet is what a ring held when it was read. It never changes.
type keySet struct {
	keys     []Key
	parts    []*part // of the keys that accept
	decrypts []*part
	stamp    string // of the files it was read from
}

func newKeySet(keys []Key, parts []*part) *keySet {
	slices.SortStableFunc(keys, func(a, b Key) int { return a.Created.Compare(b.Created) })
	slices.SortStableFunc(parts, func(a, b *part) int { return b.created.Compare(a.created) })
	s := &keySet{keys: keys, parts: parts}
	for _, p := range parts {
		if p.encrypts && p.priv != nil {
			s.decrypts = append(s.decrypts, p) // expired ones too, until they are removed (gsp-core §2.4)
		}
	}
	return s
}

func (s *keySet) decrypting() []*part { return s.decrypts }

// active picks the newest usable part of every active key: one signature, one recipient a key.
func (s *keySet) active(now time.Time, usable func(*part) bool) []*part {
	picked := make([]*part, 0, len(s.keys))
	for _, p := range s.parts { // newest first
		if p.state == Active && usable(p) && p.validAt(now) &&
			!slices.ContainsFunc(picked, func(q *part) bool { return q.owner == p.owner }) {
			picked = append(picked, p)
		}
	}
	return picked
}

// intended reports whether one of our keys is among those a signature was made for (RFC 9580 §5.2.3.36).
func (s *keySet) intended(recipients []*packet.Recipient) bool {
	return slices.ContainsFunc(recipients, func(r *packet.Recipient) bool {
		return slices.ContainsFunc(s.keys, func(k Key) bool {
			return k.State.Accepts() && k.Fingerprint == fmt.Sprintf("%X", r.Fingerprint)
		})
	})
}

// LoadRing reads a folder of NAME.STATE.asc files, or a single file whose keys are then all active.
func LoadRing(path string) (*Ring, error) { return LoadLockedRing(path, "") }

// LoadLockedRing is LoadRing for private keys under a passphrase, which stands in a file of its own, away from the keys. Keys that
// are generated into or imported to the ring are locked with it.
func LoadLockedRing(path, passphraseFile string) (*Ring, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("seal: key ring: %w", err)
	}
	r := &Ring{path: path, folder: info.IsDir(), passphraseFile: passphraseFile}
	return r, r.Reload()
}

// CreateRing makes the folder if it is not there, and reads it.
func CreateRing(folder, passphraseFile string) (*Ring, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, fmt.Errorf("seal: key ring: %w", err)
	}
	return LoadLockedRing(folder, passphraseFile)
}

// ParseRing holds armored keys in memory, all of them active.
func ParseRing(blocks ...[]byte) (*Ring, error) {
	var set builder
	for _, b := range blocks {
		set.add("memory", b, Active, nil)
	}
	s, err := set.finish()
	if err != nil {
		return nil, err
	}
	r := &Ring{}
	r.set.Store(s)
	return r, nil
}

// Keys lists the ring, oldest key first.
func (r *Ring) Keys() []Key { return slices.Clone(r.set.Load().keys) }

// Reload reads files that have changed and swaps the keys at once. On any error the ring stays as it was, and every problem is
// named. With nothing changed it costs a listing of the folder.
func (r *Ring) Reload() error {
	s, err := r.read()
	if err != nil {
		return err
	}
	r.set.Store(s)
	return nil
}

func (r *Ring) read() (*keySet, error) {
	have := r.set.Load()
	if r.path == "" {
		return have, nil
	}
	files := []string{r.path}
	if r.folder {
		var err error
		if files, err = filepath.Glob(filepath.Join(r.path, "*.asc")); err != nil {
			return nil, err
		}
	}
	stamp, err := stampOf(append(files, r.passphraseFile)) // before reading: what changes meanwhile is seen the next time
	if err != nil {
		return nil, err
	}
	if have != nil && have.stamp == stamp {
		return have, nil
	}
	passphrase, err := r.passphrase()
	if err != nil {
		return nil, err
	}
	defer clear(passphrase)
	set := builder{stamp: stamp}
	if !r.folder {
		set.addFile(r.path, Active, passphrase)
		return set.finish()
	}
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".asc")
		state, err := ParseState(strings.TrimPrefix(filepath.Ext(name), "."))
		if err != nil {
			set.errs = append(set.errs, fmt.Errorf("%s says no state: rename it to %s.pending.asc, or whatever its state is", file, name))
			continue
		}
		if n := set.addFile(file, state, passphrase); n > 1 {
			set.errs = append(set.errs, fmt.Errorf("%s holds %d keys: a file of a ring holds one", file, n))
		}
	}
	return set.finish()
}

// stampOf changes when a file is added, removed, renamed, rewritten or opened to others.
func stampOf(files []string) (string, error) {
	var stamp strings.Builder
	for _, file := range files {
		if file == "" {
			continue
		}
		info, err := os.Stat(file)
		if err != nil {
			return "", fmt.Errorf("seal: key ring: %w", err)
		}
		fmt.Fprintln(&stamp, file, info.Size(), info.Mode(), info.ModTime().UnixNano())
	}
	return stamp.String(), nil
}

func (r *Ring) passphrase() ([]byte, error) {
	if r.passphraseFile == "" {
		return nil, nil
	}
	if err := private(r.passphraseFile); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(r.passphraseFile)
	if err != nil {
		return nil, fmt.Errorf("seal: passphrase: %w", err)
	}
	if text = bytes.TrimRight(text, "\r\n"); len(text) == 0 {
		return nil, fmt.Errorf("seal: %s is empty: it should hold the passphrase", r.passphraseFile)
	}
	return text, nil
}

// private refuses a secret file that others can read.
func private(file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return fmt.Errorf("seal: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return fmt.Errorf("seal: %s holds a secret and others can read it: chmod 600 it", file)
	}
	return nil
}

// A builder gathers the keys of a ring and every problem with them.
type builder struct {
	stamp string
	keys  []Key
	parts []*part
	errs  []error
}

func (b *builder) addFile(file string, state State, passphrase []byte) int {
	text, err := os.ReadFile(file)
	if err != nil {
		b.errs = append(b.errs, err)
		return 0
	}
	defer clear(text)
	first := len(b.keys)
	b.add(file, text, state, passphrase)
	for i := first; i < len(b.keys); i++ {
		b.keys[i].File = file
		if b.keys[i].Private {
			if err := private(file); err != nil {
				b.errs = append(b.errs, err)
				break
			}
		}
	}
	return len(b.keys) - first
}

func (b *builder) add(file string, text []byte, state State, passphrase []byte) {
	entities, err := parseKeys(text)
	if err != nil {
		b.errs = append(b.errs, fmt.Errorf("%s: %w", file, err))
		return
	}
	for _, e := range entities {
		if err := unlock(e, passphrase); err != nil {
			b.errs = append(b.errs, fmt.Errorf("%s: %w", file, err))
			continue
		}
		k, parts, err := compile(e, state)
		if err == nil && slices.ContainsFunc(b.keys, func(have Key) bool { return have.Fingerprint == k.Fingerprint }) {
			err = fmt.Errorf("seal: key %s stands in the ring twice", k.Fingerprint)
		}
		if err != nil {
			b.errs = append(b.errs, fmt.Errorf("%s: %w", file, err))
			continue
		}
		b.keys = append(b.keys, k)
		b.parts = append(b.parts, parts...)
	}
}

func (b *builder) finish() (*keySet, error) {
	if len(b.errs) > 0 {
		return nil, errors.Join(b.errs...)
	}
	s := newKeySet(b.keys, b.parts)
	s.stamp = b.stamp
	return s, nil
}

// parseKeys reads armored or binary keys. The library's errors may quote what they read, so they stay here.
func parseKeys(text []byte) (openpgp.EntityList, error) {
	var list openpgp.EntityList
	var err error
	if bytes.Contains(text, []byte("-----BEGIN PGP")) {
		list, err = openpgp.ReadArmoredKeyRing(bytes.NewReader(text))
	} else {
		list, err = openpgp.ReadKeyRing(bytes.NewReader(text))
	}
	if err != nil || len(list) == 0 {
		return nil, errors.New("seal: this is not an OpenPGP key")
	}
	return list, nil
}

func unlock(e *openpgp.Entity, passphrase []byte) error {
	locked := e.PrivateKey != nil && e.PrivateKey.Encrypted
	for _, s := range e.Subkeys {
		locked = locked || s.PrivateKey != nil && s.PrivateKey.Encrypted
	}
	if !locked {
		return nil
	}
	if len(passphrase) == 0 {
		return fmt.Errorf("seal: key %X is locked: name the file with its passphrase", e.PrimaryKey.Fingerprint)
	}
	if e.DecryptPrivateKeys(passphrase) != nil {
		return fmt.Errorf("seal: key %X does not open with this passphrase", e.PrimaryKey.Fingerprint)
	}
	return nil
}

// Generate makes a new key in the ring's folder.
func (r *Ring) Generate(o KeyOptions, state State) (Key, error) {
	e, err := generate(o)
	if err != nil {
		return Key{}, err
	}
	keys, err := r.put(openpgp.EntityList{e}, state)
	if err != nil {
		return Key{}, err
	}
	return keys[0], nil
}

// Import adds keys to the ring's folder, or renews those it has: a renewed key keeps its state, and a private half is never
// replaced by a public one.
func (r *Ring) Import(text []byte, state State) ([]Key, error) {
	entities, err := parseKeys(text)
	if err != nil {
		return nil, err
	}
	passphrase, err := r.passphrase()
	if err != nil {
		return nil, err
	}
	defer clear(passphrase)
	for _, e := range entities {
		if err := unlock(e, passphrase); err != nil {
			return nil, err
		}
		if _, _, err := compile(e, state); err != nil {
			return nil, err
		}
	}
	return r.put(entities, state)
}

func (r *Ring) put(entities openpgp.EntityList, state State) ([]Key, error) {
	if _, err := ParseState(string(state)); err != nil {
		return nil, err
	}
	if !r.folder {
		return nil, errors.New("seal: only a ring that is a folder can be changed")
	}
	passphrase, err := r.passphrase()
	if err != nil {
		return nil, err
	}
	defer clear(passphrase)
	r.edit.Lock()
	defer r.edit.Unlock()
	var done []Key
	for _, e := range entities {
		fingerprint := fmt.Sprintf("%X", e.PrimaryKey.Fingerprint)
		file := r.file(fingerprint, state)
		if have, err := r.Find(fingerprint); err == nil {
			if have.Private && !hasPrivate(e) {
				return nil, fmt.Errorf("seal: the ring holds the private half of %s; a public half will not replace it", fingerprint)
			}
			file = have.File
		}
		var text []byte
		if hasPrivate(e) {
			text, err = armoredPrivate(e, passphrase)
		} else {
			text, err = armored(openpgp.PublicKeyType, e.Serialize)
		}
		if err != nil {
			return nil, err
		}
		err = writeFile(file, text)
		clear(text)
		if err != nil {
			return nil, fmt.Errorf("seal: %w", err)
		}
		done = append(done, Key{Fingerprint: fingerprint})
	}
	if err := r.Reload(); err != nil {
		return nil, err
	}
	for i := range done {
		if done[i], err = r.Find(done[i].Fingerprint); err != nil {
			return nil, err
		}
	}
	return done, nil
}

func (r *Ring) file(fingerprint string, state State) string {
	return filepath.Join(r.path, fingerprint+"."+string(state)+".asc")
}

// SetState renames the file of a key: one atomic step.
func (r *Ring) SetState(id string, state State) (Key, error) {
	if _, err := ParseState(string(state)); err != nil {
		return Key{}, err
	}
	if !r.folder {
		return Key{}, errors.New("seal: only a ring that is a folder can be changed")
	}
	r.edit.Lock()
	defer r.edit.Unlock()
	k, err := r.Find(id)
	if err != nil {
		return Key{}, err
	}
	if to := r.file(k.Fingerprint, state); to != k.File {
		if err := os.Rename(k.File, to); err != nil {
			return Key{}, fmt.Errorf("seal: %w", err)
		}
	}
	if err := r.Reload(); err != nil {
		return Key{}, err
	}
	return r.Find(k.Fingerprint)
}

// Find gives the one key whose fingerprint is, or ends in, the hexadecimal id of at least eight digits.
func (r *Ring) Find(id string) (Key, error) {
	id = strings.ToUpper(strings.TrimPrefix(strings.ReplaceAll(id, " ", ""), "0x"))
	if _, err := hex.DecodeString(id); err != nil || len(id) < 8 {
		return Key{}, errors.New("seal: a key is named by the last eight or more hexadecimal digits of its fingerprint")
	}
	var found []Key
	for _, k := range r.set.Load().keys {
		if strings.HasSuffix(k.Fingerprint, id) {
			found = append(found, k)
		}
	}
	if len(found) != 1 {
		return Key{}, fmt.Errorf("seal: %d keys of the ring are named %s", len(found), id)
	}
	return found[0], nil
}

// Export writes the public halves of the keys named, or of all that are not revoked.
func (r *Ring) Export(w io.Writer, ids ...string) error {
	keys := slices.DeleteFunc(r.Keys(), func(k Key) bool { return k.State == Revoked })
	if len(ids) > 0 {
		keys = nil
	}
	for _, id := range ids {
		k, err := r.Find(id)
		if err != nil {
			return err
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return errors.New("seal: the ring holds no key to export")
	}
	for _, k := range keys {
		if _, err := w.Write(k.Armored); err != nil {
			return err
		}
	}
	return nil
}

// WriteTable lists the keys for people.
func WriteTable(w io.Writer, keys []Key, now time.Time) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "FINGERPRINT\tUSER ID\tSTATE\tHALF\tCREATED\tEXPIRES IN\tALARM")
	for _, k := range keys {
		half, left := "public", "never"
		if k.Private {
			half = "private"
		}
		if !k.NotAfter.IsZero() {
			left = fmt.Sprintf("%d days", int(k.NotAfter.Sub(now)/(24*time.Hour)))
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n",
			k.Fingerprint, cmp.Or(k.UserID, "-"), k.State, half, k.Created.UTC().Format(time.DateOnly), left, k.Alarm(now))
	}
	return t.Flush()
}

// writeFile replaces a file as a whole or not at all, readable by its owner alone.
func writeFile(name string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".key-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
