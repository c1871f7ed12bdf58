// Package seal turns what a peer sends into plain bytes and a signer, and plain bytes into what we send (gsp-core §2).
//
// In PGP mode a body on the wire is base64url text of one OpenPGP message that was signed and then encrypted:
//
//	base64url( [armor] recipients… + integrity-protected( signature… + literal data ) )
//
// Opening goes through stages, each bounded before the next one costs anything:
//
//	Decode     strict base64url                      no key involved
//	scan       recipients and one encrypted body     no key involved
//	decipher   at most four private operations       a spoiled session key fails like a spoiled body
//	contents   one literal, its signatures           bounded inflation
//	verify     one signature by an accepted key      unknown ones beside it do no harm
//
// Keys live in a Ring: a folder with one armored key a file, whose state stands in the file's name, so that a state changes by one
// atomic rename and a listing shows the whole truth:
//
//	google/3F0A…91.active.asc      accepted and used
//	google/77C2…04.pending.asc     accepted, not used yet
//	google/0B5E…D8.retiring.asc    accepted, no longer used
//	google/AA19…30.revoked.asc     refused
package seal
