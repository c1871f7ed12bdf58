package store_test

import (
	"context"
	"database/sql"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"naru/store"
)

var update = flag.Bool("update", false, "write schema/schema.sql anew")

// schema.sql is the picture of today, drawn from what the migrations make; it is for readers, nothing executes it.
func TestSchemaPictureIsFresh(t *testing.T) {
	path := filepath.Join(t.TempDir(), "naru.db")
	s, err := store.Open(context.Background(), path, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.Query(`SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND tbl_name NOT IN ('migration', 'sqlite_sequence')
		ORDER BY tbl_name, type = 'table' DESC, name`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var b strings.Builder
	b.WriteString("-- Generated from the migrations by \"make generate\"; do not edit.\n")
	for rows.Next() {
		var ddl string
		if err := rows.Scan(&ddl); err != nil {
			t.Fatal(err)
		}
		b.WriteString("\n" + ddl + ";\n")
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	const picture = "schema/schema.sql"
	if *update {
		if err := os.WriteFile(picture, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(picture)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != b.String() {
		t.Errorf("%s is not what the migrations make; run make generate", picture)
	}
}
