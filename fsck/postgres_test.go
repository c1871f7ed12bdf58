package fsck_test

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"naru/fsck"
	"naru/pgserver/pgtest"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Run(m)) }

func onServer(place string) bool { return strings.HasPrefix(place, "postgres://") }

// servedKEK is the key of the world that is played once on the server.
var servedKEK []byte

// served is a finished world on a server: a database of the test's own, with everything in it.
func served(t *testing.T) (place string, kek []byte) {
	t.Helper()
	place = pgtest.Copy(t, "played", func(place string) error {
		w := newWorldAt(t, place, newKEK(t), careless)
		w.play()
		servedKEK = w.kek
		return w.store.Close()
	})
	return place, slices.Clone(servedKEK)
}

// ownWords are those that a server has for what SQLite says otherwise.
var ownWords = strings.NewReplacer(
	" AS BLOB)", " AS BYTEA)", "x'00'", `'\x00'`, "zeroblob(32)", "DECODE(REPEAT('00', 32), 'hex')", "zeroblob(36)",
	"DECODE(REPEAT('00', 36), 'hex')", "INSERT INTO event ", "INSERT INTO event OVERRIDING SYSTEM VALUE ", lax, noChecks,
)

// noChecks drops the constraints that look at rows.
const noChecks = `DO $$ DECLARE c RECORD; BEGIN
	FOR c IN SELECT conrelid::regclass AS t, conname FROM pg_constraint WHERE contype = 'c' AND connamespace = 'public'::regnamespace LOOP
		EXECUTE FORMAT('ALTER TABLE %s DROP CONSTRAINT %I', c.t, c.conname);
	END LOOP;
END $$`

// notThere is what a server does not have, and what it would want said otherwise.
var notThere = regexp.MustCompile(`PRAGMA|(?i:zeroblob|json_set|char\(|CREATE |ALTER TABLE n )`)

// ask runs statements on a server.
func ask(t *testing.T, place string, statements ...string) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), place)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	for _, s := range statements {
		tag, err := c.Exec(t.Context(), s)
		if err != nil {
			t.Fatal(s, err)
		}
		if tag.Update() && tag.RowsAffected() == 0 {
			t.Fatalf("nothing to change: %s", s)
		}
	}
}

// corruptServer does what corrupt does: triggers and references are off for whom a server takes for a replica's.
func corruptServer(t *testing.T, place string, statements []string) {
	t.Helper()
	all := []string{"SET session_replication_role = replica"}
	for _, s := range statements {
		all = append(all, ownWords.Replace(s))
	}
	ask(t, place, all...)
}

func TestEveryLifeOfAPaymentIsCleanOnAServer(t *testing.T) {
	w := newWorldAt(t, pgtest.URL(t), newKEK(t), careless)
	w.play()
	ask(t, w.place, "SELECT SETVAL(PG_GET_SERIAL_SEQUENCE('event', 'id'), 1000000)") // what was rolled back leaves a gap
	w.paid("PG_KRW", "after the gap")
	for _, name := range []string{"running", "stopped"} {
		r := check(t, fsck.Options{Database: w.place, KEK: w.kek})
		if !r.OK() || r.Warnings != 0 {
			t.Errorf("%s:\n%s", name, text(r))
		}
		if r.Rows["reservation"] != 70 || r.Rows["payout"] != 36 || r.Rows["deposit_order"] != 17 || r.Rows["bank_credit"] != 21 ||
			r.Checked["states"] != 70+36+17+21 || r.Checked["cards-open"] == 0 || r.Checked["answers-open"] < 20 ||
			r.Checked["payouts-open"] == 0 || r.Checked["deposits-open"] < 21+10 || r.Checked["bookings"] == 0 || r.Checked["merchants"] == 0 ||
			r.Checked["checkpoint-digests"] != 3 || r.Checked["references"] == 0 || r.Checked["evidence-open"] < 2 ||
			r.Checked["journal-digests"] != r.Rows["event"] || r.Rows["event"] <= 500 { // more than are in memory at once
			t.Errorf("%s: too little was looked at:\n%s", name, text(r))
		}
		var not []string
		for _, n := range r.NotChecked {
			not = append(not, n.Check)
		}
		if got := strings.Join(not, " "); got != "integrity checkpoints secrets-files" {
			t.Errorf("%s: not checked: %s", name, got)
		}
		w.do(w.store.Close())
	}
}

// A reading sees one moment, however much is written meanwhile.
func TestServerIsReadInOneMoment(t *testing.T) {
	place, kek := served(t)
	w := newWorldAt(t, place, kek, careless)
	said := make(chan error)
	go func() {
		for range 3 {
			r, err := fsck.Run(t.Context(), fsck.Options{Database: place, KEK: kek})
			if err == nil && (!r.OK() || r.Warnings != 0) {
				err = errors.New(text(r))
			}
			said <- err
		}
		close(said)
	}()
	for n := 0; ; n++ {
		select {
		case err, more := <-said:
			if err != nil {
				t.Error(err)
			}
			if !more {
				return
			}
		default:
			w.must(true, w.payOut(fmt.Sprint("meanwhile-", n), 12_550, credited))
		}
	}
}

// inServer says a corruption as a server can have it; ok is false where it cannot, or where only its files would show it.
func inServer(c corruption) (_ corruption, ok bool) {
	want := slices.DeleteFunc(strings.Fields(c.want), func(check string) bool { return check == "secrets-files" })
	if slices.Contains(c.statements, lax) {
		want = append(want, "schema")
		slices.Sort(want)
	}
	c.want = strings.Join(want, " ")
	unsaid := slices.ContainsFunc(c.statements, func(s string) bool { return notThere.MatchString(ownWords.Replace(s)) })
	return c, len(want) > 0 && !unsaid
}

