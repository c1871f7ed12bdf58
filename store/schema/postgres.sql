-- Generated from the migrations by "make generate"; do not edit.

CREATE OR REPLACE FUNCTION public.refuse()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
    RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'restrict_violation';
END
$function$;

CREATE TABLE account_book (
    account TEXT COLLATE "C" NOT NULL,
    chain_length BIGINT NOT NULL,
    chain_digest BYTEA NOT NULL,
    CHECK (chain_length > 0),
    PRIMARY KEY (account)
);

ALTER TABLE account_book SET (fillfactor=50);

CREATE TABLE acquirer_event (
    acquirer TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    type TEXT COLLATE "C" NOT NULL,
    file TEXT COLLATE "C" NOT NULL,
    line BIGINT NOT NULL,
    digest BYTEA NOT NULL,
    payment_id TEXT COLLATE "C" NOT NULL,
    outcome TEXT COLLATE "C" NOT NULL,
    object TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    account TEXT COLLATE "C" NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    gross BIGINT NOT NULL,
    fees BIGINT NOT NULL,
    tax BIGINT NOT NULL,
    at_us BIGINT NOT NULL,
    CHECK ((outcome = 'EXCEPTION'::text) = (reason <> ''::text)),
    CHECK (outcome = ANY (ARRAY['APPLIED'::text, 'EXCEPTION'::text])),
    PRIMARY KEY (acquirer, id)
);

CREATE INDEX acquirer_event_of ON acquirer_event USING btree (object, type) WHERE object <> ''::text;

CREATE TRIGGER acquirer_event_no_delete BEFORE DELETE ON acquirer_event FOR EACH ROW EXECUTE FUNCTION refuse('acquirer events are append-only');

CREATE TRIGGER acquirer_event_no_truncate BEFORE TRUNCATE ON acquirer_event FOR EACH STATEMENT EXECUTE FUNCTION refuse('acquirer events are append-only');

CREATE TRIGGER acquirer_event_no_update BEFORE UPDATE ON acquirer_event FOR EACH ROW EXECUTE FUNCTION refuse('acquirer events are append-only');

CREATE TABLE acquirer_file (
    acquirer TEXT COLLATE "C" NOT NULL,
    name TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    merchant TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    day TEXT COLLATE "C" NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    seq BIGINT NOT NULL,
    sha256 BYTEA NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    records BIGINT NOT NULL,
    exceptions BIGINT NOT NULL,
    gross BIGINT NOT NULL,
    fees BIGINT NOT NULL,
    tax BIGINT NOT NULL,
    net BIGINT NOT NULL,
    at_us BIGINT NOT NULL,
    CHECK (state = 'QUARANTINED'::text OR net = (gross + fees + tax)),
    CHECK (state = ANY (ARRAY['LOADED'::text, 'QUARANTINED'::text])),
    PRIMARY KEY (acquirer, name)
);

CREATE UNIQUE INDEX acquirer_file_loaded ON acquirer_file USING btree (acquirer, merchant, kind, day, seq) WHERE state = 'LOADED'::text;

CREATE TABLE advice (
    id TEXT COLLATE "C" NOT NULL,
    reservation_id TEXT COLLATE "C" NOT NULL,
    attempt_id TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    stan TEXT COLLATE "C" NOT NULL,
    sent_us BIGINT NOT NULL,
    rrn TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    amount BIGINT NOT NULL,
    sends BIGINT NOT NULL,
    lost BIGINT NOT NULL,
    renewed BOOLEAN NOT NULL,
    created_us BIGINT NOT NULL,
    due_us BIGINT NOT NULL,
    code TEXT COLLATE "C" NOT NULL,
    file TEXT COLLATE "C" NOT NULL,
    line BIGINT NOT NULL,
    CHECK (amount > 0 OR amount = 0 AND kind = 'REVERSAL'::text),
    CHECK (kind = ANY (ARRAY['REVERSAL'::text, 'RELEASE_REST'::text, 'COMPLETION'::text, 'REFUND'::text])),
    CHECK (line >= 0 AND (line = 0) = (file = ''::text)),
    CHECK (state = ANY (ARRAY['QUEUED'::text, 'DONE'::text, 'STOPPED'::text, 'BATCHED'::text])),
    FOREIGN KEY (attempt_id) REFERENCES attempt(id),
    FOREIGN KEY (reservation_id) REFERENCES reservation(id),
    PRIMARY KEY (id)
);

CREATE INDEX advice_batched ON advice USING btree (file, created_us) WHERE state = 'BATCHED'::text;

CREATE INDEX advice_due ON advice USING btree (due_us) WHERE state = 'QUEUED'::text;

CREATE INDEX advice_open ON advice USING btree (reservation_id) WHERE state <> 'DONE'::text;

CREATE UNIQUE INDEX advice_line ON advice USING btree (file, line) WHERE file <> ''::text;

CREATE UNIQUE INDEX advice_once ON advice USING btree (attempt_id, kind);

CREATE TABLE attempt (
    id TEXT COLLATE "C" NOT NULL,
    reservation_id TEXT COLLATE "C" NOT NULL,
    refund_id TEXT COLLATE "C",
    state TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    acquirer TEXT COLLATE "C" NOT NULL,
    stan TEXT COLLATE "C" NOT NULL,
    sent_us BIGINT NOT NULL,
    rrn TEXT COLLATE "C" NOT NULL,
    terminal TEXT COLLATE "C" NOT NULL,
    merchant TEXT COLLATE "C" NOT NULL,
    code TEXT COLLATE "C" NOT NULL,
    changed_us BIGINT NOT NULL,
    undone_day TEXT COLLATE "C" NOT NULL,
    CHECK (length(undone_day) = ANY (ARRAY[0, 8])),
    CHECK (state = ANY (ARRAY['PREPARED'::text, 'VOID'::text, 'APPROVED'::text, 'DECLINED'::text, 'REVERSE_PENDING'::text, 'REVERSED'::text, 'CAPTURED'::text, 'GONE'::text, 'PASSED'::text, 'BOOKED'::text])),
    CHECK (undone_day = ''::text OR state = 'REVERSED'::text),
    FOREIGN KEY (refund_id) REFERENCES refund(id),
    FOREIGN KEY (reservation_id) REFERENCES reservation(id),
    PRIMARY KEY (id),
    UNIQUE (sent_us, stan, acquirer, terminal)
);

CREATE INDEX attempt_undone ON attempt USING btree (undone_day, state) WHERE undone_day <> ''::text;

CREATE UNIQUE INDEX attempt_live ON attempt USING btree (reservation_id) WHERE (state = ANY (ARRAY['PREPARED'::text, 'APPROVED'::text, 'REVERSE_PENDING'::text])) AND refund_id IS NULL;

CREATE UNIQUE INDEX attempt_live_refund ON attempt USING btree (refund_id) WHERE (state = ANY (ARRAY['PREPARED'::text, 'APPROVED'::text, 'REVERSE_PENDING'::text])) AND refund_id IS NOT NULL;

