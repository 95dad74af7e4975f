package proxy

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

func TestTrail_GivesValuesWithTheEndOfTheBodyOnly(t *testing.T) {
	announced := http.Header{"X-Sum": nil}
	visitor := http.Header{"X-Sum": {"1"}}
	first, again := trail(strings.NewReader("body"), announced, visitor), trail(strings.NewReader("body"), announced, visitor)
	if _, err := io.ReadFull(first, make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	if v, ok := first.own["X-Sum"]; !ok || v != nil {
		t.Errorf("before the end the trailer is %v, want the name alone", first.own)
	}
	if _, err := first.Read(make([]byte, 1)); err != io.EOF {
		t.Fatalf("at the end: %v", err)
	}
	if first.own.Get("X-Sum") != "1" {
		t.Errorf("at the end the trailer is %v", first.own)
	}
	if again.own["X-Sum"] != nil || announced["X-Sum"] != nil {
		t.Error("one attempt has filled in the trailer of another")
	}
}
