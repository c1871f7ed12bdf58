package gsp_test

import (
	"context"
	"fmt"

	"naru/engine"
	"naru/protocol/gsp"
)

type refundRequest struct {
	CaptureRequestID *string    `json:"captureRequestId,omitzero"`
	Amount           *gsp.Int64 `json:"amount,omitzero"`
}

type refundResponse struct {
	Result string `json:"result"`
}

type service struct{}

// API lists the methods in the order of the sheet.
func (s service) API() gsp.API {
	return gsp.API{Name: "toy-v1", Generation: gsp.A, Major: 1, Prefix: "/v1/payment-integrator-toy-api/", Methods: []gsp.Method{
		gsp.Handle("asynchronousRefund", s.asynchronousRefund),                                              // §4.4
		gsp.Handle("defendRefund", s.asynchronousRefund).At("/v1/dispute-api/defendRefund").Limit(32 << 20), // §4.6, a path of its own
	}}
}

func (s service) asynchronousRefund(_ context.Context, call gsp.Call, _ engine.Turn, in refundRequest) ([]byte, error) {
	err := gsp.First(gsp.Required("captureRequestId", in.CaptureRequestID != nil), gsp.Required("amount", in.Amount != nil))
	if err != nil {
		return nil, err // 400; nothing is stored
	}
	// A method that moves money hands turn and an Encode function to a verb of the engine, and returns what the verb returns.
	return gsp.Encode(refundResponse{Result: "ACKNOWLEDGED"})
}

// A protocol is a list of methods; wire.go hands it to the server with server.Serve(service.API()).
func ExampleHandle() {
	for _, m := range (service{}).API().Methods {
		fmt.Println(m.Name())
	}
	// Output:
	// asynchronousRefund
	// defendRefund
}
