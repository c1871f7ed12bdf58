package engine_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"naru/core/card"
	"naru/core/fault"
	"naru/engine"
)

// secrets are those that count now, newest first.
func (s *shop) secrets(merchant string, p engine.KeyPurpose) (list []string) {
	s.Helper()
	all, err := s.MerchantSecrets(context.Background(), merchant, p)
	s.must(err)
	for _, one := range all {
		list = append(list, one.Reveal())
	}
	return list
}

func (s *shop) count(p engine.KeyPurpose, want ...string) {
	s.Helper()
	if got := s.secrets("M", p); !slices.Equal(got, want) {
		s.Errorf("%d secrets count, not those %d", len(got), len(want))
	}
}

// keyOf is the key of a purpose that is so many from the newest.
func (s *shop) keyOf(p engine.KeyPurpose, n int) engine.MerchantKey {
	s.Helper()
	keys, err := s.MerchantKeys(context.Background(), "M")
	s.must(err)
	keys = slices.DeleteFunc(keys, func(k engine.MerchantKey) bool { return k.Purpose != p })
	return keys[n]
}

// The first secret comes from the configuration, once: what the merchant has is its own from then on.
func TestFirstKeyOfAMerchant(t *testing.T) {
	ctx := context.Background()
	s := newShop(t)
	s.count(engine.SigningKey)
	s.must(s.AdoptMerchantKey(ctx, "M", engine.SigningKey, card.Conceal("the first secret")))
	s.must(s.AdoptMerchantKey(ctx, "M", engine.SigningKey, card.Conceal("another one")))
	s.must(s.AdoptMerchantKey(ctx, "M", engine.QueryToken, card.Conceal("a token")))
	s.must(s.AdoptMerchantKey(ctx, "Q", engine.SigningKey, card.Conceal("of another")))
	s.start()
	s.count(engine.SigningKey, "the first secret")
	s.count(engine.QueryToken, "a token")
	s.count(engine.WebhookKey)
	if got := s.secrets("Q", engine.SigningKey); !slices.Equal(got, []string{"of another"}) {
		t.Error("the secrets of merchants are mixed")
	}
	keys, err := s.MerchantKeys(ctx, "M")
	if s.must(err); len(keys) != 2 {
		t.Errorf("%d keys", len(keys))
	}
	for _, k := range keys {
		if strings.Contains(string(k.Sealed), "secret") || strings.Contains(s.log.String(), "secret") {
			t.Error("a secret can be read")
		}
	}
}

// A secret is changed without a pause: the new one counts beside the old one until that is ended; the last one stays.
func TestKeysThatAreRenewed(t *testing.T) {
	ctx := context.Background()
	s := newShop(t)
	s.must(s.AdoptMerchantKey(ctx, "M", engine.SigningKey, card.Conceal("old")))
	s.must(s.AdoptMerchantKey(ctx, "M", engine.QueryToken, card.Conceal("token")))
	old := s.keyOf(engine.SigningKey, 0)
	s.fails(s.EndMerchantKey(ctx, "M", old.ID, s.clock.Now()), fault.Precondition)
	_, err := s.RenewMerchantKey(ctx, "nobody", engine.SigningKey)
	s.missing(err)
	s.clock.Advance(time.Second)
	secret, err := s.RenewMerchantKey(ctx, "M", engine.SigningKey)
	s.must(err)
	if len(secret.Reveal()) < 26 {
		t.Error("a short secret")
	}
	s.count(engine.SigningKey, secret.Reveal(), "old")
	_, err = s.RenewMerchantKey(ctx, "M", engine.SigningKey)
	s.fails(err, fault.Precondition)
	s.missing(s.EndMerchantKey(ctx, "Q", old.ID, s.clock.Now()))
	s.missing(s.EndMerchantKey(ctx, "M", "none", s.clock.Now()))
	s.must(s.EndMerchantKey(ctx, "M", old.ID, s.clock.Now().Add(time.Hour)))
	s.count(engine.SigningKey, secret.Reveal(), "old") // an hour to change it
	s.fails(s.EndMerchantKey(ctx, "M", s.keyOf(engine.SigningKey, 0).ID, s.clock.Now()), fault.Precondition)
	s.clock.Advance(time.Hour - time.Second)
	s.count(engine.SigningKey, secret.Reveal(), "old")
	s.clock.Advance(time.Second)
	s.count(engine.SigningKey, secret.Reveal())
	s.missing(s.EndMerchantKey(ctx, "M", old.ID, s.clock.Now()))
	s.fails(s.EndMerchantKey(ctx, "M", s.keyOf(engine.SigningKey, 0).ID, s.clock.Now()), fault.Precondition)
	s.must(s.AdoptMerchantKey(ctx, "M", engine.SigningKey, card.Conceal("old"))) // the configuration still has it
	s.count(engine.SigningKey, secret.Reveal())
	s.clock.Advance(time.Second)
	third, err := s.RenewMerchantKey(ctx, "M", engine.SigningKey)
	s.must(err)
	s.count(engine.SigningKey, third.Reveal(), secret.Reveal())
	s.count(engine.QueryToken, "token")
}

// A merchant sees what it was told, with every attempt, and may hear it once more.
func TestNoticesThatAreSentAgain(t *testing.T) {
	ctx := context.Background()
	s := newShop(t)
	o := s.order(onReal, "a", 30_000)
	s.take(s.credit(o))
	list, err := s.NoticesOf(ctx, "M", time.Time{}, time.Time{}, "", 0, 10)
	if s.must(err); len(list) != 1 || list[0].State != engine.NoticeQueued || len(list[0].Tries) != 0 {
		t.Fatalf("%+v", list)
	}
	s.fails(s.ResendNotice(ctx, "M", list[0].ID), fault.Precondition)
	s.tells(o.Number + "/PAID PAID")
	s.missing(s.ResendNotice(ctx, "Q", list[0].ID))
	s.missing(s.ResendNotice(ctx, "M", "none"))
	s.must(s.ResendNotice(ctx, "M", list[0].ID))
	s.tells(o.Number+"/PAID PAID", o.Number+"/PAID PAID")
	list, err = s.NoticesOf(ctx, "M", time.Time{}, time.Time{}, o.Number+"/PAID", 0, 10)
	if s.must(err); len(list) != 1 || list[0].State != engine.NoticeSent || len(list[0].Tries) != 2 {
		t.Errorf("%+v", list)
	}
	if list, err = s.NoticesOf(ctx, "Q", time.Time{}, time.Time{}, "", 0, 10); len(list) != 0 || err != nil {
		t.Errorf("%+v, %v", list, err)
	}
}
