package main

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

func TestServe(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go serve(l)

	tests := []struct {
		name, method, path, body string
		want                     int
	}{
		{"a short answer", "GET", "/bench-1k", "", 1 << 10},
		{"a long answer", "GET", "/bench-100k", "", 100 << 10},
		{"a body is read and forgotten", "POST", "/bench-1k", strings.Repeat("x", 20_000), 1 << 10},
		{"the check of health", "GET", "/health", "", 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for range 2 { // the second on the same connection
				request, err := http.NewRequest(tt.method, "http://"+l.Addr().String()+tt.path, strings.NewReader(tt.body))
				if err != nil {
					t.Fatal(err)
				}
				response, err := http.DefaultClient.Do(request)
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(response.Body)
				response.Body.Close()
				if err != nil || response.StatusCode != 200 || len(body) != tt.want {
					t.Errorf("status %d, %d bytes, %v; want 200 and %d bytes", response.StatusCode, len(body), err, tt.want)
				}
			}
		})
	}
}
