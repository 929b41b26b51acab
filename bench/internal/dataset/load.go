package dataset

import (
	"context"
	"fmt"
	"net/http"
	"sync"
)

// batchSize is the number of records in one batch request.
const batchSize = 500

// Load creates users, collection and records of spec through the web API of
// an empty server. progress is told how many records are in so far.
func (c *Client) Load(ctx context.Context, spec Spec, progress func(done int)) error {
	if err := c.prepare(ctx, spec); err != nil {
		return err
	}
	if err := c.loadUsers(ctx, spec.Users); err != nil {
		return err
	}
	if err := c.loadRecords(ctx, spec, progress); err != nil {
		return err
	}
	return c.Verify(ctx, spec)
}

// prepare switches batch requests on and creates the collection.
func (c *Client) prepare(ctx context.Context, spec Spec) error {
	settings := map[string]any{"batch": map[string]any{
		"enabled": true, "maxRequests": batchSize, "timeout": 120, "maxBodySize": 0,
	}}
	if err := c.Do(ctx, http.MethodPatch, "/api/settings", settings, nil); err != nil {
		return fmt.Errorf("enable batch requests: %w", err)
	}
	var users struct {
		ID string `json:"id"`
	}
	if err := c.Do(ctx, http.MethodGet, "/api/collections/users", nil, &users); err != nil {
		return err
	}
	return c.Do(ctx, http.MethodPost, "/api/collections", spec.collection(users.ID), nil)
}

// loadUsers creates users one by one, two at a time: hashing the password is
// all the work, and a batch would hash on one processor while it holds the
// database.
func (c *Client) loadUsers(ctx context.Context, n int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for i := range next {
				if err := c.Do(ctx, http.MethodPost, "/api/collections/users/records", NewUser(i), nil); err != nil {
					cancel(fmt.Errorf("create user %d: %w", i, err))
				}
			}
		})
	}
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	wg.Wait()
	return context.Cause(ctx)
}

func (c *Client) loadRecords(ctx context.Context, spec Spec, progress func(done int)) error {
	type request struct {
		Method string `json:"method"`
		URL    string `json:"url"`
		Body   Record `json:"body"`
	}
	for from := 0; from < spec.Records; from += batchSize {
		to := min(from+batchSize, spec.Records)
		requests := make([]request, 0, batchSize)
		for i := from; i < to; i++ {
			requests = append(requests, request{http.MethodPost, "/api/collections/" + Collection + "/records?fields=id", spec.Record(i)})
		}
		if err := c.Do(ctx, http.MethodPost, "/api/batch", map[string]any{"requests": requests}, nil); err != nil {
			return fmt.Errorf("records from %d: %w", from, err)
		}
		progress(to)
	}
	return nil
}

// Verify compares the number of users and records with spec.
func (c *Client) Verify(ctx context.Context, spec Spec) error {
	for collection, want := range map[string]int{Collection: spec.Records, "users": spec.Users} {
		got, err := c.Count(ctx, collection)
		if err != nil {
			return err
		}
		if got != want {
			return fmt.Errorf("%s has %d records after loading, want %d", collection, got, want)
		}
	}
	return nil
}
