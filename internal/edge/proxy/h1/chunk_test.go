package h1

import (
	"strconv"
	"strings"
	"testing"
)

func TestParseChunkSize(t *testing.T) {
	tests := []struct {
		name, line string
		size       int64
		ok         bool
	}{
		{"digits", "1f", 31, true},
		{"upper case", "1F", 31, true},
		{"the last chunk", "0", 0, true},
		{"leading zeros", "000000a", 10, true},
		{"an extension", "5;name=value", 5, true},
		{"padding", "5  \t", 5, true},
		{"as large as it may be", "fffffffffffffff", 1<<60 - 1, true},
		{"too many digits", "1000000000000000", 0, false},
		{"nothing", "", 0, false},
		{"only an extension", ";x", 0, false},
		{"a sign", "+5", 0, false},
		{"a prefix", "0x5", 0, false},
		{"two numbers", "5 5", 0, false},
		{"a control character in the extension", "5;a\x01", 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			size, ok := parseChunkSize([]byte(tt.line))
			if ok != tt.ok || (ok && size != tt.size) {
				t.Errorf("parseChunkSize(%q) = %d, %t; want %d, %t", tt.line, size, ok, tt.size, tt.ok)
			}
		})
	}
}

func FuzzParseChunkSize(f *testing.F) {
	for _, s := range []string{"0", "1f;x=\"y\"", "5 ", "FFFFFFFFFFFFFFF", "-1", "0x10", "5\r"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		size, ok := parseChunkSize([]byte(line))
		if !ok {
			return
		}
		digits := line[:len(line)-len(strings.TrimLeft(line, "0123456789abcdefABCDEF"))]
		want, err := strconv.ParseInt(digits, 16, 64)
		if err != nil || size != want || size < 0 {
			t.Errorf("parseChunkSize(%q) = %d, want %d (%v)", line, size, want, err)
		}
	})
}
