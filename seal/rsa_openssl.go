//go:build openssl

package seal

/*
#cgo LDFLAGS: -lcrypto
#cgo noescape operate
#cgo nocallback operate

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

static EVP_PKEY *parse(OSSL_LIB_CTX *lib, const unsigned char *der, long n) {
	EVP_PKEY *key = d2i_PrivateKey_ex(EVP_PKEY_RSA, NULL, &der, n, lib, NULL);
	ERR_clear_error(); // errors wait on their thread, and threads are not ours
	return key;
}

// prepare makes a context that signs SHA-384 digests, or one that decrypts; both with the padding of PKCS #1 v1.5.
static EVP_PKEY_CTX *prepare(OSSL_LIB_CTX *lib, EVP_PKEY *key, int sign) {
	EVP_PKEY_CTX *c = EVP_PKEY_CTX_new_from_pkey(lib, key, NULL);
	int good = c != NULL && (sign ? EVP_PKEY_sign_init(c) : EVP_PKEY_decrypt_init(c)) > 0 &&
		EVP_PKEY_CTX_set_rsa_padding(c, RSA_PKCS1_PADDING) > 0 && (!sign || EVP_PKEY_CTX_set_signature_md(c, EVP_sha384()) > 0);
	ERR_clear_error();
	if (good) return c;
	EVP_PKEY_CTX_free(c);
	return NULL;
}

// operate blinds, as OpenSSL does unless told otherwise.
static int operate(EVP_PKEY_CTX *c, int sign, const unsigned char *in, size_t n, unsigned char *out, size_t *length) {
	int good = sign ? EVP_PKEY_sign(c, out, length, in, n) : EVP_PKEY_decrypt(c, out, length, in, n);
	ERR_clear_error();
	return good > 0;
}
*/
import "C"

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"io"
	"runtime"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// RSA says whose code does the private operations.
func RSA() string { return "OpenSSL " + C.GoString(C.OpenSSL_version(C.OPENSSL_VERSION_STRING)) }

var (
	library      = C.OSSL_LIB_CTX_new() // of our own: no openssl.cnf of the machine has a say
	errOperation = errors.New("seal: OpenSSL refuses the operation")
)

// An operator does the private operations of one key. Contexts are made once, as many as there are cores: more operations at a time would
// hold more threads of the system and end no sooner.
type operator struct {
	pub                 *rsa.PublicKey
	decrypting, signing chan *C.EVP_PKEY_CTX
}

// equip gives a private key the code that does its operations. The caller's own stays as it is, so that it can be written to a file.
func equip(k *packet.PrivateKey) (*packet.PrivateKey, error) {
	priv := k.PrivateKey.(*rsa.PrivateKey)
	der := x509.MarshalPKCS1PrivateKey(priv)
	defer clear(der)
	key := C.parse(library, (*C.uchar)(&der[0]), C.long(len(der)))
	if key == nil {
		return nil, errOperation
	}
	defer C.EVP_PKEY_free(key) // every context holds it
	cores := runtime.GOMAXPROCS(0)
	o := &operator{&priv.PublicKey, make(chan *C.EVP_PKEY_CTX, cores), make(chan *C.EVP_PKEY_CTX, cores)}
	var made []*C.EVP_PKEY_CTX
	for range cores {
		for sign, contexts := range []chan *C.EVP_PKEY_CTX{o.decrypting, o.signing} {
			c := C.prepare(library, key, C.int(sign))
			if c == nil {
				free(made)
				return nil, errOperation
			}
			made = append(made, c)
			contexts <- c
		}
	}
	runtime.AddCleanup(o, free, made)
	equipped := *k
	equipped.PrivateKey = o
	return &equipped, nil
}

func free(made []*C.EVP_PKEY_CTX) {
	for _, c := range made {
		C.EVP_PKEY_CTX_free(c)
	}
}

// Public implements crypto.Signer and crypto.Decrypter.
func (o *operator) Public() crypto.PublicKey { return o.pub }

// Sign implements crypto.Signer for the one digest we sign with (gsp-core §2.1).
func (o *operator) Sign(_ io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if opts.HashFunc() != crypto.SHA384 || len(digest) != crypto.SHA384.Size() {
		return nil, errOperation
	}
	return o.operate(o.signing, 1, digest)
}

// Decrypt implements crypto.Decrypter for session keys.
func (o *operator) Decrypt(_ io.Reader, sealed []byte, _ crypto.DecrypterOpts) ([]byte, error) {
	return o.operate(o.decrypting, 0, sealed)
}

func (o *operator) operate(contexts chan *C.EVP_PKEY_CTX, sign C.int, in []byte) ([]byte, error) {
	if len(in) == 0 {
		return nil, errOperation
	}
	out := make([]byte, o.pub.Size())
	length := C.size_t(len(out))
	c := <-contexts
	good := C.operate(c, sign, (*C.uchar)(&in[0]), C.size_t(len(in)), (*C.uchar)(&out[0]), &length)
	contexts <- c
	runtime.KeepAlive(o)
	if good == 0 {
		return nil, errOperation
	}
	return out[:length], nil
}
