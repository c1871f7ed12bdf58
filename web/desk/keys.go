package desk

import (
	"encoding/base64"
	"net/http"
	"time"

	"naru/core/card"
	"naru/engine"
)

// purpose is what a key is for, with what changing it does.
type purpose struct {
	ID             engine.KeyPurpose
	Name, Use      string
	Making, Ending string
	Keys           []key
	Valid          int
}

// purposes are the three, with what changing them does before it is done.
func purposes() []purpose {
	return []purpose{
		{
			ID: engine.SigningKey, Name: "Signing key", Use: "platform_key: signs your requests and our notifications, and signs you in here.",
			Making: "From that moment we sign with the new key. Your requests may use either. A notification that your server cannot check " +
				"yet is tried again for about an hour.",
			Ending: "Requests signed with it get 0004 from then on, and sessions that it opened end.",
		},
		{
			ID: engine.QueryToken, Name: "Authorization", Use: "The whole value of the Authorization header of queries.",
			Making: "The present one still counts beside it.",
			Ending: "Queries with it get 0006 from then on.",
		},
		{
			ID: engine.WebhookKey, Name: "Webhook secret", Use: "Signs the webhook-signature header of notifications.",
			Making: "From that moment notifications carry a signature with it too.",
			Ending: "Notifications carry no signature with it from then on.",
		},
	}
}

// key is a secret as a merchant may see it: everything but itself.
type key struct {
	ID           string
	Mark         mark
	Since, Until time.Time
	Endable      bool
}

var (
	valid  = mark{"Valid", "ok", tick}
	ending = mark{"Ending", "wait", wedge}
	ended  = mark{"Ended", "calm", dash}
)

// keyring is the page of keys. Made is a new one, shown this once.
type keyring struct {
	Purposes []purpose
	Made     string
	For      string
}

func (d *Desk) keys(c *call) { d.showKeys(c, card.Secret{}, "") }

func (d *Desk) showKeys(c *call, made card.Secret, whose engine.KeyPurpose) {
	all, err := d.cfg.Engine.MerchantKeys(c.ctx(), c.merchant.ID)
	if err != nil {
		d.fail(c, err)
		return
	}
	now := d.cfg.Business()
	v := keyring{Purposes: purposes(), Made: given(made, whose)}
	for i := range v.Purposes {
		p := &v.Purposes[i]
		if p.ID == whose {
			v.For = p.Name
		}
		others := 0 // without an end
		for _, k := range all {
			if k.Purpose != p.ID {
				continue
			}
			shown := key{ID: k.ID, Mark: ended, Since: k.CreatedAt, Until: k.EndsAt}
			switch {
			case k.EndsAt.IsZero():
				shown.Mark, shown.Endable = valid, true
				others++
			case now.Before(k.EndsAt):
				shown.Mark, shown.Endable = ending, true
			}
			if shown.Endable {
				p.Valid++
			}
			p.Keys = append(p.Keys, shown)
		}
		for j := range p.Keys { // the last one that has no end stays
			if k := &p.Keys[j]; k.Endable && (others == 0 || others == 1 && k.Until.IsZero()) {
				k.Endable = false
			}
		}
	}
	d.show(c, http.StatusOK, "keys", "Keys", v)
}

// given is a new secret as its merchant has to enter it: the libraries of webhooks want the bytes of theirs in base64.
func given(made card.Secret, p engine.KeyPurpose) string {
	if p == engine.WebhookKey && !made.IsZero() {
		return "whsec_" + base64.StdEncoding.EncodeToString([]byte(made.Reveal()))
	}
	return made.Reveal()
}

func purposeOf(text string) (engine.KeyPurpose, bool) {
	for _, p := range purposes() {
		if string(p.ID) == text {
			return p.ID, true
		}
	}
	return "", false
}

// newKey shows a new key in its own answer, once: nothing keeps it, and a reload is refused because two are valid already.
func (d *Desk) newKey(c *call) {
	p, ok := purposeOf(c.r.PostForm.Get("purpose"))
	if !ok {
		d.unknown(c)
		return
	}
	made, err := d.cfg.Engine.RenewMerchantKey(c.ctx(), c.merchant.ID, p)
	if err != nil {
		d.fail(c, err)
		return
	}
	d.showKeys(c, made, p)
}

// endLater is the choice beside now.
const endLater = 24 * time.Hour

func (d *Desk) endKey(c *call) {
	at := d.cfg.Business()
	switch c.r.PostForm.Get("when") {
	case "now":
	case "later":
		at = at.Add(endLater)
	default:
		d.unknown(c)
		return
	}
	if err := d.cfg.Engine.EndMerchantKey(c.ctx(), c.merchant.ID, c.r.PostForm.Get("id"), at); err != nil {
		d.fail(c, err)
		return
	}
	c.redirect(root + "keys?done=ended")
}
