package engine

import (
	"bytes"
	"sync"
)

// flights are the requests that this process is working on at this moment.
type flights struct {
	mu     sync.Mutex
	flying map[Key]*flight
}

type flight struct {
	request Request
	done    chan struct{}
}

// join makes the caller the first to work on a request, or gives it what closes when the first is done; same tells whether that one has the
// same content.
func (f *flights) join(r Request) (first, same bool, done <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if other, ok := f.flying[r.Key]; ok {
		return false, other.request.Method == r.Method && bytes.Equal(other.request.Content, r.Content), other.done
	}
	if f.flying == nil {
		f.flying = map[Key]*flight{}
	}
	f.flying[r.Key] = &flight{r, make(chan struct{})}
	return true, true, nil
}

func (f *flights) leave(k Key) {
	f.mu.Lock()
	defer f.mu.Unlock()
	close(f.flying[k].done)
	delete(f.flying, k)
}

func (f *flights) has(k Key) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	_, ok := f.flying[k]
	return ok
}
