package disburse

import (
	"context"

	"naru/engine"
	"naru/protocol/gsp"
)

// Name is how an account names this API among those it is enabled for.
const Name = "disburse-v1"

// API lists what Google may call.
func (s *Service) API() gsp.API {
	return gsp.API{
		Name: Name, Generation: gsp.A, Major: 1, Prefix: "/v1/",
		Methods: []gsp.Method{
			gsp.Handle("disburseFunds", s.disburseFunds), // §4
			// echo (§6): the envelope serves /v1/echo for every API.
		},
	}
}

// Engine is what the method needs of the engine.
type Engine interface {
	Disburse(context.Context, engine.Turn, engine.DisburseAsk) ([]byte, error)
}

// Service answers the methods of disburseFunds v1.
type Service struct {
	engine   Engine
	profiles map[string]Profile
}

// NewService makes the service. profiles are by account; an account that is not there has the zero Profile.
func NewService(e Engine, profiles map[string]Profile) *Service { return &Service{e, profiles} }

// disburseFunds pays money out to a UPI address.
// Spec: §4. A 200 is final, and a refusal is one too; while the result is open the engine fails with Unavailable (503 without a code,
// §7.1), and tells the result as soon as there is one.
func (s *Service) disburseFunds(ctx context.Context, c gsp.Call, turn engine.Turn, in DisburseFundsRequest) ([]byte, error) {
	ask, err := terms{c.Account, s.profiles[c.Account.ID]}.ask(in)
	ask.Fault = err // for the engine to say where the request is new (§11: row 14 before the rows of the body)
	return s.engine.Disburse(ctx, turn, ask)
}
