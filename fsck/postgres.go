package fsck

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// postgres reads over a connection to a server: PostgreSQL, or what speaks like it.
var postgres = engine{
	words: strings.NewReplacer(
		"INSTR(", "STRPOS(", "JSON_OBJECT(", "JSON_BUILD_OBJECT(", "LOWER(HEX(f.sha256))", "ENCODE(f.sha256, 'hex')",
	),
	objects: map[string][]string{
		"table": {"migration_lock"},
		"trigger": {
			"acquirer_event_no_truncate", "bank_credit_no_truncate", "bank_entry_no_truncate", "bank_message_no_truncate", "event_no_truncate",
			"evidence_no_truncate", "posting_no_truncate", "settlement_item_no_truncate", "statement_entry_no_truncate",
		},
		"function": {"refuse"},
		"constraints": { // of each table: its key, what is unique, references, checks
			"account_book 1p 0u 0f 1c", "acquirer_event 1p 0u 0f 2c", "acquirer_file 1p 0u 0f 2c", "advice 1p 0u 2f 4c",
			"attempt 1p 1u 2f 3c", "balance 1p 0u 0f 0c", "bank_credit 1p 0u 3f 7c", "bank_entry 0p 0u 2f 4c",
			"bank_message 1p 0u 0f 2c", "bank_sequence 1p 0u 0f 0c", "call_tally 1p 0u 0f 2c", "cancel 1p 1u 1f 2c",
			"capture 1p 2u 1f 6c", "capture_file 1p 1u 0f 4c", "checkpoint 1p 0u 0f 1c", "deposit_order 1p 3u 1f 13c",
			"dispute 1p 0u 1f 7c", "event 1p 1u 0f 1c", "evidence 1p 0u 1f 1c", "guard 1p 0u 0f 0c", "idempotency 1p 0u 0f 1c",
			"keyset 1p 0u 0f 0c", "lease 1p 0u 0f 1c", "merchant_key 1p 0u 0f 1c", "merchant_payout 1p 1u 1f 0c",
			"migration 1p 0u 0f 0c", "migration_lock 1p 0u 0f 0c", "notice 1p 1u 0f 4c", "notice_try 1p 0u 1f 0c",
			"operator_case 1p 0u 0f 0c", "payer_registration 1p 0u 0f 0c", "payout 1p 1u 0f 15c", "payout_attempt 1p 2u 1f 7c",
			"posting 1p 0u 0f 3c", "receiver_pause 1p 0u 0f 1c", "reconciliation 1p 0u 0f 2c", "refund 1p 1u 1f 8c",
			"reservation 1p 1u 0f 7c", "series 1p 0u 0f 1c", "settlement 1p 1u 0f 7c", "settlement_item 1p 0u 1f 3c",
			"statement_entry 1p 0u 1f 1c",
		},
	},
	schema:  schemaOfServer,
	tables:  tablesOfServer,
	columns: columnsOfServer,
	integrity: func(*run) error {
		return missing("is the server's own: pg_amcheck looks at pages and indexes, where that is installed")
	},
	references: (*run).orphans,
	files: func(*run) error {
		return missing("the pages and the logs of a server cannot be read over a connection")
	},
}

