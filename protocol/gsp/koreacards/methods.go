package koreacards

import (
	"context"

	"naru/engine"
	"naru/protocol/gsp"
	"naru/protocol/gsp/cards"
)

// Name is how an account names this API among those it is enabled for.
const Name = "korea-cards-v1"

const prefix = "/v1/payment-integrator-korea-cards-api/"

// API lists what Google may call, in the spec's order (§1.2). What is not listed is an unknown route, such as the single-message capture.
func (s *Service) API() gsp.API {
	return gsp.API{
		Name: Name, Generation: gsp.A, Major: 1, Prefix: prefix,
		Methods: []gsp.Method{
			gsp.Handle("reserveFunds", s.reserveFunds),                                                           // P1, §4.1
			gsp.Handle("asynchronousCaptureFundsReservation", s.AsynchronousCaptureFundsReservation),             // P2, §4.2
			gsp.Handle("asynchronousCancelFundsReservation", s.AsynchronousCancelFundsReservation),               // P3, §4.3
			gsp.Handle("asynchronousRefund", s.AsynchronousRefund),                                               // P4, §4.4
			gsp.Handle("verifyCardWithMinimumReservation", s.verifyCardWithMinimumReservation),                   // P5, §4.5
			gsp.Handle("defendChargeback", s.DefendChargeback).At(cards.DisputePath).Limit(cards.MaxDefenceBody), // P6, §4.6
			// P7, echo (§4.7), has no prefix: the envelope serves /v1/echo for every API.
			gsp.Handle("verifyCardWithZeroAmount", s.verifyCardWithZeroAmount), // P8, §4.8
		},
	}
}

// Service answers the methods of Korea Cards v1.
type Service struct{ *cards.Service[Profile] }

// NewService makes the service. profiles are by account; an account that is not there has the zero Profile.
func NewService(e cards.Engine, profiles map[string]Profile) (*Service, error) {
	s, err := cards.NewService(e, API, profiles)
	return &Service{s}, err
}

func (s *Service) terms(c gsp.Call) terms { return terms{s.Terms(c), s.Profile(c)} }

// reserveFunds holds money on a card.
// Spec: §4.1. A decline is a 200 and final; while nobody knows whether money is held the engine fails with Unavailable (503).
func (s *Service) reserveFunds(ctx context.Context, c gsp.Call, turn engine.Turn, in ReserveFundsRequest) ([]byte, error) {
	ask, err := s.terms(c).reserveAsk(in)
	if err != nil {
		return nil, err
	}
	return s.Engine.Reserve(ctx, turn, ask)
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
	return s.Engine.Reserve(ctx, turn, ask)
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
	return s.Engine.Reserve(ctx, turn, ask)
}