CREATE TABLE balance (
    account TEXT COLLATE "C" NOT NULL,
    owner TEXT COLLATE "C" NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    slot BIGINT NOT NULL,
    amount BIGINT NOT NULL,
    PRIMARY KEY (account, owner, currency, slot)
);

ALTER TABLE balance SET (fillfactor=50);

CREATE TABLE bank_credit (
    id TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    receiver TEXT COLLATE "C" NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    bank TEXT COLLATE "C" NOT NULL,
    booked_us BIGINT NOT NULL,
    account TEXT COLLATE "C" NOT NULL,
    received_us BIGINT NOT NULL,
    virtual TEXT COLLATE "C" NOT NULL,
    amount BIGINT NOT NULL,
    bank_id TEXT COLLATE "C" NOT NULL,
    feed TEXT COLLATE "C" NOT NULL,
    message TEXT COLLATE "C" NOT NULL,
    trouble TEXT COLLATE "C" NOT NULL,
    order_id TEXT COLLATE "C",
    suspect_id TEXT COLLATE "C",
    payout_id TEXT COLLATE "C",
    rule TEXT COLLATE "C" NOT NULL,
    inputs TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    retry_us BIGINT,
    chain_length BIGINT NOT NULL,
    chain_digest BYTEA NOT NULL,
    sender BYTEA NOT NULL,
    CHECK ((state = 'RETURNING'::text) = (payout_id IS NOT NULL)),
    CHECK (amount > 0),
    CHECK (state = 'REVERSED'::text OR (state = 'MATCHED'::text) = (order_id IS NOT NULL)),
    CHECK (state = 'UNMATCHED'::text OR suspect_id IS NULL AND retry_us IS NULL),
    CHECK (state = ANY (ARRAY['UNMATCHED'::text, 'MATCHED'::text, 'REVERSED'::text, 'RETURNING'::text])),
    CHECK (trouble = ANY (ARRAY[''::text, 'AMOUNT_MISMATCH'::text, 'NAME_MISMATCH'::text, 'AMBIGUOUS'::text, 'UNMATCHED'::text, 'LATE'::text, 'STOPPED'::text])),
    CHECK (version > 0),
    FOREIGN KEY (order_id) REFERENCES deposit_order(id),
    FOREIGN KEY (payout_id) REFERENCES payout(id),
    FOREIGN KEY (suspect_id) REFERENCES deposit_order(id),
    PRIMARY KEY (id)
);

CREATE INDEX bank_credit_day ON bank_credit USING btree (receiver, booked_us, state, amount);

CREATE INDEX bank_credit_open ON bank_credit USING btree (received_us) WHERE state = 'UNMATCHED'::text;

CREATE INDEX bank_credit_suspect ON bank_credit USING btree (suspect_id) WHERE suspect_id IS NOT NULL;

CREATE INDEX bank_credit_waiting ON bank_credit USING btree (receiver, amount, retry_us) WHERE retry_us IS NOT NULL;

CREATE UNIQUE INDEX bank_credit_once ON bank_credit USING btree (((((bank || '/'::text) || account) || '/'::text) || bank_id));

CREATE UNIQUE INDEX bank_credit_order ON bank_credit USING btree (order_id) WHERE order_id IS NOT NULL;

CREATE TRIGGER bank_credit_no_delete BEFORE DELETE ON bank_credit FOR EACH ROW EXECUTE FUNCTION refuse('what a bank booked stays');

CREATE TRIGGER bank_credit_no_truncate BEFORE TRUNCATE ON bank_credit FOR EACH STATEMENT EXECUTE FUNCTION refuse('what a bank booked stays');

CREATE TRIGGER bank_credit_no_update BEFORE UPDATE OF id, receiver, currency, bank, booked_us, account, received_us, virtual, amount, bank_id, feed, message, sender ON bank_credit FOR EACH ROW EXECUTE FUNCTION refuse('what a bank booked stays');

CREATE TRIGGER bank_credit_order_stays BEFORE UPDATE ON bank_credit FOR EACH ROW WHEN (old.order_id IS NOT NULL AND new.order_id IS DISTINCT FROM old.order_id OR old.state = 'REVERSED'::text AND new.state <> 'REVERSED'::text) EXECUTE FUNCTION refuse('what a credit paid stays');

CREATE TABLE bank_entry (
    bank TEXT COLLATE "C" NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    account TEXT COLLATE "C" NOT NULL,
    at_us BIGINT NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    receiver TEXT COLLATE "C" NOT NULL,
    message TEXT COLLATE "C" NOT NULL,
    amount BIGINT NOT NULL,
    original TEXT COLLATE "C" NOT NULL,
    credit_id TEXT COLLATE "C",
    payout_id TEXT COLLATE "C",
    debit BOOLEAN NOT NULL,
    notified BOOLEAN NOT NULL,
    stated BOOLEAN NOT NULL,
    day TEXT COLLATE "C" NOT NULL,
    CHECK (amount > 0),
    CHECK (credit_id IS NULL OR payout_id IS NULL),
    CHECK (length(day) = 8),
    CHECK (notified OR stated),
    FOREIGN KEY (credit_id) REFERENCES bank_credit(id),
    FOREIGN KEY (payout_id) REFERENCES payout(id)
);

CREATE INDEX bank_entry_reversal ON bank_entry USING btree (((((bank || '/'::text) || account) || '/'::text) || original)) WHERE original <> ''::text AND debit;

CREATE INDEX bank_entry_unstated ON bank_entry USING btree (((((bank || '/'::text) || account) || '/'::text) || day)) WHERE NOT stated;

CREATE UNIQUE INDEX bank_entry_once ON bank_entry USING btree (((((bank || '/'::text) || account) ||
CASE
    WHEN debit THEN '/D/'::text
    ELSE '/C/'::text
END) || id));

CREATE TRIGGER bank_entry_no_delete BEFORE DELETE ON bank_entry FOR EACH ROW EXECUTE FUNCTION refuse('bookings are append-only');

CREATE TRIGGER bank_entry_no_truncate BEFORE TRUNCATE ON bank_entry FOR EACH STATEMENT EXECUTE FUNCTION refuse('bookings are append-only');

CREATE TRIGGER bank_entry_no_update BEFORE UPDATE OF bank, currency, account, at_us, id, receiver, message, amount, original, credit_id, payout_id, debit, day ON bank_entry FOR EACH ROW EXECUTE FUNCTION refuse('bookings are append-only');

CREATE TRIGGER bank_entry_told_stays BEFORE UPDATE ON bank_entry FOR EACH ROW WHEN (old.notified AND NOT new.notified OR old.stated AND NOT new.stated) EXECUTE FUNCTION refuse('bookings are append-only');

CREATE TABLE bank_message (
    feed TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    entries BIGINT NOT NULL,
    accepted BIGINT NOT NULL,
    repeated BIGINT NOT NULL,
    at_us BIGINT NOT NULL,
    sha256 BYTEA NOT NULL,
    CHECK (accepted >= 0 AND repeated >= 0 AND (accepted + repeated) <= entries),
    CHECK (kind = ANY (ARRAY['NOTIFICATION'::text, 'STATEMENT'::text, 'PUSH'::text])),
    PRIMARY KEY (feed, kind, id)
);

