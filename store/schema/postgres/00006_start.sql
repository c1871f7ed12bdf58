-- The first migration of PostgreSQL: everything that the migrations of SQLite made up to their sixth. From here on a change adds a file to
-- both folders. Names and rules are those of SQLite; a test compares the two.
--
-- Every TEXT column says COLLATE "C": text is compared byte by byte, as SQLite does, whatever the database was made with. Ranges, pages and
-- keys then mean the same on both engines, and no index depends on how a machine's C library orders letters.
-- +goose Up

-- The keysets that seal and digest, each under the key-encryption key that is not here.
CREATE TABLE keyset (
    name   TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    sealed BYTEA            NOT NULL
);

-- Number series shared by all processes, such as the audit numbers of an acquirer link.
CREATE TABLE series (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    next BIGINT           NOT NULL CHECK (next >= 0)
);

-- One row for every request that must never be worked on twice. Rows that are done never go.
CREATE TABLE idempotency (
    account     TEXT COLLATE "C" NOT NULL,
    request_id  TEXT COLLATE "C" NOT NULL,
    method      TEXT COLLATE "C" NOT NULL,
    fingerprint BYTEA            NOT NULL,
    done        BOOLEAN          NOT NULL,
    answer      BYTEA,                     -- sealed
    created_us  BIGINT           NOT NULL,
    done_us     BIGINT,
    node        TEXT COLLATE "C" NOT NULL DEFAULT '', -- who works on it while it has no answer; empty where one process owns the database
    PRIMARY KEY (account, request_id),
    CHECK (done = (answer IS NOT NULL) AND done = (done_us IS NOT NULL))
);
CREATE INDEX idempotency_running ON idempotency (created_us) WHERE NOT done;

-- Card checks are reservations too: they may hold nothing. A sale is asked for, and then taken whole, refused, or given back.
-- Columns of digits never stand side by side, here or below: in the raw pages they would read as one number, such as a card's.
CREATE TABLE reservation (
    id            TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    account       TEXT COLLATE "C" NOT NULL,
    request_id    TEXT COLLATE "C" NOT NULL,
    purpose       TEXT COLLATE "C" NOT NULL CHECK (purpose IN ('', 'SALE', 'VERIFY', 'CHECK')),
    currency      TEXT COLLATE "C" NOT NULL,
    approval      TEXT COLLATE "C" NOT NULL,
    state         TEXT COLLATE "C" NOT NULL CHECK (state IN ('PENDING', 'RESERVED', 'DECLINED', 'REVERSING', 'NOT_HELD', 'CAPTURE_PENDING',
                                                             'CAPTURED', 'CAPTURE_FAILED', 'CANCEL_PENDING', 'CANCELLED', 'EXPIRED',
                                                             'VERIFY_HELD', 'VERIFIED')),
    network_id    TEXT COLLATE "C" NOT NULL,
    version       BIGINT           NOT NULL,
    link_id       TEXT COLLATE "C" NOT NULL, -- the supplementary network identifier; a time stands behind its digits
    created_us    BIGINT           NOT NULL,
    amount        BIGINT           NOT NULL CHECK (amount > 0 OR amount = 0 AND purpose IN ('VERIFY', 'CHECK')),
    captured      BIGINT           NOT NULL CHECK (captured >= 0 AND captured <= amount),
    held          BOOLEAN          NOT NULL,
    hold_until_us BIGINT,
    host_until_us BIGINT,
    code          TEXT COLLATE "C" NOT NULL,
    changed_us    BIGINT           NOT NULL,
    mcc           TEXT COLLATE "C" NOT NULL,
    chain_length  BIGINT           NOT NULL,
    chain_digest  BYTEA            NOT NULL,
    attempt_id    TEXT COLLATE "C" NOT NULL,
    card          BYTEA,                     -- sealed: account number and expiry
    card_until_us BIGINT,
    UNIQUE (account, request_id),
    CHECK (NOT held OR state IN ('RESERVED', 'VERIFY_HELD', 'CAPTURE_PENDING', 'CANCEL_PENDING', 'EXPIRED')),
    CHECK (purpose <> 'SALE' OR state IN ('PENDING', 'CAPTURED', 'DECLINED', 'REVERSING', 'NOT_HELD', 'CANCEL_PENDING', 'CANCELLED')),
    CHECK (purpose <> 'SALE' OR NOT held AND hold_until_us IS NULL AND captured = CASE state WHEN 'CAPTURED' THEN amount ELSE 0 END)
);
CREATE INDEX reservation_expiring ON reservation (hold_until_us) WHERE state IN ('RESERVED', 'VERIFY_HELD');
CREATE INDEX reservation_erasable ON reservation (card_until_us) WHERE card IS NOT NULL AND card_until_us IS NOT NULL;

-- What is given back to the holder of the card.
CREATE TABLE refund (
    id             TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    account        TEXT COLLATE "C" NOT NULL,
    request_id     TEXT COLLATE "C" NOT NULL,
    reservation_id TEXT COLLATE "C" NOT NULL REFERENCES reservation (id),
    state          TEXT COLLATE "C" NOT NULL CHECK (state IN ('REFUND_PENDING', 'REFUNDED', 'REFUND_FAILED', 'REFUND_REVERSED')),
    rrn            TEXT COLLATE "C" NOT NULL,
    currency       TEXT COLLATE "C" NOT NULL,
    arn            TEXT COLLATE "C" NOT NULL CHECK (length(arn) IN (0, 23)),
    created_us     BIGINT           NOT NULL,
    code           TEXT COLLATE "C" NOT NULL,
    done_us        BIGINT,
    day            TEXT COLLATE "C" NOT NULL CHECK (length(day) IN (0, 8)), -- of the network, YYYYMMDD
    reason         TEXT COLLATE "C" NOT NULL, -- why it failed
    amount         BIGINT           NOT NULL CHECK (amount > 0),
    returned       BIGINT           NOT NULL CHECK (returned >= 0 AND returned <= amount),
    back_us        BIGINT,
    attempt_id     TEXT COLLATE "C" NOT NULL, -- the present one; empty where the network is not asked
    UNIQUE (account, request_id),
    CHECK ((state = 'REFUND_PENDING') = (done_us IS NULL)),
    CHECK ((state = 'REFUND_FAILED') = (reason <> '')),
    CHECK ((state = 'REFUND_REVERSED') = (returned > 0) AND (returned > 0) = (back_us IS NOT NULL))
);
CREATE INDEX refund_payment ON refund (reservation_id);
CREATE INDEX refund_rrn ON refund (rrn, currency) WHERE rrn <> '';
CREATE UNIQUE INDEX refund_arn ON refund (arn) WHERE arn <> '';
CREATE INDEX refund_day ON refund (day, currency) WHERE day <> '';

-- An attempt asks the network for a payment, or pays a refund.
CREATE TABLE attempt (
    id             TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    reservation_id TEXT COLLATE "C" NOT NULL REFERENCES reservation (id),
    refund_id      TEXT COLLATE "C" REFERENCES refund (id),
    state          TEXT COLLATE "C" NOT NULL CHECK (state IN ('PREPARED', 'VOID', 'APPROVED', 'DECLINED', 'REVERSE_PENDING', 'REVERSED',
                                                              'CAPTURED', 'GONE', 'PASSED', 'BOOKED')),
    version        BIGINT           NOT NULL,
    acquirer       TEXT COLLATE "C" NOT NULL,
    stan           TEXT COLLATE "C" NOT NULL,
    sent_us        BIGINT           NOT NULL,
    rrn            TEXT COLLATE "C" NOT NULL,
    terminal       TEXT COLLATE "C" NOT NULL,
    merchant       TEXT COLLATE "C" NOT NULL,
    code           TEXT COLLATE "C" NOT NULL,
    changed_us     BIGINT           NOT NULL,
    undone_day     TEXT COLLATE "C" NOT NULL CHECK (length(undone_day) IN (0, 8)), -- of the network; empty where it had booked nothing
    UNIQUE (sent_us, stan, acquirer, terminal), -- how the network tells requests apart (rails 1.9)
    CHECK (undone_day = '' OR state = 'REVERSED')
);
-- A payment has at most one attempt that holds, or may hold, money; a refund at most one that pays, or may pay, it.
CREATE UNIQUE INDEX attempt_live ON attempt (reservation_id)
 WHERE state IN ('PREPARED', 'APPROVED', 'REVERSE_PENDING') AND refund_id IS NULL;
