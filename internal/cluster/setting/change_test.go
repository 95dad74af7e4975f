package setting

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestChange_Check(t *testing.T) {
	now := time.Date(2021, 6, 8, 7, 0, 0, 0, time.UTC)
	good := func() Change { return Change{Key: "k", Value: value("1"), Actor: "ann", Reason: "r"} }
	tests := []struct {
		name  string
		with  func(c *Change)
		field string // of the InvalidError; "reason", "key": of their own; "": it is good
	}{
		{"as it should be", func(*Change) {}, ""},
		{"a reset", func(c *Change) { c.Value = nil }, ""},
		{"a revert", func(c *Change) { c.RevertAfter = 15 * time.Minute }, ""},
		{"a later time", func(c *Change) { c.At = now.Add(time.Hour) }, ""},
		{"no key", func(c *Change) { c.Key = "" }, "key"},
		{"a key of two lines", func(c *Change) { c.Key = "a\nb" }, "key"},
		{"a very long key", func(c *Change) { c.Key = strings.Repeat("k", maxKey+1) }, "key"},
		{"no reason", func(c *Change) { c.Reason = "" }, "reason"},
		{"a blank reason", func(c *Change) { c.Reason = " \t " }, "reason"},
		{"a reason of 500 characters", func(c *Change) { c.Reason = strings.Repeat("ü", maxReason) }, ""},
		{"a reason of 501", func(c *Change) { c.Reason = strings.Repeat("ü", maxReason+1) }, "reason"},
		{"a reason of two lines", func(c *Change) { c.Reason = "a\nb" }, "reason"},
		{"a reason that turns the line around", func(c *Change) { c.Reason = "a\u202eb" }, "reason"},
		{"a reason that is no UTF-8", func(c *Change) { c.Reason = "\xff" }, "reason"},
		{"no actor", func(c *Change) { c.Actor = "" }, "actor"},
		{"Evergate's own name", func(c *Change) { c.Actor = Automatic }, "actor"},
		{"a value that is no JSON", func(c *Change) { c.Value = value("{") }, "value"},
		{"an empty value", func(c *Change) { c.Value = value("") }, "value"},
		{"null", func(c *Change) { c.Value = value(" null ") }, "value"},
		{"a value that is no UTF-8", func(c *Change) { c.Value = value("\"\xff\"") }, "value"},
		{"a value of 64 KiB", func(c *Change) { c.Value = value(`"` + strings.Repeat("x", maxValue-2) + `"`) }, ""},
		{"a larger one", func(c *Change) { c.Value = value(`"` + strings.Repeat("x", maxValue-1) + `"`) }, "value"},
		{"a revert at once", func(c *Change) { c.RevertAfter = time.Millisecond }, "revert_after"},
		{"a revert before", func(c *Change) { c.RevertAfter = -time.Minute }, "revert_after"},
		{"a revert in two years", func(c *Change) { c.RevertAfter = 2 * maxWait }, "revert_after"},
		{"a time that is over", func(c *Change) { c.At = now }, "at"},
		{"a time in two years", func(c *Change) { c.At = now.Add(2 * maxWait) }, "at"},
		{"both", func(c *Change) { c.At, c.RevertAfter = now.Add(time.Hour), time.Hour }, "revert_after"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := good()
			tt.with(&c)
			err := c.check(now)
			var invalid *InvalidError
			var unknown *UnknownKeyError
			got := ""
			switch {
			case errors.As(err, &invalid):
				got = invalid.Field
			case errors.As(err, &unknown):
				got = "key"
			case errors.Is(err, ErrNoReason):
				got = "reason"
			case err != nil:
				t.Fatal(err)
			}
			if got != tt.field {
				t.Errorf("%q is wrong, want %q: %v", got, tt.field, err)
			}
		})
	}
}

func TestService_RefusesWithoutATrace(t *testing.T) {
	dir := t.TempDir()
	refuse := errors.New("out of bounds")
	s := beginWith(t, Options{Store: openStore(t, dir), Dir: dir, Check: func(string, json.RawMessage) error { return refuse }})
	if _, err := s.Put(t.Context(), Change{Key: "k", Value: value("1"), Actor: "ann", Reason: "r"}); !errors.Is(err, refuse) {
		t.Errorf("got %v", err)
	}
	if got := past(t, s, "k"); len(got) > 0 {
		t.Errorf("history %v", got)
	}
}