CREATE TRIGGER bank_message_no_delete BEFORE DELETE ON bank_message FOR EACH ROW EXECUTE FUNCTION refuse('messages are append-only');

CREATE TRIGGER bank_message_no_truncate BEFORE TRUNCATE ON bank_message FOR EACH STATEMENT EXECUTE FUNCTION refuse('messages are append-only');

CREATE TRIGGER bank_message_no_update BEFORE UPDATE ON bank_message FOR EACH ROW EXECUTE FUNCTION refuse('messages are append-only');

CREATE TABLE bank_sequence (
    account TEXT COLLATE "C" NOT NULL,
    seq BIGINT NOT NULL,
    PRIMARY KEY (account)
);

ALTER TABLE bank_sequence SET (fillfactor=50);

CREATE TABLE call_tally (
    method TEXT COLLATE "C" NOT NULL,
    hour_us BIGINT NOT NULL,
    node TEXT COLLATE "C" NOT NULL,
    calls BIGINT NOT NULL,
    answered BIGINT NOT NULL,
    within_5s BIGINT NOT NULL,
    within_3s BIGINT NOT NULL,
    CHECK (calls > 0),
    CHECK (within_3s >= 0 AND within_3s <= within_5s AND within_5s <= answered AND answered <= calls),
    PRIMARY KEY (method, hour_us, node)
);

ALTER TABLE call_tally SET (fillfactor=50);

CREATE TABLE cancel (
    id TEXT COLLATE "C" NOT NULL,
    account TEXT COLLATE "C" NOT NULL,
    request_id TEXT COLLATE "C" NOT NULL,
    reservation_id TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    created_us BIGINT NOT NULL,
    done_us BIGINT,
    CHECK ((state = 'PENDING'::text) = (done_us IS NULL)),
    CHECK (state = ANY (ARRAY['PENDING'::text, 'SUCCESS'::text])),
    FOREIGN KEY (reservation_id) REFERENCES reservation(id),
    PRIMARY KEY (id),
    UNIQUE (account, request_id)
);

CREATE INDEX cancel_open ON cancel USING btree (reservation_id) WHERE state = 'PENDING'::text;

CREATE TABLE capture (
    id TEXT COLLATE "C" NOT NULL,
    account TEXT COLLATE "C" NOT NULL,
    request_id TEXT COLLATE "C" NOT NULL,
    reservation_id TEXT COLLATE "C" NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    rrn TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    arn TEXT COLLATE "C" NOT NULL,
    created_us BIGINT NOT NULL,
    network_id TEXT COLLATE "C" NOT NULL,
    amount BIGINT NOT NULL,
    approval TEXT COLLATE "C" NOT NULL,
    done_us BIGINT,
    day TEXT COLLATE "C" NOT NULL,
    clearing TEXT COLLATE "C" NOT NULL,
    CHECK ((state = 'PENDING'::text) = (done_us IS NULL)),
    CHECK (amount > 0),
    CHECK (clearing = ANY (ARRAY[''::text, 'CLEARED'::text, 'REJECTED'::text])),
    CHECK (length(arn) = ANY (ARRAY[0, 23])),
    CHECK (length(day) = ANY (ARRAY[0, 8])),
    CHECK (state = ANY (ARRAY['PENDING'::text, 'SUCCESS'::text, 'EXPIRED'::text, 'REVOKED'::text])),
    FOREIGN KEY (reservation_id) REFERENCES reservation(id),
    PRIMARY KEY (id),
    UNIQUE (account, request_id),
    UNIQUE (reservation_id)
);

CREATE INDEX capture_day ON capture USING btree (day, currency) WHERE state = 'SUCCESS'::text AND day <> ''::text;

CREATE INDEX capture_network ON capture USING btree (network_id, state) WHERE state = 'SUCCESS'::text AND network_id <> ''::text;

CREATE INDEX capture_rrn ON capture USING btree (rrn, state) WHERE state = 'SUCCESS'::text;

CREATE UNIQUE INDEX capture_arn ON capture USING btree (arn) WHERE arn <> ''::text;

CREATE TRIGGER capture_arn_once BEFORE UPDATE OF arn ON capture FOR EACH ROW WHEN (old.arn <> ''::text AND new.arn <> old.arn) EXECUTE FUNCTION refuse('an acquirer reference number is set once');

CREATE TABLE capture_file (
    name TEXT COLLATE "C" NOT NULL,
    acquirer TEXT COLLATE "C" NOT NULL,
    merchant TEXT COLLATE "C" NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    day TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    seq BIGINT NOT NULL,
    items BIGINT NOT NULL,
    created_us BIGINT NOT NULL,
    done_us BIGINT,
    CHECK (items > 0),
    CHECK (length(day) = 8),
    CHECK (seq > 0),
    CHECK (state = ANY (ARRAY['MADE'::text, 'SENT'::text, 'ANSWERED'::text])),
    PRIMARY KEY (name),
    UNIQUE (acquirer, merchant, day, seq)
);

CREATE INDEX capture_file_state ON capture_file USING btree (state, created_us);

CREATE TABLE checkpoint (
    n BIGINT NOT NULL,
    last_id BIGINT NOT NULL,
    events BIGINT NOT NULL,
    digest BYTEA NOT NULL,
    at_us BIGINT NOT NULL,
    CHECK (n > 0),
    PRIMARY KEY (n)
);