CREATE UNIQUE INDEX attempt_live_refund ON attempt (refund_id)
 WHERE state IN ('PREPARED', 'APPROVED', 'REVERSE_PENDING') AND refund_id IS NOT NULL;
-- What a network booked and undid: refunds, and sales too.
CREATE INDEX attempt_undone ON attempt (undone_day, state) WHERE undone_day <> '';

-- What became of a hold at the caller's wish: at most one capture, any number of cancels.
CREATE TABLE capture (
    id             TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    account        TEXT COLLATE "C" NOT NULL,
    request_id     TEXT COLLATE "C" NOT NULL,
    reservation_id TEXT COLLATE "C" NOT NULL UNIQUE REFERENCES reservation (id),
    currency       TEXT COLLATE "C" NOT NULL,
    rrn            TEXT COLLATE "C" NOT NULL,
    state          TEXT COLLATE "C" NOT NULL CHECK (state IN ('PENDING', 'SUCCESS', 'EXPIRED', 'REVOKED')),
    arn            TEXT COLLATE "C" NOT NULL CHECK (length(arn) IN (0, 23)),
    created_us     BIGINT           NOT NULL,
    network_id     TEXT COLLATE "C" NOT NULL,
    amount         BIGINT           NOT NULL CHECK (amount > 0),
    approval       TEXT COLLATE "C" NOT NULL,
    done_us        BIGINT,
    day            TEXT COLLATE "C" NOT NULL CHECK (length(day) IN (0, 8)), -- of the network, YYYYMMDD
    clearing       TEXT COLLATE "C" NOT NULL CHECK (clearing IN ('', 'CLEARED', 'REJECTED')),
    UNIQUE (account, request_id),
    CHECK ((state = 'PENDING') = (done_us IS NULL))
);
CREATE INDEX capture_rrn ON capture (rrn, state) WHERE state = 'SUCCESS';
CREATE INDEX capture_network ON capture (network_id, state) WHERE state = 'SUCCESS' AND network_id <> '';
CREATE INDEX capture_day ON capture (day, currency) WHERE state = 'SUCCESS' AND day <> '';
CREATE UNIQUE INDEX capture_arn ON capture (arn) WHERE arn <> '';

CREATE TABLE cancel (
    id             TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    account        TEXT COLLATE "C" NOT NULL,
    request_id     TEXT COLLATE "C" NOT NULL,
    reservation_id TEXT COLLATE "C" NOT NULL REFERENCES reservation (id),
    state          TEXT COLLATE "C" NOT NULL CHECK (state IN ('PENDING', 'SUCCESS')),
    created_us     BIGINT           NOT NULL,
    done_us        BIGINT,
    UNIQUE (account, request_id),
    CHECK ((state = 'PENDING') = (done_us IS NULL))
);
CREATE INDEX cancel_open ON cancel (reservation_id) WHERE state = 'PENDING';

-- Store and forward: what the network must hear, sent until it answers, or put into a file (rails 4.2).
CREATE TABLE advice (
    id             TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    reservation_id TEXT COLLATE "C" NOT NULL REFERENCES reservation (id),
    attempt_id     TEXT COLLATE "C" NOT NULL REFERENCES attempt (id),
    kind           TEXT COLLATE "C" NOT NULL CHECK (kind IN ('REVERSAL', 'RELEASE_REST', 'COMPLETION', 'REFUND')),
    state          TEXT COLLATE "C" NOT NULL CHECK (state IN ('QUEUED', 'DONE', 'STOPPED', 'BATCHED')),
    stan           TEXT COLLATE "C" NOT NULL,
    sent_us        BIGINT           NOT NULL,
    rrn            TEXT COLLATE "C" NOT NULL,
    reason         TEXT COLLATE "C" NOT NULL,
    currency       TEXT COLLATE "C" NOT NULL,
    amount         BIGINT           NOT NULL CHECK (amount > 0 OR amount = 0 AND kind = 'REVERSAL'),
    sends          BIGINT           NOT NULL,
    lost           BIGINT           NOT NULL,
    renewed        BOOLEAN          NOT NULL,
    created_us     BIGINT           NOT NULL,
    due_us         BIGINT           NOT NULL,
    code           TEXT COLLATE "C" NOT NULL,
    file           TEXT COLLATE "C" NOT NULL, -- the capture file that carries it; empty for none
    line           BIGINT           NOT NULL CHECK (line >= 0 AND (line = 0) = (file = ''))
);
CREATE INDEX advice_due ON advice (due_us) WHERE state = 'QUEUED';
CREATE INDEX advice_open ON advice (reservation_id) WHERE state <> 'DONE';
CREATE INDEX advice_batched ON advice (file, created_us) WHERE state = 'BATCHED';
-- An attempt is completed at most once and given back at most once.
CREATE UNIQUE INDEX advice_once ON advice (attempt_id, kind);
-- A record of a capture file carries one advice.
CREATE UNIQUE INDEX advice_line ON advice (file, line) WHERE file <> '';

-- The stages of disputes about captured payments. A case may come by line and by file: it is one row a stage.
CREATE TABLE dispute (
    id             TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    account        TEXT COLLATE "C" NOT NULL,
    reservation_id TEXT COLLATE "C" NOT NULL REFERENCES reservation (id),
    stage          TEXT COLLATE "C" NOT NULL CHECK (stage IN ('INQUIRY', 'FIRST', 'SECOND')),
    case_no        TEXT COLLATE "C" NOT NULL,
    state          TEXT COLLATE "C" NOT NULL CHECK (state IN ('INQUIRY_OPEN', 'INQUIRY_DEFENDED', 'INQUIRY_CLOSED', 'CB1_OPEN',
                                                              'CB1_DEFENDED', 'CB1_REVERSED', 'CB1_LOST', 'CB2_OPEN', 'CB2_DEFENDED',
                                                              'CB2_REVERSED', 'CB2_LOST')),
    raw_code       TEXT COLLATE "C" NOT NULL,
    currency       TEXT COLLATE "C" NOT NULL,
    event_id       TEXT COLLATE "C" NOT NULL, -- the acquirer's name of what raised it
    reason         TEXT COLLATE "C" NOT NULL,
    scope          TEXT COLLATE "C" NOT NULL,
    amount         BIGINT           NOT NULL CHECK (amount > 0 OR amount = 0 AND stage = 'INQUIRY'),
    won            BIGINT           NOT NULL CHECK (won >= 0 AND won <= amount),
    created_us     BIGINT           NOT NULL,
    reply_by_us    BIGINT,
    due_us         BIGINT,
    done_us        BIGINT,
    told           TEXT COLLATE "C" NOT NULL, -- the notice that told of it
    told_twice     BOOLEAN          NOT NULL,
    CHECK (stage = CASE substr(state, 1, 3) WHEN 'INQ' THEN 'INQUIRY' WHEN 'CB1' THEN 'FIRST' ELSE 'SECOND' END),
    CHECK ((done_us IS NULL) = (state IN ('INQUIRY_OPEN', 'INQUIRY_DEFENDED', 'CB1_OPEN', 'CB1_DEFENDED', 'CB2_OPEN', 'CB2_DEFENDED'))),
    CHECK ((won > 0) = (state IN ('CB1_REVERSED', 'CB2_REVERSED')))
);
CREATE INDEX dispute_payment ON dispute (reservation_id);
CREATE UNIQUE INDEX dispute_once ON dispute (case_no, stage, reservation_id) WHERE case_no <> '';
CREATE INDEX dispute_due ON dispute (due_us) WHERE done_us IS NULL;

