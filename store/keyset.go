package store

import (
	"context"

	"naru/engine"
)

const selectKeyset = `SELECT sealed FROM keyset WHERE name = $1`

// LoadKeyset implements vault.Keysets.
func (s *Store) LoadKeyset(name string) (sealed []byte, ok bool, err error) {
	err = s.look(context.Background(), func(c *session) error {
		ok, err = c.one(selectKeyset, []any{name}, &sealed)
		return err
	})
	return sealed, ok, err
}

const insertKeyset = `INSERT INTO keyset (name, sealed) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`

// SaveKeyset implements vault.Keysets.
func (s *Store) SaveKeyset(name string, sealed []byte) (mine bool, err error) {
	err = s.Update(context.Background(), func(tx engine.Tx) error {
		n, err := tx.(*session).change(insertKeyset, name, sealed)
		mine = n == 1
		return err
	})
	return mine, err
}
