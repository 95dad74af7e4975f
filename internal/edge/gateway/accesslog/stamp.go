package accesslog

import (
	"sync/atomic"
	"time"
)

// stamps writes times as RFC 3339 has them, in UTC, with milliseconds. All but the
// milliseconds is kept for the current second. Safe for concurrent use.
type stamps struct{ last atomic.Pointer[stamp] }

type stamp struct {
	second int64  // Unix
	text   string // up to the seconds
}

// append appends t to b.
func (s *stamps) append(b []byte, t time.Time) []byte {
	second := t.Unix()
	l := s.last.Load()
	if l == nil || l.second != second {
		l = &stamp{second, t.UTC().Format("2006-01-02T15:04:05")}
		s.last.Store(l)
	}
	ms := t.Nanosecond() / 1e6
	b = append(b, l.text...)
	return append(b, '.', byte('0'+ms/100), byte('0'+ms/10%10), byte('0'+ms%10), 'Z')
}
