// Package look is what every page of ours has in common: the tokens of colour, space and type, the headers that keep a page to itself,
// files that a browser may keep for ever, and a merchant's brand colour made readable.
package look

import _ "embed"

// Tokens is the style sheet that every page begins with: custom properties for light and dark, the type, the focus ring.
//
//go:embed tokens.css
var Tokens string
