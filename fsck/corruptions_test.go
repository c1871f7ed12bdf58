package fsck_test

import (
	"testing"
)

// refundOf is a refund's id by the name of its request.
func refundOf(request string) string {
	return "(SELECT id FROM refund WHERE request_id = '" + request + "')"
}

// stage is a dispute's id by its case and stage.
func stage(number, stage string) string {
	return "(SELECT id FROM dispute WHERE case_no = '" + number + "' AND stage = '" + stage + "')"
}

// settled is a settlement's id by its day.
func settled(day string) string {
	return "(SELECT id FROM settlement WHERE account = 'PG_KRW' AND day = '" + day + "')"
}

// moved changes a posting and keeps the balances.
func moved(where, debit, credit, by string) []string {
	return []string{
		"UPDATE posting SET amount = amount + " + by + " WHERE debit = '" + debit + "' AND credit = '" + credit + "' AND " + where,
		"UPDATE balance SET amount = amount + " + by + " WHERE account = '" + debit + "' AND owner = 'PG_KRW'",
		"UPDATE balance SET amount = amount - " + by + " WHERE account = '" + credit + "' AND owner = 'PG_KRW'",
	}
}

// event is a posting's or an item's row by the event of a payment that it comes with.
func event(request, name string) string {
	return "(payment_id, event_n) IN (SELECT payment_id, n FROM event WHERE payment_id = " + of(request) + " AND event = '" + name + "')"
}

// record is a posting's or an item's row by the type of the acquirer's record that it comes with.
func record(kind string) string {
	return "(payment_id, event_n) IN (SELECT payment_id, n FROM event WHERE event = 'clear' AND state = '" + kind + "')"
}

func TestCorruptionsOfWhatFollowsACaptureAreFound(t *testing.T) {
	corrupted(t, corruptionsOfWhatFollows)
}