CREATE TABLE deposit_order (
    id TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    number TEXT COLLATE "C" NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    client_id TEXT COLLATE "C" NOT NULL,
    created_us BIGINT NOT NULL,
    receiver_number TEXT COLLATE "C" NOT NULL,
    expires_us BIGINT NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL,
    changed_us BIGINT NOT NULL,
    receiver_bank TEXT COLLATE "C" NOT NULL,
    link TEXT COLLATE "C" NOT NULL,
    merchant TEXT COLLATE "C" NOT NULL,
    service TEXT COLLATE "C" NOT NULL,
    receiver TEXT COLLATE "C" NOT NULL,
    holder TEXT COLLATE "C" NOT NULL,
    branch TEXT COLLATE "C" NOT NULL,
    token TEXT COLLATE "C" NOT NULL,
    notify_url TEXT COLLATE "C" NOT NULL,
    payer_bank TEXT COLLATE "C" NOT NULL,
    trouble TEXT COLLATE "C" NOT NULL,
    sign_type TEXT COLLATE "C" NOT NULL,
    credit_id TEXT COLLATE "C",
    into_account TEXT COLLATE "C" NOT NULL,
    generation BIGINT NOT NULL,
    version BIGINT NOT NULL,
    amount BIGINT NOT NULL,
    display BIGINT NOT NULL,
    real_amount BIGINT NOT NULL,
    fee BIGINT NOT NULL,
    reserved BOOLEAN NOT NULL,
    virtual BOOLEAN NOT NULL,
    due_us BIGINT,
    paid_us BIGINT,
    chain_length BIGINT NOT NULL,
    chain_digest BYTEA NOT NULL,
    name_print BYTEA,
    payer BYTEA,
    CHECK ((credit_id IS NOT NULL) = (paid_us IS NOT NULL)),
    CHECK ((credit_id IS NOT NULL) = (real_amount > 0) AND (credit_id IS NOT NULL) = (into_account <> ''::text)),
    CHECK ((state = ANY (ARRAY['PAID'::text, 'TAKEN_BACK'::text])) = (credit_id IS NOT NULL)),
    CHECK (NOT reserved OR virtual OR credit_id IS NULL),
    CHECK (amount > 0),
    CHECK (display >= 1 AND display <= amount),
    CHECK (fee >= 0 AND fee <= real_amount),
    CHECK (name_print IS NULL OR payer IS NOT NULL),
    CHECK (real_amount >= 0),
    CHECK (state <> 'WAITING'::text OR due_us IS NOT NULL),
    CHECK (state = ANY (ARRAY['WAITING'::text, 'SEEN'::text, 'PAID'::text, 'EXPIRED'::text, 'CANCELLED'::text, 'FAILED'::text, 'TAKEN_BACK'::text])),
    CHECK (trouble = ANY (ARRAY[''::text, 'AMOUNT_MISMATCH'::text, 'NAME_MISMATCH'::text, 'AMBIGUOUS'::text, 'UNMATCHED'::text, 'LATE'::text, 'STOPPED'::text])),
    CHECK (version > 0),
    FOREIGN KEY (credit_id) REFERENCES bank_credit(id),
    PRIMARY KEY (id),
    UNIQUE (client_id, merchant),
    UNIQUE (link),
    UNIQUE (number)
);

CREATE INDEX deposit_order_due ON deposit_order USING btree (due_us) WHERE due_us IS NOT NULL;

CREATE INDEX deposit_order_given ON deposit_order USING btree (receiver_number, receiver, created_us) WHERE virtual;

CREATE INDEX deposit_order_merchant ON deposit_order USING btree (merchant, created_us);

CREATE INDEX deposit_order_name ON deposit_order USING btree (receiver, name_print, created_us) WHERE name_print IS NOT NULL AND (state = ANY (ARRAY['WAITING'::text, 'SEEN'::text]));

CREATE INDEX deposit_order_open ON deposit_order USING btree (receiver, state) WHERE state = ANY (ARRAY['WAITING'::text, 'SEEN'::text]);

CREATE INDEX deposit_order_showing ON deposit_order USING btree (receiver, display, expires_us) WHERE state = ANY (ARRAY['WAITING'::text, 'SEEN'::text, 'EXPIRED'::text, 'CANCELLED'::text]);

CREATE INDEX deposit_order_token ON deposit_order USING btree (token, receiver) WHERE token <> ''::text AND (state = ANY (ARRAY['WAITING'::text, 'SEEN'::text]));

CREATE UNIQUE INDEX deposit_order_amount ON deposit_order USING btree (receiver, display, reserved, virtual) WHERE reserved AND NOT virtual;

CREATE UNIQUE INDEX deposit_order_credit ON deposit_order USING btree (credit_id) WHERE credit_id IS NOT NULL;

CREATE UNIQUE INDEX deposit_order_number ON deposit_order USING btree (receiver_number, receiver) WHERE reserved AND virtual;

CREATE TRIGGER deposit_order_paid_stays BEFORE UPDATE ON deposit_order FOR EACH ROW WHEN (old.credit_id IS NOT NULL AND NOT (NOT new.credit_id IS DISTINCT FROM old.credit_id AND new.real_amount = old.real_amount AND new.fee = old.fee AND new.into_account = old.into_account AND NOT new.paid_us IS DISTINCT FROM old.paid_us AND (new.state = old.state OR old.state = 'PAID'::text))) EXECUTE FUNCTION refuse('what paid an order stays');

CREATE TRIGGER deposit_order_terms_stay BEFORE UPDATE OF id, number, currency, client_id, created_us, receiver_number, expires_us, user_id, receiver_bank, link, merchant, service, receiver, holder, branch, token, notify_url, sign_type, generation, amount, display, virtual ON deposit_order FOR EACH ROW EXECUTE FUNCTION refuse('what an order asks for stays');

CREATE TABLE dispute (
    id TEXT COLLATE "C" NOT NULL,
    account TEXT COLLATE "C" NOT NULL,
    reservation_id TEXT COLLATE "C" NOT NULL,
    stage TEXT COLLATE "C" NOT NULL,
    case_no TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    raw_code TEXT COLLATE "C" NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    event_id TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    scope TEXT COLLATE "C" NOT NULL,
    amount BIGINT NOT NULL,
    won BIGINT NOT NULL,
    created_us BIGINT NOT NULL,
    reply_by_us BIGINT,
    due_us BIGINT,
    done_us BIGINT,
    told TEXT COLLATE "C" NOT NULL,
    told_twice BOOLEAN NOT NULL,
    CHECK ((done_us IS NULL) = (state = ANY (ARRAY['INQUIRY_OPEN'::text, 'INQUIRY_DEFENDED'::text, 'CB1_OPEN'::text, 'CB1_DEFENDED'::text, 'CB2_OPEN'::text, 'CB2_DEFENDED'::text]))),
    CHECK ((won > 0) = (state = ANY (ARRAY['CB1_REVERSED'::text, 'CB2_REVERSED'::text]))),
    CHECK (amount > 0 OR amount = 0 AND stage = 'INQUIRY'::text),
    CHECK (stage =
CASE substr(state, 1, 3)
    WHEN 'INQ'::text THEN 'INQUIRY'::text
    WHEN 'CB1'::text THEN 'FIRST'::text
    ELSE 'SECOND'::text
END),
    CHECK (stage = ANY (ARRAY['INQUIRY'::text, 'FIRST'::text, 'SECOND'::text])),
    CHECK (state = ANY (ARRAY['INQUIRY_OPEN'::text, 'INQUIRY_DEFENDED'::text, 'INQUIRY_CLOSED'::text, 'CB1_OPEN'::text, 'CB1_DEFENDED'::text, 'CB1_REVERSED'::text, 'CB1_LOST'::text, 'CB2_OPEN'::text, 'CB2_DEFENDED'::text, 'CB2_REVERSED'::text, 'CB2_LOST'::text])),
    CHECK (won >= 0 AND won <= amount),
    FOREIGN KEY (reservation_id) REFERENCES reservation(id),
    PRIMARY KEY (id)
);

CREATE INDEX dispute_due ON dispute USING btree (due_us) WHERE done_us IS NULL;

CREATE INDEX dispute_payment ON dispute USING btree (reservation_id);

CREATE UNIQUE INDEX dispute_once ON dispute USING btree (case_no, stage, reservation_id) WHERE case_no <> ''::text;

