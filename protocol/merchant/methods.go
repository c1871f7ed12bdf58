package merchant

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"

	"naru/core/card"
	"naru/core/deposit"
	"naru/core/fault"
	"naru/engine"
	"naru/room"
)

// operation is one row of the API (§2). A signed one has parameters in its body; any other is proven by its Authorization header.
type operation struct {
	name, verb, path string
	fields           []field
	run              func(*Server, context.Context, *call) (any, error)
}

// operations is what merchants may call, in the sheet's order. The pages that payers see are not among them.
var operations = []operation{
	{"createDeposit", http.MethodPost, "v1/payments", depositV1, (*Server).createDeposit},     // §5
	{"createDepositV2", http.MethodPost, "v2/payments", depositV2, (*Server).createDepositV2}, // §5.4
	{"listDeposits", http.MethodGet, "v1/payments", nil, (*Server).listDeposits},              // §6.1
	{"getDeposit", http.MethodGet, "v2/payments/{payment_cl_id}", nil, (*Server).getDeposit},  // §6.2
	{"createPayout", http.MethodPost, "v2/payouts", payoutV2, (*Server).createPayout},         // §8
	{"listPayouts", http.MethodGet, "v2/payouts", nil, (*Server).listPayouts},                 // §9
	{"listPayoutsV1", http.MethodGet, "v1/payouts", nil, (*Server).listPayouts},               // §9, §18
	{"getPayout", http.MethodGet, "v2/payouts/{payout_cl_id}", nil, (*Server).getPayout},      // §9
	{"getBalance", http.MethodGet, "v1/platforms/balance", nil, (*Server).getBalance},         // §19
	{"getBalanceV2", http.MethodGet, "v2/platforms/balance", nil, (*Server).getBalanceV2},     // §19
}

// Engine is what the API needs of the engine.
type Engine interface {
	CreateDeposit(context.Context, engine.DepositAsk) (deposit.Order, error)
	Deposits(context.Context, engine.Page) ([]deposit.Order, int64, error)
	DepositByClient(ctx context.Context, merchant, clientID string) (deposit.Order, bool, error)
	PayerOf(deposit.Order) (deposit.Payer, error)
	WaitsForRegistration(deposit.Order) bool
	CreatePayout(context.Context, engine.PayoutAsk) (engine.MerchantPayout, error)
	MerchantPayouts(context.Context, engine.Page) ([]engine.MerchantPayout, int64, error)
	MerchantPayoutByClient(ctx context.Context, merchant, clientID string) (engine.MerchantPayout, bool, error)
	BalanceOf(ctx context.Context, merchant string) (engine.Balances, error)
	MerchantSecrets(context.Context, string, engine.KeyPurpose) ([]card.Secret, error)
}

// list is a page of orders, and how many match.
type list struct {
	data  any
	total int64
}

// createDeposit opens an order that a transfer can pay. Spec: §5.
func (s *Server) createDeposit(ctx context.Context, c *call) (any, error) {
	return s.openDeposit(ctx, c, 1)
}

// createDepositV2 does the same in the words of version 2. Spec: §5.4.
func (s *Server) createDepositV2(ctx context.Context, c *call) (any, error) {
	return s.openDeposit(ctx, c, 2)
}

func (s *Server) openDeposit(ctx context.Context, c *call, generation deposit.Generation) (any, error) {
	ask, err := s.depositAsk(c, generation)
	if err != nil {
		return nil, err
	}
	o, err := s.cfg.Engine.CreateDeposit(ctx, ask)
	if err != nil {
		return nil, refusedBy(err, ask.Service, depositService, DepositFailed)
	}
	return s.deposited(c, o), nil
}

