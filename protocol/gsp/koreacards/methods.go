package koreacards

import (
	"context"
	"fmt"

	"naru/engine"
	"naru/protocol/gsp"
)

// Name is how an account names this API among those it is enabled for.
const Name = "korea-cards-v1"

// API lists what Google may call, in the spec's order (§1.2). What is not listed is an unknown route, such as the single-message capture.
func (s *Service) API() gsp.API {
	return gsp.API{
		Name: Name, Generation: gsp.A, Major: 1, Prefix: "/v1/payment-integrator-korea-cards-api/",
		Methods: []gsp.Method{
			gsp.Handle("reserveFunds", s.reserveFunds),                                               // P1, §4.1
			gsp.Handle("asynchronousCaptureFundsReservation", s.asynchronousCaptureFundsReservation), // P2, §4.2
			gsp.Handle("asynchronousCancelFundsReservation", s.asynchronousCancelFundsReservation),   // P3, §4.3
			gsp.Handle("asynchronousRefund", s.asynchronousRefund),                                   // P4, §4.4
			gsp.Handle("verifyCardWithMinimumReservation", s.verifyCardWithMinimumReservation),       // P5, §4.5
			gsp.Handle("defendChargeback", s.defendChargeback).At(disputePath).Limit(maxDefenceBody), // P6, §4.6
			// P7, echo (§4.7), has no prefix: the envelope serves /v1/echo for every API.
			gsp.Handle("verifyCardWithZeroAmount", s.verifyCardWithZeroAmount), // P8, §4.8
		},
	}
}

// disputePath is where P6 stands, under a prefix that it has for itself (§1.2).
const disputePath = "/v1/payment-integrator-dispute-api/defendChargeback"

// Engine is what the methods need of the engine.
type Engine interface {
	Reserve(context.Context, engine.Turn, engine.ReserveAsk) ([]byte, error)
	Capture(context.Context, engine.Turn, engine.CaptureAsk) ([]byte, error)
	Cancel(context.Context, engine.Turn, engine.CancelAsk) ([]byte, error)
	Refund(context.Context, engine.Turn, engine.RefundAsk) ([]byte, error)
	Defend(context.Context, engine.Turn, engine.DefendAsk) ([]byte, error)
}

// Service answers the methods of Korea Cards v1.
type Service struct {
	engine   Engine
	profiles map[string]Profile
}

// NewService makes the service. profiles are by account; an account that is not there has the zero Profile.
func NewService(e Engine, profiles map[string]Profile) (*Service, error) {
	for account, p := range profiles {
		if err := p.Check(); err != nil {
			return nil, fmt.Errorf("%s of %s: %w", Name, account, err)
		}
	}
	return &Service{e, profiles}, nil
}

func (s *Service) terms(c gsp.Call) terms {
	return terms{c.Account, s.profiles[c.Account.ID], c.At}
}

// reserveFunds holds money on a card.
// Spec: §4.1. A decline is a 200 and final; while nobody knows whether money is held the engine fails with Unavailable (503).
func (s *Service) reserveFunds(ctx context.Context, c gsp.Call, turn engine.Turn, in ReserveFundsRequest) ([]byte, error) {
	ask, err := s.terms(c).reserveAsk(in)
	if err != nil {
		return nil, err
	}
	return s.engine.Reserve(ctx, turn, ask)
}

// asynchronousCaptureFundsReservation takes the capture of a hold over.
// Spec: §4.2. The answer moves nothing: the verdict is G1, once the network has confirmed.
func (s *Service) asynchronousCaptureFundsReservation(
	ctx context.Context, c gsp.Call, turn engine.Turn, in AsynchronousCaptureFundsReservationRequest,
) ([]byte, error) {
	ask, err := s.terms(c).captureAsk(in)
	if err != nil {
		return nil, err
	}
	return s.engine.Capture(ctx, turn, ask)
}

// asynchronousCancelFundsReservation takes the release of a hold over.
// Spec: §4.3. The verdict is G2, and only ever SUCCESS: it is tried until the network has let the hold go.
func (s *Service) asynchronousCancelFundsReservation(
	ctx context.Context, c gsp.Call, turn engine.Turn, in AsynchronousCancelFundsReservationRequest,
) ([]byte, error) {
	ask, err := s.terms(c).cancelAsk(in)
	if err != nil {
		return nil, err
	}
	return s.engine.Cancel(ctx, turn, ask)
}

// asynchronousRefund takes over the job of giving captured money back.
// Spec: §4.4. The verdict is G3; while nobody knows whether the network has paid, the amount stays taken from what is left to refund.
func (s *Service) asynchronousRefund(ctx context.Context, c gsp.Call, turn engine.Turn, in AsynchronousRefundRequest) ([]byte, error) {
	ask, err := s.terms(c).refundAsk(in)
	if err != nil {
		return nil, err
	}
	return s.engine.Refund(ctx, turn, ask)
}

// verifyCardWithMinimumReservation finds out whether a card can be used, by holding the least that the network takes.
// Spec: §4.5. Google lets the hold go with P3, or we do when it never comes. A silent network is reversed, as for P1 (503).
func (s *Service) verifyCardWithMinimumReservation(
	ctx context.Context, c gsp.Call, turn engine.Turn, in VerifyCardWithMinimumReservationRequest,
) ([]byte, error) {
	ask, err := s.terms(c).verifyHoldAsk(in)
	if err != nil {
		return nil, err
	}
	return s.engine.Reserve(ctx, turn, ask)
}

// defendChargeback takes evidence over. No money moves: the issuer decides later.
// Spec: §4.6. SUCCESS means taken over, not won; every other result is a 200 too.
func (s *Service) defendChargeback(ctx context.Context, c gsp.Call, turn engine.Turn, in DefendChargebackRequest) ([]byte, error) {
	ask, err := s.terms(c).defendAsk(in)
	if err != nil {
		return nil, err
	}
	return s.engine.Defend(ctx, turn, ask)
}

// verifyCardWithZeroAmount finds out whether a card can be used, and leaves nothing behind.
// Spec: §4.8. A silent network is reversed, in case it knows no question without money (503).
func (s *Service) verifyCardWithZeroAmount(
	ctx context.Context, c gsp.Call, turn engine.Turn, in VerifyCardWithZeroAmountRequest,
) ([]byte, error) {
	ask, err := s.terms(c).checkAsk(in)
	if err != nil {
		return nil, err
	}
	return s.engine.Reserve(ctx, turn, ask)
}
