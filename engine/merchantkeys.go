package engine

import (
	"context"
	crypto "crypto/rand"
	"slices"
	"time"

	"naru/core/card"
	"naru/core/fault"
)

func keyPlace(id string) string { return "merchant_key.sealed/" + id }

// MerchantSecrets are a merchant's secrets for a purpose that are valid now, newest first: the first one signs.
func (e *Engine) MerchantSecrets(ctx context.Context, merchant string, p KeyPurpose) (list []card.Secret, err error) {
	keys, err := e.MerchantKeys(ctx, merchant)
	if err != nil {
		return nil, err
	}
	now := e.clock.Now()
	for _, k := range keys {
		if k.Purpose != p || !k.valid(now) {
			continue
		}
		plain, err := e.vault.Open(k.Sealed, keyPlace(k.ID))
		if err != nil {
			return nil, err
		}
		list = append(list, card.Conceal(string(plain)))
	}
	return list, nil
}

func (k MerchantKey) valid(now time.Time) bool { return k.EndsAt.IsZero() || now.Before(k.EndsAt) }

// MerchantKeys lists a merchant's secrets, sealed, newest first.
func (e *Engine) MerchantKeys(ctx context.Context, merchant string) (keys []MerchantKey, err error) {
	err = e.store.View(ctx, func(v Reader) error {
		keys, err = v.MerchantKeys(merchant)
		return err
	})
	if err != nil {
		err = unavailable(err)
	}
	return keys, err
}

// AdoptMerchantKey takes the first secret of a merchant from its configuration. A merchant that has one of that purpose keeps its own.
func (e *Engine) AdoptMerchantKey(ctx context.Context, merchant string, p KeyPurpose, secret card.Secret) error {
	return e.store.Update(ctx, func(tx Tx) error {
		keys, err := tx.MerchantKeys(merchant)
		if err != nil || slices.ContainsFunc(keys, func(k MerchantKey) bool { return k.Purpose == p }) {
			return err
		}
		return e.insertKey(tx, merchant, p, secret)
	})
}

// RenewMerchantKey makes a new secret for a merchant, which counts beside the present one until that is ended.
func (e *Engine) RenewMerchantKey(ctx context.Context, merchant string, p KeyPurpose) (secret card.Secret, err error) {
	if _, ok := e.merchants[merchant]; !ok {
		return secret, ErrNotFound
	}
	secret = card.Conceal(crypto.Text())
	now := e.clock.Now()
	err = e.store.Update(ctx, func(tx Tx) error {
		keys, err := tx.MerchantKeys(merchant)
		if err != nil {
			return err
		}
		valid := 0
		for _, k := range keys {
			if k.Purpose == p && k.valid(now) {
				valid++
			}
		}
		if valid >= mostValid {
			return fault.New(fault.Precondition, "two are valid already: end the older one first")
		}
		return e.insertKey(tx, merchant, p, secret)
	})
	return secret, err
}

// mostValid is how many secrets of a purpose are valid at once.
const mostValid = 2

func (e *Engine) insertKey(tx Tx, merchant string, p KeyPurpose, secret card.Secret) error {
	k := MerchantKey{ID: newID(), Merchant: merchant, Purpose: p, CreatedAt: e.clock.Now()}
	var err error
	if k.Sealed, err = e.vault.Seal([]byte(secret.Reveal()), keyPlace(k.ID)); err != nil {
		return err
	}
	return tx.InsertMerchantKey(k)
}

// EndMerchantKey lets a secret count no more from a time on. The last valid one of its purpose stays.
func (e *Engine) EndMerchantKey(ctx context.Context, merchant, id string, at time.Time) error {
	now := e.clock.Now()
	return e.store.Update(ctx, func(tx Tx) error {
		keys, err := tx.MerchantKeys(merchant)
		if err != nil {
			return err
		}
		i := slices.IndexFunc(keys, func(k MerchantKey) bool { return k.ID == id && k.valid(now) })
		if i < 0 {
			return ErrNotFound
		}
		others := slices.ContainsFunc(keys, func(k MerchantKey) bool {
			return k.ID != id && k.Purpose == keys[i].Purpose && k.EndsAt.IsZero()
		})
		if !others {
			return fault.New(fault.Precondition, "it is the only one: make a new one first")
		}
		if ok, err := tx.EndMerchantKey(merchant, id, at); err != nil || ok {
			return err
		}
		return ErrNotFound
	})
}

// NoticesOf lists what a merchant was told, or should have been, newest first, with every attempt.
func (e *Engine) NoticesOf(ctx context.Context, merchant string, from, until time.Time, subject string, offset, limit int64) (list []NoticeLog, err error) {
	err = e.store.View(ctx, func(v Reader) error {
		list, err = v.NoticesOf(merchant, from, until, subject, offset, limit)
		return err
	})
	if err != nil {
		err = unavailable(err)
	}
	return list, err
}

// ResendNotice tells a merchant once more what it was told, or what could not be delivered.
func (e *Engine) ResendNotice(ctx context.Context, merchant, id string) error {
	now := e.clock.Now()
	err := e.store.Update(ctx, func(tx Tx) error {
		n, _, ok, err := tx.Notice(id)
		if err != nil {
			return err
		}
		if !ok || n.Account != merchant {
			return ErrNotFound
		}
		if ok, err = tx.ResendNotice(id, now); err == nil && !ok {
			err = fault.New(fault.Precondition, "it is on its way already")
		}
		return err
	})
	e.Notices.Ring()
	return err
}
