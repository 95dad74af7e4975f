package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"syscall"
)

// maxAnswer bounds what a Client reads of an answer.
const maxAnswer = 16 << 20

// Client asks a running Evergate. Safe for concurrent use.
type Client struct {
	socket string
	http   http.Client
}

// NewClient returns a client for the socket at this path.
func NewClient(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}
	return &Client{socket: socket, http: http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}}
}

// Reload asks for a reload and waits for its end. The error is about the
// asking, the Result about the reload. Errors: ErrNotRunning, or others.
func (c *Client) Reload(ctx context.Context) (Result, error) {
	var result Result
	err := c.ask(ctx, http.MethodPost, "/reload", &result)
	return result, err
}

// Status asks who runs. Errors as for Reload.
func (c *Client) Status(ctx context.Context) (Status, error) {
	var status Status
	err := c.ask(ctx, http.MethodGet, "/status", &status)
	return status, err
}

func (c *Client) ask(ctx context.Context, method, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, method, "http://evergate"+path, nil)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w (%s)", ErrNotRunning, c.socket)
	case err != nil:
		return fmt.Errorf("ask over %s: %w", c.socket, errors.Unwrap(err))
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusUnprocessableEntity {
		return fmt.Errorf("ask over %s: the answer to %s %s was %s", c.socket, method, path, resp.Status)
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(into); err != nil {
		return fmt.Errorf("read the answer over %s: %w", c.socket, err)
	}
	return nil
}