var corruptionsOfWhatFollows = []corruption{
	// journal and states
	{"event given to another object", "journal-digests states", []string{
		"UPDATE event SET object = 'refund/x' WHERE event = 'refund-book' AND object = 'refund/' || " + refundOf("refund-paid"),
	}},
	{"event taken from its object", "journal-digests states", []string{
		"UPDATE event SET object = '' WHERE event = 'refund-book' AND object = 'refund/' || " + refundOf("refund-paid"),
	}},
	{"event of something unheard of", "journal-digests states", []string{
		"UPDATE event SET object = 'voucher/1' WHERE event = 'refund-book' AND object = 'refund/' || " + refundOf("refund-paid"),
	}},
	{"event of an account altered", "journal-digests", []string{"UPDATE event SET actor = 'nobody' WHERE event = 'pay'"}},
	{"head of an account's journal changed", "journal-chain", []string{
		"UPDATE account_book SET chain_length = chain_length + 1 WHERE account = 'PG_KRW'",
	}},
	{"book of an account deleted", "acquirer-records items journal-chain postings settlements", []string{
		"DELETE FROM account_book WHERE account = 'PG_KRW'",
	}},
	{"refund where its events do not lead", "notices refunds states", []string{
		"UPDATE refund SET state = 'REFUNDED', done_us = created_us WHERE request_id = 'refund-queued'",
	}},
	{"refund that was asked for at another time", "states", []string{
		"UPDATE refund SET created_us = created_us + 1 WHERE request_id = 'refund-queued'",
	}},
	{"refund that failed for another reason", "notices states", []string{
		"UPDATE refund SET reason = 'nothing_left' WHERE request_id = 'refund-declined'",
	}},
	{"dispute where its events do not lead", "states", []string{"UPDATE dispute SET state = 'CB1_OPEN' WHERE case_no = 'C9'"}},
	{"dispute of another stage", "notices states", []string{
		"UPDATE dispute SET stage = 'SECOND', state = 'CB2_DEFENDED' WHERE case_no = 'C9'",
	}},
	{"card check that held nothing becomes a payment", "answers attempts states", []string{
		"UPDATE reservation SET amount = 1, purpose = '' WHERE request_id = 'verified-nothing'",
	}},
	{"payment becomes a card check", "answers states", []string{"UPDATE reservation SET purpose = 'VERIFY' WHERE request_id = 'captured'"}},
	{"card check passed, and must hold money", "attempts", []string{"UPDATE reservation SET amount = 100 WHERE request_id = 'checked'"}},
	{"payment of nothing", "constraints states", []string{
		lax, "UPDATE reservation SET amount = 0 WHERE request_id = 'declined'",
	}},

	// money
	{
		"refund booked with another amount", "postings",
		moved(event("silent-refund", "refund-book"), "google:payable", "acquirer:receivable", "1"),
	},
	{
		"return of a refund booked with another amount", "postings",
		moved(event("refunds", "refund-return"), "acquirer:receivable", "google:payable", "1"),
	},
	{
		"chargeback booked with another amount", "postings",
		moved(event("on-line", "charge-back"), "google:payable", "acquirer:receivable", "1"),
	},
	{
		"second chargeback booked with another amount", "postings",
		moved(event("won", "charge-back-again"), "google:payable", "acquirer:receivable", "1"),
	},
	{"win booked with another amount", "postings", moved(event("on-line", "win-back"), "acquirer:receivable", "google:payable", "1")},
	{
		"acquirer's fee booked with another amount", "postings",
		moved(record("CBR")+" OR "+record("RSV"), "fee:acquirer", "acquirer:receivable", "1"),
	},
	{"tax on the acquirer's fee booked with another amount", "postings", moved(record("FEE"), "tax:input", "acquirer:receivable", "1")},
	{"rejection booked with another amount", "postings", moved(record("REJ"), "loss:acquirer", "acquirer:receivable", "1")},
	{"correction booked with another amount", "postings", moved(record("ADJ"), "acquirer:receivable", "suspense:acquirer", "1")},
	{"acquirer's payment booked elsewhere", "postings states", []string{
		"UPDATE posting SET debit = 'loss:acquirer' WHERE debit = 'bank:settlement' AND " + record("PAY"),
		"UPDATE balance SET amount = amount + 20000 WHERE account = 'loss:acquirer' AND owner = 'PG_KRW'",
		"UPDATE balance SET amount = amount - 20000 WHERE account = 'bank:settlement' AND owner = 'PG_KRW'",
	}},
	{
		"our fee booked with another amount", "postings",
		moved("(payment_id, event_n) IN (SELECT payment_id, n FROM event WHERE event = 'settle' AND object = 'settlement/' || "+
			settled("20261203")+")", "google:payable", "income:fees", "1"),
	},
	{"settlement paid with another amount", "postings", moved("payment_id = 'account/PG_KRW'", "google:payable", "bank:settlement", "1")},

	// refunds
	{"refund of another amount", "advices states", []string{"UPDATE refund SET amount = amount + 1 WHERE request_id = 'refund-queued'"}},
	{"more returned of a refund", "acquirer-records items notices postings settlements states", []string{
		"UPDATE refund SET returned = returned + 1 WHERE request_id = 'refund-returned'",
	}},
	{"more refunded than was captured", "advices notices refunds states", []string{
		"UPDATE refund SET state = 'REFUND_PENDING', done_us = NULL, reason = '', amount = 12900 WHERE request_id = 'refund-declined'",
	}},
	{"refund that took back a failed one", "advices items postings settlements states", []string{
		"UPDATE refund SET amount = 12900 WHERE request_id = 'refund-repeated'",
	}},
	{"refund of another account", "answers refunds", []string{"UPDATE refund SET account = 'PG2_KRW' WHERE request_id = 'refund-queued'"}},
	{"refund deleted", "answers references states", []string{"DELETE FROM refund WHERE request_id = 'refund-queued'"}},
	{"refund of a payment that was not captured", "refunds states", []string{
		"UPDATE refund SET reservation_id = " + of("declined") + " WHERE request_id = 'refund-too-late'",
	}},
	{"attempt to pay a refund that may pay it twice", "advices refunds", []string{
		"UPDATE attempt SET state = 'BOOKED', undone_day = '' WHERE state = 'REVERSED' AND refund_id = " + refundOf("refund-repeated"),
	}},
	{"attempt to pay a refund that holds money", "refunds", []string{
		"UPDATE attempt SET state = 'APPROVED' WHERE refund_id = " + refundOf("refund-paid"),
	}},
	{"attempt of a refund forgotten", "refunds", []string{"UPDATE refund SET attempt_id = '' WHERE request_id = 'refund-paid'"}},
	{"order to pay deleted", "advices", []string{
		"DELETE FROM advice WHERE attempt_id = (SELECT attempt_id FROM refund WHERE request_id = 'refund-queued')",
	}},
	{"order to pay that was answered, open", "advices", []string{
		"UPDATE advice SET state = 'QUEUED' WHERE attempt_id = (SELECT attempt_id FROM refund WHERE request_id = 'refund-paid')",
	}},
	{"order to pay of another amount", "advices", []string{
		"UPDATE advice SET amount = amount + 1 WHERE attempt_id = (SELECT attempt_id FROM refund WHERE request_id = 'refund-paid')",
	}},
	{"reversal of an order to pay deleted", "advices", []string{
		"DELETE FROM advice WHERE kind = 'REVERSAL' AND reservation_id = " + of("silent-refund"),
	}},
	{"refund with the reference of another", "refunds", []string{"UPDATE refund SET rrn = 'other' WHERE request_id = 'refund-queued'"}},
	{"refund that failed with a reference number", "refunds", []string{
		"UPDATE refund SET arn = '79999996326000000000999' WHERE request_id = 'refund-declined'",
	}},
	{"reference number of letters", "refunds", []string{
		"UPDATE refund SET arn = 'ABCDEFGHIJKLMNOPQRSTUVW' WHERE request_id = 'refund-repeated'",
	}},
	{"refund paid on no day", "refunds", []string{"UPDATE refund SET day = '' WHERE request_id = 'refund-repeated'"}},
	{"capture with the reference of another", "jobs", []string{"UPDATE capture SET rrn = 'other' WHERE request_id = 'capture-late'"}},
	{"capture that failed with a business day", "jobs", []string{"UPDATE capture SET day = '20261202' WHERE request_id = 'capture-revoked'"}},

	// disputes
	{"dispute of another amount", "acquirer-records items notices postings states", []string{
		"UPDATE dispute SET amount = amount + 1 WHERE case_no = 'C9'",
	}},
	{"dispute of more than was captured", "disputes notices states", []string{"UPDATE dispute SET amount = 99999 WHERE case_no = 'C2'"}},
	{"won more than came back", "acquirer-records items notices postings settlements states", []string{
		"UPDATE dispute SET won = won - 1 WHERE case_no = 'C5'",
	}},
	{"dispute of another account", "disputes notices", []string{"UPDATE dispute SET account = 'PG2_KRW' WHERE case_no = 'C2'"}},
	{"dispute that ended at another time", "disputes", []string{"UPDATE dispute SET done_us = done_us + 1 WHERE case_no = 'C3'"}},
	{"dispute told of with another notice", "disputes", []string{"UPDATE dispute SET told = 'naru-other' WHERE case_no = 'C2'"}},
	{"dispute deleted", "notices states", []string{"DELETE FROM dispute WHERE case_no = 'C2'"}},
	{"case of refunds and chargebacks deleted", "disputes", []string{"DELETE FROM operator_case WHERE kind = 'chargeback-and-refund'"}},
	{"evidence deleted", "states", []string{"DELETE FROM evidence WHERE dispute_id = " + stage("C9", "FIRST")}},
	{"evidence of another stage", "disputes states", []string{
		"UPDATE evidence SET dispute_id = " + stage("C3", "FIRST") + " WHERE dispute_id = " + stage("C9", "FIRST"),
	}},
	{"evidence that nobody handed over", "disputes evidence-open", []string{
		"INSERT INTO evidence SELECT 'other', dispute_id, size, sha256, created_us, document FROM evidence LIMIT 1",
	}},
	{"evidence exchanged", "evidence-open", []string{
		"UPDATE evidence SET document = (SELECT o.document FROM evidence AS o WHERE o.id <> evidence.id) WHERE dispute_id = " +
			stage("C9", "FIRST"),
	}},
	{"evidence with another digest", "evidence-open", []string{
		"UPDATE evidence SET sha256 = zeroblob(32) WHERE dispute_id = " + stage("C9", "FIRST"),
	}},
	{"evidence of another size", "evidence-open", []string{"UPDATE evidence SET size = size + 1 WHERE dispute_id = " + stage("C9", "FIRST")}},
	{"evidence in clear", "evidence-open secrets-columns", []string{
		"UPDATE evidence SET document = CAST('%PDF-1.7 of what is not decided, and much more of it' AS BLOB) WHERE dispute_id = " +
			stage("C9", "FIRST"),
	}},

	// settlement
	{"item missing", "items settlements", []string{"DELETE FROM settlement_item WHERE " + event("newest", "confirm")}},
	{"capture older than settlements", "", []string{
		"UPDATE capture SET day = '' WHERE request_id = 'capture-by-file-later'",
		"DELETE FROM settlement_item WHERE " + event("by-file-later", "confirm"),
	}},
	{"item of another amount", "items", []string{"UPDATE settlement_item SET charge = charge + 1 WHERE " + event("newest", "confirm")}},
	{"item of the other sign", "items", []string{"UPDATE settlement_item SET charge = -charge WHERE " + event("won", "charge-back-again")}},
	{"item of a refund missing", "items", []string{"DELETE FROM settlement_item WHERE " + event("by-file", "refund-book")}},
	{"settled item of another amount", "items", []string{
		"UPDATE settlement_item SET charge = charge + 1 WHERE " + event("on-line", "win-back"),
	}},
	{"item of another kind", "items", []string{"UPDATE settlement_item SET kind = 'refund' WHERE " + event("on-line", "charge-back")}},
	{"item about another capture", "items", []string{
		"UPDATE settlement_item SET subject = 'capture-won' WHERE " + event("newest", "confirm"),
	}},
	{"item in another currency", "items", []string{"UPDATE settlement_item SET currency = 'USD' WHERE " + event("newest", "confirm")}},
	{"item of another account", "items", []string{"UPDATE settlement_item SET account = 'PG3_KRW' WHERE " + event("newest", "confirm")}},
	{"item of another day", "items", []string{"UPDATE settlement_item SET day = '20270101' WHERE " + event("late", "charge-back")}},
	{"item of no event", "items", []string{
		"UPDATE settlement_item SET event_n = 99 WHERE " + event("newest", "confirm"),
	}},
	{"item of an event that settles nothing", "items settlements", []string{
		"INSERT INTO settlement_item SELECT payment_id, 2, account, kind, day, currency, subject, at_us, own_id, link, note, charge, fee, vat," +
			" settlement_id FROM settlement_item WHERE " + event("newest", "confirm"),
	}},
	{"item of no payment", "items", []string{"UPDATE settlement_item SET payment_id = 'zzz' WHERE " + event("newest", "confirm")}},
	{"fee of the other sign", "items", []string{"UPDATE settlement_item SET fee = 268, vat = 27 WHERE " + event("late", "charge-back")}},
	{"tax above its fee", "items", []string{"UPDATE settlement_item SET vat = fee - 1 WHERE " + event("late", "charge-back")}},
	{"settled fee changed", "settlements", []string{"UPDATE settlement_item SET fee = fee - 1 WHERE " + event("late", "confirm")}},
	{"fee passed on changed", "items settlements", []string{"UPDATE settlement_item SET fee = fee - 1 WHERE kind = 'aggregate-adjustment'"}},
	{"adjustment changed", "items", []string{"UPDATE settlement_item SET charge = charge - 1 WHERE kind = 'miscellaneous-adjustment'"}},
	{"item out of its settlement", "items settlements", []string{
		"UPDATE settlement_item SET settlement_id = NULL WHERE " + event("late", "confirm"),
	}},
	{"item in another settlement", "items settlements", []string{
		"UPDATE settlement_item SET settlement_id = " + settled("20261206") + " WHERE " + event("late", "confirm"),
	}},
	{"item settled before its day", "items settlements", []string{
		"UPDATE settlement_item SET settlement_id = " + settled("20261206") + " WHERE " + event("late", "charge-back"),
	}},
	{"settlement of another sum", "settlements", []string{
		"UPDATE settlement SET charge = charge + 1, net = net + 1 WHERE id = " + settled("20261203"),
	}},
	{"settlement with another fee", "postings settlements", []string{
		"UPDATE settlement SET fee = fee + 1, charge = charge - 1 WHERE id = " + settled("20261203"),
	}},
	{"settlement of more items", "settlements", []string{"UPDATE settlement SET items = items + 1 WHERE id = " + settled("20261203")}},
	{"settlement in more parts", "notices", []string{"UPDATE settlement SET parts = 6 WHERE id = " + settled("20261202")}},
	{"settlement in fewer parts", "notices", []string{"UPDATE settlement SET parts = 4 WHERE id = " + settled("20261202")}},
	{"settlement that leaves a gap", "settlements", []string{
		"UPDATE settlement SET start_us = start_us + 1 WHERE id = " + settled("20261203"),
	}},
	{"settlement of another period", "settlements", []string{
		"UPDATE settlement SET end_us = end_us + 200000000000 WHERE id = " + settled("20261206"),
	}},
	{"settlement of another day", "settlements", []string{
		"UPDATE settlement SET day = '20261205' WHERE account = 'PG2_KRW' AND day = '20261202'",
	}},
	{"settlement closed at another time", "states", []string{
		"UPDATE settlement SET closed_us = closed_us + 1 WHERE id = " + settled("20261203"),
	}},
	{"settlement that was not paid", "settlements", []string{
		"UPDATE settlement SET state = 'PAID', paid_us = closed_us WHERE id = " + settled("20261203"),
	}},
	{"settlement that was paid, unpaid", "states", []string{
		"UPDATE settlement SET state = 'CLOSED', paid_us = NULL WHERE id = " + settled("20261202"),
	}},
	{"settlement of another account", "items notices settlements states", []string{
		"UPDATE settlement SET account = 'PG3_KRW' WHERE id = " + settled("20261203"),
	}},
	{"settlement in no currency", "items settlements states", []string{
		"UPDATE settlement SET currency = 'ZZZ' WHERE id = " + settled("20261203"),
	}},
	{"settlement that nobody closed", "notices settlements", []string{
		"INSERT INTO settlement SELECT 'naru-stl-20261207-KRW-x', account, currency, '20261207', state, reference, end_us," +
			" end_us + 86400000000, closed_us, NULL, 0, 0, 0, 0, 0, 0, 1 FROM settlement WHERE id = " + settled("20261206"),
	}},

	// the acquirer
	{"record deleted", "states", []string{"DELETE FROM acquirer_event WHERE type = 'REF'"}},
	{"record that the journal does not know", "acquirer-records notices", []string{
		"INSERT INTO acquirer_event SELECT acquirer, 'E9', type, 'other.csv', 3, digest, payment_id, outcome, object, reason, account," +
			" currency, gross, fees, tax, at_us FROM acquirer_event WHERE type = 'FRD' LIMIT 1",
	}},
	{"record of no payment", "acquirer-records", []string{
		"INSERT INTO acquirer_event SELECT acquirer, 'E9', '0422', '', 0, digest, 'zzz', outcome, object, reason, account, currency," +
			" gross, fees, tax, at_us FROM acquirer_event WHERE type = 'FEE'",
	}},
	{"record of another time", "states", []string{"UPDATE acquirer_event SET at_us = at_us + 1 WHERE type = 'REF'"}},
	{"record about another capture", "acquirer-records", []string{
		"UPDATE acquirer_event SET object = 'capture/x' WHERE type = 'CAP' AND payment_id = " + of("won"),
	}},
	{"record about another kind of thing", "acquirer-records", []string{
		"UPDATE acquirer_event SET object = 'reservation/' || payment_id WHERE type = 'CAP' AND payment_id = " + of("won"),
	}},
	{"record of another amount", "acquirer-files acquirer-records", []string{
		"UPDATE acquirer_event SET gross = gross + 1 WHERE type = 'CAP' AND payment_id = " + of("won"),
	}},
	{"returned refund of another amount", "acquirer-files acquirer-records", []string{
		"UPDATE acquirer_event SET gross = gross + 1 WHERE type = 'RRF'",
	}},
	{"win of another amount", "acquirer-files acquirer-records", []string{
		"UPDATE acquirer_event SET gross = gross + 1 WHERE type = 'CBR' AND payment_id = " + of("on-line"),
	}},
	{"record with another fee", "acquirer-files postings", []string{"UPDATE acquirer_event SET fees = fees + 1 WHERE type = 'REJ'"}},
	{"record of another type", "items postings states", []string{"UPDATE acquirer_event SET type = 'PAY' WHERE type = 'FEE'"}},
	{"capture cleared by nobody", "acquirer-records", []string{"UPDATE capture SET clearing = 'CLEARED' WHERE request_id = 'capture-late'"}},
	{"rejection forgotten", "acquirer-records", []string{"UPDATE capture SET clearing = '' WHERE clearing = 'REJECTED'"}},
	{"case of a rejection deleted", "acquirer-records", []string{"DELETE FROM operator_case WHERE kind = 'capture-rejected'"}},
	{"case of an exception deleted", "acquirer-records", []string{"DELETE FROM operator_case WHERE kind = 'acquirer-record'"}},
	{"case of a correction deleted", "acquirer-records", []string{"DELETE FROM operator_case WHERE kind = 'acquirer-adjustment'"}},
	{"case of a bad line deleted", "acquirer-files", []string{"DELETE FROM operator_case WHERE kind = 'acquirer-line'"}},
	{"case of a file in quarantine deleted", "acquirer-files", []string{"DELETE FROM operator_case WHERE kind = 'acquirer-file'"}},
	{"exception that is placed", "acquirer-records", []string{
		"UPDATE acquirer_event SET payment_id = " + of("won") + " WHERE outcome = 'EXCEPTION'",
	}},
	{"file of fewer records", "acquirer-files", []string{"UPDATE acquirer_file SET records = 15 WHERE records = 16"}},
	{"file of another sum", "acquirer-files", []string{"UPDATE acquirer_file SET gross = gross + 1, net = net + 1 WHERE records = 16"}},
	{"file with more exceptions", "acquirer-files", []string{"UPDATE acquirer_file SET exceptions = exceptions + 1 WHERE records = 16"}},
	{"file in another currency", "acquirer-files", []string{"UPDATE acquirer_file SET currency = 'USD' WHERE records = 16"}},
	{"file loaded with a reason against it", "acquirer-files", []string{"UPDATE acquirer_file SET reason = 'truncated' WHERE records = 16"}},
	{"two records of one line", "acquirer-files", []string{
		"UPDATE acquirer_event SET line = 16 WHERE type = 'CAP' AND outcome = 'EXCEPTION'",
	}},
	{"capture file of more records", "capture-files", []string{"UPDATE capture_file SET items = items + 1 WHERE state = 'MADE'"}},
	{"capture file with a line too many", "capture-files", []string{
		"UPDATE capture_file SET items = items - 1 WHERE state = 'ANSWERED' AND seq = 2",
	}},
	{"capture file of another merchant", "capture-files", []string{
		"UPDATE capture_file SET merchant = 'other', seq = 1 WHERE state = 'MADE'",
	}},
	{"capture file answered without a time", "capture-files", []string{"UPDATE capture_file SET done_us = NULL WHERE seq = 2"}},
	{"capture file missing", "capture-files", []string{"DELETE FROM capture_file WHERE state = 'SENT'"}},
	{"capture files numbered with a gap", "capture-files", []string{"UPDATE capture_file SET seq = 9 WHERE state = 'MADE'"}},
	{"reversal that waits for a file", "capture-files", []string{
		"UPDATE advice SET state = 'BATCHED' WHERE kind = 'REVERSAL' AND reservation_id = " + of("reversing"),
	}},
	{"case of totals that differ deleted", "totals", []string{"DELETE FROM operator_case WHERE kind = 'totals-differ'"}},
	{"totals that agree and are a break", "totals", []string{
		"UPDATE reconciliation SET host_credits = credits, host_credit_sum = credit_sum, host_credits_undone = credits_undone," +
			" host_credit_undone_sum = credit_undone_sum, host_debits = debits, host_debit_sum = debit_sum, host_debits_undone = debits_undone," +
			" host_debit_undone_sum = debit_undone_sum WHERE state = 'BREAK'",
	}},
	{"totals that nobody asks for", "totals", []string{"UPDATE reconciliation SET due_us = NULL WHERE state = 'OPEN'"}},
	{"totals agreed without a question", "totals", []string{
		"UPDATE reconciliation SET tries = 0, stan = '', sent_us = NULL WHERE state = 'AGREED'",
	}},
	{"totals asked for without a name", "totals", []string{"UPDATE reconciliation SET stan = '' WHERE state = 'AGREED'"}},

	// answers, notices, cards
	{"answer of a refund deleted", "answers", []string{"DELETE FROM idempotency WHERE request_id = 'refund-paid'"}},
	{"answer of a card check deleted", "answers", []string{"DELETE FROM idempotency WHERE request_id = 'checked'"}},
	{"answer of another kind of card check", "answers", []string{
		"UPDATE idempotency SET method = 'verifyCardWithMinimumReservation' WHERE request_id = 'checked'",
	}},
	{"answer to evidence for a refund", "answers", []string{
		"UPDATE idempotency SET method = 'defendChargeback' WHERE request_id = 'refund-paid'",
	}},
	{"notice of a refund missing", "notices", []string{
		"DELETE FROM notice_try WHERE notice_id = 'naru-refund-result-' || " + refundOf("refund-repeated"),
		"DELETE FROM notice WHERE id = 'naru-refund-result-' || " + refundOf("refund-repeated"),
	}},
	{"notice of a refund too early", "notices", []string{
		"INSERT INTO notice SELECT 'naru-refund-result-' || " + refundOf("refund-queued") + ", kind, account, 'refund-queued', result, code," +
			" '', 'QUEUED', 0, 0, created_us, due_us, NULL, '', 0 FROM notice WHERE subject = 'refund-repeated'",
	}},
	{"notice of a refund with another verdict", "notices", []string{
		"UPDATE notice SET result = 'SUCCESS' WHERE kind = 'refund-result' AND subject = 'refund-declined'",
	}},
	{"notice of a return with another amount", "notices", []string{
		"UPDATE notice SET facts = REPLACE(facts, '2500', '2600') WHERE kind = 'refund-returned'",
	}},
	{"notice of a return before its refund", "notices", []string{"UPDATE notice SET after_id = '' WHERE kind = 'refund-returned'"}},
	{"notice of a chargeback with another stage", "notices", []string{
		"UPDATE notice SET facts = REPLACE(facts, 'SECOND', 'FIRST') WHERE kind = 'chargeback' AND facts LIKE '%SECOND%'",
	}},
	{"notice of a chargeback with an unknown fact", "notices", []string{
		"UPDATE notice SET facts = REPLACE(facts, '\"Stage\"', '\"Step\"') WHERE kind = 'chargeback' AND facts LIKE '%SECOND%'",
	}},
	{"notice of a chargeback without readable facts", "notices", []string{
		"UPDATE notice SET facts = 'SECOND' WHERE kind = 'chargeback' AND facts LIKE '%SECOND%'",
	}},
	{"notice of a chargeback as an inquiry", "notices", []string{
		"UPDATE notice SET kind = 'inquiry' WHERE kind = 'chargeback' AND facts LIKE '%SECOND%'",
	}},
	{"notice of a win about another chargeback", "notices", []string{
		"UPDATE notice SET facts = REPLACE(facts, 'naru-chargeback-', 'naru-chargeback-x') WHERE kind = 'chargeback-reversed'",
	}},
	{"notice of a fraud missing", "notices", []string{
		"DELETE FROM notice_try WHERE notice_id IN (SELECT id FROM notice WHERE kind = 'fraud')", "DELETE FROM notice WHERE kind = 'fraud'",
	}},
	{"notice of a reference number with another", "notices", []string{
		"UPDATE notice SET facts = REPLACE(facts, '0001', '0009') WHERE kind = 'capture-arn' AND subject = 'capture-refunds'",
	}},
	{"notice of a reference number that is not there", "notices", []string{
		"UPDATE capture SET arn = '' WHERE request_id = 'capture-refunds'",
	}},
	{"notice of a part missing", "notices", []string{
		"DELETE FROM notice_try WHERE notice_id = " + settled("20261202") + " || '-4'",
		"DELETE FROM notice WHERE id = " + settled("20261202") + " || '-4'",
	}},
	{"notice of a part for another part", "notices", []string{
		"UPDATE notice SET facts = REPLACE(facts, '\"Part\":4', '\"Part\":3') WHERE id = " + settled("20261202") + " || '-4'",
	}},
	{"notice that went as a file", "notices", []string{
		"UPDATE notice_try SET status = 0 WHERE status = 200 AND notice_id = " + settled("20261202") + " || '-4'",
	}},
	{"notice that overtook its predecessor", "notices", []string{
		"UPDATE notice SET state = 'QUEUED', done_us = NULL WHERE subject = 'capture-refunds' AND kind = 'capture-result'",
	}},
	{"card of a captured payment erased", "cards", []string{"UPDATE reservation SET card = NULL WHERE request_id = 'late'"}},
	{"card of a captured payment without an end", "cards", []string{"UPDATE reservation SET card_until_us = NULL WHERE request_id = 'late'"}},
	{"card with an end before the capture", "cards", []string{
		"UPDATE reservation SET card_until_us = 1 WHERE request_id = 'held' AND account = 'PG_KRW'",
	}},
	{"card kept although the journal erased it", "cards cards-open", []string{
		"UPDATE reservation SET card = (SELECT card FROM reservation WHERE request_id = 'late') WHERE request_id = 'erased'",
	}},
}

