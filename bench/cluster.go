package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"naru/pgserver"
)

// clusterSettings give a throwaway server the memory that one of a company would have. What makes a commit durable stays PostgreSQL's own.
var clusterSettings = map[string]string{"shared_buffers": "512MB", "max_wal_size": "4GB"}

// cluster is databases of a PostgreSQL server that does nothing else.
type cluster struct {
	server *pgserver.Server
	is     string
	made   map[string]bool
}

func startCluster(ctx context.Context) (c *cluster, err error) {
	dir, err := os.MkdirTemp("", "naru-bench-postgres-*")
	if err != nil { // its own: it may run as another user
		return nil, err
	}
	server, err := pgserver.Start(ctx, pgserver.Options{Dir: dir, Settings: clusterSettings})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	c = &cluster{server: server, made: map[string]bool{}}
	if err := c.inspect(ctx); err != nil {
		return nil, errors.Join(err, c.close())
	}
	return c, nil
}

// inspect says what the server is, and refuses one that forgets what it has committed.
func (c *cluster) inspect(ctx context.Context) error {
	return c.do(ctx, "postgres", func(conn *pgx.Conn) error {
		said := map[string]string{}
		for _, name := range []string{"server_version", "fsync", "synchronous_commit", "full_page_writes", "shared_buffers"} {
			var value string
			if err := conn.QueryRow(ctx, "SHOW "+name).Scan(&value); err != nil {
				return err
			}
			said[name] = value
		}
		for _, name := range []string{"fsync", "synchronous_commit", "full_page_writes"} {
			if said[name] != "on" {
				return fmt.Errorf("PostgreSQL has %s = %s: what it acknowledges may be lost", name, said[name])
			}
		}
		version, _, _ := strings.Cut(said["server_version"], " ")
		c.is = fmt.Sprintf("PostgreSQL %s on this machine, fsync and synchronous_commit on, shared_buffers %s", version, said["shared_buffers"])
		return nil
	})
}

func (c *cluster) do(ctx context.Context, database string, work func(*pgx.Conn) error) error {
	conn, err := pgx.Connect(ctx, c.server.URL(database))
	if err != nil {
		return err
	}
	return errors.Join(work(conn), conn.Close(ctx))
}

func (c *cluster) place(ctx context.Context, database string) (string, error) {
	if !c.made[database] {
		if err := c.server.Create(ctx, database, ""); err != nil {
			return "", err
		}
		c.made[database] = true
	}
	return c.server.URL(database), nil
}

func (*cluster) setting(place string) string { return fmt.Sprintf("url = %q", place) }

func (c *cluster) spent() (time.Duration, error) { return c.server.CPU() }

func (c *cluster) describe() string { return c.is }

func (c *cluster) size(ctx context.Context, place string) (bytes int64, err error) {
	conn, err := pgx.Connect(ctx, place)
	if err != nil {
		return 0, err
	}
	err = conn.QueryRow(ctx, "SELECT pg_database_size(current_database())").Scan(&bytes)
	return bytes, errors.Join(err, conn.Close(ctx))
}

func (c *cluster) close() error { return errors.Join(c.server.Stop(), os.RemoveAll(c.server.Dir)) }
