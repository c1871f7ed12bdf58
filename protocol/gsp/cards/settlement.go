package cards

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"naru/core/money"
	"naru/core/settlement"
	"naru/protocol/gsp"
)

// settled is how an item of a settlement is said (§6.3): its member in the file, its array in the notification, its ids, its money. These
// names stand nowhere else.
type settled struct {
	kind         settlement.Kind
	entry, array string
	ids          []settledID
	money        func(settlement.Item) (object, error)
}

// settledID is a member that names what is settled. Every one is required.
type settledID struct {
	name string
	of   func(settlement.Item) string
}

var settledKinds = []settled{
	{settlement.Capture, "captureEvent", "captureEvents", []settledID{
		{"captureRequestId", subject}, {"paymentIntegratorCaptureId", ownID},
	}, charged},
	{settlement.Refund, "refundEvent", "refundEvents", []settledID{
		{"asynchronousRefundRequestId", subject}, {"paymentIntegratorRefundId", ownID},
	}, charged},
	{settlement.ReverseRefund, "reverseRefundEvent", "reverseRefundEvents", []settledID{
		{"asynchronousRefundRequestId", subject}, // inferred
	}, charged},
	{settlement.Chargeback, "chargebackEvent", "chargebackEvents", []settledID{
		{"captureRequestId", subject}, {"paymentIntegratorChargebackNotificationRequestId", link},
	}, charged},
	{settlement.ReverseChargeback, "reverseChargebackEvent", "reverseChargebackEvents", []settledID{
		{"captureRequestId", subject}, {"paymentIntegratorChargebackReversedNotificationRequestId", link}, // inferred (§14 point 25)
	}, charged},
	{settlement.FundsReservation, "fundsReservationEvent", "fundsReservationEvents", []settledID{
		{"fundsReservationRequestId", subject},
	}, reserved},
	{settlement.AggregateAdjusting, "aggregateAdjustment", "aggregateAdjustments", nil, adjusted},
	{settlement.MiscAdjusting, "miscellaneousAdjustment", "miscellaneousAdjustments", nil, corrected},
}

func subject(i settlement.Item) string { return i.Subject }
func ownID(i settlement.Item) string   { return i.OwnID }
func link(i settlement.Item) string    { return i.Link }

// charged is the money of an event that moved some.
func charged(i settlement.Item) (object, error) {
	return object{{"eventCharge", amountB(i.Charge)}, {"eventFee", amountB(i.Fee)}, {"eventVat", amountB(i.VAT)}}, nil
}

// reserved is the money of a hold that never became a payment. It has no member for VAT, which therefore goes into the fee.
func reserved(i settlement.Item) (object, error) {
	if !i.Charge.IsZero() {
		return nil, errors.New("a reservation that moves money")
	}
	return object{{"eventFee", amountB(i.Fee.Plus(i.VAT))}, {"eventPresentmentDetails", EventPresentmentDetails{
		PresentmentAmount: amountB(i.Charge), NanoExchangeRate: rateOfOne,
	}}}, nil
}

const rateOfOne gsp.Int64 = 10_000_000_000_000

// adjusted is money that belongs to no single payment.
func adjusted(i settlement.Item) (object, error) {
	word, _, _ := strings.Cut(i.Note, " ")
	kind := adjustmentTypes[""]
	if known, ok := adjustmentTypes[strings.ToUpper(word)]; ok {
		kind = known
	}
	return object{{"adjustmentAmount", amountB(i.Sum())}, {"adjustmentType", object{{kind, gsp.Empty{}}}}}, nil
}

// adjustmentTypes says what an adjustment is for, by the first word of its note; the first row is for all other notes.
var adjustmentTypes = map[string]string{
	"":             "aggregatedAuthorizationFees",
	"AUTHFEE":      "aggregatedAuthorizationFees",
	"AUTHFEEVAR":   "aggregatedAuthorizationFeesVariance",
	"CBFEE":        "aggregatedChargebackFees",
	"CBFEEVAR":     "aggregatedChargebackFeesVariance",
	"INTEGRITY":    "aggregatedIntegrityFees",
	"INTEGRITYVAR": "aggregatedIntegrityFeesVariance",
	"SCHEMEFEE":    "aggregatedSchemeFees",
	"SCHEMEFEEVAR": "aggregatedSchemeFeesVariance",
	"SERVICEFEE":   "aggregatedGoodsServicesFees",
	"CBFINE":       "chargebackThresholdFine",
	"ROUNDING":     "eventFeesRounding",
}