CREATE TABLE evidence (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    dispute_id TEXT COLLATE "C" NOT NULL REFERENCES dispute (id),
    size       BIGINT           NOT NULL CHECK (size > 0),
    sha256     BYTEA            NOT NULL, -- of the document. Digests are bytes: their hexadecimal digits could read as a card number
    created_us BIGINT           NOT NULL,
    document   BYTEA            NOT NULL  -- sealed
);
CREATE INDEX evidence_dispute ON evidence (dispute_id);

-- The journal: every state change of every payment, chained by keyed digests.
CREATE TABLE event (
    id         BIGINT           NOT NULL GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    payment_id TEXT COLLATE "C" NOT NULL,
    n          BIGINT           NOT NULL CHECK (n > 0),
    at_us      BIGINT           NOT NULL,
    event      TEXT COLLATE "C" NOT NULL,
    state      TEXT COLLATE "C" NOT NULL,
    actor      TEXT COLLATE "C" NOT NULL,
    detail     TEXT COLLATE "C" NOT NULL,
    digest     BYTEA            NOT NULL,
    object     TEXT COLLATE "C" NOT NULL DEFAULT '', -- whose event it is: empty for the reservation itself
    UNIQUE (payment_id, n)
);

CREATE TABLE checkpoint (
    n       BIGINT           NOT NULL PRIMARY KEY CHECK (n > 0),
    last_id BIGINT           NOT NULL,
    events  BIGINT           NOT NULL,
    digest  BYTEA            NOT NULL,
    at_us   BIGINT           NOT NULL
);

-- The end of the journal of what belongs to an account and to no payment.
CREATE TABLE account_book (
    account      TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    chain_length BIGINT           NOT NULL CHECK (chain_length > 0),
    chain_digest BYTEA            NOT NULL
);

-- The ledger: each posting debits one account and credits another, so the books balance by their shape. Money moves between two owners
-- where a bank pays for an account, and where money that came by transfer becomes a merchant's, or leaves it again because the bank took it
-- back.
CREATE TABLE posting (
    payment_id   TEXT COLLATE "C" NOT NULL,
    event_n      BIGINT           NOT NULL,
    k            BIGINT           NOT NULL,
    owner        TEXT COLLATE "C" NOT NULL, -- of the account that is debited
    debit        TEXT COLLATE "C" NOT NULL,
    credit_owner TEXT COLLATE "C" NOT NULL,
    credit       TEXT COLLATE "C" NOT NULL,
    currency     TEXT COLLATE "C" NOT NULL,
    amount       BIGINT           NOT NULL CHECK (amount > 0),
    at_us        BIGINT           NOT NULL,
    PRIMARY KEY (payment_id, event_n, k),
    CHECK (debit <> credit),
    CHECK (owner = credit_owner OR 'payout:float' IN (debit, credit) OR debit = 'deposit:unmatched' AND credit = 'merchant:payable'
           OR debit = 'merchant:payable' AND credit = 'bank:collection')
);

-- Debits less credits of each account, kept in the transaction of the posting. A balance may stand in several rows, so that those who write
-- at the same time need not wait for each other: it is their sum.
CREATE TABLE balance (
    account  TEXT COLLATE "C" NOT NULL,
    owner    TEXT COLLATE "C" NOT NULL,
    currency TEXT COLLATE "C" NOT NULL,
    slot     BIGINT           NOT NULL,
    amount   BIGINT           NOT NULL,
    PRIMARY KEY (account, owner, currency, slot)
);

-- The outbox: what we owe the counterparty to tell. One notice for one fact, however often the fact is stumbled upon.
CREATE TABLE notice (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    kind       TEXT COLLATE "C" NOT NULL CHECK (kind IN ('capture-result', 'cancel-result', 'refund-result', 'refund-returned', 'inquiry',
                                                         'chargeback', 'chargeback-reversed', 'fraud', 'settlement', 'settlement-file',
                                                         'capture-arn', 'refund-arn', 'payout-result', 'deposit-result',
                                                         'transfer-result')),
    account    TEXT COLLATE "C" NOT NULL,
    subject    TEXT COLLATE "C" NOT NULL,
    result     TEXT COLLATE "C" NOT NULL,
    code       TEXT COLLATE "C" NOT NULL,
    after_id   TEXT COLLATE "C" NOT NULL,
    state      TEXT COLLATE "C" NOT NULL CHECK (state IN ('QUEUED', 'SENT', 'PARKED')),
    tries      BIGINT           NOT NULL,
    base_tries BIGINT           NOT NULL DEFAULT 0 CHECK (base_tries BETWEEN 0 AND tries), -- as many as when it was last sent again
    created_us BIGINT           NOT NULL,
    due_us     BIGINT           NOT NULL,
    done_us    BIGINT,
    facts      TEXT COLLATE "C" NOT NULL DEFAULT '', -- JSON; empty for none
    fence      BIGINT           NOT NULL DEFAULT 0, -- how often it was taken to be sent: only the last who took it writes what came of it
    UNIQUE (account, kind, subject),
    CHECK ((state = 'SENT') = (done_us IS NOT NULL))
);
CREATE INDEX notice_due ON notice (due_us) WHERE state = 'QUEUED';
CREATE INDEX notice_parked ON notice (kind, created_us) WHERE state = 'PARKED';
CREATE INDEX notice_merchant ON notice (account, created_us) WHERE kind IN ('deposit-result', 'transfer-result');

CREATE TABLE notice_try (
    notice_id TEXT COLLATE "C" NOT NULL REFERENCES notice (id),
    n         BIGINT           NOT NULL,
    at_us     BIGINT           NOT NULL,
    status    BIGINT           NOT NULL, -- HTTP status; 0 where there was none
    outcome   TEXT COLLATE "C" NOT NULL,
    took_us   BIGINT           NOT NULL,
    PRIMARY KEY (notice_id, n)
);

-- What only a person can resolve, and why it was closed.
CREATE TABLE operator_case (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    kind       TEXT COLLATE "C" NOT NULL,
    payment_id TEXT COLLATE "C" NOT NULL,
    detail     TEXT COLLATE "C" NOT NULL,
    created_us BIGINT           NOT NULL,
    closed_us  BIGINT,
    subject    TEXT COLLATE "C" NOT NULL DEFAULT '',
    note       TEXT COLLATE "C" NOT NULL DEFAULT ''
);
CREATE INDEX operator_case_open ON operator_case (created_us) WHERE closed_us IS NULL;

-- Every record of an acquirer's file, and every message that tells the same, is taken into account once (rails 4.3).
CREATE TABLE acquirer_event (
    acquirer   TEXT COLLATE "C" NOT NULL,
    id         TEXT COLLATE "C" NOT NULL,
    type       TEXT COLLATE "C" NOT NULL,
    file       TEXT COLLATE "C" NOT NULL,
    line       BIGINT           NOT NULL,
    digest     BYTEA            NOT NULL, -- SHA-256 of its content
    payment_id TEXT COLLATE "C" NOT NULL, -- the journal it was written to; empty for an exception
    outcome    TEXT COLLATE "C" NOT NULL CHECK (outcome IN ('APPLIED', 'EXCEPTION')),
    object     TEXT COLLATE "C" NOT NULL, -- what of ours it was about, such as refund/...; empty for an exception
    reason     TEXT COLLATE "C" NOT NULL,
    account    TEXT COLLATE "C" NOT NULL,
    currency   TEXT COLLATE "C" NOT NULL,
    gross      BIGINT           NOT NULL, -- signed: plus = the acquirer owes us
    fees       BIGINT           NOT NULL,
    tax        BIGINT           NOT NULL,
    at_us      BIGINT           NOT NULL,
    PRIMARY KEY (acquirer, id),
    CHECK ((outcome = 'EXCEPTION') = (reason <> ''))
);
CREATE INDEX acquirer_event_of ON acquirer_event (object, type) WHERE object <> '';

