package store_test

import (
	"path/filepath"
	"testing"

	"naru/engine"
	"naru/store"
	"naru/store/storetest"
)

func TestContract(t *testing.T) {
	storetest.Run(t, func(t *testing.T) engine.Store {
		s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "naru.db"), store.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		return s
	})
}
