package engine

import (
	"context"
	"sync"
)

// numbers hands out a link's message numbers. They come from the store in blocks: what a crash leaves unused is lost, none is used twice.
type numbers struct {
	series string

	mu        sync.Mutex
	next, end int64
}

const block = 500

func (n *numbers) take(ctx context.Context, s Store) (int64, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.next == n.end {
		err := s.Update(ctx, func(tx Tx) (err error) {
			n.next, err = tx.TakeNumbers(n.series, block)
			return err
		})
		if err != nil {
			n.next, n.end = 0, 0
			return 0, err
		}
		n.end = n.next + block
	}
	n.next++
	return n.next - 1, nil
}