CREATE TABLE acquirer_file (
    acquirer   TEXT COLLATE "C" NOT NULL,
    name       TEXT COLLATE "C" NOT NULL,
    kind       TEXT COLLATE "C" NOT NULL,
    merchant   TEXT COLLATE "C" NOT NULL,
    state      TEXT COLLATE "C" NOT NULL CHECK (state IN ('LOADED', 'QUARANTINED')),
    day        TEXT COLLATE "C" NOT NULL,
    currency   TEXT COLLATE "C" NOT NULL,
    seq        BIGINT           NOT NULL,
    sha256     BYTEA            NOT NULL, -- of the whole file
    reason     TEXT COLLATE "C" NOT NULL,
    records    BIGINT           NOT NULL,
    exceptions BIGINT           NOT NULL,
    gross      BIGINT           NOT NULL,
    fees       BIGINT           NOT NULL,
    tax        BIGINT           NOT NULL,
    net        BIGINT           NOT NULL,
    at_us      BIGINT           NOT NULL,
    PRIMARY KEY (acquirer, name),
    CHECK (state = 'QUARANTINED' OR net = gross + fees + tax)
);
-- A number of a day is loaded once, under whatever name it comes.
CREATE UNIQUE INDEX acquirer_file_loaded ON acquirer_file (acquirer, merchant, kind, day, seq) WHERE state = 'LOADED';

-- What an account and its counterparty owe each other for a period. Plus = we owe (Korea Cards v1 6.3).
CREATE TABLE settlement (
    id        TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    account   TEXT COLLATE "C" NOT NULL,
    currency  TEXT COLLATE "C" NOT NULL,
    day       TEXT COLLATE "C" NOT NULL CHECK (length(day) = 8), -- the last business day in it
    state     TEXT COLLATE "C" NOT NULL CHECK (state IN ('CLOSED', 'PAID')),
    reference TEXT COLLATE "C" NOT NULL, -- of the payment
    start_us  BIGINT           NOT NULL,
    end_us    BIGINT           NOT NULL CHECK (end_us > start_us),
    closed_us BIGINT           NOT NULL,
    paid_us   BIGINT,
    items     BIGINT           NOT NULL CHECK (items >= 0),
    charge    BIGINT           NOT NULL,
    adjusted  BIGINT           NOT NULL,
    fee       BIGINT           NOT NULL,
    vat       BIGINT           NOT NULL,
    net       BIGINT           NOT NULL,
    parts     BIGINT           NOT NULL CHECK (parts > 0),
    UNIQUE (account, currency, day),
    CHECK (net = charge + adjusted + fee + vat),
    CHECK ((state = 'PAID') = (paid_us IS NOT NULL))
);

-- What is to be settled: one row for an event of a journal, so that nothing is settled twice.
CREATE TABLE settlement_item (
    payment_id    TEXT COLLATE "C" NOT NULL,
    event_n       BIGINT           NOT NULL CHECK (event_n > 0),
    account       TEXT COLLATE "C" NOT NULL,
    kind          TEXT COLLATE "C" NOT NULL CHECK (kind IN ('capture', 'refund', 'reverse-refund', 'chargeback', 'reverse-chargeback',
                                                            'funds-reservation',
                                                            'aggregate-adjustment', 'miscellaneous-adjustment')),
    day           TEXT COLLATE "C" NOT NULL CHECK (length(day) = 8), -- business day of the account
    currency      TEXT COLLATE "C" NOT NULL,
    subject       TEXT COLLATE "C" NOT NULL,
    at_us         BIGINT           NOT NULL,
    own_id        TEXT COLLATE "C" NOT NULL,
    link          TEXT COLLATE "C" NOT NULL,
    note          TEXT COLLATE "C" NOT NULL,
    charge        BIGINT           NOT NULL,
    fee           BIGINT           NOT NULL,
    vat           BIGINT           NOT NULL,
    settlement_id TEXT COLLATE "C" REFERENCES settlement (id), -- NULL until it is in one
    PRIMARY KEY (payment_id, event_n)
);
CREATE INDEX settlement_item_open ON settlement_item (account, currency, day) WHERE settlement_id IS NULL;
CREATE INDEX settlement_item_of ON settlement_item (settlement_id, day) WHERE settlement_id IS NOT NULL;

-- The totals of a business day, ours and the network's (rails 1.16).
CREATE TABLE reconciliation (
    acquirer               TEXT COLLATE "C" NOT NULL,
    day                    TEXT COLLATE "C" NOT NULL CHECK (length(day) = 8),
    currency               TEXT COLLATE "C" NOT NULL,
    stan                   TEXT COLLATE "C" NOT NULL,
    state                  TEXT COLLATE "C" NOT NULL CHECK (state IN ('OPEN', 'AGREED', 'BREAK')),
    rrn                    TEXT COLLATE "C" NOT NULL,
    sent_us                BIGINT,
    code                   TEXT COLLATE "C" NOT NULL,
    created_us             BIGINT           NOT NULL,
    due_us                 BIGINT,
    tries                  BIGINT           NOT NULL,
    credits                BIGINT           NOT NULL,
    credit_sum             BIGINT           NOT NULL,
    credits_undone         BIGINT           NOT NULL,
    credit_undone_sum      BIGINT           NOT NULL,
    debits                 BIGINT           NOT NULL,
    debit_sum              BIGINT           NOT NULL,
    debits_undone          BIGINT           NOT NULL,
    debit_undone_sum       BIGINT           NOT NULL,
    host_credits           BIGINT,                    -- all NULL where the network did not say
    host_credit_sum        BIGINT,
    host_credits_undone    BIGINT,
    host_credit_undone_sum BIGINT,
    host_debits            BIGINT,
    host_debit_sum         BIGINT,
    host_debits_undone     BIGINT,
    host_debit_undone_sum  BIGINT,
    PRIMARY KEY (acquirer, day, currency)
);
CREATE INDEX reconciliation_due ON reconciliation (due_us) WHERE state = 'OPEN';

-- The files of captures and refunds that we give an acquirer (rails 4.2).
CREATE TABLE capture_file (
    name       TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    acquirer   TEXT COLLATE "C" NOT NULL,
    merchant   TEXT COLLATE "C" NOT NULL,
    currency   TEXT COLLATE "C" NOT NULL,
    day        TEXT COLLATE "C" NOT NULL CHECK (length(day) = 8),
    state      TEXT COLLATE "C" NOT NULL CHECK (state IN ('MADE', 'SENT', 'ANSWERED')),
    seq        BIGINT           NOT NULL CHECK (seq > 0),
    items      BIGINT           NOT NULL CHECK (items > 0),
    created_us BIGINT           NOT NULL,
    done_us    BIGINT,
    UNIQUE (acquirer, merchant, day, seq)
);
CREATE INDEX capture_file_state ON capture_file (state, created_us);