// Of what is seeded in files, the first that each check finds is seeded on a server too.
func TestCorruptionsAreFoundOnAServer(t *testing.T) {
	place, kek := served(t)
	missing := check(t, fsck.Options{Database: place, KEK: kek}).Checked
	part, played := 1, 0 // which part of them is seeded: where it must be quick, an Nth
	if quick := os.Getenv("NARU_QUICK"); quick != "" {
		var err error
		if part, err = strconv.Atoi(quick); err != nil || part < 1 {
			t.Fatalf("NARU_QUICK = %q: say which part is played, such as 8", quick)
		}
	}
	for _, c := range slices.Concat(corruptionsOfPayments, corruptionsOfWhatFollows, corruptionsOfSales, corruptionsOfPayouts,
		corruptionsOfDeposits) {
		c, ok := inServer(c)
		isNew := slices.ContainsFunc(strings.Fields(c.want), func(check string) bool { _, m := missing[check]; return m })
		if !ok || !isNew {
			continue
		}
		for _, check := range strings.Fields(c.want) {
			delete(missing, check)
		}
		if played++; played%part != 0 {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			place, kek := served(t)
			corrupt(t, place, c.statements...)
			r := check(t, fsck.Options{Database: place, KEK: kek})
			if got := found(r); got != c.want || r.OK() {
				t.Errorf("found by: %s\nwant:     %s\n%s", got, c.want, text(r))
			}
		})
	}
	if len(missing) > 0 {
		t.Errorf("nothing was seeded for %v", missing)
	}
}

// What keeps the rules on a server can be there and be switched off.
func TestServerThatKeepsNoRulesIsFound(t *testing.T) {
	for statement, want := range map[string]string{
		"DROP TRIGGER posting_no_update ON posting":                          "trigger posting_no_update: is missing",
		"ALTER TABLE posting DISABLE TRIGGER posting_no_update":              "trigger posting_no_update: is switched off",
		"ALTER TABLE posting ENABLE REPLICA TRIGGER posting_no_update":       "trigger posting_no_update: is switched off",
		"ALTER TABLE notice_try DISABLE TRIGGER ALL":                         "constraint notice_try_notice_id_fkey: is switched off",
		"ALTER TABLE posting ADD CONSTRAINT more CHECK (k < 99) NOT VALID":   "constraint more: was not compared",
		"ALTER TABLE idempotency DROP CONSTRAINT idempotency_pkey":           "constraints idempotency 1p 0u 0f 1c: is missing",
		"CREATE OR REPLACE " + allowing:                                      "function refuse: does not what the migration made it for",
		"DROP INDEX attempt_live":                                            "index attempt_live: is missing",
		"UPDATE pg_index SET indisvalid = FALSE WHERE " + ofIndex:            "index attempt_live: is not complete",
		"CREATE RULE none AS ON DELETE TO posting DO INSTEAD NOTHING":        "rule none: was not made by a migration",
		"CREATE FUNCTION allow() RETURNS INT LANGUAGE SQL AS 'SELECT 1'":     "function allow: was not made by a migration",
		"CREATE VIEW seen AS SELECT 1":                                       "view seen: was not made by a migration",
		"CREATE TABLE other (a INT)":                                         "table other: was not made by a migration",
		`ALTER TABLE operator_case ALTER note TYPE TEXT COLLATE "und-x-icu"`: "column operator_case.note: is not ordered by bytes",
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			place, kek := served(t)
			ask(t, place, statement)
			if r := check(t, fsck.Options{Database: place, KEK: kek}); found(r) != "schema" || r.OK() || !strings.Contains(text(r), want) {
				t.Error(text(r))
			}
		})
	}
}

const allowing = "FUNCTION refuse() RETURNS TRIGGER LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"

const ofIndex = "indexrelid = 'attempt_live'::REGCLASS"

// What of a server cannot be read is said, and the rest is.
func TestServerThatFailsInOnePlaceIsReadInTheOthers(t *testing.T) {
	place, kek := served(t)
	ask(t, place, "ALTER TABLE reconciliation DROP COLUMN tries")
	if r, err := fsck.Run(t.Context(), fsck.Options{Database: place, KEK: kek}); err == nil {
		t.Error(text(r))
	}
	ask(t, place, "ALTER TABLE posting DISABLE TRIGGER posting_no_update")
	r := check(t, fsck.Options{Database: place, KEK: kek})
	said := slices.ContainsFunc(r.NotChecked, func(n fsck.NotChecked) bool { return n.Check == "totals" })
	if found(r) != "schema" || !said || r.Checked["notices"] == 0 {
		t.Error(text(r))
	}
}

func TestServerThatCannotBeCheckedIsAnError(t *testing.T) {
	newer, kek := served(t)
	ask(t, newer, "INSERT INTO migration (version_id, is_applied) VALUES (99, TRUE)")
	for name, place := range map[string]string{
		"newer": newer, "empty": pgtest.URL(t), "no database": newer + "x", "no server": "postgres://u:secret@127.0.0.1:1/naru",
		"no address": "postgres://u:secret@127.0.0.1:port/naru",
	} {
		r, err := fsck.Run(t.Context(), fsck.Options{Database: place, KEK: kek})
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v\n%s", name, err, text(r))
		}
	}
}
