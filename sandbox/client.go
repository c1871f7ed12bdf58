package sandbox

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// client asks the control port. After a failure nothing more is asked.
type client struct {
	base string
	http *http.Client
	err  error
}

func (s *Sandbox) client() *client {
	return &client{base: s.Contract.Control.Base, http: &http.Client{Timeout: time.Minute}}
}

// patience is how long anybody here waits for something that must happen.
const patience = 30 * time.Second

// poll looks again and again, and says whether it saw it.
func (c *client) poll(ctx context.Context, look func() bool) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for c.err == nil {
		if look() {
			return true
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return false
		}
	}
	return false
}

func (c *client) call(ctx context.Context, method, path string, in, out any) {
	c.exchange(ctx, method, c.base+path, in, out)
}

func (c *client) exchange(ctx context.Context, method, url string, in, out any) {
	if c.err != nil {
		return
	}
	c.err = func() error {
		var body []byte
		var err error
		if in != nil {
			if body, err = json.Marshal(in); err != nil {
				return err
			}
		}
		req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
		if err != nil {
			return err
		}
		resp, err := c.http.Do(req)
		if err != nil {
			return err
		}
		text, err := io.ReadAll(resp.Body)
		if err = errors.Join(err, resp.Body.Close()); err != nil {
			return err
		}
		if resp.StatusCode != http.StatusOK {
			var why problem
			_ = json.Unmarshal(text, &why)
			return fmt.Errorf("%s %s: %s", method, url, cmp.Or(why.Error, resp.Status))
		}
		if out == nil {
			return nil
		}
		return json.Unmarshal(text, out)
	}()
}