-- A payout is made for somebody: for Google, for a merchant, or for who sent us money that goes back. What the caller was told stays told:
-- a payout that is final changes no more, but that its money may come back.
CREATE TABLE payout (
    id           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    account      TEXT COLLATE "C" NOT NULL,
    request_id   TEXT COLLATE "C" NOT NULL,
    bank         TEXT COLLATE "C" NOT NULL, -- the payout bank that pays it
    code         TEXT COLLATE "C" NOT NULL, -- of the network, for the result
    state        TEXT COLLATE "C" NOT NULL CHECK (state IN ('UNDER_REVIEW', 'RECORDED', 'SUBMITTED', 'RETRYABLE', 'UNKNOWN', 'REVERSING',
                                                            'DEEMED', 'SUCCEEDED', 'DECLINED', 'RETURNED', 'CANCELLED')),
    attempt_id   TEXT COLLATE "C" NOT NULL, -- the present one; empty while there is none
    purpose      TEXT COLLATE "C" NOT NULL CHECK (purpose IN ('', 'MERCHANT', 'SENDER')), -- empty: for Google
    currency     TEXT COLLATE "C" NOT NULL,
    scope        TEXT COLLATE "C" NOT NULL, -- whose code that is
    reason       TEXT COLLATE "C" NOT NULL CHECK (reason IN ('', 'below_limit', 'above_limit', 'account_closed', 'account_on_hold',
                                                             'account_closed_fraud', 'account_closed_taken_over', 'no_such_account',
                                                             'name_does_not_match', 'no_such_bank', 'not_permitted', 'above_bank_limit',
                                                             'compliance', 'declined')),
    version      BIGINT           NOT NULL CHECK (version > 0),
    amount       BIGINT           NOT NULL CHECK (amount > 0),
    fee          BIGINT           NOT NULL CHECK (fee >= 0), -- ours, on top
    limit_broken BIGINT           NOT NULL, -- which limit the amount breaks; 0 for none
    attempts     BIGINT           NOT NULL CHECK (attempts >= 0),
    created_us   BIGINT           NOT NULL,
    changed_us   BIGINT           NOT NULL, -- its last event
    due_us       BIGINT,                    -- when somebody must look at it again
    done_us      BIGINT,                    -- final since
    back_us      BIGINT,                    -- the money came back
    chain_length BIGINT           NOT NULL,
    chain_digest BYTEA            NOT NULL,
    print        BYTEA            NOT NULL, -- keyed digest of the request
    target       BYTEA            NOT NULL, -- sealed: to whom, and the text for the statement
    UNIQUE (account, request_id),
    CHECK (fee = 0 OR purpose = 'MERCHANT'),
    CHECK ((state IN ('SUCCEEDED', 'DECLINED', 'RETURNED', 'CANCELLED')) = (done_us IS NOT NULL)),
    CHECK ((state = 'RETURNED') = (back_us IS NOT NULL)),
    CHECK ((state = 'DECLINED') = (reason <> '')),
    CHECK (limit_broken = 0 OR limit_broken > 0 AND reason IN ('below_limit', 'above_limit')),
    CHECK ((attempts = 0) = (attempt_id = '') AND (attempts > 0 OR state IN ('UNDER_REVIEW', 'RECORDED', 'DECLINED', 'CANCELLED'))),
    CHECK (attempts = 0 OR state <> 'UNDER_REVIEW'),
    CHECK (due_us IS NULL OR done_us IS NULL)
);
CREATE INDEX payout_due ON payout (due_us) WHERE due_us IS NOT NULL;
CREATE INDEX payout_open ON payout (bank, state, created_us) WHERE done_us IS NULL;
CREATE INDEX payout_ended ON payout (bank, done_us, created_us) WHERE done_us IS NOT NULL;
-- With all that counting needs, so that no row is read for it; likewise below.
CREATE INDEX payout_merchant ON payout (account, created_us, purpose) WHERE purpose = 'MERCHANT';

-- One order to a payout bank, on disk before its bytes leave the house.
CREATE TABLE payout_attempt (
    id            TEXT COLLATE "C" NOT NULL PRIMARY KEY, -- the bank's idempotency key
    state         TEXT COLLATE "C" NOT NULL CHECK (state IN ('PREPARED', 'OPEN', 'PAID', 'FAILED', 'RETURNED')),
    payout_id     TEXT COLLATE "C" NOT NULL REFERENCES payout (id),
    currency      TEXT COLLATE "C" NOT NULL,
    reference     TEXT COLLATE "C" NOT NULL CHECK (length(reference) BETWEEN 1 AND 40),
    bank          TEXT COLLATE "C" NOT NULL,
    bank_id       TEXT COLLATE "C" NOT NULL, -- how the bank names it; empty until it said so
    created_us    BIGINT           NOT NULL,
    utr           TEXT COLLATE "C" NOT NULL,
    first_sent_us BIGINT,
    code          TEXT COLLATE "C" NOT NULL,
    status        TEXT COLLATE "C" NOT NULL, -- in the bank's word
    n             BIGINT           NOT NULL CHECK (n > 0),
    version       BIGINT           NOT NULL CHECK (version > 0),
    fees          BIGINT           NOT NULL,
    tax           BIGINT           NOT NULL,
    sends         BIGINT           NOT NULL CHECK (sends >= 0),
    asks          BIGINT           NOT NULL CHECK (asks >= 0),
    body          BYTEA            NOT NULL, -- sealed: the exact bytes of the order
    UNIQUE (payout_id, n),
    UNIQUE (reference, bank),
    CHECK ((sends = 0) = (first_sent_us IS NULL))
);
CREATE UNIQUE INDEX payout_attempt_bank_id ON payout_attempt (bank_id, bank) WHERE bank_id <> '';
-- A payout has at most one attempt that pays it, may pay it, or has paid it: another one is made when the last has certainly moved nothing.
CREATE UNIQUE INDEX payout_attempt_one ON payout_attempt (payout_id) WHERE state <> 'FAILED';
CREATE INDEX payout_attempt_unnamed ON payout_attempt (bank, first_sent_us) WHERE state = 'PREPARED' AND bank_id = '';

-- The statements of the accounts from which payout banks pay for us, each line once.
CREATE TABLE statement_entry (
    bank       TEXT COLLATE "C" NOT NULL,
    id         TEXT COLLATE "C" NOT NULL, -- the bank's own
    at_us      BIGINT           NOT NULL,
    bank_id    TEXT COLLATE "C" NOT NULL, -- the order that it belongs to, in the bank's word
    currency   TEXT COLLATE "C" NOT NULL,
    attempt_id TEXT COLLATE "C" REFERENCES payout_attempt (id), -- the same in ours
    kind       TEXT COLLATE "C" NOT NULL,
    reference  TEXT COLLATE "C" NOT NULL,
    amount     BIGINT           NOT NULL, -- plus: money came in
    balance    BIGINT           NOT NULL, -- after it
    known      BOOLEAN          NOT NULL, -- what it is
    PRIMARY KEY (bank, id),
    CHECK (attempt_id IS NULL OR known AND bank_id <> '')
);
CREATE INDEX statement_entry_newest ON statement_entry (bank, at_us);
CREATE INDEX statement_entry_unknown ON statement_entry (bank, known) WHERE known = FALSE;

-- What a merchant knows of a payout beside what every payout has.
CREATE TABLE merchant_payout (
    payout_id  TEXT COLLATE "C" NOT NULL PRIMARY KEY REFERENCES payout (id),
    notify_url TEXT COLLATE "C" NOT NULL, -- empty: nobody is told
    number     TEXT COLLATE "C" NOT NULL UNIQUE, -- the gateway's order number
    sign_type  TEXT COLLATE "C" NOT NULL,
    service    TEXT COLLATE "C" NOT NULL
);

