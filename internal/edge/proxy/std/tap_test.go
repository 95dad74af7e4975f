package std

import (
	"slices"
	"strings"
	"testing"
)

func TestTap(t *testing.T) {
	tests := []struct {
		name, method, in string
		connection       []string
		excess           bool
	}{
		{"both lines, whatever the case", "GET", "HTTP/1.1 200 OK\r\nConnection: close, x-a\r\nconnection:X-B \r\nContent-Length: 2\r\n\r\nok", []string{"close, x-a", "X-B"}, false},
		{"none", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", nil, false},
		{"those of the final response", "GET", "HTTP/1.1 103 Early Hints\r\nConnection: x\r\n\r\nHTTP/1.1 200 OK\nConnection: y\n\n", []string{"y"}, false},
		{"more than the length", "GET", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok!", nil, true},
		{"a body for HEAD", "HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", nil, true},
		{"a body with 204", "GET", "HTTP/1.1 204 No Content\r\n\r\nx", nil, true},
		{"a body without length", "GET", "HTTP/1.1 200 OK\r\n\r\nanything", nil, false},
		{"chunks are net/http's", "GET", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", nil, false},
		{"a tunnel", "GET", "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n\r\nhello", []string{"Upgrade"}, false},
	}
	for _, tt := range tests {
		for _, size := range []int{1, 2, 3, 7, 1000} {
			tap := newTap(nil, 1000)
			tap.begin(tt.method)
			for part := range slices.Chunk([]byte(tt.in), size) {
				tap.hear(part)
			}
			if got := tap.named(); !slices.Equal(got, tt.connection) || tap.excess != tt.excess {
				t.Errorf("%s, %d bytes at once: Connection %q, excess %t", tt.name, size, got, tap.excess)
			}
		}
	}
}

func TestTap_WhatComesUnaskedSpoilsTheConnection(t *testing.T) {
	tap := newTap(nil, 1000)
	tap.begin("GET")
	tap.hear([]byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
	tap.hear([]byte("HTTP/1.1 200 OK\r\n"))
	if tap.begin("GET") {
		t.Error("the next request was let through")
	}
}

func TestTap_KeepsNoMoreThanAHead(t *testing.T) {
	tap := newTap(nil, 1000)
	tap.begin("GET")
	for range 1000 {
		tap.hear([]byte(strings.Repeat("x", 100)))
	}
	if len(tap.head) > 1100 {
		t.Errorf("%d bytes are kept", len(tap.head))
	}
}

func FuzzTap(f *testing.F) {
	f.Add("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", uint8(3))
	f.Add("HTTP/1.1 100 Continue\n\nHTTP/1.1 204\n\n", uint8(1))
	f.Add("\n\r\n\r\n: \n", uint8(2))
	f.Fuzz(func(t *testing.T, in string, size uint8) {
		whole, parts := newTap(nil, 1<<20), newTap(nil, 1<<20)
		whole.begin("GET")
		parts.begin("GET")
		whole.hear([]byte(in))
		for part := range slices.Chunk([]byte(in), int(size)+1) {
			parts.hear(part)
		}
		if !slices.Equal(whole.named(), parts.named()) || whole.left != parts.left || whole.excess != parts.excess {
			t.Errorf("%q in pieces of %d: %q, %d, %t; whole: %q, %d, %t", in, int(size)+1,
				parts.named(), parts.left, parts.excess, whole.named(), whole.left, whole.excess)
		}
	})
}
