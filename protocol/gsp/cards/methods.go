package cards

import (
	"context"
	"fmt"

	"naru/engine"
	"naru/protocol/gsp"
)

// Engine is what the methods need of the engine.
type Engine interface {
	Reserve(context.Context, engine.Turn, engine.ReserveAsk) ([]byte, error)
	Capture(context.Context, engine.Turn, engine.CaptureAsk) ([]byte, error)
	Cancel(context.Context, engine.Turn, engine.CancelAsk) ([]byte, error)
	Refund(context.Context, engine.Turn, engine.RefundAsk) ([]byte, error)
	Defend(context.Context, engine.Turn, engine.DefendAsk) ([]byte, error)
}

// Service answers the methods that are equal in both APIs. T is the profile of one of them.
type Service[T Contract] struct {
	Engine   Engine
	api      API
	profiles map[string]T
}

// A Contract is what one account's profile says, in either API.
type Contract interface {
	Check() error
	Shared() Profile
}

// NewService makes the service of one API. profiles are by account; an account that is not there has the zero profile.
func NewService[T Contract](e Engine, api API, profiles map[string]T) (*Service[T], error) {
	for account, p := range profiles {
		if err := p.Check(); err != nil {
			return nil, fmt.Errorf("%s of %s: %w", api.Name, account, err)
		}
	}
	return &Service[T]{e, api, profiles}, nil
}

// Terms are what a call's message is read against.
func (s *Service[T]) Terms(c gsp.Call) Terms {
	return Terms{API: s.api, Account: c.Account, Profile: s.Profile(c).Shared(), Now: c.At}
}

// Profile is that of a call's account.
func (s *Service[T]) Profile(c gsp.Call) T { return s.profiles[c.Account.ID] }

// AsynchronousCaptureFundsReservation takes the capture of a hold over.
// Spec: §4.2. The answer moves nothing: the verdict is G1, once the network has confirmed.
func (s *Service[T]) AsynchronousCaptureFundsReservation(
	ctx context.Context, c gsp.Call, turn engine.Turn, in AsynchronousCaptureFundsReservationRequest,
) ([]byte, error) {
	ask, err := s.Terms(c).captureAsk(in)
	if err != nil {
		return nil, err
	}
	return s.Engine.Capture(ctx, turn, ask)
}

// AsynchronousCancelFundsReservation takes the release of a hold over.
// Spec: §4.3. The verdict is G2, and only ever SUCCESS: it is tried until the network has let the hold go.
func (s *Service[T]) AsynchronousCancelFundsReservation(
	ctx context.Context, c gsp.Call, turn engine.Turn, in AsynchronousCancelFundsReservationRequest,
) ([]byte, error) {
	ask, err := s.Terms(c).cancelAsk(in)
	if err != nil {
		return nil, err
	}
	return s.Engine.Cancel(ctx, turn, ask)
}

// AsynchronousRefund takes over the job of giving captured money back.
// Spec: §4.4; FOP §4.5. The verdict is G3; while nobody knows whether the network has paid, the amount stays taken from what is left to
// refund.
func (s *Service[T]) AsynchronousRefund(ctx context.Context, c gsp.Call, turn engine.Turn, in AsynchronousRefundRequest) ([]byte, error) {
	ask, err := s.Terms(c).refundAsk(in)
	if err != nil {
		return nil, err
	}
	return s.Engine.Refund(ctx, turn, ask)
}

// DefendChargeback takes evidence over. No money moves: the issuer decides later.
// Spec: §4.6; FOP §4.7. SUCCESS means taken over, not won; every other result is a 200 too.
func (s *Service[T]) DefendChargeback(ctx context.Context, c gsp.Call, turn engine.Turn, in DefendChargebackRequest) ([]byte, error) {
	ask, err := s.Terms(c).defendAsk(in)
	if err != nil {
		return nil, err
	}
	return s.Engine.Defend(ctx, turn, ask)
}

// DisputePath is where defendChargeback stands, under a prefix that it has for itself and at which both APIs have it (§1.2).
const DisputePath = "/v1/payment-integrator-dispute-api/defendChargeback"
