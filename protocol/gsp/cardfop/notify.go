package cardfop

import (
	"naru/engine"
	"naru/protocol/gsp/cards"
)

const googleAPI = "/google-card-fop-api/v1/"

// Notifications lists what we call at Google, in the spec's order (§1.3). G1 stands under our own prefix, echo under
// none. G9's page prints the path of G6, and those of G10 and G11 are inferred; configuration may replace each of them.
var Notifications = cards.Notifications{
	{Kind: engine.CaptureResult, Path: prefix + "captureFundsReservationResultNotification"},        // G1, §5.1
	{Kind: engine.CancelResult, Path: googleAPI + "cancelFundsReservationResultNotification"},       // G2, §5.2
	{Kind: engine.RefundResult, Path: googleAPI + "refundResultNotification"},                       // G3, §5.3
	{Kind: engine.CaptureARN, Path: googleAPI + "setAcquirerReferenceNumberForCaptureNotification"}, // G4, §5.4
	{Kind: engine.RefundARN, Path: googleAPI + "setAcquirerReferenceNumberForRefundNotification"},   // G5, §5.5
	{Kind: engine.InquiryRaised, Path: googleAPI + "inquiryNotification"},                           // G6, §5.6
	{Kind: engine.ChargebackRaised, Path: googleAPI + "chargebackNotification"},                     // G7, §5.7
	{Kind: engine.ChargebackReversed, Path: googleAPI + "chargebackReversedNotification"},           // G8, §5.8
	{Kind: engine.FraudReported, Path: googleAPI + "fraudNotification"},                             // G9, §5.9
	{Kind: engine.RefundReturned, Path: googleAPI + "reverseRefundNotification"},                    // G10, §5.10
	{Kind: engine.SettlementPart, Path: googleAPI + "settlementNotification"},                       // G11, §5.11
	{Kind: cards.Echo, Path: "/v1/echo"},                                                            // G12, §5.13
}
