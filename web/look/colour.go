package look

import (
	"fmt"
	"math"
	"strconv"
)

// Colour is an sRGB colour.
type Colour struct{ R, G, B uint8 }

// ParseColour reads #rrggbb.
func ParseColour(text string) (Colour, bool) {
	if len(text) != 7 || text[0] != '#' {
		return Colour{}, false
	}
	n, err := strconv.ParseUint(text[1:], 16, 32)
	if err != nil {
		return Colour{}, false
	}
	return Colour{uint8(n >> 16), uint8(n >> 8), uint8(n)}, true
}

func (c Colour) String() string { return fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B) }

// luminance is the relative luminance of WCAG 2.2.
func (c Colour) luminance() float64 {
	linear := func(v uint8) float64 {
		s := float64(v) / 255
		if s <= 0.04045 {
			return s / 12.92
		}
		return math.Pow((s+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c.R) + 0.7152*linear(c.G) + 0.0722*linear(c.B)
}

// Contrast is the contrast ratio of WCAG 2.2 between two colours, from 1 to 21.
func Contrast(a, b Colour) float64 {
	x, y := a.luminance(), b.luminance()
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// enough is the contrast of text with what it stands on (WCAG 2.2, 1.4.3).
const enough = 4.5

// The surfaces of both schemes, as in tokens.css: the page, the card, and what stands on the brand's colour.
var (
	lightSurfaces = []Colour{{0xf6, 0xf7, 0xf9}, {0xff, 0xff, 0xff}}
	darkSurfaces  = []Colour{{0x0f, 0x12, 0x16}, {0x18, 0x1c, 0x22}}
)

// Brand is a merchant's colour as our pages may show it: for text, lines and buttons, on light and on dark.
type Brand struct{ Light, Dark Colour }

// Readable corrects a merchant's colour: darker for the light scheme and lighter for the dark one, no further than reading needs.
func Readable(c Colour) Brand {
	return Brand{Light: toward(c, Colour{}, lightSurfaces), Dark: toward(c, Colour{0xff, 0xff, 0xff}, darkSurfaces)}
}

// toward mixes a colour with black or white until it can be read on every surface. The end of the way always can.
func toward(c, end Colour, surfaces []Colour) Colour {
	for share := 0; ; share++ {
		mixed := Colour{mix(c.R, end.R, share), mix(c.G, end.G, share), mix(c.B, end.B, share)}
		if readable(mixed, surfaces) || share == 255 {
			return mixed
		}
	}
}

func mix(a, b uint8, share int) uint8 {
	return uint8((int(a)*(255-share) + int(b)*share) / 255)
}

func readable(c Colour, surfaces []Colour) bool {
	for _, s := range surfaces {
		if Contrast(c, s) < enough {
			return false
		}
	}
	return true
}

// CSS is the style sheet that follows Tokens and puts the brand in.
func (b Brand) CSS() string {
	return fmt.Sprintf(":root{--brand:%s}\n@media screen and (prefers-color-scheme:dark){:root{--brand:%s}}\n", b.Light, b.Dark)
}
