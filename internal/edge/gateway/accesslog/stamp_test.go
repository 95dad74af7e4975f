package accesslog

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestStamps_WriteWhatTimeFormatWould(t *testing.T) {
	var s stamps
	zone := time.FixedZone("east", 3600)
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, "second"), rapid.Int64Range(0, 1e9-1).Draw(t, "nanosecond")).In(zone)
		for range 2 { // the second time from memory
			if got, want := string(s.append(nil, at)), at.UTC().Format("2006-01-02T15:04:05.000Z"); got != want {
				t.Fatalf("got %s, want %s", got, want)
			}
		}
	})
}