-- A merchant's wish to be paid by one transfer. It takes at most one credit, and what that paid stays paid.
CREATE TABLE deposit_order (
    id              TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    state           TEXT COLLATE "C" NOT NULL CHECK (state IN ('WAITING', 'SEEN', 'PAID', 'EXPIRED', 'CANCELLED', 'FAILED', 'TAKEN_BACK')),
    number          TEXT COLLATE "C" NOT NULL UNIQUE, -- the gateway's order number
    currency        TEXT COLLATE "C" NOT NULL,
    client_id       TEXT COLLATE "C" NOT NULL,        -- the merchant's order number
    created_us      BIGINT           NOT NULL,
    receiver_number TEXT COLLATE "C" NOT NULL,        -- what the payer types
    expires_us      BIGINT           NOT NULL,
    user_id         TEXT COLLATE "C" NOT NULL,        -- the payer's name at the merchant
    changed_us      BIGINT           NOT NULL,
    receiver_bank   TEXT COLLATE "C" NOT NULL,
    link            TEXT COLLATE "C" NOT NULL UNIQUE, -- unguessable: of the payment page
    merchant        TEXT COLLATE "C" NOT NULL,
    service         TEXT COLLATE "C" NOT NULL,
    receiver        TEXT COLLATE "C" NOT NULL,        -- our name of the account to pay to
    holder          TEXT COLLATE "C" NOT NULL,
    branch          TEXT COLLATE "C" NOT NULL,
    token           TEXT COLLATE "C" NOT NULL,        -- what the payer writes into the transfer; empty for none
    notify_url      TEXT COLLATE "C" NOT NULL,
    payer_bank      TEXT COLLATE "C" NOT NULL,
    trouble         TEXT COLLATE "C" NOT NULL CHECK (trouble IN ('', 'AMOUNT_MISMATCH', 'NAME_MISMATCH', 'AMBIGUOUS', 'UNMATCHED', 'LATE',
                                                                 'STOPPED')),
    sign_type       TEXT COLLATE "C" NOT NULL,
    credit_id       TEXT COLLATE "C",                 -- what paid it: it names a bank_credit, which is made below
    into_account    TEXT COLLATE "C" NOT NULL,        -- our name of the account that it came to
    generation      BIGINT           NOT NULL,
    version         BIGINT           NOT NULL CHECK (version > 0),
    amount          BIGINT           NOT NULL CHECK (amount > 0),
    display         BIGINT           NOT NULL CHECK (display BETWEEN 1 AND amount), -- to be transferred
    real_amount     BIGINT           NOT NULL CHECK (real_amount >= 0),             -- what arrived
    fee             BIGINT           NOT NULL CHECK (fee BETWEEN 0 AND real_amount),
    reserved        BOOLEAN          NOT NULL, -- nobody else is shown that amount, or given that account
    virtual         BOOLEAN          NOT NULL, -- the account is its own and leads to ours
    due_us          BIGINT,                    -- when somebody must look at it
    paid_us         BIGINT,
    chain_length    BIGINT           NOT NULL,
    chain_digest    BYTEA            NOT NULL,
    name_print      BYTEA,                     -- keyed digest of the payer's name
    payer           BYTEA,                     -- sealed: name, bank and account
    UNIQUE (client_id, merchant),
    CHECK ((state IN ('PAID', 'TAKEN_BACK')) = (credit_id IS NOT NULL)),
    CHECK ((credit_id IS NOT NULL) = (real_amount > 0) AND (credit_id IS NOT NULL) = (into_account <> '')),
    CHECK ((credit_id IS NOT NULL) = (paid_us IS NOT NULL)),
    CHECK (NOT reserved OR virtual OR credit_id IS NULL),
    CHECK (state <> 'WAITING' OR due_us IS NOT NULL), -- whatever happens, it ends
    CHECK (name_print IS NULL OR payer IS NOT NULL)
);
-- Of one account, an amount is shown to one payer at a time, and a number given to one.
CREATE UNIQUE INDEX deposit_order_amount ON deposit_order (receiver, display, reserved, virtual) WHERE reserved AND NOT virtual;
CREATE UNIQUE INDEX deposit_order_number ON deposit_order (receiver_number, receiver) WHERE reserved AND virtual;
CREATE UNIQUE INDEX deposit_order_credit ON deposit_order (credit_id) WHERE credit_id IS NOT NULL;
CREATE INDEX deposit_order_given ON deposit_order (receiver_number, receiver, created_us) WHERE virtual;
CREATE INDEX deposit_order_showing ON deposit_order (receiver, display, expires_us)
 WHERE state IN ('WAITING', 'SEEN', 'EXPIRED', 'CANCELLED');
CREATE INDEX deposit_order_token ON deposit_order (token, receiver) WHERE token <> '' AND state IN ('WAITING', 'SEEN');
CREATE INDEX deposit_order_name ON deposit_order (receiver, name_print, created_us)
 WHERE name_print IS NOT NULL AND state IN ('WAITING', 'SEEN');
CREATE INDEX deposit_order_open ON deposit_order (receiver, state) WHERE state IN ('WAITING', 'SEEN');
CREATE INDEX deposit_order_due ON deposit_order (due_us) WHERE due_us IS NOT NULL;
CREATE INDEX deposit_order_merchant ON deposit_order (merchant, created_us);

-- Money that a bank booked on an account of ours. It pays at most one order.
CREATE TABLE bank_credit (
    id           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    state        TEXT COLLATE "C" NOT NULL CHECK (state IN ('UNMATCHED', 'MATCHED', 'REVERSED', 'RETURNING')),
    receiver     TEXT COLLATE "C" NOT NULL, -- our name of the account
    currency     TEXT COLLATE "C" NOT NULL,
    bank         TEXT COLLATE "C" NOT NULL,
    booked_us    BIGINT           NOT NULL,
    account      TEXT COLLATE "C" NOT NULL,
    received_us  BIGINT           NOT NULL,
    virtual      TEXT COLLATE "C" NOT NULL, -- the number that was paid into; empty for none
    amount       BIGINT           NOT NULL CHECK (amount > 0),
    bank_id      TEXT COLLATE "C" NOT NULL, -- the bank's transaction id
    feed         TEXT COLLATE "C" NOT NULL,
    message      TEXT COLLATE "C" NOT NULL, -- that brought it
    trouble      TEXT COLLATE "C" NOT NULL CHECK (trouble IN ('', 'AMOUNT_MISMATCH', 'NAME_MISMATCH', 'AMBIGUOUS', 'UNMATCHED', 'LATE',
                                                              'STOPPED')),
    order_id     TEXT COLLATE "C" REFERENCES deposit_order (id), -- what it paid
    suspect_id   TEXT COLLATE "C" REFERENCES deposit_order (id), -- what it is probably for
    payout_id    TEXT COLLATE "C" REFERENCES payout (id),        -- what gives it back
    rule         TEXT COLLATE "C" NOT NULL, -- by which it was last decided
    inputs       TEXT COLLATE "C" NOT NULL, -- what that decision saw
    version      BIGINT           NOT NULL CHECK (version > 0),
    retry_us     BIGINT,                    -- until when a new order may claim it
    chain_length BIGINT           NOT NULL,
    chain_digest BYTEA            NOT NULL,
    sender       BYTEA            NOT NULL, -- sealed: name, bank, account and memo
    CHECK (state = 'REVERSED' OR (state = 'MATCHED') = (order_id IS NOT NULL)),
    CHECK ((state = 'RETURNING') = (payout_id IS NOT NULL)),
    CHECK (state = 'UNMATCHED' OR suspect_id IS NULL AND retry_us IS NULL)
);
-- A bank, an account of it and a transaction id are digits, so the index holds them with something between.
CREATE UNIQUE INDEX bank_credit_once ON bank_credit ((bank || '/' || account || '/' || bank_id));
CREATE UNIQUE INDEX bank_credit_order ON bank_credit (order_id) WHERE order_id IS NOT NULL;
CREATE INDEX bank_credit_suspect ON bank_credit (suspect_id) WHERE suspect_id IS NOT NULL;
CREATE INDEX bank_credit_open ON bank_credit (received_us) WHERE state = 'UNMATCHED';
CREATE INDEX bank_credit_waiting ON bank_credit (receiver, amount, retry_us) WHERE retry_us IS NOT NULL;
CREATE INDEX bank_credit_day ON bank_credit (receiver, booked_us, state, amount);
ALTER TABLE deposit_order ADD FOREIGN KEY (credit_id) REFERENCES bank_credit (id);