CREATE TABLE event (
    id BIGINT NOT NULL GENERATED ALWAYS AS IDENTITY,
    payment_id TEXT COLLATE "C" NOT NULL,
    n BIGINT NOT NULL,
    at_us BIGINT NOT NULL,
    event TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    actor TEXT COLLATE "C" NOT NULL,
    detail TEXT COLLATE "C" NOT NULL,
    digest BYTEA NOT NULL,
    object TEXT COLLATE "C" NOT NULL DEFAULT ''::text,
    CHECK (n > 0),
    PRIMARY KEY (id),
    UNIQUE (payment_id, n)
);

CREATE TRIGGER event_no_delete BEFORE DELETE ON event FOR EACH ROW EXECUTE FUNCTION refuse('the journal is append-only');

CREATE TRIGGER event_no_truncate BEFORE TRUNCATE ON event FOR EACH STATEMENT EXECUTE FUNCTION refuse('the journal is append-only');

CREATE TRIGGER event_no_update BEFORE UPDATE ON event FOR EACH ROW EXECUTE FUNCTION refuse('the journal is append-only');

CREATE TABLE evidence (
    id TEXT COLLATE "C" NOT NULL,
    dispute_id TEXT COLLATE "C" NOT NULL,
    size BIGINT NOT NULL,
    sha256 BYTEA NOT NULL,
    created_us BIGINT NOT NULL,
    document BYTEA NOT NULL,
    CHECK (size > 0),
    FOREIGN KEY (dispute_id) REFERENCES dispute(id),
    PRIMARY KEY (id)
);

CREATE INDEX evidence_dispute ON evidence USING btree (dispute_id);

CREATE TRIGGER evidence_no_delete BEFORE DELETE ON evidence FOR EACH ROW EXECUTE FUNCTION refuse('evidence is append-only');

CREATE TRIGGER evidence_no_truncate BEFORE TRUNCATE ON evidence FOR EACH STATEMENT EXECUTE FUNCTION refuse('evidence is append-only');

CREATE TRIGGER evidence_no_update BEFORE UPDATE ON evidence FOR EACH ROW EXECUTE FUNCTION refuse('evidence is append-only');

CREATE TABLE guard (
    name TEXT COLLATE "C" NOT NULL,
    n BIGINT NOT NULL,
    PRIMARY KEY (name)
);

ALTER TABLE guard SET (fillfactor=50);

CREATE TABLE idempotency (
    account TEXT COLLATE "C" NOT NULL,
    request_id TEXT COLLATE "C" NOT NULL,
    method TEXT COLLATE "C" NOT NULL,
    fingerprint BYTEA NOT NULL,
    done BOOLEAN NOT NULL,
    answer BYTEA,
    created_us BIGINT NOT NULL,
    done_us BIGINT,
    node TEXT COLLATE "C" NOT NULL DEFAULT ''::text,
    CHECK (done = (answer IS NOT NULL) AND done = (done_us IS NOT NULL)),
    PRIMARY KEY (account, request_id)
);

CREATE INDEX idempotency_running ON idempotency USING btree (created_us) WHERE NOT done;

CREATE TABLE keyset (
    name TEXT COLLATE "C" NOT NULL,
    sealed BYTEA NOT NULL,
    PRIMARY KEY (name)
);

CREATE TABLE lease (
    name TEXT COLLATE "C" NOT NULL,
    holder TEXT COLLATE "C" NOT NULL,
    fence BIGINT NOT NULL,
    until_us BIGINT NOT NULL,
    CHECK (fence > 0),
    PRIMARY KEY (name)
);

ALTER TABLE lease SET (fillfactor=50);

CREATE TABLE merchant_key (
    merchant TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    purpose TEXT COLLATE "C" NOT NULL,
    created_us BIGINT NOT NULL,
    ends_us BIGINT,
    sealed BYTEA NOT NULL,
    CHECK (purpose = ANY (ARRAY['sign'::text, 'authorization'::text, 'webhook'::text])),
    PRIMARY KEY (merchant, id)
);

CREATE TRIGGER merchant_key_stays BEFORE UPDATE OF merchant, id, purpose, created_us, sealed ON merchant_key FOR EACH ROW EXECUTE FUNCTION refuse('a key stays what it is');

CREATE TABLE merchant_payout (
    payout_id TEXT COLLATE "C" NOT NULL,
    notify_url TEXT COLLATE "C" NOT NULL,
    number TEXT COLLATE "C" NOT NULL,
    sign_type TEXT COLLATE "C" NOT NULL,
    service TEXT COLLATE "C" NOT NULL,
    FOREIGN KEY (payout_id) REFERENCES payout(id),
    PRIMARY KEY (payout_id),
    UNIQUE (number)
);

CREATE TRIGGER merchant_payout_no_update BEFORE UPDATE ON merchant_payout FOR EACH ROW EXECUTE FUNCTION refuse('what a payout was asked for stays');

CREATE TABLE notice (
    id TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    account TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    result TEXT COLLATE "C" NOT NULL,
    code TEXT COLLATE "C" NOT NULL,
    after_id TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    tries BIGINT NOT NULL,
    base_tries BIGINT NOT NULL DEFAULT 0,
    created_us BIGINT NOT NULL,
    due_us BIGINT NOT NULL,
    done_us BIGINT,
    facts TEXT COLLATE "C" NOT NULL DEFAULT ''::text,
    fence BIGINT NOT NULL DEFAULT 0,
    CHECK ((state = 'SENT'::text) = (done_us IS NOT NULL)),
    CHECK (base_tries >= 0 AND base_tries <= tries),
    CHECK (kind = ANY (ARRAY['capture-result'::text, 'cancel-result'::text, 'refund-result'::text, 'refund-returned'::text, 'inquiry'::text, 'chargeback'::text, 'chargeback-reversed'::text, 'fraud'::text, 'settlement'::text, 'settlement-file'::text, 'capture-arn'::text, 'refund-arn'::text, 'payout-result'::text, 'deposit-result'::text, 'transfer-result'::text])),
    CHECK (state = ANY (ARRAY['QUEUED'::text, 'SENT'::text, 'PARKED'::text])),
    PRIMARY KEY (id),
    UNIQUE (account, kind, subject)
);

CREATE INDEX notice_due ON notice USING btree (due_us) WHERE state = 'QUEUED'::text;

CREATE INDEX notice_merchant ON notice USING btree (account, created_us) WHERE kind = ANY (ARRAY['deposit-result'::text, 'transfer-result'::text]);

CREATE INDEX notice_parked ON notice USING btree (kind, created_us) WHERE state = 'PARKED'::text;

CREATE TABLE notice_try (
    notice_id TEXT COLLATE "C" NOT NULL,
    n BIGINT NOT NULL,
    at_us BIGINT NOT NULL,
    status BIGINT NOT NULL,
    outcome TEXT COLLATE "C" NOT NULL,
    took_us BIGINT NOT NULL,
    FOREIGN KEY (notice_id) REFERENCES notice(id),
    PRIMARY KEY (notice_id, n)
);

