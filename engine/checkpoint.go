package engine

import (
	"context"
	"crypto/sha256"
	"time"

	"naru/crash"
)

// checkpointEvery is how often the journal's end is signed.
const checkpointEvery = 10 * time.Minute

// Checkpoint signs the journal now and then, so that its end cannot be cut off unnoticed (design §3.5). It runs until ctx ends.
func (e *Engine) Checkpoint(ctx context.Context) error {
	for {
		if err := e.clock.Sleep(ctx, e.clock.Now().Add(checkpointEvery), nil); err != nil {
			return nil
		}
		if err := e.SignJournal(ctx); err != nil && ctx.Err() == nil {
			e.log.Error("the journal cannot be signed", "error", err)
		}
	}
}

// SignJournal covers every event since the last checkpoint with a new one. Without new events it does nothing.
func (e *Engine) SignJournal(ctx context.Context) error {
	for more := true; more; {
		signed := false
		err := e.store.Update(ctx, func(tx Tx) error {
			more, signed = false, false
			last, _, err := tx.LastCheckpoint()
			if err != nil {
				return err
			}
			links, err := tx.Chain(last.LastID, maxLinks)
			if err != nil || len(links) == 0 {
				return err
			}
			more = len(links) == maxLinks
			sum := sha256.New()
			for _, l := range links {
				sum.Write(l.Digest)
			}
			p := Checkpoint{N: last.N + 1, LastID: links[len(links)-1].ID, Count: int64(len(links)), At: e.clock.Now()}
			if p.Digest, err = e.vault.Digest("checkpoint", last.Digest, p.Bytes(), sum.Sum(nil)); err != nil {
				return err
			}
			signed = true
			return tx.InsertCheckpoint(p)
		})
		if err != nil {
			return err
		}
		if signed {
			e.crash(crash.CheckpointSigned)
		}
	}
	return nil
}

// maxLinks bounds one checkpoint, so that signing never holds up payments for long.
const maxLinks = 5000
