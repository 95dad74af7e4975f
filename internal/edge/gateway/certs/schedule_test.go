package certs

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/mholt/acmez/v3/acme"
)

func TestWhyOf(t *testing.T) {
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"the authority said no", fmt.Errorf("order: %w", acme.Problem{Status: 403, Type: acme.ProblemTypeRejectedIdentifier}), "refused"},
		{"the authority said: not so often", fmt.Errorf("order: %w", acme.Problem{Status: 429, Type: acme.ProblemTypeRateLimited}), "rate_limited"},
		{"the authority is broken", acme.Problem{Status: 500, Type: acme.ProblemTypeServerInternal}, "unreachable"},
		{"nobody answered", errors.New("connection refused"), "unreachable"},
		{"the answer took too long", errors.Join(context.DeadlineExceeded, errors.New("x")), "timeout"},
		{"no place to keep it", fmt.Errorf("%w: %w", errDisk, errors.New("no space left on device")), "disk"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := whyOf(tt.err); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestBackoff_DoublesUpToItsMost(t *testing.T) {
	tests := []struct {
		why   string
		n     int
		first time.Duration
		want  time.Duration
	}{
		{"unreachable", 1, 0, 15 * time.Second},
		{"unreachable", 3, 0, time.Minute},
		{"unreachable", 1000, 0, 15 * time.Minute},
		{"disk", 1, 0, 15 * time.Second},
		{"refused", 1, 0, 5 * time.Minute},
		{"refused", 5, 0, 80 * time.Minute},
		{"refused", 1000, 0, 6 * time.Hour},
		{"rate_limited", 1, 0, time.Hour},
		{"refused", 3, time.Second, 4 * time.Second},
	}
	for _, tt := range tests {
		for range 20 {
			got := backoff(tt.why, tt.n, tt.first)
			if got < tt.want || got > tt.want+tt.want/5+1 {
				t.Errorf("%s, failure %d: %s, want %s and up to a fifth more", tt.why, tt.n, got, tt.want)
			}
		}
	}
}

func TestRenewAfter(t *testing.T) {
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	leaf := &x509.Certificate{NotBefore: start, NotAfter: start.Add(90 * 24 * time.Hour)}
	if got, want := renewAfter(leaf, 1.0/3), start.Add(60*24*time.Hour); got.Sub(want).Abs() > time.Second {
		t.Errorf("got %s, want %s", got, want)
	}
}
