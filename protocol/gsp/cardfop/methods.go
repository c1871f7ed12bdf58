package cardfop

import (
	"context"

	"naru/core/payment"
	"naru/engine"
	"naru/protocol/gsp"
	"naru/protocol/gsp/cards"
)

// Name is how an account names this API among those it is enabled for.
const Name = "card-fop-v1"

const prefix = "/v1/payment-integrator-card-fop-api/"

// API lists what Google may call, in the spec's order (§1.2). What is not listed is an unknown route, such as the check without money.
func (s *Service) API() gsp.API {
	return gsp.API{
		Name: Name, Generation: gsp.A, Major: 1, Prefix: prefix,
		Methods: []gsp.Method{
			gsp.Handle("reserveFunds", s.reserveFunds),                                                           // P1, §4.1
			gsp.Handle("asynchronousCaptureFundsReservation", s.AsynchronousCaptureFundsReservation),             // P2, §4.2
			gsp.Handle("asynchronousCancelFundsReservation", s.AsynchronousCancelFundsReservation),               // P3, §4.3
			gsp.Handle("capture", s.capture),                                                                     // P4, §4.4
			gsp.Handle("asynchronousRefund", s.AsynchronousRefund),                                               // P5, §4.5
			gsp.Handle("verifyCardWithMinimumReservation", s.verifyCardWithMinimumReservation),                   // P6, §4.6
			gsp.Handle("defendChargeback", s.DefendChargeback).At(cards.DisputePath).Limit(cards.MaxDefenceBody), // P7, §4.7
			// P8, echo (§4.8), has no prefix: the envelope serves /v1/echo for every API.
		},
	}
}

// Service answers the methods of Card FOP v1.
type Service struct{ *cards.Service[Profile] }

// NewService makes the service. profiles are by account; an account that is not there has the zero Profile.
func NewService(e cards.Engine, profiles map[string]Profile) (*Service, error) {
	s, err := cards.NewService(e, API, profiles)
	return &Service{s}, err
}

// reserveFunds holds money on a card.
// Spec: §4.1. A decline is a 200 and final; while nobody knows whether money is held the engine fails with Unavailable (503).
func (s *Service) reserveFunds(ctx context.Context, c gsp.Call, turn engine.Turn, in ReserveFundsRequest) ([]byte, error) {
	ask, err := paymentAsk(s.Terms(c), payment.ToPay, in, cards.Answer.Reserved)
	if err != nil {
		return nil, err
	}
	return s.Engine.Reserve(ctx, turn, ask)
}

// capture takes money from a card in one message.
// Spec: §4.4. A 200 is final, and no notification follows. A silent network is reversed, whatever it did: until it has confirmed that, the
// caller hears 503, and a repeat after it is a new attempt.
func (s *Service) capture(ctx context.Context, c gsp.Call, turn engine.Turn, in CaptureRequest) ([]byte, error) {
	ask, err := paymentAsk(s.Terms(c), payment.ToSell, in, captureResponse)
	if err != nil {
		return nil, err
	}
	return s.Engine.Reserve(ctx, turn, ask)
}

// verifyCardWithMinimumReservation finds out whether a card can be used, by holding the least that the network takes.
// Spec: §4.6. Google lets the hold go with P3, or we do when it never comes. A silent network is reversed, as for P1 (503).
func (s *Service) verifyCardWithMinimumReservation(
	ctx context.Context, c gsp.Call, turn engine.Turn, in VerifyCardWithMinimumReservationRequest,
) ([]byte, error) {
	ask, err := verifyAsk(s.Terms(c), in)
	if err != nil {
		return nil, err
	}
	return s.Engine.Reserve(ctx, turn, ask)
}
