package compress

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// decoded is what a visitor reads from b so far.
func decoded(t *testing.T, c Coding, b []byte) (string, error) {
	t.Helper()
	var r io.Reader
	if c == Zstd {
		z, err := zstd.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		r = z
	} else {
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		r = z
	}
	text, err := io.ReadAll(r)
	return string(text), err
}

func TestWriter(t *testing.T) {
	for _, tt := range []struct {
		name   string
		coding Coding
		stream bool
	}{{"gzip", Gzip, false}, {"gzip of events", Gzip, true}, {"zstd", Zstd, false}} {
		t.Run(tt.name, func(t *testing.T) {
			long := strings.Repeat("the quick brown fox ", 20_000)
			for range 3 { // out of the pool
				var b bytes.Buffer
				z := NewWriter(&b, tt.coding, tt.stream)
				if _, err := io.WriteString(z, "first "); err != nil {
					t.Fatal(err)
				}
				if err := z.Flush(); err != nil {
					t.Fatal(err)
				}
				if got, _ := decoded(t, tt.coding, b.Bytes()); got != "first " {
					t.Errorf("after the flush a visitor reads %q", got)
				}
				if _, err := io.WriteString(z, long); err != nil {
					t.Fatal(err)
				}
				if err := z.Close(); err != nil {
					t.Fatal(err)
				}
				if got, err := decoded(t, tt.coding, b.Bytes()); got != "first "+long || err != nil {
					t.Errorf("%d bytes, %v", len(got), err)
				}
				if z.Written() != int64(b.Len()) || b.Len() > len(long)/10 {
					t.Errorf("%d bytes written, %d counted", b.Len(), z.Written())
				}
				z.Free()
			}
		})
	}
}

func TestWriter_OneThatWasCutCanBeUsedAgain(t *testing.T) {
	for _, c := range []Coding{Gzip, Zstd} {
		z := NewWriter(io.Discard, c, false)
		_, _ = io.WriteString(z, "cut")
		z.Free()
		var b bytes.Buffer
		z = NewWriter(&b, c, false)
		_, _ = io.WriteString(z, "whole")
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		if got, err := decoded(t, c, b.Bytes()); got != "whole" || err != nil {
			t.Errorf("%s: %q, %v", c.String(), got, err)
		}
		z.Free()
	}
}
