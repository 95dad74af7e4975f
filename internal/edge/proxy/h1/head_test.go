package h1

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/evergate/evergate/internal/edge/proxy/upstream"
	"github.com/evergate/evergate/internal/httpfield"
)

func TestParseHead(t *testing.T) {
	tests := []struct {
		name string
		in   string
		want head
		bad  bool
	}{
		{"a length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",
			head{status: 200, length: 5, keepAlive: true, fields: []upstream.Field{{Name: "Content-Length", Value: "5"}}}, false},
		{"no reason and no fields", "HTTP/1.1 204\r\n\r\n", head{status: 204, length: -1, keepAlive: true}, false},
		{"a lone LF ends a line", "HTTP/1.1 200 OK\nX-a: 1\n\n",
			head{status: 200, length: -1, keepAlive: true, fields: []upstream.Field{{Name: "X-A", Value: "1"}}}, false},
		{"HTTP/1.0 closes", "HTTP/1.0 200 OK\r\n\r\n", head{status: 200, length: -1}, false},
		{"the same length twice is one", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\ncontent-length: 5\r\n\r\n",
			head{status: 200, length: 5, keepAlive: true, fields: []upstream.Field{{Name: "Content-Length", Value: "5"}}}, false},
		{"two lengths", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", head{}, true},
		{"length and chunked", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", head{}, true},
		{"another coding", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", head{}, true},
		{"chunked in HTTP/1.0", "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", head{}, true},
		{"a sign before the length", "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n", head{}, true},
		{"a space before the colon", "HTTP/1.1 200 OK\r\nX : 1\r\n\r\n", head{}, true},
		{"a continued line", "HTTP/1.1 200 OK\r\nX: 1\r\n 2\r\n\r\n", head{}, true},
		{"a CR within a line", "HTTP/1.1 200 OK\r\nX: 1\r2\r\n\r\n", head{}, true},
		{"NUL", "HTTP/1.1 200 OK\r\nX: 1\x002\r\n\r\n", head{}, true},
		{"a status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", head{}, true},
		{"a status below 100", "HTTP/1.1 099 OK\r\n\r\n", head{}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var h head
			err := parseHead([]byte(tt.in), &h, 10)
			if tt.bad {
				if !errors.Is(err, ErrMalformed) {
					t.Fatalf("error %v, want ErrMalformed", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if h.status != tt.want.status || h.length != tt.want.length || h.chunked != tt.want.chunked ||
				h.keepAlive != tt.want.keepAlive || !slices.Equal(h.fields, tt.want.fields) {
				t.Errorf("got %+v, want %+v", h, tt.want)
			}
		})
	}
}

func TestParseHead_CountsFields(t *testing.T) {
	in := []byte("HTTP/1.1 200 OK\r\n" + strings.Repeat("X: 1\r\n", 11) + "\r\n")
	if err := parseHead(in, new(head), 10); !errors.Is(err, ErrTooManyFields) {
		t.Errorf("error %v, want ErrTooManyFields", err)
	}
}

func FuzzParseHead(f *testing.F) {
	for _, s := range []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close, x\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X\r\n\r\n",
		"HTTP/1.0 304\nETag: \"x\"\n\n",
		"HTTP/1.1 200 OK\r\nX : 1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n",
		"HTTP/1.1 101 \r\nupgrade:websocket\r\n\r\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		if !strings.HasSuffix(string(in), "\n\n") && !strings.HasSuffix(string(in), "\n\r\n") {
			in = append(slices.Clone(in), "\r\n\r\n"...) // a whole head is what it is given
		}
		var h head
		if err := parseHead(in, &h, 100); err != nil {
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrTooManyFields) {
				t.Errorf("error %v is none of the two", err)
			}
			return
		}
		if h.status < 100 || h.status > 999 || (h.chunked && h.length >= 0) || h.length < -1 {
			t.Errorf("accepted %+v", h)
		}
		for _, field := range h.fields {
			if _, canonical := httpfield.InspectName(field.Name); !canonical || !clean([]byte(field.Value)) {
				t.Errorf("accepted field %q: %q", field.Name, field.Value)
			}
		}
	})
}