// attemptOf changes the present attempt of a payment.
func attemptOf(request, set string) string {
	return "UPDATE attempt SET " + set + " WHERE id = (SELECT attempt_id FROM reservation WHERE request_id = '" + request + "')"
}

// adviceOf gives a payment a message that the network has answered.
func adviceOf(request, kind string) string {
	return "INSERT INTO advice SELECT 'other', id, attempt_id, '" + kind + "', 'DONE', '000000', 1, '', '', currency, amount, 1, 0, FALSE," +
		" 1, 1, '00', '', 0 FROM reservation WHERE request_id = '" + request + "'"
}

func TestCorruptionsOfSalesAreFound(t *testing.T) { corrupted(t, corruptionsOfSales) }

var corruptionsOfSales = []corruption{
	// what it is
	{"sale becomes a hold", "answers attempts notices states", []string{
		"UPDATE reservation SET purpose = '' WHERE request_id = 'capture-sold-newest'",
	}},
	{"hold becomes a sale", "answers attempts constraints jobs notices states", []string{
		lax, "UPDATE reservation SET purpose = 'SALE' WHERE request_id = 'captured'",
	}},
	{"refused hold becomes a sale", "answers", []string{"UPDATE reservation SET purpose = 'SALE' WHERE request_id = 'declined'"}},
	{"sale of nothing", "constraints states", []string{
		lax, "UPDATE reservation SET amount = 0 WHERE request_id = 'capture-sale-declined'",
	}},
	{"sale that holds until", "constraints", []string{
		lax, "UPDATE reservation SET hold_until_us = 1 WHERE request_id = 'capture-sold-newest'",
	}},
	{"sale that holds", "attempts cards constraints holds states", []string{
		lax, "UPDATE reservation SET state = 'CANCEL_PENDING', held = TRUE WHERE request_id = 'capture-sale-not-held'",
	}},
	{"sale where no sale can be", "constraints states", []string{
		lax, "UPDATE reservation SET state = 'EXPIRED' WHERE request_id = 'capture-sale-in-part'",
	}},
	{"sale that its events hold", "jobs journal-digests states", []string{
		"UPDATE event SET event = 'approve', state = 'RESERVED' WHERE event = 'sell' AND payment_id = " + of("capture-sold-newest"),
	}},
	{"hold that its events sell", "jobs journal-digests states", []string{
		"UPDATE event SET event = 'sell', state = 'CAPTURED' WHERE event = 'approve' AND payment_id = " + of("captured"),
	}},
	{"sale that its events do not reach", "attempts cards jobs states", []string{
		"UPDATE reservation SET state = 'REVERSING', captured = 0 WHERE request_id = 'capture-sold-newest'",
	}},

	// its attempts
	{"sale that the network did not book", "attempts", []string{attemptOf("capture-sold-newest", "state = 'VOID'")}},
	{"sale that was completed", "advices attempts", []string{attemptOf("capture-sold-newest", "state = 'CAPTURED'")}},
	{"hold that was booked", "advices attempts", []string{attemptOf("captured", "state = 'BOOKED'")}},
	{"sale booked twice", "advices attempts", []string{
		"UPDATE attempt SET state = 'BOOKED', undone_day = '' WHERE state = 'REVERSED' AND reservation_id = " + of("capture-sale-at-last"),
	}},
	{"hold that was booked and undone", "attempts", []string{attemptOf("cancelled", "undone_day = '20261122'")}},
	{"sale that is taken, undone on a day", "constraints", []string{
		lax, attemptOf("capture-sold-newest", "undone_day = '20261122'"),
	}},
	{"completion of a sale", "advices", []string{adviceOf("capture-sold-newest", "COMPLETION")}},
	{"rest of a sale given back", "advices", []string{adviceOf("capture-sold-newest", "RELEASE_REST")}},
	{"reversal of a sale that stands", "advices", []string{adviceOf("capture-sold-newest", "REVERSAL")}},
	{"open reversal of a sale deleted", "advices", []string{
		"DELETE FROM advice WHERE kind = 'REVERSAL' AND reservation_id = " + of("capture-sale-reversing"),
	}},

	// its capture
	{"capture of a sale deleted", "answers jobs states", []string{
		"DELETE FROM capture WHERE request_id = 'capture-sold-newest'",
	}},
	{"capture of a sale under another request", "answers jobs", []string{
		"UPDATE capture SET request_id = 'other' WHERE request_id = 'capture-sold-newest'",
		"UPDATE settlement_item SET subject = 'other' WHERE subject = 'capture-sold-newest'",
	}},
	{"capture of a sale of another amount", "items jobs postings", []string{
		"UPDATE capture SET amount = amount - 1 WHERE request_id = 'capture-sold-newest'",
	}},
	{"sale of more than its capture", "constraints jobs", []string{
		lax, "UPDATE reservation SET amount = amount + 1 WHERE request_id = 'capture-sold-newest'",
	}},
	{"capture of a sale that was done later", "states", []string{
		"UPDATE capture SET done_us = done_us + 1 WHERE request_id = 'capture-sold-newest'",
	}},
	{"capture of a sale that was asked for before", "states", []string{
		"UPDATE capture SET created_us = created_us - 1 WHERE request_id = 'capture-sold-newest'",
	}},
	{"capture of a sale that is open", "jobs states", []string{
		"UPDATE capture SET state = 'PENDING', done_us = NULL, day = '' WHERE request_id = 'capture-sold-newest'",
	}},
	{"capture of a sale with another verdict", "jobs", []string{
		"UPDATE capture SET state = 'REVOKED' WHERE request_id = 'capture-sold-newest'",
	}},
	{"capture of a sale on no day", "jobs", []string{"UPDATE capture SET day = '' WHERE request_id = 'capture-sold-newest'"}},
	{"capture of a sale with another reference", "jobs", []string{
		"UPDATE capture SET rrn = 'other' WHERE request_id = 'capture-sold-newest'",
	}},

	// its money
	{"sale booked with another amount", "balances postings", []string{
		"UPDATE posting SET amount = amount + 1 WHERE " + event("capture-sold-newest", "sell"),
	}},
	{"sale with a hold in the books", "holds postings", []string{
		"INSERT INTO posting SELECT payment_id, event_n, 7, owner, 'acquirer:held', owner, 'google:held', currency, amount, at_us FROM posting" +
			" WHERE " + event("capture-sold-newest", "sell"),
		"INSERT INTO balance VALUES ('acquirer:held', 'PG4', 'KRW', 3, 12900), ('google:held', 'PG4', 'KRW', 4, -12900)",
	}},
	{"item of a sale missing", "items", []string{"DELETE FROM settlement_item WHERE " + event("capture-sold-newest", "sell")}},
	{"item of a sale of another amount", "items", []string{
		"UPDATE settlement_item SET charge = charge + 1 WHERE " + event("capture-sold-newest", "sell"),
	}},
	{"item of a sale in the settlement of another currency", "items settlements", []string{
		"UPDATE settlement_item SET settlement_id = (SELECT o.settlement_id FROM settlement_item AS o WHERE o.subject = 'capture-sold')" +
			" WHERE " + event("capture-sold-dollars", "sell"),
	}},

	// what was said of it
	{"answer of a sale deleted", "answers", []string{"DELETE FROM idempotency WHERE request_id = 'capture-sold-newest'"}},
	{"answer of a hold to a sale", "answers", []string{
		"UPDATE idempotency SET method = 'reserveFunds' WHERE request_id = 'capture-sold-newest'",
	}},
	{"answer of a sale to a hold", "answers", []string{"UPDATE idempotency SET method = 'capture' WHERE request_id = 'captured'"}},
	{"first call of a sale forgotten", "answers", []string{"DELETE FROM idempotency WHERE request_id = 'capture-sale-pending'"}},
	{"verdict on a sale that was answered", "notices", []string{
		"INSERT INTO notice SELECT 'naru-capture-result-' || id, 'capture-result', account, request_id, state, '', '', 'QUEUED', 0, 0, 1, 1," +
			" NULL, '', 0 FROM capture WHERE request_id = 'capture-sold-newest'",
	}},
	{"reference number of a sale behind something", "notices", []string{
		"UPDATE notice SET after_id = 'naru-refund-result-' || " + refundOf("refund-of-sale") +
			" WHERE kind = 'capture-arn' AND subject = 'capture-sold'",
	}},
	{"fraud about a sale behind something", "notices", []string{
		"UPDATE notice SET after_id = 'naru-refund-result-' || " + refundOf("refund-of-sale") + " WHERE kind = 'fraud' AND account = 'PG4'",
	}},
	{"only chargeback about a sale behind something", "notices", []string{
		"UPDATE notice SET after_id = 'naru-refund-result-' || " + refundOf("refund-of-sale") + " WHERE id = 'naru-chargeback-' || " +
			stage("S2", "FIRST"),
	}},
	{"card of a sale kept although the journal erased it", "cards cards-open", []string{
		"UPDATE reservation SET card = (SELECT card FROM reservation WHERE request_id = 'late') WHERE request_id = 'capture-sold'",
	}},
}