// schemaOfServer are the objects in the schema of the connection. An index that a constraint made goes by the constraint. What is switched
// off, or not complete, keeps nothing; what is not ordered by bytes cannot be read side by side, and its ranges mean something else.
const schemaOfServer = `
WITH here AS (SELECT c.oid, c.relname, c.relkind FROM pg_class AS c JOIN pg_namespace AS s ON s.oid = c.relnamespace
               WHERE s.nspname = current_schema())
SELECT CASE WHEN relkind IN ('r', 'p', 'f') THEN 'table' WHEN relkind IN ('i', 'I') THEN 'index' ELSE 'view' END, relname,
       CASE WHEN i.indexrelid IS NOT NULL AND NOT (i.indisvalid AND i.indisready) THEN 'is not complete, and keeps nothing' ELSE '' END
  FROM here LEFT JOIN pg_index AS i ON i.indexrelid = here.oid
 WHERE relkind IN ('r', 'p', 'f', 'i', 'I', 'v', 'm')
   AND NOT EXISTS (SELECT 1 FROM pg_constraint AS k WHERE k.conindid = here.oid AND k.contype IN ('p', 'u'))
 UNION ALL
SELECT 'trigger', t.tgname, CASE WHEN t.tgenabled IN ('O', 'A') THEN '' ELSE 'is switched off' END
  FROM pg_trigger AS t JOIN here ON here.oid = t.tgrelid WHERE NOT t.tgisinternal
 UNION ALL
SELECT 'function', p.proname,
       CASE WHEN p.proname = 'refuse' AND BTRIM(REGEXP_REPLACE(p.prosrc, '\s+', ' ', 'g')) <>
                 'BEGIN RAISE EXCEPTION ''%'', TG_ARGV[0] USING ERRCODE = ''restrict_violation''; END'
            THEN 'does not what the migration made it for' ELSE '' END
  FROM pg_proc AS p JOIN pg_namespace AS s ON s.oid = p.pronamespace WHERE s.nspname = current_schema()
 UNION ALL
SELECT 'rule', r.rulename, '' FROM pg_rewrite AS r JOIN here ON here.oid = r.ev_class WHERE r.rulename <> '_RETURN'
 UNION ALL
SELECT 'constraint', k.conname,
       CASE WHEN NOT k.convalidated THEN 'was not compared with the rows that were there'
            WHEN EXISTS (SELECT 1 FROM pg_trigger AS t WHERE t.tgconstraint = k.oid AND t.tgenabled NOT IN ('O', 'A'))
            THEN 'is switched off'
            WHEN EXISTS (SELECT 1 FROM pg_index AS i WHERE i.indexrelid = k.conindid AND NOT (i.indisvalid AND i.indisready))
            THEN 'has an index that is not complete'
            ELSE '' END
  FROM pg_constraint AS k JOIN here ON here.oid = k.conrelid
 UNION ALL
SELECT 'constraints', here.relname || ' ' || COUNT(*) FILTER (WHERE k.contype = 'p') || 'p '
       || COUNT(*) FILTER (WHERE k.contype = 'u') || 'u ' || COUNT(*) FILTER (WHERE k.contype = 'f') || 'f '
       || COUNT(*) FILTER (WHERE k.contype = 'c') || 'c', ''
  FROM here LEFT JOIN pg_constraint AS k ON k.conrelid = here.oid WHERE here.relkind = 'r' GROUP BY here.relname
 UNION ALL
SELECT 'column', here.relname || '.' || a.attname, 'is not ordered by bytes'
  FROM pg_attribute AS a JOIN here ON here.oid = a.attrelid JOIN pg_collation AS c ON c.oid = a.attcollation
 WHERE here.relkind IN ('r', 'p') AND here.relname <> 'migration_lock' AND a.attnum > 0 AND NOT a.attisdropped
   AND c.collname NOT IN ('C', 'POSIX', 'ucs_basic')`

const tablesOfServer = `
SELECT c.relname FROM pg_class AS c JOIN pg_namespace AS s ON s.oid = c.relnamespace
 WHERE s.nspname = current_schema() AND c.relkind IN ('r', 'p', 'm', 'f') ORDER BY c.relname`

// columnsOfServer gives numbers and bytes as they are, and everything else as text.
const columnsOfServer = `
SELECT a.attname, EXISTS (SELECT 1 FROM pg_index AS i WHERE i.indrelid = a.attrelid AND i.indisprimary AND a.attnum = ANY (i.indkey)),
       CASE WHEN t.typcategory IN ('N', 'B') OR t.typname = 'bytea' THEN quote_ident(a.attname)
            ELSE 'CAST(' || quote_ident(a.attname) || ' AS TEXT)' END
  FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = a.atttypid JOIN pg_class AS c ON c.oid = a.attrelid
  JOIN pg_namespace AS s ON s.oid = c.relnamespace
 WHERE s.nspname = current_schema() AND c.relname = $1 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`

// server is a connection to a server, in one transaction that sees one state of the database.
type server struct {
	conn *pgx.Conn
	n    int // how many cursors there were
}

// connectTime is how long a server may take to answer at all.
const connectTime = 10 * time.Second

// dial connects. What it says of an address that is none shows nothing of it: a password may stand in it.
func dial(ctx context.Context, address, password string) (*server, error) {
	config, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, errors.New("the address of the database is not a good one")
	}
	if password != "" {
		config.Password = password
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectTime
	}
	// Values are written into the texts of queries: a cursor cannot be declared with others everywhere.
	config.DefaultQueryExecMode = pgx.QueryExecModeSimpleProtocol
	for name, value := range map[string]string{
		"application_name": "naru fsck", "statement_timeout": "0", "idle_in_transaction_session_timeout": "0", // it takes what it takes
	} {
		config.RuntimeParams[name] = value
	}
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	s := &server{conn: conn}
	// Every result is read to its end, not to a tenth. An engine that does not know that reads the same.
	_, _ = conn.Exec(ctx, "SET cursor_tuple_fraction = 1")
	if _, err := conn.Exec(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// query declares a cursor: a connection has one result at a time, and cursors stand side by side.
func (s *server) query(ctx context.Context, some int, query string, args ...any) (rows, error) {
	s.n++
	f := &fetched{ctx: ctx, conn: s.conn, name: fmt.Sprintf("c%d", s.n), some: some, at: -1}
	_, err := s.conn.Exec(ctx, "DECLARE "+f.name+" NO SCROLL CURSOR FOR "+query, args...)
	return f, err
}

// apart leaves the transaction usable where a statement failed in it.
func (s *server) apart(ctx context.Context, read func() error) error {
	if _, err := s.conn.Exec(ctx, "SAVEPOINT part"); err != nil {
		return err
	}
	err := read()
	end := "RELEASE SAVEPOINT part"
	if err != nil {
		end = "ROLLBACK TO SAVEPOINT part"
	}
	_, failed := s.conn.Exec(ctx, end)
	return errors.Join(err, failed)
}

func (s *server) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = s.conn.Close(ctx)
}

