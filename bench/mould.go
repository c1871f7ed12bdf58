package bench

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	_ "modernc.org/sqlite" // reads what the sandbox wrote

	"naru/sandbox"
	"naru/store"
	"naru/vault"
)

// A mould is one captured payment, all rows that it left behind, in a shape from which others are cast. It was played by a sandbox: Google
// asked for money and captured it, the acquirer answered, and Google was told the verdict. What is cast has what a real payment has.
type mould struct {
	tables []mouldTable
	words  []word // what another payment has other ones of
	began  time.Time
}

// mouldTable is the rows that the payment left in one table.
type mouldTable struct {
	name    string
	columns []string
	rows    [][]any
}

// A word is an identifier of the payment.
type word struct {
	text string
	in   []string // columns that hold it and nothing else; where empty it may stand anywhere in a text
}

// The words of a payment, in the order of mould.words.
const (
	wordAccount = iota
	wordReserve // request ids
	wordCapture
	wordReservationID // ours
	wordAttemptID
	wordCaptureID
	wordAdviceID
	wordTrace // as the journal tells it
	wordSTAN  // of the hold
	wordRRN
	wordCompletionSTAN
	wordNetworkID
	wordHoldEnd // milliseconds, in the answer
	words
)

// played is who asks for the payment: accounts of the sandbox, and the names of its requests.
const (
	playedAccount = "NaruPG_KRW"
	playedReserve = "mould-reserve"
	playedCapture = "mould-capture"
)

// left is where a captured payment leaves rows, in an order in which they can be written: $1 is the reservation, $2 the account, $3 and $4
// its two requests. The journal comes first: the reservation knows its last digest.
var left = []struct{ table, of string }{
	{"event", "payment_id = $1 ORDER BY n"},
	{"posting", "payment_id = $1 ORDER BY event_n, k"},
	{"idempotency", "account = $2 AND request_id IN ($3, $4)"},
	{"reservation", "id = $1"},
	{"attempt", "reservation_id = $1"},
	{"capture", "reservation_id = $1"},
	{"advice", "reservation_id = $1"},
	{"settlement_item", "payment_id = $1"},
	{"notice", "account = $2 AND subject = $4"},
	{"notice_try", "notice_id IN (SELECT id FROM notice WHERE account = $2 AND subject = $4)"},
}

// numbered is the column that the database fills in by itself.
const numbered = "event.id"

// castMould lets a sandbox play the payment in a folder of its own, and reads what it left.
func castMould(ctx context.Context) (m *mould, err error) {
	dir, err := os.MkdirTemp("", "naru-bench-*")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := playOne(ctx, dir); err != nil {
		return nil, fmt.Errorf("the payment that others are made of: %w", err)
	}
	path := filepath.Join(dir, "naru.db")
	kek, err := vault.ReadKEK(filepath.Join(dir, "kek"))
	if err != nil {
		return nil, err
	}
	s, err := store.Open(ctx, path, store.Options{})
	if err != nil {
		return nil, err
	}
	keys, err := vault.OpenExisting(kek, s)
	if err = errors.Join(err, s.Close()); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return nil, err
	}
	m, err = readMould(ctx, db, keys)
	return m, errors.Join(err, db.Close())
}

// playOne plays the payment, and returns when the verdict is told and nothing is under way any more.
func playOne(ctx context.Context, dir string) (err error) {
	s, err := sandbox.Start(ctx, sandbox.Options{Dir: dir})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }() // waits until the last try is written down
	control := s.Contract.Control.Base
	body := fmt.Sprintf(koreaBody, playedReserve, time.Now().UnixMilli(), playedAccount)
	if err := order(ctx, control, "reserveFunds", body); err != nil {
		return err
	}
	body = fmt.Sprintf(`{"requestHeader":{"protocolVersion":{"major":1,"minor":0,"revision":0},"requestId":%q,"requestTimestamp":"%d"},`+
		`"paymentIntegratorAccountId":%q,"reservationRequestId":%q,"amount":"12900000000"}`,
		playedCapture, time.Now().UnixMilli(), playedAccount, playedReserve)
	if err := order(ctx, control, "asynchronousCaptureFundsReservation", body); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		var heard []json.RawMessage
		if err := exchange(ctx, http.MethodGet, control+"/google/received", nil, &heard); err != nil || len(heard) > 0 {
			return err
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return errors.New("nobody told Google of the capture")
		}
	}
}

// order lets Google send a request, which must succeed.
func order(ctx context.Context, control, method, body string) error {
	in, err := json.Marshal(map[string]any{"method": method, "body": json.RawMessage(body)})
	if err != nil {
		return err
	}
	var answers []struct {
		Status int
		Body   struct{ Result string }
	}
	if err := exchange(ctx, http.MethodPost, control+"/google/send", in, &answers); err != nil {
		return err
	}
	yes := []string{"SUCCESS", "ACKNOWLEDGED"}
	if len(answers) != 1 || answers[0].Status != http.StatusOK || !slices.Contains(yes, answers[0].Body.Result) {
		return fmt.Errorf("%s is answered %+v", method, answers)
	}
	return nil
}

func exchange(ctx context.Context, method, address string, in []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(in))
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s is answered %s", address, resp.Status)
	}
	return json.NewDecoder(resp.Body).Decode(out)
}

