package seal

import (
	"bytes"
	"encoding/base64"
)

// Encode is base64url without padding or line breaks (gsp-core §2.1).
func Encode(bin []byte) []byte {
	return base64.RawURLEncoding.AppendEncode(make([]byte, 0, base64.RawURLEncoding.EncodedLen(len(bin))), bin)
}

// Decode reads base64url with or without padding and ignores trailing CR, LF and space. Everything else that Encode
// would not have written is refused, bits left over in the last character too, so that one text means one message.
func Decode(wire []byte) ([]byte, bool) {
	text := bytes.TrimRight(wire, "\r\n ")
	bare := bytes.TrimRight(text, "=")
	padding := len(text) - len(bare)
	if padding > 0 && (padding > 2 || len(text)%4 != 0) {
		return nil, false
	}
	if bytes.ContainsAny(bare, "\r\n") { // the library skips line breaks in the middle
		return nil, false
	}
	bin, err := base64.RawURLEncoding.Strict().AppendDecode(nil, bare)
	return bin, err == nil && len(bin) > 0
}
