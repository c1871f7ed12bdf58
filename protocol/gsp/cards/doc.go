// Package cards is what Google's two card APIs, Korea Cards v1 and Card FOP v1, have in common on the wire. They are one engine with two
// profiles (Card FOP v1 §10): what is said in the same words stands here once, and what one of them has alone stands in its own folder.
//
//	koreacards ─┐                                          ┌─ wire.go     the messages they share
//	            ├─▶ cards: API (what one of them can do), ─┼─ convert.go  from the wire to the engine and back
//	cardfop ────┘          Profile (what a contract says)  ├─ methods.go  the methods that are equal in both
//	                                                       └─ notify.go   what we tell Google
//
// The envelope (package gsp) has taken off requestHeader, responseHeader and paymentIntegratorAccountId: they stand in no type here.
// Members whose absence means something are pointers; null is absence. A section is of both sheets; where they differ, the first is that of
// Korea Cards v1, and Card FOP's stands behind FOP.
package cards
