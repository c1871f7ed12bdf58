//go:build !openssl

package seal

import (
	"runtime"

	"github.com/ProtonMail/go-crypto/openpgp/packet"
)

// RSA says whose code does the private operations.
func RSA() string { return runtime.Version() }

// equip gives a private key the code that does its operations: here the one it has, Go's.
func equip(k *packet.PrivateKey) (*packet.PrivateKey, error) { return k, nil }