// listDeposits lists a merchant's orders, newest first, each signed. Spec: §6.1. No match is an empty list.
func (s *Server) listDeposits(ctx context.Context, c *call) (any, error) {
	p, err := page(c.query, c.merchant, "payment_id", "payment_cl_id")
	if err != nil {
		return nil, err
	}
	orders, total, err := s.cfg.Engine.Deposits(ctx, p)
	if err != nil {
		return nil, err
	}
	key, err := s.signingKey(ctx, c.merchant)
	if err != nil {
		return nil, err
	}
	items := make([]DepositItem, len(orders))
	for i, o := range orders {
		payer, err := named(s.cfg.Engine, c.profile, o)
		if err != nil {
			return nil, err
		}
		items[i] = depositItem(o, c.profile, payer)
		if items[i].Sign, err = sign(items[i], c.profile.answersWith(), key); err != nil {
			return nil, err
		}
	}
	return list{items, total}, nil
}

// named is who pays an order, where its merchant wants to be told (§6.1, §7).
func named(e interface {
	PayerOf(deposit.Order) (deposit.Payer, error)
}, p Profile, o deposit.Order,
) (deposit.Payer, error) {
	if !p.PayerName {
		return deposit.Payer{}, nil
	}
	return e.PayerOf(o)
}

// getDeposit is one order, by the merchant's number. Spec: §6.2.
func (s *Server) getDeposit(ctx context.Context, c *call) (any, error) {
	o, ok, err := s.cfg.Engine.DepositByClient(ctx, c.merchant, c.clientID)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, refuse(NotFound, "There is no such order")
	}
	payer, err := s.cfg.Engine.PayerOf(o)
	return depositOrder(o, payer), err
}

// createPayout takes a payout on. Spec: §8. One that was taken on is answered 200 even where the store broke off on the way: some merchants
// count anything else as failed, and would pay again.
func (s *Server) createPayout(ctx context.Context, c *call) (any, error) {
	ask, err := s.payoutAsk(c)
	if err != nil {
		return nil, err
	}
	ask.Confirm = s.precheck(c, ask)
	began := s.cfg.Business().Truncate(time.Microsecond) // as the store keeps times
	m, err := s.takePayout(ctx, ask)
	if err = refusedBy(err, ask.Service, payoutService, PayoutFailed); unclear(err) {
		found, ok, lost := s.cfg.Engine.MerchantPayoutByClient(ctx, ask.Merchant, ask.ClientID)
		if ok && lost == nil && found.Amount == ask.Amount && found.Service == ask.Service && !found.CreatedAt.Before(began) {
			c.err = err
			m, err = found, nil
		}
	}
	if err != nil {
		return nil, err
	}
	return PayoutCreated{m.Number}, nil
}

// takePayout asks the engine; a panic in it is an outcome that nobody knows.
func (s *Server) takePayout(ctx context.Context, ask engine.PayoutAsk) (m engine.MerchantPayout, err error) {
	defer recovered(&err)
	return s.cfg.Engine.CreatePayout(ctx, ask)
}

// unclear reports whether nobody can tell what became of a call.
func unclear(err error) bool {
	var certain *failure
	return err != nil && !errors.As(err, &certain)
}

// precheck asks the merchant whether a payout is its own. Spec: §11. It fails closed: any answer but HTTP 200 with 0000 in time stops it.
func (s *Server) precheck(c *call, ask engine.PayoutAsk) func(context.Context) error {
	if c.profile.PrecheckURL == "" {
		return nil
	}
	return func(ctx context.Context) error {
		own := room.Guest{Party: c.merchant}
		if !s.checking.Enter(own) {
			return s.early(precheck)
		}
		defer s.checking.Leave(own)
		key, err := s.signingKey(ctx, c.merchant)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, s.cfg.Precheck)
		defer cancel()
		body := PayoutCheck{
			PlatformID: ask.Merchant, PayoutClID: ask.ClientID, Amount: hundredths(ask.Amount), Name: revealed{ask.Target.Name},
			Number: revealed{ask.Target.Number}, SignType: told(ask.SignType),
		}
		if body.Sign, err = sign(body, c.algorithm, key); err != nil {
			return err
		}
		plain, err := json.Marshal(body)
		if err != nil {
			return err
		}
		status, answer, err := s.out.post(ctx, c.profile.PrecheckURL, plain, nil)
		if err != nil || status != http.StatusOK || acknowledged(answer, nil) == "" {
			return refuse(PayoutFailed, "The merchant's own check did not confirm this payout")
		}
		return nil
	}
}

