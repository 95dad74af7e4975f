package config

import (
	"strings"
	"testing"
)

func TestPathPattern_SubjectIsWhatRequestsAreComparedWith(t *testing.T) {
	tests := []struct {
		in, subject string
		prefix      bool
	}{
		{"/", "/", false},
		{"/*", "", true},
		{"/a", "/a", false},
		{"/a/", "/a/", false},
		{"/a/*", "/a", true},
		{"/a%40b", "/a@b", false},
		{"/caf%C3%A9", "/café", false},
		{"/a%2fb/*", "/a%2Fb", true},
		{"/100%25", "/100%", false},
		{"/.well-known/*", "/.well-known", true},
		{"/a/...", "/a/...", false},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			subject, prefix, problem := pathPattern(tt.in)
			if subject != tt.subject || prefix != tt.prefix || problem != "" {
				t.Errorf("%q, %t, %q, want %q, %t", subject, prefix, problem, tt.subject, tt.prefix)
			}
		})
	}
}

func FuzzPathPattern(f *testing.F) {
	for _, s := range []string{"/", "/*", "/a/*", "/a%2fb", "/%25", "/%2e%2e", "/é", "/a*b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		subject, _, problem := pathPattern(s)
		if problem != "" {
			return
		}
		if subject != "" && subject[0] != '/' || strings.Contains(subject, "//") || strings.ContainsAny(subject, "*\\\x00") && !strings.Contains(s, "%") || dotSegment(subject) {
			t.Errorf("%q is accepted as %q", s, subject)
		}
	})
}
