// Package client asks a running Evergate what the operators' API answers
// (internal/admin/api): over the unix socket of this machine without any set-up,
// or over HTTPS from elsewhere with a token. Its errors are sentences for the
// person at the keyboard: what was asked, what was in the way, what to do.
package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

const (
	maxAnswer   = 16 << 20 // bytes that are read of an answer
	dialTimeout = 5 * time.Second
	base        = "/api/v1/"
)

// Options say whom to ask. One of Socket and Server is set.
type Options struct {
	// Socket is the path of admin.sock in the data_dir of an Evergate on this machine.
	Socket string
	// Server is the admin listener of an Evergate anywhere: "https://host:port",
	// or "http://host:port" on loopback only.
	Server string
	// Token is sent to Server. "": none. Sockets need none.
	Token string
	// CA is a file of PEM certificates that may sign Server's; "": those of the system.
	CA string
}

// Client asks one Evergate. Safe for concurrent use.
type Client struct {
	where  string // as people are told: the socket's path, or the URL
	root   string // of all URLs, without a slash at the end
	socket string // "": over TCP
	token  string
	http   http.Client
}

// New returns a client. Nothing is asked yet. Errors are about o: a URL that is
// none, one that would carry the token readably, an authority file that cannot
// be read.
func New(o Options) (*Client, error) {
	c := &Client{}
	transport := &http.Transport{
		TLSHandshakeTimeout: 2 * dialTimeout,
		MaxIdleConns:        4,
		IdleConnTimeout:     time.Minute,
	}
	c.http.Transport = transport
	// A redirect would take the token elsewhere, and the API has none.
	c.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	dialer := net.Dialer{Timeout: dialTimeout}
	if o.Server == "" {
		c.where, c.root, c.socket = o.Socket, "http://localhost", o.Socket
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", o.Socket)
		}
		return c, nil
	}
	root, err := serverURL(o.Server)
	if err != nil {
		return nil, err
	}
	roots, err := authorities(o.CA)
	if err != nil {
		return nil, err
	}
	c.where, c.root, c.token = root, root, o.Token
	transport.DialContext = dialer.DialContext
	transport.Proxy = http.ProxyFromEnvironment
	transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	transport.ForceAttemptHTTP2 = true
	return c, nil
}

// Where says whom the client asks: the socket's path, or the URL.
func (c *Client) Where() string { return c.where }

// Close ends idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// ask sends one request and returns the body of the answer. path is what follows
// /api/v1/, its parts escaped; body is nil or becomes JSON. A status that is
// none of a success ends in an error, a *Problem where Evergate said what is wrong.
func (c *Client) ask(ctx context.Context, method, path string, query url.Values, body any) (Answer[json.RawMessage], error) {
	resp, err := c.send(ctx, method, path, query, body)
	if err != nil {
		return Answer[json.RawMessage]{}, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return Answer[json.RawMessage]{}, fmt.Errorf("read the answer of %s: %w", c.where, plain(err))
	}
	if len(data) > maxAnswer {
		return Answer[json.RawMessage]{}, fmt.Errorf("read the answer of %s: it has more than %d MiB", c.where, maxAnswer>>20)
	}
	if resp.StatusCode/100 == 2 {
		return Answer[json.RawMessage]{Value: data, JSON: data, At: dated(resp)}, nil
	}
	return Answer[json.RawMessage]{}, c.problem(resp, data)
}

// dated is when resp was sent, by the clock of the sender: ages in the answer
// count from there, whatever this machine's clock says.
func dated(resp *http.Response) time.Time {
	if at, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		return at
	}
	return time.Now()
}

// send sends one request and returns its answer, whatever the status.
func (c *Client) send(ctx context.Context, method, path string, query url.Values, body any) (*http.Response, error) {
	target := c.root + base + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	var content io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("write the question to %s: %w", c.where, err)
		}
		content = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, target, content)
	if err != nil {
		return nil, fmt.Errorf("ask %s: %w", c.where, err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	req.Header.Set("Accept", "application/json, application/problem+json")
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	return resp, nil
}

// Answer is what was answered: as a value, and the very JSON.
type Answer[T any] struct {
	Value T
	JSON  json.RawMessage
	At    time.Time // when it was answered, by the clock of the one who did, to the second
}

// typed reads the JSON of an answer as a T. Members that this version does not
// know are passed over: the other side may be newer.
func typed[T any](c *Client, untyped Answer[json.RawMessage], err error) (Answer[T], error) {
	a := Answer[T]{JSON: untyped.JSON, At: untyped.At}
	if err != nil {
		return a, err
	}
	if err := json.Unmarshal(untyped.JSON, &a.Value); err != nil {
		return a, fmt.Errorf("read the answer of %s: %w; is it an Evergate of this version?", c.where, err)
	}
	return a, nil
}

// plain is err without the method and URL that net/http puts before it.
func plain(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// escape makes a name one part of a path: "/" and brackets in it are no more
// than characters.
func escape(name string) string { return url.PathEscape(name) }