CREATE TABLE operator_case (
    id TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    payment_id TEXT COLLATE "C" NOT NULL,
    detail TEXT COLLATE "C" NOT NULL,
    created_us BIGINT NOT NULL,
    closed_us BIGINT,
    subject TEXT COLLATE "C" NOT NULL DEFAULT ''::text,
    note TEXT COLLATE "C" NOT NULL DEFAULT ''::text,
    PRIMARY KEY (id)
);

CREATE INDEX operator_case_open ON operator_case USING btree (created_us) WHERE closed_us IS NULL;

CREATE TABLE payer_registration (
    merchant TEXT COLLATE "C" NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL,
    at_us BIGINT NOT NULL,
    bank TEXT COLLATE "C" NOT NULL,
    payer BYTEA NOT NULL,
    PRIMARY KEY (merchant, user_id)
);

CREATE TABLE payout (
    id TEXT COLLATE "C" NOT NULL,
    account TEXT COLLATE "C" NOT NULL,
    request_id TEXT COLLATE "C" NOT NULL,
    bank TEXT COLLATE "C" NOT NULL,
    code TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    attempt_id TEXT COLLATE "C" NOT NULL,
    purpose TEXT COLLATE "C" NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    scope TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    amount BIGINT NOT NULL,
    fee BIGINT NOT NULL,
    limit_broken BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    created_us BIGINT NOT NULL,
    changed_us BIGINT NOT NULL,
    due_us BIGINT,
    done_us BIGINT,
    back_us BIGINT,
    chain_length BIGINT NOT NULL,
    chain_digest BYTEA NOT NULL,
    print BYTEA NOT NULL,
    target BYTEA NOT NULL,
    CHECK ((attempts = 0) = (attempt_id = ''::text) AND (attempts > 0 OR (state = ANY (ARRAY['UNDER_REVIEW'::text, 'RECORDED'::text, 'DECLINED'::text, 'CANCELLED'::text])))),
    CHECK ((state = 'DECLINED'::text) = (reason <> ''::text)),
    CHECK ((state = 'RETURNED'::text) = (back_us IS NOT NULL)),
    CHECK ((state = ANY (ARRAY['SUCCEEDED'::text, 'DECLINED'::text, 'RETURNED'::text, 'CANCELLED'::text])) = (done_us IS NOT NULL)),
    CHECK (amount > 0),
    CHECK (attempts = 0 OR state <> 'UNDER_REVIEW'::text),
    CHECK (attempts >= 0),
    CHECK (due_us IS NULL OR done_us IS NULL),
    CHECK (fee = 0 OR purpose = 'MERCHANT'::text),
    CHECK (fee >= 0),
    CHECK (limit_broken = 0 OR limit_broken > 0 AND (reason = ANY (ARRAY['below_limit'::text, 'above_limit'::text]))),
    CHECK (purpose = ANY (ARRAY[''::text, 'MERCHANT'::text, 'SENDER'::text])),
    CHECK (reason = ANY (ARRAY[''::text, 'below_limit'::text, 'above_limit'::text, 'account_closed'::text, 'account_on_hold'::text, 'account_closed_fraud'::text, 'account_closed_taken_over'::text, 'no_such_account'::text, 'name_does_not_match'::text, 'no_such_bank'::text, 'not_permitted'::text, 'above_bank_limit'::text, 'compliance'::text, 'declined'::text])),
    CHECK (state = ANY (ARRAY['UNDER_REVIEW'::text, 'RECORDED'::text, 'SUBMITTED'::text, 'RETRYABLE'::text, 'UNKNOWN'::text, 'REVERSING'::text, 'DEEMED'::text, 'SUCCEEDED'::text, 'DECLINED'::text, 'RETURNED'::text, 'CANCELLED'::text])),
    CHECK (version > 0),
    PRIMARY KEY (id),
    UNIQUE (account, request_id)
);

CREATE INDEX payout_due ON payout USING btree (due_us) WHERE due_us IS NOT NULL;

CREATE INDEX payout_ended ON payout USING btree (bank, done_us, created_us) WHERE done_us IS NOT NULL;

CREATE INDEX payout_merchant ON payout USING btree (account, created_us, purpose) WHERE purpose = 'MERCHANT'::text;

CREATE INDEX payout_open ON payout USING btree (bank, state, created_us) WHERE done_us IS NULL;

CREATE TRIGGER payout_result_stays BEFORE UPDATE ON payout FOR EACH ROW WHEN (old.done_us IS NOT NULL AND NOT (NOT new.done_us IS DISTINCT FROM old.done_us AND new.reason = old.reason AND new.limit_broken = old.limit_broken AND new.scope = old.scope AND new.code = old.code AND new.attempt_id = old.attempt_id AND (new.state = old.state AND NOT new.back_us IS DISTINCT FROM old.back_us OR old.state = 'SUCCEEDED'::text AND new.state = 'RETURNED'::text))) EXECUTE FUNCTION refuse('what a payout came to stays');

CREATE TABLE payout_attempt (
    id TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    payout_id TEXT COLLATE "C" NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    reference TEXT COLLATE "C" NOT NULL,
    bank TEXT COLLATE "C" NOT NULL,
    bank_id TEXT COLLATE "C" NOT NULL,
    created_us BIGINT NOT NULL,
    utr TEXT COLLATE "C" NOT NULL,
    first_sent_us BIGINT,
    code TEXT COLLATE "C" NOT NULL,
    status TEXT COLLATE "C" NOT NULL,
    n BIGINT NOT NULL,
    version BIGINT NOT NULL,
    fees BIGINT NOT NULL,
    tax BIGINT NOT NULL,
    sends BIGINT NOT NULL,
    asks BIGINT NOT NULL,
    body BYTEA NOT NULL,
    CHECK ((sends = 0) = (first_sent_us IS NULL)),
    CHECK (asks >= 0),
    CHECK (length(reference) >= 1 AND length(reference) <= 40),
    CHECK (n > 0),
    CHECK (sends >= 0),
    CHECK (state = ANY (ARRAY['PREPARED'::text, 'OPEN'::text, 'PAID'::text, 'FAILED'::text, 'RETURNED'::text])),
    CHECK (version > 0),
    FOREIGN KEY (payout_id) REFERENCES payout(id),
    PRIMARY KEY (id),
    UNIQUE (payout_id, n),
    UNIQUE (reference, bank)
);

CREATE INDEX payout_attempt_unnamed ON payout_attempt USING btree (bank, first_sent_us) WHERE state = 'PREPARED'::text AND bank_id = ''::text;

CREATE UNIQUE INDEX payout_attempt_bank_id ON payout_attempt USING btree (bank_id, bank) WHERE bank_id <> ''::text;

CREATE UNIQUE INDEX payout_attempt_one ON payout_attempt USING btree (payout_id) WHERE state <> 'FAILED'::text;

