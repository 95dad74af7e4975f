package compress

import (
	"net/http"
	"strings"
	"testing"

	"github.com/evergate/evergate/internal/config"
)

var usual = NewPolicy(config.Compress{On: true, MinSize: 1024, Types: []string{"text/*", "application/json", "image/svg+xml"}})

func TestChoose(t *testing.T) {
	const text = "Content-Type: text/html; charset=utf-8"
	tests := []struct {
		name   string
		status int
		fields []string // of the response
		want   Coding
		vary   string
	}{
		{"a text of unknown length", 200, []string{text}, Gzip, "Accept-Encoding"},
		{"a long text", 200, []string{text, "Content-Length: 1024"}, Gzip, "Accept-Encoding"},
		{"an error too", 404, []string{text}, Gzip, "Accept-Encoding"},
		{"a type in capitals", 200, []string{"Content-Type: Application/JSON"}, Gzip, "Accept-Encoding"},
		{"a short text", 200, []string{text, "Content-Length: 1023"}, Identity, ""},
		{"another type", 200, []string{"Content-Type: image/png"}, Identity, ""},
		{"no type", 200, nil, Identity, ""},
		{"a length that is none", 200, []string{text, "Content-Length: x"}, Identity, ""},
		{"encoded already", 200, []string{text, "Content-Encoding: br"}, Identity, ""},
		{"a part", 206, []string{text, "Content-Range: bytes 0-1/2"}, Identity, ""},
		{"nothing new", 304, []string{text}, Identity, ""},
		{"no content", 204, []string{text}, Identity, ""},
		{"no-transform", 200, []string{text, "Cache-Control: max-age=5, No-Transform"}, Identity, ""},
		{"Vary is added to", 200, []string{text, "Vary: Origin"}, Gzip, "Origin, Accept-Encoding"},
		{"Vary that says it stays", 200, []string{text, "Vary: accept-encoding, Origin"}, Gzip, "accept-encoding, Origin"},
		{"Vary of everything stays", 200, []string{text, "Vary: *"}, Gzip, "*"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := make(http.Header)
			for _, f := range append(tt.fields, "Accept-Ranges: bytes", `Etag: "1"`) {
				name, value, _ := strings.Cut(f, ": ")
				h.Add(name, value)
			}
			got := usual.Choose(Visitor{Method: "GET", AcceptEncoding: []string{"gzip"}}, tt.status, h)
			if got != tt.want || strings.Join(h["Vary"], ", ") != tt.vary {
				t.Errorf("%s, Vary %v", got.String(), h["Vary"])
			}
			if got == Identity {
				if h.Get("Etag") != `"1"` || h.Get("Accept-Ranges") == "" {
					t.Errorf("changed: %v", h)
				}
				return
			}
			if h.Get("Content-Encoding") != got.String() || h.Get("Etag") != `W/"1"` || h["Content-Length"] != nil || h["Accept-Ranges"] != nil {
				t.Errorf("not described: %v", h)
			}
		})
	}
}

func TestChoose_TheVisitorDecides(t *testing.T) {
	for name, v := range map[string]Visitor{
		"who cannot":                  {Method: "GET"},
		"who wants no transformation": {Method: "GET", AcceptEncoding: []string{"gzip"}, CacheControl: []string{"no-transform"}},
	} {
		h := http.Header{"Content-Type": {"text/plain"}}
		if got := usual.Choose(v, 200, h); got != Identity || h.Get("Vary") != "Accept-Encoding" {
			t.Errorf("%s: %s, %v", name, got.String(), h)
		}
	}
	h := http.Header{"Content-Type": {"text/plain"}}
	tunnel := Visitor{Method: "CONNECT", AcceptEncoding: []string{"gzip"}}
	if got := usual.Choose(tunnel, 200, h); got != Identity || h["Vary"] != nil {
		t.Errorf("a tunnel: %s, %v", got.String(), h)
	}
	off := NewPolicy(config.Compress{Types: []string{"text/*"}})
	if off.Choose(Visitor{Method: "GET", AcceptEncoding: []string{"gzip"}}, 200, h) != Identity {
		t.Error("compressed although it is off")
	}
}

func TestNegotiate(t *testing.T) {
	tests := []struct {
		name   string
		accept []string
		stream bool
		want   Coding
	}{
		{"nothing said", nil, false, Identity},
		{"a browser", []string{"gzip, deflate, br, zstd"}, false, Zstd},
		{"a browser's event stream", []string{"gzip, deflate, br, zstd"}, true, Gzip},
		{"over lines", []string{"br", "x-gzip"}, false, Gzip},
		{"weights", []string{"zstd;q=0.5, GZIP ; q=0.8"}, false, Gzip},
		{"refused", []string{"gzip;q=0, zstd;q=0.000"}, false, Identity},
		{"anything", []string{"*"}, false, Gzip},
		{"anything but", []string{"gzip;q=0, *"}, false, Identity},
		{"rather not", []string{"identity, gzip;q=0.5"}, false, Identity},
		{"a weight that is none refuses", []string{"gzip;q=2"}, false, Identity},
		{"a zstd alone, for events", []string{"zstd"}, true, Zstd},
		{"unknown ones", []string{"br, deflate"}, false, Identity},
	}
	for _, tt := range tests {
		if got := negotiate(tt.accept, tt.stream); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got.String(), tt.want.String())
		}
	}
}

func FuzzNegotiate(f *testing.F) {
	f.Add("gzip;q=0.5, zstd;q=1.000,*;q=0")
	f.Fuzz(func(t *testing.T, accept string) {
		c := negotiate([]string{accept}, false)
		lower := strings.ToLower(accept)
		if c == Zstd && !strings.Contains(lower, "zstd") || c == Gzip && !strings.Contains(lower, "gzip") && !strings.Contains(lower, "*") {
			t.Errorf("%q got %s", accept, c.String())
		}
	})
}