-- Every booking that a bank told of, each once, by whatever way it was told.
CREATE TABLE bank_entry (
    bank      TEXT COLLATE "C" NOT NULL,
    currency  TEXT COLLATE "C" NOT NULL,
    account   TEXT COLLATE "C" NOT NULL,
    at_us     BIGINT           NOT NULL,
    id        TEXT COLLATE "C" NOT NULL, -- the bank's transaction id
    receiver  TEXT COLLATE "C" NOT NULL, -- our name of the account
    message   TEXT COLLATE "C" NOT NULL, -- the first that told of it
    amount    BIGINT           NOT NULL CHECK (amount > 0),
    original  TEXT COLLATE "C" NOT NULL, -- of a reversal: what it takes back
    credit_id TEXT COLLATE "C" REFERENCES bank_credit (id), -- what became of it
    payout_id TEXT COLLATE "C" REFERENCES payout (id),      -- what it is about
    debit     BOOLEAN          NOT NULL,
    notified  BOOLEAN          NOT NULL, -- a notification told of it
    stated    BOOLEAN          NOT NULL, -- a statement did
    day       TEXT COLLATE "C" NOT NULL CHECK (length(day) = 8),
    CHECK (credit_id IS NULL OR payout_id IS NULL),
    CHECK (notified OR stated)
);
CREATE UNIQUE INDEX bank_entry_once ON bank_entry ((bank || '/' || account || CASE WHEN debit THEN '/D/' ELSE '/C/' END || id));
CREATE INDEX bank_entry_reversal ON bank_entry ((bank || '/' || account || '/' || original)) WHERE original <> '' AND debit;
CREATE INDEX bank_entry_unstated ON bank_entry ((bank || '/' || account || '/' || day)) WHERE NOT stated;

-- Every message of a bank that was taken into account.
CREATE TABLE bank_message (
    feed     TEXT COLLATE "C" NOT NULL,
    kind     TEXT COLLATE "C" NOT NULL CHECK (kind IN ('NOTIFICATION', 'STATEMENT', 'PUSH')),
    id       TEXT COLLATE "C" NOT NULL, -- the sender's
    entries  BIGINT           NOT NULL,
    accepted BIGINT           NOT NULL,
    repeated BIGINT           NOT NULL,
    at_us    BIGINT           NOT NULL,
    sha256   BYTEA            NOT NULL, -- of what was received
    PRIMARY KEY (feed, kind, id),
    CHECK (accepted >= 0 AND repeated >= 0 AND accepted + repeated <= entries)
);

-- The last electronic sequence number of an account: a gap is news that is missing.
CREATE TABLE bank_sequence (
    account TEXT COLLATE "C" NOT NULL PRIMARY KEY, -- the bank's code, a slash, the number
    seq     BIGINT           NOT NULL
);

-- Accounts that an operator lets rest: no new order is to be paid there, and what comes is still taken.
CREATE TABLE receiver_pause (
    receiver TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    note     TEXT COLLATE "C" NOT NULL CHECK (note <> ''),
    since_us BIGINT           NOT NULL
);

-- Who a merchant's user is that pays by transfer, told once.
CREATE TABLE payer_registration (
    merchant TEXT COLLATE "C" NOT NULL,
    user_id  TEXT COLLATE "C" NOT NULL,
    at_us    BIGINT           NOT NULL,
    bank     TEXT COLLATE "C" NOT NULL,
    payer    BYTEA            NOT NULL, -- sealed: name, bank and account
    PRIMARY KEY (merchant, user_id)
);

-- What merchants sign with, or are signed for with.
CREATE TABLE merchant_key (
    merchant   TEXT COLLATE "C" NOT NULL,
    id         TEXT COLLATE "C" NOT NULL,
    purpose    TEXT COLLATE "C" NOT NULL CHECK (purpose IN ('sign', 'authorization', 'webhook')),
    created_us BIGINT           NOT NULL,
    ends_us    BIGINT,                    -- not valid from then on
    sealed     BYTEA            NOT NULL,
    PRIMARY KEY (merchant, id)
);

-- What one node does for all, and that a node lives (node/...), until a time. Each new holder has a higher fence.
CREATE TABLE lease (
    name     TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    holder   TEXT COLLATE "C" NOT NULL,
    fence    BIGINT           NOT NULL CHECK (fence > 0),
    until_us BIGINT           NOT NULL
);

-- Transactions that must not run side by side, though they change no row in common, change the one that they are named after here.
CREATE TABLE guard (
    name TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    n    BIGINT           NOT NULL
);

-- How calls went, as the counterparty measures (gsp-core 6): valid requests of a method in an hour that one node was asked, those that had
-- a valid answer within 7 s, and of these the ones within 5 s and 3 s.
CREATE TABLE call_tally (
    method    TEXT COLLATE "C" NOT NULL,
    hour_us   BIGINT           NOT NULL,
    node      TEXT COLLATE "C" NOT NULL,
    calls     BIGINT           NOT NULL CHECK (calls > 0),
    answered  BIGINT           NOT NULL,
    within_5s BIGINT           NOT NULL,
    within_3s BIGINT           NOT NULL,
    PRIMARY KEY (method, hour_us, node),
    CHECK (within_3s >= 0 AND within_3s <= within_5s AND within_5s <= answered AND answered <= calls)
);

-- What was said stays said, and each trigger tells why. What cannot be deleted cannot be truncated either, a way that SQLite does not have.
-- +goose StatementBegin
CREATE FUNCTION refuse() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'restrict_violation';
END
$$;
-- +goose StatementEnd