CREATE TRIGGER payout_attempt_end_stays BEFORE UPDATE ON payout_attempt FOR EACH ROW WHEN ((old.state = ANY (ARRAY['PAID'::text, 'FAILED'::text, 'RETURNED'::text])) AND new.state <> old.state AND NOT (old.state = 'PAID'::text AND new.state = 'RETURNED'::text)) EXECUTE FUNCTION refuse('what an attempt came to stays');

CREATE TABLE posting (
    payment_id TEXT COLLATE "C" NOT NULL,
    event_n BIGINT NOT NULL,
    k BIGINT NOT NULL,
    owner TEXT COLLATE "C" NOT NULL,
    debit TEXT COLLATE "C" NOT NULL,
    credit_owner TEXT COLLATE "C" NOT NULL,
    credit TEXT COLLATE "C" NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    amount BIGINT NOT NULL,
    at_us BIGINT NOT NULL,
    CHECK (amount > 0),
    CHECK (debit <> credit),
    CHECK (owner = credit_owner OR 'payout:float'::text = debit OR 'payout:float'::text = credit OR debit = 'deposit:unmatched'::text AND credit = 'merchant:payable'::text OR debit = 'merchant:payable'::text AND credit = 'bank:collection'::text),
    PRIMARY KEY (payment_id, event_n, k)
);

CREATE TRIGGER posting_no_delete BEFORE DELETE ON posting FOR EACH ROW EXECUTE FUNCTION refuse('the ledger is append-only');

CREATE TRIGGER posting_no_truncate BEFORE TRUNCATE ON posting FOR EACH STATEMENT EXECUTE FUNCTION refuse('the ledger is append-only');

CREATE TRIGGER posting_no_update BEFORE UPDATE ON posting FOR EACH ROW EXECUTE FUNCTION refuse('the ledger is append-only');

CREATE TABLE receiver_pause (
    receiver TEXT COLLATE "C" NOT NULL,
    note TEXT COLLATE "C" NOT NULL,
    since_us BIGINT NOT NULL,
    CHECK (note <> ''::text),
    PRIMARY KEY (receiver)
);

CREATE TABLE reconciliation (
    acquirer TEXT COLLATE "C" NOT NULL,
    day TEXT COLLATE "C" NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    stan TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    rrn TEXT COLLATE "C" NOT NULL,
    sent_us BIGINT,
    code TEXT COLLATE "C" NOT NULL,
    created_us BIGINT NOT NULL,
    due_us BIGINT,
    tries BIGINT NOT NULL,
    credits BIGINT NOT NULL,
    credit_sum BIGINT NOT NULL,
    credits_undone BIGINT NOT NULL,
    credit_undone_sum BIGINT NOT NULL,
    debits BIGINT NOT NULL,
    debit_sum BIGINT NOT NULL,
    debits_undone BIGINT NOT NULL,
    debit_undone_sum BIGINT NOT NULL,
    host_credits BIGINT,
    host_credit_sum BIGINT,
    host_credits_undone BIGINT,
    host_credit_undone_sum BIGINT,
    host_debits BIGINT,
    host_debit_sum BIGINT,
    host_debits_undone BIGINT,
    host_debit_undone_sum BIGINT,
    CHECK (length(day) = 8),
    CHECK (state = ANY (ARRAY['OPEN'::text, 'AGREED'::text, 'BREAK'::text])),
    PRIMARY KEY (acquirer, day, currency)
);

CREATE INDEX reconciliation_due ON reconciliation USING btree (due_us) WHERE state = 'OPEN'::text;

CREATE TABLE refund (
    id TEXT COLLATE "C" NOT NULL,
    account TEXT COLLATE "C" NOT NULL,
    request_id TEXT COLLATE "C" NOT NULL,
    reservation_id TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    rrn TEXT COLLATE "C" NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    arn TEXT COLLATE "C" NOT NULL,
    created_us BIGINT NOT NULL,
    code TEXT COLLATE "C" NOT NULL,
    done_us BIGINT,
    day TEXT COLLATE "C" NOT NULL,
    reason TEXT COLLATE "C" NOT NULL,
    amount BIGINT NOT NULL,
    returned BIGINT NOT NULL,
    back_us BIGINT,
    attempt_id TEXT COLLATE "C" NOT NULL,
    CHECK ((state = 'REFUND_FAILED'::text) = (reason <> ''::text)),
    CHECK ((state = 'REFUND_PENDING'::text) = (done_us IS NULL)),
    CHECK ((state = 'REFUND_REVERSED'::text) = (returned > 0) AND (returned > 0) = (back_us IS NOT NULL)),
    CHECK (amount > 0),
    CHECK (length(arn) = ANY (ARRAY[0, 23])),
    CHECK (length(day) = ANY (ARRAY[0, 8])),
    CHECK (returned >= 0 AND returned <= amount),
    CHECK (state = ANY (ARRAY['REFUND_PENDING'::text, 'REFUNDED'::text, 'REFUND_FAILED'::text, 'REFUND_REVERSED'::text])),
    FOREIGN KEY (reservation_id) REFERENCES reservation(id),
    PRIMARY KEY (id),
    UNIQUE (account, request_id)
);

CREATE INDEX refund_day ON refund USING btree (day, currency) WHERE day <> ''::text;

CREATE INDEX refund_payment ON refund USING btree (reservation_id);

CREATE INDEX refund_rrn ON refund USING btree (rrn, currency) WHERE rrn <> ''::text;

CREATE UNIQUE INDEX refund_arn ON refund USING btree (arn) WHERE arn <> ''::text;

CREATE TRIGGER refund_arn_once BEFORE UPDATE OF arn ON refund FOR EACH ROW WHEN (old.arn <> ''::text AND new.arn <> old.arn) EXECUTE FUNCTION refuse('an acquirer reference number is set once');