// corrected is money that somebody moved by hand. No member of it but the amount is readable; the text is a guess that says why (§6.3).
func corrected(i settlement.Item) (object, error) {
	return object{{"adjustmentAmount", amountB(i.Sum())}, {"adjustmentDescription", cmp.Or(i.Note, "manual correction")}}, nil
}

func amountB(a money.Amount) Amount { return Amount{gsp.Int64(a.Micros()), a.Currency().Code()} }

func stampB(t time.Time) gsp.TimestampB {
	at := gsp.Millis(t)
	return gsp.TimestampB{EpochMillis: &at}
}

// tally checks items on their way out (§6.3): what they are, and in the end their number and their sum.
type tally struct {
	settlement.Settlement
	count int64
	sum   money.Amount
}

func newTally(s settlement.Settlement) *tally {
	return &tally{Settlement: s, sum: money.New(0, s.Currency)}
}

// say is one item in the words of the table.
func (t *tally) say(i settlement.Item) (settled, object, error) {
	for _, row := range settledKinds {
		if row.kind != i.Kind {
			continue
		}
		if err := t.fits(i); err != nil {
			return row, nil, err
		}
		var out object
		for _, id := range row.ids {
			if id.of(i) == "" {
				return row, nil, fmt.Errorf("settlement %s: an item %s without %s", t.ID, i.Kind, id.name)
			}
			out = append(out, member{id.name, id.of(i)})
		}
		amounts, err := row.money(i)
		if err != nil {
			return row, nil, fmt.Errorf("settlement %s: %w", t.ID, err)
		}
		t.count, t.sum = t.count+1, t.sum.Plus(i.Sum())
		return row, append(out, amounts...), nil
	}
	return settled{}, nil, fmt.Errorf("settlement %s: an item of an unknown kind", t.ID)
}

func (t *tally) fits(i settlement.Item) error {
	if i.Account != t.Account {
		return fmt.Errorf("settlement %s: an item of another account", t.ID)
	}
	sum := t.sum.Minor()
	for _, a := range []money.Amount{i.Charge, i.Fee, i.VAT} {
		if a.Currency() != t.Currency {
			return fmt.Errorf("settlement %s: an item that is not in %s", t.ID, t.Currency)
		}
		if sum += a.Minor(); !inMicros(a.Minor()) || !inMicros(sum) {
			return fmt.Errorf("settlement %s: an amount that no 64-bit number of micros holds", t.ID)
		}
	}
	return nil
}

// inMicros reports whether minor units of any currency fit.
func inMicros(minor int64) bool {
	return minor <= math.MaxInt64/1_000_000 && minor >= -math.MaxInt64/1_000_000
}

func (t *tally) agrees() error {
	if t.count != t.Items || t.sum != t.Net {
		return fmt.Errorf("settlement %s: %d items with a sum of %s, where there must be %d with %s", t.ID, t.count, t.sum, t.Items, t.Net)
	}
	return nil
}

// partOf is where a part of a settlement begins and how many items it has. All parts but the last are of one size; it follows from what is
// stored, so that a part never changes.
func partOf(s settlement.Settlement, part int64) (offset, count int64, ok bool) {
	parts := max(s.Parts, 1)
	if part < 0 || part >= parts {
		return 0, 0, false
	}
	size := (s.Items + parts - 1) / parts
	return part * size, min(size, max(s.Items-part*size, 0)), true
}