// fetched is a cursor with the rows that were fetched of it last.
type fetched struct {
	ctx    context.Context
	conn   *pgx.Conn
	name   string
	some   int
	fields []pgconn.FieldDescription
	batch  [][][]byte
	at     int
	err    error
}

// Next implements rows.
func (f *fetched) Next() bool {
	if f.at++; f.at == len(f.batch) && (f.at == 0 || f.at == f.some) {
		f.err = f.fetch()
	}
	return f.err == nil && f.at < len(f.batch)
}

func (f *fetched) fetch() error {
	f.at, f.batch = 0, f.batch[:0]
	list, err := f.conn.Query(f.ctx, fmt.Sprintf("FETCH FORWARD %d FROM %s", f.some, f.name))
	if err != nil {
		return err
	}
	defer list.Close()
	f.fields = slices.Clone(list.FieldDescriptions())
	for list.Next() {
		row := slices.Clone(list.RawValues())
		for i := range row {
			row[i] = slices.Clone(row[i])
		}
		f.batch = append(f.batch, row)
	}
	return list.Err()
}

// Scan implements rows.
func (f *fetched) Scan(into ...any) error {
	row := f.batch[f.at]
	if len(into) != len(row) {
		return fmt.Errorf("a row has %d values, and not %d", len(row), len(into))
	}
	for i, field := range f.fields {
		if err := f.conn.TypeMap().Scan(field.DataTypeOID, field.Format, row[i], into[i]); err != nil {
			return fmt.Errorf("column %s: %w", field.Name, err)
		}
	}
	return nil
}

// Err implements rows.
func (f *fetched) Err() error { return f.err }

// Close implements rows.
func (f *fetched) Close() error {
	_, err := f.conn.Exec(f.ctx, "CLOSE "+f.name)
	return err
}

const foreignKeysOfServer = `
SELECT c.relname, p.relname,
       (SELECT string_agg('t.' || quote_ident(a.attname) || ' = p.' || quote_ident(b.attname), ' AND ' ORDER BY n)
          FROM generate_subscripts(k.conkey, 1) AS n JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.conkey[n]
          JOIN pg_attribute AS b ON b.attrelid = p.oid AND b.attnum = k.confkey[n]),
       (SELECT string_agg('t.' || quote_ident(a.attname) || ' IS NOT NULL', ' AND ' ORDER BY a.attnum)
          FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum = ANY (k.conkey))
  FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid JOIN pg_class AS p ON p.oid = k.confrelid
  JOIN pg_namespace AS s ON s.oid = c.relnamespace
 WHERE k.contype = 'f' AND s.nspname = current_schema() ORDER BY c.relname, k.conname`

// orphans looks for what names a row that is not there. The server is asked which names are kept, not believed that they are: triggers that
// keep them can be switched off.
func (x *run) orphans() error {
	type key struct{ table, parent, same, there string }
	var keys []key
	err := x.each(foreignKeysOfServer, func(scan func(...any) error) error {
		var k key
		err := scan(&k.table, &k.parent, &k.same, &k.there)
		keys = append(keys, k)
		return err
	})
	for _, k := range keys {
		if err != nil {
			return err
		}
		var row string
		if row, _, err = x.columnsOf(k.table); err != nil {
			return err
		}
		query := "SELECT " + row + " FROM " + quoted(k.table) + " AS t WHERE " + k.there +
			" AND NOT EXISTS (SELECT 1 FROM " + quoted(k.parent) + " AS p WHERE " + k.same + ")"
		err = x.each(query, func(scan func(...any) error) error {
			var row string
			err := scan(&row)
			x.bad("references", k.table, row, "names no row of %s", k.parent)
			return err
		})
		x.did("references")
	}
	return err
}