CREATE TABLE reservation (
    id TEXT COLLATE "C" NOT NULL,
    account TEXT COLLATE "C" NOT NULL,
    request_id TEXT COLLATE "C" NOT NULL,
    purpose TEXT COLLATE "C" NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    approval TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    network_id TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    link_id TEXT COLLATE "C" NOT NULL,
    created_us BIGINT NOT NULL,
    amount BIGINT NOT NULL,
    captured BIGINT NOT NULL,
    held BOOLEAN NOT NULL,
    hold_until_us BIGINT,
    host_until_us BIGINT,
    code TEXT COLLATE "C" NOT NULL,
    changed_us BIGINT NOT NULL,
    mcc TEXT COLLATE "C" NOT NULL,
    chain_length BIGINT NOT NULL,
    chain_digest BYTEA NOT NULL,
    attempt_id TEXT COLLATE "C" NOT NULL,
    card BYTEA,
    card_until_us BIGINT,
    CHECK (NOT held OR (state = ANY (ARRAY['RESERVED'::text, 'VERIFY_HELD'::text, 'CAPTURE_PENDING'::text, 'CANCEL_PENDING'::text, 'EXPIRED'::text]))),
    CHECK (amount > 0 OR amount = 0 AND (purpose = ANY (ARRAY['VERIFY'::text, 'CHECK'::text]))),
    CHECK (captured >= 0 AND captured <= amount),
    CHECK (purpose <> 'SALE'::text OR (state = ANY (ARRAY['PENDING'::text, 'CAPTURED'::text, 'DECLINED'::text, 'REVERSING'::text, 'NOT_HELD'::text, 'CANCEL_PENDING'::text, 'CANCELLED'::text]))),
    CHECK (purpose <> 'SALE'::text OR NOT held AND hold_until_us IS NULL AND captured =
CASE state
    WHEN 'CAPTURED'::text THEN amount
    ELSE 0::bigint
END),
    CHECK (purpose = ANY (ARRAY[''::text, 'SALE'::text, 'VERIFY'::text, 'CHECK'::text])),
    CHECK (state = ANY (ARRAY['PENDING'::text, 'RESERVED'::text, 'DECLINED'::text, 'REVERSING'::text, 'NOT_HELD'::text, 'CAPTURE_PENDING'::text, 'CAPTURED'::text, 'CAPTURE_FAILED'::text, 'CANCEL_PENDING'::text, 'CANCELLED'::text, 'EXPIRED'::text, 'VERIFY_HELD'::text, 'VERIFIED'::text])),
    PRIMARY KEY (id),
    UNIQUE (account, request_id)
);

CREATE INDEX reservation_erasable ON reservation USING btree (card_until_us) WHERE card IS NOT NULL AND card_until_us IS NOT NULL;

CREATE INDEX reservation_expiring ON reservation USING btree (hold_until_us) WHERE state = ANY (ARRAY['RESERVED'::text, 'VERIFY_HELD'::text]);

CREATE TABLE series (
    name TEXT COLLATE "C" NOT NULL,
    next BIGINT NOT NULL,
    CHECK (next >= 0),
    PRIMARY KEY (name)
);

ALTER TABLE series SET (fillfactor=50);

CREATE TABLE settlement (
    id TEXT COLLATE "C" NOT NULL,
    account TEXT COLLATE "C" NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    day TEXT COLLATE "C" NOT NULL,
    state TEXT COLLATE "C" NOT NULL,
    reference TEXT COLLATE "C" NOT NULL,
    start_us BIGINT NOT NULL,
    end_us BIGINT NOT NULL,
    closed_us BIGINT NOT NULL,
    paid_us BIGINT,
    items BIGINT NOT NULL,
    charge BIGINT NOT NULL,
    adjusted BIGINT NOT NULL,
    fee BIGINT NOT NULL,
    vat BIGINT NOT NULL,
    net BIGINT NOT NULL,
    parts BIGINT NOT NULL,
    CHECK ((state = 'PAID'::text) = (paid_us IS NOT NULL)),
    CHECK (end_us > start_us),
    CHECK (items >= 0),
    CHECK (length(day) = 8),
    CHECK (net = (charge + adjusted + fee + vat)),
    CHECK (parts > 0),
    CHECK (state = ANY (ARRAY['CLOSED'::text, 'PAID'::text])),
    PRIMARY KEY (id),
    UNIQUE (account, currency, day)
);

CREATE TABLE settlement_item (
    payment_id TEXT COLLATE "C" NOT NULL,
    event_n BIGINT NOT NULL,
    account TEXT COLLATE "C" NOT NULL,
    kind TEXT COLLATE "C" NOT NULL,
    day TEXT COLLATE "C" NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    at_us BIGINT NOT NULL,
    own_id TEXT COLLATE "C" NOT NULL,
    link TEXT COLLATE "C" NOT NULL,
    note TEXT COLLATE "C" NOT NULL,
    charge BIGINT NOT NULL,
    fee BIGINT NOT NULL,
    vat BIGINT NOT NULL,
    settlement_id TEXT COLLATE "C",
    CHECK (event_n > 0),
    CHECK (kind = ANY (ARRAY['capture'::text, 'refund'::text, 'reverse-refund'::text, 'chargeback'::text, 'reverse-chargeback'::text, 'funds-reservation'::text, 'aggregate-adjustment'::text, 'miscellaneous-adjustment'::text])),
    CHECK (length(day) = 8),
    FOREIGN KEY (settlement_id) REFERENCES settlement(id),
    PRIMARY KEY (payment_id, event_n)
);

CREATE INDEX settlement_item_of ON settlement_item USING btree (settlement_id, day) WHERE settlement_id IS NOT NULL;

CREATE INDEX settlement_item_open ON settlement_item USING btree (account, currency, day) WHERE settlement_id IS NULL;

CREATE TRIGGER settlement_item_no_delete BEFORE DELETE ON settlement_item FOR EACH ROW EXECUTE FUNCTION refuse('settlement items are append-only');

CREATE TRIGGER settlement_item_no_truncate BEFORE TRUNCATE ON settlement_item FOR EACH STATEMENT EXECUTE FUNCTION refuse('settlement items are append-only');

CREATE TRIGGER settlement_item_no_update BEFORE UPDATE OF payment_id, event_n, account, kind, day, currency, subject, at_us, own_id, link, note, charge, fee, vat ON settlement_item FOR EACH ROW EXECUTE FUNCTION refuse('settlement items are append-only');

CREATE TRIGGER settlement_item_once BEFORE UPDATE OF settlement_id ON settlement_item FOR EACH ROW WHEN (old.settlement_id IS NOT NULL) EXECUTE FUNCTION refuse('an item is settled once');

CREATE TABLE statement_entry (
    bank TEXT COLLATE "C" NOT NULL,
    id TEXT COLLATE "C" NOT NULL,
    at_us BIGINT NOT NULL,
    bank_id TEXT COLLATE "C" NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    attempt_id TEXT COLLATE "C",
    kind TEXT COLLATE "C" NOT NULL,
    reference TEXT COLLATE "C" NOT NULL,
    amount BIGINT NOT NULL,
    balance BIGINT NOT NULL,
    known BOOLEAN NOT NULL,
    CHECK (attempt_id IS NULL OR known AND bank_id <> ''::text),
    FOREIGN KEY (attempt_id) REFERENCES payout_attempt(id),
    PRIMARY KEY (bank, id)
);

CREATE INDEX statement_entry_newest ON statement_entry USING btree (bank, at_us);

CREATE INDEX statement_entry_unknown ON statement_entry USING btree (bank, known) WHERE known = false;

CREATE TRIGGER statement_entry_no_delete BEFORE DELETE ON statement_entry FOR EACH ROW EXECUTE FUNCTION refuse('statements are append-only');

CREATE TRIGGER statement_entry_no_truncate BEFORE TRUNCATE ON statement_entry FOR EACH STATEMENT EXECUTE FUNCTION refuse('statements are append-only');

CREATE TRIGGER statement_entry_no_update BEFORE UPDATE OF bank, id, at_us, bank_id, currency, attempt_id, kind, reference, amount, balance ON statement_entry FOR EACH ROW EXECUTE FUNCTION refuse('statements are append-only');
