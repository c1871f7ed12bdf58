package google

import (
	"cmp"
	"maps"
)

// api is one API: what the integrator hosts of it, what we host of it, and the little that it rules otherwise than the others.
type api struct {
	name     string
	sends    map[string]method        // by name
	hosts    map[string]*notification // by the path in front of the account
	currency string                   // of payments that we did not ask for; "" is any
	offered  bool                     // all of it: no fault rule makes a method look as if we did not host it
	staged   bool                     // a second chargeback needs a first one that was reversed
}

const (
	koreaCards = "korea-cards-v1"
	cardFOP    = "card-fop-v1"
	payouts    = "disburse-v1"
)

// apis is every API that we speak. The sheets of the card APIs say what both have in the same words.
var apis = map[string]*api{
	koreaCards: {
		name:  koreaCards,
		sends: sends("korea-cards", map[string]method{"verifyCardWithZeroAmount": {}}), // P8
		hosts: hosts("korea-cards", koreaCaptureARN), currency: "KRW",                  // Korea §2.2
	},
	cardFOP: {
		name:  cardFOP,
		sends: sends("card-fop", map[string]method{captures.sold: {amount: "amount", currency: "currencyCode"}}), // P4
		hosts: hosts("card-fop", captureARN), offered: true, staged: true,                                        // Card FOP §1.3, §8.5
	},
	payouts: {
		name: payouts,
		sends: map[string]method{
			disbursement.sold: {path: "/v1/", amount: "amount", currency: "currencyCode", pays: true},
			echo.name:         hosted[echo.name],
		},
		hosts:   map[string]*notification{"/v1/" + disbursement.told: payoutResult, "/v1/" + echo.name: echo}, // disburse §1
		offered: true,
	},
}

// sends is what the integrator hosts of a card API: what both have, and its own.
func sends(word string, own map[string]method) map[string]method {
	all := maps.Clone(hosted)
	maps.Copy(all, own)
	for name, m := range all {
		m.path = cmp.Or(m.path, "/v1/payment-integrator-"+word+"-api/")
		all[name] = m
	}
	return all
}

// hosts is what we host of a card API and where: what both have, and its own. The path of the first result is irregular; the regular one
// leads to the same (Korea §14 point 1, Card FOP §12 point 3).
func hosts(word string, own ...*notification) map[string]*notification {
	all := map[string]*notification{
		"/v1/payment-integrator-" + word + "-api/" + captureResult.name: captureResult,
		"/v1/" + echo.name: echo,
	}
	for _, n := range append(own, alike...) {
		all["/google-"+word+"-api/v1/"+n.name] = n
	}
	return all
}
