package pgserver

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Standby makes a server that follows this one under a name, and returns when it does. It has this one's settings, answers questions, and
// takes writes once it is promoted.
func (s *Server) Standby(ctx context.Context, dir, name string) (*Server, error) {
	standby, err := furnish(s.bin, dir)
	if err != nil {
		return nil, err
	}
	// The slot keeps what a standby that is away has not read.
	if err := s.do(ctx, func(c *pgx.Conn) error {
		_, err := c.Exec(ctx, `SELECT pg_create_physical_replication_slot($1)
 WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $1)`, name)
		return err
	}); err != nil {
		return nil, err
	}
	if err := s.tool(ctx, "pg_basebackup", "--pgdata="+standby.data(), "--write-recovery-conf", "--slot="+name, "--wal-method=stream",
		"--checkpoint=fast", "--no-sync",
		fmt.Sprintf("--dbname=host=127.0.0.1 port=%d user=postgres sslmode=disable application_name=%s", s.port, name)); err != nil {
		return nil, err
	}
	if err := standby.begin(ctx); err != nil {
		return nil, err
	}
	err = s.until(ctx, name+" does not follow",
		`SELECT EXISTS (SELECT FROM pg_stat_replication WHERE application_name = $1 AND state = 'streaming')`, name)
	if err == nil {
		err = standby.Synchronous(ctx) // for whom this one waits is not its affair once it is promoted
	}
	if err != nil {
		return nil, errors.Join(err, standby.Kill())
	}
	return standby, nil
}

// Synchronous has every commit wait until each of the standbys named has it on disk, and returns when that holds. Without names, commits
// wait for nobody.
func (s *Server) Synchronous(ctx context.Context, names ...string) error {
	var value string
	if len(names) > 0 {
		quoted := make([]string, len(names))
		for i, n := range names {
			quoted[i] = pgx.Identifier{n}.Sanitize()
		}
		value = fmt.Sprintf("FIRST %d (%s)", len(names), strings.Join(quoted, ", "))
	}
	if err := s.exec(ctx, "ALTER SYSTEM SET synchronous_standby_names = '"+strings.ReplaceAll(value, "'", "''")+"'",
		"SELECT pg_reload_conf()"); err != nil {
		return err
	}
	// A fresh connection that knows the names has them from the postmaster, which by then has told the checkpointer; commits wait when that
	// has read them, which it does before its next checkpoint.
	if err := s.until(ctx, "the standbys are not synchronous", `SELECT current_setting('synchronous_standby_names') = $1 AND $2 =
 (SELECT count(DISTINCT application_name) FROM pg_stat_replication WHERE application_name = ANY ($3) AND sync_state = 'sync')`,
		value, len(names), names); err != nil {
		return err
	}
	return s.exec(ctx, "CHECKPOINT")
}

// Promote makes a standby a server of its own, and returns when it takes writes.
func (s *Server) Promote(ctx context.Context) error {
	if err := s.exec(ctx, "SELECT pg_promote(false)"); err != nil {
		return err
	}
	return s.until(ctx, "the standby is not promoted", "SELECT NOT pg_is_in_recovery()")
}