CREATE TRIGGER refund_arn_once BEFORE UPDATE OF arn ON refund FOR EACH ROW
WHEN (OLD.arn <> '' AND NEW.arn <> OLD.arn)
EXECUTE FUNCTION refuse('an acquirer reference number is set once');
CREATE TRIGGER capture_arn_once BEFORE UPDATE OF arn ON capture FOR EACH ROW
WHEN (OLD.arn <> '' AND NEW.arn <> OLD.arn)
EXECUTE FUNCTION refuse('an acquirer reference number is set once');
CREATE TRIGGER evidence_no_update BEFORE UPDATE ON evidence FOR EACH ROW EXECUTE FUNCTION refuse('evidence is append-only');
CREATE TRIGGER evidence_no_delete BEFORE DELETE ON evidence FOR EACH ROW EXECUTE FUNCTION refuse('evidence is append-only');
CREATE TRIGGER evidence_no_truncate BEFORE TRUNCATE ON evidence FOR EACH STATEMENT EXECUTE FUNCTION refuse('evidence is append-only');
CREATE TRIGGER event_no_update BEFORE UPDATE ON event FOR EACH ROW EXECUTE FUNCTION refuse('the journal is append-only');
CREATE TRIGGER event_no_delete BEFORE DELETE ON event FOR EACH ROW EXECUTE FUNCTION refuse('the journal is append-only');
CREATE TRIGGER event_no_truncate BEFORE TRUNCATE ON event FOR EACH STATEMENT EXECUTE FUNCTION refuse('the journal is append-only');
CREATE TRIGGER posting_no_update BEFORE UPDATE ON posting FOR EACH ROW EXECUTE FUNCTION refuse('the ledger is append-only');
CREATE TRIGGER posting_no_delete BEFORE DELETE ON posting FOR EACH ROW EXECUTE FUNCTION refuse('the ledger is append-only');
CREATE TRIGGER posting_no_truncate BEFORE TRUNCATE ON posting FOR EACH STATEMENT EXECUTE FUNCTION refuse('the ledger is append-only');
CREATE TRIGGER acquirer_event_no_update BEFORE UPDATE ON acquirer_event
FOR EACH ROW EXECUTE FUNCTION refuse('acquirer events are append-only');
CREATE TRIGGER acquirer_event_no_delete BEFORE DELETE ON acquirer_event
FOR EACH ROW EXECUTE FUNCTION refuse('acquirer events are append-only');
CREATE TRIGGER acquirer_event_no_truncate BEFORE TRUNCATE ON acquirer_event
FOR EACH STATEMENT EXECUTE FUNCTION refuse('acquirer events are append-only');
CREATE TRIGGER settlement_item_no_update
BEFORE UPDATE OF payment_id, event_n, account, kind, day, currency, subject, at_us, own_id, link, note, charge, fee, vat ON settlement_item
FOR EACH ROW EXECUTE FUNCTION refuse('settlement items are append-only');
CREATE TRIGGER settlement_item_once BEFORE UPDATE OF settlement_id ON settlement_item FOR EACH ROW
WHEN (OLD.settlement_id IS NOT NULL)
EXECUTE FUNCTION refuse('an item is settled once');
CREATE TRIGGER settlement_item_no_delete BEFORE DELETE ON settlement_item
FOR EACH ROW EXECUTE FUNCTION refuse('settlement items are append-only');
CREATE TRIGGER settlement_item_no_truncate BEFORE TRUNCATE ON settlement_item
FOR EACH STATEMENT EXECUTE FUNCTION refuse('settlement items are append-only');
CREATE TRIGGER payout_result_stays BEFORE UPDATE ON payout FOR EACH ROW
WHEN (OLD.done_us IS NOT NULL
 AND NOT (NEW.done_us IS NOT DISTINCT FROM OLD.done_us AND NEW.reason = OLD.reason AND NEW.limit_broken = OLD.limit_broken
          AND NEW.scope = OLD.scope AND NEW.code = OLD.code AND NEW.attempt_id = OLD.attempt_id
          AND (NEW.state = OLD.state AND NEW.back_us IS NOT DISTINCT FROM OLD.back_us
               OR OLD.state = 'SUCCEEDED' AND NEW.state = 'RETURNED')))
EXECUTE FUNCTION refuse('what a payout came to stays');
CREATE TRIGGER payout_attempt_end_stays BEFORE UPDATE ON payout_attempt FOR EACH ROW
WHEN (OLD.state IN ('PAID', 'FAILED', 'RETURNED') AND NEW.state <> OLD.state AND NOT (OLD.state = 'PAID' AND NEW.state = 'RETURNED'))
EXECUTE FUNCTION refuse('what an attempt came to stays');
CREATE TRIGGER statement_entry_no_update
BEFORE UPDATE OF bank, id, at_us, bank_id, currency, attempt_id, kind, reference, amount, balance ON statement_entry
FOR EACH ROW EXECUTE FUNCTION refuse('statements are append-only');
CREATE TRIGGER statement_entry_no_delete BEFORE DELETE ON statement_entry
FOR EACH ROW EXECUTE FUNCTION refuse('statements are append-only');
CREATE TRIGGER statement_entry_no_truncate BEFORE TRUNCATE ON statement_entry
FOR EACH STATEMENT EXECUTE FUNCTION refuse('statements are append-only');
CREATE TRIGGER merchant_payout_no_update BEFORE UPDATE ON merchant_payout
FOR EACH ROW EXECUTE FUNCTION refuse('what a payout was asked for stays');
CREATE TRIGGER deposit_order_terms_stay
BEFORE UPDATE OF id, number, currency, client_id, created_us, receiver_number, expires_us, user_id, receiver_bank, link, merchant, service,
                 receiver, holder, branch, token, notify_url, sign_type, generation, amount, display, virtual ON deposit_order
FOR EACH ROW EXECUTE FUNCTION refuse('what an order asks for stays');
CREATE TRIGGER deposit_order_paid_stays BEFORE UPDATE ON deposit_order FOR EACH ROW
WHEN (OLD.credit_id IS NOT NULL
 AND NOT (NEW.credit_id IS NOT DISTINCT FROM OLD.credit_id AND NEW.real_amount = OLD.real_amount AND NEW.fee = OLD.fee
          AND NEW.into_account = OLD.into_account AND NEW.paid_us IS NOT DISTINCT FROM OLD.paid_us
          AND (NEW.state = OLD.state OR OLD.state = 'PAID')))
EXECUTE FUNCTION refuse('what paid an order stays');
CREATE TRIGGER bank_credit_no_update
BEFORE UPDATE OF id, receiver, currency, bank, booked_us, account, received_us, virtual, amount, bank_id, feed, message, sender
ON bank_credit FOR EACH ROW EXECUTE FUNCTION refuse('what a bank booked stays');
CREATE TRIGGER bank_credit_order_stays BEFORE UPDATE ON bank_credit FOR EACH ROW
WHEN (OLD.order_id IS NOT NULL AND NEW.order_id IS DISTINCT FROM OLD.order_id OR OLD.state = 'REVERSED' AND NEW.state <> 'REVERSED')
EXECUTE FUNCTION refuse('what a credit paid stays');
CREATE TRIGGER bank_credit_no_delete BEFORE DELETE ON bank_credit FOR EACH ROW EXECUTE FUNCTION refuse('what a bank booked stays');
CREATE TRIGGER bank_credit_no_truncate BEFORE TRUNCATE ON bank_credit
FOR EACH STATEMENT EXECUTE FUNCTION refuse('what a bank booked stays');
CREATE TRIGGER bank_entry_no_update
BEFORE UPDATE OF bank, currency, account, at_us, id, receiver, message, amount, original, credit_id, payout_id, debit, day ON bank_entry
FOR EACH ROW EXECUTE FUNCTION refuse('bookings are append-only');
CREATE TRIGGER bank_entry_told_stays BEFORE UPDATE ON bank_entry FOR EACH ROW
WHEN (OLD.notified AND NOT NEW.notified OR OLD.stated AND NOT NEW.stated)
EXECUTE FUNCTION refuse('bookings are append-only');
CREATE TRIGGER bank_entry_no_delete BEFORE DELETE ON bank_entry FOR EACH ROW EXECUTE FUNCTION refuse('bookings are append-only');
CREATE TRIGGER bank_entry_no_truncate BEFORE TRUNCATE ON bank_entry FOR EACH STATEMENT EXECUTE FUNCTION refuse('bookings are append-only');
CREATE TRIGGER bank_message_no_update BEFORE UPDATE ON bank_message FOR EACH ROW EXECUTE FUNCTION refuse('messages are append-only');
CREATE TRIGGER bank_message_no_delete BEFORE DELETE ON bank_message FOR EACH ROW EXECUTE FUNCTION refuse('messages are append-only');
CREATE TRIGGER bank_message_no_truncate BEFORE TRUNCATE ON bank_message
FOR EACH STATEMENT EXECUTE FUNCTION refuse('messages are append-only');
CREATE TRIGGER merchant_key_stays BEFORE UPDATE OF merchant, id, purpose, created_us, sealed ON merchant_key
FOR EACH ROW EXECUTE FUNCTION refuse('a key stays what it is');

-- Rows of these are changed again and again in columns that no index has. Room on its page lets a new version stand beside the old one: no
-- index is touched, and the old version goes without a vacuum. In the other tables an index has what changes, the state or the time when
-- something is due, as a column or in its WHERE, so that room would gain nothing.
ALTER TABLE series SET (fillfactor = 50);
ALTER TABLE account_book SET (fillfactor = 50);
ALTER TABLE balance SET (fillfactor = 50);
ALTER TABLE bank_sequence SET (fillfactor = 50);
ALTER TABLE lease SET (fillfactor = 50);
ALTER TABLE guard SET (fillfactor = 50);
ALTER TABLE call_tally SET (fillfactor = 50);