func readMould(ctx context.Context, db *sql.DB, keys *vault.Vault) (*mould, error) {
	m := &mould{words: make([]word, words)}
	var id string
	var holdEnd, began int64
	err := db.QueryRowContext(ctx, "SELECT id, hold_until_us, created_us FROM reservation WHERE account = $1 AND request_id = $2",
		playedAccount, playedReserve).Scan(&id, &holdEnd, &began)
	if err != nil {
		return nil, err
	}
	for _, l := range left {
		t, err := readTable(ctx, db, l.table, l.of, id, playedAccount, playedReserve, playedCapture)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", l.table, err)
		}
		if len(t.rows) == 0 {
			return nil, fmt.Errorf("the payment left nothing in %s", l.table)
		}
		m.tables = append(m.tables, t)
	}
	hold, capture, advice := m.table("attempt"), m.table("capture"), m.table("advice")
	stan, rrn := hold.text(0, "stan"), hold.text(0, "rrn")
	for i, w := range map[int]word{
		wordAccount: {text: playedAccount}, wordReserve: {text: playedReserve}, wordCapture: {text: playedCapture}, wordReservationID: {text: id},
		wordAttemptID: {text: hold.text(0, "id")}, wordCaptureID: {text: capture.text(0, "id")}, wordAdviceID: {text: advice.text(0, "id")},
		wordTrace: {text: "stan=" + stan + " rrn=" + rrn}, wordSTAN: {stan, []string{"attempt.stan"}},
		wordRRN:            {rrn, []string{"attempt.rrn", "capture.rrn", "advice.rrn"}},
		wordCompletionSTAN: {advice.text(0, "stan"), []string{"advice.stan"}},
		wordNetworkID:      {capture.text(0, "network_id"), []string{"reservation.network_id", "capture.network_id"}},
		wordHoldEnd:        {text: strconv.FormatInt(holdEnd/1000, 10)},
	} {
		m.words[i] = w
	}
	m.began = time.UnixMicro(began)
	if taken, told := m.table("reservation").text(0, "state"), m.table("notice").text(0, "state"); taken != "CAPTURED" || told != "SENT" {
		return nil, fmt.Errorf("the payment is %s, and its notice %s", taken, told)
	}
	return m, m.unseal(keys)
}

// readTable reads every column of the payment's rows.
func readTable(ctx context.Context, db *sql.DB, table, of string, args ...any) (t mouldTable, err error) {
	rows, err := db.QueryContext(ctx, "SELECT * FROM "+table+" WHERE "+of, args...)
	if err != nil {
		return t, err
	}
	defer rows.Close()
	all, err := rows.ColumnTypes()
	if err != nil {
		return t, err
	}
	t.name = table
	for rows.Next() {
		values, into := make([]any, len(all)), make([]any, len(all))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			return t, err
		}
		var row []any
		for i, c := range all {
			if table+"."+c.Name() == numbered {
				continue
			}
			if n, is := values[i].(int64); is && c.DatabaseTypeName() == "BOOLEAN" { // SQLite has no such type
				values[i] = n != 0
			}
			row = append(row, values[i])
		}
		t.rows = append(t.rows, row)
	}
	for _, c := range all {
		if table+"."+c.Name() != numbered {
			t.columns = append(t.columns, c.Name())
		}
	}
	return t, rows.Err()
}

func (m *mould) table(name string) mouldTable {
	return m.tables[slices.IndexFunc(m.tables, func(t mouldTable) bool { return t.name == name })]
}

func (t mouldTable) column(name string) int { return slices.Index(t.columns, name) }

func (t mouldTable) text(row int, column string) string {
	return t.rows[row][t.column(column)].(string)
}

// secret is the plain text of what was sealed; it is sealed anew for the row that it is cast for.
type secret []byte

// unseal opens what is sealed.
func (m *mould) unseal(keys *vault.Vault) error {
	for _, t := range m.tables {
		for i, row := range t.rows {
			column := map[string]string{"idempotency": "answer", "reservation": "card"}[t.name]
			if column == "" {
				continue
			}
			plain, err := keys.Open(row[t.column(column)].([]byte), t.seat(i))
			if err != nil {
				return fmt.Errorf("%s.%s: %w", t.name, column, err)
			}
			row[t.column(column)] = secret(plain)
		}
	}
	return nil
}

// seat is where the sealed value of a row is bound to (design §3.6).
func (t mouldTable) seat(row int) string {
	if t.name == "reservation" {
		return "reservation.card/" + t.text(row, "id")
	}
	return "idempotency.answer/" + t.text(row, "account") + "/" + t.text(row, "request_id")
}

// pieces cuts a text at the words in it.
func (m *mould) pieces(where, text string) (list []piece) {
	for i, w := range m.words {
		if slices.Contains(w.in, where) && w.text == text && text != "" {
			return []piece{{word: i}}
		}
	}
	for text != "" {
		at, which := len(text), -1
		for i, w := range m.words {
			if w.in != nil {
				continue
			}
			if found := strings.Index(text, w.text); found >= 0 && found < at {
				at, which = found, i
			}
		}
		if at > 0 {
			list = append(list, piece{word: -1, text: text[:at]})
		}
		if which < 0 {
			break
		}
		list = append(list, piece{word: which})
		text = text[at+len(m.words[which].text):]
	}
	return list
}

// A piece of a text: a word of the payment, or what stands between words (-1).
type piece struct {
	word int
	text string
}
