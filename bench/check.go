package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/evergate/evergate/bench/internal/load"
	"github.com/evergate/evergate/bench/internal/peer"
	"github.com/evergate/evergate/bench/internal/process"
)

// check asks for c until the peer answers, then holds the answer against what
// it should be. It returns how many requests were answered in any way.
func check(ctx context.Context, c load.Case, s peer.Setup, door *process.Process) (answered int, err error) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	client, err := client(c, s)
	if err != nil {
		return 0, err
	}
	defer client.CloseIdleConnections()
	for {
		status, err := ask(ctx, client, c, s)
		if status != 0 {
			answered++
		}
		if err == nil {
			return answered, nil
		}
		// 502 and 503 are what a door says before its own check has passed.
		if status != 0 && status != http.StatusServiceUnavailable && status != http.StatusBadGateway {
			return answered, err
		}
		select {
		case <-door.Done():
			return answered, errors.New("it has ended")
		case <-ctx.Done():
			return answered, fmt.Errorf("no good answer in time: %w", err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// client trusts the certificate of the benchmark and speaks the protocol of c.
func client(c load.Case, s peer.Setup) (*http.Client, error) {
	pem, err := os.ReadFile(s.Cert)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig:    &tls.Config{RootCAs: roots},
		ForceAttemptHTTP2:  c.HTTP2,
		DisableCompression: true,
	}}, nil
}

// ask makes one request of c. The status is 0 if there was no answer.
func ask(ctx context.Context, client *http.Client, c load.Case, s peer.Setup) (status int, err error) {
	var body io.Reader
	if c.Method == http.MethodPost {
		body = strings.NewReader(strings.Repeat("x", load.PostBody))
	}
	request, err := http.NewRequestWithContext(ctx, c.Method, c.URL(s.Port), body)
	if err != nil {
		return 0, err
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return response.StatusCode, err
	case response.StatusCode != http.StatusOK:
		return response.StatusCode, fmt.Errorf("it answered %s", response.Status)
	case len(text) != c.Size || !strings.HasPrefix(string(text), `{"text":"evergate`):
		return response.StatusCode, fmt.Errorf("it answered %d bytes %.20q, want %d bytes from the server", len(text), text, c.Size)
	case c.HTTP2 && response.ProtoMajor != 2:
		return response.StatusCode, fmt.Errorf("it answered in %s, want HTTP/2", response.Proto)
	}
	return response.StatusCode, nil
}