// settlementPart is one notification of a settlement (G9, §5.9; FOP G11, §5.11).
func settlementPart(account string, s settlement.Settlement, part int64, items []settlement.Item) (*SettlementNotification, error) {
	parts := max(s.Parts, 1)
	if s.Account != account {
		return nil, fmt.Errorf("settlement %s is of another account", s.ID)
	}
	if _, count, ok := partOf(s, part); !ok || int64(len(items)) != count || !inMicros(s.Net.Minor()) {
		return nil, fmt.Errorf("settlement %s over %s: there is no part %d of %d with %d items", s.ID, s.Net, part, parts, len(items))
	}
	out := &SettlementNotification{
		GeneratedTimestamp: stampB(s.ClosedAt), SettlementPeriod: Interval{stampB(s.Start), stampB(s.End)}, SettlementAmount: amountB(s.Net),
		SettlementID: s.ID, NotificationOffset: part, NotificationTotal: parts, Events: map[string][]object{},
	}
	t := newTally(s)
	for _, i := range items {
		row, event, err := t.say(i)
		if err != nil {
			return nil, err
		}
		out.Events[row.array] = append(out.Events[row.array], event)
	}
	if parts == 1 {
		return out, t.agrees()
	}
	return out, nil
}

// FileHeader names one settlement file.
type FileHeader struct {
	RequestID string
	At        time.Time // of its generation
}

// WriteSettlementFile writes a settlement as newline-delimited JSON (§6.2). It fails where the items are not what the settlement says
// (§6.3): what was written until then must not be uploaded. Sealing is somebody else's.
func WriteSettlementFile(w io.Writer, h FileHeader, s settlement.Settlement, items iter.Seq2[settlement.Item, error]) error {
	if !inMicros(s.Net.Minor()) {
		return fmt.Errorf("settlement %s: an amount that no 64-bit number of micros holds", s.ID)
	}
	out := bufio.NewWriter(w)
	line := func(v any) error {
		if err := json.MarshalWrite(out, v); err != nil {
			return err
		}
		return out.WriteByte('\n')
	}
	if err := line(GspFileHeader{h.RequestID, stampB(h.At), FileTypeSettlement, s.Account}); err != nil {
		return err
	}
	if err := line(GspCardSettlementHeader{s.ID, Interval{stampB(s.Start), stampB(s.End)}, amountB(s.Net), gsp.Int64(s.Items)}); err != nil {
		return err
	}
	t := newTally(s)
	for i, err := range items {
		if err != nil {
			return err
		}
		row, event, err := t.say(i)
		if err != nil {
			return err
		}
		if err := line(GspCardSettlementEntry{gsp.Int64(t.count), object{{row.entry, event}}}); err != nil {
			return err
		}
	}
	if err := t.agrees(); err != nil {
		return err
	}
	return out.Flush()
}

// DefaultFileName is the name that the sibling API prints (gsp-remittance §9.2).
const DefaultFileName = "GSP_CARD_SETTLEMENT_REPORT_V1-{settlementId}-{piaid}-{date}-{seconds}"

// SettlementFileName fills a pattern in; empty is DefaultFileName. Date is the day in UTC. The page's example has seconds where the file's
// header has milliseconds: both can be had.
func SettlementFileName(pattern string, h FileHeader, s settlement.Settlement) (string, error) {
	name := strings.NewReplacer(
		"{settlementId}", s.ID, "{piaid}", s.Account, "{date}", h.At.UTC().Format(time.DateOnly),
		"{seconds}", strconv.FormatInt(h.At.Unix(), 10), "{millis}", strconv.FormatInt(h.At.UnixMilli(), 10),
	).Replace(cmp.Or(pattern, DefaultFileName))
	if strings.ContainsAny(name, "{}/\\\x00") || strings.HasPrefix(name, ".") {
		return "", errors.New("the name of a settlement file has {settlementId}, {piaid}, {date}, {seconds} and {millis}, and is no path")
	}
	return name, nil
}

// object is a JSON object whose members keep their order.
type object []member

type member struct {
	name  string
	value any
}

// MarshalJSONTo writes the members in their order.
func (o object) MarshalJSONTo(enc *jsontext.Encoder) error {
	if err := enc.WriteToken(jsontext.BeginObject); err != nil {
		return err
	}
	for _, m := range o {
		if err := enc.WriteToken(jsontext.String(m.name)); err != nil {
			return err
		}
		if err := json.MarshalEncode(enc, m.value); err != nil {
			return err
		}
	}
	return enc.WriteToken(jsontext.EndObject)
}
