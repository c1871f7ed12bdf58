package engine

import (
	"fmt"
	"strconv"
	"strings"

	"naru/core/card"
)

// cardPlace binds a sealed card to its row and column.
func cardPlace(reservation string) string { return "reservation.card/" + reservation }

// encodeCard writes what a later message to the network needs of a card: account number, year and month of expiry.
func encodeCard(p card.PAN, x card.Expiry) []byte {
	return fmt.Appendf(nil, "%s|%d|%d", p.Reveal(), x.Year, x.Month)
}

func (e *Engine) openCard(reservation string, sealed []byte) (card.PAN, card.Expiry, error) {
	plain, err := e.vault.Open(sealed, cardPlace(reservation))
	if err != nil {
		return card.PAN{}, card.Expiry{}, err
	}
	f := strings.Split(string(plain), "|")
	if len(f) != 3 {
		return card.PAN{}, card.Expiry{}, fmt.Errorf("engine: the sealed card of %s is broken", reservation)
	}
	p, err := card.ParsePAN(f[0])
	year, err2 := strconv.Atoi(f[1])
	month, err3 := strconv.Atoi(f[2])
	if err != nil || err2 != nil || err3 != nil {
		return card.PAN{}, card.Expiry{}, fmt.Errorf("engine: the sealed card of %s is broken", reservation)
	}
	return p, card.Expiry{Year: year, Month: month}, nil
}
