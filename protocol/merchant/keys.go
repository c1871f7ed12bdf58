package merchant

import (
	"context"
	"crypto/sha256"
	"sync"
	"time"

	"naru/core/card"
	"naru/engine"
)

// How long what we know of the tokens counts: one that was withdrawn for at most keepTokens, and one that is new is found when it comes,
// unless somebody guesses so often that looking would cost too much.
const (
	keepTokens = 5 * time.Second
	lookAgain  = 500 * time.Millisecond
)

// tokens says whose a token is (§1). Tokens are kept as digests: how long a look-up takes says nothing of them.
type tokens struct {
	mu    sync.Mutex
	owned map[[sha256.Size]byte]string
	at    time.Time
}

func (t *tokens) owner(ctx context.Context, s *Server, token string) (merchant string, ok bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	digest, now := sha256.Sum256([]byte(token)), s.cfg.Now()
	merchant, ok = t.owned[digest]
	if age := now.Sub(t.at).Abs(); ok && age < keepTokens || t.owned != nil && age < lookAgain {
		return merchant, ok, nil
	}
	owned := map[[sha256.Size]byte]string{}
	for id := range s.merchants {
		secrets, err := s.cfg.Engine.MerchantSecrets(ctx, id, engine.QueryToken)
		if err != nil {
			return "", false, err
		}
		for _, secret := range secrets {
			owned[sha256.Sum256([]byte(secret.Reveal()))] = id
		}
	}
	t.owned, t.at = owned, now
	merchant, ok = owned[digest]
	return merchant, ok, nil
}

// keepKeys is how long signing keys count without a look at them: one that was ended counts for at most so long.
const keepKeys = time.Second

// signers are the signing keys of merchants as they were read last.
type signers struct {
	mu    sync.Mutex
	known map[string]signer
}

type signer struct {
	keys []card.Secret
	at   time.Time
}

// proven reports whether a text bears a merchant's signature. What the keys that were read last do not prove, those of now may.
func (k *signers) proven(ctx context.Context, s *Server, merchant, signature, text string, a Algorithm) (bool, error) {
	now := s.cfg.Now()
	k.mu.Lock()
	last := k.known[merchant]
	k.mu.Unlock()
	if now.Sub(last.at).Abs() < keepKeys && signedBy(signature, text, a, last.keys) {
		return true, nil
	}
	keys, err := s.cfg.Engine.MerchantSecrets(ctx, merchant, engine.SigningKey)
	if err != nil {
		return false, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.known == nil {
		k.known = map[string]signer{}
	}
	k.known[merchant] = signer{keys, now}
	return signedBy(signature, text, a, keys), nil
}

// rates lets each merchant call so often a second, and a burst at once (§16).
type rates struct {
	mu   sync.Mutex
	left map[string]bucket
}

// bucket is how many calls a merchant had left, and when.
type bucket struct {
	calls float64
	at    time.Time
}

// take reports whether a merchant may make one more call now.
func (r *rates) take(merchant string, p Profile, now time.Time) bool {
	if p.Rate < 0 {
		return true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left == nil {
		r.left = map[string]bucket{}
	}
	b, known := r.left[merchant]
	if !known {
		b = bucket{float64(p.Burst), now}
	}
	passed := max(0, now.Sub(b.at)) // a clock that was set back gives nothing, and takes nothing
	b = bucket{min(float64(p.Burst), b.calls+passed.Seconds()*float64(p.Rate)), now}
	may := b.calls >= 1
	if may {
		b.calls--
	}
	r.left[merchant] = b
	return may
}