// listPayouts lists a merchant's payouts, newest first, each signed. Spec: §9. Both versions answer alike.
func (s *Server) listPayouts(ctx context.Context, c *call) (any, error) {
	p, err := page(c.query, c.merchant, "payout_id", "payout_cl_id")
	if err != nil {
		return nil, err
	}
	payouts, total, err := s.cfg.Engine.MerchantPayouts(ctx, p)
	if err != nil {
		return nil, err
	}
	key, err := s.signingKey(ctx, c.merchant)
	if err != nil {
		return nil, err
	}
	items := make([]PayoutItem, len(payouts))
	for i, m := range payouts {
		items[i] = payoutItem(m, c.profile)
		if items[i].Sign, err = sign(items[i], c.profile.answersWith(), key); err != nil {
			return nil, err
		}
	}
	return list{items, total}, nil
}

// getPayout is one payout, by the merchant's number. Spec: §9.
func (s *Server) getPayout(ctx context.Context, c *call) (any, error) {
	m, ok, err := s.cfg.Engine.MerchantPayoutByClient(ctx, c.merchant, c.clientID)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, refuse(NotFound, "There is no such order")
	}
	return payoutOrder(m), nil
}

// getBalance is what the merchant has: what it can pay out, and beside it what is frozen. Spec: §19.
func (s *Server) getBalance(ctx context.Context, c *call) (any, error) {
	b, err := s.cfg.Engine.BalanceOf(ctx, c.merchant)
	if err != nil {
		return nil, err
	}
	key, err := s.signingKey(ctx, c.merchant)
	if err != nil {
		return nil, err
	}
	free, frozen, a := hundredths(b.Free), frozenPart(b, c.profile), c.profile.answersWith()
	channel := Channel{PlatformChannelID: c.profile.Channel, ChannelName: c.profile.ChannelName, Balance: free, FrozenBalance: frozen}
	if channel.Sign, err = sign(channelSigned{channel.PlatformChannelID, channel.ChannelName, free}, a, key); err != nil {
		return nil, err
	}
	out := BalanceV1{
		PlatformID: c.merchant, PlatformChannels: []Channel{channel}, Total: 1, TotalBalance: free, TotalFrozenBalance: frozen,
		RequestTime: s.cfg.Now().Unix(),
	}
	out.Sign, err = sign(balanceSigned{out.PlatformID, out.Total, out.TotalBalance, out.RequestTime}, a, key)
	return out, err
}

// getBalanceV2 is the same in the words of version 2. Spec: §19.
func (s *Server) getBalanceV2(ctx context.Context, c *call) (any, error) {
	b, err := s.cfg.Engine.BalanceOf(ctx, c.merchant)
	if err != nil {
		return nil, err
	}
	return BalanceV2{c.merchant, hundredths(b.Free), frozenPart(b, c.profile)}, nil
}

func frozenPart(b engine.Balances, p Profile) *int64 {
	if p.NoFrozen {
		return nil
	}
	frozen := hundredths(b.Frozen)
	return &frozen
}

func (s *Server) signingKey(ctx context.Context, merchant string) (card.Secret, error) {
	return signingKey(ctx, s.cfg.Engine, merchant)
}

// signingKey is the secret that signs what we say to a merchant: the newest.
func signingKey(ctx context.Context, e interface {
	MerchantSecrets(context.Context, string, engine.KeyPurpose) ([]card.Secret, error)
}, merchant string,
) (card.Secret, error) {
	keys, err := e.MerchantSecrets(ctx, merchant, engine.SigningKey)
	if err == nil && len(keys) == 0 {
		err = fault.New(fault.Internal, "the merchant has no signing key")
	}
	if err != nil {
		return card.Secret{}, err
	}
	return keys[0], nil
}
